//! The five kinds of transactions. All numbers of one are drawn before it begins, in the order of pgbench's scripts.

use std::hint::black_box;

use pglite::{Params, Result, Row, Session, Statement, params};

use super::statements::Statements;
use super::{CUSTOMERS, DISTRICTS, ITEMS, WAREHOUSES};
use crate::Random;

/// A session, what it has prepared, and its numbers.
pub struct Terminal {
    session: Session,
    statements: Statements,
    pub random: Random,
}

/// One item of an order: what, how much, and from which warehouse.
struct Line {
    item: i32,
    quantity: i32,
    from: i32,
}

/// How a customer is found.
enum Customer {
    Number(i32),
    /// A last name of a thousand.
    Name(i32),
}

/// All rows of a result, each value made text.
fn all(session: &mut Session, statement: &Statement, with: impl Params) -> Result<Vec<Row>> {
    let rows = session.query(statement.clone(), with)?;
    for row in &rows {
        for at in 0..row.len() {
            black_box(row.get_text(at)?);
        }
    }
    Ok(rows)
}

/// The only row of a result.
fn one(session: &mut Session, statement: &Statement, with: impl Params) -> Result<Row> {
    let mut rows = all(session, statement, with)?;
    assert_eq!(rows.len(), 1, "rows");
    Ok(rows.remove(0))
}

/// Changes so many rows.
fn change(session: &mut Session, statement: &Statement, with: impl Params) -> Result<u64> {
    session.execute(statement.clone(), with)
}

impl Terminal {
    pub fn new(mut session: Session, random: Random) -> Terminal {
        let statements = Statements::prepare(&mut session);
        Terminal {
            session,
            statements,
            random,
        }
    }

    /// One of the mix. Rolled back where it fails.
    pub fn transaction(&mut self) -> Result<()> {
        match self.random.below(100) {
            0..45 => self.new_order(),
            45..88 => self.payment(),
            88..92 => self.order_status(),
            92..96 => self.delivery(),
            _ => self.stock_level(),
        }
    }

    fn warehouse_and_district(&mut self) -> (i32, i32) {
        (
            self.random.between(1, WAREHOUSES),
            self.random.between(1, DISTRICTS),
        )
    }

    /// Another warehouse.
    fn other(&mut self, w: i32) -> i32 {
        (w + self.random.between(0, WAREHOUSES - 2)) % WAREHOUSES + 1
    }

    /// 60 % by last name, 40 % by number.
    fn choose_customer(&mut self) -> Customer {
        let by_name = self.random.percent(60);
        let (name, number) = (
            self.random.uneven(255, 0, 999),
            self.random.uneven(1023, 1, CUSTOMERS),
        );
        if by_name {
            Customer::Name(name)
        } else {
            Customer::Number(number)
        }
    }

    fn choose_line(&mut self, w: i32) -> Line {
        let (item, quantity) = (self.random.uneven(8191, 1, ITEMS), self.random.between(1, 10));
        let from = if self.random.percent(1) { self.other(w) } else { w };
        Line { item, quantity, from }
    }

    fn new_order(&mut self) -> Result<()> {
        let (w, d) = self.warehouse_and_district();
        let c = self.random.uneven(1023, 1, CUSTOMERS);
        let lines = self.random.between(5, 15);
        let wrong = self.random.percent(1);
        let lines: Vec<Line> = (0..lines).map(|_| self.choose_line(w)).collect();
        let local = i32::from(lines.iter().all(|line| line.from == w));
        let (count, s) = (lines.len() as i32, &self.statements);
        let mut tx = self.session.transaction()?;
        one(&mut tx, &s.taxes, params![w, d, c])?;
        let o: i32 = one(&mut tx, &s.next_order, params![w, d])?.get(0)?;
        change(&mut tx, &s.add_order, params![w, d, o, c, count, local])?;
        change(&mut tx, &s.add_new_order, params![w, d, o])?;
        for (n, line) in (1..).zip(&lines) {
            // The last item of one order in a hundred does not exist; the order is rolled back.
            if wrong && n == count {
                all(&mut tx, &s.no_item, params![])?;
                return tx.rollback();
            }
            order_line(&mut tx, s, [w, d, o, n], line)?;
        }
        tx.commit()
    }

