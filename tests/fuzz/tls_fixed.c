/* SPDX-License-Identifier: BSD-3-Clause */
#define OPENSSL_SUPPRESS_DEPRECATED /* nothing else replaces OpenSSL's random numbers */

#include "tests/fuzz/tls_fixed.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "layer/tls.h"

/* For these harnesses only: it protects nothing. */
static const char certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBnjCCAUSgAwIBAgIUJkwNBjUOaGA8GNPCYJUFga0QHaYwCgYIKoZIzj0EAwIw\n"
    "FzEVMBMGA1UEAwwMbXVwZGF0ZS50ZXN0MCAXDTI2MTEyMjEwMTM0M1oYDzIxMjYx\n"
    "MDI5MTAxMzQzWjAXMRUwEwYDVQQDDAxtdXBkYXRlLnRlc3QwWTATBgcqhkjOPQIB\n"
    "BggqhkjOPQMBBwNCAAS39X/kXcclxcvFuNxLYYWsmVDHc+neQT3+2QHthX4/mV4+\n"
    "fawLTLqypFOVE098FxIOHsa5jvbGijVS9stC6L6lo2wwajAdBgNVHQ4EFgQU8V9p\n"
    "5Q9CzfPmFpYvczwSW9h61z4wHwYDVR0jBBgwFoAU8V9p5Q9CzfPmFpYvczwSW9h6\n"
    "1z4wDwYDVR0TAQH/BAUwAwEB/zAXBgNVHREEEDAOggxtdXBkYXRlLnRlc3QwCgYI\n"
    "KoZIzj0EAwIDSAAwRQIgETyPFwGitaRaX8EpvYuHfhx5pMe+LSitVw0fOA1+OXwC\n"
    "IQDVTF00EGV+sb2eTw3foS9MkGwm4B0KMPvF3YipQVTR9w==\n"
    "-----END CERTIFICATE-----\n"
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIHYKp2195H/D9KTvdQ7o2Jcu3dUW+eXBuEJLGG15x4dQoAoGCCqGSM49\n"
    "AwEHoUQDQgAEt/V/5F3HJcXLxbjcS2GFrJlQx3Pp3kE9/tkB7YV+P5lePn2sC0y6\n"
    "sqRTlRNPfBcSDh7GuY72xoo1UvbLQui+pQ==\n"
    "-----END EC PRIVATE KEY-----\n"
    "";

static uint64_t random_state;

/* Bits that differ, which is all that OpenSSL needs to go on. */
static int fixed_bytes(unsigned char *to, int len)
{
    for (int i = 0; i < len; i++) {
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        to[i] = (unsigned char)(random_state >> 56);
    }
    return 1;
}

static int fixed_status(void)
{
    return 1;
}

static const char *certificate_file(void)
{
    static char path[32];
    int fd = memfd_create("certificate", MFD_CLOEXEC);

    FUZZ_CHECK(fd >= 0);
    FUZZ_CHECK(write(fd, certificate, strlen(certificate)) == (ssize_t)strlen(certificate));
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

static struct tls_context *make_server(const char *versions)
{
    struct tls_server_options options = { .cert_file = certificate_file(), .versions = versions };
    struct tls_error error = {.text = ""};
    struct tls_context *context = tls_context_server(&options, &error);

    if (!context)
        fprintf(stderr, "%s\n", error.text);
    FUZZ_CHECK(context != NULL);
    return context;
}

static struct tls_context *make_client(void)
{
    struct tls_client_options options = { .accept_any_certificate = true };
    struct tls_error error = {.text = ""};
    struct tls_context *context = tls_context_client(&options, &error);

    FUZZ_CHECK(context != NULL);
    return context;
}

void tls_fixed_push(struct pair *pair, bool old)
{
    static const RAND_METHOD method = { .bytes = fixed_bytes, .pseudorand = fixed_bytes,
                                        .status = fixed_status };
    static struct tls_context *servers[2];
    static struct tls_context *client;
    struct layer *layers[2];

    random_state = 1;
    if (!client) {
        FUZZ_CHECK(RAND_set_rand_method(&method) == 1);
        servers[0] = make_server("tls1_3");
        servers[1] = make_server("tls1_2");
        client = make_client();
    }
    layers[0] = tls_layer_server(servers[old]);
    layers[1] = tls_layer_client(client, "mupdate.test", &pair->ends[1].wire);
    for (int i = 0; i < 2; i++) {
        FUZZ_CHECK(layers[i] != NULL);
        FUZZ_CHECK(layer_stack_push(&pair->ends[i].stack, layers[i]));
    }
    pair->keeps = true;
}
