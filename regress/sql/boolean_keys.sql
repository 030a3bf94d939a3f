-- A boolean column that has one value does not count in the order of an index.
create table flags (b bool, i int, unique (b, i));
insert into flags select i % 2 = 0, i from generate_series(1, 2000) i;
vacuum analyze flags;
explain (costs off) select * from flags where b = true order by i desc limit 10;
select * from flags where b = true order by i desc limit 3;
explain (costs off) select * from flags where b order by i limit 10;
explain (costs off) select * from flags where not b order by i limit 10;
select * from flags where not b order by i limit 3;
explain (costs off) select * from flags where b = false order by i limit 10;
explain (costs off) select * from flags order by i limit 10;
drop table flags;
