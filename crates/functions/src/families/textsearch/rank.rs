//! `ts_rank` and `ts_rank_cd`: how well a document matches.
//!
//! `ts_rank` adds up how often and how heavy the words of a query occur, for AND how near to each other. `ts_rank_cd` looks for
//! covers, the shortest stretches that match the query (Clarke, Cormack, Tudhope 1999): the more and the denser, the better.

use common::{PgResult, pg_err};
use types::textsearch::POSITION_MAX;
use types::textsearch::query::Item;
use types::textsearch::vector::{self, EntryRef, Position};
use types::{ArrayValue, Datum};

use crate::families::textsearch::matching::{Answer, Places, Query, Source, find_entries};
use crate::framework::macros::builtins;

/// Weights of D, C, B, A.
const DEFAULT_WEIGHTS: [f32; 4] = [0.1, 0.2, 0.4, 1.0];

/// Bits of the normalization.
const LOG_LENGTH: i32 = 1;
const LENGTH: i32 = 2;
const EXTENT_DISTANCE: i32 = 4;
const UNIQUE: i32 = 8;
const LOG_UNIQUE: i32 = 16;
const SELF_PLUS_ONE: i32 = 32;

fn weights(array: &ArrayValue) -> PgResult<[f32; 4]> {
    if array.dims.len() != 1 {
        return Err(pg_err!(
            ARRAY_SUBSCRIPT_ERROR,
            "array of weight must be one-dimensional"
        ));
    }
    if array.elements.len() < 4 {
        return Err(pg_err!(ARRAY_SUBSCRIPT_ERROR, "array of weight is too short"));
    }
    if array.elements.iter().any(Datum::is_null) {
        return Err(pg_err!(
            NULL_VALUE_NOT_ALLOWED,
            "array of weight must not contain nulls"
        ));
    }
    let mut found = DEFAULT_WEIGHTS;
    for (weight, given) in found.iter_mut().zip(&array.elements) {
        if let Datum::Float4(given) = given
            && *given >= 0.0
        {
            *weight = *given;
        }
        if *weight > 1.0 {
            return Err(pg_err!(INVALID_PARAMETER_VALUE, "weight out of range"));
        }
    }
    Ok(found)
}

