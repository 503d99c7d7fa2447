/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/compare.h"

#include <stdio.h>

#include "tools/mupdatectl/command.h"
#include "tools/mupdatectl/output.h"

static const char *const names[CTL_DIFFERS_KINDS] = {"only-here", "only-there", "state",
                                                     "location", "acl", "elsewhere",
                                                     "reservation", "not-compared"};

static bool is_there(const struct mupdate_row *row)
{
    return row->state != MUPDATE_ABSENT;
}

unsigned ctl_differs(const struct mupdate_row *here, const struct mupdate_row *there)
{
    unsigned differs = 0;

    if (!is_there(here) || !is_there(there))
        return is_there(here)    ? CTL_DIFFERS_ONLY_HERE
               : is_there(there) ? CTL_DIFFERS_ONLY_THERE
                                 : 0;
    if (here->state != there->state)
        differs |= CTL_DIFFERS_STATE;
    else if (here->state == MUPDATE_ACTIVE && !text_equal(here->acl, there->acl))
        differs |= CTL_DIFFERS_ACL;
    if (!text_equal(here->location, there->location))
        differs |= CTL_DIFFERS_LOCATION;
    return differs;
}

void ctl_compared_count(struct ctl_compared *compared, unsigned differs)
{
    if (!differs) {
        compared->same++;
        return;
    }
    compared->different++;
    for (size_t i = 0; i < CTL_DIFFERS_KINDS; i++)
        compared->kinds[i] += (differs & 1U << i) != 0;
}

int ctl_compare(const struct ctl_source *here, const struct ctl_source *there,
                const struct ctl_source *unread, ctl_pair *pair, void *context)
{
    const struct ctl_source *const sources[] = {here, there, unread};
    enum { HERE, THERE, UNREAD, SOURCES };
    struct row rows[SOURCES];
    bool has[SOURCES] = {false};
    bool taken[SOURCES] = {true, true, true};
    int status = 0;

    for (;;) {
        struct mupdate_row none = {.state = MUPDATE_ABSENT};
        bool more = false;

        for (int i = 0; i < SOURCES && !status; i++)
            if (taken[i])
                has[i] = sources[i]->next(sources[i]->context, &rows[i], &status);
        for (int i = 0; i < SOURCES; i++) {
            if (!has[i] || (more && text_compare(rows[i].mupdate.name, none.name) >= 0))
                continue;
            none.name = rows[i].mupdate.name;
            more = true;
        }
        if (status || !more)
            return status;
        for (int i = 0; i < SOURCES; i++)
            taken[i] = has[i] && text_equal(rows[i].mupdate.name, none.name);
        status = pair(context, taken[HERE] ? &rows[HERE].mupdate : &none,
                      taken[THERE] ? &rows[THERE].mupdate : &none, taken[UNREAD]);
        if (status)
            return status;
    }
}

/* --- printing --- */

static void print_part(unsigned kind, const struct mupdate_row *row)
{
    putchar('\t');
    if (!is_there(row)) {
        putchar('-');
        return;
    }
    switch (kind) {
    case CTL_DIFFERS_ACL:
        ctl_write_acl(stdout, row->acl);
        return;
    case CTL_DIFFERS_LOCATION:
        ctl_write_escaped(stdout, row->location);
        return;
    case CTL_DIFFERS_STATE:
        fputs(json_state_name(row->state), stdout);
        return;
    default:
        printf("%s ", json_state_name(row->state));
        ctl_write_escaped(stdout, row->location);
        return;
    }
}

static int print_text(unsigned differs, const struct mupdate_row *here,
                      const struct mupdate_row *there)
{
    for (size_t i = 0; i < CTL_DIFFERS_KINDS; i++) {
        unsigned kind = 1U << i;

        if (!(differs & kind))
            continue;
        printf("%s\t", names[i]);
        ctl_write_escaped(stdout, here->name);
        print_part(kind, here);
        print_part(kind, there);
        putchar('\n');
    }
    return ferror(stdout) ? ctl_flush() : 0;
}

static bool set_row(json_t *object, const char *key, const struct mupdate_row *row)
{
    json_t *value = is_there(row) ? json_row(row) : json_null();

    return value && json_object_set_new(object, key, value) == 0;
}

static int print_object(unsigned differs, const struct mupdate_row *here,
                        const struct mupdate_row *there)
{
    json_t *kinds = json_array();
    json_t *object = json_pack("{s:o}", "differs", kinds);
    bool good = object && json_set_text(object, "name", here->name);

    for (size_t i = 0; good && i < CTL_DIFFERS_KINDS; i++)
        if (differs & 1U << i)
            good = json_array_append_new(kinds, json_string(names[i])) == 0;
    if (good && set_row(object, "here", here) && set_row(object, "there", there))
        return ctl_print_json(object);
    json_decref(object);
    return ctl_print_json(NULL);
}

int ctl_differs_print(unsigned differs, const struct mupdate_row *here,
                      const struct mupdate_row *there, bool json)
{
    return json ? print_object(differs, here, there) : print_text(differs, here, there);
}

int ctl_compared_status(const struct ctl_compared *compared)
{
    return compared->different || compared->unread ? CTL_EXIT_FOUND : 0;
}

static uint64_t count_of(const struct ctl_compared *compared, size_t kind)
{
    return 1U << kind == CTL_DIFFERS_UNREAD ? compared->unread : compared->kinds[kind];
}

int ctl_compared_print_json(const struct ctl_compared *compared, json_t *more)
{
    const char *verdict = compared->different ? "different"
                          : compared->unread  ? "incomplete"
                                              : "equal";
    json_t *object = json_pack("{sssIsI}", "verdict", verdict, "same",
                               (json_int_t)compared->same, "different",
                               (json_int_t)compared->different);
    bool good = object && json_object_update(object, more) == 0;

    for (size_t i = 0; good && i < CTL_DIFFERS_KINDS; i++)
        good = json_object_set_new(object, names[i],
                                   json_integer((json_int_t)count_of(compared, i))) == 0;
    json_decref(more);
    if (good)
        return ctl_print_json(object);
    json_decref(object);
    return ctl_print_json(NULL);
}

void ctl_compared_print(const struct ctl_compared *compared)
{
    const char *between = ": ";

    if (!compared->different) {
        printf("%s: %llu rows",
               compared->unread ? "INCOMPLETE, what was compared is equal" : "EQUAL",
               (unsigned long long)compared->same);
    } else {
        printf("DIFFERENT: %llu rows", (unsigned long long)compared->different);
        for (size_t i = 0; i < CTL_DIFFERS_KINDS; i++) {
            if (compared->kinds[i] == 0)
                continue;
            printf("%s%llu %s", between, (unsigned long long)compared->kinds[i], names[i]);
            between = ", ";
        }
        printf("; %llu are the same", (unsigned long long)compared->same);
    }
    if (compared->unread)
        printf("; not compared: %llu", (unsigned long long)compared->unread);
}
