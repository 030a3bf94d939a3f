//! Reads the compiled-in data files: COPY's text format, decoded by column types.
//!
//! Only the types that catalogs have: the files are ours, so what does not parse is a broken build (`XX000`), found by a test
//! that decodes them all.

use std::borrow::Cow;
use std::sync::Arc;

use common::{Oid, PgResult, internal};
use types::{ArrayDim, ArrayValue, Datum, PhysType, builtin, oids};

/// The fields of one line; `None` is NULL.
pub fn fields(line: &str) -> impl Iterator<Item = Option<Cow<'_, str>>> {
    line.split('\t').map(|f| (f != "\\N").then(|| unescape(f)))
}

/// COPY's backslash escapes (the files use tab, newline and backslash only).
fn unescape(field: &str) -> Cow<'_, str> {
    if !field.contains('\\') {
        return Cow::Borrowed(field);
    }
    let mut out = String::with_capacity(field.len());
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some(other)) => out.push(other),
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// A value of a catalog column's type from its text.
pub fn datum(type_oid: Oid, text: Option<&str>) -> PgResult<Datum> {
    let Some(text) = text else {
        return Ok(Datum::Null);
    };
    match type_oid {
        oids::OIDVECTOR => vector(oids::OID, text),
        oids::INT2VECTOR => vector(oids::INT2, text),
        _ => match builtin::type_row(type_oid) {
            Some(t) if t.is_array() => array(t.typelem, text),
            _ => scalar(PhysType::of_builtin(type_oid), text),
        },
    }
}

fn scalar(phys: PhysType, text: &str) -> PgResult<Datum> {
    let bad = |_| internal!("catalog data file: bad value \"{text}\"");
    Ok(match phys {
        PhysType::Bool => Datum::Bool(text == "t"),
        PhysType::Char => Datum::Char(text.bytes().next().unwrap_or(0)),
        PhysType::Int2 => Datum::Int2(text.parse().map_err(bad)?),
        PhysType::Int4 => Datum::Int4(text.parse().map_err(bad)?),
        PhysType::Int8 => Datum::Int8(text.parse().map_err(bad)?),
        PhysType::Oid => Datum::Oid(text.parse().map_err(bad)?),
        PhysType::Float4 => match text.parse() {
            Ok(v) => Datum::Float4(v),
            Err(_) => return Err(internal!("catalog data file: bad value \"{text}\"")),
        },
        PhysType::Text => Datum::text(text),
        _ => return Err(internal!("catalog data file: a column of class {phys:?}")),
    })
}

/// `1 2 3`: zero-based, as `oidvector` and `int2vector` are.
fn vector(element: Oid, text: &str) -> PgResult<Datum> {
    let words = text.split(' ').filter(|w| !w.is_empty());
    let elements: PgResult<Vec<Datum>> = words.map(|w| scalar(PhysType::of_builtin(element), w)).collect();
    Ok(vector_of(element, elements?))
}

/// An `oidvector` or `int2vector` datum: one dimension from 0, also when empty.
pub fn vector_of(element_type: Oid, elements: Vec<Datum>) -> Datum {
    let dims = vec![ArrayDim {
        len: elements.len() as i32,
        lower: 0,
    }];
    Datum::Array(Arc::new(ArrayValue {
        element_type,
        dims,
        elements,
    }))
}

/// An `oidvector`.
pub fn oidvector(oids: impl IntoIterator<Item = Oid>) -> Datum {
    vector_of(oids::OID, oids.into_iter().map(|o| Datum::Oid(o.0)).collect())
}

/// An `int2vector`.
pub fn int2vector(numbers: impl IntoIterator<Item = i16>) -> Datum {
    vector_of(oids::INT2, numbers.into_iter().map(Datum::Int2).collect())
}

/// A one-dimensional array.
pub fn array_of(element_type: Oid, elements: Vec<Datum>) -> Datum {
    Datum::Array(Arc::new(ArrayValue::from_elements(element_type, elements)))
}

/// `{a,"b c"}`: one dimension, quotes around elements with special characters.
fn array(element: Oid, text: &str) -> PgResult<Datum> {
    let Some(inner) = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) else {
        return Err(internal!("catalog data file: bad array \"{text}\""));
    };
    let phys = PhysType::of_builtin(element);
    let mut elements = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' => word.extend(chars.next()),
            ',' if !quoted => elements.push(scalar(phys, &std::mem::take(&mut word))?),
            _ => word.push(c),
        }
    }
    if !inner.is_empty() {
        elements.push(scalar(phys, &word)?);
    }
    Ok(array_of(element, elements))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_what_the_files_have() {
        let read: Vec<_> = fields("a\\tb\t\\N\t").map(|f| f.map(Cow::into_owned)).collect();
        assert_eq!(read, [Some("a\tb".to_owned()), None, Some(String::new())]);
        assert_eq!(
            datum(oids::OIDVECTOR, Some("23 25")).unwrap(),
            oidvector([Oid(23), Oid(25)])
        );
        let acl = datum(Oid(1034), Some("{=r/postgres,\"a,b=r/c\"}")).unwrap();
        let words = vec![Datum::text("=r/postgres"), Datum::text("a,b=r/c")];
        assert_eq!(acl, array_of(Oid(1033), words));
        assert_eq!(datum(oids::INT4, None).unwrap(), Datum::Null);
    }
}
