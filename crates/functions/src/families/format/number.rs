//! The template language of `to_char` and `to_number` for numbers.

use common::error::ErrorExt;
use common::{PgError, PgResult, cancel, pg_err};

/// What a keyword stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Nine,
    Zero,
    Point,
    LocalPoint,
    Comma,
    Group,
    Blank,
    Currency,
    Exponent,
    Fill,
    Minus,
    Plus,
    Bracket,
    /// Upper case?
    Roman(bool),
    EitherSign,
    Sign,
    /// Upper case?
    Ordinal(bool),
    Shift,
    /// Known, and ignored.
    Nothing,
}

/// A piece of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Key(Key),
    Literal(char),
}

/// Where `S` puts the sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum SignPlace {
    #[default]
    None,
    Before,
    After,
}

/// What the template says as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct NumberTemplate {
    pub(crate) source: String,
    pub(crate) nodes: Vec<Node>,
    /// Digits before and after the point.
    pub(crate) pre: usize,
    pub(crate) post: usize,
    /// Digits after `V`.
    pub(crate) multi: usize,
    pub(crate) sign_place: SignPlace,
    /// Digits before the `S`.
    pub(crate) sign_at: usize,
    /// 1-based position of the first `0`, and position after the last.
    pub(crate) zero_start: usize,
    pub(crate) zero_end: usize,
    pub(crate) decimal: bool,
    pub(crate) zero: bool,
    pub(crate) blank: bool,
    pub(crate) fill: bool,
    pub(crate) sign: bool,
    pub(crate) bracket: bool,
    pub(crate) minus: bool,
    pub(crate) plus: bool,
    pub(crate) roman: Option<bool>,
    pub(crate) shift: bool,
    pub(crate) exponent: bool,
}

/// Longest first among those with a common start.
static KEYWORDS: &[(&str, Key)] = &[
    ("EEEE", Key::Exponent),
    ("FM", Key::Fill),
    ("MI", Key::Minus),
    ("PL", Key::Plus),
    ("PR", Key::Bracket),
    ("RN", Key::Roman(true)),
    ("SG", Key::EitherSign),
    ("SP", Key::Nothing),
    ("TH", Key::Ordinal(true)),
    ("B", Key::Blank),
    ("C", Key::Nothing),
    ("D", Key::LocalPoint),
    ("G", Key::Group),
    ("L", Key::Currency),
    ("S", Key::Sign),
    ("V", Key::Shift),
    (",", Key::Comma),
    (".", Key::Point),
    ("0", Key::Zero),
    ("9", Key::Nine),
];

fn keyword(rest: &str) -> Option<(usize, Key)> {
    for (name, key) in KEYWORDS {
        let Some(start) = rest.get(..name.len()) else {
            continue;
        };
        if start == *name {
            return Some((name.len(), *key));
        }
        let lower = |(a, b): (u8, u8)| a == b.to_ascii_lowercase();
        if start.bytes().zip(name.bytes()).all(lower) {
            let key = match key {
                Key::Roman(_) => Key::Roman(false),
                Key::Ordinal(_) => Key::Ordinal(false),
                key => *key,
            };
            return Some((name.len(), key));
        }
    }
    None
}

/// Looks at the cancel flag once in so many nodes.
pub(crate) fn look(nodes: usize) -> PgResult<()> {
    const NODES_UNCHECKED: usize = 1 << 14;
    if nodes % NODES_UNCHECKED == 0 {
        cancel::check()
    } else {
        Ok(())
    }
}

#[cold]
fn syntax(text: &str) -> Box<PgError> {
    pg_err!(SYNTAX_ERROR, "{text}")
}

impl NumberTemplate {
    /// Parses a template and checks that its parts go together.
    pub(crate) fn parse(source: &str) -> PgResult<NumberTemplate> {
        let mut t = NumberTemplate {
            source: source.to_owned(),
            ..NumberTemplate::default()
        };
        let mut rest = source;
        while let Some(c) = rest.chars().next() {
            look(t.nodes.len())?;
            if let Some((len, key)) = keyword(rest) {
                t.add(key)?;
                t.nodes.push(Node::Key(key));
                rest = &rest[len..];
            } else if c == '"' {
                let mut chars = rest[1..].chars();
                while let Some(mut c) = chars.next() {
                    if c == '"' {
                        break;
                    }
                    if c == '\\' {
                        c = chars.next().unwrap_or(c);
                    }
                    t.nodes.push(Node::Literal(c));
                }
                rest = chars.as_str();
            } else {
                let escaped = rest.starts_with("\\\"");
                t.nodes.push(Node::Literal(if escaped { '"' } else { c }));
                rest = &rest[if escaped { 2 } else { c.len_utf8() }..];
            }
        }
        Ok(t)
    }

