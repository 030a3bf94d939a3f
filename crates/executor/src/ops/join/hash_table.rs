//! The table of a hash join: inner rows by the values of their keys.
//!
//! # How it works
//! Rows of one bucket are a chain in input order. A single integer key needs neither hashes nor comparisons: [`KeyTable`] leads from the
//! key to its first row. Where every chain has one row at most, a batch is probed in one go.

use std::sync::Arc;

use common::{PgResult, internal};
use types::{PhysType, Selection, Vector};

use crate::cx::Cx;
use crate::ints::{KeyTable, integers};
use crate::ops::join::Pairs;
use crate::store::{MemoryUse, RowStore};

/// Rows on their way into a table.
pub(crate) struct BuildPart {
    pub columns: RowStore,
    /// Values of the key expressions.
    pub keys: RowStore,
    /// Of the keys; none where the table is by integer.
    pub hashes: Vec<u64>,
}

/// What the table takes per row beside columns and keys.
const ROW_BYTES: usize = 20;

impl BuildPart {
    pub fn new(columns: &[PhysType], keys: &[PhysType]) -> BuildPart {
        BuildPart {
            columns: RowStore::new(columns),
            keys: RowStore::new(keys),
            hashes: Vec::new(),
        }
    }

    /// Bytes that these rows will take in a table.
    pub fn memory_bytes(&self) -> usize {
        self.columns.memory_bytes() + self.keys.memory_bytes() + self.columns.rows * ROW_BYTES
    }

    /// Adds the rows of another part.
    pub fn append(&mut self, cx: &Cx<'_>, mut other: BuildPart) -> PgResult<()> {
        let (columns, rows) = other.columns.drain_columns();
        let every = Selection::All(rows);
        self.columns.append(cx, &columns, &every)?;
        self.keys.append(cx, &other.keys.drain_columns().0, &every)?;
        self.hashes.append(&mut other.hashes);
        Ok(())
    }
}

/// The build side.
pub(crate) struct HashTable {
    pub columns: Vec<Arc<Vector>>,
    pub rows: usize,
    /// Values of the key expressions; not there where the table is by integer.
    pub keys: Vec<Arc<Vector>>,
    pub hashes: Vec<u64>,
    /// First row of each bucket, and the next of each row, plus 1; 0 ends.
    heads: Vec<u32>,
    next: Vec<u32>,
    /// In place of `heads` when there is one integer key: its numbers are row numbers, doubled, plus 1 when more rows follow.
    integers: Option<KeyTable>,
    /// The least and the greatest of them; `None` without any.
    pub range: Option<(i64, i64)>,
    /// Every key has one row at most (known of tables by integer).
    pub unique: bool,
    _memory: [MemoryUse; 1],
    _stores: [RowStore; 2],
}

impl HashTable {
    pub fn new(cx: &Cx<'_>, mut part: BuildPart, by_integer: bool) -> PgResult<HashTable> {
        let mut memory = MemoryUse::default();
        let (columns, rows) = part.columns.drain_columns();
        let (keys, _) = part.keys.drain_columns();
        memory.cover(cx, rows * ROW_BYTES)?;
        let mut table = HashTable {
            columns,
            rows,
            keys,
            hashes: part.hashes,
            heads: Vec::new(),
            next: vec![0; rows],
            integers: None,
            range: None,
            unique: false,
            _memory: [MemoryUse::default()],
            _stores: [part.columns, part.keys],
        };
        match by_integer {
            true => table.link_integers(cx)?,
            false => table.link_hashes(),
        }
        let more = table.integers.as_ref().map_or(0, KeyTable::memory_bytes);
        memory.cover(cx, rows * ROW_BYTES + more)?;
        table._memory = [memory];
        Ok(table)
    }

    /// From the last to the first, so that chains run in input order. NULL keys match nothing.
    fn link_hashes(&mut self) {
        let size = (self.rows * 2).next_power_of_two().max(16);
        self.heads = vec![0; size];
        for row in (0..self.rows).rev() {
            if self.keys.iter().any(|k| k.is_null(row)) {
                continue;
            }
            let bucket = self.hashes[row] as usize & (size - 1);
            self.next[row] = self.heads[bucket];
            self.heads[bucket] = row as u32 + 1;
        }
    }

