//! Makes expressions: chooses a function, operator, cast or piece of syntax, and arguments of its types.

use crate::facts::{Facts, Operator, Producer, Routine};
use crate::pools::{Pool, Pools};
use crate::random::Random;

/// An expression and those inside it that stand on their own.
#[derive(Clone, Debug)]
pub struct Expr {
    pub sql: String,
    /// What makes the value: differences are counted by it.
    pub head: String,
    pub parts: Vec<Expr>,
}

/// Types that stand for `anyelement` and its like.
const ELEMENTS: [&str; 16] = [
    "int4",
    "text",
    "numeric",
    "float8",
    "date",
    "timestamptz",
    "int8",
    "bool",
    "interval",
    "uuid",
    "jsonb",
    "mood",
    "pair",
    "bytea",
    "varchar",
    "inet",
];

/// What the polymorphic types of one call are bound to.
#[derive(Clone, Copy)]
struct Binding {
    element: u32,
    array: u32,
    range: u32,
    multirange: u32,
}

pub struct Maker<'a> {
    pub r: Random,
    pub facts: &'a Facts,
    pub pools: &'a Pools,
}

pub fn quote(text: &str) -> String {
    if text.contains('\\') {
        return format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    }
    format!("'{}'", text.replace('\'', "''"))
}

fn leaf(sql: String, head: &str) -> Expr {
    Expr {
        sql,
        head: head.to_owned(),
        parts: Vec::new(),
    }
}

