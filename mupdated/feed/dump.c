/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/feed/dump.h"

void dump_start(struct dump *dump, struct slices *slices, uint64_t since)
{
    *dump = (struct dump){.slices = slices, .since = since};
    slices_join(slices);
}

void dump_end(struct dump *dump)
{
    if (!dump->slices)
        return;
    slice_release(dump->slice);
    slices_leave(dump->slices);
    *dump = (struct dump){0};
}

enum walk_progress dump_run(struct dump *dump, const struct mupdate_server *session)
{
    struct mupdate_text tag;
    struct slice *next;

    if (dump->slice && dump->sent < dump->slice->len)
        return WALK_FULL;
    if (dump->slice && dump->slice->is_last)
        return WALK_DONE;
    tag = mupdate_server_rows_tag(session);
    if (tag.len == 0)
        return WALK_FAILED;
    next = slices_take(dump->slices, tag, dump->slice, dump->since);
    if (!next)
        return WALK_FAILED;
    slice_release(dump->slice);
    dump->slice = next;
    dump->sent = 0;
    return WALK_MORE;
}

size_t dump_output(const struct dump *dump, const uint8_t **data)
{
    if (!dump->slice)
        return 0;
    *data = dump->slice->bytes + dump->sent;
    return dump->slice->len - dump->sent;
}

void dump_sent(struct dump *dump, size_t len)
{
    dump->sent += len;
}
