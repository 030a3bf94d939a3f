//! What can be called: read from the catalogs of the database under test, so that nothing is forgotten.

use std::collections::{BTreeMap, HashMap, HashSet};

use pglite::{Session, params};

/// A type that values can be made of.
#[derive(Clone, Debug)]
pub struct Type {
    /// As `pools.txt` calls it: `int4`, `int4[]`.
    pub pool: String,
    /// As SQL spells it, without a hidden length (`"bit"`, not `bit`).
    pub sql: String,
    pub element: u32,
    pub array: u32,
}

#[derive(Clone, Debug)]
pub struct Routine {
    pub name: String,
    pub schema: String,
    pub args: Vec<u32>,
    pub result: u32,
    /// `pg_proc.prokind`.
    pub kind: char,
    pub returns_set: bool,
    pub defaults: usize,
    /// Type of the elements of a variadic parameter; 0 for none.
    pub variadic: u32,
    /// `pg_aggregate.aggkind` and `aggnumdirectargs`.
    pub aggregate: Option<(char, usize)>,
}

#[derive(Clone, Debug)]
pub struct Operator {
    pub name: String,
    /// The function behind it: `arguments.txt` may know that one.
    pub left: u32,
    pub right: u32,
    pub result: u32,
}

/// What yields a value of some type.
#[derive(Clone, Copy, Debug)]
pub enum Producer {
    Routine(usize),
    Operator(usize),
    Cast(usize),
}

pub struct Facts {
    pub types: BTreeMap<u32, Type>,
    pub by_name: HashMap<String, u32>,
    pub routines: Vec<Routine>,
    pub operators: Vec<Operator>,
    pub casts: Vec<(u32, u32)>,
    pub by_result: HashMap<u32, Vec<Producer>>,
    /// Range type, subtype, multirange type.
    pub ranges: Vec<(u32, u32, u32)>,
}

/// Pseudo-types that calls bind to something.
pub fn is_bound_late(oid: u32) -> bool {
    matches!(
        oid,
        2276 | 2277 | 2283 | 2776 | 3500 | 3831 | 4537 | 5077 | 5078 | 5079 | 5080 | 4538
    )
}

fn sql_name(name: &str) -> String {
    match name {
        "char" | "bit" => format!("\"{name}\""),
        _ => name.to_owned(),
    }
}

fn types(session: &mut Session, pools: &HashSet<String>) -> BTreeMap<u32, Type> {
    let rows = session
        .query(
            "SELECT t.oid::int8, t.typname::text, coalesce(e.typname::text, ''), t.typelem::int8, t.typarray::int8
             FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typname LIKE '\\_%'
             WHERE t.typtype <> 'c' OR t.typname = 'pair'",
            params![],
        )
        .unwrap();
    let mut types = BTreeMap::new();
    for row in &rows {
        let oid: i64 = row.get(0).unwrap();
        let (name, element_name): (String, String) = (row.get(1).unwrap(), row.get(2).unwrap());
        let (element, array): (i64, i64) = (row.get(3).unwrap(), row.get(4).unwrap());
        let is_array = !element_name.is_empty();
        let base = if is_array { &element_name } else { &name };
        if !pools.contains(base.as_str()) {
            continue;
        }
        let brackets = if is_array { "[]" } else { "" };
        let info = Type {
            pool: format!("{base}{brackets}"),
            sql: format!("{}{brackets}", sql_name(base)),
            element: if is_array { element as u32 } else { 0 },
            array: array as u32,
        };
        types.insert(oid as u32, info);
    }
    types
}

