/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "tools/mupdatectl/compare.h"
#include "tools/mupdatectl/here.h"
#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/there.h"
#include "tools/mupdatectl/verify.h"

/* A row that is being changed is asked for again, so often at most. */
#define ATTEMPTS 5

struct against {
    struct ctl_place place;
    struct ctl_here here;
    struct ctl_there there;
    struct ctl_compared compared;
    struct ctl_progress progress;
    uint64_t rows;
    uint64_t done;
    bool json;
};

/* --- rows that change meanwhile --- */

static struct digest digest_of(const struct mupdate_row *here, const struct mupdate_row *there)
{
    struct digest digest = {0};

    digest_add(&digest, here);
    /* Twice, so that here and there are not the same when they change places. */
    digest_add(&digest, there);
    digest_add(&digest, there);
    return digest;
}

/* The rows of a name as they are on both sides now. */
static int ask_again(struct against *against, struct mupdate_text name, struct mupdate_row *here,
                     struct mupdate_row *there)
{
    struct digest before = {0};
    int status = 0;

    for (int i = 0; i < ATTEMPTS; i++) {
        struct digest now;

        status = ctl_there_find(&against->there, name, there);
        if (!status)
            status = ctl_here_find(&against->here, name, here);
        if (status || !ctl_differs(here, there))
            break;
        now = digest_of(here, there);
        if (i > 0 && memcmp(&now, &before, sizeof now) == 0)
            break;
        before = now;
    }
    return status;
}

static bool changes_meanwhile(const struct against *against)
{
    return against->here.online && against->there.kind == CTL_THERE_SERVER;
}

/* --- comparing --- */

/* Of a dump of one server only what is that server's is compared; empty: all is. */
static struct mupdate_text server_of(const struct against *against)
{
    const struct buffer *server = &against->there.server;

    return (struct mupdate_text){(const char *)buffer_bytes(server), buffer_len(server)};
}

static bool is_meant(const struct against *against, const struct mupdate_row *here,
                     const struct mupdate_row *there)
{
    struct mupdate_text name = server_of(against);

    return there->state != MUPDATE_ABSENT || name.len == 0 ||
           text_equal(name, location_server(here->location));
}

static int compare_pair(void *context, const struct mupdate_row *here,
                        const struct mupdate_row *there, bool unread)
{
    struct against *against = context;
    struct mupdate_row here_now;
    struct mupdate_row there_now;
    unsigned differs;
    int status;

    ctl_progress_step(&against->progress, ++against->done);
    if (unread) {
        ctl_progress_end(&against->progress);
        return ctl_differs_print(CTL_DIFFERS_UNREAD, here, there, against->json);
    }
    if (!is_meant(against, here, there))
        return 0;
    if (ctl_differs(here, there) && changes_meanwhile(against)) {
        status = ask_again(against, here->name, &here_now, &there_now);
        if (status)
            return status;
        here = &here_now;
        there = &there_now;
    }
    differs = ctl_differs(here, there);
    /* By now neither may have it. */
    if (differs || here->state != MUPDATE_ABSENT)
        ctl_compared_count(&against->compared, differs);
    if (!differs)
        return 0;
    ctl_progress_end(&against->progress);
    return ctl_differs_print(differs, here, there, against->json);
}

static int compare(struct against *against)
{
    struct ctl_source here;
    struct ctl_source there;
    struct ctl_source unread = ctl_there_unread_names(&against->there);
    int status = ctl_there_begin(&against->there, &there);

    if (!status)
        status = ctl_here_begin(&against->here, &here);
    ctl_progress_begin(&against->progress, "comparing", "rows", against->rows);
    if (!status)
        status = ctl_compare(&here, &there, &unread, compare_pair, against);
    ctl_progress_end(&against->progress);
    return status;
}

/* --- the verdict --- */

static int print_verdict(const struct against *against, const char *digest)
{
    const struct ctl_compared *compared = &against->compared;
    struct mupdate_text server = server_of(against);
    int status;

    if (against->json) {
        json_t *more = digest ? json_pack("{ss}", "digest", digest) : json_object();

        if (more && server.len > 0 && !json_set_text(more, "server", server)) {
            json_decref(more);
            more = NULL;
        }
        status = ctl_compared_print_json(compared, more);
    } else {
        ctl_compared_print(compared);
        if (server.len > 0) {
            fputs("; the dump has those of ", stdout);
            ctl_write_escaped(stdout, server);
            fputs(" only", stdout);
        }
        printf(digest ? ", digest %s.\n" : ".\n", digest);
        status = ctl_flush();
    }
    return status ? status : ctl_compared_status(compared);
}

static int run(struct against *against)
{
    unsigned char ours[DIGEST_BYTES];
    unsigned char theirs[DIGEST_BYTES];
    struct digest sum;
    char text[2 * DIGEST_BYTES + 1];
    uint64_t rows;
    int status = ctl_there_digest(&against->there, &sum, &rows);

    digest_octets(&sum, theirs);
    if (!status)
        status = ctl_here_open(&against->here, &against->place);
    if (!status)
        status = ctl_here_digest(&against->here, ours, &against->rows);
    if (status)
        return status;
    against->compared.unread = ctl_there_unread(&against->there);
    if (against->compared.unread || memcmp(ours, theirs, sizeof ours) != 0) {
        status = compare(against);
        return status ? status : print_verdict(against, NULL);
    }
    for (size_t i = 0; i < sizeof ours; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", ours[i]);
    against->compared.same = rows;
    return print_verdict(against, text);
}

int ctl_verify_against(struct ctl *ctl, const char *what)
{
    struct against against = {.json = ctl->json};
    int status = ctl_place_find(&against.place, ctl, false);

    if (status)
        return status;
    status = ctl_there_open(&against.there, ctl, what, &against.place.policy);
    if (!status)
        status = run(&against);
    if (against.here.place)
        ctl_here_close(&against.here);
    ctl_there_close(&against.there);
    ctl_place_free(&against.place);
    return status;
}
