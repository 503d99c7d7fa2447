/*
 * What happened since the process started, counted where it happens. Plain
 * numbers of the loop's thread; they only grow. control/stats.h shows them.
 *
 * Nothing is counted by what a client chose: kinds are fixed, and what is of none
 * of them is "other".
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_COUNTERS_H
#define MUPDATED_COUNTERS_H

#include <mupdate/server.h>

/* Commands that were taken up. */
enum counters_command {
    COUNTERS_AUTHENTICATE,
    COUNTERS_STARTTLS,
    COUNTERS_COMPRESS,
    COUNTERS_FIND,
    COUNTERS_LIST,
    COUNTERS_RESERVE,
    COUNTERS_ACTIVATE,
    COUNTERS_DEACTIVATE,
    COUNTERS_DELETE,
    COUNTERS_UPDATE,
    COUNTERS_NOOP,
    COUNTERS_LOGOUT,
};
#define COUNTERS_COMMANDS (COUNTERS_LOGOUT + 1)

/* What became of a RESERVE, ACTIVATE, DEACTIVATE or DELETE. */
enum counters_change {
    COUNTERS_STORED,    /* durable */
    COUNTERS_UNCHANGED, /* answered OK: the row was so already */
    COUNTERS_REFUSED,   /* answered NO: not allowed by the row as it is, or not to be stored */
    COUNTERS_FORBIDDEN, /* answered NO: who asked lacks the right */
    COUNTERS_UNCERTAIN, /* closed without an answer */
};
#define COUNTERS_CHANGES (COUNTERS_UNCERTAIN + 1)
#define COUNTERS_VERBS (MUPDATE_DELETE + 1)

enum counters_login {
    COUNTERS_LOGIN_ACCEPTED,
    COUNTERS_LOGIN_REFUSED,   /* wrong, without a role here, or given up by the client */
    COUNTERS_LOGIN_UNDECIDED, /* what checks it gave no answer */
};
#define COUNTERS_LOGINS (COUNTERS_LOGIN_UNDECIDED + 1)

/* SASL's mechanisms: those of counters_mechanism_name(), and all others. */
#define COUNTERS_MECHANISMS 11

/* Why a connection could not stay. */
enum counters_refusal {
    COUNTERS_REFUSED_FILES,    /* too many open files */
    COUNTERS_REFUSED_TOTAL,    /* too many connections */
    COUNTERS_REFUSED_ADDRESS,  /* too many of this address */
    COUNTERS_REFUSED_MEMORY,
    COUNTERS_REFUSED_GONE,     /* the client has closed it meanwhile */
    COUNTERS_REFUSED_STRANGER, /* it was there, not logged in, and had to give way */
};
#define COUNTERS_REFUSALS (COUNTERS_REFUSED_STRANGER + 1)

struct counters {
    uint64_t accepted;          /* connections taken */
    uint64_t refused[COUNTERS_REFUSALS];
    uint64_t kicked;            /* closed by an operator */
    uint64_t received_bytes;    /* from the sockets of clients, with all layers on */
    uint64_t sent_bytes;
    uint64_t logins[COUNTERS_MECHANISMS][COUNTERS_LOGINS];
    uint64_t commands[COUNTERS_COMMANDS];
    uint64_t changes[COUNTERS_VERBS][COUNTERS_CHANGES];
    uint64_t unconfirmed;       /* closed without an answer, since the table is not confirmed */
    uint64_t subscriptions;     /* begun */
    uint64_t subscribers_lost;  /* dropped because they were too far behind */
};

/* An event of a session: count it if it is a command. */
void counters_command(struct counters *counters, const struct mupdate_server_event *event);

/* A login by a mechanism, whose name a client may have chosen. */
void counters_login(struct counters *counters, const char *mechanism, enum counters_login result);

/* In one word, small letters; of a mechanism in SASL's. Static. */
const char *counters_command_name(enum counters_command command);
const char *counters_verb_name(enum mupdate_verb verb);
const char *counters_change_name(enum counters_change change);
const char *counters_login_name(enum counters_login login);
const char *counters_mechanism_name(size_t mechanism);
const char *counters_refusal_name(enum counters_refusal refusal);

/* Sums over mechanisms and verbs; and over all for which a connection was sent away at once. */
uint64_t counters_logins(const struct counters *counters, enum counters_login result);
uint64_t counters_changes(const struct counters *counters, enum counters_change result);
uint64_t counters_turned_away(const struct counters *counters);

#endif
