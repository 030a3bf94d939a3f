//! The plain grammar: joins, subqueries, grouping, windows, set operations.

use std::fmt::Write as _;

use crate::random::Random;

pub trait Pick {
    /// One of some.
    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str;
}

impl Pick for Random {
    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const TABLES: usize = 4;
/// The others: with a primary key, partitioned by range and by hash, with a child.
const OTHERS: [&str; 4] = ["u", "p", "h", "i"];

/// Tables with few different values and many NULLs, some indexed; `g` is unique and never NULL.
pub fn set_up(r: &mut Random) -> String {
    let mut sql = String::new();
    for t in 0..TABLES {
        let _ = writeln!(sql, "CREATE TABLE r{t} ({COLUMNS}, PRIMARY KEY (g));");
        insert(&mut sql, r, &format!("r{t}"), 12 + 14 * t);
    }
    let _ = writeln!(
        sql,
        "CREATE INDEX ON r0 (a); CREATE INDEX ON r1 (a, b); CREATE INDEX ON r1 (c); CREATE INDEX ON r3 (e);
         CREATE INDEX ON r2 (b) WHERE b > 2;
         CREATE TABLE u (a int PRIMARY KEY, b int, c text, d numeric, e bigint, f char(4), g int NOT NULL UNIQUE);
         INSERT INTO u SELECT g, g % 4, 't' || g % 5, g / 2.0, g % 7, repeat('q', g % 5), 20 - g FROM generate_series(0, 13) g;
         CREATE TABLE p ({COLUMNS}) PARTITION BY RANGE (a);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (MINVALUE) TO (4);
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (4) TO (9) PARTITION BY LIST (b);
         CREATE TABLE p2a PARTITION OF p2 FOR VALUES IN (0, 1, NULL);
         CREATE TABLE p2b PARTITION OF p2 FOR VALUES IN (3, 2);
         CREATE TABLE p2c PARTITION OF p2 DEFAULT;
         CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (9) TO (12);
         CREATE TABLE p4 PARTITION OF p DEFAULT;
         CREATE INDEX ON p (a, e);
         CREATE TABLE h ({COLUMNS}) PARTITION BY HASH (b);
         CREATE TABLE h0 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 0);
         CREATE TABLE h1 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 1);
         CREATE TABLE h2 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 2);
         CREATE TABLE i ({COLUMNS});
         CREATE TABLE i1 (CHECK (a > 3)) INHERITS (i);
         CREATE INDEX ON i1 (a);
         CREATE TABLE r9 ({COLUMNS});
         {}",
        crate::shapes::TABLES
    );
    insert(&mut sql, r, "p", 40);
    insert(&mut sql, r, "h", 30);
    insert(&mut sql, r, "i", 15);
    insert(&mut sql, r, "pp", 25);
    insert(&mut sql, r, "hh", 20);
    let _ = writeln!(
        sql,
        "INSERT INTO i1 SELECT a + 4, b, c, d, e, f, g + 100 FROM r1 WHERE a < 9;"
    );
    sql.push_str("ANALYZE;");
    sql
}

const COLUMNS: &str = "a int, b int, c text, d numeric, e bigint, f char(4), g int NOT NULL";

fn insert(sql: &mut String, r: &mut Random, table: &str, rows: usize) {
    for g in 0..rows {
        let (a, b, e) = (r.below(15), r.below(6), r.below(20));
        let (c, d, f) = (r.below(7), r.below(9), r.below(5));
        let mut or_null = |text: String| if r.chance(15) { "NULL".to_owned() } else { text };
        let row = [
            or_null(a.to_string()),
            or_null(b.to_string()),
            or_null(format!("'t{c}'")),
            or_null(format!("{}.{}", d, d * 5 % 10)),
            or_null(e.to_string()),
            or_null(format!("'{}'", "qqqq".get(f..).unwrap_or_default())),
        ];
        let _ = writeln!(sql, "INSERT INTO {table} VALUES ({}, {g});", row.join(", "));
    }
}

/// Makes queries. Every expression is total: no division, no overflow.
pub struct Maker<'r> {
    pub r: &'r mut Random,
    pub aliases: usize,
}

pub const NUMBERS: [&str; 4] = ["a", "b", "d", "e"];

