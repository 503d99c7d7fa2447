/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/config_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "mupdated/config_identity.h"
#include "mupdated/config_listen.h"
#include "mupdated/config_rights.h"
#include "mupdated/config_value.h"

#define CONFIGDIRECTORY "{configdirectory}"

struct check {
    struct config *config;
    const struct config_origins *origins;
    config_notice *notice;
    void *context;
    struct config_error *error;
};

static struct config_where where_is(const struct check *check, const char *key)
{
    return config_origin_of(check->origins, key);
}

static struct config_where where_either(const struct check *check, const char *a, const char *b)
{
    return config_origin_either(check->origins, a, b);
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
    if (config->control_socket == NULL &&
        config_origin_find(check->origins, "control_socket") == NULL &&
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

/* Whether a word of listen, in its full form, has TLS from the first byte. */
static bool is_tls_word(const char *word)
{
    return strncmp(word, "tls:", 4) == 0;
}

static const char *address_of(const char *word)
{
    return is_tls_word(word) ? word + 4 : word;
}

static bool listens_with_tls(const struct config *config)
{
    for (size_t i = 0; i < config->listen.count; i++) {
        if (is_tls_word(config->listen.items[i])) {
            return true;
        }
    }
    return false;
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
            if (strcasecmp(address_of(list->items[j]), address_of(full)) == 0) {
                return config_fail(check->error, &where,
                                   "listen: %s is given twice: remove one of the two%s",
                                   CONFIG_QUOTE(address_of(full)),
                                   is_tls_word(list->items[j]) == is_tls_word(full)
                                       ? ""
                                       : ", or give one of them another port");
            }
        }
    }
    return 0;
}

static int check_metrics(const struct check *check)
{
    struct config *config = check->config;
    struct config_where where = where_is(check, "metrics_listen");
    char word[CONFIG_LISTEN_WORD_BYTES];
    struct config_listen listen;
    const char *reason;
    char *full;

    if (config->metrics_listen == NULL) {
        return 0;
    }
    if (!config_listen_parse_address(config->metrics_listen, &listen, &reason)) {
        return config_fail(check->error, &where,
                           "metrics_listen: %s %s: give " CONFIG_LISTEN_ADDRESS_ALLOWED,
                           CONFIG_QUOTE(config->metrics_listen), reason);
    }
    full = strdup(config_listen_format(&listen, word));
    if (full == NULL) {
        return out_of_memory(check);
    }
    free(config->metrics_listen);
    config->metrics_listen = full;
    if (!config_listen_is_local(&listen)) {
        config_tell(check->notice, check->context, &where,
                    "metrics_listen: other hosts can ask at %s, and nobody is asked who he is: "
                    "let a firewall keep all but your Prometheus away",
                    full);
    }
    return 0;
}

static int check_tls(const struct check *check)
{
    const struct config *config = check->config;
    struct config_where where;

    if (config->tls_server_cert == NULL) {
        if (listens_with_tls(config)) {
            where = where_is(check, "listen");
            return config_fail(check->error, &where,
                               "listen: \"tls:\" needs tls_server_cert: add \"tls_server_cert: "
                               "/etc/ssl/certs/mupdate.pem\", or remove \"tls:\"");
        }
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
    if (config->tls_required && !config->allowstarttls && !listens_with_tls(config)) {
        where = where_either(check, "tls_required", "allowstarttls");
        return config_fail(check->error, &where,
                           "tls_required: yes and allowstarttls: no together let nobody log in: "
                           "change one of the two, or add \"tls:*:3906\" to listen");
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

/* Whether words, with blanks between, has the word. */
static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = words; (at = strcasestr(at, word)) != NULL; at += len) {
        bool starts = at == words || strchr(" \t", at[-1]) != NULL;
        if (starts && strchr(" \t", at[len]) != NULL) {
            return true;
        }
    }
    return false;
}

/* RFC 8996 ends TLS 1.0 and 1.1, and OpenSSL wants to be told twice. */
static void check_versions(const struct check *check)
{
    const struct config *config = check->config;
    struct config_where where = where_is(check, "tls_versions");

    if ((has_word(config->tls_versions, "tls1_0") || has_word(config->tls_versions, "tls1_1")) &&
        strstr(config->tls_ciphers, "@SECLEVEL=0") == NULL) {
        config_tell(check->notice, check->context, &where,
                    "tls_versions: tls1_0 and tls1_1 have no effect without "
                    "\"tls_ciphers: DEFAULT:@SECLEVEL=0\": they are broken, give tls1_2 and tls1_3 "
                    "only");
    }
}

static int check_identity(const struct check *check)
{
    const struct config *config = check->config;
    const char *key = config->tls_client_map != NULL ? "tls_client_map" : "tls_client_identity";
    struct config_where where = where_is(check, key);
    const char *mechanisms = config_sasl(config, "mech_list");
    const char *at = config->tls_client_map;
    struct config_identity_entry entry;
    const char *reason = NULL;

    while (at != NULL && config_identity_next(&at, &entry, &reason)) {
    }
    if (reason != NULL) {
        return config_fail(check->error, &where, "tls_client_map: %s %s: give %s",
                           CONFIG_QUOTE(config->tls_client_map), reason, CONFIG_IDENTITY_ALLOWED);
    }
    if (config->tls_client_map == NULL && config->tls_client_identity == NULL) {
        return 0;
    }
    if (config->tls_server_cert == NULL || strcmp(config->tls_client_certs, "off") == 0 ||
        (config->tls_client_ca_file == NULL && config->tls_client_ca_dir == NULL)) {
        return config_fail(check->error, &where,
                           "%s: needs certificates of clients that are checked: add "
                           "tls_server_cert, tls_client_ca_file or tls_client_ca_dir, and "
                           "\"tls_client_certs: optional\"", key);
    }
    if (mechanisms != NULL && !has_word(mechanisms, "EXTERNAL")) {
        config_tell(check->notice, check->context, &where,
                    "%s: has no effect: sasl_mech_list does not name EXTERNAL", key);
    }
    return 0;
}

static void check_revocation(const struct check *check)
{
    const struct config *config = check->config;
    struct config_where where = where_is(check, "tls_crl_file");

    if (config->tls_crl_file != NULL &&
        (config->tls_server_cert == NULL || strcmp(config->tls_client_certs, "off") == 0 ||
         (config->tls_client_ca_file == NULL && config->tls_client_ca_dir == NULL))) {
        config_tell(check->notice, check->context, &where,
                    "tls_crl_file: has no effect: clients are not asked for certificates");
    }
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

/* Nothing that an auditor relies on is left out without a word. */
static int check_audit(const struct check *check)
{
    struct config_where where;

    if (!check->config->audit || check->config->log_level >= LOG_NOTICE) {
        return 0;
    }
    where = where_either(check, "audit", "log_level");
    return config_fail(check->error, &where,
                       "audit: yes writes lines of the level notice, and log_level leaves them "
                       "out: give log_level notice, info or debug, or remove it");
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
        check_metrics(&check) != 0 || check_tls(&check) != 0 || check_identity(&check) != 0 ||
        check_layers(&check) != 0 || check_limits(&check) != 0 || check_audit(&check) != 0 ||
        config_rights_resolve(config, origins, error) != 0) {
        return -1;
    }
    check_versions(&check);
    check_revocation(&check);
    if (config->identity_count == 0) {
        config_tell(notice, context, &where,
                    "admins: is not set, so nobody may use the master: add \"admins:\" and the "
                    "users that the servers log in as");
    }
    return 0;
}
