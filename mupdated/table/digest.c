/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/table/digest.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define LENGTH_BYTES 8
#define TEXT_BYTES (LENGTH_BYTES + sizeof(XXH128_canonical_t))

static void put_u64(unsigned char *at, uint64_t value)
{
    uint64_t big_endian = htobe64(value);
    memcpy(at, &big_endian, sizeof(big_endian));
}

static void put_text(unsigned char *at, struct mupdate_text text)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(text.data, text.len));
    put_u64(at, text.len);
    memcpy(at + LENGTH_BYTES, canonical.digest, sizeof(canonical.digest));
}

static XXH128_hash_t hash_row(const struct mupdate_row *row)
{
    unsigned char octets[1 + 3 * TEXT_BYTES];
    octets[0] = (unsigned char)row->state;
    put_text(octets + 1, row->name);
    put_text(octets + 1 + TEXT_BYTES, row->location);
    put_text(octets + 1 + 2 * TEXT_BYTES, row->acl);
    return XXH3_128bits(octets, sizeof(octets));
}

void digest_add(struct digest *digest, const struct mupdate_row *row)
{
    XXH128_hash_t hash = hash_row(row);
    bool carry = __builtin_add_overflow(digest->low, hash.low64, &digest->low);
    digest->high += hash.high64 + (carry ? 1 : 0);
    digest->rows++;
}

void digest_subtract(struct digest *digest, const struct mupdate_row *row)
{
    XXH128_hash_t hash = hash_row(row);
    bool borrow = __builtin_sub_overflow(digest->low, hash.low64, &digest->low);
    digest->high -= hash.high64 + (borrow ? 1 : 0);
    digest->rows--;
}

bool digest_equal(const struct digest *one, const struct digest *other)
{
    return one->rows == other->rows && one->high == other->high && one->low == other->low;
}

void digest_explain(const struct digest *is, const struct digest *must,
                    char text[DIGEST_TEXT_BYTES])
{
    if (is->rows == must->rows)
        (void)snprintf(text, DIGEST_TEXT_BYTES,
                       "it holds %" PRIu64 " rows as it must, but others", is->rows);
    else
        (void)snprintf(text, DIGEST_TEXT_BYTES,
                       "it holds %" PRIu64 " rows, and must hold %" PRIu64, is->rows, must->rows);
}

void digest_octets(const struct digest *digest, unsigned char octets[DIGEST_BYTES])
{
    put_u64(octets, digest->high);
    put_u64(octets + LENGTH_BYTES, digest->low);
}
