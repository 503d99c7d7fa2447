/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

enum { FIGURES = 40, KEY_BYTES = 48 };

static struct {
    const char *scenario;
    bool json;
    uint64_t started_ns;
    double started_cpu;
    double spare_cpu;
    size_t count;
    struct {
        char key[KEY_BYTES];
        double value;
    } figures[FIGURES];
} report = {.scenario = "command line"};

uint64_t report_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

void report_begin(const char *scenario, bool json)
{
    report.scenario = scenario;
    report.json = json;
}

void report_figure(const char *key, double value)
{
    if (report.count == FIGURES) {
        report_failure(EX_SOFTWARE, "more than %d figures", FIGURES);
    }
    snprintf(report.figures[report.count].key, KEY_BYTES, "%s", key);
    report.figures[report.count++].value = value;
}

void report_times(const char *prefix, const struct histogram *histogram)
{
    char key[KEY_BYTES];
    snprintf(key, sizeof(key), "%sp50_us", prefix);
    report_figure(key, histogram_percent_us(histogram, 50));
    snprintf(key, sizeof(key), "%sp99_us", prefix);
    report_figure(key, histogram_percent_us(histogram, 99));
    snprintf(key, sizeof(key), "%smax_us", prefix);
    report_figure(key, histogram_max_us(histogram));
}

static double cpu_seconds(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

void report_clock_start(void)
{
    report.started_ns = report_now_ns();
    report.started_cpu = cpu_seconds();
    report.spare_cpu = 0;
}

void report_spare_begin(void)
{
    report.spare_cpu -= cpu_seconds();
}

void report_spare_end(void)
{
    report.spare_cpu += cpu_seconds();
}

void report_own_cpu(void)
{
    double elapsed = (double)(report_now_ns() - report.started_ns) / 1e9;
    double share = (cpu_seconds() - report.started_cpu - report.spare_cpu) / elapsed;
    report_figure("generator_cpu_share", share > 0 ? share : 0);
}

/* Whole numbers as such, small ones with what is left of their precision. */
static void print_number(double value)
{
    int decimals = value >= 1000 || value == (double)(long long)value ? 0 : value >= 10 ? 1 : 3;
    printf("%.*f", decimals, value);
}

/* What a server sent goes to a terminal: nothing but printable ASCII does. */
static void make_printable(char *out, size_t size, const char *text)
{
    size_t end = 0;
    for (; *text != '\0' && end + 3 < size; text++) {
        if (*text == '\r' || *text == '\n' || *text == '\t') {
            out[end++] = '\\';
            out[end++] = (char)(*text == '\r' ? 'r' : *text == '\n' ? 'n' : 't');
        } else {
            out[end++] = (char)(*text >= ' ' && *text <= '~' ? *text : '?');
        }
    }
    out[end] = '\0';
}

/* The text is printable already. */
static void print_json_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            putchar('\\');
        }
        putchar(*text);
    }
    putchar('"');
}

static void print_all(const char *error)
{
    if (report.json) {
        printf("{\"scenario\": ");
        print_json_text(report.scenario);
    } else {
        printf("%s:", report.scenario);
    }
    for (size_t i = 0; i < report.count; i++) {
        printf(report.json ? ", \"%s\": " : " %s=", report.figures[i].key);
        print_number(report.figures[i].value);
    }
    if (error != NULL) {
        printf(", \"errors\": 1, \"error\": ");
        print_json_text(error);
        printf("}\n");
    } else {
        printf(report.json ? ", \"errors\": 0}\n" : " errors=0\n");
    }
}

static void flush_output(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("mupdate-bench: standard output");
        exit(EX_IOERR);
    }
}

void report_line(const char *line)
{
    puts(line);
    flush_output();
}

void report_print(void)
{
    print_all(NULL);
    flush_output();
}

void report_failure(int exit_code, const char *format, ...)
{
    char raw[1024];
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(raw, sizeof(raw), format, arguments);
    va_end(arguments);
    make_printable(text, sizeof(text), raw);
    fprintf(stderr, "mupdate-bench: %s: %s\n", report.scenario, text);
    if (report.json) {
        print_all(text);
    }
    exit(exit_code);
}
