/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/config_value.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t\v\f\r\n"

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"B", 1},
    {"K", UINT64_C(1) << 10},
    {"KB", UINT64_C(1) << 10},
    {"M", UINT64_C(1) << 20},
    {"MB", UINT64_C(1) << 20},
    {"G", UINT64_C(1) << 30},
    {"GB", UINT64_C(1) << 30},
    {NULL, 0},
};

static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};

/* Without a unit: octets, seconds. */
static uint64_t plain_factor(enum config_type type)
{
    return type == CONFIG_DURATION ? 1000 : 1;
}

/* imapd.conf's words: 1 for yes, -1 for no, 0 for neither. */
static int truth_of(const char *text)
{
    static const char *const yes[] = {"yes", "on", "true", "t", "y", "1", NULL};
    static const char *const no[] = {"no", "off", "false", "f", "n", "0", NULL};

    for (size_t i = 0; yes[i] != NULL; i++) {
        if (strcasecmp(text, yes[i]) == 0) {
            return 1;
        }
    }
    for (size_t i = 0; no[i] != NULL; i++) {
        if (strcasecmp(text, no[i]) == 0) {
            return -1;
        }
    }
    return 0;
}

static const struct config_word *find_word(const struct config_word *words, const char *text,
                                           size_t len)
{
    for (; words->word != NULL; words++) {
        if (strlen(words->word) == len && strncasecmp(words->word, text, len) == 0) {
            return words;
        }
    }
    return NULL;
}

static const struct config_word *find_value(const struct config_word *words, const char *text)
{
    const struct config_word *word = find_word(words, text, strlen(text));
    int truth = truth_of(text);

    if (word == NULL && truth != 0) {
        for (word = words; word->word != NULL && word->truth != truth; word++) {
        }
        word = word->word == NULL ? NULL : word;
    }
    return word;
}

/* Digits, stepped over; UINT64_MAX if they say more than that. False if there are none. */
static bool parse_digits(const char **text, uint64_t *number)
{
    const char *p = *text;

    *number = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        *number = *number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : 10 * *number + digit;
    }
    if (p == *text) {
        return false;
    }
    *text = p;
    return true;
}

