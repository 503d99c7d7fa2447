/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/counters.h"

#include <string.h>

const char *counters_command_name(enum counters_command command)
{
    static const char *const names[COUNTERS_COMMANDS] = {
        [COUNTERS_AUTHENTICATE] = "authenticate",
        [COUNTERS_STARTTLS] = "starttls",
        [COUNTERS_COMPRESS] = "compress",
        [COUNTERS_FIND] = "find",
        [COUNTERS_LIST] = "list",
        [COUNTERS_RESERVE] = "reserve",
        [COUNTERS_ACTIVATE] = "activate",
        [COUNTERS_DEACTIVATE] = "deactivate",
        [COUNTERS_DELETE] = "delete",
        [COUNTERS_UPDATE] = "update",
        [COUNTERS_NOOP] = "noop",
        [COUNTERS_LOGOUT] = "logout",
    };

    return names[command];
}

static enum counters_command command_of_verb(enum mupdate_verb verb)
{
    static const enum counters_command commands[COUNTERS_VERBS] = {
        [MUPDATE_RESERVE] = COUNTERS_RESERVE,
        [MUPDATE_ACTIVATE] = COUNTERS_ACTIVATE,
        [MUPDATE_DEACTIVATE] = COUNTERS_DEACTIVATE,
        [MUPDATE_DELETE] = COUNTERS_DELETE,
    };

    return commands[verb];
}

const char *counters_verb_name(enum mupdate_verb verb)
{
    return counters_command_name(command_of_verb(verb));
}

const char *counters_change_name(enum counters_change change)
{
    static const char *const names[COUNTERS_CHANGES] = {
        [COUNTERS_STORED] = "stored",       [COUNTERS_UNCHANGED] = "unchanged",
        [COUNTERS_REFUSED] = "refused",     [COUNTERS_FORBIDDEN] = "forbidden",
        [COUNTERS_UNCERTAIN] = "uncertain",
    };

    return names[change];
}

const char *counters_login_name(enum counters_login login)
{
    static const char *const names[COUNTERS_LOGINS] = {
        [COUNTERS_LOGIN_ACCEPTED] = "accepted",
        [COUNTERS_LOGIN_REFUSED] = "refused",
        [COUNTERS_LOGIN_UNDECIDED] = "undecided",
    };

    return names[login];
}

const char *counters_mechanism_name(size_t mechanism)
{
    static const char *const names[COUNTERS_MECHANISMS] = {
        "PLAIN",      "LOGIN",    "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI",
        "GSS-SPNEGO", "EXTERNAL", "DIGEST-MD5",  "CRAM-MD5",      "other",
    };

    return names[mechanism];
}

const char *counters_refusal_name(enum counters_refusal refusal)
{
    static const char *const names[COUNTERS_REFUSALS] = {
        [COUNTERS_REFUSED_FILES] = "files",     [COUNTERS_REFUSED_TOTAL] = "connections",
        [COUNTERS_REFUSED_ADDRESS] = "address", [COUNTERS_REFUSED_MEMORY] = "memory",
        [COUNTERS_REFUSED_GONE] = "gone",       [COUNTERS_REFUSED_STRANGER] = "unauthenticated",
    };

    return names[refusal];
}

void counters_command(struct counters *counters, const struct mupdate_server_event *event)
{
    enum counters_command command = COUNTERS_NOOP;

    switch (event->type) {
    case MUPDATE_SERVER_AUTHENTICATE:
        command = COUNTERS_AUTHENTICATE;
        break;
    case MUPDATE_SERVER_AUTH_RESPONSE:
    case MUPDATE_SERVER_AUTH_CANCELLED:
        return;
    case MUPDATE_SERVER_STARTTLS:
        command = COUNTERS_STARTTLS;
        break;
    case MUPDATE_SERVER_COMPRESS:
        command = COUNTERS_COMPRESS;
        break;
    case MUPDATE_SERVER_FIND:
        command = COUNTERS_FIND;
        break;
    case MUPDATE_SERVER_LIST:
        command = COUNTERS_LIST;
        break;
    case MUPDATE_SERVER_SET:
        command = command_of_verb(event->verb);
        break;
    case MUPDATE_SERVER_UPDATE:
        command = COUNTERS_UPDATE;
        break;
    case MUPDATE_SERVER_NOOP:
        break;
    case MUPDATE_SERVER_LOGOUT:
        command = COUNTERS_LOGOUT;
        break;
    }
    counters->commands[command]++;
}

void counters_login(struct counters *counters, const char *mechanism, enum counters_login result)
{
    size_t i = 0;

    while (i < COUNTERS_MECHANISMS - 1 && strcmp(counters_mechanism_name(i), mechanism) != 0)
        i++;
    counters->logins[i][result]++;
}

uint64_t counters_logins(const struct counters *counters, enum counters_login result)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < COUNTERS_MECHANISMS; i++)
        sum += counters->logins[i][result];
    return sum;
}

uint64_t counters_changes(const struct counters *counters, enum counters_change result)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < COUNTERS_VERBS; i++)
        sum += counters->changes[i][result];
    return sum;
}

uint64_t counters_turned_away(const struct counters *counters)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < COUNTERS_REFUSED_STRANGER; i++)
        sum += counters->refused[i];
    return sum;
}
