SELECT cn.nspname AS schemaname, c.relname AS tablename, sn.nspname AS statistics_schemaname, s.stxname AS statistics_name,
  pg_get_userbyid(s.stxowner) AS statistics_owner, x.expr, d.stxdinherit AS inherited, (x.e).stanullfrac AS null_frac,
  (x.e).stawidth AS avg_width, (x.e).stadistinct AS n_distinct,
  CASE WHEN (x.e).stakind1 = 1 THEN (x.e).stavalues1 WHEN (x.e).stakind2 = 1 THEN (x.e).stavalues2 WHEN (x.e).stakind3 = 1 THEN
  (x.e).stavalues3 WHEN (x.e).stakind4 = 1 THEN (x.e).stavalues4 WHEN (x.e).stakind5 = 1 THEN (x.e).stavalues5 END AS most_common_vals,
  CASE WHEN (x.e).stakind1 = 1 THEN (x.e).stanumbers1 WHEN (x.e).stakind2 = 1 THEN (x.e).stanumbers2 WHEN (x.e).stakind3 = 1 THEN
  (x.e).stanumbers3 WHEN (x.e).stakind4 = 1 THEN (x.e).stanumbers4 WHEN (x.e).stakind5 = 1 THEN (x.e).stanumbers5 END AS most_common_freqs,
  CASE WHEN (x.e).stakind1 = 2 THEN (x.e).stavalues1 WHEN (x.e).stakind2 = 2 THEN (x.e).stavalues2 WHEN (x.e).stakind3 = 2 THEN
  (x.e).stavalues3 WHEN (x.e).stakind4 = 2 THEN (x.e).stavalues4 WHEN (x.e).stakind5 = 2 THEN (x.e).stavalues5 END AS histogram_bounds,
  (CASE WHEN (x.e).stakind1 = 3 THEN (x.e).stanumbers1 WHEN (x.e).stakind2 = 3 THEN (x.e).stanumbers2 WHEN (x.e).stakind3 = 3 THEN
  (x.e).stanumbers3 WHEN (x.e).stakind4 = 3 THEN (x.e).stanumbers4 WHEN (x.e).stakind5 = 3 THEN (x.e).stanumbers5 END)[1] AS correlation,
  CASE WHEN (x.e).stakind1 = 4 THEN (x.e).stavalues1 WHEN (x.e).stakind2 = 4 THEN (x.e).stavalues2 WHEN (x.e).stakind3 = 4 THEN
  (x.e).stavalues3 WHEN (x.e).stakind4 = 4 THEN (x.e).stavalues4 WHEN (x.e).stakind5 = 4 THEN (x.e).stavalues5 END AS most_common_elems,
  CASE WHEN (x.e).stakind1 = 4 THEN (x.e).stanumbers1 WHEN (x.e).stakind2 = 4 THEN (x.e).stanumbers2 WHEN (x.e).stakind3 = 4 THEN
  (x.e).stanumbers3 WHEN (x.e).stakind4 = 4 THEN (x.e).stanumbers4 WHEN (x.e).stakind5 = 4 THEN (x.e).stanumbers5 END AS
  most_common_elem_freqs,
  CASE WHEN (x.e).stakind1 = 5 THEN (x.e).stanumbers1 WHEN (x.e).stakind2 = 5 THEN (x.e).stanumbers2 WHEN (x.e).stakind3 = 5 THEN
  (x.e).stanumbers3 WHEN (x.e).stakind4 = 5 THEN (x.e).stanumbers4 WHEN (x.e).stakind5 = 5 THEN (x.e).stanumbers5 END AS
  elem_count_histogram
FROM pg_catalog.pg_statistic_ext s
JOIN pg_catalog.pg_class c ON c.oid = s.stxrelid
LEFT JOIN pg_catalog.pg_statistic_ext_data d ON d.stxoid = s.oid
LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_namespace sn ON sn.oid = s.stxnamespace
CROSS JOIN LATERAL (SELECT unnest(pg_get_statisticsobjdef_expressions(s.oid)) AS expr, unnest(d.stxdexpr) AS e) x
WHERE s.stxexprs IS NOT NULL AND pg_has_role(c.relowner, 'USAGE') AND NOT (c.relrowsecurity AND row_security_active(c.oid))
