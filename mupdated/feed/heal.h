/*
 * Healing in rounds: the rows at risk of a Cyrus replica's merge
 * (table/departed.h) are looked for once for all replicas that need them at
 * about the same time, and then sent to each at its own pace.
 *
 * To find them, all rows of the table must be looked at. After a restart of the
 * master a thousand replicas come at once; a look for each would take the loop
 * minutes. So at most one look is under way. Who comes meanwhile waits for the
 * next one, with all others who do. A look serves its members if it began after
 * their dumps ended, and with the smallest of the sequences at which those
 * began: what is at risk for one replica may then be sent to another for which
 * it is not, which does no harm, because a row is sent as it is at that time.
 *
 * What was found is kept as ranges of rows that stand together. There are few;
 * when they take too much, the members look at the rest each for itself.
 *
 * It belongs to the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef FEED_HEAL_H
#define FEED_HEAL_H

#include <mupdate/server.h>

#include "mupdated/feed/walk.h"
#include "mupdated/table/departed.h"
#include "mupdated/table/table.h"
#include "wire/buffer.h"

/* The names of one round's ranges take no more than this and one name. */
#define HEAL_RANGES_BYTES 262144

struct heal;
struct heal_round;

/* One replica. Embedded in its owner; all zero before heal_join(). */
struct heal_member {
    struct heal *heal;
    struct heal_round *round;
    size_t passed;               /* octets of the round's ranges */
    struct mupdate_text last;    /* of the range that is being sent, in the round's ranges */
    struct walk walk;            /* within that range, or the rest */
    struct departed_walk risks;  /* of the rest */
    bool sent_any;
};

/*
 * Both must outlive it. One call of heal_run() looks at slice_rows rows at most.
 * NULL: out of memory.
 */
struct heal *heal_new(const struct table *table, struct departed *departed, size_t slice_rows);

/* All members must have left. */
void heal_free(struct heal *heal);

/*
 * The dump of a replica, which began when the table was at sequence since, has
 * ended: it becomes a member of the next round. False: out of memory.
 */
bool heal_join(struct heal *heal, struct heal_member *member, uint64_t since);

/* At any time. Does nothing to one that is all zero. */
void heal_leave(struct heal_member *member);

/*
 * Look on for what is at risk, for whichever round it is, or, when that of the
 * member is known, send it as rows of its session's stream. WALK_DONE: all was
 * sent; member->sent_any tells whether that was anything.
 */
enum walk_progress heal_run(struct heal_member *member, struct mupdate_server *session);

/* How many times the table was looked through, or began to be. */
uint64_t heal_looks(const struct heal *heal);

#endif
