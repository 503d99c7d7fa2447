/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "histogram.h"

/* Below 64 a bucket is one value; above, 64 buckets for each power of two. */
static unsigned bucket_of(uint64_t ns)
{
    if (ns < 64) {
        return (unsigned)ns;
    }
    unsigned shift = 57U - (unsigned)__builtin_clzll(ns);
    return (shift + 1) * 64 + (unsigned)(ns >> shift & 63);
}

/* The largest value that belongs to the bucket. */
static uint64_t bucket_end(unsigned bucket)
{
    if (bucket < 64) {
        return bucket;
    }
    unsigned shift = bucket / 64 - 1;
    return ((UINT64_C(64) + bucket % 64 + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->samples++;
    histogram->buckets[bucket_of(ns)]++;
    if (ns > histogram->max_ns) {
        histogram->max_ns = ns;
    }
}

double histogram_percent_us(const struct histogram *histogram, unsigned percent)
{
    uint64_t wanted = (histogram->samples * percent + 99) / 100;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && seen >= wanted) {
            uint64_t end = bucket_end(i);
            return (double)(end < histogram->max_ns ? end : histogram->max_ns) / 1e3;
        }
    }
    return 0;
}

double histogram_max_us(const struct histogram *histogram)
{
    return (double)histogram->max_ns / 1e3;
}
