//! A hash table from key columns to group numbers.

use std::sync::Arc;

use common::PgResult;
use types::{Batch, PhysType, Selection, Vector};

use crate::cx::Cx;
use crate::ints::{IntTable, compares_as_integer, integers};
use crate::keys::EqualKeys;
use crate::packed::{self, Packer};
use crate::spill::partitions::Partitions;
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
    /// In place of hashes and slots when there is one integer key; the group of NULL beside it.
    integers: Option<(IntTable, Option<u32>)>,
    scratch: Vec<i64>,
    /// Small keys as numbers, and the groups of those met: a quick way to most rows' groups.
    packed: Option<(Packer, IntTable)>,
    numbers: Vec<u64>,
    memory: MemoryUse,
}

/// True for a single key that is compared as an integer.
fn by_integer(keys: &EqualKeys, input: &[PhysType]) -> bool {
    match &keys.columns[..] {
        [(column, equality)] => {
            let phys = input.get(*column).copied().unwrap_or(PhysType::Nested);
            compares_as_integer(equality, &Vector::empty(phys))
        }
        _ => false,
    }
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
            integers: by_integer(keys, input).then(|| (IntTable::with_room(0), None)),
            scratch: Vec::new(),
            packed: Packer::new(keys, input).map(|packer| (packer, IntTable::with_room(0))),
            numbers: Vec::new(),
            memory: MemoryUse::default(),
        }
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.first_rows.rows
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
        out.clear();
        if self.assign_integers(keys, columns, sel, out) {
            let bytes = self.memory_bytes();
            return self.memory.cover(cx, bytes);
        }
        if self.packed.is_some() {
            self.assign_packed(cx, keys, columns, sel, out)?;
        } else {
            let hashes = keys.hash(cx, columns, sel)?;
            for (i, hash) in sel.iter().zip(hashes) {
                let group = match self.find(cx, keys, columns, i, hash)? {
                    Ok(group) => group,
                    Err(slot) => self.add(columns, i, hash, slot),
                };
                out.push(group);
            }
        }
        let bytes = self.memory_bytes();
        self.memory.cover(cx, bytes)
    }

    /// The same by small keys: what their numbers do not tell is looked up in the table.
    fn assign_packed(
        &mut self,
        cx: &Cx<'_>,
        keys: &EqualKeys,
        columns: &[Arc<Vector>],
        sel: &Selection,
        out: &mut Vec<u32>,
    ) -> PgResult<()> {
        let Some((packer, known)) = &self.packed else {
            return Ok(());
        };
        let mut numbers = std::mem::take(&mut self.numbers);
        let strangers = packer.pack(columns, sel, &mut numbers);
        let mut missing: Vec<(usize, u16)> = Vec::new();
        for (k, i) in sel.iter().enumerate() {
            let group = match numbers[k] {
                packed::NONE => None,
                number => known.get(number as i64),
            };
            if group.is_none() {
                missing.push((k, i as u16));
            }
            out.push(group.unwrap_or(0));
        }
        if !missing.is_empty() {
            let rows = Selection::Rows(missing.iter().map(|m| m.1).collect());
            let hashes = keys.hash(cx, columns, &rows)?;
            for ((k, i), hash) in missing.into_iter().zip(hashes) {
                let i = usize::from(i);
                out[k] = match self.find(cx, keys, columns, i, hash)? {
                    Ok(group) => group,
                    Err(slot) => self.add(columns, i, hash, slot),
                };
                if let (Some((_, known)), true) = (&mut self.packed, numbers[k] != packed::NONE) {
                    known.replace(numbers[k] as i64, out[k]);
                }
            }
        }
        self.numbers = numbers;
        if strangers * 2 > sel.len() {
            self.packed = None;
        }
        Ok(())
    }

    /// The same by one integer key; false when there is none.
    fn assign_integers(
        &mut self,
        keys: &EqualKeys,
        columns: &[Arc<Vector>],
        sel: &Selection,
        out: &mut Vec<u32>,
    ) -> bool {
        let (Some((table, null)), Some((column, _))) = (&mut self.integers, keys.columns.first()) else {
            return false;
        };
        let key = &columns[*column];
        if !integers(key, sel, &mut self.scratch) {
            return false;
        }
        let nulls = key.may_have_nulls();
        // Rows of a group often come together: a table ordered by the key, or nearly.
        let mut last: Option<(i64, u32)> = None;
        for (i, value) in sel.iter().zip(&self.scratch) {
            let null_here = nulls && key.is_null(i);
            if let Some((_, group)) = last.filter(|(before, _)| before == value && !null_here) {
                out.push(group);
                continue;
            }
            let next = self.first_rows.rows as u32;
            let known = match null_here {
                true => null.replace(null.unwrap_or(next)),
                false => table.get_or_insert(*value, next),
            };
            if known.is_none() {
                for (mine, &from) in self.first_rows.columns.iter_mut().zip(&self.kept) {
                    mine.push_from(&columns[from], i);
                }
                self.first_rows.rows += 1;
            }
            let group = known.unwrap_or(next);
            last = (!null_here).then_some((*value, group));
            out.push(group);
        }
        true
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

    /// The rows of known groups, their numbers in `out`; those of others go to files. `None` when no group is known.
    pub fn assign_or_spill(
        &self,
        cx: &Cx<'_>,
        keys: &EqualKeys,
        batch: &Batch,
        out: &mut Vec<u32>,
        parts: &mut Partitions,
    ) -> PgResult<Option<Batch>> {
        let (known, unknown, hashes) = self.assign_known(cx, keys, batch, out)?;
        parts.add(cx, &batch.columns, &unknown, &hashes)?;
        Ok((!known.is_empty()).then(|| Batch {
            selection: known,
            ..batch.clone()
        }))
    }

    /// Bytes of the table and its first rows.
    pub fn memory_bytes(&self) -> usize {
        let integers = self
            .integers
            .as_ref()
            .map_or(0, |(table, _)| table.memory_bytes());
        let integers = integers + self.packed.as_ref().map_or(0, |(_, table)| table.memory_bytes());
        self.first_rows.memory_bytes() + self.slots.len() * 4 + self.hashes.len() * 8 + integers
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
        if let (Some((table, null)), Some((column, _))) = (&self.integers, keys.columns.first()) {
            let key = &columns[*column];
            let found = match key.is_null(i) {
                true => *null,
                false => key.integer(i).and_then(|v| table.get(v)),
            };
            return Ok(found.ok_or(0));
        }
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
