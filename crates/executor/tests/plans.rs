//! Operators over tables in memory, compared with naive implementations.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeMap;

use common::{Oid, sqlstate};
use nodes::Expr;
use nodes::expr::{AggSplit, Aggref, ParamKind, VarSource};
use nodes::plan::*;
use nodes::query::*;
use support::*;
use types::settings::TypeRef;
use types::{Datum, oids};

fn sorted(mut rows: Vec<Vec<Datum>>) -> Vec<Vec<Datum>> {
    rows.sort_by_key(|r| format!("{r:?}"));
    rows
}

fn join_plan(kind: &str, join_type: JoinType, qual: Vec<Expr>, l: Plan, r: Plan) -> Plan {
    let both = matches!(
        join_type,
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full
    );
    let out = match join_type {
        JoinType::Semi | JoinType::Anti => vec![outer(1), outer(2)],
        JoinType::RightSemi | JoinType::RightAnti => vec![inner(1), inner(2)],
        _ => vec![outer(1), outer(2), inner(1), inner(2)],
    };
    assert_eq!(both, out.len() == 4);
    let key = op_oid("=", oids::INT4);
    let sort = |p: Plan| {
        plan(
            PlanNode::Sort {
                input: Box::new(p),
                keys: vec![sort_key(1, false, false)],
            },
            pass(2),
        )
    };
    let node = match kind {
        "hash" => PlanNode::HashJoin {
            join_type,
            clauses: vec![HashClause {
                outer: outer(1),
                inner: inner(1),
                eq_op: key,
                collation: Oid(0),
            }],
            join_qual: qual,
            inner_unique: false,
            outer: Box::new(l),
            inner: Box::new(plan(PlanNode::Hash { input: Box::new(r) }, pass(2))),
        },
        "merge" => PlanNode::MergeJoin {
            join_type,
            clauses: vec![MergeClause {
                outer: outer(1),
                inner: inner(1),
                cmp_func: Oid(351),
                eq_op: key,
                collation: Oid(0),
                descending: false,
                nulls_first: false,
            }],
            join_qual: qual,
            inner_unique: false,
            outer: Box::new(sort(l)),
            inner: Box::new(sort(r)),
        },
        _ => PlanNode::NestLoop {
            join_type,
            join_qual: [vec![op("=", outer(1), inner(1))], qual].concat(),
            params: Vec::new(),
            inner_unique: false,
            outer: Box::new(l),
            inner: Box::new(plan(PlanNode::Material { input: Box::new(r) }, pass(2))),
        },
    };
    plan(node, out)
}

/// `l.1 = r.1 [and l.2 < r.2]` done by the book.
fn naive_join(join_type: JoinType, less: bool, l: &[Vec<Datum>], r: &[Vec<Datum>]) -> Vec<Vec<Datum>> {
    let matches = |a: &[Datum], b: &[Datum]| {
        let eq = !a[0].is_null() && a[0] == b[0];
        let lt = matches!((a[1].as_i64(), b[1].as_i64()), (Some(x), Some(y)) if x < y);
        eq && (!less || lt)
    };
    let nulls = vec![Datum::Null; 2];
    let mut out = Vec::new();
    for a in l {
        let found: Vec<_> = r.iter().filter(|b| matches(a, b)).collect();
        match join_type {
            JoinType::Semi if !found.is_empty() => out.push(a.clone()),
            JoinType::Anti if found.is_empty() => out.push(a.clone()),
            JoinType::Semi | JoinType::Anti | JoinType::RightSemi | JoinType::RightAnti => {}
            _ => {
                out.extend(found.iter().map(|b| [a.clone(), (*b).clone()].concat()));
                if found.is_empty() && matches!(join_type, JoinType::Left | JoinType::Full) {
                    out.push([a.clone(), nulls.clone()].concat());
                }
            }
        }
    }
    for b in r {
        let found = l.iter().any(|a| matches(a, b));
        match join_type {
            JoinType::RightSemi if found => out.push(b.clone()),
            JoinType::RightAnti if !found => out.push(b.clone()),
            JoinType::Right | JoinType::Full if !found => out.push([nulls.clone(), b.clone()].concat()),
            _ => {}
        }
    }
    out
}

