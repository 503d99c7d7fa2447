/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "layer/tls_digest.h"
#include "mupdated/dump/writer.h"
#include "tools/mupdatectl/offline.h"
#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/output_file.h"
#include "tools/mupdatectl/progress.h"

enum { OPTION_SERVER = CTL_OWN_OPTION };

/* Where the rows go. */
struct dumping {
    struct ctl_output_file file;
    struct dump_header header;
    bool json;
    struct dump_writer *writer; /* of the form of mupdate-dump(5), or */
    struct tls_digest *digest;  /* of JSON */
    struct ctl_progress progress;
};

static bool is_meant(const struct dumping *dumping, const struct row *row)
{
    return dumping->header.server.len == 0 ||
           text_equal(dumping->header.server, location_server(row->mupdate.location));
}

/* --- JSON --- */

static bool write_object(struct dumping *dumping, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    size_t len = text ? strlen(text) : 0;
    bool good = text && tls_digest_add(dumping->digest, text, len) &&
                tls_digest_add(dumping->digest, "\n", 1) &&
                ctl_output_file_write(&dumping->file, text, len) &&
                ctl_output_file_write(&dumping->file, "\n", 1);

    json_decref(object);
    free(text);
    return good;
}

static bool set_number(json_t *object, const char *key, int64_t number)
{
    return json_object_set_new(object, key, json_integer(number)) == 0;
}

static bool json_begin(struct dumping *dumping)
{
    const struct dump_header *header = &dumping->header;
    char time_text[DUMP_TIME_BYTES];
    char history[2 * DUMP_HISTORY_BYTES + 1];
    json_t *object = json_object();
    bool good;

    dumping->digest = tls_digest_new();
    for (size_t i = 0; i < DUMP_HISTORY_BYTES; i++)
        (void)snprintf(history + 2 * i, 3, "%02x", header->history[i]);
    dump_time_write(header->time_s, time_text);
    good = dumping->digest && object && set_number(object, "mupdate_dump", DUMP_VERSION) &&
           json_object_set_new(object, "history", json_string(history)) == 0 &&
           set_number(object, "term", (int64_t)header->term) &&
           set_number(object, "sequence", (int64_t)header->sequence) &&
           set_number(object, "rows", (int64_t)header->rows) &&
           json_object_set_new(object, "order", json_string("octet")) == 0 &&
           json_object_set_new(object, "time", json_string(time_text)) == 0 &&
           (header->server.len == 0 || json_set_text(object, "server", header->server));
    if (good)
        return write_object(dumping, object);
    json_decref(object);
    return false;
}

static bool write_json_row(struct dumping *dumping, const struct row *row)
{
    json_t *object = json_row(&row->mupdate);

    if (object && set_number(object, "sequence", (int64_t)row->sequence) &&
        set_number(object, "time_us", row->time_us) && json_set_text(object, "who", row->who))
        return write_object(dumping, object);
    json_decref(object);
    return false;
}

