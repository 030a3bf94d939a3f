SELECT u.oid AS umid, s.oid AS srvid, s.srvname, u.umuser, CASE WHEN u.umuser = 0 THEN 'public' ELSE a.rolname END AS usename,
  CASE WHEN u.umuser <> 0 AND a.rolname = current_user AND (pg_has_role(s.srvowner, 'USAGE') OR has_server_privilege(s.oid, 'USAGE'))
      OR u.umuser = 0 AND pg_has_role(s.srvowner, 'USAGE')
      OR (SELECT me.rolsuper FROM pg_catalog.pg_authid me WHERE me.rolname = current_user)
    THEN u.umoptions END AS umoptions
FROM pg_catalog.pg_user_mapping u
JOIN pg_catalog.pg_foreign_server s ON s.oid = u.umserver
LEFT JOIN pg_catalog.pg_authid a ON a.oid = u.umuser