#[test]
fn joins_agree_with_the_naive_one() {
    let all = [
        JoinType::Inner,
        JoinType::Left,
        JoinType::Right,
        JoinType::Full,
        JoinType::Semi,
        JoinType::Anti,
        JoinType::RightSemi,
        JoinType::RightAnti,
    ];
    for seed in 1..12_u64 {
        let mut random = Random(seed);
        let mut db = Db::new();
        let (l, r) = (
            db.table("l", &[("a", oids::INT4), ("b", oids::INT4)], false),
            db.table("r", &[("a", oids::INT4), ("b", oids::INT4)], false),
        );
        let bound = 1 + random.next(30);
        let (nl, nr) = (random.next(90) as usize, random.next(90) as usize);
        let (lr, rr) = (random.rows(nl, 2, bound), random.rows(nr, 2, bound));
        db.insert(l, &lr).unwrap();
        db.insert(r, &rr).unwrap();
        for join_type in all {
            for less in [false, true] {
                let expected = sorted(naive_join(join_type, less, &lr, &rr));
                for kind in ["hash", "merge", "loop"] {
                    let looped = matches!(
                        join_type,
                        JoinType::Inner | JoinType::Left | JoinType::Semi | JoinType::Anti
                    );
                    if kind == "loop" && !looped {
                        continue;
                    }
                    for step in [1, 7, 1024] {
                        let qual = if less {
                            vec![op("<", outer(2), inner(2))]
                        } else {
                            vec![]
                        };
                        let p = join_plan(kind, join_type, qual, seq_scan(l, 1, 2), seq_scan(r, 2, 2));
                        let got = sorted(db.run_step(stmt(p), step).unwrap());
                        assert_eq!(
                            got, expected,
                            "seed {seed}, {kind}, {join_type:?}, less {less}, step {step}"
                        );
                    }
                }
            }
        }
    }
}

fn aggregate(name: &str, arg: Option<Expr>, result: Oid, distinct: bool) -> Expr {
    let types: Vec<Oid> = arg.iter().map(|e| e.type_oid()).collect();
    let func = functions::facts::procs_by_name(name)
        .find(|p| p.proargtypes == types && p.prokind == b'a')
        .unwrap()
        .oid;
    let star = arg.is_none();
    let distinct = if distinct {
        vec![SortGroupClause {
            target_ref: 1,
            eq_op: op_oid("=", oids::INT4),
            sort_op: op_oid("<", oids::INT4),
            reverse: false,
            nulls_first: false,
            hashable: true,
        }]
    } else {
        Vec::new()
    };
    Expr::Aggref(Box::new(Aggref {
        func,
        arg_types: types,
        trans_type: result,
        direct_args: Vec::new(),
        args: targets(arg.into_iter().collect()),
        order_by: Vec::new(),
        distinct,
        filter: None,
        star,
        variadic: false,
        kind: b'n',
        levels_up: 0,
        split: AggSplit::Simple,
        presorted: false,
        result: TypeRef::plain(result),
        input_collation: Oid(0),
        collation: Oid(0),
        span: common::Span::NONE,
    }))
}

fn agg_plan(input: Plan, strategy: AggStrategy, keys: Vec<GroupKey>, out: Vec<Expr>) -> Plan {
    plan(
        PlanNode::Agg {
            input: Box::new(input),
            strategy,
            split: AggSplit::Simple,
            keys,
            passes: Vec::new(),
            groups: 1.0,
        },
        out,
    )
}

