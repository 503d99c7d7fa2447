/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM "mupdated"

/* Each octet of a text may become \xNN. */
#define ESCAPED_BYTES (4 * LOG_LINE_BYTES + 64)

static atomic_int log_level = LOG_INFO;
static enum log_target log_target = LOG_TARGET_STDERR;
static bool log_journal;
static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;

static const char *level_name(int level)
{
    switch (level) {
    case LOG_WARNING:
        return "warning";
    case LOG_NOTICE:
        return "notice";
    case LOG_INFO:
        return "info";
    case LOG_DEBUG:
        return "debug";
    default:
        return "error";
    }
}

/* systemd sets JOURNAL_STREAM for all it starts, also where stderr was redirected since. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    char own[64];

    if (stream == NULL || fstat(STDERR_FILENO, &status) != 0) {
        return false;
    }
    snprintf(own, sizeof own, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    return strcmp(stream, own) == 0;
}

void log_open(enum log_target target, const char *prefix, int facility, int level)
{
    /* openlog() keeps the pointer. */
    static char ident[128];

    log_set_level(level);
    log_target = target;
    log_journal = stderr_is_journal();
    if (target == LOG_TARGET_SYSLOG) {
        snprintf(ident, sizeof ident, "%s%s" PROGRAM, prefix == NULL ? "" : prefix,
                 prefix == NULL ? "" : "/");
        closelog();
        openlog(ident, LOG_PID | LOG_NDELAY, facility);
    }
}

void log_set_level(int level)
{
    atomic_store_explicit(&log_level, level, memory_order_relaxed);
}

bool log_wants(int level)
{
    return level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

/*
 * The length of the printable UTF-8 character at data, or 0 if what stands
 * there is none (RFC 3629: no overlong forms, no surrogates) or is a control,
 * of which U+0080 to U+009F move terminals as ESC does.
 */
static size_t printable_len(const unsigned char *data, size_t len)
{
    unsigned char first = data[0];
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t need;

    if (first < 0x80) {
        return first >= 0x20 && first != 0x7f ? 1 : 0;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        need = 2;
        low = first == 0xc2 ? 0xa0 : low;
    } else if (first >= 0xe0 && first <= 0xef) {
        need = 3;
        low = first == 0xe0 ? 0xa0 : low;
        high = first == 0xed ? 0x9f : high;
    } else if (first >= 0xf0 && first <= 0xf4) {
        need = 4;
        low = first == 0xf0 ? 0x90 : low;
        high = first == 0xf4 ? 0x8f : high;
    } else {
        return 0;
    }
    if (len < need || data[1] < low || data[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < need; i++) {
        if (data[i] < 0x80 || data[i] > 0xbf) {
            return 0;
        }
    }
    return need;
}

/* How many octets stand for themselves, quoted or not: nearly always all. */
static size_t plain_len(const unsigned char *data, size_t len)
{
    size_t plain = 0;

    while (plain < len && data[plain] >= 0x20 && data[plain] < 0x7f && data[plain] != '"' &&
           data[plain] != '\\') {
        plain++;
    }
    return plain;
}

/* The text that stands for the character at data: its length, and how much of data it is. */
struct piece {
    char text[4];
    size_t len;
    size_t taken;
};

static struct piece escape(const unsigned char *data, size_t len, bool quoting)
{
    static const char digits[] = "0123456789abcdef";
    struct piece piece = {.len = 0, .taken = printable_len(data, len)};

    if (piece.taken == 0) {
        piece.text[0] = '\\';
        piece.text[1] = 'x';
        piece.text[2] = digits[data[0] >> 4];
        piece.text[3] = digits[data[0] & 15];
        piece.len = 4;
        piece.taken = 1;
        return piece;
    }
    if (quoting && (data[0] == '"' || data[0] == '\\')) {
        piece.text[piece.len++] = '\\';
    }
    memcpy(piece.text + piece.len, data, piece.taken);
    piece.len += piece.taken;
    return piece;
}

/* Returns the length written; at most room octets, and only whole pieces. */
static size_t escape_all(char *out, size_t room, const unsigned char *data, size_t len,
                         bool quoting, bool *whole)
{
    size_t used = 0;

    *whole = true;
    while (len > 0) {
        size_t plain = plain_len(data, len < room - used ? len : room - used);
        struct piece piece;

        memcpy(out + used, data, plain);
        used += plain;
        data += plain;
        len -= plain;
        if (len == 0) {
            break;
        }
        piece = escape(data, len, quoting);
        if (piece.len > room - used) {
            *whole = false;
            break;
        }
        memcpy(out + used, piece.text, piece.len);
        used += piece.len;
        data += piece.taken;
        len -= piece.taken;
    }
    return used;
}

static void write_all(const char *data, size_t len)
{
    pthread_mutex_lock(&log_mutex);
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, data, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break; /* there is nowhere to say so */
        }
        data += n;
        len -= (size_t)n;
    }
    pthread_mutex_unlock(&log_mutex);
}

void log_write(int level, const char *format, ...)
{
    char raw[LOG_LINE_BYTES];
    char line[ESCAPED_BYTES];
    size_t used = 0;
    size_t len;
    bool whole;
    bool cut = false;
    int saved = errno;
    va_list arguments;

    if (!log_wants(level)) {
        return;
    }
    va_start(arguments, format);
    int n = vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    if (n < 0) {
        /* Only a conversion of wide characters can fail; the format itself still says something. */
        n = snprintf(raw, sizeof raw, "%s", format);
    }
    len = (size_t)n;
    if (len >= sizeof raw) {
        len = sizeof raw - 1;
        cut = true;
    }
    if (log_target == LOG_TARGET_STDERR) {
        if (log_journal) {
            used = (size_t)snprintf(line, sizeof line, "<%d>", level);
        }
        used += (size_t)snprintf(line + used, sizeof line - used, PROGRAM ": %s: ",
                                 level_name(level));
    }
    used += escape_all(line + used, sizeof line - used - 8, (const unsigned char *)raw, len, false,
                       &whole);
    if (cut || !whole) {
        memcpy(line + used, "...", 3);
        used += 3;
    }
    if (log_target == LOG_TARGET_SYSLOG) {
        line[used] = '\0';
        syslog(level, "%s", line);
    } else {
        line[used++] = '\n';
        write_all(line, used);
    }
    errno = saved;
}

void log_text(void *context, int level, const char *text)
{
    (void)context;
    log_write(level, "%s", text);
}

static bool needs_quotes(const unsigned char *data, size_t len)
{
    if (len == 0) {
        return true;
    }
    while (len > 0) {
        size_t taken = printable_len(data, len);
        if (taken == 0 || strchr(" \"=\\", data[0]) != NULL) {
            return true;
        }
        data += taken;
        len -= taken;
    }
    return false;
}

const char *log_value(char *buffer, size_t size, const void *data, size_t len)
{
    bool quotes = needs_quotes(data, len);
    size_t used = 0;
    bool whole;

    if (quotes) {
        buffer[used++] = '"';
    }
    /* Behind the value: "...", a quote, and the NUL. */
    used += escape_all(buffer + used, size - used - 5, data, len, quotes, &whole);
    if (!whole) {
        memcpy(buffer + used, "...", 3);
        used += 3;
    }
    if (quotes) {
        buffer[used++] = '"';
    }
    buffer[used] = '\0';
    return buffer;
}
