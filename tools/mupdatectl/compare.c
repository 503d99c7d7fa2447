/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/compare.h"

#include <stdio.h>

#include "tools/mupdatectl/output.h"

static const char *const names[CTL_DIFFERS_KINDS] = {"only-here", "only-there", "state",
                                                     "location", "acl", "elsewhere",
                                                     "reservation"};

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

int ctl_compare(const struct ctl_source *here, const struct ctl_source *there, ctl_pair *pair,
                void *context)
{
    int status = 0;
    struct row ours;
    struct row theirs;
    bool has_ours = here->next(here->context, &ours, &status);
    bool has_theirs = !status && there->next(there->context, &theirs, &status);

    while (!status && (has_ours || has_theirs)) {
        int order = !has_theirs ? -1
                    : !has_ours ? 1
                                : text_compare(ours.mupdate.name, theirs.mupdate.name);

        const struct mupdate_row none = {
            .state = MUPDATE_ABSENT,
            .name = order <= 0 ? ours.mupdate.name : theirs.mupdate.name,
        };

        status = pair(context, order <= 0 ? &ours.mupdate : &none,
                      order >= 0 ? &theirs.mupdate : &none);
        if (!status && order <= 0)
            has_ours = here->next(here->context, &ours, &status);
        if (!status && order >= 0)
            has_theirs = there->next(there->context, &theirs, &status);
    }
    return status;
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

int ctl_compared_print_json(const struct ctl_compared *compared, json_t *more)
{
    json_t *object = json_pack("{sssIsI}", "verdict", compared->different ? "different" : "equal",
                               "same", (json_int_t)compared->same, "different",
                               (json_int_t)compared->different);
    bool good = object && json_object_update(object, more) == 0;

    for (size_t i = 0; good && i < CTL_DIFFERS_KINDS; i++)
        good = json_object_set_new(object, names[i],
                                   json_integer((json_int_t)compared->kinds[i])) == 0;
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
        printf("EQUAL: %llu rows", (unsigned long long)compared->same);
        return;
    }
    printf("DIFFERENT: %llu rows", (unsigned long long)compared->different);
    for (size_t i = 0; i < CTL_DIFFERS_KINDS; i++) {
        if (compared->kinds[i] == 0)
            continue;
        printf("%s%llu %s", between, (unsigned long long)compared->kinds[i], names[i]);
        between = ", ";
    }
    printf("; %llu are the same", (unsigned long long)compared->same);
}
