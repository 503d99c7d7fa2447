/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mupdated/auth/lane.h"

static const struct {
    const char *settings;
    const char *mechanism;
    enum auth_lane lane;
} table[] = {
    /* passwords of a file */
    {"sasl_pwcheck_method: auxprop\nsasl_auxprop_plugin: sasldb\n", "PLAIN", AUTH_LANE_LOCAL},
    {"sasl_pwcheck_method: auxprop\nsasl_auxprop_plugin: sasldb\n", "LOGIN", AUTH_LANE_LOCAL},
    {"sasl_pwcheck_method: auxprop\nsasl_auxprop_plugin: sasldb\n", "plain", AUTH_LANE_LOCAL},
    {"sasl_pwcheck_method: auxprop-hashed  AUXPROP\n", "PLAIN", AUTH_LANE_LOCAL},
    {"", "PLAIN", AUTH_LANE_LOCAL},
    {"sasl_auxprop_plugin: sasldb\n", "SCRAM-SHA-256", AUTH_LANE_LOCAL},
    {"sasl_auxprop_plugin: sasldb\n", "SCRAM-SHA-512-PLUS", AUTH_LANE_LOCAL},
    {"sasl_auxprop_plugin: sasldb\n", "DIGEST-MD5", AUTH_LANE_LOCAL},
    {"sasl_auxprop_plugin: sasldb\n", "CRAM-MD5", AUTH_LANE_LOCAL},
    {"sasl_auxprop_plugin: sasldb\n", "EXTERNAL", AUTH_LANE_LOCAL},
    /* somebody else checks the password */
    {"sasl_pwcheck_method: saslauthd\n", "PLAIN", AUTH_LANE_PASSWORD},
    {"sasl_pwcheck_method: saslauthd\n", "Login", AUTH_LANE_PASSWORD},
    {"sasl_pwcheck_method: auxprop saslauthd\n", "PLAIN", AUTH_LANE_PASSWORD},
    {"sasl_pwcheck_method: saslauthd auxprop\n", "PLAIN", AUTH_LANE_PASSWORD},
    {"sasl_pwcheck_method: authdaemond\n", "PLAIN", AUTH_LANE_PASSWORD},
    /* other mechanisms do not ask it */
    {"sasl_pwcheck_method: saslauthd\n", "SCRAM-SHA-256", AUTH_LANE_LOCAL},
    {"sasl_pwcheck_method: saslauthd\n", "DIGEST-MD5", AUTH_LANE_LOCAL},
    /* over the network */
    {"", "GSSAPI", AUTH_LANE_NETWORK},
    {"", "GS2-KRB5", AUTH_LANE_NETWORK},
    {"", "", AUTH_LANE_NETWORK},
    {"", "SCRAM", AUTH_LANE_NETWORK},
    {"sasl_auxprop_plugin: ldapdb\n", "SCRAM-SHA-256", AUTH_LANE_NETWORK},
    {"sasl_auxprop_plugin: sasldb sql\n", "DIGEST-MD5", AUTH_LANE_NETWORK},
    {"sasl_pwcheck_method: auxprop\nsasl_auxprop_plugin: ldapdb\n", "PLAIN", AUTH_LANE_NETWORK},
};

static void a_mechanism_runs_in_the_lane_of_those_whom_it_may_wait_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char text[256];
        struct config_error error;
        struct config *config;

        snprintf(text, sizeof text, "admins: murder\nservername: h\n%s", table[i].settings);
        config = config_parse("test.conf", text, strlen(text), NULL, NULL, &error);
        assert_non_null(config);
        if (auth_lane(config, table[i].mechanism) != table[i].lane)
            fail_msg("%s with %s", table[i].mechanism, table[i].settings);
        config_free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mechanism_runs_in_the_lane_of_those_whom_it_may_wait_for),
    };

    return cmocka_run_group_tests_name("auth/lane", tests, NULL, NULL);
}
