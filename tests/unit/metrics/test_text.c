/*
 * The text that Prometheus reads, made of figures that were never gathered.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mupdated/metrics/text.h"

static char *text_of(const struct stats *stats)
{
    struct buffer out = {0};
    char *text;

    assert_true(metrics_text(stats, &out));
    text = strndup((const char *)buffer_bytes(&out), buffer_len(&out));
    assert_non_null(text);
    assert_int_equal(strlen(text), buffer_len(&out));
    buffer_free(&out);
    return text;
}

/* A whole line of it. */
static void assert_line(const char *text, const char *line)
{
    size_t len = strlen(line);

    for (const char *at = text; (at = strstr(at, line)); at++)
        if ((at == text || at[-1] == '\n') && at[len] == '\n')
            return;
    fail_msg("there is no line \"%s\"", line);
}

static void assert_no_sample(const char *text, const char *name)
{
    char start[128];

    (void)snprintf(start, sizeof start, "\n%s ", name);
    assert_null(strstr(text, start));
    (void)snprintf(start, sizeof start, "\n%s{", name);
    assert_null(strstr(text, start));
}

static struct stats_server server_named(const char *name, uint64_t active, uint64_t reserved)
{
    return (struct stats_server){{name, strlen(name)}, active, reserved};
}

static void each_metric_has_its_help_and_type_in_front(void **state)
{
    struct stats stats = {.confirmed = true, .position = {.first = 3, .last = 12, .term = 2}};
    char *text = text_of(&stats);

    (void)state;
    assert_memory_equal(text, "# HELP mupdated_build_info ", 27);
    assert_non_null(strstr(text, "# HELP mupdated_table_confirmed Whether the table is served: 0 "
                                 "behind a load until it is confirmed.\n"
                                 "# TYPE mupdated_table_confirmed gauge\n"
                                 "mupdated_table_confirmed 1\n"));
    assert_non_null(strstr(text, "# TYPE mupdated_checkpoints_total counter\n"
                                 "mupdated_checkpoints_total 0\n"));
    assert_line(text, "mupdated_table_sequence 12");
    assert_line(text, "mupdated_table_term 2");
    assert_line(text, "mupdated_change_log_changes 10");
    free(text);
}

static void moments_are_seconds_and_left_out_when_they_are_not_known(void **state)
{
    struct stats stats = {
        .start_time_us = INT64_C(1700000000000001),
        .certificate_time_us = INT64_C(1800000000000000),
        .writer = {.checkpoint_time_us = INT64_C(1700000005250000), .checkpoint_ns = 1500000},
    };
    char *text = text_of(&stats);

    (void)state;
    assert_line(text, "mupdated_start_time_seconds 1700000000.000001");
    assert_line(text, "mupdated_certificate_expiry_time_seconds 1800000000.000000");
    assert_line(text, "mupdated_checkpoint_time_seconds 1700000005.250000");
    assert_line(text, "mupdated_checkpoint_duration_seconds 0.0015");
    assert_no_sample(text, "mupdated_backup_time_seconds");
    assert_line(text, "# TYPE mupdated_backup_time_seconds gauge");
    free(text);
}

static void the_greatest_numbers_are_whole(void **state)
{
    struct stats stats = {
        .rows = {.active = UINT64_MAX},
        .counters = {.sent_bytes = UINT64_MAX, .commands = {[COUNTERS_FIND] = UINT64_MAX - 1}},
        .lag_seconds = 1e-6,
    };
    char *text = text_of(&stats);

    (void)state;
    assert_line(text, "mupdated_table_rows{state=\"active\"} 18446744073709551615");
    assert_line(text, "mupdated_sent_bytes_total 18446744073709551615");
    assert_line(text, "mupdated_commands_total{command=\"find\"} 18446744073709551614");
    assert_line(text, "mupdated_subscriber_lag_seconds 1e-06");
    free(text);
}