impl Maker<'_> {
    pub fn table(&mut self) -> String {
        match self.r.below(TABLES + OTHERS.len()) {
            t if t < TABLES => format!("r{t}"),
            t => OTHERS[t - TABLES].to_owned(),
        }
    }

    pub fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("x{}", self.aliases)
    }

    pub fn number(&mut self, scope: &[String]) -> String {
        let alias = scope[self.r.below(scope.len())].clone();
        let column = format!("{alias}.{}", self.r.pick(&NUMBERS));
        match self.r.below(9) {
            0 => format!("({column} + {})", self.r.below(3)),
            3 => format!("({column} * 1.5 - {})", self.r.below(3)),
            1 => format!("coalesce({column}, {})", self.r.below(9)),
            2 => format!(
                "CASE WHEN {column} > 4 THEN {column} ELSE {} END",
                self.r.below(5)
            ),
            _ => column,
        }
    }

    pub fn text(&mut self, scope: &[String]) -> String {
        let alias = &scope[self.r.below(scope.len())];
        match self.r.below(5) {
            0 => format!("({alias}.c || 'x')"),
            1 => format!("{alias}.f"),
            _ => format!("{alias}.c"),
        }
    }

    pub fn value(&mut self, scope: &[String]) -> String {
        if self.r.chance(25) {
            self.text(scope)
        } else {
            self.number(scope)
        }
    }

    /// A condition over the scope; `depth` bounds subqueries.
    pub fn condition(&mut self, scope: &[String], depth: usize) -> String {
        let operator = self.r.pick(&["=", "=", "<>", "<", "<=", ">", ">="]);
        match self.r.below(if depth > 0 { 14 } else { 9 }) {
            0 => format!(
                "{} IS NOT DISTINCT FROM {}",
                self.number(scope),
                self.number(scope)
            ),
            1 => format!(
                "{} IS {}NULL",
                self.value(scope),
                if self.r.chance(50) { "NOT " } else { "" }
            ),
            2 => format!("{} {operator} {}", self.number(scope), self.r.below(10)),
            3 => format!(
                "{} IN ({}, {}, {})",
                self.number(scope),
                self.r.below(9),
                self.r.below(9),
                self.r.below(9)
            ),
            4 => format!("{} LIKE 't{}%'", self.text(scope), self.r.below(7)),
            5 => format!("({} OR {})", self.condition(scope, 0), self.condition(scope, 0)),
            6 => format!(
                "NOT ({} AND {})",
                self.condition(scope, 0),
                self.condition(scope, 0)
            ),
            8 if self.r.chance(50) => {
                let alias = &scope[self.r.below(scope.len())];
                format!("{alias}.f IN ('q', 'qqq ', '')")
            }
            8 => {
                let pair = [0, 1].map(|_| scope[self.r.below(scope.len())].clone());
                format!("{}.f {operator} {}.f", pair[0], pair[1])
            }
            9 => format!(
                "{} IN ({})",
                self.number(scope),
                self.one_column(scope, depth - 1)
            ),
            10 => format!(
                "{} NOT IN ({})",
                self.number(scope),
                self.one_column(scope, depth - 1)
            ),
            11 => format!("EXISTS ({})", self.one_column(scope, depth - 1)),
            12 => format!("NOT EXISTS ({})", self.one_column(scope, depth - 1)),
            13 => {
                let (table, alias) = (self.table(), self.alias());
                let inner = [scope, std::slice::from_ref(&alias)].concat();
                let number = self.number(std::slice::from_ref(&alias));
                let condition = self.condition(&inner, 0);
                format!(
                    "{} {operator} (SELECT {}({number}) FROM {table} {alias} WHERE {condition})",
                    self.number(scope),
                    self.r.pick(&["max", "min", "count", "sum"])
                )
            }
            _ => format!("{} {operator} {}", self.number(scope), self.number(scope)),
        }
    }

    /// A subquery with one number as its column, usually correlated.
    pub fn one_column(&mut self, scope: &[String], depth: usize) -> String {
        let (table, alias) = (self.table(), self.alias());
        let own = [alias.clone()];
        let inner = if self.r.chance(70) {
            [scope, &own].concat()
        } else {
            own.to_vec()
        };
        let condition = self.condition(&inner, depth);
        format!(
            "SELECT {} FROM {table} {alias} WHERE {condition}",
            self.number(&own)
        )
    }

    /// A relation for FROM, and its alias.
    pub fn relation(&mut self, depth: usize) -> (String, String) {
        let alias = self.alias();
        if depth == 0 || self.r.chance(75) {
            return (format!("{} {alias}", self.table()), alias);
        }
        let (table, inner) = (self.table(), self.alias());
        let scope = [inner.clone()];
        let condition = self.condition(&scope, 0);
        let body = match self.r.below(3) {
            0 => format!("SELECT * FROM {table} {inner} WHERE {condition}"),
            1 => format!("SELECT DISTINCT a, b, c, d, e, f FROM {table} {inner} WHERE {condition}"),
            _ => format!(
                "SELECT a, count(*)::int AS b, max(c) AS c, sum(d) AS d, min(e) AS e, max(f) AS f FROM {table} {inner} WHERE {condition} GROUP BY a"
            ),
        };
        (format!("({body}) {alias}"), alias)
    }

    /// FROM with joins; the aliases in scope.
    pub fn from(&mut self) -> (String, Vec<String>) {
        let (mut sql, first) = self.relation(1);
        let mut scope = vec![first];
        for _ in 0..self.r.below(4) {
            if self.r.chance(12) {
                let (table, alias) = (self.table(), self.alias());
                let inner = [&scope[..], std::slice::from_ref(&alias)].concat();
                let condition = self.condition(&inner, 0);
                let _ = write!(
                    sql,
                    " CROSS JOIN LATERAL (SELECT * FROM {table} {alias} WHERE {condition}) {alias}"
                );
                scope.push(alias);
                continue;
            }
            let (relation, alias) = self.relation(1);
            let kind = self
                .r
                .pick(&["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
            let left = scope[self.r.below(scope.len())].clone();
            let column = self.r.pick(&NUMBERS);
            let mut on = format!(
                "{left}.{column} = {alias}.{}",
                if self.r.chance(70) { column } else { "b" }
            );
            // PostgreSQL refuses FULL JOIN on conditions that it can neither merge nor hash.
            if kind != "FULL JOIN" && self.r.chance(40) {
                let both = [left, alias.clone()];
                let more = self.condition(&both, 0);
                let _ = write!(on, " AND {more}");
            }
            let _ = write!(sql, " {kind} {relation} ON {on}");
            scope.push(alias);
        }
        (sql, scope)
    }

    pub fn select(&mut self) -> String {
        let (from, scope) = self.from();
        let mut filter = String::new();
        for i in 0..self.r.below(3) {
            let _ = write!(
                filter,
                " {} {}",
                if i == 0 { "WHERE" } else { "AND" },
                self.condition(&scope, 2)
            );
        }
        match self.r.below(4) {
            0 => {
                let (key, value) = (self.value(&scope), self.number(&scope));
                let call = self
                    .r
                    .pick(&["sum", "count", "min", "max", "count(DISTINCT", "avg"]);
                let call = match call.strip_suffix("(DISTINCT") {
                    Some(name) => format!("{name}(DISTINCT {value})"),
                    None => format!("{call}({value})"),
                };
                let guard = self.condition(&scope, 0);
                let having = if self.r.chance(30) {
                    " HAVING count(*) > 1"
                } else {
                    ""
                };
                format!(
                    "SELECT {key} AS k, {call} AS v, count(*) FILTER (WHERE {guard}) AS n, 0 AS z FROM {from}{filter} GROUP BY 1{having}"
                )
            }
            1 => {
                let (part, order, value) = (self.value(&scope), self.number(&scope), self.number(&scope));
                let call = self
                    .r
                    .pick(&["rank()", "dense_rank()", "count(*)", "cume_dist()"]);
                format!(
                    "SELECT {value} AS k, {call} OVER (PARTITION BY {part} ORDER BY {order}) AS v, \
                     sum({value}) OVER (PARTITION BY {part}) AS n, 0 AS z FROM {from}{filter}"
                )
            }
            2 => {
                let list = [self.value(&scope), self.number(&scope), self.value(&scope)];
                format!(
                    "SELECT DISTINCT {} AS k, {} AS v, {} AS n, 0 AS z FROM {from}{filter}",
                    list[0], list[1], list[2]
                )
            }
            _ => {
                let list = [self.value(&scope), self.number(&scope), self.value(&scope)];
                format!(
                    "SELECT {} AS k, {} AS v, {} AS n, 0 AS z FROM {from}{filter}",
                    list[0], list[1], list[2]
                )
            }
        }
    }

    /// The ends of columns: indexes may give them.
    pub fn ends(&mut self) -> String {
        let (table, alias) = (self.table(), self.alias());
        let scope = [alias.clone()];
        let columns = [0, 1].map(|_| self.r.pick(&["a", "b", "c", "d", "e"]));
        let filter = match self.r.below(3) {
            0 => String::new(),
            1 => format!(" WHERE {alias}.a = {}", self.r.below(15)),
            _ => format!(" WHERE {}", self.condition(&scope, 0)),
        };
        format!(
            "SELECT min({alias}.{}) AS k, max({alias}.{}) AS v, 0 AS n, 0 AS z FROM {table} {alias}{filter}",
            columns[0], columns[1]
        )
    }

    /// Groups by two keys.
    pub fn two_keys(&mut self) -> String {
        let (from, scope) = self.from();
        let keys = [self.value(&scope), self.value(&scope)];
        let value = self.number(&scope);
        format!(
            "SELECT {} AS k, {} AS v, sum({value}) AS n, count(DISTINCT {value}) AS z FROM {from} GROUP BY 1, 2",
            keys[0], keys[1]
        )
    }

    pub fn query(&mut self) -> String {
        if self.r.chance(4) {
            return self.ends();
        }
        if self.r.chance(8) {
            return self.two_keys();
        }
        if self.r.chance(12) {
            let all = if self.r.chance(50) { " ALL" } else { "" };
            let operator = self.r.pick(&["UNION", "INTERSECT", "EXCEPT"]);
            let mut side = || {
                let (from, scope) = self.from();
                format!("SELECT {} AS k FROM {from}", self.number(&scope))
            };
            return format!("{} {operator}{all} {}", side(), side());
        }
        self.select()
    }
}