/* The letters of a unit, stepped over, and its factor. False if they are none. */
static bool parse_unit(const char **text, const struct unit *units, uint64_t *factor)
{
    size_t len = strspn(*text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    for (; units->name != NULL; units++) {
        if (strlen(units->name) == len && strncasecmp(*text, units->name, len) == 0) {
            *factor = units->factor;
            *text += len;
            return true;
        }
    }
    return false;
}

static uint64_t scale(uint64_t number, uint64_t factor)
{
    return number > UINT64_MAX / factor ? UINT64_MAX : number * factor;
}

/* A number with the units of its type; of durations there may be several, which are added. */
static bool parse_number(enum config_type type, const char *text, uint64_t *number)
{
    const struct unit *units = type == CONFIG_SIZE ? size_units : duration_units;
    uint64_t sum = 0;
    bool first = true;

    do {
        uint64_t part;
        uint64_t factor = plain_factor(type);

        if (!parse_digits(&text, &part)) {
            return false;
        }
        if (*text == '\0' && first) {
            *number = scale(part, factor);
            return true;
        }
        if (type == CONFIG_NUMBER || !parse_unit(&text, units, &factor)) {
            return false;
        }
        part = scale(part, factor);
        sum = sum > UINT64_MAX - part ? UINT64_MAX : sum + part;
        first = false;
    } while (type == CONFIG_DURATION && *text != '\0');
    *number = sum;
    return *text == '\0';
}

static void *member(struct config *config, const struct config_key *key)
{
    return (char *)config + key->offset;
}

static const void *const_member(const struct config *config, const struct config_key *key)
{
    return (const char *)config + key->offset;
}

/* The members that hold numbers are of these three widths; the table's ranges fit them. */
static void store(struct config *config, const struct config_key *key, uint64_t number)
{
    void *to = member(config, key);

    if (key->size == sizeof(bool)) {
        bool narrow = number != 0;
        memcpy(to, &narrow, sizeof narrow);
    } else if (key->size == sizeof(uint32_t)) {
        uint32_t narrow = (uint32_t)number;
        memcpy(to, &narrow, sizeof narrow);
    } else if (key->size == sizeof(uint64_t)) {
        memcpy(to, &number, sizeof number);
    }
}

static enum config_value_result set_string(struct config *config, const struct config_key *key,
                                           const char *text)
{
    char *copy;

    if (key->size == 0) {
        return CONFIG_VALUE_SET;
    }
    copy = strdup(text);
    if (copy == NULL) {
        return CONFIG_VALUE_NO_MEMORY;
    }
    config_value_free(config, key);
    /* gcc-analyzer(use-of-uninitialized-value): it takes what strdup() wrote for lost */
    memcpy(member(config, key), &copy, sizeof copy);
    /* cppcheck-suppress memleak ; config has it now, and config_value_free() frees it */
    return CONFIG_VALUE_SET;
}

static enum config_value_result set_number(struct config *config, const struct config_key *key,
                                           const char *text, const char **reason)
{
    uint64_t number;

    if (!parse_number(key->type, text, &number)) {
        *reason = key->type == CONFIG_SIZE       ? "is not a size"
                  : key->type == CONFIG_DURATION ? "is not a duration"
                                                 : "is not a whole number";
        return CONFIG_VALUE_WRONG;
    }
    if (number < key->min || number > key->max) {
        *reason = number < key->min ? "is too small" : "is too large";
        return CONFIG_VALUE_WRONG;
    }
    store(config, key, number);
    return CONFIG_VALUE_SET;
}

static enum config_value_result set_words(struct config *config, const struct config_key *key,
                                          const char *text, const char **reason)
{
    char *joined = calloc(1, strlen(text) + 1);
    enum config_value_result result = CONFIG_VALUE_WRONG;

    if (joined == NULL) {
        return CONFIG_VALUE_NO_MEMORY;
    }
    *reason = "has nothing that can be had";
    while (*(text += strspn(text, BLANKS)) != '\0') {
        size_t len = strcspn(text, BLANKS);
        const struct config_word *word = find_word(key->words, text, len);
        if (word == NULL) {
            *reason = "has a word that is not one of those allowed";
            goto done;
        }
        if (word->value != 0) {
            strcat(joined, joined[0] == '\0' ? "" : " ");
            strcat(joined, word->word);
        }
        text += len;
    }
    if (joined[0] != '\0') {
        result = set_string(config, key, joined);
    }
done:
    free(joined);
    return result;
}

bool config_list_add(struct config_list *list, const char *word, size_t len)
{
    char **bigger = realloc(list->items, (list->count + 1) * sizeof *bigger);
    char *copy;

    if (bigger == NULL) {
        return false;
    }
    list->items = bigger;
    copy = strndup(word, len);
    if (copy == NULL) {
        return false;
    }
    list->items[list->count++] = copy;
    return true;
}

void config_list_free(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
    list->items = NULL;
    list->count = 0;
}

bool config_list_read(struct config_list *list, const char *text)
{
    while (*(text += strspn(text, BLANKS)) != '\0') {
        size_t len = strcspn(text, BLANKS);
        if (!config_list_add(list, text, len)) {
            config_list_free(list);
            return false;
        }
        text += len;
    }
    return true;
}

static enum config_value_result set_list(struct config *config, const struct config_key *key,
                                         const char *text)
{
    struct config_list list = {NULL, 0};

    if (!config_list_read(&list, text)) {
        return CONFIG_VALUE_NO_MEMORY;
    }
    config_value_free(config, key);
    memcpy(member(config, key), &list, sizeof list);
    return CONFIG_VALUE_SET;
}

static bool is_name(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text > '~' || *text == '"' || *text == '\\') {
            return false;
        }
    }
    return true;
}

/* imapd.conf: a path may begin with "{configdirectory}", which is filled in at the end. */
static bool is_path(const char *text)
{
    return text[0] == '/' || strncasecmp(text, "{configdirectory}", 17) == 0;
}

static bool is_none(const struct config_key *key, const char *text)
{
    return key->none != NULL && strcasecmp(text, key->none) == 0;
}

enum config_value_result config_value_set(struct config *config, const struct config_key *key,
                                          const char *text, const char **reason)
{
    const struct config_word *word;
    int truth;

    switch (key->type) {
    case CONFIG_BOOL:
        truth = truth_of(text);
        if (truth == 0) {
            *reason = "is neither yes nor no";
            return CONFIG_VALUE_WRONG;
        }
        store(config, key, truth > 0);
        return CONFIG_VALUE_SET;
    case CONFIG_NUMBER:
    case CONFIG_SIZE:
    case CONFIG_DURATION:
        return set_number(config, key, text, reason);
    case CONFIG_ENUM:
    case CONFIG_WORD:
        word = find_value(key->words, text);
        if (word == NULL) {
            *reason = "is not one of the words allowed";
            return CONFIG_VALUE_WRONG;
        }
        if (key->type == CONFIG_WORD) {
            return set_string(config, key, word->word);
        }
        store(config, key, (uint64_t)word->value);
        return CONFIG_VALUE_SET;
    case CONFIG_WORDS:
        return set_words(config, key, text, reason);
    case CONFIG_TEXT:
        break;
    case CONFIG_NAME:
        if (is_none(key, text)) {
            config_value_free(config, key);
            return CONFIG_VALUE_SET;
        }
        if (!is_name(text)) {
            *reason = "is not one word of plain characters";
            return CONFIG_VALUE_WRONG;
        }
        break;
    case CONFIG_PATH:
        if (is_none(key, text)) {
            config_value_free(config, key);
            return CONFIG_VALUE_SET;
        }
        if (!is_path(text)) {
            *reason = "is not an absolute path";
            return CONFIG_VALUE_WRONG;
        }
        break;
    case CONFIG_LIST:
        return set_list(config, key, text);
    }
    return set_string(config, key, text);
}

