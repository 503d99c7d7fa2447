/*
 * The digest of a set of rows: how many they are, and the sum, modulo 2^128, of a hash of each.
 * Equal sets, equal digests, whatever their order and history, on every machine.
 *
 * A row's hash is XXH3_128bits of 73 octets: its state in 1; then for name,
 * location and ACL each its length in 8, most significant first, and its own
 * XXH3_128bits in 16, in XXH128's canonical form.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TABLE_DIGEST_H
#define TABLE_DIGEST_H

#include <stdbool.h>

#include <mupdate/types.h>

#define DIGEST_BYTES 16

/* All zero for no rows. */
struct digest {
    uint64_t rows;
    uint64_t high;
    uint64_t low;
};

void digest_add(struct digest *digest, const struct mupdate_row *row);
void digest_subtract(struct digest *digest, const struct mupdate_row *row);

bool digest_equal(const struct digest *one, const struct digest *other);

/* In words, for who looks at a set that has not the digest that it must have. */
#define DIGEST_TEXT_BYTES 96
void digest_explain(const struct digest *is, const struct digest *must,
                    char text[DIGEST_TEXT_BYTES]);

/* The sum, most significant octet first. */
void digest_octets(const struct digest *digest, unsigned char octets[DIGEST_BYTES]);

#endif
