/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/status.h"

#include <stdbool.h>
#include <stdlib.h>

#include "tools/mupdatectl/when.h"

/* The findings, the gravest of which is the verdict. */
struct findings {
    FILE *file;
    enum ctl_status_verdict verdict;
    bool any;
};

static FILE *find(struct findings *findings, enum ctl_status_verdict verdict)
{
    if (verdict > findings->verdict)
        findings->verdict = verdict;
    if (findings->any)
        (void)fputs("; ", findings->file);
    findings->any = true;
    return findings->file;
}

static void look(struct findings *findings, const json_t *status, int64_t stale,
                 const struct ctl_status_limits *limits)
{
    int64_t free_octets = ctl_status_number(status, "disk", "free_bytes");
    double lag = ctl_status_real(status, "subscribers", "behind_seconds");
    char text[CTL_WHEN_BYTES];
    char limit[CTL_WHEN_BYTES];

    if (json_is_true(json_object_get(json_object_get(status, "writer"), "refusing")))
        (void)fputs("changes are being refused, see the log", find(findings, CTL_STATUS_CRITICAL));
    if (json_is_false(json_object_get(json_object_get(status, "table"), "confirmed")))
        (void)fputs("the table is not confirmed, FIND and LIST are not answered",
                    find(findings, CTL_STATUS_CRITICAL));
    if (lag > limits->lag_seconds)
        (void)fprintf(find(findings, CTL_STATUS_WARNING), "a subscriber is %s behind (limit %s)",
                      ctl_duration_text(lag, text),
                      ctl_duration_text(limits->lag_seconds, limit));
    if (free_octets < limits->free_octets)
        (void)fprintf(find(findings, CTL_STATUS_WARNING), "%s free on the disk (limit %s)",
                      ctl_size_text((double)free_octets, text),
                      ctl_size_text((double)limits->free_octets, limit));
    if (stale > 0)
        (void)fprintf(find(findings, CTL_STATUS_WARNING),
                      "%lld reservations older than %s, see mupdatectl reservations",
                      (long long)stale,
                      ctl_duration_text((double)limits->reserved_us / 1e6, limit));
}

enum ctl_status_verdict ctl_status_check(FILE *file, const json_t *status, int64_t stale,
                                         const struct ctl_status_limits *limits)
{
    static const char *const words[] = {"OK", "WARNING", "CRITICAL"};
    struct findings findings = {0};
    char *text = NULL;
    size_t len = 0;

    findings.file = open_memstream(&text, &len);
    if (!findings.file) {
        (void)fprintf(file, "MUPDATE CRITICAL - mupdatectl is out of memory\n");
        return CTL_STATUS_CRITICAL;
    }
    look(&findings, status, stale, limits);
    if (!findings.any)
        (void)fprintf(findings.file, "%lld rows, change %lld, %lld subscribers",
                      (long long)ctl_status_number(status, "table", "rows"),
                      (long long)ctl_status_number(status, "position", "sequence"),
                      (long long)ctl_status_number(status, "subscribers", "count"));
    (void)fclose(findings.file);
    (void)fprintf(
        file,
        "MUPDATE %s - %s | rows=%lld reserved=%lld stale=%lld;0 lag=%.3fs;%g free=%lldB;%lld: "
        "connections=%lld subscribers=%lld\n",
        words[findings.verdict], text ? text : "",
        (long long)ctl_status_number(status, "table", "rows"),
        (long long)ctl_status_number(status, "table", "reserved"), (long long)stale,
        ctl_status_real(status, "subscribers", "behind_seconds"), limits->lag_seconds,
        (long long)ctl_status_number(status, "disk", "free_bytes"), (long long)limits->free_octets,
        (long long)ctl_status_number(status, "connections", "count"),
        (long long)ctl_status_number(status, "subscribers", "count"));
    free(text);
    return findings.verdict;
}
