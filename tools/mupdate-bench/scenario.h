/*
 * The scenarios. Each runs to its end, adds its figures to the report and
 * returns; what goes wrong ends the process (report_failure()).
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_BENCH_SCENARIO_H
#define MUPDATE_BENCH_SCENARIO_H

#include "options.h"

/* commands.c: replies to commands, as fast as the depth allows. */
void scenario_fill(const struct options *options);
void scenario_create(const struct options *options);
void scenario_acl(const struct options *options);
void scenario_delete(const struct options *options);
void scenario_find(const struct options *options);
void scenario_mixed(const struct options *options);

/* dump.c: the whole table at once. */
void scenario_dump(const struct options *options);
void scenario_list(const struct options *options);

/* resync.c */
void scenario_resync(const struct options *options);

/* hold.c */
void scenario_hold(const struct options *options);

/* latency.c */
void scenario_latency(const struct options *options);

/* cycle.c */
void scenario_cycle(const struct options *options);

/* machine.c: what the machine itself can do. */
void scenario_loopback(const struct options *options);
void scenario_fsync(const struct options *options);
void scenario_memcpy(const struct options *options);

/* A mark for ACLs that no other run has used; its lower 32 bits are 0. */
uint64_t scenario_mark(void);

#endif
