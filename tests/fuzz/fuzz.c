/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void fuzz_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, condition);
    abort();
}

void fuzz_open(struct fuzz *fuzz, const uint8_t *data, size_t size)
{
    memset(fuzz, 0, sizeof *fuzz);
    fuzz->text = (const uint8_t *)"";
    if (size == 0)
        return;
    fuzz->choices = data + 1;
    fuzz->choice_count = data[0] < size - 1 ? data[0] : size - 1;
    fuzz->text = fuzz->choices + fuzz->choice_count;
    fuzz->len = size - 1 - fuzz->choice_count;
}

static size_t next_octet(struct fuzz *fuzz)
{
    if (fuzz->choice_count == 0)
        return 0;
    return fuzz->choices[fuzz->next++ % fuzz->choice_count];
}

size_t fuzz_below(struct fuzz *fuzz, size_t limit)
{
    size_t number = next_octet(fuzz);

    if (limit > 256)
        number = number << 8 | next_octet(fuzz);
    return number % limit;
}

size_t fuzz_piece(struct fuzz *fuzz, size_t len)
{
    size_t piece = fuzz_below(fuzz, 256);

    return piece == 0 || piece > len ? len : piece;
}

void *fuzz_copy(const void *data, size_t len)
{
    void *copy = malloc(len > 0 ? len : 1);

    FUZZ_CHECK(copy != NULL);
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

void fuzz_touch(const void *data, size_t len)
{
    const volatile uint8_t *octets = data;
    uint8_t seen = 0;

    for (size_t i = 0; i < len; i++)
        seen ^= octets[i];
    (void)seen;
}
