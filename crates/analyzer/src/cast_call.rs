//! Casts by function.

use common::{Oid, PgResult};
use nodes::expr::{CoercionForm, Expr, FuncExpr};
use types::settings::TypeRef;
use types::{Datum, PhysType, oids};

use crate::parse_coerce::{CoerceTo, CoercionContext, relabel};
use crate::state::Analyzer;

impl Analyzer<'_> {
    pub(crate) fn build_cast_call(&mut self, expr: Expr, func: Oid, to: CoerceTo) -> PgResult<Expr> {
        let desc = self.function(func)?;
        let mut args = vec![expr];
        let mut typmod = -1;
        if desc.arg_types.len() >= 2 {
            args.push(crate::parse_coerce::const_expr(
                Datum::Int4(to.target.typmod),
                oids::INT4,
            ));
            typmod = to.target.typmod;
        }
        if desc.arg_types.len() == 3 {
            args.push(crate::parse_coerce::const_expr(
                Datum::Bool(to.context == CoercionContext::Explicit),
                oids::BOOL,
            ));
        }
        // A function may yield a type of another layout that merely becomes the target: int2 to oid by way of int4.
        let same = PhysType::of_builtin(desc.result) == PhysType::of_builtin(to.target.oid);
        let detour = !same && desc.result < Oid::FIRST_NORMAL && to.target.oid < Oid::FIRST_NORMAL;
        let call = Expr::Func(FuncExpr {
            func,
            op: Oid::INVALID,
            args,
            result: TypeRef {
                oid: if detour { desc.result } else { to.target.oid },
                typmod,
            },
            returns_set: false,
            variadic: false,
            form: if detour {
                CoercionForm::ImplicitCast
            } else {
                to.form
            },
            input_collation: Oid::INVALID,
            collation: Oid::INVALID,
            span: to.span,
        });
        if detour {
            return Ok(relabel(call, TypeRef::plain(to.target.oid), Oid::INVALID, to));
        }
        Ok(call)
    }
}
