/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/auth/auth.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "mupdated/auth/lane.h"
#include "mupdated/auth/pool.h"
#include "mupdated/auth/rights.h"
#include "mupdated/auth/verified.h"
#include "mupdated/log.h"

/* Where Cyrus-SASL keeps sasldb unless told otherwise. */
#define SASLDB_PATH "/etc/sasldb2"

/* Leaves the loop's thread the processor while many compute keys. */
#define LOCAL_NICE 5

/* How long the end waits for steps that run: they take milliseconds. */
#define END_MS 500

struct auth {
    uv_loop_t *loop;
    struct pool *pool;
    uint64_t origin_seed;
    /* Read by Cyrus-SASL from the pool's threads. */
    _Atomic(const struct config *) config;
    const char *hostname; /* of the first configuration: a reload does not change it */
    /* Mechanisms do not depend on the connection while there is no TLS. */
    char **clear;
    size_t clear_count;
    /* Owns the names given out for a connection under TLS. */
    struct sasl_server *last;
    struct verified *verified;
};

struct auth_exchange {
    struct pool_job job; /* first: the pool knows the exchange by it */
    struct auth *auth;
    const struct config *config;
    auth_done *done; /* NULL: closed while a step runs */
    void *context;
    struct sasl_server *sasl;
    struct sasl_endpoint endpoint;
    char *texts; /* the endpoint's, copied */
    char *mechanism;
    enum auth_lane lane;
    uint64_t origin;
    bool running;
    bool begun;
    bool has_input;
    struct buffer input;
    size_t input_bytes; /* of the last step; the input itself is wiped behind it */
    struct verified_question question;
    struct verified_login known; /* its user is not NULL when it was known at once */
    enum sasl_progress progress;
    const void *out;
    size_t out_len;
    struct sasl_failure failure;
};

/* A name and a password of more octets together are nobody's: services take some 8,000. */
#define PASSWORD_BYTES 4096

static const char *lookup(void *context, const char *name)
{
    struct auth *auth = context;

    return config_sasl(atomic_load(&auth->config), name);
}

/* What Cyrus-SASL says in the threads of logins: strangers can cause it. */
#define SASL_LINES_A_SECOND 20

static void log_sasl(void *context, int level, const char *text)
{
    static atomic_uint_fast64_t second;
    static atomic_uint lines;
    uint64_t now = uv_hrtime() / 1000000000;

    (void)context;
    if (atomic_exchange(&second, now) != now)
        atomic_store(&lines, 0);
    if (log_wants(LOG_DEBUG) || atomic_fetch_add(&lines, 1) < SASL_LINES_A_SECOND)
        log_write(level, "sasl: %s", text);
}

static void forget_clear(struct auth *auth)
{
    for (size_t i = 0; i < auth->clear_count; i++)
        free(auth->clear[i]);
    free(auth->clear);
    auth->clear = NULL;
    auth->clear_count = 0;
}

static bool learn_clear(struct auth *auth, const struct config *config,
                        struct sasl_failure *failure)
{
    struct sasl_endpoint endpoint = {
        .hostname = auth->hostname,
        .plaintext = config->allowplaintext,
        .minimum_bits = (unsigned)config->sasl_minimum_layer,
        .maximum_bits = (unsigned)config->sasl_maximum_layer,
    };
    struct sasl_server *sasl = sasl_server_open(&endpoint, NULL, NULL, failure);
    const char *const *names;
    size_t count;

    if (!sasl)
        return false;
    count = sasl_server_mechanisms(sasl, &names);
    forget_clear(auth);
    auth->clear = calloc(count ? count : 1, sizeof *auth->clear);
    for (size_t i = 0; auth->clear && i < count; i++) {
        auth->clear[i] = strdup(names[i]);
        if (!auth->clear[i])
            break;
        auth->clear_count++;
    }
    sasl_server_close(sasl);
    if (auth->clear_count != count) {
        snprintf(failure->text, sizeof failure->text, "out of memory");
        return false;
    }
    return true;
}

static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (list += strspn(list, " \t"); *list; list += strspn(list, " \t")) {
        size_t this = strcspn(list, " \t");

        if (this == len && strncasecmp(list, word, len) == 0)
            return true;
        list += this;
    }
    return false;
}

