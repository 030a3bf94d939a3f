//! Arrays: shape, elements, containment, text.

use std::cmp::Ordering;
use std::sync::Arc;

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use types::compare::{compare, compare_arrays};
use types::{ArrayDim, ArrayValue, Datum, PhysType, Vector, io, oids};

use crate::families::int::sign;
use crate::families::quote::{STRING_BYTES_MAX, string_too_long};
use crate::framework::context::FnContext;
use crate::framework::macros::{builtins, set_functions};
use crate::framework::pieces;
use crate::framework::set::{SetRows, materialized};

fn dimension(a: &ArrayValue, k: i32) -> Option<&ArrayDim> {
    a.dims.get(usize::try_from(k).ok()?.checked_sub(1)?)
}

fn array_ndims(a: &ArrayValue) -> Option<i32> {
    Some(a.dims.len() as i32).filter(|n| *n > 0)
}
fn array_length(a: &ArrayValue, k: i32) -> Option<i32> {
    dimension(a, k).map(|d| d.len)
}
fn array_lower(a: &ArrayValue, k: i32) -> Option<i32> {
    dimension(a, k).map(|d| d.lower)
}
fn array_upper(a: &ArrayValue, k: i32) -> Option<i32> {
    dimension(a, k).map(|d| d.lower.wrapping_add(d.len).wrapping_sub(1))
}
fn array_cardinality(a: &ArrayValue) -> i32 {
    a.elements.len() as i32
}
fn array_dims(a: &ArrayValue) -> Option<String> {
    if a.dims.is_empty() {
        return None;
    }
    let bound = |d: &ArrayDim| format!("[{}:{}]", d.lower, d.lower.wrapping_add(d.len).wrapping_sub(1));
    Some(a.dims.iter().map(bound).collect())
}

// Comparison; element types are the same on both sides (the analyzer saw to it).
fn array_eq(a: &ArrayValue, b: &ArrayValue) -> bool {
    compare_arrays(a, b).is_eq()
}
fn array_ne(a: &ArrayValue, b: &ArrayValue) -> bool {
    compare_arrays(a, b).is_ne()
}
fn array_lt(a: &ArrayValue, b: &ArrayValue) -> bool {
    compare_arrays(a, b).is_lt()
}
fn array_le(a: &ArrayValue, b: &ArrayValue) -> bool {
    compare_arrays(a, b).is_le()
}
fn array_gt(a: &ArrayValue, b: &ArrayValue) -> bool {
    compare_arrays(a, b).is_gt()
}
fn array_ge(a: &ArrayValue, b: &ArrayValue) -> bool {
    compare_arrays(a, b).is_ge()
}
fn btarraycmp(a: &ArrayValue, b: &ArrayValue) -> i32 {
    sign(compare_arrays(a, b))
}
fn array_larger(a: &Datum, b: &Datum) -> Datum {
    extreme(a, b, Ordering::Greater)
}
fn array_smaller(a: &Datum, b: &Datum) -> Datum {
    extreme(a, b, Ordering::Less)
}
fn extreme(a: &Datum, b: &Datum, wanted: Ordering) -> Datum {
    if compare(oids::ANYARRAY, a, b) == wanted {
        a.clone()
    } else {
        b.clone()
    }
}

