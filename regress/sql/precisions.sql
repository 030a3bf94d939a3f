-- Precisions that are cut say where they stand.
SELECT '1'::interval(2147483647);
SELECT cast('1' AS interval(8)), '2000-01-01'::timestamp(9), '1:2'::timetz(7);
SELECT '1:2:3.4567'::interval second(9);
-- What does not fit a string.
SELECT length(format('%1073741823s', 'x'));
SELECT length(format('ab%1073741823s', 'x'));
SELECT length(format('%-1073741823s', 'xyz'));
