-- Tables divided alike are joined partition by partition, if that is asked for.
create table pj_a (a int, b int, c text) partition by range (a);
create table pj_a1 partition of pj_a for values from (0) to (250);
create table pj_a3 partition of pj_a for values from (500) to (600);
create table pj_a2 partition of pj_a for values from (250) to (500);
create table pj_b (a int, b int, c text) partition by range (b);
create table pj_b1 partition of pj_b for values from (0) to (250);
create table pj_b2 partition of pj_b for values from (250) to (500);
create table pj_b3 partition of pj_b for values from (500) to (600);
insert into pj_a select i, i % 25, to_char(i, 'FM0000') from generate_series(0, 599) i where i % 2 = 0;
insert into pj_b select i % 25, i, to_char(i, 'FM0000') from generate_series(0, 599) i where i % 3 = 0;
analyze pj_a;
analyze pj_b;
explain (costs off) select x.a, y.c from pj_a x join pj_b y on x.a = y.b where x.b = 0;
set enable_partitionwise_join = on;
explain (costs off) select x.a, y.c from pj_a x join pj_b y on x.a = y.b where x.b = 0 order by x.a;
select x.a, y.c from pj_a x join pj_b y on x.a = y.b where x.b = 0 order by x.a;
-- outer joins
explain (costs off) select x.a, y.c from pj_a x left join pj_b y on x.a = y.b where x.b = 0 order by x.a;
select x.a, y.c from pj_a x left join pj_b y on x.a = y.b where x.b = 0 order by x.a;
explain (costs off) select count(*) from pj_a x full join pj_b y on x.a = y.b;
select count(*), count(x.a), count(y.b) from pj_a x full join pj_b y on x.a = y.b;
-- semi and anti joins
explain (costs off) select * from pj_a x where x.a in (select b from pj_b y where y.a = 0) and x.b = 0;
select * from pj_a x where x.a in (select b from pj_b y where y.a = 0) and x.b = 0 order by 1;
select count(*) from pj_a x where not exists (select from pj_b y where y.b = x.a);
-- three
select x.a, y.c, z.c from pj_a x join pj_b y on x.a = y.b left join pj_a z on z.a = y.b and z.b < 12 where x.b < 2 order by 1;
-- a partition that is not read
explain (costs off) select x.a, y.c from pj_a x join pj_b y on x.a = y.b where x.a < 250 and x.b = 0;
explain (costs off) select x.a, y.c from pj_a x left join pj_b y on x.a = y.b and y.b < 250 where x.b = 0;
select x.a, y.c from pj_a x left join pj_b y on x.a = y.b and y.b < 250 where x.b = 0 order by 1;
-- not by the keys
explain (costs off) select count(*) from pj_a x join pj_b y on x.a = y.a;
-- other bounds
create table pj_c (a int, b int) partition by range (a);
create table pj_c1 partition of pj_c for values from (0) to (300);
create table pj_c2 partition of pj_c for values from (300) to (600);
insert into pj_c select i, i from generate_series(0, 599) i;
analyze pj_c;
explain (costs off) select count(*) from pj_a x join pj_c y on x.a = y.a;
select count(*) from pj_a x join pj_c y on x.a = y.a;
-- lists and hashes
create table pj_l (k text, v int) partition by list (k);
create table pj_l1 partition of pj_l for values in ('a', 'b');
create table pj_l2 partition of pj_l for values in ('c', null);
create table pj_l3 partition of pj_l default;
insert into pj_l select nullif(chr(97 + i % 5), 'd'), i from generate_series(1, 100) i;
create table pj_h (k int, v int) partition by hash (k);
create table pj_h1 partition of pj_h for values with (modulus 2, remainder 0);
create table pj_h2 partition of pj_h for values with (modulus 2, remainder 1);
insert into pj_h select i, i from generate_series(1, 100) i;
analyze pj_l;
analyze pj_h;
select x.k, count(*) from pj_l x join pj_l y on x.k = y.k group by x.k order by 1;
explain (costs off) select count(*) from pj_h x join pj_h y on x.k = y.k;
select count(*) from pj_h x join pj_h y on x.k = y.k;
-- partitions of partitions
create table pj_m (a int, b int) partition by range (a);
create table pj_m1 partition of pj_m for values from (0) to (100) partition by list (b);
create table pj_m1a partition of pj_m1 for values in (0, 1);
create table pj_m1b partition of pj_m1 for values in (2, 3);
create table pj_m2 partition of pj_m for values from (100) to (200);
insert into pj_m select i, i % 4 from generate_series(0, 199) i;
analyze pj_m;
select count(*), sum(x.a + y.b) from pj_m x join pj_m y on x.a = y.a and x.b = y.b where x.b < 3;
select count(*), sum(x.a + y.b) from pj_m x left join pj_m y on x.a = y.a where x.b = 1;
update pj_m set b = b where a < 3 returning *;
