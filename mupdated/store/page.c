/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mupdated/store/format.h"

/* Where things stand in a page. */
enum {
    AT_PLACE = 0,
    AT_NUMBER = 8,
    AT_PREVIOUS = 12,
    AT_NEXT = 16,
    AT_ITEMS = 20,
    AT_LENGTH = 22, /* octets on an overflow page */
    AT_TYPE = 25,
    AT_CHECKSUM = 28,
    AT_BODY = 32,
    /* in the first page, of which only so much is used */
    AT_META_MAGIC = 12,
    AT_META_PAGE_BYTES = 20,
    AT_META_FILE_ID = 52,
    AT_META_CHECKSUM = 492,
    META_BYTES = 512,
};

enum { TYPE_FREE = 0, TYPE_INTERNAL = 3, TYPE_LEAF = 5, TYPE_OVERFLOW = 7, TYPE_META = 9 };
enum { ITEM_HERE = 1, ITEM_OVERFLOW = 3, ITEM_DELETED = 0x80 };

/* Read at once where only their begins are looked at. */
#define PIECE_BYTES ((size_t)64 * PAGE_BYTES)

#define BTREE_MAGIC 0x053162U

/* No record of the table is longer: five texts and what stands before them. */
#define ITEM_BYTES_MAX (5 * (size_t)FORMAT_TEXT_BYTES + 64)

static uint16_t get_u16(const unsigned char *from)
{
    uint16_t value;

    memcpy(&value, from, sizeof value);
    return value;
}

static uint32_t get_u32(const unsigned char *from)
{
    uint32_t value;

    memcpy(&value, from, sizeof value);
    return value;
}

bool page_place_before(struct page_place a, struct page_place b)
{
    return a.file < b.file || (a.file == b.file && a.offset < b.offset);
}

int page_file_open(struct page_file *file, const char *path)
{
    struct stat status;

    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file->fd < 0)
        return errno;
    if (fstat(file->fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        page_file_close(file);
        return EINVAL;
    }
    file->size = (uint64_t)status.st_size;
    file->pages = (uint32_t)((file->size + PAGE_BYTES - 1) / PAGE_BYTES);
    return 0;
}

void page_file_close(struct page_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

static struct page_place place_of(const unsigned char *octets)
{
    return (struct page_place){get_u32(octets + AT_PLACE), get_u32(octets + AT_PLACE + 4)};
}

int page_file_place(const char *path, struct page_place *last)
{
    unsigned char *piece = malloc(PIECE_BYTES);
    struct page_file file;
    int code = piece ? page_file_open(&file, path) : ENOMEM;
    ssize_t got = 0;

    *last = (struct page_place){0, 0};
    if (code != 0) {
        free(piece);
        return code;
    }
    for (off_t at = 0; code == 0; at += got) {
        got = pread(file.fd, piece, PIECE_BYTES, at);
        if (got < 0 && errno == EINTR) {
            got = 0;
            continue;
        }
        if (got < 0)
            code = errno;
        if (got < PAGE_BYTES)
            break;
        got -= got % PAGE_BYTES;
        for (ssize_t page = 0; page < got; page += PAGE_BYTES)
            if (page_place_before(*last, place_of(piece + page)))
                *last = place_of(piece + page);
    }
    page_file_close(&file);
    free(piece);
    return code;
}

/* Berkeley DB's sum of a page: that of its octets with the place of the sum itself as zeros. */
static bool sum_is_good(const unsigned char *octets, size_t len, size_t at)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i++)
        sum = sum * 33 + (i - at < 4 ? 0U : octets[i]);
    return sum == get_u32(octets + at);
}

static bool is_zero(const unsigned char *octets, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (octets[i])
            return false;
    return true;
}

static enum page_kind kind_of(unsigned type)
{
    switch (type) {
    case TYPE_FREE:
        return PAGE_UNUSED;
    case TYPE_INTERNAL:
        return PAGE_INTERNAL;
    case TYPE_LEAF:
        return PAGE_LEAF;
    case TYPE_OVERFLOW:
        return PAGE_OVERFLOW;
    default:
        return PAGE_DAMAGED;
    }
}

static void look_at_meta(struct page *page)
{
    if (get_u32(page->octets + AT_META_MAGIC) != BTREE_MAGIC)
        page->wrong = "it is not the first page of a B-tree of this machine";
    else if (!sum_is_good(page->octets, META_BYTES, AT_META_CHECKSUM))
        page->wrong = "its checksum is wrong";
    else if (page->octets[AT_TYPE] != TYPE_META ||
             get_u32(page->octets + AT_META_PAGE_BYTES) != PAGE_BYTES)
        page->wrong = "it is not the first page of a database of mupdated";
    else
        page->kind = PAGE_META;
}