/// NULL elements match nothing here.
fn has(ctx: &FnContext<'_>, a: &ArrayValue, value: &Datum) -> PgResult<bool> {
    for some in a.elements.chunks(ELEMENTS_UNCHECKED) {
        if value.is_null() {
            break;
        }
        // Many elements of one array are looked for among many of the other.
        ctx.cancel.check()?;
        let is_it = |e: &Datum| !e.is_null() && compare(a.element_type, e, value).is_eq();
        if some.iter().any(is_it) {
            return Ok(true);
        }
    }
    Ok(false)
}
fn arraycontains(ctx: &mut FnContext<'_>, a: &ArrayValue, b: &ArrayValue) -> PgResult<bool> {
    for e in &b.elements {
        if !has(ctx, a, e)? {
            return Ok(false);
        }
    }
    Ok(true)
}
fn arraycontained(ctx: &mut FnContext<'_>, a: &ArrayValue, b: &ArrayValue) -> PgResult<bool> {
    arraycontains(ctx, b, a)
}
fn arrayoverlap(ctx: &mut FnContext<'_>, a: &ArrayValue, b: &ArrayValue) -> PgResult<bool> {
    for e in &b.elements {
        if has(ctx, a, e)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Elements between two looks at the cancel flag.
const ELEMENTS_UNCHECKED: usize = 1 << 14;

fn with_elements(a: &ArrayValue, dims: Vec<ArrayDim>, elements: Vec<Datum>) -> Datum {
    Datum::Array(Arc::new(ArrayValue {
        element_type: a.element_type,
        dims,
        elements,
    }))
}

/// The array argument, an empty array of the argument's type when NULL.
fn array_or_empty(ctx: &FnContext<'_>, value: Option<&Datum>, element: usize) -> Arc<ArrayValue> {
    match value {
        Some(Datum::Array(a)) => a.clone(),
        _ => Arc::new(ArrayValue::from_elements(ctx.call.arg_type(element), Vec::new())),
    }
}

#[cold]
fn not_one_dimensional() -> Box<PgError> {
    pg_err!(DATA_EXCEPTION, "argument must be empty or one-dimensional array")
}

#[cold]
fn out_of_range() -> Box<PgError> {
    pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range")
}

fn array_append(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let a = array_or_empty(ctx, args.first(), 1);
    let value = args.get(1).cloned().unwrap_or_default();
    let lower = match a.dims.as_slice() {
        [] => 1,
        [d] => d.lower,
        _ => return Err(not_one_dimensional()),
    };
    let all = a.elements.iter().cloned().chain([value]);
    let elements = pieces::list(ctx.cancel, all)?;
    let len = elements.len() as i32;
    lower.checked_add(len).ok_or_else(out_of_range)?;
    Ok(with_elements(&a, vec![ArrayDim { len, lower }], elements))
}

fn array_prepend(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let a = array_or_empty(ctx, args.get(1), 0);
    // The lower bound stays, as if the others had moved up.
    let lower = match a.dims.as_slice() {
        [] => 1,
        [d] => d.lower,
        _ => return Err(not_one_dimensional()),
    };
    let first = args.first().cloned().unwrap_or_default();
    let all = std::iter::once(first).chain(a.elements.iter().cloned());
    let elements = pieces::list(ctx.cancel, all)?;
    let len = elements.len() as i32;
    Ok(with_elements(&a, vec![ArrayDim { len, lower }], elements))
}

#[cold]
fn incompatible(detail: &str) -> Box<PgError> {
    pg_err!(ARRAY_SUBSCRIPT_ERROR, "cannot concatenate incompatible arrays").detail(detail)
}

fn array_cat(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let (a, b) = match args {
        [Datum::Array(a), Datum::Array(b)] => (a, b),
        [Datum::Array(a), _] | [_, Datum::Array(a)] => return Ok(Datum::Array(a.clone())),
        _ => return Ok(Datum::Null),
    };
    if a.dims.is_empty() {
        return Ok(Datum::Array(b.clone()));
    }
    if b.dims.is_empty() {
        return Ok(Datum::Array(a.clone()));
    }
    let mut dims = if a.dims.len() >= b.dims.len() {
        a.dims.clone()
    } else {
        b.dims.clone()
    };
    let inner_differ = |x: &[ArrayDim], y: &[ArrayDim]| x != y;
    match a.dims.len() as i64 - b.dims.len() as i64 {
        0 if inner_differ(&a.dims[1..], &b.dims[1..]) => {
            return Err(incompatible(
                "Arrays with differing element dimensions are not compatible for concatenation.",
            ));
        }
        0 => dims[0].len = a.dims[0].len + b.dims[0].len,
        1 if inner_differ(&a.dims[1..], &b.dims) => {
            return Err(incompatible(
                "Arrays with differing dimensions are not compatible for concatenation.",
            ));
        }
        -1 if inner_differ(&b.dims[1..], &a.dims) => {
            return Err(incompatible(
                "Arrays with differing dimensions are not compatible for concatenation.",
            ));
        }
        1 | -1 => dims[0].len += 1,
        _ => {
            return Err(incompatible(&format!(
                "Arrays of {} and {} dimensions are not compatible for concatenation.",
                a.dims.len(),
                b.dims.len()
            )));
        }
    }
    types::io_array::element_count(&dims)?;
    let elements = pieces::list(ctx.cancel, a.elements.iter().chain(&b.elements).cloned())?;
    Ok(with_elements(a, dims, elements))
}

/// SQL's "not distinct": NULL finds NULL.
fn same(a: &ArrayValue, x: &Datum, y: &Datum) -> bool {
    compare(a.element_type, x, y).is_eq()
}

#[cold]
fn no_multidimensional(what: &str) -> Box<PgError> {
    common::unsupported!("{what} multidimensional arrays is not supported")
}

fn array_remove(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let [Datum::Array(a), value] = args else {
        return Ok(Datum::Null);
    };
    if a.dims.len() > 1 {
        return Err(no_multidimensional("removing elements from"));
    }
    let stays = |e: &Datum| Ok((!same(a, e, value)).then(|| e.clone()));
    let elements = pieces::try_list(ctx.cancel, a.elements.iter().map(stays))?;
    if elements.len() == a.elements.len() {
        return Ok(Datum::Array(a.clone()));
    }
    let dims = match (elements.len(), a.dims.first()) {
        (0, _) | (_, None) => Vec::new(),
        (len, Some(d)) => vec![ArrayDim {
            len: len as i32,
            lower: d.lower,
        }],
    };
    Ok(with_elements(a, dims, elements))
}

fn array_replace(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let [Datum::Array(a), from, to] = args else {
        return Ok(Datum::Null);
    };
    let swap = |e: &Datum| if same(a, e, from) { to.clone() } else { e.clone() };
    let elements = pieces::list(ctx.cancel, a.elements.iter().map(swap))?;
    Ok(with_elements(a, a.dims.clone(), elements))
}

/// For each element its subscript, if it is equal to a value and stands at a given subscript or behind.
fn positions<'a>(
    a: &'a ArrayValue,
    value: &'a Datum,
    from: i32,
) -> impl Iterator<Item = Option<i32>> + use<'a> {
    let lower = a.dims.first().map_or(1, |d| d.lower);
    a.elements.iter().enumerate().map(move |(k, e)| {
        let at = lower.wrapping_add(k as i32);
        (at >= from && same(a, e, value)).then_some(at)
    })
}

