//! Which substrings the parts of an expression match, by PostgreSQL's rules of preference.
//!
//! PG: src/backend/regex/README; the rules in "Regular Expression Matching Rules" of the manual.
//!
//! # How it works
//! 1. Every part of an expression prefers the longest or the shortest match: a quantified atom as its quantifier says, a
//!    sequence as its first part with a preference, an alternation the longest.
//! 2. Parts without groups, references and conflicting preferences are *plain*: one automaton finds where they end.
//! 3. The others form a tree of [`Part`]s. The match as a whole is found first; then it is dissected: a sequence tries the
//!    ends of its left part in the order that this part prefers, until the right part fits what remains.
//!
//! # Invariants
//! - Dissecting cannot fail for a span that the part's automaton matches, unless back references are involved.

use common::PgResult;

use crate::families::casing;
use crate::framework::session::CharacterRules;

use super::parse::{Ast, Flags, Repeat};
use super::program::{Program, Walker, Want};

/// What a part prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefer {
    Longest,
    Shortest,
}

/// A part of an expression.
#[derive(Debug)]
pub(crate) struct Part {
    kind: Kind,
    prefer: Option<Prefer>,
    /// Preferences below conflict.
    mixed: bool,
    captures: bool,
    refers: bool,
    program: Program,
}

#[derive(Debug)]
enum Kind {
    Plain,
    Sequence(Box<[Part; 2]>),
    Alternate(Vec<Part>),
    Iterate {
        part: Box<Part>,
        min: usize,
        max: Option<usize>,
    },
    Capture(usize, Box<Part>),
    Refer {
        group: usize,
        min: usize,
        max: Option<usize>,
    },
}

/// The spans of the match and its groups.
pub(crate) type Spans = Vec<Option<(usize, usize)>>;

impl Part {
    fn messy(&self) -> bool {
        self.mixed || self.captures || self.refers
    }

    /// What the part as a whole prefers.
    pub(crate) fn preference(&self) -> Prefer {
        self.prefer.unwrap_or(Prefer::Longest)
    }

    /// True without groups and references: only the whole match can be asked for.
    pub(crate) fn is_plain(&self) -> bool {
        !self.captures && !self.refers
    }

    /// True with back references.
    pub(crate) fn refers(&self) -> bool {
        self.refers
    }

    /// The automaton of the whole part.
    pub(crate) fn program(&self) -> &Program {
        &self.program
    }
}

fn clash(a: Option<Prefer>, b: Option<Prefer>) -> bool {
    matches!((a, b), (Some(x), Some(y)) if x != y)
}

/// Builds parts; knows what back references refer to.
pub(crate) struct Builder<'a> {
    pub(crate) groups: &'a [Option<Ast>],
}

