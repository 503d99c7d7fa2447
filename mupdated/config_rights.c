/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/config_rights.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mupdated/config_value.h"

#define SERVER_CHARACTERS \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:"
#define SERVER_ALLOWED "letters, digits and . - _ :"

static const char *const role_keys[] = {
    [CONFIG_ROLE_READER] = "readers",
    [CONFIG_ROLE_BACKEND] = "backends",
    [CONFIG_ROLE_ADMIN] = "admins",
};

struct resolving {
    struct config *config;
    const struct config_origins *origins;
    struct config_error *error;
};

/* One word of one of the keys. */
struct grant {
    const char *word;
    enum config_role role;
    const struct config_list *servers; /* of a back-end; empty: its own name */
};

static int out_of_memory(const struct resolving *resolving)
{
    return config_fail(resolving->error, NULL, "out of memory");
}

static bool is_server(const char *name, size_t len)
{
    return len > 0 && strspn(name, SERVER_CHARACTERS) >= len;
}

static bool add_server(struct config_list *servers, const char *name)
{
    for (size_t i = 0; i < servers->count; i++) {
        if (strcmp(servers->items[i], name) == 0) {
            return true;
        }
    }
    return config_list_add(servers, name, strlen(name));
}

static int add_servers(const struct resolving *resolving, struct config_identity *identity,
                       const struct grant *grant)
{
    struct config_where where;

    for (size_t i = 0; i < grant->servers->count; i++) {
        if (!add_server(&identity->servers, grant->servers->items[i])) {
            return out_of_memory(resolving);
        }
    }
    if (grant->servers->count > 0) {
        return 0;
    }
    if (!is_server(identity->name, strlen(identity->name))) {
        where = config_origin_of(resolving->origins, "backends");
        return config_fail(resolving->error, &where,
                           "backends: %s cannot be the name of a server too (" SERVER_ALLOWED
                           "): write the name of its server behind it, as USER=SERVER",
                           CONFIG_QUOTE(identity->name));
    }
    return add_server(&identity->servers, identity->name) ? 0 : out_of_memory(resolving);
}

static int add_identity(const struct resolving *resolving, const char *name,
                        const struct grant *grant)
{
    struct config *config = resolving->config;
    size_t count = config->identity_count;
    struct config_identity *identity;
    struct config_identity *bigger = config->identities;

    /* Room for twice as many each time that the count is a power of two. */
    if ((count & (count - 1)) == 0) {
        bigger = realloc(bigger, (count == 0 ? 1 : 2 * count) * sizeof *bigger);
        if (bigger == NULL) {
            return out_of_memory(resolving);
        }
        config->identities = bigger;
    }
    identity = &config->identities[count];
    *identity = (struct config_identity){.name = strdup(name), .role = grant->role};
    config->identity_count++;
    if (identity->name == NULL) {
        return out_of_memory(resolving);
    }
    return grant->role == CONFIG_ROLE_BACKEND ? add_servers(resolving, identity, grant) : 0;
}

static const char *find_group(const struct config *config, const char *name)
{
    /* Keys are read in small letters. */
    for (size_t i = 0; i < config->groups.count; i++) {
        if (strcasecmp(config->groups.items[i].name, name) == 0) {
            return config->groups.items[i].value;
        }
    }
    return NULL;
}

static int check_group(const struct resolving *resolving, const struct config_named *group)
{
    struct config_where where = config_origin_of_group(resolving->origins, group->name);
    struct config_list words = {NULL, 0};
    int result = 0;

    if (!config_list_read(&words, group->value)) {
        return out_of_memory(resolving);
    }
    for (size_t i = 0; i < words.count && result == 0; i++) {
        if (words.items[i][0] == '@') {
            result = config_fail(resolving->error, &where,
                                 "group_%s: %s is a group, and a group cannot hold another: write "
                                 "the users of that one here",
                                 group->name, CONFIG_QUOTE(words.items[i]));
        }
    }
    config_list_free(&words);
    return result;
}

/* A word that names a group stands for each of its words. */
static int add_word(const struct resolving *resolving, const struct grant *grant)
{
    const char *key = role_keys[grant->role];
    struct config_where where = config_origin_of(resolving->origins, key);
    struct config_list words = {NULL, 0};
    const char *group;
    int result = 0;

    if (grant->word[0] != '@') {
        return add_identity(resolving, grant->word, grant);
    }
    group = find_group(resolving->config, grant->word + 1);
    if (group == NULL) {
        return config_fail(resolving->error, &where,
                           "%s: %s is no group that is configured: add its users under the key "
                           "group_NAME, or correct the name",
                           key, CONFIG_QUOTE(grant->word));
    }
    if (!config_list_read(&words, group)) {
        return out_of_memory(resolving);
    }
    for (size_t i = 0; i < words.count && result == 0; i++) {
        result = add_identity(resolving, words.items[i], grant);
    }
    config_list_free(&words);
    return result;
}

