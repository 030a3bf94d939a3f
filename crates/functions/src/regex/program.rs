//! Regular expressions as automata: sets of states walked over the text, in either direction.
//!
//! # How it works
//! A tree becomes a list of instructions (Thompson's construction). A run keeps the set of instructions that are alive at a
//! place of the text; it needs time in proportion to text times instructions and never goes back, whatever the expression.
//! Back references are taken as copies of the group they name: the [`matcher`](super::matcher) looks closer.

use common::cancel::CancelToken;
use common::{PgResult, internal};

use super::class::{Class, is_word};
use crate::framework::session::CharacterRules;

use super::parse::{Assertion, Ast, Repeat, TOO_COMPLEX, invalid};

#[derive(Debug)]
enum Inst {
    Class(Class),
    Split(u32, u32),
    Jump(u32),
    Assert(Assertion),
    Look(u32),
    Match,
}

#[derive(Debug)]
struct Look {
    ahead: bool,
    negative: bool,
    program: Program,
}

/// An automaton.
#[derive(Debug)]
pub(crate) struct Program {
    insts: Vec<Inst>,
    looks: Vec<Look>,
}

/// Most instructions of a program.
const INSTS_MAX: usize = 60_000;

struct Compiler<'a> {
    groups: &'a [Option<Ast>],
    insts: Vec<Inst>,
    looks: Vec<Look>,
    backward: bool,
    depth: usize,
}

impl Program {
    /// The automaton of a tree; `groups` are the trees that back references stand for.
    pub(crate) fn new(ast: &Ast, groups: &[Option<Ast>]) -> PgResult<Program> {
        Program::directed(ast, groups, false)
    }

    fn directed(ast: &Ast, groups: &[Option<Ast>], backward: bool) -> PgResult<Program> {
        let mut c = Compiler {
            groups,
            insts: Vec::new(),
            looks: Vec::new(),
            backward,
            depth: 0,
        };
        c.node(ast)?;
        c.push(Inst::Match)?;
        Ok(Program {
            insts: c.insts,
            looks: c.looks,
        })
    }

    /// Number of instructions.
    pub(crate) fn len(&self) -> usize {
        self.insts.len()
    }
}

impl Compiler<'_> {
    fn push(&mut self, inst: Inst) -> PgResult<usize> {
        if self.insts.len() >= INSTS_MAX {
            return Err(invalid(TOO_COMPLEX));
        }
        self.insts.push(inst);
        Ok(self.insts.len() - 1)
    }

    fn here(&self) -> u32 {
        self.insts.len() as u32
    }

    fn node(&mut self, ast: &Ast) -> PgResult<()> {
        self.depth += 1;
        if self.depth > 2_000 {
            return Err(invalid(TOO_COMPLEX));
        }
        match ast {
            Ast::Empty => {}
            Ast::Class(class) => {
                self.push(Inst::Class(class.clone()))?;
            }
            Ast::Assert(a) => {
                self.push(Inst::Assert(*a))?;
            }
            Ast::Look {
                ahead,
                negative,
                inner,
            } => {
                let program = Program::directed(inner, self.groups, !ahead)?;
                let index = self.looks.len() as u32;
                self.looks.push(Look {
                    ahead: *ahead,
                    negative: *negative,
                    program,
                });
                self.push(Inst::Look(index))?;
            }
            Ast::Backref(n) => {
                let groups = self.groups;
                if let Some(Some(group)) = groups.get(*n) {
                    self.node(group)?;
                }
            }
            Ast::Concat(items) if self.backward => items.iter().rev().try_for_each(|i| self.node(i))?,
            Ast::Concat(items) => items.iter().try_for_each(|i| self.node(i))?,
            Ast::Alternate(branches) => self.alternate(branches)?,
            Ast::Repeat(r) => self.repeat(r)?,
            Ast::Capture(_, inner) => self.node(inner)?,
        }
        self.depth -= 1;
        Ok(())
    }

    fn alternate(&mut self, branches: &[Ast]) -> PgResult<()> {
        let mut jumps = Vec::new();
        for (k, branch) in branches.iter().enumerate() {
            if k + 1 == branches.len() {
                self.node(branch)?;
                break;
            }
            let split = self.push(Inst::Split(0, 0))?;
            let first = self.here();
            self.node(branch)?;
            jumps.push(self.push(Inst::Jump(0))?);
            self.insts[split] = Inst::Split(first, self.here());
        }
        let end = self.here();
        for j in jumps {
            self.insts[j] = Inst::Jump(end);
        }
        Ok(())
    }

    fn repeat(&mut self, r: &Repeat) -> PgResult<()> {
        for _ in 0..r.min {
            self.node(&r.atom)?;
        }
        match r.max {
            None => {
                let split = self.push(Inst::Split(0, 0))?;
                let body = self.here();
                self.node(&r.atom)?;
                self.push(Inst::Jump(split as u32))?;
                self.insts[split] = Inst::Split(body, self.here());
            }
            Some(max) => {
                let mut splits = Vec::new();
                for _ in r.min..max {
                    splits.push(self.push(Inst::Split(0, 0))?);
                    self.node(&r.atom)?;
                }
                let end = self.here();
                for s in splits {
                    self.insts[s] = Inst::Split(s as u32 + 1, end);
                }
            }
        }
        Ok(())
    }
}

