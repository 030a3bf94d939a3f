//! Arrays and composite values.

use common::Oid;
use common::cancel;

use crate::Datum;

/// One dimension of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArrayDim {
    /// Number of elements along it.
    pub len: i32,
    /// Index of the first.
    pub lower: i32,
}

/// An SQL array: elements in row-major order. No dimensions means the empty array.
#[derive(Clone, Debug, PartialEq)]
pub struct ArrayValue {
    /// SQL type of the elements.
    pub element_type: Oid,
    /// Outermost dimension first, at most six.
    pub dims: Vec<ArrayDim>,
    /// The elements; as many as the product of the dimensions.
    pub elements: Vec<Datum>,
}

impl Drop for ArrayValue {
    fn drop(&mut self) {
        cancel::discard_list(std::mem::take(&mut self.elements));
    }
}

impl ArrayValue {
    /// Its elements, which it gives up.
    pub fn into_elements(mut self) -> Vec<Datum> {
        std::mem::take(&mut self.elements)
    }

    /// A one-dimensional array from index 1 (empty: no dimensions).
    pub fn from_elements(element_type: Oid, elements: Vec<Datum>) -> ArrayValue {
        let dims = if elements.is_empty() {
            Vec::new()
        } else {
            vec![ArrayDim {
                len: elements.len() as i32,
                lower: 1,
            }]
        };
        ArrayValue {
            element_type,
            dims,
            elements,
        }
    }
}

/// A composite value.
#[derive(Clone, Debug)]
pub struct RecordValue {
    /// The composite type, or `record` for an anonymous one.
    pub type_oid: Oid,
    /// Type of each field.
    pub field_types: Vec<Oid>,
    /// The fields.
    pub fields: Vec<Datum>,
    /// Names of the fields of an anonymous record, where the expression that made it knows them; a named type's stand in
    /// the catalog.
    pub names: Option<FieldNames>,
}

/// Names of record fields, shared by the rows of an expression.
pub type FieldNames = std::sync::Arc<[Box<str>]>;

/// Names do not make a difference.
impl PartialEq for RecordValue {
    fn eq(&self, other: &RecordValue) -> bool {
        self.type_oid == other.type_oid
            && self.field_types == other.field_types
            && self.fields == other.fields
    }
}
