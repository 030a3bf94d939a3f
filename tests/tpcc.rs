//! Order processing in the manner of TPC-C by concurrent sessions: the books are right afterwards, at either level.
//!
//! Snapshots alone keep this mix of transactions serializable (Fekete et al. 2005), so that the standard's consistency conditions hold at
//! repeatable read too. `benches/tpcc.py` does the same at size, beside PostgreSQL. `PGLITE_TPCC_SEED` is where the random numbers begin,
//! `PGLITE_TPCC_TRANSACTIONS` how many each session commits.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/random.rs"]
mod random;

use pglite::{Database, Params, Result, Session, params};
use random::{Random, number};

const SESSIONS: u64 = 4;
const WAREHOUSES: usize = 2;
const DISTRICTS: usize = 2;
const CUSTOMERS: usize = 12;
const ITEMS: usize = 30;
/// Orders of each district at the beginning; the last third is not delivered.
const ORDERS: i32 = 9;

/// Customers of one last name are four.
const SET_UP: &str = "
CREATE TABLE warehouse (w_id int PRIMARY KEY, w_ytd numeric(12,2));
CREATE TABLE district (d_w_id int REFERENCES warehouse, d_id int, d_ytd numeric(12,2), d_next_o_id int, PRIMARY KEY (d_w_id, d_id));
CREATE TABLE customer (c_w_id int, c_d_id int, c_id int, c_last text, c_first text, c_balance numeric(12,2), c_ytd_payment numeric(12,2),
    PRIMARY KEY (c_w_id, c_d_id, c_id), FOREIGN KEY (c_w_id, c_d_id) REFERENCES district);
CREATE INDEX ON customer (c_w_id, c_d_id, c_last, c_first);
CREATE TABLE history (h_c_id int, h_c_d_id int, h_c_w_id int, h_d_id int, h_w_id int, h_amount numeric(6,2));
CREATE TABLE orders (o_w_id int, o_d_id int, o_id int, o_c_id int, o_carrier_id int, o_ol_cnt int, PRIMARY KEY (o_w_id, o_d_id, o_id),
    FOREIGN KEY (o_w_id, o_d_id, o_c_id) REFERENCES customer);
CREATE UNIQUE INDEX ON orders (o_w_id, o_d_id, o_c_id, o_id);
CREATE TABLE new_order (no_w_id int, no_d_id int, no_o_id int, PRIMARY KEY (no_w_id, no_d_id, no_o_id),
    FOREIGN KEY (no_w_id, no_d_id, no_o_id) REFERENCES orders);
CREATE TABLE item (i_id int PRIMARY KEY, i_price numeric(5,2));
CREATE TABLE stock (s_w_id int, s_i_id int REFERENCES item, s_quantity int, s_ytd int, s_order_cnt int, PRIMARY KEY (s_w_id, s_i_id));
CREATE TABLE order_line (ol_w_id int, ol_d_id int, ol_o_id int, ol_number int, ol_i_id int, ol_supply_w_id int, ol_delivery_d timestamp,
    ol_quantity int, ol_amount numeric(6,2), PRIMARY KEY (ol_w_id, ol_d_id, ol_o_id, ol_number),
    FOREIGN KEY (ol_w_id, ol_d_id, ol_o_id) REFERENCES orders, FOREIGN KEY (ol_supply_w_id, ol_i_id) REFERENCES stock);

