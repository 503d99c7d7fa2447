/*
 * The master's state as Prometheus reads it: the text format 0.0.4.
 * mupdate-metrics(7) has the list of what is in it.
 *
 * Names begin with "mupdated_" and end with their unit, of counters with "_total".
 * No label is for something that there can be any number of: mailboxes, users and
 * addresses have none, and servers one up to a limit.
 *
 * Pure: any thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef METRICS_TEXT_H
#define METRICS_TEXT_H

#include "mupdated/control/stats.h"
#include "wire/buffer.h"

/* Exactly this, of an answer with such a text. */
#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * So many servers have a label of their own, those with the most rows; the rest is the server
 * "other". So is one whose name is empty, is "other", or has more octets than this.
 */
#define METRICS_SERVERS_MAX 200
#define METRICS_SERVER_BYTES 255

/* Append the text. False: out of memory, and out has failed. */
bool metrics_text(const struct stats *stats, struct buffer *out);

#endif
