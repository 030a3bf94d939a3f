//! Input and output of `inet`, `cidr`, `macaddr` and `macaddr8`.
//!
//! # Format
//! `inet` and `cidr` alike: family (2: IPv4, 3: IPv6), bits of the mask, the address (4 or 16 bytes). Hardware addresses are
//! their 6 or 8 bytes.

use core::net::{Ipv4Addr, Ipv6Addr};

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};

use crate::Datum;
use crate::io::{IoContext, invalid_input, wrong_datum};
use crate::io_text::is_space;
use crate::wire::{Wire, done, no_data};

/// Family byte of IPv4.
pub const FAMILY_V4: u8 = 2;
/// Family byte of IPv6.
pub const FAMILY_V6: u8 = 3;

/// An address with its mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inet {
    /// [`FAMILY_V4`] or [`FAMILY_V6`].
    pub family: u8,
    /// Length of the network part.
    pub bits: u8,
    /// The address, in the first four bytes for IPv4.
    pub addr: [u8; 16],
}

impl Inet {
    /// The parts of a value in memory.
    pub fn new(value: &[u8]) -> Inet {
        let mut addr = [0; 16];
        let (family, bits, rest) = match value {
            [family, bits, rest @ ..] => (*family, *bits, rest),
            _ => (FAMILY_V4, 0, &[][..]),
        };
        for (to, from) in addr.iter_mut().zip(rest) {
            *to = *from;
        }
        Inet { family, bits, addr }
    }

    /// The form in memory.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![self.family, self.bits];
        out.extend_from_slice(self.address());
        out
    }

    /// Bytes of an address of this family.
    pub fn width(&self) -> usize {
        if self.family == FAMILY_V4 { 4 } else { 16 }
    }

    /// Bits of an address of this family.
    pub fn bits_max(&self) -> u8 {
        (self.width() * 8) as u8
    }

    /// The bytes of the address.
    pub fn address(&self) -> &[u8] {
        &self.addr[..self.width()]
    }

    /// The address with everything right of the first `bits` cleared.
    pub fn masked(&self, bits: u8) -> [u8; 16] {
        let mut out = self.addr;
        for (i, b) in out.iter_mut().enumerate() {
            let keep = usize::from(bits).saturating_sub(i * 8).min(8);
            *b &= (0xff00u16 >> keep) as u8;
        }
        out
    }

    /// True without bits right of the mask, as `cidr` demands.
    pub fn is_network(&self) -> bool {
        self.masked(self.bits) == self.addr
    }

    /// The address without the mask.
    pub fn push_host(&self, out: &mut String) {
        if self.family == FAMILY_V4 {
            let [a, b, c, d, ..] = self.addr;
            out.push_str(&Ipv4Addr::new(a, b, c, d).to_string());
        } else {
            push_v6(&self.addr, out);
        }
    }

    /// The text of `inet`: the mask is left out when it covers everything.
    pub fn push_inet(&self, out: &mut String) {
        self.push_host(out);
        if self.bits != self.bits_max() {
            out.push_str(&format!("/{}", self.bits));
        }
    }

    /// The text of `cidr`.
    pub fn push_cidr(&self, out: &mut String) {
        self.push_host(out);
        out.push_str(&format!("/{}", self.bits));
    }
}

/// IPv6 as BIND prints it: the first longest run of at least two zero words becomes `::`.
fn push_v6(addr: &[u8; 16], out: &mut String) {
    let word = |i: usize| u16::from_be_bytes([addr[i * 2], addr[i * 2 + 1]]);
    let (mut best, mut run) = ((0, 0), (0, 0));
    for i in 0..8 {
        run = if word(i) == 0 {
            (if run.1 == 0 { i } else { run.0 }, run.1 + 1)
        } else {
            (0, 0)
        };
        if run.1 > best.1 {
            best = run;
        }
    }
    let (base, len) = if best.1 < 2 { (8, 0) } else { best };
    let mut i = 0;
    while i < 8 {
        if i == base {
            out.push_str(if i + len == 8 { "::" } else { ":" });
            i += len;
            continue;
        }
        if i > 0 {
            out.push(':');
        }
        let embeds_v4 =
            base == 0 && (len == 6 || (len == 7 && word(7) != 1) || (len == 5 && word(5) == 0xffff));
        if i == 6 && embeds_v4 {
            let [.., a, b, c, d] = *addr;
            out.push_str(&Ipv4Addr::new(a, b, c, d).to_string());
            return;
        }
        out.push_str(&format!("{:x}", word(i)));
        i += 1;
    }
}

