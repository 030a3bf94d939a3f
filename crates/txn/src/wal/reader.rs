//! Reading the log back: recovery, archives, `pg_waldump`.
//!
//! # How the end is told from damage
//! The log ends at the first place of the last segment that holds no valid record. Three things may be found there:
//! 1. Nothing behind it belongs to this log: the clean end.
//! 2. Valid or torn records behind it, none of which says that the place had been on disk: the torn tail of a crash. Nobody
//!    was told that it was committed, so it is dropped. It must never be written after in place, or a leftover could
//!    become valid again: the writer begins a new segment whose header voids it.
//! 3. A valid record behind it that says the place had been on disk (its `durable` LSN is higher), or a later
//!    segment: acknowledged data is damaged. That is an error, never silent loss.
//!
//! Damage to the very last synced group cannot be told from a torn tail; `from` (a checkpoint's LSN) beyond the end can.

use std::path::{Path, PathBuf};

use common::Lsn;
use common::env::{Env, File, OpenMode};

use crate::error::{TxnError, TxnResult};
use crate::sync::Arc;
use crate::wal::record::{HEADER, Parsed, Record, parse, skip};
use crate::wal::segment::{self, FIRST_LSN, SEGMENT_HEADER, SegmentHeader, segment_path};

/// A segment found, from its header.
#[derive(Clone, Copy, Debug)]
struct Found {
    header: SegmentHeader,
    /// End of the valid log in it, known for all but the last.
    limit: Option<u64>,
}

/// What the reader found at the end.
pub(crate) struct LogEnd {
    /// LSN after the last record.
    pub lsn: u64,
    /// True when nothing of this log stands behind it.
    pub clean: bool,
    /// The last segment.
    pub last: Option<(SegmentHeader, Arc<dyn File>)>,
    /// All segments: number and start.
    pub segments: Vec<(u64, u64)>,
}

/// Reads the records of a log directory in order.
pub struct WalReader {
    env: Arc<dyn Env>,
    dir: PathBuf,
    segments: Vec<Found>,
    /// Index into `segments` of the one in `bytes`.
    at: usize,
    bytes: Vec<u8>,
    file: Option<Arc<dyn File>>,
    /// The next record.
    lsn: u64,
    clean: bool,
    done: bool,
}

impl WalReader {
    /// Reads from `from` (0: the oldest there is) in `dir`.
    pub fn open(env: &Arc<dyn Env>, dir: &Path, from: Lsn) -> TxnResult<WalReader> {
        let (numbers, _) = segment::list(env.fs(), dir)?;
        let mut segments: Vec<Found> = Vec::new();
        for number in numbers {
            let header = segment::read_header(
                &*open_segment(env, dir, number)?,
                &segment_path(dir, number),
                number,
            )?;
            if let Some(last) = segments.last_mut() {
                last.limit = Some(header.previous_end);
            }
            segments.push(Found { header, limit: None });
        }
        let mut reader = WalReader {
            env: Arc::clone(env),
            dir: dir.to_owned(),
            segments,
            at: 0,
            bytes: Vec::new(),
            file: None,
            lsn: from.0,
            clean: true,
            done: false,
        };
        reader.seek(from.0)?;
        Ok(reader)
    }

