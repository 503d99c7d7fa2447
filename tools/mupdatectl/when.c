/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/when.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LONGEST_S INT64_C(31557600000)

/* A number, with one of the letters of units behind it or none; -1 for anything else. */
static int64_t scaled(const char *text, const char *units, const int64_t *factors, int64_t largest)
{
    const char *unit;
    char *end;
    long long number;
    int64_t factor = 1;

    if (!isdigit((unsigned char)*text))
        return -1;
    errno = 0;
    number = strtoll(text, &end, 10);
    if (errno != 0)
        return -1;
    if (*end) {
        unit = strchr(units, *end);
        if (!unit || end[1])
            return -1;
        factor = factors[unit - units];
    }
    return number > largest / factor ? -1 : number * factor;
}

int64_t ctl_duration_us(const char *text)
{
    static const int64_t factors[] = {1, 60, 3600, 86400, 604800};
    int64_t seconds = scaled(text, "smhdw", factors, LONGEST_S);

    return seconds < 0 ? -1 : seconds * 1000000;
}

int64_t ctl_size_octets(const char *text)
{
    static const int64_t factors[] = {1000, 1000, 1000000, 1000000000, 1000000000000};

    return scaled(text, "kKMGT", factors, INT64_MAX);
}

int64_t ctl_now_us(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t ctl_moment_us(const char *text, int64_t now_us)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
                                        "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"};
    int64_t ago = ctl_duration_us(text);

    if (ago >= 0)
        return ago < now_us ? now_us - ago : 0;
    if (!isdigit((unsigned char)*text))
        return -1;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm parts = {.tm_isdst = -1};
        const char *end = strptime(text, forms[i], &parts);
        time_t seconds;

        if (!end || (*end && strcmp(end, "Z") != 0))
            continue;
        seconds = *end ? timegm(&parts) : mktime(&parts);
        return seconds < 0 ? -1 : (int64_t)seconds * 1000000;
    }
    return -1;
}

const char *ctl_moment_text(int64_t time_us, char text[CTL_WHEN_BYTES])
{
    time_t seconds = (time_t)(time_us / 1000000);
    struct tm parts;
    size_t len;

    if (time_us < 0 || !gmtime_r(&seconds, &parts))
        parts = (struct tm){.tm_mday = 1, .tm_year = 70};
    len = strftime(text, CTL_WHEN_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text + len, CTL_WHEN_BYTES - len, ".%06dZ",
                   time_us < 0 ? 0 : (int)(time_us % 1000000));
    return text;
}

const char *ctl_duration_text(double seconds, char text[CTL_WHEN_BYTES])
{
    long long whole = (long long)seconds;
    long long days = whole / 86400;
    int hours = (int)(whole / 3600 % 24);
    int minutes = (int)(whole / 60 % 60);
    int rest = (int)(whole % 60);

    if (days > 0)
        (void)snprintf(text, CTL_WHEN_BYTES, "%lld d %02d:%02d:%02d", days, hours, minutes, rest);
    else if (hours > 0)
        (void)snprintf(text, CTL_WHEN_BYTES, "%d:%02d:%02d", hours, minutes, rest);
    else if (minutes > 0)
        (void)snprintf(text, CTL_WHEN_BYTES, "%d:%02d", minutes, rest);
    else
        (void)snprintf(text, CTL_WHEN_BYTES, "%.1f s", seconds);
    return text;
}

const char *ctl_size_text(double octets, char text[CTL_WHEN_BYTES])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;

    while (octets >= 1000 && unit + 1 < sizeof units / sizeof *units) {
        octets /= 1000;
        unit++;
    }
    (void)snprintf(text, CTL_WHEN_BYTES, unit ? "%.1f %s" : "%.0f %s", octets, units[unit]);
    return text;
}

const char *ctl_number_text(int64_t number, char text[CTL_WHEN_BYTES])
{
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)number);
    size_t at = 0;

    for (int i = 0; i < len; i++) {
        text[at++] = digits[i];
        if (i + 1 < len && (len - i - 1) % 3 == 0 && digits[i] != '-')
            text[at++] = ',';
    }
    text[at] = '\0';
    return text;
}
