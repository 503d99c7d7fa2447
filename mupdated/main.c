/*
 * mupdated: the daemon's process: options, signals, reload.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "mupdated/certificates.h"
#include "mupdated/log.h"
#include "mupdated/master.h"
#include "mupdated/net/admission.h"
#include "mupdated/privileges.h"

#define DEFAULT_CONFIG MUPDATED_SYSCONFDIR "/mupdated.conf"

/* A configuration in use or once in use: they are freed at the end. */
struct kept {
    struct config *config;
    struct kept *next;
};

struct process {
    const char *config_file;
    uv_loop_t loop;
    uv_signal_t stop_signals[2];
    uv_signal_t reload_signal;
    struct master master;
    struct kept *kept;
    bool stopping;
};

static void usage(FILE *to)
{
    fprintf(to,
            "usage: mupdated [-C FILE] [--check-config | --check-database]\n"
            "       mupdated --version | --help\n"
            "\n"
            "A MUPDATE (RFC 3656) master server. Runs in the foreground.\n"
            "\n"
            "  -C, --config FILE   configuration (default: %s)\n"
            "      --check-config  say what is wrong with the configuration, and end\n"
            "      --check-database\n"
            "                      say whether the log of changes agrees with the table,\n"
            "                      and end; only while no mupdated uses it\n"
            "      --version       print the version, and end\n"
            "  -h, --help          print this, and end\n"
            "\n"
            "See mupdated(8) and mupdated.conf(5).\n",
            DEFAULT_CONFIG);
}

static void notice_to_log(void *context, const char *text)
{
    (void)context;
    log_notice("%s", text);
}

static bool keep(struct process *process, struct config *config)
{
    struct kept *kept = malloc(sizeof *kept);

    if (!kept)
        return false;
    kept->config = config;
    kept->next = process->kept;
    process->kept = kept;
    return true;
}

static struct config *read_config(struct process *process)
{
    struct config_error error;
    struct config *config = config_read(process->config_file, notice_to_log, NULL, &error);

    if (!config) {
        log_error("%s", error.text);
        return NULL;
    }
    if (!keep(process, config)) {
        config_free(config);
        log_error("cannot read the configuration: out of memory");
        return NULL;
    }
    return config;
}

static void open_log(const struct config *config)
{
    log_open(config->log, config->syslog_prefix, config->syslog_facility, config->log_level);
}

/* Each connection takes a descriptor; the soft limit is often 1,024. */
static void raise_descriptor_limit(const struct config *config)
{
    size_t needed = config->connections_max + ADMISSION_UNIX_RESERVE +
                    admission_descriptors_besides(config);
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < needed)
        log_warning("descriptors: limit=%llu is too low for mupdate_connections_max=%zu, which "
                    "needs %zu; raise LimitNOFILE= in the unit, or ulimit -n",
                    (unsigned long long)limit.rlim_cur, config->connections_max, needed);
}

static void on_stopped(void *context)
{
    struct process *process = context;

    uv_stop(&process->loop);
}

static void on_stop_signal(uv_signal_t *signal, int number)
{
    struct process *process = signal->data;

    if (process->stopping) {
        master_hurry(&process->master);
        return;
    }
    process->stopping = true;
    log_notice("stopping: signal=%d", number);
    sd_notify(0, "STOPPING=1");
    master_stop(&process->master, on_stopped, process);
}

static void log_difference(void *context, const char *key, enum config_effect effect)
{
    (void)context;
    if (effect == CONFIG_ON_RESTART)
        log_warning("reload: key=%s changed; this takes effect at the next start only", key);
    else
        log_notice("reload: key=%s changed", key);
}

static void on_reload_signal(uv_signal_t *signal, int number)
{
    struct process *process = signal->data;
    const struct config *old = process->master.config;
    struct config *config;

    (void)number;
    if (process->stopping)
        return;
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(uv_hrtime() / 1000));
    config = read_config(process);
    if (config)
        privileges_check_files(config);
    if (!config || !master_reload(&process->master, config)) {
        log_error("reload: the configuration stays as it was");
    } else {
        config_compare(old, config, log_difference, NULL);
        log_set_level(config->log_level);
        log_notice("reload: done");
    }
    sd_notify(0, "READY=1");
}

static void catch_signal(struct process *process, uv_signal_t *signal, int number,
                         uv_signal_cb callback)
{
    signal->data = process;
    uv_signal_init(&process->loop, signal);
    uv_signal_start(signal, callback, number);
    uv_unref((uv_handle_t *)signal);
}

