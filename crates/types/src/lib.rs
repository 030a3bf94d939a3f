//! Floor 1: values and how they are written down.
//!
//! Main types: [`Datum`] (one value), [`Vector`] (a column of up to [`BATCH_ROWS`] values), [`Batch`] (columns and a
//! [`Selection`]), [`PhysType`] (the storage class behind an SQL type), [`Numeric`], [`Interval`]; modules [`oids`] (OIDs of
//! the built-in types), [`builtin`] (facts of `pg_type`), [`tuple`] (row encoding), [`key`] (memcomparable encoding),
//! one module per type family for text and binary input and output.
//!
//! # Invariants
//! - A [`Vector`]'s variant is the [`PhysType`] of its SQL type; NULL positions hold an arbitrary but initialised value.
//! - `Text` data is valid UTF-8 without NUL bytes.
//! - Nothing here knows catalogs or sessions; settings that shape text come in a [`FormatSettings`].

pub mod array;
pub mod batch;
pub mod bitmap;
pub mod builtin;
pub mod collation;
pub mod column_input;
pub mod compact;
pub mod compare;
pub mod datetime;
pub mod datum;
pub mod encoding;
pub mod float;
pub mod geo;
pub mod interval;
pub mod io;
pub mod io_acl;
pub mod io_array;
pub mod io_binary;
pub mod io_bit;
pub mod io_datetime;
pub mod io_geo;
pub mod io_json;
pub mod io_money;
pub mod io_net;
pub mod io_number;
pub mod io_range;
pub mod io_record;
pub mod io_system;
pub mod io_text;
pub mod io_xml;
pub mod json_text;
pub mod jsonb;
pub mod jsonpath;
pub mod key;
pub mod names;
pub mod numeric;
pub mod oids;
pub mod order;
pub mod phys;
pub mod range;
mod rows;
pub mod selection;
mod serial;
pub mod settings;
pub mod strings;
pub mod textsearch;
pub mod tuple;
pub mod typmod;
pub mod vector;
mod vector_data;
mod vector_values;
pub mod wire;
pub mod xml;

pub use array::{ArrayDim, ArrayValue, FieldNames, RecordValue};
pub use batch::{BATCH_ROWS, Batch};
pub use bitmap::Bitmap;
pub use compact::{Compact, FlatStrings};
pub use datum::Datum;
pub use interval::Interval;
pub use numeric::Numeric;
pub use phys::PhysType;
pub use range::{MultirangeValue, Range, RangeBound, RangeValue};
pub use rows::Rows;
pub use selection::Selection;
pub use settings::FormatSettings;
pub use strings::StringColumn;
pub use vector::Vector;
pub use vector_data::VectorData;
pub use vector_values::Decimals;
