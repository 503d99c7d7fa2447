/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/mupdatectl/command.h"
#include "wire/wipe.h"

enum {
    OPTION_AUTHORIZE = 256,
    OPTION_PASSWORD_FILE,
    OPTION_TLS,
    OPTION_CA,
    OPTION_ACCEPT_ANY_CERTIFICATE,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_COMPRESS,
    OPTION_TIMEOUT,
    OPTION_DATABASE,
    OPTION_SOCKET,
    OPTION_JSON,
    OPTION_HELP,
    OPTION_VERSION,
};

enum { TIMEOUT_MS = 30000, MERGED_OPTIONS = 32 };

static const struct option shared_options[] = {
    {"host", required_argument, NULL, 'h'},
    {"user", required_argument, NULL, 'u'},
    {"mechanism", required_argument, NULL, 'm'},
    {"config", required_argument, NULL, 'C'},
    {"database", required_argument, NULL, OPTION_DATABASE},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"authorize", required_argument, NULL, OPTION_AUTHORIZE},
    {"password-file", required_argument, NULL, OPTION_PASSWORD_FILE},
    {"tls", required_argument, NULL, OPTION_TLS},
    {"ca", required_argument, NULL, OPTION_CA},
    {"accept-any-certificate", no_argument, NULL, OPTION_ACCEPT_ANY_CERTIFICATE},
    {"cert", required_argument, NULL, OPTION_CERT},
    {"key", required_argument, NULL, OPTION_KEY},
    {"compress", no_argument, NULL, OPTION_COMPRESS},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
};
#define SHARED_OPTIONS (sizeof shared_options / sizeof *shared_options)

