//! Reading queries: words between operators, plain texts, web searches.

use common::{PgError, PgResult, pg_err};

use crate::textsearch::query::{DISTANCE_MAX, Item, Operand, check_depth};
use crate::textsearch::token::{Grammar, WordReader};
use crate::textsearch::{WORD_BYTES_MAX, is_space};

/// The grammars of query texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// Operators between words.
    Operators,
    /// One operand: the whole text.
    Plain,
    /// As search engines have it.
    Web,
}

/// Puts one operand into a query.
pub type PushOperand<'f> = dyn FnMut(Operand, &mut Vec<Item>) -> PgResult<()> + 'f;

/// Reads a query, every operand through `push`, which must leave exactly one operand behind.
pub fn parse(text: &str, syntax: Syntax, push: &mut PushOperand<'_>) -> PgResult<Vec<Item>> {
    let mut parser = Parser {
        text,
        at: 0,
        syntax,
        expects: Expects::First,
        parentheses: 0,
        out: Vec::new(),
        push,
    };
    parser.run()?;
    check_depth(&parser.out)?;
    Ok(parser.out)
}

/// Where PostgreSQL's recursion ends, about.
const PARENTHESES_MAX: usize = 9_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expects {
    First,
    Operand,
    Operator,
}

enum Step {
    Value(Operand),
    Operator(Item),
    Open,
    Close,
    End,
}

struct Parser<'a, 'f> {
    text: &'a str,
    at: usize,
    syntax: Syntax,
    expects: Expects,
    parentheses: usize,
    out: Vec<Item>,
    push: &'a mut PushOperand<'f>,
}

