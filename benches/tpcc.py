#!/usr/bin/env python3
"""Transactions in the manner of TPC-C on pglited and on PostgreSQL, in one run, in turn: rates, retries, CPU time, and the books afterwards.

  benches/tpcc.py --pgbin DIR [--pglited PATH] [--warehouses 2] [--terminals 8] [--seconds 20] [--rounds 2] [--levels serializable "repeatable read"] [--functions] [--peers PATH]

The five kinds of transactions in the standard's mix (45 % new orders, 43 % payments, 4 % each of order status, delivery, stock level), written as
pgbench scripts from the description of the benchmark: a round trip for each statement, prepared statements, no think times, 40001 and 40P01 tried
again with the same numbers. Both servers keep their data on the same disk and wait for their commits. After the last round of a level the
consistency conditions 1 to 10 and 12 of the standard (clause 3.3.2), and some of our own (stock against order lines), are checked in either server;
a row that any of them returns is printed and the run fails. With --functions each transaction is a call of a function in PL/pgSQL
(as applications do that save round trips), so that the servers rather than the client and TCP are measured. With --peers (the program of benches/peers) the same transactions also run by
threads of one process on the library: a row of its own, for the same seconds after the servers of each round, on data loaded anew. PostgreSQL's
client is another process, pgbench over TCP, and pglite's the same, so that ratio is one between two ways to use a database; CPU time and memory of
that row are those of the whole process. No result of the official benchmark: it has rules about much more than this.
"""
import os, pathlib, random, re, shutil, signal, statistics, subprocess, sys, tempfile, time

from pgbench import cpu_seconds, memory_mb, programs, start_pglited, start_postgres, wait_ready

SEED = 20261122
ITEMS, DISTRICTS, CUSTOMERS, ORDERS, DELIVERED = 100_000, 10, 3_000, 3_000, 2_100
TABLES = "warehouse district customer history orders new_order order_line item stock".split()
SYLLABLES = "BAR OUGHT ABLE PRI PRES ESE ANTI CALLY ATION EING".split()

HERE = pathlib.Path(__file__).parent / "tpcc"
SCHEMA, INDEXES, FUNCTIONS = ((HERE / f"{name}.sql").read_text() for name in ("schema", "indexes", "functions"))
# Each returns no row where the books are right.
CONDITIONS = dict(re.findall(r"^-- ([^\n]+)\n(.+?);$", (HERE / "conditions.sql").read_text(), re.M | re.S))


