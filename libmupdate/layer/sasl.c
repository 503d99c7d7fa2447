/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "layer/sasl_internal.h"
#include "wire/wipe.h"

/* --- set-up ------------------------------------------------------------------ */

/* Cyrus-SASL asks again and again, for as long as the process lives. */
static struct {
    sasl_lookup *lookup;
    sasl_log *log;
    void *context;
} settings;

static void *mutex_new(void)
{
    pthread_mutex_t *mutex = malloc(sizeof(pthread_mutex_t));

    if (mutex && pthread_mutex_init(mutex, NULL) != 0) {
        free(mutex);
        return NULL;
    }
    return mutex;
}

static int mutex_lock(void *mutex)
{
    return pthread_mutex_lock(mutex) == 0 ? SASL_OK : SASL_FAIL;
}

static int mutex_unlock(void *mutex)
{
    return pthread_mutex_unlock(mutex) == 0 ? SASL_OK : SASL_FAIL;
}

static void mutex_free(void *mutex)
{
    if (!mutex)
        return;
    pthread_mutex_destroy(mutex);
    free(mutex);
}

/* Cyrus-SASL wipes some of its copies of passwords, not all. */
static void set_memory(void)
{
    sasl_set_mutex(mutex_new, mutex_lock, mutex_unlock, mutex_free);
    sasl_set_alloc(malloc, calloc, wipe_realloc, wipe_free);
}

const char *sasl_setting(const char *plugin, const char *name)
{
    const char *value = NULL;
    char both[128];

    if (!settings.lookup)
        return NULL;
    if (plugin && snprintf(both, sizeof both, "%s_%s", plugin, name) < (int)sizeof both)
        value = settings.lookup(settings.context, both);
    if (!value)
        value = settings.lookup(settings.context, name);
    /* Kerberos writes file names so, too; the plugin looks for a file of this very name. */
    if (value && strcmp(name, "keytab") == 0 && strncmp(value, "FILE:", 5) == 0)
        value += 5;
    return value;
}

static int global_getopt(void *context, const char *plugin, const char *option, const char **result,
                         unsigned *len)
{
    (void)context;
    *result = sasl_setting(plugin, option);
    if (!*result)
        return SASL_FAIL;
    if (len)
        *len = (unsigned)strlen(*result);
    return SASL_OK;
}

void sasl_log_write(int level, const char *text)
{
    int priority;

    switch (level) {
    case SASL_LOG_ERR:
        priority = LOG_ERR;
        break;
    case SASL_LOG_WARN:
        priority = LOG_WARNING;
        break;
    case SASL_LOG_FAIL:
        priority = LOG_NOTICE;
        break;
    case SASL_LOG_NOTE:
        priority = LOG_INFO;
        break;
    case SASL_LOG_DEBUG:
        priority = LOG_DEBUG;
        break;
    default:
        /* The levels above show passwords. */
        return;
    }
    if (settings.log)
        settings.log(settings.context, priority, text);
}

static int server_log(void *context, int level, const char *text)
{
    (void)context;
    sasl_log_write(level, text);
    return SASL_OK;
}

/* A client hears of errors through struct sasl_failure; the default is syslog. */
static int client_log(void *context, int level, const char *text)
{
    (void)context;
    (void)level;
    (void)text;
    return SASL_OK;
}

static const sasl_callback_t server_callbacks[] = {
    {SASL_CB_GETOPT, CALLBACK_PROC(global_getopt), NULL},
    {SASL_CB_LOG, CALLBACK_PROC(server_log), NULL},
    {SASL_CB_LIST_END, NULL, NULL},
};

static const sasl_callback_t client_callbacks[] = {
    {SASL_CB_LOG, CALLBACK_PROC(client_log), NULL},
    {SASL_CB_LIST_END, NULL, NULL},
};

bool sasl_server_setup(sasl_lookup *lookup, sasl_log *log, void *context,
                       struct sasl_failure *failure)
{
    int code;

    settings.lookup = lookup;
    settings.log = log;
    settings.context = context;
    set_memory();
    if (!sasl_decoy_register(failure))
        return false;
    /* No name: with one, Cyrus-SASL would read settings from a file of that name too. */
    code = sasl_server_init(server_callbacks, NULL);
    if (code == SASL_OK)
        return true;
    sasl_failure_set(failure, "Cyrus-SASL cannot be set up for a server: %s",
                     sasl_errstring(code, NULL, NULL));
    return false;
}

bool sasl_client_setup(struct sasl_failure *failure)
{
    int code;

    set_memory();
    code = sasl_client_init(client_callbacks);
    if (code == SASL_OK)
        return true;
    sasl_failure_set(failure, "Cyrus-SASL cannot be set up for a client: %s",
                     sasl_errstring(code, NULL, NULL));
    return false;
}

void sasl_teardown(void)
{
    sasl_done();
    memset(&settings, 0, sizeof settings);
}

/* --- failures ---------------------------------------------------------------- */

void sasl_failure_set(struct sasl_failure *failure, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
    failure->undecided = false;
    for (char *at = failure->text; *at; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    }
}

