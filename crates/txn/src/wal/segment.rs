//! Files of the log: names, headers, writing, rotation, recycling.
//!
//! # How it works
//! A segment is named by its number (16 hex digits) and holds the records from its `start` LSN on, each at offset
//! `HEADER + lsn - start`. When it has grown past the configured size the next batch goes to a new one. A new segment
//! is made under another name, with its header synced, and renamed: whatever has a segment's name has a valid header.
//! Its header says where the log before it ends (`previous_end`): what stands beyond that in older segments is void,
//! which is how records whose sync failed are kept from coming back.
//!
//! # Invariants
//! - Nothing is written to a segment before all of the older ones (up to `previous_end`) is on disk.
//! - LSNs never repeat: after a failure the next segment starts above every LSN handed out before.

use std::io;
use std::path::{Path, PathBuf};

use common::env::{Env, File, FileSystem, OpenMode};

use crate::error::{TxnError, TxnResult};
use crate::sync::Arc;

/// Bytes of a segment's header.
pub(crate) const SEGMENT_HEADER: usize = 64;
const MAGIC: &[u8; 8] = b"PGLITWAL";
const VERSION: u32 = 1;
/// Where the log of a new database begins, so that 0 can mean "none".
pub(crate) const FIRST_LSN: u64 = 64;
/// Name of a segment in the making.
const NEW: &str = "new";
const SPARE: &str = "spare-";
/// Old segments kept for reuse: writing over allocated blocks syncs faster than growing a file.
const SPARES_MAX: usize = 2;

/// What a segment says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub number: u64,
    /// LSN of its first record.
    pub start: u64,
    /// Where the valid log before it ends.
    pub previous_end: u64,
    /// Goes into every record's checksum.
    pub salt: u64,
}

impl SegmentHeader {
    fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut out = [0; SEGMENT_HEADER];
        out[..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        let words = [self.number, self.start, self.previous_end, self.salt];
        for (at, word) in words.into_iter().enumerate() {
            out[16 + 8 * at..24 + 8 * at].copy_from_slice(&word.to_le_bytes());
        }
        let crc = crc32c::crc32c(&out[..60]);
        out[60..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8; SEGMENT_HEADER]) -> Result<SegmentHeader, &'static str> {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        if &bytes[..8] != MAGIC {
            return Err("not a log segment");
        }
        if word(56) >> 32 != u64::from(crc32c::crc32c(&bytes[..60])) {
            return Err("header checksum mismatch");
        }
        if word(8) as u32 != VERSION {
            return Err("unknown format version");
        }
        Ok(SegmentHeader {
            number: word(16),
            start: word(24),
            previous_end: word(32),
            salt: word(40),
        })
    }

    /// Where `lsn` stands in the file.
    pub(crate) fn offset(&self, lsn: u64) -> u64 {
        SEGMENT_HEADER as u64 + (lsn - self.start)
    }
}

pub(crate) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016x}"))
}

/// The segment numbers in a directory, ascending, and the leftovers (spares, unfinished segments).
pub(crate) fn list(fs: &dyn FileSystem, dir: &Path) -> TxnResult<(Vec<u64>, Vec<PathBuf>)> {
    let names = fs
        .read_dir(dir)
        .map_err(|e| TxnError::io(format!("could not open directory \"{}\"", dir.display()), e))?;
    let (mut numbers, mut leftovers) = (Vec::new(), Vec::new());
    for name in names {
        let Some(text) = name.to_str() else { continue };
        if text == NEW || text.starts_with(SPARE) {
            leftovers.push(dir.join(text));
        } else if text.len() == 16
            && let Ok(number) = u64::from_str_radix(text, 16)
        {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok((numbers, leftovers))
}

/// Reads and checks the header of a segment.
pub(crate) fn read_header(file: &dyn File, path: &Path, number: u64) -> TxnResult<SegmentHeader> {
    let mut bytes = [0; SEGMENT_HEADER];
    let corrupt = |why: &str| {
        TxnError::Corrupt(format!(
            "invalid write-ahead log file \"{}\": {why}",
            path.display()
        ))
    };
    file.read_exact_at(&mut bytes, 0).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => corrupt("header cut short"),
        _ => TxnError::io(format!("could not read file \"{}\"", path.display()), e),
    })?;
    let header = SegmentHeader::decode(&bytes).map_err(corrupt)?;
    if header.number != number {
        return Err(corrupt("number does not match name"));
    }
    Ok(header)
}

