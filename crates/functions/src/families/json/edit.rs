//! Changing `jsonb`: `||`, `-`, `#-`, `jsonb_set`, `jsonb_insert`, subscript assignment, `jsonb_strip_nulls`, `jsonb_pretty`.
//!
//! PG: src/backend/utils/adt/jsonfuncs.c (`setPath`).

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use types::jsonb::{JsonbBuilder, JsonbRef, push_pretty};
use types::{ArrayValue, Datum};

use crate::families::json::ops::index_of;
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

/// What happens at the end of the path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Replace,
    /// Replace, or add what is missing.
    Create,
    Delete,
    InsertBefore,
    InsertAfter,
    /// Create, for subscripts: gaps are filled with nulls, missing containers are made, scalars on the way are errors.
    Assign,
}

impl Action {
    /// May add a key or element.
    fn adds(self) -> bool {
        !matches!(self, Action::Replace | Action::Delete)
    }
}

/// One change: where, what, how.
struct Change<'a> {
    path: Vec<Option<&'a str>>,
    action: Action,
    value: JsonbRef<'a>,
}

impl<'a> Change<'a> {
    fn new(path: &'a ArrayValue, action: Action, value: JsonbRef<'a>) -> PgResult<Change<'a>> {
        if path.dims.len() > 1 {
            return Err(pg_err!(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts"));
        }
        Ok(Change {
            path: path.elements.iter().map(Datum::as_str).collect(),
            action,
            value,
        })
    }

    fn last(&self, level: usize) -> bool {
        level + 1 == self.path.len()
    }

    fn step(&self, level: usize) -> PgResult<&'a str> {
        self.path.get(level).copied().flatten().ok_or_else(|| {
            pg_err!(
                NULL_VALUE_NOT_ALLOWED,
                "path element at position {} is null",
                level + 1
            )
        })
    }

    fn apply(&self, at: JsonbRef<'_>, level: usize, out: &mut JsonbBuilder) -> PgResult<()> {
        if level < self.path.len() {
            self.step(level)?;
        }
        match at {
            JsonbRef::Object(_) => {
                out.begin_object();
                self.object(at, level, out)?;
                out.end()
            }
            JsonbRef::Array(_) => {
                out.begin_array();
                self.array(at, level, out)?;
                out.end()
            }
            scalar => {
                if self.action == Action::Assign && level < self.path.len() {
                    return Err(pg_err!(INVALID_PARAMETER_VALUE, "cannot replace existing key")
                        .detail("The path assumes key is a composite object, but it is a scalar value."));
                }
                out.value(scalar)
            }
        }
    }

    fn object(&self, at: JsonbRef<'_>, level: usize, out: &mut JsonbBuilder) -> PgResult<()> {
        let JsonbRef::Object(object) = at else {
            return Ok(());
        };
        let key = self.step(level)?;
        let last = self.last(level);
        let mut done = false;
        for (name, value) in object.iter() {
            if name != key {
                out.key(name)?;
                out.value(value)?;
                continue;
            }
            done = true;
            if !last {
                out.key(name)?;
                self.apply(value, level + 1, out)?;
                continue;
            }
            match self.action {
                Action::InsertBefore | Action::InsertAfter => {
                    return Err(pg_err!(INVALID_PARAMETER_VALUE, "cannot replace existing key")
                        .hint("Try using the function jsonb_set to replace key value."));
                }
                Action::Delete => {}
                _ => {
                    out.key(name)?;
                    out.value(self.value)?;
                }
            }
        }
        if !done && last && self.action.adds() {
            out.key(key)?;
            out.value(self.value)?;
        } else if !done && !last && self.action == Action::Assign {
            out.key(key)?;
            self.chain(level, out)?;
        }
        Ok(())
    }

