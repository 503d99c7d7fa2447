/*
 * What a run says: one line for people, or one JSON object for programs; and
 * how a run that went wrong ends.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_BENCH_REPORT_H
#define MUPDATE_BENCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"

/* The report of this process begins; scenario must stay valid to its end. */
void report_begin(const char *scenario, bool json);

/* Add one figure. key is a string constant that names its unit. */
void report_figure(const char *key, double value);

/* Add p50_us, p99_us and max_us, each name with prefix in front. */
void report_times(const char *prefix, const struct histogram *histogram);

/* Print a line at once, for a program that waits for it. */
void report_line(const char *line);

/* The measured time begins: what report_own_cpu() refers to. */
void report_clock_start(void);

/*
 * Add the share of the measured time that this process was computing: near 1
 * it may have been the limit itself.
 */
void report_own_cpu(void);

/*
 * What is computed between these two is done while there is nothing else to do,
 * and does not count in report_own_cpu().
 */
void report_spare_begin(void);
void report_spare_end(void);

/* Print everything, with errors 0. */
void report_print(void);

/*
 * End the process: say on stderr what went wrong and, when JSON was asked for,
 * print an object with errors 1 and the text. exit_code is one of <sysexits.h>.
 */
_Noreturn void report_failure(int exit_code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* CLOCK_MONOTONIC. */
uint64_t report_now_ns(void);

#endif
