//! Functions and operators of `tsvector`.

use std::sync::Arc;

use common::{PgError, PgResult, internal, pg_err};
use types::textsearch::vector::{self, Entry, Position};
use types::textsearch::{POSITION_MAX, POSITIONS_MAX};
use types::{ArrayValue, Datum, oids};

use crate::framework::context::FnContext;
use crate::framework::macros::{builtins, set_functions};
use crate::framework::set::{SetRows, materialized};

/// The operators of one order, by a comparison.
macro_rules! comparisons {
    ($($name:ident $op:tt;)*) => {$(
        fn $name(a: &[u8], b: &[u8]) -> bool {
            vector::compare(a, b) $op std::cmp::Ordering::Equal
        }
    )*};
}

comparisons! {
    tsvector_lt <;
    tsvector_le <=;
    tsvector_eq ==;
    tsvector_ne !=;
    tsvector_ge >=;
    tsvector_gt >;
}

fn tsvector_cmp(a: &[u8], b: &[u8]) -> i32 {
    vector::compare(a, b) as i32
}

fn owned(v: &[u8]) -> Vec<Entry> {
    vector::entries(v).iter().map(|e| e.to_entry()).collect()
}

fn tsvector_length(v: &[u8]) -> i32 {
    vector::entries(v).len() as i32
}

fn tsvector_strip(v: &[u8]) -> PgResult<Vec<u8>> {
    let words = vector::entries(v);
    let bare = words.iter().map(|e| Entry {
        word: e.word.to_owned(),
        positions: Vec::new(),
    });
    vector::encode(&bare.collect::<Vec<_>>())
}

fn weight_of(letter: u8) -> Option<u8> {
    Some(match letter.to_ascii_lowercase() {
        b'a' => 3,
        b'b' => 2,
        b'c' => 1,
        b'd' => 0,
        _ => return None,
    })
}

fn reweigh(entry: &mut Entry, weight: u8) {
    for p in &mut entry.positions {
        *p = Position::new(p.at(), weight);
    }
}

fn tsvector_setweight(v: &[u8], letter: u8) -> PgResult<Vec<u8>> {
    let weight = weight_of(letter).ok_or_else(|| internal!("unrecognized weight: {}", letter as i8))?;
    let mut words = owned(v);
    words.iter_mut().for_each(|e| reweigh(e, weight));
    vector::encode(&words)
}

/// Texts of an array; NULLs are passed over.
fn texts(array: &ArrayValue) -> impl Iterator<Item = &str> {
    array.elements.iter().filter_map(Datum::as_str)
}

fn tsvector_setweight_by_filter(v: &[u8], letter: u8, only: &ArrayValue) -> PgResult<Vec<u8>> {
    let weight = weight_of(letter).ok_or_else(|| match letter {
        // C's string ends there.
        0 => internal!("unrecognized weight: "),
        _ => internal!("unrecognized weight: {}", char::from(letter)),
    })?;
    let mut words = owned(v);
    for word in texts(only) {
        if let Ok(at) = words.binary_search_by(|e| e.word.as_bytes().cmp(word.as_bytes())) {
            reweigh(&mut words[at], weight);
        }
    }
    vector::encode(&words)
}

fn tsvector_delete_str(v: &[u8], word: &str) -> PgResult<Vec<u8>> {
    let mut words = owned(v);
    words.retain(|e| e.word != word);
    vector::encode(&words)
}

fn tsvector_delete_arr(v: &[u8], gone: &ArrayValue) -> PgResult<Vec<u8>> {
    let gone: std::collections::HashSet<&str> = texts(gone).collect();
    let mut words = owned(v);
    words.retain(|e| !gone.contains(e.word.as_str()));
    vector::encode(&words)
}

fn tsvector_filter(v: &[u8], weights: &ArrayValue) -> PgResult<Vec<u8>> {
    let mut mask = 0_u8;
    for weight in &weights.elements {
        let Datum::Char(letter) = weight else {
            return Err(pg_err!(
                NULL_VALUE_NOT_ALLOWED,
                "weight array may not contain nulls"
            ));
        };
        let known = weight_of(*letter).ok_or_else(|| {
            pg_err!(
                INVALID_PARAMETER_VALUE,
                "unrecognized weight: \"{}\"",
                char::from(*letter)
            )
        })?;
        mask |= 1 << known;
    }
    let mut words = owned(v);
    words.retain_mut(|e| {
        e.positions.retain(|p| mask & (1 << p.weight()) != 0);
        !e.positions.is_empty()
    });
    vector::encode(&words)
}

fn tsvector_to_array(v: &[u8]) -> ArrayValue {
    let words = vector::entries(v);
    ArrayValue::from_elements(oids::TEXT, words.iter().map(|e| Datum::text(e.word)).collect())
}

fn array_to_tsvector(words: &ArrayValue) -> PgResult<Vec<u8>> {
    let mut entries = Vec::with_capacity(words.elements.len());
    for word in &words.elements {
        let refuse: Box<PgError> = match word.as_str() {
            Some("") => pg_err!(
                ZERO_LENGTH_CHARACTER_STRING,
                "lexeme array may not contain empty strings"
            ),
            None => pg_err!(NULL_VALUE_NOT_ALLOWED, "lexeme array may not contain nulls"),
            Some(word) => {
                entries.push(Entry {
                    word: word.to_owned(),
                    positions: Vec::new(),
                });
                continue;
            }
        };
        return Err(refuse);
    }
    vector::build(entries)
}

