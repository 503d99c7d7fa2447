/*
 * What /healthz and /readyz say of which figures.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "mupdated/metrics/verdict.h"

#define SECOND UINT64_C(1000000000)
#define FULL (32U << 20)

typedef unsigned verdict(const struct verdict_figures *figures, struct buffer *body);

static void assert_verdict(verdict *judge, const struct verdict_figures *figures, unsigned status,
                           const char *line)
{
    struct buffer body = {0};

    assert_int_equal(judge(figures, &body), status);
    assert_int_equal(buffer_len(&body), strlen(line) + 1);
    assert_memory_equal(buffer_bytes(&body), line, strlen(line));
    assert_int_equal(buffer_bytes(&body)[strlen(line)], '\n');
    buffer_free(&body);
}

static struct verdict_figures good(void)
{
    return (struct verdict_figures){
        .confirmed = true,
        .disk = {.size_bytes = 1000000000, .free_bytes = 500000000},
        .now_ns = 1000 * SECOND,
    };
}

static void a_good_master_is_well_and_ready(void **state)
{
    struct verdict_figures figures = good();

    (void)state;
    assert_verdict(verdict_health, &figures, 200, "ok");
    assert_verdict(verdict_ready, &figures, 200, "ready");
}

static void a_store_that_failed_is_neither(void **state)
{
    struct verdict_figures figures = good();

    (void)state;
    figures.writer.failed = figures.writer.refusing = true;
    assert_verdict(verdict_health, &figures, 503,
                   "the database failed: only a restart helps, see the log");
    assert_verdict(verdict_ready, &figures, 503,
                   "the database failed: only a restart helps, see the log");
}

static void a_writer_that_waits_for_the_disk_is_neither_after_30_seconds(void **state)
{
    struct verdict_figures figures = good();

    (void)state;
    figures.writer.busy_ns = 30 * SECOND;
    assert_verdict(verdict_health, &figures, 200, "ok");
    assert_verdict(verdict_ready, &figures, 200, "ready");
    figures.writer.busy_ns = 91 * SECOND + SECOND / 2;
    assert_verdict(verdict_health, &figures, 503,
                   "the writer has waited for the disk for 91 seconds");
    assert_verdict(verdict_ready, &figures, 503,
                   "the writer has waited for the disk for 91 seconds");
}

static void a_table_that_is_not_confirmed_is_well(void **state)
{
    struct verdict_figures figures = good();

    (void)state;
    figures.confirmed = false;
    assert_verdict(verdict_health, &figures, 200, "ok");
    assert_verdict(verdict_ready, &figures, 503,
                   "the table is not confirmed: see mupdatectl confirm");
}

static void a_full_disk_is_well_and_one_that_cannot_be_asked_counts_as_good(void **state)
{
    struct verdict_figures figures = good();

    (void)state;
    figures.disk.free_bytes = FULL;
    assert_verdict(verdict_ready, &figures, 200, "ready");
    figures.disk.free_bytes = FULL - 1;
    assert_verdict(verdict_ready, &figures, 503, "the disk is full: 33554431 octets are free");
    assert_verdict(verdict_health, &figures, 200, "ok");
    figures.disk = (struct stats_disk){0};
    assert_verdict(verdict_ready, &figures, 200, "ready");
}

static void a_refused_change_counts_for_a_minute(void **state)
{
    struct verdict_figures figures = good();

    (void)state;
    figures.writer.refusing = true;
    figures.writer.refused_at_ns = figures.now_ns - 60 * SECOND + 1;
    assert_verdict(verdict_ready, &figures, 503, "changes are being refused, see the log");
    assert_verdict(verdict_health, &figures, 200, "ok");
    figures.writer.refused_at_ns = figures.now_ns - 60 * SECOND;
    assert_verdict(verdict_ready, &figures, 200, "ready");
    figures.writer = (struct writer_stats){.refused_at_ns = figures.now_ns};
    assert_verdict(verdict_ready, &figures, 200, "ready");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_master_is_well_and_ready),
        cmocka_unit_test(a_store_that_failed_is_neither),
        cmocka_unit_test(a_writer_that_waits_for_the_disk_is_neither_after_30_seconds),
        cmocka_unit_test(a_table_that_is_not_confirmed_is_well),
        cmocka_unit_test(a_full_disk_is_well_and_one_that_cannot_be_asked_counts_as_good),
        cmocka_unit_test(a_refused_change_counts_for_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
