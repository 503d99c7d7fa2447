/*
 * An access control list as words on a command line.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_ACL_H
#define MUPDATECTL_ACL_H

#include <stdbool.h>
#include <stddef.h>

enum ctl_acl_result {
    CTL_ACL_OK,
    CTL_ACL_UNEVEN, /* an identifier without rights, or an empty word */
    CTL_ACL_NO_MEMORY,
};

/*
 * Make "id<TAB>rights<TAB>id<TAB>rights<TAB>" of arguments, allocated.
 * One argument is taken as it is when exact is set, when it is empty or when it
 * has a tab; otherwise it is split at its blanks. Of several, each is one word.
 */
enum ctl_acl_result ctl_acl_from_words(int count, char *const *words, bool exact, char **acl);

#endif
