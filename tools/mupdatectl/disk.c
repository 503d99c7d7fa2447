/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define BLOCK_BYTES 512

uint64_t ctl_disk_used(const char *directory)
{
    DIR *files = opendir(directory);
    const struct dirent *entry;
    struct stat status;
    uint64_t used = 0;

    if (!files)
        return 0;
    while ((entry = readdir(files)))
        if (fstatat(dirfd(files), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode))
            used += (uint64_t)status.st_blocks * BLOCK_BYTES;
    (void)closedir(files);
    return used;
}

const char *ctl_disk_text(uint64_t octets, char text[CTL_DISK_BYTES])
{
    (void)snprintf(text, CTL_DISK_BYTES, "%.1f MB", (double)octets / 1e6);
    return text;
}
