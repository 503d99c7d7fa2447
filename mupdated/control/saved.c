/*
 * An operator's backup was made, and verified.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "mupdated/control/requests.h"
#include "mupdated/log.h"

bool control_saved(struct control_session *session, const json_t *request)
{
    struct master *master = session->master;
    uv_timeval64_t now = {0};

    (void)request;
    (void)uv_gettimeofday(&now);
    master->backup_time_us = now.tv_sec * INT64_C(1000000) + now.tv_usec;
    log_notice("saved: by=%s", session->who);
    return control_say(session, json_object(), false);
}
