//! `json_agg`, `json_object_agg` and their variants.

use std::collections::HashSet;

use common::{PgError, PgResult, cancel, pg_err};
use types::json_text::push_string;
use types::jsonb::{JsonbBuilder, JsonbRef};
use types::{Datum, Selection, Vector};

use crate::families::json::construct::check_unique;
use crate::families::json::value::{Category, categorize, key_text, push_json, put_jsonb};
use crate::framework::aggregate::{Accumulator, downcast};
use crate::framework::context::{CallInfo, FnContext};
use crate::framework::macros::aggregates;

/// Which aggregate.
#[derive(Clone, Copy, Default)]
struct Shape {
    object: bool,
    /// NULLs stay out.
    strict: bool,
    unique: bool,
}

fn arg<'a>(args: &[&'a Vector], k: usize) -> PgResult<&'a Vector> {
    args.get(k)
        .copied()
        .ok_or_else(|| common::internal!("aggregate called with too few arguments"))
}

#[cold]
fn null_key(jsonb: bool) -> Box<PgError> {
    if jsonb {
        pg_err!(INVALID_PARAMETER_VALUE, "field name must not be null")
    } else {
        pg_err!(NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key")
    }
}

/// A group's text so far; `None` before its first row.
#[derive(Default)]
struct TextGroup {
    text: Option<String>,
    seen: Keys,
}

/// Those that must not come again.
#[derive(Default)]
struct Keys(HashSet<String>);

impl Drop for Keys {
    fn drop(&mut self) {
        cancel::discard_items(std::mem::take(&mut self.0));
    }
}

/// The aggregates that yield `json`.
struct TextAgg {
    shape: Shape,
    groups: Vec<TextGroup>,
}

impl TextAgg {
    fn add(&mut self, ctx: &FnContext<'_>, group: usize, key: Datum, value: Datum) -> PgResult<()> {
        let shape = self.shape;
        let Some(group) = self.groups.get_mut(group) else {
            return Err(common::internal!("no such group"));
        };
        let text = group
            .text
            .get_or_insert_with(|| String::from(if shape.object { "{ " } else { "[" }));
        if !shape.object {
            if shape.strict && value.is_null() {
                return Ok(());
            }
            let type_oid = ctx.call.arg_type(0);
            if text.len() > 1 {
                text.push_str(", ");
                let category = categorize(type_oid, &ctx.io())?.0;
                if !value.is_null() && matches!(category, Category::Array | Category::Composite) {
                    text.push_str("\n ");
                }
            }
            return push_json(&value, type_oid, ctx, text);
        }
        if key.is_null() {
            return Err(null_key(false));
        }
        let skip = shape.strict && value.is_null();
        if skip && !shape.unique {
            return Ok(());
        }
        let key = key_text(&key, ctx.call.arg_type(0), ctx)?;
        if shape.unique {
            check_unique(&mut group.seen.0, &key)?;
            if skip {
                return Ok(());
            }
        }
        if text.len() > 2 {
            text.push_str(", ");
        }
        push_string(&key, text);
        text.push_str(" : ");
        push_json(&value, ctx.call.arg_type(1), ctx, text)
    }
}

/// Adds every selected row with its key and value.
fn each_row(
    object: bool,
    groups: &[u32],
    args: &[&Vector],
    sel: &Selection,
    mut add: impl FnMut(usize, Datum, Datum) -> PgResult<()>,
) -> PgResult<()> {
    let first = arg(args, 0)?;
    let second = if object { Some(arg(args, 1)?) } else { None };
    for (i, &group) in sel.iter().zip(groups) {
        match second {
            Some(value) => add(group as usize, first.datum(i), value.datum(i))?,
            None => add(group as usize, Datum::Null, first.datum(i))?,
        }
    }
    Ok(())
}

impl Accumulator for TextAgg {
    fn resize(&mut self, groups: usize) {
        self.groups.resize_with(groups, TextGroup::default);
    }

    fn update(
        &mut self,
        ctx: &mut FnContext<'_>,
        groups: &[u32],
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        each_row(self.shape.object, groups, args, sel, |group, key, value| {
            self.add(ctx, group, key, value)
        })
    }

    fn combine(&mut self, _: &mut FnContext<'_>, other: Box<dyn Accumulator>, map: &[u32]) -> PgResult<()> {
        let other = downcast::<TextAgg>(other)?;
        let open = if self.shape.object { 2 } else { 1 };
        for (from, &to) in other.groups.into_iter().zip(map) {
            let Some(to) = self.groups.get_mut(to as usize) else {
                continue;
            };
            let Some(text) = from.text else { continue };
            match &mut to.text {
                None => {
                    *to = TextGroup {
                        text: Some(text),
                        seen: from.seen,
                    }
                }
                Some(mine) => {
                    if mine.len() > open && text.len() > open {
                        mine.push_str(", ");
                    }
                    mine.push_str(&text[open..]);
                    for key in &from.seen.0 {
                        check_unique(&mut to.seen.0, key)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn finalize(&mut self, ctx: &mut FnContext<'_>, group: u32) -> PgResult<Datum> {
        let text = self.groups.get_mut(group as usize).and_then(|g| g.text.take());
        match text {
            None => Ok(Datum::Null),
            Some(mut text) => {
                text.push_str(if self.shape.object { " }" } else { "]" });
                common::long::text(&text, ctx.cancel).map(Datum::Text)
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        let bytes = |g: &TextGroup| size_of::<TextGroup>() + g.text.as_ref().map_or(0, String::capacity);
        self.groups.iter().map(bytes).sum()
    }
}

/// The aggregates that yield `jsonb`: a builder per group, open until the end.
struct JsonbAgg {
    shape: Shape,
    groups: Vec<Option<JsonbBuilder>>,
}

impl JsonbAgg {
    fn add(&mut self, ctx: &FnContext<'_>, group: usize, key: &Datum, value: &Datum) -> PgResult<()> {
        let shape = self.shape;
        let Some(slot) = self.groups.get_mut(group) else {
            return Err(common::internal!("no such group"));
        };
        let builder = slot.get_or_insert_with(|| {
            let mut builder = JsonbBuilder::new();
            if shape.object {
                builder.begin_object();
            } else {
                builder.begin_array();
            }
            if shape.unique {
                builder.set_unique();
            }
            if shape.strict && shape.object {
                builder.set_skip_nulls();
            }
            builder
        });
        if !shape.object {
            if shape.strict && value.is_null() {
                return Ok(());
            }
            return put_jsonb(value, ctx.call.arg_type(0), ctx, builder);
        }
        if key.is_null() {
            return Err(null_key(true));
        }
        if shape.strict && value.is_null() && !shape.unique {
            return Ok(());
        }
        builder.key(&key_text(key, ctx.call.arg_type(0), ctx)?)?;
        put_jsonb(value, ctx.call.arg_type(1), ctx, builder)
    }
}

impl Accumulator for JsonbAgg {
    fn resize(&mut self, groups: usize) {
        self.groups.resize_with(groups, || None);
    }

    fn update(
        &mut self,
        ctx: &mut FnContext<'_>,
        groups: &[u32],
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        each_row(self.shape.object, groups, args, sel, |group, key, value| {
            self.add(ctx, group, &key, &value)
        })
    }

    fn combine(&mut self, _: &mut FnContext<'_>, other: Box<dyn Accumulator>, map: &[u32]) -> PgResult<()> {
        let other = downcast::<JsonbAgg>(other)?;
        for (from, &to) in other.groups.into_iter().zip(map) {
            let (Some(to), Some(mut from)) = (self.groups.get_mut(to as usize), from) else {
                continue;
            };
            let Some(mine) = to else {
                *to = Some(from);
                continue;
            };
            from.end()?;
            let document = from.finish();
            match JsonbRef::root(&document) {
                JsonbRef::Object(o) => {
                    for (key, value) in o.iter() {
                        mine.key(key)?;
                        mine.value(value)?;
                    }
                }
                JsonbRef::Array(a) => a.iter().try_for_each(|e| mine.value(e))?,
                _ => {}
            }
        }
        Ok(())
    }

    fn finalize(&mut self, _: &mut FnContext<'_>, group: u32) -> PgResult<Datum> {
        let builder = self.groups.get_mut(group as usize).and_then(Option::take);
        match builder {
            None => Ok(Datum::Null),
            Some(mut builder) => {
                builder.end()?;
                builder.finish_datum()
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        let bytes = |b: &Option<JsonbBuilder>| 64 + b.as_ref().map_or(0, JsonbBuilder::memory_bytes);
        self.groups.iter().map(bytes).sum()
    }
}

fn text<const OBJECT: bool, const STRICT: bool, const UNIQUE: bool>(
    _: &CallInfo,
) -> PgResult<Box<dyn Accumulator>> {
    Ok(Box::new(TextAgg {
        shape: Shape {
            object: OBJECT,
            strict: STRICT,
            unique: UNIQUE,
        },
        groups: Vec::new(),
    }))
}

fn binary<const OBJECT: bool, const STRICT: bool, const UNIQUE: bool>(
    _: &CallInfo,
) -> PgResult<Box<dyn Accumulator>> {
    Ok(Box::new(JsonbAgg {
        shape: Shape {
            object: OBJECT,
            strict: STRICT,
            unique: UNIQUE,
        },
        groups: Vec::new(),
    }))
}

aggregates! {
    json_agg(anyelement) -> json = text::<false, false, false>;
    json_agg_strict(anyelement) -> json = text::<false, true, false>;
    json_object_agg(any, any) -> json = text::<true, false, false>;
    json_object_agg_strict(any, any) -> json = text::<true, true, false>;
    json_object_agg_unique(any, any) -> json = text::<true, false, true>;
    json_object_agg_unique_strict(any, any) -> json = text::<true, true, true>;
    jsonb_agg(anyelement) -> jsonb = binary::<false, false, false>;
    jsonb_agg_strict(anyelement) -> jsonb = binary::<false, true, false>;
    jsonb_object_agg(any, any) -> jsonb = binary::<true, false, false>;
    jsonb_object_agg_strict(any, any) -> jsonb = binary::<true, true, false>;
    jsonb_object_agg_unique(any, any) -> jsonb = binary::<true, false, true>;
    jsonb_object_agg_unique_strict(any, any) -> jsonb = binary::<true, true, true>;
}
