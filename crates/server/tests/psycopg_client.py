"""psycopg 3 against a pglite server: parameters, transactions, COPY, errors. Arguments: host, port."""

import datetime
import decimal
import sys
import uuid

import psycopg
from psycopg import errors, sql
from psycopg.rows import dict_row
from psycopg.types.json import Json

DSN = f"host={sys.argv[1]} port={sys.argv[2]} user=postgres dbname=postgres"

VALUES = [
    ("bool", True),
    ("int2", -5),
    ("int4", 2**31 - 1),
    ("int8", -(2**63)),
    ("float8", 1.5e300),
    ("float4", 0.5),
    ("numeric", decimal.Decimal("-12345678901234567890.000123")),
    ("text", "grüße, \u4e16\u754c ' \" \\ "),
    ("varchar(10)", "abc"),
    ("bytea", bytes(range(256))),
    ("date", datetime.date(2024, 2, 29)),
    ("time", datetime.time(23, 59, 59, 999999)),
    ("timestamp", datetime.datetime(1999, 12, 31, 23, 59, 59, 5)),
    ("timestamptz", datetime.datetime(2024, 7, 1, 12, tzinfo=datetime.timezone.utc)),
    ("interval", datetime.timedelta(days=-3, seconds=5, microseconds=7)),
    ("uuid", uuid.UUID("12345678-1234-5678-1234-567812345678")),
]


def parameters():
    """Each value there and back, as text and as binary, alone and in a table."""
    with psycopg.connect(DSN) as conn:
        for binary in (False, True):
            cur = conn.cursor(binary=binary)
            for name, value in VALUES:
                mark = "%b" if binary else "%t"
                for placeholder in (mark, "%s"):
                    got = cur.execute(f"SELECT {placeholder}::{name}", [value]).fetchone()[0]
                    if name == "bytea":
                        got = bytes(got)
                    assert got == value, (name, binary, placeholder, value, got)
                assert cur.execute(f"SELECT %s::{name}", [None]).fetchone()[0] is None
            columns = sql.SQL(", ").join(sql.SQL(f"c{i} {name}") for i, (name, _) in enumerate(VALUES))
            conn.execute(sql.SQL("CREATE TABLE v ({})").format(columns))
            places = ", ".join(["%s"] * len(VALUES))
            for _ in range(8):
                # From the fifth time on a prepared statement.
                conn.execute(f"INSERT INTO v VALUES ({places})", [v for _, v in VALUES])
            rows = cur.execute("SELECT * FROM v").fetchall()
            assert len(rows) == 8
            for (name, value), got in zip(VALUES, rows[7]):
                assert (bytes(got) if name == "bytea" else got) == value, (name, binary, got)
            conn.rollback()


def arrays_and_dictionaries():
    with psycopg.connect(DSN, row_factory=dict_row) as conn:
        row = conn.execute("SELECT %s::int[] AS a, %s::text[] AS b", [[1, None, 3], ["x", "y,{}"]]).fetchone()
        assert row == {"a": [1, None, 3], "b": ["x", "y,{}"]}, row
        row = conn.execute("SELECT 2 = ANY(%s) AS found", [[1, 2]]).fetchone()
        assert row == {"found": True}
        row = conn.execute("SELECT %s::json AS j", [Json({"a": [1, None]})]).fetchone()
        assert row == {"j": {"a": [1, None]}}, row


def transactions():
    with psycopg.connect(DSN, autocommit=True) as conn, psycopg.connect(DSN, autocommit=True) as other:
        conn.execute("CREATE TABLE tx (id int PRIMARY KEY, v text)")

        def count():
            return other.execute("SELECT count(*) FROM tx").fetchone()[0]

        with conn.transaction():
            conn.execute("INSERT INTO tx VALUES (1, 'one')")
            assert count() == 0
            try:
                with conn.transaction():
                    conn.execute("INSERT INTO tx VALUES (2, 'two')")
                    raise ZeroDivisionError
            except ZeroDivisionError:
                pass
        assert count() == 1
        try:
            with conn.transaction():
                conn.execute("DELETE FROM tx")
                conn.execute("SELECT 1 / 0")
        except errors.DivisionByZero as e:
            assert e.sqlstate == "22012"
        else:
            raise AssertionError("no error")
        assert count() == 1
        cur = conn.cursor()
        cur.executemany("INSERT INTO tx VALUES (%s, %s)", [(i, str(i)) for i in range(10, 60)])
        assert count() == 51
        # A pipeline: one error skips all up to the next sync.
        try:
            with conn.pipeline():
                conn.execute("INSERT INTO tx VALUES (100, 'p')")
                conn.execute("INSERT INTO tx VALUES (100, 'again')")
                conn.execute("INSERT INTO tx VALUES (101, 'skipped')")
        except errors.UniqueViolation:
            pass
        else:
            raise AssertionError("no error")
        assert other.execute("SELECT count(*) FROM tx WHERE id = 101").fetchone()[0] == 0
        conn.execute("SET default_transaction_isolation = 'repeatable read'")
        with conn.transaction():
            conn.execute("UPDATE tx SET v = 'a' WHERE id = 1")
        # A server-side cursor.
        with conn.transaction():
            with conn.cursor(name="c") as c:
                c.itersize = 7
                c.execute("SELECT id FROM tx WHERE id < 60 ORDER BY id")
                assert [r[0] for r in c] == [1] + list(range(10, 60))


