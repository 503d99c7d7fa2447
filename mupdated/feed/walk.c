/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/feed/walk.h"

void walk_init(struct walk *walk)
{
    walk->started = false;
    buffer_init(&walk->last);
}

void walk_close(struct walk *walk)
{
    buffer_free(&walk->last);
}

bool walk_stand(struct walk *walk, struct mupdate_text name)
{
    walk->started = true;
    if (name.len == 0) {
        buffer_clear(&walk->last);
    } else if (name.data != (const char *)buffer_bytes(&walk->last)) {
        buffer_clear(&walk->last);
        buffer_append(&walk->last, name.data, name.len);
    }
    return !walk->last.failed;
}

enum walk_progress walk_run(struct walk *walk, const struct table *table,
                            struct mupdate_server *session, walk_filter *filter, void *context)
{
    struct table_cursor cursor;
    struct mupdate_text last = {(const char *)buffer_bytes(&walk->last), buffer_len(&walk->last)};
    enum walk_progress progress = WALK_MORE;
    struct row row;
    bool any = false;

    table_seek(table, walk->started ? &last : NULL, &cursor);
    for (size_t rows = 0; rows < WALK_SLICE_ROWS; rows++) {
        const uint8_t *output;

        if (mupdate_server_output(session, &output) >= WALK_OUTPUT_BYTES) {
            progress = WALK_FULL;
            break;
        }
        if (!table_next(&cursor, &row))
            return WALK_DONE;
        any = true;
        if (filter(context, &row) && !mupdate_server_row(session, &row.mupdate))
            return WALK_FAILED;
    }
    if (any && !walk_stand(walk, row.mupdate.name))
        return WALK_FAILED;
    return progress;
}
