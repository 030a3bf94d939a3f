//! `array_agg` and `string_agg`.

use std::sync::Arc;

use common::cancel::{self, CancelToken};
use common::{Oid, PgResult, long, pg_err};
use types::{ArrayDim, ArrayValue, Datum, Selection, Vector};

use super::argument;
use crate::framework::aggregate::{Accumulator, downcast};
use crate::framework::context::{CallInfo, FnContext};
use crate::framework::macros::aggregates;
use crate::framework::pieces;

/// `array_agg(x)`: the values in order, NULLs included.
struct ArrayAgg {
    element_type: Oid,
    groups: Vec<Vec<Datum>>,
}

impl ArrayAgg {
    fn make(call: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
        Ok(Box::new(ArrayAgg {
            element_type: call.arg_type(0),
            groups: Vec::new(),
        }))
    }
}

impl Drop for ArrayAgg {
    fn drop(&mut self) {
        self.groups.drain(..).for_each(cancel::discard_list);
    }
}

impl Accumulator for ArrayAgg {
    fn resize(&mut self, groups: usize) {
        self.groups.resize_with(groups, Vec::new);
    }

    fn update(
        &mut self,
        _ctx: &mut FnContext<'_>,
        groups: &[u32],
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        let arg = argument(args)?;
        for (i, &group) in sel.iter().zip(groups) {
            self.groups[group as usize].push(arg.datum(i));
        }
        Ok(())
    }

    fn combine(&mut self, _: &mut FnContext<'_>, other: Box<dyn Accumulator>, map: &[u32]) -> PgResult<()> {
        let mut other = downcast::<ArrayAgg>(other)?;
        for (values, &group) in other.groups.drain(..).zip(map) {
            self.groups[group as usize].extend(values);
        }
        Ok(())
    }

    fn finalize(&mut self, _: &mut FnContext<'_>, group: u32) -> PgResult<Datum> {
        let values = std::mem::take(&mut self.groups[group as usize]);
        if values.is_empty() {
            return Ok(Datum::Null);
        }
        let array = ArrayValue::from_elements(self.element_type, values);
        Ok(Datum::Array(Arc::new(array)))
    }

    fn memory_bytes(&self) -> usize {
        self.groups
            .iter()
            .map(|g| g.capacity() * size_of::<Datum>())
            .sum()
    }
}

/// `array_agg(array)`: arrays of equal shape become one with a dimension more.
struct ArrayOfArrays {
    groups: Vec<Vec<Arc<ArrayValue>>>,
}

impl Drop for ArrayOfArrays {
    fn drop(&mut self) {
        self.groups.drain(..).for_each(cancel::discard_list);
    }
}

impl ArrayOfArrays {
    fn make(_: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
        Ok(Box::new(ArrayOfArrays { groups: Vec::new() }))
    }

    fn add(&mut self, group: usize, value: Datum) -> PgResult<()> {
        let Datum::Array(array) = value else {
            return Err(pg_err!(NULL_VALUE_NOT_ALLOWED, "cannot accumulate null arrays"));
        };
        let first = self.groups[group].first();
        if array.dims.is_empty() && first.is_none() {
            return Err(pg_err!(ARRAY_SUBSCRIPT_ERROR, "cannot accumulate empty arrays"));
        }
        if first.is_some_and(|first| first.dims != array.dims) {
            return Err(pg_err!(
                ARRAY_SUBSCRIPT_ERROR,
                "cannot accumulate arrays of different dimensionality"
            ));
        }
        self.groups[group].push(array);
        Ok(())
    }
}

impl Accumulator for ArrayOfArrays {
    fn resize(&mut self, groups: usize) {
        self.groups.resize_with(groups, Vec::new);
    }

    fn update(
        &mut self,
        _ctx: &mut FnContext<'_>,
        groups: &[u32],
        args: &[&Vector],
        sel: &Selection,
    ) -> PgResult<()> {
        let arg = argument(args)?;
        for (i, &group) in sel.iter().zip(groups) {
            self.add(group as usize, arg.datum(i))?;
        }
        Ok(())
    }

    fn combine(&mut self, _: &mut FnContext<'_>, other: Box<dyn Accumulator>, map: &[u32]) -> PgResult<()> {
        let mut other = downcast::<ArrayOfArrays>(other)?;
        for (arrays, &group) in other.groups.drain(..).zip(map) {
            for array in arrays {
                self.add(group as usize, Datum::Array(array))?;
            }
        }
        Ok(())
    }

