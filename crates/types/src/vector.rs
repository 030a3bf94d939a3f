//! A typed column of values with validity.
//!
//! # How it works
//! The general form ([`VectorData`]) has the values one beside the other in the Rust type of their class; everything can work with it.
//! Numbers may lie there as [`Decimals`], columns of stored blocks as a [`Compact`] form; who knows these asks for them, for all others
//! [`Vector::data`] makes the general form when it is first asked for.

mod bulk;

use std::sync::Arc;

use common::PgResult;
use common::cancel::CancelToken;
use common::pieces::PIECE_BYTES;

use crate::vector_data::each;
use crate::vector_values::{Decimals, Values};
use crate::{Bitmap, Compact, Datum, FlatStrings, Numeric, PhysType, Selection, StringColumn, VectorData};

/// Appending one value of a class without a datum; false (and nothing done) when the vector has another class.
macro_rules! typed_pushes {
    ($($name:ident $variant:ident $t:ty;)*) => {$(
        #[doc = concat!("Appends a value of class `", stringify!($variant), "`; false when the vector has another class.")]
        #[inline]
        pub fn $name(&mut self, value: $t) -> bool {
            debug_assert!(!self.constant);
            let VectorData::$variant(data) = self.values.general_mut() else {
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
    }
}

/// A column: values plus validity, or one value that stands for every row.
#[derive(Clone, Debug)]
pub struct Vector {
    values: Values,
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
            values: Values::defaults(phys, len),
            validity: None,
            len,
            constant: false,
        }
    }

    /// An empty vector for appending.
    pub fn empty(phys: PhysType) -> Vector {
        Vector::defaults(phys, 0)
    }

    /// Makes room for so many values more, and so many bytes of strings; where that is not known (numbers), it comes with the values.
    pub fn reserve(&mut self, rows: usize, bytes: usize) {
        if let Some(digits) = self.values.growing_digits() {
            return digits.reserve(rows);
        }
        match self.values.general_mut() {
            VectorData::Numeric(_) => {}
            data => each!(data, v => v.reserve(rows), s => s.reserve(rows, bytes)),
        }
    }

    /// Bytes of strings in its buffers, as a measure for [`Vector::reserve`].
    pub fn buffered_bytes(&self) -> usize {
        match self.plain_data() {
            Some(VectorData::Text(strings) | VectorData::Bytes(strings)) => strings.buffered_bytes(),
            _ => 0,
        }
    }

    /// Wraps data with validity (`None`: no NULLs).
    pub fn new(data: VectorData, validity: Option<Bitmap>) -> Vector {
        Vector::of_values(Values::general_of(data), validity)
    }

    /// Wraps decimals with validity (`None`: no NULLs).
    pub fn of_decimals(decimals: Decimals, validity: Option<Bitmap>) -> Vector {
        Vector::of_values(Values::decimals_of(decimals), validity)
    }

    fn of_values(values: Values, validity: Option<Bitmap>) -> Vector {
        let len = values.len();
        debug_assert!(validity.as_ref().is_none_or(|v| v.len() == len));
        Vector {
            values,
            validity,
            len,
            constant: false,
        }
    }

    /// The same column in little room, to be kept; `present` says which positions have rows.
    pub fn at_rest(&self, present: &Bitmap) -> Vector {
        let values = match Compact::of(self, present) {
            Some(compact) => Values::rest_of(Arc::new(compact)),
            None => self.values.clone(),
        };
        Vector {
            values,
            validity: self.validity.clone(),
            ..*self
        }
    }

    /// The column of a [`Vector::at_rest`] for somebody to work with: what is made of it goes with him.
    pub fn lent(self: &Arc<Vector>) -> Arc<Vector> {
        match self.values.afresh() {
            Some(values) => Arc::new(Vector {
                values,
                validity: self.validity.clone(),
                ..**self
            }),
            None => Arc::clone(self),
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
        self.values.phys()
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
        self.values.general()
    }

    /// The values in the general form, by [`Vector::index`], if they are in it.
    pub fn plain_data(&self) -> Option<&VectorData> {
        self.values.ready()
    }

    /// The values as decimals, by [`Vector::index`], when they are numbers of one scale in 64 bits. Never for constants.
    #[inline]
    pub fn decimals(&self) -> Option<&Decimals> {
        match self.constant {
            true => None,
            false => self.values.decimals(),
        }
    }

    /// Replaces the values by decimals.
    pub fn set_decimals(&mut self, decimals: Decimals) {
        debug_assert!(!self.constant && decimals.digits.len() == self.len);
        self.values = Values::decimals_of(decimals);
    }

    /// The values for writing. Not for constants.
    #[inline]
    pub fn data_mut(&mut self) -> &mut VectorData {
        debug_assert!(!self.constant);
        self.values.general_mut()
    }

    /// Values and validity for writing, together. Not for constants.
    #[inline]
    pub fn parts_mut(&mut self) -> (&mut VectorData, &mut Option<Bitmap>) {
        debug_assert!(!self.constant);
        (self.values.general_mut(), &mut self.validity)
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
        let physical = self.values.len();
        self.validity
            .get_or_insert_with(|| Bitmap::filled(physical, true))
            .set(i, false);
    }

    /// Replaces validity as a whole (`None`: no NULLs).
    pub fn set_validity(&mut self, validity: Option<Bitmap>) {
        debug_assert!(validity.as_ref().is_none_or(|v| v.len() == self.values.len()));
        self.validity = validity;
    }

    /// Stores a datum of this vector's class, or NULL. A datum of another class is a bug (debug assertion) and stores NULL.
    pub fn set(&mut self, i: usize, value: &Datum) {
        if value.is_null() {
            self.set_null(i);
            return;
        }
        if self.values.general_mut().set(i, value) {
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
        match self.values.general_mut() {
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
        self.values.truncate(len);
        if let Some(v) = &mut self.validity {
            v.truncate(len);
        }
        self.len = len;
    }

    /// Appends a value for a position without a row: not NULL where the class has a default, so that kernels need no validity for it.
    pub fn push_filler(&mut self) {
        if self.phys() == PhysType::Nested {
            return self.push(&Datum::Null);
        }
        self.push_default();
    }

    fn push_default(&mut self) {
        self.values.push_default();
        if let Some(v) = &mut self.validity {
            v.push(true);
        }
        self.len += 1;
    }

    /// Appends a number; false when the vector has another class.
    #[inline]
    pub fn push_numeric(&mut self, value: Numeric) -> bool {
        debug_assert!(!self.constant);
        match &value {
            Numeric::Small { unscaled, scale } if self.push_decimal(*unscaled, *scale) => return true,
            _ => {}
        }
        let VectorData::Numeric(data) = self.values.general_mut() else {
            return false;
        };
        data.push(value);
        self.grown();
        true
    }

    /// Appends a number to decimals of the same scale.
    #[inline]
    fn push_decimal(&mut self, unscaled: i64, scale: u16) -> bool {
        let Some(digits) = self.values.growing(scale) else {
            return false;
        };
        digits.push(unscaled);
        self.grown();
        true
    }

    /// A value that is not NULL was appended.
    #[inline]
    fn grown(&mut self) {
        if let Some(v) = &mut self.validity {
            v.push(true);
        }
        self.len += 1;
    }

    /// Appends a datum or NULL.
    pub fn push(&mut self, value: &Datum) {
        debug_assert!(!self.constant);
        match (self.phys(), value) {
            (PhysType::Text, Datum::Text(s)) => {
                if let VectorData::Text(strings) = self.values.general_mut() {
                    strings.push_text(s);
                }
                return self.grown();
            }
            (PhysType::Bytes, Datum::Bytes(b)) => {
                if let VectorData::Bytes(strings) = self.values.general_mut() {
                    strings.push_shared_bytes(b);
                }
                return self.grown();
            }
            (PhysType::Numeric, Datum::Numeric(n)) => {
                self.push_numeric(n.clone());
                return;
            }
            _ => {}
        }
        self.push_default();
        self.set(self.len - 1, value);
    }

    /// Appends the bytes of a string without a datum in between. Only for classes `Text` (then valid UTF-8) and `Bytes`.
    pub fn push_string(&mut self, bytes: &[u8]) {
        debug_assert!(!self.constant);
        match self.values.general_mut() {
            VectorData::Text(s) | VectorData::Bytes(s) => s.push_bytes(bytes),
            other => {
                debug_assert!(false, "a string in a vector of {:?}", other.phys());
                return;
            }
        }
        self.grown();
    }

    /// Appends row `i` of a vector of the same class.
    pub fn push_from(&mut self, other: &Vector, i: usize) {
        if other.is_null(i) {
            self.push(&Datum::Null);
            return;
        }
        let j = other.index(i);
        match other.values.decimal(j) {
            Some((unscaled, scale)) if self.push_decimal(unscaled, scale) => return,
            _ => {}
        }
        if let Some(rest) = other.values.rest() {
            return match rest.bytes(j) {
                Some(bytes) => self.push_string(bytes),
                None => self.push(&rest.datum(j)),
            };
        }
        macro_rules! same {
            ($($variant:ident)*) => {
                match (self.values.general_mut(), other.data()) {
                    (VectorData::Text(a), VectorData::Text(b)) | (VectorData::Bytes(a), VectorData::Bytes(b)) => {
                        a.push_from(b, j);
                    }
                    $((VectorData::$variant(a), VectorData::$variant(b)) => a.push(b[j].clone()),)*
                    _ => return self.push(&other.datum(i)),
                }
            };
        }
        same!(Int4 Int8 Numeric Float8 Int2 Oid Bool Char Float4 Interval Uuid Nested);
        self.grown();
    }

    /// Appends rows of a vector of the same class.
    pub fn extend_from(&mut self, other: &Vector, positions: impl Iterator<Item = usize> + Clone) {
        debug_assert!(!self.constant);
        if other.values.rest().is_some() {
            let part = other.take(positions);
            return self.extend_from(&part, 0..part.len);
        }
        if !other.constant
            && let Some(Decimals { scale, digits }) = other.decimals()
            && let Some(mine) = self.values.growing(*scale)
        {
            mine.extend(positions.clone().map(|i| digits[i]));
            return self.extend_validity(other, positions);
        }
        macro_rules! same {
            ($($variant:ident)*) => {
                match (self.values.general_mut(), other.data()) {
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
        self.extend_validity(other, positions);
    }

    /// After the values of rows of another vector were appended: their validity.
    fn extend_validity(&mut self, other: &Vector, positions: impl Iterator<Item = usize>) {
        let before = std::mem::replace(&mut self.len, self.values.len());
        match (&mut self.validity, &other.validity) {
            (None, None) => {}
            (Some(mine), None) => (before..self.len).for_each(|_| mine.push(true)),
            (mine, Some(bits)) => {
                let mine = mine.get_or_insert_with(|| Bitmap::filled(before, true));
                positions.for_each(|i| mine.push(bits.get(other.index(i))));
            }
        }
    }

    /// Takes over the selected rows of a vector of the same class, each at its own position.
    pub fn copy_rows(&mut self, other: &Vector, sel: &Selection) {
        debug_assert!(!self.constant);
        macro_rules! same {
            ($($variant:ident)*) => {
                match (self.values.general_mut(), other.data()) {
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
                let physical = self.values.len();
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
            self.values.datum(self.index(i))
        }
    }

    /// Row `i` as a datum; the copying of a long one looks at the cancel flag.
    pub fn long_datum(&self, i: usize, cancel: &CancelToken) -> PgResult<Datum> {
        match self.bytes(i) {
            Some(bytes) if bytes.len() > PIECE_BYTES && !self.is_null(i) => {
                self.values.long_datum(self.index(i), cancel)
            }
            _ => Ok(self.datum(i)),
        }
    }

    /// Row `i` of a column of integers (not of OIDs); what a NULL has is arbitrary.
    #[inline]
    pub fn integer(&self, i: usize) -> Option<i64> {
        self.values.integer(self.index(i))
    }

    /// Row `i` of a column of numbers; what a NULL has is arbitrary.
    pub fn numeric(&self, i: usize) -> Option<Numeric> {
        let i = self.index(i);
        if let Some((unscaled, scale)) = self.values.decimal(i) {
            return Some(Numeric::Small { unscaled, scale });
        }
        if self.phys() != PhysType::Numeric {
            return None;
        }
        match self.data() {
            VectorData::Numeric(v) => Some(v[i].clone()),
            _ => None,
        }
    }

    /// The number of each row's word, and the words, when it is a column of few different strings ([`Compact`]). Positions that are NULL
    /// have any word.
    #[inline]
    pub fn dictionary(&self) -> Option<(&[u8], &StringColumn)> {
        self.values.dictionary()
    }

    /// The strings behind each other, in a column at rest that lies so and of which nobody has asked for the general form.
    pub fn flat_strings(&self) -> Option<FlatStrings<'_>> {
        self.values.rest().filter(|_| !self.constant)?.flat_strings()
    }

    /// The words of [`Vector::dictionary`] as a vector, for computing with them once instead of once a row.
    pub fn words(&self) -> Option<Vector> {
        let (_, words) = self.values.dictionary()?;
        let data = match self.phys() {
            PhysType::Text => VectorData::Text(words.clone()),
            _ => VectorData::Bytes(words.clone()),
        };
        Some(Vector::new(data, None))
    }

    /// The digits and the scale of row `i` in a column of decimals.
    #[inline]
    pub fn decimal(&self, i: usize) -> Option<(i64, u16)> {
        self.values.decimal(self.index(i))
    }

    /// The bytes of row `i` of a column of strings; what a NULL has is arbitrary.
    #[inline]
    pub fn bytes(&self, i: usize) -> Option<&[u8]> {
        self.values.bytes(self.index(i))
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
        let values = self.values.take(p);
        let validity = self.validity.as_ref().map(|bits| {
            let mut out = Bitmap::default();
            positions.for_each(|i| out.push(bits.get(self.index(i))));
            out
        });
        Vector::of_values(values, validity)
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
        self.values.memory_bytes()
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

    /// Room for rows to come does not cost numbers their short form.
    #[test]
    fn reserved_numbers_stay_decimals() {
        let mut column = Vector::empty(PhysType::Numeric);
        column.reserve(4, 0);
        for (unscaled, scale) in [(150, 2), (-7, 2)] {
            column.push_numeric(Numeric::Small { unscaled, scale });
        }
        column.reserve(100, 0);
        assert_eq!(column.decimals().map(|d| d.digits.clone()), Some(vec![150, -7]));
    }

    #[test]
    fn constants_are_no_decimals() {
        for value in [Datum::Null, Datum::Numeric(Numeric::from(7_i64))] {
            let constant = Vector::constant(PhysType::Numeric, &value, 200);
            assert!(constant.is_constant() && constant.decimals().is_none());
            assert_eq!(constant.datum(199), value);
        }
    }

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