/// Whether a pattern (a name, or its beginning and `*`) means this name.
pub fn is_named(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

fn oids(text: &str) -> Vec<u32> {
    text.split_whitespace().map(|o| o.parse().unwrap()).collect()
}

fn routines(session: &mut Session) -> Vec<Routine> {
    let rows = session
        .query(
            "SELECT p.proname::text, n.nspname::text, p.proargtypes::text, p.prorettype::int8, p.prokind::text, p.proretset,
                    p.pronargdefaults::int4, p.provariadic::int8, coalesce(a.aggkind::text, ''), coalesce(a.aggnumdirectargs, 0)::int4
             FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace LEFT JOIN pg_aggregate a ON a.aggfnoid::oid = p.oid
             WHERE p.provolatile <> 'v' AND p.oid < 16384 ORDER BY p.oid",
            params![],
        )
        .unwrap();
    let read = |row: &pglite::Row| {
        let text = |i: usize| row.get::<String>(i).unwrap();
        let aggregate = text(8)
            .chars()
            .next()
            .map(|kind| (kind, row.get::<i32>(9).unwrap() as usize));
        Routine {
            name: text(0),
            schema: text(1),
            args: oids(&text(2)),
            result: row.get::<i64>(3).unwrap() as u32,
            kind: text(4).chars().next().unwrap(),
            returns_set: row.get(5).unwrap(),
            defaults: row.get::<i32>(6).unwrap() as usize,
            variadic: row.get::<i64>(7).unwrap() as u32,
            aggregate,
        }
    };
    rows.iter().map(read).collect()
}

fn pairs(session: &mut Session, sql: &str) -> Vec<(u32, u32, u32)> {
    let rows = session.query(sql, params![]).unwrap();
    let oid = |row: &pglite::Row, i: usize| row.get::<i64>(i).unwrap() as u32;
    rows.iter().map(|r| (oid(r, 0), oid(r, 1), oid(r, 2))).collect()
}

impl Facts {
    /// Everything that takes and returns types of `pools` and is not in `skipped`.
    pub fn load(session: &mut Session, pools: &HashSet<String>, skipped: &[String]) -> Facts {
        let types = types(session, pools);
        let usable = |oid: &u32| types.contains_key(oid) || is_bound_late(*oid);
        let mut routines = routines(session);
        routines.retain(|r| {
            let result = usable(&r.result) || matches!(r.result, 2249 | 2278) || r.returns_set;
            r.args.iter().all(|a| usable(a) || *a == 2249)
                && result
                && !skipped.iter().any(|s| is_named(s, &r.name))
        });
        let rows = session
            .query(
                "SELECT oprname::text, oprleft::int8, oprright::int8, oprresult::int8 FROM pg_operator
                 WHERE oprcode <> 0 AND oid < 16384 ORDER BY oid",
                params![],
            )
            .unwrap();
        let read = |row: &pglite::Row| Operator {
            name: row.get(0).unwrap(),
            left: row.get::<i64>(1).unwrap() as u32,
            right: row.get::<i64>(2).unwrap() as u32,
            result: row.get::<i64>(3).unwrap() as u32,
        };
        let mut operators: Vec<Operator> = rows.iter().map(read).collect();
        let operand = |oid: u32| oid == 2249 || usable(&oid);
        operators.retain(|o| (o.left == 0 || operand(o.left)) && operand(o.right) && usable(&o.result));
        let casts = pairs(
            session,
            "SELECT castsource::int8, casttarget::int8, 0::int8 FROM pg_cast ORDER BY oid",
        );
        let casts: Vec<(u32, u32)> = casts.iter().map(|c| (c.0, c.1)).collect();
        let casts: Vec<(u32, u32)> = casts
            .into_iter()
            .filter(|(s, t)| types.contains_key(s) && types.contains_key(t))
            .collect();
        let ranges = pairs(
            session,
            "SELECT rngtypid::int8, rngsubtype::int8, rngmultitypid::int8 FROM pg_range ORDER BY 1",
        );
        let mut by_result: HashMap<u32, Vec<Producer>> = HashMap::new();
        let mut note = |oid: u32, p: Producer| by_result.entry(oid).or_default().push(p);
        for (i, r) in routines.iter().enumerate() {
            if matches!(r.kind, 'f') && !r.returns_set && types.contains_key(&r.result) {
                note(r.result, Producer::Routine(i));
            }
        }
        for (i, o) in operators.iter().enumerate() {
            note(o.result, Producer::Operator(i));
        }
        for (i, c) in casts.iter().enumerate() {
            note(c.1, Producer::Cast(i));
        }
        let by_name = types.iter().map(|(oid, t)| (t.pool.clone(), *oid)).collect();
        Facts {
            types,
            by_name,
            routines,
            operators,
            casts,
            by_result,
            ranges,
        }
    }
}
