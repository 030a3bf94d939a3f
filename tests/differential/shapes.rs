//! Shapes that the planner rewrites: joins that add nothing, keys, UNION ALL, VALUES, windows cut off by a condition, SQL functions,
//! partitions joined and grouped.
//!
//! Where a query is about order, `row_number() OVER ()` above it tells the order in which its rows came.

use crate::maker::{Maker, NUMBERS, Pick};

/// Further tables with the columns `a` to `g`: with keys and a foreign key, partitioned like `p` and `h`, partitioned by a key; and
/// functions. What has a random content is filled by the caller.
pub const TABLES: &str = "
    CREATE TABLE q (a int NOT NULL REFERENCES u (a), b int NOT NULL, c text NOT NULL, d numeric, e bigint UNIQUE, f char(4),
        g int PRIMARY KEY, UNIQUE (b, c));
    INSERT INTO q SELECT g * 5 % 14, g % 6, 't' || g / 6, g / 3, nullif(g, 7), repeat('q', g % 5), g FROM generate_series(0, 30) g;
    CREATE TABLE pp (a int, b int, c text, d numeric, e bigint, f char(4), g int NOT NULL) PARTITION BY RANGE (a);
    CREATE TABLE pp1 PARTITION OF pp FOR VALUES FROM (MINVALUE) TO (4);
    CREATE TABLE pp2 PARTITION OF pp FOR VALUES FROM (4) TO (9);
    CREATE TABLE pp3 PARTITION OF pp FOR VALUES FROM (9) TO (12);
    CREATE TABLE pp4 PARTITION OF pp DEFAULT;
    CREATE TABLE hh (a int, b int, c text, d numeric, e bigint, f char(4), g int NOT NULL) PARTITION BY HASH (b);
    CREATE TABLE hh0 PARTITION OF hh FOR VALUES WITH (MODULUS 3, REMAINDER 0);
    CREATE TABLE hh1 PARTITION OF hh FOR VALUES WITH (MODULUS 3, REMAINDER 1);
    CREATE TABLE hh2 PARTITION OF hh FOR VALUES WITH (MODULUS 3, REMAINDER 2);
    CREATE TABLE o (a int, b int NOT NULL, c text, d numeric, e bigint, f char(4), g int NOT NULL, PRIMARY KEY (g))
        PARTITION BY RANGE (g);
    CREATE TABLE o1 PARTITION OF o FOR VALUES FROM (0) TO (10);
    CREATE TABLE o3 PARTITION OF o FOR VALUES FROM (20) TO (40);
    CREATE TABLE o2 PARTITION OF o FOR VALUES FROM (10) TO (20);
    INSERT INTO o SELECT nullif(g % 9, 3), g % 5, 't' || g % 4, g / 2.0, g % 11, repeat('q', g % 5), g FROM generate_series(0, 33) g;
    CREATE TABLE l (a int, b int, c text, d numeric, e bigint, f char(4), g int NOT NULL) PARTITION BY LIST (c);
    CREATE TABLE l2 PARTITION OF l FOR VALUES IN ('t1', 't3');
    CREATE TABLE l1 PARTITION OF l FOR VALUES IN ('t0');
    CREATE TABLE l3 PARTITION OF l FOR VALUES IN ('t4', NULL);
    CREATE TABLE l4 PARTITION OF l DEFAULT;
    INSERT INTO l SELECT g % 9, nullif(g % 5, 3), nullif('t' || g % 7, 't5'), g / 2.0, g % 11, 'q', g FROM generate_series(0, 33) g;
    CREATE INDEX ON l (c, g); CREATE INDEX ON pp (a, g);
    CREATE FUNCTION plus(x int, y int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x + y';
    CREATE FUNCTION strictly(x int, y int) RETURNS int LANGUAGE sql STRICT IMMUTABLE AS 'SELECT x * 2 + y';
    CREATE FUNCTION unless(x int, y int) RETURNS int LANGUAGE sql STABLE AS 'SELECT CASE WHEN $1 > 3 THEN $2 END';
    CREATE FUNCTION one_g(x int) RETURNS int LANGUAGE sql STABLE AS 'SELECT max(g) FROM r2 WHERE b = x';
    CREATE FUNCTION some_of(x int) RETURNS SETOF r2 LANGUAGE sql STABLE AS 'SELECT * FROM r2 WHERE b = x';
    CREATE FUNCTION pairs(x int, y int) RETURNS TABLE (a int, b int, c text, d numeric, e bigint, f char(4), g int)
        LANGUAGE sql STABLE ROWS 5 AS 'SELECT r.a, q.b, r.c, q.d, r.e, q.f, r.g * 100 + q.g FROM r1 r JOIN q ON r.b = q.b WHERE r.a > x AND q.b < y';
    CREATE FUNCTION strict_rows(x int) RETURNS SETOF u LANGUAGE sql STRICT STABLE AS 'SELECT * FROM u WHERE u.b IS NOT DISTINCT FROM x';
";

const KEYED: [&str; 5] = ["u", "q", "r0", "r2", "o"];
const ANY: [&str; 14] = [
    "u", "q", "o", "l", "pp", "hh", "p", "h", "i", "r0", "r1", "r2", "r3", "r9",
];

impl Maker<'_> {
    /// A table and its alias.
    fn one_of(&mut self, tables: &[&str]) -> (String, String) {
        let alias = self.alias();
        (format!("{} {alias}", self.r.pick(tables)), alias)
    }

    /// An equality with a key of a keyed table; the pair of all keys of `u` and `q` are among them.
    fn on_key(&mut self, relation: &str, alias: &str, scope: &[String]) -> String {
        let (other, more) = (self.number(scope), self.number(scope));
        match relation.split(' ').next() {
            Some("u") if self.r.chance(50) => format!("{alias}.a = {other}"),
            Some("q") if self.r.chance(30) => format!("{alias}.e = {other}"),
            Some("q") if self.r.chance(50) => {
                format!("{alias}.b = {other} AND {alias}.c = {}", self.text(scope))
            }
            Some("q") if self.r.chance(50) => format!("{alias}.b = {other} AND {alias}.c = 't2'"),
            _ if self.r.chance(15) => format!("{alias}.g = {}", self.r.below(20)),
            _ if self.r.chance(20) => format!("{alias}.g = {other} AND {alias}.b = {more}"),
            _ => format!("{other} = {alias}.g"),
        }
    }

    /// A condition about NULLs of one of the scope.
    fn null_test(&mut self, scope: &[String]) -> String {
        let alias = scope[self.r.below(scope.len())].clone();
        let column = self.r.pick(&["g", "g", "b", "a", "c", "e"]);
        let not = self.r.pick(&["", "NOT "]);
        match self.r.below(4) {
            0 => format!("({alias}.{column} IS {not}NULL OR {})", self.condition(scope, 0)),
            1 => format!("coalesce({alias}.{column} IS {not}NULL, false)"),
            2 => format!("({alias}.g, {alias}.b) IS {not}NULL"),
            _ => format!("{alias}.{column} IS {not}NULL"),
        }
    }

    /// Outer joins on keys of relations that hardly anything else names.
    fn unread_sides(&mut self) -> String {
        let (mut from, first) = self.one_of(&ANY);
        let mut scope = vec![first.clone()];
        for _ in 0..1 + self.r.below(3) {
            let (relation, alias) = if self.r.chance(80) {
                self.one_of(&KEYED)
            } else {
                self.one_of(&ANY)
            };
            let mut on = self.on_key(&relation, &alias, &scope);
            let both = [scope[self.r.below(scope.len())].clone(), alias.clone()];
            match self.r.below(8) {
                0 => on = format!("{on} AND {}", self.condition(&both, 0)),
                1 => on = format!("{on} AND {}", self.condition(&both[1..], 1)),
                2 => on = format!("{on} AND {}", self.null_test(&both)),
                3 => on = format!("{on} OR {alias}.g = {}", self.r.below(9)),
                _ => {}
            }
            let kind = self.r.pick(&[
                "LEFT JOIN",
                "LEFT JOIN",
                "LEFT JOIN",
                "JOIN",
                "RIGHT JOIN",
                "FULL JOIN",
            ]);
            // PostgreSQL refuses FULL JOIN on conditions that it can neither merge nor hash.
            if kind == "FULL JOIN" {
                on = format!("{alias}.g = {}.a", both[0]);
            }
            from = format!("{from} {kind} {relation} ON {on}");
            scope.push(alias);
        }
        let read = if self.r.chance(75) {
            vec![first]
        } else {
            scope.clone()
        };
        let filter = match self.r.below(5) {
            0 => format!(" WHERE {}", self.condition(&read, 1)),
            1 => format!(" WHERE {}", self.null_test(&scope)),
            2 => format!(
                " WHERE {}.{} = {}",
                read[0],
                self.r.pick(&NUMBERS),
                self.r.below(9)
            ),
            _ => String::new(),
        };
        let (x, y) = (self.value(&read), self.value(&read));
        match self.r.below(5) {
            0 => format!("SELECT DISTINCT {x} AS k, {y} AS v FROM {from}{filter}"),
            1 => format!("SELECT {x} AS k, count(*) AS v FROM {from}{filter} GROUP BY 1"),
            2 => format!("SELECT count(*) AS k FROM {from}{filter}"),
            _ => format!("SELECT {x} AS k, {y} AS v FROM {from}{filter}"),
        }
    }

    /// Joins of tables with themselves on their keys.
    fn self_joins(&mut self) -> String {
        let table = self.r.pick(&KEYED).to_owned();
        let (x, y) = (self.alias(), self.alias());
        let key = match table.as_str() {
            "u" => self.r.pick(&["a", "g"]),
            "q" => self.r.pick(&["e", "g"]),
            _ => "g",
        };
        let both = [x.clone(), y.clone()];
        let mut on = match self.r.below(6) {
            0 if table == "q" => format!("{x}.b = {y}.b AND {y}.c = {x}.c"),
            1 => format!("{x}.{key} = {y}.{key} AND {x}.{key} = {}", self.r.below(20)),
            2 => format!(
                "{x}.{key} = {} AND {y}.{key} = {}",
                self.r.below(3),
                self.r.below(3)
            ),
            _ => format!("{y}.{key} = {x}.{key}"),
        };
        if self.r.chance(50) {
            on = format!("{on} AND {}", self.condition(&both, 0));
        }
        let (third, z) = self.one_of(&ANY);
        let kind = self.r.pick(&["JOIN", "LEFT JOIN", "JOIN"]);
        let number = self.number(&both);
        let all = [x.clone(), y.clone(), z.clone()];
        let scope: &[String] = if self.r.chance(50) { &all } else { &both };
        let third = if scope.len() == 3 {
            format!(" {kind} {third} ON {z}.b = {number}")
        } else {
            String::new()
        };
        let kind = self.r.pick(&["JOIN", "JOIN", "JOIN", "LEFT JOIN"]);
        format!(
            "SELECT {} AS k, {} AS v, {} AS n FROM {table} {x} {kind} {table} {y} ON {on}{third}{}",
            self.value(scope),
            self.value(scope),
            self.number(&both[..1]),
            self.filter(scope, 1)
        )
    }

    /// GROUP BY a primary key: other columns follow from it.
    fn by_key(&mut self) -> String {
        let (relation, x) = self.one_of(&["u", "q", "r0", "r2", "o"]);
        let key = if relation.starts_with("u ") { "a" } else { "g" };
        let (other, y) = self.one_of(&ANY);
        let both = [x.clone(), y.clone()];
        let own = &both[..1];
        let kind = self.r.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let column = self.r.pick(&NUMBERS);
        let keys = match self.r.below(6) {
            0 => format!("{x}.b, "),
            1 => format!("{x}.c, {x}.d, "),
            2 => format!("{y}.b, "),
            _ => String::new(),
        };
        let order = match self.r.below(3) {
            // Groups without a row of the keyed table have one key.
            _ if keys.starts_with(&y) => String::new(),
            0 => format!(" ORDER BY {x}.{key}, {x}.b LIMIT {}", 1 + self.r.below(9)),
            1 => format!(" ORDER BY {x}.b, {x}.{key} DESC LIMIT {}", 1 + self.r.below(9)),
            _ => String::new(),
        };
        format!(
            "SELECT {} AS k, {} AS v, sum({}) AS n, count(*) AS z FROM {relation} {kind} {other} ON {x}.{column} = {y}.{column} \
             GROUP BY {keys}{x}.{key}{order}",
            self.value(own),
            self.value(own),
            self.number(&both),
        )
    }

    /// UNION ALL in FROM, below conditions, joins and sorting.
    fn appended(&mut self) -> String {
        let mut arms = Vec::new();
        for i in 0..2 + self.r.below(2) {
            let (relation, alias) = self.one_of(&ANY);
            let own = [alias.clone()];
            let list = match self.r.below(5) {
                0 => format!(
                    "{alias}.a, {}, {alias}.c, {alias}.d, {alias}.e, {alias}.f",
                    self.r.below(5)
                ),
                1 => format!(
                    "{alias}.b, {alias}.a, 't{}', {alias}.d, {alias}.g, NULL",
                    self.r.below(5)
                ),
                2 => format!(
                    "coalesce({alias}.a, 3), {alias}.b + 1, {alias}.f, {alias}.a, {alias}.e, {alias}.f"
                ),
                _ => format!("{alias}.a, {alias}.b, {alias}.c, {alias}.d, {alias}.e, {alias}.f"),
            };
            let filter = self.filter(&own, 1);
            arms.push(format!(
                "SELECT {list}, {alias}.g * 4 + {i} FROM {relation}{filter}"
            ));
        }
        let x = self.alias();
        let union = match self.r.below(4) {
            0 => format!("({}) {x} (a, b, c, d, e, f, g)", arms.join(" UNION ALL ")),
            1 => format!(
                "(SELECT * FROM ({}) w) {x} (a, b, c, d, e, f, g)",
                arms.join(" UNION ALL ")
            ),
            2 => format!(
                "({} UNION ALL (SELECT * FROM ({}) w)) {x} (a, b, c, d, e, f, g)",
                arms[0],
                arms[1..].join(" UNION ALL ")
            ),
            _ => format!("({}) {x} (a, b, c, d, e, f, g)", arms.join(" UNION ALL ")),
        };
        let (other, y) = self.one_of(&ANY);
        let (own, both) = ([x.clone()], [x.clone(), y.clone()]);
        let column = self.r.pick(&NUMBERS);
        match self.r.below(7) {
            0 => format!(
                "SELECT row_number() OVER () AS k, s.* FROM (SELECT a, b, c, g FROM {union}{} ORDER BY {} LIMIT {}) s",
                self.filter(&own, 1),
                self.total_order(&own),
                1 + self.r.below(30)
            ),
            1 => format!(
                "SELECT {} AS k, count(*) AS v, max({}) AS n FROM {union}{} GROUP BY 1",
                self.value(&own),
                self.number(&own),
                self.filter(&own, 1)
            ),
            2 => format!(
                "SELECT {} AS k, {} AS v FROM {other} {} {union} ON {x}.{column} = {y}.{column}{}",
                self.value(&both),
                self.value(&both),
                self.r.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]),
                self.filter(&both, 1)
            ),
            3 => format!(
                "SELECT {} AS k, {} AS v FROM {other}, LATERAL (SELECT * FROM {union} WHERE {}) {x}",
                self.value(&both),
                self.value(&both),
                self.condition(&both, 1)
            ),
            4 => format!(
                "SELECT {} AS k FROM {other} WHERE {} IN (SELECT {} FROM {union} WHERE {})",
                self.value(&both[1..]),
                self.number(&both[1..]),
                self.number(&own),
                self.condition(&both, 0)
            ),
            _ => format!(
                "SELECT {} AS k, {} AS v, {} AS n FROM {union} WHERE {}",
                self.value(&own),
                self.value(&own),
                self.number(&own),
                self.rich_condition(&own, 1)
            ),
        }
    }

    /// IN (VALUES ...), and equalities joined by OR.
    fn lists(&mut self) -> String {
        let (mut from, x) = self.one_of(&ANY);
        let mut scope = vec![x.clone()];
        if self.r.chance(50) {
            let (other, y) = self.one_of(&ANY);
            let column = self.r.pick(&NUMBERS);
            let kind = self.r.pick(&["JOIN", "LEFT JOIN"]);
            from = format!("{from} {kind} {other} ON {x}.{column} = {y}.{column}");
            scope.push(y);
        }
        let mut conditions = Vec::new();
        for _ in 0..1 + self.r.below(2) {
            let value = self.number(&scope);
            let [p, q, r] = [0; 3].map(|_| self.r.below(12));
            let text = self.text(&scope);
            let not = self.r.pick(&["", "", "", "NOT "]);
            conditions.push(match self.r.below(8) {
                0 => format!("{value} {not}IN (VALUES ({p}), ({q}), ({r}))"),
                1 => format!("{value} {not}IN (VALUES ({p}), (NULL), ({q}))"),
                2 => format!("{value} {not}IN (VALUES ({p}), ({}))", self.number(&scope)),
                3 => format!(
                    "({value}, {}) {not}IN (VALUES ({p}, {q}), ({r}, {p}))",
                    self.number(&scope)
                ),
                4 => format!("({value} = {p} OR {value} = {q} OR {value} = {r})"),
                5 => format!(
                    "({value} = {p} OR {q} = {value} OR {})",
                    self.condition(&scope, 0)
                ),
                6 => format!("({text} = 't{}' OR {text} = 't{}')", p % 7, q % 7),
                _ => format!("({value} IN ({p}, {q}) OR {value} = {r})"),
            });
        }
        format!(
            "SELECT {} AS k, {} AS v FROM {from} WHERE {}",
            self.value(&scope),
            self.value(&scope),
            conditions.join(" AND ")
        )
    }

    /// Window functions of which a condition above wants the first rows only.
    fn cut_windows(&mut self) -> String {
        let (mut from, x) = self.one_of(&ANY);
        let mut scope = vec![x.clone()];
        if self.r.chance(30) {
            let (other, y) = self.one_of(&ANY);
            from = format!("{from} JOIN {other} ON {x}.b = {y}.b");
            scope.push(y);
        }
        let part = match self.r.below(4) {
            0 => String::new(),
            1 => format!("PARTITION BY {x}.b, {} ", self.value(&scope)),
            _ => format!("PARTITION BY {} ", self.value(&scope)),
        };
        let (total, order) = (self.total_order(&scope), self.order(&scope));
        let call = match self.r.below(9) {
            0..=2 => format!("row_number() OVER ({part}ORDER BY {total})"),
            3 => format!("rank() OVER ({part}ORDER BY {order})"),
            4 => format!("dense_rank() OVER ({part}ORDER BY {order})"),
            5 => format!("count(*) OVER ({part}ORDER BY {order})"),
            6 => format!(
                "count({}) OVER ({part}ORDER BY {total} ROWS UNBOUNDED PRECEDING)",
                self.number(&scope)
            ),
            7 => format!(
                "count(*) OVER ({part}ORDER BY {order} RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)"
            ),
            _ => format!("ntile({}) OVER ({part}ORDER BY {total})", 2 + self.r.below(3)),
        };
        let second = match self.r.below(4) {
            0 => format!("sum({}) OVER ({part})", self.number(&scope)),
            1 => format!("max({}) OVER ({part}ORDER BY {total})", self.number(&scope)),
            2 => format!("count(*) OVER (PARTITION BY {})", self.value(&scope)),
            _ => "0".to_owned(),
        };
        let n = self.r.below(6);
        let condition = match self.r.below(9) {
            0..=2 => format!("w <= {n}"),
            3 => format!("w < {n}"),
            4 => format!("{n} >= w"),
            5 => format!("w = {n}"),
            6 => format!("w > {n}"),
            7 => format!("w BETWEEN 2 AND {n}"),
            _ => format!("{n} = w AND y < 9"),
        };
        let more = self
            .r
            .pick(&["", "", " AND k > 2", " AND y IS NOT NULL", " AND k IS NULL"]);
        let filter = self.filter(&scope, 0);
        format!(
            "SELECT k, w, y FROM (SELECT {} AS k, {call} AS w, {second} AS y FROM {from}{filter}) s WHERE {condition}{more}",
            self.number(&scope)
        )
    }

    /// Aggregates with DISTINCT and ORDER BY, some of the same order.
    fn ordered_aggregates(&mut self) -> String {
        let from = self.source(&[], 1);
        let s = &from.scope;
        let key = self.value(s);
        let (value, total) = (self.number(s), self.total_order(s));
        let text = self.text(s);
        let mut calls = Vec::new();
        for _ in 0..1 + self.r.below(3) {
            let mut call = match self.r.below(9) {
                0 => format!("array_agg({value} ORDER BY {total})"),
                1 => format!("string_agg({text}, '-' ORDER BY {total})"),
                2 => format!("array_agg(DISTINCT {value})"),
                3 => format!("count(DISTINCT {text})"),
                4 => format!("string_agg(DISTINCT {text}, '/')"),
                5 => format!("array_agg({} ORDER BY {})", self.value(s), self.total_order(s)),
                6 => format!("sum(DISTINCT {value})"),
                7 => format!("array_agg(DISTINCT {value} ORDER BY {value} NULLS FIRST)"),
                _ => format!("array_agg({key} ORDER BY {total})"),
            };
            if self.r.chance(20) {
                call = format!("{call} FILTER (WHERE {})", self.condition(s, 0));
            }
            calls.push(call);
        }
        calls.resize(3, format!("max({value})"));
        let filter = self.filter(s, 1);
        let group = match self.r.below(5) {
            0 => String::new(),
            1 => format!(" GROUP BY ROLLUP ({key})"),
            2 => format!(" GROUP BY {key}, {}.b", s[0]),
            _ => format!(" GROUP BY {key}"),
        };
        let shown = if group.is_empty() { "0" } else { &key };
        format!(
            "SELECT {shown} AS k, {} AS v, {} AS n, {} AS z FROM {}{filter}{group}",
            calls[0], calls[1], calls[2], from.sql
        )
    }

    /// Functions in SQL, in lists, conditions and FROM.
    fn functions(&mut self) -> String {
        let (mut from, x) = self.one_of(&ANY);
        let mut scope = vec![x.clone()];
        if self.r.chance(60) {
            let y = self.alias();
            let (p, q) = (self.r.pick(&["a", "b"]), self.r.pick(&["a", "b"]));
            let call = match self.r.below(5) {
                0 => format!("some_of({x}.{p})"),
                1 => format!("pairs({x}.{p}, {})", self.r.below(6)),
                2 => format!("strict_rows({x}.{p})"),
                3 => format!("some_of({})", self.r.below(6)),
                _ => format!("pairs({x}.{p}, plus({x}.{q}, 1))"),
            };
            let join = self
                .r
                .pick(&["CROSS JOIN LATERAL", "LEFT JOIN LATERAL", "JOIN LATERAL"]);
            let on = match join {
                "CROSS JOIN LATERAL" => String::new(),
                _ if self.r.chance(50) => " ON true".to_owned(),
                _ => format!(" ON {y}.{p} = {x}.{q}"),
            };
            from = format!("{from} {join} {call} {y}{on}");
            scope.push(y);
        }
        let call = |m: &mut Self| {
            let argument = |m: &mut Self| {
                let alias = scope[m.r.below(scope.len())].clone();
                match m.r.below(4) {
                    0 => m.r.below(9).to_string(),
                    1 => "NULL".to_owned(),
                    _ => format!("{alias}.{}", m.r.pick(&["a", "b", "g"])),
                }
            };
            let (one, two) = (argument(m), argument(m));
            match m.r.below(5) {
                0 => format!("plus({one}, {two})"),
                1 => format!("strictly({one}, plus({two}, 1))"),
                2 => format!("unless({one}, {two})"),
                3 => format!("one_g({one})"),
                _ => format!("plus(strictly({one}, {two}), {one})"),
            }
        };
        let (first, second) = (call(self), call(self));
        let filter = match self.r.below(3) {
            0 => format!(" WHERE {} > {}", call(self), self.r.below(20)),
            1 => format!(
                " WHERE {} = {} OR {}",
                call(self),
                self.number(&scope),
                self.condition(&scope, 0)
            ),
            _ => String::new(),
        };
        format!(
            "SELECT {first} AS k, {second} AS v, {} AS n FROM {from}{filter}",
            self.value(&scope)
        )
    }

    /// IN and EXISTS among joins.
    fn semi_joins(&mut self) -> String {
        let (mut from, x) = self.one_of(&ANY);
        let mut scope = vec![x];
        for _ in 0..self.r.below(3) {
            let (other, y) = self.one_of(&ANY);
            let left = scope[self.r.below(scope.len())].clone();
            let kind = self.r.pick(&["JOIN", "JOIN", "LEFT JOIN"]);
            from = format!(
                "{from} {kind} {other} ON {left}.{} = {y}.{}",
                self.r.pick(&NUMBERS),
                self.r.pick(&["g", "b"])
            );
            scope.push(y);
        }
        let mut conditions = Vec::new();
        for _ in 0..1 + self.r.below(2) {
            let (inner, z) = self.one_of(&ANY);
            let own = [z.clone()];
            let mut body = inner;
            let mut inside = own.to_vec();
            if self.r.chance(40) {
                let (more, w) = self.one_of(&ANY);
                body = format!("{body} JOIN {more} ON {z}.b = {w}.g");
                inside.push(w);
            }
            let filter = self.filter(&inside, 0);
            let column = self.r.pick(&["a", "b", "g", "e", "d"]);
            let distinct = self.r.pick(&["", "", "DISTINCT "]);
            let number = self.number(&scope);
            let not = self.r.pick(&["", "", "", "NOT "]);
            conditions.push(match self.r.below(4) {
                0 => format!(
                    "({number}, {}) {not}IN (SELECT {distinct}{z}.{column}, {} FROM {body}{filter})",
                    self.number(&scope),
                    self.number(&inside)
                ),
                1 => format!("{not}EXISTS (SELECT 1 FROM {body} WHERE {z}.{column} = {number})"),
                2 => format!(
                    "{not}EXISTS (SELECT 1 FROM {body} WHERE {z}.{column} = {number} AND {z}.b < {})",
                    self.number(&scope)
                ),
                _ => format!("{number} {not}IN (SELECT {distinct}{z}.{column} FROM {body}{filter})"),
            });
        }
        format!(
            "SELECT {} AS k, {} AS v FROM {from} WHERE {}",
            self.value(&scope),
            self.value(&scope),
            conditions.join(" AND ")
        )
    }

    /// Joins and groups that partitions can do one by one.
    fn by_partition(&mut self) -> String {
        let pair = match self.r.below(5) {
            0 | 1 => ["p", "pp"],
            2 => ["h", "hh"],
            3 => ["pp", "pp"],
            _ => ["o", "o"],
        };
        let key = match pair[0] {
            "h" => "b",
            "o" => "g",
            _ => "a",
        };
        let (x, y) = (self.alias(), self.alias());
        let kind = self
            .r
            .pick(&["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let both = [x.clone(), y.clone()];
        let mut from = format!("{} {x} {kind} {} {y} ON {x}.{key} = {y}.{key}", pair[0], pair[1]);
        if kind != "FULL JOIN" && self.r.chance(40) {
            from = format!("{from} AND {}", self.condition(&both, 0));
        }
        let mut scope = both.to_vec();
        if self.r.chance(40) {
            let z = self.alias();
            let kind = self.r.pick(&["JOIN", "LEFT JOIN", "FULL JOIN"]);
            from = format!(
                "{from} {kind} {} {z} ON {z}.{key} = {}.{key}",
                pair[1],
                both[self.r.below(2)]
            );
            scope.push(z);
        }
        let filter = self.filter(&scope, 1);
        match self.r.below(5) {
            0 => format!(
                "SELECT {x}.{key} AS k, count({y}.g) AS v, sum({}) AS n FROM {from}{filter} GROUP BY {x}.{key}",
                self.number(&scope)
            ),
            1 => format!(
                "SELECT {} AS k, {x}.{key} AS v, count(*) AS n, avg({}) AS z FROM {from}{filter} GROUP BY 1, 2 HAVING count(*) > 1",
                self.value(&scope),
                self.number(&scope)
            ),
            2 => format!(
                "SELECT {} AS k, max({}) AS v, count(DISTINCT {}) AS n FROM {} {x} GROUP BY 1",
                self.value(&scope[..1]),
                self.number(&scope[..1]),
                self.value(&scope[..1]),
                pair[0]
            ),
            3 => format!(
                "SELECT row_number() OVER () AS k, s.* FROM (SELECT {x}.{key}, {x}.g FROM {from}{filter} ORDER BY {x}.{key}, {} LIMIT 20) s",
                self.total_order(&scope)
            ),
            _ => format!(
                "SELECT {} AS k, {} AS v, {} AS n FROM {from}{filter}",
                self.value(&scope),
                self.value(&scope),
                self.number(&scope)
            ),
        }
    }

    /// Rows in the order of partitions, of UNIONs and of indexes.
    fn in_order(&mut self) -> String {
        let (relation, x) = self.one_of(&["o", "o", "l", "pp", "p", "i", "q", "u", "r1"]);
        let own = [x.clone()];
        let key = match relation.split(' ').next() {
            Some("o" | "u" | "q") => "g",
            Some("l") => "c",
            _ => "a",
        };
        let direction = self.r.pick(&["", " DESC", " DESC NULLS LAST", " NULLS FIRST"]);
        let limit = self.r.pick(&["", " LIMIT 7", " LIMIT 15", " LIMIT 4 OFFSET 3"]);
        let (list, group) = match self.r.below(4) {
            0 => (
                format!("{x}.{key}, count(*), min({})", self.number(&own)),
                format!(" GROUP BY {x}.{key}"),
            ),
            _ => (format!("{x}.{key}, {x}.g, {}", self.value(&own)), String::new()),
        };
        let order = match (group.is_empty(), self.r.below(3)) {
            (false, _) => format!("{x}.{key}{direction}"),
            (_, 0) => format!("{x}.{key}{direction}, {}, {x}.g", self.order(&own)),
            _ => format!("{x}.{key}{direction}, {x}.g{direction}"),
        };
        let filter = match self.r.below(4) {
            0 => format!(
                " WHERE {x}.{key} IN ({})",
                if key == "c" {
                    "'t0', 't3', 't5'"
                } else {
                    "3, 5, 12, 25"
                }
            ),
            1 => format!(
                " WHERE {x}.{key} {} {}",
                self.r.pick(&["<", ">=", "="]),
                if key == "c" { "'t3'" } else { "10" }
            ),
            2 => self.filter(&own, 1),
            _ => String::new(),
        };
        format!(
            "SELECT row_number() OVER () AS place, s.* FROM (SELECT {list} FROM {relation}{filter}{group} ORDER BY {order}{limit}) s (k, v, n)"
        )
    }

    /// A query of one of these shapes.
    pub fn shape(&mut self) -> String {
        match self.r.below(16) {
            0..=2 => self.unread_sides(),
            3 => self.self_joins(),
            4 => self.by_key(),
            5 | 6 => self.appended(),
            7 => self.lists(),
            8 | 9 => self.cut_windows(),
            10 => self.ordered_aggregates(),
            11 => self.functions(),
            12 | 13 => self.semi_joins(),
            14 => self.by_partition(),
            _ => self.in_order(),
        }
    }
}