fn searchable(a: &ArrayValue) -> PgResult<()> {
    if a.dims.len() > 1 {
        Err(no_multidimensional("searching for elements in"))
    } else {
        Ok(())
    }
}

fn array_position(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let Some(Datum::Array(a)) = args.first() else {
        return Ok(Datum::Null);
    };
    searchable(a)?;
    let value = args.get(1).cloned().unwrap_or_default();
    // Where nothing can be found the position is not looked at.
    if a.elements.is_empty() || (value.is_null() && !a.elements.iter().any(Datum::is_null)) {
        return Ok(Datum::Null);
    }
    let from = match args.get(2) {
        None => i32::MIN,
        Some(Datum::Int4(n)) => *n,
        Some(_) => {
            return Err(pg_err!(
                NULL_VALUE_NOT_ALLOWED,
                "initial position must not be null"
            ));
        }
    };
    for (k, found) in positions(a, &value, from).enumerate() {
        if let Some(at) = found {
            return Ok(Datum::Int4(at));
        }
        if k % ELEMENTS_UNCHECKED == ELEMENTS_UNCHECKED - 1 {
            ctx.cancel.check()?;
        }
    }
    Ok(Datum::Null)
}

fn array_positions(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let [Datum::Array(a), value] = args else {
        return Ok(Datum::Null);
    };
    searchable(a)?;
    let found = positions(a, value, i32::MIN).map(|at| Ok(at.map(Datum::Int4)));
    let found = pieces::try_list(ctx.cancel, found)?;
    Ok(Datum::Array(Arc::new(ArrayValue::from_elements(
        oids::INT4,
        found,
    ))))
}

