//! Prints the digits of a number by a template.
//!
//! # How it works
//! The number comes as text, rounded to the template's digits. [`Printer`] walks the template; each digit position either
//! pads (before the number's first digit), or takes the next character of the text. The sign goes out before the first
//! character that shows, trailing zeros of `FM` numbers stop at the last digit that matters.

use common::PgResult;

use crate::families::format::number::{Key, Node, NumberTemplate, SignPlace, look};
use crate::families::format::ordinal_ending;

/// A number ready to print.
#[derive(Clone, Debug)]
pub(crate) struct Digits {
    pub(crate) negative: bool,
    /// Digits with an optional point, or `#` marks, or a word like `NaN`.
    pub(crate) text: String,
    /// Digits before the point that the template has room for (`V` included).
    pub(crate) pre: usize,
    /// Digits after the point.
    pub(crate) post: usize,
}

struct Printer<'a> {
    template: &'a NumberTemplate,
    text: &'a [u8],
    negative: bool,
    post: usize,
    /// Position of the last character that `FM` keeps.
    last_relevant: Option<usize>,
    sign_written: bool,
    sign_place: SignPlace,
    bracket: bool,
    /// Padding positions before the first digit.
    padding: usize,
    zero_start: usize,
    count: i64,
    at: usize,
    current: usize,
    digit_seen: bool,
    out: String,
    /// Where the digits ran out.
    cut: Option<usize>,
}

/// The last position after the point that is no zero; the point itself when all are.
fn last_relevant(text: &[u8]) -> Option<usize> {
    let point = text.iter().position(|b| *b == b'.')?;
    Some(
        (point + 1..text.len())
            .rev()
            .find(|i| text[*i] != b'0')
            .unwrap_or(point),
    )
}

/// Prints the digits.
pub(crate) fn print(template: &NumberTemplate, digits: &Digits) -> PgResult<String> {
    let whole = digits.text.find('.').unwrap_or(digits.text.len());
    let mut text = digits.text.clone();
    let mut padding = 0;
    if whole < digits.pre {
        padding = digits.pre - whole;
    } else if whole > digits.pre {
        // Too large for the template.
        text = format!("{}.{}", "#".repeat(digits.pre), "#".repeat(digits.post));
    }
    let mut p = Printer::new(template, digits, text.as_bytes(), padding);
    for (k, node) in template.nodes.iter().enumerate() {
        look(k)?;
        match node {
            Node::Literal(c) => p.out.push(*c),
            Node::Key(key) => p.key(*key),
        }
    }
    if let Some(cut) = p.cut {
        p.out.truncate(cut);
    }
    Ok(p.out)
}

