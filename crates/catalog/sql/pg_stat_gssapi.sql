SELECT pid, gss_auth AS gss_authenticated, gss_princ AS principal, gss_enc AS encrypted, gss_delegation AS credentials_delegated
FROM pg_catalog.pg_stat_get_activity(NULL)
WHERE client_port IS NOT NULL
