/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIRST_MS 1000 /* shorter work shows nothing */
#define AGAIN_MS 200
#define BAR_WIDTH 30
#define LOOKS 2000 /* at the clock, in all */

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void ctl_progress_begin(struct ctl_progress *progress, const char *what, const char *unit,
                        uint64_t total)
{
    *progress = (struct ctl_progress){
        .what = what,
        .unit = unit,
        .total = total,
        .begun_ms = now_ms(),
        .terminal = isatty(STDERR_FILENO) == 1,
    };
}

/* 1234567 as "1.2 M", with the unit behind it. */
static int amount(char *text, size_t size, double value, const char *unit)
{
    if (strcmp(unit, "MB") == 0)
        return snprintf(text, size, "%.1f MB", value / 1e6);
    if (value >= 1e6)
        return snprintf(text, size, "%.1f M %s", value / 1e6, unit);
    if (value >= 1e4)
        return snprintf(text, size, "%.0f k %s", value / 1e3, unit);
    return snprintf(text, size, "%.0f %s", value, unit);
}

const char *ctl_progress_text(const struct ctl_progress *progress, uint64_t done,
                              int64_t elapsed_ms, char *text, int size)
{
    char rate[64];
    double per_second = elapsed_ms > 0 ? (double)done * 1000 / (double)elapsed_ms : 0;
    uint64_t total = progress->total;
    char bar[BAR_WIDTH + 1];
    int filled;
    uint64_t left_s;

    (void)amount(rate, sizeof rate, per_second, progress->unit);
    if (total == 0) {
        char so_far[64];

        (void)amount(so_far, sizeof so_far, (double)done, progress->unit);
        (void)snprintf(text, (size_t)size, "%s  %s/s", so_far, rate);
        return text;
    }
    if (done > total)
        done = total;
    filled = (int)((double)done / (double)total * BAR_WIDTH);
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '#', (size_t)filled);
    bar[BAR_WIDTH] = '\0';
    left_s = per_second > 0 ? (uint64_t)((double)(total - done) / per_second + 0.5) : 0;
    (void)snprintf(text, (size_t)size, "[%s] %3d %%  %s/s  %llu:%02llu left", bar,
                   (int)((double)done / (double)total * 100), rate,
                   (unsigned long long)(left_s / 60), (unsigned long long)(left_s % 60));
    return text;
}

void ctl_progress_step(struct ctl_progress *progress, uint64_t done)
{
    char text[256];
    int64_t now;

    if (!progress->terminal || done < progress->next)
        return;
    progress->next = done + progress->total / LOOKS + 1;
    now = now_ms();
    if (now - progress->begun_ms < FIRST_MS ||
        (progress->shown && now - progress->shown_ms < AGAIN_MS))
        return;
    (void)fprintf(stderr, "\r%s %s\033[K", progress->what,
                  ctl_progress_text(progress, done, now - progress->begun_ms, text, sizeof text));
    (void)fflush(stderr);
    progress->shown = true;
    progress->shown_ms = now;
}

void ctl_progress_end(struct ctl_progress *progress)
{
    if (progress->shown)
        (void)fputs("\r\033[K", stderr);
    progress->shown = false;
}