static int split_servers(const struct resolving *resolving, const char *word, const char *text,
                         struct config_list *servers)
{
    struct config_where where = config_origin_of(resolving->origins, "backends");

    for (;;) {
        size_t len = strcspn(text, ",");

        if (!is_server(text, len)) {
            return config_fail(resolving->error, &where,
                               "backends: %s has a server that is no name of one: give USER=SERVER "
                               "or USER=SERVER,SERVER with names of " SERVER_ALLOWED
                               ", the part of a location before the \"!\"",
                               CONFIG_QUOTE(word));
        }
        if (!config_list_add(servers, text, len)) {
            return out_of_memory(resolving);
        }
        if (text[len] == '\0') {
            return 0;
        }
        text += len + 1;
    }
}

/* USER, USER=SERVER,...; no server has a '=' in its name, but a user may. */
static int add_backend(const struct resolving *resolving, const char *word)
{
    struct config_where where = config_origin_of(resolving->origins, "backends");
    const char *mark = strrchr(word, '=');
    struct config_list servers = {NULL, 0};
    struct grant grant = {.role = CONFIG_ROLE_BACKEND, .servers = &servers};
    char *user;
    int result = 0;

    if (mark == word) {
        return config_fail(resolving->error, &where,
                           "backends: %s has no user: give USER=SERVER", CONFIG_QUOTE(word));
    }
    user = strndup(word, mark == NULL ? strlen(word) : (size_t)(mark - word));
    if (user == NULL) {
        return out_of_memory(resolving);
    }
    grant.word = user;
    if (mark != NULL) {
        result = split_servers(resolving, word, mark + 1, &servers);
    }
    if (result == 0) {
        result = add_word(resolving, &grant);
    }
    config_list_free(&servers);
    free(user);
    return result;
}

static int add_all(const struct resolving *resolving)
{
    const struct config *config = resolving->config;
    struct grant grant = {.role = CONFIG_ROLE_ADMIN};

    for (size_t i = 0; i < config->groups.count; i++) {
        if (check_group(resolving, &config->groups.items[i]) != 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < config->admins.count; i++) {
        grant.word = config->admins.items[i];
        if (add_word(resolving, &grant) != 0) {
            return -1;
        }
    }
    grant.role = CONFIG_ROLE_READER;
    for (size_t i = 0; i < config->readers.count; i++) {
        grant.word = config->readers.items[i];
        if (add_word(resolving, &grant) != 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < config->backends.count; i++) {
        if (add_backend(resolving, config->backends.items[i]) != 0) {
            return -1;
        }
    }
    return 0;
}

static int compare_identities(const void *a, const void *b)
{
    return strcmp(((const struct config_identity *)a)->name,
                  ((const struct config_identity *)b)->name);
}

static int compare_servers(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int merge(const struct resolving *resolving, struct config_identity *into,
                 const struct config_identity *from)
{
    const char *keys[2] = {role_keys[into->role], role_keys[from->role]};
    struct config_where where = config_origin_either(resolving->origins, keys[0], keys[1]);

    if (into->role != from->role) {
        return config_fail(resolving->error, &where,
                           "%s: %s is in %s too, and a user has one role: remove it from one of "
                           "the two, also where a group holds it",
                           keys[0], CONFIG_QUOTE(from->name), keys[1]);
    }
    for (size_t i = 0; i < from->servers.count; i++) {
        if (!add_server(&into->servers, from->servers.items[i])) {
            return out_of_memory(resolving);
        }
    }
    return 0;
}

/* Each identity once, in order: what a look-up needs. */
static int put_in_order(const struct resolving *resolving)
{
    struct config *config = resolving->config;
    struct config_identity *all = config->identities;
    size_t kept = 0;

    if (config->identity_count > 0) {
        qsort(all, config->identity_count, sizeof *all, compare_identities);
    }
    for (size_t i = 0; i < config->identity_count; i++) {
        if (kept == 0 || strcmp(all[kept - 1].name, all[i].name) != 0) {
            struct config_identity next = all[i];

            all[i] = (struct config_identity){.name = NULL};
            all[kept++] = next;
            continue;
        }
        if (merge(resolving, &all[kept - 1], &all[i]) != 0) {
            return -1;
        }
        free(all[i].name);
        config_list_free(&all[i].servers);
        all[i] = (struct config_identity){.name = NULL};
    }
    config->identity_count = kept;
    /* The order in which equal names came out of the sort means nothing. */
    for (size_t i = 0; i < kept; i++) {
        if (all[i].servers.count > 1) {
            qsort(all[i].servers.items, all[i].servers.count, sizeof *all[i].servers.items,
                  compare_servers);
        }
    }
    return 0;
}

int config_rights_resolve(struct config *config, const struct config_origins *origins,
                          struct config_error *error)
{
    const struct resolving resolving = {.config = config, .origins = origins, .error = error};

    return add_all(&resolving) != 0 || put_in_order(&resolving) != 0 ? -1 : 0;
}
