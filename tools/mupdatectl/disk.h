/*
 * What a table takes on the disk.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_DISK_H
#define MUPDATECTL_DISK_H

#include <stdint.h>

/* The octets that the files of a directory take, without what lies in directories in it. */
uint64_t ctl_disk_used(const char *directory);

/* "12.3 MB". Returns text. */
#define CTL_DISK_BYTES 32
const char *ctl_disk_text(uint64_t octets, char text[CTL_DISK_BYTES]);

#endif