/// A set of states in order of arrival.
#[derive(Default)]
struct States {
    list: Vec<u32>,
    /// Generation in which a state was last added.
    seen: Vec<u32>,
    generation: u32,
}

impl States {
    fn clear(&mut self, size: usize) {
        self.list.clear();
        if self.seen.len() < size {
            self.seen.resize(size, 0);
        }
        if self.generation == u32::MAX {
            self.seen.fill(0);
            self.generation = 0;
        }
        self.generation += 1;
    }

    fn add(&mut self, state: u32) -> bool {
        let slot = &mut self.seen[state as usize];
        let new = *slot != self.generation;
        *slot = self.generation;
        new
    }
}

/// Room for runs, kept between them.
#[derive(Default)]
struct Room {
    now: States,
    next: States,
    stack: Vec<u32>,
}

/// The text that is searched, and what runs need besides.
pub(crate) struct Walker<'a> {
    text: &'a str,
    cancel: &'a CancelToken,
    rules: CharacterRules,
    rooms: Vec<Room>,
    steps: u32,
}

/// What a run looks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Longest,
    /// The first end at or after this place.
    ShortestFrom(usize),
}

impl<'a> Walker<'a> {
    /// A walker over a text.
    pub(crate) fn new(text: &'a str, cancel: &'a CancelToken, rules: CharacterRules) -> Walker<'a> {
        Walker {
            text,
            cancel,
            rules,
            rooms: Vec::new(),
            steps: 0,
        }
    }

    /// The text.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// The place before `at`.
    pub(crate) fn before(&self, at: usize) -> Option<usize> {
        self.text[..at].chars().next_back().map(|c| at - c.len_utf8())
    }

    /// The place after the character at `at`.
    pub(crate) fn after(&self, at: usize) -> Option<usize> {
        self.text[at..].chars().next().map(|c| at + c.len_utf8())
    }

    fn tick(&mut self) -> PgResult<()> {
        self.steps = self.steps.wrapping_add(1);
        if self.steps % 4096 == 0 {
            self.cancel.check()?;
        }
        Ok(())
    }

    /// Where a match that begins at `from` ends, at most at `limit`.
    pub(crate) fn run(
        &mut self,
        program: &Program,
        from: usize,
        limit: usize,
        want: Want,
    ) -> PgResult<Option<usize>> {
        let mut room = self.rooms.pop().unwrap_or_default();
        let found = self.run_in(program, from, limit, want, &mut room);
        self.rooms.push(room);
        found
    }

    fn run_in(
        &mut self,
        program: &Program,
        from: usize,
        limit: usize,
        want: Want,
        room: &mut Room,
    ) -> PgResult<Option<usize>> {
        let mut last = None;
        let mut at = from;
        room.now.clear(program.len());
        let mut matched = self.close(program, 0, at, room, true)?;
        loop {
            if matched {
                match want {
                    Want::Longest => last = Some(at),
                    Want::ShortestFrom(min) if at >= min => return Ok(Some(at)),
                    Want::ShortestFrom(_) => {}
                }
            }
            if at >= limit || room.now.list.is_empty() {
                return Ok(last);
            }
            let Some(c) = self.text[at..].chars().next() else {
                return Ok(last);
            };
            at += c.len_utf8();
            matched = self.step(program, c, at, room)?;
        }
    }

    /// True when a match of a reversed program reaches back from `from`.
    fn runs_back(&mut self, program: &Program, from: usize) -> PgResult<bool> {
        let mut room = self.rooms.pop().unwrap_or_default();
        let mut at = from;
        room.now.clear(program.len());
        let mut matched = self.close(program, 0, at, &mut room, true)?;
        while !matched && !room.now.list.is_empty() {
            let Some(c) = self.text[..at].chars().next_back() else {
                break;
            };
            at -= c.len_utf8();
            matched = self.step(program, c, at, &mut room)?;
        }
        self.rooms.push(room);
        Ok(matched)
    }

    /// The first place from `from` on where a match may begin.
    pub(crate) fn first_start(&mut self, program: &Program, from: usize) -> PgResult<Option<usize>> {
        let mut at = from;
        loop {
            if self
                .run(program, at, self.text.len(), Want::ShortestFrom(at))?
                .is_some()
            {
                return Ok(Some(at));
            }
            match self.after(at) {
                Some(next) => at = next,
                None => return Ok(None),
            }
        }
    }

    /// Moves every state over a character; true when the end is among those reached.
    fn step(&mut self, program: &Program, c: char, at: usize, room: &mut Room) -> PgResult<bool> {
        room.next.clear(program.len());
        std::mem::swap(&mut room.now, &mut room.next);
        let mut matched = false;
        let before = std::mem::take(&mut room.next.list);
        for &state in &before {
            if let Some(Inst::Class(class)) = program.insts.get(state as usize) {
                if class.contains(c) {
                    matched |= self.close(program, state + 1, at, room, false)?;
                }
            }
        }
        room.next.list = before;
        self.tick()?;
        Ok(matched)
    }

    /// Adds a state and all that it leads to without a character; true when the end is among them.
    fn close(
        &mut self,
        program: &Program,
        start: u32,
        at: usize,
        room: &mut Room,
        _first: bool,
    ) -> PgResult<bool> {
        let mut matched = false;
        room.stack.push(start);
        while let Some(state) = room.stack.pop() {
            if !room.now.add(state) {
                continue;
            }
            let Some(inst) = program.insts.get(state as usize) else {
                return Err(internal!("regular expression runs past its end"));
            };
            match inst {
                Inst::Class(_) => room.now.list.push(state),
                Inst::Split(a, b) => room.stack.extend([*b, *a]),
                Inst::Jump(to) => room.stack.push(*to),
                Inst::Assert(a) => {
                    if self.holds(*a, at) {
                        room.stack.push(state + 1);
                    }
                }
                Inst::Look(k) => {
                    let Some(look) = program.looks.get(*k as usize) else {
                        continue;
                    };
                    let found = if look.ahead {
                        let want = Want::ShortestFrom(at);
                        self.run(&look.program, at, self.text.len(), want)?.is_some()
                    } else {
                        self.runs_back(&look.program, at)?
                    };
                    if found != look.negative {
                        room.stack.push(state + 1);
                    }
                }
                Inst::Match => matched = true,
            }
        }
        Ok(matched)
    }

    fn holds(&self, assertion: Assertion, at: usize) -> bool {
        let before = self.text[..at].chars().next_back();
        let after = self.text[at..].chars().next();
        let in_word = |c: Option<char>| c.is_some_and(|c| is_word(c, self.rules));
        let (left, right) = (in_word(before), in_word(after));
        match assertion {
            Assertion::TextStart => before.is_none(),
            Assertion::TextEnd => after.is_none(),
            Assertion::LineStart => before.is_none_or(|c| c == '\n'),
            Assertion::LineEnd => after.is_none_or(|c| c == '\n'),
            Assertion::WordStart => !left && right,
            Assertion::WordEnd => left && !right,
            Assertion::WordBoundary => left != right,
            Assertion::NotWordBoundary => left == right,
        }
    }
}
