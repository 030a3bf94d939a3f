//! Constants as expressions.

use common::{Oid, Span};
use types::Datum;
use types::settings::TypeRef;

use crate::expr::{Const, Expr};

impl Expr {
    /// A boolean constant.
    pub fn bool_const(value: bool) -> Expr {
        Expr::Const(Const {
            value: Datum::Bool(value),
            type_ref: TypeRef::plain(types::oids::BOOL),
            collation: Oid::INVALID,
            span: Span::NONE,
        })
    }

    /// NULL of a type.
    pub fn null_const(type_ref: TypeRef, collation: Oid) -> Expr {
        Expr::Const(Const {
            value: Datum::Null,
            type_ref,
            collation,
            span: Span::NONE,
        })
    }
}
