-- Listings of what every database has.
\dn
\dn+ information_schema
\df lower
\df pg_catalog.abs
\df percentile_cont
\df+ generate_series
\df json_each
\dfa sum
\dfw
\dT int*
\dT mood
\du postgres
\dg postgres
\do ||
\do+ =
\da sum
\dC int4
\dC
\dD
\det
\des
\dew
\deu
\dA
\dA+
\dAc btree int*
\dAp hash int*
\dc ascii*
\dE
\dF
\dFd simple
\dFp
\dFt
\dF+ simple
\dL
\dO "C"
\dconfig work_mem
\dconfig+ enable_seqscan
\dP+
