//! `jsonb_each`, `jsonb_array_elements`, `jsonb_object_keys`; `json_each`; `json_strip_nulls`.

use common::cancel::CancelToken;
use common::{PgError, PgResult, pg_err};
use types::json_text::{
    Lexer, Token, TokenKind, Visitor, push_string, unescape, validate_convertible, visit,
};
use types::jsonb::JsonbRef;
use types::{Datum, PhysType, Vector};

use crate::families::json::text::{as_text, kind, walk};
use crate::framework::context::FnContext;
use crate::framework::macros::{builtins, set_functions};
use crate::framework::set::{ScalarRows, SetRows};

/// Rows of two columns: a key and a value.
pub(crate) struct PairRows {
    phys: PhysType,
    pairs: std::vec::IntoIter<(Datum, Datum)>,
}

impl SetRows for PairRows {
    fn next_rows(&mut self, ctx: &mut FnContext<'_>, max: usize) -> PgResult<Option<Vec<Vector>>> {
        ctx.cancel.check()?;
        let (mut keys, mut values) = (Vector::empty(PhysType::Text), Vector::empty(self.phys));
        for (key, value) in self.pairs.by_ref().take(max) {
            keys.push(&key);
            values.push(&value);
        }
        Ok(if keys.is_empty() {
            None
        } else {
            Some(vec![keys, values])
        })
    }
}

fn pairs(phys: PhysType, pairs: Vec<(Datum, Datum)>) -> Box<dyn SetRows> {
    Box::new(PairRows {
        phys,
        pairs: pairs.into_iter(),
    })
}

fn rows(phys: PhysType, values: Vec<Datum>) -> Box<dyn SetRows> {
    Box::new(ScalarRows {
        phys,
        iter: values.into_iter().map(Ok),
    })
}

#[cold]
fn bad_call(message: String) -> Box<PgError> {
    pg_err!(INVALID_PARAMETER_VALUE, "{message}")
}

fn root(args: &[Datum]) -> JsonbRef<'_> {
    args.first().map_or(JsonbRef::Null, JsonbRef::of_datum)
}

fn text_or_null(value: JsonbRef<'_>, cancel: &CancelToken) -> PgResult<Datum> {
    Ok(value.as_text(cancel)?.map_or(Datum::Null, Datum::text))
}

fn document(value: JsonbRef<'_>, cancel: &CancelToken) -> PgResult<Datum> {
    cancel.check().map(|()| value.to_datum())
}

