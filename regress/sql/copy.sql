-- COPY
CREATE TABLE t (i integer, v text, n numeric);
COPY t FROM stdin;
1	one	1.5
2	\N	2.5
3	tab\there	\N
\.
SELECT * FROM t ORDER BY i;
COPY t TO stdout;
COPY t (i, v) FROM stdin WITH (FORMAT csv);
4,"four, and ""more"""
5,
\.
COPY t TO stdout WITH (FORMAT csv, HEADER);
COPY (SELECT i, n FROM t WHERE n IS NOT NULL ORDER BY i) TO stdout WITH (DELIMITER '|');
COPY t FROM stdin;
6	six	oops
\.
COPY t FROM stdin;
7	too	7	many
\.
COPY t FROM stdin;
8
\.
COPY nowhere FROM stdin;
SELECT count(*) FROM t;
