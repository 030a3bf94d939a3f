//! Input and output of arrays and vectors of small integers, over the functions of their elements.

use std::sync::Arc;

use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err};

use crate::io::{self, IoContext, wrong_datum};
use crate::io_number::{Junk, push_int};
use crate::io_text::is_space;
use crate::wire::{self, Wire, done};
use crate::{ArrayDim, ArrayValue, Datum, oids};

/// Most dimensions an array can have.
pub const DIMENSIONS_MAX: usize = 6;
/// Most elements.
pub const ELEMENTS_MAX: i64 = 134_217_727;

#[cold]
fn malformed(text: &str, detail: &str) -> Box<PgError> {
    pg_err!(INVALID_TEXT_REPRESENTATION, "malformed array literal: \"{text}\"").detail(detail)
}

/// Too many dimensions, as PostgreSQL says it.
#[cold]
pub fn too_many_dimensions(found: usize) -> Box<PgError> {
    pg_err!(
        PROGRAM_LIMIT_EXCEEDED,
        "number of array dimensions ({found}) exceeds the maximum allowed ({DIMENSIONS_MAX})"
    )
}

/// The number of elements that dimensions stand for, within limits.
pub fn element_count(dims: &[ArrayDim]) -> PgResult<usize> {
    let mut count = 1i64;
    for d in dims {
        count = count.saturating_mul(i64::from(d.len));
        if d.len < 0 || count > ELEMENTS_MAX {
            return Err(pg_err!(
                PROGRAM_LIMIT_EXCEEDED,
                "array size exceeds the maximum allowed ({ELEMENTS_MAX})"
            ));
        }
    }
    Ok(if dims.is_empty() { 0 } else { count as usize })
}

/// The upper bounds must be integers too.
pub fn check_bounds(dims: &[ArrayDim]) -> PgResult<()> {
    match dims.iter().find(|d| d.lower.checked_add(d.len).is_none()) {
        Some(d) => Err(pg_err!(
            PROGRAM_LIMIT_EXCEEDED,
            "array lower bound is too large: {}",
            d.lower
        )),
        None => Ok(()),
    }
}

/// A cursor over an array literal.
struct Reader<'a, 'c> {
    text: &'a str,
    at: usize,
    element: Oid,
    typmod: i32,
    delimiter: char,
    ctx: &'c IoContext<'c>,
    elements: Vec<Datum>,
    /// Length found per depth, `None` until the first sub-array of that depth ends.
    lens: Vec<Option<i32>>,
    /// Depth at which elements stand.
    leaf_depth: Option<usize>,
}

