/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/metrics/verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define SECOND_NS UINT64_C(1000000000)

unsigned verdict_say(struct buffer *body, unsigned status, const char *format, ...)
{
    char line[256];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    buffer_append_string(body, line);
    buffer_append_string(body, "\n");
    return status;
}

/* True, with a line in body, when it does not live. */
static bool is_dead(const struct writer_stats *writer, struct buffer *body)
{
    if (writer->failed)
        verdict_say(body, 0, "the database failed: only a restart helps, see the log");
    else if (writer->busy_ns > VERDICT_BATCH_SECONDS * SECOND_NS)
        verdict_say(body, 0, "the writer has waited for the disk for %" PRIu64 " seconds",
                    writer->busy_ns / SECOND_NS);
    else
        return false;
    return true;
}

unsigned verdict_health(const struct verdict_figures *figures, struct buffer *body)
{
    if (is_dead(&figures->writer, body))
        return VERDICT_UNAVAILABLE;
    return verdict_say(body, VERDICT_OK, "ok");
}

unsigned verdict_ready(const struct verdict_figures *figures, struct buffer *body)
{
    const struct writer_stats *writer = &figures->writer;
    const struct stats_disk *disk = &figures->disk;

    if (is_dead(writer, body))
        return VERDICT_UNAVAILABLE;
    if (!figures->confirmed)
        return verdict_say(body, VERDICT_UNAVAILABLE,
                           "the table is not confirmed: see mupdatectl confirm");
    if (disk->size_bytes > 0 && disk->free_bytes < STORE_FREE_FLOOR_BYTES)
        return verdict_say(body, VERDICT_UNAVAILABLE,
                           "the disk is full: %" PRIu64 " octets are free", disk->free_bytes);
    /* Not until the next one is stored: there may be none while the master is not ready. */
    if (writer->refusing &&
        figures->now_ns < writer->refused_at_ns + VERDICT_REFUSED_SECONDS * SECOND_NS)
        return verdict_say(body, VERDICT_UNAVAILABLE, "changes are being refused, see the log");
    return verdict_say(body, VERDICT_OK, "ready");
}
