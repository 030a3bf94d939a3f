//! PostgreSQL's advanced regular expressions.
//!
//! PG: src/backend/regex/README; "POSIX Regular Expressions" in the manual.
//!
//! # How it works
//! 1. [`parse`] makes a tree of the text, with PostgreSQL's errors.
//! 2. Where crate `regex` can say the same, it gets the expression too: whether and where the leftmost match begins does not
//!    depend on preferences, so it answers `~` alone and finds beginnings.
//! 3. Where a match ends and what its groups are is the business of our own automata ([`program`], [`matcher`]).
//!
//! # Invariants
//! - No expression takes exponential time without back references; with them, and everywhere else, cancellation is looked at.
//! - Classes and cases are the collation's ([`Flags::rules`]): ASCII's under `C`, else Unicode's ([`unicode`]).

mod basic;
mod class;
mod matcher;
mod parse;
mod program;
mod steps;
#[cfg(test)]
mod tests;
mod unicode;

use std::fmt::Write;
use std::sync::OnceLock;

use common::PgResult;
use common::cancel::CancelToken;
use common::pieces::{self, PIECE_BYTES};

use crate::framework::session::CharacterRules;

use matcher::{Builder, Dissection, Part, Prefer};
use parse::{Assertion, Ast, Parsed};
use program::{Walker, Want};
use steps::Steps;

pub(crate) use matcher::Spans;
pub(crate) use parse::Flags;

/// Bytes of the longest character.
const CHARACTER_BYTES: usize = 4;

/// A compiled expression.
pub(crate) struct Regex {
    parsed: Parsed,
    /// The same for crate `regex`, which may prefer other ends.
    fast: Option<regex::Regex>,
    /// The most bytes that a match takes, where there is a limit: asked for when a long text is searched.
    reach: OnceLock<Option<usize>>,
    /// Where there is none, how a long text is searched.
    steps: OnceLock<Option<Steps>>,
    /// The crate's ends are ours too.
    same_ends: bool,
    part: OnceLock<Part>,
}

impl Regex {
    /// Compiles a pattern.
    pub(crate) fn new(pattern: &str, flags: Flags) -> PgResult<Regex> {
        let parsed = parse::parse(pattern, flags)?;
        let mut translated = String::new();
        let unicode = parsed.flags.rules != CharacterRules::Ascii;
        let fast = if translate(&parsed.ast, &mut translated) && !(unicode && translated.contains("\\b")) {
            regex::RegexBuilder::new(&translated)
                .size_limit(1 << 22)
                .build()
                .ok()
        } else {
            None
        };
        let regex = Regex {
            same_ends: has_one_end(&parsed.ast),
            parsed,
            fast,
            reach: OnceLock::new(),
            steps: OnceLock::new(),
            part: OnceLock::new(),
        };
        if regex.fast.is_none() {
            regex.part()?;
        }
        Ok(regex)
    }

    /// Number of capturing groups.
    pub(crate) fn groups(&self) -> usize {
        self.parsed.groups.len() - 1
    }

    fn part(&self) -> PgResult<&Part> {
        if let Some(part) = self.part.get() {
            return Ok(part);
        }
        let groups = &self.parsed.groups;
        let part = Builder { groups }.build(&self.parsed.ast)?;
        Ok(self.part.get_or_init(|| part))
    }

    /// True when the expression matches somewhere.
    pub(crate) fn is_match(&self, cancel: &CancelToken, text: &str) -> PgResult<bool> {
        match &self.fast {
            Some(fast) if text.len() <= PIECE_BYTES => Ok(fast.is_match(text)),
            Some(fast) => Ok(self.find_fast(fast, cancel, text, 0)?.is_some()),
            None => Ok(self.find_at(cancel, text, 0)?.is_some()),
        }
    }

    /// The crate's match. Where no match is longer than a certain length, a long text is searched a piece at a time: a match that begins in a
    /// piece ends before the text that is shown of what follows.
    fn find_fast(
        &self,
        fast: &regex::Regex,
        cancel: &CancelToken,
        text: &str,
        from: usize,
    ) -> PgResult<Option<(usize, usize)>> {
        let span = |m: regex::Match<'_>| (m.start(), m.end());
        let mut from = from;
        while text.len().saturating_sub(from) > PIECE_BYTES {
            let reach = || {
                regex_syntax::parse(fast.as_str())
                    .ok()?
                    .properties()
                    .maximum_len()
            };
            let Some(reach) = self.reach.get_or_init(reach).filter(|n| *n < PIECE_BYTES) else {
                let steps = self.steps.get_or_init(|| Steps::new(fast.as_str()));
                if let Some(steps) = steps
                    && let Some(found) = steps.find(cancel, text, from)?
                {
                    return Ok(found);
                }
                break;
            };
            cancel.check()?;
            let next = pieces::boundary(text, from + PIECE_BYTES);
            let shown = pieces::boundary(text, (next + reach + CHARACTER_BYTES).min(text.len()));
            let found = fast.find_at(&text[..shown], from);
            if found.is_some_and(|m| m.start() < next) {
                return Ok(found.map(span));
            }
            from = next;
        }
        Ok(fast.find_at(text, from).map(span))
    }

