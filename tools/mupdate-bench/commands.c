/*
 * Closed-loop commands: every connection keeps as many operations in flight as
 * the depth says and starts the next when one is answered.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#include "link.h"
#include "report.h"
#include "scenario.h"
#include "side.h"
#include "watch.h"

enum command_kind { COMMAND_RESERVE, COMMAND_ACTIVATE, COMMAND_DELETE, COMMAND_FIND };

static const char *const words[] = {"RESERVE", "ACTIVATE", "DELETE", "FIND"};

/* Which rows an operation is about. */
enum choice { CHOICE_NEXT, CHOICE_RANDOM };

struct command {
    enum command_kind kind;
    bool has_row; /* FIND's row has come */
    uint64_t row;
    uint64_t oldest; /* the least mark that FIND's row must have; 0: any will do */
    uint64_t sent_ns;
};

/* The commands in flight on a connection, oldest at tag_done. */
struct worker {
    struct command *ring;
    uint64_t tag_sent;
    uint64_t tag_done;
};

/* Replies in the measured time. */
struct tally {
    uint64_t finds;
    uint64_t changes;
    struct histogram find_times;
    struct histogram change_times;
};

struct run {
    const struct options *options;
    enum command_kind kind; /* of an operation's first command */
    enum choice choice;
    unsigned writes; /* per cent of operations that ACTIVATE instead */
    uint64_t count; /* operations to start; 0: until end_ns */
    uint64_t limit; /* started, when so many are */
    uint64_t mark;
    uint64_t last_mark; /* greater than all others of this run */
    uint64_t random;
    uint64_t started; /* operations */
    uint64_t in_flight;
    uint64_t count_ns;
    uint64_t end_ns;
    uint64_t last_ns;
    struct worker *workers;
    struct tally tally;
    struct watch watch;
};

uint64_t scenario_mark(void)
{
    uint32_t salt;
    if (getrandom(&salt, sizeof(salt), 0) != (ssize_t)sizeof(salt)) {
        report_failure(EX_OSERR, "no random numbers");
    }
    return (uint64_t)(salt | 1U) << 32;
}

/* xorshift64*: rows are chosen, not secrets. */
static uint64_t next_random(struct run *run)
{
    run->random ^= run->random >> 12;
    run->random ^= run->random << 25;
    run->random ^= run->random >> 27;
    return run->random * UINT64_C(2685821657736338717) >> 16;
}

static void send_command(struct link *link, enum command_kind kind, uint64_t row, uint64_t mark)
{
    struct run *run = link->set->context;
    struct worker *worker = &run->workers[link->number];
    struct command *command = &worker->ring[worker->tag_sent % run->options->depth];
    *command = (struct command){.kind = kind, .row = row, .sent_ns = link->set->now_ns};

    char name[ROW_TEXT_BYTES];
    char location[ROW_TEXT_BYTES];
    char acl[ROW_TEXT_BYTES];
    struct message_text arguments[3] = {{name, row_name(&run->options->set, row, name)},
                                        {location, row_location(row, location)},
                                        {acl, 0}};
    size_t count = kind == COMMAND_RESERVE ? 2 : 1;
    if (kind == COMMAND_ACTIVATE) {
        arguments[2].len = row_acl(&run->options->set, row, mark, acl);
        count = 3;
    }
    if (mark != 0) {
        watch_sent(&run->watch, row, mark);
    }
    link_command(link, worker->tag_sent++, words[kind], count, arguments);
    run->in_flight++;
}

/* Fill the connection up to its depth, as long as there is something to do. */
static void start_operations(struct link *link)
{
    struct run *run = link->set->context;
    struct worker *worker = &run->workers[link->number];
    while (worker->tag_sent - worker->tag_done < run->options->depth &&
           (run->count == 0 ? link->set->now_ns < run->end_ns : run->started < run->limit)) {
        uint64_t row = run->options->first + run->started++;
        enum command_kind kind = run->kind;
        if (run->choice == CHOICE_RANDOM) {
            row = next_random(run) % run->options->rows;
        }
        if (run->writes > 0 && next_random(run) % 100 < run->writes) {
            kind = COMMAND_ACTIVATE;
        }
        bool marked = run->choice == CHOICE_RANDOM && kind == COMMAND_ACTIVATE;
        send_command(link, kind, row, marked ? ++run->mark : 0);
    }
}

static void count_reply(struct run *run, const struct command *command, uint64_t now_ns)
{
    run->last_ns = now_ns;
    if (now_ns >= run->count_ns && (run->count > 0 || now_ns < run->end_ns)) {
        bool find = command->kind == COMMAND_FIND;
        *(find ? &run->tally.finds : &run->tally.changes) += 1;
        histogram_add(find ? &run->tally.find_times : &run->tally.change_times,
                      now_ns - command->sent_ns);
    }
}

