//! `tsvector`: distinct words in byte order, each with the places where it stood.
//!
//! # Format
//! Big-endian, as on the wire: count `u32`; per word its UTF-8, a zero byte, count of positions `u16`, the positions: the
//! weight (3 is A, 0 is D) in the upper two bits, the place in the lower fourteen.
//!
//! # Invariants
//! - Words ascend strictly by their bytes; positions ascend strictly, at most 256 of them.

use std::cmp::Ordering;

use common::{PgError, PgResult, pg_err};

use crate::Datum;
use crate::io::{IoContext, wrong_datum};
use crate::textsearch::token::{Grammar, WordReader};
use crate::textsearch::{POSITION_MAX, POSITIONS_MAX, TEXT_BYTES_MAX, WORD_BYTES_MAX, push_quoted};
use crate::wire::{Wire, done};

/// A place in a document, and its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position(pub u16);

impl Position {
    /// Place `at`, which must not exceed [`POSITION_MAX`], with a weight of 0 (D) to 3 (A).
    pub fn new(at: u16, weight: u8) -> Position {
        Position(at.min(POSITION_MAX) | u16::from(weight & 3) << 14)
    }

    /// The place.
    #[inline]
    pub fn at(self) -> u16 {
        self.0 & POSITION_MAX
    }

    /// The weight, 0 (D) to 3 (A).
    #[inline]
    pub fn weight(self) -> u8 {
        (self.0 >> 14) as u8
    }
}

/// A word and its places, to build a vector of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Entry {
    pub word: String,
    pub positions: Vec<Position>,
}

/// A word of a vector.
#[derive(Clone, Copy, Debug)]
pub struct EntryRef<'a> {
    /// The word.
    pub word: &'a str,
    places: &'a [u8],
}

impl<'a> EntryRef<'a> {
    /// Number of places.
    #[inline]
    pub fn position_count(&self) -> usize {
        self.places.len() / 2
    }

    /// The places, ascending.
    pub fn positions(&self) -> impl ExactSizeIterator<Item = Position> + 'a {
        let pairs = self.places.chunks_exact(2);
        pairs.map(|p| Position(u16::from_be_bytes([p[0], p[1]])))
    }

    /// The same as an entry of its own.
    pub fn to_entry(&self) -> Entry {
        Entry {
            word: self.word.to_owned(),
            positions: self.positions().collect(),
        }
    }
}

/// The words of a vector. Bytes that make no sense end the list.
pub fn entries(bytes: &[u8]) -> Vec<EntryRef<'_>> {
    let Some((count, mut rest)) = bytes.split_first_chunk::<4>() else {
        return Vec::new();
    };
    let count = u32::from_be_bytes(*count) as usize;
    let mut found = Vec::with_capacity(count.min(bytes.len()));
    for _ in 0..count {
        let Some((entry, after)) = first_entry(rest) else {
            break;
        };
        found.push(entry);
        rest = after;
    }
    found
}

fn first_entry(bytes: &[u8]) -> Option<(EntryRef<'_>, &[u8])> {
    let end = bytes.iter().position(|b| *b == 0)?;
    let word = std::str::from_utf8(&bytes[..end]).ok()?;
    let (count, rest) = bytes[end + 1..].split_first_chunk::<2>()?;
    let (places, rest) = rest.split_at_checked(2 * usize::from(u16::from_be_bytes(*count)))?;
    Some((EntryRef { word, places }, rest))
}

/// Sorts places, one per place: the highest weight stays.
pub fn unique_positions(positions: &mut Vec<Position>) {
    if positions.len() <= 1 {
        return;
    }
    positions.sort_by_key(|p| p.at());
    let mut kept: Vec<Position> = Vec::with_capacity(positions.len());
    for p in positions.iter() {
        let full = kept.len() >= POSITIONS_MAX || kept.last().is_some_and(|l| l.at() == POSITION_MAX);
        match kept.last_mut() {
            Some(last) if last.at() == p.at() => {
                if p.weight() > last.weight() {
                    *last = *p;
                }
            }
            _ if full => break,
            _ => kept.push(*p),
        }
    }
    *positions = kept;
}

/// A vector of words in any order, equal ones merged.
pub fn build(mut words: Vec<Entry>) -> PgResult<Vec<u8>> {
    words.sort_by(|a, b| a.word.as_bytes().cmp(b.word.as_bytes()));
    let mut merged: Vec<Entry> = Vec::with_capacity(words.len());
    for entry in words {
        match merged.last_mut() {
            Some(last) if last.word == entry.word => last.positions.extend(entry.positions),
            _ => merged.push(entry),
        }
    }
    for entry in &mut merged {
        unique_positions(&mut entry.positions);
    }
    encode(&merged)
}

/// A vector of words that already hold the invariants.
pub fn encode(words: &[Entry]) -> PgResult<Vec<u8>> {
    let text = text_bytes(words.iter().map(|e| (e.word.len(), e.positions.len())));
    if text > TEXT_BYTES_MAX {
        return Err(too_long(text));
    }
    let mut out = Vec::with_capacity(4 + text + words.len() * 3);
    out.extend_from_slice(&(words.len() as u32).to_be_bytes());
    for entry in words {
        out.extend_from_slice(entry.word.as_bytes());
        out.push(0);
        out.extend_from_slice(&(entry.positions.len() as u16).to_be_bytes());
        for p in &entry.positions {
            out.extend_from_slice(&p.0.to_be_bytes());
        }
    }
    Ok(out)
}

