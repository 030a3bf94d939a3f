//! Does a document match a query? Three-valued, because positions may be missing.
//!
//! # How it works
//! AND, OR and NOT outside phrases only ask whether words occur. Inside a phrase every operand yields the places where it
//! matches, as the place of its last word and its width, or, behind NOT, the places where it does not. Where a word lies in the
//! document without places the answer is *maybe*.

use types::textsearch::query::{self, Item, Operand};
use types::textsearch::vector::EntryRef;

/// Yes, no, or unknown for lack of positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    No,
    Yes,
    Maybe,
}

/// A query over numbered operands.
#[derive(Debug)]
pub(crate) enum Expr {
    Word(usize),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Phrase(Box<Expr>, Box<Expr>, u32),
}

/// A query to be matched.
#[derive(Debug)]
pub(crate) struct Query {
    /// `None`: the empty query.
    pub expr: Option<Expr>,
    /// The words, in postfix order.
    pub operands: Vec<Operand>,
    /// The operator at the top.
    pub top: Option<Item>,
}

impl Query {
    pub fn new(bytes: &[u8]) -> Query {
        let items = query::items(bytes);
        let top = items.last().cloned();
        let mut operands = Vec::new();
        let tree = query::tree_of(items);
        let expr = tree.map(|t| number(t, &mut operands));
        Query { expr, operands, top }
    }

    /// Does it match what `source` knows?
    pub fn matches(&self, source: &dyn Source) -> bool {
        match &self.expr {
            Some(expr) => execute(expr, source) != Answer::No,
            None => false,
        }
    }
}

fn number(node: query::Node, operands: &mut Vec<Operand>) -> Expr {
    use query::Node;
    match node {
        Node::Word(w) => {
            operands.push(w);
            Expr::Word(operands.len() - 1)
        }
        Node::Not(n) => Expr::Not(Box::new(number(*n, operands))),
        Node::And(list) => Expr::And(list.into_iter().map(|n| number(n, operands)).collect()),
        Node::Or(list) => Expr::Or(list.into_iter().map(|n| number(n, operands)).collect()),
        Node::Phrase(l, r, distance) => {
            let l = Box::new(number(*l, operands));
            Expr::Phrase(l, Box::new(number(*r, operands)), u32::from(distance))
        }
    }
}

/// Where a phrase operand matches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// Ascending places of the last word.
    pub places: Vec<u32>,
    /// Everywhere but there.
    pub negate: bool,
    /// Distance from the first word to the last.
    pub width: u32,
}

/// Knows where the words of a query occur.
pub(crate) trait Source {
    /// Does operand `k` occur? With `places`, where.
    fn lookup(&self, k: usize, places: Option<&mut Places>) -> Answer;
}

fn execute(expr: &Expr, source: &dyn Source) -> Answer {
    match expr {
        Expr::Word(k) => source.lookup(*k, None),
        Expr::Not(inner) => match execute(inner, source) {
            Answer::No => Answer::Yes,
            Answer::Yes => Answer::No,
            Answer::Maybe => Answer::Maybe,
        },
        Expr::And(list) => {
            let mut all = Answer::Yes;
            for inner in list {
                match execute(inner, source) {
                    Answer::No => return Answer::No,
                    Answer::Yes => {}
                    Answer::Maybe => all = Answer::Maybe,
                }
            }
            all
        }
        Expr::Or(list) => {
            let mut any = Answer::No;
            for inner in list {
                match execute(inner, source) {
                    Answer::Yes => return Answer::Yes,
                    Answer::No => {}
                    Answer::Maybe => any = Answer::Maybe,
                }
            }
            any
        }
        // A phrase without positions does not match.
        Expr::Phrase(..) => match phrase(expr, source).0 {
            Answer::Maybe => Answer::No,
            known => known,
        },
    }
}

/// The places where an operand of a phrase matches.
pub(crate) fn phrase(expr: &Expr, source: &dyn Source) -> (Answer, Places) {
    match expr {
        Expr::Word(k) => {
            let mut found = Places::default();
            let answer = source.lookup(*k, Some(&mut found));
            (answer, found)
        }
        Expr::Not(inner) => {
            let (answer, mut found) = phrase(inner, source);
            let answer = match answer {
                Answer::No => {
                    found.negate = true;
                    Answer::Yes
                }
                Answer::Yes if !found.places.is_empty() => {
                    found.negate = !found.negate;
                    Answer::Yes
                }
                Answer::Yes if found.negate => {
                    found.negate = false;
                    Answer::No
                }
                _ => Answer::Maybe,
            };
            (answer, found)
        }
        Expr::Phrase(left, right, distance) => {
            let (l, left) = phrase(left, source);
            if l == Answer::No {
                return (Answer::No, Places::default());
            }
            let (r, right) = phrase(right, source);
            both(Side(l, left), Side(r, right), Some(*distance))
        }
        Expr::And(list) => fold(list, source, |l, r| both(l, r, None)),
        Expr::Or(list) => fold(list, source, either),
    }
}

struct Side(Answer, Places);

fn fold(list: &[Expr], source: &dyn Source, join: fn(Side, Side) -> (Answer, Places)) -> (Answer, Places) {
    let mut all = list.iter().map(|e| phrase(e, source));
    let first = all.next().unwrap_or((Answer::No, Places::default()));
    all.fold(first, |l, r| join(Side(l.0, l.1), Side(r.0, r.1)))
}

