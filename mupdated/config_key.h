/*
 * The table of keys: what each is called, what it may be, what it is when it
 * is not given, and where it goes in struct config. Reading, defaults,
 * messages and the comparison at SIGHUP all follow it, and a test holds the
 * sample file and the manual page to it.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_CONFIG_KEY_H
#define MUPDATED_CONFIG_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mupdated/config.h"

enum config_type {
    CONFIG_BOOL,     /* yes, no, and imapd.conf's other words for them; bool */
    CONFIG_NUMBER,   /* a whole number; int, size_t or uint64_t */
    CONFIG_SIZE,     /* octets, as 64K; int, size_t or uint64_t */
    CONFIG_DURATION, /* as 1h30m, kept in milliseconds; int */
    CONFIG_ENUM,     /* one of some words; int, enum or bool, by the word's value */
    CONFIG_WORD,     /* one of some words; char * */
    CONFIG_WORDS,    /* some of some words; char *, a blank between */
    CONFIG_TEXT,     /* anything; char * */
    CONFIG_NAME,     /* one word of printable ASCII without " and \; char * */
    CONFIG_PATH,     /* an absolute path; char * */
    CONFIG_LIST,     /* words; struct config_list */
};

/* One word that a value may be. */
struct config_word {
    const char *word;
    int value;
    /* What else stands for it, as in imapd.conf: any word for no (-1) or yes (1). */
    int truth;
};

struct config_key {
    const char *name;
    enum config_type type;
    enum config_effect effect;
    bool cyrus;                      /* imapd.conf has it too, with this meaning */
    size_t offset;                   /* of its member in struct config */
    size_t size;                     /* of that member; 0: there is none */
    const char *fallback;            /* the default as a file would give it; NULL: not set */
    uint64_t min;                    /* NUMBER, SIZE (octets), DURATION (milliseconds) */
    uint64_t max;
    const struct config_word *words; /* ENUM, WORD, WORDS: ends at a NULL word */
    const char *example;             /* a value for messages; NULL: fallback */
    const char *none;                /* PATH, NAME: the word for "not set", or NULL */
};

extern const struct config_key config_keys[];
extern const size_t config_key_count;

/* The key called name (in small letters), or NULL. */
const struct config_key *config_key_find(const char *name);

/* The key that Cyrus used to call name, or NULL. */
const struct config_key *config_key_renamed(const char *name);

/* How far a misspelt name may be from a key's: swapped, missing, extra or wrong letters. */
#define CONFIG_NEAR 2

/*
 * The key whose name is nearest to name and no more than CONFIG_NEAR away, or
 * NULL. Names of fewer than four letters are near to nothing.
 */
const struct config_key *config_key_nearest(const char *name);

/* The letters to swap, drop, add or change to make b of a; CONFIG_NEAR + 1 if more than that. */
unsigned config_key_distance(const char *a, const char *b);

#endif
