/*
 * Berkeley DB opens files when it begins a new log file and when it removes an
 * old one, in the middle of a commit. Without a descriptor it panics. So some
 * are kept aside, for it alone.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "mupdated/store/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

/* The new log file, the old one that is looked at, a database that is written. */
#define SPARES 4

/* Berkeley DB's replacement functions are the process's, and so are these. -1: given up. */
static atomic_int spares[SPARES] = {-1, -1, -1, -1};

static bool give_up_one(void)
{
    for (size_t i = 0; i < SPARES; i++) {
        int fd = atomic_exchange(&spares[i], -1);

        if (fd >= 0) {
            close(fd);
            return true;
        }
    }
    return false;
}

static int open_with_spares(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode;
    int fd;

    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
    store_next_log_take(path, flags);
    do {
        fd = open(path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && (errno == EINTR || ((errno == EMFILE || errno == ENFILE) && give_up_one())));
    if (fd >= 0)
        store_next_log_begun(path, flags);
    return fd;
}

void store_spares_use(void)
{
    (void)db_env_set_func_open(open_with_spares);
}

void store_spares_keep(void)
{
    for (size_t i = 0; i < SPARES; i++) {
        int none = -1;
        int fd;

        if (atomic_load(&spares[i]) >= 0)
            continue;
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return;
        if (!atomic_compare_exchange_strong(&spares[i], &none, fd))
            close(fd);
    }
}

void store_spares_drop(void)
{
    while (give_up_one())
        ;
}
