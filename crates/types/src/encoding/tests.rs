//! Every character of every encoding, and PostgreSQL's errors.
#![allow(clippy::unwrap_used)]

use common::PgResult;

use super::*;

/// Characters that convert, both ways counted, and a hash of them all: from what PostgreSQL 18 gave (`data/encodings.py`).
#[rustfmt::skip]
const DIGESTS: &[(&str, usize, u64)] = &[
    ("EUC_JP", 26372, 0xf6621ccff809dba7),
    ("EUC_CN", 14890, 0xd0c7cd6384e88f65),
    ("EUC_KR", 16454, 0x0b23341ba3d67057),
    ("EUC_TW", 37089, 0x9ef349e068408fcc),
    ("EUC_JIS_2004", 22296, 0x64fc91ae50558b99),
    ("LATIN1", 256, 0x5fe3622dc5480225),
    ("LATIN2", 256, 0xcf84824da87e5293),
    ("LATIN3", 242, 0x03d5b65bb81c4afb),
    ("LATIN4", 256, 0x0e8df7625f4146c7),
    ("LATIN5", 256, 0x013b0887fa69e65b),
    ("LATIN6", 256, 0x94295edf4ea77f35),
    ("LATIN7", 256, 0x3141eb9d73cf79ff),
    ("LATIN8", 256, 0x162a153669fe0969),
    ("LATIN9", 256, 0xab9ee6f20f19117b),
    ("LATIN10", 256, 0x28584f0c78223113),
    ("WIN1256", 256, 0xe7b82c45ec93dd67),
    ("WIN1258", 238, 0x7b9e0874f4ce5733),
    ("WIN866", 256, 0x3142a8a77d36b151),
    ("WIN874", 194, 0x129fd9dc8b8a8d81),
    ("KOI8R", 256, 0x6bb44fbd4a5bf867),
    ("WIN1251", 254, 0x6691a1d93aaa74e9),
    ("WIN1252", 246, 0x2a6aa562884e3423),
    ("ISO_8859_5", 256, 0x01f20e3fc4df93cb),
    ("ISO_8859_6", 166, 0xa7652d10b7e78825),
    ("ISO_8859_7", 250, 0x8985e0b05a53cd85),
    ("ISO_8859_8", 184, 0xc6a0c69a545a9903),
    ("WIN1250", 246, 0xee8d66171995dddf),
    ("WIN1253", 222, 0x3c2c80e4ff415317),
    ("WIN1254", 242, 0xea6467ece1ba9e1b),
    ("WIN1255", 210, 0xf5a14f1007f4b323),
    ("WIN1257", 232, 0x9b8ca1771e48a299),
    ("KOI8U", 256, 0x0aad47f49947c259),
    ("SJIS", 15184, 0x1a108b08706b5bfe),
    ("BIG5", 27428, 0x474b1604ea9bb704),
    ("GBK", 43583, 0xe3c4405f19b9923d),
    ("UHC", 34474, 0xe91b8c0d8330c05d),
    ("GB18030", 87300, 0xea013fe39d343335),
    ("JOHAB", 25218, 0x129615eaf8793cdc),
    ("SHIFT_JIS_2004", 22264, 0x6c67cc9e8c02a154),
];

struct Digest {
    count: usize,
    hash: u64,
}

impl Digest {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn add_char(&mut self, c: char) {
        self.add(&u32::from(c).to_le_bytes()[..3]);
    }

    /// From Unicode.
    fn encode_all(&mut self, encoding: Encoding) {
        for c in ('\u{80}'..='\u{ffff}').filter(|c| !c.is_ascii()) {
            if let Ok(bytes) = encode(&c.to_string(), encoding) {
                self.count += 1;
                self.add_char(c);
                self.add(&bytes);
            }
        }
    }

    /// To Unicode; only where the bytes are one character.
    fn decode_one(&mut self, encoding: Encoding, bytes: &[u8]) {
        if char_length(encoding, bytes) != bytes.len() {
            return;
        }
        if let Ok(text) = decode(bytes, encoding) {
            self.count += 1;
            self.add(bytes);
            text.chars().for_each(|c| self.add_char(c));
        }
    }
}

#[test]
fn all_characters() {
    for (name, count, hash) in DIGESTS {
        let encoding = Encoding::by_name(name).unwrap();
        let mut digest = Digest {
            count: 0,
            hash: 0xcbf2_9ce4_8422_2325,
        };
        digest.encode_all(encoding);
        let high = || 0x80..=0xff_u8;
        high().for_each(|a| digest.decode_one(encoding, &[a]));
        for a in high() {
            (0..=0xff).for_each(|b| digest.decode_one(encoding, &[a, b]));
        }
        for a in high() {
            (0..=0xff).for_each(|b| digest.decode_one(encoding, &[0x8f, a, b]));
        }
        for plane in 0xa1..=0xa7 {
            for a in 0xa1..=0xfe {
                (0xa1..=0xfe).for_each(|b| digest.decode_one(encoding, &[0x8e, plane, a, b]));
            }
        }
        assert_eq!((digest.count, digest.hash), (*count, *hash), "{name}");
    }
}