def last_name(number):
    return SYLLABLES[number // 100] + SYLLABLES[number // 10 % 10] + SYLLABLES[number % 10]


def write_data(directory, warehouses):
    """The initial population as COPY files; the same from run to run."""
    r = random.Random(SEED)
    letters = "abcdefghijklmnopqrstuvwxyz"
    text = lambda low, high: "".join(r.choices(letters, k=r.randint(low, high)))
    some = [text(300, 500) for _ in range(64)]
    words = lambda low, high: r.choice(some)[: r.randint(low, high)]
    when = "2026-11-22 10:00:00"
    out = {name: open(f"{directory}/{name}", "w") for name in TABLES}
    put = lambda name, *columns: out[name].write("\t".join(map(str, columns)) + "\n")
    for i in range(1, ITEMS + 1):
        put("item", i, r.randint(1, 10000), words(14, 24), f"{r.randint(100, 10000) / 100:.2f}", words(26, 50))
    for w in range(1, warehouses + 1):
        put("warehouse", w, words(6, 10), words(10, 20), words(10, 20), words(10, 20), "BE", "123411111", f"0.{r.randint(0, 2000):04}", "300000.00")
        for i in range(1, ITEMS + 1):
            dist = "{" + ",".join(words(24, 24) for _ in range(10)) + "}"
            put("stock", w, i, r.randint(10, 100), dist, 0, 0, 0, words(26, 50))
        for d in range(1, DISTRICTS + 1):
            put("district", w, d, words(6, 10), words(10, 20), words(10, 20), words(10, 20), "BE", "123411111", f"0.{r.randint(0, 2000):04}", "30000.00", ORDERS + 1)
            for c in range(1, CUSTOMERS + 1):
                name = last_name(c - 1 if c <= 1000 else nurand(r, 255, 0, 999))
                put("customer", w, d, c, words(8, 16), "OE", name, words(10, 20), words(10, 20), "BE", "123411111", "0123456789012345", when,
                    "BC" if r.random() < 0.1 else "GC", "50000.00", f"0.{r.randint(0, 5000):04}", "-10.00", "10.00", 1, 0, words(300, 500))
                put("history", c, d, w, d, w, when, "10.00", words(12, 24))
            customers = r.sample(range(1, CUSTOMERS + 1), CUSTOMERS)
            for o in range(1, ORDERS + 1):
                lines, delivered = r.randint(5, 15), o <= DELIVERED
                put("orders", w, d, o, customers[o - 1], when, r.randint(1, 10) if delivered else "\\N", lines, 1)
                if not delivered:
                    put("new_order", w, d, o)
                for n in range(1, lines + 1):
                    amount = "0.00" if delivered else f"{r.randint(1, 999999) / 100:.2f}"
                    put("order_line", w, d, o, n, r.randint(1, ITEMS), w, when if delivered else "\\N", 5, amount, words(24, 24))
    for file in out.values():
        file.close()


def nurand(r, a, low, high, c=123):
    return ((r.randint(0, a) | r.randint(low, high)) + c) % (high - low + 1) + low


def expr_nurand(a, low, high, c=123):
    """The same as an expression of pgbench."""
    return f"((random(0, {a}) | random({low}, {high})) + {c}) % {high - low + 1} + {low}"


def choose_customer(columns):
    """60 % by last name (the middle one of those by first name), 40 % by number; the columns become variables."""
    syllables = ",".join(f"'{s}'" for s in SYLLABLES)
    name = " || ".join(f"(ARRAY[{syllables}])[:s{n}]" for n in (1, 2, 3))
    return f"""\\set by_name random(1, 100)
\\set name {expr_nurand(255, 0, 999)}
\\set s1 :name / 100 + 1
\\set s2 :name / 10 % 10 + 1
\\set s3 :name % 10 + 1
\\set c {expr_nurand(1023, 1, CUSTOMERS)}
""", f"""\\if :by_name <= 60
SELECT count(c_id) AS namesakes FROM customer WHERE c_w_id = :cw AND c_d_id = :cd AND c_last = {name} \\gset
\\set middle (:namesakes + 1) / 2 - 1
SELECT c_id AS c, {columns} FROM customer WHERE c_w_id = :cw AND c_d_id = :cd AND c_last = {name} ORDER BY c_first OFFSET :middle LIMIT 1 \\gset
\\else
SELECT {columns} FROM customer WHERE c_w_id = :cw AND c_d_id = :cd AND c_id = :c \\gset
\\endif
"""


def new_order(warehouses):
    out = [f"""\\set w random(1, {warehouses})
\\set d random(1, {DISTRICTS})
\\set c {expr_nurand(1023, 1, CUSTOMERS)}
\\set lines random(5, 15)
\\set wrong random(1, 100)
\\set local 1"""]
    for n in range(1, 16):
        out.append(f"""\\set i{n} {expr_nurand(8191, 1, ITEMS)}
\\set q{n} random(1, 10)
\\set far random(1, 100)
\\set sw{n} :w
\\if :far = 1 and {warehouses} > 1
\\set sw{n} (:w + random(0, {max(warehouses - 2, 0)})) % {warehouses} + 1
\\if {n} <= :lines
\\set local 0
\\endif
\\endif""")
    out.append("""BEGIN;
SELECT w_tax, c_discount, c_last, c_credit FROM warehouse, customer WHERE w_id = :w AND c_w_id = w_id AND c_d_id = :d AND c_id = :c;
UPDATE district SET d_next_o_id = d_next_o_id + 1 WHERE d_w_id = :w AND d_id = :d RETURNING d_next_o_id - 1 AS o, d_tax \\gset
INSERT INTO orders VALUES (:w, :d, :o, :c, now(), NULL, :lines, :local);
INSERT INTO new_order VALUES (:w, :d, :o);""")
    for n in range(1, 16):
        # The last item of one order in a hundred does not exist; the order is rolled back.
        out.append(f"""\\if {n} <= :lines
\\if {n} < :lines or :wrong > 1
SELECT i_price AS price, i_name, i_data FROM item WHERE i_id = :i{n} \\gset
SELECT s_quantity AS stock, s_data, s_dist[:d] AS info FROM stock WHERE s_i_id = :i{n} AND s_w_id = :sw{n} FOR UPDATE \\gset
\\set left :stock - :q{n}
\\if :left < 10
\\set left :left + 91
\\endif
\\set remote case when :sw{n} = :w then 0 else 1 end
UPDATE stock SET s_quantity = :left, s_ytd = s_ytd + :q{n}, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + :remote WHERE s_i_id = :i{n} AND s_w_id = :sw{n};
INSERT INTO order_line VALUES (:w, :d, :o, {n}, :i{n}, :sw{n}, NULL, :q{n}, :q{n} * :price::numeric, :info);
\\else
SELECT i_price FROM item WHERE i_id = {ITEMS} + 1;
\\endif
\\endif""")
    out.append("\\if :wrong > 1\nCOMMIT;\n\\else\nROLLBACK;\n\\endif\n")
    return "\n".join(out)


def payment(warehouses):
    chosen, select = choose_customer("c_credit, (c_credit = 'BC')::int AS bad")
    return f"""\\set w random(1, {warehouses})
\\set d random(1, {DISTRICTS})
\\set cw :w
\\set cd :d
\\set far random(1, 100)
\\if :far <= 15 and {warehouses} > 1
\\set cw (:w + random(0, {max(warehouses - 2, 0)})) % {warehouses} + 1
\\set cd random(1, {DISTRICTS})
\\endif
\\set amount random(100, 500000)
{chosen}BEGIN;
UPDATE warehouse SET w_ytd = w_ytd + :amount / 100.0 WHERE w_id = :w RETURNING w_name, w_street_1, w_street_2, w_city, w_state, w_zip;
UPDATE district SET d_ytd = d_ytd + :amount / 100.0 WHERE d_w_id = :w AND d_id = :d RETURNING d_name, d_street_1, d_street_2, d_city, d_state, d_zip;
{select}\\if :bad
UPDATE customer SET c_balance = c_balance - :amount / 100.0, c_ytd_payment = c_ytd_payment + :amount / 100.0, c_payment_cnt = c_payment_cnt + 1, c_data = left(concat_ws(' ', :c::int, :cd::int, :cw::int, :d::int, :w::int, :amount::int, c_data), 500) WHERE c_w_id = :cw AND c_d_id = :cd AND c_id = :c;
\\else
UPDATE customer SET c_balance = c_balance - :amount / 100.0, c_ytd_payment = c_ytd_payment + :amount / 100.0, c_payment_cnt = c_payment_cnt + 1 WHERE c_w_id = :cw AND c_d_id = :cd AND c_id = :c;
\\endif
INSERT INTO history VALUES (:c, :cd, :cw, :d, :w, now(), :amount / 100.0, 'payment');
COMMIT;
"""


def order_status(warehouses):
    chosen, select = choose_customer("c_balance, c_first, c_middle, c_last")
    return f"""\\set cw random(1, {warehouses})
\\set cd random(1, {DISTRICTS})
{chosen}BEGIN;
{select}SELECT o_id AS o, o_entry_d, o_carrier_id FROM orders WHERE o_w_id = :cw AND o_d_id = :cd AND o_c_id = :c ORDER BY o_id DESC LIMIT 1 \\gset
SELECT ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_delivery_d FROM order_line WHERE ol_w_id = :cw AND ol_d_id = :cd AND ol_o_id = :o;
COMMIT;
"""


def delivery(warehouses):
    out = [f"\\set w random(1, {warehouses})\n\\set carrier random(1, 10)\nBEGIN;"]
    for d in range(1, DISTRICTS + 1):
        out.append(f"""\\set o 0
SELECT no_o_id AS o FROM new_order WHERE no_w_id = :w AND no_d_id = {d} ORDER BY no_o_id LIMIT 1 \\aset
\\if :o > 0
DELETE FROM new_order WHERE no_w_id = :w AND no_d_id = {d} AND no_o_id = :o;
UPDATE orders SET o_carrier_id = :carrier WHERE o_w_id = :w AND o_d_id = {d} AND o_id = :o RETURNING o_c_id AS c \\gset
UPDATE order_line SET ol_delivery_d = now() WHERE ol_w_id = :w AND ol_d_id = {d} AND ol_o_id = :o;
SELECT sum(ol_amount) AS total FROM order_line WHERE ol_w_id = :w AND ol_d_id = {d} AND ol_o_id = :o \\gset
UPDATE customer SET c_balance = c_balance + :total::numeric, c_delivery_cnt = c_delivery_cnt + 1 WHERE c_w_id = :w AND c_d_id = {d} AND c_id = :c;
\\endif""")
    out.append("COMMIT;\n")
    return "\n".join(out)


def stock_level(warehouses):
    return f"""\\set w random(1, {warehouses})
\\set d random(1, {DISTRICTS})
\\set threshold random(10, 20)
BEGIN;
SELECT d_next_o_id AS next FROM district WHERE d_w_id = :w AND d_id = :d \\gset
SELECT count(DISTINCT s_i_id) FROM order_line, stock WHERE ol_w_id = :w AND ol_d_id = :d AND ol_o_id >= :next - 20 AND ol_o_id < :next AND s_w_id = :w AND s_i_id = ol_i_id AND s_quantity < :threshold;
COMMIT;
"""


def settings(script):
    """What comes before the transaction: the numbers it is about."""
    return script.split("BEGIN;")[0]


def name_or_null():
    syllables = ",".join(f"'{s}'" for s in SYLLABLES)
    name = " || ".join(f"(ARRAY[{syllables}])[:s{n}]" for n in (1, 2, 3))
    return f"CASE WHEN :by_name <= 60 THEN {name} END"


def calls(kind, warehouses):
    """The same transactions as calls of functions (tpcc/functions.sql)."""
    array = lambda prefix: f"trim_array(ARRAY[{','.join(f':{prefix}{n}::int' for n in range(1, 16))}], 15 - :lines)"
    order = f"SELECT new_order(:w, :d, :c, {array('i')}, {array('sw')}, {array('q')}"
    call = {
        "new_order": f"\\if :wrong > 1\n{order}, false);\n\\else\nBEGIN;\n{order}, true);\nROLLBACK;\n\\endif\n",
        "payment": f"SELECT payment(:w, :d, :cw, :cd, :c, {name_or_null()}, :amount / 100.0);\n",
        "order_status": f"SELECT order_status(:cw, :cd, :c, {name_or_null()});\n",
        "delivery": "SELECT delivery(:w, :carrier);\n",
        "stock_level": "SELECT stock_level(:w, :d, :threshold);\n",
    }
    return settings(kind(warehouses)) + call[kind.__name__]


IN_PROCESS = "pglite in process"
MIX = [(new_order, 45), (payment, 43), (order_status, 4), (delivery, 4), (stock_level, 4)]


class Bench:
    def __init__(self, a, directory):
        self.a, self.directory = a, directory
        self.psql = lambda server, sql: subprocess.run(
            [f"{a.pgbin}/psql", "-XAtq", "-v", "ON_ERROR_STOP=1", server.conninfo(), "-f", "-"], input=sql, capture_output=True, text=True)

    def load(self, server):
        began = time.time()
        copies = "".join(f"\\copy {table} FROM '{self.directory}/data/{table}'\n" for table in TABLES)
        for part in (SCHEMA, copies, INDEXES, FUNCTIONS if self.a.functions else ""):
            done = self.psql(server, part)
            if done.returncode:
                sys.exit(f"{server.name}: {done.stderr}")
        print(f"{server.name}: loaded in {time.time() - began:.1f} s", flush=True)

    def run(self, server, level, turn):
        before = cpu_seconds(server.process.pid)
        scripts = [f"-f{self.directory}/{kind.__name__}@{weight}" for kind, weight in MIX]
        done = subprocess.run(
            [f"{self.a.pgbin}/pgbench", "-n", "-M", "prepared", "-c", str(self.a.terminals), "-j", "2", "-T", str(self.a.seconds), "--max-tries=1000",
             f"--random-seed={SEED + turn}", *scripts, server.conninfo()],
            capture_output=True, text=True, env={**os.environ, "PGOPTIONS": f"-c default_transaction_isolation={level.replace(' ', chr(92) + ' ')}"})
        if done.returncode or "abort" in done.stderr:
            sys.exit(f"{server.name}: {done.stderr[:2000]}")
        used = sum(now - then for now, then in zip(cpu_seconds(server.process.pid), before))
        number = lambda pattern: float(re.search(pattern, done.stdout)[1])
        count = number(r"actually processed: (\d+)")
        if self.a.details:
            print(done.stdout, flush=True)
        return number(r"tps = ([\d.]+)"), number(r"total number of retries: (\d+)") / count * 1000, number(r"failed transactions: (\d+)"), used / count * 1e6

    def run_peers(self, level):
        """The same in one process; also how many conditions it found broken."""
        command = [self.a.peers, "tpcc", str(self.a.terminals), str(self.a.seconds), level]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.directory)
        number = lambda pattern: float(re.search(pattern, done.stdout)[1])
        if self.a.details or done.returncode:
            print(done.stdout, done.stderr[:2000], flush=True)
        if "conditions broken" not in done.stdout:
            sys.exit(f"{IN_PROCESS} failed")
        figures = number(r"([\d.]+) transactions/s"), number(r"([\d.]+) retries"), number(r"(\d+) failed"), number(r"(\d+) µs of CPU")
        return figures, number(r"(\d+) MB"), int(number(r"(\d+) of \d+ conditions broken"))

    def books(self, server):
        wrong = 0
        for name, sql in CONDITIONS.items():
            done = self.psql(server, sql)
            if done.returncode or done.stdout:
                wrong += 1
                print(f"{server.name}: condition {name} is broken:\n{done.stdout[:500]}{done.stderr}")
        return wrong