    fn index(&self, level: usize, count: i64) -> PgResult<i64> {
        let text = self.step(level)?;
        let Some(index) = index_of(text).map(i64::from) else {
            return Err(pg_err!(
                INVALID_TEXT_REPRESENTATION,
                "path element at position {} is not an integer: \"{text}\"",
                level + 1
            ));
        };
        if index >= 0 {
            let bounded = self.action != Action::Assign;
            return Ok(if bounded { index.min(count) } else { index });
        }
        if -index <= count {
            return Ok(count + index);
        }
        if self.action == Action::Assign {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "path element at position {} is out of range: {index}",
                level + 1
            ));
        }
        Ok(-1)
    }

    fn array(&self, at: JsonbRef<'_>, level: usize, out: &mut JsonbBuilder) -> PgResult<()> {
        let JsonbRef::Array(array) = at else { return Ok(()) };
        let count = array.len() as i64;
        // Before the first element: -1.
        let index = self.index(level, count)?;
        let last = self.last(level);
        let assign = self.action == Action::Assign;
        let mut done = false;
        if (index < 0 || count == 0) && last && self.action.adds() {
            if assign && count == 0 {
                nulls(index, out)?;
            }
            out.value(self.value)?;
            done = true;
        }
        for (k, element) in array.iter().enumerate() {
            if k as i64 != index {
                out.value(element)?;
                continue;
            }
            done = true;
            if !last {
                self.apply(element, level + 1, out)?;
                continue;
            }
            match self.action {
                Action::Delete => {}
                Action::InsertBefore => {
                    out.value(self.value)?;
                    out.value(element)?;
                }
                Action::InsertAfter => {
                    out.value(element)?;
                    out.value(self.value)?;
                }
                Action::Replace | Action::Create | Action::Assign => out.value(self.value)?,
            }
        }
        if !done && last && self.action.adds() {
            nulls(index - count, out)?;
            out.value(self.value)?;
        } else if !done && !last && assign {
            nulls(index - count, out)?;
            self.chain(level, out)?;
        }
        Ok(())
    }

    /// The containers that the rest of the path asks for, with the value inside.
    fn chain(&self, level: usize, out: &mut JsonbBuilder) -> PgResult<()> {
        let rest = self.path.get(level + 1..).unwrap_or(&[]);
        let depth = out.depth();
        for step in rest {
            let Some(step) = step else { break };
            match index_of(step) {
                Some(index) => {
                    out.begin_array();
                    nulls(i64::from(index), out)?;
                }
                None => {
                    out.begin_object();
                    out.key(step)?;
                }
            }
        }
        out.value(self.value)?;
        while out.depth() > depth {
            out.end()?;
        }
        Ok(())
    }

    fn run(&self, root: JsonbRef<'_>) -> PgResult<Vec<u8>> {
        let mut out = JsonbBuilder::new();
        self.apply(root, 0, &mut out)?;
        Ok(out.finish())
    }
}

fn nulls(count: i64, out: &mut JsonbBuilder) -> PgResult<()> {
    for _ in 0..count.max(0) {
        out.null()?;
    }
    Ok(())
}

fn is_empty(value: JsonbRef<'_>) -> bool {
    match value {
        JsonbRef::Array(a) => a.is_empty(),
        JsonbRef::Object(o) => o.is_empty(),
        _ => false,
    }
}

#[cold]
fn scalar_error(what: &str) -> Box<PgError> {
    pg_err!(INVALID_PARAMETER_VALUE, "cannot {what} scalar")
}

fn jsonb_set(j: &[u8], path: &ArrayValue, value: &[u8], create: bool) -> PgResult<Vec<u8>> {
    let action = if create { Action::Create } else { Action::Replace };
    let change = Change::new(path, action, JsonbRef::root(value))?;
    let root = JsonbRef::root(j);
    if root.is_scalar() {
        return Err(scalar_error("set path in"));
    }
    if change.path.is_empty() || (is_empty(root) && !create) {
        return Ok(j.to_vec());
    }
    change.run(root)
}

