//! Loops.
//!
//! PG: src/pl/plpgsql/src/pl_exec.c (`exec_stmt_fori`, `exec_for_query`, `exec_stmt_foreach_a`).

use std::sync::Arc;

use common::{PgResult, pg_err};
use types::settings::TypeRef;
use types::{ArrayValue, Datum, oids};

use crate::exec::record::Shape;
use crate::exec::value::Slot;
use crate::exec::{Call, Flow};
use crate::tree::{Decl, Expr, ForInt, Foreach, Loop};

/// Whether a loop goes on after its body.
pub(crate) enum Next {
    Again,
    Stop(Flow),
}

/// What the end of a loop's body means for the loop.
pub(crate) fn after_body(flow: Flow, label: Option<&Arc<str>>) -> Next {
    match flow {
        Flow::Normal | Flow::Continue(None) => Next::Again,
        Flow::Exit(None) => Next::Stop(Flow::Normal),
        Flow::Exit(Some(l)) if label == Some(&l) => Next::Stop(Flow::Normal),
        Flow::Continue(Some(l)) if label == Some(&l) => Next::Again,
        other => Next::Stop(other),
    }
}

impl Call<'_> {
    pub(crate) fn endless_loop(&mut self, s: &Loop) -> PgResult<Flow> {
        self.host.check_stack()?;
        loop {
            self.host.cancel().check()?;
            let flow = self.statements(&s.body)?;
            if let Next::Stop(flow) = after_body(flow, s.label.as_ref()) {
                return Ok(flow);
            }
        }
    }

    pub(crate) fn while_loop(&mut self, condition: &Expr, s: &Loop) -> PgResult<Flow> {
        self.host.check_stack()?;
        while self.condition(condition)? {
            self.host.cancel().check()?;
            let flow = self.statements(&s.body)?;
            if let Next::Stop(flow) = after_body(flow, s.label.as_ref()) {
                return Ok(flow);
            }
        }
        Ok(Flow::Normal)
    }

    fn bound(&mut self, expr: &Expr, what: &str) -> PgResult<i32> {
        let value = self.eval_as(expr, TypeRef::plain(oids::INT4))?;
        match value {
            Datum::Int4(v) => Ok(v),
            _ => Err(pg_err!(
                NULL_VALUE_NOT_ALLOWED,
                "{what} of FOR loop cannot be null"
            )),
        }
    }

    pub(crate) fn integer_loop(&mut self, s: &ForInt) -> PgResult<Flow> {
        self.host.check_stack()?;
        let mut value = self.bound(&s.lower, "lower bound")?;
        let end = self.bound(&s.upper, "upper bound")?;
        let step = match &s.step {
            Some(step) => self.bound(step, "BY value")?,
            None => 1,
        };
        if step <= 0 {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "BY value of FOR loop must be greater than zero"
            ));
        }
        let mut found = false;
        let result = loop {
            if if s.reverse { value < end } else { value > end } {
                break Flow::Normal;
            }
            found = true;
            if let Some(slot) = self.act.values.get_mut(s.var) {
                *slot = Slot::Var(Datum::Int4(value));
            }
            self.host.cancel().check()?;
            let flow = self.statements(&s.body.body)?;
            if let Next::Stop(flow) = after_body(flow, s.body.label.as_ref()) {
                break flow;
            }
            let next = match s.reverse {
                true => value.checked_sub(step),
                false => value.checked_add(step),
            };
            match next {
                Some(next) => value = next,
                None => break Flow::Normal,
            }
        };
        self.set_found(found);
        Ok(result)
    }

    pub(crate) fn foreach_loop(&mut self, s: &Foreach) -> PgResult<Flow> {
        self.host.check_stack()?;
        let (value, type_ref) = self.eval_any(&s.array)?;
        if value.is_null() {
            return Err(pg_err!(
                NULL_VALUE_NOT_ALLOWED,
                "FOREACH expression must not be null"
            ));
        }
        let element = self.array_element(type_ref.oid)?;
        let (Datum::Array(array), Some(element)) = (&value, element) else {
            let name = self.host.session().format_type(type_ref.oid, None)?;
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "FOREACH expression must yield an array, not type {name}"
            ));
        };
        let dims = array.dims.len();
        if s.slice > dims {
            return Err(pg_err!(
                ARRAY_SUBSCRIPT_ERROR,
                "slice dimension ({}) is out of the valid range 0..{dims}",
                s.slice
            ));
        }
        let target_is_array = match self.func.decls.get(s.target) {
            Some(Decl::Var(v)) => v.ty.is_array,
            _ => false,
        };
        if s.slice > 0 && !target_is_array {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "FOREACH ... SLICE loop variable must be of an array type"
            ));
        }
        if s.slice == 0 && target_is_array {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "FOREACH loop variable must not be of an array type"
            ));
        }
        let array = array.clone();
        self.foreach_items(s, &array, (element, type_ref))
    }

    /// Element type of an array type (or a domain over one).
    fn array_element(&self, type_oid: common::Oid) -> PgResult<Option<common::Oid>> {
        let mut desc = self.host.catalog().type_desc(type_oid)?;
        while let Some(d) = &desc
            && d.kind == b'd'
        {
            desc = self.host.catalog().type_desc(d.base_type)?;
        }
        Ok(desc.filter(|d| d.is_array).map(|d| d.element))
    }

    fn foreach_items(
        &mut self,
        s: &Foreach,
        array: &Arc<ArrayValue>,
        types: (common::Oid, TypeRef),
    ) -> PgResult<Flow> {
        let (element, whole) = types;
        let keep = array.dims.len() - s.slice.min(array.dims.len());
        let inner = &array.dims[keep..];
        let size: usize = inner.iter().map(|d| d.len.max(0) as usize).product();
        let count = match size {
            0 => 0,
            size => array.elements.len() / size,
        };
        let mut found = false;
        let mut result = Flow::Normal;
        for item in 0..count {
            found = true;
            let (value, type_ref) = match s.slice {
                0 => (
                    array.elements.get(item).cloned().unwrap_or_default(),
                    TypeRef::plain(element),
                ),
                _ => {
                    let items = array.elements.get(item * size..(item + 1) * size);
                    let part = ArrayValue {
                        element_type: array.element_type,
                        dims: inner.to_vec(),
                        elements: items.unwrap_or_default().to_vec(),
                    };
                    (Datum::Array(Arc::new(part)), whole)
                }
            };
            match (&self.func.decls.get(s.target), &value) {
                (Some(Decl::Row(_)), Datum::Record(r)) => {
                    let shape = Shape::of_value(r, self.host.catalog())?;
                    let fields = r.fields.clone();
                    self.move_row(s.target, &shape, Some(fields))?;
                }
                _ => self.assign_value(s.target, value, type_ref)?,
            }
            self.host.cancel().check()?;
            let flow = self.statements(&s.body.body)?;
            if let Next::Stop(flow) = after_body(flow, s.body.label.as_ref()) {
                result = flow;
                break;
            }
        }
        self.set_found(found);
        Ok(result)
    }
}
