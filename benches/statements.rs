//! One kind of statement, over and over: what `benches/instructions.sh` counts the instructions of.
//!
//! `statements KIND COUNT`, KIND one of `empty` (set-up alone), `prepared-select`, `text-select` (a new text each time, as the simple
//! protocol's), `prepared-update`, `tpcb` (pgbench's transaction, prepared, commits not waited for).
#![allow(clippy::unwrap_used)]

use pglite::{Database, Session, params};

const ROWS: i32 = 10_000;

fn set_up(session: &mut Session) {
    session
        .batch_execute(
            "create table pgbench_accounts (aid int not null, bid int, abalance int, filler char(84));
             create table pgbench_branches (bid int not null, bbalance int, filler char(88));
             create table pgbench_tellers (tid int not null, bid int, tbalance int, filler char(84));
             create table pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
             insert into pgbench_accounts select i, 1, 0, '' from generate_series(1, 10000) i;
             insert into pgbench_branches values (1, 0, '');
             insert into pgbench_tellers select i, 1, 0, '' from generate_series(1, 10) i;
             alter table pgbench_accounts add primary key (aid);
             alter table pgbench_branches add primary key (bid);
             alter table pgbench_tellers add primary key (tid)",
        )
        .unwrap();
    session.batch_execute("analyze").unwrap();
}

fn key(i: i32) -> i32 {
    i.wrapping_mul(7919).rem_euclid(ROWS) + 1
}

fn prepared_select(session: &mut Session, count: i32) {
    let select = session
        .prepare("select abalance from pgbench_accounts where aid = $1")
        .unwrap();
    for i in 0..count {
        let row = session.query_one(&select, params![key(i)]).unwrap();
        assert_eq!(row.get::<i32>(0).unwrap(), 0);
    }
}

fn text_select(session: &mut Session, count: i32) {
    for i in 0..count {
        let sql = format!("select abalance from pgbench_accounts where aid = {};", key(i));
        session.batch_execute(&sql).unwrap();
    }
}

fn prepared_update(session: &mut Session, count: i32) {
    let update = session
        .prepare("update pgbench_accounts set abalance = abalance + 1 where aid = $1")
        .unwrap();
    for i in 0..count {
        assert_eq!(session.execute(&update, params![key(i)]).unwrap(), 1);
    }
}

fn tpcb(session: &mut Session, count: i32) {
    let account = session
        .prepare("update pgbench_accounts set abalance = abalance + $1 where aid = $2")
        .unwrap();
    let balance = session
        .prepare("select abalance from pgbench_accounts where aid = $1")
        .unwrap();
    let teller = session
        .prepare("update pgbench_tellers set tbalance = tbalance + $1 where tid = $2")
        .unwrap();
    let branch = session
        .prepare("update pgbench_branches set bbalance = bbalance + $1 where bid = $2")
        .unwrap();
    let history = session
        .prepare("insert into pgbench_history (tid, bid, aid, delta, mtime) values ($1, $2, $3, $4, current_timestamp)")
        .unwrap();
    for i in 0..count {
        let (aid, tid, delta) = (key(i), i % 10 + 1, i % 100 - 50);
        let mut tx = session.transaction().unwrap();
        tx.execute(&account, params![delta, aid]).unwrap();
        tx.query_one(&balance, params![aid]).unwrap();
        tx.execute(&teller, params![delta, tid]).unwrap();
        tx.execute(&branch, params![delta, 1_i32]).unwrap();
        tx.execute(&history, params![tid, 1_i32, aid, delta]).unwrap();
        tx.commit().unwrap();
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let kind = arguments.get(1).map_or("empty", String::as_str);
    let count: i32 = arguments.get(2).and_then(|n| n.parse().ok()).unwrap_or(0);
    let database = Database::memory().unwrap();
    let mut session = database.session().unwrap();
    set_up(&mut session);
    match kind {
        "prepared-select" => prepared_select(&mut session, count),
        "text-select" => text_select(&mut session, count),
        "prepared-update" => prepared_update(&mut session, count),
        "tpcb" => tpcb(&mut session, count),
        _ => {}
    }
}
