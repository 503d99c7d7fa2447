/*
 * What mupdatectl verify and repair say of a table that is not good, and the comparisons.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_VERIFY_H
#define MUPDATECTL_VERIFY_H

#include "mupdated/store/verify.h"
#include "tools/mupdatectl/command.h"
#include "tools/mupdatectl/progress.h"

/* So many findings of each kind are shown; of the others the number. */
#define CTL_FINDINGS_MAX 20

struct ctl_findings {
    bool json;
    struct ctl_progress progress; /* taken away before a line is printed */
    uint64_t counts[VERIFY_KINDS];
    int status; /* exit status of the printing */
};

void ctl_findings_begin(struct ctl_findings *findings, bool json);

/* The progress of a verification, for the bar; what: "checking". */
void ctl_findings_step(struct ctl_findings *findings, uint64_t done, uint64_t total);

/* Print one, a line of text or an object, unless there were enough. */
void ctl_findings_take(struct ctl_findings *findings, const struct verify_finding *finding);

/* Take the bar away, and say how many were not shown. */
void ctl_findings_end(struct ctl_findings *findings);

/*
 * verify --against WHAT: compare the table with that of a server (HOST[:PORT]) or of a dump
 * (FILE). Exit status; CTL_EXIT_FOUND: they differ.
 */
int ctl_verify_against(struct ctl *ctl, const char *what);

/* verify --backend NAME --list FILE: with what ctl_mboxlist -d said on that back-end. */
int ctl_verify_backend(struct ctl *ctl, const char *name, const char *list);

#endif
