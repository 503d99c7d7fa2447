/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "layer/sasl_internal.h"
#include "wire/wipe.h"

enum client_state {
    CLIENT_FRESH,
    CLIENT_BEGUN, /* the server has said nothing yet */
    CLIENT_RUNNING,
    CLIENT_FAILED,
    CLIENT_DONE,
};

struct sasl_client {
    sasl_conn_t *conn;
    enum client_state state;
    struct sasl_link link;
    sasl_callback_t callbacks[5];
    char *user;
    char *authorize;
    char *realm;
    char *(*password)(void *context);
    void *context;
    sasl_secret_t *secret; /* what password() returned */
    bool gave_up;
    bool digest_md5; /* it was chosen */
    bool encrypts;   /* and may encrypt, as the server demands it */
    struct sasl_order order; /* of what the server sends, as far as it is known */
    struct sasl_failure kerberos; /* why GSSAPI was passed over */
};

/* --- callbacks of Cyrus-SASL ------------------------------------------------ */

static int client_name(void *context, int id, const char **result, unsigned *len)
{
    struct sasl_client *client = context;

    if (id == SASL_CB_AUTHNAME)
        *result = client->user;
    else
        *result = client->authorize ? client->authorize : "";
    if (len)
        *len = (unsigned)strlen(*result);
    return SASL_OK;
}

static int client_realm(void *context, int id, const char **available, const char **result)
{
    struct sasl_client *client = context;

    (void)id;
    if (client->realm)
        *result = client->realm;
    else if (available && available[0])
        *result = available[0];
    else
        *result = client->link.endpoint.hostname;
    return SASL_OK;
}

static void wipe_secret(struct sasl_client *client)
{
    wipe_free(client->secret);
    client->secret = NULL;
}

static int client_password(sasl_conn_t *conn, void *context, int id, sasl_secret_t **secret)
{
    struct sasl_client *client = context;

    (void)conn;
    (void)id;
    if (!client->secret && !client->gave_up) {
        char *password = client->password(client->context);
        size_t len = password ? strlen(password) : 0;

        client->gave_up = !password;
        if (password) {
            client->secret = malloc(sizeof *client->secret + len + 1);
            if (client->secret) {
                client->secret->len = len;
                memcpy(client->secret->data, password, len + 1);
            }
            wipe_free(password);
        }
    }
    *secret = client->secret;
    if (client->gave_up)
        return SASL_FAIL;
    return client->secret ? SASL_OK : SASL_NOMEM;
}

/* --- the exchange ----------------------------------------------------------- */

static bool copy_identity(struct sasl_client *client, const struct sasl_client_identity *identity)
{
    client->user = identity->user ? strdup(identity->user) : NULL;
    client->authorize = identity->authorize ? strdup(identity->authorize) : NULL;
    client->realm = identity->realm ? strdup(identity->realm) : NULL;
    client->password = identity->password;
    client->context = identity->context;
    return (client->user || !identity->user) && (client->authorize || !identity->authorize) &&
           (client->realm || !identity->realm);
}

/* A mechanism whose callback is missing is not chosen. */
static void set_callbacks(struct sasl_client *client)
{
    sasl_callback_t *at = client->callbacks;

    *at++ = (sasl_callback_t){SASL_CB_USER, CALLBACK_PROC(client_name), client};
    *at++ = (sasl_callback_t){SASL_CB_GETREALM, CALLBACK_PROC(client_realm), client};
    if (client->user)
        *at++ = (sasl_callback_t){SASL_CB_AUTHNAME, CALLBACK_PROC(client_name), client};
    if (client->password)
        *at++ = (sasl_callback_t){SASL_CB_PASS, CALLBACK_PROC(client_password), client};
    *at = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
}

static bool client_renew(struct sasl_client *client, const char *mechanism,
                         struct sasl_failure *failure)
{
    int code;

    if (client->conn)
        sasl_dispose(&client->conn);
    code = sasl_client_new(SERVICE_NAME, client->link.endpoint.hostname, NULL, NULL,
                           client->callbacks, 0, &client->conn);
    if (code == SASL_OK)
        return sasl_link_apply(&client->link, client->conn, mechanism, failure);
    sasl_failure_take(failure, NULL, code);
    client->conn = NULL;
    return false;
}

