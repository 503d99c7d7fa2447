/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layer/sasl_internal.h"
#include "wire/wipe.h"

enum server_state {
    SERVER_FRESH,
    SERVER_RUNNING,
    SERVER_FAILED, /* conn is used up: the next exchange takes a new one */
    SERVER_DONE,
};

struct sasl_server {
    sasl_conn_t *conn;
    enum server_state state;
    struct sasl_link link;
    sasl_callback_t callbacks[5];
    sasl_may_act_as *may_act_as;
    void *context;
    char *tried;   /* NULL until a name was seen */
    char *wanted;  /* whom the one that it was proved to be may not act as */
    bool decoy;    /* the user of this exchange does not exist */
    bool invalid;  /* a name in it cannot be one */
    bool digest_md5; /* it is the mechanism of this exchange */
    bool principal; /* its names come from Kerberos or a certificate: no default realm */
    struct sasl_order order;   /* of what the client sends, as far as it is known */
    struct sasl_failure noted; /* what Kerberos had against the client's ticket */
    char *sources; /* what auxprop_plugin was last answered with */
    char *mechanisms;
    const char **names; /* into mechanisms */
};

/* --- callbacks of Cyrus-SASL ------------------------------------------------ */

static int server_getopt(void *context, const char *plugin, const char *option, const char **result,
                         unsigned *len)
{
    struct sasl_server *server = context;

    *result = sasl_setting(plugin, option);
    if (!*result)
        return SASL_FAIL;
    if (strcmp(option, "auxprop_plugin") == 0) {
        char *sources = NULL;

        if (asprintf(&sources, "%s " DECOY_SOURCE, *result) < 0)
            return SASL_NOMEM;
        free(server->sources);
        server->sources = sources;
        *result = sources;
    }
    if (len)
        *len = (unsigned)strlen(*result);
    return SASL_OK;
}

/*
 * user@HOSTNAME is user: sasldb keeps the users of the default realm under
 * that name, and both would authenticate by the same entry.
 */
static size_t without_default_realm(const char *name, size_t len, const char *hostname)
{
    size_t realm = strlen(hostname);

    if (len > realm + 1 && name[len - realm - 1] == '@' &&
        strncasecmp(name + len - realm, hostname, realm) == 0)
        return len - realm - 1;
    return len;
}

/* Blank, or with control characters, which would also spoil the log. */
static bool is_invalid(const char *name, size_t len)
{
    bool blank = true;

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
            return true;
        blank &= name[i] == ' ';
    }
    return blank;
}

/*
 * A name that cannot be is taken for one that nobody has, and goes the way of
 * all unknown users, so that no mechanism meets an error here. Where it is not
 * a password that proves it, server_authorize() refuses it.
 */
static int server_canon_user(sasl_conn_t *conn, void *context, const char *in, unsigned in_len,
                             unsigned flags, const char *realm, char *out, unsigned size,
                             unsigned *out_len)
{
    static const char nobody[] = "(invalid)";
    struct sasl_server *server = context;
    size_t len = in_len ? in_len : strlen(in);

    (void)conn;
    (void)realm;
    /* As Cyrus-SASL does behind this; here, so that no mechanism meets an error there. */
    while (len > 0 && *in == ' ') {
        in++;
        len--;
    }
    while (len > 0 && in[len - 1] == ' ')
        len--;
    /* A realm of Kerberos that is called like this host is not the default one. */
    if (!server->principal)
        len = without_default_realm(in, len, server->link.endpoint.hostname);
    if (is_invalid(in, len) || len >= size) {
        server->invalid = true;
        in = nobody;
        len = sizeof nobody - 1;
    }
    if (len >= size)
        return SASL_BUFOVER;
    memmove(out, in, len);
    out[len] = '\0';
    *out_len = (unsigned)len;
    if (flags & SASL_CU_AUTHID) {
        free(server->tried);
        server->tried = strdup(out);
    }
    return SASL_OK;
}

static int server_authorize(sasl_conn_t *conn, void *context, const char *wanted,
                            unsigned wanted_len, const char *authenticated,
                            unsigned authenticated_len, const char *realm, unsigned realm_len,
                            struct propctx *properties)
{
    struct sasl_server *server = context;

    (void)realm;
    (void)realm_len;
    (void)properties;
    if (server->invalid) {
        sasl_seterror(conn, SASL_NOLOG, "a user name that cannot be");
        return SASL_NOAUTHZ;
    }
    if (wanted_len == authenticated_len && memcmp(wanted, authenticated, wanted_len) == 0)
        return SASL_OK;
    if (server->may_act_as && server->may_act_as(server->context, authenticated, wanted))
        return SASL_OK;
    free(server->wanted);
    server->wanted = strndup(wanted, wanted_len);
    sasl_seterror(conn, SASL_NOLOG, "%s may not act as %s", authenticated, wanted);
    return SASL_NOAUTHZ;
}

