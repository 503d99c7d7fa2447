/*
 * A connection of the control socket that hears any octets, with requests made
 * for this harness behind it: answered at once, by a task in slices, by one that
 * must be woken, by one that follows.
 *
 *   - Each line is answered by lines of JSON, of which the last has no "more",
 *     in order, each with the request's id; or the client is cut off.
 *   - However the octets are cut, the same is said.
 *   - What waits, in and out, is bounded, whatever the client sends and takes.
 *   - Each task is closed once, and is not run while it waits or nobody listens.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdlib.h>
#include <string.h>

#include "mupdated/control/json.h"
#include "mupdated/control/session.h"
#include "tests/fuzz/fuzz.h"

/* What one read of the socket brings at the most. */
#define READ_BYTES 4096

/* An answer of the fakes, about the longest: a text of a request, encoded anew. */
#define ANSWER_BYTES (2 * CONTROL_LINE_BYTES)

#define LARGE_BYTES 20000
#define SLICES_MAX 40

struct run {
    struct control_session session; /* the first member: handlers find the run by it */
    struct buffer said;
    enum control_session_turn turn;
    size_t tasks; /* open ones */
    bool cut_off;
};

enum kind {
    KIND_SLICES, /* goes on by itself */
    KIND_WAITS,  /* is woken for each slice */
    KIND_LARGE,  /* says more than a client that sleeps gets */
    KIND_FOLLOWS, /* does not end */
};

struct task {
    struct control_task task;
    struct run *run;
    enum kind kind;
    size_t left; /* slices */
    bool waits;
};

/* --- requests --- */

static json_t *slice(enum kind kind)
{
    static char large[LARGE_BYTES];
    json_t *object = json_object();

    FUZZ_CHECK(object != NULL);
    if (kind == KIND_LARGE) {
        memset(large, 'x', sizeof large);
        FUZZ_CHECK(json_object_set_new(object, "x", json_stringn(large, sizeof large)) == 0);
    }
    return object;
}

static enum control_progress run_task(struct control_task *control_task,
                                      struct control_session *session)
{
    struct task *task = (struct task *)control_task;
    bool last;

    FUZZ_CHECK(session == &task->run->session && session->task == control_task);
    FUZZ_CHECK(buffer_len(&session->out) < CONTROL_OUTPUT_BYTES);
    FUZZ_CHECK(!task->waits);
    if (task->left == 0) {
        FUZZ_CHECK(task->kind == KIND_FOLLOWS);
        task->waits = true;
        return CONTROL_WAIT;
    }
    last = --task->left == 0 && task->kind != KIND_FOLLOWS;
    FUZZ_CHECK(control_say(session, slice(task->kind), !last));
    if (last)
        return CONTROL_DONE;
    task->waits = task->kind == KIND_WAITS;
    return task->waits ? CONTROL_WAIT : CONTROL_MORE;
}

static void close_task(struct control_task *control_task)
{
    struct task *task = (struct task *)control_task;

    task->run->tasks--;
    free(task);
}

static bool begin(struct control_session *session, const json_t *request, enum kind kind)
{
    json_int_t slices = json_integer_value(json_object_get(request, "slices"));
    struct task *task = calloc(1, sizeof *task);

    FUZZ_CHECK(task != NULL && !session->task);
    task->task.run = run_task;
    task->task.close = close_task;
    task->task.follows = kind == KIND_FOLLOWS;
    task->run = (struct run *)session;
    task->kind = kind;
    task->left = slices > 0 && slices <= SLICES_MAX ? (size_t)slices : 1;
    task->run->tasks++;
    control_session_begin(session, &task->task);
    return true;
}

static bool slices(struct control_session *session, const json_t *request)
{
    return begin(session, request, KIND_SLICES);
}

static bool waits(struct control_session *session, const json_t *request)
{
    return begin(session, request, KIND_WAITS);
}

static bool large(struct control_session *session, const json_t *request)
{
    return begin(session, request, KIND_LARGE);
}

static bool follows(struct control_session *session, const json_t *request)
{
    return begin(session, request, KIND_FOLLOWS);
}