static bool json_end(struct dumping *dumping)
{
    unsigned char octets[TLS_DIGEST_BYTES];
    char text[2 * TLS_DIGEST_BYTES + 1];
    char line[256];
    int len;

    if (!tls_digest_end(dumping->digest, octets))
        return false;
    for (size_t i = 0; i < sizeof octets; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", octets[i]);
    len = snprintf(line, sizeof line, "{\"end\":true,\"rows\":%llu,\"sha256\":\"%s\"}\n",
                   (unsigned long long)dumping->header.rows, text);
    return ctl_output_file_write(&dumping->file, line, (size_t)len);
}

/* --- both forms --- */

static bool to_file(void *context, const void *data, size_t len)
{
    return ctl_output_file_write(context, data, len);
}

static bool begin(struct dumping *dumping)
{
    if (dumping->json)
        return json_begin(dumping);
    dumping->writer = dump_writer_new(&dumping->header, to_file, &dumping->file);
    return dumping->writer != NULL;
}

static int failed(const struct dumping *dumping)
{
    return dumping->file.failed ? dumping->file.failed : ctl_complain(EX_OSERR, "out of memory");
}

/* How many rows it will be: the header says so. */
static int count_rows(struct dumping *dumping, struct store *store)
{
    struct store_walk *walk;
    struct store_error error;
    struct row row;
    enum store_result result = store_walk_new(&walk, store, &error);

    ctl_progress_begin(&dumping->progress, "counting", "rows", 0);
    for (uint64_t seen = 0; result == STORE_OK; seen++) {
        result = store_walk_next(walk, &row, &error);
        dumping->header.rows += result == STORE_OK && is_meant(dumping, &row);
        ctl_progress_step(&dumping->progress, seen);
    }
    ctl_progress_end(&dumping->progress);
    store_walk_free(walk);
    return result == STORE_ABSENT ? 0 : ctl_store_failed(result, &error);
}

static int write_rows(struct dumping *dumping, struct store *store)
{
    struct store_walk *walk;
    struct store_error error;
    struct row row;
    uint64_t done = 0;
    bool written = begin(dumping);
    enum store_result result = store_walk_new(&walk, store, &error);

    ctl_progress_begin(&dumping->progress, "writing", "rows", dumping->header.rows);
    while (written && result == STORE_OK &&
           (result = store_walk_next(walk, &row, &error)) == STORE_OK) {
        if (!is_meant(dumping, &row))
            continue;
        written = dumping->json ? write_json_row(dumping, &row)
                                : dump_writer_row(dumping->writer, &row);
        ctl_progress_step(&dumping->progress, ++done);
    }
    ctl_progress_end(&dumping->progress);
    store_walk_free(walk);
    if (result != STORE_OK && result != STORE_ABSENT)
        return ctl_store_failed(result, &error);
    written = written && (dumping->json ? json_end(dumping) : dump_writer_end(dumping->writer));
    return written ? 0 : failed(dumping);
}

static int dump_table(struct dumping *dumping, const struct ctl_place *place)
{
    struct store_position position;
    struct ctl_table table;
    int status = ctl_table_open(place, &table);

    if (status)
        return status;
    store_position(table.store, &position);
    memcpy(dumping->header.history, position.history, sizeof dumping->header.history);
    dumping->header.term = position.term;
    dumping->header.sequence = position.last;
    dumping->header.time_s = (int64_t)time(NULL);
    status = count_rows(dumping, table.store);
    if (!status)
        status = write_rows(dumping, table.store);
    if (!status && !store_confirmed(table.store))
        (void)ctl_complain(0, "note: the table that was dumped is not confirmed");
    ctl_table_close(&table);
    return status;
}

static int dump(struct ctl *ctl, int argc, char **argv)
{
    struct dumping dumping = {0};
    struct ctl_place place;
    const char *path = NULL;
    int option;
    int status;

    while ((option = ctl_option(ctl, argc, argv)) != CTL_END) {
        if (option == CTL_STOP)
            return ctl->status;
        if (option == OPTION_SERVER)
            dumping.header.server = (struct mupdate_text){optarg, strlen(optarg)};
        else
            path = optarg;
    }
    dumping.json = ctl->json;
    status = ctl_place_find(&place, ctl, false);
    if (status)
        return status;
    status = ctl_output_file_open(&dumping.file, path);
    if (!status) {
        status = dump_table(&dumping, &place);
        status = ctl_output_file_close(&dumping.file, status);
    }
    dump_writer_free(dumping.writer);
    tls_digest_free(dumping.digest);
    ctl_place_free(&place);
    return status;
}

static const struct option dump_options[] = {
    {"output", required_argument, NULL, 'o'},
    {"server", required_argument, NULL, OPTION_SERVER},
    {NULL, 0, NULL, 0},
};

const struct ctl_command ctl_dump_command = {
    .name = "dump",
    .arguments = "[-o FILE] [--server NAME]",
    .summary = "write the whole table as text",
    .help = "Write the master's table in the form of mupdate-dump(5): one line a mailbox, with a\n"
            "checksum at the end. mupdatectl load takes it back, but not what --json writes.\n"
            "\n"
            "  -o, --output FILE          write there, under another name until it is whole;\n"
            "                             only you may read it (default: standard output)\n"
            "      --server NAME          only the mailboxes of this back-end; such a dump is for\n"
            "                             reading and comparing and cannot be loaded\n",
    .run = dump,
    .options = dump_options,
    .letters = "o:",
    .maximum = 0,
};
