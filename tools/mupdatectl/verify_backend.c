/*
 * The mailboxes of a back-end by the master and by itself. What the back-end does about
 * differences, when it starts or by ctl_mboxlist -m, is to delete mail where the master says that
 * another has the mailbox: so that is told first and apart.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "tools/mupdatectl/compare.h"
#include "tools/mupdatectl/here.h"
#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/there.h"
#include "tools/mupdatectl/verify.h"

struct by_backend {
    struct ctl_place place;
    struct ctl_here here;
    struct ctl_there there;
    struct ctl_compared compared;
    struct ctl_progress progress;
    const char *name;
    uint64_t done;
    uint64_t others; /* that its list names another server for */
    bool json;
};

static bool is_its(const struct by_backend *backend, const struct mupdate_row *row)
{
    return row->state != MUPDATE_ABSENT &&
           text_equal(location_server(row->location),
                      (struct mupdate_text){backend->name, strlen(backend->name)});
}

/* here: the master's, of whatever server; there: the back-end's own. */
static unsigned differs(const struct by_backend *backend, const struct mupdate_row *here,
                        const struct mupdate_row *there)
{
    bool listed = there->state != MUPDATE_ABSENT;

    if (listed && here->state != MUPDATE_ABSENT && !is_its(backend, here))
        return CTL_DIFFERS_ELSEWHERE;
    if (!listed && here->state == MUPDATE_RESERVED)
        return CTL_DIFFERS_RESERVATION;
    return ctl_differs(here, there);
}

static int compare_pair(void *context, const struct mupdate_row *here,
                        const struct mupdate_row *there, bool unread)
{
    struct by_backend *backend = context;
    const struct mupdate_row none = {.state = MUPDATE_ABSENT, .name = here->name};
    bool listed = is_its(backend, there);
    struct mupdate_row now;
    unsigned how;
    int status;

    ctl_progress_step(&backend->progress, ++backend->done);
    if (unread) {
        ctl_progress_end(&backend->progress);
        return ctl_differs_print(CTL_DIFFERS_UNREAD, here, there, backend->json);
    }
    backend->others += !listed && there->state != MUPDATE_ABSENT;
    if (!listed)
        there = &none;
    if (backend->here.online && (listed || is_its(backend, here)) &&
        differs(backend, here, there)) {
        status = ctl_here_find(&backend->here, here->name, &now);
        if (status)
            return status;
        here = &now;
    }
    if (!listed && !is_its(backend, here))
        return 0;
    how = differs(backend, here, there);
    ctl_compared_count(&backend->compared, how);
    if (!how)
        return 0;
    ctl_progress_end(&backend->progress);
    return ctl_differs_print(how, here, there, backend->json);
}

/* --- the verdict --- */

/* In the order in which they are told: the worst first. %s: the back-end. */
static const struct {
    unsigned differs;
    const char *text;
} advice[] = {
    {CTL_DIFFERS_ELSEWHERE,
     "elsewhere: the master says that another back-end has them, and %1$s has them too.\n"
     "  %1$s DELETES ITS OWN when it runs ctl_mboxlist -m, which it may do when it starts: do\n"
     "  neither before each is settled. See which back-end has the mail. Is it %1$s:\n"
     "      mupdatectl activate NAME '%1$s!PARTITION' ACL\n"
     "  Is it the other one, what %1$s has may go: save it first.\n"},
    {CTL_DIFFERS_ONLY_HERE,
     "only-here: the master has entries of %1$s for them, and %1$s does not list them.\n"
     "  See whether their mail is missing on %1$s before their names are given away. Without\n"
     "  mail: mupdatectl delete NAME, as ctl_mboxlist -m on %1$s does, too.\n"},
    {CTL_DIFFERS_RESERVATION,
     "reservation: reserved for %1$s, which does not list them: about to be made or moved, or\n"
     "  left by what died. See mupdatectl reservations --older-than 1h, and release.\n"},
    {CTL_DIFFERS_ONLY_THERE,
     "only-there: %1$s has them and no entry names them. ctl_mboxlist -m on %1$s enters them.\n"},
    {CTL_DIFFERS_STATE | CTL_DIFFERS_LOCATION | CTL_DIFFERS_ACL,
     "state, location, acl: ctl_mboxlist -m on %1$s tells the master what %1$s has.\n"},
};

