-- LATERAL items beside outer joins see their output
create table fa(x int, y int); create table fb(x int, y int); create table fc(x int, y int);
insert into fa values (1,1),(2,2),(3,null); insert into fb values (2,20),(4,40); insert into fc values (1,100),(5,500);
select fa.x, fb.x, l.s, fc.x from fa full join fb on fa.x = fb.x cross join lateral (select coalesce(fa.x, 0) + 1 as s where coalesce(fa.x, 0) >= 0) l full join fc on fc.x = l.s order by 1,2,3,4;
select fa.x, fb.x, l.s from fa full join fb on fa.x = fb.x cross join lateral (select count(*) as s from fc where fc.x >= coalesce(fa.x, 0)) l order by 1,2,3;
select fa.x, fb.x, l.s from fa left join fb on fa.x = fb.x cross join lateral (select count(*) as s from fc where fc.x >= coalesce(fb.x, 0)) l order by 1,2,3;
select fa.x, fb.x, l.s from fa left join fb on fa.x = fb.x left join lateral (select sum(fc.y) as s from fc where fc.x >= fb.x) l on l.s > 1 order by 1,2,3;
select fa.x, g from fb left join fa on fa.x = fb.x cross join lateral generate_series(1, coalesce(fa.x, 2)) g order by 1,2;
select fa.x, v from fb left join fa on fa.x = fb.x cross join lateral (values (fa.x), (fb.x)) v(v) order by 1,2;
drop table fa, fb, fc;
