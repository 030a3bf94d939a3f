-- Recursive unions need hashable columns
WITH RECURSIVE t(n) AS (VALUES ('01'::varbit) UNION SELECT n || '10'::varbit FROM t WHERE n < '100'::varbit) SELECT n FROM t;
WITH RECURSIVE t(n) AS (VALUES (ARRAY['01'::varbit]) UNION SELECT n FROM t) SELECT n FROM t;
WITH RECURSIVE t(n) AS (VALUES ('01'::varbit) UNION ALL SELECT n || '10'::varbit FROM t WHERE length(n) < 6) SELECT n FROM t;
WITH RECURSIVE t(n) AS (VALUES (1) UNION SELECT n % 3 + 1 FROM t) SELECT n FROM t ORDER BY n;
