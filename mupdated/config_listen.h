/*
 * One word of the key listen: where the daemon accepts connections.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_CONFIG_LISTEN_H
#define MUPDATED_CONFIG_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

enum config_listen_kind { CONFIG_LISTEN_TCP, CONFIG_LISTEN_UNIX };

/* RFC 1035 allows 253 characters; a numeric address with its zone has fewer. */
#define CONFIG_LISTEN_HOST_BYTES 256

/* As sun_path of struct sockaddr_un, with the NUL. */
#define CONFIG_LISTEN_PATH_BYTES 108

/* Room for config_listen_format(): "tls:", brackets, colon and port of a host, and a NUL. */
#define CONFIG_LISTEN_WORD_BYTES (CONFIG_LISTEN_HOST_BYTES + 12)

struct config_listen {
    enum config_listen_kind kind;
    bool tls;                            /* TCP: with TLS from the first byte */
    char host[CONFIG_LISTEN_HOST_BYTES]; /* TCP: "" is all addresses; IPv6 without brackets */
    uint16_t port;                       /* TCP: never 0 */
    char path[CONFIG_LISTEN_PATH_BYTES]; /* UNIX: absolute */
};

/* What a word may look like, for messages. */
#define CONFIG_LISTEN_ALLOWED \
    "\"*\" (all addresses), a host name, an IPv4 address or an IPv6 address in brackets, each " \
    "with \":PORT\" or without and with \"tls:\" before it or without, or \"unix:/absolute/path\""

/*
 * Split a word: "*", "host", "192.0.2.1", "[2001:db8::1]", each with ":PORT" or
 * without (then it is default_port) and with "tls:" before it or without, or
 * "unix:/path". Returns true with *listen filled, or false with *reason a static
 * text that completes "WORD ...". No name is looked up.
 */
bool config_listen_parse(const char *word, uint16_t default_port, struct config_listen *listen,
                         const char **reason);

/*
 * Split the value of metrics_listen: a port, which is one of 127.0.0.1, or an IPv4 address or an
 * IPv6 address in brackets with ":PORT". As config_listen_parse(); a name is none of them.
 */
#define CONFIG_LISTEN_ADDRESS_ALLOWED \
    "a port (of 127.0.0.1), or \"ADDRESS:PORT\" with an IPv4 address or an IPv6 address in " \
    "brackets, or \"none\""
bool config_listen_parse_address(const char *word, struct config_listen *listen,
                                 const char **reason);

/* Whether only this host can reach an address of config_listen_parse_address(). */
bool config_listen_is_local(const struct config_listen *listen);

/*
 * The word for listen, with its port, into word, which has
 * CONFIG_LISTEN_WORD_BYTES. Returns word.
 */
const char *config_listen_format(const struct config_listen *listen, char *word);

#endif
