/* SPDX-License-Identifier: BSD-3-Clause */
#include "layer/tls_digest.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct tls_digest {
    EVP_MD_CTX *context;
    bool failed;
};

struct tls_digest *tls_digest_new(void)
{
    struct tls_digest *digest = calloc(1, sizeof *digest);

    if (digest)
        digest->context = EVP_MD_CTX_new();
    if (digest && digest->context &&
        EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) == 1)
        return digest;
    /* The queue of errors is the thread's, and must not be taken for a connection's. */
    ERR_clear_error();
    tls_digest_free(digest);
    return NULL;
}

void tls_digest_free(struct tls_digest *digest)
{
    if (!digest)
        return;
    EVP_MD_CTX_free(digest->context);
    free(digest);
}

bool tls_digest_add(struct tls_digest *digest, const void *data, size_t len)
{
    if (!digest->failed && EVP_DigestUpdate(digest->context, data, len) == 1)
        return true;
    ERR_clear_error();
    digest->failed = true;
    return false;
}

bool tls_digest_end(struct tls_digest *digest, unsigned char octets[TLS_DIGEST_BYTES])
{
    unsigned len = 0;

    if (!digest->failed && EVP_DigestFinal_ex(digest->context, octets, &len) == 1 &&
        len == TLS_DIGEST_BYTES)
        return true;
    ERR_clear_error();
    return false;
}
