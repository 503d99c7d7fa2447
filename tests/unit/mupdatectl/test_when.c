/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "tools/mupdatectl/when.h"

static void durations_are_a_number_and_a_unit(void **state)
{
    (void)state;
    assert_int_equal(ctl_duration_us("0"), 0);
    assert_int_equal(ctl_duration_us("90"), 90000000);
    assert_int_equal(ctl_duration_us("90s"), 90000000);
    assert_int_equal(ctl_duration_us("10m"), 600000000);
    assert_int_equal(ctl_duration_us("2h"), INT64_C(7200000000));
    assert_int_equal(ctl_duration_us("1d"), INT64_C(86400000000));
    assert_int_equal(ctl_duration_us("1w"), INT64_C(604800000000));
}

static void what_is_no_duration_is_refused(void **state)
{
    static const char *const wrong[] = {"",    "m",   "-1", "+1", " 1",     "1 ",
                                        "1.5", "10x", "1mm", "1h30m", "99999999999999999999",
                                        "999999999999w"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(ctl_duration_us(wrong[i]), -1);
}

static void sizes_are_in_powers_of_a_thousand(void **state)
{
    (void)state;
    assert_int_equal(ctl_size_octets("500"), 500);
    assert_int_equal(ctl_size_octets("3k"), 3000);
    assert_int_equal(ctl_size_octets("2G"), INT64_C(2000000000));
    assert_int_equal(ctl_size_octets("2GB"), -1);
    assert_int_equal(ctl_size_octets("99999999T"), -1);
}

static void moments_are_dates_or_ages(void **state)
{
    (void)state;
    assert_int_equal(ctl_moment_us("1970-01-02Z", 0), INT64_C(86400000000));
    assert_int_equal(ctl_moment_us("1970-01-01T01:02Z", 0), INT64_C(3720000000));
    assert_int_equal(ctl_moment_us("1970-01-01T01:02:03Z", 0), INT64_C(3723000000));
    assert_int_equal(ctl_moment_us("1970-01-01 01:02:03Z", 0), INT64_C(3723000000));
    assert_int_equal(ctl_moment_us("10s", 25000000), 15000000);
    assert_int_equal(ctl_moment_us("1w", 25000000), 0);
}

static void without_z_a_moment_is_local(void **state)
{
    (void)state;
    assert_int_equal(setenv("TZ", "XYZ-2", 1), 0);
    tzset();
    assert_int_equal(ctl_moment_us("1970-01-02T03:00", 0), INT64_C(90000000000));
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
}

static void what_is_no_moment_is_refused(void **state)
{
    static const char *const wrong[] = {"",           "yesterday",         "2026-13-01",
                                        "2026-11-22x", "2026-11-22T10:00z", "22.11.2026",
                                        "2026-11-22T10:00:00ZZ"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(ctl_moment_us(wrong[i], 0), -1);
}

static void texts_for_people(void **state)
{
    char text[CTL_WHEN_BYTES];

    (void)state;
    assert_string_equal(ctl_moment_text(INT64_C(86400000001), text), "1970-01-02T00:00:00.000001Z");
    assert_string_equal(ctl_duration_text(4.24, text), "4.2 s");
    assert_string_equal(ctl_duration_text(725, text), "12:05");
    assert_string_equal(ctl_duration_text(11045, text), "3:04:05");
    assert_string_equal(ctl_duration_text(2 * 86400 + 11045, text), "2 d 03:04:05");
    assert_string_equal(ctl_size_text(999, text), "999 B");
    assert_string_equal(ctl_size_text(1234567, text), "1.2 MB");
    assert_string_equal(ctl_number_text(0, text), "0");
    assert_string_equal(ctl_number_text(999, text), "999");
    assert_string_equal(ctl_number_text(1234567, text), "1,234,567");
    assert_string_equal(ctl_number_text(-123456, text), "-123,456");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_a_number_and_a_unit),
        cmocka_unit_test(what_is_no_duration_is_refused),
        cmocka_unit_test(sizes_are_in_powers_of_a_thousand),
        cmocka_unit_test(moments_are_dates_or_ages),
        cmocka_unit_test(without_z_a_moment_is_local),
        cmocka_unit_test(what_is_no_moment_is_refused),
        cmocka_unit_test(texts_for_people),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
