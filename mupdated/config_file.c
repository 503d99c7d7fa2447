/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/config_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that is no configuration (a disk, a log) must not fill the memory. */
#define FILE_BYTES_MAX ((size_t)1024 * 1024)
#define FILES_MAX 64

/* A file that is being read, within the ones that include it. */
struct open_file {
    const struct open_file *outer;
    const char *name;
    dev_t device;
    ino_t inode;
    bool on_disk; /* device and inode are known */
};

struct run {
    const struct config_reader *reader;
    unsigned files;
};

static int read_path(struct run *run, const struct open_file *outer,
                     const struct config_where *where, const char *path);

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_key_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '_';
}

static int out_of_memory(const struct run *run)
{
    return config_fail(run->reader->error, NULL, "out of memory");
}

/* A relative name is meant beside the file that includes it. */
/* NOLINTNEXTLINE(misc-no-recursion): includes are counted, and no file includes itself */
static int include(struct run *run, const struct open_file *file, const struct config_where *where,
                   const char *name)
{
    const char *slash = strrchr(file->name, '/');
    size_t directory_len = name[0] == '/' || slash == NULL ? 0 : (size_t)(slash - file->name) + 1;
    char *path = malloc(directory_len + strlen(name) + 1);
    int result;

    if (path == NULL) {
        return out_of_memory(run);
    }
    memcpy(path, file->name, directory_len);
    strcpy(path + directory_len, name);
    result = read_path(run, file, where, path);
    free(path);
    return result;
}

/* One line, continued ones put together; it is changed in place. */
/* NOLINTNEXTLINE(misc-no-recursion): includes are counted, and no file includes itself */
static int parse_line(struct run *run, const struct open_file *file,
                      const struct config_where *where, char *line)
{
    const struct config_reader *reader = run->reader;
    char *key = line;
    char *value;
    char *end;

    while (is_blank(*key)) {
        key++;
    }
    if (*key == '\0' || *key == '#') {
        return 0;
    }
    value = key + (*key == '@');
    while (is_key_character(*value)) {
        *value = (char)tolower((unsigned char)*value);
        value++;
    }
    if (*value != ':' || value == key) {
        return config_fail(reader->error, where,
                           "%s is not a setting: write \"key: value\", the key in letters, digits, "
                           "'-' and '_' with the ':' right behind it, or put '#' at the start of "
                           "the line to make it a comment",
                           CONFIG_QUOTE(key));
    }
    *value++ = '\0';
    while (is_blank(*value)) {
        value++;
    }
    end = value + strlen(value);
    while (end > value && is_blank(end[-1])) {
        end--;
    }
    *end = '\0';
    if (*value == '\0') {
        return config_fail(reader->error, where,
                           "%s: has no value: write one behind the ':', or remove the line to have "
                           "the default",
                           key);
    }
    if (*key != '@') {
        return reader->setting(reader->context, where, key, value);
    }
    if (strcmp(key, "@include") != 0) {
        return config_fail(reader->error, where,
                           "%s: is not a directive: the only one is \"@include: file\"", key);
    }
    return include(run, file, where, value);
}

/*
 * Put one line and those that continue it into line, without their ends, and
 * step over them. As in imapd.conf a comment can be continued too. Returns
 * whether the last of them asks for one more and there is none.
 */
static bool join_lines(const char *text, size_t len, size_t *at, unsigned *number, char *line)
{
    size_t used = 0;
    bool more = true;

    while (more && *at < len) {
        const char *start = text + *at;
        const char *newline = memchr(start, '\n', len - *at);
        size_t taken = newline == NULL ? len - *at : (size_t)(newline - start);

        *at += taken + (newline != NULL);
        *number += 1;
        if (taken > 0 && start[taken - 1] == '\r') {
            taken--;
        }
        memcpy(line + used, start, taken);
        used += taken;
        more = taken > 0 && line[used - 1] == '\\';
        used -= more;
    }
    line[used] = '\0';
    return more;
}

