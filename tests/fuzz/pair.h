/*
 * Two ends of a connection in memory, and an enemy between them who changes
 * what passes, as the input chooses.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_FUZZ_PAIR_H
#define TESTS_FUZZ_PAIR_H

#include "layer/layer.h"
#include "tests/fuzz/fuzz.h"

/* One end. */
struct pair_end {
    struct layer_stack stack;
    struct buffer wire; /* what it says, encoded */
    struct buffer said;
    struct buffer got;
    enum layer_result result; /* the last one of its receiving */
};

struct pair {
    struct fuzz *fuzz;
    struct pair_end ends[2];
    bool keeps;      /* the layers promise that only what was said arrives, or nothing */
    size_t slack;    /* octets that may come past a limit: those of a SASL packet */
    size_t limit;    /* of what an end takes at once; 0: as the input chooses */
    size_t changes;  /* how often the enemy may still change something */
    bool changed;    /* it did */
};

/* Two ends with empty stacks. */
void pair_init(struct pair *pair, struct fuzz *fuzz);
void pair_close(struct pair *pair);

/* An end says octets. */
void pair_say(struct pair *pair, int end, const void *data, size_t len);

/*
 * Carry what was said, in pieces and with limits as the input chooses, until
 * nobody has anything to say or one end has failed; and check after each step
 * that the limit was kept, that what arrives is the beginning of what was said
 * where the layers promise it, and that a failure has a reason and lasts.
 */
void pair_talk(struct pair *pair);

/* Give an end octets, as if the other had said them; then as pair_talk(). */
void pair_hear(struct pair *pair, int end, const void *data, size_t len);

/*
 * Say the text, in pieces, by either end, then end in order; carry it all. What
 * the enemy left alone arrives whole.
 */
void pair_say_text(struct pair *pair);

#endif
