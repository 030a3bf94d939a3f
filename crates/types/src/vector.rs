//! A typed column of values with validity.

use std::sync::Arc;

use crate::{Bitmap, Datum, Interval, Numeric, PhysType, Selection, StringColumn};

/// The values of a vector, one variant per [`PhysType`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum VectorData {
    Bool(Vec<bool>),
    Char(Vec<u8>),
    Int2(Vec<i16>),
    Int4(Vec<i32>),
    Int8(Vec<i64>),
    Oid(Vec<u32>),
    Float4(Vec<f32>),
    Float8(Vec<f64>),
    Interval(Vec<Interval>),
    Uuid(Vec<[u8; 16]>),
    Numeric(Vec<Numeric>),
    Text(StringColumn),
    Bytes(StringColumn),
    Nested(Vec<Datum>),
}

/// Runs the same expression for whichever variant it is (`v` is bound to the `Vec` or [`StringColumn`]).
macro_rules! each {
    ($data:expr, $v:ident => $vec:expr, $s:ident => $strings:expr) => {
        match $data {
            VectorData::Bool($v) => $vec,
            VectorData::Char($v) => $vec,
            VectorData::Int2($v) => $vec,
            VectorData::Int4($v) => $vec,
            VectorData::Int8($v) => $vec,
            VectorData::Oid($v) => $vec,
            VectorData::Float4($v) => $vec,
            VectorData::Float8($v) => $vec,
            VectorData::Interval($v) => $vec,
            VectorData::Uuid($v) => $vec,
            VectorData::Numeric($v) => $vec,
            VectorData::Nested($v) => $vec,
            VectorData::Text($s) => $strings,
            VectorData::Bytes($s) => $strings,
        }
    };
}

/// The same, building the same variant again.
macro_rules! map_each {
    ($data:expr, $v:ident => $vec:expr, $s:ident => $strings:expr) => {
        match $data {
            VectorData::Bool($v) => VectorData::Bool($vec),
            VectorData::Char($v) => VectorData::Char($vec),
            VectorData::Int2($v) => VectorData::Int2($vec),
            VectorData::Int4($v) => VectorData::Int4($vec),
            VectorData::Int8($v) => VectorData::Int8($vec),
            VectorData::Oid($v) => VectorData::Oid($vec),
            VectorData::Float4($v) => VectorData::Float4($vec),
            VectorData::Float8($v) => VectorData::Float8($vec),
            VectorData::Interval($v) => VectorData::Interval($vec),
            VectorData::Uuid($v) => VectorData::Uuid($vec),
            VectorData::Numeric($v) => VectorData::Numeric($vec),
            VectorData::Nested($v) => VectorData::Nested($vec),
            VectorData::Text($s) => VectorData::Text($strings),
            VectorData::Bytes($s) => VectorData::Bytes($strings),
        }
    };
}

impl VectorData {
    /// `len` default values of a class.
    pub fn defaults(phys: PhysType, len: usize) -> VectorData {
        match phys {
            PhysType::Bool => VectorData::Bool(vec![false; len]),
            PhysType::Char => VectorData::Char(vec![0; len]),
            PhysType::Int2 => VectorData::Int2(vec![0; len]),
            PhysType::Int4 => VectorData::Int4(vec![0; len]),
            PhysType::Int8 => VectorData::Int8(vec![0; len]),
            PhysType::Oid => VectorData::Oid(vec![0; len]),
            PhysType::Float4 => VectorData::Float4(vec![0.0; len]),
            PhysType::Float8 => VectorData::Float8(vec![0.0; len]),
            PhysType::Interval => VectorData::Interval(vec![Interval::default(); len]),
            PhysType::Uuid => VectorData::Uuid(vec![[0; 16]; len]),
            // As `vec!` clones them one by one.
            PhysType::Numeric => VectorData::Numeric((0..len).map(|_| Numeric::ZERO).collect()),
            PhysType::Text => VectorData::Text(StringColumn::empty_strings(len)),
            PhysType::Bytes => VectorData::Bytes(StringColumn::empty_strings(len)),
            PhysType::Nested => VectorData::Nested(vec![Datum::Null; len]),
        }
    }

    /// Physical number of values.
    pub fn len(&self) -> usize {
        each!(self, v => v.len(), s => s.len())
    }