impl Builder<'_> {
    fn part(&self, kind: Kind, ast: &Ast, prefer: Option<Prefer>, inner: &[&Part]) -> PgResult<Part> {
        Ok(Part {
            captures: matches!(kind, Kind::Capture(..)) || inner.iter().any(|p| p.captures),
            refers: matches!(kind, Kind::Refer { .. }) || inner.iter().any(|p| p.refers),
            mixed: inner.iter().any(|p| p.mixed),
            kind,
            prefer,
            program: Program::new(ast, self.groups)?,
        })
    }

    /// The part of a tree.
    pub(crate) fn build(&self, ast: &Ast) -> PgResult<Part> {
        match ast {
            Ast::Empty | Ast::Class(_) | Ast::Assert(_) | Ast::Look { .. } => {
                self.part(Kind::Plain, ast, None, &[])
            }
            Ast::Backref(group) => {
                let kind = Kind::Refer {
                    group: *group,
                    min: 1,
                    max: Some(1),
                };
                self.part(kind, ast, None, &[])
            }
            Ast::Capture(group, inner) => {
                let inner = self.build(inner)?;
                let (prefer, mixed) = (inner.prefer, inner.mixed);
                let mut part = self.part(Kind::Capture(*group, Box::new(inner)), ast, prefer, &[])?;
                if let Kind::Capture(_, inner) = &part.kind {
                    (part.refers, part.mixed) = (inner.refers, mixed);
                }
                Ok(part)
            }
            Ast::Concat(items) => self.sequence(items),
            Ast::Alternate(branches) => self.alternate(ast, branches),
            Ast::Repeat(r) => self.repeat(ast, r),
        }
    }

    fn alternate(&self, ast: &Ast, branches: &[Ast]) -> PgResult<Part> {
        let parts: Vec<Part> = branches.iter().map(|b| self.build(b)).collect::<PgResult<_>>()?;
        let (captures, refers) = (parts.iter().any(|p| p.captures), parts.iter().any(|p| p.refers));
        let mixed = parts
            .iter()
            .any(|p| p.mixed || p.prefer == Some(Prefer::Shortest));
        let plain = !(captures || refers || mixed);
        let kind = if plain {
            Kind::Plain
        } else {
            Kind::Alternate(parts)
        };
        let mut part = self.part(kind, ast, Some(Prefer::Longest), &[])?;
        (part.captures, part.refers, part.mixed) = (captures, refers, mixed);
        Ok(part)
    }

    fn repeat(&self, ast: &Ast, r: &Repeat) -> PgResult<Part> {
        let atom = self.build(&r.atom)?;
        let quantifier = r.greedy.map(|greedy| match greedy {
            true => Prefer::Longest,
            false => Prefer::Shortest,
        });
        let prefer = quantifier.or(atom.prefer);
        let mixed = atom.mixed || clash(quantifier, atom.prefer);
        let (min, max) = (r.min as usize, r.max.map(|m| m as usize));
        let (captures, refers) = (atom.captures, atom.refers);
        let kind = if let Kind::Refer { group, .. } = atom.kind {
            Kind::Refer { group, min, max }
        } else if min == 1 && max == Some(1) && !clash(quantifier, atom.prefer) {
            return Ok(Part {
                prefer: atom.prefer.or(quantifier),
                ..atom
            });
        } else if !captures && !refers {
            Kind::Plain
        } else if min > 0 && !refers {
            // Only the last repetition's groups count: all before it are plain.
            let rest = Ast::Repeat(Box::new(Repeat {
                atom: without_groups(&r.atom),
                min: r.min - 1,
                max: r.max.map(|m| m - 1),
                greedy: r.greedy,
            }));
            let mut before = self.part(Kind::Plain, &rest, prefer, &[])?;
            before.prefer = prefer;
            Kind::Sequence(Box::new([before, atom]))
        } else {
            Kind::Iterate {
                part: Box::new(atom),
                min,
                max,
            }
        };
        let mut part = self.part(kind, ast, prefer, &[])?;
        (part.captures, part.refers, part.mixed) = (captures, refers, mixed);
        Ok(part)
    }

    /// A sequence: plain items that agree in preference run together, the first that does not splits it in two.
    fn sequence(&self, items: &[Ast]) -> PgResult<Part> {
        let mut prefer = None;
        for (i, item) in items.iter().enumerate() {
            let part = self.build(item)?;
            if !part.messy() && !clash(prefer, part.prefer) {
                prefer = prefer.or(part.prefer);
                continue;
            }
            let right = self.tail(part, &items[i..], i > 0)?;
            if i == 0 {
                return Ok(right);
            }
            let before = Ast::Concat(items[..i].to_vec());
            let left = self.part(Kind::Plain, &before, prefer, &[])?;
            return self.pair(left, right, items);
        }
        self.part(Kind::Plain, &Ast::Concat(items.to_vec()), prefer, &[])
    }

    /// The part of the first item and those after it.
    fn tail(&self, first: Part, items: &[Ast], follows: bool) -> PgResult<Part> {
        if items.len() == 1 {
            return Ok(first);
        }
        let rest = self.sequence(&items[1..])?;
        let joins = matches!((&first.kind, &rest.kind), (Kind::Plain, Kind::Plain))
            && !first.messy()
            && !rest.messy()
            && !clash(first.prefer, rest.prefer);
        if follows && joins {
            let prefer = first.prefer.or(rest.prefer);
            return self.part(Kind::Plain, &Ast::Concat(items.to_vec()), prefer, &[]);
        }
        self.pair(first, rest, items)
    }

    fn pair(&self, left: Part, right: Part, items: &[Ast]) -> PgResult<Part> {
        let prefer = left.prefer.or(right.prefer);
        let mixed = left.mixed || right.mixed || clash(left.prefer, right.prefer);
        let (captures, refers) = (left.captures || right.captures, left.refers || right.refers);
        let kind = Kind::Sequence(Box::new([left, right]));
        let mut part = self.part(kind, &Ast::Concat(items.to_vec()), prefer, &[])?;
        (part.captures, part.refers, part.mixed) = (captures, refers, mixed);
        Ok(part)
    }
}

/// The same tree without its groups.
fn without_groups(ast: &Ast) -> Ast {
    match ast {
        Ast::Capture(_, inner) => without_groups(inner),
        Ast::Concat(items) => Ast::Concat(items.iter().map(without_groups).collect()),
        Ast::Alternate(items) => Ast::Alternate(items.iter().map(without_groups).collect()),
        Ast::Repeat(r) => Ast::Repeat(Box::new(Repeat {
            atom: without_groups(&r.atom),
            ..**r
        })),
        other => other.clone(),
    }
}

