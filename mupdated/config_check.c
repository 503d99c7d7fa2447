/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/config_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "mupdated/config_listen.h"
#include "mupdated/config_value.h"

#define CONFIGDIRECTORY "{configdirectory}"

struct check {
    struct config *config;
    const struct config_origins *origins;
    config_notice *notice;
    void *context;
    struct config_error *error;
};

static const struct config_origin *origin_of(const struct check *check, const char *key)
{
    return check->origins->of_key[config_key_find(key) - config_keys];
}

/* Where the value of key was given; the file as a whole for a default. */
static struct config_where where_is(const struct check *check, const char *key)
{
    const struct config_origin *origin = origin_of(check, key);
    struct config_where where = {.file = check->origins->file, .line = 0};

    if (origin != NULL) {
        where.file = origin->file;
        where.line = origin->line;
    }
    return where;
}

/* The later of two keys that do not go together is what the message points at. */
static struct config_where where_either(const struct check *check, const char *a, const char *b)
{
    const struct config_origin *origin_a = origin_of(check, a);
    const struct config_origin *origin_b = origin_of(check, b);

    /* They stand in one array, in the order they were read. */
    return where_is(check, origin_b != NULL && (origin_a == NULL || origin_a < origin_b) ? b : a);
}

static int out_of_memory(const struct check *check)
{
    return config_fail(check->error, NULL, "out of memory");
}

static int expand_path(const struct check *check, const struct config_key *key)
{
    const char *directory = check->config->configdirectory;
    struct config_where where = where_is(check, key->name);
    char *path;
    char *full;

    memcpy(&path, (char *)check->config + key->offset, sizeof path);
    if (path == NULL || strncasecmp(path, CONFIGDIRECTORY, strlen(CONFIGDIRECTORY)) != 0) {
        return 0;
    }
    if (path == directory || directory == NULL) {
        return config_fail(check->error, &where,
                           "%s: %s cannot be filled in, as configdirectory is not set: add "
                           "\"configdirectory: /var/lib/cyrus\", or write the path in full",
                           key->name, CONFIG_QUOTE(path));
    }
    if (asprintf(&full, "%s%s", directory, path + strlen(CONFIGDIRECTORY)) < 0) {
        return out_of_memory(check);
    }
    memcpy((char *)check->config + key->offset, &full, sizeof full);
    free(path);
    return 0;
}

static int check_paths(const struct check *check)
{
    struct config *config = check->config;

    for (size_t i = 0; i < config_key_count; i++) {
        if (config_keys[i].type == CONFIG_PATH && expand_path(check, &config_keys[i]) != 0) {
            return -1;
        }
    }
    if (config->database_directory == NULL &&
        asprintf(&config->database_directory, "%s/mupdated",
                 config->configdirectory == NULL ? "/var/lib" : config->configdirectory) < 0) {
        config->database_directory = NULL;
        return out_of_memory(check);
    }
    if (config->control_socket == NULL && origin_of(check, "control_socket") == NULL &&
        asprintf(&config->control_socket, "%s/control", config->database_directory) < 0) {
        config->control_socket = NULL;
        return out_of_memory(check);
    }
    return 0;
}

static int check_servername(const struct check *check)
{
    char name[256];
    const char *reason;

    if (check->config->servername != NULL) {
        return 0;
    }
    if (gethostname(name, sizeof name - 1) != 0) {
        strcpy(name, "localhost");
    }
    name[sizeof name - 1] = '\0';
    switch (config_value_set(check->config, config_key_find("servername"), name, &reason)) {
    case CONFIG_VALUE_SET:
        return 0;
    case CONFIG_VALUE_WRONG:
        return config_fail(check->error, NULL,
                           "%s: servername: is not set, and this host's own name %s cannot stand "
                           "for it: add \"servername: mupdate.example.org\"",
                           check->origins->file, CONFIG_QUOTE(name));
    case CONFIG_VALUE_NO_MEMORY:
        break;
    }
    return out_of_memory(check);
}

/* Put each word of listen into its full form, so that two lists can be compared. */
static int check_listen(const struct check *check)
{
    struct config_list *list = &check->config->listen;
    struct config_where where = where_is(check, "listen");

    for (size_t i = 0; i < list->count; i++) {
        char word[CONFIG_LISTEN_WORD_BYTES];
        struct config_listen listen;
        const char *reason;
        char *full;

        if (!config_listen_parse(list->items[i], (uint16_t)check->config->mupdate_port, &listen,
                                 &reason)) {
            return config_fail(check->error, &where, "listen: %s %s: give " CONFIG_LISTEN_ALLOWED,
                               CONFIG_QUOTE(list->items[i]), reason);
        }
        full = strdup(config_listen_format(&listen, word));
        if (full == NULL) {
            return out_of_memory(check);
        }
        free(list->items[i]);
        list->items[i] = full;
        for (size_t j = 0; j < i; j++) {
            if (strcasecmp(list->items[j], full) == 0) {
                return config_fail(check->error, &where,
                                   "listen: %s is given twice: remove one of the two",
                                   CONFIG_QUOTE(full));
            }
        }
    }
    return 0;
}

