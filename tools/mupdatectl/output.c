/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tools/mupdatectl/command.h"
#include "wire/base64.h"

static void write_escaped(FILE *file, struct mupdate_text text, unsigned char first)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < first || c > '~' || c == '\\')
            fprintf(file, "\\x%02x", (unsigned)c);
        else
            putc(c, file);
    }
}

void ctl_write_escaped(FILE *file, struct mupdate_text text)
{
    write_escaped(file, text, ' ');
}

/* id<TAB>rights<TAB>..., and no word that would look like two or none between blanks. */
static bool acl_has_usual_form(struct mupdate_text acl)
{
    size_t tabs = 0;
    size_t i;

    for (i = 0; i < acl.len; i++) {
        if (acl.data[i] == ' ' || (acl.data[i] == '\t' && (i == 0 || acl.data[i - 1] == '\t')))
            return false;
        if (acl.data[i] == '\t')
            tabs++;
    }
    return acl.len > 0 && tabs % 2 == 0 && acl.data[acl.len - 1] == '\t';
}

void ctl_write_acl(FILE *file, struct mupdate_text acl)
{
    size_t start = 0;
    size_t i;

    if (!acl_has_usual_form(acl)) {
        /* A blank that is part of an ACL must not look like one between its words. */
        write_escaped(file, acl, '!');
        return;
    }
    for (i = 0; i < acl.len; i++) {
        if (acl.data[i] != '\t')
            continue;
        write_escaped(file, (struct mupdate_text){acl.data + start, i - start}, '!');
        start = i + 1;
        if (start < acl.len)
            putc(' ', file);
    }
}

/* The text that object has under key or key_base64. */
static void write_member(FILE *file, const json_t *object, const char *key,
                         void (*write)(FILE *file, struct mupdate_text text))
{
    const json_t *value = json_object_get(object, key);
    char other_key[32];
    char *copy;
    size_t len;

    if (json_is_string(value)) {
        write(file, (struct mupdate_text){json_string_value(value), json_string_length(value)});
        return;
    }
    (void)snprintf(other_key, sizeof other_key, "%s_base64", key);
    value = json_object_get(object, other_key);
    copy = json_is_string(value) ? strdup(json_string_value(value)) : NULL;
    if (copy && base64_decode((uint8_t *)copy, strlen(copy), &len))
        write(file, (struct mupdate_text){copy, len});
    free(copy);
}

void ctl_write_member(FILE *file, const json_t *object, const char *key)
{
    write_member(file, object, key, ctl_write_escaped);
}

void ctl_write_acl_member(FILE *file, const json_t *object)
{
    write_member(file, object, "acl", ctl_write_acl);
}

void ctl_write_column(FILE *file, const json_t *object, const char *key, int columns)
{
    char *text = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&text, &len);

    if (memory) {
        ctl_write_member(memory, object, key);
        (void)fclose(memory);
    }
    (void)fprintf(file, "%-*s ", columns, text && *text ? text : "-");
    free(text);
}

void ctl_write_row(FILE *file, const struct mupdate_row *row)
{
    fprintf(file, "%s\t", json_state_name(row->state));
    ctl_write_escaped(file, row->name);
    if (row->state != MUPDATE_ABSENT) {
        putc('\t', file);
        ctl_write_escaped(file, row->location);
    }
    if (row->state == MUPDATE_ACTIVE) {
        putc('\t', file);
        ctl_write_acl(file, row->acl);
    }
    putc('\n', file);
}

static int write_failed(int cause)
{
    if (cause == EPIPE)
        return EX_IOERR;
    return ctl_complain(EX_IOERR, "cannot write to standard output: %s",
                        cause ? strerror(cause) : "unknown error");
}

int ctl_print_json(json_t *object)
{
    int result;

    if (!object)
        return ctl_complain(EX_OSERR, "out of memory");
    errno = 0;
    result = json_dumpf(object, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(object);
    putchar('\n');
    if (ferror(stdout))
        return write_failed(errno);
    return result == 0 ? 0 : ctl_complain(EX_OSERR, "out of memory");
}

int ctl_print_row(bool json, const struct mupdate_row *row)
{
    if (json)
        return ctl_print_json(json_row(row));
    errno = 0;
    ctl_write_row(stdout, row);
    return ferror(stdout) ? write_failed(errno) : 0;
}

int ctl_flush(void)
{
    errno = 0;
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : write_failed(errno);
}