/// True when the span repeats a text as often as allowed, whatever the case. The cases of a letter may be of different length.
fn repeats_folded(wanted: &str, span: &str, (min, max): (usize, Option<usize>)) -> bool {
    let lower = |s: &str| -> Vec<char> { s.chars().map(casing::simple_lower).collect() };
    let (wanted, span) = (lower(wanted), lower(span));
    let count = span.len() / wanted.len();
    span.len() % wanted.len() == 0
        && count >= min
        && max.is_none_or(|m| count <= m)
        && span.chunks(wanted.len()).all(|part| part == wanted)
}

/// A match being taken apart.
pub(crate) struct Dissection<'w, 'a> {
    pub(crate) walker: &'w mut Walker<'a>,
    pub(crate) spans: Spans,
    pub(crate) flags: Flags,
}

impl Dissection<'_, '_> {
    fn longest(&mut self, part: &Part, from: usize, limit: usize) -> PgResult<Option<usize>> {
        self.walker.run(&part.program, from, limit, Want::Longest)
    }

    fn shortest(&mut self, part: &Part, from: usize, min: usize, limit: usize) -> PgResult<Option<usize>> {
        self.walker
            .run(&part.program, from, limit, Want::ShortestFrom(min))
    }

    /// True when the part's automaton matches exactly this span.
    fn spans(&mut self, part: &Part, from: usize, to: usize) -> PgResult<bool> {
        Ok(self.shortest(part, from, to, to)? == Some(to))
    }

