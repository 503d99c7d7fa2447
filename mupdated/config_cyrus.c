/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/config_cyrus.h"

#include <stdlib.h>
#include <string.h>

/* Sorted by strcmp(). The keys of imapd.conf(5) from Cyrus 2.3 to 3.10 that mean nothing here. */
static const char *const names[] = {
    "acl_admin_implies_write", "addressbookprefix", "afspts_localrealms", "afspts_mycell",
    "allowallsubscribe", "allowanonymouslogin", "allowapop", "allowdeleted", "allownewnews",
    "allowsetacl", "allowspecialusesubfolder", "allowusermoves", "altnamespace", "altprefix",
    "annotation_allow_undefined", "annotation_callout", "annotation_callout_disable_append",
    "annotation_db", "annotation_db_path", "annotation_definitions",
    "annotation_enable_legacy_commands", "anyoneuseracl", "anysievefolder", "aps_expiry",
    "aps_topic", "aps_topic_caldav", "aps_topic_carddav", "archive_after", "archive_days",
    "archive_enabled", "archive_keepflagged", "archive_maxsize", "auditlog", "auth_mech",
    "autocreate_acl", "autocreate_inbox_folders", "autocreate_post", "autocreate_quota",
    "autocreate_quota_messages", "autocreate_sieve_compiled_script", "autocreate_sieve_folders",
    "autocreate_sieve_script", "autocreate_sieve_script_compile",
    "autocreate_sieve_script_compiled", "autocreate_subscribe_folders",
    "autocreate_subscribe_sharedfolders", "autocreate_subscribe_sharedfolders_all",
    "autocreate_users", "autocreateinboxfolders", "autocreatequota", "autocreatequotamsg",
    "autoexpunge", "autosievefolders", "autosubscribe_all_sharedfolders",
    "autosubscribeinboxfolders", "autosubscribesharedfolders", "backup_compact_maxsize",
    "backup_compact_minsize", "backup_compact_work_threshold", "backup_db", "backup_db_path",
    "backup_keep_previous", "backup_retention", "backup_retention_days", "backup_staging_path",
    "berkeley_cachesize", "berkeley_locks_max", "berkeley_max_log_file_size", "berkeley_txns_max",
    "boundary_limit", "caldav_accept_invalid_rrules", "caldav_allowattach",
    "caldav_allowcalendaradmin", "caldav_allowscheduling", "caldav_create_attach",
    "caldav_create_default", "caldav_create_sched", "caldav_historical_age", "caldav_maxdatetime",
    "caldav_mindatetime", "caldav_realm", "calendar_component_set", "calendar_default_displayname",
    "calendar_minimum_alarm_interval", "calendar_user_address_set", "calendarprefix",
    "carddav_allowaddmember", "carddav_allowaddressbookadmin", "carddav_realm",
    "carddav_repair_vcard", "caringo_hostname", "caringo_port", "chatty", "client_bind",
    "client_bind_name", "client_timeout", "commandmintimer", "conversations",
    "conversations_counted_flags", "conversations_db", "conversations_expire_after",
    "conversations_expire_days", "conversations_keep_existing", "conversations_max_guidexists",
    "conversations_max_guidinfolder", "conversations_max_guidrecords", "conversations_max_thread",
    "createonpost", "crossdomains", "crossdomains_onlyother", "cyrus_group", "cyrus_user",
    "dav_lock_timeout", "dav_realm", "davdriveprefix", "davnotificationsprefix", "debug",
    "debug_command", "debug_locks_longer_than", "debug_slowio", "debug_writefail_guid",
    "defaultacl", "defaultdomain", "defaultpartition", "defaultsearchtier", "defaultserver",
    "delete_mode", "delete_unsubscribe", "deletedprefix", "deleteright",
    "disable_shared_namespace", "disable_user_namespace", "disconnect_on_vanished_mailbox",
    "duplicate_db", "duplicate_db_path", "duplicatesuppression", "event_content_inclusion_mode",
    "event_content_size", "event_exclude_flags", "event_exclude_specialuse", "event_extra_params",
    "event_groups", "event_notifier", "expunge_days", "expunge_mode", "fastmailsharing",
    "fatals_abort", "flushseenstate", "foolstupidclients", "force_sasl_client_mech", "fulldirhash",
    "generate_compiled_sieve_script", "guid_mode", "hashimapspool", "http_h2_altsvc",
    "http_jwt_key_dir", "http_jwt_max_age", "httpallowcompress", "httpallowcors",
    "httpallowedurls", "httpallowtrace", "httpcontentmd5", "httpdocroot", "httpkeepalive",
    "httplogheaders", "httpmodules", "httpprettytelemetry", "httppts_uri", "httptimeout",
    "icalendar_max_size", "idlemethod", "idlesocket", "ignorereference", "imapidlepoll",
    "imapidletimeout", "imapidresponse", "imapmagicplus", "imipnotifier", "implicit_owner_rights",
    "improved_mboxlist_sort", "internaldate_heuristic", "iolog", "ischedule_dkim_domain",
    "ischedule_dkim_key_file", "ischedule_dkim_required", "ischedule_dkim_selector",
    "jmap_emailsearch_db_path", "jmap_imagesize_annot", "jmap_inlinedcids_annot",
    "jmap_mail_max_size_attachments_per_email", "jmap_max_calendareventnotifs",
    "jmap_max_calls_in_request", "jmap_max_catenate_items", "jmap_max_concurrent_requests",
    "jmap_max_concurrent_upload", "jmap_max_delayed_send", "jmap_max_objects_in_get",
    "jmap_max_objects_in_set", "jmap_max_size_blob_set", "jmap_max_size_request",
    "jmap_max_size_upload", "jmap_nonstandard_extensions", "jmap_preview_annot",
    "jmap_preview_length", "jmap_pushpoll", "jmap_querycache_max_age", "jmap_set_has_attachment",
    "jmap_vacation", "jmappushsubscriptionfolder", "jmapsubmission_deleteonsend",
    "jmapsubmissionfolder", "jmapuploadfolder", "ldap_authz", "ldap_base", "ldap_bind_dn",
    "ldap_ca_dir", "ldap_ca_file", "ldap_ciphers", "ldap_client_cert", "ldap_client_key",
    "ldap_deref", "ldap_domain_base_dn", "ldap_domain_filter", "ldap_domain_name_attribute",
    "ldap_domain_result_attribute", "ldap_domain_scope", "ldap_filter", "ldap_group_base",
    "ldap_group_filter", "ldap_group_scope", "ldap_id", "ldap_mech", "ldap_member_attribute",
    "ldap_member_base", "ldap_member_filter", "ldap_member_method", "ldap_member_scope",
    "ldap_password", "ldap_realm", "ldap_referrals", "ldap_restart", "ldap_sasl",
    "ldap_sasl_authc", "ldap_sasl_authz", "ldap_sasl_mech", "ldap_sasl_password",
    "ldap_sasl_realm", "ldap_scope", "ldap_servers", "ldap_size_limit", "ldap_start_tls",
    "ldap_time_limit", "ldap_timeout", "ldap_tls_cacert_dir", "ldap_tls_cacert_file",
    "ldap_tls_cert", "ldap_tls_check_peer", "ldap_tls_ciphers", "ldap_tls_key", "ldap_uri",
    "ldap_user_attribute", "ldap_verify_peer", "ldap_version", "literalminus",
    "lmtp_catchall_mailbox", "lmtp_downcase_rcpt", "lmtp_exclude_specialuse",
    "lmtp_fuzzy_mailbox_match", "lmtp_over_quota_perm_failure", "lmtp_overquota_perm_failure",
    "lmtp_preparse", "lmtp_strict_quota", "lmtp_strict_rfc2821", "lmtpsocket", "lmtptxn_timeout",
    "lock_debugtime", "loginuseacl", "logtimestamps", "mailbox_default_options",
    "mailbox_initial_flags", "mailbox_legacy_dirs", "mailbox_maxmessages_addressbook",
    "mailbox_maxmessages_calendar", "mailbox_maxmessages_email", "mailnotifier",
    "master_bind_errors_fatal", "master_pid_file", "master_ready_file", "maxargssize",
    "maxheaderlines", "maxliteral", "maxlogins_per_host", "maxlogins_per_user", "maxmessagesize",
    "maxquoted", "maxword", "mboxkey_db", "mboxlist_db", "mboxlist_db_path", "mboxname_lockpath",
    "metapartition_files", "munge8bit", "mupdate_authname", "mupdate_password", "mupdate_realm",
    "mupdate_retry_delay", "mupdate_server", "mupdate_username", "mupdate_workers_max",
    "mupdate_workers_maxspare", "mupdate_workers_minspare", "mupdate_workers_start", "netscapeurl",
    "newsaddheaders", "newsgroups", "newsmaster", "newspeer", "newspostuser", "newsprefix",
    "newsrc_db_path", "newsspool", "nntptimeout", "normalizeuid", "notesmailbox",
    "notify_external", "notifysocket", "object_storage_dummy_spool", "object_storage_enabled",
    "openio_account", "openio_autocreate", "openio_namespace", "openio_proxy_timeout",
    "openio_rawx_timeout", "openio_verbosity", "partition_select_exclude", "partition_select_mode",
    "partition_select_soft_usage_limit", "partition_select_usage_reinit", "plaintextloginalert",
    "plaintextloginpause", "popexpiretime", "popminpoll", "poppollpadding", "popsubfolders",
    "poptimeout", "popuseacl", "popuseimapflags", "postmaster", "postspec", "postuser",
    "proc_path", "prometheus_enabled", "prometheus_need_auth", "prometheus_stats_dir",
    "prometheus_update_freq", "proxy_authname", "proxy_compress", "proxy_password", "proxy_realm",
    "proxyd_allow_status_referral", "proxyd_disable_mailbox_referrals", "proxyservers",
    "ptloader_sock", "pts_module", "ptscache_db", "ptscache_db_path", "ptscache_timeout",
    "ptskrb5_convert524", "ptskrb5_strip_default_realm", "qosmarking", "quota_db", "quota_db_path",
    "quota_use_conversations", "quotawarn", "quotawarnkb", "quotawarnmsg", "quotawarnpercent",
    "quotawarnsize", "readonly", "reject8bit", "restore_authname", "restore_password",
    "restore_realm", "reverseacls", "reverseuniqueids", "rfc2046_strict", "rfc2047_utf8",
    "rfc3028_strict", "rss_feedlist_template", "rss_feeds", "rss_maxage", "rss_maxitems",
    "rss_maxsynopsis", "rss_realm", "search_attachment_extractor_url", "search_batchsize",
    "search_engine", "search_fuzzy_always", "search_index_headers", "search_index_language",
    "search_index_parts", "search_index_skip_domains", "search_index_skip_users",
    "search_indexed_db", "search_maxsize", "search_maxtime", "search_normalisation_max",
    "search_query_language", "search_queryscan", "search_skipdiacrit", "search_skiphtml",
    "search_snippet_length", "search_stopword_path", "search_whitespace", "seenstate_db",
    "sendmail", "sendmail_auth_id", "serverinfo", "serverlist", "serverlist_select_mode",
    "serverlist_select_soft_usage_limit", "serverlist_select_usage_reinit", "sharedprefix",
    "sieve_allowreferrals", "sieve_duplicate_max_expiration", "sieve_extensions", "sieve_folder",
    "sieve_maxscripts", "sieve_maxscriptsize", "sieve_sasl_send_unsolicited_capability",
    "sieve_use_lmtp_reject", "sieve_utf8fileinto", "sieve_vacation_max_response",
    "sieve_vacation_min_response", "sievedir", "sievenotifier", "sieveusehomedir",
    "singleinstancestore", "skiplist_always_checkpoint", "skiplist_unsafe", "smtp_auth_authname",
    "smtp_auth_password", "smtp_auth_realm", "smtp_backend", "smtp_host", "soft_noauth",
    "sortcache_db", "specialuse_extra", "specialuse_nochildren", "specialuse_protect",
    "specialusealways", "sql_database", "sql_engine", "sql_hostnames", "sql_passwd", "sql_user",
    "sql_usessl", "srs_alwaysrewrite", "srs_domain", "srs_hashlength", "srs_secrets",
    "srs_separator", "srvtab", "statuscache", "statuscache_db", "statuscache_db_path",
    "submitservers", "subscription_db", "suppress_capabilities", "sync_authname", "sync_batchsize",
    "sync_cache_db", "sync_cache_db_path", "sync_compress", "sync_host", "sync_log",
    "sync_log_chain", "sync_log_channels", "sync_log_unsuppressable_channels", "sync_machineid",
    "sync_password", "sync_port", "sync_realm", "sync_reconnect_maxwait", "sync_repeat_interval",
    "sync_rightnow_channel", "sync_shutdown_file", "sync_timeout", "sync_try_imap",
    "tcp_keepalive", "tcp_keepalive_cnt", "tcp_keepalive_idle", "tcp_keepalive_intvl",
    "telemetry_bysessionid", "temp_path", "timeout", "tls_client_cert", "tls_client_key",
    "tls_eccurve", "tls_prefer_server_ciphers", "tls_server_ca_dir",
    "tls_server_ca_file", "tls_server_dhparam", "tls_session_timeout", "tls_sessions_db",
    "tls_sessions_db_path", "tlscache_db", "tlscache_db_path", "uidl_format", "umask",
    "unix_group_enable", "unixhierarchysep", "userdeny_db", "userdeny_db_path", "username_tolower",
    "userprefix", "vcard_max_size", "virtdomains", "virusscan_notification_subject",
    "virusscan_notification_template", "webdav_attachments_max_binary_attach_size",
    "websocket_timeout", "xbackup_enabled", "zoneinfo_db", "zoneinfo_db_path", "zoneinfo_dir",
};

