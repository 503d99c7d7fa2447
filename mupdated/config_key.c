/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/config_key.h"

#include <limits.h>
#include <string.h>

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define KB UINT64_C(1024)
#define MB (1024 * KB)
#define GB (1024 * MB)

static const struct config_word log_words[] = {
    {"stderr", LOG_TARGET_STDERR, 0},
    {"syslog", LOG_TARGET_SYSLOG, 0},
    {NULL, 0, 0},
};

static const struct config_word level_words[] = {
    {"error", LOG_ERR, 0}, {"warning", LOG_WARNING, 0}, {"notice", LOG_NOTICE, 0},
    {"info", LOG_INFO, 0}, {"debug", LOG_DEBUG, 0},     {NULL, 0, 0},
};

static const struct config_word facility_words[] = {
    {"MAIL", LOG_MAIL, 0},     {"DAEMON", LOG_DAEMON, 0}, {"NEWS", LOG_NEWS, 0},
    {"USER", LOG_USER, 0},     {"LOCAL0", LOG_LOCAL0, 0}, {"LOCAL1", LOG_LOCAL1, 0},
    {"LOCAL2", LOG_LOCAL2, 0}, {"LOCAL3", LOG_LOCAL3, 0}, {"LOCAL4", LOG_LOCAL4, 0},
    {"LOCAL5", LOG_LOCAL5, 0}, {"LOCAL6", LOG_LOCAL6, 0}, {"LOCAL7", LOG_LOCAL7, 0},
    {NULL, 0, 0},
};

/* "yes" and "no" are tls_require_cert's, as this key was called in Cyrus 2.3. */
static const struct config_word client_certs_words[] = {
    {"off", 0, -1},
    {"optional", 0, 0},
    {"require", 0, 1},
    {NULL, 0, 0},
};

/* The value is whether this version can be had: no OpenSSL of today speaks SSL. */
static const struct config_word tls_version_words[] = {
    {"tls1_0", 1, 0}, {"tls1_1", 1, 0}, {"tls1_2", 1, 0}, {"tls1_3", 1, 0},
    {"ssl2", 0, 0},   {"ssl3", 0, 0},   {NULL, 0, 0},
};

static const struct config_word identity_words[] = {
    {"san-dns", 1, 0}, {"san-email", 1, 0}, {"san-uri", 1, 0},
    {"cn", 1, 0},      {"subject", 1, 0},   {NULL, 0, 0},
};

static const struct config_word murder_words[] = {
    {"standard", 0, 0},
    {"replicated", 0, 0},
    {"unified", 0, 0},
    {NULL, 0, 0},
};

static const struct config_word password_cache_words[] = {
    {"off", CONFIG_PASSWORD_CACHE_OFF, 0},
    {"sasldb", CONFIG_PASSWORD_CACHE_SASLDB, 0},
    {"all", CONFIG_PASSWORD_CACHE_ALL, 0},
    {NULL, 0, 0},
};

static const struct config_word order_words[] = {
    {"cyrus36", CONFIG_ORDER_CYRUS36, 0},
    {"octet", CONFIG_ORDER_OCTET, 0},
    {NULL, 0, 0},
};

static const struct config_word conflict_words[] = {
    {"accept", 0, 0},
    {"deny", 1, 0},
    {NULL, 0, 0},
};

#define MEMBER(name) .offset = offsetof(struct config, name), \
                     .size = sizeof(((struct config *)NULL)->name)
#define KEY(key_name, key_type, when) .name = (key_name), .type = (key_type), .effect = (when)
#define RELOAD CONFIG_ON_RELOAD
#define RESTART CONFIG_ON_RESTART