static void buckets_hold_those_of_the_buckets_before(void **state)
{
    struct stats stats = {.writer = {.batches = 111, .commit_ns = UINT64_C(2500000001)}};
    char *text;

    (void)state;
    stats.writer.commit_counts[0] = 100;
    stats.writer.commit_counts[2] = 10;
    stats.writer.commit_counts[WRITER_COMMIT_BUCKETS] = 1;
    text = text_of(&stats);
    assert_line(text, "mupdated_commit_duration_seconds_bucket{le=\"0.0001\"} 100");
    assert_line(text, "mupdated_commit_duration_seconds_bucket{le=\"0.00025\"} 100");
    assert_line(text, "mupdated_commit_duration_seconds_bucket{le=\"0.0005\"} 110");
    assert_line(text, "mupdated_commit_duration_seconds_bucket{le=\"2.5\"} 110");
    assert_line(text, "mupdated_commit_duration_seconds_bucket{le=\"+Inf\"} 111");
    assert_line(text, "mupdated_commit_duration_seconds_sum 2.500000001");
    assert_line(text, "mupdated_commit_duration_seconds_count 111");
    free(text);
}

static void labels_are_escaped(void **state)
{
    struct stats_server servers[] = {
        server_named("a\"b\\c", 1, 2),
        {{"x\n\0\x7f\xff", 5}, 3, 4},
    };
    struct stats stats = {.servers = servers, .server_count = 2};
    char *text = text_of(&stats);

    (void)state;
    assert_line(text, "mupdated_server_rows{server=\"a\\\"b\\\\c\",state=\"active\"} 1");
    assert_line(text, "mupdated_server_rows{server=\"a\\\"b\\\\c\",state=\"reserved\"} 2");
    assert_line(text, "mupdated_server_rows{server=\"x\\\\x0a\\\\x00\\\\x7f\\\\xff\","
                      "state=\"active\"} 3");
    assert_null(strstr(text, "server=\"other\""));
    free(text);
}

static void names_that_cannot_be_labels_are_other(void **state)
{
    char longest[METRICS_SERVER_BYTES + 1];
    char longer[METRICS_SERVER_BYTES + 2];
    struct stats_server servers[4];
    struct stats stats = {.servers = servers, .server_count = 4};
    char line[METRICS_SERVER_BYTES + 128];
    char *text;

    (void)state;
    memset(longest, 'n', sizeof longest - 1);
    memset(longer, 'n', sizeof longer - 1);
    longest[sizeof longest - 1] = longer[sizeof longer - 1] = '\0';
    servers[0] = server_named("", 1, 10);
    servers[1] = server_named(longest, 2, 20);
    servers[2] = server_named(longer, 3, 30);
    servers[3] = server_named("other", 4, 40);
    text = text_of(&stats);
    (void)snprintf(line, sizeof line, "mupdated_server_rows{server=\"%s\",state=\"active\"} 2",
                   longest);
    assert_line(text, line);
    assert_line(text, "mupdated_server_rows{server=\"other\",state=\"active\"} 8");
    assert_line(text, "mupdated_server_rows{server=\"other\",state=\"reserved\"} 80");
    assert_null(strstr(text, longer));
    free(text);
}

#define SERVERS (METRICS_SERVERS_MAX + 50)

static void of_too_many_servers_those_with_the_most_rows_are_named(void **state)
{
    static char names[SERVERS][16];
    struct stats_server servers[SERVERS];
    struct stats stats = {.servers = servers, .server_count = SERVERS};
    size_t lines = 0;
    const char *before = "";
    char *text;

    (void)state;
    for (size_t i = 0; i < SERVERS; i++) {
        (void)snprintf(names[i], sizeof names[i], "b%03zu", i);
        /* The later, the more; the last has reserved names only. */
        servers[i] = server_named(names[i], i < SERVERS - 1 ? i : 0, i < SERVERS - 1 ? 0 : 1000);
    }
    text = text_of(&stats);
    assert_line(text, "mupdated_server_rows{server=\"b249\",state=\"reserved\"} 1000");
    assert_line(text, "mupdated_server_rows{server=\"b050\",state=\"active\"} 50");
    assert_null(strstr(text, "server=\"b049\""));
    /* 0 + 1 + ... + 49 */
    assert_line(text, "mupdated_server_rows{server=\"other\",state=\"active\"} 1225");
    for (const char *at = text; (at = strstr(at, "mupdated_server_rows{server=\"b")); at++) {
        lines++;
        assert_true(strncmp(before, at, 33) <= 0);
        before = at;
    }
    assert_int_equal(lines, 2 * METRICS_SERVERS_MAX);
    free(text);
}

