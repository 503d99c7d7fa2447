/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/there.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/mupdatectl/session.h"

/* How our dumps begin; any other file is taken for one of Cyrus's. */
static const char dump_begin[] = "mupdate-dump ";
static const char json_begin[] = "{\"mupdate_dump\":";

static int no_memory(void)
{
    return ctl_complain(EX_OSERR, "out of memory");
}

/* --- what it is --- */

static void init(struct ctl_there *there, struct ctl *ctl, const char *what,
                 const struct rule_policy *policy)
{
    memset(there, 0, sizeof *there);
    there->what = what;
    there->ctl = ctl;
    there->dump.fd = -1;
    there->import.policy = *policy;
    there->import.from = what;
    ctl_gather_init(&there->import.rows);
    there->import.comparing = true;
    ctl_gather_init(&there->import.unread);
}

static bool skip_twice(void *context, const struct row *kept, uint64_t kept_line,
                       const struct row *gone, uint64_t gone_line)
{
    (void)context;
    (void)kept;
    (void)kept_line;
    (void)gone;
    (void)gone_line;
    return true;
}

static int sort(struct ctl_gather *gather)
{
    if (!ctl_gather_sort(gather, LIST_ORDER_OCTET))
        return no_memory();
    (void)ctl_gather_unite(gather, skip_twice, NULL);
    return 0;
}

static int open_cyrus(struct ctl_there *there, const char *path, const char *server)
{
    int status = ctl_left_out_init(&there->import.left_out, NULL, false);

    there->kind = CTL_THERE_CYRUS;
    there->import.server = server;
    if (!status)
        status = ctl_import_file(&there->import, path, CYRUS_ANY);
    if (!status)
        status = ctl_import_sort(&there->import);
    if (!status)
        status = sort(&there->import.unread);
    if (!status && ctl_there_unread(there))
        ctl_left_out_print(&there->import.left_out, "all whose names are known are listed", stderr);
    return status;
}

static int open_file(struct ctl_there *there, FILE *file, const struct rule_policy *policy)
{
    char begin[sizeof json_begin] = "";
    struct stat about;
    size_t len;
    int status;

    if (fstat(fileno(file), &about) != 0 || !S_ISREG(about.st_mode)) {
        (void)fclose(file);
        return ctl_complain(EX_NOINPUT, "%s is no regular file; it is read more than once, so it "
                                        "must be one", there->what);
    }
    len = fread(begin, 1, sizeof begin - 1, file);
    if (ferror(file)) {
        status = ctl_complain(EX_NOINPUT, "cannot read %s: %s", there->what, strerror(errno));
        (void)fclose(file);
        return status;
    }
    begin[len] = '\0';
    if (strcmp(begin, json_begin) == 0) {
        there->kind = CTL_THERE_JSON;
        status = ctl_json_dump_open(&there->json, there->what, file, policy);
        if (!status && there->json.server)
            buffer_append_string(&there->server, there->json.server);
        return there->server.failed ? no_memory() : status;
    }
    (void)fclose(file);
    if (strncmp(begin, dump_begin, strlen(dump_begin)) != 0)
        return open_cyrus(there, there->what, NULL);
    there->kind = CTL_THERE_DUMP;
    return ctl_dump_file_open(&there->dump, there->what, policy);
}

int ctl_there_open(struct ctl_there *there, struct ctl *ctl, const char *what,
                   const struct rule_policy *policy)
{
    FILE *file;
    int status;

    init(there, ctl, what, policy);
    file = fopen(what, "re");
    if (file)
        return open_file(there, file, policy);
    if (errno != ENOENT || what[0] == '/' || what[0] == '.')
        return ctl_complain(EX_NOINPUT, "cannot read %s: %s", what, strerror(errno));
    there->kind = CTL_THERE_SERVER;
    status = ctl_host(ctl, "there is no such file; --against", what);
    return status ? status : ctl_connect(ctl);
}

int ctl_there_open_backend(struct ctl_there *there, struct ctl *ctl, const char *path,
                           const char *server, const struct rule_policy *policy)
{
    init(there, ctl, path, policy);
    return open_cyrus(there, path, server);
}

void ctl_there_close(struct ctl_there *there)
{
    ctl_dump_file_close(&there->dump);
    ctl_json_dump_close(&there->json);
    ctl_gather_free(&there->import.rows);
    ctl_gather_free(&there->import.unread);
    ctl_left_out_free(&there->import.left_out);
    buffer_free(&there->import.location);
    buffer_free(&there->server);
    buffer_free(&there->texts);
    if (there->kind == CTL_THERE_SERVER)
        ctl_disconnect(there->ctl);
}

/* --- all of it --- */

