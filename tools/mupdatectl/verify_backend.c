/* SPDX-License-Identifier: BSD-3-Clause */
#include <sysexits.h>

#include "tools/mupdatectl/verify.h"

int ctl_verify_backend(struct ctl *ctl, const char *name, const char *list)
{
    (void)ctl;
    (void)list;
    return ctl_complain(EX_UNAVAILABLE, "%s: cannot be compared with", name);
}