int ctl_complain(int status, const char *format, ...)
{
    va_list arguments;

    fputs("mupdatectl: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return status;
}

int ctl_seconds(const char *text)
{
    char *end;
    double seconds;

    if (!isdigit((unsigned char)*text))
        return -1;
    seconds = strtod(text, &end);
    if (*end || !(seconds >= 0.001 && seconds <= 86400))
        return -1;
    return (int)(seconds * 1000);
}

bool ctl_split_host(char *text, const char **host, const char **port, bool *tls)
{
    char *colon = strchr(text, ':');
    char *slash;
    char *end;

    *host = text;
    *port = NULL;
    *tls = false;
    if (strncmp(text, "unix:", 5) == 0)
        return text[5] == '/';
    slash = strchr(text, '/');
    if (slash) {
        if (strcmp(slash, "/tls") != 0)
            return false;
        *slash = '\0';
        *tls = true;
    }
    if (*text == '[') {
        end = strchr(text, ']');
        if (!end || end == text + 1 || (end[1] && end[1] != ':'))
            return false;
        *host = text + 1;
        if (end[1])
            *port = end + 2;
        *end = '\0';
    } else if (colon && !strchr(colon + 1, ':')) {
        *colon = '\0';
        *port = colon + 1;
    }
    return **host && (!*port || **port);
}

int ctl_host(struct ctl *ctl, const char *option, const char *value)
{
    char *copy = strdup(value);

    if (!copy)
        return ctl_complain(EX_OSERR, "out of memory");
    free(ctl->host);
    ctl->host = copy;
    if (ctl_split_host(copy, &ctl->connect.host, &ctl->connect.port, &ctl->tls_first))
        return 0;
    return ctl_complain(
        EX_USAGE,
        "%s %s: give HOST, HOST:PORT, [ADDRESS]:PORT, one of them with /tls, or unix:/path",
        option, value);
}

static bool take_tls(struct ctl *ctl, const char *value)
{
    if (strcmp(value, "try") == 0)
        ctl->connect.tls = MUPDATE_TLS_TRY;
    else if (strcmp(value, "require") == 0)
        ctl->connect.tls = MUPDATE_TLS_REQUIRE;
    else if (strcmp(value, "never") == 0)
        ctl->connect.tls = MUPDATE_TLS_NEVER;
    else {
        ctl->status = ctl_complain(EX_USAGE, "--tls %s: give require, try or never", value);
        return false;
    }
    return true;
}

static bool logs_in_by_certificate(const struct mupdate_connect_options *connect)
{
    return connect->cert_file &&
           (!connect->mechanism || strcasecmp(connect->mechanism, "EXTERNAL") == 0);
}

int ctl_options_complete(struct ctl *ctl)
{
    if (ctl->tls_first) {
        if (ctl->connect.tls == MUPDATE_TLS_NEVER)
            return ctl_complain(EX_USAGE, "--tls never does not go with /tls behind the host");
        ctl->connect.tls = MUPDATE_TLS_FIRST;
    }
    if (ctl->connect.key_file && !ctl->connect.cert_file)
        return ctl_complain(EX_USAGE, "--key goes with --cert only");
    if (ctl->connect.mechanism && strcasecmp(ctl->connect.mechanism, "EXTERNAL") == 0 &&
        !ctl->connect.cert_file)
        return ctl_complain(EX_USAGE, "-m EXTERNAL logs in by a certificate: give --cert");
    /* A certificate says by itself whose it is; a password does not. */
    if (!ctl->connect.user && !logs_in_by_certificate(&ctl->connect))
        ctl->connect.user = ctl->account;
    return 0;
}

static bool take_timeout(struct ctl *ctl, const char *value)
{
    ctl->connect.timeout_ms = ctl_seconds(value);
    if (ctl->connect.timeout_ms > 0)
        return true;
    ctl->status = ctl_complain(EX_USAGE, "--timeout %s: give seconds, from 0.001 to 86400", value);
    return false;
}

/* False when ctl->status is the end of it. */
static bool take_shared(struct ctl *ctl, int option, const char *value)
{
    switch (option) {
    case 'h':
        ctl->status = ctl_host(ctl, "--host", value);
        return ctl->status == 0;
    case 'u':
        ctl->connect.user = value;
        return true;
    case 'm':
        ctl->connect.mechanism = value;
        return true;
    case 'C':
        ctl->config_file = value;
        return true;
    case OPTION_DATABASE:
        ctl->database = value;
        return true;
    case OPTION_SOCKET:
        ctl->socket = value;
        return true;
    case OPTION_AUTHORIZE:
        ctl->connect.authorize = value;
        return true;
    case OPTION_PASSWORD_FILE:
        ctl->password_file = value;
        return true;
    case OPTION_TLS:
        return take_tls(ctl, value);
    case OPTION_CA:
        ctl->connect.ca_file = value;
        return true;
    case OPTION_ACCEPT_ANY_CERTIFICATE:
        ctl->connect.accept_any_certificate = true;
        return true;
    case OPTION_CERT:
        ctl->connect.cert_file = value;
        return true;
    case OPTION_KEY:
        ctl->connect.key_file = value;
        return true;
    case OPTION_COMPRESS:
        ctl->connect.compress = true;
        return true;
    case OPTION_TIMEOUT:
        return take_timeout(ctl, value);
    case OPTION_JSON:
        ctl->json = true;
        return true;
    case OPTION_HELP:
        ctl->status = ctl_help(ctl->command);
        return false;
    default:
        printf("mupdatectl %s\n", MUPDATED_VERSION);
        ctl->status =
            fflush(stdout) == 0 ? 0 : ctl_complain(EX_IOERR, "cannot write to standard output");
        return false;
    }
}

static int wrong_usage(struct ctl *ctl, const char *problem, const char *what)
{
    const char *name = ctl->command ? ctl->command->name : "";

    ctl->status = ctl_complain(EX_USAGE, "%s%s%s%s; see mupdatectl%s%s --help", name,
                               *name ? ": " : "", problem, what, *name ? " " : "", name);
    return CTL_STOP;
}

static int check_arguments(struct ctl *ctl, int count)
{
    if (!ctl->command)
        return CTL_END;
    if (count < ctl->command->minimum)
        return wrong_usage(ctl, "something is missing: it takes ", ctl->command->arguments);
    if (ctl->command->maximum >= 0 && count > ctl->command->maximum)
        return wrong_usage(ctl, "too many arguments: it takes ",
                           *ctl->command->arguments ? ctl->command->arguments : "none");
    return CTL_END;
}

int ctl_option(struct ctl *ctl, int argc, char **argv)
{
    struct option merged[MERGED_OPTIONS];
    size_t count = SHARED_OPTIONS;
    const char *own_letters = ctl->command && ctl->command->letters ? ctl->command->letters : "";
    char letters[32];
    int option;

    memcpy(merged, shared_options, sizeof shared_options);
    if (ctl->command && ctl->command->options) {
        const struct option *own;

        for (own = ctl->command->options; own->name && count < MERGED_OPTIONS - 1; own++)
            merged[count++] = *own;
    }
    memset(&merged[count], 0, sizeof merged[count]);

    /* The program's own options end at the command's name; behind it the order is free. */
    (void)snprintf(letters, sizeof letters, "%s:h:u:m:C:%s", ctl->command ? "" : "+", own_letters);

    for (;;) {
        opterr = 0;
        option = getopt_long(argc, argv, letters, merged, NULL);
        if (option == -1)
            return check_arguments(ctl, argc - optind);
        if (option >= CTL_OWN_OPTION)
            return option;
        if (option != ':' && option != '?' && option < OPTION_AUTHORIZE &&
            strchr(own_letters, option))
            return option;
        if (option == ':')
            return wrong_usage(ctl, "a value is missing behind ", argv[optind - 1]);
        if (option == '?') {
            char letter[] = {'-', (char)optopt, '\0'};

            if (optopt > 0 && optopt < 256)
                return wrong_usage(ctl, "there is no option ", letter);
            return wrong_usage(ctl, optopt ? "this option takes no value: " : "there is no option ",
                               argv[optind - 1]);
        }
        if (!take_shared(ctl, option, optarg))
            return CTL_STOP;
    }
}

int ctl_options_init(struct ctl *ctl)
{
    const struct passwd *account = getpwuid(getuid());

    memset(ctl, 0, sizeof *ctl);
    ctl->connect.host = "localhost";
    ctl->connect.timeout_ms = TIMEOUT_MS;
    if (!account)
        return 0;
    ctl->account = strdup(account->pw_name);
    return ctl->account ? 0 : ctl_complain(EX_OSERR, "out of memory");
}

void ctl_options_free(struct ctl *ctl)
{
    wipe_free(ctl->password);
    free(ctl->account);
    free(ctl->host);
}
