/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* --- the user --- */

/* EX_OK with *user, which the next call overwrites. */
static int find_user(const struct config *config, const struct passwd **user)
{
    const char *name = config->user ? config->user : PRIVILEGES_USER;

    errno = 0;
    *user = getpwnam(name);
    if (*user)
        return EX_OK;
    if (errno != 0) {
        log_error("user: cannot look up the account %s: %s", name, strerror(errno));
        return EX_OSERR;
    }
    if (config->user)
        log_error("user: there is no account %s on this system: make it, or correct the key user",
                  name);
    else
        log_error("user: started as root, and there is no account %s to become: make it (adduser "
                  "--system --group " PRIVILEGES_USER "), or say who in the key user; "
                  "\"user: root\" stays root", PRIVILEGES_USER);
    return EX_CONFIG;
}

/* The database's own, which /var/lib does not let the user make. */
static int make_directory(const char *path, const struct passwd *user)
{
    int code = 0;
    int fd;

    if (mkdir(path, 0700) != 0)
        return errno == EEXIST ? 0 : errno;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno;
    if (fchown(fd, user->pw_uid, user->pw_gid) != 0)
        code = errno;
    close(fd);
    return code;
}

/* Nobody of the old user's and groups' rights is left, nor can be had again. */
static bool is_for_good(const struct passwd *user)
{
    uid_t uid[3];
    gid_t gid[3];

    if (getresuid(&uid[0], &uid[1], &uid[2]) != 0 || getresgid(&gid[0], &gid[1], &gid[2]) != 0)
        return false;
    for (size_t i = 0; i < 3; i++)
        if (uid[i] != user->pw_uid || gid[i] != user->pw_gid)
            return false;
    return setresuid((uid_t)-1, 0, (uid_t)-1) != 0 && setresuid(0, 0, 0) != 0 &&
           (user->pw_gid == 0 || setresgid((gid_t)-1, 0, (gid_t)-1) != 0);
}

static int become(const struct passwd *user)
{
    const char *step = "initgroups";

    if (initgroups(user->pw_name, user->pw_gid) == 0) {
        step = "setresgid";
        if (setresgid(user->pw_gid, user->pw_gid, user->pw_gid) == 0) {
            step = "setresuid";
            if (setresuid(user->pw_uid, user->pw_uid, user->pw_uid) == 0) {
                if (is_for_good(user))
                    return EX_OK;
                log_error("user: root's rights can be had again behind setresuid; giving up");
                return EX_OSERR;
            }
        }
    }
    log_error("user: cannot become %s: %s: %s; is root here allowed to change users?",
              user->pw_name, step, strerror(errno));
    return EX_NOPERM;
}

static int check_directory(const char *path, const struct passwd *user)
{
    struct stat status;
    const char *wrong = "it is another's";

    if (stat(path, &status) != 0 ||
        (status.st_uid == user->pw_uid && access(path, R_OK | W_OK | X_OK) != 0))
        wrong = strerror(errno);
    else if (status.st_uid == user->pw_uid)
        return EX_OK;
    log_error("database_directory: %s must belong to the user %s, in a directory that he may enter "
              "(%s): run chown -R %s %s, or change the key user",
              path, user->pw_name, wrong, user->pw_name, path);
    return EX_NOPERM;
}

static int drop_root(const struct config *config)
{
    const struct passwd *user;
    int code = find_user(config, &user);

    if (code != EX_OK)
        return code;
    if (user->pw_uid == 0) {
        log_warning("user: running as root, as the key user says; an account of its own is safer");
        return EX_OK;
    }
    code = make_directory(config->database_directory, user);
    if (code != 0) {
        log_error("database_directory: cannot make %s for the user %s: %s",
                  config->database_directory, user->pw_name, strerror(code));
        return EX_CANTCREAT;
    }
    code = become(user);
    if (code == EX_OK)
        code = check_directory(config->database_directory, user);
    if (code == EX_OK)
        log_info("user: name=%s uid=%lu gid=%lu", user->pw_name, (unsigned long)user->pw_uid,
                 (unsigned long)user->pw_gid);
    return code;
}

int privileges_drop(const struct config *config)
{
    const struct passwd *user;
    int code;

    if (geteuid() == 0)
        return drop_root(config);
    if (!config->user)
        return EX_OK;
    code = find_user(config, &user);
    if (code != EX_OK)
        return code;
    if (user->pw_uid != geteuid()) {
        log_error("user: only root can become %s, and this process was started by uid=%lu: start "
                  "it as root or as %s, or leave the key user out",
                  config->user, (unsigned long)geteuid(), config->user);
        return EX_NOPERM;
    }
    return EX_OK;
}

int privileges_check_user(const struct config *config)
{
    const struct passwd *user;

    return config->user || geteuid() == 0 ? find_user(config, &user) : EX_OK;
}

/* --- memory --- */

void privileges_seal(const struct config *config)
{
    struct rlimit none = {0, 0};

    /* No program that is ever executed gets rights that this process has not. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        log_warning("no_new_privs cannot be set: %s", strerror(errno));
    if (config->coredumps) {
        if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
            log_warning("coredumps: cannot be allowed: %s", strerror(errno));
        log_warning("coredumps: core files may be written, and can hold passwords and keys");
        return;
    }
    /* The limit does not hold where core files go to a program, the other not for debuggers. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
        log_warning("coredumps: cannot be prevented: %s", strerror(errno));
}

/* --- files --- */

static void check_file(const char *key, const char *path)
{
    const struct passwd *user;

    if (!path || access(path, R_OK) == 0 || errno != EACCES)
        return;
    user = getpwuid(geteuid());
    log_warning("%s: %s may not be read by the user %s: let one of his groups read it, e.g. chgrp "
                "ssl-cert (keys) or sasl (passwords) and chmod g+r, with the user in that group",
                key, path, user ? user->pw_name : "that this process is");
}

void privileges_check_files(const struct config *config)
{
    const char *sasldb = config_sasl(config, "sasldb_path");

    check_file("tls_server_cert", config->tls_server_cert);
    check_file("tls_server_key", config->tls_server_key);
    check_file("tls_client_ca_file", config->tls_client_ca_file);
    check_file("tls_client_ca_dir", config->tls_client_ca_dir);
    check_file("sasl_keytab", config_sasl(config, "keytab"));
    check_file("sasl_sasldb_path", sasldb && *sasldb == '/' ? sasldb : NULL);
}
