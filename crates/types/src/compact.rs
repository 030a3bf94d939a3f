//! Columns at rest: the values of a block in little room, each of which can still be read by itself.
//!
//! # How it works
//! Integers (and what is stored as such: dates, times, OIDs) are differences to the least one, in as many bytes as the greatest difference
//! needs. Numbers of type `numeric` that have one scale and fit 64 bits are such integers beside their scale. Texts of which there are few
//! different ones are numbers of words in a dictionary, others lie behind each other. What fits none of these has no compact form.
//!
//! A [`crate::Vector`] made of a compact form ([`crate::Vector::at_rest`]) takes the general form when somebody asks for its data; single rows, rows taken
//! and decimals ([`crate::Decimals`]) come straight from here.
//!
//! # Invariants
//! - Positions that are NULL, or without a row, hold an arbitrary value.
//! - Dictionaries and strings of a text column hold valid UTF-8.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::{Bitmap, Datum, Decimals, Numeric, PhysType, StringColumn, Vector, VectorData};

/// Most words of a dictionary.
const WORDS_MAX: usize = 256;
/// After so many rows a dictionary that has a word for most of them is given up.
const WORDS_TRIED: usize = 128;

/// Differences in the room that they need.
#[derive(Debug, PartialEq)]
enum Narrow {
    /// All are 0.
    Same,
    U8(Box<[u8]>),
    U16(Box<[u16]>),
    U32(Box<[u32]>),
    U64(Box<[u64]>),
}

/// Runs an expression over the slice of whichever width it is.
macro_rules! widths {
    ($narrow:expr, $v:ident => $of:expr, $same:expr) => {
        match $narrow {
            Narrow::Same => $same,
            Narrow::U8($v) => $of,
            Narrow::U16($v) => $of,
            Narrow::U32($v) => $of,
            Narrow::U64($v) => $of,
        }
    };
}

impl Narrow {
    fn of(values: impl Iterator<Item = u64>, greatest: u64) -> Narrow {
        match greatest {
            0 => Narrow::Same,
            1..=0xff => Narrow::U8(values.map(|v| v as u8).collect()),
            0x100..=0xffff => Narrow::U16(values.map(|v| v as u16).collect()),
            0x1_0000..=0xffff_ffff => Narrow::U32(values.map(|v| v as u32).collect()),
            _ => Narrow::U64(values.collect()),
        }
    }

    #[allow(
        clippy::useless_conversion,
        reason = "one of the widths has the type wanted already"
    )]
    #[inline]
    fn get(&self, i: usize) -> u64 {
        widths!(self, v => v[i].into(), 0)
    }

    fn bytes(&self, len: usize) -> usize {
        match self {
            Narrow::Same => 0,
            Narrow::U8(_) => len,
            Narrow::U16(_) => len * 2,
            Narrow::U32(_) => len * 4,
            Narrow::U64(_) => len * 8,
        }
    }
}

/// Integers as differences to the least one.
#[derive(Debug, PartialEq)]
struct Integers {
    base: i64,
    above: Narrow,
}

impl Integers {
    /// Of values, those that count by `true`.
    fn of(values: impl Iterator<Item = (bool, i64)> + Clone) -> Integers {
        let counting = values.clone().filter(|(counts, _)| *counts).map(|(_, v)| v);
        let (mut base, mut greatest) = (i64::MAX, i64::MIN);
        counting.for_each(|v| (base, greatest) = (base.min(v), greatest.max(v)));
        if base > greatest {
            (base, greatest) = (0, 0);
        }
        let above = |(counts, v): (bool, i64)| if counts { v.wrapping_sub(base) as u64 } else { 0 };
        Integers {
            base,
            above: Narrow::of(values.map(above), greatest.wrapping_sub(base) as u64),
        }
    }

    #[inline]
    fn get(&self, i: usize) -> i64 {
        self.base.wrapping_add(self.above.get(i) as i64)
    }

    /// All of them, narrowed to a class by `to`.
    #[allow(
        clippy::useless_conversion,
        reason = "one of the widths has the type wanted already"
    )]
    #[inline]
    fn all<T: Clone>(&self, len: usize, to: impl Fn(i64) -> T) -> Vec<T> {
        let base = self.base;
        let value = |above: u64| to(base.wrapping_add(above as i64));
        widths!(&self.above, v => v.iter().map(|&x| value(x.into())).collect(), vec![value(0); len])
    }

    /// Those at positions.
    #[allow(
        clippy::useless_conversion,
        reason = "one of the widths has the type wanted already"
    )]
    #[inline]
    fn some<T>(&self, positions: impl Iterator<Item = usize>, to: impl Fn(i64) -> T) -> Vec<T> {
        let base = self.base;
        let value = |above: u64| to(base.wrapping_add(above as i64));
        widths!(&self.above, v => positions.map(|i| value(v[i].into())).collect(), positions.map(|_| value(0)).collect())
    }
}

