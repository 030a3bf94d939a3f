//! `tsquery`: words joined by operators.
//!
//! # Format
//! Big-endian, as on the wire: count of items `u32`, then the items in prefix order, the right operand before the left one:
//! a word is 1, weights (bit 3 is A, bit 0 is D), whether it is a prefix, its UTF-8, a zero byte; an operator is 2, its code
//! (1 NOT, 2 AND, 3 OR, 4 phrase), for phrases the distance `u16`.
//!
//! # How it works
//! Queries are built and taken apart as [`Item`]s in postfix order, left operand first: the bytes backwards. A [`Node`] is a
//! tree for those who need one; chains of the same operator are one node there, so that only real nesting makes it deep.

use common::{PgError, PgResult};

use crate::Datum;
use crate::io::{IoContext, wrong_datum};
use crate::textsearch::parse::{Syntax, parse};
use crate::textsearch::{WORD_BYTES_MAX, push_quoted};
use crate::wire::{Wire, done};

/// The largest distance of a phrase operator.
pub const DISTANCE_MAX: u16 = 1 << 14;
/// Deeper queries could exhaust the stack.
const DEPTH_MAX: usize = 1_000;

/// A word of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Operand {
    pub word: String,
    /// Weights that count, bit 3 for A to bit 0 for D; 0: all.
    pub weight: u8,
    pub prefix: bool,
}

/// One step of a query in postfix order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Item {
    Word(Operand),
    /// A word that a dictionary threw away; never in a finished query.
    Stop,
    Not,
    And,
    Or,
    Phrase(u16),
}

/// A query as a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Node {
    Word(Operand),
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Phrase(Box<Node>, Box<Node>, u16),
}

impl Item {
    pub(crate) fn priority(&self) -> u8 {
        match self {
            Item::Not => 4,
            Item::Phrase(_) => 3,
            Item::And => 2,
            _ => 1,
        }
    }

    fn code(&self) -> u8 {
        match self {
            Item::Not => 1,
            Item::And => 2,
            Item::Or => 3,
            _ => 4,
        }
    }

    fn operands(&self) -> usize {
        match self {
            Item::Word(_) | Item::Stop => 0,
            Item::Not => 1,
            _ => 2,
        }
    }
}

/// The bytes of a query.
pub fn encode(postfix: &[Item]) -> Vec<u8> {
    let mut out = (postfix.len() as u32).to_be_bytes().to_vec();
    for item in postfix.iter().rev() {
        match item {
            Item::Word(w) => {
                out.extend_from_slice(&[1, w.weight, u8::from(w.prefix)]);
                out.extend_from_slice(w.word.as_bytes());
                out.push(0);
            }
            Item::Phrase(distance) => {
                out.extend_from_slice(&[2, 4]);
                out.extend_from_slice(&distance.to_be_bytes());
            }
            other => out.extend_from_slice(&[2, other.code()]),
        }
    }
    out
}

fn first_item(bytes: &[u8]) -> Option<(Item, &[u8])> {
    match bytes {
        [1, weight, prefix, rest @ ..] => {
            let end = rest.iter().position(|b| *b == 0)?;
            let word = Operand {
                word: std::str::from_utf8(&rest[..end]).ok()?.to_owned(),
                weight: weight & 15,
                prefix: *prefix != 0,
            };
            Some((Item::Word(word), &rest[end + 1..]))
        }
        [2, 4, high, low, rest @ ..] => Some((Item::Phrase(u16::from_be_bytes([*high, *low])), rest)),
        [2, 1, rest @ ..] => Some((Item::Not, rest)),
        [2, 2, rest @ ..] => Some((Item::And, rest)),
        [2, 3, rest @ ..] => Some((Item::Or, rest)),
        _ => None,
    }
}

/// The items of a query in prefix order, as they lie.
fn prefix_items(bytes: &[u8]) -> Vec<Item> {
    let mut rest = bytes.get(4..).unwrap_or(&[]);
    let mut found = Vec::new();
    while let Some((item, after)) = first_item(rest) {
        found.push(item);
        rest = after;
    }
    found
}

/// The items of a query in postfix order.
pub fn items(bytes: &[u8]) -> Vec<Item> {
    let mut found = prefix_items(bytes);
    found.reverse();
    found
}

/// Number of items, operators included.
pub fn item_count(bytes: &[u8]) -> usize {
    match bytes.first_chunk::<4>() {
        Some(count) => u32::from_be_bytes(*count) as usize,
        None => 0,
    }
}

/// A query as a tree; `None` for the empty one.
pub fn tree(bytes: &[u8]) -> Option<Node> {
    tree_of(items(bytes))
}