def print_rows(level, rows):
    """The ratios are those to the first row."""
    base = None
    for name, results, memory, broken in rows:
        tps, retries, failed, cpu = zip(*results)
        median = (statistics.median(tps), statistics.median(cpu))
        base = base or median
        print(f"| {level} | {name} | {median[0]:.0f} [{min(tps):.0f}-{max(tps):.0f}] | {median[0] / base[0]:.2f} | {statistics.median(retries):.1f} | {sum(failed):.0f} "
              f"| {median[1]:.0f} | {median[1] / base[1]:.2f} | {memory:.0f} | {broken} of {len(CONDITIONS)} |", flush=True)


def main():
    parser = programs(__doc__)
    parser.add_argument("--warehouses", type=int, default=2)
    parser.add_argument("--terminals", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--levels", nargs="*", default=["serializable", "repeatable read"])
    parser.add_argument("--peers", type=os.path.abspath, help="benches/peers' program: a row for pglite in one process (2 warehouses)")
    parser.add_argument("--functions", action="store_true", help="each transaction is a call of a function in PL/pgSQL, one round trip")
    parser.add_argument("--only", help="one server by its name: pglite or PostgreSQL")
    parser.add_argument("--details", action="store_true", help="print what pgbench says of each script")
    a = parser.parse_args()
    if a.peers and a.warehouses != 2:
        parser.error("--peers knows two warehouses")
    directory = tempfile.mkdtemp(prefix="pglite-tpcc-", dir=os.environ.get("TMPDIR"))
    os.mkdir(f"{directory}/data")
    write_data(f"{directory}/data", a.warehouses)
    for kind, _ in MIX:
        pathlib.Path(directory, kind.__name__).write_text(calls(kind, a.warehouses) if a.functions else kind(a.warehouses))
    start = {"PostgreSQL": lambda: start_postgres(a.pgbin, directory, 54983), "pglite": lambda: start_pglited(a.pglited, directory, 54984)}
    servers, bench, wrong = [], Bench(a, directory), 0
    try:
        for name, run in start.items():
            if a.only in (None, name):
                servers.append(run())
        for server in servers:
            wait_ready(a.pgbin, server)
        for level in a.levels:
            for server in servers:
                bench.load(server)
            print("\n| level | server | transactions/s median [min-max] | ratio | retries per 1000 | failed | server CPU µs/transaction | ratio | memory MB | conditions broken |\n|---|---|---|---|---|---|---|---|---|---|")
            results, inside = {server.name: [] for server in servers}, []
            for turn in range(a.rounds):
                for server in servers if turn % 2 == 0 else servers[::-1]:
                    results[server.name].append(bench.run(server, level, turn))
                if a.peers:
                    inside.append(bench.run_peers(level))
            rows = [(server.name, results[server.name], memory_mb(server.process.pid), bench.books(server)) for server in servers]
            if inside:
                rows.append((IN_PROCESS, [figures for figures, _, _ in inside], inside[-1][1], max(broken for _, _, broken in inside)))
            wrong += sum(broken for *_, broken in rows)
            print_rows(level, rows)
    finally:
        for server in servers:
            server.process.send_signal(signal.SIGINT if server.name == "PostgreSQL" else signal.SIGTERM)
            server.process.wait(30)
        shutil.rmtree(directory, ignore_errors=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
