/*
 * What the machine itself can do, as the yardstick for what a server does.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

#include "report.h"
#include "scenario.h"

enum {
    /* About the size of a FIND and of its answer. */
    PING_BYTES = 48,
    BLOCK_BYTES = 1 << 16,
    /* More than the caches hold. */
    COPY_BYTES = 1 << 26,
    /* About the size of a change record in a log. */
    RECORD_BYTES = 512,
    /* A log file that was made before it is needed. */
    LOG_BYTES = 1 << 24,
};

static char block[BLOCK_BYTES];

static bool send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        data += sent;
        len -= (size_t)sent;
    }
    return true;
}

/* The other process: gives back each ping, or sends blocks until nobody reads. */
static _Noreturn void other_end(int listener, bool stream)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = accept(listener, NULL, NULL);
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    char ping[PING_BYTES];
    while (stream ? send_all(fd, block, sizeof(block))
                  : recv(fd, ping, sizeof(ping), MSG_WAITALL) == (ssize_t)sizeof(ping) &&
                        send_all(fd, ping, sizeof(ping))) {
    }
    _exit(0);
}

static int connect_other_end(bool stream, pid_t *child)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    if (listener < 0 || fd < 0 || bind(listener, (struct sockaddr *)&address, len) != 0 ||
        listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) != 0) {
        report_failure(EX_OSERR, "listening on loopback: %s", strerror(errno));
    }
    *child = fork();
    if (*child == 0) {
        close(fd);
        other_end(listener, stream);
    }
    close(listener);
    if (*child < 0 || connect(fd, (struct sockaddr *)&address, len) != 0) {
        report_failure(EX_OSERR, "connecting over loopback: %s", strerror(errno));
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static void disconnect_other_end(int fd, pid_t child)
{
    close(fd);
    waitpid(child, NULL, 0);
}

static void measure_round_trips(const struct options *options)
{
    static struct histogram times;
    pid_t child;
    int fd = connect_other_end(false, &child);
    char ping[PING_BYTES] = {0};
    uint64_t start_ns = report_now_ns();
    uint64_t now_ns = start_ns;
    while ((double)(now_ns - start_ns) / 1e9 < options->seconds) {
        if (!send_all(fd, ping, sizeof(ping)) ||
            recv(fd, ping, sizeof(ping), MSG_WAITALL) != (ssize_t)sizeof(ping)) {
            report_failure(EX_OSERR, "loopback round trip: %s", strerror(errno));
        }
        uint64_t back_ns = report_now_ns();
        histogram_add(&times, back_ns - now_ns);
        now_ns = back_ns;
    }
    report_figure("ops_per_s", (double)times.samples * 1e9 / (double)(now_ns - start_ns));
    report_times("", &times);
    disconnect_other_end(fd, child);
}

static void measure_stream(const struct options *options)
{
    pid_t child;
    int fd = connect_other_end(true, &child);
    uint64_t start_ns = report_now_ns();
    uint64_t now_ns = start_ns;
    double octets = 0;
    while ((double)(now_ns - start_ns) / 1e9 < options->seconds) {
        ssize_t received = recv(fd, block, sizeof(block), 0);
        if (received <= 0) {
            report_failure(EX_OSERR, "loopback stream: %s", strerror(errno));
        }
        octets += (double)received;
        now_ns = report_now_ns();
    }
    report_figure("bytes_per_s", octets * 1e9 / (double)(now_ns - start_ns));
    disconnect_other_end(fd, child);
}

void scenario_loopback(const struct options *options)
{
    report_figure("seconds", options->seconds);
    measure_round_trips(options);
    measure_stream(options);
}

/* A file in the directory that nobody else finds. */
static int open_scratch(const struct options *options)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof(path), "%s/mupdate-bench.XXXXXX", options->directory) >=
        sizeof(path)) {
        report_failure(EX_USAGE, "--directory %s: too long", options->directory);
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0 || unlink(path) != 0) {
        report_failure(EX_CANTCREAT, "%s: %s", path, strerror(errno));
    }
    return fd;
}

static _Noreturn void cannot_write(const struct options *options)
{
    report_failure(EX_IOERR, "%s: %s", options->directory, strerror(errno));
}

/*
 * Write records one behind the other, each synced, and from the start again when
 * size is reached. Returns how many in a second.
 */
static double sync_records(const struct options *options, int fd, off_t size,
                           struct histogram *times)
{
    off_t at = 0;
    uint64_t start_ns = report_now_ns();
    uint64_t now_ns = start_ns;
    while ((double)(now_ns - start_ns) / 1e9 < options->seconds) {
        if (pwrite(fd, block, RECORD_BYTES, at) != RECORD_BYTES || fdatasync(fd) != 0) {
            cannot_write(options);
        }
        uint64_t written_ns = report_now_ns();
        histogram_add(times, written_ns - now_ns);
        now_ns = written_ns;
        at += RECORD_BYTES;
        at = at < size ? at : 0;
    }
    return (double)times->samples * 1e9 / (double)(now_ns - start_ns);
}

static int open_zeroed(const struct options *options)
{
    int fd = open_scratch(options);
    memset(block, 0, sizeof(block));
    for (off_t at = 0; at < LOG_BYTES; at += BLOCK_BYTES) {
        if (pwrite(fd, block, BLOCK_BYTES, at) != BLOCK_BYTES) {
            cannot_write(options);
        }
    }
    if (fsync(fd) != 0) {
        cannot_write(options);
    }
    return fd;
}

void scenario_fsync(const struct options *options)
{
    static struct histogram appended;
    static struct histogram overwritten;
    memset(block, 'x', RECORD_BYTES);
    int fd = open_scratch(options);
    double appended_per_s = sync_records(options, fd, INT64_MAX, &appended);
    close(fd);
    fd = open_zeroed(options);
    memset(block, 'x', RECORD_BYTES);
    double overwritten_per_s = sync_records(options, fd, LOG_BYTES, &overwritten);
    close(fd);
    report_figure("seconds", options->seconds);
    report_figure("ops_per_s", appended_per_s);
    report_times("", &appended);
    report_figure("overwrite_per_s", overwritten_per_s);
    report_times("overwrite_", &overwritten);
}

void scenario_memcpy(const struct options *options)
{
    char *from = malloc(COPY_BYTES);
    char *to = malloc(COPY_BYTES);
    if (from == NULL || to == NULL) {
        report_failure(EX_OSERR, "no memory to copy");
    }
    /* Memory that was never written is not there yet. */
    memset(from, 'x', COPY_BYTES);
    memset(to, 'y', COPY_BYTES);
    uint64_t start_ns = report_now_ns();
    uint64_t now_ns = start_ns;
    double octets = 0;
    while ((double)(now_ns - start_ns) / 1e9 < options->seconds) {
        /* Another block each time, or a compiler could copy once. */
        from[0]++;
        memcpy(to, from, COPY_BYTES);
        octets += COPY_BYTES;
        now_ns = report_now_ns();
    }
    if (memcmp(to, from, COPY_BYTES) != 0) {
        report_failure(EX_SOFTWARE, "a copy differs");
    }
    report_figure("seconds", options->seconds);
    report_figure("bytes_per_s", octets * 1e9 / (double)(now_ns - start_ns));
    free(from);
    free(to);
}
