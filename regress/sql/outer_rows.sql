-- Rows as a whole below outer joins, LATERAL beside outer joins, subqueries inside of outer aggregates.
create table wr(a int, b text); insert into wr values (1,'x');
select l.v, w from (values (1),(2)) l(v) left join wr w on w.a=l.v;
select l.v, w is null, (w).b, row_to_json(w) from (values (1),(2)) l(v) left join wr w on w.a=l.v;
select l.v, s from (values (1),(2)) l(v) left join (select * from wr) s on s.a=l.v;
select l.v, coalesce(w, row(9,'z')::wr) from (values (1),(2)) l(v) left join wr w on w.a=l.v;
select l.v, s from (values (1),(2)) l(v) full join (values (2,'q'),(3,'r')) s(a,b) on s.a=l.v;
select count(w) from (values (1),(2)) l(v) left join wr w on w.a=l.v;
create view wv as select * from wr;
select l.v, w, w is null from (values (1),(2)) l(v) left join wv w on w.a=l.v;
select l.v, w from (values (1),(2)) l(v) left join (wr w join wr w2 using (a)) on w.a=l.v;
select l.v, j from (values (1),(2)) l(v) left join (wr w join wr w2 using (a)) as j on j.a=l.v;
select l.v, j, j is null from (values (1),(2)) l(v) left join lateral (select l.v+1 as x, w from wr w where w.a = l.v) as j on true;
create table text_tbl (f1 text); insert into text_tbl values ('doh!'), ('foo');
select 1 from
  text_tbl as tt1
  inner join text_tbl as tt2 on (tt1.f1 = 'foo')
  left join text_tbl as tt3 on (tt3.f1 = 'foo')
  left join text_tbl as tt4 on (tt3.f1 = tt4.f1),
  lateral (select tt4.f1 as c0 from text_tbl as tt5 limit 1) as ss1
where tt1.f1 = ss1.c0;
select * from text_tbl a full join text_tbl b on a.f1 < b.f1;
create table onek(unique1 int, unique2 int, four int);
insert into onek select g, 100-g, g%4 from generate_series(0,99) g;
select (select max((select i.unique2 from onek i where i.unique1 = o.unique1))) from onek o;
select (select max((select i.unique2 from onek i where i.unique1 = o.unique1)) filter (where o.unique1 < 10)) from onek o;
select four, (select sum((select i.unique2 from onek i where i.unique1 = o.unique1))) from onek o group by four order by four;
select four, (select array_agg(o.unique1 order by (with c as (select 1 as one) select i.unique2+c.one from onek i, c where i.unique1=o.unique1))) from onek o where unique1 < 9 group by four order by four;
-- A left join without its condition, as constants say it all, has no rows for those that a join above it makes up.
create table fixed_left (a int, e int);
create table fixed_right (a int, v int);
create table above_fixed (e int);
insert into fixed_left select 9, g from generate_series(1, 100) g;
insert into fixed_right select 9, g from generate_series(1, 100) g;
insert into above_fixed values (1), (2), (1000);
analyze fixed_left; analyze fixed_right; analyze above_fixed;
select u.e, count(*), count(l.a), count(r.v) from above_fixed u left join (fixed_left l left join fixed_right r on l.a = r.a and l.a = 9) on l.e = u.e group by u.e order by u.e;
select u.e, count(*), count(l.a), count(r.v) from above_fixed u left join ((select * from fixed_left where a = 9) l left join fixed_right r on l.a = r.a) on l.e = u.e group by u.e order by u.e;
select u.e, count(*), count(l.a), count(r.v) from above_fixed u full join ((select * from fixed_left where a = 9 and e < 4) l left join fixed_right r on l.a = r.a) on l.e = u.e group by u.e order by u.e;
-- Numbers that are NULL in every row of a join.
CREATE TABLE no_numbers (k int, n numeric);
SELECT g % 90 AS m, avg(n), sum(n + 1), count(n) FROM generate_series(1, 500) g LEFT JOIN no_numbers ON k = g GROUP BY 1 ORDER BY 1 LIMIT 3;
SELECT sum(n), max(n), count(*) FROM generate_series(1, 500) g LEFT JOIN no_numbers ON k = g;
SELECT g % 90 AS m, sum(n), avg(n) FROM (SELECT g, NULL::numeric AS n FROM generate_series(1, 500) g OFFSET 0) s GROUP BY 1 ORDER BY 1 LIMIT 3;
SELECT g % 90 AS m, sum(n), avg(n) FROM (SELECT g, 2.5 AS n FROM generate_series(1, 500) g OFFSET 0) s GROUP BY 1 ORDER BY 1 LIMIT 3;
SELECT g, n FROM generate_series(1, 500) g LEFT JOIN no_numbers ON k = g ORDER BY n NULLS FIRST, g LIMIT 3;
DROP TABLE no_numbers;
