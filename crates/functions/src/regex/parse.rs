//! From the text of a regular expression to a tree.

use common::{PgError, PgResult, pg_err};

use super::basic::advanced_of_basic;
use super::class::{Class, element};
use crate::framework::session::CharacterRules;

/// The flags of a regular expression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Flags {
    pub(crate) global: bool,
    pub(crate) ignore_case: bool,
    /// `.` and negated brackets do not match newlines.
    pub(crate) newline_stops: bool,
    /// `^` and `$` match at lines too.
    pub(crate) newline_anchors: bool,
    pub(crate) expanded: bool,
    pub(crate) literal: bool,
    /// Basic regular expressions. (PostgreSQL takes the option `e` for this too.)
    pub(crate) basic: bool,
    /// Classes and cases: the collation's.
    pub(crate) rules: CharacterRules,
}

impl Flags {
    /// Reads a flags argument.
    pub(crate) fn parse(flags: &str) -> PgResult<Flags> {
        let mut out = Flags::default();
        for c in flags.chars() {
            if c == 'g' {
                out.global = true;
            } else if !out.set(c) {
                return Err(pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "invalid regular expression option: \"{c}\""
                ));
            }
        }
        Ok(out)
    }

    fn set(&mut self, flag: char) -> bool {
        match flag {
            'i' => self.ignore_case = true,
            'c' => self.ignore_case = false,
            'm' | 'n' => (self.newline_stops, self.newline_anchors) = (true, true),
            's' => (self.newline_stops, self.newline_anchors) = (false, false),
            'p' => (self.newline_stops, self.newline_anchors) = (true, false),
            'w' => (self.newline_stops, self.newline_anchors) = (false, true),
            'x' => self.expanded = true,
            't' => self.expanded = false,
            'q' => self.literal = true,
            'b' | 'e' => (self.basic, self.literal) = (true, false),
            _ => return false,
        }
        true
    }
}

/// A place that matches no characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Assertion {
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    WordStart,
    WordEnd,
    WordBoundary,
    NotWordBoundary,
}

/// A node of the tree.
#[derive(Clone, Debug)]
pub(crate) enum Ast {
    Empty,
    Class(Class),
    Assert(Assertion),
    Look {
        ahead: bool,
        negative: bool,
        inner: Box<Ast>,
    },
    Backref(usize),
    Concat(Vec<Ast>),
    Alternate(Vec<Ast>),
    Repeat(Box<Repeat>),
    Capture(usize, Box<Ast>),
}

/// A quantified atom.
#[derive(Clone, Debug)]
pub(crate) struct Repeat {
    pub(crate) atom: Ast,
    pub(crate) min: u32,
    /// `None`: no limit.
    pub(crate) max: Option<u32>,
    /// `None`: `{m}`, which takes its operand's preference.
    pub(crate) greedy: Option<bool>,
}

/// A parsed expression.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) ast: Ast,
    /// Capturing groups, by number from 1.
    pub(crate) groups: Vec<Option<Ast>>,
    pub(crate) flags: Flags,
}

/// The error of a bad expression (2201B).
#[cold]
pub(crate) fn invalid(what: &str) -> Box<PgError> {
    pg_err!(INVALID_REGULAR_EXPRESSION, "invalid regular expression: {what}")
}

const BAD_REPEAT: &str = "quantifier operand invalid";
pub(super) const BAD_COUNT: &str = "invalid repetition count(s)";
pub(super) const BAD_ESCAPE: &str = "invalid escape \\ sequence";
const BAD_BRACKET: &str = "brackets [] not balanced";
const BAD_PAREN: &str = "parentheses () not balanced";
const BAD_BRACE: &str = "braces {} not balanced";
const BAD_RANGE: &str = "invalid character range";
/// Message for expressions that would need too much of anything.
pub(crate) const TOO_COMPLEX: &str = "regular expression is too complex";

/// Greatest count in braces.
const COUNT_MAX: u32 = 255;
/// Deepest nesting of parentheses.
const DEPTH_MAX: usize = 400;