impl Reader<'_, '_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn skip_space(&mut self) {
        while let Some(c) = self.peek().filter(|c| is_space(*c)) {
            self.at += c.len_utf8();
        }
    }

    fn fail(&self, detail: &str) -> Box<PgError> {
        malformed(self.text, detail)
    }

    /// `[2:4][1:2]=`
    fn dimensions(&mut self) -> PgResult<Vec<ArrayDim>> {
        let mut dims = Vec::new();
        loop {
            self.skip_space();
            if self.peek() != Some('[') {
                break;
            }
            self.at += 1;
            if dims.len() >= DIMENSIONS_MAX {
                return Err(too_many_dimensions(dims.len() + 1));
            }
            let first = self.bound("\"[\" must introduce explicitly-specified array dimensions.")?;
            let (lower, upper) = if self.peek() == Some(':') {
                self.at += 1;
                (first, self.bound("Missing array dimension value.")?)
            } else {
                (1, first)
            };
            if self.peek() != Some(']') {
                return Err(self.fail("Missing \"]\" after array dimensions."));
            }
            self.at += 1;
            if upper == i32::MAX {
                return Err(pg_err!(
                    PROGRAM_LIMIT_EXCEEDED,
                    "array upper bound is too large: {upper}"
                ));
            }
            if upper < lower {
                return Err(pg_err!(
                    ARRAY_SUBSCRIPT_ERROR,
                    "upper bound cannot be less than lower bound"
                ));
            }
            let len = upper
                .checked_sub(lower)
                .and_then(|n| n.checked_add(1))
                .ok_or_else(|| {
                    pg_err!(
                        PROGRAM_LIMIT_EXCEEDED,
                        "array size exceeds the maximum allowed ({ELEMENTS_MAX})"
                    )
                })?;
            dims.push(ArrayDim { len, lower });
        }
        if !dims.is_empty() {
            if self.peek() != Some('=') {
                return Err(self.fail("Missing \"=\" after array dimensions."));
            }
            self.at += 1;
            self.skip_space();
        }
        Ok(dims)
    }

    fn bound(&mut self, missing: &str) -> PgResult<i32> {
        let rest = &self.text[self.at..];
        let signed = rest.strip_prefix(['-', '+']).unwrap_or(rest);
        let digits = signed.len() - signed.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 {
            return Err(self.fail(missing));
        }
        let end = rest.len() - signed.len() + digits;
        let value = rest[..end]
            .trim_start_matches('+')
            .parse()
            .map_err(|_| pg_err!(PROGRAM_LIMIT_EXCEEDED, "array bound is out of integer range"))?;
        self.at += end;
        Ok(value)
    }

    /// A brace and everything up to its partner.
    fn level(&mut self, depth: usize) -> PgResult<()> {
        if depth >= DIMENSIONS_MAX {
            return Err(too_many_dimensions(depth + 1));
        }
        if self.lens.len() <= depth {
            self.lens.push(None);
        }
        self.at += 1;
        let mut count = 0;
        loop {
            self.skip_space();
            match self.peek() {
                None => return Err(self.fail("Unexpected end of input.")),
                Some('}') if count == 0 => {
                    self.at += 1;
                    break;
                }
                Some('{') => {
                    if self.leaf_depth.is_some_and(|d| d <= depth) {
                        return Err(self.ragged());
                    }
                    self.level(depth + 1)?;
                }
                Some('}') => return Err(self.fail("Unexpected \"}\" character.")),
                Some(c) if c == self.delimiter => {
                    return Err(self.fail(&format!("Unexpected \"{c}\" character.")));
                }
                Some(_) => {
                    if self.leaf_depth.is_some_and(|d| d != depth) || self.lens.len() > depth + 1 {
                        return Err(self.ragged());
                    }
                    self.leaf_depth = Some(depth);
                    self.element()?;
                }
            }
            count += 1;
            self.skip_space();
            match self.peek() {
                Some('}') => {
                    self.at += 1;
                    break;
                }
                Some(c) if c == self.delimiter => self.at += c.len_utf8(),
                None => return Err(self.fail("Unexpected end of input.")),
                Some('{') => return Err(self.fail("Unexpected \"{\" character.")),
                Some(_) => return Err(self.fail("Unexpected array element.")),
            }
        }
        match self.lens[depth] {
            Some(n) if n != count => Err(self.ragged()),
            _ => {
                self.lens[depth] = Some(count);
                Ok(())
            }
        }
    }

    fn ragged(&self) -> Box<PgError> {
        self.fail("Multidimensional arrays must have sub-arrays with matching dimensions.")
    }

    fn element(&mut self) -> PgResult<()> {
        let mut token = String::new();
        if self.peek() == Some('"') {
            self.at += 1;
            loop {
                match self.peek() {
                    None => return Err(self.fail("Unexpected end of input.")),
                    Some('"') => {
                        self.at += 1;
                        break;
                    }
                    Some('\\') => {
                        self.at += 1;
                        self.push_char(&mut token)?;
                    }
                    Some(_) => self.push_char(&mut token)?,
                }
            }
            self.skip_space();
            if self.peek().is_none() {
                return Err(self.fail("Unexpected end of input."));
            }
            if !matches!(self.peek(), Some('}' | '{')) && self.peek() != Some(self.delimiter) {
                return Err(self.fail("Incorrectly quoted array element."));
            }
            return self.push_element(&token);
        }
        let (mut kept, mut escaped) = (0, false);
        loop {
            match self.peek() {
                None => return Err(self.fail("Unexpected end of input.")),
                Some(c) if c == '}' || c == self.delimiter => break,
                Some('"') => return Err(self.fail("Incorrectly quoted array element.")),
                Some('{') => return Err(self.fail("Unexpected \"{\" character.")),
                Some('\\') => {
                    self.at += 1;
                    escaped = true;
                    self.push_char(&mut token)?;
                    kept = token.len();
                }
                Some(c) => {
                    self.push_char(&mut token)?;
                    if !is_space(c) {
                        kept = token.len();
                    }
                }
            }
        }
        token.truncate(kept);
        if token.eq_ignore_ascii_case("null") && !escaped {
            self.elements.push(io::input_null(self.element, self.ctx)?);
            return Ok(());
        }
        self.push_element(&token)
    }

    fn push_char(&mut self, token: &mut String) -> PgResult<()> {
        match self.peek() {
            Some(c) => {
                token.push(c);
                self.at += c.len_utf8();
                Ok(())
            }
            None => Err(self.fail("Unexpected end of input.")),
        }
    }

    fn push_element(&mut self, token: &str) -> PgResult<()> {
        self.elements
            .push(io::input(self.element, self.typmod, token, self.ctx)?);
        Ok(())
    }
}