    /// True without values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The class.
    pub fn phys(&self) -> PhysType {
        match self {
            VectorData::Bool(_) => PhysType::Bool,
            VectorData::Char(_) => PhysType::Char,
            VectorData::Int2(_) => PhysType::Int2,
            VectorData::Int4(_) => PhysType::Int4,
            VectorData::Int8(_) => PhysType::Int8,
            VectorData::Oid(_) => PhysType::Oid,
            VectorData::Float4(_) => PhysType::Float4,
            VectorData::Float8(_) => PhysType::Float8,
            VectorData::Interval(_) => PhysType::Interval,
            VectorData::Uuid(_) => PhysType::Uuid,
            VectorData::Numeric(_) => PhysType::Numeric,
            VectorData::Text(_) => PhysType::Text,
            VectorData::Bytes(_) => PhysType::Bytes,
            VectorData::Nested(_) => PhysType::Nested,
        }
    }

    fn datum(&self, i: usize) -> Datum {
        match self {
            VectorData::Bool(v) => Datum::Bool(v[i]),
            VectorData::Char(v) => Datum::Char(v[i]),
            VectorData::Int2(v) => Datum::Int2(v[i]),
            VectorData::Int4(v) => Datum::Int4(v[i]),
            VectorData::Int8(v) => Datum::Int8(v[i]),
            VectorData::Oid(v) => Datum::Oid(v[i]),
            VectorData::Float4(v) => Datum::Float4(v[i]),
            VectorData::Float8(v) => Datum::Float8(v[i]),
            VectorData::Interval(v) => Datum::Interval(v[i]),
            VectorData::Uuid(v) => Datum::Uuid(v[i]),
            VectorData::Numeric(v) => Datum::Numeric(v[i].clone()),
            VectorData::Text(s) => Datum::Text(s.str(i).into()),
            VectorData::Bytes(s) => Datum::Bytes(s.bytes(i).into()),
            VectorData::Nested(v) => v[i].clone(),
        }
    }

    /// Stores a datum of this class; false (and nothing stored) when the class differs.
    fn set(&mut self, i: usize, value: &Datum) -> bool {
        match (self, value) {
            (VectorData::Bool(v), Datum::Bool(x)) => v[i] = *x,
            (VectorData::Char(v), Datum::Char(x)) => v[i] = *x,
            (VectorData::Int2(v), Datum::Int2(x)) => v[i] = *x,
            (VectorData::Int4(v), Datum::Int4(x)) => v[i] = *x,
            (VectorData::Int8(v), Datum::Int8(x)) => v[i] = *x,
            (VectorData::Oid(v), Datum::Oid(x)) => v[i] = *x,
            (VectorData::Float4(v), Datum::Float4(x)) => v[i] = *x,
            (VectorData::Float8(v), Datum::Float8(x)) => v[i] = *x,
            (VectorData::Interval(v), Datum::Interval(x)) => v[i] = *x,
            (VectorData::Uuid(v), Datum::Uuid(x)) => v[i] = *x,
            (VectorData::Numeric(v), Datum::Numeric(x)) => v[i] = x.clone(),
            (VectorData::Text(s), Datum::Text(x)) => s.set_str(i, x),
            (VectorData::Bytes(s), Datum::Bytes(x)) => s.set_bytes(i, x),
            (VectorData::Nested(v), x) => v[i] = x.clone(),
            _ => return false,
        }
        true
    }

    fn push_default(&mut self) {
        each!(self, v => v.push(Default::default()), s => s.push_bytes(&[]));
    }
}

/// Appending one value of a class without a datum; false (and nothing done) when the vector has another class.
macro_rules! typed_pushes {
    ($($name:ident $variant:ident $t:ty;)*) => {$(
        #[doc = concat!("Appends a value of class `", stringify!($variant), "`; false when the vector has another class.")]
        #[inline]
        pub fn $name(&mut self, value: $t) -> bool {
            debug_assert!(!self.constant);
            let VectorData::$variant(data) = &mut self.data else {
                return false;
            };
            data.push(value);
            if let Some(v) = &mut self.validity {
                v.push(true);
            }
            self.len += 1;
            true
        }
    )*};
}

