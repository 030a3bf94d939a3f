-- UNION ALL in FROM and as a whole query is an append relation: conditions, joins and orders reach its arms.
create table ua_a (x int primary key, y text);
create table ua_b (x int primary key, y text);
create table ua_c (x int, y text);
insert into ua_a select i, 'a' || i from generate_series(1, 1000) i;
insert into ua_b select i, 'b' || i from generate_series(1, 1000) i;
insert into ua_c select i, 'c' || i from generate_series(1, 100) i;
analyze ua_a;
analyze ua_b;
analyze ua_c;
-- conditions
explain (costs off) select * from (select x, y from ua_a union all select x, y from ua_b) s where x = 5;
explain (costs off) select * from (select 1 as tag, x, y from ua_a union all select 2, x, y from ua_b) s where tag = 2 and x < 4;
select * from (select 1 as tag, x, y from ua_a union all select 2, x, y from ua_b) s where tag = 2 and x < 4;
explain (costs off) select * from (select 1 as tag, x from ua_a union all select 2, x from ua_b) s where tag = 3;
explain (costs off) select * from (select x from ua_a union all select x from ua_b) s where x is null;
-- a condition that an arm computes something of
explain (costs off) select * from (select x + 1 as x from ua_a union all select x from ua_b) s where x = 5;
select * from (select x + 1 as x from ua_a union all select x from ua_b) s where x = 5;
-- arms that stay subqueries, and one without FROM
explain (verbose, costs off)
select x, y from (select x, y from ua_a union all select x, y from ua_b where y like 'b%' union all select 1, 'z'
  union all (select * from ua_c order by x limit 2)) s where x < 3;
select x, y from (select x, y from ua_a union all select x, y from ua_b where y like 'b%' union all select 1, 'z'
  union all (select * from ua_c order by x limit 2)) s where x < 3 order by 1, 2;
-- orders
explain (costs off) select * from (select x, y from ua_a union all select x, y from ua_b) s order by x limit 5;
select x from (select x, y from ua_a union all select x, y from ua_b) s order by x limit 5;
explain (costs off) select x from ua_a union all select x from ua_b order by 1 desc limit 3;
select x from ua_a union all select x from ua_b order by 1 desc limit 3;
explain (costs off) select max(x), min(x) from (select x from ua_a union all select x from ua_b) s;
select max(x), min(x) from (select x from ua_a union all select x from ua_b) s;
-- joins
explain (costs off)
select * from ua_c c, (select x, y from ua_a union all select x, y from ua_b) s where s.x = c.x and c.y = 'c5';
select * from ua_c c, (select x, y from ua_a union all select x, y from ua_b) s where s.x = c.x and c.y = 'c5' order by s.y;
explain (costs off)
select c.x, s.y from ua_c c left join (select x, y from ua_a union all select x, y from ua_c) s on s.x = c.x where c.x = 7;
select c.x, s.y from ua_c c left join (select x, y from ua_a union all select x, y from ua_c) s on s.x = c.x where c.x = 7 order by s.y;
-- rows as a whole, NULL where nothing matches
select c.x, s from ua_c c left join (select x, y from ua_a where x = 1 union all select x, y from ua_b where x = 1) s on s.x = c.x
  where c.x < 3 order by 1, 2;
-- LATERAL arms
select c.x, s.x from ua_c c, lateral (select a.x from ua_a a where a.x = c.x union all select c.x + 10) s
  where c.x < 4 and s.x + c.x > 3 order by 1, 2;
-- nested, over trees and partitions
create table ua_p (x int, y text) partition by range (x);
create table ua_p1 partition of ua_p for values from (0) to (10);
create table ua_p2 partition of ua_p for values from (10) to (20);
create table ua_i () inherits (ua_c);
insert into ua_p select i, 'p' || i from generate_series(0, 19) i;
insert into ua_i values (7, 'i7');
explain (costs off)
select * from (select * from ua_p union all select * from (select * from ua_c union all select * from ua_b) t) s where x = 7;
select * from (select * from ua_p union all select * from (select * from ua_c union all select * from ua_b) t) s where x = 7 order by y;
-- other types, duplicates dropped and locked rows are no append relations
select * from (select x from ua_a union all select x::bigint from ua_b) s where x = 5;
select * from (select x from ua_a union select x from ua_b) s where x = 5;
-- INSERT
create table ua_d (x int, y text);
explain (costs off) insert into ua_d select * from ua_a where x = 1 union all select * from ua_b where x = 2;
insert into ua_d select * from ua_a where x = 1 union all select * from ua_b where x = 2;
select * from ua_d order by 1;
update ua_d set y = s.y from (select * from ua_a union all select * from ua_b) s where s.x = ua_d.x + 1 and s.y like 'b%' returning ua_d.*;
