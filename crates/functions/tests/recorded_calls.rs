//! Every recorded call of PostgreSQL's functions (`data/calls.tsv`, made by `record.py`) against our kernels: both the
//! datum and the vector form.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use common::cancel::CancelToken;
use common::{Oid, PgResult};
use pglite_functions as functions;
use types::io::{self, IoContext};
use types::{Datum, FormatSettings, PhysType, Selection, Vector};

use functions::{CallInfo, FnContext, facts};

mod site;

/// Undoes COPY's escapes; `None` for `\N`.
fn unescape(cell: &str) -> Option<String> {
    if cell == "\\N" {
        return None;
    }
    let mut out = String::new();
    let mut chars = cell.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('t') => out.push('\t'),
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('b') => out.push('\x08'),
                Some('f') => out.push('\x0c'),
                Some('v') => out.push('\x0b'),
                Some(other) => out.push(other),
                None => {}
            },
            c => out.push(c),
        }
    }
    Some(out)
}

fn shown(result_type: Oid, result: PgResult<Datum>, io: &IoContext<'_>) -> Option<String> {
    match result {
        Ok(Datum::Null) => None,
        Ok(value) => Some(io::to_text(result_type, &value, io).expect("prints")),
        Err(e) => Some(format!("!{} {}", e.sqlstate, e.message)),
    }
}

/// Comparison functions promise a sign only; the C library's cube root may differ in the last digit.
fn agree(function: &str, got: Option<&str>, expected: Option<&str>) -> bool {
    let (Some(a), Some(b)) = (got, expected) else {
        return got == expected;
    };
    if function.ends_with("cmp") {
        let sign = |s: &str| s.parse().map(i64::signum).ok();
        return sign(a) == sign(b);
    }
    if function == "dcbrt" {
        let (Ok(x), Ok(y)) = (a.parse::<f64>(), b.parse::<f64>()) else {
            return a == b;
        };
        return a == b || ((x - y) / y).abs() < 1e-15;
    }
    a == b
}

/// The same call as a batch of three rows, the first and last selected.
fn by_vector(
    kernels: functions::Kernels,
    ctx: &mut FnContext<'_>,
    row: &[Datum],
    result: Oid,
) -> PgResult<Datum> {
    let columns: Vec<Vector> = row
        .iter()
        .zip(&ctx.call.args)
        .map(|(d, t)| Vector::constant(PhysType::of_builtin(t.oid), d, 3).flatten())
        .collect();
    let args: Vec<&Vector> = columns.iter().collect();
    let mut out = Vector::defaults(PhysType::of_builtin(result), 3);
    (kernels.vector)(ctx, &args, &Selection::Rows([0, 2].into()), &mut out)?;
    let mut all = Vector::defaults(PhysType::of_builtin(result), 3);
    (kernels.vector)(ctx, &args, &Selection::All(3), &mut all)?;
    assert_eq!(out.datum(2), all.datum(1));
    Ok(all.datum(0))
}

#[test]
fn calls_answer_as_postgres_did() {
    let settings = FormatSettings::default();
    let io = IoContext::new(&settings);
    let cancel = CancelToken::new();
    let (mut tried, mut missing, mut wrong) = (0, BTreeMap::new(), Vec::new());
    for line in include_str!("data/calls.tsv").lines() {
        let mut cells = line.split('\t');
        let oid = Oid(cells.next().unwrap().parse().unwrap());
        let args = unescape(cells.next().unwrap()).unwrap_or_default();
        let expected = unescape(cells.next().unwrap());
        let proc = facts::proc(oid).unwrap();
        let Some(kernels) = functions::kernels(oid) else {
            *missing.entry(proc.prosrc).or_insert(0) += 1;
            continue;
        };
        let call = CallInfo::new(oid, proc.proargtypes, proc.prorettype);
        let row: PgResult<Vec<Datum>> = args
            .split('\x1f')
            .zip(proc.proargtypes)
            .map(|(text, t)| io::input(*t, -1, text, &io))
            .collect();
        tried += 1;
        let (scalar, vector) = match row {
            Ok(row) => site::with_context(&call, &cancel, |ctx| {
                (
                    (kernels.scalar)(ctx, &row),
                    by_vector(kernels, ctx, &row, proc.prorettype),
                )
            }),
            Err(e) => (Err(e.clone()), Err(e)),
        };
        // The server that recorded the answers was built without libxml; crate `pglite-xml` and tests/xml.rs test the type.
        if expected.as_deref() == Some("!0A000 unsupported XML feature") {
            continue;
        }
        // What only a session can answer is tested with one.
        if matches!(&scalar, Err(e) if e.message.ends_with("is not available here")) {
            continue;
        }
        for (form, result) in [("scalar", scalar), ("vector", vector)] {
            let got = shown(proc.prorettype, result, &io);
            if !agree(proc.prosrc, got.as_deref(), expected.as_deref()) {
                let args = args.replace('\x1f', " | ");
                wrong.push(format!(
                    "{form} {}({args}): {got:?}, PostgreSQL {expected:?}",
                    proc.prosrc
                ));
            }
        }
    }
    let names: Vec<&str> = missing.keys().copied().collect();
    println!(
        "{tried} calls; {} functions without code: {}",
        names.len(),
        names.join(" ")
    );
    assert!(
        wrong.is_empty(),
        "{} wrong of {tried}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