void sasl_failure_take(struct sasl_failure *failure, sasl_conn_t *conn, int code)
{
    sasl_failure_set(failure, "%s",
                     conn ? sasl_errdetail(conn) : sasl_errstring(code, NULL, NULL));
    /* A verdict is SASL_BADAUTH, SASL_NOUSER and the like. */
    failure->undecided = code == SASL_FAIL || code == SASL_UNAVAIL || code == SASL_NOMEM;
    (void)sasl_kerberos_failure(failure);
}

/* --- endpoints --------------------------------------------------------------- */

static bool copy_string(const char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return *to || !from;
}

bool sasl_link_copy(struct sasl_link *link, const struct sasl_endpoint *endpoint)
{
    struct sasl_endpoint *to = &link->endpoint;
    bool copied;

    memset(link, 0, sizeof *link);
    *to = *endpoint;
    to->binding = NULL;
    to->binding_len = 0;
    /* All are set, to free what there is after a failure. */
    copied = copy_string(&to->hostname, endpoint->hostname);
    copied &= copy_string(&to->local, endpoint->local);
    copied &= copy_string(&to->remote, endpoint->remote);
    copied &= copy_string(&to->binding_name, endpoint->binding_name);
    copied &= copy_string(&to->external_id, endpoint->external_id);
    if (copied && endpoint->binding_len > 0 && endpoint->binding_name) {
        void *binding = malloc(endpoint->binding_len);

        copied = binding != NULL;
        if (binding) {
            memcpy(binding, endpoint->binding, endpoint->binding_len);
            to->binding = binding;
            to->binding_len = endpoint->binding_len;
        }
    }
    if (!copied)
        sasl_link_free(link);
    return copied;
}

void sasl_link_free(struct sasl_link *link)
{
    free((char *)link->endpoint.hostname);
    free((char *)link->endpoint.local);
    free((char *)link->endpoint.remote);
    free((char *)link->endpoint.binding_name);
    free((char *)link->endpoint.external_id);
    free((void *)link->endpoint.binding);
    memset(link, 0, sizeof *link);
}

/*
 * What max_ssf is to be. The cipher of DIGEST-MD5 is old: so it is held to
 * integrity, which is one bit by Cyrus-SASL's measure, unless more is a must.
 */
static sasl_ssf_t strongest(const struct sasl_endpoint *endpoint, const char *mechanism)
{
    unsigned integrity = endpoint->external_bits + 1;

    if (mechanism && strcasecmp(mechanism, DIGEST_MD5) == 0 &&
        endpoint->minimum_bits <= integrity && endpoint->maximum_bits > integrity)
        return integrity;
    return endpoint->maximum_bits;
}

bool sasl_link_apply(struct sasl_link *link, sasl_conn_t *conn, const char *mechanism,
                     struct sasl_failure *failure)
{
    const struct sasl_endpoint *endpoint = &link->endpoint;
    sasl_ssf_t external = endpoint->external_bits;
    sasl_security_properties_t security = {
        .min_ssf = endpoint->minimum_bits,
        .max_ssf = strongest(endpoint, mechanism),
        /* Without a buffer mechanisms offer no security layer at all. */
        .maxbufsize = endpoint->maximum_bits ? PACKET_BYTES : 0,
        .security_flags = SASL_SEC_NOANONYMOUS,
    };
    int code;

    if (!endpoint->plaintext)
        security.security_flags |= SASL_SEC_NOPLAINTEXT;
    code = sasl_setprop(conn, SASL_SEC_PROPS, &security);
    if (code == SASL_OK)
        code = sasl_setprop(conn, SASL_SSF_EXTERNAL, &external);
    if (code == SASL_OK && endpoint->external_id)
        code = sasl_setprop(conn, SASL_AUTH_EXTERNAL, endpoint->external_id);
    /* Of both sides alike, so not with sasl_server_new(). */
    if (code == SASL_OK && endpoint->local)
        code = sasl_setprop(conn, SASL_IPLOCALPORT, endpoint->local);
    if (code == SASL_OK && endpoint->remote)
        code = sasl_setprop(conn, SASL_IPREMOTEPORT, endpoint->remote);
    if (code == SASL_OK && endpoint->binding_len > 0) {
        link->binding.name = endpoint->binding_name;
        link->binding.critical = 0;
        link->binding.len = endpoint->binding_len;
        link->binding.data = endpoint->binding;
        code = sasl_setprop(conn, SASL_CHANNEL_BINDING, &link->binding);
    }
    if (code != SASL_OK)
        sasl_failure_take(failure, conn, code);
    return code == SASL_OK;
}

/* --- steps ------------------------------------------------------------------- */

char *sasl_step_copy(const void *data, size_t len, struct sasl_failure *failure)
{
    char *copy;

    if (len > STEP_BYTES) {
        sasl_failure_set(failure, "the peer sent %zu bytes in one step, more than %d", len,
                         STEP_BYTES);
        return NULL;
    }
    copy = malloc(len + 1);
    if (!copy) {
        sasl_failure_set(failure, "out of memory");
        return NULL;
    }
    if (len > 0)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}