/* Kerberos that cannot work is noticed at the start, not at the first login. */
static void check_kerberos(const struct config *config)
{
    const char *list = config_sasl(config, "mech_list");
    struct sasl_failure failure;

    if (list && !has_word(list, "GSSAPI"))
        return;
    switch (sasl_server_check_kerberos(config->servername, &failure)) {
    case SASL_KERBEROS_READY:
        break;
    case SASL_KERBEROS_NO_PLUGIN:
        if (list)
            log_warning("sasl: GSSAPI is in sasl_mech_list and cannot be offered: its plug-in is "
                        "not installed");
        break;
    case SASL_KERBEROS_NO_KEY:
        log_warning("sasl: nobody can log in by GSSAPI: reason=%s",
                    LOG_VALUE(failure.text, strlen(failure.text)));
        break;
    }
}

static struct pool *open_pool(const struct config *config, uv_loop_t *loop)
{
    size_t asking = config->authentication_threads;
    size_t waiting = config->authentication_queue;
    const struct pool_lane_options lanes[AUTH_LANES] = {
        [AUTH_LANE_LOCAL] = {"local", uv_available_parallelism(), waiting, LOCAL_NICE},
        [AUTH_LANE_PASSWORD] = {"password", asking, waiting, 0},
        [AUTH_LANE_NETWORK] = {"network", asking, waiting, 0},
    };

    return pool_new(loop, lanes, AUTH_LANES, POOL_IDLE_MS);
}

struct auth *auth_new(const struct config *config, uv_loop_t *loop, struct sasl_failure *failure)
{
    struct auth *auth = calloc(1, sizeof *auth);

    if (!auth) {
        snprintf(failure->text, sizeof failure->text, "out of memory");
        return NULL;
    }
    auth->loop = loop;
    atomic_init(&auth->config, config);
    auth->hostname = config->servername;
    auth->verified = verified_new();
    if (!auth->verified ||
        getrandom(&auth->origin_seed, sizeof auth->origin_seed, 0) != sizeof auth->origin_seed) {
        snprintf(failure->text, sizeof failure->text, "out of memory or of random numbers");
        goto failed;
    }
    if (!sasl_server_setup(lookup, log_sasl, auth, failure))
        goto failed;
    if (!learn_clear(auth, config, failure))
        goto failed_set_up;
    auth->pool = open_pool(config, loop);
    if (auth->pool) {
        check_kerberos(config);
        return auth;
    }
    snprintf(failure->text, sizeof failure->text, "out of memory or of descriptors");

failed_set_up:
    forget_clear(auth);
    sasl_teardown();
failed:
    verified_free(auth->verified);
    free(auth);
    return NULL;
}

void auth_stop(struct auth *auth)
{
    if (auth)
        pool_stop(auth->pool);
}

bool auth_free(struct auth *auth)
{
    if (!auth)
        return true;
    if (!pool_free(auth->pool, END_MS)) {
        log_notice("logins: left behind at the end: what they ask does not answer");
        return false;
    }
    sasl_server_close(auth->last);
    forget_clear(auth);
    sasl_teardown();
    verified_free(auth->verified);
    free(auth);
    return true;
}

static void set_limits(struct auth *auth, const struct config *config)
{
    static const enum auth_lane asking[] = {AUTH_LANE_PASSWORD, AUTH_LANE_NETWORK};

    pool_set_limits(auth->pool, AUTH_LANE_LOCAL, uv_available_parallelism(),
                    config->authentication_queue);
    for (size_t i = 0; i < sizeof asking / sizeof asking[0]; i++)
        pool_set_limits(auth->pool, asking[i], config->authentication_threads,
                        config->authentication_queue);
}

bool auth_reload(struct auth *auth, const struct config *config, struct sasl_failure *failure)
{
    atomic_store(&auth->config, config);
    verified_forget(auth->verified);
    set_limits(auth, config);
    return learn_clear(auth, config, failure);
}

size_t auth_mechanisms(struct auth *auth, const struct sasl_endpoint *endpoint,
                       const char *const **names)
{
    struct sasl_failure failure;

    if (endpoint->external_bits == 0) {
        *names = (const char *const *)auth->clear;
        return auth->clear_count;
    }
    sasl_server_close(auth->last);
    auth->last = sasl_server_open(endpoint, NULL, NULL, &failure);
    if (!auth->last) {
        log_error("sasl: cannot list mechanisms: %s", failure.text);
        return 0;
    }
    return sasl_server_mechanisms(auth->last, names);
}

