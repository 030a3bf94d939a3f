//! A hash table from key columns to group numbers.

use std::sync::Arc;

use common::PgResult;
use types::{Batch, PhysType, Selection, Vector};

use crate::cx::Cx;
use crate::keys::EqualKeys;
use crate::store::{MemoryUse, RowStore};

/// Groups in the order of their first rows, of which the wanted columns are kept.
pub(crate) struct GroupTable {
    /// Input positions of the columns kept.
    kept: Vec<usize>,
    pub first_rows: RowStore,
    /// For each key its column in `first_rows`.
    key_columns: Vec<usize>,
    hashes: Vec<u64>,
    /// Open addressing: group number plus 1, 0 for free.
    slots: Vec<u32>,
    memory: MemoryUse,
}

impl GroupTable {
    /// A table that keeps `kept` (which includes the keys) of an input of these classes.
    pub fn new(keys: &EqualKeys, kept: &[usize], input: &[PhysType]) -> GroupTable {
        let phys: Vec<PhysType> = kept.iter().map(|&i| input[i]).collect();
        let key_columns = keys
            .columns
            .iter()
            .map(|(c, _)| kept.iter().position(|k| k == c).unwrap_or(0))
            .collect();
        GroupTable {
            kept: kept.to_vec(),
            first_rows: RowStore::new(&phys),
            key_columns,
            hashes: Vec::new(),
            slots: vec![0; 64],
            memory: MemoryUse::default(),
        }
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// The group of every selected row; rows of new groups make them.
    pub fn assign(
        &mut self,
        cx: &Cx<'_>,
        keys: &EqualKeys,
        columns: &[Arc<Vector>],
        sel: &Selection,
        out: &mut Vec<u32>,
    ) -> PgResult<()> {
        let hashes = keys.hash(cx, columns, sel)?;
        out.clear();
        for (i, hash) in sel.iter().zip(hashes) {
            let group = match self.find(cx, keys, columns, i, hash)? {
                Ok(group) => group,
                Err(slot) => self.add(columns, i, hash, slot),
            };
            out.push(group);
        }
        let bytes = self.memory_bytes();
        self.memory.cover(cx, bytes)
    }

    /// As [`GroupTable::assign`] where no group may be added: rows of others are left out of `known` and come with their hashes in
    /// `unknown`.
    pub fn assign_known(
        &self,
        cx: &Cx<'_>,
        keys: &EqualKeys,
        batch: &Batch,
        out: &mut Vec<u32>,
    ) -> PgResult<(Selection, Selection, Vec<u64>)> {
        let hashes = keys.hash(cx, &batch.columns, &batch.selection)?;
        out.clear();
        let (mut known, mut unknown, mut unknown_hashes) = (Vec::new(), Vec::new(), Vec::new());
        for (i, hash) in batch.selection.iter().zip(hashes) {
            match self.find(cx, keys, &batch.columns, i, hash)? {
                Ok(group) => {
                    out.push(group);
                    known.push(i as u16);
                }
                Err(_) => {
                    unknown.push(i as u16);
                    unknown_hashes.push(hash);
                }
            }
        }
        Ok((
            Selection::Rows(known.into()),
            Selection::Rows(unknown.into()),
            unknown_hashes,
        ))
    }

    /// Bytes of the table and its first rows.
    pub fn memory_bytes(&self) -> usize {
        self.first_rows.memory_bytes() + self.slots.len() * 4 + self.hashes.len() * 8
    }

    /// The group, or the free slot where it would go.
    fn find(
        &self,
        cx: &Cx<'_>,
        keys: &EqualKeys,
        columns: &[Arc<Vector>],
        i: usize,
        hash: u64,
    ) -> PgResult<Result<u32, usize>> {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let Some(group) = self.slots[slot].checked_sub(1) else {
                return Ok(Err(slot));
            };
            if self.hashes[group as usize] == hash && self.same(cx, keys, columns, i, group as usize)? {
                return Ok(Ok(group));
            }
            slot = (slot + 1) & mask;
        }
    }

    #[inline]
    fn same(
        &self,
        cx: &Cx<'_>,
        keys: &EqualKeys,
        columns: &[Arc<Vector>],
        i: usize,
        group: usize,
    ) -> PgResult<bool> {
        for ((column, equality), &mine) in keys.columns.iter().zip(&self.key_columns) {
            if !equality.equal(cx, &columns[*column], i, &self.first_rows.columns[mine], group)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn add(&mut self, columns: &[Arc<Vector>], i: usize, hash: u64, slot: usize) -> u32 {
        let group = self.hashes.len() as u32;
        self.hashes.push(hash);
        for (mine, &from) in self.first_rows.columns.iter_mut().zip(&self.kept) {
            mine.push_from(&columns[from], i);
        }
        self.first_rows.rows += 1;
        self.slots[slot] = group + 1;
        if self.hashes.len() * 4 > self.slots.len() * 3 {
            self.grow();
        }
        group
    }

    fn grow(&mut self) {
        let size = self.slots.len() * 2;
        let mut slots = vec![0_u32; size];
        for (group, hash) in self.hashes.iter().enumerate() {
            let mut slot = *hash as usize & (size - 1);
            while slots[slot] != 0 {
                slot = (slot + 1) & (size - 1);
            }
            slots[slot] = group as u32 + 1;
        }
        self.slots = slots;
    }
}
