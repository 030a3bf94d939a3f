//! One record of the log: a 32-byte header, the payload, padding to 8 bytes.
//!
//! # Format (little endian)
//! ```text
//!  0  u32  crc32c over payload, header bytes 4..32, salt of the log
//!  4  u32  payload length
//!  8  u64  LSN of this record
//! 16  u64  xid, or 0
//! 24  u32  LSN minus the LSN known to be on disk when the record was made (saturating)
//! 28  u8   kind
//! 29  3 x u8  zero
//! ```
//!
//! # Invariants
//! - A record is valid only at its own LSN and under its own salt, so leftovers of recycled files never are.

use common::{Lsn, Xid};

pub(crate) const HEADER: usize = 32;
/// Payloads beyond this are refused; `access` cuts its work into chunks long before.
pub(crate) const PAYLOAD_MAX: usize = 1 << 30;

/// What kind of record; numbers from [`RecordKind::FIRST_OTHER`] on are `access`'s own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordKind(pub u8);

impl RecordKind {
    /// A committed transaction: puts and deletes, or the last part of them.
    pub const COMMIT: RecordKind = RecordKind(1);
    /// A part of a large transaction; counts only if the COMMIT of its xid follows.
    pub const CHUNK: RecordKind = RecordKind(2);
    /// The chunks of this xid so far are void.
    pub const ABORT: RecordKind = RecordKind(3);
    /// A sequence advances, outside transactions.
    pub const SEQUENCE: RecordKind = RecordKind(4);
    /// A checkpoint begins or ended.
    pub const CHECKPOINT: RecordKind = RecordKind(5);
    /// A transaction is prepared (two-phase commit).
    pub const PREPARE: RecordKind = RecordKind(6);
    /// First of the kinds that `access` defines.
    pub const FIRST_OTHER: RecordKind = RecordKind(64);
}

/// A record read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where it begins.
    pub lsn: Lsn,
    /// Where the next one begins.
    pub end: Lsn,
    /// What it is.
    pub kind: RecordKind,
    /// The transaction, or 0.
    pub xid: Xid,
    /// What the writer gave.
    pub payload: &'a [u8],
}

/// What goes into a header besides the payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub lsn: u64,
    /// All below it was on disk when the record was made.
    pub durable: u64,
    pub xid: Xid,
    pub kind: RecordKind,
    pub salt: u64,
}

/// Bytes that a payload takes in the log.
pub(crate) fn framed_len(payload: usize) -> u64 {
    (HEADER + payload).next_multiple_of(8) as u64
}

/// The part of the checksum that needs no lock.
pub(crate) fn payload_crc(payload: &[u8]) -> u32 {
    crc32c::crc32c(payload)
}

/// Appends a framed record. `payload_crc` is that of the payload.
pub(crate) fn encode(out: &mut Vec<u8>, frame: &Frame, payload: &[u8], payload_crc: u32) {
    let unsynced = u32::try_from(frame.lsn.saturating_sub(frame.durable)).unwrap_or(u32::MAX);
    let mut header = [0; HEADER];
    header[4..8].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    header[8..16].copy_from_slice(&frame.lsn.to_le_bytes());
    header[16..24].copy_from_slice(&frame.xid.0.to_le_bytes());
    header[24..28].copy_from_slice(&unsynced.to_le_bytes());
    header[28] = frame.kind.0;
    let crc = seal(payload_crc, &header[4..], frame.salt);
    header[..4].copy_from_slice(&crc.to_le_bytes());
    let end = out.len() + framed_len(payload.len()) as usize;
    out.extend_from_slice(&header);
    out.extend_from_slice(payload);
    out.resize(end, 0);
}

fn seal(payload_crc: u32, header: &[u8], salt: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(payload_crc, header), &salt.to_le_bytes())
}

