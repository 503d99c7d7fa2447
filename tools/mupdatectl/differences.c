/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/differences.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tools/mupdatectl/command.h"
#include "tools/mupdatectl/output.h"

static struct mupdate_text name_of(const struct ctl_difference *server)
{
    return (struct mupdate_text){server->server, server->server_len};
}

/* The counts of a server, new ones if need be; NULL: out of memory. */
static struct ctl_difference *counts_of(struct ctl_differences *differences,
                                        struct mupdate_text server)
{
    size_t low = 0;
    size_t high = differences->count;
    struct ctl_difference *place;
    char *name;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = text_compare(name_of(&differences->servers[middle]), server);

        if (order == 0)
            return &differences->servers[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (differences->count == differences->size) {
        size_t size = differences->size ? 2 * differences->size : 16;
        struct ctl_difference *larger = reallocarray(differences->servers, size, sizeof *larger);

        if (!larger)
            return NULL;
        differences->servers = larger;
        differences->size = size;
    }
    name = malloc(server.len + 1);
    if (!name)
        return NULL;
    memcpy(name, server.data, server.len);
    place = &differences->servers[low];
    memmove(place + 1, place, (differences->count - low) * sizeof *place);
    *place = (struct ctl_difference){.server = name, .server_len = server.len};
    differences->count++;
    return place;
}

/* Count one of a kind, given by the member's place in struct ctl_difference. */
static bool count(struct ctl_differences *differences, const struct row *row, size_t member)
{
    struct ctl_difference *server =
        counts_of(differences, location_server(row->mupdate.location));

    if (!server)
        return false;
    ++*(uint64_t *)(void *)((char *)server + member);
    ++*(uint64_t *)(void *)((char *)&differences->all + member);
    return true;
}

#define COUNT(row, member) count(differences, row, offsetof(struct ctl_difference, member))

static bool count_pair(struct ctl_differences *differences, const struct row *now,
                       const struct row *then)
{
    if (!text_equal(location_server(now->mupdate.location),
                    location_server(then->mupdate.location)))
        return COUNT(now, left) && COUNT(then, arrived);
    if (now->mupdate.state == then->mupdate.state &&
        text_equal(now->mupdate.location, then->mupdate.location) &&
        text_equal(now->mupdate.acl, then->mupdate.acl))
        return COUNT(then, same);
    return COUNT(then, changed);
}

int ctl_differences_find(struct ctl_differences *differences, const struct ctl_source *now,
                         const struct ctl_source *then)
{
    int status = 0;
    struct row old;
    struct row new;
    bool has_old = now->next(now->context, &old, &status);
    bool has_new = !status && then->next(then->context, &new, &status);
    bool counted = true;

    while (!status && counted && (has_old || has_new)) {
        int order = !has_new   ? -1
                    : !has_old ? 1
                               : text_compare(old.mupdate.name, new.mupdate.name);

        counted = order < 0   ? COUNT(&old, removed)
                  : order > 0 ? COUNT(&new, added)
                              : count_pair(differences, &old, &new);
        if (order <= 0)
            has_old = now->next(now->context, &old, &status);
        if (!status && order >= 0)
            has_new = then->next(then->context, &new, &status);
    }
    return counted ? status : ctl_complain(EX_OSERR, "out of memory");
}

void ctl_differences_free(struct ctl_differences *differences)
{
    for (size_t i = 0; i < differences->count; i++)
        free(differences->servers[i].server);
    free(differences->servers);
    memset(differences, 0, sizeof *differences);
}

static json_t *to_json(const struct ctl_difference *one)
{
    const struct {
        const char *key;
        uint64_t value;
    } members[] = {
        {"same", one->same},       {"added", one->added},     {"removed", one->removed},
        {"changed", one->changed}, {"arrived", one->arrived}, {"left", one->left},
    };
    json_t *object = json_object();
    bool good = object && (!one->server || json_set_text(object, "server", name_of(one)));

    for (size_t i = 0; good && i < sizeof members / sizeof members[0]; i++)
        good = json_object_set_new(object, members[i].key,
                                   json_integer((json_int_t)members[i].value)) == 0;
    if (good)
        return object;
    json_decref(object);
    return NULL;
}

static void print_one(const struct ctl_difference *one)
{
    printf("%10llu %10llu %10llu %10llu %10llu %10llu  ", (unsigned long long)one->same,
           (unsigned long long)one->added, (unsigned long long)one->removed,
           (unsigned long long)one->changed, (unsigned long long)one->arrived,
           (unsigned long long)one->left);
    if (one->server)
        ctl_write_escaped(stdout, name_of(one));
    else
        fputs("(all)", stdout);
    putchar('\n');
}

int ctl_differences_print(const struct ctl_differences *differences, bool json)
{
    int status = 0;

    if (!json)
        printf("%10s %10s %10s %10s %10s %10s  %s\n", "same", "added", "removed", "changed",
               "arrived", "left", "server");
    for (size_t i = 0; !status && i <= differences->count; i++) {
        const struct ctl_difference *one =
            i < differences->count ? &differences->servers[i] : &differences->all;

        if (json)
            status = ctl_print_json(to_json(one));
        else
            print_one(one);
    }
    return status ? status : ctl_flush();
}
