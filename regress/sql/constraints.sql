-- constraints and the errors they give
CREATE TABLE item (
  id serial PRIMARY KEY,
  name text NOT NULL,
  price numeric CHECK (price > 0),
  code varchar(3) UNIQUE,
  kind text DEFAULT 'plain'
);
INSERT INTO item (name, price, code) VALUES ('pen', 1.5, 'P1'), ('ink', 3, 'I1');
INSERT INTO item (name, price) VALUES (NULL, 1);
INSERT INTO item (name, price) VALUES ('bad', -1);
INSERT INTO item (id, name) VALUES (1, 'again');
INSERT INTO item (name, code) VALUES ('twin', 'P1');
INSERT INTO item (name, code) VALUES ('long', 'LONG');
INSERT INTO item (name, price) VALUES ('text', 'abc');
INSERT INTO item (name, code) VALUES ('twin', 'P1') ON CONFLICT DO NOTHING;
INSERT INTO item (name, code) VALUES ('pencil', 'P1') ON CONFLICT (code) DO UPDATE SET name = excluded.name RETURNING name, code, kind;
UPDATE item SET price = 0 WHERE name = 'ink';
SELECT name, price, code, kind FROM item ORDER BY name;
CREATE TABLE part (item_code varchar(3) REFERENCES item (code), n integer);
INSERT INTO part VALUES ('P1', 1);
INSERT INTO part VALUES ('XX', 1);
DELETE FROM item WHERE code = 'P1';
DROP TABLE item;
