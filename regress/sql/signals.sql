-- Who may cancel and end whom, as far as one session shows it.
CREATE ROLE regress_signals_1;
CREATE ROLE regress_signals_2 IN ROLE pg_signal_backend;
SELECT pg_terminate_backend(pg_backend_pid(), -1);
SET ROLE regress_signals_1;
SELECT pg_cancel_backend(pg_backend_pid());
SELECT pg_terminate_backend(pg_backend_pid());
SELECT pg_terminate_backend(pg_backend_pid(), -5);
SELECT usesysid, usename FROM pg_stat_activity WHERE pid = pg_backend_pid();
-- Nor do members of pg_signal_backend reach superusers.
SET ROLE regress_signals_2;
SELECT pg_cancel_backend(pg_backend_pid());
SELECT pg_terminate_backend(pg_backend_pid(), 10);
RESET ROLE;
SELECT pg_cancel_backend(pg_backend_pid());
SELECT pg_cancel_backend(NULL), pg_terminate_backend(NULL), pg_terminate_backend(1, NULL);
DROP ROLE regress_signals_1, regress_signals_2;