impl<'a> Printer<'a> {
    fn new(template: &'a NumberTemplate, digits: &Digits, text: &'a [u8], padding: usize) -> Printer<'a> {
        let t = template;
        let mut p = Printer {
            template,
            text,
            negative: digits.negative,
            post: digits.post,
            last_relevant: None,
            sign_written: false,
            sign_place: t.sign_place,
            bracket: t.bracket,
            padding,
            zero_start: t.zero_start.saturating_sub(1),
            count: (digits.post + digits.pre) as i64 - 1,
            at: 0,
            current: 0,
            digit_seen: false,
            out: String::new(),
            cut: None,
        };
        if t.plus || t.minus {
            // PL alone leaves a minus to the digits; MI and SG write it themselves.
            p.sign_written = t.minus;
        } else {
            if !p.negative && t.fill {
                p.bracket = false;
            }
            p.sign_written = !p.negative && t.fill && !t.sign;
            if p.sign_place == SignPlace::Before && digits.pre == t.sign_at {
                p.sign_place = SignPlace::After;
            }
        }
        if t.fill && t.decimal {
            p.last_relevant = last_relevant(text);
            if let Some(last) = p.last_relevant {
                if t.zero_end > padding {
                    // Digits asked for by `0` stay.
                    let zero = (text.len().saturating_sub(1)).min(t.zero_end - padding);
                    p.last_relevant = Some(last.max(zero));
                }
            }
        }
        if !p.sign_written && padding == 0 {
            p.count += 1;
        }
        p
    }

    fn character(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    /// `9.9` prints 0.1 as ` .1`.
    fn leading_zero_hides(&self) -> bool {
        !self.template.zero && self.at == 0 && self.character(0) == Some(b'0') && self.post != 0
    }

    /// `FM` keeps nothing after the point.
    fn ends_at_point(&self) -> bool {
        self.last_relevant.and_then(|i| self.character(i)) == Some(b'.')
    }

    fn blank(&mut self) {
        if !self.template.fill {
            self.out.push(' ');
        }
    }

    fn key(&mut self, key: Key) {
        let fill = self.template.fill;
        match key {
            Key::Nine | Key::Zero | Key::Point | Key::LocalPoint => self.position(key),
            Key::Comma | Key::Group => {
                if self.digit_seen {
                    self.out.push(',');
                } else {
                    self.blank();
                }
            }
            // The C locale's currency symbol.
            Key::Currency => self.out.push(' '),
            Key::Ordinal(upper) => {
                let numeric = self.character(0) != Some(b'#') && !self.negative && !self.template.decimal;
                if numeric {
                    let ending = ordinal_ending(std::str::from_utf8(self.text).unwrap_or_default());
                    self.out.push_str(&if upper {
                        ending.to_uppercase()
                    } else {
                        ending.to_owned()
                    });
                }
            }
            Key::Minus => {
                if self.negative {
                    self.out.push('-');
                } else if !fill {
                    self.out.push(' ');
                }
            }
            Key::Plus => {
                if !self.negative {
                    self.out.push('+');
                } else if !fill {
                    self.out.push(' ');
                }
            }
            Key::EitherSign => self.out.push(if self.negative { '-' } else { '+' }),
            _ => {}
        }
    }

    fn write_sign(&mut self) {
        if self.template.sign {
            if self.sign_place == SignPlace::Before {
                self.out.push(if self.negative { '-' } else { '+' });
                self.sign_written = true;
            }
            return;
        }
        if self.bracket {
            self.out.push(if self.negative { '<' } else { ' ' });
        } else if self.negative {
            self.out.push('-');
        } else {
            self.blank();
        }
        self.sign_written = true;
    }

    /// A digit position or the point.
    fn position(&mut self, key: Key) {
        let zero = self.template.zero;
        self.digit_seen = false;
        let number_starts = self.current >= self.padding || (zero && self.zero_start == self.current);
        if !self.sign_written && number_starts && (!self.leading_zero_hides() || self.ends_at_point()) {
            self.write_sign();
        }
        if self.current < self.padding {
            if zero && self.zero_start <= self.current {
                self.out.push('0');
                self.digit_seen = true;
            } else {
                self.blank();
            }
        } else {
            self.number_character(key);
        }
        let mut end = self.count + i64::from(self.padding > 0) + i64::from(self.template.decimal);
        if self.last_relevant.is_some_and(|l| l == self.at) {
            end = self.current as i64;
        }
        if self.current as i64 + 1 == end {
            if self.sign_written && self.bracket {
                self.out.push(if self.negative { '>' } else { ' ' });
            } else if self.template.sign && self.sign_place == SignPlace::After {
                self.out.push(if self.negative { '-' } else { '+' });
            }
        }
        self.current += 1;
    }

    fn number_character(&mut self, key: Key) {
        match self.character(self.at) {
            Some(b'.') => {
                if !self.ends_at_point() || self.template.fill {
                    self.out.push('.');
                }
            }
            _ if self.last_relevant.is_some_and(|l| self.at > l) && key != Key::Zero => {}
            _ if self.leading_zero_hides() => {
                if !self.template.fill {
                    self.out.push(' ');
                } else if self.ends_at_point() {
                    self.out.push('0');
                }
            }
            Some(b) => {
                self.out.push(char::from(b));
                self.digit_seen = true;
            }
            // PostgreSQL's text ends here, whatever the template still has.
            None => self.cut = self.cut.or(Some(self.out.len())),
        }
        if self.at < self.text.len() {
            self.at += 1;
        }
    }
}
