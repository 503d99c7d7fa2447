/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/mupdatectl/progress.h"

struct shown {
    const char *unit;
    uint64_t total;
    uint64_t done;
    int64_t elapsed_ms;
    const char *text;
};

static const struct shown cases[] = {
    {"rows", 1000000, 500000, 2000,
     "[###############               ]  50 %  250 k rows/s  0:02 left"},
    {"rows", 1000000, 0, 2000, "[                              ]   0 %  0 rows/s  0:00 left"},
    {"rows", 1000000, 1000000, 500,
     "[##############################] 100 %  2.0 M rows/s  0:00 left"},
    /* There is more than was thought. */
    {"rows", 10, 20, 1000, "[##############################] 100 %  20 rows/s  0:00 left"},
    {"MB", 1000000000, 1000000, 1000,
     "[                              ]   0 %  1.0 MB/s  16:39 left"},
    {"rows", 0, 1234567, 1000, "1.2 M rows  1.2 M rows/s"},
    {"rows", 0, 0, 0, "0 rows  0 rows/s"},
};

static void the_bar_shows_part_rate_and_time_left(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ctl_progress progress = {.unit = cases[i].unit, .total = cases[i].total};
        char text[128];

        assert_string_equal(ctl_progress_text(&progress, cases[i].done, cases[i].elapsed_ms, text,
                                              sizeof text),
                            cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bar_shows_part_rate_and_time_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