static void a_login_by_a_name_that_a_client_made_up_is_other(void **state)
{
    struct stats stats = {0};
    char *text;

    (void)state;
    counters_login(&stats.counters, "SCRAM-SHA-256", COUNTERS_LOGIN_ACCEPTED);
    counters_login(&stats.counters, "X\"\n", COUNTERS_LOGIN_REFUSED);
    counters_login(&stats.counters, "", COUNTERS_LOGIN_REFUSED);
    counters_login(&stats.counters, "other", COUNTERS_LOGIN_UNDECIDED);
    text = text_of(&stats);
    assert_line(text, "mupdated_logins_total{mechanism=\"SCRAM-SHA-256\",result=\"accepted\"} 1");
    assert_line(text, "mupdated_logins_total{mechanism=\"other\",result=\"refused\"} 2");
    assert_line(text, "mupdated_logins_total{mechanism=\"other\",result=\"undecided\"} 1");
    assert_int_equal(counters_logins(&stats.counters, COUNTERS_LOGIN_REFUSED), 2);
    free(text);
}

static void each_command_has_a_name_and_is_counted_once(void **state)
{
    static const struct {
        struct mupdate_server_event event;
        enum counters_command command;
    } kinds[] = {
        {{.type = MUPDATE_SERVER_AUTHENTICATE}, COUNTERS_AUTHENTICATE},
        {{.type = MUPDATE_SERVER_STARTTLS}, COUNTERS_STARTTLS},
        {{.type = MUPDATE_SERVER_COMPRESS}, COUNTERS_COMPRESS},
        {{.type = MUPDATE_SERVER_FIND}, COUNTERS_FIND},
        {{.type = MUPDATE_SERVER_LIST}, COUNTERS_LIST},
        {{.type = MUPDATE_SERVER_SET, .verb = MUPDATE_RESERVE}, COUNTERS_RESERVE},
        {{.type = MUPDATE_SERVER_SET, .verb = MUPDATE_ACTIVATE}, COUNTERS_ACTIVATE},
        {{.type = MUPDATE_SERVER_SET, .verb = MUPDATE_DEACTIVATE}, COUNTERS_DEACTIVATE},
        {{.type = MUPDATE_SERVER_SET, .verb = MUPDATE_DELETE}, COUNTERS_DELETE},
        {{.type = MUPDATE_SERVER_UPDATE}, COUNTERS_UPDATE},
        {{.type = MUPDATE_SERVER_NOOP}, COUNTERS_NOOP},
        {{.type = MUPDATE_SERVER_LOGOUT}, COUNTERS_LOGOUT},
    };
    struct counters counters = {0};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        counters_command(&counters, &kinds[i].event);
        assert_int_equal(counters.commands[kinds[i].command], 1);
        assert_non_null(counters_command_name(kinds[i].command));
    }
    counters_command(&counters, &(struct mupdate_server_event){
                                    .type = MUPDATE_SERVER_AUTH_RESPONSE});
    counters_command(&counters, &(struct mupdate_server_event){
                                    .type = MUPDATE_SERVER_AUTH_CANCELLED});
    for (size_t i = 0; i < COUNTERS_COMMANDS; i++)
        assert_int_equal(counters.commands[i], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_metric_has_its_help_and_type_in_front),
        cmocka_unit_test(moments_are_seconds_and_left_out_when_they_are_not_known),
        cmocka_unit_test(the_greatest_numbers_are_whole),
        cmocka_unit_test(buckets_hold_those_of_the_buckets_before),
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(names_that_cannot_be_labels_are_other),
        cmocka_unit_test(of_too_many_servers_those_with_the_most_rows_are_named),
        cmocka_unit_test(a_login_by_a_name_that_a_client_made_up_is_other),
        cmocka_unit_test(each_command_has_a_name_and_is_counted_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
