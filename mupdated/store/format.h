/*
 * The form of the table on disk, and its codec. Nothing here knows Berkeley DB.
 *
 * The directory holds
 *   rows.db     one record for each row:    key: the name, its octets as they are
 *   changes.db  one record for each change: key: the sequence number, 8 octets
 *   meta.db     "format"  -> 4 octets: FORMAT_VERSION of whoever wrote it last
 *               "history" -> 16 random octets, made with the table
 *               "term"    -> 8 octets
 *               "base"    -> 8 octets: the sequence number with which a table that was
 *                            loaded begins; missing: 0
 *               "confirmed" -> 1 octet: 0 while nobody has said that a table that was loaded
 *                            is the right one, 1 when somebody has; missing: nobody needs to
 *               "digest"  -> 24 octets: of the rows that the table began with, as in a change;
 *                            missing: there were none, or it is from before it was kept
 *               "rows-file", "changes-file" -> 20 octets: the ids that Berkeley DB gave
 *                            the files of this table, in the first page of each; missing: from
 *                            before they were kept
 *   log.*       Berkeley DB's write-ahead log
 *   lock        flock()ed by the process that uses the directory; holds its pid
 *   ballast     space to give up when recovery meets a full disk
 *
 * All databases are B-trees without a comparison function of their own, so
 * their order is the plain order of octets. All numbers are big-endian. A text
 * is any octets; its length stands in the fixed part and the texts follow
 * without gaps, so a record has exactly one possible length.
 *
 *   row     offset 0   version, 1
 *                  1   state: 1 reserved, 2 active
 *                  2   sequence, 8 octets
 *                 10   time, 8 octets: microseconds since 1970, two's complement
 *                 18   length of location, of ACL, of who: 4 octets each
 *                 30   location, ACL, who
 *
 *   change  offset 0   version, 2
 *                  1   state: 0 deleted, 1 reserved, 2 active
 *                  2   old state: 0 absent, 1 reserved, 2 active
 *                  3   term, 8 octets
 *                 11   time, 8 octets
 *                 19   digest of all rows with this change made: their number, and the sum of
 *                      their hashes (digest.h), 8 and 16 octets; version 1 lacks it
 *                 43   length of name, location, ACL, who, old location: 4 octets each
 *                 63   name, location, ACL, who, old location
 *
 * A batch is one transaction over rows.db and changes.db: after a crash all of
 * it is there or nothing. Sequence numbers in changes.db have no gaps; trimming
 * removes from the low end only and always leaves the last change, from which
 * the next number follows; while there is none it follows from "base". The last
 * change, or "digest" while there is none, thus tells what all rows must be. Each row's
 * sequence is that of the change that made it, which may be trimmed away. A load
 * writes "base" last: the rows of half of one are from changes that never were,
 * and nobody takes them for a table.
 *
 * FORMAT_VERSION grows when an older program could not read the table, or would
 * serve what it must not; it then refuses to open it. The version in each record
 * tells how to read that record, so a newer program need not rewrite the table: it
 * opens an older one and writes its own version into meta.db.
 *
 *   3  digests
 *   2  "base" and "confirmed"
 *   1  the first
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_FORMAT_H
#define STORE_FORMAT_H

#include "mupdated/table/row.h"

#define FORMAT_VERSION 3

#define FORMAT_ROWS "rows.db"
#define FORMAT_CHANGES "changes.db"
#define FORMAT_META "meta.db"
#define FORMAT_LOCK "lock"
#define FORMAT_BALLAST "ballast"
#define FORMAT_NEXT_LOG "next-log"

#define FORMAT_KEY_FORMAT "format"
#define FORMAT_KEY_HISTORY "history"
#define FORMAT_KEY_TERM "term"
#define FORMAT_KEY_BASE "base"
#define FORMAT_KEY_CONFIRMED "confirmed"
#define FORMAT_KEY_ROWS_FILE "rows-file"
#define FORMAT_KEY_CHANGES_FILE "changes-file"
#define FORMAT_KEY_DIGEST "digest"
#define FORMAT_FILE_ID_BYTES 20
#define FORMAT_DIGEST_BYTES 24

/* No single text of a record may be longer. */
#define FORMAT_TEXT_BYTES (16U << 20)

/* An encoded record, in memory that is used again for the next. All zero is empty. */
struct format_record {
    unsigned char *data;
    size_t len;
    size_t size;
};

enum format_result {
    FORMAT_OK,
    FORMAT_TOO_LONG,  /* a text has more than FORMAT_TEXT_BYTES */
    FORMAT_NO_MEMORY,
};

enum format_result format_encode_row(struct format_record *record, const struct row *row);
enum format_result format_encode_change(struct format_record *record, const struct change *change);
void format_record_free(struct format_record *record);

/*
 * Read a record; the texts point into data. The name of a row and the sequence
 * of a change are the record's key: the caller fills them in. Returns NULL, or
 * what is wrong with the record, in words; static.
 */
const char *format_decode_row(const void *data, size_t len, struct row *row);
const char *format_decode_change(const void *data, size_t len, struct change *change);

/* Sequence numbers, terms and the format version as they stand on disk. */
void format_put_u64(unsigned char to[8], uint64_t value);
uint64_t format_get_u64(const unsigned char from[8]);
void format_put_u32(unsigned char to[4], uint32_t value);
uint32_t format_get_u32(const unsigned char from[4]);

/* A digest as it stands in a change and in meta.db. */
void format_put_digest(unsigned char to[FORMAT_DIGEST_BYTES], const struct digest *digest);
void format_get_digest(const unsigned char from[FORMAT_DIGEST_BYTES], struct digest *digest);

#endif