    fn finalize(&mut self, ctx: &mut FnContext<'_>, group: u32) -> PgResult<Datum> {
        let arrays = std::mem::take(&mut self.groups[group as usize]);
        let joined = join(&arrays, ctx.cancel);
        cancel::discard_list(arrays);
        joined
    }

    fn memory_bytes(&self) -> usize {
        let bytes = |g: &Vec<Arc<ArrayValue>>| {
            g.iter()
                .map(|a| a.elements.len() * size_of::<Datum>())
                .sum::<usize>()
        };
        self.groups.iter().map(bytes).sum()
    }
}

/// Arrays of the same size as one of a dimension more.
fn join(arrays: &[Arc<ArrayValue>], cancel: &CancelToken) -> PgResult<Datum> {
    let Some(first) = arrays.first() else {
        return Ok(Datum::Null);
    };
    let mut dims = vec![ArrayDim {
        len: arrays.len() as i32,
        lower: 1,
    }];
    dims.extend_from_slice(&first.dims);
    if dims.len() > types::io_array::DIMENSIONS_MAX {
        return Err(types::io_array::too_many_dimensions(dims.len()));
    }
    let elements = pieces::list(cancel, arrays.iter().flat_map(|a| a.elements.iter().cloned()))?;
    Ok(Datum::Array(Arc::new(ArrayValue {
        element_type: first.element_type,
        dims,
        elements,
    })))
}

/// `string_agg(value, delimiter)` over bytes; the first value's delimiter is not used.
struct StringAgg {
    text: bool,
    /// The joined bytes and how many of them are the first delimiter, which is dropped at the end.
    groups: Vec<Option<(Vec<u8>, usize)>>,
}

impl StringAgg {
    fn text(_: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
        Ok(Box::new(StringAgg {
            text: true,
            groups: Vec::new(),
        }))
    }
    fn bytes(_: &CallInfo) -> PgResult<Box<dyn Accumulator>> {
        Ok(Box::new(StringAgg {
            text: false,
            groups: Vec::new(),
        }))
    }
}

impl Accumulator for StringAgg {
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
        let value = argument(args)?;
        let delimiter = args.get(1).copied();
        for (i, &group) in sel.iter().zip(groups) {
            if value.is_null(i) {
                continue;
            }
            let Some(bytes) = value.bytes(i) else {
                continue;
            };
            let separator = delimiter.map_or(Datum::Null, |d| d.datum(i));
            let separator = separator.as_bytes().unwrap_or(&[]);
            let (joined, _) =
                self.groups[group as usize].get_or_insert_with(|| (Vec::new(), separator.len()));
            joined.extend_from_slice(separator);
            pieces::bytes(ctx.cancel, bytes, |piece| joined.extend_from_slice(piece))?;
        }
        Ok(())
    }

    fn combine(&mut self, _: &mut FnContext<'_>, other: Box<dyn Accumulator>, map: &[u32]) -> PgResult<()> {
        let other = downcast::<StringAgg>(other)?;
        for (theirs, &group) in other.groups.into_iter().zip(map) {
            let ours = &mut self.groups[group as usize];
            match (ours.as_mut(), theirs) {
                (Some((joined, _)), Some((more, _))) => joined.extend_from_slice(&more),
                (None, theirs) => *ours = theirs,
                (Some(_), None) => {}
            }
        }
        Ok(())
    }

    fn finalize(&mut self, ctx: &mut FnContext<'_>, group: u32) -> PgResult<Datum> {
        let Some((joined, first_delimiter)) = self.groups[group as usize].take() else {
            return Ok(Datum::Null);
        };
        let bytes = &joined[first_delimiter..];
        if !self.text {
            return long::bytes(bytes, ctx.cancel).map(Datum::Bytes);
        }
        ctx.cancel.check()?;
        match std::str::from_utf8(bytes) {
            Ok(s) => long::text(s, ctx.cancel).map(Datum::Text),
            Err(_) => Err(common::internal!("string_agg joined invalid UTF-8")),
        }
    }

    fn memory_bytes(&self) -> usize {
        self.groups
            .iter()
            .flatten()
            .map(|(joined, _)| joined.capacity())
            .sum()
    }
}

aggregates! {
    array_agg(anynonarray) -> anyarray = ArrayAgg::make;
    array_agg(anyarray) -> anyarray = ArrayOfArrays::make;
    string_agg(text, text) -> text = StringAgg::text;
    string_agg(bytea, bytea) -> bytea = StringAgg::bytes;
}
