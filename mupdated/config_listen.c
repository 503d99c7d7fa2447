/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/config_listen.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

_Static_assert(CONFIG_LISTEN_PATH_BYTES == sizeof((struct sockaddr_un *)NULL)->sun_path,
               "a path that is accepted must fit its socket address");

#define TLS_PREFIX "tls:"

static bool parse_port(const char *text, uint16_t *port, const char **reason)
{
    unsigned value = 0;
    size_t digits = strspn(text, "0123456789");

    for (size_t i = 0; i < digits && value <= UINT16_MAX; i++) {
        value = 10 * value + (unsigned)(text[i] - '0');
    }
    if (digits == 0 || text[digits] != '\0' || value == 0 || value > UINT16_MAX) {
        *reason = "has no port number from 1 to 65535 behind its last ':'";
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

/* A zone, as in fe80::1%eth0, is the system's business. */
static bool is_ipv6(const char *host)
{
    char address[CONFIG_LISTEN_HOST_BYTES];
    struct in6_addr ignored;
    size_t len = strcspn(host, "%");

    memcpy(address, host, len);
    address[len] = '\0';
    return inet_pton(AF_INET6, address, &ignored) == 1 &&
           (host[len] == '\0' || host[len + 1] != '\0');
}

static bool is_name(const char *host)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

    return host[0] != '\0' && host[0] != '-' && host[0] != '.' &&
           host[strspn(host, allowed)] == '\0';
}

static bool is_ipv4(const char *host)
{
    struct in_addr ignored;

    return inet_pton(AF_INET, host, &ignored) == 1;
}

bool config_listen_parse(const char *word, uint16_t default_port, struct config_listen *listen,
                         const char **reason)
{
    const char *host;
    const char *host_end;
    const char *port;
    size_t host_len;

    memset(listen, 0, sizeof *listen);
    if (strncmp(word, TLS_PREFIX, strlen(TLS_PREFIX)) == 0) {
        listen->tls = true;
        word += strlen(TLS_PREFIX);
    }
    host = word;
    if (strncmp(word, "unix:", 5) == 0) {
        if (listen->tls) {
            *reason = "has \"tls:\" before a Unix socket, which never leaves the host";
            return false;
        }
        listen->kind = CONFIG_LISTEN_UNIX;
        if (word[5] != '/') {
            *reason = "has no absolute path behind \"unix:\"";
            return false;
        }
        if (strlen(word + 5) >= sizeof listen->path) {
            *reason = "has a path of more than 107 octets, which a Unix socket cannot have";
            return false;
        }
        strcpy(listen->path, word + 5);
        return true;
    }

    listen->kind = CONFIG_LISTEN_TCP;
    listen->port = default_port;
    if (word[0] == '[') {
        host = word + 1;
        host_end = strchr(host, ']');
        if (host_end == NULL || (host_end[1] != '\0' && host_end[1] != ':')) {
            *reason = "is not of the form [IPv6 address]:PORT";
            return false;
        }
        port = host_end + 1;
    } else {
        host_end = host + strcspn(host, ":");
        port = host_end;
        if (strchr(port, ':') != strrchr(port, ':')) {
            *reason = "has more than one ':': write an IPv6 address in brackets, as [::1]:3905";
            return false;
        }
    }
    host_len = (size_t)(host_end - host);
    if (host_len >= sizeof listen->host) {
        *reason = "has a host name of more than 255 octets";
        return false;
    }
    memcpy(listen->host, host, host_len);
    if (*port == ':' && !parse_port(port + 1, &listen->port, reason)) {
        return false;
    }
    if (word[0] == '[') {
        *reason = "has no IPv6 address in its brackets";
        return is_ipv6(listen->host);
    }
    if (strcmp(listen->host, "*") == 0) {
        listen->host[0] = '\0';
        return true;
    }
    if (listen->host[0] == '\0') {
        *reason = "has no host: write * for all addresses";
        return false;
    }
    /* With its port it would be taken for something else the next time it is read. */
    if (strcmp(listen->host, "unix") == 0) {
        *reason = "has no absolute path behind \"unix:\"";
        return false;
    }
    if (strcmp(listen->host, "tls") == 0) {
        *reason = "has no address behind \"tls:\"";
        return false;
    }
    /* inet_pton() refuses 127.1 and 10.0.0.256; as names they could never be found either. */
    if (listen->host[strspn(listen->host, "0123456789.")] == '\0' && !is_ipv4(listen->host)) {
        *reason = "has no IPv4 address of four numbers from 0 to 255";
        return false;
    }
    *reason = "has no host name, which is made of letters, digits, '-', '_' and '.'";
    return is_name(listen->host);
}

bool config_listen_parse_address(const char *word, struct config_listen *listen,
                                 const char **reason)
{
    if (word[strspn(word, "0123456789")] == '\0' || word[0] == ':') {
        memset(listen, 0, sizeof *listen);
        listen->kind = CONFIG_LISTEN_TCP;
        strcpy(listen->host, "127.0.0.1");
        *reason = "is no port number from 1 to 65535";
        return parse_port(word[0] == ':' ? word + 1 : word, &listen->port, reason);
    }
    if (!config_listen_parse(word, 0, listen, reason)) {
        return false;
    }
    *reason = "is no address of IP";
    if (listen->kind != CONFIG_LISTEN_TCP || listen->tls ||
        (!is_ipv4(listen->host) && !is_ipv6(listen->host))) {
        return false;
    }
    *reason = "has no port behind the address";
    return listen->port != 0;
}

bool config_listen_is_local(const struct config_listen *listen)
{
    return strncmp(listen->host, "127.", 4) == 0 || strcmp(listen->host, "::1") == 0;
}

const char *config_listen_format(const struct config_listen *listen, char *word)
{
    const char *tls = listen->tls ? TLS_PREFIX : "";
    const char *host = listen->host;

    if (listen->kind == CONFIG_LISTEN_UNIX) {
        snprintf(word, CONFIG_LISTEN_WORD_BYTES, "unix:%s", listen->path);
    } else if (strchr(host, ':') != NULL) {
        snprintf(word, CONFIG_LISTEN_WORD_BYTES, "%s[%s]:%u", tls, host, listen->port);
    } else {
        snprintf(word, CONFIG_LISTEN_WORD_BYTES, "%s%s:%u", tls, host[0] == '\0' ? "*" : host,
                 listen->port);
    }
    return word;
}
