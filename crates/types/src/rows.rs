//! Rows of datums.

use std::ops::{Deref, DerefMut};

use common::cancel;

use crate::Datum;

/// Rows that may be millions: they are freed as the elements of arrays are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows(Vec<Vec<Datum>>);

impl Deref for Rows {
    type Target = Vec<Vec<Datum>>;

    fn deref(&self) -> &Vec<Vec<Datum>> {
        &self.0
    }
}

impl DerefMut for Rows {
    fn deref_mut(&mut self) -> &mut Vec<Vec<Datum>> {
        &mut self.0
    }
}

impl From<Vec<Vec<Datum>>> for Rows {
    fn from(rows: Vec<Vec<Datum>>) -> Rows {
        Rows(rows)
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        cancel::discard_list(std::mem::take(&mut self.0));
    }
}
