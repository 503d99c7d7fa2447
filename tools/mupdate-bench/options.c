/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "report.h"

static const char usage_text[] =
    "usage: mupdate-bench [options] scenario\n"
    "\n"
    "scenarios against a server:\n"
    "  fill      store rows: pipelined ACTIVATEs\n"
    "  create    RESERVE, then ACTIVATE, of new names\n"
    "  acl       ACTIVATE of existing rows with another ACL\n"
    "  delete    DELETE of existing rows\n"
    "  find      FIND of existing names\n"
    "  mixed     FIND and ACTIVATE of existing rows, and subscribers that follow\n"
    "  dump      UPDATE by all subscribers at once\n"
    "  list      LIST by all subscribers at once\n"
    "  latency   from the writer's OK to the row at each subscriber\n"
    "  cycle     connect, authenticate, two commands, log out\n"
    "  resync    UPDATE by all subscribers as soon as the server is back\n"
    "  hold      connections and subscribers that stay until standard input ends\n"
    "scenarios of the machine itself:\n"
    "  loopback  round trips and octets between two processes\n"
    "  fsync     append and fdatasync in a directory\n"
    "  memcpy    octets copied within memory\n"
    "\n"
    "  -h, --host HOST[:PORT]    the server (127.0.0.1:3905)\n"
    "  -u, --user USER           whom to authenticate as \n"
    "      --password-file FILE  the password; or in MUPDATE_BENCH_PASSWORD\n"
    "      --mechanism NAME      SASL mechanism (PLAIN)\n"
    "      --tls                 with STARTTLS, whatever the certificate is\n"
    "      --tls-ca FILE         with STARTTLS and a certificate that FILE vouches for\n"
    "      --self                against a built-in server that does nothing\n"
    "  -c, --connections N       connections at once (1)\n"
    "  -d, --depth N             operations in flight on each connection (1)\n"
    "  -s, --seconds S           how long to measure (3)\n"
    "  -n, --count N             how many operations instead\n"
    "  -r, --rows N              rows of the set that the server has (100000)\n"
    "      --set NAME            which set of rows (bench)\n"
    "      --first N             first row to make or to delete (0)\n"
    "  -k, --subscribers N       subscribers that send UPDATE or LIST (1)\n"
    "      --rate N              changes per second of latency (100)\n"
    "      --location PREFIX     what list asks for (everything)\n"
    "      --changes             cycle makes rows instead of looking them up\n"
    "      --beside KIND         subscribers beside create, acl and find: dump, slow, stuck\n"
    "      --writes PERCENT      changes among the operations of mixed (10)\n"
    "      --directory DIR       where fsync writes (.)\n"
    "      --timeout S           longest silence of the server (30)\n"
    "  -j, --json                one JSON object instead of a line\n";

enum {
    OPTION_PASSWORD_FILE = 256,
    OPTION_SELF,
    OPTION_SET,
    OPTION_FIRST,
    OPTION_RATE,
    OPTION_LOCATION,
    OPTION_CHANGES,
    OPTION_MECHANISM,
    OPTION_TLS,
    OPTION_TLS_CA,
    OPTION_BESIDE,
    OPTION_WRITES,
    OPTION_DIRECTORY,
    OPTION_TIMEOUT,
    OPTION_HELP,
};

static const struct option long_options[] = {
    {"host", required_argument, NULL, 'h'},
    {"user", required_argument, NULL, 'u'},
    {"password-file", required_argument, NULL, OPTION_PASSWORD_FILE},
    {"self", no_argument, NULL, OPTION_SELF},
    {"connections", required_argument, NULL, 'c'},
    {"depth", required_argument, NULL, 'd'},
    {"seconds", required_argument, NULL, 's'},
    {"count", required_argument, NULL, 'n'},
    {"rows", required_argument, NULL, 'r'},
    {"set", required_argument, NULL, OPTION_SET},
    {"first", required_argument, NULL, OPTION_FIRST},
    {"subscribers", required_argument, NULL, 'k'},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"location", required_argument, NULL, OPTION_LOCATION},
    {"changes", no_argument, NULL, OPTION_CHANGES},
    {"mechanism", required_argument, NULL, OPTION_MECHANISM},
    {"tls", no_argument, NULL, OPTION_TLS},
    {"tls-ca", required_argument, NULL, OPTION_TLS_CA},
    {"beside", required_argument, NULL, OPTION_BESIDE},
    {"writes", required_argument, NULL, OPTION_WRITES},
    {"directory", required_argument, NULL, OPTION_DIRECTORY},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static uint64_t whole(const char *key, const char *text, uint64_t min, uint64_t max)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value < min || value > max) {
        report_failure(EX_USAGE, "--%s %s: must be a number from %llu to %llu", key, text,
                       (unsigned long long)min, (unsigned long long)max);
    }
    return value;
}

static double fraction(const char *key, const char *text, double min, double max)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || value < min || value > max) {
        report_failure(EX_USAGE, "--%s %s: must be a number from %g to %g", key, text, min, max);
    }
    return value;
}

/* HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT; a bare IPv6 address is a HOST. */
static void set_host(struct options *options, const char *text)
{
    const char *host = text;
    const char *colon = strrchr(text, ':');
    size_t host_len = strlen(text);
    if (*text == '[' && strchr(text, ']') != NULL) {
        host = text + 1;
        host_len = (size_t)(strchr(text, ']') - host);
        if (colon != NULL && colon < host + host_len) {
            colon = NULL;
        }
    } else if (colon != NULL && strchr(text, ':') != colon) {
        colon = NULL;
    } else if (colon != NULL) {
        host_len = (size_t)(colon - text);
    }
    if (host_len == 0 || host_len >= sizeof(options->host) ||
        (colon != NULL && strlen(colon + 1) >= sizeof(options->port))) {
        report_failure(EX_USAGE, "--host %s: must be HOST or HOST:PORT", text);
    }
    memcpy(options->host, host, host_len);
    options->host[host_len] = '\0';
    if (colon != NULL) {
        snprintf(options->port, sizeof(options->port), "%s", colon + 1);
    }
}