static void look_at(struct page *page)
{
    if (!sum_is_good(page->octets, PAGE_BYTES, AT_CHECKSUM)) {
        page->wrong = "its checksum is wrong";
        return;
    }
    if (get_u32(page->octets + AT_NUMBER) != page->number) {
        page->wrong = "it belongs to another place of the file";
        return;
    }
    page->kind = kind_of(page->octets[AT_TYPE]);
    if (page->kind == PAGE_DAMAGED)
        page->wrong = "it is of a kind that the table has not";
    page->previous = get_u32(page->octets + AT_PREVIOUS);
    page->next = get_u32(page->octets + AT_NEXT);
    page->items = page->kind == PAGE_LEAF ? get_u16(page->octets + AT_ITEMS) : 0;
    if (page->items % 2 != 0 || page->items > (PAGE_BYTES - AT_BODY) / 2) {
        page->kind = PAGE_DAMAGED;
        page->wrong = "it cannot hold so many records";
    }
}

void page_read(const struct page_file *file, uint32_t number, struct page *page)
{
    ssize_t got;

    page->number = number;
    page->kind = PAGE_DAMAGED;
    page->wrong = NULL;
    page->place = (struct page_place){0, 0};
    page->previous = 0;
    page->next = 0;
    page->items = 0;
    do {
        got = pread(file->fd, page->octets, PAGE_BYTES, (off_t)number * PAGE_BYTES);
    } while (got < 0 && errno == EINTR);
    if (got != PAGE_BYTES) {
        page->wrong = got < 0 ? "the disk cannot read it" : "the file ends in it";
        return;
    }
    page->place = place_of(page->octets);
    if (number == PAGE_META_NUMBER)
        look_at_meta(page);
    else if (is_zero(page->octets, PAGE_BYTES))
        page->kind = PAGE_UNUSED;
    else
        look_at(page);
    if (page->kind == PAGE_DAMAGED)
        page->place = (struct page_place){0, 0};
}

bool page_file_id(const struct page_file *file, unsigned char id[PAGE_FILE_ID_BYTES])
{
    struct page page;

    page_read(file, PAGE_META_NUMBER, &page);
    if (page.kind != PAGE_META)
        return false;
    memcpy(id, page.octets + AT_META_FILE_ID, PAGE_FILE_ID_BYTES);
    return true;
}

/* --- items --- */

void page_item_free(struct page_item *item)
{
    free(item->data);
    memset(item, 0, sizeof *item);
}

static bool make_room(struct page_item *item, size_t len)
{
    unsigned char *larger;

    if (len <= item->size && item->data)
        return true;
    larger = realloc(item->data, len ? len : 1);
    if (!larger) {
        page_item_free(item);
        return false;
    }
    item->data = larger;
    item->size = len;
    return true;
}

static const char *read_overflow(const struct page_file *file, uint32_t number, size_t len,
                                 struct page_item *item)
{
    struct page page;

    if (len > ITEM_BYTES_MAX)
        return "it is longer than any record";
    if (!make_room(item, len))
        return "out of memory";
    for (item->len = 0; item->len < len; number = page.next) {
        size_t part;

        if (number == 0 || number >= file->pages)
            return "the page of its next octets is not there";
        page_read(file, number, &page);
        part = get_u16(page.octets + AT_LENGTH);
        if (page.kind != PAGE_OVERFLOW)
            return "a page with its octets is damaged";
        if (part == 0 || part > PAGE_BYTES - AT_BODY || part > len - item->len)
            return "a page has more of it than there is";
        memcpy(item->data + item->len, page.octets + AT_BODY, part);
        item->len += part;
    }
    return NULL;
}

const char *page_item_read(const struct page_file *file, const struct page *leaf, unsigned index,
                           struct page_item *item)
{
    size_t at = get_u16(leaf->octets + AT_BODY + 2 * (size_t)index);
    const unsigned char *head = leaf->octets + at;
    size_t len;

    item->len = 0;
    item->deleted = false;
    if (!make_room(item, 0))
        return "out of memory";
    if (at < AT_BODY + 2 * (size_t)leaf->items || at + 3 > PAGE_BYTES)
        return "it is not on its page";
    item->deleted = (head[2] & ITEM_DELETED) != 0;
    switch (head[2] & ~ITEM_DELETED) {
    case ITEM_HERE:
        len = get_u16(head);
        if (len > PAGE_BYTES - at - 3)
            return "it does not end on its page";
        if (!make_room(item, len))
            return "out of memory";
        memcpy(item->data, head + 3, len);
        item->len = len;
        return NULL;
    case ITEM_OVERFLOW:
        if (at + 12 > PAGE_BYTES)
            return "it does not end on its page";
        return read_overflow(file, get_u32(head + 4), get_u32(head + 8), item);
    default:
        return "it is of a kind that the table has not";
    }
}