static int serve(struct process *process, const struct config *config)
{
    bool ended;
    int code;

    code = uv_loop_init(&process->loop);
    if (code != 0) {
        log_error("cannot start: %s", uv_strerror(code));
        return EX_OSERR;
    }
    /* One that comes while the table is read is obeyed behind that, and ends nothing. */
    catch_signal(process, &process->reload_signal, SIGHUP, on_reload_signal);
    code = master_bind(&process->master, &process->loop, config);
    if (code != EX_OK || (code = privileges_drop(config)) != EX_OK)
        return code;
    privileges_seal(config);
    privileges_check_files(config);
    code = master_start(&process->master);
    if (code == EX_OK) {
        catch_signal(process, &process->stop_signals[0], SIGTERM, on_stop_signal);
        catch_signal(process, &process->stop_signals[1], SIGINT, on_stop_signal);
        log_notice("ready: version=%s server=%s", MUPDATED_VERSION, config->servername);
        sd_notify(0, "READY=1");
    } else if (process->master.store) {
        /* The writer may run already: the database is closed in good order all the same. */
        process->stopping = true;
        master_stop(&process->master, on_stopped, process);
    } else {
        return code;
    }
    uv_run(&process->loop, UV_RUN_DEFAULT);

    /* The handles that were closed last. Signals stay caught until the process is gone. */
    for (int i = 0; i < 100 && uv_run(&process->loop, UV_RUN_NOWAIT); i++)
        usleep(1000);
    ended = master_close(&process->master);
    if (code == EX_OK)
        log_notice("stopped");
    /* A login that hangs must not hold up the end, nor lose what it uses before the process. */
    if (!ended)
        _exit(code);
    return code;
}

/* What a start would find out about the files and the account that the configuration names. */
static int check_config(const struct process *process, const struct config *config)
{
    struct tls_context *tls = NULL;
    int code = privileges_check_user(config);

    if (!certificates_open(config, &tls))
        code = EX_CONFIG;
    tls_context_unref(tls);
    if (code == EX_OK)
        printf("%s: good\n", process->config_file);
    return code;
}

static int check_database(const struct config *config)
{
    struct store_options options = {
        .directory = config->database_directory,
        .cache_bytes = config->cache_bytes,
        .existing = true,
        .log = log_text,
    };
    struct store *store;
    struct store_counts counts;
    struct store_error error;
    enum store_result result;
    int code;

    if (access(config->database_directory, F_OK) != 0) {
        log_error("check: %s: %s", config->database_directory, strerror(errno));
        return EX_NOINPUT;
    }
    /* Berkeley DB makes files in there, which must be the daemon's. */
    code = privileges_drop(config);
    if (code != EX_OK)
        return code;
    result = store_open(&store, &options, &error);
    if (result == STORE_OK) {
        result = store_check(store, &counts, &error);
        store_close(store);
    }
    if (result != STORE_OK) {
        log_error("check: %s", error.text);
        if (result == STORE_BUSY)
            return EX_UNAVAILABLE;
        return result == STORE_ABSENT ? EX_NOINPUT : EX_DATAERR;
    }
    log_notice("check: good rows=%llu changes=%llu", (unsigned long long)counts.rows,
               (unsigned long long)counts.changes);
    return EX_OK;
}

int main(int argc, char **argv)
{
    enum { CHECK_CONFIG = 256, CHECK_DATABASE, VERSION };
    static const struct option options[] = {
        {"config", required_argument, NULL, 'C'},
        {"check-config", no_argument, NULL, CHECK_CONFIG},
        {"check-database", no_argument, NULL, CHECK_DATABASE},
        {"version", no_argument, NULL, VERSION},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    static struct process process = {.config_file = DEFAULT_CONFIG};
    struct config *config;
    int task = 0;
    int option;
    int code;

    while ((option = getopt_long(argc, argv, "C:h", options, NULL)) != -1) {
        switch (option) {
        case 'C':
            process.config_file = optarg;
            break;
        case CHECK_CONFIG:
        case CHECK_DATABASE:
            task = option;
            break;
        case VERSION:
            printf("mupdated %s\n", MUPDATED_VERSION);
            return EX_OK;
        case 'h':
            usage(stdout);
            return EX_OK;
        default:
            usage(stderr);
            return EX_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "mupdated: unexpected argument \"%s\"\n", argv[optind]);
        usage(stderr);
        return EX_USAGE;
    }

    log_open(LOG_TARGET_STDERR, NULL, LOG_MAIL, LOG_INFO);
    signal(SIGPIPE, SIG_IGN);
    /* A limit on the size of files is a full disk, not an end without a word. */
    signal(SIGXFSZ, SIG_IGN);
    umask(077);
    config = read_config(&process);
    if (!config)
        return EX_CONFIG;
    if (task == CHECK_CONFIG) {
        code = check_config(&process, config);
    } else if (task == CHECK_DATABASE) {
        code = check_database(config);
    } else {
        open_log(config);
        raise_descriptor_limit(config);
        code = serve(&process, config);
    }
    while (process.kept) {
        struct kept *kept = process.kept;

        process.kept = kept->next;
        config_free(kept->config);
        free(kept);
    }
    return code;
}
