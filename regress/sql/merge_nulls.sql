-- A condition that NULLs fulfil does not match target rows that have no source row.
CREATE TABLE src (a int, b text);
CREATE TABLE tgt (a int, b text);
INSERT INTO src VALUES (1, 'src row');
INSERT INTO tgt VALUES (NULL, 'tgt row'), (1, 'other');
MERGE INTO tgt USING src ON tgt.a IS NOT DISTINCT FROM src.a
  WHEN MATCHED THEN UPDATE SET a = src.a, b = src.b
  WHEN NOT MATCHED BY SOURCE THEN DELETE
  RETURNING merge_action(), src.*, tgt.*;
SELECT * FROM tgt ORDER BY 1, 2;
INSERT INTO tgt VALUES (NULL, 'tgt row');
INSERT INTO src VALUES (3, 'new');
MERGE INTO tgt USING (SELECT a, b FROM src OFFSET 0) s ON tgt.a IS NOT DISTINCT FROM s.a
  WHEN MATCHED THEN UPDATE SET b = tgt.b || '+'
  WHEN NOT MATCHED BY TARGET THEN INSERT VALUES (s.a, s.b)
  WHEN NOT MATCHED BY SOURCE THEN UPDATE SET b = 'gone'
  RETURNING merge_action(), tgt.*;
INSERT INTO src VALUES (NULL, NULL);
MERGE INTO tgt USING src ON tgt.a IS NOT DISTINCT FROM src.a
  WHEN MATCHED THEN UPDATE SET b = 'both null'
  WHEN NOT MATCHED BY SOURCE THEN DELETE;
SELECT * FROM tgt ORDER BY 1, 2;
MERGE INTO tgt USING (src x JOIN src y USING (a)) j ON tgt.a IS NOT DISTINCT FROM j.a
  WHEN MATCHED THEN DO NOTHING
  WHEN NOT MATCHED BY SOURCE THEN UPDATE SET b = 'no join row';
SELECT * FROM tgt ORDER BY 1, 2;
