//! How a column's value is stored, as columns of the scan that reads it.
//!
//! Values are whole once a scan has read them: what `pg_column_compression` and its like ask for is known below it only. So the planner turns
//! such a call on a table's column into a system column, one per column and fact, which scans fill in as they do `xmin`.

use common::{AttrNumber, Oid};

/// What a scan can tell of a stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredFact {
    /// `text`: the method that compressed it; NULL: none did.
    Compression,
    /// `oid`: what the value is called outside of its row; NULL: it lies in its row.
    ChunkId,
    /// `int4`: bytes that it takes; NULL: as many as the value itself says.
    Size,
}

/// Facts, the functions that ask for them, and their names; in the order of the attribute numbers.
const FACTS: [(StoredFact, Oid, &str); 3] = [
    (StoredFact::Compression, Oid(2121), "pg_column_compression"),
    (StoredFact::ChunkId, Oid(6316), "pg_column_toast_chunk_id"),
    (StoredFact::Size, Oid(1269), "pg_column_size"),
];

/// Attribute numbers from here downwards; no other system column has one.
const FIRST: AttrNumber = -200;

impl StoredFact {
    /// The fact that a function asks for.
    pub fn of_function(func: Oid) -> Option<StoredFact> {
        FACTS.iter().find(|(_, oid, _)| *oid == func).map(|f| f.0)
    }

    /// The fact and the column (1-based) that an attribute number means.
    pub fn of_attno(attno: AttrNumber) -> Option<(StoredFact, AttrNumber)> {
        let below = usize::try_from(i32::from(FIRST) - i32::from(attno)).ok()?;
        let (fact, ..) = FACTS.get(below % FACTS.len())?;
        Some((*fact, (below / FACTS.len()) as AttrNumber + 1))
    }

    /// The attribute number of the fact about a column (1-based).
    pub fn attno(self, column: AttrNumber) -> AttrNumber {
        let at = FACTS.iter().position(|f| f.0 == self).unwrap_or(0) as AttrNumber;
        FIRST - (column - 1) * FACTS.len() as AttrNumber - at
    }

    /// The name of its function.
    pub fn function_name(self) -> &'static str {
        FACTS.iter().find(|f| f.0 == self).map_or("", |f| f.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attribute_numbers_lead_back() {
        for column in [1, 2, 1600] {
            for (fact, func, name) in FACTS {
                assert_eq!(StoredFact::of_attno(fact.attno(column)), Some((fact, column)));
                assert_eq!(StoredFact::of_function(func), Some(fact));
                assert_eq!(fact.function_name(), name);
            }
        }
        for other in [1, 0, -1, -6, crate::expr::MERGE_ACTION_ATTNO] {
            assert_eq!(StoredFact::of_attno(other), None);
        }
    }
}