static bool may_act_as(void *context, const char *authenticated, const char *wanted)
{
    const struct auth_exchange *exchange = context;

    (void)wanted;
    return rights_may_act_as_others(exchange->config, authenticated);
}

/* By the configuration of now, which may be younger than the exchange. */
static bool has_role(const struct auth *auth, const char *user, const char *authenticated)
{
    struct rights rights;

    rights_of(atomic_load(&auth->config), user, authenticated, &rights);
    return rights.role != CONFIG_ROLE_NONE;
}

static void exchange_free(struct auth_exchange *exchange)
{
    sasl_server_close(exchange->sasl);
    buffer_free(&exchange->input);
    free(exchange->texts);
    free(exchange->mechanism);
    free(exchange);
}

/* In a thread of the pool. */
static void exchange_work(struct pool_job *job)
{
    struct auth_exchange *exchange = (struct auth_exchange *)job;
    const void *input = exchange->has_input ? (const void *)buffer_bytes(&exchange->input) : NULL;
    size_t len = buffer_len(&exchange->input);

    exchange->out = NULL;
    exchange->out_len = 0;
    exchange->failure = (struct sasl_failure){.text = ""};
    if (exchange->has_input && !input)
        input = "";
    if (exchange->begun) {
        exchange->progress = sasl_server_continue(exchange->sasl, input, len, &exchange->out,
                                              &exchange->out_len, &exchange->failure);
        return;
    }
    exchange->begun = true;
    exchange->progress = SASL_PROGRESS_FAILED;
    exchange->sasl =
        sasl_server_open(&exchange->endpoint, may_act_as, exchange, &exchange->failure);
    if (exchange->sasl)
        exchange->progress =
            sasl_server_begin(exchange->sasl, exchange->mechanism, input, len, &exchange->out,
                              &exchange->out_len, &exchange->failure);
}

/* A layer would need what Cyrus-SASL knows; PLAIN brings none. */
static void remember(struct auth_exchange *exchange, const struct auth_answer *answer)
{
    struct verified_login login = {.user = answer->user, .authenticated = answer->authenticated};
    uint64_t until =
        uv_now(exchange->auth->loop) + (uint64_t)exchange->config->password_cache_time_ms;

    if (exchange->question.asked && !answer->layer)
        verified_keep(exchange->auth->verified, &exchange->question, until, &login);
}

/* The names are known, and have a role. */
static void grant(struct auth_exchange *exchange, const char *user, const char *authenticated)
{
    struct auth_answer answer = {.result = AUTH_REFUSED, .reason = exchange->failure.text};
    /* The layer takes the exchange over, and with it the names. */
    char *kept_user = strdup(user);
    char *kept_authenticated = strdup(authenticated);
    bool failed = false;

    if (kept_user && kept_authenticated)
        answer.layer = sasl_server_layer(&exchange->sasl, &failed, &exchange->failure);
    else
        answer.reason = "out of memory";
    answer.user = kept_user;
    answer.authenticated = kept_authenticated;
    if (kept_user && kept_authenticated && !failed) {
        answer.result = AUTH_GRANTED;
        remember(exchange, &answer);
    }
    exchange->done(exchange->context, &answer);
    free(kept_user);
    free(kept_authenticated);
}

/*
 * Where another service checks passwords, it may check that of user for user@realm: then
 * the realm proves nothing.
 */
static bool has_foreign_realm(const struct auth_exchange *exchange, const char *name)
{
    const struct config_list *realms = &exchange->config->loginrealms;
    const char *realm = name && exchange->lane == AUTH_LANE_PASSWORD ? strrchr(name, '@') : NULL;

    for (size_t i = 0; realm && i < realms->count; i++)
        if (strcasecmp(realms->items[i], realm + 1) == 0)
            return false;
    return realm != NULL;
}

/* Of a login that failed. */
static void take_names(const struct auth_exchange *exchange, struct auth_answer *answer)
{
    const char *wanted;

    if (!exchange->sasl)
        return;
    answer->user = sasl_server_tried_user(exchange->sasl);
    wanted = sasl_server_wanted_user(exchange->sasl);
    if (wanted) {
        answer->authenticated = answer->user;
        answer->user = wanted;
    }
}

