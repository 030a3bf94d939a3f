//! Sort keys as numbers: the leading keys of a row in one word, so that sorting compares words.
//!
//! # How it works
//! 1. A key becomes a number that orders as the key does: integers, floats, decimals of one scale, the eight bytes of texts that follow
//!    what all texts begin with. Its least value is taken off, and what all have at the end in zeros, so that it needs few bits.
//! 2. The numbers of the keys stand behind each other in a word while there is room. Of a key that does not fit, the upper bits go in,
//!    and rows with equal words are compared by the columns.
//! 3. Words are dealt to buckets by their upper bits, and each bucket is sorted by itself, while it is in the processor's cache. What
//!    is not wanted (a LIMIT) is not sorted.
//!
//! # Invariants
//! - Equal rows come in the order of their numbers.

use common::PgResult;
use types::{Numeric, Vector, VectorData, oids};

use crate::cx::Cx;
use crate::keys::{Order, without_padding};

/// The leading keys of rows as numbers.
pub(super) struct Words {
    /// One per row.
    pub words: Vec<u64>,
    /// How many bits of a word are in use.
    pub bits: u32,
    /// How many keys the words decide.
    pub decided: usize,
}

/// One key as numbers.
struct Part {
    codes: Vec<u64>,
    bits: u32,
    /// Equal numbers are equal keys.
    exact: bool,
}

/// The words of the given rows; `None` when not even the first key can be a number.
pub(super) fn words(orders: &[Order], columns: &[std::sync::Arc<Vector>], rows: &[u32]) -> Option<Words> {
    let mut out: Option<Words> = None;
    for order in orders {
        let used = out.as_ref().map_or(0, |w| w.bits);
        let Some(part) = (used < 64)
            .then(|| part(order, &columns[order.column], rows))
            .flatten()
        else {
            break;
        };
        let taken = part.bits.min(64 - used);
        let drop = part.bits - taken;
        let decides = drop == 0 && part.exact;
        let words = match out.take() {
            None => Words {
                words: part.codes,
                bits: taken,
                decided: usize::from(decides),
            },
            Some(mut before) => {
                if taken > 0 {
                    for (word, code) in before.words.iter_mut().zip(&part.codes) {
                        *word = word.unbounded_shl(taken) | code >> drop;
                    }
                }
                before.bits += taken;
                before.decided += usize::from(decides);
                before
            }
        };
        out = Some(words);
        if !decides {
            break;
        }
    }
    out
}

/// One key of the rows as numbers of few bits.
fn part(order: &Order, column: &Vector, rows: &[u32]) -> Option<Part> {
    let (type_oid, descending, nulls_first) = order.direct()?;
    if column.is_constant() {
        return Some(Part {
            codes: vec![0; rows.len()],
            bits: 0,
            exact: true,
        });
    }
    let (mut codes, exact) = codes(type_oid, column, rows)?;
    if descending {
        codes.iter_mut().for_each(|code| *code = !*code);
    }
    let bits = match column.may_have_nulls() {
        false => squeeze(&mut codes),
        true => squeeze_nulls(&mut codes, column, rows, nulls_first)?,
    };
    Some(Part { codes, bits, exact })
}

/// Takes off the least value and common zeros at the end; how many bits are left.
fn squeeze(codes: &mut [u64]) -> u32 {
    let least = codes.iter().copied().min().unwrap_or(0);
    let all = codes.iter().fold(0, |all, code| all | (code - least));
    if all == 0 {
        codes.fill(0);
        return 0;
    }
    let zeros = all.trailing_zeros();
    codes.iter_mut().for_each(|code| *code = (*code - least) >> zeros);
    64 - (all >> zeros).leading_zeros()
}

/// The same where NULLs have their place before or behind everything; `None` when there is no room for it.
fn squeeze_nulls(codes: &mut [u64], column: &Vector, rows: &[u32], nulls_first: bool) -> Option<u32> {
    let is_null = |row: u32| column.is_null(row as usize);
    let known = || {
        codes
            .iter()
            .zip(rows)
            .filter(|(_, row)| !is_null(**row))
            .map(|(code, _)| *code)
    };
    let (least, greatest) = (known().min().unwrap_or(0), known().max().unwrap_or(0));
    let last = (greatest - least).checked_add(1)?;
    let (null, shift) = if nulls_first { (0, 1) } else { (last, 0) };
    for (code, row) in codes.iter_mut().zip(rows) {
        *code = match is_null(*row) {
            true => null,
            false => *code - least + shift,
        };
    }
    Some(64 - last.leading_zeros())
}