struct sasl_client *sasl_client_open(const struct sasl_endpoint *endpoint,
                                     const struct sasl_client_identity *identity,
                                     struct sasl_failure *failure)
{
    struct sasl_client *client = calloc(1, sizeof *client);

    if (!client || !copy_identity(client, identity) || !sasl_link_copy(&client->link, endpoint)) {
        sasl_failure_set(failure, "out of memory");
        sasl_client_close(client);
        return NULL;
    }
    set_callbacks(client);
    if (!client_renew(client, NULL, failure)) {
        sasl_client_close(client);
        return NULL;
    }
    return client;
}

void sasl_client_close(struct sasl_client *client)
{
    if (!client)
        return;
    if (client->conn)
        sasl_dispose(&client->conn);
    sasl_link_free(&client->link);
    wipe_secret(client);
    free(client->user);
    free(client->authorize);
    free(client->realm);
    free(client);
}

static void take_failure(struct sasl_client *client, int code, struct sasl_failure *failure)
{
    sasl_failure_take(failure, client->conn, code);
    sasl_kerberos_advise(failure);
}

static enum sasl_progress client_progress(struct sasl_client *client, int code, const char *said,
                                          unsigned said_len, const void **out, size_t *out_len,
                                          struct sasl_failure *failure)
{
    if (code == SASL_OK || code == SASL_CONTINUE) {
        if (code == SASL_OK)
            client->state = CLIENT_DONE;
        else
            client->state = client->state == CLIENT_FRESH ? CLIENT_BEGUN : CLIENT_RUNNING;
        *out = said;
        *out_len = said ? said_len : 0;
        return code == SASL_OK ? SASL_PROGRESS_DONE : SASL_PROGRESS_CHALLENGE;
    }
    if (client->gave_up && client->kerberos.text[0])
        sasl_failure_set(failure, "no password was given, and there is no ticket: %s",
                         client->kerberos.text);
    else if (client->gave_up)
        sasl_failure_set(failure, "no password was given");
    else if (code == SASL_INTERACT)
        sasl_failure_set(failure,
                         "the mechanism needs a user name or password, and none was given");
    else
        take_failure(client, code, failure);
    client->state = CLIENT_FAILED;
    return SASL_PROGRESS_FAILED;
}

/* Start with another mechanism than GSSAPI, if there is one; otherwise the failure stays. */
static int pass_over_kerberos(struct sasl_client *client, int code, const char *mechanisms,
                              const char **mechanism, const char **said, unsigned *said_len)
{
    char *others = sasl_kerberos_leave_out(mechanisms);
    sasl_interact_t *prompts = NULL;
    sasl_conn_t *failed = client->conn;
    struct sasl_failure ignored;
    int another;

    if (!others)
        return code;
    take_failure(client, code, &client->kerberos);
    client->conn = NULL;
    another = SASL_FAIL;
    if (client_renew(client, NULL, &ignored))
        another =
            sasl_client_start(client->conn, others, &prompts, said, said_len, mechanism);
    free(others);
    if (another == SASL_OK || another == SASL_CONTINUE) {
        sasl_dispose(&failed);
        return another;
    }
    if (client->conn)
        sasl_dispose(&client->conn);
    client->conn = failed;
    return code;
}

enum sasl_progress sasl_client_begin(struct sasl_client *client, const char *mechanisms,
                                     const char **mechanism, const void **out, size_t *out_len,
                                     struct sasl_failure *failure)
{
    sasl_interact_t *prompts = NULL;
    const char *said = NULL;
    unsigned said_len = 0;
    int code;

