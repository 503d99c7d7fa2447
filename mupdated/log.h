/*
 * The daemon's log: to stderr, or to syslog. Log lines are an interface: each
 * is one line whatever is put into it, in the form "text key=value ...".
 *
 * Every function may be called from any thread; log_open() only while no other
 * thread logs. Nothing here allocates memory, and errno is left as it was.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_LOG_H
#define MUPDATED_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <syslog.h>

enum log_target { LOG_TARGET_STDERR, LOG_TARGET_SYSLOG };

/* A line is cut, and ends in "...", past this many octets. */
#define LOG_LINE_BYTES 4096

/* Room for a value that LOG_VALUE() quotes; a longer one is cut and ends in "...". */
#define LOG_VALUE_BYTES 512

/*
 * Where lines go from now on. Before the first call: to stderr, from LOG_INFO
 * on. prefix (may be NULL) and facility (LOG_MAIL ..) are for syslog only,
 * where lines are from "PREFIX/mupdated" or "mupdated". level is the least
 * urgent one that is written, LOG_ERR to LOG_DEBUG.
 *
 * On stderr a line is "mupdated: LEVEL: text". If stderr led to the systemd
 * journal at this call, "<N>" comes first, N the level's number (sd-daemon(3)).
 */
void log_open(enum log_target target, const char *prefix, int facility, int level);

/* Change the level alone, e.g. at SIGHUP. */
void log_set_level(int level);

/* Whether a line of this level would be written. */
bool log_wants(int level);

/*
 * Write one line, printf-like. Control characters and octets that are not
 * UTF-8 are written as \xNN, so that nothing a client sends can end a line or
 * reach the terminal of who reads it.
 */
void log_write(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Write text, as the log callback of the store and of the writer; context is not looked at. */
void log_text(void *context, int level, const char *text);

#define log_error(...) log_write(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

/*
 * Put the len octets at data into buffer (size octets, at least 8) in the form
 * that a value has in "key=value": as they are, or in double quotes, with
 * backslashes before " and \ and \xNN for controls and non-UTF-8, when they
 * are none or hold a blank, '"', '=', '\' or one of those. Returns buffer.
 */
const char *log_value(char *buffer, size_t size, const void *data, size_t len);

/* The same with room of its own, which lasts as long as the block it stands in. */
#define LOG_VALUE(data, len) log_value((char[LOG_VALUE_BYTES]){0}, LOG_VALUE_BYTES, data, len)

#endif