/* Ranges are there to name mistakes; within them the operator knows best. */
const struct config_key config_keys[] = {
    /* where */
    {KEY("servername", CONFIG_NAME, RESTART), .cyrus = true, MEMBER(servername),
     .example = "mupdate.example.org"},
    {KEY("listen", CONFIG_LIST, RESTART), MEMBER(listen), .fallback = "*"},
    {KEY("mupdate_port", CONFIG_NUMBER, RESTART), .cyrus = true, MEMBER(mupdate_port),
     .fallback = "3905", .min = 1, .max = 65535},
    {KEY("configdirectory", CONFIG_PATH, RESTART), .cyrus = true, MEMBER(configdirectory),
     .example = "/var/lib/cyrus"},
    {KEY("database_directory", CONFIG_PATH, RESTART), MEMBER(database_directory),
     .example = "/var/lib/mupdated"},
    {KEY("control_socket", CONFIG_PATH, RESTART), MEMBER(control_socket),
     .example = "/run/mupdated/control", .none = "none"},
    {KEY("control_group", CONFIG_NAME, RESTART), MEMBER(control_group), .example = "mailadmin"},
    {KEY("metrics_listen", CONFIG_NAME, RESTART), MEMBER(metrics_listen),
     .example = "127.0.0.1:9905", .none = "none"},

    /* the process */
    {KEY("user", CONFIG_NAME, RESTART), MEMBER(user), .example = "mupdated"},
    {KEY("coredumps", CONFIG_BOOL, RESTART), MEMBER(coredumps), .fallback = "no"},

    /* log */
    {KEY("log", CONFIG_ENUM, RESTART), MEMBER(log), .fallback = "stderr", .words = log_words},
    {KEY("log_level", CONFIG_ENUM, RELOAD), MEMBER(log_level), .fallback = "info",
     .words = level_words},
    {KEY("audit", CONFIG_BOOL, RELOAD), MEMBER(audit), .fallback = "no"},
    {KEY("syslog_facility", CONFIG_ENUM, RESTART), .cyrus = true, MEMBER(syslog_facility),
     .fallback = "MAIL", .words = facility_words},
    {KEY("syslog_prefix", CONFIG_NAME, RESTART), .cyrus = true, MEMBER(syslog_prefix),
     .example = "cyrus"},

    /* who may use it */
    {KEY("admins", CONFIG_LIST, RELOAD), .cyrus = true, MEMBER(admins), .example = "murder"},
    {KEY("readers", CONFIG_LIST, RELOAD), MEMBER(readers), .example = "@frontends"},
    {KEY("backends", CONFIG_LIST, RELOAD), MEMBER(backends),
     .example = "backend1=backend1.example.org backend2=backend2.example.org"},
    {KEY("allowplaintext", CONFIG_BOOL, RELOAD), .cyrus = true, MEMBER(allowplaintext),
     .fallback = "no"},
    {KEY("loginrealms", CONFIG_LIST, RELOAD), .cyrus = true, MEMBER(loginrealms),
     .example = "example.org"},
    {KEY("sasl_minimum_layer", CONFIG_NUMBER, RELOAD), .cyrus = true, MEMBER(sasl_minimum_layer),
     .fallback = "0", .max = 65535},
    {KEY("sasl_maximum_layer", CONFIG_NUMBER, RELOAD), .cyrus = true, MEMBER(sasl_maximum_layer),
     .fallback = "256", .max = 65535},
    {KEY("failedloginpause", CONFIG_DURATION, RELOAD), .cyrus = true, MEMBER(failedloginpause_ms),
     .fallback = "3s", .max = HOUR},
    {KEY("failedlogins_max", CONFIG_NUMBER, RELOAD), MEMBER(failed_logins_max), .fallback = "5",
     .min = 1, .max = 1000},
    {KEY("password_cache", CONFIG_ENUM, RELOAD), MEMBER(password_cache), .fallback = "sasldb",
     .words = password_cache_words},
    {KEY("password_cache_time", CONFIG_DURATION, RELOAD), MEMBER(password_cache_time_ms),
     .fallback = "60s", .min = 1, .max = HOUR},
    /* Servers of Cyrus give up 10 s (client_timeout) after they connected. */
    {KEY("authentication_timeout", CONFIG_DURATION, RELOAD), MEMBER(authentication_timeout_ms),
     .fallback = "8s", .min = 100, .max = HOUR},
    {KEY("authentication_threads", CONFIG_NUMBER, RELOAD), MEMBER(authentication_threads),
     .fallback = "16", .min = 1, .max = 256},
    {KEY("authentication_queue", CONFIG_NUMBER, RELOAD), MEMBER(authentication_queue),
     .fallback = "1000", .min = 1, .max = 65536},

    /* TLS */
    {KEY("allowstarttls", CONFIG_BOOL, RELOAD), .cyrus = true, MEMBER(allowstarttls),
     .fallback = "yes"},
    {KEY("tls_required", CONFIG_BOOL, RELOAD), .cyrus = true, MEMBER(tls_required),
     .fallback = "no"},
    {KEY("tls_server_cert", CONFIG_PATH, RELOAD), .cyrus = true, MEMBER(tls_server_cert),
     .example = "/etc/ssl/certs/mupdate.pem", .none = "disabled"},
    {KEY("tls_server_key", CONFIG_PATH, RELOAD), .cyrus = true, MEMBER(tls_server_key),
     .example = "/etc/ssl/private/mupdate.key", .none = "disabled"},
    {KEY("tls_client_ca_file", CONFIG_PATH, RELOAD), .cyrus = true, MEMBER(tls_client_ca_file),
     .example = "/etc/ssl/certs/murder-ca.pem"},
    {KEY("tls_client_ca_dir", CONFIG_PATH, RELOAD), .cyrus = true, MEMBER(tls_client_ca_dir),
     .example = "/etc/ssl/certs"},
    {KEY("tls_crl_file", CONFIG_PATH, RELOAD), .cyrus = true, MEMBER(tls_crl_file),
     .example = "/etc/ssl/certs/murder-crl.pem"},
    {KEY("tls_client_identity", CONFIG_WORDS, RELOAD), MEMBER(tls_client_identity),
     .words = identity_words, .example = "san-dns cn"},
    {KEY("tls_client_map", CONFIG_TEXT, RELOAD), MEMBER(tls_client_map),
     .example = "murder=san-dns:backend1.example.org; jane=cn:Jane Doe"},
    {KEY("tls_client_certs", CONFIG_WORD, RELOAD), .cyrus = true, MEMBER(tls_client_certs),
     .fallback = "optional", .words = client_certs_words},
    {KEY("tls_versions", CONFIG_WORDS, RELOAD), .cyrus = true, MEMBER(tls_versions),
     .fallback = "tls1_2 tls1_3", .words = tls_version_words},
    {KEY("tls_ciphers", CONFIG_TEXT, RELOAD), .cyrus = true, MEMBER(tls_ciphers),
     .fallback = "DEFAULT"},

    /* the table */
    {KEY("mupdate_config", CONFIG_WORD, RESTART), .cyrus = true, .fallback = "standard",
     .words = murder_words},
    {KEY("list_order", CONFIG_ENUM, RESTART), MEMBER(list_order), .fallback = "cyrus36",
     .words = order_words},
    {KEY("location_conflict", CONFIG_ENUM, RELOAD), MEMBER(deny_location_conflict),
     .fallback = "accept", .words = conflict_words},
    {KEY("stale_reservations_after", CONFIG_DURATION, RELOAD), MEMBER(stale_reservations_ms),
     .fallback = "10m", .min = 1, .max = 20 * DAY},
    {KEY("heal_resync", CONFIG_BOOL, RELOAD), MEMBER(heal_resync), .fallback = "yes"},
    {KEY("heal_delay", CONFIG_DURATION, RELOAD), MEMBER(heal_delay_ms), .fallback = "1s",
     .min = 10, .max = MINUTE},

    /* limits */
    {KEY("mupdate_connections_max", CONFIG_NUMBER, RELOAD), .cyrus = true, MEMBER(connections_max),
     .fallback = "4096", .min = 1, .max = 1000000},
    {KEY("connections_per_address", CONFIG_NUMBER, RELOAD), MEMBER(connections_per_address),
     .fallback = "1024", .min = 1, .max = 1000000},
    {KEY("limit_unauthenticated", CONFIG_NUMBER, RELOAD), MEMBER(strangers_max),
     .fallback = "1024", .min = 1, .max = 1000000},
    {KEY("limit_name", CONFIG_SIZE, RELOAD), MEMBER(name_bytes), .fallback = "4K", .min = KB,
     .max = MB},
    {KEY("limit_location", CONFIG_SIZE, RELOAD), MEMBER(location_bytes), .fallback = "1K",
     .min = 256, .max = MB},
    {KEY("limit_acl", CONFIG_SIZE, RELOAD), MEMBER(acl_bytes), .fallback = "64K", .min = 64 * KB,
     .max = 16 * MB},
    {KEY("limit_tag", CONFIG_SIZE, RELOAD), MEMBER(tag_bytes), .fallback = "64", .min = 14,
     .max = 512},
    {KEY("limit_line", CONFIG_SIZE, RELOAD), MEMBER(line_bytes), .fallback = "8K", .min = KB,
     .max = 16 * MB},
    {KEY("limit_literal", CONFIG_SIZE, RELOAD), MEMBER(literal_bytes), .fallback = "128K",
     .min = 4 * KB, .max = 16 * MB},
    {KEY("limit_commands", CONFIG_NUMBER, RELOAD), MEMBER(commands_in_flight), .fallback = "64",
     .min = 1, .max = 65536},
    {KEY("limit_output", CONFIG_SIZE, RELOAD), MEMBER(output_bytes), .fallback = "256K",
     .min = 4 * KB, .max = GB},
    {KEY("subscriber_backlog", CONFIG_NUMBER, RELOAD), MEMBER(subscriber_backlog),
     .fallback = "250000", .min = 100, .max = 1000000000},
    {KEY("login_timeout", CONFIG_DURATION, RELOAD), MEMBER(login_timeout_ms), .fallback = "60s",
     .min = SECOND, .max = HOUR},
    /* RFC 3656, section 2: no less than 15 minutes. */
    {KEY("idle_timeout", CONFIG_DURATION, RELOAD), MEMBER(idle_timeout_ms), .fallback = "180m",
     .min = 15 * MINUTE, .max = 20 * DAY},

    /* the store */
    {KEY("cache_size", CONFIG_SIZE, RESTART), MEMBER(cache_bytes), .fallback = "256M", .min = MB,
     .max = 1024 * GB},
    {KEY("log_changes", CONFIG_NUMBER, RELOAD), MEMBER(log_changes), .fallback = "500000",
     .min = 1000, .max = 1000000000},
    {KEY("checkpoint_interval", CONFIG_DURATION, RESTART), MEMBER(checkpoint_interval_ms),
     .fallback = "5s", .min = 100, .max = HOUR},
};

