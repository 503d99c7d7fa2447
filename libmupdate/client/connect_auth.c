/* SPDX-License-Identifier: BSD-3-Clause */
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "client/connect_steps.h"
#include "layer/sasl.h"
#include "layer/tls.h"

enum { ADDRESS_BYTES = NI_MAXHOST + NI_MAXSERV + 2, BINDING_BYTES = 256, STRONGEST_BITS = 256 };

static pthread_once_t setup_once = PTHREAD_ONCE_INIT;
static bool setup_done;
static struct sasl_failure setup_failure;

static void setup(void)
{
    setup_done = sasl_client_setup(&setup_failure);
}

static bool denied_as(const struct connect_attempt *attempt, const char *user, const char *reason)
{
    connect_error_set(attempt->error, MUPDATE_CONNECT_DENIED, "cannot log in to %s%s%s: %s",
                      attempt->link->peer, user ? " as " : "", user ? user : "", reason);
    return false;
}

static bool denied(const struct connect_attempt *attempt, const char *reason)
{
    return denied_as(attempt, attempt->options->user, reason);
}

/* With Kerberos it is the ticket that says who logs in; NULL: it is not known yet. */
static const char *who_logs_in(const struct connect_attempt *attempt, struct sasl_client *sasl,
                               const char *mechanism)
{
    if (mechanism && strcasecmp(mechanism, "GSSAPI") == 0)
        return sasl_client_authenticated(sasl);
    return attempt->options->user;
}

static bool no_memory(const struct connect_attempt *attempt)
{
    connect_error_set(attempt->error, MUPDATE_CONNECT_MEMORY,
                      "out of memory while logging in to %s", attempt->link->peer);
    return false;
}