/// How far a write got.
#[derive(Debug)]
pub(crate) enum WriteFailure {
    /// No segment to write to: nothing was written.
    NoSegment(TxnError),
    /// Something may have been written.
    Written(TxnError),
}

struct Current {
    header: SegmentHeader,
    file: Arc<dyn File>,
    path: PathBuf,
    /// Bytes that need no growing of the file.
    allocated: u64,
    /// LSN after the last record known to be on disk.
    durable: u64,
}

/// The writing end. Only the commit leader uses it (or whoever holds the log's lock after a failure).
pub(crate) struct Writer {
    env: Arc<dyn Env>,
    dir: PathBuf,
    segment_size: u64,
    salt: u64,
    /// None: the next write begins a segment.
    current: Option<Current>,
    last_number: u64,
    /// Where the valid log ends, for the header of the next segment.
    end: u64,
    /// Older segments: number and start.
    sealed: Vec<(u64, u64)>,
    spares: Vec<PathBuf>,
}

/// Where writing goes on after recovery.
pub(crate) struct WriterStart {
    /// Every segment found: number and start.
    pub segments: Vec<(u64, u64)>,
    /// LSN after the last valid record.
    pub end: u64,
    /// The last segment, if it may be continued.
    pub reopen: Option<(SegmentHeader, Arc<dyn File>)>,
    /// Salt for new segments.
    pub salt: u64,
}

impl Writer {
    pub(crate) fn new(
        env: Arc<dyn Env>,
        dir: PathBuf,
        segment_size: u64,
        start: WriterStart,
    ) -> TxnResult<Writer> {
        let mut sealed = start.segments;
        let last_number = sealed.last().map_or(0, |(number, _)| *number);
        let mut current = None;
        if let Some((header, file)) = start.reopen {
            let path = segment_path(&dir, header.number);
            let allocated = file
                .len()
                .map_err(|e| TxnError::io(format!("could not stat file \"{}\"", path.display()), e))?;
            sealed.pop();
            current = Some(Current {
                header,
                file,
                path,
                allocated,
                durable: start.end,
            });
        }
        Ok(Writer {
            env,
            dir,
            segment_size,
            salt: start.salt,
            current,
            last_number,
            end: start.end,
            sealed,
            spares: Vec::new(),
        })
    }

    /// Writes and syncs `bytes`, the records from `lsn` on.
    pub(crate) fn append(&mut self, bytes: &[u8], lsn: u64) -> Result<(), WriteFailure> {
        if self
            .current
            .as_ref()
            .is_none_or(|c| c.header.offset(lsn) >= self.segment_size)
        {
            self.begin_segment(lsn).map_err(WriteFailure::NoSegment)?;
        }
        let step = (self.segment_size / 16).clamp(1 << 16, 1 << 20);
        let Some(current) = &mut self.current else {
            return Err(WriteFailure::NoSegment(TxnError::Internal(
                "no log segment".to_owned(),
            )));
        };
        current.append(bytes, lsn, step).map_err(WriteFailure::Written)?;
        self.end = current.durable;
        Ok(())
    }

    /// Starts a new segment for records from `start` on; the valid log so far ends where it ends.
    pub(crate) fn begin_segment(&mut self, start: u64) -> TxnResult<()> {
        if self.current.as_ref().is_some_and(|c| c.header.start == start) {
            return Ok(()); // Just begun, nothing written yet: a write that failed would have used up LSNs.
        }
        // A segment without a durable record is replaced, so that a full disk does not fill up with empty ones.
        let replaces = self
            .current
            .as_ref()
            .filter(|c| c.durable == c.header.start)
            .map(|c| c.header);
        let number = replaces.map_or(self.last_number + 1, |header| header.number);
        let previous_end = replaces.map_or(self.end, |header| header.previous_end);
        let header = SegmentHeader {
            number,
            start,
            previous_end,
            salt: self.salt,
        };
        let (file, path) = self.create(&header)?;
        let allocated = file.len().unwrap_or(0);
        let next = Current {
            header,
            file,
            path,
            allocated,
            durable: start,
        };
        if let Some(old) = self.current.replace(next)
            && replaces.is_none()
        {
            self.sealed.push((old.header.number, old.header.start));
        }
        self.last_number = number;
        self.end = start;
        Ok(())
    }