impl Vector {
    typed_pushes! {
        push_int2 Int2 i16;
        push_int4 Int4 i32;
        push_int8 Int8 i64;
        push_float8 Float8 f64;
        push_numeric Numeric Numeric;
    }
}

/// A column: values plus validity, or one value that stands for every row.
#[derive(Clone, Debug)]
pub struct Vector {
    data: VectorData,
    /// None: no NULLs.
    validity: Option<Bitmap>,
    len: usize,
    /// All rows have the value at position 0.
    constant: bool,
}

impl Vector {
    /// `len` default, non-NULL values: what kernels write into.
    pub fn defaults(phys: PhysType, len: usize) -> Vector {
        Vector {
            data: VectorData::defaults(phys, len),
            validity: None,
            len,
            constant: false,
        }
    }

    /// An empty vector for appending.
    pub fn empty(phys: PhysType) -> Vector {
        Vector::defaults(phys, 0)
    }

    /// Wraps data with validity (`None`: no NULLs).
    pub fn new(data: VectorData, validity: Option<Bitmap>) -> Vector {
        let len = data.len();
        debug_assert!(validity.as_ref().is_none_or(|v| v.len() == len));
        Vector {
            data,
            validity,
            len,
            constant: false,
        }
    }

    /// `len` rows of one value.
    pub fn constant(phys: PhysType, value: &Datum, len: usize) -> Vector {
        let mut v = Vector::defaults(phys, 1);
        v.set(0, value);
        v.len = len;
        v.constant = true;
        v
    }

    /// A vector of datums.
    pub fn from_datums(phys: PhysType, values: &[Datum]) -> Vector {
        let mut v = Vector::defaults(phys, values.len());
        for (i, value) in values.iter().enumerate() {
            v.set(i, value);
        }
        v
    }

    /// Rows.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The class.
    pub fn phys(&self) -> PhysType {
        self.data.phys()
    }

    /// True when one value stands for every row; kernels may then compute once.
    #[inline]
    pub fn is_constant(&self) -> bool {
        self.constant
    }

    /// Where row `i` lies in [`Vector::data`].
    #[inline]
    pub fn index(&self, i: usize) -> usize {
        if self.constant { 0 } else { i }
    }

    /// The values, by [`Vector::index`].
    #[inline]
    pub fn data(&self) -> &VectorData {
        &self.data
    }

    /// The values for writing. Not for constants.
    #[inline]
    pub fn data_mut(&mut self) -> &mut VectorData {
        debug_assert!(!self.constant);
        &mut self.data
    }

    /// Values and validity for writing, together. Not for constants.
    #[inline]
    pub fn parts_mut(&mut self) -> (&mut VectorData, &mut Option<Bitmap>) {
        debug_assert!(!self.constant);
        (&mut self.data, &mut self.validity)
    }

    /// Validity by [`Vector::index`]; `None` when nothing is NULL.
    #[inline]
    pub fn validity(&self) -> Option<&Bitmap> {
        self.validity.as_ref()
    }

    /// True when row `i` is NULL.
    #[inline]
    pub fn is_null(&self, i: usize) -> bool {
        self.validity.as_ref().is_some_and(|v| !v.get(self.index(i)))
    }

    /// True when some row may be NULL.
    #[inline]
    pub fn may_have_nulls(&self) -> bool {
        self.validity.is_some()
    }

    /// Makes row `i` NULL.
    pub fn set_null(&mut self, i: usize) {
        let physical = self.data.len();
        self.validity
            .get_or_insert_with(|| Bitmap::filled(physical, true))
            .set(i, false);
    }

    /// Replaces validity as a whole (`None`: no NULLs).
    pub fn set_validity(&mut self, validity: Option<Bitmap>) {
        debug_assert!(validity.as_ref().is_none_or(|v| v.len() == self.data.len()));
        self.validity = validity;
    }

    /// Stores a datum of this vector's class, or NULL. A datum of another class is a bug (debug assertion) and stores NULL.
    pub fn set(&mut self, i: usize, value: &Datum) {
        if value.is_null() {
            self.set_null(i);
            return;
        }
        if self.data.set(i, value) {
            if let Some(v) = &mut self.validity {
                v.set(i, true);
            }
        } else {
            debug_assert!(false, "datum {value:?} in a vector of {:?}", self.phys());
            self.set_null(i);
        }
    }

