/*
 * Random commands, right and wrong, against a model of what must come of each.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "server_model.h"
#include "server_support.h"
#include "tests/unit/cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COMMANDS 80

static size_t below(size_t limit)
{
    return (size_t)rand() % limit;
}

static size_t any_below(void *context, size_t limit)
{
    (void)context;
    return below(limit);
}

static void random_commands_have_the_effect_they_were_made_for(void **state)
{
    static const enum server_support_answers answers[] = { ANSWER_AT_ONCE, ANSWER_LATE,
                                                           ANSWER_RANDOM };
    static const enum server_support_split splits[] = { SPLIT_WHOLE, SPLIT_RANDOM, SPLIT_RANDOM,
                                                        SPLIT_OCTETS };
    size_t rounds = cases_of(300);

    (void)state;
    for (unsigned int round = 0; round < rounds; round++) {
        struct server_model model = { .below = any_below };
        struct server_support support;
        struct mupdate_server_limits limits;

        srand(round + 1);
        server_model_generate(&model, COMMANDS);
        mupdate_server_limits_default(&limits);
        limits.commands_in_flight = 1 + below(10);
        limits.output_bytes = below(2) ? 1 + below(200) : 262144;
        server_support_open(&support, &limits);
        server_support_reach(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
        support.answers = answers[below(3)];
        assert_int_equal(server_support_feed(&support, buffer_bytes(&model.input),
                                             buffer_len(&model.input), splits[below(4)]),
                         buffer_len(&model.input));
        if (strcmp(server_support_replies(&support), (char *)buffer_bytes(&model.replies)) != 0)
            print_error("seed %u\n", round + 1);
        assert_string_equal(server_support_events(&support), (char *)buffer_bytes(&model.events));
        assert_string_equal(server_support_replies(&support),
                            (char *)buffer_bytes(&model.replies));
        server_support_close(&support);
        server_model_free(&model);
    }
}

/* Noise has no meaning to compare; it must do no harm, and mean the same in every split. */
static void noise_means_the_same_however_it_is_split(void **state)
{
    static const char *const pieces[] = {
        "A1", " ", "NOOP", "FIND", "ACTIVATE", "\"", "\\", "{3+}", "{3}", "{0+}", "{", "}", "+",
        "=", "\r\n", "\n", "\r", "abc", "\"x\"", "AUTHENTICATE", "PLAIN", "*", "UPDATE", "LIST",
        "LOGOUT", "STARTTLS", "{200000+}", "\t", "(", "COMPRESS", "DEFLATE", "CHALLENGE", "AAAA",
        "\r\n", "\r\n", " ", " ", "1 NOOP\r\n",
    };
    size_t rounds = cases_of(1000);

    (void)state;
    for (unsigned int round = 0; round < rounds; round++) {
        struct buffer input = { 0 };
        struct server_support whole;
        struct server_support split;
        enum mupdate_server_state at;

        srand(round + 77);
        for (int i = 0; i < 120; i++) {
            uint8_t octet = (uint8_t)below(256);

            if (below(30) == 0)
                buffer_append(&input, &octet, 1);
            else
                buffer_append_string(&input, pieces[below(sizeof pieces / sizeof pieces[0])]);
        }
        at = below(2) ? MUPDATE_SERVER_STATE_AUTHENTICATED : MUPDATE_SERVER_STATE_UNAUTHENTICATED;
        server_support_open(&whole, NULL);
        server_support_reach(&whole, at);
        server_support_open(&split, NULL);
        server_support_reach(&split, at);
        server_support_feed(&whole, buffer_bytes(&input), buffer_len(&input), SPLIT_WHOLE);
        server_support_feed(&split, buffer_bytes(&input), buffer_len(&input),
                            round % 2 ? SPLIT_OCTETS : SPLIT_RANDOM);
        if (strcmp(server_support_replies(&whole), server_support_replies(&split)) != 0)
            print_error("seed %u\n", round + 77);
        assert_string_equal(server_support_events(&whole), server_support_events(&split));
        assert_string_equal(server_support_replies(&whole), server_support_replies(&split));
        assert_int_equal(mupdate_server_state(whole.server), mupdate_server_state(split.server));
        server_support_close(&whole);
        server_support_close(&split);
        buffer_free(&input);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_commands_have_the_effect_they_were_made_for),
        cmocka_unit_test(noise_means_the_same_however_it_is_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