/// Items in postfix order as a tree.
pub fn tree_of(postfix: Vec<Item>) -> Option<Node> {
    let mut stack: Vec<Node> = Vec::new();
    for item in postfix {
        let node = match item {
            Item::Word(w) => Node::Word(w),
            Item::Stop => return None,
            Item::Not => Node::Not(Box::new(stack.pop()?)),
            operator => {
                let (right, left) = (stack.pop()?, stack.pop()?);
                match operator {
                    Item::And => Node::And(chain(left, right, |n| match n {
                        Node::And(list) => Ok(list),
                        other => Err(other),
                    })),
                    Item::Or => Node::Or(chain(left, right, |n| match n {
                        Node::Or(list) => Ok(list),
                        other => Err(other),
                    })),
                    Item::Phrase(distance) => Node::Phrase(Box::new(left), Box::new(right), distance),
                    _ => return None,
                }
            }
        };
        stack.push(node);
    }
    stack.pop()
}

fn chain(left: Node, right: Node, same: fn(Node) -> Result<Vec<Node>, Node>) -> Vec<Node> {
    let mut list = same(left).unwrap_or_else(|n| vec![n]);
    match same(right) {
        Ok(more) => list.extend(more),
        Err(one) => list.push(one),
    }
    list
}

/// A tree as items in postfix order.
pub fn flatten(node: &Node, out: &mut Vec<Item>) {
    let list = |nodes: &[Node], operator: Item, out: &mut Vec<Item>| {
        for (i, n) in nodes.iter().enumerate() {
            flatten(n, out);
            if i > 0 {
                out.push(operator.clone());
            }
        }
    };
    match node {
        Node::Word(w) => out.push(Item::Word(w.clone())),
        Node::Not(n) => {
            flatten(n, out);
            out.push(Item::Not);
        }
        Node::And(nodes) => list(nodes, Item::And, out),
        Node::Or(nodes) => list(nodes, Item::Or, out),
        Node::Phrase(left, right, distance) => {
            flatten(left, out);
            flatten(right, out);
            out.push(Item::Phrase(*distance));
        }
    }
}

/// Refuses queries nested so deeply that walking them could exhaust the stack; chains of AND or OR are not deep.
pub fn check_depth(postfix: &[Item]) -> PgResult<()> {
    // Depth and operator of what lies on the stack.
    let mut stack: Vec<(usize, u8)> = Vec::new();
    for item in postfix {
        let code = if item.operands() == 0 { 0 } else { item.code() };
        let same = |(depth, below): (usize, u8)| {
            if below == code && matches!(code, 2 | 3) {
                depth
            } else {
                depth + 1
            }
        };
        let mut depth = 1;
        for _ in 0..item.operands() {
            depth = depth.max(stack.pop().map_or(1, same));
        }
        if depth > DEPTH_MAX {
            return Err(crate::json_text::too_deep());
        }
        stack.push((depth, code));
    }
    Ok(())
}

/// PostgreSQL's checksum of a word: CRC-32 with its bits shifted the wrong way, kept for compatibility.
fn word_checksum(word: &str) -> i32 {
    let step = |crc: u32, byte: u8| {
        let mut entry = (crc >> 24) ^ u32::from(byte);
        for _ in 0..8 {
            entry = (entry >> 1) ^ (0xedb8_8320 & (entry & 1).wrapping_neg());
        }
        entry ^ (crc << 8)
    };
    !word.bytes().fold(u32::MAX, step) as i32
}

/// Bytes that sort as queries do: by number of items, size, then item by item.
pub fn sort_form(bytes: &[u8]) -> Vec<u8> {
    let list = prefix_items(bytes);
    let text: usize = list
        .iter()
        .map(|i| match i {
            Item::Word(w) => w.word.len() + 1,
            _ => 0,
        })
        .sum();
    let mut out = (list.len() as u32).to_be_bytes().to_vec();
    out.extend_from_slice(&(text as u32).to_be_bytes());
    // Distances count behind the operands: how many of them are missing, and the distance.
    let mut open: Vec<(usize, Option<u16>)> = Vec::new();
    for item in list {
        match &item {
            Item::Word(w) => {
                out.push(1);
                out.extend_from_slice(&((!word_checksum(&w.word)) as u32 ^ (1 << 31)).to_be_bytes());
                out.extend_from_slice(w.word.as_bytes());
                out.push(0);
                while let Some((missing, distance)) = open.last_mut() {
                    *missing -= 1;
                    if *missing > 0 {
                        break;
                    }
                    if let Some(distance) = distance {
                        out.extend_from_slice(&(!*distance).to_be_bytes());
                    }
                    open.pop();
                }
            }
            operator => {
                out.extend_from_slice(&[0, !operator.code()]);
                let distance = match operator {
                    Item::Phrase(d) => Some(*d),
                    _ => None,
                };
                open.push((operator.operands(), distance));
            }
        }
    }
    out
}

/// `tsquery` from text.
pub fn tsquery_in(s: &str, _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    let postfix = parse(s, Syntax::Operators, &mut |operand, out| {
        out.push(Item::Word(operand));
        Ok(())
    })?;
    if postfix.is_empty() {
        ctx.names().notice(no_lexemes(s));
    }
    Ok(Datum::Bytes(encode(&postfix).into()))
}