/// The bytes by which addresses sort: family, network, mask, address.
pub(crate) fn sort_form(value: &[u8]) -> Vec<u8> {
    let v = Inet::new(value);
    let mut out = vec![v.family];
    out.extend_from_slice(&v.masked(v.bits)[..v.width()]);
    out.push(v.bits);
    out.extend_from_slice(v.address());
    out
}

/// Dotted numbers, at most `max`; what follows them.
fn octets(s: &str, strict: bool) -> Option<(Vec<u8>, &str)> {
    let mut out = Vec::new();
    let mut rest = s;
    loop {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            // `inet` lets the address end in a dot, `cidr` does not.
            return if strict || out.is_empty() {
                None
            } else {
                Some((out, rest))
            };
        }
        if out.len() == 4 {
            return None;
        }
        let value = rest[..digits].bytes().try_fold(0u32, |v, d| {
            Some(v * 10 + u32::from(d - b'0')).filter(|v| *v <= 255)
        })?;
        out.push(value as u8);
        rest = &rest[digits..];
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None => return Some((out, rest)),
        }
    }
}

fn hex_octets(s: &str) -> Option<(Vec<u8>, &str)> {
    let n = s.bytes().take_while(u8::is_ascii_hexdigit).count();
    let mut out = Vec::new();
    for pair in s.as_bytes()[..n].chunks(2) {
        let digit = |b: u8| char::from(b).to_digit(16).unwrap_or(0) as u8;
        out.push(digit(pair[0]) << 4 | pair.get(1).map_or(0, |b| digit(*b)));
    }
    (n > 0 && out.len() <= 4).then_some((out, &s[n..]))
}

fn mask_v4(rest: &str) -> Option<Option<u32>> {
    if rest.is_empty() {
        return Some(None);
    }
    let digits = rest.strip_prefix('/')?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|bits| *bits <= 32).map(Some)
}

/// The mask that a network without one has by its class.
fn class_bits(octets: &[u8]) -> u32 {
    let first = octets.first().copied().unwrap_or(0);
    let class = match first {
        240.. => 32,
        224.. => 8,
        192.. => 24,
        128.. => 16,
        _ => 8,
    };
    let bits = class.max(octets.len() as u32 * 8);
    if bits == 8 && first == 224 { 4 } else { bits }
}

fn parse_v4(text: &str, cidr: bool) -> Option<Inet> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (bytes, rest) = match hex.filter(|_| cidr) {
        Some(digits) => hex_octets(digits)?,
        None => octets(text, cidr)?,
    };
    let bits = match mask_v4(rest)? {
        Some(bits) if !cidr && bits as usize / 8 > bytes.len() => return None,
        Some(bits) => bits,
        None if cidr => class_bits(&bytes),
        None if bytes.len() == 4 => 32,
        None => return None,
    };
    let mut addr = [0; 16];
    addr[..bytes.len()].copy_from_slice(&bytes);
    Some(Inet {
        family: FAMILY_V4,
        bits: bits as u8,
        addr,
    })
}

fn parse_v6(text: &str) -> Option<Inet> {
    let (address, bits) = match text.split_once('/') {
        None => (text, 128),
        Some((address, bits)) => {
            let plain = !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit());
            let leading_zero = bits.len() > 1 && bits.starts_with('0');
            let value = bits
                .parse::<u32>()
                .ok()
                .filter(|b| plain && !leading_zero && *b <= 128)?;
            (address, value as u8)
        }
    };
    let addr = address.parse::<Ipv6Addr>().ok()?.octets();
    Some(Inet {
        family: FAMILY_V6,
        bits,
        addr,
    })
}

