//! Which bytes are characters of an encoding.
//!
//! The rules are PostgreSQL's, which are looser than the standards: a character that passes need not have a meaning.

use common::{PgError, PgResult, pg_err};

use crate::encoding::names::Encoding;

/// Bytes as messages show them.
pub(super) fn hex(bytes: &[u8]) -> String {
    let shown: Vec<String> = bytes.iter().map(|b| format!("0x{b:02x}")).collect();
    shown.join(" ")
}

const SS2: u8 = 0x8e;
const SS3: u8 = 0x8f;

/// A byte of a character of several bytes in an EUC encoding.
fn is_euc(b: u8) -> bool {
    (0xa1..=0xfe).contains(&b)
}

/// How many bytes the character at the start of some bytes has by its first byte (GB18030: its first two).
pub(super) fn char_length(encoding: Encoding, bytes: &[u8]) -> usize {
    let first = bytes.first().copied().unwrap_or(0);
    if encoding == Encoding::MULE_INTERNAL {
        return match first {
            0x81..=0x8d => 2,
            0x90..=0x9b => 3,
            0x9c | 0x9d => 4,
            _ => 1,
        };
    }
    if first.is_ascii() {
        return 1;
    }
    match encoding {
        Encoding::UTF8 => match first {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            _ => 1,
        },
        Encoding::EUC_JP | Encoding::EUC_JIS_2004 | Encoding::EUC_KR | Encoding::JOHAB => {
            if first == SS3 {
                3
            } else {
                2
            }
        }
        Encoding::EUC_TW => match first {
            SS2 => 4,
            SS3 => 3,
            _ => 2,
        },
        Encoding::SJIS | Encoding::SHIFT_JIS_2004 => {
            if (0xa1..=0xdf).contains(&first) {
                1
            } else {
                2
            }
        }
        Encoding::EUC_CN | Encoding::BIG5 | Encoding::GBK | Encoding::UHC => 2,
        Encoding::GB18030 => {
            if bytes.get(1).is_some_and(u8::is_ascii_digit) {
                4
            } else {
                2
            }
        }
        _ => 1,
    }
}

/// True when the bytes, as many as [`char_length`] says, are a character.
fn is_char(encoding: Encoding, c: &[u8]) -> bool {
    let followers = |good: fn(u8) -> bool| c.iter().skip(1).all(|b| good(*b));
    match (encoding, c) {
        (_, []) => false,
        (Encoding::MULE_INTERNAL, _) => followers(|b| !b.is_ascii()),
        (_, [first, ..]) if first.is_ascii() => *first != 0,
        (Encoding::EUC_JP | Encoding::EUC_JIS_2004, [SS2, b]) => (0xa1..=0xdf).contains(b),
        (Encoding::EUC_JP | Encoding::EUC_JIS_2004, [SS3, ..]) => followers(is_euc),
        (Encoding::EUC_JP | Encoding::EUC_JIS_2004 | Encoding::EUC_KR | Encoding::EUC_CN, _) => {
            c.len() == 2 && c.iter().all(|b| is_euc(*b))
        }
        (Encoding::EUC_TW, [SS2, plane, ..]) => (0xa1..=0xa7).contains(plane) && followers(is_euc),
        (Encoding::EUC_TW, [SS3, ..]) => false,
        (Encoding::EUC_TW | Encoding::JOHAB, _) => followers(is_euc),
        (Encoding::SJIS | Encoding::SHIFT_JIS_2004, [first, second]) => {
            matches!(first, 0x81..=0x9f | 0xe0..=0xfc) && matches!(second, 0x40..=0x7e | 0x80..=0xfc)
        }
        // A pair that PostgreSQL keeps for "no character".
        (Encoding::BIG5 | Encoding::GBK | Encoding::UHC, [0x8d, b' ']) => false,
        (Encoding::BIG5 | Encoding::GBK | Encoding::UHC, _) => followers(|b| b != 0),
        (Encoding::GB18030, [0x81..=0xfe, second, third, fourth]) => {
            second.is_ascii_digit() && matches!(third, 0x81..=0xfe) && fourth.is_ascii_digit()
        }
        (Encoding::GB18030, [0x81..=0xfe, second]) => matches!(second, 0x40..=0x7e | 0x80..=0xfe),
        (Encoding::GB18030, _) => false,
        _ => true,
    }
}

#[cold]
fn invalid(encoding: Encoding, bytes: &[u8]) -> Box<PgError> {
    let count = char_length(encoding, bytes).min(bytes.len());
    pg_err!(
        CHARACTER_NOT_IN_REPERTOIRE,
        "invalid byte sequence for encoding \"{}\": {}",
        encoding.name(),
        hex(&bytes[..count])
    )
}

/// The number of characters, or what is wrong with the first that is none.
pub fn char_count(encoding: Encoding, bytes: &[u8]) -> PgResult<usize> {
    if encoding == Encoding::UTF8 {
        return Ok(crate::io_text::utf8(bytes)?.chars().count());
    }
    let (mut rest, mut count) = (bytes, 0);
    while !rest.is_empty() {
        let len = char_length(encoding, rest);
        let one = rest
            .get(..len)
            .filter(|c| is_char(encoding, c) && c.first() != Some(&0));
        if one.is_none() {
            return Err(invalid(encoding, rest));
        }
        rest = &rest[len..];
        count += 1;
    }
    Ok(count)
}

/// What is wrong with bytes in an encoding, if anything is.
pub fn verify(encoding: Encoding, bytes: &[u8]) -> PgResult<()> {
    char_count(encoding, bytes).map(drop)
}
