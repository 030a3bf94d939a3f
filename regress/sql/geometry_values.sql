-- Distances of far points: sums that are infinite on the way are no errors.
select point '(1e16,1e308)' <-> box(polygon '((0,0))');
select point '(1e16,1e308)' <-> box '(0,0),(0,0)';
select point '(1e16,1e308)' <-> lseg '(0,0),(0,0)';
select point '(1e16,1e308)' <-> box '(1,1),(0,0)';
select point '(1e16,1e308)' ## box '(1,1),(0,0)';
select point '(1e16,1e308)' ## lseg '(0,0),(0,0)';
select point '(1e16,1e308)' ## lseg '(0,0),(1,0)';
select point '(1e16,1e308)' ## lseg '(0,0),(0,1)';
select point '(1e308,1e308)' <-> lseg '(0,0),(0,1)';
select point '(1e16,1e308)' <-> lseg '(0,0),(1,1)';