/* A text of the request, as the names of mailboxes are read and told. */
static bool echoes(struct control_session *session, const json_t *request)
{
    json_t *object = json_object();
    struct mupdate_text text;
    char *again;
    size_t len;
    char *name;

    FUZZ_CHECK(object != NULL && json_get_text(request, "name", &name, &text.len));
    if (!name) {
        json_decref(object);
        return control_refuse(session, "syntax", "name says which one");
    }
    fuzz_touch(name, text.len + 1);
    text.data = name;
    FUZZ_CHECK(name[text.len] == '\0' && json_set_text(object, "name", text));
    FUZZ_CHECK(json_get_text(object, "name", &again, &len) && again && len == text.len);
    FUZZ_CHECK(memcmp(again, name, len) == 0);
    free(again);
    free(name);
    return control_say(session, object, false);
}

static const struct control_kind kinds[] = {
    {"slices", slices}, {"waits", waits},   {"large", large},
    {"follows", follows}, {"echo", echoes}, {0},
};

/* --- the client --- */

static void take_output(struct run *run)
{
    buffer_append(&run->said, buffer_bytes(&run->session.out), buffer_len(&run->session.out));
    buffer_clear(&run->session.out);
}

static void on_woken(struct control_session *session)
{
    FUZZ_CHECK(session->awake);
}

static void turn(struct run *run)
{
    struct control_session *session = &run->session;

    run->turn = control_session_run(session);
    FUZZ_CHECK(run->turn != CONTROL_SESSION_NO_MEMORY);
    FUZZ_CHECK(buffer_len(&session->in) <= CONTROL_INPUT_BYTES);
    FUZZ_CHECK(buffer_len(&session->out) <= CONTROL_OUTPUT_BYTES + ANSWER_BYTES);
    FUZZ_CHECK(run->tasks == (session->task != NULL));
}

/* Until only the client can go on. */
static void drain(struct run *run)
{
    do {
        struct task *task = (struct task *)run->session.task;
        size_t said = buffer_len(&run->said);

        if (task && task->waits && task->kind == KIND_WAITS) {
            task->waits = false;
            control_session_wake(&run->session);
        }
        turn(run);
        take_output(run);
        /* It may have waited for room only. */
        if (run->turn == CONTROL_SESSION_WAITS && buffer_len(&run->said) == said)
            return;
    } while (run->turn != CONTROL_SESSION_ENDS);
}

static void give(struct run *run, const void *data, size_t len)
{
    void *copy = fuzz_copy(data, len);

    run->cut_off = !control_session_input(&run->session, copy, len);
    free(copy);
}

/* fuzz NULL: in reads as large as they get, by a client that takes all it is told. */
static void run_all(struct run *run, const struct buffer *input, struct fuzz *fuzz)
{
    size_t at = 0;

    memset(run, 0, sizeof *run);
    control_session_init(&run->session, NULL, kinds, on_woken);
    while (at < buffer_len(input) && !run->cut_off && run->turn != CONTROL_SESSION_ENDS) {
        size_t rest = buffer_len(input) - at;
        size_t most = rest < READ_BYTES ? rest : READ_BYTES;
        size_t len = fuzz && fuzz_below(fuzz, 2) ? fuzz_piece(fuzz, most) : most;

        give(run, buffer_bytes(input) + at, len);
        at += len;
        if (!fuzz || fuzz_below(fuzz, 4) == 0)
            drain(run);
        else
            turn(run);
    }
    if (!run->cut_off) {
        drain(run);
        control_session_input_end(&run->session);
        drain(run);
        FUZZ_CHECK(run->turn == CONTROL_SESSION_ENDS && run->tasks == 0);
        turn(run);
        FUZZ_CHECK(run->turn == CONTROL_SESSION_ENDS && buffer_len(&run->session.out) == 0);
    }
    control_session_close(&run->session);
    FUZZ_CHECK(run->tasks == 0 && !run->said.failed);
}

/* --- what must have been said --- */

static bool is_code(const char *code)
{
    return strcmp(code, "syntax") == 0 || strcmp(code, "version") == 0 ||
           strcmp(code, "unknown") == 0;
}