#[test]
fn aggregates_agree_with_the_naive_ones() {
    for seed in 1..10_u64 {
        let mut random = Random(seed);
        let mut db = Db::new();
        let t = db.table("t", &[("a", oids::INT4), ("b", oids::INT4)], false);
        let n = random.next(3000) as usize;
        let bound = 1 + random.next(2000);
        let rows = random.rows(n, 2, bound);
        db.insert(t, &rows).unwrap();
        let mut groups: BTreeMap<Option<i64>, Vec<Option<i64>>> = BTreeMap::new();
        for r in &rows {
            groups.entry(r[0].as_i64()).or_default().push(r[1].as_i64());
        }
        let expected: Vec<Vec<Datum>> = groups
            .iter()
            .map(|(k, v)| {
                let some: Vec<i64> = v.iter().flatten().copied().collect();
                let mut different = some.clone();
                different.sort_unstable();
                different.dedup();
                vec![
                    k.map_or(Datum::Null, |k| int(k as i32)),
                    Datum::Int8(v.len() as i64),
                    if some.is_empty() {
                        Datum::Null
                    } else {
                        Datum::Int8(some.iter().sum())
                    },
                    Datum::Int8(different.len() as i64),
                ]
            })
            .collect();
        let count_distinct = |e: Expr| {
            let any = functions::facts::procs_by_name("count")
                .find(|p| p.proargtypes.len() == 1)
                .unwrap()
                .oid;
            let mut a = match aggregate("sum", Some(e), oids::INT8, true) {
                Expr::Aggref(a) => a,
                _ => unreachable!(),
            };
            a.func = any;
            Expr::Aggref(a)
        };
        let out = || {
            vec![
                outer(1),
                aggregate("count", None, oids::INT8, false),
                aggregate("sum", Some(outer(2)), oids::INT8, false),
                count_distinct(outer(2)),
            ]
        };
        for step in [1, 5, 1024] {
            let hashed = agg_plan(seq_scan(t, 1, 2), AggStrategy::Hashed, vec![group_key(1)], out());
            let input = plan(
                PlanNode::Sort {
                    input: Box::new(seq_scan(t, 1, 2)),
                    keys: vec![sort_key(1, false, false)],
                },
                pass(2),
            );
            let by_sort = agg_plan(input, AggStrategy::Sorted, vec![group_key(1)], out());
            let got = db.run_step(stmt(hashed), step).unwrap();
            assert_eq!(sorted(got), sorted(expected.clone()), "seed {seed} hashed");
            let got = db.run_step(stmt(by_sort), step).unwrap();
            assert_eq!(sorted(got), sorted(expected.clone()), "seed {seed} sorted");
        }
    }
}

#[test]
fn plain_aggregate_over_nothing_is_one_row() {
    let mut db = Db::new();
    let t = db.table("t", &[("a", oids::INT4)], false);
    let out = vec![
        aggregate("count", None, oids::INT8, false),
        aggregate("sum", Some(outer(1)), oids::INT8, false),
    ];
    let p = agg_plan(seq_scan(t, 1, 1), AggStrategy::Plain, vec![], out);
    assert_eq!(db.run(p).unwrap(), vec![vec![Datum::Int8(0), Datum::Null]]);
}

