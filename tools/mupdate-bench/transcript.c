/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "transcript.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>

#include "report.h"

enum { TRANSCRIPT_MESSAGE_BYTES = 1 << 22 };

static void reserve(struct transcript *transcript)
{
    if (transcript->data != NULL) {
        return;
    }
    void *data = mmap(NULL, TRANSCRIPT_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) {
        report_failure(EX_OSERR, "no memory to keep an answer: %s", strerror(errno));
    }
    transcript->data = data;
}

void transcript_expect(struct transcript *transcript, size_t len)
{
    reserve(transcript);
    /* Only a matter of speed: the kernel may say no. */
    (void)madvise(transcript->data, len < TRANSCRIPT_BYTES ? len : TRANSCRIPT_BYTES,
                  MADV_POPULATE_WRITE);
}

void transcript_close(struct transcript *transcript)
{
    if (transcript->data != NULL) {
        munmap(transcript->data, TRANSCRIPT_BYTES);
    }
    *transcript = (struct transcript){0};
}

bool transcript_take(struct transcript *transcript, size_t *at, const char *data, size_t len)
{
    size_t known = transcript->end - *at < len ? transcript->end - *at : len;
    if (known > 0 && memcmp(transcript->data + *at, data, known) != 0) {
        return false;
    }
    if (known < len) {
        if (len - known > TRANSCRIPT_BYTES - transcript->end) {
            return false;
        }
        reserve(transcript);
        memcpy(transcript->data + transcript->end, data + known, len - known);
        transcript->end += len - known;
    }
    *at += len;
    return true;
}

bool transcript_behind(const struct transcript *transcript)
{
    return transcript->parsed < transcript->end && transcript->partial < transcript->end;
}

enum message_result transcript_next(struct transcript *transcript, struct message *message)
{
    if (!transcript_behind(transcript)) {
        return MESSAGE_PARTIAL;
    }
    size_t len = transcript->end - transcript->parsed;
    enum message_result result = message_parse(transcript->data + transcript->parsed, len, message);
    if (result == MESSAGE_WHOLE) {
        transcript->parsed += message->octets;
    } else {
        transcript->partial = transcript->end;
        if (len > TRANSCRIPT_MESSAGE_BYTES) {
            report_failure(EX_PROTOCOL, "a message longer than %d octets",
                           TRANSCRIPT_MESSAGE_BYTES);
        }
    }
    return result;
}
