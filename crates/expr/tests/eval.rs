//! Compiled expressions over batches and over single rows.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use common::cancel::{CancelReason, CancelToken};
use common::{Oid, PgResult, Span, sqlstate};
use functions::{NoSession, facts};
use nodes::expr::*;
use nodes::{Expr, RelIds, Var};
use pglite_expr::*;
use types::settings::TypeRef;
use types::{ArrayDim, ArrayValue, Datum, FormatSettings, PhysType, Rows, Selection, Vector, oids};

struct Env;

impl CompileEnv for Env {
    fn column(&self, var: &Var) -> PgResult<ColumnPlace> {
        Ok(ColumnPlace {
            side: Side::Scan,
            index: var.attno as usize - 1,
        })
    }
    fn domain(&self, type_oid: Oid) -> PgResult<DomainInfo> {
        Err(common::internal!("no domain {type_oid}"))
    }
}

#[derive(Default)]
struct Rt {
    settings: FormatSettings,
    cancel: CancelToken,
    slots: Vec<Datum>,
    subplan: Arc<Rows>,
}

impl Runtime for Rt {
    fn parts(&self) -> FnParts<'_> {
        FnParts {
            settings: &self.settings,
            cancel: &self.cancel,
            session: &NoSession,
        }
    }
    fn param(&self, number: usize) -> PgResult<Datum> {
        Err(common::internal!("no parameter {number}"))
    }
    fn exec_param(&self, slot: usize) -> PgResult<Datum> {
        Ok(self.slots[slot].clone())
    }
    fn set_exec_param(&mut self, slot: usize, value: Datum) {
        self.slots.resize(self.slots.len().max(slot + 1), Datum::Null);
        self.slots[slot] = value;
    }
    fn subplan_rows(&mut self, _plan_id: usize, _max: usize) -> PgResult<Arc<Rows>> {
        Ok(Arc::clone(&self.subplan))
    }
    fn next_value(&mut self, _sequence: Oid) -> PgResult<i64> {
        Ok(1)
    }
}

fn int(v: i32) -> Datum {
    Datum::Int4(v)
}

fn boolean(v: Option<bool>) -> Datum {
    v.map_or(Datum::Null, Datum::Bool)
}

fn constant(value: Datum, type_oid: Oid) -> Expr {
    Expr::Const(Const {
        value,
        type_ref: TypeRef::plain(type_oid),
        collation: Oid(0),
        span: Span::NONE,
    })
}

fn int4(v: i32) -> Expr {
    constant(int(v), oids::INT4)
}

fn col(attno: i16, type_oid: Oid) -> Expr {
    Expr::Var(Var {
        source: VarSource::Scan,
        attno,
        type_ref: TypeRef::plain(type_oid),
        collation: Oid(0),
        nulling_rels: RelIds::empty(),
        returning: Default::default(),
        span: Span::NONE,
    })
}

fn a() -> Expr {
    col(1, oids::INT4)
}

fn func(name: &str, l: Expr, r: Expr) -> FuncExpr {
    let o = facts::operator_exact(name, l.type_oid(), r.type_oid()).unwrap();
    FuncExpr {
        func: o.oprcode,
        op: o.oid,
        args: vec![l, r],
        result: TypeRef::plain(o.oprresult),
        returns_set: false,
        variadic: false,
        form: CoercionForm::ExplicitCall,
        input_collation: Oid(0),
        collation: Oid(0),
        span: Span::NONE,
    }
}

fn op(name: &str, l: Expr, r: Expr) -> Expr {
    Expr::Func(func(name, l, r))
}

fn boolean_op(op: BoolOp, args: Vec<Expr>) -> Expr {
    Expr::Bool(BoolExpr {
        op,
        args,
        span: Span::NONE,
    })
}

fn case(whens: Vec<(Expr, Expr)>, default: Expr) -> Expr {
    Expr::Case(CaseExpr {
        arg: None,
        result: default.type_ref(),
        collation: Oid(0),
        whens: whens
            .into_iter()
            .map(|(condition, result)| CaseWhen {
                condition,
                result,
                span: Span::NONE,
            })
            .collect(),
        default: Box::new(default),
        span: Span::NONE,
    })
}