    /// The leftmost match that begins at `from` or later: its span and those of its groups.
    pub(crate) fn find_at(&self, cancel: &CancelToken, text: &str, from: usize) -> PgResult<Option<Spans>> {
        if let (Some(fast), true) = (&self.fast, self.same_ends) {
            let found = self.find_fast(fast, cancel, text, from)?;
            return Ok(found.map(|span| vec![Some(span)]));
        }
        let part = self.part()?;
        let mut walker = Walker::new(text, cancel, self.parsed.flags.rules);
        if part.refers() {
            return self.find_referring(part, &mut walker, from);
        }
        let start = match &self.fast {
            Some(fast) => self.find_fast(fast, cancel, text, from)?.map(|span| span.0),
            None => walker.first_start(part.program(), from)?,
        };
        let Some(start) = start else { return Ok(None) };
        let want = match part.preference() {
            Prefer::Longest => Want::Longest,
            Prefer::Shortest => Want::ShortestFrom(start),
        };
        let Some(end) = walker.run(part.program(), start, text.len(), want)? else {
            return Ok(None);
        };
        self.dissect(part, &mut walker, start, end)
    }

    fn dissect(
        &self,
        part: &Part,
        walker: &mut Walker<'_>,
        start: usize,
        end: usize,
    ) -> PgResult<Option<Spans>> {
        let mut spans = vec![None; self.parsed.groups.len()];
        if !part.is_plain() {
            let mut dissection = Dissection {
                walker,
                spans,
                flags: self.parsed.flags,
            };
            if !dissection.dissect(part, start, end)? {
                return Ok(None);
            }
            spans = dissection.spans;
        }
        spans[0] = Some((start, end));
        Ok(Some(spans))
    }

    /// With back references the automaton only proposes: every span is looked at until one holds.
    fn find_referring(&self, part: &Part, walker: &mut Walker<'_>, from: usize) -> PgResult<Option<Spans>> {
        let len = walker.text().len();
        let shortest = part.preference() == Prefer::Shortest;
        let mut start = from;
        loop {
            let (mut min, mut max) = (start, len);
            loop {
                let want = if shortest {
                    Want::ShortestFrom(min)
                } else {
                    Want::Longest
                };
                let Some(end) = walker.run(part.program(), start, max, want)? else {
                    break;
                };
                if let Some(spans) = self.dissect(part, walker, start, end)? {
                    return Ok(Some(spans));
                }
                let next = if shortest {
                    walker.after(end)
                } else {
                    walker.before(end)
                };
                match next.filter(|n| *n >= start) {
                    Some(n) if shortest => min = n,
                    Some(n) => max = n,
                    None => break,
                }
            }
            match walker.after(start) {
                Some(next) => start = next,
                None => return Ok(None),
            }
        }
    }
}

/// True when every match from a place has the same end in any order of preference: characters and assertions, at most the
/// last of them repeated greedily.
fn has_one_end(ast: &Ast) -> bool {
    let simple = |a: &Ast| matches!(a, Ast::Class(_) | Ast::Assert(_) | Ast::Empty);
    let last = |a: &Ast| match a {
        Ast::Repeat(r) => r.greedy == Some(true) && matches!(r.atom, Ast::Class(_)),
        other => simple(other),
    };
    match ast {
        Ast::Concat(items) => match items.split_last() {
            Some((end, head)) => head.iter().all(simple) && last(end),
            None => true,
        },
        other => last(other),
    }
}

/// Writes a tree in the syntax of crate `regex`; false when it cannot say it.
fn translate(ast: &Ast, out: &mut String) -> bool {
    match ast {
        Ast::Empty => {}
        Ast::Class(class) if class.ranges().is_empty() => out.push_str("[a&&b]"),
        Ast::Class(class) => {
            out.push('[');
            for &(from, to) in class.ranges() {
                // Surrogates are no characters: ranges end before and go on behind them.
                for (from, to) in [(from, to.min(0xd7ff)), (from.max(0xe000), to)] {
                    if from <= to {
                        let _ = write!(out, "\\x{{{from:x}}}-\\x{{{to:x}}}");
                    }
                }
            }
            out.push(']');
        }
        Ast::Assert(a) => out.push_str(match a {
            Assertion::TextStart => "\\A",
            Assertion::TextEnd => "\\z",
            Assertion::LineStart => "(?m:^)",
            Assertion::LineEnd => "(?m:$)",
            Assertion::WordStart => "(?-u:\\b{start})",
            Assertion::WordEnd => "(?-u:\\b{end})",
            Assertion::WordBoundary => "(?-u:\\b)",
            Assertion::NotWordBoundary => return false,
        }),
        Ast::Look { .. } | Ast::Backref(_) => return false,
        Ast::Concat(items) => return items.iter().all(|i| translate(i, out)),
        Ast::Alternate(branches) => {
            out.push_str("(?:");
            for (i, branch) in branches.iter().enumerate() {
                if i > 0 {
                    out.push('|');
                }
                if !translate(branch, out) {
                    return false;
                }
            }
            out.push(')');
        }
        Ast::Repeat(r) => {
            out.push_str("(?:");
            if !translate(&r.atom, out) {
                return false;
            }
            let _ = match r.max {
                Some(max) => write!(out, "){{{},{max}}}", r.min),
                None => write!(out, "){{{},}}", r.min),
            };
        }
        Ast::Capture(_, inner) => {
            out.push_str("(?:");
            if !translate(inner, out) {
                return false;
            }
            out.push(')');
        }
    }
    true
}
