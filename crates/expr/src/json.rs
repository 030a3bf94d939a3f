//! Subscripts of `jsonb`.

use std::sync::Arc;

use common::{PgResult, pg_err};
use functions::jsonb_edit::{assign_subscripts, fetch_subscripts};
use types::{Datum, PhysType, Selection, Vector};

use crate::eval::Cx;
use crate::program::JsonbSubscript;

/// A subscript as text; `None` for NULL.
fn step(value: Datum) -> Option<String> {
    match value {
        Datum::Text(s) => Some(s.to_string()),
        other => other.as_i64().map(|n| n.to_string()),
    }
}

fn document(value: &Datum) -> Option<&[u8]> {
    match value {
        Datum::Bytes(b) => Some(b),
        _ => None,
    }
}

impl Cx<'_, '_> {
    pub(crate) fn jsonb_subscript(&mut self, s: &JsonbSubscript, sel: &Selection) -> PgResult<Arc<Vector>> {
        let container = self.eval(&s.container, sel)?;
        let subscripts = self.args(&s.subscripts, sel)?;
        let assigned = s.assign.as_ref().map(|a| self.eval(a, sel)).transpose()?;
        let mut out = self.output(PhysType::Bytes);
        sel.try_for_each(|i| {
            let steps: Option<Vec<String>> = subscripts.iter().map(|v| step(v.datum(i))).collect();
            let whole = container.datum(i);
            let value = match (&assigned, steps) {
                (Some(_), None) => {
                    return Err(pg_err!(
                        NULL_VALUE_NOT_ALLOWED,
                        "jsonb subscript in assignment must not be null"
                    ));
                }
                (Some(new), Some(steps)) => {
                    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
                    let new = new.datum(i);
                    let changed =
                        assign_subscripts(document(&whole), s.first_is_number, &steps, document(&new))?;
                    Datum::Bytes(changed.into())
                }
                (None, None) => Datum::Null,
                (None, Some(steps)) => {
                    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
                    document(&whole)
                        .and_then(|d| fetch_subscripts(d, &steps))
                        .map_or(Datum::Null, |v| v.to_datum())
                }
            };
            out.set(i, &value);
            Ok::<_, Box<common::PgError>>(())
        })?;
        Ok(Arc::new(out))
    }
}