    fn payment(&mut self) -> Result<()> {
        let (w, d) = self.warehouse_and_district();
        let far = self.random.percent(15);
        let (cw, cd) = if far {
            (self.other(w), self.random.between(1, DISTRICTS))
        } else {
            (w, d)
        };
        let cents = self.random.between(100, 500_000);
        let (customer, s) = (self.choose_customer(), &self.statements);
        let mut tx = self.session.transaction()?;
        one(&mut tx, &s.pay_warehouse, params![cents, w])?;
        one(&mut tx, &s.pay_district, params![cents, w, d])?;
        let (c, row) = find(
            &mut tx,
            s,
            [&s.credit_by_name, &s.credit_by_number],
            (cw, cd),
            &customer,
        )?;
        if row.get::<i32>("bad")? == 1 {
            change(&mut tx, &s.pay_bad, params![cents, cw, cd, c, d, w])?;
        } else {
            change(&mut tx, &s.pay_good, params![cents, cw, cd, c])?;
        }
        change(&mut tx, &s.add_history, params![c, cd, cw, d, w, cents])?;
        tx.commit()
    }

    fn order_status(&mut self) -> Result<()> {
        let (w, d) = self.warehouse_and_district();
        let (customer, s) = (self.choose_customer(), &self.statements);
        let mut tx = self.session.transaction()?;
        let (c, _) = find(
            &mut tx,
            s,
            [&s.status_by_name, &s.status_by_number],
            (w, d),
            &customer,
        )?;
        let o: i32 = one(&mut tx, &s.last_order, params![w, d, c])?.get(0)?;
        all(&mut tx, &s.lines, params![w, d, o])?;
        tx.commit()
    }

    fn delivery(&mut self) -> Result<()> {
        let (w, carrier) = (self.random.between(1, WAREHOUSES), self.random.between(1, 10));
        let s = &self.statements;
        let mut tx = self.session.transaction()?;
        for d in 1..=DISTRICTS {
            let oldest = all(&mut tx, &s.oldest, params![w, d])?;
            let Some(row) = oldest.first() else { continue };
            let o: i32 = row.get(0)?;
            change(&mut tx, &s.drop_new_order, params![w, d, o])?;
            let c: i32 = one(&mut tx, &s.carry, params![carrier, w, d, o])?.get(0)?;
            change(&mut tx, &s.deliver, params![w, d, o])?;
            let total = one(&mut tx, &s.total, params![w, d, o])?.get_text(0)?;
            change(&mut tx, &s.charge, params![total, w, d, c])?;
        }
        tx.commit()
    }

    fn stock_level(&mut self) -> Result<()> {
        let (w, d) = self.warehouse_and_district();
        let (threshold, s) = (self.random.between(10, 20), &self.statements);
        let mut tx = self.session.transaction()?;
        let next: i32 = one(&mut tx, &s.next, params![w, d])?.get(0)?;
        one(&mut tx, &s.low_stock, params![w, d, next, threshold])?;
        tx.commit()
    }
}

/// One line of an order (warehouse, district, order, number), and its stock.
fn order_line(tx: &mut Session, s: &Statements, [w, d, o, n]: [i32; 4], line: &Line) -> Result<()> {
    let Line { item, quantity, from } = *line;
    let price = one(tx, &s.item, params![item])?.get_text("price")?;
    let row = one(tx, &s.stock, params![d, item, from])?;
    let (stock, info): (i32, String) = (row.get("stock")?, row.get("info")?);
    let left = if stock - quantity < 10 {
        stock - quantity + 91
    } else {
        stock - quantity
    };
    let remote = i32::from(from != w);
    change(tx, &s.take_stock, params![left, quantity, remote, item, from])?;
    change(
        tx,
        &s.add_line,
        params![w, d, o, n, item, from, quantity, price, info],
    )?;
    Ok(())
}

/// A customer's number and what a transaction wants of its row, by one of two statements: by name (the middle one of those by first name) or number.
fn find(
    tx: &mut Session,
    s: &Statements,
    how: [&Statement; 2],
    (w, d): (i32, i32),
    customer: &Customer,
) -> Result<(i32, Row)> {
    match *customer {
        Customer::Number(c) => Ok((c, one(tx, how[1], params![w, d, c])?)),
        Customer::Name(name) => {
            let (s1, s2, s3) = (name / 100 + 1, name / 10 % 10 + 1, name % 10 + 1);
            let namesakes: i64 = one(tx, &s.namesakes, params![w, d, s1, s2, s3])?.get(0)?;
            let middle = (namesakes + 1) / 2 - 1;
            let row = one(tx, how[0], params![w, d, s1, s2, s3, middle])?;
            Ok((row.get("c")?, row))
        }
    }
}
