/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/writer/writer.h"

#include <stdlib.h>
#include <string.h>

static struct mupdate_text keep(char **to, struct mupdate_text text)
{
    struct mupdate_text kept = {*to, text.len};

    if (text.len)
        memcpy(*to, text.data, text.len);
    *to += text.len;
    return kept;
}

struct writer_request *writer_request_new(const struct rule_request *rule, struct mupdate_text who,
                                          void *owner)
{
    struct writer_request *request;
    char *texts;

    request = malloc(sizeof *request + rule->name.len + rule->location.len + rule->acl.len +
                     who.len);
    if (!request)
        return NULL;
    memset(request, 0, sizeof *request);
    texts = (char *)(request + 1);
    request->owner = owner;
    request->rule.verb = rule->verb;
    request->rule.writes = rule->writes;
    request->rule.seizes = rule->seizes;
    request->rule.name = keep(&texts, rule->name);
    request->rule.location = keep(&texts, rule->location);
    request->rule.acl = keep(&texts, rule->acl);
    request->who = keep(&texts, who);
    return request;
}

void writer_request_free(struct writer_request *request)
{
    if (!request)
        return;
    free(request->change);
    free(request);
}

size_t writer_request_bytes(const struct writer_request *request)
{
    return request->rule.name.len + request->rule.location.len + request->rule.acl.len +
           request->who.len;
}
