/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mupdated/table/row.h"

static bool is_leaf(const struct records *records, uint32_t number)
{
    return number != 0 && number < records->file.pages && records->kinds[number] == PAGE_LEAF;
}

static uint32_t previous_of(const struct records *records, uint32_t number)
{
    return records->links[2 * (size_t)number];
}

static uint32_t next_of(const struct records *records, uint32_t number)
{
    return records->links[2 * (size_t)number + 1];
}

/* The leaf behind another: both must say so. 0: there is none that could be read. */
static uint32_t leaf_behind(const struct records *records, uint32_t number)
{
    uint32_t next = next_of(records, number);

    return is_leaf(records, next) && previous_of(records, next) == number ? next : 0;
}

static bool is_head(const struct records *records, uint32_t number)
{
    uint32_t previous = previous_of(records, number);

    return !is_leaf(records, previous) || next_of(records, previous) != number;
}

static uint32_t tail_of(const struct records *records, uint32_t number)
{
    uint32_t next;

    while ((next = leaf_behind(records, number)) != 0)
        number = next;
    return number;
}

/* --- the rows of leaves, in order --- */

struct head {
    uint32_t number;
    struct page_item key;
};

static int compare_heads(const void *a, const void *b)
{
    const struct head *left = a;
    const struct head *right = b;

    return text_compare((struct mupdate_text){(const char *)left->key.data, left->key.len},
                        (struct mupdate_text){(const char *)right->key.data, right->key.len});
}

static int sort_heads(struct records *records)
{
    struct head *heads = calloc(records->head_count ? records->head_count : 1, sizeof *heads);

    if (!heads)
        return ENOMEM;
    for (uint32_t i = 0; i < records->head_count; i++) {
        heads[i].number = records->heads[i];
        page_read(&records->file, heads[i].number, &records->page);
        /* A leaf without records, or with a first key that cannot be read, comes first. */
        if (records->page.kind == PAGE_LEAF && records->page.items &&
            page_item_read(&records->file, &records->page, 0, &heads[i].key))
            heads[i].key.len = 0;
    }
    qsort(heads, records->head_count, sizeof *heads, compare_heads);
    for (uint32_t i = 0; i < records->head_count; i++) {
        records->heads[i] = heads[i].number;
        page_item_free(&heads[i].key);
    }
    free(heads);
    return 0;
}

static int find_heads(struct records *records)
{
    uint64_t reached = 0;

    for (uint32_t number = 1; number < records->file.pages; number++) {
        if (!is_leaf(records, number))
            continue;
        records->leaves++;
        if (!is_head(records, number))
            continue;
        records->heads[records->head_count++] = number;
        for (uint32_t at = number; at != 0; at = leaf_behind(records, at))
            reached++;
    }
    records->whole = records->head_count == 1 && reached == records->leaves &&
                     previous_of(records, records->heads[0]) == 0 &&
                     next_of(records, tail_of(records, records->heads[0])) == 0;
    return sort_heads(records);
}

/* --- */

static int look_at_pages(struct records *records, records_page *looked, void *context)
{
    struct page *page = &records->page;

    for (uint32_t number = 0; number < records->file.pages; number++) {
        page_read(&records->file, number, page);
        records->kinds[number] = (uint8_t)page->kind;
        records->links[2 * (size_t)number] = page->previous;
        records->links[2 * (size_t)number + 1] = page->next;
        if (page->kind == PAGE_DAMAGED) {
            records->damaged++;
        } else if (page_place_before(records->place, page->place)) {
            records->place = page->place;
        }
        if (looked)
            looked(context, page);
    }
    return find_heads(records);
}

int records_open(struct records *records, const char *path, records_page *looked, void *context)
{
    int code;
    size_t pages;

    memset(records, 0, sizeof *records);
    code = page_file_open(&records->file, path);
    if (code != 0)
        return code;
    pages = records->file.pages ? records->file.pages : 1;
    records->kinds = calloc(pages, sizeof *records->kinds);
    records->links = calloc(2 * pages, sizeof *records->links);
    records->heads = calloc(pages, sizeof *records->heads);
    code = records->kinds && records->links && records->heads
               ? look_at_pages(records, looked, context)
               : ENOMEM;
    if (code != 0)
        records_close(records);
    return code;
}

void records_close(struct records *records)
{
    page_file_close(&records->file);
    free(records->kinds);
    free(records->links);
    free(records->heads);
    records->kinds = NULL;
    records->links = NULL;
    records->heads = NULL;
}

static struct mupdate_text text_of(const struct page_item *item)
{
    return (struct mupdate_text){(const char *)item->data, item->len};
}

struct reading {
    struct records *records;
    records_record *record;
    records_gap *gap;
    void *context;
    struct page_item key;
    struct page_item value;
    struct page_item last; /* the last key of the row of leaves before */
};

static int read_leaf(struct reading *reading, uint32_t number)
{
    struct records *records = reading->records;

    records->leaves_read++;
    page_read(&records->file, number, &records->page);
    for (unsigned i = 0; i + 1 < records->page.items; i += 2) {
        const char *wrong =
            page_item_read(&records->file, &records->page, i, &reading->key);
        bool deleted = reading->key.deleted;

        if (wrong)
            reading->key.len = 0;
        else
            wrong = page_item_read(&records->file, &records->page, i + 1, &reading->value);
        if (!reading->key.data || (!wrong && !reading->value.data))
            return ENOMEM;
        if (wrong)
            reading->value.len = 0;
        if (deleted || reading->value.deleted)
            continue;
        if (!reading->record(reading->context, text_of(&reading->key), text_of(&reading->value),
                             wrong))
            return ECANCELED;
    }
    return 0;
}

/* The first key of a leaf; empty when it has none. */
static struct mupdate_text first_key(struct reading *reading, uint32_t number)
{
    struct records *records = reading->records;

    page_read(&records->file, number, &records->page);
    if (records->page.kind != PAGE_LEAF || records->page.items == 0 ||
        page_item_read(&records->file, &records->page, 0, &reading->key))
        return (struct mupdate_text){NULL, 0};
    return text_of(&reading->key);
}

/* Keep the last key that was read, for the gap behind it. */
static void keep_last(struct reading *reading)
{
    struct page_item last = reading->last;

    reading->last = reading->key;
    reading->key = last;
}

int records_read(struct records *records, records_record *record, records_gap *gap, void *context)
{
    struct reading reading = {.records = records, .record = record, .gap = gap,
                              .context = context};
    bool missing = true; /* whether leaves may be missing before the next row of them */
    int code = 0;

    records->leaves_read = 0;
    for (uint32_t i = 0; i < records->head_count && code == 0; i++) {
        uint32_t number = records->heads[i];
        uint32_t tail = number;

        missing = i > 0 || previous_of(records, number) != 0;
        if (missing && gap)
            gap(context, text_of(&reading.last), first_key(&reading, number));
        for (; number != 0 && code == 0; number = leaf_behind(records, number)) {
            code = read_leaf(&reading, number);
            tail = number;
        }
        keep_last(&reading);
        missing = next_of(records, tail) != 0;
    }
    if (code == 0 && missing && gap)
        gap(context, text_of(&reading.last), (struct mupdate_text){NULL, 0});
    page_item_free(&reading.key);
    page_item_free(&reading.value);
    page_item_free(&reading.last);
    return code;
}
