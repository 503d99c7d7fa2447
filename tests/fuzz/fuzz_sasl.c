/*
 * SASL: each side of an exchange hears anything, each line of the text in
 * turn; an exchange of both sides has its words changed on the way; and so the
 * packets of a security layer, of which none that is forged is taken. The order
 * of GSSAPI's packets is the same however they are cut into pieces.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdlib.h>
#include <string.h>

#include "layer/sasl_internal.h"
#include "tests/fuzz/sasl_fixed.h"

/* Steps of one exchange; no mechanism has as many. */
#define STEPS 20

/* The next line of the text, without its end; false behind the last. */
static bool next_line(const struct fuzz *fuzz, size_t *at, const uint8_t **line, size_t *len)
{
    const uint8_t *lf;

    if (*at >= fuzz->len)
        return false;
    *line = fuzz->text + *at;
    lf = memchr(*line, '\n', fuzz->len - *at);
    *len = lf ? (size_t)(lf - *line) : fuzz->len - *at;
    *at += *len + 1;
    return true;
}

static void check_step(enum sasl_progress progress, const void *out, size_t out_len,
                       const struct sasl_failure *failure)
{
    if (progress == SASL_PROGRESS_FAILED) {
        FUZZ_CHECK(failure->text[0] != '\0');
        for (const char *c = failure->text; *c; c++)
            FUZZ_CHECK((unsigned char)*c >= ' ');
    } else if (out) {
        fuzz_touch(out, out_len);
    }
}

static void check_user(struct sasl_server *server, bool done)
{
    const char *user = sasl_server_user(server);

    FUZZ_CHECK(done == (user != NULL) && done == (sasl_server_authenticated(server) != NULL));
    if (done)
        FUZZ_CHECK(strcmp(user, SASL_FIXED_USER) == 0 &&
                   strcmp(sasl_server_authenticated(server), SASL_FIXED_USER) == 0);
}

static void hear_as_server(struct fuzz *fuzz)
{
    struct sasl_server *server = sasl_fixed_server();
    enum sasl_progress progress = SASL_PROGRESS_FAILED;
    const char *const *names;
    const uint8_t *line;
    size_t at = 0;
    size_t len;

    FUZZ_CHECK(sasl_server_mechanisms(server, &names) == SASL_FIXED_OFFERED);
    while (progress != SASL_PROGRESS_DONE && next_line(fuzz, &at, &line, &len)) {
        struct sasl_failure failure = {.text = ""};
        uint8_t *copy = fuzz_copy(line, len);
        const void *out = NULL;
        size_t out_len = 0;

        if (progress == SASL_PROGRESS_FAILED) {
            const char *mechanism =
                sasl_fixed_mechanisms[fuzz_below(fuzz, SASL_FIXED_MECHANISMS)];

            progress = sasl_server_begin(server, mechanism, fuzz_below(fuzz, 2) ? NULL : copy, len,
                                         &out, &out_len, &failure);
        } else {
            progress = sasl_server_continue(server, copy, len, &out, &out_len, &failure);
        }
        FUZZ_CHECK(progress != SASL_PROGRESS_CHALLENGE || out != NULL);
        check_step(progress, out, out_len, &failure);
        free(copy);
        (void)sasl_server_tried_user(server);
        (void)sasl_server_wanted_user(server);
        check_user(server, progress == SASL_PROGRESS_DONE);
    }
    sasl_server_close(server);
}

static void hear_as_client(struct fuzz *fuzz)
{
    struct sasl_client *client = sasl_fixed_client();
    struct sasl_failure failure = {.text = ""};
    const char *mechanism = NULL;
    const void *out = NULL;
    size_t out_len = 0;
    const uint8_t *line;
    size_t at = 0;
    size_t len;
    enum sasl_progress progress =
        sasl_client_begin(client, sasl_fixed_mechanisms[fuzz_below(fuzz, SASL_FIXED_MECHANISMS)],
                          &mechanism, &out, &out_len, &failure);

    check_step(progress, out, out_len, &failure);
    while (progress == SASL_PROGRESS_CHALLENGE && next_line(fuzz, &at, &line, &len)) {
        uint8_t *copy = fuzz_copy(line, len);

        progress = sasl_client_continue(client, copy, len, &out, &out_len, &failure);
        check_step(progress, out, out_len, &failure);
        free(copy);
    }
    sasl_client_close(client);
}