INSERT INTO warehouse SELECT w, 240 FROM generate_series(1, 2) w;
INSERT INTO district SELECT w, d, 120, 10 FROM generate_series(1, 2) w, generate_series(1, 2) d;
INSERT INTO customer SELECT d_w_id, d_id, c, 'name ' || c % 3, 'first ' || c * 7 % 12, -10, 10 FROM district, generate_series(1, 12) c;
INSERT INTO history SELECT c_id, c_d_id, c_w_id, c_d_id, c_w_id, 10 FROM customer;
INSERT INTO item SELECT i, i * 1.25 FROM generate_series(1, 30) i;
INSERT INTO stock SELECT w_id, i_id, 10 + i_id, 0, 0 FROM warehouse, item;
INSERT INTO orders SELECT d_w_id, d_id, o, o, CASE WHEN o <= 6 THEN 3 END, 2 FROM district, generate_series(1, 9) o;
INSERT INTO new_order SELECT o_w_id, o_d_id, o_id FROM orders WHERE o_carrier_id IS NULL;
INSERT INTO order_line SELECT o_w_id, o_d_id, o_id, l, o_id + l, o_w_id, CASE WHEN o_id <= 6 THEN now() END, 5, CASE WHEN o_id <= 6 THEN 0 ELSE o_id END
    FROM orders, generate_series(1, 2) l;
ANALYZE;
";

/// Each returns no row where the books are right; the numbers are those of the standard's clause 3.3.2.
const CONDITIONS: &[(&str, &str)] = &[
    (
        "1",
        "SELECT w_id FROM warehouse JOIN district ON d_w_id = w_id GROUP BY w_id, w_ytd HAVING w_ytd <> sum(d_ytd)",
    ),
    (
        "2",
        "SELECT * FROM (SELECT d_next_o_id - 1 AS next, (SELECT max(o_id) FROM orders WHERE o_w_id = d_w_id AND o_d_id = d_id) AS o,
            (SELECT max(no_o_id) FROM new_order WHERE no_w_id = d_w_id AND no_d_id = d_id) AS n FROM district) q WHERE next <> o OR n <> o",
    ),
    (
        "3",
        "SELECT no_w_id FROM new_order GROUP BY no_w_id, no_d_id HAVING max(no_o_id) - min(no_o_id) + 1 <> count(*)",
    ),
    (
        "4",
        "SELECT 1 FROM (SELECT o_w_id, o_d_id, sum(o_ol_cnt) AS said FROM orders GROUP BY 1, 2) o
            FULL JOIN (SELECT ol_w_id, ol_d_id, count(*) AS are FROM order_line GROUP BY 1, 2) l ON o_w_id = ol_w_id AND o_d_id = ol_d_id
            WHERE said IS DISTINCT FROM are",
    ),
    (
        "5",
        "SELECT o_id FROM orders LEFT JOIN new_order ON (no_w_id, no_d_id, no_o_id) = (o_w_id, o_d_id, o_id)
            WHERE (o_carrier_id IS NULL) <> (no_o_id IS NOT NULL)",
    ),
    (
        "6",
        "SELECT o_id FROM orders FULL JOIN (SELECT ol_w_id, ol_d_id, ol_o_id, count(*) AS are FROM order_line GROUP BY 1, 2, 3) l
            ON o_w_id = ol_w_id AND o_d_id = ol_d_id AND o_id = ol_o_id WHERE o_ol_cnt IS DISTINCT FROM are",
    ),
    (
        "7",
        "SELECT o_id FROM order_line JOIN orders ON (o_w_id, o_d_id, o_id) = (ol_w_id, ol_d_id, ol_o_id)
            WHERE (ol_delivery_d IS NULL) <> (o_carrier_id IS NULL)",
    ),
    (
        "8",
        "SELECT w_id FROM warehouse JOIN history ON h_w_id = w_id GROUP BY w_id, w_ytd HAVING w_ytd <> sum(h_amount)",
    ),
    (
        "9",
        "SELECT d_id FROM district JOIN history ON (h_w_id, h_d_id) = (d_w_id, d_id) GROUP BY d_w_id, d_id, d_ytd HAVING d_ytd <> sum(h_amount)",
    ),
    (
        "10 and 12",
        "SELECT c_id, c_balance, ordered, paid FROM customer
            LEFT JOIN (SELECT o_w_id, o_d_id, o_c_id, sum(ol_amount) AS ordered FROM orders JOIN order_line ON (ol_w_id, ol_d_id, ol_o_id) = (o_w_id, o_d_id, o_id)
                WHERE ol_delivery_d IS NOT NULL GROUP BY 1, 2, 3) o ON (o_w_id, o_d_id, o_c_id) = (c_w_id, c_d_id, c_id)
            LEFT JOIN (SELECT h_c_w_id, h_c_d_id, h_c_id, sum(h_amount) AS paid FROM history GROUP BY 1, 2, 3) h
                ON (h_c_w_id, h_c_d_id, h_c_id) = (c_w_id, c_d_id, c_id)
            WHERE c_balance <> coalesce(ordered, 0) - coalesce(paid, 0) OR c_balance + c_ytd_payment <> coalesce(ordered, 0)",
    ),
    (
        "stock and lines",
        "SELECT s_i_id FROM stock LEFT JOIN (SELECT ol_supply_w_id, ol_i_id, sum(ol_quantity) AS sold, count(*) AS times FROM order_line
                WHERE ol_o_id > 9 GROUP BY 1, 2) l ON (ol_supply_w_id, ol_i_id) = (s_w_id, s_i_id)
            WHERE s_ytd <> coalesce(sold, 0) OR s_order_cnt <> coalesce(times, 0) OR s_quantity < 0",
    ),
];