/// Values for each row of a column `a` (and other columns), computed both ways.
fn eval(e: &Expr, rows: &[Vec<Datum>], phys: &[PhysType], rt: &mut Rt) -> PgResult<Vec<Datum>> {
    let program = ExprProgram::compile(e, &Env).unwrap();
    let columns: Vec<Arc<Vector>> = phys
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let values: Vec<Datum> = rows.iter().map(|r| r[i].clone()).collect();
            Arc::new(Vector::from_datums(*p, &values))
        })
        .collect();
    let mut state = program.new_state();
    let n = rows.len();
    let batch = program.eval(rt, &mut state, Inputs::scan(&columns, n), &Selection::All(n));
    let one_by_one: PgResult<Vec<Datum>> = rows
        .iter()
        .map(|r| {
            let row = RowInputs {
                scan: r,
                ..RowInputs::default()
            };
            program.eval_row(rt, &mut program.new_state(), row)
        })
        .collect();
    match (batch, one_by_one) {
        (Ok(v), Ok(rows)) => {
            let batch: Vec<Datum> = (0..n).map(|i| v.datum(i)).collect();
            assert_eq!(batch, rows, "batch and row evaluation differ for {e:?}");
            Ok(batch)
        }
        (Err(x), Err(y)) => {
            assert_eq!(x.sqlstate, y.sqlstate);
            Err(x)
        }
        (x, y) => panic!("one fails, the other does not: {x:?} {y:?}"),
    }
}

fn ints(e: &Expr, values: &[Option<i32>]) -> PgResult<Vec<Datum>> {
    let rows: Vec<Vec<Datum>> = values.iter().map(|v| vec![v.map_or(Datum::Null, int)]).collect();
    eval(e, &rows, &[PhysType::Int4], &mut Rt::default())
}

#[test]
fn later_parts_run_only_for_rows_that_need_them() {
    let divides = || op("/", int4(10), a());
    let nonzero = || op("<>", a(), int4(0));
    let values = [Some(5), Some(0), None, Some(2)];
    let guarded = case(vec![(nonzero(), divides())], constant(Datum::Null, oids::INT4));
    assert_eq!(
        ints(&guarded, &values).unwrap(),
        [int(2), Datum::Null, Datum::Null, int(5)]
    );
    let and = boolean_op(BoolOp::And, vec![nonzero(), op(">", divides(), int4(3))]);
    let expected = [Some(false), Some(false), None, Some(true)].map(boolean);
    assert_eq!(ints(&and, &values).unwrap(), expected);
    let is_zero = op("=", a(), int4(0));
    let or = boolean_op(BoolOp::Or, vec![is_zero, op(">", divides(), int4(3))]);
    let expected = [Some(false), Some(true), None, Some(true)].map(boolean);
    assert_eq!(ints(&or, &values).unwrap(), expected);
    let e = ints(&divides(), &values).unwrap_err();
    assert_eq!(e.sqlstate, sqlstate::DIVISION_BY_ZERO);
}

#[test]
fn coalesce_stops_at_the_first_value() {
    let e = Expr::Coalesce(TypedArgs {
        args: vec![a(), op("/", int4(1), int4(0))],
        result: TypeRef::plain(oids::INT4),
        collation: Oid(0),
        span: Span::NONE,
    });
    assert_eq!(ints(&e, &[Some(1), Some(2)]).unwrap(), [int(1), int(2)]);
    assert!(ints(&e, &[Some(1), None]).is_err());
}

#[test]
fn distinct_and_nullif_know_nulls() {
    let e = Expr::Distinct(DistinctExpr {
        equality: func("=", a(), int4(1)),
        negated: false,
    });
    let expected = [Some(false), Some(true), Some(true)].map(boolean);
    assert_eq!(ints(&e, &[Some(1), Some(2), None]).unwrap(), expected);
    let e = Expr::NullIf(func("=", a(), int4(1)));
    assert_eq!(
        ints(&e, &[Some(1), Some(2), None]).unwrap(),
        [Datum::Null, int(2), Datum::Null]
    );
}

fn array(elements: &[Option<i32>]) -> Datum {
    let elements = elements.iter().map(|e| e.map_or(Datum::Null, int)).collect();
    Datum::Array(Arc::new(ArrayValue::from_elements(oids::INT4, elements)))
}

