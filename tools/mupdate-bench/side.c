/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "side.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "report.h"
#include "table.h"

enum {
    TICKS_PER_S = 10,
    SLOW_BYTES_PER_S = 1 << 16,
};

struct crowd {
    enum side_kind kind;
    struct table table;
    struct side_result result;
    size_t asked;   /* subscribers that have sent UPDATE */
    uint64_t last;  /* the mark of the last change */
    size_t last_end; /* where it ends in the transcript; 0: it has not come */
    bool *has_last; /* by link number */
    size_t have_last;
    uint64_t shared_rows; /* of the stream in the transcript */
};

static void on_ready(struct link *link)
{
    struct crowd *crowd = link->set->context;
    crowd->asked++;
    if (crowd->kind == SIDE_FOLLOW) {
        table_ask(&crowd->table, link, "UPDATE");
        return;
    }
    table_ask_alone(&crowd->table, link, "UPDATE");
    if (crowd->kind != SIDE_DUMP) {
        link_pause(link);
    }
}

static void got_last(struct crowd *crowd, const struct link *link)
{
    crowd->have_last += !crowd->has_last[link->number];
    crowd->has_last[link->number] = true;
}

static void take_change(struct crowd *crowd, struct link *link, const struct message *message)
{
    const struct options *options = link->set->options;
    uint64_t number;
    uint64_t mark;
    uint64_t tag;
    if (!message_tag_number(message->tag, &tag) || tag != TABLE_TAG) {
        link_wrong(link, message, "the tag of the stream");
    }
    if (message->count == 0 || !row_number(&options->set, message->arguments[0], &number)) {
        return; /* someone else's row */
    }
    if (!message_text_is(message->word, "MAILBOX") || message->count != 3 ||
        !row_location_is(number, message->arguments[1]) ||
        !row_acl_is(&options->set, number, message->arguments[2], &mark)) {
        link_wrong(link, message, "a row as it was stored");
    }
    if (mark == crowd->last && link->shares) {
        crowd->last_end = link->set->transcript.parsed;
    } else if (mark == crowd->last) {
        got_last(crowd, link);
    }
    *(link->shares ? &crowd->shared_rows : &crowd->result.rows) += 1;
}

static void on_message(struct link *link, const struct message *message)
{
    struct crowd *crowd = link->set->context;
    bool had = table_has(&crowd->table, link);
    if (!table_message(&crowd->table, link, message)) {
        if (crowd->kind == SIDE_FOLLOW) {
            take_change(crowd, link, message);
        }
        return;
    }
    if (!had && table_has(&crowd->table, link) && crowd->kind == SIDE_DUMP) {
        crowd->result.dumps++;
        link_logout(link);
    }
}

static void on_advance(struct link *link)
{
    struct crowd *crowd = link->set->context;
    table_advance(&crowd->table, link);
    if (crowd->last_end > 0 && link->at >= crowd->last_end) {
        got_last(crowd, link);
    }
}

static void on_own(struct link *link)
{
    struct crowd *crowd = link->set->context;
    table_own(&crowd->table, link);
}

static void on_closed(struct link *link)
{
    struct crowd *crowd = link->set->context;
    crowd->result.octets += link->received_octets;
    link_start(link);
}

/* To give up a subscriber that does not keep up is a server's good right. */
static void on_lost(struct link *link, enum link_state state, int error)
{
    struct crowd *crowd = link->set->context;
    if (state < LINK_READY || (crowd->kind != SIDE_SLOW && crowd->kind != SIDE_STUCK)) {
        link_lost(link, state, error);
    }
    crowd->result.closed++;
    crowd->result.octets += link->received_octets;
}

static void tick(struct link_set *set, const struct crowd *crowd)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->links[i].state == LINK_CLOSED) {
            link_start(&set->links[i]);
        } else if (crowd->kind == SIDE_SLOW && set->links[i].state == LINK_READY) {
            link_take(&set->links[i], SLOW_BYTES_PER_S / TICKS_PER_S);
        }
    }
}

/* The order to end is the end of the pipe. */
static void run_until_ordered(struct link_set *set, const struct crowd *crowd)
{
    bool ticks = crowd->kind == SIDE_SLOW || crowd->kind == SIDE_STUCK;
    set->nothing_due = crowd->kind != SIDE_DUMP;
    uint64_t next_ns = 0;
    while (!link_set_watched(set)) {
        link_set_wait(set, ticks ? 1000 / TICKS_PER_S : -1);
        if (ticks && report_now_ns() >= next_ns) {
            next_ns = report_now_ns() + 1000000000 / TICKS_PER_S;
            tick(set, crowd);
        }
    }
}