/// What stands at a position of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parsed<'a> {
    /// A whole record, and the LSN that it says was on disk when it was made.
    Valid(Record<'a>, u64),
    /// The start of a record of this place, damaged or cut short.
    Torn,
    /// Nothing that was ever written for this place.
    Blank,
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// Reads the record at the start of `bytes`, which is the log from `lsn` on.
pub(crate) fn parse(bytes: &[u8], lsn: u64, salt: u64) -> Parsed<'_> {
    if field(bytes, 8).map(u64::from_le_bytes) != Some(lsn) {
        return Parsed::Blank;
    }
    match parse_at_place(bytes, lsn, salt) {
        Some((record, durable)) => Parsed::Valid(record, durable),
        None => Parsed::Torn,
    }
}

/// The LSN after the record at the start of `bytes`, judged by its header alone.
pub(crate) fn skip(bytes: &[u8], lsn: u64) -> Option<u64> {
    let length = u32::from_le_bytes(field(bytes, 4)?) as usize;
    let end = lsn.checked_add(framed_len(length))?;
    (field(bytes, 8).map(u64::from_le_bytes) == Some(lsn)).then_some(end)
}

fn parse_at_place(bytes: &[u8], lsn: u64, salt: u64) -> Option<(Record<'_>, u64)> {
    let length = u32::from_le_bytes(field(bytes, 4)?) as usize;
    let header = bytes.get(4..HEADER)?;
    let payload = bytes.get(HEADER..HEADER.checked_add(length)?)?;
    if u32::from_le_bytes(field(bytes, 0)?) != seal(payload_crc(payload), header, salt) {
        return None;
    }
    let unsynced = u32::from_le_bytes(field(bytes, 24)?);
    let record = Record {
        lsn: Lsn(lsn),
        end: Lsn(lsn.checked_add(framed_len(length))?),
        kind: RecordKind(*bytes.get(28)?),
        xid: Xid(u64::from_le_bytes(field(bytes, 16)?)),
        payload,
    };
    Some((record, lsn.saturating_sub(u64::from(unsynced))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(lsn: u64, durable: u64, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let frame = Frame {
            lsn,
            durable,
            xid: Xid(7),
            kind: RecordKind::COMMIT,
            salt: 99,
        };
        encode(&mut out, &frame, payload, payload_crc(payload));
        out
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            payload in proptest::collection::vec(any::<u8>(), 0..200), lsn in 64u64..1 << 40, behind in 0u64..1 << 33,
        ) {
            let bytes = framed(lsn, lsn.saturating_sub(behind), &payload);
            prop_assert_eq!(bytes.len() as u64, framed_len(payload.len()));
            let Parsed::Valid(record, durable) = parse(&bytes, lsn, 99) else {
                return Err(TestCaseError::fail("not valid"));
            };
            prop_assert_eq!(record.payload, &payload[..]);
            prop_assert_eq!((record.xid, record.kind), (Xid(7), RecordKind::COMMIT));
            prop_assert_eq!(record.end.0, lsn + bytes.len() as u64);
            prop_assert_eq!(durable, lsn.saturating_sub(behind.min(u64::from(u32::MAX))));
        }

        #[test]
        fn no_damage_goes_unseen(
            payload in proptest::collection::vec(any::<u8>(), 1..100), at in any::<prop::sample::Index>(), bit in 0u8..8,
        ) {
            let mut bytes = framed(4096, 64, &payload);
            // Padding is not covered: it means nothing.
            let at = at.index(HEADER + payload.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(!matches!(parse(&bytes, 4096, 99), Parsed::Valid(..)));
        }

        #[test]
        fn any_bytes_are_safe(bytes in proptest::collection::vec(any::<u8>(), 0..100), lsn in any::<u64>()) {
            prop_assert!(!matches!(parse(&bytes, lsn, 1), Parsed::Valid(..)));
        }
    }

    #[test]
    fn a_record_is_valid_only_in_its_place_and_log() {
        let bytes = framed(4096, 64, b"abc");
        assert!(matches!(parse(&bytes, 4096, 99), Parsed::Valid(..)));
        assert_eq!(parse(&bytes, 4104, 99), Parsed::Blank);
        assert_eq!(parse(&bytes, 4096, 98), Parsed::Torn);
        assert_eq!(parse(&bytes[..34], 4096, 99), Parsed::Torn);
        assert_eq!(parse(&[0; 64], 4096, 99), Parsed::Blank);
    }
}