#[derive(Debug)]
enum Form {
    Integers(Integers),
    Decimals { scale: u16, digits: Integers },
    Dictionary { codes: Box<[u8]>, words: StringColumn },
    Strings { ends: Narrow, bytes: Arc<Vec<u8>> },
}

/// Where string `i` lies.
fn place(ends: &Narrow, i: usize) -> std::ops::Range<usize> {
    let start = i.checked_sub(1).map_or(0, |before| ends.get(before));
    start as usize..ends.get(i) as usize
}

/// The strings of a column, one behind the other. Positions that are NULL have an arbitrary one.
#[derive(Debug)]
pub struct FlatStrings<'a> {
    ends: Vec<u32>,
    bytes: &'a [u8],
}

impl<'a> FlatStrings<'a> {
    /// Where each ends.
    #[inline]
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// All of them.
    #[inline]
    pub fn all(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where string `i` begins.
    #[inline]
    pub fn start(&self, i: usize) -> usize {
        i.checked_sub(1).map_or(0, |before| self.ends[before] as usize)
    }

    /// String `i`.
    #[inline]
    pub fn get(&self, i: usize) -> &'a [u8] {
        &self.bytes[self.start(i)..self.ends[i] as usize]
    }
}

/// A column without its NULLs (the vector has them).
#[derive(Debug)]
pub struct Compact {
    phys: PhysType,
    len: usize,
    form: Form,
}

impl Compact {
    /// The compact form of a vector, if it has one that is smaller. `present` says which positions have rows.
    pub fn of(vector: &Vector, present: &Bitmap) -> Option<Compact> {
        if vector.is_constant() || vector.is_empty() {
            return None;
        }
        let len = vector.len();
        let counts = |i: usize| present.get(i) && !vector.is_null(i);
        fn integers<T: Copy + Into<i64>>(v: &[T], counts: impl Fn(usize) -> bool) -> Form {
            let values = v.iter().enumerate();
            Form::Integers(Integers::of(values.map(|(i, v)| (counts(i), (*v).into()))))
        }
        let phys = vector.phys();
        let form = if let Some(decimals) = vector.decimals() {
            let digits = decimals.digits.iter().enumerate();
            Form::Decimals {
                scale: decimals.scale,
                digits: Integers::of(digits.map(|(i, v)| (counts(i), *v))),
            }
        } else {
            match vector.data() {
                VectorData::Int2(v) => integers(v, counts),
                VectorData::Int4(v) => integers(v, counts),
                VectorData::Int8(v) => integers(v, counts),
                VectorData::Oid(v) => integers(v, counts),
                VectorData::Numeric(v) => decimals(v, counts)?,
                VectorData::Text(s) | VectorData::Bytes(s) => match dictionary(s, counts) {
                    Some(form) => form,
                    None => strings(s, counts)?,
                },
                _ => return None,
            }
        };
        let compact = Compact { phys, len, form };
        // Decimals in another form would keep what is made of them.
        let decimals = compact.scale().is_some();
        (decimals || compact.memory_bytes() < vector.memory_bytes()).then_some(compact)
    }

    /// The class.
    pub fn phys(&self) -> PhysType {
        self.phys
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Compact>()
            + match &self.form {
                Form::Integers(v) | Form::Decimals { digits: v, .. } => v.above.bytes(self.len),
                Form::Dictionary { codes, words } => codes.len() + words.memory_bytes(),
                Form::Strings { ends, bytes } => ends.bytes(self.len) + bytes.len(),
            }
    }

    /// The integer in row `i` (not of OIDs).
    #[inline]
    pub fn integer(&self, i: usize) -> Option<i64> {
        match &self.form {
            Form::Integers(v) if self.phys != PhysType::Oid => Some(v.get(i)),
            _ => None,
        }
    }

    /// The scale of a column of decimals.
    #[inline]
    pub fn scale(&self) -> Option<u16> {
        match &self.form {
            Form::Decimals { scale, .. } => Some(*scale),
            _ => None,
        }
    }