    fn add(&mut self, key: Key) -> PgResult<()> {
        if self.exponent && key != Key::Exponent {
            return Err(syntax("\"EEEE\" must be the last pattern used"));
        }
        match key {
            Key::Nine | Key::Zero => self.add_digit(key)?,
            Key::Blank => self.blank |= self.pre == 0 && self.post == 0 && !self.zero,
            Key::Point | Key::LocalPoint => {
                if self.decimal {
                    return Err(syntax("multiple decimal points"));
                }
                if self.shift {
                    return Err(syntax("cannot use \"V\" and decimal point together"));
                }
                self.decimal = true;
            }
            Key::Fill => self.fill = true,
            Key::Sign => self.add_sign()?,
            Key::Minus => {
                self.no_sign_with("MI")?;
                self.minus = true;
            }
            Key::Plus => {
                self.no_sign_with("PL")?;
                self.plus = true;
            }
            Key::EitherSign => {
                self.no_sign_with("SG")?;
                self.minus = true;
                self.plus = true;
            }
            Key::Bracket => {
                if self.sign || self.plus || self.minus {
                    return Err(syntax(
                        "cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together",
                    ));
                }
                self.bracket = true;
            }
            Key::Roman(upper) => {
                if self.roman.is_some() {
                    return Err(syntax("cannot use \"RN\" twice"));
                }
                self.roman = Some(upper);
            }
            Key::Shift => {
                if self.decimal {
                    return Err(syntax("cannot use \"V\" and decimal point together"));
                }
                self.shift = true;
            }
            Key::Exponent => self.add_exponent()?,
            Key::Comma | Key::Group | Key::Currency | Key::Ordinal(_) | Key::Nothing => {}
        }
        self.check_roman()
    }

    fn no_sign_with(&self, name: &str) -> PgResult<()> {
        if self.sign {
            return Err(syntax(&format!("cannot use \"S\" and \"{name}\" together")));
        }
        Ok(())
    }

    fn add_digit(&mut self, key: Key) -> PgResult<()> {
        if self.bracket {
            let digit = if key == Key::Nine { '9' } else { '0' };
            return Err(syntax(&format!("\"{digit}\" must be ahead of \"PR\"")));
        }
        if key == Key::Nine && self.shift {
            self.multi += 1;
            return Ok(());
        }
        if key == Key::Zero && !self.zero && !self.decimal {
            self.zero = true;
            self.zero_start = self.pre + 1;
        }
        if self.decimal {
            self.post += 1;
        } else {
            self.pre += 1;
        }
        if key == Key::Zero {
            self.zero_end = self.pre + self.post;
        }
        Ok(())
    }

    fn add_sign(&mut self) -> PgResult<()> {
        if self.sign {
            return Err(syntax("cannot use \"S\" twice"));
        }
        if self.plus || self.minus || self.bracket {
            return Err(syntax(
                "cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together",
            ));
        }
        if !self.decimal {
            self.sign_place = SignPlace::Before;
            self.sign_at = self.pre;
        } else if self.sign_place == SignPlace::None {
            self.sign_place = SignPlace::After;
        }
        self.sign = true;
        Ok(())
    }

    fn add_exponent(&mut self) -> PgResult<()> {
        if self.exponent {
            return Err(syntax("cannot use \"EEEE\" twice"));
        }
        let clash = self.blank
            || self.fill
            || self.sign
            || self.bracket
            || self.minus
            || self.plus
            || self.roman.is_some()
            || self.shift;
        if clash {
            return Err(syntax("\"EEEE\" is incompatible with other formats")
                .detail("\"EEEE\" may only be used together with digit and decimal point patterns."));
        }
        self.exponent = true;
        Ok(())
    }

    fn check_roman(&self) -> PgResult<()> {
        let other = self.decimal
            || self.zero
            || self.blank
            || self.sign
            || self.bracket
            || self.minus
            || self.plus
            || self.shift
            || self.exponent;
        if self.roman.is_some() && other {
            return Err(syntax("\"RN\" is incompatible with other formats")
                .detail("\"RN\" may only be used together with \"FM\"."));
        }
        Ok(())
    }
}
