/*
 * Times counted in buckets that are 1/64 of their value wide, so that a million
 * samples cost as much memory as ten.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_BENCH_HISTOGRAM_H
#define MUPDATE_BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 64 * 64 };

struct histogram {
    uint64_t samples;
    uint64_t max_ns;
    uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t ns);

/*
 * The time in microseconds that so many per cent (1 to 100) of the samples do not
 * exceed, right to 2 %. Where they are no whole number of samples, it is the next
 * one: 99 per cent of 60 samples are all. 0 if there is no sample.
 */
double histogram_percent_us(const struct histogram *histogram, unsigned percent);

double histogram_max_us(const struct histogram *histogram);

#endif
