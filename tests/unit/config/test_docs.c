/*
 * The sample file and the manual page against the table of keys. Runs at the
 * top of the tree.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config_support.h"
#include "mupdated/config_key.h"
#include "mupdated/config_value.h"

#define SAMPLE "etc/mupdated.conf"
#define MANUAL "man/mupdated.conf.5"

static void keep_notice(void *context, const char *text)
{
    strcat(context, text);
    strcat(context, "\n");
}

static void the_sample_file_is_accepted_as_it_is(void **state)
{
    char told[4096] = "";
    struct config *config = config_read(SAMPLE, keep_notice, told, &failure);
    (void)state;

    if (config == NULL) {
        fail_msg("%s", failure.text);
    }
    assert_string_equal(told, SAMPLE ": admins: is not set, so nobody may use the master: add "
                              "\"admins:\" and the users that the servers log in as\n");
    config_free(config);
}

/* The line of text that starts with prefix, without it, to free; NULL if there is none. */
static char *line_after(const char *text, const char *prefix)
{
    char pattern[128];
    const char *found;

    snprintf(pattern, sizeof pattern, "\n%s", prefix);
    found = strstr(text, pattern);
    if (found == NULL) {
        return NULL;
    }
    found += strlen(pattern);
    return strndup(found, strcspn(found, "\n"));
}

static void the_sample_file_has_every_key_with_its_default(void **state)
{
    char *sample = slurp(SAMPLE);
    (void)state;

    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        char prefix[64];
        char *value;
        snprintf(prefix, sizeof prefix, "#%s: ", key->name);
        value = line_after(sample, prefix);
        if (value == NULL) {
            fail_msg("%s has no line \"%s...\"", SAMPLE, prefix);
        }
        assert_string_equal(value, config_value_example(key));
        free(value);
    }
    free(sample);
}

/* All of the sample's keys at once, as after the "#" of each was taken away. */
static void the_sample_file_switched_on_is_accepted(void **state)
{
    char *sample = slurp(SAMPLE);
    char *to = sample;
    struct config *config;
    (void)state;

    for (const char *from = sample; *from != '\0'; from++) {
        bool line_start = from == sample || from[-1] == '\n';
        if (!(line_start && from[0] == '#' && from[1] >= 'a' && from[1] <= 'z')) {
            *to++ = *from;
        }
    }
    *to = '\0';
    config = accept_text(sample);
    assert_string_equal(notices, "");
    assert_string_equal(config->admins.items[0], "murder");
    assert_string_equal(config_sasl(config, "auxprop_plugin"), "sasldb");
    config_free(config);
    free(sample);
}

static void the_manual_names_every_key_with_its_default_and_effect(void **state)
{
    char *manual = slurp(MANUAL);
    (void)state;

    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        char head[64];
        char tail[128];
        char *entry;
        char *end;

        snprintf(head, sizeof head, "\n.It Ic %s : ", key->name);
        entry = strstr(manual, head);
        if (entry == NULL) {
            fail_msg("%s has no entry for %s", MANUAL, key->name);
            return;
        }
        end = strstr(entry + 1, "\n.It ");
        end = end == NULL || strstr(entry, "\n.El") < end ? strstr(entry, "\n.El") : end;
        assert_non_null(end);
        *end = '\0';
        if (key->fallback != NULL) {
            snprintf(tail, sizeof tail, "\nDefault:\n.Ql %s .\n", key->fallback);
        } else {
            snprintf(tail, sizeof tail, "\nDefault:\n");
        }
        if (strstr(entry, tail) == NULL) {
            fail_msg("%s: the entry for %s does not have \"%s\"", MANUAL, key->name, tail);
        }
        snprintf(tail, sizeof tail, "\nObeyed at a %s.",
                 key->effect == CONFIG_ON_RELOAD ? "reload" : "restart");
        if (strstr(entry, tail) == NULL) {
            fail_msg("%s: the entry for %s does not say \"%s\"", MANUAL, key->name, tail);
        }
        *end = '\n';
    }
    free(manual);
}

static bool has_word(const char *text, size_t len, const char *word)
{
    size_t word_len = strlen(word);

    for (size_t i = 1; i + word_len < len; i++) {
        if (memcmp(text + i, word, word_len) == 0 && !isalnum((unsigned char)text[i - 1]) &&
            !isalnum((unsigned char)text[i + word_len])) {
            return true;
        }
    }
    return false;
}

static void the_manual_names_the_words_and_edges_of_every_key(void **state)
{
    char *manual = slurp(MANUAL);
    (void)state;

    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        char allowed[CONFIG_ALLOWED_BYTES];
        char expected[CONFIG_ALLOWED_BYTES];
        char head[64];
        const char *entry;
        size_t len;

        snprintf(head, sizeof head, "\n.It Ic %s : ", key->name);
        entry = strstr(manual, head);
        assert_non_null(entry);
        entry += strlen(head);
        len = strcspn(entry, "\n");
        if (key->type == CONFIG_NUMBER || key->type == CONFIG_SIZE ||
            key->type == CONFIG_DURATION) {
            /* "a size from 1K to 1M (...)" is ".Ar size from 1K to 1M" */
            const char *text = config_value_allowed(key, allowed) + strlen("a ");
            const char *kind = strstr(text, "number ") == NULL ? text : strstr(text, "number ");
            snprintf(expected, sizeof expected, ".Ar %.*s",
                     (int)(strchr(kind, '(') == NULL ? strlen(kind)
                                                     : (size_t)(strchr(kind, '(') - kind) - 1),
                     kind);
            if (strlen(expected) - 1 != len || strncmp(entry, expected + 1, len) != 0) {
                fail_msg("%s: %s: \"%.*s\" is not \"%s\"", MANUAL, key->name, (int)len, entry,
                         expected + 1);
            }
        }
        for (const struct config_word *word = key->words; word != NULL && word->word != NULL;
             word++) {
            const char *end = strstr(entry, "\n.It Ic ");
            if (!has_word(entry, end == NULL ? strlen(entry) : (size_t)(end - entry), word->word)) {
                fail_msg("%s: the entry for %s does not name %s", MANUAL, key->name, word->word);
            }
        }
    }
    free(manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_file_is_accepted_as_it_is),
        cmocka_unit_test(the_sample_file_has_every_key_with_its_default),
        cmocka_unit_test(the_sample_file_switched_on_is_accepted),
        cmocka_unit_test(the_manual_names_every_key_with_its_default_and_effect),
        cmocka_unit_test(the_manual_names_the_words_and_edges_of_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