    /// The same by the one integer key.
    fn link_integers(&mut self, cx: &Cx<'_>) -> PgResult<()> {
        let mut values = Vec::new();
        let Some(key) = self.keys.first().filter(|_| self.rows < u32::MAX as usize / 2) else {
            return Err(internal!("join by integer has too many rows"));
        };
        if !integers(key, &Selection::All(self.rows), &mut values) {
            return Err(internal!("join by integer meets another class"));
        }
        let nulls = key.may_have_nulls();
        let known = || {
            values
                .iter()
                .enumerate()
                .filter(|(row, _)| !(nulls && key.is_null(*row)))
                .map(|(_, v)| *v)
        };
        let range = known().min().zip(known().max());
        self.range = range;
        let mut table = KeyTable::new(self.rows, range);
        self.unique = true;
        for (row, value) in values.iter().enumerate().rev() {
            if row % (1 << 16) == 0 {
                cx.check()?;
            }
            if nulls && key.is_null(row) {
                continue;
            }
            let alone = row as u32 * 2;
            if let Some(before) = table.replace(*value, alone) {
                self.unique = false;
                self.next[row] = before / 2 + 1;
                table.replace(*value, alone + 1);
            }
        }
        self.integers = Some(table);
        self.keys.clear();
        self._stores[1].release();
        Ok(())
    }

    pub fn by_integer(&self) -> bool {
        self.integers.is_some()
    }

    /// How many buckets EXPLAIN ANALYZE shows.
    pub fn buckets(&self) -> u64 {
        (self.rows * 2).next_power_of_two().max(16) as u64
    }

    /// The candidate after a row.
    pub fn after(&self, row: usize) -> u32 {
        match self.next[row] {
            0 => 0,
            next => next * 2 + 1,
        }
    }

    /// Begins with an outer batch: the first candidates of all its rows.
    pub fn probe(&self, keys: Vec<Arc<Vector>>, hashes: Vec<u64>, selection: Selection) -> PgResult<Probe> {
        let mut firsts = Vec::with_capacity(selection.len());
        match &self.integers {
            Some(table) => {
                let mut values = Vec::with_capacity(selection.len());
                if !keys.first().is_some_and(|k| integers(k, &selection, &mut values)) {
                    return Err(internal!("join by integer meets another class"));
                }
                table.get_all(&values, &mut firsts);
                // Number and 1, but candidates are numbers and 2.
                firsts
                    .iter_mut()
                    .for_each(|first| *first += u32::from(*first != 0));
            }
            None => {
                let mask = self.heads.len() - 1;
                firsts.extend(hashes.iter().map(|hash| match self.heads[*hash as usize & mask] {
                    0 => 0,
                    head => head * 2 + 1,
                }));
            }
        }
        for key in keys.iter().filter(|key| key.may_have_nulls()) {
            for (first, position) in firsts.iter_mut().zip(selection.iter()) {
                if key.is_null(position) {
                    *first = 0;
                }
            }
        }
        Ok(Probe {
            keys,
            selection,
            hashes,
            firsts,
            row: 0,
            candidate: 0,
            started: false,
        })
    }
}

/// The outer batch under way.
pub(crate) struct Probe {
    pub keys: Vec<Arc<Vector>>,
    pub selection: Selection,
    pub hashes: Vec<u64>,
    /// The first candidate of each row; see `candidate`.
    pub firsts: Vec<u32>,
    /// Which of its rows is next, and its next candidate: the row's number plus 1, doubled, plus 1 when others may follow.
    pub row: usize,
    pub candidate: u32,
    pub started: bool,
}

impl Probe {
    /// All pairs, where first candidates are all there is. `rows_too`: with what is known of each outer row.
    pub fn collect_first(&mut self, pairs: &mut Pairs, rows_too: bool) {
        for (position, first) in self.selection.iter().zip(&self.firsts) {
            if let Some(row) = (first / 2).checked_sub(1) {
                pairs.push(position as u32, row);
            }
            if rows_too {
                pairs.finish_row(position as u32);
            }
        }
        self.row = self.selection.len();
    }
}