static void take_row(struct link *link, struct command *command, const struct message *message)
{
    struct run *run = link->set->context;
    uint64_t number;
    uint64_t mark;
    if (command->kind != COMMAND_FIND || command->has_row || message->count != 3 ||
        !row_number(&run->options->set, message->arguments[0], &number) ||
        number != command->row || !row_location_is(number, message->arguments[1]) ||
        !row_acl_is(&run->options->set, number, message->arguments[2], &mark) ||
        (command->oldest != 0 && (mark < command->oldest || mark > run->last_mark))) {
        char name[ROW_TEXT_BYTES];
        char wanted[ROW_TEXT_BYTES * 2];
        size_t len = row_name(&run->options->set, command->row, name);
        snprintf(wanted, sizeof(wanted), "the answer to %s \"%.*s\"%s", words[command->kind],
                 (int)len, name, command->oldest != 0 ? " with its last change" : "");
        link_wrong(link, message, wanted);
    }
    command->has_row = true;
}

static void on_message(struct link *link, const struct message *message)
{
    struct run *run = link->set->context;
    struct worker *worker = &run->workers[link->number];
    uint64_t tag;
    if (worker->tag_done == worker->tag_sent || !message_tag_number(message->tag, &tag) ||
        tag != worker->tag_done) {
        link_wrong(link, message, "the tag of the oldest command");
    }
    struct command *command = &worker->ring[tag % run->options->depth];
    if (message_text_is(message->word, "MAILBOX")) {
        take_row(link, command, message);
        return;
    }
    if (!message_text_is(message->word, "OK") || message->count != 1) {
        link_wrong(link, message, words[command->kind]);
    }
    if (command->kind == COMMAND_FIND && !command->has_row) {
        link_wrong(link, message, "the row before FIND's OK (is the set filled?)");
    }
    count_reply(run, command, link->set->now_ns);
    if (command->kind == COMMAND_ACTIVATE) {
        watch_done(&run->watch, command->row);
    }
    worker->tag_done++;
    run->in_flight--;
    if (command->kind == COMMAND_RESERVE) {
        send_command(link, COMMAND_ACTIVATE, command->row, 0);
    }
    start_operations(link);
}

static void finish(const struct run *run, struct link_set *set)
{
    while (run->in_flight > 0) {
        link_set_wait(set, -1);
    }
}

/* Nothing is started any more but what is sent now. */
static void begin_alone(struct run *run, struct link_set *set)
{
    run->limit = run->started;
    run->end_ns = 0;
    set->now_ns = set->heard_ns = report_now_ns();
}

/* Returns the measured time in seconds. */
static double run_phase(struct run *run, struct link_set *set)
{
    /* A tenth of the time first, uncounted, until every connection is busy. */
    uint64_t start_ns = report_now_ns();
    uint64_t measured_ns = (uint64_t)(run->options->seconds * 1e9);
    run->tally = (struct tally){0};
    run->limit = run->started + run->count;
    run->count_ns = start_ns + (run->count == 0 ? measured_ns / 10 : 0);
    run->end_ns = run->count_ns + measured_ns;
    set->now_ns = set->heard_ns = start_ns;
    for (size_t i = 0; i < set->count; i++) {
        start_operations(&set->links[i]);
        link_flush(&set->links[i]);
    }
    finish(run, set);
    return (double)(run->count == 0 ? measured_ns : run->last_ns - start_ns) / 1e9;
}

static void report_phase(const struct run *run, double seconds)
{
    const struct tally *tally = &run->tally;
    report_figure("connections", (double)run->options->connections);
    report_figure("depth", (double)run->options->depth);
    report_figure("seconds", seconds);
    report_figure("operations", (double)run->started);
    report_figure("ops_per_s", (double)(tally->finds + tally->changes) / seconds);
    if (run->writes > 0) {
        report_figure("finds_per_s", (double)tally->finds / seconds);
        report_figure("changes_per_s", (double)tally->changes / seconds);
        report_times("find_", &tally->find_times);
        report_times("change_", &tally->change_times);
    } else {
        report_times("", run->kind == COMMAND_FIND ? &tally->find_times : &tally->change_times);
    }
    report_own_cpu();
}

static void report_short(const struct run *run, const char *prefix, double seconds)
{
    char key[32];
    const struct tally *tally = &run->tally;
    snprintf(key, sizeof(key), "%sops_per_s", prefix);
    report_figure(key, (double)(tally->finds + tally->changes) / seconds);
    report_times(prefix, run->kind == COMMAND_FIND ? &tally->find_times : &tally->change_times);
}

