//! What the characters of other encodings are in Unicode.
//!
//! # The file `data/encodings.bin`
//! Numbers are little-endian in groups of seven bits, the highest bit says that more follow (*n* below).
//! ```text
//! directory   n parts, then for each: encoding, other encoding (0: Unicode), n bytes
//! part        to Unicode:  base kind, base encoding, map code -> character, map of codes that only come, map character -> code that
//!                          only goes, n combined characters of (n code, n character, n character)
//!             other:       map code -> code
//! map         n segments of: n codes since the last one's end, n length * 2 + kind, then
//!             kind 1: n first value (the others follow one by one);  kind 0: n high half, then two bytes each
//! ```
//! A code is its bytes as a number; four bytes of GB18030 are [`FOUR_BYTES`] plus their place in the line of all such.
//! With a base the first map holds differences: [`DELETED`] where the base has a character and this encoding does not.

use std::sync::{LazyLock, OnceLock};

use crate::encoding::names::Encoding;

static DATA: &[u8] = include_bytes!("../../data/encodings.bin");

const FOUR_BYTES: u32 = 0x0100_0000;
const DELETED: u32 = 0xffff;
/// No encoding: its place is where the other one is Unicode.
const UNICODE: u8 = 0;

/// A character, or two that one code stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Character {
    One(char),
    Two(char, char),
}

/// Where the other characters of an encoding come from.
#[derive(Clone, Copy, Debug)]
enum Base {
    None,
    /// The same codes of up to two bytes.
    Same(Encoding),
    /// The same codes of two bytes from 0xa1a1.
    Square(Encoding),
    /// The codes that the conversion between the two gives.
    Pair(Encoding),
}

/// Values of codes that follow each other.
#[derive(Clone, Copy, Debug)]
struct Segment {
    start: u32,
    len: u32,
    values: Values,
}

#[derive(Clone, Copy, Debug)]
enum Values {
    Run(u32),
    List { high: u32, at: usize },
}

/// Numbers for numbers.
#[derive(Debug, Default)]
struct Map(Vec<Segment>);

/// What is known of an encoding.
#[derive(Debug)]
pub(super) struct Table {
    encoding: Encoding,
    base: Base,
    own: Map,
    /// Codes that are never made of characters.
    only_come: Map,
    /// Codes of characters that are read otherwise.
    only_go: Map,
    combined: Vec<(u32, char, char)>,
    inverse: OnceLock<Vec<Inverse>>,
}

/// Characters that follow each other and so do their codes.
#[derive(Clone, Copy, Debug)]
struct Inverse {
    start: u32,
    len: u32,
    code: u32,
}

#[derive(Debug)]
enum Part {
    Unicode(Box<Table>),
    Direct(Map),
}

/// All parts by their encodings.
type Parts = Vec<((u8, u8), Part)>;

/// A conversion between two encodings.
#[derive(Clone, Copy)]
pub(super) struct Direct(&'static Map);

/// Reads the file; beyond its end everything is 0.
struct Reader {
    at: usize,
}

impl Reader {
    fn byte(&mut self) -> u8 {
        let byte = DATA.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte
    }

    fn number(&mut self) -> u32 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            number |= u32::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 || shift > 28 {
                return number;
            }
        }
    }

    fn map(&mut self) -> Map {
        let mut end = 0;
        let segments = (0..self.number()).map(|_| {
            let start = end + self.number();
            let shape = self.number();
            let (len, is_run) = (shape / 2, shape % 2 == 1);
            let first = self.number();
            let values = if is_run {
                Values::Run(first)
            } else {
                let at = self.at;
                self.at += len as usize * 2;
                Values::List {
                    high: first << 16,
                    at,
                }
            };
            end = start + len;
            Segment { start, len, values }
        });
        Map(segments.collect())
    }

    fn table(&mut self, encoding: Encoding) -> Table {
        let (kind, base) = (self.byte(), Encoding::by_number(self.byte().into()));
        let base = match (kind, base) {
            (1, Some(base)) => Base::Same(base),
            (2, Some(base)) => Base::Square(base),
            (3, Some(base)) => Base::Pair(base),
            _ => Base::None,
        };
        let (own, only_come, only_go) = (self.map(), self.map(), self.map());
        let character = |r: &mut Reader| char::from_u32(r.number()).unwrap_or_default();
        let combined = (0..self.number())
            .map(|_| (self.number(), character(self), character(self)))
            .collect();
        Table {
            encoding,
            base,
            own,
            only_come,
            only_go,
            combined,
            inverse: OnceLock::new(),
        }
    }
}