/* The password is the first line of the file. */
static void read_password(struct options *options, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        report_failure(EX_NOINPUT, "--password-file %s: %s", path, strerror(errno));
    }
    if (fgets(options->password, sizeof(options->password), file) == NULL) {
        report_failure(EX_NOINPUT, "--password-file %s: is empty or unreadable", path);
    }
    fclose(file);
    options->password[strcspn(options->password, "\r\n")] = '\0';
}

static void password_from_environment(struct options *options)
{
    const char *password = getenv("MUPDATE_BENCH_PASSWORD");
    if (password != NULL &&
        (size_t)snprintf(options->password, sizeof(options->password), "%s", password) >=
            sizeof(options->password)) {
        report_failure(EX_USAGE, "MUPDATE_BENCH_PASSWORD: longer than %d octets",
                       OPTIONS_PASSWORD_BYTES - 1);
    }
}

static enum side_kind side_kind_of(const char *text)
{
    static const struct {
        const char *name;
        enum side_kind kind;
    } kinds[] = {{"dump", SIDE_DUMP}, {"slow", SIDE_SLOW}, {"stuck", SIDE_STUCK}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(text, kinds[i].name) == 0) {
            return kinds[i].kind;
        }
    }
    report_failure(EX_USAGE, "--beside %s: must be dump, slow or stuck", text);
}

static void set_option(struct options *options, int option, const char *value)
{
    switch (option) {
    case 'h': set_host(options, value); break;
    case 'u': options->user = value; break;
    case 'c': options->connections = whole("connections", value, 0, 100000); break;
    case 'd': options->depth = whole("depth", value, 1, 65536); break;
    case 's': options->seconds = fraction("seconds", value, 0.05, 86400); break;
    case 'n': options->count = whole("count", value, 1, ROW_NUMBER_MAX); break;
    case 'r': options->rows = whole("rows", value, 1, ROW_NUMBER_MAX); break;
    case 'k': options->subscribers = whole("subscribers", value, 0, 100000); break;
    case 'j': options->json = true; break;
    case OPTION_PASSWORD_FILE: read_password(options, value); break;
    case OPTION_SELF: options->self = true; break;
    case OPTION_SET:
        if (!row_set_init(&options->set, value)) {
            report_failure(EX_USAGE, "--set %s: must be 1 to %d letters a to z", value,
                           ROW_PREFIX_BYTES);
        }
        break;
    case OPTION_FIRST: options->first = whole("first", value, 0, ROW_NUMBER_MAX); break;
    case OPTION_RATE: options->rate = fraction("rate", value, 0.1, 1e6); break;
    case OPTION_LOCATION: options->location = value; break;
    case OPTION_CHANGES: options->changes = true; break;
    case OPTION_MECHANISM: options->mechanism = value; break;
    case OPTION_TLS: options->tls = true; break;
    case OPTION_TLS_CA:
        options->tls = true;
        options->tls_ca = value;
        break;
    case OPTION_BESIDE: options->beside = side_kind_of(value); break;
    case OPTION_WRITES: options->writes = (unsigned)whole("writes", value, 1, 99); break;
    case OPTION_DIRECTORY: options->directory = value; break;
    case OPTION_TIMEOUT: options->timeout = fraction("timeout", value, 0.1, 86400); break;
    case OPTION_HELP:
        fputs(usage_text, stdout);
        exit(EX_OK);
    default:
        fputs(usage_text, stderr);
        exit(EX_USAGE);
    }
}

/* Only hold is content with one kind of connections. */
static void check_options(const struct options *options)
{
    bool holds = strcmp(options->scenario, "hold") == 0;
    if (holds ? options->connections + options->subscribers == 0
              : options->connections == 0 || options->subscribers == 0) {
        report_failure(EX_USAGE, "--connections and --subscribers must not be 0");
    }
    if (options->self && (options->tls || strcasecmp(options->mechanism, "PLAIN") != 0)) {
        report_failure(EX_USAGE, "--self: the built-in server knows PLAIN only, and no TLS");
    }
    if (options->beside != SIDE_NONE && strcmp(options->scenario, "create") != 0 &&
        strcmp(options->scenario, "acl") != 0 && strcmp(options->scenario, "find") != 0) {
        report_failure(EX_USAGE, "--beside: only create, acl and find are measured so");
    }
}

void options_read(struct options *options, int argc, char **argv)
{
    *options = (struct options){
        .host = "127.0.0.1", .port = "3905", .user = "", .rows = 100000, .connections = 1,
        .depth = 1, .subscribers = 1, .writes = 10,
        .mechanism = "PLAIN", .rate = 100, .seconds = 3, .timeout = 30, .directory = ".",
    };
    row_set_init(&options->set, "bench");
    password_from_environment(options);
    int option;
    while ((option = getopt_long(argc, argv, "h:u:c:d:s:n:r:k:j", long_options, NULL)) != -1) {
        set_option(options, option, optarg);
    }
    if (optind != argc - 1) {
        set_option(options, '?', NULL);
    }
    options->scenario = argv[optind];
    check_options(options);
}