/*
 * Why a ticket is not accepted is only logged by the plugin, and belongs to
 * the failure. That a step failed it says of each one that does not end the exchange.
 */
static int server_log(void *context, int level, const char *text)
{
    struct sasl_server *server = context;
    struct sasl_failure failure;

    if (level == SASL_LOG_DEBUG && strstr(text, "server step failed"))
        return SASL_OK;
    sasl_failure_set(&failure, "%s", text);
    if (level == SASL_LOG_FAIL && sasl_kerberos_failure(&failure))
        server->noted = failure;
    else
        sasl_log_write(level, text);
    return SASL_OK;
}

struct sasl_server *sasl_server_of(const sasl_callback_t *callbacks)
{
    for (; callbacks && callbacks->id != SASL_CB_LIST_END; callbacks++) {
        if (callbacks->proc == CALLBACK_PROC(server_canon_user))
            return callbacks->context;
    }
    return NULL;
}

void sasl_server_note_decoy(struct sasl_server *server)
{
    server->decoy = true;
}

/* --- the exchange ----------------------------------------------------------- */

/*
 * A sasl_conn_t is used for one exchange: what a cancelled one leaves behind
 * (the mechanism's state, properties of the user) would go into the next.
 */
static bool server_renew(struct sasl_server *server, struct sasl_failure *failure)
{
    int code;

    if (server->conn)
        sasl_dispose(&server->conn);
    server->state = SERVER_FRESH;
    code = sasl_server_new(SERVICE_NAME, server->link.endpoint.hostname, NULL, NULL, NULL,
                           server->callbacks, 0, &server->conn);
    if (code != SASL_OK) {
        sasl_failure_take(failure, NULL, code);
        server->conn = NULL;
    } else if (sasl_link_apply(&server->link, server->conn, NULL, failure)) {
        return true;
    }
    server->state = SERVER_FAILED;
    return false;
}

struct sasl_server *sasl_server_open(const struct sasl_endpoint *endpoint,
                                     sasl_may_act_as *may_act_as, void *context,
                                     struct sasl_failure *failure)
{
    struct sasl_server *server = calloc(1, sizeof *server);

    if (!server || !sasl_link_copy(&server->link, endpoint)) {
        sasl_failure_set(failure, "out of memory");
        free(server);
        return NULL;
    }
    server->may_act_as = may_act_as;
    server->context = context;
    server->callbacks[0] =
        (sasl_callback_t){SASL_CB_GETOPT, CALLBACK_PROC(server_getopt), server};
    server->callbacks[1] =
        (sasl_callback_t){SASL_CB_CANON_USER, CALLBACK_PROC(server_canon_user), server};
    server->callbacks[2] =
        (sasl_callback_t){SASL_CB_PROXY_POLICY, CALLBACK_PROC(server_authorize), server};
    server->callbacks[3] = (sasl_callback_t){SASL_CB_LOG, CALLBACK_PROC(server_log), server};
    server->callbacks[4] = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
    if (!server_renew(server, failure)) {
        sasl_server_close(server);
        return NULL;
    }
    return server;
}

void sasl_server_close(struct sasl_server *server)
{
    if (!server)
        return;
    if (server->conn)
        sasl_dispose(&server->conn);
    sasl_link_free(&server->link);
    free(server->tried);
    free(server->wanted);
    free(server->sources);
    free(server->mechanisms);
    free(server->names);
    free(server);
}

static void note_binding(server_sasl_mechanism_t *mechanism, sasl_info_callback_stage_t stage,
                         void *context)
{
    bool *binds = context;

    if (stage == SASL_INFO_LIST_MECH && mechanism && mechanism->plug)
        *binds |= (mechanism->plug->features & SASL_FEAT_CHANNEL_BINDING) != 0;
}

/*
 * The -PLUS names are made here, in one way for every list of mechanisms: so
 * Cyrus-SASL is asked as if there were no binding, and they are added.
 */
static const char *list_unbound(struct sasl_server *server)
{
    bool bound = server->link.endpoint.binding_len > 0;
    const char *list = NULL;
    int count = 0;

    if (bound && sasl_setprop(server->conn, SASL_CHANNEL_BINDING, NULL) != SASL_OK)
        return NULL;
    if (sasl_listmech(server->conn, NULL, "", " ", "", &list, NULL, &count) != SASL_OK)
        list = NULL;
    if (bound && sasl_setprop(server->conn, SASL_CHANNEL_BINDING, &server->link.binding) != SASL_OK)
        return NULL;
    return list;
}

