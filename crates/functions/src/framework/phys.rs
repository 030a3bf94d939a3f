//! Reading arguments from and storing results into vectors and datums, one marker per storage class.
//!
//! # How it works
//! A marker type (`phys::Int4`) says how its class lies in a vector ([`Phys`]); [`FromArg`] turns one value or NULL into
//! the parameter type of a plain Rust function (`i32` or `Option<i32>`), [`Output`] turns what it returns (`T`,
//! `Option<T>`, `PgResult<T>`, `PgResult<Option<T>>`) into a stored value. The `builtins!` macro ties the ends together and
//! lets type inference choose the implementations from the function's own signature.

use std::borrow::Cow;
use std::sync::Arc;

use common::pieces::PIECE_BYTES;
use common::{PgError, PgResult, cancel, internal, long};
use types::{
    ArrayValue, Bitmap, Datum, MultirangeValue, RangeValue, RecordValue, StringColumn, Vector, VectorData,
};

/// A storage class as a Rust type.
pub trait Phys {
    /// A value as functions see it.
    type Value<'a>: Copy;
    /// All values of a vector.
    type Data: ?Sized;
    /// True where a single value may be so long that a batch of them takes seconds: loops look at the cancel flag for each row.
    const LONG: bool;
    /// The values of a vector of this class.
    fn data(data: &VectorData) -> Option<&Self::Data>;
    /// The same for writing.
    fn data_mut(data: &mut VectorData) -> Option<&mut Self::Data>;
    /// The value at a physical position.
    fn at(data: &Self::Data, i: usize) -> Self::Value<'_>;
    /// The value of a datum of this class; `None` for NULL and other classes.
    fn of_datum(datum: &Datum) -> Option<Self::Value<'_>>;
}

/// A class of fixed-width values, named as a plain type (the macros need it where inference does not reach).
pub trait Native {
    /// The values.
    type Value: Copy;
}

/// One argument of a batch: a whole column or a constant.
pub struct Column<'a, P: Phys> {
    data: &'a P::Data,
    validity: Option<&'a Bitmap>,
    constant: bool,
}

impl<'a, P: Phys> Column<'a, P> {
    /// Opens a vector; an error means that the plan put a vector of the wrong class here.
    pub fn open(vector: &'a Vector) -> PgResult<Column<'a, P>> {
        match P::data(vector.data()) {
            Some(data) => Ok(Column {
                data,
                validity: vector.validity(),
                constant: vector.is_constant(),
            }),
            None => Err(wrong_class(vector)),
        }
    }

    /// The values of rows `0..rows` as they lie in the vector, when none is NULL and none is shared.
    #[inline]
    pub fn dense(&self) -> Option<&'a P::Data> {
        if self.constant || self.validity.is_some() {
            None
        } else {
            Some(self.data)
        }
    }

    /// The value in row `i`, `None` for NULL.
    #[inline(always)]
    pub fn get(&self, i: usize) -> Option<P::Value<'a>> {
        let i = if self.constant { 0 } else { i };
        match self.validity {
            Some(bits) if !bits.get(i) => None,
            _ => Some(P::at(self.data, i)),
        }
    }
}

#[cold]
fn wrong_class(vector: &Vector) -> Box<PgError> {
    internal!("function argument arrived as {:?}", vector.phys())
}

/// A parameter type: a value of class `P`, or an `Option` of one for functions that see NULL.
pub trait FromArg<'a, P: Phys>: Sized {
    /// `None` when the function is not to be called (NULL for a strict parameter).
    fn from_arg(value: Option<P::Value<'a>>) -> Option<Self>;
}

/// A value that can be stored in class `P`.
pub trait Put<P: Phys> {
    /// Stores into a vector.
    fn put(self, data: &mut P::Data, i: usize);
    /// Becomes a datum, unless the statement is cancelled while a long one is copied.
    fn into_datum(self) -> PgResult<Datum>;
}

/// What a function may return.
pub trait Output<P: Phys> {
    /// The bare value.
    type Value: Put<P>;
    /// The value, NULL or an error.
    fn into_output(self) -> PgResult<Option<Self::Value>>;
}