fn in_list(elements: &[Option<i32>], use_or: bool) -> Expr {
    let o = facts::operator_exact(if use_or { "=" } else { "<>" }, oids::INT4, oids::INT4).unwrap();
    Expr::ScalarArrayOp(ScalarArrayOpExpr {
        op: o.oid,
        func: o.oprcode,
        use_or,
        scalar: Box::new(a()),
        array: Box::new(constant(array(elements), oids::INT4_ARRAY)),
        input_collation: Oid(0),
        span: Span::NONE,
    })
}

#[test]
fn in_lists_hash_alike_and_know_nulls() {
    let long: Vec<Option<i32>> = (1..20).chain(1..5).map(Some).collect();
    let with_null: Vec<Option<i32>> = long.iter().copied().chain([None]).collect();
    let values = [Some(3), Some(99), None];
    for (list, miss) in [(&long, Some(false)), (&with_null, None)] {
        let expected = [Some(true), miss, None].map(boolean);
        assert_eq!(ints(&in_list(list, true), &values).unwrap(), expected);
    }
    let short = [Some(3), None];
    let expected = [Some(true), None, None].map(boolean);
    assert_eq!(ints(&in_list(&short, true), &values).unwrap(), expected);
    let expected = [Some(false), None, None].map(boolean);
    assert_eq!(ints(&in_list(&short, false), &values).unwrap(), expected);
    let expected = [Some(false); 3].map(boolean);
    assert_eq!(ints(&in_list(&[], true), &values).unwrap(), expected);
}

#[test]
fn long_arrays_look_at_the_cancel_flag() {
    let many: Vec<Option<i32>> = (0..10_000).map(Some).collect();
    let slice = subscript(vec![Some(int4(9_000))], vec![Some(int4(2))], None);
    let row = vec![array(&many)];
    let run = |rt: &mut Rt| {
        [
            eval(&in_list(&many, true), &[vec![int(-5)]], &[PhysType::Int4], rt),
            eval(&in_list(&many, false), &[vec![int(-5)]], &[PhysType::Int4], rt),
            eval(&slice, std::slice::from_ref(&row), &[PhysType::Nested], rt),
        ]
    };
    assert!(run(&mut Rt::default()).iter().all(Result::is_ok));
    let mut rt = Rt::default();
    rt.cancel.cancel(CancelReason::User);
    for result in run(&mut rt) {
        assert_eq!(result.unwrap_err().sqlstate.as_str(), "57014");
    }
}

#[test]
fn slices_have_the_elements_within_all_ranges() {
    let square = |len: i32, elements: &[i32]| {
        Datum::Array(Arc::new(ArrayValue {
            element_type: oids::INT4,
            dims: vec![ArrayDim { len, lower: 1 }; 2],
            elements: elements.iter().copied().map(int).collect(),
        }))
    };
    let numbers: Vec<i32> = (1..=16).collect();
    let bounds = |upper, lower| subscript(vec![Some(int4(upper)); 2], vec![Some(int4(lower)); 2], None);
    let run = |e: &Expr| {
        let rows = [vec![square(4, &numbers)]];
        eval(e, &rows, &[PhysType::Nested], &mut Rt::default())
            .unwrap()
            .remove(0)
    };
    assert_eq!(run(&bounds(3, 2)), square(2, &[6, 7, 10, 11]));
    assert_eq!(run(&bounds(9, 4)), square(1, &[16]));
    assert_eq!(run(&bounds(4, 1)), square(4, &numbers));
    assert_eq!(run(&bounds(1, 2)), array(&[]));
}

#[test]
fn hashed_subqueries_know_nulls() {
    let slot = Expr::Param(Param {
        kind: ParamKind::Exec,
        number: 0,
        type_ref: TypeRef::plain(oids::INT4),
        collation: Oid(0),
        span: Span::NONE,
    });
    let plan = |hashed| {
        Expr::SubPlan(Box::new(SubPlan {
            kind: SubLinkKind::Any,
            test: Some(op("=", a(), slot.clone())),
            output_params: vec![0],
            plan_id: 0,
            name: "SubPlan 1".into(),
            use_hash_table: hashed,
            unknown_equals_false: false,
            params: Vec::new(),
            result: TypeRef::plain(oids::BOOL),
            collation: Oid(0),
        }))
    };
    let rows: Vec<Vec<Datum>> = [Some(1), Some(9), None]
        .iter()
        .map(|v| vec![v.map_or(Datum::Null, int)])
        .collect();
    for hashed in [false, true] {
        let mut rt = Rt::default();
        let mut run = |subplan: Vec<Vec<Datum>>| {
            rt.subplan = Arc::new(subplan.into());
            eval(&plan(hashed), &rows, &[PhysType::Int4], &mut rt).unwrap()
        };
        let expected = [Some(true), Some(false), None].map(boolean);
        assert_eq!(run(vec![vec![int(1)], vec![int(2)]]), expected);
        let expected = [Some(true), None, None].map(boolean);
        assert_eq!(run(vec![vec![int(1)], vec![Datum::Null]]), expected);
        let expected = [Some(false); 3].map(boolean);
        assert_eq!(run(vec![]), expected);
    }
}

