/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/json_dump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "layer/tls_digest.h"
#include "mupdated/control/json.h"
#include "mupdated/dump/header.h"
#include "tools/mupdatectl/command.h"

static int bad(const struct ctl_json_dump *dump, const char *wrong)
{
    return ctl_complain(EX_DATAERR, "%s:%llu: %s; the dump is not good and is not used",
                        dump->path, (unsigned long long)dump->number, wrong);
}

static int no_memory(void)
{
    return ctl_complain(EX_OSERR, "out of memory");
}

/* The object of the next line, to be released. Exit status. */
static int read_object(struct ctl_json_dump *dump, json_t **object, size_t *len)
{
    ssize_t got;

    *object = NULL;
    *len = 0;
    errno = 0;
    got = getline(&dump->line, &dump->size, dump->file);
    dump->number++;
    if (got < 0)
        return ferror(dump->file) || errno == ENOMEM
                   ? ctl_complain(EX_IOERR, "cannot read %s: %s", dump->path, strerror(errno))
                   : bad(dump, "it ends before its last line");
    if (dump->line[got - 1] != '\n')
        return bad(dump, "it ends in the middle of a line");
    *len = (size_t)got;
    *object = json_loadb(dump->line, *len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(*object))
        return 0;
    json_decref(*object);
    *object = NULL;
    return bad(dump, "this is no JSON object");
}

static int digest_line(struct ctl_json_dump *dump, size_t len)
{
    return tls_digest_add(dump->digest, dump->line, len) ? 0 : no_memory();
}

static bool get_number(const json_t *object, const char *key, uint64_t *number)
{
    const json_t *value = json_object_get(object, key);

    *number = (uint64_t)json_integer_value(value);
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

static int read_header(struct ctl_json_dump *dump)
{
    uint64_t version;
    json_t *header;
    size_t len;
    int status = read_object(dump, &header, &len);

    if (status)
        return status;
    if (!get_number(header, "mupdate_dump", &version) || version != DUMP_VERSION ||
        !get_number(header, "rows", &dump->expected)) {
        status = bad(dump, "this is no header of a dump of version 1");
    } else {
        free(dump->server);
        if (!json_get_text(header, "server", &dump->server, &(size_t){0}))
            status = no_memory();
    }
    json_decref(header);
    return status ? status : digest_line(dump, len);
}

int ctl_json_dump_open(struct ctl_json_dump *dump, const char *path, FILE *file,
                       const struct rule_policy *policy)
{
    memset(dump, 0, sizeof *dump);
    dump->path = path;
    dump->file = file;
    dump->policy = *policy;
    return ctl_json_dump_begin(dump);
}

void ctl_json_dump_close(struct ctl_json_dump *dump)
{
    if (dump->file)
        (void)fclose(dump->file);
    dump->file = NULL;
    free(dump->line);
    dump->line = NULL;
    free(dump->server);
    dump->server = NULL;
    buffer_free(&dump->name);
    buffer_free(&dump->last);
    buffer_free(&dump->location);
    buffer_free(&dump->acl);
    tls_digest_free(dump->digest);
    dump->digest = NULL;
}

int ctl_json_dump_begin(struct ctl_json_dump *dump)
{
    tls_digest_free(dump->digest);
    dump->digest = tls_digest_new();
    if (!dump->digest)
        return no_memory();
    dump->number = dump->rows = 0;
    buffer_clear(&dump->last);
    if (fseek(dump->file, 0, SEEK_SET) != 0)
        return ctl_complain(EX_NOINPUT, "%s is no regular file; a dump is read twice, so it must "
                                        "be one", dump->path);
    return read_header(dump);
}

/* False: out of memory. A text that is missing is empty. */
static bool get_text(const json_t *object, const char *key, struct buffer *to)
{
    char *text;
    size_t len;
    bool good = json_get_text(object, key, &text, &len);

    buffer_clear(to);
    buffer_append(to, text, len);
    free(text);
    return good && !to->failed;
}

static struct mupdate_text text_of(const struct buffer *buffer)
{
    return (struct mupdate_text){(const char *)buffer_bytes(buffer), buffer_len(buffer)};
}

static int read_row(struct ctl_json_dump *dump, const json_t *object, struct row *row)
{
    const char *state = json_string_value(json_object_get(object, "state"));
    const char *wrong;

    memset(row, 0, sizeof *row);
    if (!get_text(object, "name", &dump->name) ||
        !get_text(object, "location", &dump->location) || !get_text(object, "acl", &dump->acl))
        return no_memory();
    if (!state || (strcmp(state, "active") != 0 && strcmp(state, "reserved") != 0))
        return bad(dump, "its state is neither active nor reserved");
    row->mupdate = (struct mupdate_row){
        .state = strcmp(state, "active") == 0 ? MUPDATE_ACTIVE : MUPDATE_RESERVED,
        .name = text_of(&dump->name),
        .location = text_of(&dump->location),
        .acl = text_of(&dump->acl),
    };
    wrong = rule_check_row(&dump->policy, &row->mupdate);
    if (!wrong && dump->rows > 0 && text_compare(text_of(&dump->last), row->mupdate.name) >= 0)
        wrong = "its name does not come behind that of the line before";
    if (wrong)
        return bad(dump, wrong);
    buffer_clear(&dump->last);
    buffer_append(&dump->last, row->mupdate.name.data, row->mupdate.name.len);
    dump->rows++;
    return dump->last.failed ? no_memory() : 0;
}

static int check_end(struct ctl_json_dump *dump, const json_t *trailer)
{
    unsigned char octets[TLS_DIGEST_BYTES];
    char text[2 * TLS_DIGEST_BYTES + 1];
    const char *said = json_string_value(json_object_get(trailer, "sha256"));
    uint64_t rows;

    if (!tls_digest_end(dump->digest, octets))
        return no_memory();
    for (size_t i = 0; i < sizeof octets; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", octets[i]);
    if (!get_number(trailer, "rows", &rows) || rows != dump->rows || rows != dump->expected)
        return bad(dump, "the number of rows is another");
    if (!said || strcmp(said, text) != 0)
        return bad(dump, "the SHA-256 is another: the dump was changed or damaged");
    if (getc(dump->file) != EOF)
        return bad(dump, "something follows its last line");
    return 0;
}

static bool next(void *context, struct row *row, int *status)
{
    struct ctl_json_dump *dump = context;
    json_t *object;
    size_t len;
    bool is_row;

    *status = read_object(dump, &object, &len);
    if (*status)
        return false;
    is_row = !json_object_get(object, "end");
    *status = is_row ? read_row(dump, object, row) : check_end(dump, object);
    if (is_row && !*status)
        *status = digest_line(dump, len);
    json_decref(object);
    return is_row && !*status;
}

struct ctl_source ctl_json_dump_source(struct ctl_json_dump *dump)
{
    return (struct ctl_source){next, dump};
}
