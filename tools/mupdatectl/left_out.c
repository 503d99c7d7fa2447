/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/left_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tools/mupdatectl/command.h"
#include "tools/mupdatectl/output.h"

int ctl_left_out_init(struct ctl_left_out *left, const char *report, bool json)
{
    memset(left, 0, sizeof *left);
    left->json = json;
    left->reporting = report != NULL;
    return report ? ctl_output_file_open(&left->report, report) : 0;
}

int ctl_left_out_end(struct ctl_left_out *left, int status)
{
    return left->reporting ? ctl_output_file_close(&left->report, status) : status;
}

void ctl_left_out_free(struct ctl_left_out *left)
{
    for (size_t i = 0; i < LEFT_OUT_FIRST; i++) {
        free(left->first[i]);
        left->first[i] = NULL;
    }
}

/* A line for people, allocated; NULL: out of memory. */
static char *make_line(const char *where, const char *why, struct mupdate_text name,
                       const char *other)
{
    char *text = NULL;
    size_t len;
    FILE *file = open_memstream(&text, &len);

    if (!file)
        return NULL;
    fprintf(file, "%s: %s", where, why);
    if (name.len) {
        fputs(": ", file);
        ctl_write_escaped(file, name);
    }
    if (*other) {
        fputs(": ", file);
        ctl_write_escaped(file, (struct mupdate_text){other, strlen(other)});
    }
    putc('\n', file);
    if (fclose(file) == 0)
        return text;
    free(text);
    return NULL;
}

/* The same for programs. */
static char *make_object(const char *where, const char *why, struct mupdate_text name,
                         const char *other)
{
    json_t *object = json_object();
    char *text = NULL;

    if (object && json_set_text(object, "where", (struct mupdate_text){where, strlen(where)}) &&
        json_set_text(object, "reason", (struct mupdate_text){why, strlen(why)}) &&
        (!name.len || json_set_text(object, "name", name)) &&
        (!*other || json_set_text(object, "other", (struct mupdate_text){other, strlen(other)})))
        text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(object);
    return text;
}

/* False: it cannot be written; report.failed. */
static bool write_report(struct ctl_left_out *left, const char *line)
{
    return ctl_output_file_write(&left->report, line, strlen(line)) &&
           (!left->json || ctl_output_file_write(&left->report, "\n", 1));
}

static void count(struct ctl_left_out *left, const char *why)
{
    size_t i = 0;

    while (i < left->count && strcmp(left->reasons[i].why, why) != 0)
        i++;
    /* There are fewer reasons than places; were there not, the last would stand for the rest. */
    if (i == LEFT_OUT_REASONS)
        i--;
    if (i == left->count)
        left->reasons[left->count++].why = why;
    left->reasons[i].count++;
}

int ctl_left_out_add(struct ctl_left_out *left, const char *where, const char *why, bool harmless,
                     struct mupdate_text name, const char *other)
{
    bool first = !harmless && left->total - left->harmless < LEFT_OUT_FIRST;
    char *line = NULL;

    if (first) {
        line = make_line(where, why, name, other);
        if (!line)
            return ctl_complain(EX_OSERR, "out of memory");
        left->first[left->total - left->harmless] = line;
    }
    count(left, why);
    left->total++;
    left->harmless += harmless;
    if (!left->reporting)
        return 0;
    line = left->json ? make_object(where, why, name, other) : make_line(where, why, name, other);
    if (!line)
        return ctl_complain(EX_OSERR, "out of memory");
    if (!write_report(left, line) && !left->report.failed)
        left->report.failed = EX_IOERR;
    free(line);
    return left->report.failed;
}

uint64_t ctl_left_out_wanted(const struct ctl_left_out *left)
{
    return left->total - left->harmless;
}

void ctl_left_out_print(const struct ctl_left_out *left, const char *all, FILE *file)
{
    if (left->total == 0)
        return;
    fprintf(file, "Left out: %llu\n", (unsigned long long)left->total);
    for (size_t i = 0; i < left->count; i++)
        fprintf(file, "%10llu  %s\n", (unsigned long long)left->reasons[i].count,
                left->reasons[i].why);
    if (left->first[0])
        fputs("Of these:\n", file);
    for (size_t i = 0; i < LEFT_OUT_FIRST && left->first[i]; i++)
        fprintf(file, "  %s", left->first[i]);
    if (ctl_left_out_wanted(left) > LEFT_OUT_FIRST)
        fprintf(file, "  ... and %llu more; %s\n",
                (unsigned long long)(ctl_left_out_wanted(left) - LEFT_OUT_FIRST), all);
}

json_t *ctl_left_out_json(const struct ctl_left_out *left)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < left->count; i++) {
        json_t *one = json_pack("{sssI}", "reason", left->reasons[i].why, "count",
                                (json_int_t)left->reasons[i].count);

        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}
