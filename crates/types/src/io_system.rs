//! Input and output of `tid`, `pg_lsn` and snapshots (`pg_snapshot`, `txid_snapshot`).
//!
//! # Format
//! A `tid` is block and offset in one number, `block << 16 | offset`. A snapshot lies as on the wire: number of running
//! transactions (4 bytes), xmin, xmax, then the running ones (8 bytes each), big-endian.

use common::{PgResult, pg_err};

use crate::Datum;
use crate::io::{IoContext, invalid_input, wrong_datum};
use crate::wire::{Wire, bad_binary, done};

fn int8(value: &Datum, name: &str) -> PgResult<i64> {
    match value {
        Datum::Int8(v) => Ok(*v),
        other => Err(wrong_datum(name, other)),
    }
}

fn parse_tid(text: &str) -> Option<i64> {
    // As PostgreSQL: the first number stands behind the first parenthesis or comma, the second behind the next comma.
    let mut starts = Vec::new();
    for (at, c) in text.char_indices() {
        if starts.len() == 2 || c == ')' {
            break;
        }
        if c == ',' || (c == '(' && starts.is_empty()) {
            starts.push(at + 1);
        }
    }
    let [block, item] = starts[..] else { return None };
    let number = |from: usize, end: char| -> Option<u64> {
        let rest = &text[from..];
        let digits = rest.trim_start_matches(crate::io_text::is_space);
        let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
        let len = unsigned.bytes().take_while(u8::is_ascii_digit).count();
        if len == 0 {
            // No number at all is 0, for which nothing is taken.
            return rest.starts_with(end).then_some(0);
        }
        let value: u64 = unsigned[..len].parse().ok()?;
        let value = if digits.starts_with('-') {
            value.wrapping_neg()
        } else {
            value
        };
        unsigned[len..].starts_with(end).then_some(value)
    };
    let block = number(block, ',')?;
    let item = u16::try_from(number(item, ')')?).ok()?;
    // A block beyond 32 bits is refused, unless it is a negative number of 32.
    let kept = block as u32;
    let fits = block == u64::from(kept) || block == i64::from(kept as i32) as u64;
    fits.then(|| i64::from(kept) << 16 | i64::from(item))
}

/// `tid` from text.
pub fn tid_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    let value = parse_tid(text).ok_or_else(|| invalid_input("tid", text))?;
    Ok(Datum::Int8(value))
}

/// `tid` to text.
pub fn tid_out(value: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    let v = int8(value, "tid")?;
    out.push_str(&format!("({},{})", v >> 16, v & 0xffff));
    Ok(())
}

/// `tid` from the wire.
pub fn tid_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    match *bytes {
        [a, b, c, d, e, f] => Ok(Datum::Int8(i64::from_be_bytes([0, 0, a, b, c, d, e, f]))),
        _ => Err(bad_binary()),
    }
}

/// `tid` to the wire.
pub fn tid_send(value: &Datum, _: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    out.extend_from_slice(&int8(value, "tid")?.to_be_bytes()[2..]);
    Ok(())
}

fn parse_lsn(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    let half = |s: &str| {
        let plain = (1..=8).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_hexdigit());
        u64::from_str_radix(s, 16).ok().filter(|_| plain)
    };
    Some(half(high)? << 32 | half(low)?)
}

/// `pg_lsn` from text.
pub fn pg_lsn_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    let value = parse_lsn(text).ok_or_else(|| invalid_input("pg_lsn", text))?;
    Ok(Datum::Int8(value as i64))
}

/// `pg_lsn` to text.
pub fn pg_lsn_out(value: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    let v = int8(value, "pg_lsn")? as u64;
    out.push_str(&format!("{:X}/{:X}", v >> 32, v & 0xffff_ffff));
    Ok(())
}

/// A snapshot taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Everything before has ended.
    pub xmin: u64,
    /// Nothing from here on has ended.
    pub xmax: u64,
    /// Those between that still ran.
    pub running: Vec<u64>,
}

