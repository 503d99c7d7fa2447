/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/here.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "mupdated/control/json.h"
#include "tools/mupdatectl/present.h"

int ctl_here_open(struct ctl_here *here, const struct ctl_place *place)
{
    struct store_error error;
    enum store_result result;
    int status;

    memset(here, 0, sizeof *here);
    here->place = place;
    here->asking = here->table.local = place->local;
    result = ctl_table_open_idle(place, &here->table.store, &error, &status);
    here->open = result == STORE_OK;
    if (result != STORE_BUSY)
        return status;
    here->online = true;
    status = ctl_local_connect(&here->asking);
    return status ? ctl_complain(EX_UNAVAILABLE, "%s; and it cannot be asked: %s", error.text,
                                 here->asking.text)
                  : 0;
}

static void forget(struct ctl_here *here)
{
    for (size_t i = 0; i < sizeof here->texts / sizeof *here->texts; i++) {
        free(here->texts[i]);
        here->texts[i] = NULL;
    }
}

void ctl_here_close(struct ctl_here *here)
{
    store_walk_free(here->walk);
    here->walk = NULL;
    forget(here);
    if (here->open)
        ctl_table_close(&here->table);
    here->open = false;
    ctl_local_close(&here->asking);
}

/* --- its digest --- */

static bool octets_of(const char *hex, unsigned char digest[DIGEST_BYTES])
{
    if (!hex || strlen(hex) != 2 * (size_t)DIGEST_BYTES)
        return false;
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        char *end;

        digest[i] = (unsigned char)strtoul(pair, &end, 16);
        if (*end)
            return false;
    }
    return true;
}

static int ask_digest(struct ctl_here *here, unsigned char digest[DIGEST_BYTES], uint64_t *rows)
{
    const json_t *table;
    json_t *answer;
    int status = ctl_local_ask(&here->asking, json_pack("{ss}", "do", "status"), &answer);

    if (status)
        return ctl_local_failed(&here->asking, status);
    table = json_object_get(json_object_get(answer, "status"), "table");
    *rows = (uint64_t)json_integer_value(json_object_get(table, "rows"));
    if (!octets_of(json_string_value(json_object_get(table, "digest")), digest))
        status = ctl_complain(EX_PROTOCOL, "mupdated at %s does not tell the digest of its table",
                              here->asking.path);
    json_decref(answer);
    return status;
}

int ctl_here_digest(struct ctl_here *here, unsigned char digest[DIGEST_BYTES], uint64_t *rows)
{
    struct digest sum = {0};
    struct ctl_source source;
    struct row row;
    int status;

    *rows = 0;
    if (here->online)
        return ask_digest(here, digest, rows);
    status = ctl_here_begin(here, &source);
    while (!status && source.next(source.context, &row, &status)) {
        digest_add(&sum, &row.mupdate);
        ++*rows;
    }
    digest_octets(&sum, digest);
    return status;
}

int ctl_here_begin(struct ctl_here *here, struct ctl_source *source)
{
    int status = 0;

    if (!here->open)
        status = ctl_table_open(here->place, &here->table);
    if (status)
        return status;
    here->open = true;
    store_walk_free(here->walk);
    return ctl_table_source(here->table.store, &here->walk, source);
}

/* --- one row --- */

static int take_row(struct ctl_here *here, const json_t *object, struct mupdate_row *row)
{
    static const char *const keys[] = {"name", "location", "acl"};
    const char *state = json_string_value(json_object_get(object, "state"));
    struct mupdate_text *const texts[] = {&row->name, &row->location, &row->acl};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!json_get_text(object, keys[i], &here->texts[i], &texts[i]->len))
            return ctl_complain(EX_OSERR, "out of memory");
        texts[i]->data = here->texts[i];
    }
    row->state = state && strcmp(state, "active") == 0 ? MUPDATE_ACTIVE : MUPDATE_RESERVED;
    return 0;
}

static json_t *request(struct mupdate_text name)
{
    json_t *object = json_pack("{ss}", "do", "find");

    if (object && json_set_text(object, "name", name))
        return object;
    json_decref(object);
    return NULL;
}

int ctl_here_find(struct ctl_here *here, struct mupdate_text name, struct mupdate_row *row)
{
    const json_t *object;
    json_t *answer;
    int status = ctl_local_ask(&here->asking, request(name), &answer);

    if (status)
        return ctl_local_failed(&here->asking, status);
    forget(here);
    *row = (struct mupdate_row){.state = MUPDATE_ABSENT, .name = name};
    object = json_object_get(answer, "row");
    if (json_is_object(object))
        status = take_row(here, object, row);
    json_decref(answer);
    return status;
}
