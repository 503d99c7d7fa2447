/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mupdated/config_check.h"
#include "mupdated/config_cyrus.h"
#include "mupdated/config_file.h"
#include "mupdated/config_key.h"
#include "mupdated/config_value.h"

#define SETTINGS_MAX 4096

/* Keys of which only the beginning is ours, and where they are kept. */
enum { FAMILY_SASL, FAMILY_GROUP, FAMILIES };

static const struct {
    const char *prefix;
    size_t offset; /* in struct config */
} families[FAMILIES] = {
    [FAMILY_SASL] = {"sasl_", offsetof(struct config, sasl)},
    [FAMILY_GROUP] = {"group_", offsetof(struct config, groups)},
};

/* Cyrus calls the master's service mupdate; its keys with this prefix win over those without. */
#define SERVICE_PREFIX "mupdate_"

/* Of several settings of one key the highest of these holds. */
enum rank { RANK_DEFAULT, RANK_RENAMED, RANK_PLAIN, RANK_SERVICE_RENAMED, RANK_SERVICE };

struct builder {
    struct config *config;
    struct config_origin *settings; /* origins.settings, SETTINGS_MAX at most */
    struct config_origins origins;
    enum rank *ranks; /* of each of config_keys */
    enum rank *family_ranks[FAMILIES];
    config_notice *notice;
    void *context;
    struct config_error *error;
};

static int out_of_memory(const struct builder *builder)
{
    return config_fail(builder->error, NULL, "out of memory");
}