pub(crate) fn array_in(
    element: Oid,
    typmod: i32,
    delimiter: char,
    text: &str,
    ctx: &IoContext<'_>,
) -> PgResult<Datum> {
    let mut r = Reader {
        text,
        at: 0,
        element,
        typmod,
        delimiter,
        ctx,
        elements: Vec::new(),
        lens: Vec::new(),
        leaf_depth: None,
    };
    let declared = r.dimensions()?;
    r.skip_space();
    if r.peek() != Some('{') {
        let detail = if declared.is_empty() {
            "Array value must start with \"{\" or dimension information."
        } else {
            "Array contents must start with \"{\"."
        };
        return Err(malformed(text, detail));
    }
    r.level(0)?;
    r.skip_space();
    if r.at != text.len() {
        return Err(malformed(text, "Junk after closing right brace."));
    }
    let lens: Vec<i32> = r.lens.iter().map(|n| n.unwrap_or(0)).collect();
    let dims = if !declared.is_empty() {
        if declared.iter().map(|d| d.len).ne(lens.iter().copied()) {
            return Err(malformed(
                text,
                "Specified array dimensions do not match array contents.",
            ));
        }
        declared
    } else if r.elements.is_empty() {
        Vec::new()
    } else {
        lens.into_iter().map(|len| ArrayDim { len, lower: 1 }).collect()
    };
    element_count(&dims)?;
    Ok(Datum::Array(Arc::new(ArrayValue {
        element_type: element,
        dims,
        elements: r.elements,
    })))
}

fn needs_quotes(text: &str, delimiter: char) -> bool {
    text.is_empty()
        || text.eq_ignore_ascii_case("null")
        || text
            .chars()
            .any(|c| matches!(c, '"' | '\\' | '{' | '}') || c == delimiter || is_space(c))
}

pub(crate) fn array_out(
    array: &ArrayValue,
    delimiter: char,
    ctx: &IoContext<'_>,
    out: &mut String,
) -> PgResult<()> {
    if array.dims.is_empty() {
        out.push_str("{}");
        return Ok(());
    }
    if array.dims.iter().any(|d| d.lower != 1) {
        for d in &array.dims {
            // The upper bound wraps in PostgreSQL too, at the end of the integers.
            out.push_str(&format!(
                "[{}:{}]",
                d.lower,
                d.lower.wrapping_add(d.len).wrapping_sub(1)
            ));
        }
        out.push('=');
    }
    let mut elements = array.elements.iter();
    let mut text = String::new();
    write_level(array, 0, delimiter, &mut elements, ctx, &mut text, out)
}

fn write_level(
    array: &ArrayValue,
    depth: usize,
    delimiter: char,
    elements: &mut std::slice::Iter<'_, Datum>,
    ctx: &IoContext<'_>,
    text: &mut String,
    out: &mut String,
) -> PgResult<()> {
    out.push('{');
    for k in 0..array.dims[depth].len {
        if k > 0 {
            out.push(delimiter);
        }
        if depth + 1 < array.dims.len() {
            write_level(array, depth + 1, delimiter, elements, ctx, text, out)?;
            continue;
        }
        match elements.next() {
            None | Some(Datum::Null) => out.push_str("NULL"),
            Some(value) => {
                text.clear();
                io::output(array.element_type, value, ctx, text)?;
                if needs_quotes(text, delimiter) {
                    push_quoted(text, out);
                } else {
                    out.push_str(text);
                }
            }
        }
    }
    out.push('}');
    Ok(())
}

fn push_quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

pub(crate) fn array_recv(element: Oid, typmod: i32, bytes: &[u8], ctx: &IoContext<'_>) -> PgResult<Datum> {
    let mut from = Wire(bytes);
    let value = array_from(&mut from, element, typmod, ctx)?;
    done(from.0)?;
    Ok(value)
}

fn array_from(from: &mut Wire<'_>, element: Oid, typmod: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    let ndims = from.int()?;
    if ndims < 0 {
        return Err(pg_err!(
            INVALID_BINARY_REPRESENTATION,
            "invalid number of dimensions: {ndims}"
        ));
    }
    if ndims as usize > DIMENSIONS_MAX {
        return Err(too_many_dimensions(ndims as usize));
    }
    let flags = from.int()?;
    if flags != 0 && flags != 1 {
        return Err(pg_err!(INVALID_BINARY_REPRESENTATION, "invalid array flags"));
    }
    let sent = Oid(from.int()? as u32);
    if wire::contradicts(sent, element) {
        return Err(pg_err!(
            DATATYPE_MISMATCH,
            "binary data has array element type {} instead of expected {}",
            wire::described(sent),
            wire::described(element)
        ));
    }
    let mut dims = Vec::new();
    for _ in 0..ndims {
        let (len, lower) = (from.int()?, from.int()?);
        dims.push(ArrayDim { len, lower });
    }
    let count = element_count(&dims)?;
    check_bounds(&dims)?;
    let mut elements = Vec::with_capacity(count.min(from.0.len()));
    for k in 0..count {
        elements.push(from.value(element, typmod, ctx, ("array element", k + 1))?);
    }
    if count == 0 {
        dims.clear();
    }
    Ok(Datum::Array(Arc::new(ArrayValue {
        element_type: element,
        dims,
        elements,
    })))
}

