/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <string.h>

#include "layer/tls.h"
#include "layer_support.h"

static int setup(void **state)
{
    (void)state;
    make_certificates();
    run("openssl ec -in server.key -aes128 -passout pass:secret "
        "-out locked.key");
    run("echo nonsense > nonsense.pem");
    run("cat server.pem server.key > both.pem");
    return 0;
}

static void assert_refused(const struct tls_server_options *options, const char *first,
                           const char *second)
{
    struct tls_error error = {{0}};

    assert_null(tls_context_server(options, &error));
    if (!strstr(error.text, first) || !strstr(error.text, second))
        fail_msg("\"%s\" names not \"%s\" and \"%s\"", error.text, first, second);
}

static struct tls_server_options good_options(void)
{
    return (struct tls_server_options){
        .cert_file = temp_path("server.pem"),
        .key_file = temp_path("server.key"),
    };
}

static void a_wrong_certificate_file_is_named_with_the_reason(void **state)
{
    struct tls_server_options options = good_options();

    (void)state;
    options.cert_file = temp_path("absent.pem");
    assert_refused(&options, "certificate file /tmp/", "absent.pem: No such file or directory");
    options.cert_file = temp_path("nonsense.pem");
    assert_refused(&options, "nonsense.pem", "no start line");
    options.cert_file = temp_dir();
    assert_refused(&options, "certificate file", temp_dir());
    options.cert_file = NULL;
    assert_refused(&options, "no certificate file", "");
}

static void a_wrong_key_file_is_named_with_the_reason(void **state)
{
    struct tls_server_options options = good_options();

    (void)state;
    options.key_file = temp_path("absent.key");
    assert_refused(&options, "key file /tmp/", "absent.key: No such file or directory");
    options.key_file = temp_path("nonsense.pem");
    assert_refused(&options, "key file", "nonsense.pem");
    options.key_file = temp_path("other.key");
    assert_refused(&options, "other.key", "key values mismatch");
}

static void a_key_that_needs_a_passphrase_is_refused_and_nobody_asked(void **state)
{
    struct tls_server_options options = good_options();

    (void)state;
    options.key_file = temp_path("locked.key");
    assert_refused(&options, "locked.key", "needs a passphrase");
}

static void wrong_ciphers_and_versions_are_named(void **state)
{
    struct tls_server_options options = good_options();

    (void)state;
    options.ciphers = "NONSENSE";
    assert_refused(&options, "\"NONSENSE\"", "no cipher match");
    options = good_options();
    options.versions = "tls1_3 tls1_4";
    assert_refused(&options, "\"tls1_4\"", "tls1_0, tls1_1, tls1_2, tls1_3");
    options.versions = "  ";
    assert_refused(&options, "no TLS version", "tls1_2");
    options.versions = "ssl3";
    assert_refused(&options, "\"ssl3\"", "allowed");
}

static void checking_clients_takes_an_authority(void **state)
{
    struct tls_server_options options = good_options();

    (void)state;
    options.client_certs = TLS_CLIENT_CERTS_REQUIRE;
    assert_refused(&options, "no CA file", "");
    options.ca_file = temp_path("absent.pem");
    assert_refused(&options, "CA file", "absent.pem");
    options.ca_file = temp_path("nonsense.pem");
    assert_refused(&options, "CA file", "nonsense.pem");
}

static void a_client_names_a_wrong_authority_file(void **state)
{
    struct tls_client_options options = {.ca_file = temp_path("absent.pem")};
    struct tls_error error = {{0}};

    (void)state;
    assert_null(tls_context_client(&options, &error));
    assert_non_null(strstr(error.text, "absent.pem: No such file or directory"));
}

static void certificate_and_key_may_be_in_one_file(void **state)
{
    struct tls_server_options options = {.cert_file = temp_path("both.pem")};
    struct tls_error error = {{0}};
    struct tls_context *context = tls_context_server(&options, &error);

    (void)state;
    assert_string_equal(error.text, "");
    assert_non_null(context);
    tls_context_unref(context);
    tls_context_unref(NULL);
}

static void an_error_is_not_seen_by_the_next_context(void **state)
{
    struct tls_server_options options = good_options();
    struct tls_error error = {{0}};
    struct tls_context *context;

    (void)state;
    options.cert_file = temp_path("absent.pem");
    assert_null(tls_context_server(&options, &error));
    options = good_options();
    options.key_file = temp_path("other.key");
    assert_refused(&options, "key values mismatch", "");
    error.text[0] = '\0';
    context = server_context();
    assert_non_null(context);
    tls_context_unref(context);
}

static void *use_context(void *context)
{
    for (int i = 0; i < 200; i++) {
        struct layer *layer = tls_layer_server(context);

        if (layer)
            layer->ops->free(layer);
        tls_context_unref(tls_context_ref(context));
    }
    tls_context_unref(context);
    return NULL;
}

static void many_threads_share_a_context(void **state)
{
    struct tls_context *context = server_context();
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, use_context, tls_context_ref(context)), 0);
    tls_context_unref(context);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_certificate_file_is_named_with_the_reason),
        cmocka_unit_test(a_wrong_key_file_is_named_with_the_reason),
        cmocka_unit_test(a_key_that_needs_a_passphrase_is_refused_and_nobody_asked),
        cmocka_unit_test(wrong_ciphers_and_versions_are_named),
        cmocka_unit_test(checking_clients_takes_an_authority),
        cmocka_unit_test(a_client_names_a_wrong_authority_file),
        cmocka_unit_test(certificate_and_key_may_be_in_one_file),
        cmocka_unit_test(an_error_is_not_seen_by_the_next_context),
        cmocka_unit_test(many_threads_share_a_context),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