#[test]
fn sorts_agree_with_the_naive_one() {
    for seed in 1..8_u64 {
        let mut random = Random(seed);
        let mut db = Db::new();
        let t = db.table("t", &[("a", oids::INT4), ("b", oids::INT4)], false);
        let n = random.next(3000) as usize;
        let rows = random.rows(n, 2, 50);
        db.insert(t, &rows).unwrap();
        let (desc, first) = (random.next(2) == 1, random.next(2) == 1);
        let mut expected = rows.clone();
        let key = |d: &Datum, desc: bool, first: bool| match d.as_i64() {
            None => (if first { 0 } else { 2 }, 0),
            Some(v) => (1, if desc { -v } else { v }),
        };
        expected.sort_by_key(|r| (key(&r[0], desc, first), key(&r[1], false, false)));
        let keys = vec![sort_key(1, desc, first), sort_key(2, false, false)];
        let full = plan(
            PlanNode::Sort {
                input: Box::new(seq_scan(t, 1, 2)),
                keys: keys.clone(),
            },
            pass(2),
        );
        assert_eq!(db.run(full).unwrap(), expected, "seed {seed}");
        let by_first = plan(
            PlanNode::Sort {
                input: Box::new(seq_scan(t, 1, 2)),
                keys: keys[..1].to_vec(),
            },
            pass(2),
        );
        for step in [1, 10, 1024] {
            let incremental = plan(
                PlanNode::IncrementalSort {
                    input: Box::new(by_first.clone()),
                    keys: keys.clone(),
                    presorted: 1,
                },
                pass(2),
            );
            let got = db.run_step(stmt(incremental), step).unwrap();
            assert_eq!(got, expected, "incremental, seed {seed}, step {step}");
        }
    }
}

#[test]
fn limit_stops_before_an_error() {
    let mut db = Db::new();
    let t = db.table("t", &[("a", oids::INT4)], false);
    db.insert(t, &[vec![int(1)], vec![int(2)], vec![int(0)]]).unwrap();
    let scan = || {
        let mut p = seq_scan(t, 1, 1);
        p.target_list = targets(vec![op("/", int4(10), scan_col(1))]);
        p
    };
    let limited = |n: i64| {
        plan(
            PlanNode::Limit {
                input: Box::new(scan()),
                offset: None,
                count: Some(constant(Datum::Int8(n), oids::INT8)),
                ties: None,
            },
            pass(1),
        )
    };
    assert_eq!(db.run(limited(2)).unwrap(), vec![vec![int(10)], vec![int(5)]]);
    let e = db.run(limited(3)).unwrap_err();
    assert_eq!(e.sqlstate, sqlstate::DIVISION_BY_ZERO);
}

#[test]
fn nested_loop_passes_parameters_to_an_index_scan() {
    let mut db = Db::new();
    let t = db.table("t", &[("a", oids::INT4), ("b", oids::INT4)], true);
    let rows: Vec<_> = (0..2000).map(|i| vec![int(i), int(i * 2)]).collect();
    db.insert(t, &rows).unwrap();
    let index = db.index_of(t);
    let scan = |only: bool| {
        let s = IndexScan {
            rt_index: 1,
            relation: t,
            index,
            quals: vec![IndexQual {
                index_column: 0,
                strategy: 3,
                value: IndexQualValue::Expr(param(3, ParamKind::Exec)),
                original: op("=", scan_col(1), param(3, ParamKind::Exec)),
            }],
            order_by: Vec::new(),
            direction: ScanDirection::Forward,
        };
        if only {
            plan(PlanNode::IndexOnlyScan(s), vec![scan_col(1)])
        } else {
            plan(PlanNode::IndexScan(s), vec![scan_col(2)])
        }
    };
    for only in [false, true] {
        let list = values(vec![
            vec![int4(5)],
            vec![int4(77)],
            vec![int4(5000)],
            vec![int4(5)],
        ]);
        let p = plan(
            PlanNode::NestLoop {
                join_type: JoinType::Left,
                join_qual: Vec::new(),
                params: vec![NestLoopParam {
                    param: 3,
                    value: outer(1),
                }],
                inner_unique: true,
                outer: Box::new(list),
                inner: Box::new(scan(only)),
            },
            vec![outer(1), inner(1)],
        );
        let f = if only { 1 } else { 2 };
        let got = db.run(p).unwrap();
        let expected = vec![
            vec![int(5), int(5 * f)],
            vec![int(77), int(77 * f)],
            vec![int(5000), Datum::Null],
            vec![int(5), int(5 * f)],
        ];
        assert_eq!(got, expected);
    }
}