/// A number per row that orders as the key does, and whether rows with equal numbers have equal keys; NULLs have any.
fn codes(type_oid: common::Oid, column: &Vector, rows: &[u32]) -> Option<(Vec<u64>, bool)> {
    let each =
        |key: &dyn Fn(usize) -> u64| -> Vec<u64> { rows.iter().map(|&row| key(row as usize)).collect() };
    let signed = |v: i64| v as u64 ^ (1 << 63);
    if let Some(decimals) = column.decimals() {
        return Some((each(&|n| signed(decimals.digits[n])), true));
    }
    let codes = match column.data() {
        VectorData::Bool(d) => each(&|n| u64::from(d[n])),
        VectorData::Int2(d) => each(&|n| signed(i64::from(d[n]))),
        VectorData::Int4(d) => each(&|n| signed(i64::from(d[n]))),
        VectorData::Int8(d) if type_oid != oids::PG_LSN && type_oid != oids::XID8 => each(&|n| signed(d[n])),
        VectorData::Oid(d) => each(&|n| u64::from(d[n])),
        VectorData::Float8(d) => each(&|n| float_code(d[n])),
        VectorData::Numeric(d) => decimal_codes(d, column, rows)?,
        VectorData::Text(s) => {
            let padded = type_oid == oids::BPCHAR;
            return Some(text_codes(rows, |n| match padded {
                true => without_padding(s.bytes(n)),
                false => s.bytes(n),
            }));
        }
        _ => return None,
    };
    Some((codes, true))
}

/// Orders as PostgreSQL does: -0 equals 0, NaN comes last.
fn float_code(v: f64) -> u64 {
    if v.is_nan() {
        return u64::MAX;
    }
    let bits = if v == 0.0 { 0 } else { v.to_bits() };
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

/// The digits of numbers that all have one scale.
fn decimal_codes(values: &[Numeric], column: &Vector, rows: &[u32]) -> Option<Vec<u64>> {
    let mut common = None;
    let code = |&row: &u32| {
        if column.is_null(row as usize) {
            return Some(0);
        }
        match &values[row as usize] {
            Numeric::Small { unscaled, scale } if *common.get_or_insert(*scale) == *scale => {
                Some(*unscaled as u64 ^ (1 << 63))
            }
            _ => None,
        }
    };
    rows.iter().map(code).collect()
}

/// What texts have in front beyond this is not looked at: they are compared.
const COMMON_MAX: usize = 64 << 10;

/// The eight bytes behind what all texts have in front. PostgreSQL's texts have no zero bytes, so that shorter ones may be filled up
/// with them.
fn text_codes<'t>(rows: &[u32], text: impl Fn(usize) -> &'t [u8]) -> (Vec<u64>, bool) {
    let first = rows.first().map_or(&[][..], |&row| text(row as usize));
    let (mut common, mut longest) = (first.len().min(COMMON_MAX), first.len());
    for &row in rows {
        let text = text(row as usize);
        longest = longest.max(text.len());
        if text.len() < common || text[..common] != first[..common] {
            let pairs = first[..common].iter().zip(text);
            common = pairs.take_while(|(a, b)| a == b).count();
        }
    }
    let code = |&row: &u32| {
        let rest = &text(row as usize)[common..];
        match rest.first_chunk::<8>() {
            Some(word) => u64::from_be_bytes(*word),
            None => rest
                .iter()
                .rev()
                .fold(0, |code, b| code >> 8 | u64::from(*b) << 56),
        }
    };
    (rows.iter().map(code).collect(), longest <= common + 8)
}

/// Up to so many rows a bucket is not worth while.
const BUCKET_ROWS: usize = 256;
/// Most bits that tell buckets apart.
const BUCKET_BITS_MAX: u32 = 11;