/// Number of words with repetitions.
fn length(entries: &[EntryRef<'_>]) -> usize {
    entries.iter().map(|e| e.position_count().max(1)).sum()
}

fn nearness(distance: u32) -> f64 {
    if distance > 100 {
        return f64::from(1e-30_f32);
    }
    1.0 / (1.005 + 0.05 * ((f64::from(distance as f32) / 1.5) - 2.0).exp())
}

/// The different words of a query, sorted.
fn distinct(query: &Query) -> Vec<usize> {
    let mut all: Vec<usize> = (0..query.operands.len()).collect();
    let word = |k: &usize| query.operands[*k].word.as_bytes();
    all.sort_by(|a, b| word(a).cmp(word(b)));
    all.dedup_by(|a, b| word(a) == word(b));
    all
}

/// Places of an entry; one without places stands at the end of everything.
fn places(entry: &EntryRef<'_>) -> (Vec<Position>, bool) {
    if entry.position_count() == 0 {
        (vec![Position::new(POSITION_MAX, 0)], true)
    } else {
        (entry.positions().collect(), false)
    }
}

fn rank_and(w: &[f32; 4], entries: &[EntryRef<'_>], query: &Query) -> f32 {
    let words = distinct(query);
    if words.len() < 2 {
        return rank_or(w, entries, query);
    }
    let weight = |p: &Position| w[usize::from(p.weight())];
    let mut result = -1.0_f32;
    let mut seen: Vec<Option<(Vec<Position>, bool)>> = vec![None; words.len()];
    for (i, k) in words.iter().enumerate() {
        for entry in find_entries(entries, &query.operands[*k]) {
            let here = places(entry);
            for before in seen[..i].iter().flatten() {
                for a in &here.0 {
                    for b in &before.0 {
                        let mut distance = u32::from(a.at().abs_diff(b.at()));
                        if distance == 0 {
                            if !here.1 && !before.1 {
                                continue;
                            }
                            distance = u32::from(POSITION_MAX) + 1;
                        }
                        let product = f64::from(weight(a) * weight(b)) * nearness(distance);
                        let current = product.sqrt() as f32;
                        result = if result < 0.0 {
                            current
                        } else {
                            (1.0 - (1.0 - f64::from(result)) * (1.0 - f64::from(current))) as f32
                        };
                    }
                }
            }
            seen[i] = Some(here);
        }
    }
    result
}

fn rank_or(w: &[f32; 4], entries: &[EntryRef<'_>], query: &Query) -> f32 {
    let words = distinct(query);
    let mut result = 0.0_f32;
    for k in &words {
        for entry in find_entries(entries, &query.operands[*k]) {
            let list = if entry.position_count() == 0 {
                vec![Position(0)]
            } else {
                entry.positions().collect()
            };
            let (mut sum, mut best, mut best_at) = (0.0_f32, -1.0_f32, 0_i32);
            for (j, p) in (0_i32..).zip(&list) {
                let weight = w[usize::from(p.weight())];
                sum += weight / ((j + 1) * (j + 1)) as f32;
                if weight > best {
                    (best, best_at) = (weight, j);
                }
            }
            let rest = best + sum - best / ((best_at + 1) * (best_at + 1)) as f32;
            result = (f64::from(result) + f64::from(rest) / 1.644_934_066_85) as f32;
        }
    }
    if words.is_empty() {
        result
    } else {
        result / words.len() as f32
    }
}

fn rank(w: &[f32; 4], vector: &[u8], query: &[u8], method: i32) -> f32 {
    let entries = vector::entries(vector);
    let query = Query::new(query);
    if entries.is_empty() || query.expr.is_none() {
        return 0.0;
    }
    let mut result = match query.top {
        Some(Item::And | Item::Phrase(_)) => rank_and(w, &entries, &query),
        _ => rank_or(w, &entries, &query),
    };
    if result < 0.0 {
        result = 1e-20;
    }
    let (words, unique) = (length(&entries), entries.len());
    let divide = |r: f32, by: f64| (f64::from(r) / by) as f32;
    if method & LOG_LENGTH != 0 {
        result = divide(result, ((words + 1) as f64).ln() / 2.0_f64.ln());
    }
    if method & LENGTH != 0 {
        result /= words as f32;
    }
    if method & UNIQUE != 0 {
        result /= unique as f32;
    }
    if method & LOG_UNIQUE != 0 {
        result = divide(result, ((unique + 1) as f64).ln() / 2.0_f64.ln());
    }
    if method & SELF_PLUS_ONE != 0 {
        result /= result + 1.0;
    }
    result
}

/// A place of the document, with the operands that match there.
struct Spot {
    position: Position,
    operands: Vec<usize>,
}

fn spots(entries: &[EntryRef<'_>], query: &Query) -> Vec<Spot> {
    let mut all: Vec<(Position, *const u8, usize)> = Vec::new();
    for (k, operand) in query.operands.iter().enumerate() {
        for entry in find_entries(entries, operand) {
            for p in entry.positions() {
                if operand.weight == 0 || operand.weight & (1 << p.weight()) != 0 {
                    all.push((p, entry.word.as_ptr(), k));
                }
            }
        }
    }
    all.sort_by_key(|(p, word, _)| (p.at(), p.weight(), *word));
    let mut found: Vec<Spot> = Vec::new();
    let mut last = None;
    for (position, word, k) in all {
        match found.last_mut() {
            Some(spot) if last == Some((position, word)) => spot.operands.push(k),
            _ => found.push(Spot {
                position,
                operands: vec![k],
            }),
        }
        last = Some((position, word));
    }
    found
}

/// What a stretch of the document contains so far.
struct Stretch {
    places: Vec<Vec<u32>>,
}

impl Stretch {
    fn add(&mut self, spot: &Spot) {
        let at = u32::from(spot.position.at());
        for k in &spot.operands {
            if self.places[*k].last() != Some(&at) {
                self.places[*k].push(at);
            }
        }
    }
}

impl Source for Stretch {
    fn lookup(&self, k: usize, places: Option<&mut Places>) -> Answer {
        if self.places[k].is_empty() {
            return Answer::No;
        }
        if let Some(out) = places {
            out.places.clone_from(&self.places[k]);
            // The way back collects from right to left.
            out.places.sort_unstable();
        }
        Answer::Yes
    }
}

/// The next cover that begins at spot `from` or behind it: its first and last spot.
fn cover(spots: &[Spot], query: &Query, mut from: usize) -> Option<(usize, usize)> {
    loop {
        let empty = || Stretch {
            places: vec![Vec::new(); query.operands.len()],
        };
        let mut stretch = empty();
        let end = (from..spots.len()).find(|i| {
            stretch.add(&spots[*i]);
            query.matches(&stretch)
        })?;
        let mut stretch = empty();
        let begin = (from..=end).rev().find(|i| {
            stretch.add(&spots[*i]);
            query.matches(&stretch)
        });
        if let Some(begin) = begin
            && spots[end].position.at() > 0
        {
            return Some((begin, end));
        }
        from += 1;
    }
}

fn rank_cd(w: &[f32; 4], vector: &[u8], query: &[u8], method: i32) -> f32 {
    let entries = vector::entries(vector);
    let query = Query::new(query);
    let spots = spots(&entries, &query);
    let (mut result, mut distances, mut last_middle, mut extents, mut from) = (0.0_f64, 0.0, 0.0, 0, 0);
    while let Some((begin, end)) = cover(&spots, &query, from) {
        let inverse = |s: &Spot| 1.0 / f64::from(w[usize::from(s.position.weight())]);
        let sum: f64 = spots[begin..=end].iter().map(inverse).sum();
        let (first, last) = (
            i32::from(spots[begin].position.at()),
            i32::from(spots[end].position.at()),
        );
        let words = (end - begin) as i32;
        let mut noise = last - first - words;
        if noise < 0 {
            noise = words / 2;
        }
        result += f64::from(words + 1) / sum / f64::from(1 + noise);
        let middle = f64::from(first + last) / 2.0;
        if extents > 0 && middle > last_middle {
            distances += 1.0 / (middle - last_middle);
        }
        last_middle = middle;
        extents += 1;
        from = begin + 1;
    }
    let (words, unique) = (length(&entries) as f64, entries.len() as f64);
    if method & LOG_LENGTH != 0 && unique > 0.0 {
        result /= (words + 1.0).ln();
    }
    if method & LENGTH != 0 && words > 0.0 {
        result /= words;
    }
    if method & EXTENT_DISTANCE != 0 && extents > 0 && distances > 0.0 {
        result /= f64::from(extents) / distances;
    }
    if method & UNIQUE != 0 && unique > 0.0 {
        result /= unique;
    }
    if method & LOG_UNIQUE != 0 && unique > 0.0 {
        result /= (unique + 1.0).ln() / 2.0_f64.ln();
    }
    if method & SELF_PLUS_ONE != 0 {
        result /= result + 1.0;
    }
    result as f32
}

fn ts_rank_wttf(w: &ArrayValue, v: &[u8], q: &[u8], method: i32) -> PgResult<f32> {
    Ok(rank(&weights(w)?, v, q, method))
}

fn ts_rank_wtt(w: &ArrayValue, v: &[u8], q: &[u8]) -> PgResult<f32> {
    Ok(rank(&weights(w)?, v, q, 0))
}

fn ts_rank_ttf(v: &[u8], q: &[u8], method: i32) -> f32 {
    rank(&DEFAULT_WEIGHTS, v, q, method)
}

fn ts_rank_tt(v: &[u8], q: &[u8]) -> f32 {
    rank(&DEFAULT_WEIGHTS, v, q, 0)
}

fn ts_rankcd_wttf(w: &ArrayValue, v: &[u8], q: &[u8], method: i32) -> PgResult<f32> {
    Ok(rank_cd(&weights(w)?, v, q, method))
}

fn ts_rankcd_wtt(w: &ArrayValue, v: &[u8], q: &[u8]) -> PgResult<f32> {
    Ok(rank_cd(&weights(w)?, v, q, 0))
}

fn ts_rankcd_ttf(v: &[u8], q: &[u8], method: i32) -> f32 {
    rank_cd(&DEFAULT_WEIGHTS, v, q, method)
}

fn ts_rankcd_tt(v: &[u8], q: &[u8]) -> f32 {
    rank_cd(&DEFAULT_WEIGHTS, v, q, 0)
}

builtins! {
    ts_rank_wttf(w: float4_array, v: tsvector, q: tsquery, method: int4) -> float4;
    ts_rank_wtt(w: float4_array, v: tsvector, q: tsquery) -> float4;
    ts_rank_ttf(v: tsvector, q: tsquery, method: int4) -> float4;
    ts_rank_tt(v: tsvector, q: tsquery) -> float4;
    ts_rankcd_wttf(w: float4_array, v: tsvector, q: tsquery, method: int4) -> float4;
    ts_rankcd_wtt(w: float4_array, v: tsvector, q: tsquery) -> float4;
    ts_rankcd_ttf(v: tsvector, q: tsquery, method: int4) -> float4;
    ts_rankcd_tt(v: tsvector, q: tsquery) -> float4;
}