static void await_last(struct link_set *set, const struct crowd *crowd)
{
    uint64_t end_ns = report_now_ns() + (uint64_t)(set->options->timeout * 1e9);
    set->nothing_due = true; /* the time is limited here */
    while (crowd->have_last < set->count) {
        link_set_wait(set, 100);
        if (report_now_ns() > end_ns) {
            report_failure(EX_UNAVAILABLE, "%zu of %zu subscribers were not sent the last change",
                           set->count - crowd->have_last, set->count);
        }
    }
}

static void answer(int answers, const void *data, size_t len)
{
    if (write(answers, data, len) != (ssize_t)len) {
        exit(EX_IOERR);
    }
}

static _Noreturn void run_side(const struct options *options, struct crowd *crowd, int orders,
                               int answers)
{
    char go;
    struct link_set set;
    report_begin("beside", false);
    if (read(orders, &go, 1) != 1) {
        exit(EX_OK);
    }
    size_t count = options->subscribers;
    crowd->has_last = calloc(count, sizeof(*crowd->has_last));
    if (crowd->has_last == NULL) {
        report_failure(EX_OSERR, "no memory for %zu subscribers", count);
    }
    table_open(&crowd->table, options, count, NULL);
    crowd->table.grows = strcmp(options->scenario, "create") == 0;
    link_set_open(&set, options, count,
                  (struct link_events){.on_ready = on_ready, .on_message = on_message,
                                       .on_advance = on_advance, .on_own = on_own,
                                       .on_closed = on_closed, .on_lost = on_lost},
                  crowd);
    set.heard_ns = report_now_ns();
    size_t next = 0;
    while (crowd->asked < count ||
           (crowd->kind == SIDE_FOLLOW && crowd->table.done < count)) {
        next += link_set_start_some(&set, next);
        link_set_wait(&set, -1);
    }
    answer(answers, &go, 1);
    (void)link_set_watch(&set, orders);
    run_until_ordered(&set, crowd);
    if (crowd->kind == SIDE_FOLLOW) {
        await_last(&set, crowd);
    }
    for (size_t i = 0; i < count; i++) {
        const struct link *link = &set.links[i];
        crowd->result.octets += link->state == LINK_CLOSED ? 0 : link->received_octets;
        crowd->result.rows += link->shares ? crowd->shared_rows : 0;
    }
    answer(answers, &crowd->result, sizeof(crowd->result));
    /* Those that do not read cannot log out. */
    exit(EX_OK);
}

void side_open(struct side *side, const struct options *options, enum side_kind kind,
               uint64_t last)
{
    static struct crowd crowd;
    int orders[2];
    int answers[2];
    crowd = (struct crowd){.kind = kind, .last = last};
    if (pipe(orders) != 0 || pipe(answers) != 0) {
        report_failure(EX_OSERR, "pipe: %s", strerror(errno));
    }
    pid_t parent = getpid();
    side->pid = fork();
    if (side->pid < 0) {
        report_failure(EX_OSERR, "fork: %s", strerror(errno));
    }
    if (side->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(EX_OK);
        }
        close(orders[1]);
        close(answers[0]);
        run_side(options, &crowd, orders[0], answers[1]);
    }
    close(orders[0]);
    close(answers[1]);
    side->orders = orders[1];
    side->answers = answers[0];
}

/* Its message is on standard error already. */
static void expect(struct side *side, void *data, size_t len)
{
    int status = 0;
    if (read(side->answers, data, len) == (ssize_t)len) {
        return;
    }
    waitpid(side->pid, &status, 0);
    report_failure(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status)
                                                                 : EX_SOFTWARE,
                   "the subscribers beside have failed");
}

void side_begin(struct side *side)
{
    char go = 'g';
    if (write(side->orders, &go, 1) != 1) {
        report_failure(EX_OSERR, "starting the subscribers beside: %s", strerror(errno));
    }
    expect(side, &go, 1);
}

void side_end(struct side *side, struct side_result *result)
{
    close(side->orders);
    expect(side, result, sizeof(*result));
    close(side->answers);
    waitpid(side->pid, NULL, 0);
}
