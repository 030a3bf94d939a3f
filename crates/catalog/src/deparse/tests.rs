//! What the deparser prints, against PostgreSQL's spelling.
#![allow(clippy::unwrap_used)]

use common::{Oid, Span};
use nodes::expr::{
    ArrayExpr, BoolExpr, BoolOp, CaseExpr, CaseWhen, CoercionForm, Const, FuncExpr, NullTest, RelabelExpr,
    ScalarArrayOpExpr, SqlValueFunction, SqlValueKind, TypedSlot,
};
use nodes::{Expr, RelIds, Var, VarSource};
use types::io::IoContext;
use types::settings::{FormatSettings, TypeRef};
use types::{ArrayValue, Datum, Numeric, oids as t};

use super::{Deparse, expression};
use crate::builtin_view;
use crate::view::CatalogView;

/// Prints over the columns of `pg_class`.
fn print(expr: &Expr) -> String {
    let view = builtin_view();
    let relation = view.relation(Oid(1259)).unwrap().unwrap();
    let settings = FormatSettings::default();
    let ctx = Deparse {
        view: &view,
        relation: Some(&relation),
        io: IoContext::new(&settings),
    };
    expression(&ctx, expr).unwrap()
}

fn constant(value: Datum, type_oid: Oid) -> Expr {
    let collation = types::builtin::type_row(type_oid).map_or(Oid(0), |t| t.typcollation);
    Expr::Const(Const {
        value,
        type_ref: TypeRef::plain(type_oid),
        collation,
        span: Span::NONE,
    })
}

fn column(attno: i16, type_oid: Oid) -> Expr {
    Expr::Var(Var {
        source: VarSource::Rel {
            index: 1,
            levels_up: 0,
        },
        attno,
        type_ref: TypeRef::plain(type_oid),
        collation: Oid(0),
        nulling_rels: RelIds::empty(),
        returning: Default::default(),
        span: Span::NONE,
    })
}

fn call(func: u32, op: u32, args: Vec<Expr>, result: Oid, form: CoercionForm) -> Expr {
    Expr::Func(FuncExpr {
        func: Oid(func),
        op: Oid(op),
        args,
        result: TypeRef::plain(result),
        returns_set: false,
        variadic: false,
        form,
        input_collation: Oid(0),
        collation: Oid(0),
        span: Span::NONE,
    })
}

fn int(value: i32) -> Expr {
    constant(Datum::Int4(value), t::INT4)
}

/// `relpages > 0`.
fn positive() -> Expr {
    call(
        147,
        521,
        vec![column(10, t::INT4), int(0)],
        t::BOOL,
        CoercionForm::ExplicitCall,
    )
}

#[test]
fn constants() {
    let numeric = Datum::Numeric(Numeric::Small {
        unscaled: 15,
        scale: 1,
    });
    assert_eq!(print(&int(42)), "42");
    assert_eq!(print(&int(-1)), "'-1'::integer");
    assert_eq!(print(&constant(numeric, t::NUMERIC)), "1.5");
    assert_eq!(print(&constant(Datum::Int8(7), t::INT8)), "'7'::bigint");
    assert_eq!(print(&constant(Datum::Bool(true), t::BOOL)), "true");
    assert_eq!(print(&constant(Datum::text("it's"), t::TEXT)), "'it''s'::text");
    assert_eq!(print(&constant(Datum::text("a\\b"), t::TEXT)), "'a\\b'::text");
    assert_eq!(print(&constant(Datum::Null, t::INT4)), "NULL::integer");
    let empty = ArrayValue::from_elements(t::INT4, Vec::new());
    assert_eq!(
        print(&constant(Datum::Array(empty.into()), t::INT4_ARRAY)),
        "'{}'::integer[]"
    );
}

