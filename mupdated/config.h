/*
 * The configuration file: imapd.conf's rules and, where they mean the same,
 * imapd.conf's keys. mupdated.conf(5) says what each key does.
 *
 * A struct config never changes once it is read, so every thread may look at
 * it. SIGHUP reads a second one and compares.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_CONFIG_H
#define MUPDATED_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mupdated/log.h"

/* Whose passwords need not be checked again for a while. */
enum config_password_cache {
    CONFIG_PASSWORD_CACHE_OFF,
    CONFIG_PASSWORD_CACHE_SASLDB, /* those of a file, as long as that does not change */
    CONFIG_PASSWORD_CACHE_ALL,
};

enum config_order { CONFIG_ORDER_CYRUS36, CONFIG_ORDER_OCTET };

/* A list of words, e.g. the values of listen or admins. */
struct config_list {
    char **items;
    size_t count;
};

/* The settings whose keys have a prefix and a name that is not ours to choose, as sasl_NAME. */
struct config_named {
    char *name; /* without the prefix */
    char *value;
};

struct config_family {
    struct config_named *items;
    size_t count;
};

enum config_role {
    CONFIG_ROLE_NONE,
    CONFIG_ROLE_READER,  /* may ask for everything */
    CONFIG_ROLE_BACKEND, /* that, and write the rows of some servers */
    CONFIG_ROLE_ADMIN,   /* everything */
};

/* Who has a role. */
struct config_identity {
    char *name;
    enum config_role role;
    struct config_list servers; /* a back-end's: at least one, in order */
};

struct config {
    /* where */
    char *servername;           /* the name in the banner; default: this host's name */
    struct config_list listen;  /* "*:3905", "[::1]:3905", "unix:/path"; always with a port */
    int mupdate_port;           /* has been put into listen where no port was given */
    char *configdirectory;      /* NULL: none */
    char *database_directory;   /* default: CONFIGDIRECTORY/mupdated, or /var/lib/mupdated */
    char *control_socket;       /* default: "control" in database_directory; NULL: none */
    char *control_group;        /* NULL: none */
    char *metrics_listen;       /* "127.0.0.1:9905"; always with host and port; NULL: none */

    /* the process */
    char *user;                 /* NULL: see privileges.h */
    bool coredumps;

    /* log */
    enum log_target log;
    int syslog_facility;        /* LOG_MAIL .. of <syslog.h>, default LOG_MAIL as Cyrus */
    char *syslog_prefix;        /* NULL: none */
    int log_level;              /* LOG_ERR .. LOG_DEBUG of <syslog.h>, default LOG_INFO */
    bool audit;                 /* a line for each change that is stored */

    /* who may use it */
    struct config_list admins;  /* these three as written: users, and @GROUP for a group's */
    struct config_list readers;
    struct config_list backends; /* USER=SERVER,..., or USER alone */
    struct config_family groups; /* group_NAME; its value is words, which are users */
    struct config_identity *identities; /* what follows: in order of strcmp(), each name once */
    size_t identity_count;
    bool allowplaintext;        /* PLAIN and LOGIN without TLS */
    struct config_list loginrealms; /* of users whose password saslauthd checks */
    int sasl_minimum_layer;
    int sasl_maximum_layer;
    struct config_family sasl;  /* sasl_NAME */
    int failedloginpause_ms;
    size_t failed_logins_max;   /* of one connection */
    enum config_password_cache password_cache;
    int password_cache_time_ms;
    int authentication_timeout_ms;  /* for one step of an exchange */
    size_t authentication_threads;  /* for those who ask others, each kind of them */
    size_t authentication_queue;    /* steps that wait for a thread, of each kind */

    /* TLS */
    bool allowstarttls;
    bool tls_required;
    char *tls_server_cert;      /* NULL: no TLS */
    char *tls_server_key;       /* default: in tls_server_cert */
    char *tls_client_ca_file;
    char *tls_client_ca_dir;
    char *tls_crl_file;
    char *tls_client_certs;     /* "off", "optional", "require" */
    char *tls_client_identity;  /* kinds of names, a blank between: config_identity_kind() */
    char *tls_client_map;       /* config_identity_next() */
    char *tls_versions;         /* one or more of tls1_0 .. tls1_3, a blank between */
    char *tls_ciphers;          /* as OpenSSL's ciphers(1) */

    /* the table */
    enum config_order list_order;
    bool deny_location_conflict;
    bool heal_resync;
    int stale_reservations_ms;  /* how old a reservation is that somebody has forgotten */
    int heal_delay_ms;          /* the "moment later" between an UPDATE's OK and the healing rows */

    /* limits */
    size_t connections_max;
    size_t connections_per_address; /* of IPv4, or a /64 of IPv6 */
    size_t strangers_max;       /* connections that are not logged in */
    size_t name_bytes;
    size_t location_bytes;
    size_t acl_bytes;
    size_t tag_bytes;
    size_t line_bytes;
    size_t literal_bytes;
    size_t commands_in_flight;
    size_t output_bytes;
    uint64_t subscriber_backlog; /* changes that a subscriber may be behind */
    int login_timeout_ms;
    int idle_timeout_ms;

    /* the store */
    uint64_t cache_bytes;
    uint64_t log_changes;       /* changes kept in the log of changes */
    int checkpoint_interval_ms;
};

/* What is wrong, in a sentence that names file, line, key and what is allowed. */
struct config_error {
    char text[1024];
};

/*
 * Called for what the file holds that is accepted and yet needs a word: a key
 * of Cyrus's without a meaning here (once each), a name that Cyrus has given
 * up, that nobody may use the master. text is one line, valid during the call.
 */
typedef void config_notice(void *context, const char *text);

/*
 * Read the file at path, following @include. Returns a configuration to free
 * with config_free(), or NULL with *error filled (unreadable file, bad line,
 * unknown or duplicate key, empty or wrong value, values that do not go
 * together, out of memory). notice may be NULL. A file may have 1 MB, all
 * together 64 files and 4096 settings.
 */
struct config *config_read(const char *path, config_notice *notice, void *context,
                           struct config_error *error);

/*
 * The same from memory: name stands for the file's name in messages, and the
 * files that text includes are looked for beside it.
 */
struct config *config_parse(const char *name, const char *text, size_t len,
                            config_notice *notice, void *context, struct config_error *error);

/* config may be NULL. */
void config_free(struct config *config);

/* The value of the sasl_NAME setting, or NULL. Valid as long as config. */
const char *config_sasl(const struct config *config, const char *name);

/* When a changed value is obeyed. */
enum config_effect {
    CONFIG_ON_RELOAD,  /* at SIGHUP: for what happens from then on */
    CONFIG_ON_RESTART, /* when the daemon starts again */
};

/* One key whose value differs; key is valid during the call. */
typedef void config_change(void *context, const char *key, enum config_effect effect);

/*
 * Call change for each key whose value differs between before and after,
 * those of families included. Returns how many differ.
 */
size_t config_compare(const struct config *before, const struct config *after,
                      config_change *change, void *context);

#endif
