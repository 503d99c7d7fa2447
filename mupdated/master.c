/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/master.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "mupdated/certificates.h"
#include "mupdated/control/control.h"
#include "mupdated/log.h"
#include "mupdated/metrics/metrics.h"
#include "mupdated/net/connection.h"
#include "mupdated/net/unconfirmed.h"
#include "mupdated/reserve.h"

#define STOPPING_TEXT "server is stopping"

void master_policy(const struct config *config, struct rule_policy *policy)
{
    *policy = (struct rule_policy){
        .deny_location_conflict = config->deny_location_conflict,
        .name_bytes = config->name_bytes,
        .location_bytes = config->location_bytes,
        .acl_bytes = config->acl_bytes,
    };
}

/* --- what the store and the writer say --- */

/* Only a new process can recover, and Berkeley DB must not be called again. */
static void on_panic(void *context, const char *text)
{
    (void)context;
    log_error("the database failed, stopping at once: %s", text);
    _exit(EX_IOERR);
}

/* The disk knows changes that this process cannot hold: only a restart helps. */
static void out_of_memory(void)
{
    log_error("out of memory for a change that is on disk, stopping at once; nothing is lost");
    _exit(EX_OSERR);
}

/* Those that are at least so many changes behind. */
static void drop_subscribers(struct master *master, uint64_t behind, const char *reason)
{
    struct feed_position *next;

    for (struct feed_position *at = feed_first(master->feed); at; at = next) {
        next = at->next;
        if (feed_behind(at) < behind)
            continue;
        master->counters.subscribers_lost++;
        connection_close(at->owner, reason);
    }
}

static void make_visible(struct master *master, const struct change *change)
{
    if (!table_apply(master->table, change) &&
        (!reserve_spend() || !table_apply(master->table, change)))
        out_of_memory();
    if (!departed_apply(master->departed, change) &&
        (!reserve_spend() || !departed_apply(master->departed, change)))
        out_of_memory();
    if (!feed_publish(master->feed, change) &&
        (!reserve_spend() || !feed_publish(master->feed, change)))
        drop_subscribers(master, 0, "out of memory for its changes");
}

static void count_request(struct counters *counters, const struct writer_request *request)
{
    static const enum counters_change results[] = {
        [WRITER_OK] = COUNTERS_UNCHANGED,
        [WRITER_NO] = COUNTERS_REFUSED,
        [WRITER_FORBIDDEN] = COUNTERS_FORBIDDEN,
        [WRITER_UNCERTAIN] = COUNTERS_UNCERTAIN,
    };

    counters->changes[request->rule.verb]
                     [request->change ? COUNTERS_STORED : results[request->result]]++;
}

static void on_stored(void *context, struct writer_request *batch, uint64_t first)
{
    struct master *master = context;
    struct writer_request *next;
    uint64_t backlog = master->config->subscriber_backlog;

    for (struct writer_request *request = batch; request; request = request->next) {
        if (!request->change)
            continue;
        request->answer->stored(request->owner, request);
        make_visible(master, request->change);
    }
    for (struct writer_request *request = batch; request; request = next) {
        next = request->next;
        count_request(&master->counters, request);
        request->answer->decided(request->owner, request);
        writer_request_free(request);
    }
    departed_trim(master->departed, first);
    master->position.first = first;
    if (feed_worst(master->feed) > backlog)
        drop_subscribers(master, backlog + 1, "too far behind: subscriber_backlog");
    for (struct feed_position *at = feed_first(master->feed); at; at = at->next) {
        struct connection *connection = at->owner;

        if (!connection->write_pending)
            connection_schedule(connection);
    }
    control_changed(master->control);
}

/* --- start --- */

static bool on_row(void *context, const struct row *row)
{
    const struct master *master = context;

    return table_load(master->table, row);
}

static bool on_change(void *context, const struct change *change)
{
    const struct master *master = context;

    return departed_apply(master->departed, change);
}

/*
 * Whether the rows are those that the last change left: a lost write of a disk, or a file that was
 * copied over from a backup, has good pages and would be served.
 */