/// Both operands: at the given distance, or ending at the same place.
fn both(Side(l, left): Side, Side(r, right): Side, distance: Option<u32>) -> (Answer, Places) {
    if l == Answer::No || r == Answer::No {
        return (Answer::No, Places::default());
    }
    if l == Answer::Maybe || r == Answer::Maybe {
        return (Answer::Maybe, Places::default());
    }
    let (shifts, width) = match distance {
        Some(d) => ((d + right.width, 0), d + left.width + right.width),
        None => {
            let width = left.width.max(right.width);
            ((width - left.width, width - right.width), width)
        }
    };
    let (emit, negate) = match (left.negate, right.negate) {
        // Neither here nor there: not (here or there).
        (true, true) => (Emit::ALL, true),
        (true, false) => (Emit::RIGHT, false),
        (false, true) => (Emit::LEFT, false),
        (false, false) => (Emit::BOTH, false),
    };
    merged(&left, &right, shifts, emit, negate, width)
}

fn either(Side(l, mut left): Side, Side(r, mut right): Side) -> (Answer, Places) {
    if l == Answer::No && r == Answer::No {
        return (Answer::No, Places::default());
    }
    if l == Answer::Maybe || r == Answer::Maybe {
        return (Answer::Maybe, Places::default());
    }
    if l == Answer::No {
        left.width = 0;
    }
    if r == Answer::No {
        right.width = 0;
    }
    let width = left.width.max(right.width);
    let shifts = (width - left.width, width - right.width);
    let (emit, negate) = match (left.negate, right.negate) {
        (true, true) => (Emit::BOTH, true),
        (true, false) => (Emit::LEFT, true),
        (false, true) => (Emit::RIGHT, true),
        (false, false) => (Emit::ALL, false),
    };
    merged(&left, &right, shifts, emit, negate, width)
}

/// Which places of two lists go out.
#[derive(Clone, Copy)]
struct Emit {
    both: bool,
    left: bool,
    right: bool,
}

impl Emit {
    const ALL: Emit = Emit {
        both: true,
        left: true,
        right: true,
    };
    const BOTH: Emit = Emit {
        both: true,
        left: false,
        right: false,
    };
    const LEFT: Emit = Emit {
        both: false,
        left: true,
        right: false,
    };
    const RIGHT: Emit = Emit {
        both: false,
        left: false,
        right: true,
    };
}

fn merged(
    left: &Places,
    right: &Places,
    shifts: (u32, u32),
    emit: Emit,
    negate: bool,
    width: u32,
) -> (Answer, Places) {
    let mut out = Vec::new();
    let (mut l, mut r) = (left.places.iter().peekable(), right.places.iter().peekable());
    loop {
        let (a, b) = (l.peek().map(|p| **p + shifts.0), r.peek().map(|p| **p + shifts.1));
        let (place, wanted) = match (a, b) {
            (None, None) => break,
            (Some(x), Some(y)) if x == y => {
                l.next();
                r.next();
                (x, emit.both)
            }
            (Some(x), y) if y.is_none_or(|y| x < y) => {
                l.next();
                (x, emit.left)
            }
            (_, Some(y)) => {
                r.next();
                (y, emit.right)
            }
            _ => break,
        };
        if wanted {
            out.push(place);
        }
    }
    let answer = if negate || !out.is_empty() {
        Answer::Yes
    } else {
        Answer::No
    };
    let places = Places {
        places: out,
        negate,
        width,
    };
    (answer, places)
}

/// A `tsvector` asked for words.
pub(crate) struct Document<'a> {
    pub entries: &'a [EntryRef<'a>],
    pub operands: &'a [Operand],
}

/// The entries that an operand names: one, or those that begin with it.
pub(crate) fn find_entries<'a, 'e>(entries: &'e [EntryRef<'a>], operand: &Operand) -> &'e [EntryRef<'a>] {
    let word = operand.word.as_bytes();
    let start = entries.partition_point(|e| e.word.as_bytes() < word);
    let rest = &entries[start..];
    let count = if operand.prefix {
        rest.iter()
            .take_while(|e| e.word.as_bytes().starts_with(word))
            .count()
    } else {
        usize::from(rest.first().is_some_and(|e| e.word.as_bytes() == word))
    };
    &rest[..count]
}

impl Source for Document<'_> {
    fn lookup(&self, k: usize, mut places: Option<&mut Places>) -> Answer {
        let operand = &self.operands[k];
        let mut answer = Answer::No;
        for entry in find_entries(self.entries, operand) {
            match one_entry(entry, operand, places.as_deref_mut()) {
                Answer::Yes => {
                    answer = Answer::Yes;
                    if places.is_none() {
                        return answer;
                    }
                }
                Answer::Maybe => {
                    if let Some(places) = places.as_deref_mut() {
                        places.places.clear();
                        return Answer::Maybe;
                    }
                    answer = Answer::Maybe;
                }
                Answer::No => {}
            }
        }
        if let Some(places) = places {
            places.places.sort_unstable();
            places.places.dedup();
        }
        answer
    }
}

fn one_entry(entry: &EntryRef<'_>, operand: &Operand, places: Option<&mut Places>) -> Answer {
    if operand.weight == 0 && places.is_none() {
        return Answer::Yes;
    }
    if entry.position_count() == 0 {
        // Without positions every weight fits; where it stands remains open.
        return if places.is_some() {
            Answer::Maybe
        } else {
            Answer::Yes
        };
    }
    let counts = |p: &types::textsearch::vector::Position| {
        operand.weight == 0 || operand.weight & (1 << p.weight()) != 0
    };
    let mut found = entry.positions().filter(counts).peekable();
    if found.peek().is_none() {
        return Answer::No;
    }
    if let Some(places) = places {
        places.places.extend(found.map(|p| u32::from(p.at())));
    }
    Answer::Yes
}

/// Where one or the other matches.
pub(crate) fn union(left: &Places, right: &Places) -> Places {
    let width = left.width.max(right.width);
    let shifts = (width - left.width, width - right.width);
    merged(left, right, shifts, Emit::ALL, false, width).1
}
