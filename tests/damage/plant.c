/*
 * plant DIRECTORY DATABASE put KEY VALUE
 * plant DIRECTORY DATABASE delete KEY
 * plant DIRECTORY DATABASE get KEY
 *
 * Records that mupdated would never write, in hexadecimal, put into a database in good
 * order: with a transaction and a checkpoint.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <db.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int code, const char *what)
{
    if (code == 0)
        return;
    fprintf(stderr, "plant: %s: %s\n", what, db_strerror(code));
    exit(1);
}

static DBT parse(const char *text)
{
    DBT dbt;
    unsigned char *octets = malloc(strlen(text) / 2 + 1);

    check(octets ? 0 : ENOMEM, "parse");
    memset(&dbt, 0, sizeof dbt);
    for (; text[0] && text[1]; text += 2) {
        char pair[] = {text[0], text[1], '\0'};

        octets[dbt.size++] = (unsigned char)strtoul(pair, NULL, 16);
    }
    dbt.data = octets;
    return dbt;
}

static void print(const DBT *value)
{
    const unsigned char *octets = value->data;

    for (u_int32_t i = 0; i < value->size; i++)
        printf("%02x", octets[i]);
    putchar('\n');
}

int main(int argc, char **argv)
{
    DB_ENV *env;
    DB *db;
    DBT key;
    DBT value;

    if (argc < 5)
        return 2;
    check(db_env_create(&env, 0), "start");
    env->set_errfile(env, stderr);
    check(env->set_lk_max_locks(env, 10000), "set up");
    check(env->set_lk_max_objects(env, 10000), "set up");
    check(env->open(env, argv[1],
                    DB_CREATE | DB_INIT_TXN | DB_INIT_LOCK | DB_INIT_LOG | DB_INIT_MPOOL |
                        DB_RECOVER | DB_PRIVATE,
                    0600),
          argv[1]);
    check(db_create(&db, env, 0), argv[2]);
    check(db->open(db, NULL, argv[2], NULL, DB_BTREE, DB_AUTO_COMMIT, 0600), argv[2]);
    key = parse(argv[4]);
    memset(&value, 0, sizeof value);
    if (strcmp(argv[3], "get") == 0) {
        check(db->get(db, NULL, &key, &value, 0), "get");
        print(&value);
    } else if (strcmp(argv[3], "delete") == 0) {
        check(db->del(db, NULL, &key, 0), "delete");
    } else if (argc > 5) {
        DBT put = parse(argv[5]);

        check(db->put(db, NULL, &key, &put, 0), "put");
        free(put.data);
    }
    free(key.data);
    check(db->close(db, 0), "close");
    check(env->txn_checkpoint(env, 0, 0, DB_FORCE), "checkpoint");
    check(env->close(env, 0), "close");
    return 0;
}