fn modify(operation: CommandType, table: Oid, columns: Vec<i16>, row_id: i16, input: Plan) -> Plan {
    let returning = targets(vec![
        var(VarSource::Scan, 1, oids::INT4),
        var(VarSource::Scan, 2, oids::INT4),
    ]);
    let node = PlanNode::ModifyTable(ModifyTable {
        operation,
        can_set_tag: true,
        root_relation: table,
        table_oid_column: 0,
        merge_join_condition: None,
        nominal_rt_index: 1,
        relations: vec![ResultRelation {
            rt_index: 1,
            relation: table,
            update_columns: columns,
            row_id_column: row_id,
            returning: returning.clone(),
            with_check_options: Vec::new(),
            merge_actions: Vec::new(),
        }],
        on_conflict: None,
        overriding: Overriding::NotSet,
        row_marks: Vec::new(),
        epq_param: 0,
        input: Box::new(input),
    });
    let mut p = plan(node, Vec::new());
    p.target_list = returning;
    p
}

fn row(a: i32, b: i32) -> Vec<Datum> {
    vec![int(a), int(b)]
}

#[test]
fn inserts_updates_deletes_and_keeps_indexes() {
    let mut db = Db::new();
    let t = db.table("t", &[("a", oids::INT4), ("b", oids::INT4)], true);
    let list = values(vec![vec![int4(1), int4(10)], vec![int4(2), int4(20)]]);
    let got = db
        .run(modify(CommandType::Insert, t, vec![1, 2], 0, list))
        .unwrap();
    assert_eq!(got, vec![row(1, 10), row(2, 20)]);
    let list = values(vec![vec![int4(2), int4(21)]]);
    let e = db
        .run(modify(CommandType::Insert, t, vec![1, 2], 0, list.clone()))
        .unwrap_err();
    assert_eq!(e.sqlstate, sqlstate::UNIQUE_VIOLATION);
    assert_eq!(e.detail.as_deref(), Some("Key (a)=(2) already exists."));
    assert_eq!(e.constraint.as_deref(), Some("t_pkey"));
    // Without a transaction around it the failed row's heap tuple would have to be undone: a new database does.
    let mut db = Db::new();
    let t = db.table("t", &[("a", oids::INT4), ("b", oids::INT4)], true);
    db.insert(t, &(0..50).map(|i| row(i, i)).collect::<Vec<_>>())
        .unwrap();
    let mut scan = seq_scan(t, 1, 2);
    scan.qual = vec![op("<", scan_col(1), int4(10))];
    scan.target_list = targets(vec![
        op("+", scan_col(1), int4(100)),
        var(VarSource::Scan, -1, oids::TID),
    ]);
    let got = db.run(modify(CommandType::Update, t, vec![1], 2, scan)).unwrap();
    assert_eq!(got[3], row(103, 3));
    let mut scan = seq_scan(t, 1, 2);
    scan.qual = vec![op("=", scan_col(1), int4(12))];
    scan.target_list = targets(vec![var(VarSource::Scan, -1, oids::TID)]);
    assert_eq!(
        db.run(modify(CommandType::Delete, t, vec![], 1, scan)).unwrap(),
        vec![row(12, 12)]
    );
    assert_eq!(db.run(seq_scan(t, 1, 2)).unwrap().len(), 49);
    let by_index = |low: i32| {
        plan(
            PlanNode::IndexScan(IndexScan {
                rt_index: 1,
                relation: t,
                index: db.index_of(t),
                quals: vec![IndexQual {
                    index_column: 0,
                    strategy: 4,
                    value: IndexQualValue::Expr(int4(low)),
                    original: op(">=", scan_col(1), int4(low)),
                }],
                order_by: Vec::new(),
                direction: ScanDirection::Backward,
            }),
            vec![scan_col(1), scan_col(2)],
        )
    };
    let got = db.run(by_index(48)).unwrap();
    assert_eq!((got.len(), &got[0], &got[11]), (12, &row(109, 9), &row(48, 48)));
}