static int check_rows(struct master *master)
{
    struct store_counts counts;
    struct store_error error;
    enum store_result result;
    struct digest is;
    struct digest must;
    char text[DIGEST_TEXT_BYTES];

    table_digest(master->table, &is);
    if (store_digest(master->store, &must)) {
        if (digest_equal(&is, &must))
            return EX_OK;
        digest_explain(&is, &must, text);
        log_error("cannot read the table: %s: see mupdatectl verify and repair", text);
        return EX_DATAERR;
    }
    /* From an older version, until its next change: the log of changes must do. */
    result = store_check(master->store, &counts, &error);
    if (result != STORE_OK) {
        log_error("cannot read the table: %s", error.text);
        return result == STORE_REFUSED ? EX_OSERR : EX_DATAERR;
    }
    store_set_digest(master->store, &is);
    return EX_OK;
}

static int read_table(struct master *master)
{
    struct store_error error;

    error.text[0] = '\0';
    if (store_rows(master->store, on_row, master, &error) == STORE_OK &&
        table_loaded(master->table) &&
        store_changes(master->store, master->position.first, on_change, master, &error) ==
            STORE_OK)
        return check_rows(master);
    log_error("cannot read the table: %s", error.text[0] ? error.text : "out of memory");
    return error.text[0] ? EX_IOERR : EX_OSERR;
}

static void format_history(const unsigned char *history, char *text)
{
    for (size_t i = 0; i < STORE_HISTORY_BYTES; i++)
        sprintf(text + 2 * i, "%02x", history[i]);
}

static int fill_table(struct master *master)
{
    struct store_position position;
    struct table_counts counts;
    char history[2 * STORE_HISTORY_BYTES + 1];
    int code;

    store_position(master->store, &position);
    master->position = position;
    code = read_table(master);
    if (code != EX_OK)
        return code;
    table_set_sequence(master->table, position.last);
    master->feed = feed_new(position.last);
    master->stream = master->feed ? stream_new(master->feed, master->table) : NULL;
    if (!master->stream) {
        log_error("cannot start: out of memory");
        return EX_OSERR;
    }
    table_counts(master->table, &counts);
    format_history(position.history, history);
    log_notice("table: rows=%llu active=%llu reserved=%llu sequence=%llu log=%llu term=%llu "
               "history=%s",
               (unsigned long long)counts.rows, (unsigned long long)counts.active,
               (unsigned long long)counts.reserved, (unsigned long long)position.last,
               (unsigned long long)(position.last + 1 - position.first),
               (unsigned long long)position.term, history);
    unconfirmed_warn(master);
    return EX_OK;
}

static int open_store(struct master *master)
{
    struct store_options options = {
        .directory = master->config->database_directory,
        .cache_bytes = master->config->cache_bytes,
        .log = log_text,
        .panic = on_panic,
    };
    struct store_error error;

    switch (store_open(&master->store, &options, &error)) {
    case STORE_OK:
        return EX_OK;
    case STORE_BUSY:
        log_error("%s", error.text);
        return EX_UNAVAILABLE;
    case STORE_NEWER:
        log_error("%s", error.text);
        return EX_DATAERR;
    default:
        log_error("%s", error.text);
        return EX_IOERR;
    }
}

static int start_writer(struct master *master)
{
    const struct config *config = master->config;
    struct writer_options options = {
        .store = master->store,
        .log_changes = config->log_changes,
        .checkpoint_interval_ms = config->checkpoint_interval_ms,
        .log = log_text,
        .done = on_stored,
        .context = master,
    };
    struct rule_policy policy;
    int error;

    master_policy(config, &policy);
    error = writer_start(&master->writer, master->loop, &options, &policy);
    if (error != 0) {
        log_error("cannot start the writer: %s", uv_strerror(error));
        return EX_OSERR;
    }
    return EX_OK;
}

int master_bind(struct master *master, uv_loop_t *loop, const struct config *config)
{
    uv_timeval64_t now = {0};
    int code;

    memset(master, 0, sizeof *master);
    (void)uv_gettimeofday(&now);
    master->loop = loop;
    master->started_ns = uv_hrtime();
    master->start_time_us = now.tv_sec * INT64_C(1000000) + now.tv_usec;
    master->config = config;
    master->servername = config->servername;
    if (net_init(&master->net, master) != 0) {
        log_error("cannot start: the event loop cannot be set up");
        return EX_OSERR;
    }
    code = net_bind(&master->net, master, config);
    if (code == EX_OK)
        master->metrics = metrics_bind(config);
    return code;
}