impl Snapshot {
    /// The parts of a value in memory.
    pub fn new(value: &[u8]) -> Snapshot {
        let mut words = value
            .get(4..)
            .unwrap_or(&[])
            .chunks_exact(8)
            .map(|c| c.iter().fold(0u64, |v, b| v << 8 | u64::from(*b)));
        Snapshot {
            xmin: words.next().unwrap_or(0),
            xmax: words.next().unwrap_or(0),
            running: words.collect(),
        }
    }

    /// The form in memory.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = (self.running.len() as u32).to_be_bytes().to_vec();
        for v in [&self.xmin, &self.xmax].into_iter().chain(&self.running) {
            out.extend_from_slice(&v.to_be_bytes());
        }
        out
    }

    fn parse(text: &str) -> Option<Snapshot> {
        let mut parts = text.splitn(3, ':');
        let number = |s: &str| -> Option<u64> { s.trim_start_matches(crate::io_text::is_space).parse().ok() };
        let (xmin, xmax) = (number(parts.next()?)?, number(parts.next()?)?);
        let list = parts.next()?;
        if !is_valid(xmin) || !is_valid(xmax) || xmax < xmin || xmax > i64::MAX as u64 {
            return None;
        }
        let mut running: Vec<u64> = Vec::new();
        // A comma may stand at the end.
        let list = list.strip_suffix(',').unwrap_or(list);
        for item in list.split(',').filter(|_| !list.is_empty()) {
            let value = number(item)?;
            let last = running.last().copied().unwrap_or(0);
            if value < xmin || value >= xmax || value < last {
                return None;
            }
            if value != last {
                running.push(value);
            }
        }
        Some(Snapshot { xmin, xmax, running })
    }

    /// The text form.
    pub fn push_text(&self, out: &mut String) {
        out.push_str(&format!("{}:{}:", self.xmin, self.xmax));
        for (i, xid) in self.running.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            out.push_str(&xid.to_string());
        }
    }

    /// True when the transaction had ended.
    pub fn sees(&self, xid: u64) -> bool {
        xid < self.xmin || (xid < self.xmax && self.running.binary_search(&xid).is_err())
    }
}

/// A snapshot from text.
pub fn snapshot_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    let value = Snapshot::parse(text).ok_or_else(|| invalid_input("pg_snapshot", text))?;
    Ok(Datum::Bytes(value.to_bytes().into()))
}

/// A snapshot to text.
pub fn snapshot_out(value: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    match value {
        Datum::Bytes(b) => Snapshot::new(b).push_text(out),
        other => return Err(wrong_datum("pg_snapshot", other)),
    }
    Ok(())
}

/// An id whose lower half is 0 stands for no transaction.
fn is_valid(xid: u64) -> bool {
    xid as u32 != 0
}

/// Most transactions that a snapshot from the wire lists.
const RUNNING_MAX: i32 = 0x3fff_ffff / 8 - 3;

/// A snapshot from the wire.
pub fn snapshot_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    let bad = || pg_err!(INVALID_BINARY_REPRESENTATION, "invalid external pg_snapshot data");
    let mut wire = Wire(bytes);
    let count = wire.int()?;
    if !(0..=RUNNING_MAX).contains(&count) {
        return Err(bad());
    }
    let (xmin, xmax) = (wire.int8()? as u64, wire.int8()? as u64);
    if !is_valid(xmin) || !is_valid(xmax) || xmax < xmin {
        return Err(bad());
    }
    let mut running: Vec<u64> = Vec::new();
    for _ in 0..count {
        let xid = wire.int8()? as u64;
        if xid < running.last().copied().unwrap_or(0) || !(xmin..=xmax).contains(&xid) {
            return Err(bad());
        }
        if running.last() != Some(&xid) {
            running.push(xid);
        }
    }
    done(wire.0)?;
    let snapshot = Snapshot { xmin, xmax, running };
    Ok(Datum::Bytes(snapshot.to_bytes().into()))
}