#[test]
fn constraints_speak_like_postgresql() {
    let mut db = Db::new();
    let t = db.table_with("t", &[("a", oids::INT4), ("b", oids::INT4)], false, |d| {
        d.columns[0].not_null = true;
        d.columns[1].generated = b's';
        d.columns[1].default = Some(std::sync::Arc::new(op("*", scan_col(1), int4(3))));
        d.constraints.push(catalog::desc::ConstraintDesc {
            oid: Oid(1),
            name: "t_check".into(),
            kind: b'c',
            relation: d.oid,
            columns: vec![1],
            check: Some(std::sync::Arc::new(op("<", scan_col(2), int4(10)))),
            validated: true,
            enforced: true,
            is_local: true,
            ..Default::default()
        });
    });
    let e = db.insert(t, &[vec![Datum::Null, Datum::Null]]).unwrap_err();
    assert_eq!(
        e.message,
        "null value in column \"a\" of relation \"t\" violates not-null constraint"
    );
    assert_eq!(e.detail.as_deref(), Some("Failing row contains (null, null)."));
    let e = db.insert(t, &[row(5, 0)]).unwrap_err();
    assert_eq!(
        e.message,
        "new row for relation \"t\" violates check constraint \"t_check\""
    );
    assert_eq!(e.detail.as_deref(), Some("Failing row contains (5, 15)."));
    assert_eq!(
        (e.schema.as_deref(), e.table.as_deref()),
        (Some("public"), Some("t"))
    );
}

#[test]
fn memory_ends_in_an_error() {
    let mut db = Db::new();
    let t = db.table("t", &[("a", oids::INT4)], false);
    db.insert(t, &(0..40_000).map(|i| vec![int(i)]).collect::<Vec<_>>())
        .unwrap();
    db.memory = common::memory::MemoryBudget::new(1 << 16);
    let p = plan(
        PlanNode::Sort {
            input: Box::new(seq_scan(t, 1, 1)),
            keys: vec![sort_key(1, true, false)],
        },
        pass(1),
    );
    assert_eq!(db.run(p).unwrap_err().sqlstate, sqlstate::OUT_OF_MEMORY);
    assert_eq!(db.memory.used(), 0);
}

fn by_key(t: Oid, index: Oid, value: Expr, out: Vec<Expr>) -> Plan {
    plan(
        PlanNode::IndexScan(IndexScan {
            rt_index: 1,
            relation: t,
            index,
            quals: vec![IndexQual {
                index_column: 0,
                strategy: 3,
                value: IndexQualValue::Expr(value.clone()),
                original: op("=", scan_col(1), value),
            }],
            order_by: Vec::new(),
            direction: ScanDirection::Forward,
        }),
        out,
    )
}

fn without_returning(mut p: Plan) -> Plan {
    p.target_list.clear();
    if let PlanNode::ModifyTable(m) = &mut p.node {
        m.relations[0].returning.clear();
    }
    p
}