/* "address;port" as SASL wants it; false for what is not TCP. */
static bool address_text(int fd, int (*name_of)(int, struct sockaddr *, socklen_t *), char *text)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];

    if (name_of(fd, (struct sockaddr *)&address, &len) < 0 || address.ss_family == AF_UNIX ||
        getnameinfo((struct sockaddr *)&address, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return false;
    snprintf(text, ADDRESS_BYTES, "%s;%s", host, port);
    return true;
}

/* A certificate logs in where nothing else is asked for. */
static const char *mechanism_asked(const struct mupdate_connect_options *options)
{
    if (options->mechanism || options->user || !options->cert_file)
        return options->mechanism;
    return "EXTERNAL";
}

/*
 * ANONYMOUS and EXTERNAL do not prove the user that was given; of the forms of
 * Kerberos it is GSSAPI that RFC 3656 asks for.
 */
static bool mechanism_wanted(const char *offered, const char *asked)
{
    if (asked)
        return strcasecmp(offered, asked) == 0;
    return strcasecmp(offered, "ANONYMOUS") != 0 && strcasecmp(offered, "EXTERNAL") != 0 &&
           strcasecmp(offered, "GSS-SPNEGO") != 0 && strncasecmp(offered, "GS2-", 4) != 0;
}

/* The mechanisms to choose from, blank-separated and allocated; NULL: out of memory. */
static char *join_mechanisms(const struct mupdate_client_banner *banner, const char *asked,
                             bool all)
{
    size_t size = 1;
    size_t len = 0;
    size_t i;
    char *list;

    for (i = 0; i < banner->mechanism_count; i++)
        size += strlen(banner->mechanisms[i]) + 1;
    list = malloc(size);
    if (!list)
        return NULL;
    list[0] = '\0';
    for (i = 0; i < banner->mechanism_count; i++) {
        if (!all && !mechanism_wanted(banner->mechanisms[i], asked))
            continue;
        len +=
            (size_t)snprintf(list + len, size - len, "%s%s", len ? " " : "", banner->mechanisms[i]);
    }
    return list;
}

static bool nothing_to_choose(const struct connect_attempt *attempt)
{
    const struct mupdate_client_banner *banner = mupdate_client_banner(attempt->link->client);
    const char *asked = mechanism_asked(attempt->options);
    char *offered = join_mechanisms(banner, NULL, true);
    char reason[320];

    if (!offered)
        return no_memory(attempt);
    if (asked && strcasecmp(asked, "EXTERNAL") == 0 && !attempt->options->cert_file)
        snprintf(reason, sizeof reason, "EXTERNAL takes a certificate, and none was given");
    else if (asked && strcasecmp(asked, "EXTERNAL") == 0)
        snprintf(reason, sizeof reason,
                 "the server does not let this certificate log in: it does not offer EXTERNAL "
                 "here, but %s; does it ask for certificates, and map them to users?",
                 *offered ? offered : "nothing");
    else if (asked && *offered)
        snprintf(reason, sizeof reason, "the server does not offer %s here, but %s", asked,
                 offered);
    else if (banner->starttls)
        snprintf(reason, sizeof reason, "the server offers nothing suitable without TLS (only: %s)",
                 *offered ? offered : "nothing");
    else
        snprintf(reason, sizeof reason,
                 "the server offers no mechanism for a user and password%s%s",
                 *offered ? ", only " : "", offered);
    free(offered);
    return denied(attempt, reason);
}

/* What to look at behind a NO. who: see who_logs_in(). */
static const char *advice_on(const struct mupdate_connect_options *options, const char *mechanism,
                             const char *who)
{
    bool other = options->authorize && (!who || strcmp(options->authorize, who) != 0);

    if (strcasecmp(mechanism, "GSSAPI") == 0) {
        if (!who)
            return "its log says what it has against the ticket: most often its keytab is not of "
                   "today, or its clock is wrong";
        return other ? "check that the server lets this principal act as another (admins)"
                     : "check that the server lets this principal in (admins, readers, backends)";
    }
    if (strcasecmp(mechanism, "EXTERNAL") == 0)
        return other ? "check whom the server takes the certificate for, and that it lets him act "
                       "as another (admins)"
                     : "check whom the server takes the certificate for, and that it lets him in "
                       "(admins, readers, backends)";
    return other ? "check the user, the password, and that the server lets this user act as "
                   "another (admins)"
                 : "check the user, the password, and that the server lets this user in (admins, "
                   "readers, backends)";
}

static bool refused(const struct connect_attempt *attempt, struct sasl_client *sasl,
                    const struct mupdate_client_event *event, const char *mechanism)
{
    const char *who = who_logs_in(attempt, sasl, mechanism);
    char reason[400];

    snprintf(reason, sizeof reason, "%s says %.*s (mechanism %s); %s",
             event->reply == MUPDATE_NO ? "the server" : "the server did not understand and",
             connect_text_len(event->text), connect_text(event->text), mechanism,
             advice_on(attempt->options, mechanism, who));
    return denied_as(attempt, who, reason);
}

static bool answer(const struct connect_attempt *attempt, const void *out, size_t len)
{
    return mupdate_client_response(attempt->link->client, out ? out : "", out ? len : 0) ||
           no_memory(attempt);
}

/* Tell the server, so that it does not wait, and why the client gave up stays the error. */
static bool give_up(const struct connect_attempt *attempt, const char *who, const char *reason)
{
    struct mupdate_connect_error ignored;

    if (mupdate_client_cancel(attempt->link->client))
        (void)connect_link_flush(attempt->link, &ignored);
    return denied_as(attempt, who, reason);
}

/* From AUTHENTICATE to its end. */
static bool exchange(const struct connect_attempt *attempt, struct sasl_client *sasl,
                     enum sasl_progress progress, uint64_t command, const char *mechanism)
{
    struct mupdate_client_event event;

    for (;;) {
        struct sasl_failure failure;
        const void *out = NULL;
        size_t len = 0;

        if (!connect_await(attempt, &event, "an answer to AUTHENTICATE"))
            return false;
        if (event.type == MUPDATE_CLIENT_DONE && event.command == command)
            break;
        if (event.type != MUPDATE_CLIENT_CHALLENGE)
            continue;
        if (progress == SASL_PROGRESS_DONE)
            return give_up(attempt, who_logs_in(attempt, sasl, mechanism),
                           "the server asks for more than the mechanism has");
        progress =
            sasl_client_continue(sasl, event.data.data, event.data.len, &out, &len, &failure);
        if (progress == SASL_PROGRESS_FAILED)
            return give_up(attempt, who_logs_in(attempt, sasl, mechanism), failure.text);
        if (!answer(attempt, out, len))
            return false;
    }
    if (event.reply != MUPDATE_OK)
        return refused(attempt, sasl, &event, mechanism);
    /* With a mechanism that proves the server too, an early OK is no proof. */
    if (progress != SASL_PROGRESS_DONE)
        return denied(attempt,
                      "the server says OK without having proved that it knows the password");
    return true;
}

static bool log_in(const struct connect_attempt *attempt, struct sasl_client **sasl,
                   const char *mechanisms)
{
    struct sasl_failure failure = {.text = ""};
    const char *mechanism = NULL;
    const void *out = NULL;
    size_t len = 0;
    enum sasl_progress progress;
    struct layer *layer;
    uint64_t command;
    bool failed = false;

    progress = sasl_client_begin(*sasl, mechanisms, &mechanism, &out, &len, &failure);
    if (progress == SASL_PROGRESS_FAILED)
        return denied_as(attempt, who_logs_in(attempt, *sasl, mechanism), failure.text);
    command = mupdate_client_authenticate(attempt->link->client, mechanism, out, len);
    if (!command)
        return no_memory(attempt);
    if (!exchange(attempt, *sasl, progress, command, mechanism))
        return false;
    /* Under a security layer only what it protects may be believed. */
    layer = sasl_client_layer(sasl, &failed, &failure);
    if (failed)
        return denied(attempt, failure.text);
    if (!layer)
        return true;
    (void)mupdate_client_discard_input(attempt->link->client);
    if (!layer_stack_push(&attempt->link->stack, layer)) {
        layer->ops->free(layer);
        return no_memory(attempt);
    }
    return true;
}

bool connect_authenticate(const struct connect_attempt *attempt)
{
    const struct mupdate_connect_options *options = attempt->options;
    const struct layer *tls = layer_stack_get(&attempt->link->stack, LAYER_TLS);
    const struct sasl_client_identity identity = {
        .user = options->user,
        .authorize = options->authorize,
        .realm = options->realm,
        .password = options->password,
        .context = options->context,
    };
    struct sasl_endpoint endpoint = {.hostname = connect_server_name(attempt), .plaintext = true};
    unsigned char binding[BINDING_BYTES];
    char local[ADDRESS_BYTES];
    char remote[ADDRESS_BYTES];
    struct sasl_failure failure;
    struct sasl_client *sasl;
    const char *asked = mechanism_asked(options);
    char *mechanisms;
    bool done;

    if (!options->user && !asked)
        return true;
    pthread_once(&setup_once, setup);
    if (!setup_done)
        return denied(attempt, setup_failure.text);

    if (address_text(attempt->link->fd, getsockname, local))
        endpoint.local = local;
    if (address_text(attempt->link->fd, getpeername, remote))
        endpoint.remote = remote;
    /* Two layers of encryption protect no more than one. */
    endpoint.maximum_bits = tls ? 0 : STRONGEST_BITS;
    if (tls) {
        endpoint.external_bits = tls_layer_bits(tls);
        endpoint.binding_len =
            tls_layer_binding(tls, binding, sizeof binding, &endpoint.binding_name);
        endpoint.binding = endpoint.binding_len ? binding : NULL;
        endpoint.external_id = options->cert_file;
    }

    mechanisms = join_mechanisms(mupdate_client_banner(attempt->link->client), asked, false);
    if (!mechanisms)
        return no_memory(attempt);
    if (!*mechanisms) {
        free(mechanisms);
        return nothing_to_choose(attempt);
    }
    sasl = sasl_client_open(&endpoint, &identity, &failure);
    done = sasl ? log_in(attempt, &sasl, mechanisms) : denied(attempt, failure.text);
    if (sasl)
        sasl_client_close(sasl);
    free(mechanisms);
    return done;
}
