//! The initial population, by COPY; the same shapes as those of `benches/tpcc.py`.

use std::fmt::{Display, Write as _};

use pglite::Session;

use super::{CUSTOMERS, DISTRICTS, ITEMS, ORDERS, WAREHOUSES, run_all};
use crate::Random;

const DELIVERED: i32 = 2_100;
const WHEN: &str = "2026-11-22 10:00:00";
const ADDRESS: &str = "BE\t123411111";

/// Lines of COPY for one table at a time, sent as they come.
struct Writer<'s> {
    session: &'s mut Session,
    random: Random,
    texts: Vec<String>,
}

/// Numbers below a hundred as hundredths.
fn hundredths(number: i32) -> String {
    format!("{}.{:02}", number / 100, number % 100)
}

fn or_null(value: impl Display, there: bool) -> String {
    if there { value.to_string() } else { "\\N".into() }
}

impl Writer<'_> {
    /// Part of one of 64 texts.
    fn words(&mut self, low: i32, high: i32) -> &str {
        let length = self.random.between(low, high) as usize;
        &self.texts[self.random.below(64) as usize][..length]
    }

    /// A rate below `below` ten-thousandths.
    fn rate(&mut self, below: i32) -> String {
        format!("0.{:04}", self.random.between(0, below))
    }

    fn address(&mut self) -> String {
        let mut parts = || self.words(10, 20).to_owned();
        format!("{}\t{}\t{}\t{ADDRESS}", parts(), parts(), parts())
    }

    fn send(&mut self, table: &str, lines: &str) {
        let mut copy = self.session.copy_in(&format!("COPY {table} FROM STDIN")).unwrap();
        lines
            .as_bytes()
            .chunks(1 << 16)
            .for_each(|piece| copy.write(piece).unwrap());
        copy.finish().unwrap();
    }

    fn items(&mut self) {
        let mut out = String::new();
        for i in 1..=ITEMS {
            let (image, price) = (
                self.random.between(1, 10_000),
                hundredths(self.random.between(100, 10_000)),
            );
            let name = self.words(14, 24).to_owned();
            writeln!(out, "{i}\t{image}\t{name}\t{price}\t{}", self.words(26, 50)).unwrap();
        }
        self.send("item", &out);
    }

    fn warehouse(&mut self, w: i32) {
        let (name, address, tax) = (self.words(6, 10).to_owned(), self.address(), self.rate(2_000));
        self.send(
            "warehouse",
            &format!("{w}\t{name}\t{address}\t{tax}\t300000.00\n"),
        );
        let mut out = String::new();
        for i in 1..=ITEMS {
            let quantity = self.random.between(10, 100);
            let dist: Vec<String> = (0..10).map(|_| self.words(24, 24).to_owned()).collect();
            writeln!(
                out,
                "{w}\t{i}\t{quantity}\t{{{}}}\t0\t0\t0\t{}",
                dist.join(","),
                self.words(26, 50)
            )
            .unwrap();
        }
        self.send("stock", &out);
    }

    fn district(&mut self, w: i32, d: i32) {
        let (name, address, tax) = (self.words(6, 10).to_owned(), self.address(), self.rate(2_000));
        self.send(
            "district",
            &format!("{w}\t{d}\t{name}\t{address}\t{tax}\t30000.00\t{}\n", ORDERS + 1),
        );
        let (mut customers, mut history) = (String::new(), String::new());
        for c in 1..=CUSTOMERS {
            let last = if c <= 1000 {
                c - 1
            } else {
                self.random.uneven(255, 0, 999)
            };
            let [first, street, city] =
                [(8, 16), (10, 20), (10, 20)].map(|(low, high)| self.words(low, high).to_owned());
            let credit = if self.random.percent(10) { "BC" } else { "GC" };
            let discount = self.rate(5_000);
            write!(
                customers,
                "{w}\t{d}\t{c}\t{first}\tOE\t{}\t{street}\t{city}\t{ADDRESS}\t",
                last_name(last)
            )
            .unwrap();
            write!(
                customers,
                "0123456789012345\t{WHEN}\t{credit}\t50000.00\t{discount}\t-10.00\t10.00\t1\t0\t"
            )
            .unwrap();
            writeln!(customers, "{}", self.words(300, 500)).unwrap();
            writeln!(
                history,
                "{c}\t{d}\t{w}\t{d}\t{w}\t{WHEN}\t10.00\t{}",
                self.words(12, 24)
            )
            .unwrap();
        }
        self.send("customer", &customers);
        self.send("history", &history);
    }

    /// One order of each customer, in random order.
    fn orders(&mut self, w: i32, d: i32) {
        let mut customers: Vec<i32> = (1..=CUSTOMERS).collect();
        for at in (1..customers.len()).rev() {
            customers.swap(at, self.random.below(at as u64 + 1) as usize);
        }
        let (mut orders, mut new_orders, mut all_lines) = (String::new(), String::new(), String::new());
        for (o, customer) in (1..=ORDERS).zip(customers) {
            let (lines, delivered) = (self.random.between(5, 15), o <= DELIVERED);
            let carrier = or_null(self.random.between(1, 10), delivered);
            writeln!(orders, "{w}\t{d}\t{o}\t{customer}\t{WHEN}\t{carrier}\t{lines}\t1").unwrap();
            if !delivered {
                writeln!(new_orders, "{w}\t{d}\t{o}").unwrap();
            }
            for n in 1..=lines {
                let (item, then) = (self.random.between(1, ITEMS), or_null(WHEN, delivered));
                let amount = if delivered {
                    0
                } else {
                    self.random.between(1, 999_999)
                };
                write!(
                    all_lines,
                    "{w}\t{d}\t{o}\t{n}\t{item}\t{w}\t{then}\t5\t{}\t",
                    hundredths(amount)
                )
                .unwrap();
                writeln!(all_lines, "{}", self.words(24, 24)).unwrap();
            }
        }
        self.send("orders", &orders);
        self.send("new_order", &new_orders);
        self.send("order_line", &all_lines);
    }
}

/// A customer's last name, of three syllables.
fn last_name(number: i32) -> String {
    const SYLLABLES: [&str; 10] = [
        "BAR", "OUGHT", "ABLE", "PRI", "PRES", "ESE", "ANTI", "CALLY", "ATION", "EING",
    ];
    [number / 100, number / 10 % 10, number % 10]
        .map(|digit| SYLLABLES[digit as usize])
        .concat()
}

/// Makes the tables, fills them, and then makes what is made quickest afterwards.
pub fn load(session: &mut Session) {
    run_all(session, include_str!("../../../tpcc/schema.sql"));
    let mut random = Random(0x2026_1122_9e37_79b9);
    let mut text = || {
        (0..500)
            .map(|_| char::from(b'a' + random.below(26) as u8))
            .collect()
    };
    let texts = (0..64).map(|_| text()).collect();
    let mut writer = Writer {
        session,
        random,
        texts,
    };
    writer.items();
    for w in 1..=WAREHOUSES {
        writer.warehouse(w);
        for d in 1..=DISTRICTS {
            writer.district(w, d);
            writer.orders(w, d);
        }
    }
    run_all(writer.session, include_str!("../../../tpcc/indexes.sql"));
}