    /// The digits in row `i` and their scale.
    #[inline]
    pub fn decimal(&self, i: usize) -> Option<(i64, u16)> {
        match &self.form {
            Form::Decimals { scale, digits } => Some((digits.get(i), *scale)),
            _ => None,
        }
    }

    /// The number of each row's word, and the words.
    #[inline]
    pub fn dictionary(&self) -> Option<(&[u8], &StringColumn)> {
        match &self.form {
            Form::Dictionary { codes, words } => Some((codes, words)),
            _ => None,
        }
    }

    /// The bytes of the string in row `i`.
    #[inline]
    pub fn bytes(&self, i: usize) -> Option<&[u8]> {
        match &self.form {
            Form::Dictionary { codes, words } => Some(words.bytes(usize::from(codes[i]))),
            Form::Strings { ends, bytes } => Some(&bytes[place(ends, i)]),
            _ => None,
        }
    }

    /// Strings that lie behind each other.
    pub fn flat_strings(&self) -> Option<FlatStrings<'_>> {
        let Form::Strings { ends, bytes } = &self.form else {
            return None;
        };
        #[allow(
            clippy::unnecessary_cast,
            reason = "one of the widths has the type wanted already"
        )]
        let ends = widths!(ends, v => v.iter().map(|&end| end as u32).collect(), vec![0; self.len]);
        Some(FlatStrings { ends, bytes })
    }

    /// Row `i`, which is not NULL.
    pub fn datum(&self, i: usize) -> Datum {
        match &self.form {
            Form::Integers(v) => match self.phys {
                PhysType::Int2 => Datum::Int2(v.get(i) as i16),
                PhysType::Int4 => Datum::Int4(v.get(i) as i32),
                PhysType::Oid => Datum::Oid(v.get(i) as u32),
                _ => Datum::Int8(v.get(i)),
            },
            Form::Decimals { scale, digits } => Datum::Numeric(Numeric::Small {
                unscaled: digits.get(i),
                scale: *scale,
            }),
            Form::Dictionary { words, codes } => self.string(words, usize::from(codes[i])),
            Form::Strings { ends, bytes } => {
                let bytes = &bytes[place(ends, i)];
                match self.phys {
                    PhysType::Text => Datum::Text(String::from_utf8_lossy(bytes).into()),
                    _ => Datum::Bytes(bytes.into()),
                }
            }
        }
    }

    fn string(&self, strings: &StringColumn, i: usize) -> Datum {
        match self.phys {
            PhysType::Text => Datum::Text(strings.str(i).into()),
            _ => Datum::Bytes(strings.bytes(i).into()),
        }
    }

    /// The strings at positions, which share buffers with this column.
    fn gathered(&self, positions: impl Iterator<Item = usize>) -> StringColumn {
        match &self.form {
            Form::Dictionary { codes, words } => words.gather(positions.map(|i| usize::from(codes[i]))),
            Form::Strings { ends, bytes } => {
                StringColumn::of_places(bytes, positions.map(|i| place(ends, i)))
            }
            _ => StringColumn::default(),
        }
    }

    /// All decimals.
    pub fn decimals(&self) -> Option<Decimals> {
        match &self.form {
            Form::Decimals { scale, digits } => Some(Decimals {
                scale: *scale,
                digits: digits.all(self.len, |v| v),
            }),
            _ => None,
        }
    }

    /// The decimals at positions.
    pub fn some_decimals(&self, positions: impl Iterator<Item = usize>) -> Option<Decimals> {
        match &self.form {
            Form::Decimals { scale, digits } => Some(Decimals {
                scale: *scale,
                digits: digits.some(positions, |v| v),
            }),
            _ => None,
        }
    }

    /// All values in the general form.
    pub fn expand(&self) -> VectorData {
        match (&self.form, self.phys) {
            (Form::Integers(v), PhysType::Int2) => VectorData::Int2(v.all(self.len, |x| x as i16)),
            (Form::Integers(v), PhysType::Int4) => VectorData::Int4(v.all(self.len, |x| x as i32)),
            (Form::Integers(v), PhysType::Oid) => VectorData::Oid(v.all(self.len, |x| x as u32)),
            (Form::Integers(v), _) => VectorData::Int8(v.all(self.len, |x| x)),
            (Form::Decimals { scale, digits }, _) => {
                VectorData::Numeric(digits.all(self.len, |unscaled| small(unscaled, *scale)))
            }
            (_, PhysType::Text) => VectorData::Text(self.all_strings()),
            _ => VectorData::Bytes(self.all_strings()),
        }
    }

    fn all_strings(&self) -> StringColumn {
        let Form::Strings { ends, bytes } = &self.form else {
            return self.gathered(0..self.len);
        };
        let mut end = 0;
        let mut place = |next: u64| std::mem::replace(&mut end, next as usize)..next as usize;
        #[allow(
            clippy::useless_conversion,
            reason = "one of the widths has the type wanted already"
        )]
        let strings = widths!(ends, v => StringColumn::of_places(bytes, v.iter().map(|&x| place(x.into()))), {
            StringColumn::empty_strings(self.len)
        });
        strings
    }

    /// The values at positions in the general form.
    pub fn take(&self, positions: impl Iterator<Item = usize>) -> VectorData {
        match (&self.form, self.phys) {
            (Form::Integers(v), PhysType::Int2) => VectorData::Int2(v.some(positions, |x| x as i16)),
            (Form::Integers(v), PhysType::Int4) => VectorData::Int4(v.some(positions, |x| x as i32)),
            (Form::Integers(v), PhysType::Oid) => VectorData::Oid(v.some(positions, |x| x as u32)),
            (Form::Integers(v), _) => VectorData::Int8(v.some(positions, |x| x)),
            (Form::Decimals { scale, digits }, _) => {
                VectorData::Numeric(digits.some(positions, |unscaled| small(unscaled, *scale)))
            }
            (_, phys) => self.take_strings(positions, phys),
        }
    }

    fn take_strings(&self, positions: impl Iterator<Item = usize>, phys: PhysType) -> VectorData {
        match phys {
            PhysType::Text => VectorData::Text(self.gathered(positions)),
            _ => VectorData::Bytes(self.gathered(positions)),
        }
    }
}

