/*
 * Log lines about who changed what, and who was not allowed to: mupdated(8),
 * DIAGNOSTICS. All are written by the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef NET_AUDIT_H
#define NET_AUDIT_H

#include "mupdated/table/table.h"
#include "mupdated/writer/writer.h"

struct connection;

/*
 * Of one connection's refused changes so many are logged in so many
 * milliseconds, so that a client in a loop does not fill the disk. Others are
 * counted, and the count is logged.
 */
#define AUDIT_REFUSALS 20
#define AUDIT_REFUSALS_MS 60000

struct audit_refusals {
    uint64_t since_ms;
    unsigned lines; /* since then */
    uint64_t unlogged;
};

/* A stored change, which the table in memory does not have yet: there the old ACL is. */
void audit_change(const struct connection *connection, const struct writer_request *request,
                  const struct table *table);

/* The same of an operator's, by the control socket; who has printable octets only. */
void audit_operator_change(const char *who, const struct writer_request *request,
                           const struct table *table);

/* A change that took an active mailbox to another server. */
void audit_moved(const struct connection *connection, const struct change *change);

/* One that an operator took there, active or reserved. */
void audit_operator_moved(const struct change *change);

/* A command that was refused for want of a right; reason is what the client is told. */
void audit_refused(struct connection *connection, const struct rule_request *rule,
                   const char *reason);

/* Its user may not go on, by the configuration of now. */
void audit_revoked(const struct connection *connection);

/* The connection is over: say how many refusals were not logged, if any. */
void audit_refusals_end(struct connection *connection);

#endif
