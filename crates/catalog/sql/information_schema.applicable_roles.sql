SELECT a.rolname::information_schema.sql_identifier AS grantee, b.rolname::information_schema.sql_identifier AS role_name,
  (CASE WHEN m.admin_option THEN 'YES' ELSE 'NO' END)::information_schema.yes_or_no AS is_grantable
FROM (SELECT member, roleid, admin_option FROM pg_catalog.pg_auth_members
  UNION SELECT datdba, o.oid, false FROM pg_catalog.pg_database, pg_catalog.pg_authid o
    WHERE datname = current_database() AND o.rolname = 'pg_database_owner') m
JOIN pg_catalog.pg_authid a ON a.oid = m.member
JOIN pg_catalog.pg_authid b ON b.oid = m.roleid
WHERE pg_has_role(a.oid, 'USAGE')
