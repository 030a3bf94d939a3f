//! Calls of users' aggregates that have the same transition functions and arguments, and so one state between them.

use common::{PgResult, internal};
use nodes::Expr;
use types::Vector;

use crate::cx::Cx;
use crate::ops::agg::calls::{AggCall, CallState};

impl AggCall {
    /// True when the states of `other` are those that this call would have.
    pub(super) fn shares_with(&self, other: &AggCall) -> bool {
        let (Some(a), Some(b)) = (&self.user_call, &other.user_call) else {
            return false;
        };
        self.code.shares_with(&other.code)
            && a.args.len() == b.args.len()
            && a.args
                .iter()
                .zip(&b.args)
                .all(|(x, y)| same_value(&x.expr, &y.expr) && x.resjunk == y.resjunk)
            && a.direct_args.is_empty()
            && b.direct_args.is_empty()
            && a.order_by == b.order_by
            && a.distinct == b.distinct
            && match (&a.filter, &b.filter) {
                (None, None) => true,
                (Some(x), Some(y)) => same_value(x, y),
                _ => false,
            }
    }
}

/// Equal columns; expressions are only equal when they stand at one place.
fn same_value(a: &Expr, b: &Expr) -> bool {
    match (a, b) {
        (Expr::Var(x), Expr::Var(y)) => x.source == y.source && x.attno == y.attno,
        _ => a == b,
    }
}

impl CallState {
    /// Results from the states of another call.
    pub(super) fn finalize_shared(
        &mut self,
        cx: &Cx<'_>,
        keeper: &mut CallState,
        from: usize,
        count: usize,
    ) -> PgResult<Vector> {
        let mut out = Vector::empty(self.call.result);
        let Some(states) = &mut keeper.accumulator else {
            return Err(internal!("aggregate without state"));
        };
        let ctx = cx.fn_context(&self.call.info, &mut self.cache);
        for group in from..from + count {
            out.push(
                &self
                    .call
                    .code
                    .finalize_shared(states.as_mut(), &ctx, group as u32)?,
            );
        }
        Ok(out)
    }
}