#[cold]
fn not_a_network(text: &str) -> Box<PgError> {
    pg_err!(INVALID_TEXT_REPRESENTATION, "invalid cidr value: \"{text}\"")
        .detail("Value has bits set to right of mask.")
}

/// An `inet` or `cidr` from text.
pub fn parse(text: &str, cidr: bool) -> PgResult<Inet> {
    let found = if text.contains(':') {
        parse_v6(text)
    } else {
        parse_v4(text, cidr)
    };
    let value = found.ok_or_else(|| invalid_input(if cidr { "cidr" } else { "inet" }, text))?;
    if cidr && !value.is_network() {
        return Err(not_a_network(text));
    }
    Ok(value)
}

/// `inet` from text.
pub fn inet_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Ok(Datum::Bytes(parse(text, false)?.to_bytes().into()))
}

/// `cidr` from text.
pub fn cidr_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Ok(Datum::Bytes(parse(text, true)?.to_bytes().into()))
}

fn bytes_of(value: &Datum) -> PgResult<&[u8]> {
    match value {
        Datum::Bytes(b) => Ok(b),
        other => Err(wrong_datum("network address", other)),
    }
}

/// `inet` to text.
pub fn inet_out(value: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    Inet::new(bytes_of(value)?).push_inet(out);
    Ok(())
}

/// `cidr` to text.
pub fn cidr_out(value: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    Inet::new(bytes_of(value)?).push_cidr(out);
    Ok(())
}

fn receive(bytes: &[u8], cidr: bool) -> PgResult<Datum> {
    let name = if cidr { "cidr" } else { "inet" };
    let bad = |what: &str| {
        pg_err!(
            INVALID_BINARY_REPRESENTATION,
            "invalid {what} in external \"{name}\" value"
        )
    };
    let mut wire = Wire(bytes);
    let family = wire.byte()?;
    if !matches!(family, FAMILY_V4 | FAMILY_V6) {
        return Err(bad("address family"));
    }
    let mut value = Inet {
        family,
        bits: wire.byte()?,
        addr: [0; 16],
    };
    if value.bits > value.bits_max() {
        return Err(bad("bits"));
    }
    // Whether it is a cidr: nobody asks.
    wire.byte()?;
    if usize::from(wire.byte()?) != value.width() {
        return Err(bad("length"));
    }
    let address = wire.single_bytes(value.width())?;
    value.addr[..address.len()].copy_from_slice(address);
    if cidr && !value.is_network() {
        return Err(
            pg_err!(INVALID_BINARY_REPRESENTATION, "invalid external \"cidr\" value")
                .detail("Value has bits set to right of mask."),
        );
    }
    done(wire.0)?;
    Ok(Datum::Bytes(value.to_bytes().into()))
}

/// `inet` from the wire.
pub fn inet_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    receive(bytes, false)
}

/// `cidr` from the wire.
pub fn cidr_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    receive(bytes, true)
}

fn send(value: &Datum, cidr: bool, out: &mut Vec<u8>) -> PgResult<()> {
    let v = Inet::new(bytes_of(value)?);
    out.extend_from_slice(&[v.family, v.bits, u8::from(cidr), v.width() as u8]);
    out.extend_from_slice(v.address());
    Ok(())
}

/// `inet` to the wire.
pub fn inet_send(value: &Datum, _: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    send(value, false, out)
}

/// `cidr` to the wire.
pub fn cidr_send(value: &Datum, _: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    send(value, true, out)
}

