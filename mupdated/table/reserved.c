/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/table/reserved.h"

#include <stdlib.h>

#define SIZE_MIN 64

void reserved_close(struct reserved *reserved)
{
    free(reserved->moments);
    *reserved = (struct reserved){0};
}

static void drop_over(struct reserved *reserved)
{
    size_t kept = 0;

    for (size_t i = 0; i < reserved->count; i++)
        if (reserved->moments[i].time_us != INT64_MAX)
            reserved->moments[kept++] = reserved->moments[i];
    reserved->count = kept;
    reserved->over = 0;
}

bool reserved_make_room(struct reserved *reserved)
{
    struct reserved_moment *moments;
    size_t size;

    if (reserved->count < reserved->size)
        return true;
    /* At least half of them each time, so that a moment costs the same however many there are. */
    if (reserved->size > 0 && reserved->over >= reserved->count / 2) {
        drop_over(reserved);
        return true;
    }
    size = reserved->size > 0 ? 2 * reserved->size : SIZE_MIN;
    moments = realloc(reserved->moments, size * sizeof *moments);
    if (!moments)
        return false;
    reserved->moments = moments;
    reserved->size = size;
    return true;
}

void reserved_add(struct reserved *reserved, uint64_t sequence, int64_t time_us)
{
    reserved->moments[reserved->count++] = (struct reserved_moment){
        .sequence = sequence, .time_us = time_us < INT64_MAX ? time_us : INT64_MAX - 1};
}

static int compare(const void *a, const void *b)
{
    const struct reserved_moment *left = a;
    const struct reserved_moment *right = b;

    return (left->sequence > right->sequence) - (left->sequence < right->sequence);
}

void reserved_sort(struct reserved *reserved)
{
    if (reserved->count > 0)
        qsort(reserved->moments, reserved->count, sizeof *reserved->moments, compare);
}

/* The first moment of that sequence or a greater one. */
static size_t find(const struct reserved *reserved, uint64_t sequence)
{
    size_t low = 0;
    size_t high = reserved->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (reserved->moments[middle].sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void reserved_remove(struct reserved *reserved, uint64_t sequence)
{
    for (size_t i = find(reserved, sequence);
         i < reserved->count && reserved->moments[i].sequence == sequence; i++) {
        if (reserved->moments[i].time_us == INT64_MAX)
            continue;
        reserved->moments[i].time_us = INT64_MAX;
        reserved->over++;
        break;
    }
    /* What is as it was before: the usual end of a reservation, a moment after it was made. */
    while (reserved->count > 0 && reserved->moments[reserved->count - 1].time_us == INT64_MAX) {
        reserved->count--;
        reserved->over--;
    }
    if (reserved->count == 0 && reserved->size > SIZE_MIN)
        reserved_close(reserved);
}

uint64_t reserved_until(const struct reserved *reserved, int64_t time_us)
{
    uint64_t found = 0;

    if (time_us == INT64_MAX)
        return reserved->count - reserved->over;
    for (size_t i = 0; i < reserved->count; i++)
        found += reserved->moments[i].time_us <= time_us;
    return found;
}
