//! The data files: values per type, values for particular arguments, syntax, exceptions.

use std::collections::{HashMap, HashSet};

#[derive(Default)]
pub struct Pool {
    pub valid: Vec<String>,
    /// What the input function refuses.
    pub refused: Vec<String>,
}

pub struct Pools {
    pools: HashMap<String, Pool>,
    /// Pool by function or operator, and number of the argument (0: all).
    arguments: HashMap<(String, usize), String>,
    pub templates: Vec<String>,
}

/// Why a function is left out, or a difference is none of ours.
pub struct Exception {
    pub kind: String,
    pub pattern: String,
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('u') => {
                let hex: String = chars.by_ref().skip(1).take_while(|c| *c != '}').collect();
                out.push(
                    u32::from_str_radix(&hex, 16)
                        .ok()
                        .and_then(char::from_u32)
                        .unwrap(),
                );
            }
            other => out.extend(other),
        }
    }
    out
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|l| !l.starts_with("# ") && !l.is_empty())
}

impl Pools {
    pub fn read() -> Pools {
        let mut pools: HashMap<String, Pool> = HashMap::new();
        let mut name = "";
        for line in lines(include_str!("pools.txt")) {
            if let Some(next) = line.strip_prefix("## ") {
                name = next;
                continue;
            }
            let pool = pools.entry(name.to_owned()).or_default();
            match line {
                "<empty>" => pool.valid.push(String::new()),
                _ => match (line.strip_prefix("E:"), line.strip_prefix('!')) {
                    (Some(escaped), _) => pool.valid.push(unescape(escaped)),
                    (_, Some(refused)) => pool.refused.push(refused.to_owned()),
                    _ => pool.valid.push(line.to_owned()),
                },
            }
        }
        let mut arguments = HashMap::new();
        for line in lines(include_str!("arguments.txt")) {
            let fields: Vec<&str> = line.split(' ').collect();
            let [function, number, pool] = fields[..] else {
                panic!("arguments.txt: {line}");
            };
            assert!(pools.contains_key(pool), "no pool {pool}");
            arguments.insert((function.to_owned(), number.parse().unwrap()), pool.to_owned());
        }
        let templates = lines(include_str!("templates.txt")).map(str::to_owned).collect();
        Pools {
            pools,
            arguments,
            templates,
        }
    }

    pub fn names(&self) -> HashSet<String> {
        self.pools.keys().cloned().collect()
    }

    pub fn get(&self, name: &str) -> Option<&Pool> {
        self.pools.get(name)
    }

    /// The pool for an argument, counted from 0.
    pub fn for_argument(&self, function: &str, at: usize) -> Option<&Pool> {
        let name = self
            .arguments
            .get(&(function.to_owned(), at + 1))
            .or_else(|| self.arguments.get(&(function.to_owned(), 0)))?;
        self.pools.get(name)
    }
}

pub fn exceptions() -> Vec<Exception> {
    let read = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [kind, pattern, reason] = fields[..] else {
            panic!("exceptions.tsv: {line}");
        };
        assert!(!reason.is_empty());
        Exception {
            kind: kind.to_owned(),
            pattern: pattern.to_owned(),
        }
    };
    lines(include_str!("exceptions.tsv")).map(read).collect()
}