#[test]
fn point_statements_take_the_short_path() {
    use pglite_executor::{PointOutcome, PreparedPlan};
    let mut db = Db::new();
    let t = db.table("t", &[("a", oids::INT4), ("b", oids::INT4)], true);
    let index = db.index_of(t);
    let run = |p: Plan, params: &[Datum]| {
        let prepared = PreparedPlan::compile(std::sync::Arc::new(stmt(p)), &db.catalog).unwrap();
        assert!(prepared.is_point());
        let mut out = Vec::new();
        let done = db.with(params, |cx| prepared.run_point(cx, &mut out));
        db.txn.borrow_mut().next_command().unwrap();
        done.map(|d| (d.unwrap(), out))
    };
    let written = PointOutcome {
        rows: 0,
        processed: 1,
    };
    let p = |n| param(n, ParamKind::External);
    let source = || {
        plan(
            PlanNode::Result {
                input: None,
                one_time: Vec::new(),
            },
            vec![p(1), op("+", p(2), int4(1))],
        )
    };
    let insert = without_returning(modify(CommandType::Insert, t, vec![1, 2], 0, source()));
    for i in 0..300 {
        assert_eq!(run(insert.clone(), &row(i, i)).unwrap(), (written, vec![]));
    }
    let select = by_key(t, index, p(1), vec![scan_col(2), scan_col(1)]);
    let (done, out) = run(select.clone(), &[int(7)]).unwrap();
    assert_eq!((done.rows, out), (1, row(8, 7)));
    assert_eq!(run(select.clone(), &[int(1000)]).unwrap().0.rows, 0);
    assert_eq!(run(select.clone(), &[Datum::Null]).unwrap().0.rows, 0);
    let computed = by_key(t, index, p(1), vec![op("*", scan_col(2), scan_col(1))]);
    assert_eq!(run(computed, &[int(7)]).unwrap().1, vec![int(56)]);
    let input = by_key(
        t,
        index,
        p(1),
        vec![op("+", scan_col(2), p(2)), var(VarSource::Scan, -1, oids::TID)],
    );
    let update = without_returning(modify(CommandType::Update, t, vec![2], 2, input));
    assert_eq!(run(update.clone(), &row(7, 100)).unwrap().0, written);
    assert_eq!(run(update, &row(7777, 100)).unwrap().0.processed, 0);
    assert_eq!(run(select.clone(), &[int(7)]).unwrap().1, row(108, 7));
    let input = by_key(t, index, p(1), vec![var(VarSource::Scan, -1, oids::TID)]);
    let delete = without_returning(modify(CommandType::Delete, t, vec![], 1, input));
    assert_eq!(run(delete, &[int(7)]).unwrap().0, written);
    assert_eq!(run(select, &[int(7)]).unwrap().0.rows, 0);
    let e = run(insert, &row(8, 1)).unwrap_err();
    assert_eq!(e.sqlstate, sqlstate::UNIQUE_VIOLATION);
}

#[test]
fn a_concurrent_update_is_followed() {
    use txn::RowLockMode;
    // Few rows move when updated, many stay in place.
    for count in [20, 2000] {
        let mut db = Db::new();
        let t = db.table("t", &[("a", oids::INT4), ("b", oids::INT4)], false);
        db.insert(t, &(0..count).map(|i| row(i, i)).collect::<Vec<_>>())
            .unwrap();
        db.commit();
        let change = |condition: Expr| {
            let mut scan = seq_scan(t, 1, 2);
            scan.qual = vec![condition];
            scan.target_list = targets(vec![
                op("+", scan_col(2), int4(1)),
                var(VarSource::Scan, -1, oids::TID),
            ]);
            stmt(modify(CommandType::Update, t, vec![2], 2, scan))
        };
        let desc = catalog::CatalogView::relation(&db.catalog, t).unwrap().unwrap();
        let table = pglite_executor::RelationOpener::table(&db.relations, &desc).unwrap();
        let before = db.snapshot();
        let proc = db.storage.register(9).unwrap();
        let mut other = db.storage.begin(&proc, Default::default()).unwrap();
        for id in [5, 6, 7] {
            let snapshot = other.snapshot().unwrap();
            table
                .update(
                    &mut other,
                    &snapshot,
                    common::RowId(id),
                    &row(id as i32, 1000),
                    RowLockMode::NoKeyUpdate,
                )
                .unwrap();
        }
        let snapshot = other.snapshot().unwrap();
        table.delete(&mut other, &snapshot, common::RowId(8)).unwrap();
        other.commit().unwrap();
        let got = db
            .run_at(&before, change(op("=", scan_col(1), int4(5))), 1024)
            .unwrap();
        assert_eq!(got, vec![row(5, 1001)]);
        // The newest version no longer qualifies.
        let got = db
            .run_at(&before, change(op("=", scan_col(2), int4(6))), 1024)
            .unwrap();
        assert_eq!(got, Vec::<Vec<Datum>>::new());
        let got = db
            .run_at(&before, change(op("=", scan_col(1), int4(8))), 1024)
            .unwrap();
        assert_eq!(got, Vec::<Vec<Datum>>::new());
        let lock = |key: i32| {
            let mut scan = seq_scan(t, 1, 2);
            scan.qual = vec![op("=", scan_col(1), int4(key))];
            scan.target_list = targets(vec![scan_col(2), var(VarSource::Scan, -1, oids::TID)]);
            let marks = vec![PlanRowMark {
                rt_index: 1,
                relation: t,
                strength: Some(LockStrength::ForUpdate),
                wait: LockWait::Block,
                row_id_column: 2,
                table_oid_column: 0,
                members: Vec::new(),
                columns: Vec::new(),
            }];
            plan(
                PlanNode::LockRows {
                    input: Box::new(scan),
                    row_marks: marks,
                    epq_param: 0,
                },
                vec![outer(1), var(VarSource::Outer, 2, oids::TID)],
            )
        };
        assert_eq!(db.run_at(&before, stmt(lock(7)), 1024).unwrap()[0][0], int(1000));
        assert!(db.run_at(&before, stmt(lock(8)), 1024).unwrap().is_empty());
    }
}

