/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tools/mupdatectl/offline.h"
#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/verify.h"
#include "tools/mupdatectl/work.h"

enum { OPTION_AGAINST = CTL_OWN_OPTION, OPTION_BACKEND, OPTION_LIST };

/* What the operator is to do about a kind of finding. */
static const char *remedy_of(enum verify_kind kind)
{
    return kind == VERIFY_RULE ? "mupdatectl delete it, or see the limits in mupdated.conf(5)"
                               : "mupdatectl repair";
}

/* --- findings --- */

void ctl_findings_begin(struct ctl_findings *findings, bool json)
{
    memset(findings, 0, sizeof *findings);
    findings->json = json;
    ctl_progress_begin(&findings->progress, "checking", "pages", 0);
}

void ctl_findings_step(struct ctl_findings *findings, uint64_t done, uint64_t total)
{
    findings->progress.total = total;
    ctl_progress_step(&findings->progress, done);
}

static int print_json(const struct verify_finding *finding)
{
    json_t *object = json_pack("{ssssss}", "finding", verify_kind_name(finding->kind), "file",
                               finding->file, "do", remedy_of(finding->kind));

    if (object && finding->name.len && !json_set_text(object, "name", finding->name)) {
        json_decref(object);
        object = NULL;
    }
    if (object && finding->sequence)
        (void)json_object_set_new(object, "sequence", json_integer((json_int_t)finding->sequence));
    if (object)
        (void)json_object_set_new(object, "text", json_string(finding->text));
    return ctl_print_json(object);
}

static void print_text(const struct verify_finding *finding)
{
    printf("%s: ", finding->file);
    if (finding->name.len) {
        ctl_write_escaped(stdout, finding->name);
        fputs(": ", stdout);
    }
    if (finding->sequence)
        printf("change %llu: ", (unsigned long long)finding->sequence);
    printf("%s\n", finding->text);
}

void ctl_findings_take(struct ctl_findings *findings, const struct verify_finding *finding)
{
    if (findings->counts[finding->kind]++ >= CTL_FINDINGS_MAX)
        return;
    ctl_progress_end(&findings->progress);
    if (!findings->json)
        print_text(finding);
    else if (!findings->status)
        findings->status = print_json(finding);
}

void ctl_findings_end(struct ctl_findings *findings)
{
    ctl_progress_end(&findings->progress);
    if (findings->json)
        return;
    for (int kind = 0; kind < VERIFY_KINDS; kind++)
        if (findings->counts[kind] > CTL_FINDINGS_MAX)
            printf("... and %llu more of this kind (%s)\n",
                   (unsigned long long)(findings->counts[kind] - CTL_FINDINGS_MAX),
                   verify_kind_name((enum verify_kind)kind));
}

/* --- the table --- */

static void on_found(void *context, const struct verify_finding *finding)
{
    ctl_findings_take(context, finding);
}

static void on_progress(void *context, uint64_t done, uint64_t total)
{
    ctl_findings_step(context, done, total);
}

static void format_history(const unsigned char *history, char *text)
{
    for (size_t i = 0; i < STORE_HISTORY_BYTES; i++)
        sprintf(text + 2 * i, "%02x", history[i]);
}

static int print_verdict_json(const struct ctl_findings *findings,
                              const struct verify_summary *summary)
{
    char history[2 * STORE_HISTORY_BYTES + 1];
    json_t *kinds = json_object();
    json_t *object;

    for (int kind = 0; kinds && kind < VERIFY_KINDS; kind++)
        if (findings->counts[kind])
            (void)json_object_set_new(kinds, verify_kind_name((enum verify_kind)kind),
                                      json_integer((json_int_t)findings->counts[kind]));
    format_history(summary->position.history, history);
    object = json_pack("{sssIsIsIsIsIsssbsbso}", "verdict",
                       summary->findings ? "damaged" : "good", "findings",
                       (json_int_t)summary->findings, "rows", (json_int_t)summary->rows, "changes",
                       (json_int_t)summary->changes, "sequence",
                       (json_int_t)summary->position.last, "term",
                       (json_int_t)summary->position.term, "history", history, "confirmed",
                       summary->confirmed, "torn", summary->torn, "kinds", kinds);
    return ctl_print_json(object);
}

