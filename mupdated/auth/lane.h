/*
 * Which of the pool's lanes the steps of a mechanism run in: by whom they may
 * have to wait for.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef AUTH_LANE_H
#define AUTH_LANE_H

#include "mupdated/config.h"

enum auth_lane {
    AUTH_LANE_LOCAL,    /* costs the processor's time only: passwords of sasldb */
    AUTH_LANE_PASSWORD, /* somebody else checks the password: saslauthd, authdaemond */
    AUTH_LANE_NETWORK,  /* all else: Kerberos asks the resolver, plug-ins ask LDAP or SQL */
    AUTH_LANES,
};

/* The name of a mechanism is in any case; one that does not exist has a lane too. */
enum auth_lane auth_lane(const struct config *config, const char *mechanism);

#endif
