//! Descriptors built on first use and kept for the life of the process: they are made from constants and never change.

use std::sync::{Arc, OnceLock};

/// One descriptor per position of a static table.
pub struct Slots<T> {
    cells: Box<[OnceLock<Arc<T>>]>,
}

impl<T> Slots<T> {
    /// Empty slots for a table of `len` rows.
    pub fn new(len: usize) -> Slots<T> {
        Slots {
            cells: (0..len).map(|_| OnceLock::new()).collect(),
        }
    }

    /// The descriptor at a position, made by `build` if nobody asked before.
    pub fn get_or_build(&self, position: usize, build: impl FnOnce() -> T) -> Arc<T> {
        match self.cells.get(position) {
            Some(cell) => cell.get_or_init(|| Arc::new(build())).clone(),
            None => Arc::new(build()),
        }
    }
}
