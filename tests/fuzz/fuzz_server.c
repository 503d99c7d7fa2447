/*
 * A server session: under any bytes with a program that does anything
 * (server_program.h); under any bytes in two cuttings, which must mean the
 * same; and under commands of which is known what must come of them.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/server_program.h"
#include "tests/unit/server/server_model.h"
#include "tests/unit/server/server_support.h"

#define COMMANDS 16

static size_t choose(void *context, size_t limit)
{
    return fuzz_below(context, limit);
}

static void open_support(struct server_support *support, struct fuzz *fuzz,
                         const struct mupdate_server_limits *limits,
                         enum mupdate_server_state state)
{
    server_support_open(support, limits);
    support->below = choose;
    support->below_context = fuzz;
    server_support_reach(support, state);
}

static void run_model(struct fuzz *fuzz)
{
    static const enum server_support_answers answers[] = { ANSWER_AT_ONCE, ANSWER_LATE,
                                                           ANSWER_RANDOM };
    static const enum server_support_split splits[] = { SPLIT_WHOLE, SPLIT_RANDOM };
    struct server_support support;
    struct mupdate_server_limits limits;
    struct server_model model = { .below = choose, .context = fuzz };
    size_t fed;

    /* The text has no other use here: it makes the choices. */
    fuzz->choices = fuzz->text;
    fuzz->choice_count = fuzz->len;
    fuzz->next = 0;
    server_model_generate(&model, 1 + fuzz_below(fuzz, COMMANDS));
    mupdate_server_limits_default(&limits);
    limits.commands_in_flight = 1 + fuzz_below(fuzz, 10);
    limits.output_bytes = fuzz_below(fuzz, 2) ? 1 + fuzz_below(fuzz, 200) : 262144;
    open_support(&support, fuzz, &limits, MUPDATE_SERVER_STATE_AUTHENTICATED);
    support.answers = answers[fuzz_below(fuzz, 3)];
    fed = server_support_feed(&support, buffer_bytes(&model.input), buffer_len(&model.input),
                              splits[fuzz_below(fuzz, 2)]);
    FUZZ_CHECK(fed == buffer_len(&model.input));
    FUZZ_CHECK(strcmp(server_support_events(&support), (char *)buffer_bytes(&model.events)) == 0);
    FUZZ_CHECK(strcmp(server_support_replies(&support), (char *)buffer_bytes(&model.replies)) == 0);
    server_support_close(&support);
    server_model_free(&model);
}

static void compare_cuttings(struct fuzz *fuzz)
{
    static const enum mupdate_server_state states[] = {
        MUPDATE_SERVER_STATE_AUTHENTICATED, MUPDATE_SERVER_STATE_UNAUTHENTICATED,
        MUPDATE_SERVER_STATE_AUTHENTICATING, MUPDATE_SERVER_STATE_STREAMING
    };
    enum mupdate_server_state state = states[fuzz_below(fuzz, 4)];
    struct server_support whole;
    struct server_support cut;

    open_support(&whole, fuzz, NULL, state);
    open_support(&cut, fuzz, NULL, state);
    server_support_feed(&whole, fuzz->text, fuzz->len, SPLIT_WHOLE);
    server_support_feed(&cut, fuzz->text, fuzz->len,
                        fuzz_below(fuzz, 2) ? SPLIT_OCTETS : SPLIT_RANDOM);
    FUZZ_CHECK(strcmp(server_support_events(&whole), server_support_events(&cut)) == 0);
    FUZZ_CHECK(strcmp(server_support_replies(&whole), server_support_replies(&cut)) == 0);
    FUZZ_CHECK(mupdate_server_state(whole.server) == mupdate_server_state(cut.server));
    server_support_close(&whole);
    server_support_close(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz fuzz;

    fuzz_open(&fuzz, data, size);
    switch (fuzz_below(&fuzz, 4)) {
    case 0:
    case 1:
        server_program_run(&fuzz);
        break;
    case 2:
        compare_cuttings(&fuzz);
        break;
    default:
        run_model(&fuzz);
        break;
    }
    return 0;
}
