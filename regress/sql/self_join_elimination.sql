-- Two entries of one table joined by a unique key are the same row.
create table sj_t (id int primary key, a int, b int not null, c text, unique (a, b));
insert into sj_t select i, i / 10, i % 10, 'c' || i from generate_series(0, 99) i;
create table sj_o (id int, t int);
insert into sj_o select i, i * 2 from generate_series(0, 9) i;
analyze sj_t;
analyze sj_o;
explain (costs off) select x.c, y.c from sj_t x join sj_t y on x.id = y.id where x.id < 3;
select x.c, y.c from sj_t x join sj_t y on x.id = y.id where x.id < 3 order by 1;
explain (costs off) select count(*) from sj_t x, sj_t y, sj_t z where x.id = y.id and y.id = z.id;
select count(*) from sj_t x, sj_t y, sj_t z where x.id = y.id and y.id = z.id;
-- all columns of a key; NULLs do not match
explain (costs off) select * from sj_t x, sj_t y where x.a = y.a and x.b = y.b;
explain (costs off) select * from sj_t x, sj_t y where x.a = y.a;
-- a constant fixes a column of it, the same for both
explain (costs off) select * from sj_t x, sj_t y where x.a = y.a and x.b = 3 and y.b = 3;
explain (costs off) select * from sj_t x, sj_t y where x.a = y.a and x.b = 3 and y.b = 4;
select count(*) from sj_t x, sj_t y where x.a = y.a and x.b = 3 and y.b = 4;
-- conditions of both
explain (costs off) select * from sj_t x, sj_t y where x.id = y.id and x.c < y.c and y.b > 2;
-- EXISTS and IN
explain (costs off) select c from sj_t x where exists (select from sj_t y where y.id = x.id and y.b = 1);
select count(*) from sj_t x where exists (select from sj_t y where y.id = x.id and y.b = 1);
-- below outer joins, and not across them
explain (costs off) select * from sj_o o left join (sj_t x join sj_t y on x.id = y.id) on o.t = x.id;
select o.id, x.c, y.c from sj_o o left join (sj_t x join sj_t y on x.id = y.id and y.b < 5) on o.t = x.id order by 1;
explain (costs off) select x.id, y.c from sj_t x left join sj_t y on x.id = y.id;
-- the target of a statement stays
explain (costs off) update sj_t x set c = y.c from sj_t y where x.id = y.id;
-- locks
explain (costs off) select * from sj_t x join sj_t y on x.id = y.id for update of x;
-- off
set enable_self_join_elimination = off;
explain (costs off) select x.c, y.c from sj_t x join sj_t y on x.id = y.id where x.id < 3;
reset enable_self_join_elimination;
-- what the user may not read of the entry that is left out
create role sj_user;
grant select (id) on sj_t to sj_user;
set role sj_user;
select x.id from sj_t x join sj_t y on x.id = y.id where y.b = 1;
reset role;
revoke all on sj_t from sj_user;
drop role sj_user;