static int check_tls(const struct check *check)
{
    const struct config *config = check->config;
    struct config_where where;

    if (config->tls_server_cert == NULL) {
        if (config->tls_required) {
            where = where_is(check, "tls_required");
            return config_fail(check->error, &where,
                               "tls_required: yes needs tls_server_cert, or nobody could log in: "
                               "add \"tls_server_cert: /etc/ssl/certs/mupdate.pem\", or say no");
        }
        if (config->tls_server_key != NULL) {
            where = where_is(check, "tls_server_key");
            config_tell(check->notice, check->context, &where,
                        "tls_server_key: has no effect without tls_server_cert: there is no TLS");
        }
        return 0;
    }
    /* Cyrus 3 takes two certificates, e.g. of RSA and EC keys. */
    if (strstr(config->tls_server_cert, ",/") != NULL) {
        where = where_is(check, "tls_server_cert");
        return config_fail(check->error, &where,
                           "tls_server_cert: %s names two files, and mupdated uses one: give one, "
                           "or add \"mupdate_tls_server_cert\" and \"mupdate_tls_server_key\" with "
                           "one each, which Cyrus's other services do not look at",
                           CONFIG_QUOTE(config->tls_server_cert));
    }
    if (config->tls_required && !config->allowstarttls) {
        where = where_either(check, "tls_required", "allowstarttls");
        return config_fail(check->error, &where,
                           "tls_required: yes and allowstarttls: no together let nobody log in: "
                           "change one of the two");
    }
    if (strcmp(config->tls_client_certs, "require") == 0 && config->tls_client_ca_file == NULL &&
        config->tls_client_ca_dir == NULL) {
        where = where_is(check, "tls_client_certs");
        return config_fail(check->error, &where,
                           "tls_client_certs: require needs tls_client_ca_file or "
                           "tls_client_ca_dir, or no client's certificate could be trusted: add "
                           "one of them");
    }
    return 0;
}

static int check_layers(const struct check *check)
{
    const struct config *config = check->config;
    struct config_where where;

    if (config->sasl_minimum_layer <= config->sasl_maximum_layer) {
        return 0;
    }
    where = where_either(check, "sasl_minimum_layer", "sasl_maximum_layer");
    return config_fail(check->error, &where,
                       "sasl_minimum_layer: %d is more than sasl_maximum_layer, which is %d: give "
                       "a minimum of no more than the maximum",
                       config->sasl_minimum_layer, config->sasl_maximum_layer);
}

static int check_limits(const struct check *check)
{
    const struct config *config = check->config;
    struct config_where where;
    const struct {
        const char *key;
        size_t bytes;
    } strings[] = {
        {"limit_name", config->name_bytes},
        {"limit_location", config->location_bytes},
        {"limit_acl", config->acl_bytes},
    };

    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        if (config->literal_bytes < strings[i].bytes) {
            where = where_either(check, strings[i].key, "limit_literal");
            return config_fail(check->error, &where,
                               "limit_literal: %zu is less than %s, which is %zu, and clients send "
                               "each string as a literal: give limit_literal at least that",
                               config->literal_bytes, strings[i].key, strings[i].bytes);
        }
    }
    if (config->subscriber_backlog > config->log_changes) {
        where = where_either(check, "subscriber_backlog", "log_changes");
        return config_fail(check->error, &where,
                           "subscriber_backlog: %llu is more than log_changes, which is %llu, and "
                           "a change that is not kept cannot be sent: give no more than that",
                           (unsigned long long)config->subscriber_backlog,
                           (unsigned long long)config->log_changes);
    }
    return 0;
}

int config_check(struct config *config, const struct config_origins *origins, config_notice *notice,
                 void *context, struct config_error *error)
{
    struct check check = {.config = config,
                          .origins = origins,
                          .notice = notice,
                          .context = context,
                          .error = error};
    struct config_where where = {.file = origins->file, .line = 0};

    if (check_paths(&check) != 0 || check_servername(&check) != 0 || check_listen(&check) != 0 ||
        check_tls(&check) != 0 || check_layers(&check) != 0 || check_limits(&check) != 0) {
        return -1;
    }
    if (config->admins.count == 0) {
        config_tell(notice, context, &where,
                    "admins: is not set, so nobody may use the master: add \"admins:\" and the "
                    "users that the servers log in as");
    }
    return 0;
}
