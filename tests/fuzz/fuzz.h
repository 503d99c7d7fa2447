/*
 * What every harness is made of. A harness is one file fuzz_NAME.c with
 * LLVMFuzzerTestOneInput(), which does the same for the same input, every time:
 * no clock, no random numbers, nothing kept from one input to the next.
 *
 * An input is one octet with a number n, n octets of choices, and the text. So
 * a seed is easily written by hand, and a mutation of the text leaves the
 * choices as they are. The choices begin anew when they are used up; without
 * any, each is 0.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/buffer.h"

struct fuzz {
    const uint8_t *choices;
    size_t choice_count;
    size_t next; /* the choice to be used next */
    const uint8_t *text;
    size_t len;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold for every input; if it does not, that input is a finding. */
#define FUZZ_CHECK(condition)                                    \
    do {                                                         \
        if (!(condition))                                        \
            fuzz_failed(__FILE__, __LINE__, #condition);         \
    } while (0)

_Noreturn void fuzz_failed(const char *file, int line, const char *condition);

/* Divide an input, whose octets must stay. */
void fuzz_open(struct fuzz *fuzz, const uint8_t *data, size_t size);

/* The next choice, a number below limit (1 to 65536). */
size_t fuzz_below(struct fuzz *fuzz, size_t limit);

/* How much of len octets to give at once: 1 to len, often few. */
size_t fuzz_piece(struct fuzz *fuzz, size_t len);

/*
 * A copy of len octets (NULL data: none) in memory of just that size, so that a
 * sanitizer sees every octet read too far. Never NULL; to be freed.
 */
void *fuzz_copy(const void *data, size_t len);

/* Read each octet, for the sanitizers to see that it may be read. */
void fuzz_touch(const void *data, size_t len);

#endif