    /// Replaces string `i` of a column of strings; a text's bytes must be UTF-8, as they are checked in debug builds only.
    pub fn set_string(&mut self, i: usize, bytes: Vec<u8>) {
        match &mut self.data {
            VectorData::Text(strings) => {
                debug_assert!(std::str::from_utf8(&bytes).is_ok());
                strings.set_owned(i, bytes);
            }
            VectorData::Bytes(strings) => strings.set_owned(i, bytes),
            _ => return debug_assert!(false, "a string in a vector of {:?}", self.phys()),
        }
        if let Some(v) = &mut self.validity {
            v.set(i, true);
        }
    }

    /// Forgets the rows from `len` on.
    pub fn truncate(&mut self, len: usize) {
        debug_assert!(!self.constant);
        if len >= self.len {
            return;
        }
        each!(&mut self.data, v => v.truncate(len), s => s.truncate(len));
        if let Some(v) = &mut self.validity {
            v.truncate(len);
        }
        self.len = len;
    }

    /// Appends a value for a position without a row: not NULL where the class has a default, so that kernels need no validity for it.
    pub fn push_filler(&mut self) {
        if let VectorData::Nested(_) = self.data {
            return self.push(&Datum::Null);
        }
        self.data.push_default();
        if let Some(v) = &mut self.validity {
            v.push(true);
        }
        self.len += 1;
    }

    /// Appends a datum or NULL.
    pub fn push(&mut self, value: &Datum) {
        debug_assert!(!self.constant);
        match (&self.data, value) {
            (VectorData::Text(_), Datum::Text(s)) => return self.push_string(s.as_bytes()),
            (VectorData::Bytes(_), Datum::Bytes(b)) => return self.push_string(b),
            _ => {}
        }
        self.data.push_default();
        if let Some(v) = &mut self.validity {
            v.push(true);
        }
        self.len += 1;
        self.set(self.len - 1, value);
    }

    /// Appends the bytes of a string without a datum in between. Only for classes `Text` (then valid UTF-8) and `Bytes`.
    pub fn push_string(&mut self, bytes: &[u8]) {
        debug_assert!(!self.constant);
        match &mut self.data {
            VectorData::Text(s) | VectorData::Bytes(s) => s.push_bytes(bytes),
            other => {
                debug_assert!(false, "a string in a vector of {:?}", other.phys());
                return;
            }
        }
        if let Some(v) = &mut self.validity {
            v.push(true);
        }
        self.len += 1;
    }

    /// Appends row `i` of a vector of the same class.
    pub fn push_from(&mut self, other: &Vector, i: usize) {
        if other.is_null(i) {
            self.push(&Datum::Null);
            return;
        }
        let j = other.index(i);
        macro_rules! same {
            ($($variant:ident)*) => {
                match (&mut self.data, &other.data) {
                    (VectorData::Text(a), VectorData::Text(b)) | (VectorData::Bytes(a), VectorData::Bytes(b)) => {
                        a.push_from(b, j);
                    }
                    $((VectorData::$variant(a), VectorData::$variant(b)) => a.push(b[j].clone()),)*
                    _ => return self.push(&other.datum(i)),
                }
            };
        }
        same!(Int4 Int8 Numeric Float8 Int2 Oid Bool Char Float4 Interval Uuid Nested);
        if let Some(v) = &mut self.validity {
            v.push(true);
        }
        self.len += 1;
    }

    /// Appends rows of a vector of the same class.
    pub fn extend_from(&mut self, other: &Vector, positions: impl Iterator<Item = usize> + Clone) {
        debug_assert!(!self.constant);
        macro_rules! same {
            ($($variant:ident)*) => {
                match (&mut self.data, &other.data) {
                    $((VectorData::$variant(a), VectorData::$variant(b)) => {
                        a.extend(positions.clone().map(|i| b[other.index(i)].clone()));
                    })*
                    (VectorData::Text(a), VectorData::Text(b)) | (VectorData::Bytes(a), VectorData::Bytes(b)) => {
                        positions.clone().for_each(|i| a.push_from(b, other.index(i)));
                    }
                    _ => return positions.for_each(|i| self.push(&other.datum(i))),
                }
            };
        }
        same!(Bool Char Int2 Int4 Int8 Oid Float4 Float8 Interval Uuid Numeric Nested);
        let before = std::mem::replace(&mut self.len, self.data.len());
        match (&mut self.validity, &other.validity) {
            (None, None) => {}
            (Some(mine), None) => (before..self.len).for_each(|_| mine.push(true)),
            (mine, Some(bits)) => {
                let mine = mine.get_or_insert_with(|| Bitmap::filled(before, true));
                positions.for_each(|i| mine.push(bits.get(other.index(i))));
            }
        }
    }

