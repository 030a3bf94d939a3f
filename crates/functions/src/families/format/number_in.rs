//! Reads a number by a template: what is left after signs, groups and literals, as plain digits.

use common::PgResult;

use crate::families::format::number::{Key, Node, NumberTemplate, SignPlace, look};

/// The digits read, with sign and point, as numeric input takes them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scanned {
    pub(crate) text: String,
    /// Digits after the point.
    pub(crate) post: usize,
}

struct Scanner<'a> {
    template: &'a NumberTemplate,
    input: &'a str,
    at: usize,
    sign: u8,
    digits: String,
    read_pre: usize,
    read_post: usize,
    point_read: bool,
    /// Always false: input has no notion of "inside the number".
    digit_seen: bool,
}

/// Reads `input`.
pub(crate) fn scan(template: &NumberTemplate, input: &str) -> PgResult<Scanned> {
    let mut s = Scanner {
        template,
        input,
        at: 0,
        sign: b' ',
        digits: String::new(),
        read_pre: 0,
        read_post: 0,
        point_read: false,
        digit_seen: false,
    };
    for (k, node) in template.nodes.iter().enumerate() {
        look(k)?;
        if s.at >= input.len() {
            break;
        }
        match node {
            Node::Literal(_) => s.skip_char(),
            Node::Key(key) => s.key(*key),
        }
    }
    let digits = s.digits.strip_suffix('.').unwrap_or(&s.digits);
    Ok(Scanned {
        text: format!("{}{digits}", char::from(s.sign)),
        post: s.read_post,
    })
}

impl Scanner<'_> {
    fn peek(&self) -> u8 {
        self.byte(self.at)
    }

    fn byte(&self, at: usize) -> u8 {
        self.input.as_bytes().get(at).copied().unwrap_or(0)
    }

    fn at_end(&self) -> bool {
        self.at >= self.input.len()
    }

    fn skip_char(&mut self) {
        self.at += self
            .input
            .get(self.at..)
            .and_then(|s| s.chars().next())
            .map_or(1, char::len_utf8);
    }

    /// Skips up to `n` characters that cannot belong to the number.
    fn skip_other(&mut self, n: usize) {
        for _ in 0..n {
            if self.at_end() || b"0123456789.,+-".contains(&self.peek()) {
                return;
            }
            self.skip_char();
        }
    }

    fn key(&mut self, key: Key) {
        match key {
            Key::Nine | Key::Zero | Key::Point | Key::LocalPoint => {
                self.position(key);
                self.skip_char();
            }
            Key::Comma | Key::Group => {
                let skip = self.digit_seen || !self.template.fill;
                if skip && self.peek() == b',' {
                    self.at += 1;
                }
            }
            Key::Currency => self.skip_other(1),
            Key::Ordinal(_) if self.sign == b'-' || self.template.decimal => {}
            Key::Ordinal(_) => self.skip_other(2),
            Key::Minus | Key::Plus | Key::EitherSign => {
                let wanted: &[u8] = match key {
                    Key::Minus => b"-",
                    Key::Plus => b"+",
                    _ => b"+-",
                };
                if wanted.contains(&self.peek()) {
                    self.sign = self.peek();
                    self.at += 1;
                } else {
                    self.skip_other(1);
                }
            }
            _ => {}
        }
    }

    /// A digit position: a sign in front of the first digit, a digit or the point, a sign after the last. Leaves the
    /// position on the last character taken; the caller steps over it.
    fn position(&mut self, key: Key) {
        let t = self.template;
        if self.peek() == b' ' {
            self.at += 1;
        }
        if self.at_end() {
            return;
        }
        let digit_key = matches!(key, Key::Nine | Key::Zero);
        if self.sign == b' ' && digit_key && self.read_pre + self.read_post == 0 {
            let sign_allowed = !t.sign || t.sign_place == SignPlace::Before;
            match self.peek() {
                b'-' if sign_allowed || !t.sign => self.take_sign(b'-'),
                b'<' if t.bracket && !t.sign => self.take_sign(b'-'),
                b'+' if sign_allowed || !t.sign => self.take_sign(b'+'),
                b'-' | b'+' if t.sign && t.sign_place != SignPlace::Before => {
                    let sign = self.peek();
                    self.take_sign(sign);
                }
                _ => {}
            }
        }
        if self.at_end() {
            return;
        }
        let mut read = false;
        if self.peek().is_ascii_digit() {
            if self.point_read && self.read_post == t.post {
                return;
            }
            self.digits.push(char::from(self.peek()));
            *(if self.point_read {
                &mut self.read_post
            } else {
                &mut self.read_pre
            }) += 1;
            read = true;
        } else if t.decimal && !self.point_read && self.peek() == b'.' {
            self.digits.push('.');
            self.point_read = true;
            read = true;
        }
        if self.sign != b' ' || self.read_pre + self.read_post == 0 {
            return;
        }
        let next = self.byte(self.at + 1);
        if t.sign && read && self.at + 1 < self.input.len() && !next.is_ascii_digit() {
            if next == b'-' || next == b'+' {
                self.sign = next;
                self.at += 1;
            }
        } else if !read && !t.sign && (t.plus || t.minus) && matches!(self.peek(), b'-' | b'+') {
            self.sign = self.peek();
        }
    }

    fn take_sign(&mut self, sign: u8) {
        self.sign = sign;
        self.at += 1;
    }
}

/// Reads a Roman numeral from 1 to 3999 in either case; `None` when it is none.
pub(crate) fn roman(text: &str) -> Option<i32> {
    let value = |c: char| {
        Some(match c.to_ascii_uppercase() {
            'I' => 1,
            'V' => 5,
            'X' => 10,
            'L' => 50,
            'C' => 100,
            'D' => 500,
            'M' => 1000,
            _ => return None,
        })
    };
    let digits: Vec<i32> = text
        .trim_start_matches([' ', '\t', '\n', '\r'])
        .chars()
        .map_while(value)
        .collect();
    let mut total = 0;
    for (i, v) in digits.iter().enumerate() {
        total += if digits.get(i + 1).is_some_and(|next| next > v) {
            -v
        } else {
            *v
        };
    }
    // Only the canonical spelling counts.
    let canonical = to_roman(total)?;
    let taken = text
        .trim_start_matches([' ', '\t', '\n', '\r'])
        .get(..canonical.len())?;
    (digits.len() == canonical.len() && taken.eq_ignore_ascii_case(&canonical)).then_some(total)
}

/// The Roman numeral of 1 to 3999.
pub(crate) fn to_roman(number: i32) -> Option<String> {
    const PARTS: [(i32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if !(1..=3999).contains(&number) {
        return None;
    }
    let mut rest = number;
    let mut out = String::new();
    for (value, letters) in PARTS {
        while rest >= value {
            out.push_str(letters);
            rest -= value;
        }
    }
    Some(out)
}
