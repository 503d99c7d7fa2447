/*
 * The pages of a database file as they lie on the disk, read without Berkeley DB: that stops
 * at the first page whose checksum is wrong, for reading as for salvaging, and what stands on
 * the others would be lost with it.
 *
 * The form is that of B-trees of Berkeley DB 5.3 with checksums (its db_page.h): a file is a
 * row of pages of one size. Each begins with the place in the log of what changed it last, its own
 * number, those of its neighbours, and what it is; all numbers in the order of the machine that
 * made the file.
 *
 * An object belongs to one thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_PAGE_H
#define STORE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 4096

/* The first page, and no neighbour. */
#define PAGE_META_NUMBER 0

enum page_kind {
    PAGE_DAMAGED,
    PAGE_UNUSED, /* free, or never written */
    PAGE_META,
    PAGE_INTERNAL,
    PAGE_LEAF,
    PAGE_OVERFLOW,
};

/* A place in Berkeley DB's log. */
struct page_place {
    uint32_t file; /* 0: none */
    uint32_t offset;
};

bool page_place_before(struct page_place a, struct page_place b);

struct page {
    uint32_t number;
    enum page_kind kind;
    const char *wrong; /* of a damaged one: what, in words; static */
    struct page_place place;
    uint32_t previous; /* 0: none */
    uint32_t next;
    unsigned items; /* keys and values, of a leaf */
    unsigned char octets[PAGE_BYTES];
};

#define PAGE_FILE_ID_BYTES 20

struct page_file {
    int fd;
    uint64_t size;
    uint32_t pages; /* begun ones count */
};

/* Open the file at path. 0 or an errno code. */
int page_file_open(struct page_file *file, const char *path);
void page_file_close(struct page_file *file);

/* The id that Berkeley DB gave the file, on its first page. False: that is damaged. */
bool page_file_id(const struct page_file *file, unsigned char id[PAGE_FILE_ID_BYTES]);

/* Read a page, and see what it is. All that can go wrong makes it a damaged one. */
void page_read(const struct page_file *file, uint32_t number, struct page *page);

/*
 * The last place in the log that any page of the file at path names, be the page good or not. 0 or
 * an errno code.
 */
int page_file_place(const char *path, struct page_place *last);

/* Octets of an item, in memory that is used again for the next. All zero is empty. */
struct page_item {
    unsigned char *data;
    size_t len;
    size_t size;
    bool deleted; /* it is gone, and only its place is left */
};

void page_item_free(struct page_item *item);

/*
 * Read an item of a leaf, wherever its octets are. Returns NULL, or what is wrong, in
 * words; static. Out of memory counts as wrong: item->data is then NULL.
 */
const char *page_item_read(const struct page_file *file, const struct page *leaf, unsigned index,
                           struct page_item *item);

#endif
