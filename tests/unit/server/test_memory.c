/*
 * Each allocation of a server session made to fail in turn. The files that
 * allocate are compiled in here, with their malloc() replaced.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static long allocations_left;

static void *scarce_malloc(size_t size)
{
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void *scarce_calloc(size_t count, size_t size)
{
    return allocations_left-- > 0 ? calloc(count, size) : NULL;
}

#define malloc scarce_malloc
#define calloc scarce_calloc
#include "libmupdate/server/session.c"
#include "libmupdate/wire/buffer.c"
#undef malloc
#undef calloc

static const struct mupdate_row row = { MUPDATE_ACTIVE, { "n", 1 }, { "l", 1 }, { "a", 1 } };

/* Give up without a word when the session is closed. */
static bool answer(struct mupdate_server *server, const struct mupdate_server_event *event)
{
    char large[9000];

    memset(large, 'x', sizeof large);
    switch (event->type) {
    case MUPDATE_SERVER_AUTHENTICATE:
        return mupdate_server_challenge(server, large, sizeof large);
    case MUPDATE_SERVER_AUTH_RESPONSE:
        return mupdate_server_authenticated(server, "ok");
    case MUPDATE_SERVER_FIND:
        return mupdate_server_row(server, &row) && mupdate_server_ok(server, "ok");
    case MUPDATE_SERVER_SET:
        return true;
    default:
        return mupdate_server_ok(server, "ok");
    }
}

/* True when everything went well; otherwise the session must be closed and silent. */
static bool run(void)
{
    static const char input[] = "1 AUTHENTICATE X\r\nAAAA\r\n2 FIND \"n\"\r\n3 WHAT {3+}\r\nabc\r\n"
                                "4 DELETE {1}\r\nx\r\n5 DELETE \"y\"\r\n6 UPDATE\r\n7 NOOP\r\n";
    static const char *const mechanisms[] = { "X" };
    struct mupdate_server_banner banner = { .mechanisms = mechanisms, .mechanism_count = 1 };
    struct mupdate_server *server = mupdate_server_new(NULL);
    struct mupdate_server_event event;
    enum mupdate_server_next next;
    size_t fed = 0;
    size_t sets = 0;
    bool well = true;
    const uint8_t *data;

    if (!server)
        return false;
    mupdate_server_banner(server, &banner);
    while (well && fed < sizeof input - 1) {
        mupdate_server_sent(server, mupdate_server_output(server, &data));
        fed += mupdate_server_input(server, input + fed, 1);
        while ((next = mupdate_server_next(server, &event)) == MUPDATE_SERVER_EVENT) {
            well = well && answer(server, &event);
            if (event.type == MUPDATE_SERVER_SET && ++sets == 2)
                well = well && mupdate_server_ok(server, "ok") && mupdate_server_ok(server, "ok");
        }
        well = well && next != MUPDATE_SERVER_CLOSED;
    }
    if (well) {
        assert_int_equal(mupdate_server_state(server), MUPDATE_SERVER_STATE_STREAMING);
    } else {
        assert_int_equal(mupdate_server_state(server), MUPDATE_SERVER_STATE_CLOSED);
        assert_int_equal(mupdate_server_next(server, &event), MUPDATE_SERVER_CLOSED);
        assert_int_equal(mupdate_server_output(server, &data), 0);
        assert_false(mupdate_server_ok(server, "ok"));
        assert_false(mupdate_server_row(server, &row));
        mupdate_server_bye(server, "bye");
        assert_int_equal(mupdate_server_output(server, &data), 0);
    }
    mupdate_server_free(server);
    return well;
}

static void a_session_without_memory_closes_without_a_word(void **state)
{
    long count = 0;
    bool well;

    (void)state;
    do {
        allocations_left = count++;
        well = run();
    } while (!well && count < 1000);
    assert_true(well);
    assert_true(count > 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_without_memory_closes_without_a_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
