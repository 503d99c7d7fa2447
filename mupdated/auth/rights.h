/*
 * What an identity may do: the roles that the configuration gives, looked up
 * when somebody logs in and again after each reload. mupdated.conf(5), RIGHTS.
 *
 * A pure function of a struct config, for any thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef AUTH_RIGHTS_H
#define AUTH_RIGHTS_H

#include "mupdated/config.h"
#include "mupdated/table/rule.h"

struct rights {
    enum config_role role;      /* CONFIG_ROLE_NONE: may not even log in */
    struct rule_servers writes; /* whose rows it may write; valid as long as the configuration */
};

/* Whether who proved to be identity may act as somebody else: an admin may. */
bool rights_may_act_as_others(const struct config *config, const char *identity);

/*
 * The rights of who acts as user and proved to be authenticated: those of user,
 * or none where authenticated may not act as user. Names are compared octet by
 * octet. Either may be NULL, for none.
 */
void rights_of(const struct config *config, const char *user, const char *authenticated,
               struct rights *rights);

#endif