fn list(exprs: &[Expr]) -> String {
    exprs
        .iter()
        .map(|e| e.sql.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

impl Maker<'_> {
    fn pick<'b, T>(&mut self, of: &'b [T]) -> &'b T {
        &of[self.r.below(of.len())]
    }

    /// A text of a pool, seldom one that is refused.
    fn text_of(&mut self, pool: &Pool) -> String {
        if pool.valid.is_empty() || (!pool.refused.is_empty() && self.r.chance(6)) {
            return self.pick(&pool.refused).clone();
        }
        self.pick(&pool.valid).clone()
    }

    fn literal(&mut self, oid: u32) -> Expr {
        let ty = self.facts.types[&oid].clone();
        if self.r.chance(6) {
            return leaf(format!("NULL::{}", ty.sql), "literal");
        }
        let pools = self.pools;
        let Some(pool) = pools.get(&ty.pool) else {
            let items: Vec<Expr> = (0..self.r.below(4)).map(|_| self.literal(ty.element)).collect();
            return Expr {
                sql: format!("ARRAY[{}]::{}", list(&items), ty.sql),
                head: "array".to_owned(),
                parts: items,
            };
        };
        let text = self.text_of(pool);
        let plain =
            text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && text.bytes().any(|b| b.is_ascii_digit());
        if plain && matches!(ty.pool.as_str(), "int4" | "numeric") && self.r.chance(50) {
            return leaf(text, "literal");
        }
        leaf(
            format!("{}::{}", quote(&text), ty.sql),
            &format!("literal {}", ty.pool),
        )
    }

    /// An expression of exactly this type.
    fn value(&mut self, oid: u32, depth: usize) -> Expr {
        if oid == 2249 {
            let items = [self.any(depth), self.any(depth)];
            return Expr {
                sql: format!("ROW({})", list(&items)),
                head: "ROW".to_owned(),
                parts: items.to_vec(),
            };
        }
        let facts = self.facts;
        let Some(producers) = facts.by_result.get(&oid) else {
            return self.literal(oid);
        };
        if depth == 0 || self.r.chance(65) {
            return self.literal(oid);
        }
        let producer = *self.pick(producers);
        self.produce(producer, depth - 1)
    }

    fn any(&mut self, depth: usize) -> Expr {
        let name = *self.pick(&ELEMENTS);
        let oid = self.facts.by_name[name];
        self.value(oid, depth)
    }

    fn produce(&mut self, producer: Producer, depth: usize) -> Expr {
        let facts = self.facts;
        match producer {
            Producer::Routine(i) => self.call(&facts.routines[i], depth),
            Producer::Operator(i) => self.operator(&facts.operators[i], depth),
            Producer::Cast(i) => {
                let (source, target) = facts.casts[i];
                let inner = self.value(source, depth);
                let target = &facts.types[&target];
                Expr {
                    sql: format!("({})::{}", inner.sql, target.sql),
                    head: format!("cast {} to {}", facts.types[&source].pool, target.pool),
                    parts: vec![inner],
                }
            }
        }
    }

    fn binding(&mut self, types: &[u32]) -> Binding {
        let facts = self.facts;
        if types.iter().any(|t| matches!(*t, 3831 | 4537 | 5080 | 4538)) {
            let (range, element, multirange) = *self.pick(&facts.ranges);
            let array = facts.types.get(&element).map_or(0, |t| t.array);
            return Binding {
                element,
                array,
                range,
                multirange,
            };
        }
        let name = match types.contains(&3500) {
            true => "mood",
            false => self.pick(&ELEMENTS),
        };
        let element = facts.by_name[name];
        Binding {
            element,
            array: facts.types[&element].array,
            range: 0,
            multirange: 0,
        }
    }

    fn bound(&mut self, oid: u32, binding: Binding) -> u32 {
        match oid {
            2277 | 5078 => binding.array,
            2283 | 2776 | 3500 | 5077 | 5079 => binding.element,
            3831 | 5080 => binding.range,
            4537 | 4538 => binding.multirange,
            2276 => {
                let name = *self.pick(&ELEMENTS);
                self.facts.by_name[name]
            }
            other => other,
        }
    }

    /// The argument of a function or operator, from a pool of its own where there is one.
    fn argument(&mut self, function: &str, at: usize, oid: u32, depth: usize) -> Expr {
        let facts = self.facts;
        if let Some(pool) = self.pools.for_argument(function, at)
            && let Some(ty) = facts.types.get(&oid)
            && self.r.chance(85)
        {
            let text = self.text_of(pool);
            return leaf(format!("{}::{}", quote(&text), ty.sql), "literal");
        }
        if facts.types.contains_key(&oid) || oid == 2249 {
            let value = self.value(oid, depth);
            // Now and then a literal whose type the call has to find.
            if value.parts.is_empty() && self.r.chance(10) && value.sql.starts_with('\'') {
                let bare = value
                    .sql
                    .rsplit_once("::")
                    .map_or(value.sql.clone(), |(l, _)| l.to_owned());
                return leaf(bare, "literal");
            }
            return value;
        }
        self.literal(facts.by_name["text"])
    }

    fn arguments(&mut self, f: &Routine, depth: usize) -> Vec<Expr> {
        let binding = self.binding(&f.args);
        let mut count = f.args.len();
        if f.defaults > 0 && self.r.chance(50) {
            count -= self.r.below(f.defaults + 1);
        }
        let mut out = Vec::new();
        for at in 0..count {
            let is_last = at + 1 == f.args.len();
            if is_last && f.variadic != 0 && (f.variadic == 2276 || self.r.chance(70)) {
                for _ in 0..=self.r.below(3) {
                    let oid = self.bound(f.variadic, binding);
                    out.push(self.argument(&f.name, at, oid, depth));
                }
                continue;
            }
            let oid = self.bound(f.args[at], binding);
            let mut value = self.argument(&f.name, at, oid, depth);
            if is_last && f.variadic != 0 {
                value.sql = format!("VARIADIC {}", value.sql);
                value.parts.clear();
            }
            out.push(value);
        }
        out
    }

    fn signature(&self, f: &Routine) -> String {
        let name = |oid: &u32| {
            self.facts
                .types
                .get(oid)
                .map_or("any", |t| t.pool.as_str())
                .to_owned()
        };
        let args: Vec<String> = f.args.iter().map(name).collect();
        format!("{}({})", f.name, args.join(","))
    }

    fn call(&mut self, f: &Routine, depth: usize) -> Expr {
        let args = self.arguments(f, depth);
        let name = match (f.schema.as_str(), self.r.chance(30)) {
            ("pg_catalog", true) if !is_reserved(&f.name) => f.name.clone(),
            _ => format!("{}.\"{}\"", f.schema, f.name),
        };
        let mut expr = self.apply(&args, self.signature(f), |args| {
            format!("{name}({})", args.join(", "))
        });
        if f.returns_set {
            expr.sql = format!("ARRAY(SELECT ({name}({}))::text LIMIT 20)", list(&args));
        }
        expr
    }

    /// Applies something to arguments: mostly directly, sometimes through columns, so that nothing is folded.
    fn apply(&mut self, args: &[Expr], head: String, sql: impl Fn(&[String]) -> String) -> Expr {
        let plain: Vec<String> = args.iter().map(|a| a.sql.clone()).collect();
        let parts = args
            .iter()
            .filter(|a| !a.sql.starts_with("VARIADIC"))
            .cloned()
            .collect();
        let typed = args
            .iter()
            .all(|a| a.sql.contains("::") && !a.sql.starts_with("VARIADIC"));
        let sql = if typed && !args.is_empty() && self.r.chance(20) {
            let names: Vec<String> = (0..args.len()).map(|i| format!("a{i}")).collect();
            let columns: Vec<String> = plain
                .iter()
                .zip(&names)
                .map(|(a, n)| format!("{a} AS {n}"))
                .collect();
            format!(
                "(SELECT {} FROM (SELECT {} OFFSET 0) v)",
                sql(&names),
                columns.join(", ")
            )
        } else {
            sql(&plain)
        };
        Expr { sql, head, parts }
    }

    fn operator(&mut self, o: &Operator, depth: usize) -> Expr {
        let binding = self.binding(&[o.left, o.right]);
        let mut args = Vec::new();
        for (at, oid) in [(0, o.left), (1, o.right)] {
            if oid != 0 {
                let oid = self.bound(oid, binding);
                args.push(self.argument(&o.name, at, oid, depth));
            }
        }
        let name = |oid: u32| self.facts.types.get(&oid).map_or("any", |t| t.pool.as_str());
        let head = format!("{} {} {}", name(o.left), o.name, name(o.right));
        let symbol = o.name.clone();
        self.apply(&args, head, |a| match a {
            [one] => format!("({symbol} ({one}))"),
            [l, r] => format!("(({l}) {symbol} ({r}))"),
            _ => String::new(),
        })
    }

    /// `VALUES` with a number and one column per type.
    fn rows(&mut self, types: &[u32], function: &str, first: usize) -> (String, Vec<Expr>) {
        let mut rows = Vec::new();
        let mut parts = Vec::new();
        for n in 0..=self.r.below(5) {
            let mut row = vec![format!("{n}")];
            for (at, oid) in types.iter().enumerate() {
                let value = self.argument(function, first + at, *oid, 0);
                let ty = self.facts.types.get(oid).map_or("text", |t| t.sql.as_str());
                row.push(if *oid == 2249 {
                    value.sql.clone()
                } else {
                    format!("({})::{ty}", value.sql)
                });
                parts.push(value);
            }
            rows.push(format!("({})", row.join(", ")));
        }
        let names: Vec<String> = (0..types.len()).map(|i| format!(", x{i}")).collect();
        (
            format!("(VALUES {}) v(n{})", rows.join(", "), names.concat()),
            parts,
        )
    }

    fn aggregate(&mut self, f: &Routine) -> Expr {
        let binding = self.binding(&f.args);
        let mut types = f.args.clone();
        if f.variadic != 0 {
            types.pop();
            types.push(f.variadic);
        }
        let types: Vec<u32> = types.iter().map(|t| self.bound(*t, binding)).collect();
        let (kind, direct) = f.aggregate.unwrap_or(('n', 0));
        let head = self.signature(f);
        let name = &f.name;
        let columns = |from: usize| {
            (from..types.len())
                .map(|i| format!("x{i}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        if kind == 'h' {
            let (from, parts) = self.rows(&types[..1], name, 0);
            let value = self.argument(name, 0, types[0], 0);
            let sql = format!(
                "(SELECT {name}({}) WITHIN GROUP (ORDER BY x0) FROM {from})",
                value.sql
            );
            return Expr { sql, head, parts };
        }
        if kind == 'o' {
            let args: Vec<Expr> = (0..direct).map(|i| self.argument(name, i, types[i], 0)).collect();
            let (from, parts) = self.rows(&types[direct..], name, direct);
            let sql = format!(
                "(SELECT {name}({}) WITHIN GROUP (ORDER BY x0) FROM {from})",
                list(&args)
            );
            return Expr { sql, head, parts };
        }
        let (from, parts) = self.rows(&types, name, 0);
        let args = if types.is_empty() {
            "*".to_owned()
        } else {
            columns(0)
        };
        let sql = match self.r.below(6) {
            0 if types.len() == 1 => format!("(SELECT {name}(DISTINCT {args}) FROM {from})"),
            1 => format!("(SELECT {name}({args}) FILTER (WHERE n > 1) FROM {from})"),
            2 => format!(
                "ARRAY(SELECT ({name}({args}) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW))::text FROM {from} ORDER BY n)"
            ),
            _ if types.is_empty() => format!("(SELECT {name}(*) FROM {from})"),
            _ => format!("(SELECT {name}({args} ORDER BY n) FROM {from})"),
        };
        Expr { sql, head, parts }
    }

    fn window(&mut self, f: &Routine) -> Expr {
        let binding = self.binding(&f.args);
        let types: Vec<u32> = f.args.iter().map(|t| self.bound(*t, binding)).collect();
        let (from, parts) = self.rows(&types, &f.name, 0);
        let args: Vec<String> = (0..types.len()).map(|i| format!("x{i}")).collect();
        let sql = format!(
            "ARRAY(SELECT ({}({}) OVER (ORDER BY n / 2))::text FROM {from} ORDER BY n)",
            f.name,
            args.join(", ")
        );
        Expr {
            sql,
            head: self.signature(f),
            parts,
        }
    }

    /// Fills the holes of a piece of syntax.
    fn template(&mut self) -> Expr {
        let pools = self.pools;
        let template = self.pick(&pools.templates).clone();
        let element = *self.pick(&ELEMENTS);
        let (mut sql, mut parts, mut rest) = (String::new(), Vec::new(), template.as_str());
        while let Some((before, after)) = rest.split_once('{') {
            let Some((hole, after)) = after.split_once('}') else {
                break;
            };
            sql.push_str(before);
            rest = after;
            if let Some(pool) = hole.strip_prefix('#') {
                let (pool, cast) = pool.split_once("::").unwrap_or((pool, ""));
                let text = self.text_of(pools.get(pool).expect(pool));
                sql.push_str(&quote(&text));
                if !cast.is_empty() {
                    sql.push_str("::");
                    sql.push_str(cast);
                }
                continue;
            }
            if hole == "=T" {
                let name = *self.pick(&ELEMENTS);
                sql.push_str(name);
                continue;
            }
            let name = hole.replace('T', element);
            let oid = *self.facts.by_name.get(&name).unwrap_or_else(|| panic!("{hole}"));
            let value = self.value(oid, 1);
            sql.push_str(&format!("({})", value.sql));
            parts.push(value);
        }
        sql.push_str(rest);
        Expr {
            sql,
            head: template,
            parts,
        }
    }

    /// One expression.
    pub fn expression(&mut self) -> Expr {
        let facts = self.facts;
        let depth = [0, 1, 1, 2][self.r.below(4)];
        match self.r.below(100) {
            0..15 => self.template(),
            15..35 => {
                let o = self.r.below(facts.operators.len());
                self.produce(Producer::Operator(o), depth)
            }
            35..43 => {
                let c = self.r.below(facts.casts.len());
                self.produce(Producer::Cast(c), depth)
            }
            _ => {
                let f = &facts.routines[self.r.below(facts.routines.len())];
                match f.kind {
                    'a' => self.aggregate(f),
                    'w' => self.window(f),
                    _ => self.call(f, depth),
                }
            }
        }
    }
}

/// Function names that are syntax when they stand alone.
fn is_reserved(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "char",
        "bit",
        "time",
        "timetz",
        "timestamp",
        "interval",
        "numeric",
        "varchar",
        "bpchar",
        "float4",
        "float8",
        "int2",
        "int4",
        "int8",
        "bool",
        "position",
        "overlay",
        "substring",
        "extract",
        "overlaps",
        "like",
        "xmlexists",
        "json",
        "trim",
        "coalesce",
        "normalize",
        "is_normalized",
        "notlike",
        "json_scalar",
        "precision",
        "character",
        "xmlconcat",
        "left",
        "right",
    ];
    WORDS.contains(&name)
        || name
            .bytes()
            .any(|b| !b.is_ascii_lowercase() && !b.is_ascii_digit() && b != b'_')
}