#[inline]
fn small(unscaled: i64, scale: u16) -> Numeric {
    Numeric::Small { unscaled, scale }
}

/// Numbers of one scale that fit 64 bits.
fn decimals(values: &[Numeric], counts: impl Fn(usize) -> bool) -> Option<Form> {
    let mut common = None;
    let mut digits = Vec::with_capacity(values.len());
    for (i, value) in values.iter().enumerate() {
        match value {
            _ if !counts(i) => digits.push((false, 0)),
            Numeric::Small { unscaled, scale } if *common.get_or_insert(*scale) == *scale => {
                digits.push((true, *unscaled));
            }
            _ => return None,
        }
    }
    Some(Form::Decimals {
        scale: common.unwrap_or_default(),
        digits: Integers::of(digits.into_iter()),
    })
}

/// Strings as numbers of words.
fn dictionary(strings: &StringColumn, counts: impl Fn(usize) -> bool) -> Option<Form> {
    let most = (strings.len() / 4).clamp(1, WORDS_MAX);
    let mut known: FxHashMap<&[u8], u8> = FxHashMap::default();
    let mut words = StringColumn::default();
    let mut codes = Vec::with_capacity(strings.len());
    for i in 0..strings.len() {
        if !counts(i) {
            codes.push(0);
            continue;
        }
        if i == WORDS_TRIED && words.len() > WORDS_TRIED / 2 {
            return None;
        }
        let string = strings.bytes(i);
        let code = match known.get(string) {
            Some(code) => *code,
            None if words.len() >= most => return None,
            None => {
                let code = words.len() as u8;
                words.push_bytes(string);
                known.insert(string, code);
                code
            }
        };
        codes.push(code);
    }
    if words.is_empty() {
        words.push_bytes(&[]);
    }
    words.shrink_to_fit();
    Some(Form::Dictionary {
        codes: codes.into(),
        words,
    })
}