fn jsonb_insert(j: &[u8], path: &ArrayValue, value: &[u8], after: bool) -> PgResult<Vec<u8>> {
    let action = if after {
        Action::InsertAfter
    } else {
        Action::InsertBefore
    };
    let change = Change::new(path, action, JsonbRef::root(value))?;
    let root = JsonbRef::root(j);
    if root.is_scalar() {
        return Err(scalar_error("set path in"));
    }
    if change.path.is_empty() {
        return Ok(j.to_vec());
    }
    change.run(root)
}

fn jsonb_delete_path(j: &[u8], path: &ArrayValue) -> PgResult<Vec<u8>> {
    let change = Change::new(path, Action::Delete, JsonbRef::Null)?;
    let root = JsonbRef::root(j);
    if root.is_scalar() {
        return Err(scalar_error("delete path in"));
    }
    if change.path.is_empty() || is_empty(root) {
        return Ok(j.to_vec());
    }
    change.run(root)
}

const TREATMENTS: &str = "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \
                          \"raise_exception\"";

fn jsonb_set_lax(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let [target, path, value, create, treatment] = args else {
        return Err(common::internal!("jsonb_set_lax takes five arguments"));
    };
    let (Datum::Bytes(j), Datum::Array(path), Datum::Bool(create)) = (target, path, create) else {
        return Ok(Datum::Null);
    };
    let Some(treatment) = treatment.as_str() else {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "{TREATMENTS}"));
    };
    if let Datum::Bytes(value) = value {
        return Ok(Datum::Bytes(jsonb_set(j, path, value, *create)?.into()));
    }
    match treatment {
        "raise_exception" => Err(pg_err!(NULL_VALUE_NOT_ALLOWED, "JSON value must not be null")
            .detail("Exception was raised because null_value_treatment is \"raise_exception\".")
            .hint(
                "To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed.",
            )),
        "use_json_null" => {
            let null = JsonbRef::Null.to_document();
            Ok(Datum::Bytes(jsonb_set(j, path, &null, *create)?.into()))
        }
        "delete_key" => Ok(Datum::Bytes(jsonb_delete_path(j, path)?.into())),
        "return_target" => Ok(target.clone()),
        _ => Err(pg_err!(INVALID_PARAMETER_VALUE, "{TREATMENTS}")),
    }
}

/// `container[subscripts] := value`. A NULL container is an empty array or object, as the first subscript is a number or
/// not; a NULL value is a JSON null.
pub fn assign_subscripts(
    container: Option<&[u8]>,
    first_is_number: bool,
    subscripts: &[&str],
    value: Option<&[u8]>,
) -> PgResult<Vec<u8>> {
    let null = JsonbRef::Null.to_document();
    let change = Change {
        path: subscripts.iter().map(|s| Some(*s)).collect(),
        action: Action::Assign,
        value: JsonbRef::root(value.unwrap_or(&null)),
    };
    match container {
        Some(document) => change.run(JsonbRef::root(document)),
        None => {
            let empty = super::construct::empty_jsonb(!first_is_number)?;
            change.run(JsonbRef::root(&empty))
        }
    }
}

