/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/table/table_support.h"

#include <stdlib.h>

uint32_t randoms_below(struct randoms *randoms, uint32_t limit)
{
    randoms->state = randoms->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((randoms->state >> 33) % limit);
}

void name_random(struct name *name, struct randoms *randoms, const char *alphabet, size_t longest)
{
    name->len = 1 + randoms_below(randoms, (uint32_t)longest);
    for (size_t i = 0; i < name->len; i++)
        name->octets[i] = alphabet[randoms_below(randoms, (uint32_t)strlen(alphabet))];
}

void names_random(struct name *names, size_t count, struct randoms *randoms, const char *alphabet,
                  size_t longest)
{
    for (size_t i = 0; i < count; i++) {
        size_t other;
        do {
            name_random(&names[i], randoms, alphabet, longest);
            for (other = 0; other < i; other++) {
                if (text_equal(name_text(&names[i]), name_text(&names[other])))
                    break;
            }
        } while (other < i);
    }
}

static unsigned char *sort_key(struct mupdate_text name)
{
    unsigned char *key = malloc(name.len + 1);
    if (key == NULL)
        abort();
    bool domain = false;
    for (size_t i = 0; i < name.len; i++)
        domain = domain || name.data[i] == '!';
    for (size_t i = 0; i < name.len; i++) {
        unsigned char octet = (unsigned char)name.data[i];
        if (domain && octet == '!') {
            domain = false;
            key[i] = 0x1d;
        } else if (!domain && octet == '.') {
            key[i] = 0x1f;
        } else if (!domain && octet == '^') {
            key[i] = 0x2e;
        } else {
            key[i] = octet;
        }
    }
    return key;
}

static int compare_octets(const unsigned char *a, size_t a_len, const unsigned char *b,
                          size_t b_len)
{
    for (size_t i = 0; i < a_len && i < b_len; i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return a_len == b_len ? 0 : a_len < b_len ? -1 : 1;
}

int reference_compare(enum list_order order, struct mupdate_text a, struct mupdate_text b)
{
    int result = 0;
    if (order == LIST_ORDER_CYRUS36) {
        unsigned char *key_a = sort_key(a), *key_b = sort_key(b);
        result = compare_octets(key_a, a.len, key_b, b.len);
        free(key_a);
        free(key_b);
    }
    return result != 0 ? result
                       : compare_octets((const unsigned char *)a.data, a.len,
                                        (const unsigned char *)b.data, b.len);
}
