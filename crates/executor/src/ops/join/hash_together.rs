//! Hash joins whose table participants of a Gather build together.
//!
//! # How it works
//! Each participant reads the part of the inner side that falls to it; the last to end makes one table of all parts, and everybody
//! probes it. When the parts together outgrow the memory of as many tables as there are participants, all go on by dividing their rows
//! over files, then their outer rows likewise. When nobody divides any more, each takes one pair of parts after the other, files of all
//! participants, and joins it by itself.

use std::sync::Arc;

use common::{PgResult, internal};
use types::BATCH_ROWS;

use crate::cx::Cx;
use crate::ops::join::hash::HashJoinOp;
use crate::ops::join::hash_table::{BuildPart, HashTable};
use crate::parallel::share::{Arrival, BuildShare, Files, Outcome, ReaderGuard};
use crate::spill::partitions::Partitions;

impl HashJoinOp {
    /// Builds the table in common; false when there is none, but parts to join.
    pub(super) fn build_together(&mut self, cx: &mut Cx<'_>, share: &Arc<BuildShare>) -> PgResult<bool> {
        if let Arrival::Read = share.arrive() {
            let mut reader = ReaderGuard::new(share);
            let (part, files) = self.read_part(cx, share)?;
            match reader.leave(part, files) {
                Some((parts, false)) => reader.publish(Arc::new(self.table_of_parts(cx, parts)?)),
                Some((parts, true)) => reader.divide(self.divide_parts(cx, parts)?),
                None => {}
            }
        }
        let Some(team) = cx.run.team.clone() else {
            return Err(internal!("shared hash table without a team"));
        };
        match share.wait(&team)? {
            Outcome::Table(table) => {
                self.use_table(cx, table);
                return Ok(true);
            }
            Outcome::Divide => {
                let mut divider = ReaderGuard::new(share);
                let files = self.outer_parts(cx, &mut None, 0)?;
                self.summary.disk += files.iter().flatten().map(|file| file.bytes()).sum::<u64>();
                divider.leave_outer(files);
                share.wait_divided(&team)?;
            }
            Outcome::Join => {
                if self.outer.next(cx, BATCH_ROWS)?.is_some() {
                    return Err(internal!("outer rows of a shared hash join after their end"));
                }
            }
            Outcome::Apart => return Err(internal!("shared hash table was given up")),
        }
        self.summary.batches = crate::spill::partitions::FANOUT as u64;
        self.shared_tasks = Some(Arc::clone(share));
        Ok(false)
    }

    /// The part of the inner side that falls to this participant: in memory, or in files.
    fn read_part(&mut self, cx: &mut Cx<'_>, share: &BuildShare) -> PgResult<(BuildPart, Option<Files>)> {
        let mut rows = self.no_inner_rows(0);
        let bytes_max = cx.ext.hash_mem_bytes;
        let mut counted = 0;
        while let Some(batch) = self.inner.next(cx, BATCH_ROWS)? {
            self.take_inner(cx, &batch, &mut rows, |bytes| {
                let more = bytes.saturating_sub(counted);
                counted = bytes.max(counted);
                share.outgrows(more, bytes_max)
            })?;
        }
        let files = rows
            .divided
            .map(|parts| self.finish_inner(cx, parts))
            .transpose()?;
        Ok((rows.part, files))
    }

    /// Parts of others that were still in memory.
    fn divide_parts(&mut self, cx: &Cx<'_>, parts: Vec<BuildPart>) -> PgResult<Vec<Files>> {
        let divide = |mut part: BuildPart| {
            let parts = self.divide_inner(cx, &mut part, 0)?;
            self.finish_inner(cx, parts)
        };
        parts.into_iter().map(divide).collect()
    }

    fn finish_inner(&mut self, cx: &Cx<'_>, parts: Partitions) -> PgResult<Files> {
        let files = parts.finish(cx)?;
        self.summary.disk += files.iter().flatten().map(|file| file.bytes()).sum::<u64>();
        Ok(files)
    }

    /// One table of all parts, appended to the largest.
    fn table_of_parts(&mut self, cx: &Cx<'_>, mut parts: Vec<BuildPart>) -> PgResult<HashTable> {
        parts.sort_by_key(|p| std::cmp::Reverse(p.columns.rows));
        let mut parts = parts.into_iter();
        let Some(mut all) = parts.next() else {
            return Err(internal!("hash table of no parts"));
        };
        for part in parts {
            all.append(cx, part)?;
        }
        self.table(cx, all)
    }
}
