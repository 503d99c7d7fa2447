/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/table/order.h"

#include <string.h>

#include "mupdated/table/row.h"

/* Where the part begins in which '.' and '^' are mapped: behind the first '!', or at 0. */
static size_t rest_start(struct mupdate_text name)
{
    const char *mark = name.len > 0 ? memchr(name.data, '!', name.len) : NULL;
    return mark != NULL ? (size_t)(mark - name.data) + 1 : 0;
}

/* What the octet at i compares as; rest is the name's rest_start(). */
static unsigned char key_at(struct mupdate_text name, size_t rest, size_t i)
{
    unsigned char octet = (unsigned char)name.data[i];
    if (i >= rest) {
        if (octet == '.')
            return 0x1f;
        return octet == '^' ? 0x2e : octet;
    }
    return i + 1 == rest ? 0x1d : octet;
}

/* How many octets both begin with. Names share long prefixes: eight at a time. */
static size_t common_prefix(struct mupdate_text a, struct mupdate_text b, size_t shorter)
{
    size_t i = 0;
    for (; i + sizeof(uint64_t) <= shorter; i += sizeof(uint64_t)) {
        uint64_t word_a, word_b;
        memcpy(&word_a, a.data + i, sizeof(word_a));
        memcpy(&word_b, b.data + i, sizeof(word_b));
        if (word_a != word_b)
            break;
    }
    while (i < shorter && a.data[i] == b.data[i])
        i++;
    return i;
}

static int compare_cyrus36(struct mupdate_text a, struct mupdate_text b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    size_t i = common_prefix(a, b, shorter);
    size_t rest_a = rest_start(a), rest_b = rest_start(b);
    /*
     * The octets before i are the same, but compare differently where they are
     * the domain of one name and not of the other.
     */
    if ((rest_a > i) != (rest_b > i))
        i = 0;
    for (; i < shorter; i++) {
        int difference = key_at(a, rest_a, i) - key_at(b, rest_b, i);
        if (difference != 0)
            return difference;
    }
    return a.len != b.len ? (a.len > b.len) - (a.len < b.len) : text_compare(a, b);
}

int order_compare(enum list_order order, struct mupdate_text a, struct mupdate_text b)
{
    return order == LIST_ORDER_OCTET ? text_compare(a, b) : compare_cyrus36(a, b);
}