/*
 * Kerberos is GSSAPI here, as RFC 3656 asks. Its other forms would let a client choose
 * what stands behind them (GSS-SPNEGO), or have the server call the KDC for somebody who
 * is not known yet (GS2-IAKERB). NTLM protects a password too little.
 */
static bool is_never_offered(const char *name)
{
    return strcasecmp(name, "GSS-SPNEGO") == 0 || strncasecmp(name, "GS2-", 4) == 0 ||
           strcasecmp(name, "NTLM") == 0;
}

static bool is_listed(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

size_t sasl_server_mechanisms(struct sasl_server *server, const char *const **names)
{
    static const char plus[] = "-PLUS";
    const char *list = server->conn ? list_unbound(server) : NULL;
    size_t most = 1;
    size_t count = 0;
    char *to;

    free(server->mechanisms);
    free(server->names);
    server->mechanisms = NULL;
    server->names = NULL;
    *names = NULL;
    if (!list || !*list)
        return 0;
    for (const char *at = list; *at; at++)
        most += *at == ' ';
    server->mechanisms = malloc(2 * (strlen(list) + 1) + most * sizeof plus);
    server->names = calloc(2 * most, sizeof *server->names);
    if (!server->mechanisms || !server->names)
        return 0;
    to = server->mechanisms;
    while (*list) {
        size_t len = strcspn(list, " ");
        const char *name = to;
        bool binds = false;

        memcpy(to, list, len);
        to[len] = '\0';
        to += len + 1;
        list += len;
        list += *list == ' ';
        /* One that mech_list names with and without binding comes twice. */
        if (is_never_offered(name) || is_listed(server->names, count, name))
            continue;
        server->names[count++] = name;
        if (server->link.endpoint.binding_len > 0)
            (void)sasl_server_plugin_info(name, note_binding, &binds);
        if (binds) {
            server->names[count++] = to;
            memcpy(to, name, len);
            memcpy(to + len, plus, sizeof plus);
            to += len + sizeof plus;
        }
    }
    *names = server->names;
    return count;
}

static enum sasl_progress server_progress(struct sasl_server *server, int code, const char *said,
                                          unsigned said_len, const void **out, size_t *out_len,
                                          struct sasl_failure *failure)
{
    if (code == SASL_CONTINUE) {
        server->state = SERVER_RUNNING;
        *out = said ? said : "";
        *out_len = said ? said_len : 0;
        return SASL_PROGRESS_CHALLENGE;
    }
    if (code == SASL_OK) {
        server->state = SERVER_DONE;
        if (sasl_server_user(server) && sasl_server_authenticated(server))
            return SASL_PROGRESS_DONE;
        sasl_failure_set(failure, "the mechanism names no user");
    } else if (server->decoy) {
        sasl_failure_set(failure, "there is no such user, or it has no password: %s",
                         sasl_errdetail(server->conn));
    } else if (server->noted.text[0]) {
        *failure = server->noted;
    } else {
        sasl_failure_take(failure, server->conn, code);
    }
    server->state = SERVER_FAILED;
    return SASL_PROGRESS_FAILED;
}

/* A copy of what the client said, as sasl_step_copy() makes it, if the mechanism may see it. */
static char *take_words(const struct sasl_server *server, const void *data, size_t len,
                        struct sasl_failure *failure)
{
    char *copy = sasl_step_copy(data, len, failure);

    if (copy && server->digest_md5 && !sasl_directives_check(copy, failure)) {
        wipe_free(copy);
        return NULL;
    }
    return copy;
}

enum sasl_progress sasl_server_begin(struct sasl_server *server, const char *mechanism,
                                     const void *initial, size_t len, const void **out,
                                     size_t *out_len, struct sasl_failure *failure)
{
    const char *said = NULL;
    unsigned said_len = 0;
    char *copy = NULL;
    int code;

    *out = NULL;
    *out_len = 0;
    free(server->tried);
    server->tried = NULL;
    free(server->wanted);
    server->wanted = NULL;
    server->decoy = false;
    server->invalid = false;
    server->principal =
        strcasecmp(mechanism, GSSAPI) == 0 || strcasecmp(mechanism, "EXTERNAL") == 0;
    server->digest_md5 = strcasecmp(mechanism, DIGEST_MD5) == 0;
    server->noted.text[0] = '\0';
    if (is_never_offered(mechanism)) {
        sasl_failure_set(failure, "%s is not offered", mechanism);
        return SASL_PROGRESS_FAILED;
    }
    if (server->state == SERVER_DONE) {
        sasl_failure_set(failure, "already authenticated");
        return SASL_PROGRESS_FAILED;
    }
    if (server->state != SERVER_FRESH && !server_renew(server, failure))
        return SASL_PROGRESS_FAILED;
    if (!sasl_link_apply(&server->link, server->conn, mechanism, failure))
        return SASL_PROGRESS_FAILED;
    if (initial) {
        copy = take_words(server, initial, len, failure);
        if (!copy)
            return SASL_PROGRESS_FAILED;
    }
    code = sasl_server_start(server->conn, mechanism, copy, copy ? (unsigned)len : 0, &said,
                             &said_len);
    wipe_stack();
    wipe_free(copy);
    return server_progress(server, code, said, said_len, out, out_len, failure);
}

enum sasl_progress sasl_server_continue(struct sasl_server *server, const void *data, size_t len,
                                        const void **out, size_t *out_len,
                                        struct sasl_failure *failure)
{
    const char *said = NULL;
    unsigned said_len = 0;
    char *copy;
    int code;

    *out = NULL;
    *out_len = 0;
    if (server->state != SERVER_RUNNING) {
        sasl_failure_set(failure, "no exchange is under way");
        return SASL_PROGRESS_FAILED;
    }
    copy = take_words(server, data, len, failure);
    if (!copy) {
        server->state = SERVER_FAILED;
        return SASL_PROGRESS_FAILED;
    }
    sasl_order_note(&server->order, copy, len);
    code = sasl_server_step(server->conn, copy, (unsigned)len, &said, &said_len);
    wipe_stack();
    wipe_free(copy);
    return server_progress(server, code, said, said_len, out, out_len, failure);
}

/* Why GSSAPI is not there: its plugin wants no more of a keytab that it cannot read. */
static enum sasl_kerberos missing_kerberos(struct sasl_failure *failure)
{
    const char *keytab = sasl_setting(GSSAPI, "keytab");

    if (!keytab || access(keytab, R_OK) == 0)
        return SASL_KERBEROS_NO_PLUGIN;
    sasl_failure_set(failure, "the keytab %s cannot be read: %s", keytab, strerror(errno));
    return SASL_KERBEROS_NO_KEY;
}

enum sasl_kerberos sasl_server_check_kerberos(const char *hostname, struct sasl_failure *failure)
{
    const struct sasl_endpoint endpoint = {.hostname = hostname};
    struct sasl_server *server = sasl_server_open(&endpoint, NULL, NULL, failure);
    enum sasl_kerberos result = SASL_KERBEROS_READY;
    const char *const *names;
    const char *said;
    size_t count;
    unsigned len;
    int code;

    if (!server)
        return SASL_KERBEROS_NO_KEY;
    count = sasl_server_mechanisms(server, &names);
    if (!is_listed(names, count, GSSAPI)) {
        result = missing_kerberos(failure);
    } else {
        /* The key is looked for first, before anything is found wrong with the token. */
        code = sasl_server_start(server->conn, GSSAPI, "?", 1, &said, &len);
        if (code != SASL_BADAUTH) {
            sasl_failure_take(failure, server->conn, code);
            result = SASL_KERBEROS_NO_KEY;
        }
    }
    sasl_server_close(server);
    return result;
}

const char *sasl_server_tried_user(struct sasl_server *server)
{
    return server->tried;
}

const char *sasl_server_wanted_user(struct sasl_server *server)
{
    return server->wanted;
}

static const char *server_name(struct sasl_server *server, int property)
{
    const void *name = NULL;

    if (server->state != SERVER_DONE || sasl_getprop(server->conn, property, &name) != SASL_OK)
        return NULL;
    return name;
}

const char *sasl_server_user(struct sasl_server *server)
{
    return server_name(server, SASL_USERNAME);
}

const char *sasl_server_authenticated(struct sasl_server *server)
{
    return server_name(server, SASL_AUTHUSER);
}

static void server_free(void *server)
{
    sasl_server_close(server);
}

struct layer *sasl_server_layer(struct sasl_server **server, bool *failed,
                                struct sasl_failure *failure)
{
    struct layer *layer;

    if ((*server)->state != SERVER_DONE) {
        sasl_failure_set(failure, "not authenticated");
        *failed = true;
        return NULL;
    }
    layer = sasl_layer_new((*server)->conn, &(*server)->order, *server, server_free, failed,
                           failure);
    if (layer)
        *server = NULL;
    return layer;
}