    /// Assigns the groups of a part that matches a span; false when back references say that it does not.
    pub(crate) fn dissect(&mut self, part: &Part, from: usize, to: usize) -> PgResult<bool> {
        match &part.kind {
            Kind::Plain => Ok(true),
            Kind::Capture(group, inner) => {
                if !self.dissect(inner, from, to)? {
                    return Ok(false);
                }
                self.spans[*group] = Some((from, to));
                Ok(true)
            }
            Kind::Refer { group, min, max } => Ok(self.refers(*group, (*min, *max), from, to)),
            Kind::Sequence(pair) => self.sequence(&pair[0], &pair[1], from, to),
            Kind::Alternate(parts) => {
                for part in parts {
                    if self.spans(part, from, to)? && self.dissect(part, from, to)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Kind::Iterate { part, min, max } => self.iterate(part, *min, *max, from, to),
        }
    }

    fn forget(&mut self, part: &Part) {
        match &part.kind {
            Kind::Capture(group, inner) => {
                self.spans[*group] = None;
                self.forget(inner);
            }
            Kind::Sequence(pair) => pair.iter().for_each(|p| self.forget(p)),
            Kind::Alternate(parts) => parts.iter().for_each(|p| self.forget(p)),
            Kind::Iterate { part, .. } => self.forget(part),
            Kind::Plain | Kind::Refer { .. } => {}
        }
    }

    /// True when the span repeats what a group matched, as often as allowed.
    fn refers(&self, group: usize, (min, max): (usize, Option<usize>), from: usize, to: usize) -> bool {
        let text = self.walker.text();
        let Some((start, end)) = self.spans.get(group).copied().flatten() else {
            return false;
        };
        let (wanted, span) = (&text[start..end], &text[from..to]);
        if wanted.is_empty() {
            return span.is_empty();
        }
        if span.is_empty() {
            return min == 0;
        }
        if self.flags.ignore_case && self.flags.rules != CharacterRules::Ascii {
            return repeats_folded(wanted, span, (min, max));
        }
        if span.len() % wanted.len() != 0 {
            return false;
        }
        let count = span.len() / wanted.len();
        let same = |a: &[u8]| {
            if self.flags.ignore_case {
                a.eq_ignore_ascii_case(wanted.as_bytes())
            } else {
                a == wanted.as_bytes()
            }
        };
        count >= min && max.is_none_or(|m| count <= m) && span.as_bytes().chunks(wanted.len()).all(same)
    }

    fn sequence(&mut self, left: &Part, right: &Part, from: usize, to: usize) -> PgResult<bool> {
        let shortest = left.prefer == Some(Prefer::Shortest);
        let mut middle = if shortest {
            self.shortest(left, from, from, to)?
        } else {
            self.longest(left, from, to)?
        };
        while let Some(at) = middle {
            if self.spans(right, at, to)? && self.dissect(left, from, at)? && self.dissect(right, at, to)? {
                return Ok(true);
            }
            self.forget(left);
            self.forget(right);
            middle = if shortest {
                match self.walker.after(at).filter(|next| *next <= to && at < to) {
                    Some(next) => self.shortest(left, from, next, to)?,
                    None => None,
                }
            } else {
                match self.walker.before(at).filter(|_| at > from) {
                    Some(limit) => self.longest(left, from, limit)?,
                    None => None,
                }
            };
        }
        Ok(false)
    }

    fn chars(&self, from: usize, to: usize) -> usize {
        self.walker.text()[from..to].chars().count()
    }

    /// Divides a span into repetitions of a part.
    fn iterate(
        &mut self,
        part: &Part,
        min: usize,
        max: Option<usize>,
        from: usize,
        to: usize,
    ) -> PgResult<bool> {
        // An empty repetition counts before none at all does: its groups are empty, not NULL.
        let none_will_do = min == 0 && from == to;
        let min = min.max(1);
        let most = self.chars(from, to).min(max.unwrap_or(usize::MAX)).max(min);
        let found = if part.prefer == Some(Prefer::Shortest) {
            self.iterate_short(part, min, most, from, to)?
        } else {
            self.iterate_long(part, min, most, from, to)?
        };
        if !found && none_will_do {
            self.forget(part);
        }
        Ok(found || none_will_do)
    }

    /// Verifies repetitions from number `verified + 1` on; the first that fails.
    fn verify(&mut self, part: &Part, ends: &[usize], verified: &mut usize) -> PgResult<Option<usize>> {
        for i in *verified + 1..ends.len() {
            self.forget(part);
            if !self.dissect(part, ends[i - 1], ends[i])? {
                return Ok(Some(i));
            }
            *verified = i;
        }
        Ok(None)
    }

    /// Repetitions that are as long as possible, the first ones first.
    fn iterate_long(
        &mut self,
        part: &Part,
        min: usize,
        most: usize,
        from: usize,
        to: usize,
    ) -> PgResult<bool> {
        // `ends[k]` is where repetition k ends; the vector's length tells which one is being placed.
        let mut ends = vec![from];
        let mut verified = 0;
        let mut limit = to;
        loop {
            let k = ends.len();
            let previous = ends[k - 1];
            verified = verified.min(k - 1);
            match self.longest(part, previous, limit)? {
                None => {}
                Some(end) if end != to => {
                    ends.push(end);
                    let needed = k < min && min - k >= self.chars(end, to);
                    if k < most && (end != previous || needed) {
                        limit = to;
                        continue;
                    }
                    if k >= most {
                        ends.pop();
                    }
                }
                Some(end) => {
                    ends.push(end);
                    if k >= min {
                        match self.verify(part, &ends, &mut verified)? {
                            None => return Ok(true),
                            Some(failed) => ends.truncate(failed + 1),
                        }
                    }
                }
            }
            match self.shorten(&mut ends, min, to) {
                Some(next) => limit = next,
                None => return Ok(false),
            }
        }
    }

    /// The limit for another, shorter version of the last repetition that has one.
    fn shorten(&mut self, ends: &mut Vec<usize>, min: usize, to: usize) -> Option<usize> {
        while ends.len() > 1 {
            let k = ends.len() - 1;
            let (previous, end) = (ends[k - 1], ends[k]);
            ends.pop();
            if end > previous {
                let limit = self.walker.before(end).unwrap_or(previous);
                if limit > previous || (k < min && min - k >= self.chars(previous, to)) {
                    return Some(limit);
                }
            }
        }
        None
    }

    /// Repetitions that are as short as possible, the first ones first.
    fn iterate_short(
        &mut self,
        part: &Part,
        min: usize,
        most: usize,
        from: usize,
        to: usize,
    ) -> PgResult<bool> {
        let mut ends = vec![from];
        let mut verified = 0;
        let mut limit = from;
        loop {
            let k = ends.len();
            let previous = ends[k - 1];
            verified = verified.min(k - 1);
            if limit == previous && limit != to && (k >= min || min - k < self.chars(limit, to)) {
                limit = self.walker.after(limit).unwrap_or(to);
            }
            if k >= most {
                limit = to;
            }
            match self.shortest(part, previous, limit, to)? {
                None => {}
                Some(end) if end != to && k < most => {
                    ends.push(end);
                    limit = end;
                    continue;
                }
                Some(end) if end != to => {}
                Some(end) => {
                    ends.push(end);
                    if k >= min {
                        match self.verify(part, &ends, &mut verified)? {
                            None => return Ok(true),
                            Some(failed) => ends.truncate(failed + 1),
                        }
                    }
                }
            }
            limit = loop {
                if ends.len() <= 1 {
                    return Ok(false);
                }
                let end = ends.pop().unwrap_or(to);
                if end < to {
                    break self.walker.after(end).unwrap_or(to);
                }
            };
        }
    }
}