fn trim_array(ctx: &mut FnContext<'_>, a: &ArrayValue, n: i32) -> PgResult<Datum> {
    let len = a.dims.first().map_or(0, |d| d.len);
    if n < 0 || n > len {
        return Err(pg_err!(
            ARRAY_ELEMENT_ERROR,
            "number of elements to trim must be between 0 and {len}"
        ));
    }
    let keep = len - n;
    let mut dims = a.dims.clone();
    let per_row = if len == 0 {
        0
    } else {
        a.elements.len() / len as usize
    };
    for d in &mut dims {
        d.lower = 1;
    }
    if let Some(d) = dims.first_mut() {
        d.len = keep;
    }
    if keep == 0 {
        dims.clear();
    }
    let kept = &a.elements[..per_row * keep as usize];
    let elements = pieces::list(ctx.cancel, kept.iter().cloned())?;
    Ok(with_elements(a, dims, elements))
}

fn array_to_text(ctx: &mut FnContext<'_>, a: &ArrayValue, separator: &str) -> PgResult<String> {
    joined(ctx, a, separator, None)
}

fn array_to_text_null(
    ctx: &mut FnContext<'_>,
    a: Option<&ArrayValue>,
    separator: Option<&str>,
    null: Option<&str>,
) -> PgResult<Option<String>> {
    match (a, separator) {
        (Some(a), Some(separator)) => joined(ctx, a, separator, null).map(Some),
        _ => Ok(None),
    }
}

fn joined(ctx: &FnContext<'_>, a: &ArrayValue, separator: &str, null: Option<&str>) -> PgResult<String> {
    let io = ctx.io();
    let mut out = String::new();
    let mut started = false;
    let shown = a.elements.iter().filter(|e| !e.is_null() || null.is_some());
    for (n, e) in shown.enumerate() {
        if n % 1024 == 1023 {
            ctx.cancel.check()?;
        }
        if out.len() + separator.len() >= STRING_BYTES_MAX {
            return Err(string_too_long(out.len(), separator.len()));
        }
        if started {
            out.push_str(separator);
        }
        started = true;
        match (e, null) {
            (Datum::Null, Some(null)) => out.push_str(null),
            (e, _) => io::output(a.element_type, e, &io, &mut out)?,
        }
    }
    Ok(out)
}

fn split(ctx: &FnContext<'_>, s: &str, delimiter: Option<&str>, null: Option<&str>) -> PgResult<Vec<Datum>> {
    let piece = |piece: &str| match Some(piece) == null {
        true => Datum::Null,
        false => Datum::text(piece),
    };
    match delimiter {
        _ if s.is_empty() => Ok(Vec::new()),
        None => {
            let characters = s.chars().map(|c| piece(c.encode_utf8(&mut [0; 4])));
            pieces::list(ctx.cancel, characters)
        }
        Some("") => Ok(vec![piece(s)]),
        Some(delimiter) => pieces::list(ctx.cancel, s.split(delimiter).map(piece)),
    }
}

fn text_to_array(
    ctx: &mut FnContext<'_>,
    s: Option<&str>,
    delimiter: Option<&str>,
) -> PgResult<Option<ArrayValue>> {
    text_to_array_null(ctx, s, delimiter, None)
}
fn text_to_array_null(
    ctx: &mut FnContext<'_>,
    s: Option<&str>,
    delimiter: Option<&str>,
    null: Option<&str>,
) -> PgResult<Option<ArrayValue>> {
    let pieces = s.map(|s| split(ctx, s, delimiter, null)).transpose()?;
    Ok(pieces.map(|pieces| ArrayValue::from_elements(oids::TEXT, pieces)))
}

/// PostgreSQL's limit of one value.
const ARRAY_BYTES_MAX: usize = 0x3fff_ffff;