static void exchange_worked(struct auth_exchange *exchange)
{
    struct auth_answer answer = {.result = AUTH_REFUSED, .reason = exchange->failure.text};

    switch (exchange->progress) {
    case SASL_PROGRESS_CHALLENGE:
        answer.result = AUTH_CHALLENGE;
        answer.out = exchange->out;
        answer.out_len = exchange->out_len;
        break;
    case SASL_PROGRESS_FAILED:
        take_names(exchange, &answer);
        /* Other mechanisms fail so for what a client sends, and these for too much of it. */
        if (exchange->failure.undecided && exchange->lane == AUTH_LANE_PASSWORD &&
            exchange->input_bytes <= PASSWORD_BYTES) {
            answer.result = AUTH_UNDECIDED;
            answer.text = "authentication service is not available";
        }
        break;
    case SASL_PROGRESS_DONE:
        answer.user = sasl_server_user(exchange->sasl);
        answer.authenticated = sasl_server_authenticated(exchange->sasl);
        if (has_foreign_realm(exchange, answer.authenticated)) {
            answer.reason = "its realm is not in loginrealms";
            break;
        }
        if (has_role(exchange->auth, answer.user, answer.authenticated)) {
            grant(exchange, answer.user, answer.authenticated);
            return;
        }
        answer.result = AUTH_NO_RIGHT;
        answer.reason = "not in admins, readers or backends";
        break;
    }
    exchange->done(exchange->context, &answer);
}

static void exchange_ended(struct pool_job *job, enum pool_end end)
{
    struct auth_exchange *exchange = (struct auth_exchange *)job;
    struct auth_answer undecided = {
        .result = AUTH_UNDECIDED,
        .reason = "no answer within authentication_timeout",
        .text = "authentication service is not answering",
    };

    /* A step that is late still uses all that it was given. */
    if (end != POOL_LATE) {
        exchange->running = false;
        buffer_clear(&exchange->input);
        if (!exchange->done) {
            exchange_free(exchange);
            return;
        }
    }
    if (end == POOL_RAN) {
        exchange_worked(exchange);
        return;
    }
    if (end == POOL_STUCK)
        undecided.reason = "earlier logins still wait for an answer: authentication_threads";
    /* Where nobody else is asked it is the logins that are too many. */
    if (end == POOL_CROWDED || exchange->lane == AUTH_LANE_LOCAL) {
        undecided.reason = "too many logins are waiting";
        undecided.text = undecided.reason;
    }
    if (exchange->done)
        exchange->done(exchange->context, &undecided);
}

static void exchange_run(struct auth_exchange *exchange)
{
    exchange->job.work = exchange_work;
    exchange->job.ended = exchange_ended;
    exchange->running = true;
    pool_submit(exchange->auth->pool, exchange->lane, &exchange->job, exchange->origin,
                (uint64_t)exchange->config->authentication_timeout_ms);
}

/* The client's address without its port; one for all clients of this machine. */
static uint64_t origin_of(const struct auth *auth, const struct sasl_endpoint *endpoint)
{
    const char *address = endpoint->remote ? endpoint->remote : "";

    return XXH3_64bits_withSeed(address, strcspn(address, ";"), auth->origin_seed);
}

/* The endpoint outlives the connection's: a step may run on after a close. */
static bool copy_endpoint(struct auth_exchange *exchange, const struct sasl_endpoint *endpoint)
{
    const char *texts[] = {endpoint->hostname, endpoint->local, endpoint->remote,
                           endpoint->binding_name, endpoint->external_id};
    const char **copies[] = {&exchange->endpoint.hostname, &exchange->endpoint.local,
                             &exchange->endpoint.remote, &exchange->endpoint.binding_name,
                             &exchange->endpoint.external_id};
    const size_t count = sizeof texts / sizeof texts[0];
    size_t size = endpoint->binding_len;
    char *to;

    for (size_t i = 0; i < count; i++)
        size += texts[i] ? strlen(texts[i]) + 1 : 0;
    exchange->endpoint = *endpoint;
    exchange->texts = malloc(size ? size : 1);
    if (!exchange->texts)
        return false;
    to = exchange->texts;
    for (size_t i = 0; i < count; i++) {
        if (!texts[i])
            continue;
        *copies[i] = strcpy(to, texts[i]);
        to += strlen(to) + 1;
    }
    if (endpoint->binding_len)
        exchange->endpoint.binding = memcpy(to, endpoint->binding, endpoint->binding_len);
    return true;
}

