//! Finding the output block of every statement.
//!
//! # How it works
//! psql echoes what it reads, so the lines between the echo of statement N and that of N+1 are the output of N. Of all chains of
//! echoes that come in order the longest is taken, the earliest one where several exist (patience sorting over their ends).

use std::collections::HashMap;

/// A link of a chain of echoes.
struct Node {
    statement: usize,
    start: usize,
    end: usize,
    before: Option<usize>,
}

/// For every statement its output lines; `None` where its echo is missing.
pub fn align<'a>(lines: &'a [&'a str], echoes: &[Vec<String>]) -> Vec<Option<&'a [&'a str]>> {
    let mut places_of: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, line) in lines.iter().enumerate() {
        places_of.entry(line).or_default().push(at);
    }
    let mut arena: Vec<Node> = Vec::new();
    // ends[k]: the smallest end of a chain of k + 1 echoes; tails[k]: its last link.
    let (mut ends, mut tails): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for (statement, echo) in echoes.iter().enumerate() {
        for start in places(lines, &places_of, echo).into_iter().rev() {
            let end = start + echo.len();
            let k = ends.partition_point(|e| *e <= start);
            let node = Node {
                statement,
                start,
                end,
                before: k.checked_sub(1).map(|k| tails[k]),
            };
            if k == ends.len() {
                ends.push(end);
                tails.push(arena.len());
                arena.push(node);
            } else if end < ends[k] {
                ends[k] = end;
                tails[k] = arena.len();
                arena.push(node);
            }
        }
    }
    let mut blocks = vec![None; echoes.len()];
    let mut following = lines.len();
    let mut next = tails.last().copied();
    while let Some(at) = next {
        let node = &arena[at];
        blocks[node.statement] = Some(&lines[node.end..following]);
        following = node.start;
        next = node.before;
    }
    blocks
}

fn places(lines: &[&str], places_of: &HashMap<&str, Vec<usize>>, echo: &[String]) -> Vec<usize> {
    let Some(first) = echo.first() else {
        return Vec::new();
    };
    let continues = |at: usize| {
        let rest = lines.get(at + 1..at + echo.len());
        rest.is_some_and(|rest| rest.iter().zip(&echo[1..]).all(|(a, b)| a == b))
    };
    let whole = places_of
        .get(first.as_str())
        .map(Vec::as_slice)
        .unwrap_or_default();
    let found: Vec<usize> = whole.iter().copied().filter(|p| continues(*p)).collect();
    if !found.is_empty() || first.chars().count() <= 7 {
        return found;
    }
    // An echo may be glued to output that had no line end.
    (0..lines.len())
        .filter(|p| lines[*p].ends_with(first.as_str()) && continues(*p))
        .collect()
}