/// One terminal: its session, its numbers, and what it has committed.
struct Terminal {
    session: Session,
    random: Random,
    orders: i64,
    retries: u64,
}

impl Terminal {
    fn one(&mut self, n: usize) -> i32 {
        self.random.below(n) as i32 + 1
    }

    fn int(&mut self, sql: &str, with: impl Params) -> Result<Option<i32>> {
        self.session
            .query_opt(sql, with)?
            .map_or(Ok(None), |row| row.get(0))
    }

    fn run(mut self, level: &str, transactions: u64) -> Terminal {
        self.session
            .batch_execute("SET deadlock_timeout = '5ms'")
            .unwrap();
        for _ in 0..transactions {
            // A retry draws the same numbers.
            let state = self.random.0;
            while !self.transaction(level) {
                self.random.0 = state;
                self.retries += 1;
            }
        }
        self
    }

    /// Whether it is done; otherwise another transaction was in the way.
    fn transaction(&mut self, level: &str) -> bool {
        self.session
            .batch_execute(&format!("BEGIN ISOLATION LEVEL {level}"))
            .unwrap();
        let kind = self.random.below(100);
        let outcome = match kind {
            0..45 => self.new_order(),
            45..85 => self.payment().map(|()| true),
            85..90 => self.order_status().map(|()| true),
            90..95 => self.delivery().map(|()| true),
            _ => self.stock_level().map(|()| true),
        };
        let end = |commits: &bool| if *commits { "COMMIT" } else { "ROLLBACK" };
        let outcome = outcome.and_then(|commits| self.session.batch_execute(end(&commits)).map(|()| commits));
        match outcome {
            Ok(commits) => self.orders += i64::from(kind < 45 && commits),
            Err(error) => {
                assert!(matches!(error.code(), "40001" | "40P01"), "{error:?}");
                self.session.batch_execute("ROLLBACK").unwrap();
                return false;
            }
        }
        true
    }