static bool set_input(struct auth_exchange *exchange, const void *data, size_t len)
{
    exchange->has_input = data != NULL;
    exchange->input_bytes = len;
    buffer_append(&exchange->input, data, len);
    return !exchange->input.failed;
}

static bool is_setting(const struct config *config, const char *name, const char *value)
{
    const char *set = config_sasl(config, name);

    return set && strcmp(set, value) == 0;
}

/*
 * A change of sasldb is seen at once, so that remembering its passwords makes no
 * difference but in time. Of others' it would: that must be asked for.
 */
static bool may_remember(const struct config *config)
{
    const char *method = config_sasl(config, "pwcheck_method");

    switch (config->password_cache) {
    case CONFIG_PASSWORD_CACHE_SASLDB:
        return (!method || strcmp(method, "auxprop") == 0) &&
               is_setting(config, "auxprop_plugin", "sasldb");
    case CONFIG_PASSWORD_CACHE_ALL:
        return true;
    case CONFIG_PASSWORD_CACHE_OFF:
        break;
    }
    return false;
}

/*
 * Whether this login was verified lately. What it may do is decided anew, and a
 * login that may do nothing goes the way of all others.
 */
static bool recall(struct auth_exchange *exchange, const struct sasl_endpoint *endpoint,
                   const void *initial, size_t len)
{
    const struct config *config = exchange->config;
    const char *path = config_sasl(config, "sasldb_path");
    struct verified *verified = exchange->auth->verified;
    struct verified_login login;

    if (!may_remember(config) || strcmp(exchange->mechanism, "PLAIN") != 0 || !initial ||
        !verified_ask(verified, endpoint, initial, len, path && *path ? path : SASLDB_PATH,
                      &exchange->question) ||
        !verified_find(verified, &exchange->question, uv_now(exchange->auth->loop), &login))
        return false;
    if (!has_role(exchange->auth, login.user, login.authenticated))
        return false;
    exchange->known = login;
    return true;
}

struct auth_exchange *auth_exchange_begin(struct auth *auth, const struct sasl_endpoint *endpoint,
                                          struct mupdate_text mechanism, const void *initial,
                                          size_t len, auth_done *done, void *context)
{
    struct auth_exchange *exchange = calloc(1, sizeof *exchange);

    if (!exchange)
        return NULL;
    exchange->auth = auth;
    exchange->input.secret = true;
    exchange->config = atomic_load(&auth->config);
    exchange->done = done;
    exchange->context = context;
    exchange->mechanism = strndup(mechanism.data ? mechanism.data : "", mechanism.len);
    if (exchange->mechanism && recall(exchange, endpoint, initial, len))
        return exchange;
    if (!exchange->mechanism || !copy_endpoint(exchange, endpoint) ||
        !set_input(exchange, initial, len)) {
        exchange_free(exchange);
        return NULL;
    }
    exchange->lane = auth_lane(exchange->config, exchange->mechanism);
    exchange->origin = origin_of(auth, endpoint);
    exchange_run(exchange);
    return exchange;
}

bool auth_exchange_known(const struct auth_exchange *exchange, struct auth_answer *answer)
{
    if (!exchange->known.user)
        return false;
    *answer = (struct auth_answer){.result = AUTH_GRANTED,
                                   .user = exchange->known.user,
                                   .authenticated = exchange->known.authenticated};
    return true;
}

bool auth_exchange_step(struct auth_exchange *exchange, const void *data, size_t len)
{
    if (!set_input(exchange, len ? data : "", len))
        return false;
    exchange_run(exchange);
    return true;
}

const char *auth_exchange_mechanism(const struct auth_exchange *exchange)
{
    return exchange->mechanism;
}

const char *auth_exchange_user(struct auth_exchange *exchange)
{
    return exchange->sasl && !exchange->running ? sasl_server_tried_user(exchange->sasl) : NULL;
}

void auth_exchange_close(struct auth_exchange *exchange)
{
    if (!exchange)
        return;
    exchange->done = NULL;
    /* One that runs is freed when it has ended. */
    if (!exchange->running || pool_cancel(exchange->auth->pool, &exchange->job))
        exchange_free(exchange);
}

bool auth_exchange_runs(const struct auth_exchange *exchange)
{
    return exchange->running;
}
