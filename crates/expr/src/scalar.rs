//! Evaluation of one row without vectors: the short path, constants, defaults, checks.

use std::sync::Arc;

use common::{PgResult, internal};
use smallvec::SmallVec;
use types::{Datum, PhysType, Selection, Vector};

use crate::env::{Inputs, RowInputs, Runtime};
use crate::eval::{Cx, boolean_test, fn_context};
use crate::program::{Call, ExprProgram, ExprState, Node, NodeKind, Subscript};

struct RowCx<'r, 'i> {
    rt: &'r mut dyn Runtime,
    state: &'r mut ExprState,
    row: RowInputs<'i>,
}

impl ExprProgram {
    /// The value for one row of datums.
    pub fn eval_row(
        &self,
        rt: &mut dyn Runtime,
        state: &mut ExprState,
        row: RowInputs<'_>,
    ) -> PgResult<Datum> {
        RowCx { rt, state, row }.eval(&self.root)
    }

    /// The value of an expression that is a constant or a parameter, which need no state.
    #[inline]
    pub fn eval_leaf(&self, rt: &mut dyn Runtime) -> Option<PgResult<Datum>> {
        match &self.root.kind {
            NodeKind::Const(value) => Some(Ok(value.clone())),
            NodeKind::Param(n) => Some(rt.param(*n)),
            _ => None,
        }
    }

    /// The value of an expression without columns.
    pub fn eval_const(&self, rt: &mut dyn Runtime) -> PgResult<Datum> {
        self.eval_row(rt, &mut self.new_state(), RowInputs::default())
    }
}

impl RowCx<'_, '_> {
    fn eval(&mut self, node: &Node) -> PgResult<Datum> {
        match &node.kind {
            NodeKind::Const(value) => Ok(value.clone()),
            NodeKind::Column(place) => self.row.datum(*place).cloned(),
            NodeKind::Param(n) => self.rt.param(*n),
            NodeKind::Reclass(arg) => Ok(crate::coerce::reclass(node.phys, self.eval(arg)?)),
            NodeKind::ExecParam(slot) => self.rt.exec_param(*slot),
            NodeKind::Call(call) => self.call(call),
            NodeKind::And(args) => self.connective(args, false),
            NodeKind::Or(args) => self.connective(args, true),
            NodeKind::Not(arg) => Ok(self.eval(arg)?.as_bool().map_or(Datum::Null, |b| Datum::Bool(!b))),
            NodeKind::NullTest {
                arg,
                is_not,
                is_row: false,
            } => Ok(Datum::Bool(self.eval(arg)?.is_null() != *is_not)),
            NodeKind::BooleanTest(arg, kind) => {
                let value = self.eval(arg)?.as_bool();
                Ok(Datum::Bool(boolean_test(*kind, value)))
            }
            NodeKind::Coalesce(args) => {
                for arg in args {
                    let value = self.eval(arg)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Ok(Datum::Null)
            }
            NodeKind::Case {
                arg: None,
                arms,
                default,
            } => {
                for arm in arms {
                    if self.eval(&arm.condition)?.as_bool() == Some(true) {
                        return self.eval(&arm.result);
                    }
                }
                self.eval(default)
            }
            NodeKind::Subscript(s) => self.subscript(s),
            NodeKind::NextValue(sequence) => {
                let value = self.rt.next_value(*sequence)?;
                crate::coerce::int_of_class(node.phys, value)
            }
            _ => self.as_batch(node),
        }
    }

    fn call(&mut self, call: &Call) -> PgResult<Datum> {
        let mut args: SmallVec<[Datum; 4]> = SmallVec::new();
        for arg in &call.args {
            args.push(self.eval(arg)?);
        }
        let Some(cache) = self.state.caches.get_mut(call.site) else {
            return Err(internal!("expression state does not fit its program"));
        };
        let mut ctx = fn_context(&*self.rt, &call.info, cache);
        (call.kernels.scalar)(&mut ctx, &args)
    }

    fn subscript(&mut self, s: &Subscript) -> PgResult<Datum> {
        let container = self.eval(&s.container)?;
        let (upper, lower) = (self.indexes(&s.upper)?, self.indexes(&s.lower)?);
        let assigned = s.assign.as_ref().map(|new| self.eval(new)).transpose()?;
        let bounds = upper.as_deref().zip(lower.as_deref());
        s.apply(container, bounds, assigned, self.rt.parts().cancel)
    }

    /// Subscripts; `None` when one of them is NULL.
    fn indexes(&mut self, nodes: &[Option<Node>]) -> PgResult<Option<SmallVec<[Option<i32>; 4]>>> {
        let mut indexes = SmallVec::new();
        let mut known = true;
        for node in nodes {
            let index = match node {
                Some(node) => {
                    let value = self.eval(node)?.as_i64();
                    known &= value.is_some();
                    value.map(|n| n as i32)
                }
                None => None,
            };
            indexes.push(index);
        }
        Ok(known.then_some(indexes))
    }

    fn connective(&mut self, args: &[Node], decisive: bool) -> PgResult<Datum> {
        let mut result = Datum::Bool(!decisive);
        for arg in args {
            match self.eval(arg)?.as_bool() {
                Some(b) if b == decisive => return Ok(Datum::Bool(decisive)),
                Some(_) => {}
                None => result = Datum::Null,
            }
        }
        Ok(result)
    }

    /// Everything else: as a batch of one row.
    fn as_batch(&mut self, node: &Node) -> PgResult<Datum> {
        let columns = |values: &[Datum]| -> Vec<Arc<Vector>> {
            values
                .iter()
                .map(|d| Arc::new(Vector::constant(d.phys().unwrap_or(PhysType::Nested), d, 1)))
                .collect()
        };
        let (scan, outer, inner) = (
            columns(self.row.scan),
            columns(self.row.outer),
            columns(self.row.inner),
        );
        let inputs = Inputs {
            rows: 1,
            scan: &scan,
            outer: &outer,
            inner: &inner,
        };
        let mut cx = Cx {
            rt: &mut *self.rt,
            state: &mut *self.state,
            inputs,
        };
        let value = cx.eval(node, &Selection::All(1))?;
        value.long_datum(0, cx.rt.parts().cancel)
    }
}