    *mechanism = NULL;
    *out = NULL;
    *out_len = 0;
    if (client->state != CLIENT_FRESH) {
        sasl_failure_set(failure, "the exchange has begun already");
        return SASL_PROGRESS_FAILED;
    }
    code = sasl_client_start(client->conn, mechanisms, &prompts, &said, &said_len, mechanism);
    if (code == SASL_FAIL && *mechanism && strcmp(*mechanism, GSSAPI) == 0)
        code = pass_over_kerberos(client, code, mechanisms, mechanism, &said, &said_len);
    if (code == SASL_CONTINUE && strcmp(*mechanism, DIGEST_MD5) == 0) {
        /*
         * Again, with the limits for this mechanism, and without an initial
         * response: it would repeat an earlier login of this process, which
         * servers seldom remember, and the plugin would then mix up the two.
         */
        said = NULL;
        client->digest_md5 = true;
        if (!client_renew(client, DIGEST_MD5, failure)) {
            client->state = CLIENT_FAILED;
            return SASL_PROGRESS_FAILED;
        }
        code = sasl_client_start(client->conn, DIGEST_MD5, &prompts, NULL, NULL, mechanism);
    }
    wipe_stack();
    return client_progress(client, code, said, said_len, out, out_len, failure);
}

/*
 * DIGEST-MD5 was held to integrity and this server takes no less than encryption:
 * answer its challenge again without that limit.
 */
static int answer_encrypting(struct sasl_client *client, const char *data, size_t len,
                             const char **said, unsigned *said_len)
{
    sasl_interact_t *prompts = NULL;
    const char *mechanism = NULL;
    struct sasl_failure ignored;
    int code;

    client->encrypts = true;
    if (!client_renew(client, NULL, &ignored))
        return SASL_FAIL;
    code = sasl_client_start(client->conn, DIGEST_MD5, &prompts, NULL, NULL, &mechanism);
    if (code == SASL_CONTINUE)
        code = sasl_client_step(client->conn, data, (unsigned)len, &prompts, said, said_len);
    return code;
}

/* Of DIGEST-MD5: the mechanism takes a server at its word about what came before. */
static bool may_be_heard(const struct sasl_client *client, const char *text,
                         struct sasl_failure *failure)
{
    return client->state == CLIENT_BEGUN ? sasl_directives_check_first(text, failure)
                                         : sasl_directives_check(text, failure);
}

enum sasl_progress sasl_client_continue(struct sasl_client *client, const void *data, size_t len,
                                        const void **out, size_t *out_len,
                                        struct sasl_failure *failure)
{
    sasl_interact_t *prompts = NULL;
    const char *said = NULL;
    unsigned said_len = 0;
    char *copy;
    int code;

    *out = NULL;
    *out_len = 0;
    if (client->state != CLIENT_BEGUN && client->state != CLIENT_RUNNING) {
        sasl_failure_set(failure, "the server goes on after the end of the exchange");
        client->state = CLIENT_FAILED;
        return SASL_PROGRESS_FAILED;
    }
    copy = sasl_step_copy(data, len, failure);
    if (!copy || (client->digest_md5 && !may_be_heard(client, copy, failure))) {
        wipe_free(copy);
        client->state = CLIENT_FAILED;
        return SASL_PROGRESS_FAILED;
    }
    sasl_order_note(&client->order, copy, len);
    code = sasl_client_step(client->conn, copy, (unsigned)len, &prompts, &said, &said_len);
    if ((code == SASL_FAIL || code == SASL_TOOWEAK) && client->digest_md5 && !client->encrypts &&
        !client->gave_up && strstr(copy, "auth-conf"))
        code = answer_encrypting(client, copy, len, &said, &said_len);
    wipe_stack();
    wipe_free(copy);
    return client_progress(client, code, said, said_len, out, out_len, failure);
}

const char *sasl_client_authenticated(struct sasl_client *client)
{
    const void *name = NULL;

    if (!client->conn || sasl_getprop(client->conn, SASL_AUTHUSER, &name) != SASL_OK)
        return NULL;
    return name;
}

static void client_free(void *client)
{
    sasl_client_close(client);
}

struct layer *sasl_client_layer(struct sasl_client **client, bool *failed,
                                struct sasl_failure *failure)
{
    struct layer *layer;

    if ((*client)->state != CLIENT_DONE) {
        sasl_failure_set(failure, "the server has not proved itself: the exchange is not complete");
        *failed = true;
        return NULL;
    }
    /* The layer keeps the rest for as long as the connection lasts. */
    wipe_secret(*client);
    layer = sasl_layer_new((*client)->conn, &(*client)->order, *client, client_free, failed,
                           failure);
    if (layer)
        *client = NULL;
    return layer;
}
