-- Joins, conditions and columns that a query can do without
create table uj_a (id int primary key, b_id int, c_id int not null, t text);
create table uj_b (id int primary key, name text, x int not null);
create table uj_c (k1 int, k2 int, v text, unique (k1, k2));
insert into uj_a select i, i % 7, i % 5, 't' || i from generate_series(1, 40) i;
insert into uj_b select i, 'b' || i, i % 3 from generate_series(1, 5) i;
insert into uj_c select i % 4, i, 'c' || i from generate_series(1, 8) i;
analyze uj_a, uj_b, uj_c;
-- a left join of which nobody reads anything
explain (costs off) select a.* from uj_a a left join uj_b b on a.b_id = b.id;
select count(*), sum(a.id) from uj_a a left join uj_b b on a.b_id = b.id;
explain (costs off) select a.id from uj_a a left join uj_b b on a.b_id = b.id and b.x > 1;
explain (costs off) select a.id from uj_a a left join uj_c c on c.k1 = a.b_id and c.k2 = a.c_id;
explain (costs off) select a.id from uj_a a left join uj_c c on c.k1 = a.b_id and c.k2 = 3;
-- one column of the key is not enough
explain (costs off) select a.id from uj_a a left join uj_c c on c.k1 = a.b_id;
select count(*) from uj_a a left join uj_c c on c.k1 = a.b_id;
-- read above, or tested above
explain (costs off) select a.id from uj_a a left join uj_b b on a.b_id = b.id where b.x is null or b.x = 1;
explain (costs off) select a.id from uj_a a left join uj_b b on a.b_id = b.id order by b.name;
-- subqueries with groups and DISTINCT
explain (costs off) select a.id from uj_a a left join (select k1, count(*) from uj_c group by k1) s on s.k1 = a.b_id;
explain (costs off) select a.id from uj_a a left join (select distinct k1, k2 from uj_c) s on s.k1 = a.b_id and s.k2 = a.id;
explain (costs off) select a.id from uj_a a left join (select distinct k1, k2 from uj_c) s on s.k1 = a.b_id;
-- one after the other, and inside of another
explain (costs off) select a.id from uj_a a left join uj_b b on a.b_id = b.id left join uj_b b2 on b2.id = b.x;
explain (costs off) select a.id from uj_a a left join (uj_b b left join uj_c c on c.k1 = b.x and c.k2 = b.id) on a.b_id = b.id;
explain (costs off) select count(*) from uj_a a left join uj_b b on a.b_id = b.id;
-- columns that hold no NULLs
explain (costs off) select * from uj_a where c_id is not null;
explain (costs off) select * from uj_a where c_id is null;
explain (costs off) select * from uj_a where c_id is null or b_id = 3;
explain (costs off) select * from uj_a where c_id is not null or b_id = 3;
explain (costs off) select * from uj_a where b_id is not null;
select count(*) from uj_a a left join uj_b b on a.b_id = b.id where b.x is null;
explain (costs off) select * from uj_a a left join uj_b b on a.b_id = b.id where b.x is not null;
explain (costs off) select * from uj_a a, uj_b b where a.c_id is null and a.b_id = b.id;
-- a column equal to itself, and to constants
explain (costs off) select * from uj_a where b_id = b_id;
explain (costs off) select * from uj_a where id = b_id and b_id = 4;
explain (costs off) select * from uj_a a, uj_b b where a.b_id = b.id and b.id = 3;
explain (costs off) select * from uj_a a left join uj_b b on a.b_id = b.id where a.b_id = 3;
select a.id, b.name from uj_a a left join uj_b b on a.b_id = b.id where a.b_id = 6 order by 1;
select a.id, b.name from uj_a a left join uj_b b on a.b_id = b.id where a.b_id = 3 order by 1;
-- left joins in other orders
explain (costs off) select * from uj_b t1 left join uj_b t2 on true left join uj_b t3 on t2.x > t3.id;
select count(*), count(t2.id), count(t3.id) from uj_b t1 left join uj_b t2 on t1.id < t2.id left join uj_b t3 on t2.x > t3.id;
-- grouping columns that follow from a key, and their order
explain (costs off) select id, b_id, t, count(*) from uj_a group by id, b_id, t;
explain (costs off) select b_id, t, id, count(*) from uj_a group by b_id, t, id;
explain (costs off) select k1, k2, v from uj_c group by k1, k2, v;
explain (costs off) select b_id, c_id, count(*) from uj_a group by b_id, c_id order by c_id, b_id;
select b_id, t, id, count(*) from uj_a where id < 4 group by b_id, t, id order by id;
-- the extreme of an index below ORDER BY and DISTINCT
set enable_seqscan = off;
select distinct max(id) from uj_a;
select max(id) from uj_a order by max(id) + 1;
select max(id), generate_series(1, 2) from uj_a order by 2 desc;
reset enable_seqscan;
-- frames of functions that need none
explain (costs off) select row_number() over (order by id), rank() over (order by id rows between unbounded preceding and current row) from uj_a;
explain (costs off) select rank() over (partition by b_id order by c_id), sum(id) over (partition by b_id order by c_id) from uj_a;
select id, row_number() over w, rank() over w, ntile(2) over w, percent_rank() over w, cume_dist() over w
  from uj_b window w as (order by x range between current row and unbounded following) order by 2;
