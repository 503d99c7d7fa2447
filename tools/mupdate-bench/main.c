/*
 * mupdate-bench: how fast is a MUPDATE server? See mupdate-bench(1).
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "options.h"
#include "report.h"
#include "responder.h"
#include "scenario.h"

static const struct {
    const char *name;
    void (*run)(const struct options *options);
    bool needs_server;
} scenarios[] = {
    {"fill", scenario_fill, true},       {"create", scenario_create, true},
    {"acl", scenario_acl, true},         {"delete", scenario_delete, true},
    {"find", scenario_find, true},       {"dump", scenario_dump, true},
    {"list", scenario_list, true},       {"latency", scenario_latency, true},
    {"cycle", scenario_cycle, true},     {"resync", scenario_resync, true},
    {"hold", scenario_hold, true},       {"mixed", scenario_mixed, true},
    {"loopback", scenario_loopback, false}, {"fsync", scenario_fsync, false},
    {"memcpy", scenario_memcpy, false},
};

/* A thousand connections are more than the usual soft limit allows. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    static struct options options;
    options_read(&options, argc, argv);
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        if (strcmp(options.scenario, scenarios[i].name) != 0) {
            continue;
        }
        report_begin(scenarios[i].name, options.json);
        raise_file_limit();
        if (scenarios[i].needs_server && options.self) {
            responder_start(&options);
        }
        scenarios[i].run(&options);
        report_print();
        return EX_OK;
    }
    report_failure(EX_USAGE, "%s: no such scenario; mupdate-bench --help lists them",
                   options.scenario);
}
