/*
 * How many random cases a test tries.
 *
 * Sanitizers and valgrind take each case ten to fifty times as long, and look at other things:
 * memory, threads, arithmetic. For these a part of the cases has all the code in it, so
 * TEST_CASES=10 in the environment asks for one in ten.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_UNIT_CASES_H
#define TESTS_UNIT_CASES_H

#include <stddef.h>
#include <stdlib.h>

/* Of so many cases those to be tried: all of them, or as TEST_CASES says; at least one. */
static inline size_t cases_of(size_t all)
{
    const char *divisor = getenv("TEST_CASES");
    unsigned long number = divisor ? strtoul(divisor, NULL, 10) : 1;

    return number > 1 ? (all + number - 1) / number : all;
}

#endif
