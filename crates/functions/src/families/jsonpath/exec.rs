//! The walk over a path: accessors, filters, arithmetic.
//!
//! # How it works
//! [`Exec::item`] evaluates one item over one value and hands each result on to the item's `next`; results of the last item
//! are pushed to `found`. Without `found` only existence matters, and the walk ends at the first result.
//!
//! # Invariants
//! - [`Fail::Soft`] is an error of the data, which predicates turn into unknown and silent callers into "nothing found";
//!   [`Fail::Hard`] always reaches the user.

use std::sync::Arc;

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use types::jsonb::JsonbRef;
use types::jsonpath::{Item, ItemId, ItemKind, LEVEL_LAST, Path, Subscript};
use types::numeric::{Numeric, Rounding};

use crate::families::jsonpath::value::PathValue;
use crate::framework::context::FnContext;

/// Deeper recursion is refused.
const DEPTH_MAX: usize = 2000;

/// How an evaluation fails.
pub(crate) enum Fail {
    Soft(Box<PgError>),
    Hard(Box<PgError>),
}

impl From<Box<PgError>> for Fail {
    fn from(e: Box<PgError>) -> Fail {
        Fail::Hard(e)
    }
}

/// A data error.
pub(crate) fn soft<T>(e: Box<PgError>) -> Result<T, Fail> {
    Err(Fail::Soft(e))
}

/// True when something was found.
pub(crate) type Found = Result<bool, Fail>;

/// Where results go; `None` when only existence matters.
pub(crate) type Sink<'s, 'a> = Option<&'s mut Vec<PathValue<'a>>>;

/// Variables of a path.
#[derive(Clone, Copy, Debug)]
pub enum Variables<'a> {
    /// Keys of an object.
    Object(JsonbRef<'a>),
    /// PASSING.
    Named(&'a [(Arc<str>, PathValue<'static>)]),
}

/// What one evaluation is about.
#[derive(Clone, Copy)]
pub struct PathRun<'a> {
    /// The path.
    pub path: &'a Path,
    /// `$`.
    pub root: JsonbRef<'a>,
    /// `$name`.
    pub variables: Variables<'a>,
    /// Casts may use the session's time zone.
    pub use_tz: bool,
}

/// The result of a run.
pub enum Outcome {
    /// True: something was found.
    Found(bool),
    /// The error that a caller who is not silent raises.
    Error(Box<PgError>),
}

/// Evaluates a path, with its results in `found` if they are wanted.
pub fn run<'a>(
    ctx: &FnContext<'_>,
    what: PathRun<'a>,
    found: Option<&mut Vec<PathValue<'a>>>,
) -> PgResult<Outcome> {
    if let Variables::Object(vars) = what.variables {
        if !matches!(vars, JsonbRef::Object(_)) {
            return Err(
                pg_err!(INVALID_PARAMETER_VALUE, "\"vars\" argument is not an object")
                    .detail("Jsonpath parameters should be encoded as key-value pairs of \"vars\" object."),
            );
        }
    }
    let mut exec = Exec {
        ctx,
        run: what,
        current: PathValue::Json(what.root),
        ignore_structure: what.path.lax,
        array_size: None,
        base_id: 0,
        base: what.root,
        last_id: 1 + i64::from(matches!(what.variables, Variables::Object(_))),
        depth: 0,
    };
    let root = PathValue::Json(what.root);
    let mut all = Vec::new();
    // Strict mode wants every value even where one would do: any of them may be an error.
    let strict = !what.path.lax && found.is_none();
    let sink = if strict { Some(&mut all) } else { found };
    match exec.item(what.path.root, &root, sink) {
        Ok(any) => Ok(Outcome::Found(if strict { !all.is_empty() } else { any })),
        Err(Fail::Soft(e)) => Ok(Outcome::Error(e)),
        Err(Fail::Hard(e)) => Err(e),
    }
}

