//! Results of correlated subqueries, remembered by the parameters that they were computed for.
//!
//! Only of subqueries that give the same rows again (nothing volatile in them), of one small row at most, and only while parameters do come again.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use types::{Datum, Rows, tuple};

/// Most entries, and the longest keys and rows.
const ENTRIES_MAX: usize = 4096;
const BYTES_MAX: usize = 128;
/// After so many runs one of eight must have been spared.
const TRIAL: u32 = 512;

/// What a subplan gave before.
#[derive(Default)]
pub(crate) struct Remembered {
    known: FxHashMap<Vec<u8>, Arc<Rows>>,
    asked: u32,
    found: u32,
    useless: bool,
}

/// The key for values of parameters and the number of rows asked for; `None` for a long one.
pub(crate) fn key(values: &[Datum], asked: usize) -> Option<Vec<u8>> {
    let mut key = asked.to_ne_bytes().to_vec();
    tuple::encode(values, &mut key);
    (key.len() <= BYTES_MAX).then_some(key)
}

impl Remembered {
    /// False once it has turned out that parameters rarely come again.
    pub fn is_worth_while(&self) -> bool {
        !self.useless
    }

    /// What was given for a key.
    pub fn get(&mut self, key: &[u8]) -> Option<Arc<Rows>> {
        let found = self.known.get(key).cloned();
        self.asked += 1;
        self.found += u32::from(found.is_some());
        if self.asked == TRIAL {
            self.useless = self.found < TRIAL / 8;
            if self.useless {
                self.known = FxHashMap::default();
            }
            (self.asked, self.found) = (0, 0);
        }
        found
    }

    /// Remembers rows, if they are few and small.
    pub fn put(&mut self, key: Vec<u8>, rows: &Arc<Rows>) {
        if self.useless || self.known.len() >= ENTRIES_MAX || rows.len() > 1 {
            return;
        }
        let mut bytes = Vec::new();
        rows.iter().for_each(|row| tuple::encode(row, &mut bytes));
        if bytes.len() <= BYTES_MAX {
            self.known.insert(key, Arc::clone(rows));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(remembered: &mut Remembered, value: i64) -> bool {
        let Some(key) = key(&[Datum::Int8(value)], 2) else {
            return false;
        };
        if let Some(rows) = remembered.get(&key) {
            assert_eq!(rows[0][0], Datum::Int8(value * 3));
            return true;
        }
        remembered.put(key, &Arc::new(vec![vec![Datum::Int8(value * 3)]].into()));
        false
    }

    #[test]
    fn parameters_that_come_again_find_their_rows() {
        let mut remembered = Remembered::default();
        let hits = (0..2_000).filter(|n| run(&mut remembered, n % 100)).count();
        assert_eq!((hits, remembered.is_worth_while()), (1_900, true));
        let mut remembered = Remembered::default();
        assert!((0..2_000).all(|n| !run(&mut remembered, n)));
        assert!(!remembered.is_worth_while() && remembered.known.is_empty());
    }

    #[test]
    fn long_values_are_not_remembered() {
        assert!(key(&[Datum::Text("x".repeat(200).as_str().into())], 1).is_none());
        let mut remembered = Remembered::default();
        let key = key(&[Datum::Int4(1)], 1).unwrap_or_default();
        let rows = |row: Vec<Datum>| Arc::new(Rows::from(vec![row]));
        remembered.put(
            key.clone(),
            &rows(vec![Datum::Text("x".repeat(200).as_str().into())]),
        );
        assert!(remembered.get(&key).is_none());
        remembered.put(key.clone(), &Arc::new(vec![Vec::new(), Vec::new()].into()));
        assert!(remembered.get(&key).is_none());
    }
}