macro_rules! strict_and_nullable {
    ($phys:ident, $value:ty) => {
        impl<'a> FromArg<'a, $phys> for $value {
            #[inline]
            fn from_arg(value: Option<$value>) -> Option<$value> {
                value
            }
        }
        impl<'a> FromArg<'a, $phys> for Option<$value> {
            #[inline]
            fn from_arg(value: Option<$value>) -> Option<Option<$value>> {
                Some(value)
            }
        }
    };
}

macro_rules! outputs {
    ($phys:ident, $value:ty) => {
        impl<'a> Output<$phys> for $value {
            type Value = $value;
            #[inline]
            fn into_output(self) -> PgResult<Option<$value>> {
                Ok(Some(self))
            }
        }
        impl<'a> Output<$phys> for Option<$value> {
            type Value = $value;
            #[inline]
            fn into_output(self) -> PgResult<Option<$value>> {
                Ok(self)
            }
        }
        impl<'a> Output<$phys> for PgResult<$value> {
            type Value = $value;
            #[inline]
            fn into_output(self) -> PgResult<Option<$value>> {
                self.map(Some)
            }
        }
        impl<'a> Output<$phys> for PgResult<Option<$value>> {
            type Value = $value;
            #[inline]
            fn into_output(self) -> PgResult<Option<$value>> {
                self
            }
        }
    };
}

macro_rules! fixed {
    ($($phys:ident($value:ty)),*) => {$(
        #[doc = concat!("Class `PhysType::", stringify!($phys), "`.")]
        pub struct $phys;

        impl Phys for $phys {
            type Value<'a> = $value;
            type Data = [$value];
            const LONG: bool = false;
            #[inline]
            fn data(data: &VectorData) -> Option<&[$value]> {
                match data { VectorData::$phys(v) => Some(v), _ => None }
            }
            #[inline]
            fn data_mut(data: &mut VectorData) -> Option<&mut [$value]> {
                match data { VectorData::$phys(v) => Some(v), _ => None }
            }
            #[inline]
            fn at(data: &[$value], i: usize) -> $value {
                data[i]
            }
            #[inline]
            fn of_datum(datum: &Datum) -> Option<$value> {
                match datum { Datum::$phys(v) => Some(*v), _ => None }
            }
        }

        impl Put<$phys> for $value {
            #[inline]
            fn put(self, data: &mut [$value], i: usize) {
                data[i] = self;
            }
            #[inline]
            fn into_datum(self) -> PgResult<Datum> {
                Ok(Datum::$phys(self))
            }
        }

        impl Native for $phys {
            type Value = $value;
        }

        strict_and_nullable!($phys, $value);
        outputs!($phys, $value);
    )*};
}

fixed!(
    Bool(bool),
    Char(u8),
    Int2(i16),
    Int4(i32),
    Int8(i64),
    Oid(u32),
    Float4(f32),
    Float8(f64),
    Interval(types::Interval),
    Uuid([u8; 16])
);