/// What an escape stands for.
enum Escape {
    Char(char),
    Class(Class),
    Assert(Assertion),
    Backref(usize),
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    flags: Flags,
    groups: Vec<Option<Ast>>,
    depth: usize,
    in_look: bool,
}

/// Parses a pattern.
pub(crate) fn parse(pattern: &str, mut flags: Flags) -> PgResult<Parsed> {
    let mut rest = pattern;
    // The option `q` takes everything by its letters.
    if let Some(after) = rest.strip_prefix("***").filter(|_| !flags.literal) {
        if let Some(literal) = after.strip_prefix('=') {
            (flags.literal, rest) = (true, literal);
        } else if let Some(advanced) = after.strip_prefix(':') {
            (flags.basic, rest) = (false, advanced);
        } else {
            return Err(invalid(BAD_REPEAT));
        }
    }
    if !flags.literal && !flags.basic {
        rest = embedded(rest, &mut flags)?;
    }
    let chars: Vec<char> = rest.chars().collect();
    let mut parser = Parser {
        chars: if flags.basic && !flags.literal {
            advanced_of_basic(&chars)?
        } else {
            chars
        },
        at: 0,
        flags,
        groups: vec![None],
        depth: 0,
        in_look: false,
    };
    let ast = if flags.literal {
        Ast::Concat(parser.chars.iter().map(|c| parser.literal(*c)).collect())
    } else {
        parser.alternatives()?
    };
    if !flags.literal && parser.at < parser.chars.len() {
        return Err(invalid(BAD_PAREN));
    }
    Ok(Parsed {
        ast,
        groups: parser.groups,
        flags,
    })
}

/// Takes `(?flags)` off the front.
fn embedded<'a>(pattern: &'a str, flags: &mut Flags) -> PgResult<&'a str> {
    let Some(inside) = pattern.strip_prefix("(?") else {
        return Ok(pattern);
    };
    let letters = inside.len() - inside.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
    if letters == 0 {
        return Ok(pattern);
    }
    let known = inside[..letters].chars().all(|c| flags.set(c));
    if !known || !inside[letters..].starts_with(')') {
        return Err(invalid("invalid embedded option"));
    }
    Ok(&inside[letters + 1..])
}

impl Parser {
    fn literal(&self, c: char) -> Ast {
        Ast::Class(match self.flags.ignore_case {
            true => Class::both_cases(c, self.flags.rules),
            false => Class::single(c),
        })
    }