/*
 * Keys come with every release of Cyrus; those of these families have never
 * been about MUPDATE, so that the file of a newer Cyrus is understood too.
 */
static const char *const families[] = {
    "annotation_", "aps_", "archive_", "autocreate_", "backup_", "berkeley_", "caldav_",
    "calendar_", "carddav_", "conversations_", "debug_", "event_", "http", "imapid", "jmap",
    "ldap_", "lmtp_", "mailbox_", "mupdate_workers_", "news", "object_storage_", "openio_",
    "partition_", "prometheus_", "proxy_", "proxyd_", "pts_", "ptscache_", "quota", "rss_",
    "search_", "sieve_", "smtp_", "specialuse", "sql_", "srs_", "sync_", "tcp_keepalive_",
    "webdav_", "websocket_", "xlist-", "zoneinfo_",
};

/* Keys whose other half is a name that the operator chose: a partition, a server. */
static const char *const middles[] = {"partition-", "partition_"};
static const char *const tails[] = {"_mechs", "_password"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int compare_names(const void *key, const void *element)
{
    return strcmp(key, *(const char *const *)element);
}

static bool ends_in(const char *name, const char *tail)
{
    size_t len = strlen(name);
    size_t tail_len = strlen(tail);

    return len > tail_len && strcmp(name + len - tail_len, tail) == 0;
}

bool config_cyrus_has(const char *name)
{
    return bsearch(name, names, COUNT(names), sizeof names[0], compare_names) != NULL;
}

bool config_cyrus_may_have(const char *name)
{
    for (size_t i = 0; i < COUNT(families); i++) {
        if (strncmp(name, families[i], strlen(families[i])) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < COUNT(middles); i++) {
        if (strstr(name, middles[i]) != NULL) {
            return true;
        }
    }
    for (size_t i = 0; i < COUNT(tails); i++) {
        if (ends_in(name, tails[i])) {
            return true;
        }
    }
    return false;
}

const char *config_cyrus_name(size_t index)
{
    return index < COUNT(names) ? names[index] : NULL;
}