static bool is_string(const struct config_key *key)
{
    return key->type == CONFIG_WORD || key->type == CONFIG_WORDS || key->type == CONFIG_TEXT ||
           key->type == CONFIG_NAME || key->type == CONFIG_PATH;
}

void config_value_free(struct config *config, const struct config_key *key)
{
    if (key->size == 0) {
        return;
    }
    if (key->type == CONFIG_LIST) {
        config_list_free(member(config, key));
    } else if (is_string(key)) {
        char *old;
        memcpy(&old, member(config, key), sizeof old);
        free(old);
        memset(member(config, key), 0, key->size);
    }
}

static bool equal_strings(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool equal_lists(const struct config_list *a, const struct config_list *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->items[i], b->items[i]) != 0) {
            return false;
        }
    }
    return true;
}

bool config_value_equal(const struct config *a, const struct config *b,
                        const struct config_key *key)
{
    const void *of_a = const_member(a, key);
    const void *of_b = const_member(b, key);
    char *string_a;
    char *string_b;

    if (key->size == 0) {
        return true;
    }
    if (key->type == CONFIG_LIST) {
        return equal_lists(of_a, of_b);
    }
    if (!is_string(key)) {
        return memcmp(of_a, of_b, key->size) == 0;
    }
    memcpy(&string_a, of_a, sizeof string_a);
    memcpy(&string_b, of_b, sizeof string_b);
    return equal_strings(string_a, string_b);
}

/* The largest unit that divides it, as a person would write it. */
static void format_number(enum config_type type, uint64_t number, char *out, size_t size)
{
    const struct unit *units = type == CONFIG_SIZE ? size_units : duration_units;
    const struct unit *best = NULL;

    if (type != CONFIG_NUMBER && number != 0) {
        for (const struct unit *unit = units; unit->name != NULL; unit++) {
            bool shorter = best == NULL || unit->factor > best->factor;
            if (unit->factor > (type == CONFIG_SIZE) && number % unit->factor == 0 && shorter) {
                best = unit;
            }
        }
    }
    if (best != NULL) {
        number /= best->factor;
    }
    snprintf(out, size, "%llu%s", (unsigned long long)number, best == NULL ? "" : best->name);
}

static void format_words(const struct config_word *words, char *out, size_t size)
{
    size_t used = 0;

    for (; words->word != NULL && used < size; words++) {
        const char *between = used == 0 ? "" : words[1].word == NULL ? " or " : ", ";
        used += (size_t)snprintf(out + used, size - used, "%s%s", between, words->word);
    }
}

const char *config_value_allowed(const struct config_key *key, char *buffer)
{
    char min[32];
    char max[32];
    char words[CONFIG_ALLOWED_BYTES - 32];

    switch (key->type) {
    case CONFIG_BOOL:
        return "yes or no";
    case CONFIG_NUMBER:
    case CONFIG_SIZE:
    case CONFIG_DURATION:
        format_number(key->type, key->min, min, sizeof min);
        format_number(key->type, key->max, max, sizeof max);
        snprintf(buffer, CONFIG_ALLOWED_BYTES, "a %s from %s to %s%s",
                 key->type == CONFIG_SIZE       ? "size"
                 : key->type == CONFIG_DURATION ? "duration"
                                                : "whole number",
                 min, max,
                 key->type == CONFIG_SIZE ? " (octets, or with K, M or G for 1024, 1024K or 1024M)"
                 : key->type == CONFIG_DURATION
                     ? " (seconds, or with ms, s, m, h or d; several are added, as 1h30m)"
                     : "");
        return buffer;
    case CONFIG_ENUM:
    case CONFIG_WORD:
        format_words(key->words, buffer, CONFIG_ALLOWED_BYTES);
        return buffer;
    case CONFIG_WORDS:
        format_words(key->words, words, sizeof words);
        snprintf(buffer, CONFIG_ALLOWED_BYTES, "one or more of %s", words);
        return buffer;
    case CONFIG_TEXT:
        return "any text";
    case CONFIG_NAME:
        return "a word of letters, digits and signs other than '\"' and '\\'";
    case CONFIG_PATH:
        return "a path from the root, as \"/...\"";
    case CONFIG_LIST:
        return "words with blanks between";
    }
    return "";
}

const char *config_value_example(const struct config_key *key)
{
    return key->example != NULL ? key->example : key->fallback;
}
