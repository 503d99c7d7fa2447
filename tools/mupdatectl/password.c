/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/password.h"

#include <bsd/readpassphrase.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { PASSWORD_BYTES = 1024 };

static bool is_private(const struct stat *file)
{
    if (!S_ISREG(file->st_mode))
        return true;
    if (file->st_uid == 0)
        return !(file->st_mode & (S_IWGRP | S_IXGRP | S_IRWXO));
    return !(file->st_mode & (S_IRWXG | S_IRWXO));
}

/* The first line, or at least as much as shows that it is too long. -1 with errno. */
static ssize_t read_line(int fd, char *line, size_t size)
{
    size_t len = 0;

    while (len < size && !memchr(line, '\n', len)) {
        ssize_t got = read(fd, line + len, size - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

/* Cut the line at its end; false when there is no password in it. */
static bool cut_line(char *line, size_t len)
{
    char *end = memchr(line, '\n', len);
    size_t length = end ? (size_t)(end - line) : len;

    if (length > 0 && line[length - 1] == '\r')
        length--;
    if (length == 0 || length > PASSWORD_BYTES || memchr(line, '\0', length))
        return false;
    line[length] = '\0';
    return true;
}

static int read_password(int fd, const char *path, char **password)
{
    char line[PASSWORD_BYTES + 2];
    struct stat file;
    ssize_t len;
    int status = 0;

    if (fstat(fd, &file) < 0)
        return ctl_complain(EX_NOINPUT, "cannot read %s: %s", path, strerror(errno));
    if (!is_private(&file))
        return ctl_complain(
            EX_CONFIG,
            "%s is open to other users (mode %04o): run chmod 600 %s, and consider the "
            "password known to them",
            path, (unsigned)file.st_mode & 07777U, path);
    len = read_line(fd, line, sizeof line);
    if (len < 0)
        return ctl_complain(EX_NOINPUT, "cannot read %s: %s", path, strerror(errno));
    if (!cut_line(line, (size_t)len))
        status = ctl_complain(EX_CONFIG, "%s: its first line must be the password, 1 to %d octets",
                              path, PASSWORD_BYTES);
    else if (!(*password = strdup(line)))
        status = ctl_complain(EX_OSERR, "out of memory");
    explicit_bzero(line, sizeof line);
    return status;
}

int ctl_password_read(const char *path, char **password)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int status;

    if (fd < 0)
        return ctl_complain(EX_NOINPUT, "cannot open the password file %s: %s", path,
                            strerror(errno));
    status = read_password(fd, path, password);
    close(fd);
    return status;
}

static int prompt(struct ctl *ctl)
{
    char question[256];
    char line[PASSWORD_BYTES + 1];
    int status = 0;

    snprintf(question, sizeof question,
             "Password of %s at %s: ", ctl->connect.user ? ctl->connect.user : "this user",
             ctl->connect.host);
    if (!readpassphrase(question, line, sizeof line, RPP_ECHO_OFF | RPP_REQUIRE_TTY))
        status = ctl_complain(
            EX_NOINPUT, "a password is needed and there is no terminal to ask on; give it with "
                        "--password-file");
    else if (!*line)
        status = ctl_complain(EX_NOINPUT, "no password was given");
    else if (!(ctl->password = strdup(line)))
        status = ctl_complain(EX_OSERR, "out of memory");
    explicit_bzero(line, sizeof line);
    return status;
}

char *ctl_password_give(void *context)
{
    struct ctl_password *password = context;
    char *copy;

    if (!password->ctl->password)
        password->status = prompt(password->ctl);
    if (password->status || !password->ctl->password)
        return NULL;
    copy = strdup(password->ctl->password);
    if (!copy)
        password->status = ctl_complain(EX_OSERR, "out of memory");
    return copy;
}
