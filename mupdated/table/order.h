/*
 * The order of rows in LIST and UPDATE. A Cyrus replica merges the rows it is
 * sent with its own list and forgets what it does not meet in its own order,
 * so the order is part of the protocol.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TABLE_ORDER_H
#define TABLE_ORDER_H

#include <mupdate/types.h>

enum list_order {
    /*
     * Cyrus 3.6 and later: in "domain!rest" the domain compares as it is and
     * the first '!' as 0x1D; in the rest (the whole name without a '!') '.'
     * compares as 0x1F and '^' as 0x2E; all other octets as they are. Names
     * that are equal so (they hold 0x1F and the like) compare octet by octet.
     */
    LIST_ORDER_CYRUS36,
    LIST_ORDER_OCTET, /* plain octets: Cyrus up to 3.4 */
};

/* <0, 0, >0; 0 only for the same octets. A total order. */
int order_compare(enum list_order order, struct mupdate_text a, struct mupdate_text b);

#endif