    fn named(&self, name: &str) -> Option<Class> {
        Class::named(name, self.flags.rules)
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn accept(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    /// White space and comments of the expanded syntax, and `(?#...)`.
    fn skip(&mut self) {
        loop {
            let start = self.at;
            if self.flags.expanded {
                while self.peek().is_some_and(|c| matches!(c, ' ' | '\t'..='\r')) {
                    self.at += 1;
                }
                if self.peek() == Some('#') {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
            }
            if self.chars[self.at..].starts_with(&['(', '?', '#']) {
                while self.peek().is_some_and(|c| c != ')') {
                    self.at += 1;
                }
                self.accept(')');
            }
            if self.at == start {
                return;
            }
        }
    }

    /// Branches up to a closing parenthesis or the end.
    fn alternatives(&mut self) -> PgResult<Ast> {
        if self.depth > DEPTH_MAX {
            return Err(invalid(TOO_COMPLEX));
        }
        self.depth += 1;
        let mut branches = vec![self.branch()?];
        while self.accept('|') {
            branches.push(self.branch()?);
        }
        self.depth -= 1;
        Ok(match branches.len() {
            1 => branches.pop().unwrap_or(Ast::Empty),
            _ => Ast::Alternate(branches),
        })
    }

    fn branch(&mut self) -> PgResult<Ast> {
        let mut items = Vec::new();
        loop {
            self.skip();
            match self.peek() {
                None | Some('|') => break,
                Some(')') if self.depth > 1 => break,
                _ => {}
            }
            let (atom, quantifiable) = self.atom()?;
            self.skip();
            if quantifiable {
                items.push(self.quantified(atom)?);
            } else {
                items.push(atom);
            }
        }
        Ok(match items.len() {
            0 => Ast::Empty,
            1 => items.pop().unwrap_or(Ast::Empty),
            _ => Ast::Concat(items),
        })
    }

    fn quantified(&mut self, atom: Ast) -> PgResult<Ast> {
        let (min, max, exact) = match self.peek() {
            Some('*') => (0, None, false),
            Some('+') => (1, None, false),
            Some('?') => (0, Some(1), false),
            Some('{') if self.peek_at(1).is_some_and(|c| c.is_ascii_digit()) => {
                self.at += 1;
                self.counts()?
            }
            _ => return Ok(atom),
        };
        self.at += 1;
        let lazy = self.accept('?');
        if max == Some(0) {
            return Ok(Ast::Empty);
        }
        Ok(Ast::Repeat(Box::new(Repeat {
            atom,
            min,
            max,
            greedy: (!exact).then_some(!lazy),
        })))
    }

    fn number(&mut self) -> PgResult<u32> {
        let mut n = 0u32;
        while let Some(d) = self.peek().and_then(|c| c.to_digit(10)) {
            n = n * 10 + d;
            self.at += 1;
            if n > COUNT_MAX {
                return Err(invalid(BAD_COUNT));
            }
        }
        Ok(n)
    }

    /// What stands in braces, up to the closing one.
    fn counts(&mut self) -> PgResult<(u32, Option<u32>, bool)> {
        let min = self.number()?;
        let mut exact = true;
        let mut max = Some(min);
        if self.accept(',') {
            exact = false;
            max = if self.peek().is_some_and(|c| c.is_ascii_digit()) {
                Some(self.number()?)
            } else {
                None
            };
            if max.is_some_and(|max| max < min) {
                return Err(invalid(BAD_COUNT));
            }
        }
        match self.peek() {
            Some('}') => Ok((min, max, exact)),
            None => Err(invalid(BAD_BRACE)),
            Some(_) => Err(invalid(BAD_COUNT)),
        }
    }

    /// An atom, or a constraint that may not be quantified.
    fn atom(&mut self) -> PgResult<(Ast, bool)> {
        let Some(c) = self.peek() else {
            return Ok((Ast::Empty, false));
        };
        self.at += 1;
        let anchors = self.flags.newline_anchors;
        Ok(match c {
            '*' | '+' | '?' => return Err(invalid(BAD_REPEAT)),
            '{' if self.peek().is_some_and(|c| c.is_ascii_digit()) => return Err(invalid(BAD_REPEAT)),
            ')' => return Err(invalid(BAD_PAREN)),
            '^' if anchors => (Ast::Assert(Assertion::LineStart), false),
            '^' => (Ast::Assert(Assertion::TextStart), false),
            '$' if anchors => (Ast::Assert(Assertion::LineEnd), false),
            '$' => (Ast::Assert(Assertion::TextEnd), false),
            '.' if self.flags.newline_stops => (Ast::Class(Class::all().without_newline()), true),
            '.' => (Ast::Class(Class::all()), true),
            '(' => return self.group(),
            '[' => self.bracket_or_word()?,
            '\\' => self.escaped()?,
            c => (self.literal(c), true),
        })
    }

    fn escaped(&mut self) -> PgResult<(Ast, bool)> {
        Ok(match self.escape()? {
            Escape::Char(c) => (self.literal(c), true),
            Escape::Class(class) => (Ast::Class(class), true),
            Escape::Assert(a) => (Ast::Assert(a), false),
            Escape::Backref(n) => {
                if self.in_look || !self.groups.get(n).is_some_and(Option::is_some) {
                    return Err(invalid("invalid backreference number"));
                }
                (Ast::Backref(n), true)
            }
        })
    }

    /// What follows an opening parenthesis.
    fn group(&mut self) -> PgResult<(Ast, bool)> {
        let mut look = None;
        let mut capture = !self.in_look;
        if self.accept('?') {
            capture = false;
            let behind = self.peek() == Some('<');
            match if behind { self.peek_at(1) } else { self.peek() } {
                Some(':') if !behind => {}
                Some('=') => look = Some((!behind, false)),
                Some('!') => look = Some((!behind, true)),
                _ => return Err(invalid(BAD_REPEAT)),
            }
            self.at += 1 + usize::from(behind);
        }
        let number = self.groups.len();
        if capture {
            self.groups.push(None);
        }
        let outer = self.in_look;
        self.in_look |= look.is_some();
        let inner = self.alternatives()?;
        self.in_look = outer;
        if !self.accept(')') {
            return Err(invalid(BAD_PAREN));
        }
        if let Some((ahead, negative)) = look {
            let inner = Box::new(inner);
            return Ok((
                Ast::Look {
                    ahead,
                    negative,
                    inner,
                },
                false,
            ));
        }
        if capture {
            self.groups[number] = Some(inner.clone());
            return Ok((Ast::Capture(number, Box::new(inner)), true));
        }
        Ok((inner, true))
    }

    /// What follows a backslash.
    fn escape(&mut self) -> PgResult<Escape> {
        let Some(c) = self.peek() else {
            return Err(invalid(BAD_ESCAPE));
        };
        self.at += 1;
        let class = |name: &str| Escape::Class(self.named(name).unwrap_or_default());
        let other = |name: &str| Escape::Class(self.named(name).unwrap_or_default().negated());
        Ok(match c {
            'a' => Escape::Char('\x07'),
            'A' => Escape::Assert(Assertion::TextStart),
            'b' => Escape::Char('\x08'),
            'B' => Escape::Char('\\'),
            'c' => {
                let Some(control) = self.peek() else {
                    return Err(invalid(BAD_ESCAPE));
                };
                self.at += 1;
                Escape::Char(char::from((u32::from(control) & 0o37) as u8))
            }
            'd' => class("digit"),
            'D' => other("digit"),
            'e' => Escape::Char('\x1b'),
            'f' => Escape::Char('\x0c'),
            'm' => Escape::Assert(Assertion::WordStart),
            'M' => Escape::Assert(Assertion::WordEnd),
            'n' => Escape::Char('\n'),
            'r' => Escape::Char('\r'),
            's' => class("space"),
            'S' => other("space"),
            't' => Escape::Char('\t'),
            'u' => Escape::Char(self.code(16, 4, 4)?),
            'U' => Escape::Char(self.code(16, 8, 8)?),
            'v' => Escape::Char('\x0b'),
            'w' => class("word"),
            'W' => other("word"),
            'x' => Escape::Char(self.code(16, 1, 255)?),
            'y' => Escape::Assert(Assertion::WordBoundary),
            'Y' => Escape::Assert(Assertion::NotWordBoundary),
            'Z' => Escape::Assert(Assertion::TextEnd),
            '1'..='9' => return self.back_reference(),
            '0' => {
                self.at -= 1;
                self.octal()?
            }
            c if c.is_ascii_alphanumeric() => return Err(invalid(BAD_ESCAPE)),
            c => Escape::Char(c),
        })
    }

    /// One digit, or a number of a group that exists, refers to it; anything else is octal.
    fn back_reference(&mut self) -> PgResult<Escape> {
        let first = self.at - 1;
        let digits = self.chars[first..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count();
        let number = self.chars[first..first + digits].iter().fold(0usize, |n, c| {
            n.saturating_mul(10) + c.to_digit(10).unwrap_or(0) as usize
        });
        if digits == 1 || number < self.groups.len() {
            self.at = first + digits;
            return Ok(Escape::Backref(number));
        }
        self.at = first;
        self.octal()
    }

    fn octal(&mut self) -> PgResult<Escape> {
        let start = self.at;
        let mut code = 0;
        while let Some(d) = self.peek().and_then(|c| c.to_digit(8)) {
            if self.at - start == 3 || code * 8 + d > 0xff {
                break;
            }
            code = code * 8 + d;
            self.at += 1;
        }
        if self.at == start {
            return Err(invalid(BAD_ESCAPE));
        }
        Ok(Escape::Char(char::from(code as u8)))
    }

    fn code(&mut self, radix: u32, min: usize, max: usize) -> PgResult<char> {
        let start = self.at;
        let mut code = 0u32;
        while let Some(d) = self.peek().and_then(|c| c.to_digit(radix)) {
            if self.at - start == max {
                break;
            }
            code = code.saturating_mul(radix).saturating_add(d);
            self.at += 1;
        }
        if self.at - start < min {
            return Err(invalid(BAD_ESCAPE));
        }
        char::from_u32(code).ok_or_else(|| invalid(BAD_ESCAPE))
    }

    /// A bracket expression, or the word boundaries `[[:<:]]` and `[[:>:]]`.
    fn bracket_or_word(&mut self) -> PgResult<(Ast, bool)> {
        for (text, assertion) in [("[:<:]]", Assertion::WordStart), ("[:>:]]", Assertion::WordEnd)] {
            let wanted: Vec<char> = text.chars().collect();
            if self.chars[self.at..].starts_with(&wanted) {
                self.at += wanted.len();
                return Ok((Ast::Assert(assertion), false));
            }
        }
        Ok((Ast::Class(self.bracket()?), true))
    }

    fn bracket(&mut self) -> PgResult<Class> {
        let negative = self.accept('^');
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        let mut first = true;
        loop {
            match self.peek() {
                None => return Err(invalid(BAD_BRACKET)),
                Some(']') if !first => {
                    self.at += 1;
                    break;
                }
                // A minus sign stands for itself at either end only.
                Some('-') if !first && self.peek_at(1) != Some(']') => return Err(invalid(BAD_RANGE)),
                _ => self.bracket_item(&mut ranges)?,
            }
            first = false;
        }
        let mut class = Class::of(ranges);
        if self.flags.ignore_case {
            class = class.with_both_cases(self.flags.rules);
        }
        if negative {
            class = class.negated();
            if self.flags.newline_stops {
                class = class.without_newline();
            }
        }
        Ok(class)
    }

    /// A character, range or class inside brackets.
    fn bracket_item(&mut self, ranges: &mut Vec<(u32, u32)>) -> PgResult<()> {
        let from = match self.bracket_part()? {
            Escape::Char(c) => u32::from(c),
            Escape::Class(class) => {
                ranges.extend_from_slice(class.ranges());
                return Ok(());
            }
            _ => return Err(invalid(BAD_ESCAPE)),
        };
        let is_range = self.peek() == Some('-') && !matches!(self.peek_at(1), Some(']') | None);
        if !is_range {
            match char::from_u32(from).filter(|_| self.flags.ignore_case) {
                Some(c) => ranges.extend_from_slice(Class::both_cases(c, self.flags.rules).ranges()),
                None => ranges.push((from, from)),
            }
            return Ok(());
        }
        self.at += 1;
        match self.bracket_part()? {
            Escape::Char(to) if u32::from(to) >= from => ranges.push((from, u32::from(to))),
            _ => return Err(invalid(BAD_RANGE)),
        }
        Ok(())
    }

    fn bracket_part(&mut self) -> PgResult<Escape> {
        let Some(c) = self.peek() else {
            return Err(invalid(BAD_BRACKET));
        };
        self.at += 1;
        match (c, self.peek()) {
            ('\\', _) => self.escape(),
            ('[', Some(kind @ (':' | '.' | '='))) => {
                self.at += 1;
                let name = self.name_until(kind)?;
                if kind == ':' {
                    let mut class = self
                        .named(&name)
                        .ok_or_else(|| invalid("invalid character class"))?;
                    if self.flags.ignore_case && matches!(name.as_str(), "lower" | "upper") {
                        class = class.with_both_cases(self.flags.rules);
                    }
                    return Ok(Escape::Class(class));
                }
                let c = element(&name).ok_or_else(|| invalid("invalid collating element"))?;
                Ok(Escape::Char(c))
            }
            (c, _) => Ok(Escape::Char(c)),
        }
    }

    fn name_until(&mut self, kind: char) -> PgResult<String> {
        let mut name = String::new();
        loop {
            match self.peek() {
                Some(c) if c == kind && self.peek_at(1) == Some(']') => {
                    self.at += 2;
                    return Ok(name);
                }
                Some(c) => name.push(c),
                None => return Err(invalid(BAD_BRACKET)),
            }
            self.at += 1;
        }
    }
}