macro_rules! by_reference {
    ($($phys:ident, $value:ty, $data:ty, $v:ident, $i:ident => $at:expr, $datum:pat => $of:expr);* $(;)?) => {$(
        #[doc = concat!("Class `PhysType::", stringify!($phys), "`.")]
        pub struct $phys;

        impl Phys for $phys {
            type Value<'a> = &'a $value;
            type Data = $data;
            const LONG: bool = true;
            #[inline]
            fn data(data: &VectorData) -> Option<&$data> {
                match data { VectorData::$phys(v) => Some(v), _ => None }
            }
            #[inline]
            fn data_mut(data: &mut VectorData) -> Option<&mut $data> {
                match data { VectorData::$phys(v) => Some(v), _ => None }
            }
            #[inline]
            fn at($v: &$data, $i: usize) -> &$value {
                $at
            }
            #[inline]
            fn of_datum(datum: &Datum) -> Option<&$value> {
                match datum { $datum => $of, _ => None }
            }
        }

        strict_and_nullable!($phys, &'a $value);
    )*};
}

by_reference! {
    Text, str, StringColumn, v, i => v.str(i), Datum::Text(s) => Some(s);
    Bytes, [u8], StringColumn, v, i => v.bytes(i), Datum::Bytes(s) => Some(s);
    Numeric, types::Numeric, [types::Numeric], v, i => &v[i], Datum::Numeric(n) => Some(n);
}

/// Class `PhysType::Nested`: arrays, composite values, ranges.
pub struct Nested;

impl Phys for Nested {
    type Value<'a> = &'a Datum;
    type Data = [Datum];
    const LONG: bool = true;
    #[inline]
    fn data(data: &VectorData) -> Option<&[Datum]> {
        match data {
            VectorData::Nested(v) => Some(v),
            _ => None,
        }
    }
    #[inline]
    fn data_mut(data: &mut VectorData) -> Option<&mut [Datum]> {
        match data {
            VectorData::Nested(v) => Some(v),
            _ => None,
        }
    }
    #[inline]
    fn at(data: &[Datum], i: usize) -> &Datum {
        &data[i]
    }
    #[inline]
    fn of_datum(datum: &Datum) -> Option<&Datum> {
        if datum.is_null() { None } else { Some(datum) }
    }
}

strict_and_nullable!(Nested, &'a Datum);

impl<'a> FromArg<'a, Nested> for &'a ArrayValue {
    #[inline]
    fn from_arg(value: Option<&'a Datum>) -> Option<&'a ArrayValue> {
        match value {
            Some(Datum::Array(a)) => Some(a),
            _ => None,
        }
    }
}

impl<'a> FromArg<'a, Nested> for Option<&'a ArrayValue> {
    #[inline]
    fn from_arg(value: Option<&'a Datum>) -> Option<Option<&'a ArrayValue>> {
        Some(<&ArrayValue as FromArg<Nested>>::from_arg(value))
    }
}

impl<'a> FromArg<'a, Nested> for &'a RecordValue {
    #[inline]
    fn from_arg(value: Option<&'a Datum>) -> Option<&'a RecordValue> {
        match value {
            Some(Datum::Record(r)) => Some(r),
            _ => None,
        }
    }
}

impl<'a> FromArg<'a, Nested> for &'a RangeValue {
    #[inline]
    fn from_arg(value: Option<&'a Datum>) -> Option<&'a RangeValue> {
        match value {
            Some(Datum::Range(r)) => Some(r),
            _ => None,
        }
    }
}

impl<'a> FromArg<'a, Nested> for &'a MultirangeValue {
    #[inline]
    fn from_arg(value: Option<&'a Datum>) -> Option<&'a MultirangeValue> {
        match value {
            Some(Datum::Multirange(m)) => Some(m),
            _ => None,
        }
    }
}

fn cow_bytes(s: Cow<'_, str>) -> Cow<'_, [u8]> {
    match s {
        Cow::Borrowed(s) => Cow::Borrowed(s.as_bytes()),
        Cow::Owned(s) => Cow::Owned(s.into_bytes()),
    }
}

fn put_bytes(column: &mut StringColumn, i: usize, bytes: Cow<'_, [u8]>) {
    match bytes {
        Cow::Borrowed(bytes) => column.set_bytes(i, bytes),
        Cow::Owned(bytes) => column.set_owned(i, bytes),
    }
}

macro_rules! puts {
    ($($phys:ident: $value:ty, $s:ident => ($data:ident, $i:ident) $put:expr, $datum:expr);* $(;)?) => {$(
        impl<'a> Put<$phys> for $value {
            #[inline]
            fn put(self, $data: &mut <$phys as Phys>::Data, $i: usize) {
                let $s = self;
                $put;
            }
            #[inline]
            fn into_datum(self) -> PgResult<Datum> {
                let $s = self;
                Ok($datum)
            }
        }
        outputs!($phys, $value);
    )*};
}

/// A text as a datum.
fn long_text(s: &str) -> PgResult<Datum> {
    match s.len() > PIECE_BYTES {
        true => long::text(s, &cancel::current()).map(Datum::Text),
        false => Ok(Datum::Text(s.into())),
    }
}

/// The same of bytes.
fn long_bytes(s: &[u8]) -> PgResult<Datum> {
    match s.len() > PIECE_BYTES {
        true => long::bytes(s, &cancel::current()).map(Datum::Bytes),
        false => Ok(Datum::Bytes(s.into())),
    }
}

puts! {
    Text: &'a str, s => (d, i) d.set_str(i, s), long_text(s)?;
    Text: String, s => (d, i) d.set_owned(i, s.into_bytes()), long_text(&s)?;
    Text: Arc<str>, s => (d, i) d.set_text(i, &s), Datum::Text(s);
    Text: Cow<'a, str>, s => (d, i) put_bytes(d, i, cow_bytes(s)), long_text(&s)?;
    Bytes: &'a [u8], s => (d, i) d.set_bytes(i, s), long_bytes(s)?;
    Bytes: Vec<u8>, s => (d, i) d.set_owned(i, s), long_bytes(&s)?;
    Bytes: Arc<[u8]>, s => (d, i) d.set_shared_bytes(i, &s), Datum::Bytes(s);
    Bytes: Cow<'a, [u8]>, s => (d, i) put_bytes(d, i, s), long_bytes(&s)?;
    Numeric: types::Numeric, n => (d, i) d[i] = n, Datum::Numeric(n);
    Nested: Datum, v => (d, i) d[i] = v, v;
    Nested: ArrayValue, v => (d, i) d[i] = Datum::Array(Arc::new(v)), Datum::Array(Arc::new(v));
    Nested: Arc<ArrayValue>, v => (d, i) d[i] = Datum::Array(v), Datum::Array(v);
    Nested: RangeValue, v => (d, i) d[i] = v.into_datum(), v.into_datum();
    Nested: MultirangeValue, v => (d, i) d[i] = v.into_datum(), v.into_datum();
    Nested: RecordValue, v => (d, i) d[i] = Datum::Record(Arc::new(v)), Datum::Record(Arc::new(v));
}

/// Geometric values: structs made of the bytes in memory.
macro_rules! shapes {
    ($($shape:ident)*) => {$(
        impl<'a> FromArg<'a, Bytes> for types::geo::$shape {
            #[inline]
            fn from_arg(value: Option<&'a [u8]>) -> Option<Self> {
                value.map(types::geo::Shape::read)
            }
        }
        impl Put<Bytes> for types::geo::$shape {
            #[inline]
            fn put(self, data: &mut StringColumn, i: usize) {
                data.set_bytes(i, &types::geo::Shape::bytes(&self));
            }
            #[inline]
            fn into_datum(self) -> PgResult<Datum> {
                Ok(Datum::Bytes(types::geo::Shape::bytes(&self).into()))
            }
        }
        outputs!(Bytes, types::geo::$shape);
    )*};
}

shapes!(Point Lseg Line Rect Path Polygon Circle);

/// `void`: functions called for what they do. PostgreSQL prints the result as an empty string.
impl Put<Text> for () {
    fn put(self, data: &mut StringColumn, i: usize) {
        data.set_str(i, "");
    }
    fn into_datum(self) -> PgResult<Datum> {
        Ok(Datum::Text("".into()))
    }
}
outputs!(Text, ());

/// Where a kernel's results go: the data and validity of an output vector.
pub struct Sink<'a, P: Phys> {
    data: &'a mut P::Data,
    validity: &'a mut Option<Bitmap>,
    len: usize,
}

impl<'a, P: Phys> Sink<'a, P> {
    /// Opens an output vector of class `P`.
    pub fn open(out: &'a mut Vector) -> PgResult<Sink<'a, P>> {
        let (phys, len) = (out.phys(), out.len());
        let (data, validity) = out.parts_mut();
        match P::data_mut(data) {
            Some(data) => Ok(Sink { data, validity, len }),
            None => Err(internal!("function result goes to {phys:?}")),
        }
    }

    /// Stores what a function returned for row `i`; other rows stay as they are.
    #[inline]
    pub fn store<O: Output<P>>(&mut self, i: usize, output: O) -> PgResult<()> {
        match output.into_output()? {
            Some(value) => {
                value.put(self.data, i);
                if let Some(bits) = self.validity {
                    bits.set(i, true);
                }
            }
            None => self.store_null(i),
        }
        Ok(())
    }

    /// Makes row `i` NULL.
    pub fn store_null(&mut self, i: usize) {
        let len = self.len;
        self.validity
            .get_or_insert_with(|| Bitmap::filled(len, true))
            .set(i, false);
    }
}
