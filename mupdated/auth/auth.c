/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/auth/auth.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "mupdated/auth/verified.h"
#include "mupdated/log.h"

/* Where Cyrus-SASL keeps sasldb unless told otherwise. */
#define SASLDB_PATH "/etc/sasldb2"

struct auth {
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
    uv_work_t work;
    struct auth *auth;
    const struct config *config;
    auth_done *done; /* NULL: closed while a step runs */
    void *context;
    struct sasl_server *sasl;
    struct sasl_endpoint endpoint;
    char *texts; /* the endpoint's, copied */
    char *mechanism;
    bool running;
    bool begun;
    bool has_input;
    struct buffer input;
    struct verified_question question;
    const char *known_user; /* auth->verified's; not NULL: it was known at once */
    enum sasl_progress progress;
    const void *out;
    size_t out_len;
    struct sasl_failure failure;
};

static bool is_admin(const struct config *config, const char *user)
{
    for (size_t i = 0; i < config->admins.count; i++)
        if (strcmp(config->admins.items[i], user) == 0)
            return true;
    return false;
}

static const char *lookup(void *context, const char *name)
{
    struct auth *auth = context;

    return config_sasl(atomic_load(&auth->config), name);
}

static void log_sasl(void *context, int level, const char *text)
{
    (void)context;
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

static bool learn_clear(struct auth *auth, const struct config *config, struct sasl_failure *failure)
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

struct auth *auth_new(const struct config *config, struct sasl_failure *failure)
{
    struct auth *auth = calloc(1, sizeof *auth);

    if (!auth) {
        snprintf(failure->text, sizeof failure->text, "out of memory");
        return NULL;
    }
    atomic_init(&auth->config, config);
    auth->hostname = config->servername;
    auth->verified = verified_new();
    if (!auth->verified) {
        snprintf(failure->text, sizeof failure->text, "out of memory or of random numbers");
        free(auth);
        return NULL;
    }
    if (!sasl_server_setup(lookup, log_sasl, auth, failure)) {
        verified_free(auth->verified);
        free(auth);
        return NULL;
    }
    if (!learn_clear(auth, config, failure)) {
        auth_free(auth);
        return NULL;
    }
    check_kerberos(config);
    return auth;
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    sasl_server_close(auth->last);
    forget_clear(auth);
    sasl_teardown();
    verified_free(auth->verified);
    free(auth);
}

bool auth_reload(struct auth *auth, const struct config *config, struct sasl_failure *failure)
{
    atomic_store(&auth->config, config);
    verified_forget(auth->verified);
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

/* An administrator may act as anybody; everybody else as himself. */
static bool may_act_as(void *context, const char *authenticated, const char *wanted)
{
    const struct auth_exchange *exchange = context;

    (void)wanted;
    return is_admin(exchange->config, authenticated);
}

static void exchange_free(struct auth_exchange *exchange)
{
    sasl_server_close(exchange->sasl);
    if (exchange->input.data)
        explicit_bzero(exchange->input.data, exchange->input.size);
    buffer_free(&exchange->input);
    free(exchange->texts);
    free(exchange->mechanism);
    free(exchange);
}

/* In the pool. */
static void exchange_work(uv_work_t *work)
{
    struct auth_exchange *exchange = work->data;
    const void *input = exchange->has_input ? (const void *)buffer_bytes(&exchange->input) : NULL;
    size_t len = buffer_len(&exchange->input);

    exchange->out = NULL;
    exchange->out_len = 0;
    exchange->failure.text[0] = '\0';
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
static void remember(struct auth_exchange *exchange, const char *user, const struct layer *layer)
{
    struct verified_login login = {.user = user};

    if (!exchange->question.asked || layer)
        return;
    login.authenticated = sasl_server_authenticated(exchange->sasl);
    if (login.authenticated)
        verified_keep(exchange->auth->verified, &exchange->question,
                      uv_now(exchange->work.loop) + (uint64_t)exchange->config->password_cache_time_ms,
                      &login);
}

static void exchange_worked(uv_work_t *work, int status)
{
    struct auth_exchange *exchange = work->data;
    struct auth_answer answer = {.result = AUTH_REFUSED};

    (void)status;
    exchange->running = false;
    if (exchange->input.data)
        explicit_bzero(exchange->input.data, exchange->input.size);
    buffer_clear(&exchange->input);
    if (!exchange->done) {
        exchange_free(exchange);
        return;
    }

    answer.reason = exchange->failure.text;
    if (exchange->progress == SASL_PROGRESS_CHALLENGE) {
        answer.result = AUTH_CHALLENGE;
        answer.out = exchange->out;
        answer.out_len = exchange->out_len;
    } else if (exchange->progress == SASL_PROGRESS_FAILED) {
        answer.user = exchange->sasl ? sasl_server_tried_user(exchange->sasl) : NULL;
    } else {
        const char *user = sasl_server_user(exchange->sasl);
        bool failed = false;

        answer.user = user;
        if (!user || !is_admin(exchange->config, user)) {
            answer.result = AUTH_NO_RIGHT;
            answer.reason = "not in admins";
        } else {
            /* The layer takes the exchange over, and with it the user's name. */
            char *kept = strdup(user);

            if (kept)
                answer.layer = sasl_server_layer(&exchange->sasl, &failed, &exchange->failure);
            if (kept && !failed) {
                answer.result = AUTH_GRANTED;
                remember(exchange, kept, answer.layer);
            } else if (!kept) {
                answer.reason = "out of memory";
            }
            answer.user = kept;
            exchange->done(exchange->context, &answer);
            free(kept);
            return;
        }
    }
    exchange->done(exchange->context, &answer);
}

static bool exchange_run(struct auth_exchange *exchange, uv_loop_t *loop)
{
    exchange->work.data = exchange;
    if (uv_queue_work(loop, &exchange->work, exchange_work, exchange_worked) != 0)
        return false;
    exchange->running = true;
    return true;
}

/* The endpoint outlives the connection's: a step may run on after a close. */
static bool copy_endpoint(struct auth_exchange *exchange, const struct sasl_endpoint *endpoint)
{
    const char *texts[4] = {endpoint->hostname, endpoint->local, endpoint->remote,
                            endpoint->binding_name};
    const char **copies[4] = {&exchange->endpoint.hostname, &exchange->endpoint.local,
                              &exchange->endpoint.remote, &exchange->endpoint.binding_name};
    size_t size = endpoint->binding_len;
    char *to;

    for (size_t i = 0; i < 4; i++)
        size += texts[i] ? strlen(texts[i]) + 1 : 0;
    exchange->endpoint = *endpoint;
    exchange->texts = malloc(size ? size : 1);
    if (!exchange->texts)
        return false;
    to = exchange->texts;
    for (size_t i = 0; i < 4; i++) {
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
static bool recall(struct auth_exchange *exchange, uv_loop_t *loop,
                   const struct sasl_endpoint *endpoint, const void *initial, size_t len)
{
    const struct config *config = exchange->config;
    const char *path = config_sasl(config, "sasldb_path");
    struct verified *verified = exchange->auth->verified;
    struct verified_login login;

    if (!may_remember(config) || strcmp(exchange->mechanism, "PLAIN") != 0 || !initial ||
        !verified_ask(verified, endpoint, initial, len, path && *path ? path : SASLDB_PATH,
                      &exchange->question) ||
        !verified_find(verified, &exchange->question, uv_now(loop), &login))
        return false;
    if (strcmp(login.user, login.authenticated) != 0 && !is_admin(config, login.authenticated))
        return false;
    if (!is_admin(config, login.user))
        return false;
    exchange->known_user = login.user;
    return true;
}

struct auth_exchange *auth_exchange_begin(struct auth *auth, uv_loop_t *loop,
                                          const struct sasl_endpoint *endpoint,
                                          struct mupdate_text mechanism, const void *initial,
                                          size_t len, auth_done *done, void *context)
{
    struct auth_exchange *exchange = calloc(1, sizeof *exchange);

    if (!exchange)
        return NULL;
    exchange->auth = auth;
    exchange->config = atomic_load(&auth->config);
    exchange->done = done;
    exchange->context = context;
    exchange->mechanism = strndup(mechanism.data ? mechanism.data : "", mechanism.len);
    if (exchange->mechanism && recall(exchange, loop, endpoint, initial, len))
        return exchange;
    if (!exchange->mechanism || !copy_endpoint(exchange, endpoint) ||
        !set_input(exchange, initial, len) || !exchange_run(exchange, loop)) {
        exchange_free(exchange);
        return NULL;
    }
    return exchange;
}

bool auth_exchange_known(const struct auth_exchange *exchange, struct auth_answer *answer)
{
    if (!exchange->known_user)
        return false;
    *answer = (struct auth_answer){.result = AUTH_GRANTED, .user = exchange->known_user};
    return true;
}

bool auth_exchange_step(struct auth_exchange *exchange, const void *data, size_t len)
{
    return set_input(exchange, len ? data : "", len) && exchange_run(exchange, exchange->work.loop);
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
    if (!exchange->running)
        exchange_free(exchange);
    else /* Works only while it waits for a thread; exchange_worked() comes either way. */
        (void)uv_cancel((uv_req_t *)&exchange->work);
}

bool auth_exchange_runs(const struct auth_exchange *exchange)
{
    return exchange->running;
}
