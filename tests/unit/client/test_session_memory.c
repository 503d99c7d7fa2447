/*
 * Each allocation of a client session made to fail in turn. The files that
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
#include "libmupdate/client/session.c"
#include "libmupdate/client/session_banner.c"
#include "libmupdate/wire/buffer.c"
#undef malloc
#undef calloc

static const char banner[] = "* AUTH \"PLAIN\" \"X\"\r\n* STARTTLS\r\n"
                             "* OK MUPDATE \"h\" \"i\" \"v\" \"(master)\"\r\n";

/* True when everything went well; otherwise everything must have failed softly. */
static bool run(void)
{
    static const struct mupdate_row row = { MUPDATE_ACTIVE, { "n", 1 }, { "l", 1 }, { "a", 1 } };
    static char answer[20000];
    struct mupdate_client *client = mupdate_client_new(NULL);
    struct mupdate_client_event event;
    const uint8_t *data;
    size_t rows = 0;
    bool well = false;

    if (!client)
        return false;
    memcpy(answer, "C2 RESERVE {19900+}\r\n", 21);
    memset(answer + 21, 'x', 19900);
    memcpy(answer + 21 + 19900, " \"l\"\r\n", 6);
    if (!mupdate_client_input(client, banner, sizeof banner - 1) ||
        mupdate_client_next(client, &event) != MUPDATE_CLIENT_EVENT ||
        mupdate_client_set(client, MUPDATE_ACTIVATE, &row) != 1 ||
        mupdate_client_list(client, (struct mupdate_text){ answer, sizeof answer }) != 2 ||
        !mupdate_client_input(client, "C1 OK \"\"\r\n", 10) ||
        mupdate_client_next(client, &event) != MUPDATE_CLIENT_EVENT ||
        !mupdate_client_input(client, answer, 21 + 19900 + 6))
        goto out;
    while (mupdate_client_next(client, &event) == MUPDATE_CLIENT_EVENT)
        rows++;
    well = rows == 1 && !mupdate_client_error(client);
out:
    if (!well) {
        assert_non_null(mupdate_client_error(client));
        assert_int_equal(mupdate_client_next(client, &event), MUPDATE_CLIENT_ERROR);
        assert_int_equal(mupdate_client_output(client, &data), 0);
        assert_int_equal(mupdate_client_noop(client), 0);
    }
    mupdate_client_free(client);
    return well;
}

static void a_client_without_memory_breaks_softly(void **state)
{
    long count = 0;
    bool well;

    (void)state;
    do {
        allocations_left = count++;
        well = run();
    } while (!well && count < 1000);
    assert_true(well);
    assert_true(count > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_without_memory_breaks_softly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