/// The numbers of an array of dimensions or lower bounds.
fn fill_numbers(a: &ArrayValue) -> PgResult<Vec<i32>> {
    if a.dims.len() > 1 {
        return Err(pg_err!(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts")
            .detail("Dimension array must be one dimensional."));
    }
    if a.elements.iter().any(Datum::is_null) {
        return Err(pg_err!(NULL_VALUE_NOT_ALLOWED, "dimension values cannot be null"));
    }
    Ok(a.elements
        .iter()
        .filter_map(Datum::as_i64)
        .map(|n| n as i32)
        .collect())
}

/// Dimensions and lower bounds as `array_fill` takes them; none when there is to be no element.
fn fill_dims(args: &[Datum]) -> PgResult<Vec<ArrayDim>> {
    let mut given = Vec::new();
    for arg in args {
        let Datum::Array(a) = arg else {
            return Err(pg_err!(
                NULL_VALUE_NOT_ALLOWED,
                "dimension array or low bound array cannot be null"
            ));
        };
        given.push(a);
    }
    let lens = given.first().map_or(Ok(Vec::new()), |a| fill_numbers(a))?;
    if lens.len() > types::io_array::DIMENSIONS_MAX {
        return Err(types::io_array::too_many_dimensions(lens.len()));
    }
    let lowers = given
        .get(1)
        .map_or(Ok(vec![1; lens.len()]), |a| fill_numbers(a))?;
    if lowers.len() != lens.len() {
        return Err(pg_err!(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts")
            .detail("Low bound array has different size than dimensions array."));
    }
    let pairs = lens.iter().zip(lowers);
    let mut dims: Vec<ArrayDim> = pairs.map(|(&len, lower)| ArrayDim { len, lower }).collect();
    let count = types::io_array::element_count(&dims)?;
    types::io_array::check_bounds(&dims)?;
    if count == 0 {
        dims.clear();
    }
    Ok(dims)
}

fn array_fill(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let value = args.first().cloned().unwrap_or_default();
    let dims = fill_dims(args.get(1..).unwrap_or(&[]))?;
    let count = types::io_array::element_count(&dims)?;
    let width = match &value {
        Datum::Text(s) => s.len() + 4,
        Datum::Bytes(b) => b.len() + 4,
        _ => 1,
    };
    if count.saturating_mul(width) > ARRAY_BYTES_MAX {
        return Err(pg_err!(
            PROGRAM_LIMIT_EXCEEDED,
            "array size exceeds the maximum allowed ({ARRAY_BYTES_MAX})"
        ));
    }
    let elements = pieces::list(ctx.cancel, std::iter::repeat_n(value, count))?;
    Ok(Datum::Array(Arc::new(ArrayValue {
        element_type: ctx.call.arg_type(0),
        dims,
        elements,
    })))
}

#[rustfmt::skip]
builtins! {
    array_ndims(a: anyarray) -> int4; array_length(a: anyarray, k: int4) -> int4; array_lower(a: anyarray, k: int4) -> int4;
    array_upper(a: anyarray, k: int4) -> int4; array_cardinality(a: anyarray) -> int4; array_dims(a: anyarray) -> text;
    array_eq(a: anyarray, b: anyarray) -> bool; array_ne(a: anyarray, b: anyarray) -> bool; array_lt(a: anyarray, b: anyarray) -> bool;
    array_le(a: anyarray, b: anyarray) -> bool; array_gt(a: anyarray, b: anyarray) -> bool; array_ge(a: anyarray, b: anyarray) -> bool;
    btarraycmp(a: anyarray, b: anyarray) -> int4; array_larger(a: anyarray, b: anyarray) -> anyarray; array_smaller(a: anyarray, b: anyarray) -> anyarray;
    arraycontains(ctx, a: anyarray, b: anyarray) -> bool; arraycontained(ctx, a: anyarray, b: anyarray) -> bool;
    arrayoverlap(ctx, a: anyarray, b: anyarray) -> bool;
    array_append[general](anycompatiblearray, anycompatible) -> anycompatiblearray;
    array_prepend[general](anycompatible, anycompatiblearray) -> anycompatiblearray;
    array_cat[general](anycompatiblearray, anycompatiblearray) -> anycompatiblearray;
    array_remove[general](anycompatiblearray, anycompatible) -> anycompatiblearray;
    array_replace[general](anycompatiblearray, anycompatible, anycompatible) -> anycompatiblearray;
    array_position[general](anycompatiblearray, anycompatible) -> int4;
    array_position_start = array_position[general](anycompatiblearray, anycompatible, int4) -> int4;
    array_positions[general](anycompatiblearray, anycompatible) -> int4_array;
    trim_array(ctx, a: anyarray, n: int4) -> anyarray;
    array_to_text(ctx, a: anyarray, separator: text) -> text; array_to_text_null(ctx, a: anyarray, separator: text, null: text) -> text;
    text_to_array(ctx, s: text, delimiter: text) -> text_array; text_to_array_null(ctx, s: text, delimiter: text, null: text) -> text_array;
    array_fill[general](anyelement, int4_array) -> anyarray;
    array_fill_with_lower_bounds = array_fill[general](anyelement, int4_array, int4_array) -> anyarray;
}

/// Values handed out in batches.
struct Values {
    phys: PhysType,
    values: std::vec::IntoIter<Datum>,
}

impl SetRows for Values {
    fn next_rows(&mut self, ctx: &mut FnContext<'_>, max: usize) -> PgResult<Option<Vec<Vector>>> {
        ctx.cancel.check()?;
        let rows: Vec<Datum> = self.values.by_ref().take(max).collect();
        if rows.is_empty() {
            return Ok(None);
        }
        Ok(Some(vec![Vector::from_datums(self.phys, &rows)]))
    }
}

/// The class of array elements, from the first that is not NULL (user types are not in `builtin`).
fn element_phys(a: &ArrayValue) -> PhysType {
    let first = a.elements.iter().find_map(Datum::phys);
    first.unwrap_or_else(|| PhysType::of_builtin(a.element_type))
}

/// The elements of an array that others hold, too.
struct Elements {
    phys: PhysType,
    array: Arc<ArrayValue>,
    next: usize,
}

impl SetRows for Elements {
    fn next_rows(&mut self, ctx: &mut FnContext<'_>, max: usize) -> PgResult<Option<Vec<Vector>>> {
        ctx.cancel.check()?;
        let left = self.array.elements.get(self.next..).unwrap_or(&[]);
        let rows = &left[..max.min(left.len())];
        self.next += rows.len();
        Ok((!rows.is_empty()).then(|| vec![Vector::from_datums(self.phys, rows)]))
    }
}

fn unnest(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    Ok(match args.first() {
        Some(Datum::Array(a)) => Box::new(Elements {
            phys: element_phys(a),
            array: Arc::clone(a),
            next: 0,
        }),
        _ => Box::new(Values {
            phys: PhysType::Nested,
            values: Vec::new().into_iter(),
        }),
    })
}

fn subscripts(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let dim = match args {
        [Datum::Array(a), Datum::Int4(k), ..] => dimension(a, *k).copied(),
        _ => None,
    };
    let mut values: Vec<Datum> = match dim {
        Some(d) => {
            let subscripts = (0..d.len).map(|k| Datum::Int4(d.lower.wrapping_add(k)));
            pieces::list(ctx.cancel, subscripts)?
        }
        None => Vec::new(),
    };
    if args.get(2).and_then(Datum::as_bool) == Some(true) {
        values.reverse();
    }
    Ok(Box::new(Values {
        phys: PhysType::Int4,
        values: values.into_iter(),
    }))
}

fn text_to_table(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let text = |k: usize| args.get(k).and_then(Datum::as_str);
    let values = match text(0) {
        Some(s) => split(ctx, s, text(1), text(2))?,
        None => Vec::new(),
    };
    Ok(Box::new(Values {
        phys: PhysType::Text,
        values: values.into_iter(),
    }))
}

/// The elements of the first dimension with their numbers, for the information schema.
fn expand(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let Some(Datum::Array(a)) = args.first() else {
        return Ok(materialized(&[oids::ANYELEMENT, oids::INT4], Vec::new()));
    };
    let numbered = a.elements.iter().zip(1..);
    let rows = numbered.map(|(element, k)| vec![element.clone(), Datum::Int4(k)]);
    Ok(materialized(&[a.element_type, oids::INT4], rows.collect()))
}

set_functions! {
    _pg_expandarray(anyarray) -> record = expand;
    array_unnest(anyarray) -> anyelement = unnest;
    generate_subscripts(anyarray, int4, bool) -> int4 = subscripts;
    generate_subscripts_nodir(anyarray, int4) -> int4 = subscripts;
    text_to_table(text, text) -> text = text_to_table;
    text_to_table_null(text, text, text) -> text = text_to_table;
}