#[test]
fn calls_operators_and_casts() {
    assert_eq!(print(&positive()), "(relpages > 0)");
    let both = Expr::Bool(BoolExpr {
        op: BoolOp::And,
        args: vec![positive(), positive()],
        span: Span::NONE,
    });
    assert_eq!(print(&both), "((relpages > 0) AND (relpages > 0))");
    let not = Expr::Bool(BoolExpr {
        op: BoolOp::Not,
        args: vec![positive()],
        span: Span::NONE,
    });
    assert_eq!(print(&not), "(NOT (relpages > 0))");
    let name_as_text = Expr::Relabel(RelabelExpr {
        arg: Box::new(column(2, t::NAME)),
        result: TypeRef::plain(t::TEXT),
        collation: Oid(0),
        form: CoercionForm::ImplicitCast,
        span: Span::NONE,
    });
    let x = constant(Datum::text("x"), t::TEXT);
    let equal = call(
        67,
        98,
        vec![name_as_text.clone(), x],
        t::BOOL,
        CoercionForm::ExplicitCall,
    );
    assert_eq!(print(&equal), "((relname)::text = 'x'::text)");
    assert_eq!(
        print(&call(
            870,
            0,
            vec![name_as_text],
            t::TEXT,
            CoercionForm::ExplicitCall
        )),
        "lower((relname)::text)"
    );
    let widened = call(
        481,
        0,
        vec![column(10, t::INT4)],
        t::INT8,
        CoercionForm::ExplicitCast,
    );
    assert_eq!(print(&widened), "(relpages)::bigint");
    assert_eq!(
        print(&call(
            1299,
            0,
            Vec::new(),
            t::TIMESTAMPTZ,
            CoercionForm::ExplicitCall
        )),
        "now()"
    );
}

#[test]
fn other_nodes() {
    let is_null = Expr::NullTest(NullTest {
        arg: Box::new(column(10, t::INT4)),
        is_not: true,
        arg_is_row: false,
        span: Span::NONE,
    });
    assert_eq!(print(&is_null), "(relpages IS NOT NULL)");
    let now = Expr::SqlValueFunction(SqlValueFunction {
        kind: SqlValueKind::CurrentTimestamp,
        result: TypeRef {
            oid: t::TIMESTAMPTZ,
            typmod: 3,
        },
        span: Span::NONE,
    });
    assert_eq!(print(&now), "CURRENT_TIMESTAMP(3)");
    let array = Expr::Array(ArrayExpr {
        elements: vec![int(1), int(2)],
        array_type: t::INT4_ARRAY,
        element_type: t::INT4,
        multidims: false,
        collation: Oid(0),
        span: Span::NONE,
    });
    assert_eq!(print(&array), "ARRAY[1, 2]");
    let any = Expr::ScalarArrayOp(ScalarArrayOpExpr {
        op: Oid(96),
        func: Oid(65),
        use_or: true,
        scalar: Box::new(column(10, t::INT4)),
        array: Box::new(array),
        input_collation: Oid(0),
        span: Span::NONE,
    });
    assert_eq!(print(&any), "(relpages = ANY (ARRAY[1, 2]))");
}

#[test]
fn case_goes_over_several_lines() {
    let placeholder = Expr::CaseTest(TypedSlot {
        type_ref: TypeRef::plain(t::INT4),
        collation: Oid(0),
        span: Span::NONE,
    });
    let equals_one = call(
        65,
        96,
        vec![placeholder, int(1)],
        t::BOOL,
        CoercionForm::ExplicitCall,
    );
    let case = |arg: Option<Expr>, condition: Expr| {
        Expr::Case(CaseExpr {
            arg: arg.map(Box::new),
            whens: vec![CaseWhen {
                condition,
                result: int(1),
                span: Span::NONE,
            }],
            default: Box::new(int(2)),
            result: TypeRef::plain(t::INT4),
            collation: Oid(0),
            span: Span::NONE,
        })
    };
    let searched = case(None, positive());
    assert_eq!(
        print(&searched),
        "\nCASE\n    WHEN (relpages > 0) THEN 1\n    ELSE 2\nEND"
    );
    let simple = case(Some(column(10, t::INT4)), equals_one);
    assert_eq!(
        print(&simple),
        "\nCASE relpages\n    WHEN 1 THEN 1\n    ELSE 2\nEND"
    );
}