    fn create(&mut self, header: &SegmentHeader) -> TxnResult<(Arc<dyn File>, PathBuf)> {
        let fs = self.env.fs();
        let path = segment_path(&self.dir, header.number);
        let failed = |e| TxnError::io(format!("could not create file \"{}\"", path.display()), e);
        let new = match self.spares.pop() {
            Some(spare) => spare,
            None => self.dir.join(NEW),
        };
        let make = || -> io::Result<Arc<dyn File>> {
            let file = fs.open(&new, OpenMode::OpenOrCreate)?;
            file.write_all_at(&header.encode(), 0)?;
            file.sync_all()?;
            fs.rename(&new, &path)?;
            fs.sync_dir(&self.dir)?;
            Ok(file)
        };
        match make() {
            Ok(file) => Ok((file, path)),
            Err(e) => {
                // Best effort: a leftover is removed at the next open.
                let _ = fs.remove_file(&new);
                Err(failed(e))
            }
        }
    }

    /// Makes what stands above the valid end of the current segment unreadable; for when no new segment can be made.
    pub(crate) fn void_tail(&mut self) -> TxnResult<()> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        let keep = current.header.offset(current.durable);
        let cut = || -> io::Result<()> {
            current.file.set_len(keep)?;
            current.file.sync_all()
        };
        cut().map_err(|e| {
            TxnError::io(
                format!("could not truncate file \"{}\"", current.path.display()),
                e,
            )
        })?;
        current.allocated = keep;
        Ok(())
    }

    /// Gives back the segments that hold nothing at or above `lsn`.
    pub(crate) fn recycle_below(&mut self, lsn: u64) -> TxnResult<()> {
        let fs = self.env.fs();
        let failed =
            |path: &Path, e| TxnError::io(format!("could not remove file \"{}\"", path.display()), e);
        let mut made = Vec::new();
        let mut changed = false;
        while let Some(&(number, _)) = self.sealed.first() {
            let next_start = match (self.sealed.get(1), &self.current) {
                (Some(&(_, start)), _) => start,
                (None, Some(current)) => current.header.start,
                (None, None) => self.end,
            };
            // The last segment found stays while there is no current one: its end is not on record elsewhere.
            if next_start > lsn || (self.sealed.len() == 1 && self.current.is_none()) {
                break;
            }
            let path = segment_path(&self.dir, number);
            if self.spares.len() + made.len() < SPARES_MAX {
                let spare = self.dir.join(format!("{SPARE}{number:016x}"));
                fs.rename(&path, &spare).map_err(|e| failed(&path, e))?;
                made.push(spare);
            } else {
                fs.remove_file(&path).map_err(|e| failed(&path, e))?;
            }
            changed = true;
            self.sealed.remove(0);
        }
        if changed {
            // Before a spare is written to: else a crash could find the new header under the old name.
            fs.sync_dir(&self.dir).map_err(|e| failed(&self.dir, e))?;
            self.spares.append(&mut made);
        }
        Ok(())
    }
}

impl Current {
    fn append(&mut self, bytes: &[u8], lsn: u64, step: u64) -> TxnResult<()> {
        debug_assert_eq!(lsn, self.durable);
        let (offset, end) = (
            self.header.offset(lsn),
            self.header.offset(lsn) + bytes.len() as u64,
        );
        let write = |e| TxnError::io(format!("could not write to file \"{}\"", self.path.display()), e);
        self.file.write_all_at(bytes, offset).map_err(write)?;
        if end > self.allocated {
            // Grow ahead: most syncs then change no metadata. A disk too full for that may still hold the next record.
            let target = end.next_multiple_of(step);
            self.allocated = match self.file.write_all_at(&vec![0; (target - end) as usize], end) {
                Ok(()) => target,
                Err(_) => end,
            };
        }
        self.file
            .sync_data()
            .map_err(|e| TxnError::io(format!("could not fsync file \"{}\"", self.path.display()), e))?;
        self.durable = lsn + bytes.len() as u64;
        Ok(())
    }
}