fn each_of(
    ctx: &FnContext<'_>,
    args: &[Datum],
    name: &str,
    phys: PhysType,
    value: fn(JsonbRef<'_>, &CancelToken) -> PgResult<Datum>,
) -> PgResult<Box<dyn SetRows>> {
    match root(args) {
        JsonbRef::Object(o) => {
            let pair = |(k, v)| Ok((Datum::text(k), value(v, ctx.cancel)?));
            Ok(pairs(phys, o.iter().map(pair).collect::<PgResult<_>>()?))
        }
        _ => Err(bad_call(format!("cannot call {name} on a non-object"))),
    }
}

fn jsonb_each(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    each_of(ctx, args, "jsonb_each", PhysType::Bytes, document)
}

fn jsonb_each_text(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    each_of(ctx, args, "jsonb_each_text", PhysType::Text, text_or_null)
}

fn elements_of(
    ctx: &FnContext<'_>,
    args: &[Datum],
    phys: PhysType,
    value: fn(JsonbRef<'_>, &CancelToken) -> PgResult<Datum>,
) -> PgResult<Box<dyn SetRows>> {
    match root(args) {
        JsonbRef::Array(a) => {
            let values = a.iter().map(|v| value(v, ctx.cancel));
            Ok(rows(phys, values.collect::<PgResult<_>>()?))
        }
        JsonbRef::Object(_) => Err(bad_call("cannot extract elements from an object".to_owned())),
        _ => Err(bad_call("cannot extract elements from a scalar".to_owned())),
    }
}

fn jsonb_array_elements(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    elements_of(ctx, args, PhysType::Bytes, document)
}

fn jsonb_array_elements_text(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    elements_of(ctx, args, PhysType::Text, text_or_null)
}

fn jsonb_object_keys(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    match root(args) {
        JsonbRef::Object(o) => Ok(rows(
            PhysType::Text,
            o.iter().map(|(k, _)| Datum::text(k)).collect(),
        )),
        JsonbRef::Array(_) => Err(bad_call("cannot call jsonb_object_keys on an array".to_owned())),
        _ => Err(bad_call("cannot call jsonb_object_keys on a scalar".to_owned())),
    }
}

fn json_each_of(
    ctx: &FnContext<'_>,
    args: &[Datum],
    value: fn(&str) -> PgResult<Datum>,
) -> PgResult<Box<dyn SetRows>> {
    let json = args.first().and_then(Datum::as_str).unwrap_or("null");
    validate_convertible(json, ctx.cancel)?;
    match kind(json)? {
        TokenKind::ObjectStart => {}
        TokenKind::ArrayStart => {
            return Err(bad_call("cannot deconstruct an array as an object".to_owned()));
        }
        _ => return Err(bad_call("cannot deconstruct a scalar".to_owned())),
    }
    let mut out = Vec::new();
    walk(json, ctx.cancel, &mut |key, v| {
        out.push((Datum::text(unescape(key)?), value(v)?));
        Ok(true)
    })?;
    Ok(pairs(PhysType::Text, out))
}

fn json_each(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    json_each_of(ctx, args, |v| Ok(Datum::text(v)))
}

fn json_each_text(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    json_each_of(ctx, args, |v| Ok(as_text(v)?.map_or(Datum::Null, Datum::text)))
}

/// Writes `json` anew without nulls and blanks.
struct Stripper {
    out: String,
    in_arrays: bool,
    /// True for objects.
    open: Vec<bool>,
    key: String,
}

impl Stripper {
    /// What goes before a value.
    fn lead(&mut self) {
        if self.open.is_empty() {
            return;
        }
        if !self.out.ends_with(['{', '[']) {
            self.out.push(',');
        }
        if self.open.last() == Some(&true) {
            push_string(&self.key, &mut self.out);
            self.out.push(':');
        }
    }
}

impl Visitor for Stripper {
    fn begin(&mut self, object: bool, _: Token) -> PgResult<()> {
        self.lead();
        self.open.push(object);
        self.out.push(if object { '{' } else { '[' });
        Ok(())
    }
    fn key(&mut self, token: &str) -> PgResult<()> {
        self.key = unescape(token)?;
        Ok(())
    }
    fn scalar(&mut self, kind: TokenKind, token: &str) -> PgResult<()> {
        let skip = match self.open.last() {
            Some(true) => true,
            Some(false) => self.in_arrays,
            None => false,
        };
        if kind == TokenKind::Null && skip {
            return Ok(());
        }
        self.lead();
        if kind == TokenKind::String {
            push_string(&unescape(token)?, &mut self.out);
        } else {
            self.out.push_str(token);
        }
        Ok(())
    }
    fn end(&mut self, object: bool, _: Token) -> PgResult<()> {
        self.open.pop();
        self.out.push(if object { '}' } else { ']' });
        Ok(())
    }
}

fn json_strip_nulls(ctx: &mut FnContext<'_>, json: &str, in_arrays: bool) -> PgResult<String> {
    let mut stripper = Stripper {
        out: String::with_capacity(json.len()),
        in_arrays,
        open: Vec::new(),
        key: String::new(),
    };
    visit(&mut Lexer::convertible(json).until(ctx.cancel), &mut stripper)?;
    Ok(stripper.out)
}

builtins! {
    json_strip_nulls(ctx, json: json, in_arrays: bool) -> json;
}

set_functions! {
    jsonb_each(jsonb) -> record = jsonb_each;
    jsonb_each_text(jsonb) -> record = jsonb_each_text;
    jsonb_array_elements(jsonb) -> jsonb = jsonb_array_elements;
    jsonb_array_elements_text(jsonb) -> text = jsonb_array_elements_text;
    jsonb_object_keys(jsonb) -> text = jsonb_object_keys;
    json_each(json) -> record = json_each;
    json_each_text(json) -> record = json_each_text;
}
