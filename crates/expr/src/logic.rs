//! AND, OR, CASE, COALESCE, GREATEST: parts are evaluated only for the rows that still need them.

use std::sync::Arc;

use common::{PgResult, internal};
use types::{Datum, PhysType, Selection, Vector};

use crate::eval::{Cx, bool_vector, fn_context, truth};
use crate::program::{CaseArm, Node, NodeKind};

impl Cx<'_, '_> {
    pub(crate) fn and(&mut self, args: &[Node], sel: &Selection) -> PgResult<Arc<Vector>> {
        self.connective(args, sel, false)
    }

    pub(crate) fn or(&mut self, args: &[Node], sel: &Selection) -> PgResult<Arc<Vector>> {
        self.connective(args, sel, true)
    }

    /// `decisive`: the value that settles the result (false for AND, true for OR).
    fn connective(&mut self, args: &[Node], sel: &Selection, decisive: bool) -> PgResult<Arc<Vector>> {
        let rows = self.inputs.rows;
        let mut settled = vec![false; rows];
        let mut unknown = vec![false; rows];
        let mut open = sel.clone();
        for arg in args {
            if open.is_empty() {
                break;
            }
            // There may be thousands.
            self.rt.parts().cancel.check()?;
            let v = self.eval(arg, &open)?;
            open.for_each(|i| match truth(&v, i) {
                Some(b) if b == decisive => settled[i] = true,
                Some(_) => {}
                None => unknown[i] = true,
            });
            open = open.filter(|i| !settled[i]);
        }
        Ok(bool_vector(rows, sel, |i| match (settled[i], unknown[i]) {
            (true, _) => Some(decisive),
            (false, true) => None,
            (false, false) => Some(!decisive),
        }))
    }

    pub(crate) fn case(
        &mut self,
        phys: PhysType,
        arg: Option<&Node>,
        arms: &[CaseArm],
        default: &Node,
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        if let Some(arg) = arg {
            let value = self.eval(arg, sel)?;
            self.state.case_values.push(value);
        }
        let result = self.case_arms(phys, arms, default, sel);
        if arg.is_some() {
            self.state.case_values.pop();
        }
        result
    }

    fn case_arms(
        &mut self,
        phys: PhysType,
        arms: &[CaseArm],
        default: &Node,
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        let mut out = self.output(phys);
        let mut open = sel.clone();
        for arm in arms {
            if open.is_empty() {
                break;
            }
            let hit = self.filter(&arm.condition, &open)?;
            if !hit.is_empty() {
                let v = self.eval(&arm.result, &hit)?;
                out.copy_rows(&v, &hit);
                open = open.minus(&hit);
            }
        }
        if !open.is_empty() {
            let v = self.eval(default, &open)?;
            out.copy_rows(&v, &open);
        }
        Ok(Arc::new(out))
    }

    pub(crate) fn coalesce(
        &mut self,
        phys: PhysType,
        args: &[Node],
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        let mut out = self.output(phys);
        let mut open = sel.clone();
        for arg in args {
            if open.is_empty() {
                break;
            }
            let v = self.eval(arg, &open)?;
            out.copy_rows(&v, &open);
            open = open.filter(|i| v.is_null(i));
        }
        Ok(Arc::new(out))
    }

    pub(crate) fn min_max(&mut self, node: &Node, sel: &Selection) -> PgResult<Arc<Vector>> {
        let NodeKind::MinMax {
            greatest,
            cmp,
            info,
            args,
            site,
        } = &node.kind
        else {
            return Err(internal!("GREATEST or LEAST expected"));
        };
        let values = self.args(args, sel)?;
        let mut out = self.output(node.phys);
        let Some(cache) = self.state.caches.get_mut(*site) else {
            return Err(internal!("expression state does not fit its program"));
        };
        let mut ctx = fn_context(&*self.rt, info, cache);
        sel.try_for_each(|i| {
            let mut best = Datum::Null;
            for v in &values {
                let candidate = v.datum(i);
                if candidate.is_null() {
                    continue;
                }
                if best.is_null() {
                    best = candidate;
                    continue;
                }
                let order = (cmp.scalar)(&mut ctx, &[candidate.clone(), best.clone()])?
                    .as_i64()
                    .unwrap_or(0);
                if (order > 0) == *greatest && order != 0 {
                    best = candidate;
                }
            }
            out.set(i, &best);
            Ok::<_, Box<common::PgError>>(())
        })?;
        Ok(Arc::new(out))
    }
}