static PARTS: LazyLock<Parts> = LazyLock::new(|| {
    let mut reader = Reader { at: 0 };
    let keys: Vec<(u8, u8)> = (0..reader.number())
        .map(|_| {
            let key = (reader.byte(), reader.byte());
            reader.number();
            key
        })
        .collect();
    let part = |key: (u8, u8)| {
        let encoding = Encoding::by_number(key.0.into())?;
        let part = if key.1 == UNICODE {
            Part::Unicode(Box::new(reader.table(encoding)))
        } else {
            Part::Direct(reader.map())
        };
        Some((key, part))
    };
    keys.into_iter().filter_map(part).collect()
});

fn part(from: u8, to: u8) -> Option<&'static Part> {
    let found = PARTS.iter().find(|(key, _)| *key == (from, to));
    found.map(|(_, part)| part)
}

/// The table of an encoding; UTF8, SQL_ASCII and MULE_INTERNAL have none.
pub(super) fn table(encoding: Encoding) -> Option<&'static Table> {
    match part(encoding.number(), UNICODE)? {
        Part::Unicode(table) => Some(table),
        Part::Direct(_) => None,
    }
}

/// The conversion between two encodings, if they have one.
pub(super) fn direct(from: Encoding, to: Encoding) -> Option<Direct> {
    match part(from.number(), to.number())? {
        Part::Direct(map) => Some(Direct(map)),
        Part::Unicode(_) => None,
    }
}

/// The code of a character's bytes.
fn code_of(encoding: Encoding, bytes: &[u8]) -> u32 {
    if let ([a, b, c, d], Encoding::GB18030) = (bytes, encoding) {
        let digit = |d: &u8| u32::from(d.wrapping_sub(b'0'));
        let letter = |l: &u8| u32::from(l.wrapping_sub(0x81));
        return FOUR_BYTES + ((letter(a) * 10 + digit(b)) * 126 + letter(c)) * 10 + digit(d);
    }
    bytes.iter().fold(0, |code, byte| code << 8 | u32::from(*byte))
}

/// Appends the bytes of a code.
fn push_code(encoding: Encoding, code: u32, out: &mut Vec<u8>) {
    if encoding == Encoding::GB18030
        && let Some(place) = code.checked_sub(FOUR_BYTES)
    {
        let digit = |n: u32| b'0' + (n % 10) as u8;
        let letter = |n: u32| 0x81 + (n % 126) as u8;
        let (d, c, b, a) = (place, place / 10, place / 1260, place / 12600);
        out.extend([letter(a), digit(b), letter(c), digit(d)]);
        return;
    }
    let bytes = code.to_be_bytes();
    let skipped = bytes.iter().take(3).take_while(|b| **b == 0).count();
    out.extend(&bytes[skipped..]);
}

impl Segment {
    fn value(&self, n: u32) -> u32 {
        match self.values {
            Values::Run(first) => first + n,
            Values::List { high, at } => {
                let at = at + n as usize * 2;
                let low = |k: usize| u32::from(DATA.get(at + k).copied().unwrap_or(0));
                high | low(1) << 8 | low(0)
            }
        }
    }
}

impl Map {
    fn get(&self, key: u32) -> Option<u32> {
        let behind = self.0.partition_point(|s| s.start <= key);
        let segment = self.0.get(behind.checked_sub(1)?)?;
        let n = key - segment.start;
        (n < segment.len).then(|| segment.value(n))
    }

    /// Shows runs of codes and values: first of both, and length.
    fn each_run(&self, visit: &mut dyn FnMut(u32, u32, u32)) {
        for segment in &self.0 {
            match segment.values {
                Values::Run(first) => visit(segment.start, first, segment.len),
                Values::List { .. } => {
                    (0..segment.len).for_each(|n| visit(segment.start + n, segment.value(n), 1));
                }
            }
        }
    }
}