static bool has_prefix(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* The number of the family whose key name is, or FAMILIES. */
static size_t family_of(const char *name)
{
    size_t family = 0;

    while (family < FAMILIES && (!has_prefix(name, families[family].prefix) ||
                                 name[strlen(families[family].prefix)] == '\0')) {
        family++;
    }
    return family;
}

static struct config_family *family_in(struct config *config, size_t family)
{
    return (struct config_family *)((char *)config + families[family].offset);
}

static const struct config_family *const_family_in(const struct config *config, size_t family)
{
    return (const struct config_family *)((const char *)config + families[family].offset);
}

/* Remember that name was given. Fails if it was before: imapd.conf's rule. */
static int remember(struct builder *builder, const struct config_where *where, const char *name)
{
    const struct config_origin *before = config_origin_find(&builder->origins, name);
    struct config_origin setting;

    if (before != NULL) {
        return config_fail(builder->error, where,
                           "%s: is given a second time, the first is at %s:%u: keep one of the two",
                           name, before->file, before->line);
    }
    if (builder->origins.count == SETTINGS_MAX) {
        return config_fail(builder->error, where,
                           "%s: is setting number %d, and more are not read: this is no "
                           "configuration of mupdated or Cyrus",
                           name, SETTINGS_MAX + 1);
    }
    setting.key = strdup(name);
    setting.file = strdup(where->file);
    setting.line = where->line;
    if (setting.key == NULL || setting.file == NULL) {
        free(setting.key);
        free(setting.file);
        return out_of_memory(builder);
    }
    builder->settings[builder->origins.count++] = setting;
    return 0;
}

static int set_value(struct builder *builder, const struct config_where *where, const char *name,
                     const struct config_key *key, const char *value)
{
    const char *reason = NULL;
    char allowed[CONFIG_ALLOWED_BYTES];

    switch (config_value_set(builder->config, key, value, &reason)) {
    case CONFIG_VALUE_SET:
        return 0;
    case CONFIG_VALUE_NO_MEMORY:
        return out_of_memory(builder);
    case CONFIG_VALUE_WRONG:
        break;
    }
    return config_fail(builder->error, where, "%s: %s %s: give %s, e.g. \"%s: %s\"", name,
                       CONFIG_QUOTE(value), reason, config_value_allowed(key, allowed), name,
                       config_value_example(key));
}

/* The setting is the one that was remembered last. */
static int set_key(struct builder *builder, const struct config_where *where, const char *name,
                   const struct config_key *key, enum rank rank, const char *value)
{
    size_t index = (size_t)(key - config_keys);

    if (rank < builder->ranks[index]) {
        return 0;
    }
    if (set_value(builder, where, name, key, value) != 0) {
        return -1;
    }
    builder->ranks[index] = rank;
    builder->origins.of_key[index] = &builder->settings[builder->origins.count - 1];
    if (strcmp(key->name, "mupdate_config") == 0 && strcasecmp(value, "standard") != 0) {
        config_tell(builder->notice, builder->context, where,
                    "%s: has no effect: mupdated serves every kind of Murder as a standard one",
                    name);
    }
    return 0;
}

static int set_named(struct builder *builder, size_t family, const char *name, enum rank rank,
                     const char *value)
{
    struct config_family *settings = family_in(builder->config, family);
    enum rank **ranks = &builder->family_ranks[family];
    struct config_named *setting;
    struct config_named *bigger;
    enum rank *bigger_ranks;
    size_t i;

    for (i = 0; i < settings->count && strcmp(settings->items[i].name, name) != 0; i++) {
    }
    if (i < settings->count && (*ranks)[i] > rank) {
        return 0;
    }
    if (i == settings->count) {
        bigger = realloc(settings->items, (i + 1) * sizeof *bigger);
        if (bigger == NULL) {
            return out_of_memory(builder);
        }
        settings->items = bigger;
        bigger_ranks = realloc(*ranks, (i + 1) * sizeof *bigger_ranks);
        if (bigger_ranks == NULL) {
            return out_of_memory(builder);
        }
        *ranks = bigger_ranks;
        settings->items[i] = (struct config_named){.name = strdup(name)};
        settings->count++;
    }
    setting = &settings->items[i];
    free(setting->value);
    setting->value = strdup(value);
    (*ranks)[i] = rank;
    return setting->name == NULL || setting->value == NULL ? out_of_memory(builder) : 0;
}

static bool cyrus_knows(const char *name)
{
    const struct config_key *key = config_key_find(name);

    return (key != NULL && key->cyrus) || config_key_renamed(name) != NULL ||
           has_prefix(name, families[FAMILY_SASL].prefix) || config_cyrus_has(name);
}

/* The length of the service in front of a key of Cyrus's, as 4 for imap_admins; 0: none. */
static size_t service_len(const char *name)
{
    for (const char *p = strchr(name, '_'); p != NULL; p = strchr(p + 1, '_')) {
        if (p > name && cyrus_knows(p + 1)) {
            return (size_t)(p - name);
        }
    }
    return 0;
}

/* A key that is not for us: of Cyrus's, or a mistake. */
static int set_other(struct builder *builder, const struct config_where *where, const char *name)
{
    const struct config_key *near = config_key_nearest(name);
    size_t service = service_len(name);
    bool own = has_prefix(name, SERVICE_PREFIX) && service == strlen(SERVICE_PREFIX) - 1;

    if (config_cyrus_has(name) || own) {
        config_tell(builder->notice, builder->context, where,
                    "%s: has no effect: a key of Cyrus's without a meaning for mupdated", name);
        return 0;
    }
    if (near != NULL) {
        return config_fail(builder->error, where,
                           "%s: is not a key of mupdated or Cyrus: did you mean \"%s\"?", name,
                           near->name);
    }
    if (service > 0) {
        config_tell(builder->notice, builder->context, where,
                    "%s: has no effect: for Cyrus's service \"%.*s\", mupdated is \"mupdate\"",
                    name, (int)service, name);
        return 0;
    }
    if (config_cyrus_may_have(name)) {
        config_tell(builder->notice, builder->context, where,
                    "%s: has no effect: taken for a key of Cyrus's without a meaning for mupdated",
                    name);
        return 0;
    }
    return config_fail(builder->error, where,
                       "%s: is not a key of mupdated or Cyrus: correct its spelling, or remove the "
                       "line; mupdated.conf(5) lists the keys",
                       name);
}

static int on_setting(void *context, const struct config_where *where, const char *name,
                      const char *value)
{
    struct builder *builder = context;
    const char *plain = name;
    const struct config_key *key;
    const struct config_key *renamed;
    bool service = false;
    size_t family;

    if (has_prefix(name, SERVICE_PREFIX)) {
        const char *rest = name + strlen(SERVICE_PREFIX);
        if (config_key_find(rest) != NULL || config_key_renamed(rest) != NULL ||
            family_of(rest) < FAMILIES) {
            plain = rest;
            service = true;
        }
    }
    key = config_key_find(plain);
    renamed = config_key_renamed(plain);
    if (remember(builder, where, name) != 0) {
        return -1;
    }
    if (key != NULL) {
        return set_key(builder, where, name, key, service ? RANK_SERVICE : RANK_PLAIN, value);
    }
    if (renamed != NULL) {
        config_tell(builder->notice, builder->context, where,
                    "%s: is obeyed, and called \"%s\" today: please rename it", name,
                    renamed->name);
        return set_key(builder, where, name, renamed,
                       service ? RANK_SERVICE_RENAMED : RANK_RENAMED, value);
    }
    family = family_of(plain);
    if (family < FAMILIES) {
        return set_named(builder, family, plain + strlen(families[family].prefix),
                         service ? RANK_SERVICE : RANK_PLAIN, value);
    }
    return set_other(builder, where, name);
}

static void on_notice(void *context, const char *text)
{
    struct builder *builder = context;

    if (builder->notice != NULL) {
        builder->notice(builder->context, text);
    }
}

static int set_defaults(struct builder *builder)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (builder->ranks[i] == RANK_DEFAULT && key->fallback != NULL &&
            set_value(builder, NULL, key->name, key, key->fallback) != 0) {
            return -1;
        }
    }
    return 0;
}