#[test]
fn on_conflict_updates_or_does_nothing() {
    let mut db = Db::new();
    let t = db.table("t", &[("a", oids::INT4), ("b", oids::INT4)], true);
    db.insert(t, &(0..50).map(|i| row(i, i)).collect::<Vec<_>>())
        .unwrap();
    let upsert = |update: bool, rows: Vec<Vec<Expr>>| {
        let mut p = modify(CommandType::Insert, t, vec![1, 2], 0, values(rows));
        if let PlanNode::ModifyTable(m) = &mut p.node {
            let mut set = targets(vec![op("+", scan_col(2), inner(2))]);
            set[0].resno = 2;
            m.on_conflict = Some(OnConflictPlan {
                update,
                arbiter_indexes: vec![db.index_of(t)],
                set: if update { set } else { Vec::new() },
                where_clause: update.then(|| op("<>", scan_col(1), int4(9))),
            });
        }
        p
    };
    let rows = |list: &[(i32, i32)]| {
        list.iter()
            .map(|(a, b)| vec![int4(*a), int4(*b)])
            .collect::<Vec<_>>()
    };
    let got = db
        .run(upsert(false, rows(&[(1, 5), (100, 5), (100, 6)])))
        .unwrap();
    assert_eq!(got, vec![row(100, 5)]);
    let got = db.run(upsert(true, rows(&[(1, 5), (9, 5), (200, 6)]))).unwrap();
    assert_eq!(got, vec![row(1, 6), row(200, 6)]);
    let e = db.run(upsert(true, rows(&[(300, 5), (300, 6)]))).unwrap_err();
    assert_eq!(
        e.message,
        "ON CONFLICT DO UPDATE command cannot affect row a second time"
    );
}

#[test]
fn a_sort_under_a_limit_keeps_little() {
    let mut db = Db::new();
    let t = db.table("t", &[("a", oids::INT4)], false);
    let n = 60_000;
    let rows: Vec<_> = (0..n).map(|i| vec![int((i * 7919) % n)]).collect();
    db.insert(t, &rows).unwrap();
    db.memory = common::memory::MemoryBudget::new(200_000);
    let sort = plan(
        PlanNode::Sort {
            input: Box::new(seq_scan(t, 1, 1)),
            keys: vec![sort_key(1, true, false)],
        },
        pass(1),
    );
    let p = plan(
        PlanNode::Limit {
            input: Box::new(sort),
            offset: Some(constant(Datum::Int8(1), oids::INT8)),
            count: Some(constant(Datum::Int8(3), oids::INT8)),
            ties: None,
        },
        pass(1),
    );
    let expected: Vec<_> = (2..5).map(|k| vec![int(n - k)]).collect();
    assert_eq!(db.run(p).unwrap(), expected);
}