/// Sorts `0..words.len()` by the words, then by number. Of the result only the first `wanted` are in order, with those that have the same
/// word as the last of them.
pub(super) fn order(cx: &Cx<'_>, words: &Words, wanted: usize) -> PgResult<Vec<u32>> {
    let low_bits = usize::BITS - words.words.len().leading_zeros();
    let rows = (0_u64..).zip(&words.words);
    if words.bits + low_bits <= 64 {
        let items = rows.map(|(row, word)| shifted(*word, low_bits) | row).collect();
        let mask = (1 << low_bits) - 1;
        let digit = |item: u64, shift: u32| (item >> shift) as usize;
        let items = sort_items(cx, items, (words.bits, low_bits), wanted, digit)?;
        return Ok(items.into_iter().map(|item| (item & mask) as u32).collect());
    }
    let items = rows
        .map(|(row, word)| u128::from(*word) << 64 | u128::from(row))
        .collect();
    let digit = |item: u128, shift: u32| (item >> shift) as usize;
    let items = sort_items(cx, items, (words.bits, 64), wanted, digit)?;
    Ok(items.into_iter().map(|item| item as u32).collect())
}

/// Without an overflow where there are no bits.
fn shifted(word: u64, by: u32) -> u64 {
    word.checked_shl(by).unwrap_or(0)
}

/// Sorts items of `bits` bits above others, by buckets.
fn sort_items<T: Copy + Ord + Default>(
    cx: &Cx<'_>,
    mut items: Vec<T>,
    (bits, low_bits): (u32, u32),
    wanted: usize,
    digit: impl Fn(T, u32) -> usize,
) -> PgResult<Vec<T>> {
    let worth = (items.len() / BUCKET_ROWS).checked_ilog2().unwrap_or(0);
    let bucket_bits = worth.min(BUCKET_BITS_MAX).min(bits);
    if bucket_bits == 0 {
        items.sort_unstable();
        return Ok(items);
    }
    let shift = bits + low_bits - bucket_bits;
    let mut ends = vec![0_usize; (1 << bucket_bits) + 1];
    for item in &items {
        ends[digit(*item, shift) + 1] += 1;
    }
    for bucket in 1..ends.len() {
        ends[bucket] += ends[bucket - 1];
    }
    let starts = ends.clone();
    let mut out = vec![T::default(); items.len()];
    for item in items {
        let end = &mut ends[digit(item, shift)];
        out[*end] = item;
        *end += 1;
    }
    for bounds in starts.windows(2) {
        if bounds[0] >= wanted {
            break;
        }
        cx.check()?;
        out[bounds[0]..bounds[1]].sort_unstable();
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_order_as_texts_and_floats_do() {
        let texts = [
            "item-",
            "item-a",
            "item-ab",
            "item-b",
            "item-bcdefghij",
            "item-bcdefghik",
        ];
        let rows: Vec<u32> = (0..6).collect();
        let (codes, exact) = text_codes(&rows, |n| texts[n].as_bytes());
        assert!(codes.is_sorted() && !exact && codes[3] < codes[4]);
        let (codes, exact) = text_codes(&rows[..4], |n| texts[n].as_bytes());
        assert!(exact && codes.windows(2).all(|pair| pair[0] < pair[1]));
        let floats = [
            f64::NEG_INFINITY,
            -1.5,
            -0.0,
            0.0,
            1e-300,
            2.0,
            f64::INFINITY,
            f64::NAN,
        ];
        let codes: Vec<u64> = floats.iter().map(|v| float_code(*v)).collect();
        assert!(codes.is_sorted() && codes[2] == codes[3]);
    }

    #[test]
    fn few_bits_are_left() {
        let mut codes = [1024, 4096, 2048];
        assert_eq!((squeeze(&mut codes), codes), (2, [0, 3, 1]));
        let mut codes = [7, 7];
        assert_eq!((squeeze(&mut codes), codes), (0, [0, 0]));
        let mut codes = [0, u64::MAX];
        assert_eq!((squeeze(&mut codes), codes), (64, [0, u64::MAX]));
    }
}
