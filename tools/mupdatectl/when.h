/*
 * Times and durations as an operator gives and reads them.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_WHEN_H
#define MUPDATECTL_WHEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTL_WHEN_BYTES 40

/* "90", "90s", "10m", "2h", "3d", "1w" as microseconds, up to 1000 years; -1 for anything else. */
int64_t ctl_duration_us(const char *text);

/*
 * "2026-11-22", "2026-11-22T10:00" or "2026-11-22T10:00:00" (a blank may stand for the T) in
 * local time, or with Z behind it in UTC; or a duration: so long before now_us. Microseconds
 * since 1970; -1 for anything else.
 */
int64_t ctl_moment_us(const char *text, int64_t now_us);

/* Microseconds since 1970. */
int64_t ctl_now_us(void);

/* "2026-11-22T10:00:00.123456Z". Returns text. */
const char *ctl_moment_text(int64_t time_us, char text[CTL_WHEN_BYTES]);

/* "4.2 s", "12:05", "3:04:05", "2 d 03:04:05". Returns text. */
const char *ctl_duration_text(double seconds, char text[CTL_WHEN_BYTES]);

/* "123 B", "1.2 kB", "3.4 MB", ... Returns text. */
const char *ctl_size_text(double octets, char text[CTL_WHEN_BYTES]);

/* "1,234,567". Returns text. */
const char *ctl_number_text(int64_t number, char text[CTL_WHEN_BYTES]);

/* "500", "100k", "10M", "1G", "2T": octets, in powers of 1000; -1 for anything else. */
int64_t ctl_size_octets(const char *text);

#endif