    /// Appends rows of many vectors of the same class: `picks` are numbers of vectors with rows in them.
    pub fn extend_picked(&mut self, sources: &[&Vector], picks: &[(u32, u32)]) {
        debug_assert!(!self.constant);
        let plain = |v: &&Vector| v.validity.is_none() && !v.constant;
        if self.validity.is_some() || !sources.iter().all(plain) || !self.pick(sources, picks) {
            for &(source, row) in picks {
                self.push_from(sources[source as usize], row as usize);
            }
        }
    }

    /// [`Vector::extend_picked`] of values that lie there as they are; false (and nothing done) when some vector has another class.
    fn pick(&mut self, sources: &[&Vector], picks: &[(u32, u32)]) -> bool {
        macro_rules! same {
            ($($variant:ident)*) => {
                match &mut self.data {
                    $(VectorData::$variant(mine) => {
                        let mut slices = Vec::with_capacity(sources.len());
                        for source in sources {
                            let VectorData::$variant(data) = &source.data else {
                                return false;
                            };
                            slices.push(data.as_slice());
                        }
                        mine.extend(picks.iter().map(|&(s, row)| slices[s as usize][row as usize].clone()));
                    })*
                    _ => return false,
                }
            };
        }
        same!(Bool Char Int2 Int4 Int8 Oid Float4 Float8 Interval Uuid Numeric);
        self.len = self.data.len();
        true
    }

    /// Takes over the selected rows of a vector of the same class, each at its own position.
    pub fn copy_rows(&mut self, other: &Vector, sel: &Selection) {
        debug_assert!(!self.constant);
        macro_rules! same {
            ($($variant:ident)*) => {
                match (&mut self.data, &other.data) {
                    $((VectorData::$variant(a), VectorData::$variant(b)) if other.constant => {
                        let value = &b[0];
                        sel.for_each(|i| a[i] = value.clone());
                    })*
                    $((VectorData::$variant(a), VectorData::$variant(b)) => {
                        sel.for_each(|i| a[i] = b[i].clone());
                    })*
                    (VectorData::Text(a), VectorData::Text(b)) | (VectorData::Bytes(a), VectorData::Bytes(b)) => {
                        sel.for_each(|i| a.set_bytes(i, b.bytes(other.index(i))));
                    }
                    _ => return sel.for_each(|i| self.set(i, &other.datum(i))),
                }
            };
        }
        same!(Bool Char Int2 Int4 Int8 Oid Float4 Float8 Interval Uuid Numeric Nested);
        match (&mut self.validity, &other.validity) {
            (None, None) => {}
            (Some(mine), None) => sel.for_each(|i| mine.set(i, true)),
            (mine, Some(bits)) => {
                let physical = self.data.len();
                let mine = mine.get_or_insert_with(|| Bitmap::filled(physical, true));
                sel.for_each(|i| mine.set(i, bits.get(other.index(i))));
            }
        }
    }

    /// The rows at these positions, in that order; `u32::MAX` gives NULL.
    pub fn take_or_null(&self, positions: &[u32]) -> Vector {
        let absent = |p: u32| p == u32::MAX;
        if !positions.iter().any(|&p| absent(p)) {
            return self.take(positions.iter().map(|&p| p as usize));
        }
        if self.is_empty() || positions.iter().all(|&p| absent(p)) {
            return Vector::constant(self.phys(), &Datum::Null, positions.len());
        }
        let mut out = self.take(positions.iter().map(|&p| if absent(p) { 0 } else { p as usize }));
        for (k, &p) in positions.iter().enumerate() {
            if absent(p) {
                out.set_null(k);
            }
        }
        out
    }