/// The second document follows the first.
fn tsvector_concat(a: &[u8], b: &[u8]) -> PgResult<Vec<u8>> {
    let mut words = owned(a);
    let last = words
        .iter()
        .flat_map(|e| &e.positions)
        .map(|p| p.at())
        .max()
        .unwrap_or(0);
    let mut out = Vec::with_capacity(words.len());
    let mut first = words.drain(..).peekable();
    for entry in vector::entries(b) {
        while let Some(before) = first.next_if(|e| e.word.as_bytes() < entry.word.as_bytes()) {
            out.push(before);
        }
        let mut joined = first.next_if(|e| e.word == entry.word).unwrap_or_else(|| Entry {
            word: entry.word.to_owned(),
            positions: Vec::new(),
        });
        for p in entry.positions() {
            let full = joined.positions.last().is_some_and(|l| l.at() == POSITION_MAX);
            if full || joined.positions.len() >= POSITIONS_MAX {
                break;
            }
            joined.positions.push(Position::new(p.at() + last, p.weight()));
        }
        out.push(joined);
    }
    out.extend(first);
    vector::encode(&out)
}

fn tsvector_unnest(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let Some(Datum::Bytes(v)) = args.first() else {
        return Ok(materialized(
            &[oids::TEXT, oids::INT2_ARRAY, oids::TEXT_ARRAY],
            Vec::new(),
        ));
    };
    let mut rows = Vec::new();
    for entry in vector::entries(v) {
        let (mut places, mut weights) = (Datum::Null, Datum::Null);
        if entry.position_count() > 0 {
            let at = entry.positions().map(|p| Datum::Int2(p.at() as i16)).collect();
            places = Datum::Array(Arc::new(ArrayValue::from_elements(oids::INT2, at)));
            let letter = |p: Position| Datum::text(["D", "C", "B", "A"][usize::from(p.weight())]);
            let letters = entry.positions().map(letter).collect();
            weights = Datum::Array(Arc::new(ArrayValue::from_elements(oids::TEXT, letters)));
        }
        rows.push(vec![Datum::text(entry.word), places, weights]);
    }
    Ok(materialized(
        &[oids::TEXT, oids::INT2_ARRAY, oids::TEXT_ARRAY],
        rows,
    ))
}

/// `ts_stat`: in how many of a query's documents a word occurs, and how often.
fn ts_stat(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let sql = args.first().and_then(Datum::as_str).unwrap_or_default();
    let letters = args.get(1).and_then(Datum::as_str);
    let wanted = |p: Position| {
        let letter = ['D', 'C', 'B', 'A'][usize::from(p.weight())];
        letters.is_none_or(|l| l.to_ascii_uppercase().contains(letter))
    };
    let found = ctx.session.query(sql, usize::MAX)?;
    if !matches!(&found.columns[..], [only] if only.type_ref.oid == oids::TSVECTOR) {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "ts_stat query must return one tsvector column"
        ));
    }
    let mut words: std::collections::BTreeMap<Vec<u8>, (i32, i32)> = Default::default();
    for row in found.rows.iter() {
        let Some(Datum::Bytes(document)) = row.first() else {
            continue;
        };
        for entry in vector::entries(document) {
            let count = match entry.position_count() {
                0 => i32::from(letters.is_none_or(str::is_empty)),
                _ if letters.is_none_or(str::is_empty) => entry.position_count() as i32,
                _ => entry.positions().filter(|p| wanted(*p)).count() as i32,
            };
            if count > 0 {
                let known = words.entry(entry.word.as_bytes().to_vec()).or_default();
                *known = (known.0 + 1, known.1 + count);
            }
        }
    }
    let rows = words.into_iter().map(|(word, (documents, entries))| {
        let word = String::from_utf8_lossy(&word).into_owned();
        vec![Datum::text(word), Datum::Int4(documents), Datum::Int4(entries)]
    });
    Ok(materialized(
        &[oids::TEXT, oids::INT4, oids::INT4],
        rows.collect(),
    ))
}

builtins! {
    tsvector_lt(a: tsvector, b: tsvector) -> bool;
    tsvector_le(a: tsvector, b: tsvector) -> bool;
    tsvector_eq(a: tsvector, b: tsvector) -> bool;
    tsvector_ne(a: tsvector, b: tsvector) -> bool;
    tsvector_ge(a: tsvector, b: tsvector) -> bool;
    tsvector_gt(a: tsvector, b: tsvector) -> bool;
    tsvector_cmp(a: tsvector, b: tsvector) -> int4;
    tsvector_length(v: tsvector) -> int4;
    tsvector_strip(v: tsvector) -> tsvector;
    tsvector_setweight(v: tsvector, weight: char) -> tsvector;
    tsvector_setweight_by_filter(v: tsvector, weight: char, only: text_array) -> tsvector;
    tsvector_delete_str(v: tsvector, word: text) -> tsvector;
    tsvector_delete_arr(v: tsvector, words: text_array) -> tsvector;
    tsvector_filter(v: tsvector, weights: char_array) -> tsvector;
    tsvector_to_array(v: tsvector) -> text_array;
    array_to_tsvector(words: text_array) -> tsvector;
    tsvector_concat(a: tsvector, b: tsvector) -> tsvector;
}

set_functions! {
    tsvector_unnest(tsvector) -> record = tsvector_unnest;
    ts_stat1(text) -> record = ts_stat;
    ts_stat2(text, text) -> record = ts_stat;
}
