/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/present.h"

#include <unistd.h>

static bool next_of_table(void *context, struct row *row, int *status)
{
    struct store_error error;
    enum store_result result = store_walk_next(context, row, &error);

    if (result != STORE_OK && result != STORE_ABSENT)
        *status = ctl_store_failed(result, &error);
    return result == STORE_OK;
}

static bool next_of_nothing(void *context, struct row *row, int *status)
{
    (void)context;
    (void)row;
    (void)status;
    return false;
}

int ctl_table_source(struct store *store, struct store_walk **walk, struct ctl_source *source)
{
    struct store_error error;
    enum store_result result = store_walk_new(walk, store, &error);

    *source = (struct ctl_source){next_of_table, *walk};
    return result == STORE_OK ? 0 : ctl_store_failed(result, &error);
}

static int compare(const struct ctl_source *now, const struct ctl_source *then, bool json)
{
    struct ctl_differences differences = {0};
    int status = ctl_differences_find(&differences, now, then);

    if (!status)
        status = ctl_differences_print(&differences, json);
    ctl_differences_free(&differences);
    return status;
}

int ctl_present_compare(const struct ctl_place *place, const struct ctl_source *then, bool json)
{
    struct ctl_source now = {next_of_nothing, NULL};
    struct store_walk *walk = NULL;
    struct ctl_table table;
    int status;

    if (access(place->directory, F_OK) != 0)
        return compare(&now, then, json);
    status = ctl_table_open(place, &table);
    if (status)
        return status;
    status = ctl_table_source(table.store, &walk, &now);
    if (!status)
        status = compare(&now, then, json);
    store_walk_free(walk);
    ctl_table_close(&table);
    return status;
}
