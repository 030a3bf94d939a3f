-- Case of letters beyond ASCII
SET client_encoding TO utf8;
SELECT casefold('ıiIİ ẞ ß Σσς ſ ϐ ẛ µ ᏸ ꭰ Ꭰ ŉ' COLLATE pg_c_utf8);
SELECT casefold('AbÇ' COLLATE "C"), lower('AbÇ' COLLATE "C"), upper('abç' COLLATE "C");
SELECT initcap('Λλ 1a １a ábc-dÉF' COLLATE pg_c_utf8), upper('ȺßΛλ' COLLATE pg_c_utf8), lower('ȺẞΛ' COLLATE pg_c_utf8);