def copy():
    with psycopg.connect(DSN) as conn:
        conn.execute("CREATE TABLE cp (id int, v text, d date)")
        cur = conn.cursor()
        rows = [(i, None if i % 3 == 0 else f"tab\tback\\slash\n{i}", datetime.date(2024, 1, 1)) for i in range(1000)]
        with cur.copy("COPY cp FROM STDIN") as out:
            for row in rows:
                out.write_row(row)
        assert cur.rowcount == 1000, cur.rowcount
        with cur.copy("COPY cp TO STDOUT") as back:
            back.set_types(["int4", "text", "date"])
            assert list(back.rows()) == rows
        with cur.copy("COPY (SELECT id, v FROM cp WHERE id < 3 ORDER BY id) TO STDOUT (FORMAT csv, HEADER)") as back:
            text = b"".join(bytes(piece) for piece in back).decode()
        assert text == 'id,v\n0,\n1,"tab\tback\\slash\n1"\n2,"tab\tback\\slash\n2"\n', repr(text)
        conn.commit()
        try:
            with cur.copy("COPY cp FROM STDIN") as out:
                out.write(b"1\tx\tno date\n")
        except errors.InvalidDatetimeFormat as e:
            assert "COPY cp, line 1, column d" in e.diag.context, e.diag.context
        else:
            raise AssertionError("no error")
        conn.rollback()
        try:
            with cur.copy("COPY cp FROM STDIN") as out:
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        conn.rollback()
        assert cur.execute("SELECT count(*) FROM cp").fetchone()[0] == 1000


def error_fields():
    with psycopg.connect(DSN, autocommit=True) as conn:
        conn.execute("CREATE TABLE e (id int PRIMARY KEY, n int NOT NULL CHECK (n > 0))")
        for statement, kind, check in [
            ("SELECT nothing FROM e", errors.UndefinedColumn, lambda d: d.statement_position == "8"),
            ("SELECT * FROM nowhere", errors.UndefinedTable, lambda d: d.statement_position == "15"),
            ("SELEC 1", errors.SyntaxError, lambda d: d.severity == "ERROR"),
            ("INSERT INTO e VALUES (1, NULL)", errors.NotNullViolation, lambda d: d.column_name == "n"),
            ("INSERT INTO e VALUES (1, 0)", errors.CheckViolation, lambda d: d.constraint_name == "e_n_check"),
            ("INSERT INTO e VALUES (1, 1), (1, 1)", errors.UniqueViolation, lambda d: d.constraint_name == "e_pkey"),
            ("SELECT 'x'::int", errors.InvalidTextRepresentation, lambda d: "integer" in d.message_primary),
        ]:
            try:
                conn.execute(statement)
            except kind as e:
                assert check(e.diag), (statement, e, e.diag.statement_position)
            else:
                raise AssertionError(f"no error: {statement}")
        try:
            conn.execute("SELECT %s::int", ["x" * 3])
        except errors.InvalidTextRepresentation:
            pass
        notices = []
        conn.add_notice_handler(lambda d: notices.append(d.message_primary))
        conn.execute("DROP TABLE IF EXISTS never_there")
        assert notices == ['table "never_there" does not exist, skipping'], notices


def main():
    for test in (parameters, arrays_and_dictionaries, transactions, copy, error_fields):
        test()
        print(f"{test.__name__}: ok")
    print(f"psycopg {psycopg.__version__}, libpq {psycopg.pq.version()}")


main()