static int open_all(struct master *master)
{
    const struct config *config = master->config;
    struct sasl_failure failure;
    int code;

    if (!certificates_open(config, &master->tls))
        return EX_CONFIG;
    certificates_watch(&master->certificates, master);
    master->auth = auth_new(config, master->loop, &failure);
    if (!master->auth) {
        log_error("SASL cannot be set up: %s", failure.text);
        return EX_CONFIG;
    }
    master->table =
        table_new(config->list_order == CONFIG_ORDER_OCTET ? LIST_ORDER_OCTET : LIST_ORDER_CYRUS36);
    master->departed = departed_new(master->table ? table_order(master->table) : LIST_ORDER_OCTET);
    master->slices = slices_new(master->table, SLICES_KEPT_BYTES);
    master->heal = heal_new(master->table, master->departed, WALK_SLICE_ROWS);
    if (!master->table || !master->departed || !master->slices || !master->heal) {
        log_error("cannot start: out of memory");
        return EX_OSERR;
    }
    if ((code = open_store(master)) != EX_OK || (code = fill_table(master)) != EX_OK ||
        (code = start_writer(master)) != EX_OK)
        return code;
    master->control = control_start(master, config);
    reserve_allows(0);
    return net_listen(&master->net, master, config);
}

int master_start(struct master *master)
{
    int code;

    metrics_start(master->metrics, master);
    code = open_all(master);
    if (code == EX_OK) {
        metrics_serve(master->metrics);
        return EX_OK;
    }
    metrics_close(master->metrics);
    master->metrics = NULL;
    return code;
}

bool master_reload(struct master *master, const struct config *config)
{
    struct sasl_failure failure;
    struct rule_policy policy;
    struct tls_context *tls;

    if (!certificates_open(config, &tls))
        return false;
    if (!auth_reload(master->auth, config, &failure)) {
        log_error("SASL cannot be set up: %s", failure.text);
        tls_context_unref(tls);
        auth_reload(master->auth, master->config, &failure);
        return false;
    }
    tls_context_unref(master->tls);
    master->tls = tls;
    master->config = config;
    master_policy(config, &policy);
    if (master->writer)
        writer_set_policy(master->writer, &policy, config->log_changes);
    net_learn_rights(&master->net);
    return true;
}

/* --- stop --- */

struct stop {
    struct master *master;
    void (*stopped)(void *context);
    void *context;
    uv_timer_t poll;
    unsigned polls;
};

#define STOP_POLL_MS 10
#define STOP_POLLS_MAX 200

static void on_poll_closed(uv_handle_t *handle)
{
    struct stop *stop = handle->data;

    net_close(&stop->master->net);
    metrics_close(stop->master->metrics);
    stop->master->metrics = NULL;
    auth_stop(stop->master->auth);
    certificates_unwatch(&stop->master->certificates);
    stop->stopped(stop->context);
    free(stop);
}

static void on_poll(uv_timer_t *timer)
{
    struct stop *stop = timer->data;

    if (stop->master->net.count == 0 && stop->master->control_work == 0)
        uv_close((uv_handle_t *)timer, on_poll_closed);
    else if (++stop->polls == STOP_POLLS_MAX)
        net_cut_all(&stop->master->net);
}

static void on_writer_closed(void *context)
{
    struct stop *stop = context;

    stop->master->writer = NULL;
    net_close_all(&stop->master->net, STOPPING_TEXT);
    stop->poll.data = stop;
    uv_timer_init(stop->master->loop, &stop->poll);
    uv_timer_start(&stop->poll, on_poll, 0, STOP_POLL_MS);
}

void master_stop(struct master *master, void (*stopped)(void *context), void *context)
{
    struct stop *stop = calloc(1, sizeof *stop);

    metrics_stopping(master->metrics);
    net_stop_listening(&master->net);
    control_stop(master->control);
    master->control = NULL;
    if (!stop) {
        log_error("cannot stop in order: out of memory");
        _exit(EX_OSERR);
    }
    stop->master = master;
    stop->stopped = stopped;
    stop->context = context;
    net_stop_input(&master->net);
    if (master->writer)
        writer_stop(master->writer, on_writer_closed, stop);
    else
        on_writer_closed(stop);
}

void master_hurry(struct master *master)
{
    net_cut_all(&master->net);
}

bool master_close(struct master *master)
{
    bool ended;

    heal_free(master->heal);
    stream_free(master->stream);
    slices_free(master->slices);
    feed_free(master->feed);
    departed_free(master->departed);
    table_free(master->table);
    ended = auth_free(master->auth);
    tls_context_unref(master->tls);
    reserve_spend();
    if (master->store)
        store_close(master->store);
    return ended;
}
