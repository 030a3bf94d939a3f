-- EXPLAIN: options whose figures differ from system to system; what is said of them does not
create table eo (a int primary key, b text);
insert into eo select i, 'x' || i from generate_series(1, 100) i;
analyze eo;
create function masked(statement text) returns setof text language plpgsql as $$
declare
  line text;
begin
  for line in execute statement loop
    return next regexp_replace(line, '\m\d+(\.\d+)?', 'N', 'g');
  end loop;
end $$;
select masked('explain (memory) select * from eo');
select masked('explain (memory, costs off, summary) select * from eo where a = 1');
select masked('explain (memory, costs off, format json) select 1');
select masked('explain (memory, costs off, format yaml) select 1');
select masked('explain (memory, costs off, format xml) select 1');
select masked('explain (memory, buffers, costs off, format json) select 1');
select masked('explain (memory, analyze, buffers off, timing off, format yaml) select * from eo where a < 3');
select masked('explain (buffers, costs off, format yaml) select b from eo where a = 1');
select masked('explain (analyze, wal, buffers off, timing off, costs off, format json) insert into eo values (1001, ''y'')');
select masked('explain (analyze, wal, buffers off, timing off, costs off, format yaml) update eo set b = ''z'' where a = 1001');
select masked('explain (analyze, wal, buffers off, timing off, costs off, format xml) select 1');
select masked('explain (analyze, wal, buffers off, timing off, summary off, costs off) select a from eo where a = 5');
select masked('explain (analyze, wal, serialize, buffers off, timing off, summary off, costs off) select a from eo where a = 5');
set track_io_timing = on;
select masked('explain (analyze, buffers, costs off, timing off, format yaml) select 1');
reset track_io_timing;
explain (wal) select 1;
explain (wal, analyze off) select 1;
explain (wal off, costs off) select 1;
explain (wal 2) select 1;
explain (memory maybe) select 1;
explain (format) select 1;
explain (timing) select 1;
explain (serialize) select 1;
explain (memory off, costs off) select 1;
-- names of temporary tables and functions
create temp table eo_temp (a int);
explain (verbose, costs off) select * from eo_temp;
create function pg_temp.is_small(int) returns bool language plpgsql as 'begin return $1 < 10; end';
explain (verbose, costs off) select * from eo_temp where pg_temp.is_small(a);
-- collations of sort columns
create table eo_collated (a text collate "C", b text);
explain (costs off) select * from eo_collated order by b desc, a;
explain (costs off) select * from eo_collated order by a;
explain (costs off) select b from eo order by b;
