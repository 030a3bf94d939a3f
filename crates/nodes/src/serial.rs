//! Stored trees: the text form of expressions and queries in `pg_attrdef.adbin`, `pg_constraint.conbin`, `pg_rewrite.ev_action`...
//!
//! # Format
//! `pglite1 ` and the tree as JSON, one object per node with its fields by name; datums as hexadecimal text of
//! `types::tuple::put_datum`. Spans are left out: the statement they point into is gone.
//!
//! # Upkeep
//! A new field of a stored node needs `#[serde(default)]`, so that trees written before it stay readable; a change that this
//! cannot express needs a new version word and a reader of the old one.

use common::{PgResult, Span, pg_err};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Expr, Query};

const VERSION: &str = "pglite1 ";

/// Deepest nesting of JSON objects and arrays that is stored: about 200 calls inside each other. What is deeper ends in 54001 when
/// it is written, so that reading (which recurses) cannot overflow a 2 MB stack.
const DEPTH_MAX: usize = 600;

/// What spans are in trees that were stored.
pub(crate) fn no_span() -> Span {
    Span::NONE
}

/// The stored form of an expression.
pub fn encode_expr(expr: &Expr) -> PgResult<String> {
    encode(expr)
}

/// An expression from its stored form.
pub fn decode_expr(text: &str) -> PgResult<Expr> {
    decode(text)
}

/// The stored form of several expressions (`pg_index.indexprs`, `pg_proc.proargdefaults`).
pub fn encode_exprs(exprs: &[Expr]) -> PgResult<String> {
    encode(exprs)
}

/// Several expressions from their stored form.
pub fn decode_exprs(text: &str) -> PgResult<Vec<Expr>> {
    decode(text)
}

/// The stored form of a query.
pub fn encode_query(query: &Query) -> PgResult<String> {
    encode(query)
}

/// A query from its stored form.
pub fn decode_query(text: &str) -> PgResult<Query> {
    decode(text)
}

/// The body of a routine in SQL's own syntax, as `pg_proc.prosqlbody` keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredBody {
    /// RETURN expr, rather than BEGIN ATOMIC.
    pub is_return: bool,
    /// The statements, not rewritten.
    pub statements: Vec<Query>,
}

/// The stored form of a routine's body.
pub fn encode_body(body: &StoredBody) -> PgResult<String> {
    encode(body)
}

/// A routine's body from its stored form.
pub fn decode_body(text: &str) -> PgResult<StoredBody> {
    decode(text)
}

/// True for a text that one of the encoders wrote (and no SQL text).
pub fn is_encoded(text: &str) -> bool {
    text.starts_with(VERSION)
}

pub(crate) fn encode<T: Serialize + ?Sized>(tree: &T) -> PgResult<String> {
    let mut out = VERSION.as_bytes().to_vec();
    serde_json::to_writer(&mut out, tree).map_err(|e| common::internal!("cannot store a tree: {e}"))?;
    check_depth(&out)?;
    String::from_utf8(out).map_err(|e| common::internal!("cannot store a tree: {e}"))
}

/// Counts brackets outside strings.
fn check_depth(json: &[u8]) -> PgResult<()> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(pg_err!(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
    }
    Ok(())
}

