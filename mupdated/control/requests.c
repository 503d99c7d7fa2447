/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/control/requests.h"

const struct control_kind control_requests[] = {
    {"status", control_status},
    {"connections", control_connections},
    {"kick", control_kick},
    {"reservations", control_reservations},
    {"changes", control_changes},
    {"confirm", control_confirm},
    {"copy", control_copy},
    {"find", control_find},
    {"move", control_move},
    {"release", control_release},
    {"saved", control_saved},
    {0},
};
