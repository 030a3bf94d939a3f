//! What a history of appends and reads must not show.

use std::collections::{BTreeMap, BTreeSet};

use crate::Level;

/// What a transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Append(i32, i32),
    Read(i32, Vec<i32>),
    Nothing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    Committed,
    #[default]
    RolledBack,
}

/// A transaction of the history.
#[derive(Clone, Debug, Default)]
pub struct Txn {
    pub ops: Vec<Op>,
    pub outcome: Outcome,
}

/// Edges by kind: `true` for those that a reader has to a later writer.
type Edges = BTreeMap<usize, BTreeSet<(usize, bool)>>;

/// The first thing that is wrong.
pub fn check(history: &[Txn], last: &[Vec<i32>], level: Level) -> Result<(), String> {
    let writers = writers(history);
    final_lists(history, last, &writers)?;
    let mut edges = Edges::new();
    for (key, list) in last.iter().enumerate() {
        for pair in list.windows(2) {
            edge(&mut edges, writers[&pair[0]], writers[&pair[1]], false);
        }
        for (reader, txn) in committed(history) {
            reads(reader, txn, key as i32, list, &writers, &mut edges)?;
        }
    }
    // Cycles of writes and reads of them: at no level. With one edge from a reader to a later writer: not under one snapshot.
    cycle(&edges, |later| !later).map_or(Ok(()), |c| Err(format!("G1c: {}", told(history, &c))))?;
    if level != Level::ReadCommitted {
        single(&edges).map_or(Ok(()), |c| Err(format!("G-single: {}", told(history, &c))))?;
    }
    if level == Level::Serializable {
        cycle(&edges, |_| true).map_or(Ok(()), |c| Err(format!("G2: {}", told(history, &c))))?;
    }
    Ok(())
}

fn committed(history: &[Txn]) -> impl Iterator<Item = (usize, &Txn)> {
    let all = history.iter().enumerate();
    all.filter(|(_, txn)| txn.outcome == Outcome::Committed)
}

fn writers(history: &[Txn]) -> BTreeMap<i32, usize> {
    let mut writers = BTreeMap::new();
    for (id, txn) in history.iter().enumerate() {
        for op in &txn.ops {
            if let Op::Append(_, value) = op {
                writers.insert(*value, id);
            }
        }
    }
    writers
}

/// Every committed append is there once, nothing else is.
fn final_lists(history: &[Txn], last: &[Vec<i32>], writers: &BTreeMap<i32, usize>) -> Result<(), String> {
    let mut there = BTreeSet::new();
    for value in last.iter().flatten() {
        let Some(writer) = writers.get(value) else {
            return Err(format!("{value} was never written"));
        };
        if history[*writer].outcome != Outcome::Committed {
            return Err(format!("{value} of a transaction that rolled back is there"));
        }
        if !there.insert(*value) {
            return Err(format!("{value} is there twice"));
        }
    }
    for (_, txn) in committed(history) {
        for op in &txn.ops {
            if let Op::Append(key, value) = op
                && !last[*key as usize].contains(value)
            {
                return Err(format!("lost update: {value} of list {key}"));
            }
        }
    }
    Ok(())
}

fn edge(edges: &mut Edges, from: usize, to: usize, later: bool) {
    if from != to {
        edges.entry(from).or_default().insert((to, later));
    }
}

/// Reads of one list by one transaction: prefixes, nothing unfinished, own writes included.
fn reads(
    reader: usize,
    txn: &Txn,
    key: i32,
    list: &[i32],
    writers: &BTreeMap<i32, usize>,
    edges: &mut Edges,
) -> Result<(), String> {
    for op in &txn.ops {
        let Op::Read(k, seen) = op else { continue };
        if *k != key {
            continue;
        }
        if !list.starts_with(seen) {
            return Err(format!("read {seen:?} is no beginning of {list:?} (list {key})"));
        }
        let next = list.get(seen.len());
        if let Some(value) = seen.last() {
            let writer = writers[value];
            edge(edges, writer, reader, false);
            // The writer's last append of a row is the only one that others may see last.
            if writer != reader && next.is_some_and(|next| writers[next] == writer) {
                return Err(format!(
                    "G1b: read {seen:?} in the midst of a transaction (list {key})"
                ));
            }
        }
        if let Some(next) = next {
            edge(edges, reader, writers[next], true);
        }
    }
    Ok(())
}