const size_t config_key_count = sizeof config_keys / sizeof config_keys[0];

_Static_assert(20 * DAY <= INT_MAX, "durations are kept in an int");

static const struct {
    const char *old;
    const char *name;
} renamed[] = {
    {"tls_cert_file", "tls_server_cert"},      {"tls_key_file", "tls_server_key"},
    {"tls_ca_file", "tls_client_ca_file"},     {"tls_ca_path", "tls_client_ca_dir"},
    {"tls_require_cert", "tls_client_certs"},  {"tls_cipher_list", "tls_ciphers"},
};

const struct config_key *config_key_find(const char *name)
{
    for (size_t i = 0; i < config_key_count; i++) {
        if (strcmp(config_keys[i].name, name) == 0) {
            return &config_keys[i];
        }
    }
    return NULL;
}

const struct config_key *config_key_renamed(const char *name)
{
    for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++) {
        if (strcmp(renamed[i].old, name) == 0) {
            return config_key_find(renamed[i].name);
        }
    }
    return NULL;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The distance of Damerau and Levenshtein, where a swap is not edited again. */
unsigned config_key_distance(const char *a, const char *b)
{
    enum { LONGEST = 64 };
    unsigned rows[3][LONGEST + 1]; /* of the table of distances: i - 2, i - 1 and i, modulo 3 */
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);

    if (a_len > LONGEST || b_len > LONGEST) {
        return CONFIG_NEAR + 1;
    }
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3];
        const unsigned *second = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned wrong = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(wrong, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], second[j - 2] + 1);
            }
        }
    }
    return least(rows[a_len % 3][b_len], CONFIG_NEAR + 1);
}

const struct config_key *config_key_nearest(const char *name)
{
    const struct config_key *nearest = NULL;
    unsigned best = CONFIG_NEAR + 1;

    if (strlen(name) < 4) {
        return NULL;
    }
    for (size_t i = 0; i < config_key_count; i++) {
        unsigned distance = config_key_distance(name, config_keys[i].name);
        if (distance < best) {
            best = distance;
            nearest = &config_keys[i];
        }
    }
    return nearest;
}