/// The value at some subscripts.
pub fn fetch_subscripts<'a>(container: &'a [u8], subscripts: &[&'a str]) -> Option<JsonbRef<'a>> {
    super::ops::follow(JsonbRef::root(container), subscripts.iter().map(|s| Some(*s)))
}

fn jsonb_concat(a: &[u8], b: &[u8]) -> PgResult<Vec<u8>> {
    let (x, y) = (JsonbRef::root(a), JsonbRef::root(b));
    let mut out = JsonbBuilder::new();
    if let (JsonbRef::Object(x), JsonbRef::Object(y)) = (x, y) {
        out.begin_object();
        for (key, value) in x.iter().chain(y.iter()) {
            out.key(key)?;
            out.value(value)?;
        }
        out.end()?;
        return Ok(out.finish());
    }
    out.begin_array();
    for side in [x, y] {
        match side {
            JsonbRef::Array(a) => a.iter().try_for_each(|e| out.value(e))?,
            other => out.value(other)?,
        }
    }
    out.end()?;
    Ok(out.finish())
}

/// Without the keys, or string elements, for which `drop` holds.
fn without(j: &[u8], drop: impl Fn(&str) -> bool) -> PgResult<Vec<u8>> {
    let mut out = JsonbBuilder::new();
    match JsonbRef::root(j) {
        JsonbRef::Object(o) => {
            out.begin_object();
            for (key, value) in o.iter().filter(|(key, _)| !drop(key)) {
                out.key(key)?;
                out.value(value)?;
            }
        }
        JsonbRef::Array(a) => {
            out.begin_array();
            for element in a.iter() {
                if !matches!(element, JsonbRef::String(s) if drop(s)) {
                    out.value(element)?;
                }
            }
        }
        _ => return Err(scalar_error("delete from")),
    }
    out.end()?;
    Ok(out.finish())
}

fn jsonb_delete(j: &[u8], key: &str) -> PgResult<Vec<u8>> {
    without(j, |k| k == key)
}

fn jsonb_delete_array(j: &[u8], keys: &ArrayValue) -> PgResult<Vec<u8>> {
    if keys.dims.len() > 1 {
        return Err(pg_err!(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts"));
    }
    let keys: Vec<&str> = keys.elements.iter().filter_map(Datum::as_str).collect();
    without(j, |k| keys.contains(&k))
}

fn jsonb_delete_idx(j: &[u8], index: i32) -> PgResult<Vec<u8>> {
    let array = match JsonbRef::root(j) {
        JsonbRef::Array(a) => a,
        JsonbRef::Object(_) => {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "cannot delete from object using integer index"
            ));
        }
        _ => return Err(scalar_error("delete from")),
    };
    let index = i64::from(index);
    let index = if index < 0 {
        index + array.len() as i64
    } else {
        index
    };
    let mut out = JsonbBuilder::new();
    out.begin_array();
    for (k, element) in array.iter().enumerate() {
        if k as i64 != index {
            out.value(element)?;
        }
    }
    out.end()?;
    Ok(out.finish())
}

fn strip(value: JsonbRef<'_>, in_arrays: bool, out: &mut JsonbBuilder) -> PgResult<()> {
    match value {
        JsonbRef::Object(o) => {
            out.begin_object();
            for (key, value) in o.iter().filter(|(_, v)| !matches!(v, JsonbRef::Null)) {
                out.key(key)?;
                strip(value, in_arrays, out)?;
            }
            out.end()
        }
        JsonbRef::Array(a) => {
            out.begin_array();
            for element in a.iter() {
                if !(in_arrays && matches!(element, JsonbRef::Null)) {
                    strip(element, in_arrays, out)?;
                }
            }
            out.end()
        }
        scalar => out.value(scalar),
    }
}

fn jsonb_strip_nulls(j: &[u8], in_arrays: bool) -> PgResult<Vec<u8>> {
    let mut out = JsonbBuilder::new();
    strip(JsonbRef::root(j), in_arrays, &mut out)?;
    Ok(out.finish())
}

fn jsonb_pretty(ctx: &mut FnContext<'_>, j: &[u8]) -> PgResult<String> {
    let mut out = String::new();
    push_pretty(JsonbRef::root(j), ctx.cancel, &mut out)?;
    Ok(out)
}

builtins! {
    jsonb_set(j: jsonb, path: text_array, value: jsonb, create: bool) -> jsonb;
    jsonb_set_lax[general](jsonb, text_array, jsonb, bool, text) -> jsonb;
    jsonb_insert(j: jsonb, path: text_array, value: jsonb, after: bool) -> jsonb;
    jsonb_delete_path(j: jsonb, path: text_array) -> jsonb;
    jsonb_delete(j: jsonb, key: text) -> jsonb;
    jsonb_delete_array(j: jsonb, keys: text_array) -> jsonb;
    jsonb_delete_idx(j: jsonb, index: int4) -> jsonb;
    jsonb_concat(a: jsonb, b: jsonb) -> jsonb;
    jsonb_strip_nulls(j: jsonb, in_arrays: bool) -> jsonb;
    jsonb_pretty(ctx, j: jsonb) -> text;
}