/* One line that was said. Whether it is its answer's last. */
static bool check_line(const char *line, size_t len, json_int_t id)
{
    json_error_t error;
    json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    const json_t *text = json_object_get(object, "text");
    bool more = json_is_true(json_object_get(object, "more"));

    FUZZ_CHECK(json_is_object(object));
    FUZZ_CHECK(json_is_integer(json_object_get(object, "id")));
    FUZZ_CHECK(json_integer_value(json_object_get(object, "id")) == id);
    FUZZ_CHECK(json_is_boolean(json_object_get(object, "ok")));
    FUZZ_CHECK(more || !json_object_get(object, "more"));
    if (json_is_false(json_object_get(object, "ok"))) {
        FUZZ_CHECK(!more && json_string_length(text) > 0);
        FUZZ_CHECK(is_code(json_string_value(json_object_get(object, "code"))));
    }
    json_decref(object);
    return !more;
}

/* The id of a request; *last: it is the last one that is answered. */
static json_int_t request_id(const char *line, size_t len, bool *last)
{
    json_error_t error;
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    const char *name = json_string_value(json_object_get(request, "do"));
    json_int_t id = json_integer_value(json_object_get(request, "id"));

    *last = name && strcmp(name, "follows") == 0 &&
            json_integer_value(json_object_get(request, "v")) == CONTROL_VERSION;
    json_decref(request);
    return id;
}

static void check_answers(const struct run *run, const struct buffer *input)
{
    const char *asked = (const char *)buffer_bytes(input);
    const char *said = (const char *)buffer_bytes(&run->said);
    size_t asked_len = buffer_len(input);
    size_t said_len = buffer_len(&run->said);
    bool last = false;

    while (!last && asked_len > 0) {
        size_t most = asked_len < CONTROL_LINE_BYTES ? asked_len : CONTROL_LINE_BYTES;
        const char *lf = memchr(asked, '\n', most);
        size_t len = lf ? (size_t)(lf - asked) : asked_len;
        json_int_t id = 0;
        bool answered = false;

        if (!lf && asked_len < CONTROL_LINE_BYTES)
            break;
        if (lf)
            id = request_id(asked, len, &last);
        else
            last = true;
        asked += lf ? len + 1 : len;
        asked_len -= lf ? len + 1 : len;
        while (!answered && said_len > 0) {
            const char *end = memchr(said, '\n', said_len);

            FUZZ_CHECK(end != NULL);
            answered = check_line(said, (size_t)(end - said), id);
            said_len -= (size_t)(end - said) + 1;
            said = end + 1;
        }
        if (run->cut_off && said_len == 0)
            return;
        FUZZ_CHECK(answered == (!lf || !last));
    }
    FUZZ_CHECK(said_len == 0);
}

/* A line about as long as one may be, with blanks that say nothing where the text is divided. */
static void stretch(struct fuzz *fuzz, struct buffer *input)
{
    size_t at = fuzz->len > 0 ? fuzz_below(fuzz, fuzz->len < 65536 ? fuzz->len : 65536) : 0;
    size_t len = CONTROL_LINE_BYTES - fuzz_below(fuzz, 65536);
    uint8_t *run;

    buffer_append(input, fuzz->text, at);
    run = buffer_reserve(input, len);
    FUZZ_CHECK(run != NULL);
    memset(run, ' ', len);
    buffer_added(input, len);
    buffer_append(input, fuzz->text + at, fuzz->len - at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer input = {0};
    struct run whole, cut;
    struct fuzz fuzz;

    fuzz_open(&fuzz, data, size);
    if (fuzz_below(&fuzz, 16) == 15)
        stretch(&fuzz, &input);
    else
        buffer_append(&input, fuzz.text, fuzz.len);
    run_all(&whole, &input, NULL);
    run_all(&cut, &input, &fuzz);
    check_answers(&whole, &input);
    check_answers(&cut, &input);
    if (!whole.cut_off && !cut.cut_off) {
        FUZZ_CHECK(buffer_len(&whole.said) == buffer_len(&cut.said));
        FUZZ_CHECK(buffer_len(&whole.said) == 0 ||
                   memcmp(buffer_bytes(&whole.said), buffer_bytes(&cut.said),
                          buffer_len(&whole.said)) == 0);
    }
    buffer_free(&whole.said);
    buffer_free(&cut.said);
    buffer_free(&input);
    return 0;
}
