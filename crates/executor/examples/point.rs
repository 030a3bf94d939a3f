//! Measures the short path: `cargo run --release -p pglite-executor --example point`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Instant;

use nodes::expr::ParamKind;
use nodes::plan::*;
use pglite_executor::PreparedPlan;
use support::*;
use types::{Datum, oids};

const ROWS: i32 = 100_000;

fn main() {
    let rounds: u64 = std::env::args().nth(1).map_or(1_000_000, |a| a.parse().unwrap());
    let mut db = Db::new();
    let t = db.table("t", &[("a", oids::INT4), ("b", oids::INT4)], true);
    let rows: Vec<Vec<Datum>> = (0..ROWS).map(|i| vec![int(i), int(i)]).collect();
    db.insert(t, &rows).unwrap();
    db.commit();
    db.storage.checkpoint().unwrap();
    db.storage.merge().unwrap();
    let key = param(1, ParamKind::External);
    let scan = plan(
        PlanNode::IndexScan(IndexScan {
            rt_index: 1,
            relation: t,
            index: db.index_of(t),
            quals: vec![IndexQual {
                index_column: 0,
                strategy: 3,
                value: IndexQualValue::Expr(key.clone()),
                original: op("=", scan_col(1), key),
            }],
            order_by: Vec::new(),
            direction: ScanDirection::Forward,
        }),
        vec![scan_col(2)],
    );
    let prepared = PreparedPlan::compile(Arc::new(stmt(scan)), &db.catalog).unwrap();
    let mut random = Random(1);
    let mut out = Vec::new();
    let begin = Instant::now();
    let mut sum = 0;
    for _ in 0..rounds {
        out.clear();
        let params = [int(random.next(ROWS as u64) as i32)];
        db.with(&params, |cx| prepared.run_point(cx, &mut out).unwrap());
        sum += out[0].as_i64().unwrap();
    }
    let spent = begin.elapsed();
    println!(
        "{rounds} point selects: {:.0} ns each, snapshot included (sum {sum})",
        spent.as_nanos() as f64 / rounds.max(1) as f64
    );
}