    /// Row `i` as a datum.
    pub fn datum(&self, i: usize) -> Datum {
        if self.is_null(i) {
            Datum::Null
        } else {
            self.data.datum(self.index(i))
        }
    }

    /// Row `i` of a column of integers (not of OIDs); what a NULL has is arbitrary.
    #[inline]
    pub fn integer(&self, i: usize) -> Option<i64> {
        match &self.data {
            VectorData::Int2(d) => Some(i64::from(d[self.index(i)])),
            VectorData::Int4(d) => Some(i64::from(d[self.index(i)])),
            VectorData::Int8(d) => Some(d[self.index(i)]),
            _ => None,
        }
    }

    /// The selected rows, squeezed together.
    pub fn gather(&self, selection: &Selection) -> Vector {
        if self.constant {
            return Vector {
                len: selection.len(),
                ..self.clone()
            };
        }
        self.take(selection.iter())
    }

    /// The rows at arbitrary positions (repeats allowed), in that order.
    pub fn take(&self, positions: impl Iterator<Item = usize> + Clone) -> Vector {
        let p = positions.clone().map(|i| self.index(i));
        let data = map_each!(&self.data, v => p.map(|i| v[i].clone()).collect(), s => s.gather(p));
        let validity = self.validity.as_ref().map(|bits| {
            let mut out = Bitmap::default();
            positions.for_each(|i| out.push(bits.get(self.index(i))));
            out
        });
        Vector::new(data, validity)
    }

    /// The same rows without the constant form.
    pub fn flatten(&self) -> Vector {
        if self.constant {
            self.take(0..self.len)
        } else {
            self.clone()
        }
    }

    /// Bytes held in memory, roughly.
    pub fn memory_bytes(&self) -> usize {
        match &self.data {
            VectorData::Text(s) | VectorData::Bytes(s) => s.memory_bytes(),
            data => data.len() * data.phys().fixed_width(),
        }
    }
}

/// Logical equality, row by row (tests).
impl PartialEq for Vector {
    fn eq(&self, other: &Vector) -> bool {
        self.len == other.len && (0..self.len).all(|i| self.datum(i) == other.datum(i))
    }
}

/// A shared column.
pub type VectorRef = Arc<Vector>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_constants_and_takes() {
        let mut v = Vector::empty(PhysType::Int4);
        for d in [Datum::Int4(1), Datum::Null, Datum::Int4(3)] {
            v.push(&d);
        }
        assert_eq!(v.take([2, 1, 2].into_iter()).datum(0), Datum::Int4(3));
        assert!(v.gather(&Selection::Rows([1u16].into())).is_null(0));
        let c = Vector::constant(PhysType::Text, &Datum::text("x"), 5);
        assert_eq!((c.len(), c.flatten().datum(4)), (5, Datum::text("x")));
        assert!(Vector::constant(PhysType::Int8, &Datum::Null, 3).is_null(2));
        let mut picked = Vector::from_datums(PhysType::Int4, &[Datum::Int4(0)]);
        let plain = Vector::from_datums(PhysType::Int4, &[Datum::Int4(8), Datum::Int4(9)]);
        picked.extend_picked(&[&plain], &[(0, 1), (0, 0)]);
        picked.extend_picked(&[&plain, &v], &[(1, 1), (0, 1), (1, 2)]);
        let all: Vec<Option<i64>> = (0..6).map(|i| picked.datum(i).as_i64()).collect();
        assert_eq!(all, [Some(0), Some(9), Some(8), None, Some(9), Some(3)]);
        let mut to = Vector::defaults(PhysType::Int4, 3);
        to.copy_rows(&v, &Selection::Rows([1u16, 2].into()));
        assert_eq!(
            (to.datum(0), to.datum(1), to.datum(2)),
            (Datum::Int4(0), Datum::Null, Datum::Int4(3))
        );
        to.copy_rows(
            &Vector::constant(PhysType::Int4, &Datum::Int4(7), 3),
            &Selection::All(2),
        );
        assert_eq!(
            (to.datum(0), to.datum(1), to.datum(2)),
            (Datum::Int4(7), Datum::Int4(7), Datum::Int4(3))
        );
    }
}
