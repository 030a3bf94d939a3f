-- Statements on one row by its key, prepared and run again: RETURNING, row locks, conditions beside the key.
CREATE TABLE accounts (id int PRIMARY KEY, owner text, balance numeric(12,2), tags text[], note varchar(20) DEFAULT 'none');
INSERT INTO accounts SELECT g, 'owner ' || g, g * 10, ARRAY['a' || g, 'b' || g] FROM generate_series(1, 5) g;
PREPARE pay (int, numeric) AS UPDATE accounts SET balance = balance - $2 WHERE id = $1 RETURNING id, balance, old.balance AS before, new.balance - old.balance AS change;
EXECUTE pay (1, 2.5);
EXECUTE pay (1, 2.5);
EXECUTE pay (9, 2.5);
PREPARE whole (int) AS UPDATE accounts SET note = note || '!' WHERE id = $1 AND balance > 10 RETURNING accounts, old, new.note, tableoid::regclass;
EXECUTE whole (2);
EXECUTE whole (1);
PREPARE put (int, text) AS INSERT INTO accounts (id, owner) VALUES ($1, $2) RETURNING *, old.id, new.owner || '?' AS asked, 5 AS five;
EXECUTE put (10, 'ten');
EXECUTE put (10, 'ten again');
EXECUTE put (11, 'eleven');
PREPARE gone (int) AS DELETE FROM accounts WHERE id = $1 RETURNING owner, new.id, old.*;
EXECUTE gone (10);
EXECUTE gone (10);
-- What RETURNING cannot compute undoes the change.
PREPARE divided (int, int) AS UPDATE accounts SET owner = 'nobody' WHERE id = $1 RETURNING 1 / $2;
EXECUTE divided (3, 1);
EXECUTE divided (4, 0);
SELECT id, owner FROM accounts ORDER BY id;
-- Row locks.
PREPARE held (int) AS SELECT owner, tags[1], upper(note) FROM accounts WHERE id = $1 FOR UPDATE;
PREPARE skipped (int) AS SELECT balance FROM accounts WHERE id = $1 AND owner <> 'nobody' FOR NO KEY UPDATE SKIP LOCKED;
PREPARE refused (int) AS SELECT accounts FROM accounts WHERE id = $1 FOR KEY SHARE NOWAIT;
BEGIN;
EXECUTE held (1);
EXECUTE held (7);
EXECUTE skipped (2);
EXECUTE skipped (3);
EXECUTE refused (4);
UPDATE accounts SET note = 'seen' WHERE id = 1;
EXECUTE held (1);
ROLLBACK;
-- In a routine.
DO $$
DECLARE b numeric; o text;
BEGIN
  FOR i IN 1..3 LOOP
    UPDATE accounts SET balance = balance + i WHERE id = 5 RETURNING balance INTO STRICT b;
    SELECT owner INTO o FROM accounts WHERE id = i FOR SHARE;
    RAISE NOTICE '% %', b, o;
  END LOOP;
  DELETE FROM accounts WHERE id = 100 RETURNING owner INTO o;
  RAISE NOTICE '% %', FOUND, o;
END $$;
-- Foreign keys are checked before the row is handed out.
CREATE TABLE lines (account int REFERENCES accounts, n int, PRIMARY KEY (account, n));
PREPARE line (int, int) AS INSERT INTO lines VALUES ($1, $2) RETURNING account, n;
EXECUTE line (1, 1);
EXECUTE line (8, 1);
EXECUTE line (NULL, 1);
PREPARE moved (int, int) AS UPDATE lines SET account = $2 WHERE account = $1 AND n = 1 RETURNING old.account, new.account;
EXECUTE moved (1, 2);
EXECUTE moved (2, 8);
EXECUTE gone (2);
CREATE TABLE parts (a int, b int, FOREIGN KEY (a, b) REFERENCES lines MATCH FULL);
INSERT INTO parts VALUES (NULL, NULL);
INSERT INTO parts VALUES (2, NULL);
INSERT INTO parts VALUES (2, 1);
INSERT INTO parts VALUES (1, 1);
-- Virtual columns are computed for RETURNING too.
CREATE TABLE areas (id int PRIMARY KEY, w int, h int, area int GENERATED ALWAYS AS (w * h) VIRTUAL, twice int GENERATED ALWAYS AS (2 * w) STORED);
INSERT INTO areas VALUES (1, 2, 3) RETURNING *;
UPDATE areas SET w = 5 WHERE id = 1 RETURNING area, old.area, old.twice, new.twice;
SELECT area, twice FROM areas WHERE id = 1 AND area > 10 FOR UPDATE;
SELECT area, twice FROM areas WHERE id = 1 AND area > 100 FOR UPDATE;
DROP TABLE parts, lines, areas, accounts;