/* The words on their way, changed or not. The caller frees them; NULL stays NULL. */
static uint8_t *pass(struct fuzz *fuzz, const void *data, size_t *len, bool *changed)
{
    uint8_t *copy = data ? fuzz_copy(data, *len) : NULL;

    if (!copy || *len == 0 || fuzz_below(fuzz, 4) != 1)
        return copy;
    *changed = true;
    if (fuzz_below(fuzz, 2))
        copy[fuzz_below(fuzz, *len)] ^= (uint8_t)(1 + fuzz_below(fuzz, 255));
    else
        *len = fuzz_below(fuzz, *len);
    return copy;
}

static void log_in(struct fuzz *fuzz)
{
    struct sasl_server *server = sasl_fixed_server();
    struct sasl_client *client = sasl_fixed_client();
    const char *wanted = sasl_fixed_mechanisms[fuzz_below(fuzz, SASL_FIXED_MECHANISMS)];
    struct sasl_failure failure = {.text = ""};
    const char *mechanism = NULL;
    bool changed = false;
    bool first = true;
    const void *said, *answer = NULL;
    size_t said_len, answer_len;
    enum sasl_progress ours, theirs;

    theirs = sasl_client_begin(client, wanted, &mechanism, &said, &said_len, &failure);
    ours = theirs == SASL_PROGRESS_FAILED ? SASL_PROGRESS_FAILED : SASL_PROGRESS_CHALLENGE;
    for (int steps = 0; ours == SASL_PROGRESS_CHALLENGE; steps++) {
        uint8_t *words = pass(fuzz, said, &said_len, &changed);

        FUZZ_CHECK(steps < STEPS);
        ours = first ? sasl_server_begin(server, mechanism, words, said_len, &answer, &answer_len,
                                         &failure)
                     : sasl_server_continue(server, words, said_len, &answer, &answer_len,
                                            &failure);
        first = false;
        free(words);
        check_step(ours, answer, answer_len, &failure);
        check_user(server, ours == SASL_PROGRESS_DONE);
        if (ours != SASL_PROGRESS_CHALLENGE)
            break;
        words = pass(fuzz, answer, &answer_len, &changed);
        theirs = sasl_client_continue(client, words, answer_len, &said, &said_len, &failure);
        free(words);
        check_step(theirs, said, said_len, &failure);
        if (theirs == SASL_PROGRESS_FAILED)
            break;
    }
    FUZZ_CHECK(changed || strcmp(wanted, "NONE") == 0 || ours == SASL_PROGRESS_DONE);
    sasl_server_close(server);
    sasl_client_close(client);
}

/* The text is the last step of an exchange, as long as the choices say, and what comes behind. */
static void hear_packets(struct fuzz *fuzz)
{
    size_t at = fuzz_piece(fuzz, fuzz->len);
    uint8_t *copy = fuzz_copy(fuzz->text, at);
    struct sasl_order whole = {0};
    struct sasl_order cut;
    bool is_next = true;
    bool was_next;

    sasl_order_note(&whole, copy, at);
    free(copy);
    if (!whole.known)
        return;
    cut = whole;
    copy = fuzz_copy(fuzz->text + at, fuzz->len - at);
    was_next = sasl_order_check(&whole, copy, fuzz->len - at);
    free(copy);
    while (is_next && at < fuzz->len) {
        size_t len = fuzz_piece(fuzz, fuzz->len - at);

        copy = fuzz_copy(fuzz->text + at, len);
        is_next = sasl_order_check(&cut, copy, len);
        free(copy);
        at += len;
    }
    FUZZ_CHECK(is_next == was_next);
    if (is_next)
        FUZZ_CHECK(cut.next == whole.next && cut.rest == whole.rest &&
                   cut.head_len == whole.head_len &&
                   memcmp(cut.head, whole.head, cut.head_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pair pair;
    struct fuzz fuzz;

    fuzz_open(&fuzz, data, size);
    switch (fuzz_below(&fuzz, 5)) {
    case 0:
        hear_as_server(&fuzz);
        break;
    case 1:
        hear_as_client(&fuzz);
        break;
    case 2:
        log_in(&fuzz);
        break;
    case 4:
        hear_packets(&fuzz);
        break;
    default:
        pair_init(&pair, &fuzz);
        sasl_fixed_push(&pair);
        if (fuzz_below(&fuzz, 4) == 3) {
            pair_hear(&pair, (int)fuzz_below(&fuzz, 2), fuzz.text, fuzz.len);
        } else {
            pair.changes = fuzz_below(&fuzz, 4);
            pair_say_text(&pair);
        }
        pair_close(&pair);
        break;
    }
    return 0;
}