/// Strings behind each other; `None` beyond 4 GB.
fn strings(strings: &StringColumn, counts: impl Fn(usize) -> bool) -> Option<Form> {
    let wanted = |i: usize| if counts(i) { strings.byte_len(i) } else { 0 };
    let total: usize = (0..strings.len()).map(wanted).sum();
    u32::try_from(total).ok()?;
    let mut bytes = Vec::with_capacity(total);
    let ends: Vec<u64> = (0..strings.len())
        .map(|i| {
            if counts(i) {
                bytes.extend_from_slice(strings.bytes(i));
            }
            bytes.len() as u64
        })
        .collect();
    Some(Form::Strings {
        ends: Narrow::of(ends.into_iter(), total as u64),
        bytes: Arc::new(bytes),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Selection;

    const CLASSES: [PhysType; 8] = [
        PhysType::Int2,
        PhysType::Int4,
        PhysType::Int8,
        PhysType::Oid,
        PhysType::Numeric,
        PhysType::Text,
        PhysType::Bytes,
        PhysType::Float8,
    ];

    /// `spread` says how far apart values are.
    fn value(phys: PhysType, n: u64, spread: u32) -> Datum {
        let n = n >> (63 - spread);
        match phys {
            PhysType::Int2 => Datum::Int2(n as i16),
            PhysType::Int4 => Datum::Int4(n as i32),
            PhysType::Int8 => Datum::Int8(n as i64),
            PhysType::Oid => Datum::Oid(n as u32),
            PhysType::Numeric => Datum::Numeric(Numeric::Small {
                unscaled: n as i64,
                scale: if n % 1001 == 1000 { 3 } else { 2 },
            }),
            PhysType::Text => Datum::text(n.to_string().repeat(n as usize % 3)),
            PhysType::Bytes => Datum::Bytes(n.to_le_bytes().repeat(n as usize % 3).into()),
            _ => Datum::Float8(n as f64),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, rng_seed: proptest::test_runner::RngSeed::Fixed(7), ..ProptestConfig::default() })]

        #[test]
        fn what_rests_is_what_it_was(
            class in 0..CLASSES.len(),
            spread in 0_u32..64,
            rows in prop::collection::vec((any::<u64>(), 0_u8..20), 0..300),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 0..50),
        ) {
            let phys = CLASSES[class];
            let (mut plain, mut present) = (Vector::empty(phys), Bitmap::default());
            for (n, kind) in &rows {
                match kind {
                    0 => plain.push(&Datum::Null),
                    1 => plain.push_filler(),
                    _ => plain.push(&value(phys, *n, spread)),
                }
                present.push(*kind != 1);
            }
            let rest = Arc::new(plain.at_rest(&present));
            let bytes = rest.memory_bytes();
            prop_assert!(bytes <= plain.memory_bytes() + size_of::<Compact>());
            let there = |i: &usize| present.get(*i);
            let all: Vec<usize> = (0..rows.len()).filter(there).collect();
            for &i in &all {
                prop_assert_eq!(rest.datum(i), plain.datum(i));
                if !plain.is_null(i) {
                    prop_assert_eq!(rest.integer(i), plain.integer(i));
                    prop_assert_eq!(rest.numeric(i), plain.numeric(i));
                    prop_assert_eq!(rest.bytes(i), plain.bytes(i));
                    let (mut a, mut b) = (Vec::new(), Vec::new());
                    crate::tuple::encode_value(&rest, i, &mut a);
                    crate::tuple::encode_value(&plain, i, &mut b);
                    prop_assert_eq!(a, b);
                }
            }
            let picked: Vec<usize> = picks.iter().filter(|_| !all.is_empty()).map(|p| *p.get(&all)).collect();
            let taken = rest.take(picked.iter().copied());
            prop_assert_eq!(&taken, &plain.take(picked.iter().copied()));
            // Appended to nothing, to the same, to something else.
            for first in [None, Some(value(phys, 5, 40)), Some(Datum::Null)] {
                let mut grown: [Vector; 3] = std::array::from_fn(|_| Vector::from_datums(phys, first.as_slice()));
                let mut expected: Vec<Datum> = first.iter().cloned().collect();
                expected.extend(picked.iter().map(|&i| plain.datum(i)));
                grown[0].extend_from(&rest, picked.iter().copied());
                picked.iter().for_each(|&i| grown[1].push_from(&rest, i));
                let pairs: Vec<(u32, u32)> = picked.iter().map(|&i| (i as u32 % 2, i as u32)).collect();
                grown[2].extend_picked(&[&rest, &plain], &pairs);
                for v in &grown {
                    prop_assert_eq!((0..v.len()).map(|i| v.datum(i)).collect::<Vec<_>>(), expected.clone());
                }
            }
            prop_assert_eq!(rest.memory_bytes(), bytes, "nothing was made of it");
            let lent = rest.lent();
            let sel = Selection::Rows(all.iter().map(|&i| i as u16).collect());
            let mut copy = Vector::defaults(phys, rows.len());
            copy.copy_rows(&lent, &sel);
            for &i in &all {
                prop_assert_eq!(copy.datum(i), plain.datum(i));
            }
            let mut changed = Vector::clone(&lent);
            if let Some(&i) = all.first() {
                changed.set(i, &value(phys, 77, 60));
                prop_assert_eq!(changed.datum(i), value(phys, 77, 60));
                changed.truncate(i + 1);
                changed.push(&Datum::Null);
                prop_assert!(changed.is_null(i + 1) && changed.len() == i + 2);
            }
        }
    }
}