/// An evaluation under way.
pub(crate) struct Exec<'a, 'c, 'x> {
    pub(crate) ctx: &'c FnContext<'x>,
    pub(crate) run: PathRun<'a>,
    /// `@`.
    pub(crate) current: PathValue<'a>,
    pub(crate) ignore_structure: bool,
    /// Size of the array whose subscripts are being evaluated.
    pub(crate) array_size: Option<i64>,
    /// The document that object ids count from, and its id.
    pub(crate) base: JsonbRef<'a>,
    pub(crate) base_id: i64,
    pub(crate) last_id: i64,
    depth: usize,
}

/// Levels of descent still to go.
#[derive(Clone, Copy)]
struct Descent {
    level: u32,
    first: u32,
    last: u32,
    ignore_structure: bool,
    unwrap_next: bool,
}

const ONE_LEVEL: Descent = Descent {
    level: 1,
    first: 1,
    last: 1,
    ignore_structure: false,
    unwrap_next: false,
};

impl<'a> Exec<'a, '_, '_> {
    pub(crate) fn lax(&self) -> bool {
        self.run.path.lax
    }

    pub(crate) fn node(&self, id: ItemId) -> Result<&'a Item, Fail> {
        match self.run.path.items.get(id) {
            Some(item) => Ok(item),
            None => Err(Fail::Hard(common::internal!("jsonpath item {id} is missing"))),
        }
    }

    /// Evaluates an item, unwrapping arrays in lax mode.
    pub(crate) fn item(&mut self, id: ItemId, value: &PathValue<'a>, found: Sink<'_, 'a>) -> Found {
        self.item_unwrap(id, value, found, self.lax())
    }

    pub(crate) fn item_unwrap(
        &mut self,
        id: ItemId,
        value: &PathValue<'a>,
        found: Sink<'_, 'a>,
        unwrap: bool,
    ) -> Found {
        self.ctx.cancel.check()?;
        self.deeper()?;
        let item = self.node(id)?;
        let result = self.dispatch(item, id, value, found, unwrap);
        self.depth -= 1;
        result
    }

    /// One level further down the stack; who comes back counts down.
    fn deeper(&mut self) -> Result<(), Fail> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fail::Hard(types::json_text::too_deep()));
        }
        Ok(())
    }

    /// Hands a value to the next item, or to the results.
    pub(crate) fn next(&mut self, item: &Item, value: &PathValue<'a>, found: Sink<'_, 'a>) -> Found {
        match (item.next, found) {
            (Some(next), found) => self.item(next, value, found),
            (None, Some(found)) => {
                found.push(value.clone());
                Ok(true)
            }
            (None, None) => Ok(true),
        }
    }

    fn dispatch(
        &mut self,
        item: &'a Item,
        id: ItemId,
        value: &PathValue<'a>,
        found: Sink<'_, 'a>,
        unwrap: bool,
    ) -> Found {
        match &item.kind {
            ItemKind::Null => self.next(item, &PathValue::Json(JsonbRef::Null), found),
            ItemKind::Bool(b) => self.next(item, &PathValue::Json(JsonbRef::Bool(*b)), found),
            ItemKind::Number(n) => self.next(item, &PathValue::Number(n.clone()), found),
            ItemKind::String(s) => self.next(item, &PathValue::String(Arc::clone(s)), found),
            ItemKind::Variable(name) => self.variable(item, name, found),
            ItemKind::Root => {
                let saved = (self.base, self.base_id);
                (self.base, self.base_id) = (self.run.root, 0);
                let result = self.next(item, &PathValue::Json(self.run.root), found);
                (self.base, self.base_id) = saved;
                result
            }
            ItemKind::Current => {
                let current = self.current.clone();
                self.next(item, &current, found)
            }
            ItemKind::Last => match self.array_size {
                Some(size) => self.next(item, &PathValue::Number(int(size - 1)), found),
                None => Err(Fail::Hard(common::internal!(
                    "evaluating jsonpath LAST outside of array subscript"
                ))),
            },
            ItemKind::Key(key) => self.key(item, id, key, value, found, unwrap),
            ItemKind::AnyKey => self.any_key(item, id, value, found, unwrap),
            ItemKind::AnyArray => self.any_array(item, value, found),
            ItemKind::Index(subscripts) => self.index(item, subscripts, value, found),
            ItemKind::Any { first, last } => self.any(item, (*first, *last), value, found),
            ItemKind::Filter(predicate) => {
                if unwrap && value.is_array() {
                    return self.unwrap_target(Some(id), value, found, false);
                }
                let saved = std::mem::replace(&mut self.current, value.clone());
                let holds = self.predicate(*predicate, value);
                self.current = saved;
                if holds? == Some(true) {
                    self.next(item, value, found)
                } else {
                    Ok(false)
                }
            }
            ItemKind::Binary(op, ..) if op.is_arithmetic() => self.arithmetic(item, value, found),
            ItemKind::Plus(arg) | ItemKind::Minus(arg) => self.sign(item, *arg, value, found),
            ItemKind::Binary(..)
            | ItemKind::Not(_)
            | ItemKind::IsUnknown(_)
            | ItemKind::Exists(_)
            | ItemKind::LikeRegex { .. } => {
                let truth = self.predicate_item(item, value)?;
                let truth = truth.map_or(JsonbRef::Null, JsonbRef::Bool);
                self.next(item, &PathValue::Json(truth), found)
            }
            ItemKind::Method(..) | ItemKind::Decimal(..) => self.method(item, id, value, found, unwrap),
        }
    }

    fn variable(&mut self, item: &Item, name: &str, found: Sink<'_, 'a>) -> Found {
        let value = match self.run.variables {
            Variables::Object(vars) => vars.get(name).map(PathValue::Json),
            Variables::Named(list) => list.iter().find(|(n, _)| &**n == name).map(|(_, v)| match v {
                // The list outlives the run, so its documents can be referred to.
                PathValue::Made(document, _) => PathValue::Json(JsonbRef::root(document)),
                other => other.clone(),
            }),
        };
        let Some(value) = value else {
            return Err(Fail::Hard(pg_err!(
                UNDEFINED_OBJECT,
                "could not find jsonpath variable \"{name}\""
            )));
        };
        let saved = (self.base, self.base_id);
        match (self.run.variables, &value) {
            (Variables::Object(vars), _) => (self.base, self.base_id) = (vars, 1),
            (_, PathValue::Json(j)) => (self.base, self.base_id) = (*j, 1),
            _ => {}
        }
        let result = self.next(item, &value, found);
        (self.base, self.base_id) = saved;
        result
    }

    /// A value inside a container as an item of its own.
    fn child(
        parent: &PathValue<'a>,
        child: JsonbRef<'_>,
        find: impl Fn(JsonbRef<'a>) -> Option<JsonbRef<'a>>,
    ) -> PathValue<'a> {
        match parent {
            PathValue::Json(j) => PathValue::Json(find(*j).unwrap_or(JsonbRef::Null)),
            // Below a made document nothing outlives it, so the child becomes a document too.
            _ => PathValue::Made(child.to_document().into(), 0),
        }
    }

    /// The members of a container as items.
    pub(crate) fn members(parent: &PathValue<'a>) -> Vec<PathValue<'a>> {
        match parent {
            PathValue::Json(JsonbRef::Array(a)) => a.iter().map(PathValue::Json).collect(),
            PathValue::Json(JsonbRef::Object(o)) => o.iter().map(|(_, v)| PathValue::Json(v)).collect(),
            other => match other.json() {
                Some(JsonbRef::Array(a)) => a
                    .iter()
                    .map(|v| PathValue::Made(v.to_document().into(), 0))
                    .collect(),
                Some(JsonbRef::Object(o)) => o
                    .iter()
                    .map(|(_, v)| PathValue::Made(v.to_document().into(), 0))
                    .collect(),
                _ => Vec::new(),
            },
        }
    }

    fn key(
        &mut self,
        item: &Item,
        id: ItemId,
        key: &str,
        value: &PathValue<'a>,
        found: Sink<'_, 'a>,
        unwrap: bool,
    ) -> Found {
        match value.json() {
            Some(JsonbRef::Object(o)) => match o.get(key) {
                Some(v) => {
                    let child = Self::child(value, v, |j| j.get(key));
                    self.next(item, &child, found)
                }
                None if self.ignore_structure => Ok(false),
                None => soft(pg_err!(
                    SQL_JSON_MEMBER_NOT_FOUND,
                    "JSON object does not contain key \"{key}\""
                )),
            },
            Some(JsonbRef::Array(_)) if unwrap => self.unwrap_target(Some(id), value, found, false),
            _ if self.ignore_structure => Ok(false),
            _ => soft(pg_err!(
                SQL_JSON_MEMBER_NOT_FOUND,
                "jsonpath member accessor can only be applied to an object"
            )),
        }
    }

    fn any_key(
        &mut self,
        item: &Item,
        id: ItemId,
        value: &PathValue<'a>,
        found: Sink<'_, 'a>,
        unwrap: bool,
    ) -> Found {
        match value.json() {
            Some(JsonbRef::Object(_)) => {
                let descent = Descent {
                    unwrap_next: self.lax(),
                    ..ONE_LEVEL
                };
                self.descend(item.next, value, found, descent)
            }
            Some(JsonbRef::Array(_)) if unwrap => self.unwrap_target(Some(id), value, found, false),
            _ if self.ignore_structure => Ok(false),
            _ => soft(pg_err!(
                SQL_JSON_OBJECT_NOT_FOUND,
                "jsonpath wildcard member accessor can only be applied to an object"
            )),
        }
    }

    fn any_array(&mut self, item: &Item, value: &PathValue<'a>, found: Sink<'_, 'a>) -> Found {
        if value.is_array() {
            let descent = Descent {
                unwrap_next: self.lax(),
                ..ONE_LEVEL
            };
            return self.descend(item.next, value, found, descent);
        }
        if self.lax() {
            return self.next(item, value, found);
        }
        if self.ignore_structure {
            return Ok(false);
        }
        soft(pg_err!(
            SQL_JSON_ARRAY_NOT_FOUND,
            "jsonpath wildcard array accessor can only be applied to an array"
        ))
    }

    fn any(
        &mut self,
        item: &Item,
        (first, last): (u32, u32),
        value: &PathValue<'a>,
        mut found: Sink<'_, 'a>,
    ) -> Found {
        let mut any = false;
        if first == 0 {
            let saved = std::mem::replace(&mut self.ignore_structure, true);
            let result = self.next(item, value, found.as_deref_mut());
            self.ignore_structure = saved;
            any = result?;
            if any && found.is_none() {
                return Ok(true);
            }
        }
        if value.is_container() {
            let descent = Descent {
                level: 1,
                first,
                last,
                ignore_structure: true,
                unwrap_next: self.lax(),
            };
            any |= self.descend(item.next, value, found, descent)?;
        }
        Ok(any)
    }

    /// Applies `next` to the members of an array (or hands them out).
    pub(crate) fn unwrap_target(
        &mut self,
        next: Option<ItemId>,
        value: &PathValue<'a>,
        found: Sink<'_, 'a>,
        unwrap_next: bool,
    ) -> Found {
        let descent = Descent {
            unwrap_next,
            ..ONE_LEVEL
        };
        self.descend(next, value, found, descent)
    }

    fn descend(
        &mut self,
        next: Option<ItemId>,
        value: &PathValue<'a>,
        mut found: Sink<'_, 'a>,
        d: Descent,
    ) -> Found {
        if d.level > d.last {
            return Ok(false);
        }
        self.deeper()?;
        let mut any = false;
        for member in Self::members(value) {
            let leaves_only = d.first == LEVEL_LAST && d.last == LEVEL_LAST;
            if d.level >= d.first || (leaves_only && !member.is_container()) {
                match (next, &mut found) {
                    (Some(next), found) => {
                        let saved = self.ignore_structure;
                        self.ignore_structure |= d.ignore_structure;
                        let result = self.item_unwrap(next, &member, found.as_deref_mut(), d.unwrap_next);
                        self.ignore_structure = saved;
                        any |= result?;
                    }
                    (None, Some(found)) => {
                        found.push(member.clone());
                        any = true;
                    }
                    (None, None) => any = true,
                }
                if any && found.is_none() {
                    break;
                }
            }
            if d.level < d.last && member.is_container() {
                let deeper = Descent {
                    level: d.level + 1,
                    ..d
                };
                any |= self.descend(next, &member, found.as_deref_mut(), deeper)?;
                if any && found.is_none() {
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(any)
    }

    fn index(
        &mut self,
        item: &Item,
        subscripts: &[Subscript],
        value: &PathValue<'a>,
        mut found: Sink<'_, 'a>,
    ) -> Found {
        if !value.is_array() && !self.lax() {
            if self.ignore_structure {
                return Ok(false);
            }
            return soft(pg_err!(
                SQL_JSON_ARRAY_NOT_FOUND,
                "jsonpath array accessor can only be applied to an array"
            ));
        }
        let members = if value.is_array() {
            Self::members(value)
        } else {
            vec![value.clone()]
        };
        let size = members.len() as i64;
        let saved = self.array_size.replace(size);
        let mut any = false;
        for s in subscripts {
            let range = self.range(s, value, size);
            let (from, to) = match range {
                Ok(range) => range,
                Err(e) => {
                    self.array_size = saved;
                    return Err(e);
                }
            };
            for k in from..=to {
                let Some(member) = usize::try_from(k).ok().and_then(|k| members.get(k)) else {
                    continue;
                };
                let result = self.next(item, member, found.as_deref_mut());
                if !matches!(result, Ok(false)) && (found.is_none() || result.is_err()) {
                    self.array_size = saved;
                    return result;
                }
                any |= matches!(result, Ok(true));
            }
        }
        self.array_size = saved;
        Ok(any)
    }

    fn range(&mut self, s: &Subscript, value: &PathValue<'a>, size: i64) -> Result<(i64, i64), Fail> {
        let from = self.array_index(s.from, value)?;
        let to = match s.to {
            Some(to) => self.array_index(to, value)?,
            None => from,
        };
        if !self.ignore_structure && (from < 0 || from > to || to >= size) {
            return soft(pg_err!(
                INVALID_SQL_JSON_SUBSCRIPT,
                "jsonpath array subscript is out of bounds"
            ));
        }
        Ok((from.max(0), to.min(size - 1)))
    }

    fn array_index(&mut self, id: ItemId, value: &PathValue<'a>) -> Result<i64, Fail> {
        let mut found = Vec::new();
        self.item(id, value, Some(&mut found))?;
        let number = match &found[..] {
            [one] => one.as_number(),
            _ => None,
        };
        let Some(number) = number else {
            return soft(pg_err!(
                INVALID_SQL_JSON_SUBSCRIPT,
                "jsonpath array subscript is not a single numeric value"
            ));
        };
        let whole = number.round_to(0, Rounding::Truncate)?;
        match whole.to_i64().filter(|v| i32::try_from(*v).is_ok()) {
            Some(index) => Ok(index),
            None => soft(pg_err!(
                INVALID_SQL_JSON_SUBSCRIPT,
                "jsonpath array subscript is out of integer range"
            )),
        }
    }

    /// Evaluates an item and, in lax mode, replaces arrays among the results by their elements.
    pub(crate) fn results(
        &mut self,
        id: ItemId,
        value: &PathValue<'a>,
        unwrap: bool,
    ) -> Result<Vec<PathValue<'a>>, Fail> {
        let mut found = Vec::new();
        self.item(id, value, Some(&mut found))?;
        if !(unwrap && self.lax() && found.iter().any(PathValue::is_array)) {
            return Ok(found);
        }
        let mut out = Vec::with_capacity(found.len());
        for one in found {
            if one.is_array() {
                out.extend(Self::members(&one));
            } else {
                out.push(one);
            }
        }
        Ok(out)
    }
}

/// An integer as a number.
pub(crate) fn int(value: i64) -> Numeric {
    Numeric::Small {
        unscaled: value,
        scale: 0,
    }
}