fn subscript(upper: Vec<Option<Expr>>, lower: Vec<Option<Expr>>, assign: Option<Expr>) -> Expr {
    let is_slice = !lower.is_empty();
    let whole = is_slice || assign.is_some();
    Expr::Subscripting(SubscriptingRef {
        container: Box::new(col(1, oids::INT4_ARRAY)),
        container_type: oids::INT4_ARRAY,
        element_type: oids::INT4,
        result: TypeRef::plain(if whole { oids::INT4_ARRAY } else { oids::INT4 }),
        collation: Oid(0),
        upper,
        lower,
        is_slice,
        assign: assign.map(Box::new),
        span: Span::NONE,
    })
}

#[test]
fn subscripts_read_and_assign() {
    let rows = vec![vec![array(&[Some(7), Some(8), Some(9)])], vec![Datum::Null]];
    let run = |e: &Expr| eval(e, &rows, &[PhysType::Nested], &mut Rt::default()).unwrap();
    assert_eq!(
        run(&subscript(vec![Some(int4(2))], vec![], None)),
        [int(8), Datum::Null]
    );
    assert_eq!(run(&subscript(vec![Some(int4(5))], vec![], None))[0], Datum::Null);
    let slice = subscript(vec![Some(int4(3))], vec![Some(int4(2))], None);
    assert_eq!(run(&slice)[0], array(&[Some(8), Some(9)]));
    let set = subscript(vec![Some(int4(5))], vec![], Some(int4(1)));
    let out = run(&set);
    assert_eq!(out[0], array(&[Some(7), Some(8), Some(9), None, Some(1)]));
    let Datum::Array(fresh) = &out[1] else {
        panic!("{out:?}")
    };
    assert_eq!((fresh.dims[0].lower, fresh.elements.len()), (5, 1));
}

#[test]
fn rows_compare_from_left_to_right() {
    let e = Expr::RowCompare(RowCompareExpr {
        kind: RowCompareKind::Lt,
        ops: vec![Oid(97), Oid(97)],
        cmp_funcs: vec![Oid(351), Oid(351)],
        input_collations: vec![Oid(0), Oid(0)],
        left: vec![a(), col(2, oids::INT4)],
        right: vec![int4(5), int4(5)],
        span: Span::NONE,
    });
    let rows = vec![
        vec![int(4), Datum::Null],
        vec![int(5), int(4)],
        vec![int(5), int(5)],
        vec![int(5), Datum::Null],
        vec![Datum::Null, int(1)],
    ];
    let got = eval(&e, &rows, &[PhysType::Int4, PhysType::Int4], &mut Rt::default()).unwrap();
    let expected = [Some(true), Some(true), Some(false), None, None].map(boolean);
    assert_eq!(got, expected);
}

#[test]
fn filters_narrow_step_by_step() {
    let guarded = boolean_op(
        BoolOp::And,
        vec![op("<>", a(), int4(0)), op(">", op("/", int4(10), a()), int4(3))],
    );
    let program = ExprProgram::compile(&guarded, &Env).unwrap();
    let values = [int(1), int(0), int(5), Datum::Null];
    let columns = [Arc::new(Vector::from_datums(PhysType::Int4, &values))];
    let mut state = program.new_state();
    let inputs = Inputs::scan(&columns, 4);
    let sel = program
        .filter(&mut Rt::default(), &mut state, inputs, &Selection::All(4))
        .unwrap();
    assert_eq!(sel.iter().collect::<Vec<_>>(), [0]);
    assert!(!program.is_harmless());
    let plain = ExprProgram::compile(&op("<>", a(), int4(0)), &Env).unwrap();
    assert!(plain.is_harmless());
}