    /// Whether it may commit: some name an item that does not exist.
    fn new_order(&mut self) -> Result<bool> {
        let (w, d, c) = (self.one(WAREHOUSES), self.one(DISTRICTS), self.one(CUSTOMERS));
        let lines = self.one(4);
        let o = self.int(
            "UPDATE district SET d_next_o_id = d_next_o_id + 1 WHERE d_w_id = $1 AND d_id = $2 RETURNING d_next_o_id - 1",
            params![w, d],
        )?;
        self.session.execute(
            "INSERT INTO orders VALUES ($1, $2, $3, $4, NULL, $5)",
            params![w, d, o, c, lines],
        )?;
        self.session
            .execute("INSERT INTO new_order VALUES ($1, $2, $3)", params![w, d, o])?;
        for line in 1..=lines {
            let (item, quantity) = (self.one(ITEMS + usize::from(line == lines)), self.one(10));
            let from = if self.random.chance(10) { 3 - w } else { w };
            let Some(price) = self.int(
                "SELECT (i_price * 100)::int FROM item WHERE i_id = $1",
                params![item],
            )?
            else {
                return Ok(false);
            };
            let left = self.int(
                "SELECT s_quantity FROM stock WHERE s_w_id = $1 AND s_i_id = $2",
                params![from, item],
            )?;
            let left = left.unwrap() - quantity;
            let left = if left < 10 { left + 91 } else { left };
            self.session.execute(
                "UPDATE stock SET s_quantity = $3, s_ytd = s_ytd + $4, s_order_cnt = s_order_cnt + 1 WHERE s_w_id = $1 AND s_i_id = $2",
                params![from, item, left, quantity],
            )?;
            self.session.execute(
                "INSERT INTO order_line VALUES ($1, $2, $3, $4, $5, $6, NULL, $7, $8::int / 100.0)",
                params![w, d, o, line, item, from, quantity, price * quantity],
            )?;
        }
        Ok(true)
    }

    /// By number, or the middle one of those with a last name.
    fn customer(&mut self, w: i32, d: i32) -> Result<i32> {
        let c = self.one(CUSTOMERS);
        if self.random.chance(40) {
            return Ok(c);
        }
        let named: Vec<i32> = self.session.query_map(
            "SELECT c_id FROM customer WHERE c_w_id = $1 AND c_d_id = $2 AND c_last = $3 ORDER BY c_first",
            params![w, d, format!("name {}", c % 3)],
            |row| row.get(0),
        )?;
        Ok(named[named.len() / 2])
    }

    fn payment(&mut self) -> Result<()> {
        let (w, d) = (self.one(WAREHOUSES), self.one(DISTRICTS));
        let far = self.random.chance(15);
        let (cw, cd) = if far { (3 - w, self.one(DISTRICTS)) } else { (w, d) };
        let cents = self.one(5000);
        self.session.execute(
            "UPDATE warehouse SET w_ytd = w_ytd + $2::int / 100.0 WHERE w_id = $1",
            params![w, cents],
        )?;
        self.session.execute(
            "UPDATE district SET d_ytd = d_ytd + $3::int / 100.0 WHERE d_w_id = $1 AND d_id = $2",
            params![w, d, cents],
        )?;
        let c = self.customer(cw, cd)?;
        self.session.execute(
            "UPDATE customer SET c_balance = c_balance - $4::int / 100.0, c_ytd_payment = c_ytd_payment + $4::int / 100.0
             WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3",
            params![cw, cd, c, cents],
        )?;
        self.session.execute(
            "INSERT INTO history VALUES ($1, $2, $3, $4, $5, $6::int / 100.0)",
            params![c, cd, cw, d, w, cents],
        )?;
        Ok(())
    }

    /// A reader's own condition: its last order is there whole.
    fn order_status(&mut self) -> Result<()> {
        let (w, d) = (self.one(WAREHOUSES), self.one(DISTRICTS));
        let c = self.customer(w, d)?;
        let last = self.session.query_opt(
            "SELECT o_id, o_ol_cnt FROM orders WHERE o_w_id = $1 AND o_d_id = $2 AND o_c_id = $3 ORDER BY o_id DESC LIMIT 1",
            params![w, d, c],
        )?;
        let Some(last) = last else { return Ok(()) };
        let (o, lines): (i32, i32) = (last.get(0)?, last.get(1)?);
        let amounts: Vec<i32> = self.session.query_map(
            "SELECT ol_i_id FROM order_line WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id = $3",
            params![w, d, o],
            |row| row.get(0),
        )?;
        assert_eq!(amounts.len(), lines as usize, "order {w} {d} {o}");
        Ok(())
    }