struct passing {
    struct ctl_there *there;
    struct digest *digest; /* NULL: gather the rows */
    uint64_t rows;
};

static int take_from_server(void *context, const struct mupdate_row *mupdate)
{
    struct passing *passing = context;
    const struct row row = {.mupdate = *mupdate};

    if (mupdate->state == MUPDATE_ABSENT)
        return ctl_complain(EX_PROTOCOL, "%s lists a mailbox that is none", passing->there->what);
    ctl_progress_step(&passing->there->import.progress, ++passing->rows);
    if (passing->digest)
        digest_add(passing->digest, mupdate);
    else if (!ctl_gather_add(&passing->there->import.rows, &row, 0))
        return no_memory();
    return 0;
}

/* By LIST, behind which FIND can be asked, and which replicas answer, too. */
static int ask_server(struct passing *passing)
{
    struct ctl_there *there = passing->there;
    int status;

    ctl_progress_begin(&there->import.progress, "receiving", "rows", 0);
    status = ctl_finish(
        there->ctl,
        mupdate_client_list(ctl_client(there->ctl), (struct mupdate_text){NULL, 0}),
        take_from_server, passing);
    ctl_progress_end(&there->import.progress);
    return status;
}

static int note_server(struct ctl_there *there)
{
    const struct dump_header *header = dump_reader_header(there->dump.reader);

    if (!header || header->server.len == 0)
        return 0;
    buffer_clear(&there->server);
    buffer_append(&there->server, header->server.data, header->server.len);
    return there->server.failed ? no_memory() : 0;
}

int ctl_there_digest(struct ctl_there *there, struct digest *digest, uint64_t *rows)
{
    struct passing passing = {.there = there, .digest = digest};
    struct ctl_source source;
    struct row row;
    int status = 0;

    memset(digest, 0, sizeof *digest);
    if (there->kind == CTL_THERE_SERVER) {
        status = ask_server(&passing);
    } else {
        status = ctl_there_begin(there, &source);
        while (!status && source.next(source.context, &row, &status)) {
            digest_add(digest, &row.mupdate);
            passing.rows++;
        }
        if (!status && there->kind == CTL_THERE_DUMP)
            status = note_server(there);
    }
    *rows = passing.rows;
    return status;
}

int ctl_there_begin(struct ctl_there *there, struct ctl_source *source)
{
    struct passing passing = {.there = there};
    int status = 0;

    switch (there->kind) {
    case CTL_THERE_DUMP:
        status = ctl_dump_file_begin(&there->dump, "reading");
        *source = ctl_dump_file_source(&there->dump);
        return status;
    case CTL_THERE_JSON:
        status = ctl_json_dump_begin(&there->json);
        *source = ctl_json_dump_source(&there->json);
        return status;
    case CTL_THERE_SERVER:
        ctl_gather_free(&there->import.rows);
        status = ask_server(&passing);
        if (!status)
            status = sort(&there->import.rows);
        break;
    case CTL_THERE_CYRUS:
        break;
    }
    *source = ctl_gather_source(&there->import.rows);
    return status;
}

/* --- what is not there to be compared --- */

uint64_t ctl_there_unread(const struct ctl_there *there)
{
    return ctl_left_out_wanted(&there->import.left_out);
}

struct ctl_source ctl_there_unread_names(struct ctl_there *there)
{
    return ctl_gather_source(&there->import.unread);
}

/* --- one row --- */

static struct mupdate_text keep(struct ctl_there *there, size_t *at, struct mupdate_text text)
{
    struct mupdate_text kept = {(const char *)buffer_bytes(&there->texts) + *at, text.len};

    *at += text.len;
    return kept;
}

struct finding {
    struct ctl_there *there;
    struct mupdate_row *row;
};

static int take_one(void *context, const struct mupdate_row *row)
{
    const struct finding *finding = context;
    struct ctl_there *there = finding->there;
    size_t at = 0;

    buffer_clear(&there->texts);
    buffer_append(&there->texts, row->name.data, row->name.len);
    buffer_append(&there->texts, row->location.data, row->location.len);
    buffer_append(&there->texts, row->acl.data, row->acl.len);
    if (there->texts.failed)
        return no_memory();
    finding->row->state = row->state;
    finding->row->name = keep(there, &at, row->name);
    finding->row->location = keep(there, &at, row->location);
    finding->row->acl = keep(there, &at, row->acl);
    return 0;
}

int ctl_there_find(struct ctl_there *there, struct mupdate_text name, struct mupdate_row *row)
{
    struct finding finding = {there, row};

    *row = (struct mupdate_row){.state = MUPDATE_ABSENT, .name = name};
    return ctl_finish(there->ctl, mupdate_client_find(ctl_client(there->ctl), name), take_one,
                      &finding);
}
