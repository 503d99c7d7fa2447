/*
 * Read what Cyrus's ctl_mboxlist -d prints: octets in, entries out. Memory is bounded by the
 * longest entry that the policy allows. It is used as the reader of dumps (dump/reader.h).
 *
 * JSON, of Cyrus 3.6 and later: one object whose members are the mailboxes. Where a name is not
 * UTF-8, Cyrus leaves the member out but not the comma, which no parser of JSON takes: so the
 * members are cut apart here, however they are laid out, and each is parsed by itself.
 *
 * Text, up to Cyrus 3.4: one line a mailbox, in any of its forms
 *
 *     name<TAB>[type ][server!]partition<TAB or blank>acl[>id mtime ...]
 *
 * Names and ACLs are Cyrus's internal ones in both, as on the wire.
 *
 * An object belongs to one thread at a time.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_CYRUS_READER_H
#define MUPDATECTL_CYRUS_READER_H

#include "mupdated/dump/reader.h"

enum cyrus_form {
    CYRUS_ANY, /* of the two, as the first octet says */
    CYRUS_JSON,
    CYRUS_TEXT,
};

/* What an entry is beside a mailbox that can be used: Cyrus's type flags. */
enum cyrus_flag {
    CYRUS_REMOTE = 1, /* it is on another server */
    CYRUS_RESERVED = 2,
    CYRUS_MOVING = 4, /* on its way to another server */
    CYRUS_DELETED = 8, /* what is kept of one that is gone */
    CYRUS_INTERMEDIATE = 16, /* there only for what is below it */
};

#define CYRUS_FORM_NAMES "cyrus (or cyrus-json), or cyrus-text"

/* The form of that name, for --format; CYRUS_ANY: there is none. */
enum cyrus_form cyrus_form_named(const char *name);

struct cyrus_entry {
    uint64_t line; /* where it begins, from 1 */
    unsigned flags;
    struct mupdate_text name;
    struct mupdate_text server; /* data NULL: none is given */
    struct mupdate_text partition; /* data NULL: none is given */
    struct mupdate_text acl;    /* as MUPDATE has it: "id<TAB>rights<TAB>..." */
    int64_t time_s;             /* of its last change; -1: not given */
};

enum cyrus_result {
    CYRUS_ENTRY,
    CYRUS_LOST, /* Cyrus left out an entry, at entry.line: its name is not UTF-8 */
    CYRUS_MORE, /* all that was given is used up */
    CYRUS_END,  /* the file is whole and good */
    CYRUS_BAD,  /* there were complaints, and that is all of them */
    CYRUS_NO_MEMORY,
};

struct cyrus_reader;

/* The policy says how long an entry may be. NULL: out of memory. */
struct cyrus_reader *cyrus_reader_new(enum cyrus_form form, const struct rule_policy *policy,
                                      dump_complain *complain, void *context);

/* NULL is allowed. */
void cyrus_reader_free(struct cyrus_reader *reader);

/* The next octets of the file, when cyrus_reader_next() said CYRUS_MORE or at first; not copied. */
void cyrus_reader_give(struct cyrus_reader *reader, const void *data, size_t len);

/* The file ends here. */
void cyrus_reader_finish(struct cyrus_reader *reader);

/*
 * Go on. An entry is valid until the next call. The octets that were given must stay until this
 * says CYRUS_MORE. After CYRUS_END, CYRUS_BAD or CYRUS_NO_MEMORY it says the same again.
 */
enum cyrus_result cyrus_reader_next(struct cyrus_reader *reader, struct cyrus_entry *entry);

/* What the file is: CYRUS_ANY until that is known. */
enum cyrus_form cyrus_reader_form(const struct cyrus_reader *reader);

/* Octets that were read so far. */
uint64_t cyrus_reader_octets(const struct cyrus_reader *reader);

#endif