impl Table {
    /// The character of a code.
    fn character(&self, code: u32) -> Option<u32> {
        match self.own.get(code) {
            Some(DELETED) => None,
            Some(found) => Some(found),
            None => self.of_base(code),
        }
    }

    fn of_base(&self, code: u32) -> Option<u32> {
        match self.base {
            Base::None => None,
            Base::Same(base) if code < FOUR_BYTES => table(base)?.character(code),
            Base::Square(base) if code >= 0xa1a1 && code & 0xff >= 0xa1 => table(base)?.character(code),
            Base::Pair(base) => table(base)?.character(direct(self.encoding, base)?.0.get(code)?),
            _ => None,
        }
    }

    /// The character of some bytes.
    pub fn decode(&self, bytes: &[u8]) -> Option<Character> {
        let code = code_of(self.encoding, bytes);
        if let Some((_, a, b)) = self.combined.iter().find(|(c, ..)| *c == code) {
            return Some(Character::Two(*a, *b));
        }
        Some(Character::One(char::from_u32(self.character(code)?)?))
    }

    /// Appends the code of two characters that have one together; false when they do not.
    pub fn encode_two(&self, a: char, b: char, out: &mut Vec<u8>) -> bool {
        let Some((code, ..)) = self.combined.iter().find(|c| (c.1, c.2) == (a, b)) else {
            return false;
        };
        push_code(self.encoding, *code, out);
        true
    }

    /// Appends the code of a character; false when it has none.
    pub fn encode(&self, c: char, out: &mut Vec<u8>) -> bool {
        let c = u32::from(c);
        let code = self.only_go.get(c).or_else(|| {
            let inverse = self.inverse.get_or_init(|| self.inverted());
            let behind = inverse.partition_point(|i| i.start <= c);
            let run = inverse.get(behind.checked_sub(1)?)?;
            (c - run.start < run.len).then_some(run.code + (c - run.start))
        });
        if let Some(code) = code {
            push_code(self.encoding, code, out);
        }
        code.is_some()
    }

    /// What its characters are in code, in their order.
    fn inverted(&self) -> Vec<Inverse> {
        let mut found = Vec::new();
        let mut add = |code: u32, start: u32, len: u32| {
            // Long runs have no codes that only come.
            if len > 1 && self.only_come.0.is_empty() {
                found.push(Inverse { start, len, code });
                return;
            }
            let single = (0..len).filter(|n| self.only_come.get(code + n).is_none());
            found.extend(single.map(|n| Inverse {
                start: start + n,
                len: 1,
                code: code + n,
            }));
        };
        self.own.each_run(&mut |code, first, len| {
            if (first, len) != (DELETED, 1) {
                add(code, first, len);
            }
        });
        self.each_of_base(&mut |code, character| {
            if self.own.get(code).is_none() {
                add(code, character, 1);
            }
        });
        found.sort_unstable_by_key(|i| i.start);
        found
    }

    /// Shows every code of the base, and its character.
    fn each_of_base(&self, visit: &mut dyn FnMut(u32, u32)) {
        let mut codes = Vec::new();
        match self.base {
            Base::None => return,
            Base::Same(base) | Base::Square(base) => {
                if let Some(table) = table(base) {
                    table.each_code(&mut |code| codes.push(code));
                }
            }
            Base::Pair(base) => {
                if let Some(pair) = direct(self.encoding, base) {
                    pair.0
                        .each_run(&mut |first, _, len| codes.extend((0..len).map(|n| first + n)));
                }
            }
        }
        for code in codes {
            if let Some(character) = self.of_base(code) {
                visit(code, character);
            }
        }
    }

    /// Shows every code of up to two bytes.
    fn each_code(&self, visit: &mut dyn FnMut(u32)) {
        self.own.each_run(&mut |first, _, len| {
            if first < FOUR_BYTES {
                (0..len).for_each(|n| visit(first + n));
            }
        });
        self.each_of_base(&mut |code, _| visit(code));
    }
}

impl Direct {
    /// Appends the code of the other encoding; false when it has none.
    pub fn convert(self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        // No encoding has a code for the character 0 here, so the shorter form of numbers is theirs.
        let code = self.0.get(code_of(Encoding::SQL_ASCII, bytes));
        if let Some(code) = code {
            push_code(Encoding::SQL_ASCII, code, out);
        }
        code.is_some()
    }
}