pub(crate) fn array_send(array: &ArrayValue, ctx: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    out.extend_from_slice(&(array.dims.len() as i32).to_be_bytes());
    let has_nulls = array.elements.iter().any(Datum::is_null);
    out.extend_from_slice(&i32::from(has_nulls).to_be_bytes());
    out.extend_from_slice(&array.element_type.0.to_be_bytes());
    for d in &array.dims {
        out.extend_from_slice(&d.len.to_be_bytes());
        out.extend_from_slice(&d.lower.to_be_bytes());
    }
    for value in &array.elements {
        send_value(array.element_type, value, ctx, out)?;
    }
    Ok(())
}

pub(crate) fn send_value(
    type_oid: Oid,
    value: &Datum,
    ctx: &IoContext<'_>,
    out: &mut Vec<u8>,
) -> PgResult<()> {
    if value.is_null() {
        out.extend_from_slice(&(-1i32).to_be_bytes());
        return Ok(());
    }
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    io::send(type_oid, value, ctx, out)?;
    let len = (out.len() - at - 4) as i32;
    out[at..at + 4].copy_from_slice(&len.to_be_bytes());
    Ok(())
}

/// An `int2vector` or `oidvector`.
pub fn vector_value(element: Oid, elements: Vec<Datum>) -> Datum {
    Datum::Array(Arc::new(ArrayValue {
        element_type: element,
        dims: vec![ArrayDim {
            len: elements.len() as i32,
            lower: 0,
        }],
        elements,
    }))
}

/// Messages show all that is left of the text.
pub(crate) fn int2vector_in(text: &str, _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    let mut elements = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let unsigned = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        let len = unsigned.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(rest.len() - unsigned.len() + len);
        if len == 0 {
            return Err(io::invalid_input("smallint", rest));
        }
        let value = io::input(oids::INT2, -1, number, ctx).map_err(|_| io::out_of_range("smallint", rest))?;
        if !(after.is_empty() || after.starts_with(' ')) {
            return Err(io::invalid_input("smallint", rest));
        }
        elements.push(value);
        rest = after.trim_start_matches(is_space);
    }
    Ok(vector_value(oids::INT2, elements))
}

/// Numbers need no space between them: a sign will do.
pub(crate) fn oidvector_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    let mut elements = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let (oid, after) = crate::io_number::leading_u32(rest, "oid", Junk::Allowed)?;
        elements.push(Datum::Oid(oid));
        rest = after.trim_start_matches(is_space);
    }
    Ok(vector_value(oids::OID, elements))
}

pub(crate) fn vector_out(value: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    let Datum::Array(array) = value else {
        return Err(wrong_datum("vector", value));
    };
    for (k, element) in array.elements.iter().enumerate() {
        if k > 0 {
            out.push(' ');
        }
        push_int(element.as_i64().unwrap_or(0), out);
    }
    Ok(())
}

/// The vectors have one dimension, begin at 0, and hold no NULL.
fn vector_recv(element: Oid, name: &str, bytes: &[u8], ctx: &IoContext<'_>) -> PgResult<Datum> {
    let mut from = Wire(bytes);
    let value = array_from(&mut from, element, -1, ctx)?;
    let is_vector = matches!(
        &value,
        Datum::Array(a) if a.dims.len() == 1 && a.dims[0].lower == 0 && !a.elements.iter().any(Datum::is_null)
    );
    if !is_vector {
        return Err(pg_err!(INVALID_BINARY_REPRESENTATION, "invalid {name} data"));
    }
    done(from.0)?;
    Ok(value)
}

pub(crate) fn int2vector_recv(bytes: &[u8], _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    vector_recv(oids::INT2, "int2vector", bytes, ctx)
}

pub(crate) fn oidvector_recv(bytes: &[u8], _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    vector_recv(oids::OID, "oidvector", bytes, ctx)
}

pub(crate) fn vector_send(value: &Datum, ctx: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    match value {
        Datum::Array(array) => array_send(array, ctx, out),
        other => Err(wrong_datum("vector", other)),
    }
}