-- sort columns that are equal
explain (costs off) select * from uj_a a, uj_b b where a.b_id = b.id order by a.b_id, b.id, a.id;
-- partitions one after the other
create table uj_p (a int, b int) partition by range (a);
create table uj_p1 partition of uj_p for values from (0) to (10);
create table uj_p2 partition of uj_p for values from (10) to (20);
create table uj_p3 partition of uj_p for values from (20) to (30);
create index on uj_p (a);
insert into uj_p select i % 30, i from generate_series(1, 300) i;
analyze uj_p;
set enable_seqscan = off;
set enable_bitmapscan = off;
explain (costs off) select * from uj_p order by a;
explain (costs off) select * from uj_p order by a desc;
explain (costs off) select * from uj_p order by a, b;
explain (costs off) select * from uj_p order by a limit 3;
explain (costs off) select * from uj_p order by b;
select a, b from uj_p order by a, b limit 4;
select a, b from uj_p order by a desc, b desc limit 4;
create table uj_pd partition of uj_p default;
explain (costs off) select * from uj_p order by a;
explain (costs off) select * from uj_p where a < 20 order by a;
create table uj_l (a text, b int) partition by list (a);
create table uj_l1 partition of uj_l for values in ('a', 'b');
create table uj_l2 partition of uj_l for values in ('c', 'e');
create table uj_l3 partition of uj_l for values in ('d');
create table uj_l4 partition of uj_l for values in (null);
create index on uj_l (a);
insert into uj_l values ('e', 1), ('d', 2), ('a', 3), (null, 4), ('c', 5);
explain (costs off) select * from uj_l order by a;
explain (costs off) select * from uj_l where a in ('a', 'd') order by a;
select * from uj_l order by a;
select * from uj_l where a in ('a', 'd') or a is null order by a desc;
reset all;
-- what ON says of the nullable side does not hold above the join
select b.x, count(*) from uj_a a left join uj_b b on a.b_id = b.id and b.x = 1 group by b.x order by 1;
select distinct b.x from uj_a a left join uj_b b on a.b_id = b.id and b.x = 1 order by 1 desc;
select b.x, a.id from uj_a a left join uj_b b on a.b_id = b.id and b.x = 1 where a.id < 9 order by b.x, a.id;
select b.x, b.id, count(*) from uj_a a left join uj_b b on a.b_id = b.id and b.x = b.id group by b.x, b.id order by 1, 2;
select a.id, b.id, c.id from uj_a a left join uj_b b on a.b_id = b.id and b.x = 1 left join uj_b c on b.x = c.id
  where a.id < 9 order by a.id;
select a.id, b.id, c.id from uj_a a left join uj_b b on a.b_id = b.id left join uj_b c on c.id = b.x
  where a.b_id = 4 order by a.id;
select a.id, b.id from uj_a a full join uj_b b on a.b_id = b.id where a.b_id = 4 order by a.id;
-- a lateral reference to the end of a chain of left joins waits for all of them
select b.id, c.id, count(*) from uj_a a left join uj_b b on a.b_id = b.id left join uj_b c on b.x = c.id
  cross join lateral (select k.k1 from uj_c k where c.id = 1) l group by b.id, c.id order by 1, 2;
-- all conditions of a join that is left out go with it
explain (costs off) select a.id from uj_a a join uj_c c on c.k2 = a.id left join uj_b b on b.id = c.k1 and coalesce(a.b_id > 3, false);
select a.id from uj_a a join uj_c c on c.k2 = a.id left join uj_b b on b.id = c.k1 and coalesce(a.b_id > 3, false) order by 1;
select count(*) from uj_a a left join uj_b b on b.id = a.b_id and false;