static void print_verdict(const struct ctl_place *place, const struct ctl_findings *findings,
                          const struct verify_summary *summary)
{
    char history[2 * STORE_HISTORY_BYTES + 1];

    format_history(summary->position.history, history);
    if (summary->torn)
        printf("The last write before mupdated ended was not finished: nobody was told that it "
               "was.\n");
    if (!summary->findings) {
        printf("GOOD: %llu rows, %llu changes, the last has the number %llu; history %s, term "
               "%llu, %s.\n",
               (unsigned long long)summary->rows, (unsigned long long)summary->changes,
               (unsigned long long)summary->position.last, history,
               (unsigned long long)summary->position.term,
               summary->confirmed ? "confirmed" : "not confirmed");
        return;
    }
    printf("DAMAGED: %llu finding%s in %s; %llu rows and %llu changes can be read.\n",
           (unsigned long long)summary->findings, summary->findings == 1 ? "" : "s",
           place->directory,
           (unsigned long long)summary->rows, (unsigned long long)summary->changes);
    for (int kind = 0; kind < VERIFY_KINDS; kind++)
        if (findings->counts[kind] && kind != VERIFY_RULE) {
            printf("What to do: stop mupdated if it runs, and see what can be saved with\n"
                   "    mupdatectl repair --dry-run\n");
            break;
        }
    if (findings->counts[VERIFY_RULE])
        printf("Rows that break the rules: %s.\n", remedy_of(VERIFY_RULE));
}

static int print_result(const struct ctl_place *place, struct ctl_findings *findings,
                        const struct verify_summary *summary)
{
    int status = findings->status;

    ctl_findings_end(findings);
    if (status)
        return status;
    if (findings->json)
        status = print_verdict_json(findings, summary);
    else
        print_verdict(place, findings, summary);
    if (!status)
        status = ctl_flush();
    return status ? status : summary->findings ? CTL_EXIT_FOUND : 0;
}

static int verify_table(const struct ctl_place *place, bool json)
{
    struct ctl_findings findings;
    struct verify_options options = {.policy = &place->policy,
                                     .found = on_found,
                                     .progress = on_progress,
                                     .context = &findings};
    struct verify_summary summary;
    struct store_error error;
    struct ctl_work work;
    enum store_result result;
    int status = ctl_work_take(&work, place);

    if (status)
        return status;
    ctl_findings_begin(&findings, json);
    options.directory = work.path;
    options.hot = work.hot;
    options.unread = &work.unread;
    status = ctl_as_owner(place);
    if (!status) {
        result = store_verify(&options, &summary, &error);
        ctl_as_self();
        ctl_progress_end(&findings.progress);
        if (result == STORE_OK)
            status = print_result(place, &findings, &summary);
        else if (result == STORE_REFUSED)
            status = ctl_complain(EX_OSERR, "%s: %s", place->directory, error.text);
        else
            status = ctl_complain(result == STORE_ABSENT ? EX_NOINPUT : EX_DATAERR, "%s: %s",
                                  place->directory, error.text);
    }
    ctl_work_end(&work, place);
    return status;
}

/* --- */

static int verify(struct ctl *ctl, int argc, char **argv)
{
    const char *against = NULL;
    const char *backend = NULL;
    const char *list = NULL;
    struct ctl_place place;
    int option;
    int status;

    while ((option = ctl_option(ctl, argc, argv)) != CTL_END) {
        if (option == CTL_STOP)
            return ctl->status;
        if (option == OPTION_AGAINST)
            against = optarg;
        else if (option == OPTION_BACKEND)
            backend = optarg;
        else
            list = optarg;
    }
    if (!backend != !list)
        return ctl_complain(EX_USAGE, "verify: --backend and --list go together");
    if (against && backend)
        return ctl_complain(EX_USAGE, "verify: --against and --backend do not go together");
    if (against)
        return ctl_verify_against(ctl, against);
    if (backend)
        return ctl_verify_backend(ctl, backend, list);
    status = ctl_place_find(&place, ctl, false);
    if (status)
        return status;
    status = verify_table(&place, ctl->json);
    ctl_place_free(&place);
    return status;
}

static const struct option verify_options[] = {
    {"against", required_argument, NULL, OPTION_AGAINST},
    {"backend", required_argument, NULL, OPTION_BACKEND},
    {"list", required_argument, NULL, OPTION_LIST},
    {NULL, 0, NULL, 0},
};

const struct ctl_command ctl_verify_command = {
    .name = "verify",
    .arguments = "[OPTION ...]",
    .summary = "see that the table is good, or compare it",
    .help =
        "See that every page, record and number of the master's database is good and that they\n"
        "agree with each other. Nothing is changed: a copy is looked at, which needs room on the\n"
        "disk for a second table. While mupdated runs it makes the copy; else it cannot be\n"
        "started until this has ended. The exit status is 1 when something was found.\n"
        "\n"
        "      --against SERVER|FILE  compare the table with a server's, or with a dump\n"
        "      --backend NAME         compare the mailboxes of this back-end with what\n"
        "      --list FILE            ctl_mboxlist -d said there\n",
    .run = verify,
    .options = verify_options,
    .maximum = 0,
};
