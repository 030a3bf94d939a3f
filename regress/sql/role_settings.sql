-- Who may keep settings for which role.
CREATE ROLE regress_set_own;
CREATE ROLE regress_set_admin CREATEROLE;
CREATE ROLE regress_set_creator CREATEROLE;
CREATE ROLE regress_set_super SUPERUSER;
GRANT regress_set_own TO regress_set_admin WITH ADMIN OPTION;
GRANT regress_set_own TO regress_set_creator;

SET ROLE regress_set_own;
ALTER ROLE regress_set_own SET work_mem = '1MB';
ALTER ROLE regress_set_own SET log_statement = 'all';
ALTER ROLE regress_set_own SET log_statement = 'nonsense';
ALTER ROLE regress_set_own RESET log_statement;
ALTER ROLE regress_set_own SET nosuch.thing = 'all';
ALTER ROLE regress_set_own SET nosuch = 'all';
ALTER ROLE regress_set_own SET shared_buffers = '1MB';
ALTER ROLE regress_set_admin SET work_mem = '1MB';
ALTER ROLE regress_set_super SET work_mem = '1MB';
ALTER ROLE regress_set_super RESET ALL;
ALTER ROLE ALL SET work_mem = '1MB';
ALTER ROLE ALL RESET ALL;
ALTER ROLE CURRENT_USER SET search_path = a, b;
ALTER ROLE regress_set_nobody SET work_mem = '1MB';
ALTER ROLE regress_set_own IN DATABASE regress_set_nowhere SET work_mem = '1MB';
RESET ROLE;
SELECT setconfig FROM pg_db_role_setting WHERE setrole = 'regress_set_own'::regrole;

SET ROLE regress_set_admin;
ALTER ROLE regress_set_own SET enable_sort = off;
ALTER ROLE regress_set_own SET log_statement = 'all';
ALTER ROLE regress_set_creator SET work_mem = '1MB';
ALTER ROLE regress_set_super SET work_mem = '1MB';
RESET ROLE;
SET ROLE regress_set_creator;
ALTER ROLE regress_set_own SET work_mem = '1MB';
RESET ROLE;

-- RESET ALL leaves what the user may not set.
ALTER ROLE regress_set_own SET log_statement = 'all';
ALTER ROLE regress_set_own SET nosuch.thing = 'x';
SET ROLE regress_set_own;
ALTER ROLE regress_set_own RESET ALL;
ALTER ROLE regress_set_own RESET nosuch.thing;
RESET ROLE;
SELECT setconfig FROM pg_db_role_setting WHERE setrole = 'regress_set_own'::regrole;
ALTER ROLE regress_set_own RESET ALL;
SELECT count(*) FROM pg_db_role_setting WHERE setrole = 'regress_set_own'::regrole;
DROP ROLE regress_set_own, regress_set_admin, regress_set_creator, regress_set_super;
