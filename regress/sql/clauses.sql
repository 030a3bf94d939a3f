-- Clauses that are easily accepted and ignored.
create table t(a int primary key, b text default 'x', c numeric check (c > 0));
comment on column t.a is 'col a'; comment on constraint t_c_check on t is 'chk'; comment on index t_pkey is 'pk'; comment on table t is 'tab';
create table l1 (like t including comments); select col_description('l1'::regclass, 1), obj_description('l1'::regclass);
create table l3 (like t including all);
select conname, obj_description(oid,'pg_constraint') from pg_constraint where conrelid = 'l3'::regclass order by 1;
select indexrelid::regclass, obj_description(indexrelid,'pg_class') from pg_index where indrelid='l3'::regclass order by 1::text;
create table cmp(a text compression pglz, b text storage external); create table l4 (like cmp including compression including storage); select attname, attcompression, attstorage from pg_attribute where attrelid = 'l4'::regclass and attnum > 0;
create table fz(a int);
begin;
copy fz from stdin with (freeze);
1
\.
rollback;
begin;
create table fz2(a int);
copy fz2 from stdin with (freeze);
1
\.
commit;
begin;
truncate fz2;
copy fz2 from stdin (freeze on);
2
\.
select * from fz2;
commit;
create table fzp (a int) partition by range (a);
begin;
truncate fzp;
copy fzp from stdin (freeze);
1
\.
rollback;
copy fz to stdout (freeze);
copy fz to stdout (freeze false);
-- Settings of roles and databases.
alter database nosuch set work_mem = '2MB';
alter role postgres set nosuch = 1; alter role postgres set work_mem = 'x'; alter role postgres set work_mem = '8MB'; alter role postgres set search_path = a, "B"; alter role postgres set application_name to default;
alter role postgres set my.own = 'x=y';
select setrole, setconfig from pg_db_role_setting where setrole = 10;
alter role postgres reset work_mem; select setconfig from pg_db_role_setting where setrole = 10;
alter role nosuch set work_mem = '1MB'; alter role all set datestyle = iso; alter role all reset all;
alter role postgres set timezone from current;
alter role postgres reset nosuch; alter role postgres set max_connections = 5;
select setconfig from pg_db_role_setting where setrole = 10;
alter role postgres reset all; select count(*) from pg_db_role_setting where setrole = 10;
create role regress_rx; set role regress_rx; alter role postgres set work_mem='1MB'; alter role regress_rx set work_mem='1MB'; alter role all set work_mem='1MB'; reset role; alter role regress_rx reset all; drop role regress_rx;
comment on database nosuch is 'x';
-- what aggregates give sorts windows and rows
CREATE TABLE counted (k int, v int);
INSERT INTO counted VALUES (1, 1), (1, 2), (2, 3), (3, 4), (3, 5), (3, 6), (4, NULL);
SELECT k FROM counted GROUP BY k ORDER BY count(*) DESC, k;
SELECT k, rank() OVER (ORDER BY count(*) DESC), sum(count(*)) OVER (ORDER BY count(*)) FROM counted GROUP BY k ORDER BY k;
SELECT k, grouping(k) FROM counted GROUP BY k ORDER BY k;
SELECT grouping(k, v), count(*) FROM counted GROUP BY k, v HAVING grouping(k) = 0 ORDER BY 2 DESC LIMIT 1;
SELECT count(*) FROM (SELECT g FROM generate_series(1, 100) g ORDER BY random() LIMIT 5) x;
DROP TABLE counted;