    /// The next record; None at the end of the log.
    pub fn next_record(&mut self) -> TxnResult<Option<Record<'_>>> {
        while !self.done {
            let Some(found) = self.segments.get(self.at).copied() else {
                break;
            };
            if found.limit.is_some_and(|limit| self.lsn >= limit) {
                self.load(self.at + 1)?;
                continue;
            }
            let Parsed::Valid(record, _) = parse(self.bytes_at(self.lsn), self.lsn, found.header.salt) else {
                if found.limit.is_some() {
                    return Err(self.damaged());
                }
                self.check_tail(&found.header)?;
                continue;
            };
            if found.limit.is_some_and(|limit| record.end.0 > limit) {
                return Err(self.damaged());
            }
            let (lsn, end, kind, xid, length) = (
                self.lsn,
                record.end,
                record.kind,
                record.xid,
                record.payload.len(),
            );
            self.lsn = end.0;
            let payload = self.bytes_at(lsn).get(HEADER..HEADER + length).unwrap_or(&[]);
            return Ok(Some(Record {
                lsn: Lsn(lsn),
                end,
                kind,
                xid,
                payload,
            }));
        }
        Ok(None)
    }

    /// LSN of the next record, or of the end.
    pub fn lsn(&self) -> Lsn {
        Lsn(self.lsn)
    }

    /// What came after the last record; only after `next_record` said None.
    pub(crate) fn into_end(self) -> LogEnd {
        LogEnd {
            lsn: self.lsn,
            clean: self.clean,
            last: self.segments.last().map(|s| s.header).zip(self.file),
            segments: self
                .segments
                .iter()
                .map(|s| (s.header.number, s.header.start))
                .collect(),
        }
    }

    /// Places the reader on the segment that holds `from`, and on `from` in it.
    fn seek(&mut self, from: u64) -> TxnResult<()> {
        let missing = || TxnError::Corrupt(format!("write-ahead log at {} is missing", display(from)));
        let Some(first) = self.segments.first() else {
            return if from <= FIRST_LSN { Ok(()) } else { Err(missing()) };
        };
        let from = if from == 0 { first.header.start } else { from };
        let at = match self.segments.iter().rposition(|s| s.header.start <= from) {
            Some(at) => at,
            // Between the end of the log before the first segment and its start there never was anything.
            None if first.header.previous_end <= from => 0,
            None => return Err(missing()),
        };
        // Older ones may be gone in any order: their removal may have been half done when the machine crashed.
        let used = self.segments.get(at..).unwrap_or_default();
        if used
            .windows(2)
            .any(|pair| pair[1].header.number != pair[0].header.number + 1)
        {
            return Err(TxnError::Corrupt(
                "a file of the write-ahead log is missing".to_owned(),
            ));
        }
        self.load(at)?;
        // From record to record by their lengths: what is below `from` need not be sound, but the log must reach it.
        let limit = self.segments.get(at).and_then(|s| s.limit).unwrap_or(u64::MAX);
        while self.lsn < from.min(limit) {
            self.lsn = skip(self.bytes_at(self.lsn), self.lsn).ok_or_else(missing)?;
        }
        let start = self.segments.get(at).map_or(0, |s| s.header.start);
        if self.lsn > from.max(start) && self.lsn <= limit {
            return Err(missing());
        }
        Ok(())
    }

    /// Reads a segment whole, and goes to its first record.
    fn load(&mut self, at: usize) -> TxnResult<()> {
        let Some(found) = self.segments.get(at) else {
            self.done = true;
            return Ok(());
        };
        let (path, file) = (
            segment_path(&self.dir, found.header.number),
            open_segment(&self.env, &self.dir, found.header.number)?,
        );
        let failed = |e| TxnError::io(format!("could not read file \"{}\"", path.display()), e);
        let len = file.len().map_err(failed)?.saturating_sub(SEGMENT_HEADER as u64);
        self.bytes.clear();
        self.bytes.resize(len as usize, 0);
        file.read_exact_at(&mut self.bytes, SEGMENT_HEADER as u64)
            .map_err(failed)?;
        self.lsn = found.header.start;
        self.at = at;
        self.file = Some(file);
        Ok(())
    }

    fn bytes_at(&self, lsn: u64) -> &[u8] {
        let start = self.segments.get(self.at).map_or(0, |s| s.header.start);
        let offset = usize::try_from(lsn.saturating_sub(start)).unwrap_or(usize::MAX);
        self.bytes.get(offset..).unwrap_or(&[])
    }

    /// Decides what the first invalid place of the last segment means.
    fn check_tail(&mut self, header: &SegmentHeader) -> TxnResult<()> {
        let end_of_file = header.start + self.bytes.len() as u64;
        let mut lsn = self.lsn;
        while lsn < end_of_file {
            match parse(self.bytes_at(lsn), lsn, header.salt) {
                Parsed::Valid(_, durable) if durable > self.lsn => return Err(self.damaged()),
                Parsed::Blank => {}
                Parsed::Valid(..) | Parsed::Torn => self.clean = false,
            }
            lsn += 8;
        }
        self.done = true;
        Ok(())
    }

    fn damaged(&self) -> TxnError {
        let number = self.segments.get(self.at).map_or(0, |s| s.header.number);
        TxnError::Corrupt(format!(
            "invalid record at {} in write-ahead log file \"{}\", with valid ones behind it",
            display(self.lsn),
            segment_path(&self.dir, number).display()
        ))
    }
}

fn open_segment(env: &Arc<dyn Env>, dir: &Path, number: u64) -> TxnResult<Arc<dyn File>> {
    let path = segment_path(dir, number);
    env.fs()
        .open(&path, OpenMode::ReadWrite)
        .map_err(|e| TxnError::io(format!("could not open file \"{}\"", path.display()), e))
}

/// As PostgreSQL prints an LSN: `0/16B3748`.
pub(crate) fn display(lsn: u64) -> String {
    format!("{:X}/{:X}", lsn >> 32, lsn & 0xFFFF_FFFF)
}
