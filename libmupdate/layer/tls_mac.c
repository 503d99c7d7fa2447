/* SPDX-License-Identifier: BSD-3-Clause */
#include "layer/tls_mac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>

struct tls_mac {
    EVP_MAC_CTX *context; /* holds the key: each digest starts from it */
};

static bool set_key(EVP_MAC_CTX *context)
{
    char sha256[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
        OSSL_PARAM_construct_end(),
    };
    unsigned char key[TLS_MAC_BYTES];
    bool set = RAND_priv_bytes(key, sizeof key) == 1 &&
               EVP_MAC_init(context, key, sizeof key, parameters) == 1;

    OPENSSL_cleanse(key, sizeof key);
    return set;
}

struct tls_mac *tls_mac_new(void)
{
    struct tls_mac *mac = calloc(1, sizeof *mac);
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    if (mac && hmac)
        mac->context = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac);
    if (mac && mac->context && set_key(mac->context))
        return mac;
    /* The queue of errors is the thread's, and must not be taken for a connection's. */
    ERR_clear_error();
    tls_mac_free(mac);
    return NULL;
}

void tls_mac_free(struct tls_mac *mac)
{
    if (!mac)
        return;
    EVP_MAC_CTX_free(mac->context);
    free(mac);
}

bool tls_mac_digest(struct tls_mac *mac, const void *first, size_t first_len, const void *second,
                    size_t second_len, unsigned char digest[TLS_MAC_BYTES])
{
    size_t len = 0;

    if (EVP_MAC_init(mac->context, NULL, 0, NULL) == 1 &&
        EVP_MAC_update(mac->context, first, first_len) == 1 &&
        EVP_MAC_update(mac->context, second, second_len) == 1 &&
        EVP_MAC_final(mac->context, digest, &len, TLS_MAC_BYTES) == 1 && len == TLS_MAC_BYTES)
        return true;
    ERR_clear_error();
    return false;
}

bool tls_mac_equal(const unsigned char a[TLS_MAC_BYTES], const unsigned char b[TLS_MAC_BYTES])
{
    return CRYPTO_memcmp(a, b, TLS_MAC_BYTES) == 0;
}