pub(crate) fn decode<T: DeserializeOwned>(text: &str) -> PgResult<T> {
    let bad = |why: &str| pg_err!(DATA_CORRUPTED, "unreadable stored expression: {why}");
    let Some(json) = text.strip_prefix(VERSION) else {
        return Err(bad("unknown version"));
    };
    check_depth(json.as_bytes())?;
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.disable_recursion_limit();
    T::deserialize(&mut reader).map_err(|e| bad(&e.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use common::Oid;
    use proptest::prelude::*;
    use types::settings::TypeRef;
    use types::{ArrayValue, Datum, Interval, Numeric};

    use super::*;
    use crate::expr::{
        BoolExpr, BoolOp, CaseExpr, CaseWhen, CoercionForm, Const, FuncExpr, NullTest, SubLink, SubLinkKind,
    };
    use crate::query::{CommandType, TargetEntry};
    use crate::{RelIds, Var, VarSource};

    fn datum() -> impl Strategy<Value = Datum> {
        prop_oneof![
            Just(Datum::Null),
            any::<bool>().prop_map(Datum::Bool),
            any::<i64>().prop_map(Datum::Int8),
            any::<f64>().prop_map(Datum::Float8),
            "\\PC{0,20}".prop_map(Datum::text),
            any::<(i64, i32, i32)>().prop_map(|(micros, days, months)| Datum::Interval(Interval {
                micros,
                days,
                months
            })),
            any::<(i64, u16)>()
                .prop_map(|(unscaled, scale)| Datum::Numeric(Numeric::Small { unscaled, scale })),
            prop::collection::vec(any::<i32>(), 0..4).prop_map(|v| {
                let elements = v.into_iter().map(Datum::Int4).collect();
                Datum::Array(Arc::new(ArrayValue::from_elements(Oid(23), elements)))
            }),
        ]
    }

    fn leaf() -> impl Strategy<Value = Expr> {
        let type_ref = any::<(u32, i32)>().prop_map(|(oid, typmod)| TypeRef {
            oid: Oid(oid),
            typmod,
        });
        let constant = (datum(), type_ref).prop_map(|(value, type_ref)| {
            Expr::Const(Const {
                value,
                type_ref,
                collation: Oid(100),
                span: Span::NONE,
            })
        });
        let column = any::<(usize, i16)>().prop_map(|(index, attno)| {
            Expr::Var(Var {
                source: VarSource::Rel { index, levels_up: 0 },
                attno,
                type_ref: TypeRef::plain(Oid(25)),
                collation: Oid(950),
                nulling_rels: RelIds::single(3),
                returning: Default::default(),
                span: Span::NONE,
            })
        });
        prop_oneof![constant, column]
    }

    fn call(func: u32, args: Vec<Expr>) -> Expr {
        Expr::Func(FuncExpr {
            func: Oid(func),
            op: Oid(0),
            args,
            result: TypeRef::plain(Oid(16)),
            returns_set: false,
            variadic: false,
            form: CoercionForm::SqlSyntax,
            input_collation: Oid(100),
            collation: Oid(0),
            span: Span::NONE,
        })
    }

    fn sub_link(expr: Expr) -> Expr {
        let mut query = Query::new(CommandType::Select);
        query.target_list.push(TargetEntry {
            expr,
            resno: 1,
            name: Some("?column?".into()),
            sort_group_ref: 0,
            origin_table: Oid(0),
            origin_column: 0,
            resjunk: false,
        });
        Expr::SubLink(Box::new(SubLink {
            kind: SubLinkKind::Exists,
            test: None,
            op_name: None,
            query: Arc::new(query),
            result: TypeRef::plain(Oid(16)),
            collation: Oid(0),
            span: Span::NONE,
        }))
    }

    fn expr() -> impl Strategy<Value = Expr> {
        leaf().prop_recursive(5, 40, 4, |inner| {
            prop_oneof![
                (any::<u32>(), prop::collection::vec(inner.clone(), 0..4))
                    .prop_map(|(f, args)| call(f, args)),
                prop::collection::vec(inner.clone(), 1..4).prop_map(|args| Expr::Bool(BoolExpr {
                    op: BoolOp::And,
                    args,
                    span: Span::NONE
                })),
                inner.clone().prop_map(|arg| Expr::NullTest(NullTest {
                    arg: Box::new(arg),
                    is_not: true,
                    arg_is_row: false,
                    span: Span::NONE
                })),
                inner.clone().prop_map(sub_link),
                (inner.clone(), inner).prop_map(|(condition, result)| Expr::Case(CaseExpr {
                    arg: None,
                    whens: vec![CaseWhen {
                        condition,
                        result,
                        span: Span::NONE
                    }],
                    default: Box::new(Expr::bool_const(false)),
                    result: TypeRef::plain(Oid(25)),
                    collation: Oid(100),
                    span: Span::NONE,
                })),
            ]
        })
    }

    proptest! {
        #[test]
        fn trees_come_back_as_they_were(tree in expr()) {
            let text = encode_expr(&tree).unwrap();
            prop_assert!(is_encoded(&text));
            prop_assert_eq!(decode_expr(&text).unwrap(), tree);
        }

        #[test]
        fn damaged_text_is_an_error_not_a_panic(tree in expr(), cut in any::<prop::sample::Index>()) {
            let text = encode_expr(&tree).unwrap();
            let mut end = cut.index(text.len());
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            prop_assert!(decode_expr(&text[..end]).is_err());
        }
    }

    fn nested(depth: usize) -> Expr {
        (0..depth).fold(Expr::bool_const(true), |tree, _| {
            Expr::Bool(BoolExpr {
                op: BoolOp::Not,
                args: vec![tree],
                span: Span::new(3, 9),
            })
        })
    }

    #[test]
    fn deep_trees_are_read_or_refused_and_spans_are_dropped() {
        let read = decode_expr(&encode_expr(&nested(190)).unwrap()).unwrap();
        assert_eq!(read.span(), Span::NONE);
        assert_eq!(encode_expr(&nested(300)).unwrap_err().sqlstate.as_str(), "54001");
    }
}