impl<'a> Parser<'a, '_> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches(is_space).len();
    }

    fn eat(&mut self, c: char) -> bool {
        let hit = self.rest().starts_with(c);
        if hit {
            self.at += c.len_utf8();
        }
        hit
    }

    fn fail<T>(&self) -> PgResult<T> {
        Err(Grammar::Query.syntax_error(self.text))
    }

    /// Operators wait on a stack, one level per parenthesis.
    fn run(&mut self) -> PgResult<()> {
        let mut levels: Vec<Vec<Item>> = vec![Vec::new()];
        loop {
            let step = match self.syntax {
                Syntax::Operators => self.step()?,
                Syntax::Plain => self.plain_step(),
                Syntax::Web => self.web_step()?,
            };
            match step {
                Step::Value(operand) => {
                    if operand.word.len() >= WORD_BYTES_MAX && self.syntax != Syntax::Plain {
                        return Err(pg_err!(
                            PROGRAM_LIMIT_EXCEEDED,
                            "word is too long in tsquery: \"{}\"",
                            self.text
                        ));
                    }
                    (self.push)(operand, &mut self.out)?;
                }
                Step::Operator(operator) => {
                    let level = levels.last_mut().ok_or_else(|| malformed(self.text))?;
                    settle(level, &mut self.out, Some(&operator));
                    level.push(operator);
                }
                Step::Open => levels.push(Vec::new()),
                Step::Close => {
                    let mut level = levels.pop().ok_or_else(|| malformed(self.text))?;
                    settle(&mut level, &mut self.out, None);
                }
                Step::End => break,
            }
        }
        while let Some(mut level) = levels.pop() {
            settle(&mut level, &mut self.out, None);
        }
        Ok(())
    }

    fn step(&mut self) -> PgResult<Step> {
        self.skip_space();
        if self.expects != Expects::Operator {
            if self.eat('!') {
                self.expects = Expects::Operand;
                return Ok(Step::Operator(Item::Not));
            }
            if self.eat('(') {
                self.expects = Expects::Operand;
                self.parentheses += 1;
                if self.parentheses > PARENTHESES_MAX {
                    return Err(crate::json_text::too_deep());
                }
                return Ok(Step::Open);
            }
            if self.rest().starts_with(':') {
                return self.fail();
            }
            return match WordReader::new(Grammar::Query, self.text, self.at).read()? {
                Some(token) => {
                    self.at = token.end;
                    self.expects = Expects::Operator;
                    Ok(Step::Value(self.modifiers(token.word)))
                }
                None if self.expects == Expects::First => Ok(Step::End),
                // Behind `<->` and before a parenthesis this is nothing special.
                None if !self.rest().is_empty() || self.text[..self.at].trim_end().ends_with('>') => {
                    self.fail()
                }
                None => Err(pg_err!(SYNTAX_ERROR, "no operand in tsquery: \"{}\"", self.text)),
            };
        }
        if self.rest().is_empty() {
            return if self.parentheses > 0 {
                self.fail()
            } else {
                Ok(Step::End)
            };
        }
        if self.eat(')') {
            if self.parentheses == 0 {
                return self.fail();
            }
            self.parentheses -= 1;
            return Ok(Step::Close);
        }
        let operator = if self.eat('&') {
            Item::And
        } else if self.eat('|') {
            Item::Or
        } else {
            match self.phrase_operator()? {
                Some(distance) => Item::Phrase(distance),
                None => return self.fail(),
            }
        };
        self.expects = Expects::Operand;
        Ok(Step::Operator(operator))
    }

    /// `:*ABCD` behind a word.
    fn modifiers(&mut self, word: String) -> Operand {
        let mut operand = Operand {
            word,
            weight: 0,
            prefix: false,
        };
        if self.eat(':') {
            for b in self.rest().bytes() {
                match b.to_ascii_lowercase() {
                    b'a' => operand.weight |= 8,
                    b'b' => operand.weight |= 4,
                    b'c' => operand.weight |= 2,
                    b'd' => operand.weight |= 1,
                    b'*' => operand.prefix = true,
                    _ => break,
                }
                self.at += 1;
            }
        }
        operand
    }

    /// `<->`, `<3>`.
    fn phrase_operator(&mut self) -> PgResult<Option<u16>> {
        let Some(inner) = self.rest().strip_prefix('<') else {
            return Ok(None);
        };
        if inner.starts_with("->") {
            self.at += 3;
            return Ok(Some(1));
        }
        let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return Ok(None);
        }
        let distance = inner[..digits].parse::<u16>().ok().filter(|d| *d <= DISTANCE_MAX);
        let Some(distance) = distance else {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "distance in phrase operator must be an integer value between zero and {DISTANCE_MAX} inclusive"
            ));
        };
        if !inner[digits..].starts_with('>') {
            return Ok(None);
        }
        self.at += digits + 2;
        Ok(Some(distance))
    }

    fn plain_step(&mut self) -> Step {
        if self.rest().is_empty() {
            return Step::End;
        }
        self.at = self.text.len();
        Step::Value(plain(self.text))
    }

    fn web_step(&mut self) -> PgResult<Step> {
        loop {
            self.skip_space();
            let rest = self.rest();
            let operator_sign = |s: &str| s.starts_with(['!', '&', '|', '(', ')']);
            if self.expects == Expects::Operator {
                if rest.is_empty() {
                    return Ok(Step::End);
                }
                if or_operator(rest) {
                    self.at += 2;
                    self.expects = Expects::Operand;
                    return Ok(Step::Operator(Item::Or));
                }
                if operator_sign(rest) {
                    self.at += 1;
                    continue;
                }
                self.expects = Expects::Operand;
                return Ok(Step::Operator(Item::And));
            }
            if self.eat('-') {
                self.expects = Expects::Operand;
                return Ok(Step::Operator(Item::Not));
            }
            if let Some(quoted) = rest.strip_prefix('"') {
                let end = quoted.find('"').unwrap_or(quoted.len());
                self.at += (end + 2).min(rest.len());
                self.expects = Expects::Operator;
                return Ok(Step::Value(plain(&quoted[..end])));
            }
            if operator_sign(rest) {
                self.at += 1;
                self.expects = Expects::Operand;
                continue;
            }
            return match WordReader::new(Grammar::Web, self.text, self.at).read()? {
                Some(token) => {
                    self.at = token.end;
                    self.expects = Expects::Operator;
                    Ok(Step::Value(plain(&token.word)))
                }
                None => {
                    if self.expects == Expects::Operand {
                        self.out.push(Item::Stop);
                    }
                    Ok(Step::End)
                }
            };
        }
    }
}

fn plain(word: &str) -> Operand {
    Operand {
        word: word.to_owned(),
        weight: 0,
        prefix: false,
    }
}

/// `or` as a word of its own with something behind it.
fn or_operator(rest: &str) -> bool {
    if !rest.get(..2).is_some_and(|w| w.eq_ignore_ascii_case("or")) {
        return false;
    }
    let mut after = rest[2..].chars();
    match after.next() {
        None => false,
        Some(c) if matches!(c, '-' | '_') || c.is_alphanumeric() => false,
        Some(_) => after.any(|c| !is_space(c)),
    }
}

/// Moves waiting operators that bind at least as tightly as the next one to the output.
fn settle(level: &mut Vec<Item>, out: &mut Vec<Item>, next: Option<&Item>) {
    while let Some(top) = level.last() {
        let waits = match next {
            // NOT is right associative.
            Some(Item::Not) => true,
            Some(next) => next.priority() > top.priority(),
            None => false,
        };
        if waits {
            break;
        }
        out.extend(level.pop());
    }
}

#[cold]
fn malformed(text: &str) -> Box<PgError> {
    Grammar::Query.syntax_error(text)
}