static bool was_found(const struct ctl_compared *compared, unsigned kinds)
{
    for (size_t i = 0; i < CTL_DIFFERS_KINDS; i++)
        if ((kinds & 1U << i) && compared->kinds[i] > 0)
            return true;
    return false;
}

static int print_verdict(const struct by_backend *backend)
{
    const struct ctl_compared *compared = &backend->compared;
    int status;

    if (backend->json) {
        status = ctl_compared_print_json(compared,
                                         json_pack("{sssI}", "backend", backend->name, "others",
                                                   (json_int_t)backend->others));
    } else {
        ctl_compared_print(compared);
        puts(".");
        if (compared->different)
            printf("What was made or changed since the list was written may be among these. "
                   "What to do:\n");
        if (compared->unread)
            printf("not-compared: what %s lists of them could not be read or is on its way to\n"
                   "  another: the list does not tell whether it has them. Do not delete them by\n"
                   "  it, and look for them where names are missing.\n",
                   backend->name);
        for (size_t i = 0; i < sizeof advice / sizeof *advice; i++)
            if (was_found(compared, advice[i].differs))
                printf(advice[i].text, backend->name);
        if (was_found(compared, ~0U))
            printf("ctl_mboxlist -mw on %s shows what -m would do and does not do it.\n",
                   backend->name);
        status = ctl_flush();
    }
    return status ? status : ctl_compared_status(compared);
}

static int run(struct by_backend *backend)
{
    struct ctl_source here;
    struct ctl_source there;
    struct ctl_source unread = ctl_there_unread_names(&backend->there);
    int status = ctl_there_begin(&backend->there, &there);

    backend->compared.unread = ctl_there_unread(&backend->there);
    if (!status)
        status = ctl_here_open(&backend->here, &backend->place);
    if (!status)
        status = ctl_here_begin(&backend->here, &here);
    ctl_progress_begin(&backend->progress, "comparing", "rows", 0);
    if (!status)
        status = ctl_compare(&here, &there, &unread, compare_pair, backend);
    ctl_progress_end(&backend->progress);
    return status ? status : print_verdict(backend);
}

/* Whether the list is likely that back-end's, as far as that shows before comparing. */
static int check_list(struct by_backend *backend)
{
    struct ctl_source there;
    struct row row;
    bool found = false;
    int status = ctl_there_begin(&backend->there, &there);

    while (!status && !found && there.next(there.context, &row, &status))
        found = is_its(backend, &row.mupdate);
    return status || found
               ? status
               : ctl_complain(EX_DATAERR,
                              "%s lists no mailbox of %s: take ctl_mboxlist -d on that back-end, "
                              "and name it as servername in its imapd.conf does",
                              backend->there.import.from, backend->name);
}

int ctl_verify_backend(struct ctl *ctl, const char *name, const char *list)
{
    struct by_backend backend = {.json = ctl->json, .name = name};
    int status;

    if (!*name || strpbrk(name, "! \t\r\n"))
        return ctl_complain(EX_USAGE, "--backend: give the name of a back-end");
    status = ctl_place_find(&backend.place, ctl, false);
    if (status)
        return status;
    status = ctl_there_open_backend(&backend.there, ctl, list, name, &backend.place.policy);
    if (!status)
        status = check_list(&backend);
    if (!status)
        status = run(&backend);
    if (backend.here.place)
        ctl_here_close(&backend.here);
    ctl_there_close(&backend.there);
    ctl_place_free(&backend.place);
    return status;
}
