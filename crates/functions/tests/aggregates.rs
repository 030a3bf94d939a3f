//! Aggregates against what PostgreSQL answers for the same rows, over one batch, over groups, and merged.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use common::cancel::CancelToken;
use common::{Oid, PgResult};
use pglite_functions as functions;
use types::io::{self, IoContext};
use types::{Datum, FormatSettings, PhysType, Selection, Vector, oids};

use functions::{Accumulator, CallInfo, FnCache, FnContext, NoSession, facts};

/// A call site with everything a context borrows.
struct Site {
    call: CallInfo,
    settings: FormatSettings,
    cancel: CancelToken,
    cache: FnCache,
}

impl Site {
    fn new(name: &str, arg: Oid) -> Site {
        let proc = facts::procs_by_name(name)
            .find(|p| p.prokind == b'a' && (p.proargtypes == [arg] || p.proargtypes == [oids::ANYNONARRAY]))
            .expect("aggregate exists");
        Site {
            call: CallInfo {
                // Of the database.
                collation: Oid(100),
                ..CallInfo::new(proc.oid, &[arg], proc.prorettype)
            },
            settings: FormatSettings::default(),
            cancel: CancelToken::new(),
            cache: FnCache::default(),
        }
    }

    fn ctx(&mut self) -> FnContext<'_> {
        FnContext {
            call: &self.call,
            settings: &self.settings,
            cancel: &self.cancel,
            session: &NoSession,
            cache: &mut self.cache,
        }
    }

    fn make(&self) -> Box<dyn Accumulator> {
        functions::aggregate(self.call.proc).expect("has code")(&self.call).unwrap()
    }

    fn show(&self, result: PgResult<Datum>) -> String {
        let io = IoContext::new(&self.settings);
        match result {
            Ok(Datum::Null) => "NULL".to_owned(),
            Ok(value) => io::to_text(self.call.result.oid, &value, &io).unwrap(),
            Err(e) => e.message.clone(),
        }
    }
}

fn column(arg: Oid, values: &str) -> Vector {
    let settings = FormatSettings::default();
    let io = IoContext::new(&settings);
    let values: Vec<Datum> = values
        .split(' ')
        .filter(|v| !v.is_empty())
        .map(|v| {
            if v == "NULL" {
                Datum::Null
            } else {
                io::input(arg, -1, v, &io).unwrap()
            }
        })
        .collect();
    Vector::from_datums(PhysType::of_builtin(arg), &values)
}

fn check(name: &str, arg: Oid, values: &str, expected: &str) {
    let mut site = Site::new(name, arg);
    let vector = column(arg, values);
    let all = Selection::All(vector.len());

    let mut single = site.make();
    single.resize(1);
    let result = single
        .update_single(&mut site.ctx(), 0, &[&vector], &all)
        .and_then(|()| single.finalize(&mut site.ctx(), 0));
    assert_eq!(site.show(result), expected, "{name}({values}) over a batch");

    // Rows dealt to groups 1 of two accumulators, then merged.
    let (mut a, mut b) = (site.make(), site.make());
    a.resize(2);
    b.resize(2);
    let half = vector.len() / 2;
    let first = all.filter(|i| i < half);
    let second = all.filter(|i| i >= half);
    let merged = a
        .update(&mut site.ctx(), &vec![1; first.len()], &[&vector], &first)
        .and_then(|()| b.update(&mut site.ctx(), &vec![0; second.len()], &[&vector], &second))
        .and_then(|()| a.combine(&mut site.ctx(), b, &[1, 0]))
        .and_then(|()| a.finalize(&mut site.ctx(), 1));
    assert_eq!(site.show(merged), expected, "{name}({values}) merged");
}

#[test]
fn numbers_sum_and_spread_as_in_postgres() {
    check("sum", oids::INT4, "2147483647 1 NULL -3", "2147483645");
    check(
        "sum",
        oids::INT8,
        "9223372036854775807 9223372036854775807",
        "18446744073709551614",
    );
    check("avg", oids::INT4, "1 2 NULL 4", "2.3333333333333333");
    check("avg", oids::INT8, "1 2", "1.5000000000000000");
    check("sum", oids::NUMERIC, "1.5 2.25 -0.001", "3.749");
    check(
        "sum",
        oids::NUMERIC,
        "123456789012345678901234567890 0.1",
        "123456789012345678901234567890.1",
    );
    check("avg", oids::NUMERIC, "1.5 2.25 10", "4.5833333333333333");
    check("stddev", oids::INT4, "1 2 3 4", "1.2909944487358056");
    check("var_pop", oids::INT4, "1 2 3 4", "1.2500000000000000");
    check("variance", oids::NUMERIC, "1.5 2.5 4.25", "1.9375000000000000");
    check("stddev", oids::INT4, "7", "NULL");
    check("sum", oids::FLOAT8, "0.5 0.25 4", "4.75");
    check("avg", oids::FLOAT8, "1 2 3.5", "2.1666666666666665");
    check("sum", oids::INT4, "", "NULL");
    check("sum", oids::INT4, "NULL NULL", "NULL");
}

#[test]
fn the_others_too() {
    check("min", oids::INT4, "3 NULL -7 5", "-7");
    check("max", oids::TEXT, "b abc NULL c ca", "ca");
    check("max", oids::FLOAT8, "1 NaN Infinity", "NaN");
    check("min", oids::NUMERIC, "1.50 1.5 2", "1.5");
    check("bool_and", oids::BOOL, "t NULL f", "f");
    check("bool_or", oids::BOOL, "f NULL f", "f");
    check("bit_xor", oids::INT4, "5 3", "6");
}

#[test]
fn array_agg_keeps_nulls() {
    let mut site = Site::new("array_agg", oids::INT4);
    let vector = column(oids::INT4, "1 NULL 3");
    let mut agg = site.make();
    agg.resize(1);
    agg.update_single(&mut site.ctx(), 0, &[&vector], &Selection::All(3))
        .unwrap();
    let result = agg.finalize(&mut site.ctx(), 0).unwrap();
    let io = IoContext::new(&site.settings);
    assert_eq!(io::to_text(oids::INT4_ARRAY, &result, &io).unwrap(), "{1,NULL,3}");
}

#[test]
fn overflow_counts_at_rows_that_are_not_null_only() {
    let site = Site::new("sum", oids::INT4);
    let mut site = Site {
        call: CallInfo::new(Oid(177), &[oids::INT4, oids::INT4], oids::INT4),
        ..site
    };
    let kernels = functions::kernels(Oid(177)).unwrap();
    let mut a = Vector::from_datums(PhysType::Int4, &[Datum::Int4(i32::MAX), Datum::Int4(1)]);
    let b = Vector::constant(PhysType::Int4, &Datum::Int4(1), 2);
    let mut out = Vector::defaults(PhysType::Int4, 2);
    let e = (kernels.vector)(&mut site.ctx(), &[&a, &b], &Selection::All(2), &mut out).unwrap_err();
    assert_eq!(
        (e.sqlstate.as_str(), e.message.as_str()),
        ("22003", "integer out of range")
    );
    a.set_null(0);
    (kernels.vector)(&mut site.ctx(), &[&a, &b], &Selection::All(2), &mut out).unwrap();
    assert_eq!((out.datum(0), out.datum(1)), (Datum::Null, Datum::Int4(2)));
}
