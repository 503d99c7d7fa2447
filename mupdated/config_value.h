/*
 * One value of the configuration: from text into struct config and back.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_CONFIG_VALUE_H
#define MUPDATED_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "mupdated/config_key.h"

enum config_value_result {
    CONFIG_VALUE_SET,
    CONFIG_VALUE_WRONG, /* the text is no such value; config is as it was */
    CONFIG_VALUE_NO_MEMORY,
};

/*
 * Put what text says into key's member of config, in place of what is there.
 * When the text is wrong *reason is a static text that completes "VALUE ...".
 */
enum config_value_result config_value_set(struct config *config, const struct config_key *key,
                                          const char *text, const char **reason);

/* Give back what key's member owns. */
void config_value_free(struct config *config, const struct config_key *key);

/* Whether the values of key are the same in both. */
bool config_value_equal(const struct config *a, const struct config *b,
                        const struct config_key *key);

/* Room for config_value_allowed(). */
#define CONFIG_ALLOWED_BYTES 256

/* Say what key's value may be, as "a size from 1K to 1M"; returns buffer (CONFIG_ALLOWED_BYTES). */
const char *config_value_allowed(const struct config_key *key, char *buffer);

/* A value that is right for key. */
const char *config_value_example(const struct config_key *key);

/* Append the words of text, which have blanks between. False, and list empty: out of memory. */
bool config_list_read(struct config_list *list, const char *text);

/* Give back what list owns; it is then empty. */
void config_list_free(struct config_list *list);

/* Append a word to list. False when out of memory; list is then as it was. */
bool config_list_add(struct config_list *list, const char *word, size_t len);

#endif