/// A cycle over the edges wanted.
fn cycle(edges: &Edges, wanted: impl Fn(bool) -> bool + Copy) -> Option<Vec<usize>> {
    edges.keys().find_map(|start| path(edges, *start, *start, wanted))
}

/// A cycle with exactly one edge from a reader to a later writer.
fn single(edges: &Edges) -> Option<Vec<usize>> {
    edges.iter().find_map(|(from, out)| {
        let later = out.iter().filter(|(_, later)| *later);
        later
            .into_iter()
            .find_map(|(to, _)| path(edges, *to, *from, |later| !later))
    })
}

fn path(edges: &Edges, from: usize, to: usize, wanted: impl Fn(bool) -> bool + Copy) -> Option<Vec<usize>> {
    let mut before: BTreeMap<usize, usize> = BTreeMap::new();
    let mut todo = vec![from];
    while let Some(at) = todo.pop() {
        for (next, later) in edges.get(&at).into_iter().flatten() {
            if !wanted(*later) || before.contains_key(next) {
                continue;
            }
            before.insert(*next, at);
            if *next == to {
                let mut found = vec![to];
                let mut at = before[&to];
                while at != from && found.len() < 100 {
                    found.push(at);
                    at = before[&at];
                }
                found.push(from);
                found.reverse();
                return Some(found);
            }
            todo.push(*next);
        }
    }
    None
}

fn told(history: &[Txn], cycle: &[usize]) -> String {
    let lines: Vec<String> = cycle
        .iter()
        .map(|id| format!("\n  {id}: {:?}", history[*id].ops))
        .collect();
    lines.concat()
}

#[test]
fn each_anomaly_is_found() {
    let txn = |ops: &[Op]| Txn {
        ops: ops.to_vec(),
        outcome: Outcome::Committed,
    };
    let found =
        |history: &[Txn], last: &[Vec<i32>], level| check(history, last, level).err().unwrap_or_default();
    // Write skew: each reads what the other appends to.
    let skew = [
        txn(&[Op::Read(0, vec![]), Op::Append(1, 1)]),
        txn(&[Op::Read(1, vec![]), Op::Append(0, 2)]),
    ];
    let last = [vec![2], vec![1]];
    assert!(found(&skew, &last, Level::Serializable).starts_with("G2"));
    assert_eq!(found(&skew, &last, Level::RepeatableRead), "");
    // Read skew: the second write seen, the first not.
    let read = [
        txn(&[Op::Append(0, 1), Op::Append(1, 2)]),
        txn(&[Op::Read(0, vec![]), Op::Read(1, vec![2])]),
    ];
    let last = [vec![1], vec![2]];
    assert!(found(&read, &last, Level::RepeatableRead).starts_with("G-single"));
    assert_eq!(found(&read, &last, Level::ReadCommitted), "");
    // Circular information flow.
    let flow = [
        txn(&[Op::Append(0, 1), Op::Read(1, vec![2])]),
        txn(&[Op::Append(1, 2), Op::Read(0, vec![1])]),
    ];
    assert!(found(&flow, &[vec![1], vec![2]], Level::ReadCommitted).starts_with("G1c"));
    // An intermediate read, a lost update.
    let midst = [
        txn(&[Op::Append(0, 1), Op::Append(0, 2)]),
        txn(&[Op::Read(0, vec![1])]),
    ];
    assert!(found(&midst, &[vec![1, 2]], Level::ReadCommitted).starts_with("G1b"));
    assert!(found(&midst[..1], &[vec![1]], Level::ReadCommitted).starts_with("lost update"));
}