static struct config *build(const char *name, const char *text, size_t len, config_notice *notice,
                            void *context, struct config_error *error)
{
    struct builder builder = {
        .origins.file = name, .notice = notice, .context = context, .error = error};
    struct config_reader reader = {
        .setting = on_setting, .notice = on_notice, .context = &builder, .error = error};
    bool good = false;

    error->text[0] = '\0';
    builder.config = calloc(1, sizeof *builder.config);
    builder.ranks = calloc(config_key_count, sizeof *builder.ranks);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): it is an array of pointers */
    builder.origins.of_key = calloc(config_key_count, sizeof *builder.origins.of_key);
    builder.settings = calloc(SETTINGS_MAX, sizeof *builder.settings);
    if (builder.config == NULL || builder.ranks == NULL || builder.origins.of_key == NULL ||
        builder.settings == NULL) {
        out_of_memory(&builder);
        goto done;
    }
    builder.origins.settings = builder.settings;
    if (text == NULL && config_file_read(&reader, name) != 0) {
        goto done;
    }
    if (text != NULL && config_file_parse(&reader, name, text, len) != 0) {
        goto done;
    }
    good = set_defaults(&builder) == 0 &&
           config_check(builder.config, &builder.origins, notice, context, error) == 0;
done:
    for (size_t i = 0; i < builder.origins.count; i++) {
        free(builder.settings[i].key);
        free(builder.settings[i].file);
    }
    free(builder.settings);
    free(builder.origins.of_key);
    free(builder.ranks);
    for (size_t i = 0; i < FAMILIES; i++) {
        free(builder.family_ranks[i]);
    }
    if (!good) {
        config_free(builder.config);
        return NULL;
    }
    return builder.config;
}

struct config *config_read(const char *path, config_notice *notice, void *context,
                           struct config_error *error)
{
    return build(path, NULL, 0, notice, context, error);
}

struct config *config_parse(const char *name, const char *text, size_t len, config_notice *notice,
                            void *context, struct config_error *error)
{
    return build(name, text == NULL ? "" : text, len, notice, context, error);
}

static void free_family(struct config_family *family)
{
    for (size_t i = 0; i < family->count; i++) {
        free(family->items[i].name);
        free(family->items[i].value);
    }
    free(family->items);
}

void config_free(struct config *config)
{
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; i < config_key_count; i++) {
        config_value_free(config, &config_keys[i]);
    }
    for (size_t i = 0; i < FAMILIES; i++) {
        free_family(family_in(config, i));
    }
    for (size_t i = 0; i < config->identity_count; i++) {
        free(config->identities[i].name);
        config_list_free(&config->identities[i].servers);
    }
    free(config->identities);
    free(config);
}

static const char *find_named(const struct config_family *family, const char *name)
{
    for (size_t i = 0; i < family->count; i++) {
        if (strcmp(family->items[i].name, name) == 0) {
            return family->items[i].value;
        }
    }
    return NULL;
}

const char *config_sasl(const struct config *config, const char *name)
{
    return find_named(&config->sasl, name);
}

/* First what after has new or otherwise, then what it no longer has. */
static size_t compare_family(const struct config *before, const struct config *after,
                             size_t family, config_change *change, void *context)
{
    size_t differ = 0;
    char name[128];

    for (int pass = 0; pass < 2; pass++) {
        const struct config_family *from = const_family_in(pass == 0 ? after : before, family);
        const struct config_family *other = const_family_in(pass == 0 ? before : after, family);

        for (size_t i = 0; i < from->count; i++) {
            const char *value = find_named(other, from->items[i].name);

            if (value == NULL || (pass == 0 && strcmp(value, from->items[i].value) != 0)) {
                snprintf(name, sizeof name, "%s%s", families[family].prefix, from->items[i].name);
                change(context, name, CONFIG_ON_RELOAD);
                differ++;
            }
        }
    }
    return differ;
}

size_t config_compare(const struct config *before, const struct config *after,
                      config_change *change, void *context)
{
    size_t differ = 0;

    for (size_t i = 0; i < config_key_count; i++) {
        if (!config_value_equal(before, after, &config_keys[i])) {
            change(context, config_keys[i].name, config_keys[i].effect);
            differ++;
        }
    }
    for (size_t i = 0; i < FAMILIES; i++) {
        differ += compare_family(before, after, i, change, context);
    }
    return differ;
}