/* NOLINTNEXTLINE(misc-no-recursion): includes are counted, and no file includes itself */
static int parse_text(struct run *run, const struct open_file *file, const char *text, size_t len)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    struct config_where where = {.file = file->name, .line = 1};
    const char *nul = len == 0 ? NULL : memchr(text, '\0', len);
    unsigned number = 0;
    size_t at = 0;
    int result = 0;
    char *line;

    if (nul != NULL) {
        for (const char *p = text; p < nul; p++) {
            where.line += *p == '\n';
        }
        return config_fail(run->reader->error, &where,
                           "holds a NUL octet: this is not a text file, or it is in UTF-16; save "
                           "it as plain text");
    }
    if (len >= 3 && memcmp(text, byte_order_mark, 3) == 0) {
        at = 3;
    }
    line = malloc(len + 1);
    if (line == NULL) {
        return out_of_memory(run);
    }
    while (result == 0 && at < len) {
        bool unfinished;
        where.line = number + 1;
        unfinished = join_lines(text, len, &at, &number, line);
        if (unfinished) {
            where.line = number;
            result = config_fail(run->reader->error, &where,
                                 "the file ends where '\\' promises one more line: remove the "
                                 "'\\'");
            break;
        }
        if (number > where.line && line[strspn(line, " \t\v\f\r")] == '#') {
            config_tell(run->reader->notice, run->reader->context, &where,
                        "this comment ends in '\\' and so goes on to line %u", number);
        }
        result = parse_line(run, file, &where, line);
    }
    free(line);
    return result;
}

/* Read all of fd. Returns 0, or an errno value; EFBIG past FILE_BYTES_MAX. */
static int read_all(int fd, char **text, size_t *len)
{
    size_t room = 0;
    size_t used = 0;
    char *data = NULL;

    for (;;) {
        ssize_t n;
        if (used == room) {
            size_t wanted = room == 0 ? 16384 : 2 * room;
            char *bigger = used > FILE_BYTES_MAX ? NULL : realloc(data, wanted);
            if (bigger == NULL) {
                free(data);
                return used > FILE_BYTES_MAX ? EFBIG : ENOMEM;
            }
            data = bigger;
            room = wanted;
        }
        n = read(fd, data + used, room - used);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            int failure = errno;
            free(data);
            return failure;
        }
        if (n == 0) {
            break;
        }
        used += (size_t)n;
    }
    if (used > FILE_BYTES_MAX) {
        free(data);
        return EFBIG;
    }
    *text = data;
    *len = used;
    return 0;
}

static int cannot_read(struct run *run, const struct config_where *where, const char *path,
                       int failure)
{
    const char *why = failure == EFBIG ? "it is larger than a configuration file may be (1 MB)"
                                       : strerror(failure);

    if (where == NULL) {
        return config_fail(run->reader->error, NULL,
                           "%s: cannot be read: %s: name the configuration file with -C FILE, and "
                           "see that this user may read it",
                           path, why);
    }
    return config_fail(run->reader->error, where,
                       "@include: %s cannot be read: %s: correct the name (it is looked for beside "
                       "the file that includes it), or remove the line",
                       CONFIG_QUOTE(path), why);
}

/* where is the line that includes it, NULL for the first file. */
/* NOLINTNEXTLINE(misc-no-recursion): includes are counted, and no file includes itself */
static int read_path(struct run *run, const struct open_file *outer,
                     const struct config_where *where, const char *path)
{
    struct open_file file = {.outer = outer, .name = path, .on_disk = true};
    struct stat status;
    char *text = NULL;
    size_t len = 0;
    int failure;
    int fd;

    if (++run->files > FILES_MAX) {
        return config_fail(run->reader->error, where,
                           "@include: more than %d files are read for one configuration: put some "
                           "of them together",
                           FILES_MAX);
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return cannot_read(run, where, path, errno);
    }
    if (fstat(fd, &status) != 0) {
        failure = errno;
        close(fd);
        return cannot_read(run, where, path, failure);
    }
    file.device = status.st_dev;
    file.inode = status.st_ino;
    for (const struct open_file *other = outer; other != NULL; other = other->outer) {
        bool same = other->on_disk ? other->device == file.device && other->inode == file.inode
                                   : strcmp(other->name, path) == 0;
        if (same) {
            close(fd);
            return config_fail(run->reader->error, where,
                               "@include: %s includes itself, directly or through others: remove "
                               "this line",
                               CONFIG_QUOTE(path));
        }
    }
    failure = read_all(fd, &text, &len);
    close(fd);
    if (failure != 0) {
        return failure == ENOMEM ? out_of_memory(run) : cannot_read(run, where, path, failure);
    }
    failure = parse_text(run, &file, text, len);
    free(text);
    return failure;
}

int config_file_read(const struct config_reader *reader, const char *path)
{
    struct run run = {.reader = reader};

    return read_path(&run, NULL, NULL, path);
}

int config_file_parse(const struct config_reader *reader, const char *name, const char *text,
                      size_t len)
{
    struct run run = {.reader = reader, .files = 1};
    struct open_file file = {.name = name};

    return parse_text(&run, &file, text, len);
}
