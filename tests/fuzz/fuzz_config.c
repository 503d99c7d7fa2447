/*
 * The reader of the configuration. The text is the first file; what stands
 * behind a line "--- NAME" is the file NAME that it may include. There are no
 * other files: open() is replaced (-Wl,--wrap=open), and nothing on the disk is
 * read.
 *
 *   - A configuration, or an error that is one line; notices are one line each.
 *   - Read again it is the same; nothing of it stays behind.
 *   - Each word of "listen" is one, and is the same when it is written anew.
 *   - Each user has one role, and each back-end a server.
 *   - A map of names in certificates comes to its end, whatever stands there.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mupdated/config.h"
#include "mupdated/config_identity.h"
#include "mupdated/config_listen.h"
#include "tests/fuzz/fuzz.h"

#define FOLDER "/fuzz"
#define MARK "\n--- "
#define FILES 4

struct file {
    char name[32]; /* with the folder */
    int fd;
};

static struct file files[FILES];
static size_t file_count;

int __wrap_open(const char *path, int flags, ...);
int __real_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
    char name[32];

    /* Each open() has a position of its own in the same file, as on a disk. */
    for (size_t i = 0; i < file_count; i++) {
        if (strcmp(files[i].name, path) == 0) {
            (void)snprintf(name, sizeof name, "/proc/self/fd/%d", files[i].fd);
            return __real_open(name, flags);
        }
    }
    errno = ENOENT;
    return -1;
}

static void add_file(const char *name, size_t name_len, const char *text, size_t len)
{
    struct file *file = &files[file_count];

    if (file_count == FILES || name_len > 16)
        return;
    (void)snprintf(file->name, sizeof file->name, FOLDER "/%.*s", (int)name_len, name);
    file->fd = memfd_create("included", MFD_CLOEXEC);
    FUZZ_CHECK(file->fd >= 0 && write(file->fd, text, len) == (ssize_t)len);
    file_count++;
}

/* Put apart what stands behind the marks. Returns the length of the first file. */
static size_t divide(const char *text, size_t len)
{
    const char *end = text + len;
    const char *mark = memmem(text, len, MARK, strlen(MARK));
    size_t first = mark ? (size_t)(mark - text) + 1 : len;

    while (mark) {
        const char *name = mark + strlen(MARK);
        const char *lf = memchr(name, '\n', (size_t)(end - name));
        const char *body = lf ? lf + 1 : end;

        /* The line's end before a mark belongs to the file before it, and may be the name's. */
        mark = lf ? memmem(lf, (size_t)(end - lf), MARK, strlen(MARK)) : NULL;
        add_file(name, (size_t)((lf ? lf : end) - name), body,
                 mark && mark >= body ? (size_t)(mark - body) + 1
                                      : (mark ? 0 : (size_t)(end - body)));
    }
    return first;
}

static void check_line(const char *text)
{
    FUZZ_CHECK(text[0] != '\0' && !strpbrk(text, "\n\r"));
    for (; *text; text++)
        FUZZ_CHECK((unsigned char)*text >= ' ');
}

static void take_notice(void *context, const char *text)
{
    (*(size_t *)context)++;
    check_line(text);
}

static void count_change(void *context, const char *key, enum config_effect effect)
{
    (void)context;
    (void)effect;
    fprintf(stderr, "%s differs from itself\n", key);
}

static void check_listen(const char *word)
{
    struct config_listen listen, again;
    char first[CONFIG_LISTEN_WORD_BYTES], second[CONFIG_LISTEN_WORD_BYTES];
    const char *reason = NULL;

    if (!config_listen_parse(word, 3905, &listen, &reason)) {
        FUZZ_CHECK(reason != NULL);
        return;
    }
    FUZZ_CHECK(config_listen_parse(config_listen_format(&listen, first), 1, &again, &reason));
    FUZZ_CHECK(memcmp(&listen, &again, sizeof listen) == 0);
    FUZZ_CHECK(strcmp(config_listen_format(&again, second), first) == 0);
}

/* Returns whether all of it can be used. */
static bool check_map(const char *text)
{
    struct config_identity_entry entry;
    const char *reason = NULL;
    const char *at = text;
    enum tls_name kind;

    while (config_identity_next(&at, &entry, &reason)) {
        FUZZ_CHECK(at > text && entry.kind <= TLS_NAME_SUBJECT);
        FUZZ_CHECK(entry.name[0] && entry.identity[0] && !strpbrk(entry.identity, " \t"));
        text = at;
    }
    FUZZ_CHECK(reason || *at == '\0');
    for (const char *word = text; config_identity_kind(&word, &kind); text = word)
        FUZZ_CHECK(word > text && kind <= TLS_NAME_SUBJECT);
    return !reason;
}

static void check_identities(const struct config *config)
{
    for (size_t i = 0; i < config->identity_count; i++) {
        const struct config_identity *identity = &config->identities[i];
        const struct config_list *servers = &identity->servers;

        FUZZ_CHECK(identity->role != CONFIG_ROLE_NONE && identity->name[0]);
        FUZZ_CHECK(i == 0 || strcmp(identity[-1].name, identity->name) < 0);
        FUZZ_CHECK((identity->role == CONFIG_ROLE_BACKEND) == (servers->count > 0));
        for (size_t j = 1; j < servers->count; j++)
            FUZZ_CHECK(strcmp(servers->items[j - 1], servers->items[j]) < 0);
    }
}

static void check_config(const struct config *config)
{
    check_identities(config);
    FUZZ_CHECK(!config->tls_client_map || check_map(config->tls_client_map));
    for (size_t i = 0; i < config->listen.count; i++) {
        struct config_listen listen;
        const char *reason;

        FUZZ_CHECK(config_listen_parse(config->listen.items[i], 1, &listen, &reason));
        check_listen(config->listen.items[i]);
    }
    for (size_t i = 0; i < config->sasl.count; i++)
        FUZZ_CHECK(config_sasl(config, config->sasl.items[i].name) != NULL);
    FUZZ_CHECK(config->servername && config->database_directory && config->listen.count > 0);
}

static struct config *parse(const char *text, size_t len, struct config_error *error,
                            size_t *notices)
{
    *notices = 0;
    *error = (struct config_error){ "" };
    return config_parse(FOLDER "/first", text, len, take_notice, notices, error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_error errors[2];
    struct config *configs[2];
    size_t notices[2];
    struct fuzz fuzz;
    size_t len;
    char *text;
    char *word;

    fuzz_open(&fuzz, data, size);
    word = malloc(fuzz.len + 1);
    FUZZ_CHECK(word != NULL);
    memcpy(word, fuzz.text, fuzz.len);
    word[fuzz.len] = '\0';
    check_listen(word);
    (void)check_map(word);
    free(word);

    len = divide((const char *)fuzz.text, fuzz.len);
    text = fuzz_copy(fuzz.text, len);
    for (int i = 0; i < 2; i++)
        configs[i] = parse(text, len, &errors[i], &notices[i]);
    FUZZ_CHECK(!configs[0] == !configs[1] && notices[0] == notices[1]);
    FUZZ_CHECK(strcmp(errors[0].text, errors[1].text) == 0);
    if (configs[0]) {
        check_config(configs[0]);
        FUZZ_CHECK(config_compare(configs[0], configs[1], count_change, NULL) == 0);
    } else {
        check_line(errors[0].text);
    }
    config_free(configs[0]);
    config_free(configs[1]);
    free(text);
    while (file_count > 0)
        close(files[--file_count].fd);
    return 0;
}