/* The same twice: alone, then beside the subscribers. */
static void run_beside(struct run *run, struct link_set *set, struct side *side)
{
    struct side_result result;
    double seconds = run_phase(run, set);
    report_short(run, "quiet_", seconds);
    side_begin(side);
    report_clock_start();
    uint64_t start_ns = report_now_ns();
    seconds = run_phase(run, set);
    report_short(run, "beside_", seconds);
    report_phase(run, seconds);
    side_end(side, &result);
    double elapsed = (double)(report_now_ns() - start_ns) / 1e9;
    report_figure("beside_subscribers", (double)run->options->subscribers);
    report_figure("beside_dumps", (double)result.dumps);
    report_figure("beside_closed", (double)result.closed);
    report_figure("beside_bytes_per_s", (double)result.octets / elapsed);
}

/* Subscribers follow meanwhile, and must be sent the last change, too. */
static void run_followed(struct run *run, struct link_set *set, struct side *side)
{
    struct side_result result;
    side_begin(side);
    report_clock_start();
    uint64_t start_ns = report_now_ns();
    report_phase(run, run_phase(run, set));
    begin_alone(run, set);
    send_command(&set->links[0], COMMAND_ACTIVATE, 0, run->last_mark);
    link_flush(&set->links[0]);
    finish(run, set);
    side_end(side, &result);
    double elapsed = (double)(report_now_ns() - start_ns) / 1e9;
    report_figure("subscribers", (double)run->options->subscribers);
    report_figure("rows_per_s", (double)result.rows / elapsed);
}

/* What was acknowledged is there. */
static void read_back(struct run *run, struct link_set *set)
{
    const struct watch *watch = &run->watch;
    size_t count = 0;
    for (size_t i = 0; i < WATCH_ROWS; i++) {
        if (watch->rows[i].oldest == 0) {
            continue;
        }
        const struct worker *worker = &run->workers[0];
        begin_alone(run, set);
        send_command(&set->links[0], COMMAND_FIND, watch->rows[i].row, 0);
        worker->ring[(worker->tag_sent - 1) % run->options->depth].oldest =
            watch->rows[i].oldest;
        link_flush(&set->links[0]);
        finish(run, set);
        count++;
    }
    if (count > 0) {
        report_figure("rows_read_back", (double)count);
    }
}

static void run_commands(struct run *run)
{
    const struct options *options = run->options;
    enum side_kind beside = run->writes > 0 ? SIDE_FOLLOW : options->beside;
    struct side side;
    if (beside != SIDE_NONE) {
        side_open(&side, options, beside, run->last_mark);
    }
    struct link_set set;
    link_set_open(&set, options, options->connections,
                  (struct link_events){.on_message = on_message}, run);
    run->workers = calloc(options->connections, sizeof(*run->workers));
    struct command *rings = calloc(options->connections * options->depth, sizeof(*rings));
    if (run->workers == NULL || rings == NULL) {
        report_failure(EX_OSERR, "no memory for %zu x %zu commands", options->connections,
                       options->depth);
    }
    for (size_t i = 0; i < options->connections; i++) {
        run->workers[i].ring = rings + i * options->depth;
    }
    link_set_connect(&set);
    report_clock_start();
    if (beside == SIDE_NONE) {
        report_phase(run, run_phase(run, &set));
    } else if (beside == SIDE_FOLLOW) {
        run_followed(run, &set, &side);
    } else {
        run_beside(run, &set, &side);
    }
    if (!options->self) {
        read_back(run, &set);
    }
    link_set_close(&set);
    free(rings);
    free(run->workers);
}

static void start_run(struct run *run, const struct options *options)
{
    run->options = options;
    run->mark = scenario_mark();
    run->last_mark = run->mark | UINT32_MAX;
    run->random = run->mark;
    run_commands(run);
}

void scenario_fill(const struct options *options)
{
    static struct run run = {.kind = COMMAND_ACTIVATE, .choice = CHOICE_NEXT};
    run.count = options->count > 0 ? options->count : options->rows;
    start_run(&run, options);
}

void scenario_create(const struct options *options)
{
    static struct run run = {.kind = COMMAND_RESERVE, .choice = CHOICE_NEXT};
    run.count = options->count;
    start_run(&run, options);
}

void scenario_acl(const struct options *options)
{
    static struct run run = {.kind = COMMAND_ACTIVATE, .choice = CHOICE_RANDOM};
    run.count = options->count;
    start_run(&run, options);
}

void scenario_delete(const struct options *options)
{
    static struct run run = {.kind = COMMAND_DELETE, .choice = CHOICE_NEXT};
    run.count = options->count > 0 ? options->count : options->rows;
    start_run(&run, options);
}

void scenario_find(const struct options *options)
{
    static struct run run = {.kind = COMMAND_FIND, .choice = CHOICE_RANDOM};
    run.count = options->count;
    start_run(&run, options);
}

void scenario_mixed(const struct options *options)
{
    static struct run run = {.kind = COMMAND_FIND, .choice = CHOICE_RANDOM};
    run.count = options->count;
    run.writes = options->writes;
    start_run(&run, options);
}