/// Six numbers in the way of C's `sscanf`: hexadecimal, with white space, a sign or `0x` before them, and at most `width` characters
/// each (0: any); `separators` stand behind each but the last. Nothing but white space may follow.
fn scan(text: &str, width: usize, separators: [Option<char>; 5]) -> Option<[i64; 6]> {
    let mut out = [0; 6];
    let mut rest = text;
    for (at, to) in out.iter_mut().enumerate() {
        rest = rest.trim_start_matches(is_space);
        let most = if width == 0 {
            rest.len()
        } else {
            width.min(rest.len())
        };
        let field = rest.get(..most)?;
        let unsigned = field.strip_prefix(['+', '-']).unwrap_or(field);
        let digits = match unsigned.get(..2) {
            Some("0x" | "0X") => &unsigned[2..],
            _ => unsigned,
        };
        let end = digits
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(digits.len());
        if end == 0 {
            return None;
        }
        // As the unsigned number that C would keep in 32 bits.
        let value = u64::from_str_radix(&digits[..end], 16).unwrap_or(u64::MAX);
        let value = if field.starts_with('-') {
            value.wrapping_neg()
        } else {
            value
        };
        *to = i64::from(value as i32);
        rest = &rest[field.len() - digits.len() + end..];
        if let Some(Some(separator)) = separators.get(at) {
            rest = rest.strip_prefix(*separator)?;
        }
    }
    rest.trim_start_matches(is_space).is_empty().then_some(out)
}

/// `macaddr` from text.
pub fn macaddr_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    let between = |c: char| [Some(c); 5];
    let every = |n: usize, c: char| [1, 2, 3, 4, 5].map(|k| (k % n == 0).then_some(c));
    let shapes = [
        (0, between(':')),
        (0, between('-')),
        (2, every(3, ':')),
        (2, every(3, '-')),
        (2, every(2, '.')),
        (2, every(2, '-')),
        (2, [None; 5]),
    ];
    let mut found = shapes
        .iter()
        .filter_map(|(width, separators)| scan(text, *width, *separators));
    let numbers = found.next().ok_or_else(|| invalid_input("macaddr", text))?;
    if numbers.iter().any(|n| !(0..=255).contains(n)) {
        return Err(pg_err!(
            NUMERIC_VALUE_OUT_OF_RANGE,
            "invalid octet value in \"macaddr\" value: \"{text}\""
        ));
    }
    Ok(Datum::Bytes(numbers.map(|n| n as u8).as_slice().into()))
}

/// Pairs of digits with one kind of separator, or none, between them.
fn parse_macaddr8(text: &str) -> Option<Vec<u8>> {
    let mut rest = text.trim_ascii().as_bytes();
    let mut out = Vec::new();
    let mut spacer = None;
    while let [a, b, tail @ ..] = rest {
        let digit = |c: u8| char::from(c).to_digit(16);
        if out.len() == 8 {
            return None;
        }
        out.push((digit(*a)? << 4 | digit(*b)?) as u8);
        rest = tail;
        if let [s @ (b':' | b'-' | b'.'), tail @ ..] = rest {
            if spacer.is_some_and(|old| old != *s) {
                return None;
            }
            spacer = Some(*s);
            rest = tail;
        }
    }
    // One character that is left over is not looked at.
    if rest.len() > 1 {
        return None;
    }
    match out.len() {
        8 => Some(out),
        6 => Some([&out[..3], &[0xff, 0xfe], &out[3..]].concat()),
        _ => None,
    }
}

/// `macaddr8` from text.
pub fn macaddr8_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    let bytes = parse_macaddr8(text).ok_or_else(|| invalid_input("macaddr8", text))?;
    Ok(Datum::Bytes(bytes.into()))
}

/// Hardware addresses to text.
pub fn macaddr_out(value: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    for (i, b) in bytes_of(value)?.iter().enumerate() {
        if i > 0 {
            out.push(':');
        }
        out.push_str(&format!("{b:02x}"));
    }
    Ok(())
}

/// `macaddr` from the wire.
pub fn macaddr_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    match bytes.len() {
        6 => Ok(Datum::Bytes(bytes.into())),
        _ => Err(no_data()),
    }
}

/// `macaddr8` from the wire; six bytes are widened.
pub fn macaddr8_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    match bytes {
        [a, b, c, d, e, f] => Ok(Datum::Bytes(
            [*a, *b, *c, 0xff, 0xfe, *d, *e, *f].as_slice().into(),
        )),
        _ => {
            let mut wire = Wire(bytes);
            let eight = wire.single_bytes(8)?;
            done(wire.0)?;
            Ok(Datum::Bytes(eight.into()))
        }
    }
}