    fn delivery(&mut self) -> Result<()> {
        let (w, carrier) = (self.one(WAREHOUSES), self.one(10));
        for d in 1..=DISTRICTS as i32 {
            let oldest = self.int(
                "SELECT no_o_id FROM new_order WHERE no_w_id = $1 AND no_d_id = $2 ORDER BY no_o_id LIMIT 1",
                params![w, d],
            )?;
            let Some(o) = oldest else { continue };
            self.session.execute(
                "DELETE FROM new_order WHERE no_w_id = $1 AND no_d_id = $2 AND no_o_id = $3",
                params![w, d, o],
            )?;
            let c = self.int(
                "UPDATE orders SET o_carrier_id = $4 WHERE o_w_id = $1 AND o_d_id = $2 AND o_id = $3 RETURNING o_c_id",
                params![w, d, o, carrier],
            )?;
            self.session.execute(
                "UPDATE order_line SET ol_delivery_d = now() WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id = $3",
                params![w, d, o],
            )?;
            self.session.execute(
                "UPDATE customer SET c_balance = c_balance + (SELECT sum(ol_amount) FROM order_line WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id = $3)
                 WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $4",
                params![w, d, o, c],
            )?;
        }
        Ok(())
    }

    fn stock_level(&mut self) -> Result<()> {
        let (w, d, threshold) = (self.one(WAREHOUSES), self.one(DISTRICTS), self.one(20));
        let next = self.int(
            "SELECT d_next_o_id FROM district WHERE d_w_id = $1 AND d_id = $2",
            params![w, d],
        )?;
        let next = next.unwrap();
        self.session.query_one(
            "SELECT count(DISTINCT s_i_id) FROM order_line, stock WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id >= $3 AND ol_o_id < $4
             AND s_w_id = $1 AND s_i_id = ol_i_id AND s_quantity < $5",
            params![w, d, next - 20, next, threshold],
        )?;
        Ok(())
    }
}

fn books_are_right(level: &str) {
    let seed = number("PGLITE_TPCC_SEED", 20_261_122);
    let transactions = number("PGLITE_TPCC_TRANSACTIONS", 60);
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute(SET_UP).unwrap();
    let threads: Vec<_> = (0..SESSIONS)
        .map(|n| {
            let terminal = Terminal {
                session: db.session().unwrap(),
                random: Random(seed + n),
                orders: 0,
                retries: 0,
            };
            let level = level.to_owned();
            std::thread::spawn(move || terminal.run(&level, transactions))
        })
        .collect();
    let done: Vec<Terminal> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    let retries: u64 = done.iter().map(|t| t.retries).sum();
    println!(
        "{level}, seed {seed}: {} transactions, {retries} retries",
        SESSIONS * transactions
    );
    for (name, sql) in CONDITIONS {
        let broken: Vec<String> = session
            .query_map(format!("SELECT q::text FROM ({sql}) q"), params![], |row| {
                row.get(0)
            })
            .unwrap();
        assert!(
            broken.is_empty(),
            "condition {name}, seed {seed}, {level}: {broken:?}"
        );
    }
    let placed: i64 = session
        .query_one("SELECT sum(d_next_o_id - 10) FROM district", params![])
        .unwrap()
        .get(0)
        .unwrap();
    let orders: i64 = done.iter().map(|t| t.orders).sum();
    assert_eq!(
        placed, orders,
        "what the sessions committed is there, seed {seed}, {level}"
    );
    assert_eq!(
        session
            .query_one(
                format!("SELECT count(*) FROM orders WHERE o_id > {ORDERS}"),
                params![]
            )
            .unwrap()
            .get::<i64>(0)
            .unwrap(),
        orders
    );
}

#[test]
fn books_are_right_at_repeatable_read() {
    books_are_right("REPEATABLE READ");
}

#[test]
fn books_are_right_at_serializable() {
    books_are_right("SERIALIZABLE");
}