#[test]
fn every_code_comes_back() {
    for number in 0..42 {
        let encoding = Encoding::by_number(number).unwrap();
        for c in ['\u{10000}', '\u{2000b}', '\u{10ffff}', '\u{1f600}'] {
            if let Ok(bytes) = encode(&c.to_string(), encoding) {
                assert_eq!(
                    decode(&bytes, encoding).unwrap(),
                    c.to_string(),
                    "{}",
                    encoding.name()
                );
            }
        }
    }
    let gb = |c: char| encode(&c.to_string(), Encoding::GB18030).unwrap().into_owned();
    assert_eq!(gb('\u{10000}'), [0x90, 0x30, 0x81, 0x30]);
    assert_eq!(gb('\u{10ffff}'), [0xe3, 0x32, 0x9a, 0x35]);
    assert_eq!(gb('\u{80}'), [0x81, 0x30, 0x81, 0x30]);
}

fn shown(outcome: PgResult<Vec<u8>>) -> String {
    match outcome {
        Ok(bytes) => hex(&bytes),
        Err(error) => format!("{} {}", error.sqlstate, error.message),
    }
}

#[test]
fn conversions() {
    let check = |bytes: &[u8], from: &str, to: &str, expected: &str| {
        let encoding = |name| Encoding::by_name(name).unwrap();
        let got = shown(convert(bytes, encoding(from), encoding(to)));
        assert_eq!(got, expected, "{bytes:x?} {from} {to}");
    };
    let wrong =
        |name: &str, bytes: &str| format!("22021 invalid byte sequence for encoding \"{name}\": {bytes}");
    let none = |bytes: &str, from: &str, to: &str| {
        format!(
            "22P05 character with byte sequence {bytes} in encoding \"{from}\" has no equivalent in encoding \"{to}\""
        )
    };
    let missing = |state: &str, from: &str, to: &str| {
        format!("{state} default conversion function for encoding \"{from}\" to \"{to}\" does not exist")
    };
    check(b"\x8f\xa1", "euc_jp", "utf8", &wrong("EUC_JP", "0x8f 0xa1"));
    check(
        b"\x8f\x41\x41\x41",
        "euc_kr",
        "utf8",
        &wrong("EUC_KR", "0x8f 0x41 0x41"),
    );
    check(b"A\x80AB", "euc_cn", "utf8", &wrong("EUC_CN", "0x80 0x41"));
    check(b"\x81", "gb18030", "utf8", &wrong("GB18030", "0x81"));
    check(b"\x810", "gb18030", "utf8", &wrong("GB18030", "0x81 0x30"));
    check(
        b"\xfe9\xfe9",
        "gb18030",
        "utf8",
        &none("0xfe 0x39 0xfe 0x39", "GB18030", "UTF8"),
    );
    check(b"\x8d ", "big5", "utf8", &wrong("BIG5", "0x8d 0x20"));
    check(b"\xa1\0", "big5", "utf8", &wrong("BIG5", "0xa1 0x00"));
    check(b"A\0", "latin2", "utf8", &wrong("LATIN2", "0x00"));
    check(
        b"\x8e\xa1\xa1",
        "euc_tw",
        "utf8",
        &wrong("EUC_TW", "0x8e 0xa1 0xa1"),
    );
    check(
        b"\x8f\xa1\xa1",
        "euc_tw",
        "utf8",
        &wrong("EUC_TW", "0x8f 0xa1 0xa1"),
    );
    check(b"\x80", "sjis", "utf8", &wrong("SJIS", "0x80"));
    check(b"\x81@", "johab", "utf8", &wrong("JOHAB", "0x81 0x40"));
    check(b"\x81", "mule_internal", "utf8", &wrong("MULE_INTERNAL", "0x81"));
    check(
        b"\x81\x81",
        "mule_internal",
        "utf8",
        &missing("42883", "MULE_INTERNAL", "UTF8"),
    );
    check(
        b"abc",
        "mule_internal",
        "utf8",
        &missing("42883", "MULE_INTERNAL", "UTF8"),
    );
    check(b"", "mule_internal", "utf8", "");
    check(
        b"abc",
        "mule_internal",
        "latin1",
        &missing("0A000", "MULE_INTERNAL", "LATIN1"),
    );
    check(b"abc", "latin3", "latin4", &missing("42883", "LATIN3", "LATIN4"));
    check(b"abc", "latin3", "sql_ascii", "0x61 0x62 0x63");
    check(b"\xff", "sql_ascii", "euc_jp", &wrong("EUC_JP", "0xff"));
    check(
        "€".as_bytes(),
        "utf8",
        "latin1",
        &none("0xe2 0x82 0xac", "UTF8", "LATIN1"),
    );
    check(
        "か\u{309a}か".as_bytes(),
        "utf8",
        "EUC_JIS_2004",
        "0xa4 0xf7 0xa4 0xab",
    );
    check(
        "か\u{309a}x".as_bytes(),
        "utf8",
        "SHIFT_JIS_2004",
        "0x82 0xf5 0x78",
    );
    check(b"\x8a", "latin2", "win1250", &none("0x8a", "LATIN2", "WIN1250"));
    check(b"\xd1x", "koi8r", "win866", "0xef 0x78");
    check(b"\xa4\xf7", "EUC_JIS_2004", "SHIFT_JIS_2004", "0x82 0xf5");
    check(
        b"\x80\x01",
        "big5",
        "euc_tw",
        &none("0x80 0x01", "BIG5", "EUC_TW"),
    );
    check(b"\xa1@", "big5", "euc_tw", "0xa1 0xa1");
}