/// The notice about a query without words.
pub fn no_lexemes(text: &str) -> Box<PgError> {
    PgError::notice(
        common::error::Severity::Notice,
        common::sqlstate::SUCCESSFUL_COMPLETION,
        format!("text-search query doesn't contain lexemes: \"{text}\""),
    )
}

fn bytes_of(v: &Datum) -> PgResult<&[u8]> {
    match v {
        Datum::Bytes(b) => Ok(b),
        _ => Err(wrong_datum("tsquery", v)),
    }
}

/// `tsquery` to text.
pub fn tsquery_out(v: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    push_text(bytes_of(v)?, out);
    Ok(())
}

/// Appends the text of a query.
pub fn push_text(bytes: &[u8], out: &mut String) {
    if let Some(node) = tree(bytes) {
        push_node(&node, 0, false, out);
    }
}

/// `parent` is the priority of the operator above; `right_of_phrase`: the right operand of a phrase operator.
fn push_node(node: &Node, parent: u8, right_of_phrase: bool, out: &mut String) {
    let (operator, list) = match node {
        Node::Word(w) => return push_operand(w, out),
        Node::Not(inner) => {
            out.push('!');
            return push_node(inner, Item::Not.priority(), false, out);
        }
        Node::And(list) => (Item::And, list),
        Node::Or(list) => (Item::Or, list),
        Node::Phrase(left, right, distance) => {
            let operator = Item::Phrase(*distance);
            let brackets = operator.priority() < parent || right_of_phrase;
            out.push_str(if brackets { "( " } else { "" });
            push_node(left, operator.priority(), false, out);
            match distance {
                1 => out.push_str(" <-> "),
                d => out.push_str(&format!(" <{d}> ")),
            }
            push_node(right, operator.priority(), true, out);
            out.push_str(if brackets { " )" } else { "" });
            return;
        }
    };
    let brackets = operator.priority() < parent;
    out.push_str(if brackets { "( " } else { "" });
    for (i, n) in list.iter().enumerate() {
        if i > 0 {
            out.push_str(if operator == Item::And { " & " } else { " | " });
        }
        push_node(n, operator.priority(), false, out);
    }
    out.push_str(if brackets { " )" } else { "" });
}

fn push_operand(w: &Operand, out: &mut String) {
    push_quoted(&w.word, out);
    if w.weight != 0 || w.prefix {
        out.push(':');
        out.push_str(if w.prefix { "*" } else { "" });
        for (bit, letter) in [(8, 'A'), (4, 'B'), (2, 'C'), (1, 'D')] {
            if w.weight & bit != 0 {
                out.push(letter);
            }
        }
    }
}

/// Most items of a query from the wire.
const ITEMS_MAX: u32 = 0x3fff_ffff / 12;

/// The next item; the last one cannot be an operator.
fn received_item(wire: &mut Wire<'_>, is_last: bool) -> PgResult<Item> {
    match wire.int1()? {
        1 => {
            let (weight, prefix, word) = (wire.int1()?, wire.int1()?, wire.string()?);
            if weight > 15 {
                return Err(common::internal!("invalid tsquery: invalid weight bitmap"));
            }
            if word.len() > WORD_BYTES_MAX {
                return Err(common::internal!("invalid tsquery: operand too long"));
            }
            Ok(Item::Word(Operand {
                word: word.to_owned(),
                weight,
                prefix: prefix != 0,
            }))
        }
        2 => {
            let operator = wire.int1()? as i8;
            if !(1..=4).contains(&operator) {
                return Err(common::internal!(
                    "invalid tsquery: unrecognized operator type {operator}"
                ));
            }
            if is_last {
                return Err(common::internal!("invalid pointer to right operand"));
            }
            Ok(match operator {
                1 => Item::Not,
                2 => Item::And,
                3 => Item::Or,
                _ => Item::Phrase(wire.int2()?),
            })
        }
        other => Err(common::internal!(
            "unrecognized tsquery node type: {}",
            other as i8
        )),
    }
}

/// `tsquery` from the wire.
pub fn tsquery_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    let mut wire = Wire(bytes);
    let count = wire.int()? as u32;
    if count > ITEMS_MAX {
        return Err(common::internal!("invalid size of tsquery"));
    }
    let mut list = Vec::new();
    for k in 0..count {
        list.push(received_item(&mut wire, k + 1 == count)?);
    }
    // How many operands the items so far still wait for.
    let mut missing = 1;
    for item in &list {
        if missing == 0 {
            return Err(common::internal!("malformed tsquery: extra nodes"));
        }
        missing = missing - 1 + item.operands();
    }
    if missing != 0 {
        return Err(common::internal!("malformed tsquery: operand not found"));
    }
    done(wire.0)?;
    list.reverse();
    check_depth(&list)?;
    Ok(Datum::Bytes(encode(&list).into()))
}

/// `tsquery` to the wire.
pub fn tsquery_send(v: &Datum, _: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    out.extend_from_slice(bytes_of(v)?);
    Ok(())
}