/// `string is too long for tsvector`.
#[cold]
pub fn too_long(bytes: usize) -> Box<PgError> {
    pg_err!(
        PROGRAM_LIMIT_EXCEEDED,
        "string is too long for tsvector ({bytes} bytes, max {TEXT_BYTES_MAX} bytes)"
    )
}

/// Bytes that PostgreSQL needs behind the words' headers: part of the order.
fn text_bytes(words: impl Iterator<Item = (usize, usize)>) -> usize {
    words.fold(0, |sum, (word, positions)| {
        let end = sum + word;
        if positions == 0 {
            end
        } else {
            end.next_multiple_of(2) + 2 + 2 * positions
        }
    })
}

/// Bytes that sort as vectors do: by size, number of words, then word by word.
pub fn sort_form(bytes: &[u8]) -> Vec<u8> {
    let words = entries(bytes);
    let text = text_bytes(words.iter().map(|e| (e.word.len(), e.position_count())));
    let mut out = Vec::with_capacity(bytes.len() + 16);
    out.extend_from_slice(&((text + 4 * words.len()) as u32).to_be_bytes());
    out.extend_from_slice(&(words.len() as u32).to_be_bytes());
    for entry in words {
        // Words with places come before words without, more places before fewer, later before earlier.
        let count = entry.position_count() as u16;
        out.push(u8::from(count == 0));
        out.extend_from_slice(entry.word.as_bytes());
        out.push(0);
        out.extend_from_slice(&(!count).to_be_bytes());
        for p in entry.positions() {
            out.extend_from_slice(&(!p.at()).to_be_bytes());
            out.push(!p.weight());
        }
    }
    out
}

/// The order of vectors.
pub fn compare(a: &[u8], b: &[u8]) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    sort_form(a).cmp(&sort_form(b))
}

/// `tsvector` from text.
pub fn tsvector_in(s: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    let (mut words, mut at, mut text) = (Vec::new(), 0, 0);
    while let Some(token) = WordReader::new(Grammar::Vector, s, at).read()? {
        at = token.end;
        check_word(&token.word)?;
        if text > TEXT_BYTES_MAX {
            return Err(too_long(text));
        }
        text += token.word.len();
        words.push(Entry {
            word: token.word,
            positions: token.positions,
        });
    }
    Ok(Datum::Bytes(build(words)?.into()))
}

/// Words have a limit.
pub fn check_word(word: &str) -> PgResult<()> {
    if word.len() >= WORD_BYTES_MAX {
        return Err(pg_err!(
            PROGRAM_LIMIT_EXCEEDED,
            "word is too long ({} bytes, max {} bytes)",
            word.len(),
            WORD_BYTES_MAX - 1
        ));
    }
    Ok(())
}

fn bytes_of<'a>(v: &'a Datum, type_name: &str) -> PgResult<&'a [u8]> {
    match v {
        Datum::Bytes(b) => Ok(b),
        _ => Err(wrong_datum(type_name, v)),
    }
}

/// `tsvector` to text.
pub fn tsvector_out(v: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    for (i, entry) in entries(bytes_of(v, "tsvector")?).iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        push_quoted(entry.word, out);
        for (k, p) in entry.positions().enumerate() {
            out.push(if k == 0 { ':' } else { ',' });
            out.push_str(&p.at().to_string());
            match p.weight() {
                3 => out.push('A'),
                2 => out.push('B'),
                1 => out.push('C'),
                _ => {}
            }
        }
    }
    Ok(())
}

/// `tsvector` from the wire.
pub fn tsvector_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    let mut wire = Wire(bytes);
    let count = wire.int()?;
    if !(0..=0x0fff_ffff).contains(&count) {
        return Err(common::internal!("invalid size of tsvector"));
    }
    // Twice the head of a vector, which PostgreSQL allocates.
    let size = (8 + 4 * i64::from(count)) * 2;
    if size > 0x3fff_ffff {
        return Err(common::internal!("invalid memory alloc request size {size}"));
    }
    let mut words: Vec<Entry> = Vec::new();
    for _ in 0..count {
        let word = wire.string()?;
        let places = usize::from(wire.int2()?);
        if word.len() > WORD_BYTES_MAX {
            return Err(common::internal!("invalid tsvector: lexeme too long"));
        }
        if places > POSITIONS_MAX {
            return Err(common::internal!("unexpected number of tsvector positions"));
        }
        let mut positions: Vec<Position> = Vec::with_capacity(places);
        for _ in 0..places {
            let next = Position(wire.int2()?);
            if positions.last().is_some_and(|last| next.at() <= last.at()) {
                return Err(common::internal!("position information is misordered"));
            }
            positions.push(next);
        }
        words.push(Entry {
            word: word.to_owned(),
            positions,
        });
    }
    done(wire.0)?;
    Ok(Datum::Bytes(build(words)?.into()))
}

/// `tsvector` to the wire.
pub fn tsvector_send(v: &Datum, _: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    out.extend_from_slice(bytes_of(v, "tsvector")?);
    Ok(())
}
