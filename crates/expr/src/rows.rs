//! Composite values: ROW(...), field access, row comparison.

use std::sync::Arc;

use common::{Oid, PgResult, internal};
use functions::{CallInfo, Kernels};
use nodes::expr::RowCompareKind;
use types::{Datum, PhysType, RecordValue, Selection, Vector};

use crate::eval::{Cx, fn_context};
use crate::program::{Node, NodeKind};

impl Cx<'_, '_> {
    pub(crate) fn row(&mut self, node: &Node, sel: &Selection) -> PgResult<Arc<Vector>> {
        let NodeKind::Row {
            fields,
            row_type,
            field_types,
            names,
        } = &node.kind
        else {
            return Err(internal!("expression is not a row"));
        };
        let values = self.args(fields, sel)?;
        let mut out = self.output(PhysType::Nested);
        sel.for_each(|i| {
            let record = RecordValue {
                type_oid: *row_type,
                field_types: field_types.clone(),
                fields: values.iter().map(|v| v.datum(i)).collect(),
                names: names.clone(),
            };
            out.set(i, &Datum::Record(Arc::new(record)));
        });
        Ok(Arc::new(out))
    }

    pub(crate) fn field_select(
        &mut self,
        phys: PhysType,
        arg: &Node,
        index: usize,
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        let v = self.eval(arg, sel)?;
        let mut out = self.output(phys);
        sel.try_for_each(|i| {
            match v.datum(i) {
                Datum::Null => out.set_null(i),
                Datum::Record(r) => out.set(i, r.fields.get(index).unwrap_or(&Datum::Null)),
                other => return Err(internal!("composite value expected, got {other:?}")),
            }
            Ok(())
        })?;
        Ok(Arc::new(out))
    }

    pub(crate) fn field_store(
        &mut self,
        arg: &Node,
        values: &[(usize, Node)],
        row_type: Oid,
        field_types: &[Oid],
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        let v = self.eval(arg, sel)?;
        let new = values
            .iter()
            .map(|(field, node)| Ok((*field, self.eval(node, sel)?)))
            .collect::<PgResult<Vec<_>>>()?;
        let mut out = self.output(PhysType::Nested);
        sel.for_each(|i| {
            let mut record = match v.datum(i) {
                Datum::Record(r) => (*r).clone(),
                _ => RecordValue {
                    type_oid: row_type,
                    field_types: field_types.to_vec(),
                    fields: vec![Datum::Null; field_types.len()],
                    names: None,
                },
            };
            // A value from before an attribute was added has fewer.
            for type_oid in field_types.iter().skip(record.fields.len()) {
                record.field_types.push(*type_oid);
                record.fields.push(Datum::Null);
            }
            for (field, value) in &new {
                if let Some(place) = record.fields.get_mut(*field) {
                    *place = value.datum(i);
                }
            }
            out.set(i, &Datum::Record(Arc::new(record)));
        });
        Ok(Arc::new(out))
    }

    /// Columns decide from left to right; a NULL met before a difference makes the result NULL. What comes behind the column that
    /// decides is not evaluated.
    pub(crate) fn row_compare(
        &mut self,
        kind: RowCompareKind,
        pairs: &[(Kernels, CallInfo, usize)],
        left: &[Node],
        right: &[Node],
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        let mut out = self.output(PhysType::Bool);
        let mut open = sel.clone();
        for ((kernels, info, site), (left, right)) in pairs.iter().zip(left.iter().zip(right)) {
            let (l, r) = (self.eval(left, &open)?, self.eval(right, &open)?);
            let mut equal = Vec::new();
            for i in open.iter() {
                let (a, b) = (l.datum(i), r.datum(i));
                if a.is_null() || b.is_null() {
                    out.set(i, &Datum::Null);
                    continue;
                }
                let Some(cache) = self.state.caches.get_mut(*site) else {
                    return Err(internal!("expression state does not fit its program"));
                };
                let mut ctx = fn_context(&*self.rt, info, cache);
                match (kernels.scalar)(&mut ctx, &[a, b])?.as_i64().unwrap_or(0) {
                    0 => equal.push(i as u16),
                    order => out.set(i, &Datum::Bool(is_kind(kind, order))),
                }
            }
            open = Selection::Rows(equal.into());
            if open.is_empty() {
                break;
            }
        }
        for i in open.iter() {
            out.set(i, &Datum::Bool(is_kind(kind, 0)));
        }
        Ok(Arc::new(out))
    }
}

/// Whether an order of rows is the one asked for.
fn is_kind(kind: RowCompareKind, order: i64) -> bool {
    match kind {
        RowCompareKind::Lt => order < 0,
        RowCompareKind::Le => order <= 0,
        RowCompareKind::Ge => order >= 0,
        RowCompareKind::Gt => order > 0,
    }
}
