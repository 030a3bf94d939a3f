//! The wide grammar: LATERAL, USING, quantified and row comparisons, grouping sets, frames, DISTINCT ON, WITH, nested set operations.
//!
//! Every query yields rows that PostgreSQL's documentation fixes: what depends on an order names a total one. Each relation has a
//! column `g`, unique and not NULL, so that all `g` of a scope make any order total.

use crate::maker::{Maker, NUMBERS, Pick};

/// FROM and the aliases it makes.
pub struct Source {
    pub sql: String,
    pub scope: Vec<String>,
}

impl Maker<'_> {
    /// `, x1.g, x2.g`: makes an order total.
    fn ties(scope: &[String]) -> String {
        scope.iter().map(|s| format!(", {s}.g")).collect()
    }

    pub fn order(&mut self, scope: &[String]) -> String {
        let key = self.value(scope);
        let how = self
            .r
            .pick(&["", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
        format!("{key}{how}")
    }

    pub fn total_order(&mut self, scope: &[String]) -> String {
        let mut sql = self.order(scope);
        if self.r.chance(30) {
            sql = format!("{sql}, {}", self.order(scope));
        }
        sql + &Self::ties(scope)
    }

    /// A relation with `a` to `g`.
    fn wide_relation(&mut self, outer: &[String], depth: usize) -> (String, String) {
        let alias = self.alias();
        if depth == 0 || self.r.chance(60) {
            return (format!("{} {alias}", self.table()), alias);
        }
        let (table, inner) = (self.table(), self.alias());
        let own = [inner.clone()];
        let seen = [outer, &own].concat();
        let condition = self.rich_condition(&seen, depth - 1);
        let body = match self.r.below(7) {
            0 => format!("SELECT {inner}.* FROM {table} {inner} WHERE {condition}"),
            1 => format!("SELECT DISTINCT a, b, c, d, e, f, g FROM {table} {inner} WHERE {condition}"),
            2 => format!(
                "SELECT a, count(*)::int AS b, max(c) AS c, sum(d) AS d, min(e) AS e, max(f) AS f, coalesce(a, -1) AS g FROM {table} {inner} WHERE {condition} GROUP BY a"
            ),
            3 => format!(
                "SELECT {inner}.* FROM {table} {inner} WHERE {condition} ORDER BY {} LIMIT {}",
                self.total_order(&own),
                self.r.below(6)
            ),
            4 => {
                let other = self.table();
                format!(
                    "SELECT a, b, c, d, e, f, g * 2 AS g FROM {table} {inner} WHERE {condition} UNION ALL SELECT a, b, c, d, e, f, g * 2 + 1 FROM {other}"
                )
            }
            5 => format!(
                "SELECT {inner}.a, (rank() OVER (ORDER BY {}))::int AS b, c, lag(d) OVER (PARTITION BY b ORDER BY {}) AS d, e, f, g FROM {table} {inner} WHERE {condition}",
                self.order(&own),
                self.total_order(&own)
            ),
            _ => {
                let rows: Vec<String> = (0..1 + self.r.below(4))
                    .map(|g| {
                        format!(
                            "({}, NULL, 't{}', {}.5, {}::bigint, 'q', {g})",
                            self.r.below(9),
                            self.r.below(4),
                            self.r.below(4),
                            self.r.below(9)
                        )
                    })
                    .collect();
                return (
                    format!(
                        "(VALUES {}) {alias} (a, b, c, d, e, f, g)",
                        rows.join(", ")
                            .replace("NULL", "NULL::int")
                            .replace("'q'", "'q'::char(4)")
                    ),
                    alias,
                );
            }
        };
        (format!("({body}) {alias}"), alias)
    }

    /// FROM with all kinds of joins. `outer`: what a lateral reference outside may name.
    pub fn source(&mut self, outer: &[String], joins: usize) -> Source {
        let (mut sql, first) = self.wide_relation(outer, 1);
        let mut scope = vec![first];
        for _ in 0..self.r.below(joins + 1) {
            let seen = [outer, &scope].concat();
            match self.r.below(10) {
                0 | 1 => {
                    let (relation, alias) = self.wide_relation(&seen, 2);
                    let kind = self
                        .r
                        .pick(&["CROSS JOIN LATERAL", "LEFT JOIN LATERAL", "JOIN LATERAL"]);
                    let on = match kind {
                        "CROSS JOIN LATERAL" => String::new(),
                        _ if self.r.chance(50) => " ON true".to_owned(),
                        _ => format!(
                            " ON {}",
                            self.rich_condition(&[scope[0].clone(), alias.clone()], 0)
                        ),
                    };
                    // LATERAL before a table's name is no SQL.
                    let kind = if relation.starts_with('(') {
                        kind.to_owned()
                    } else {
                        kind.replace(" LATERAL", "")
                    };
                    sql = format!("{sql} {kind} {relation}{on}");
                    scope.push(alias);
                }
                2 => {
                    let alias = self.alias();
                    let of = self.number(&scope);
                    sql = format!(
                        "{sql} CROSS JOIN LATERAL (SELECT n AS a, n % 2 AS b, 't' || n AS c, n / 2.0 AS d, n::bigint AS e, 'q'::char(4) AS f, n AS g FROM generate_series(1, ({of})::int % 4) n) {alias}"
                    );
                    scope.push(alias);
                }
                3 => {
                    let (inner, names) = self.nested_join();
                    let left = scope[self.r.below(scope.len())].clone();
                    let kind = self.r.pick(&["JOIN", "LEFT JOIN", "FULL JOIN", "RIGHT JOIN"]);
                    let column = self.r.pick(&NUMBERS);
                    sql = format!(
                        "{sql} {kind} ({inner}) ON {left}.{column} = {}.{column}",
                        names[0]
                    );
                    scope.extend(names);
                }
                _ => {
                    let (relation, alias) = self.wide_relation(outer, 1);
                    let kind = self.r.pick(&[
                        "JOIN",
                        "JOIN",
                        "LEFT JOIN",
                        "LEFT JOIN",
                        "RIGHT JOIN",
                        "FULL JOIN",
                    ]);
                    let left = scope[self.r.below(scope.len())].clone();
                    let column = self.r.pick(&NUMBERS);
                    let mut on = format!("{left}.{column} = {alias}.{column}");
                    if kind == "FULL JOIN" {
                        match self.r.below(4) {
                            0 => on = format!("{on} AND {left}.c = {alias}.c"),
                            1 => {
                                let both = [left, alias.clone()];
                                on = format!("{on} AND {}", self.rich_condition(&both, 0));
                            }
                            _ => {}
                        }
                    } else if self.r.chance(50) {
                        let both = [left, alias.clone()];
                        let depth = usize::from(self.r.chance(25));
                        let more = self.rich_condition(&both, depth);
                        on = if self.r.chance(25) {
                            more
                        } else {
                            format!("{on} AND {more}")
                        };
                    }
                    sql = format!("{sql} {kind} {relation} ON {on}");
                    scope.push(alias);
                }
            }
        }
        Source { sql, scope }
    }

    fn nested_join(&mut self) -> (String, Vec<String>) {
        let (a, b) = (self.wide_relation(&[], 0), self.wide_relation(&[], 0));
        let kind = self.r.pick(&["JOIN", "LEFT JOIN", "FULL JOIN"]);
        let column = self.r.pick(&NUMBERS);
        let sql = format!("{} {kind} {} ON {}.{column} = {}.{column}", a.0, b.0, a.1, b.1);
        (sql, vec![a.1, b.1])
    }

    /// WHERE with up to two conditions, or nothing.
    pub fn filter(&mut self, scope: &[String], depth: usize) -> String {
        let conditions: Vec<String> = (0..self.r.below(3))
            .map(|_| self.rich_condition(scope, depth))
            .collect();
        match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        }
    }

    /// A correlated subquery with one row and one column at most.
    pub fn scalar(&mut self, scope: &[String], depth: usize) -> String {
        let inner = self.source(&[], 1);
        let all = [scope, &inner.scope].concat();
        let condition = self.rich_condition(&all, depth.saturating_sub(1));
        let from = format!("FROM {} WHERE {condition}", inner.sql);
        match self.r.below(6) {
            0 => format!("(SELECT count(*) {from})"),
            1 => format!(
                "(SELECT {} {from} ORDER BY {} LIMIT 1)",
                self.number(&all),
                self.total_order(&inner.scope)
            ),
            2 => format!(
                "(SELECT sum({}) {from} HAVING count(*) > 1)",
                self.number(&inner.scope)
            ),
            3 => format!(
                "(SELECT {} {from} ORDER BY {} LIMIT 1 OFFSET 1)",
                self.number(&inner.scope),
                self.total_order(&inner.scope)
            ),
            4 => format!(
                "(SELECT max({}) FILTER (WHERE {}) {from})",
                self.number(&inner.scope),
                self.condition(&all, 0)
            ),
            _ => format!(
                "(SELECT {}({}) {from})",
                self.r.pick(&["min", "max", "sum"]),
                self.number(&inner.scope)
            ),
        }
    }

    /// A subquery of `columns` numbers, for IN, ANY and ALL.
    fn table_of(&mut self, scope: &[String], columns: usize, depth: usize) -> String {
        let inner = self.source(&[], 1);
        let all = match self.r.chance(60) {
            true => [scope, &inner.scope].concat(),
            false => inner.scope.clone(),
        };
        let condition = self.rich_condition(&all, depth.saturating_sub(1));
        let list: Vec<String> = (0..columns).map(|_| self.number(&inner.scope)).collect();
        match self.r.below(8) {
            0 => format!(
                "SELECT {} FROM {} WHERE {condition} ORDER BY {} LIMIT {}",
                list.join(", "),
                inner.sql,
                self.total_order(&inner.scope),
                1 + self.r.below(4)
            ),
            1 => format!(
                "SELECT DISTINCT {} FROM {} WHERE {condition}",
                list.join(", "),
                inner.sql
            ),
            2 => {
                let other = self.wide_relation(&[], 0);
                let more: Vec<String> = (0..columns)
                    .map(|_| self.number(std::slice::from_ref(&other.1)))
                    .collect();
                let operator = self.r.pick(&["UNION ALL", "UNION", "EXCEPT", "INTERSECT"]);
                format!(
                    "SELECT {} FROM {} WHERE {condition} {operator} SELECT {} FROM {}",
                    list.join(", "),
                    inner.sql,
                    more.join(", "),
                    other.0
                )
            }
            3 => format!(
                "SELECT {} FROM {} WHERE {condition} GROUP BY {}",
                list.join(", "),
                inner.sql,
                (1..=columns)
                    .map(|c| c.to_string())
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            _ => format!("SELECT {} FROM {} WHERE {condition}", list.join(", "), inner.sql),
        }
    }

    /// Any condition; `depth` bounds subqueries.
    pub fn rich_condition(&mut self, scope: &[String], depth: usize) -> String {
        let operator = self.r.pick(&["=", "=", "<>", "<", "<=", ">", ">="]);
        let n = |m: &mut Self| m.number(scope);
        match self.r.below(if depth > 0 { 22 } else { 11 }) {
            0 => format!("({}, {}) {operator} ({}, {})", n(self), n(self), n(self), n(self)),
            1 => format!(
                "{} BETWEEN SYMMETRIC {} AND {}",
                n(self),
                n(self),
                self.r.below(9)
            ),
            2 => format!(
                "{} = ANY (ARRAY[{}, NULL, {}])",
                n(self),
                self.r.below(9),
                self.r.below(9)
            ),
            3 => format!("{} <> ALL (ARRAY[{}, {}])", n(self), n(self), self.r.below(9)),
            4 => format!("{} NOT IN ({}, {}, NULL)", n(self), self.r.below(9), n(self)),
            5 => format!(
                "({}, {}) IN (({}, 1), (2, {}))",
                n(self),
                n(self),
                self.r.below(5),
                n(self)
            ),
            6 => format!(
                "ROW({}, {}) IS {}DISTINCT FROM ROW({}, {})",
                n(self),
                self.text(scope),
                self.r.pick(&["", "NOT "]),
                n(self),
                self.text(scope)
            ),
            7 => format!(
                "({operator_free}) IS {}",
                self.r.pick(&["TRUE", "NOT TRUE", "UNKNOWN", "NOT FALSE"]),
                operator_free = self.condition(scope, 0)
            ),
            8 => format!(
                "({}, {}) IS {}NULL",
                n(self),
                self.text(scope),
                self.r.pick(&["", "NOT "])
            ),
            9 | 10 => self.condition(scope, 0),
            11 => format!(
                "{} {operator} ANY ({})",
                n(self),
                self.table_of(scope, 1, depth - 1)
            ),
            12 => format!(
                "{} {operator} ALL ({})",
                n(self),
                self.table_of(scope, 1, depth - 1)
            ),
            13 => format!(
                "({}, {}) IN ({})",
                n(self),
                n(self),
                self.table_of(scope, 2, depth - 1)
            ),
            14 => format!(
                "({}, {}) NOT IN ({})",
                n(self),
                n(self),
                self.table_of(scope, 2, depth - 1)
            ),
            15 => {
                let inner = self.wide_relation(&[], 0);
                let own = std::slice::from_ref(&inner.1);
                let all = [scope, own].concat();
                format!(
                    "({}, {}) {operator} (SELECT {}, {} FROM {} WHERE {} ORDER BY {} LIMIT 1)",
                    n(self),
                    n(self),
                    self.number(own),
                    self.number(own),
                    inner.0,
                    self.condition(&all, 0),
                    self.total_order(own)
                )
            }
            16 => format!(
                "{}EXISTS ({})",
                self.r.pick(&["", "NOT "]),
                self.table_of(scope, 1, depth - 1)
            ),
            17 => format!("{} {operator} {}", n(self), self.scalar(scope, depth - 1)),
            18 => format!(
                "({} OR {})",
                self.rich_condition(scope, depth - 1),
                self.rich_condition(scope, depth - 1)
            ),
            19 => format!(
                "{} {}IN ({})",
                n(self),
                self.r.pick(&["", "NOT "]),
                self.table_of(scope, 1, depth - 1)
            ),
            20 => format!(
                "CASE WHEN {} THEN {} ELSE {} END",
                self.condition(scope, 0),
                self.rich_condition(scope, depth - 1),
                self.condition(scope, 0)
            ),
            _ => format!("NOT ({})", self.rich_condition(scope, depth - 1)),
        }
    }

    fn aggregate(&mut self, scope: &[String]) -> String {
        let value = self.number(scope);
        let mut call = match self.r.below(12) {
            0 => format!(
                "string_agg({}, ',' ORDER BY {})",
                self.text(scope),
                self.total_order(scope)
            ),
            1 => format!("array_agg({value} ORDER BY {})", self.total_order(scope)),
            2 => format!("array_agg(DISTINCT {value} ORDER BY {value} DESC)"),
            3 => return format!("percentile_disc(0.4) WITHIN GROUP (ORDER BY {value})"),
            4 => format!("bool_or({})", self.condition(scope, 0)),
            5 => format!("sum(DISTINCT {value})"),
            6 => "count(*)".to_owned(),
            7 => format!("count(DISTINCT {})", self.text(scope)),
            8 => format!("every({})", self.condition(scope, 0)),
            _ => format!("{}({value})", self.r.pick(&["sum", "count", "min", "max", "avg"])),
        };
        if self.r.chance(25) {
            call = format!("{call} FILTER (WHERE {})", self.condition(scope, 0));
        }
        call
    }

    /// GROUPING SETS, ROLLUP, CUBE, HAVING.
    fn grouping_sets(&mut self) -> String {
        let from = self.source(&[], 2);
        let s = &from.scope;
        let filter = self.filter(s, 1);
        let keys = [self.value(s), self.value(s), self.value(s)];
        let [x, y, z] = &keys;
        let sets = match self.r.below(7) {
            0 => format!("GROUPING SETS (({x}, {y}), ({z}), ())"),
            1 => format!("ROLLUP ({x}, {y}, {z})"),
            2 => format!("CUBE ({x}, {y}), {z}"),
            3 => format!("GROUPING SETS (ROLLUP ({x}, {y}), CUBE ({y}, {z}))"),
            4 => format!("DISTINCT ROLLUP ({x}, {y}), ROLLUP ({x}, {z}), GROUPING SETS (({y}), ())"),
            5 => format!("{x}, {y}, {z}"),
            _ => format!("{x}, ROLLUP (({y}, {z}))"),
        };
        let having = match self.r.below(4) {
            0 => format!(" HAVING {} > 1", "count(*)"),
            1 => format!(" HAVING {x} IS NOT NULL OR max({}) > 3", self.number(s)),
            _ => String::new(),
        };
        format!(
            "SELECT {x} AS k, {y} AS v, {z} AS n, grouping({x}, {y}, {z}) AS z, {} AS p, {} AS q FROM {}{filter} GROUP BY {sets}{having}",
            self.aggregate(s),
            self.aggregate(s),
            from.sql
        )
    }

    fn limited(&mut self) -> String {
        let from = self.source(&[], 3);
        let s = &from.scope;
        let filter = self.filter(s, 2);
        let list = format!(
            "SELECT {} AS k, {} AS v FROM {}{filter}",
            self.value(s),
            self.number(s),
            from.sql
        );
        match self.r.below(4) {
            // All rows that are equal in the key are there or not; which of them an OFFSET skips, the whole row decides.
            3 => format!(
                "{list} ORDER BY 1{}{} FETCH FIRST {} ROWS WITH TIES",
                self.r.pick(&["", " DESC", " NULLS FIRST"]),
                self.r.pick(&[" OFFSET 0", " OFFSET 0", ", 2 OFFSET 1000"]),
                1 + self.r.below(5)
            ),
            0 => format!(
                "{list} ORDER BY 1{} FETCH FIRST {} ROWS WITH TIES",
                self.r.pick(&["", " DESC"]),
                1 + self.r.below(5)
            )
            .replacen("SELECT", "SELECT DISTINCT", 1),
            1 => format!(
                "{list} ORDER BY {} OFFSET {}",
                self.total_order(s),
                self.r.below(9)
            ),
            _ => format!(
                "{list} ORDER BY {} LIMIT {} OFFSET {}",
                self.total_order(s),
                self.r.below(12),
                self.r.below(4)
            ),
        }
    }

    /// Expressions with subqueries in the target list.
    fn target_subqueries(&mut self) -> String {
        let from = self.source(&[], 2);
        let s = &from.scope;
        let filter = self.filter(s, 2);
        let array = {
            let inner = self.source(&[], 1);
            let all = [&s[..], &inner.scope].concat();
            let condition = self.rich_condition(&all, 1);
            let value = self.number(&all);
            format!(
                "ARRAY(SELECT {value} FROM {} WHERE {condition} ORDER BY {})",
                inner.sql,
                self.total_order(&inner.scope)
            )
        };
        format!(
            "SELECT {} AS k, {} AS v, {} AS n, {array} AS z FROM {}{filter}",
            self.number(s),
            self.scalar(s, 1),
            self.rich_condition(s, 2),
            from.sql
        )
    }

    /// NATURAL and USING.
    fn using(&mut self) -> String {
        let (x, y) = (self.alias(), self.alias());
        let (left, right) = (self.table(), self.table());
        let kind = self.r.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let scope = [x.clone(), y.clone()];
        match self.r.below(3) {
            0 => format!(
                "SELECT a AS k, b AS v, {} AS n FROM {left} {x} {kind} {right} {y} USING (a, b){}",
                self.value(&scope),
                self.filter(&scope, 1)
            ),
            1 => {
                let (third, z) = (self.table(), self.alias());
                let kind2 = self.r.pick(&["JOIN", "LEFT JOIN", "FULL JOIN"]);
                format!(
                    "SELECT e AS k, {x}.e AS v, {y}.e AS n, {z}.c AS z FROM {left} {x} {kind} {right} {y} USING (e) {kind2} {third} {z} USING (e)"
                )
            }
            _ => format!(
                "SELECT * FROM (SELECT a, d FROM {left}) {x} NATURAL {kind} (SELECT a, d, g FROM {right}) {y}"
            ),
        }
    }

    fn set_operand(&mut self) -> String {
        let from = self.source(&[], 1);
        let s = &from.scope;
        let filter = self.filter(s, 1);
        let list = format!(
            "SELECT {} AS k, {} AS v FROM {}{filter}",
            self.number(s),
            self.text(s),
            from.sql
        );
        match self.r.below(5) {
            0 => format!(
                "({list} ORDER BY {} LIMIT {})",
                self.total_order(s),
                1 + self.r.below(9)
            ),
            1 => format!(
                "SELECT {} AS k, 't1' AS v FROM {}{filter} GROUP BY 1",
                self.number(s),
                from.sql
            ),
            _ => list,
        }
    }

    fn set_operations(&mut self) -> String {
        let mut sql = self.set_operand();
        for _ in 0..1 + self.r.below(3) {
            let operator = self.r.pick(&[
                "UNION",
                "UNION ALL",
                "INTERSECT",
                "INTERSECT ALL",
                "EXCEPT",
                "EXCEPT ALL",
            ]);
            let operand = self.set_operand();
            sql = match self.r.below(3) {
                0 => format!("({sql}) {operator} {operand}"),
                1 => format!("{operand} {operator} ({sql})"),
                _ => format!("{sql} {operator} {operand}"),
            };
        }
        match self.r.below(4) {
            0 => format!("SELECT k, count(v) AS v FROM ({sql}) y GROUP BY k"),
            1 => format!("{sql} ORDER BY k, v LIMIT {}", 1 + self.r.below(9)),
            2 => format!(
                "SELECT * FROM ({sql}) y WHERE k > {} OR v = 't3'",
                self.r.below(9)
            ),
            _ => sql,
        }
    }

    fn with_queries(&mut self) -> String {
        let how = self.r.pick(&["", " MATERIALIZED", " NOT MATERIALIZED"]);
        let first = self.source(&[], 1);
        let body = format!(
            "SELECT {}.* FROM {}{}",
            first.scope[0],
            first.sql,
            self.filter(&first.scope, 1)
        );
        let (x, y) = (self.alias(), self.alias());
        let both = [x.clone(), y.clone()];
        match self.r.below(4) {
            0 => format!(
                "WITH w AS{how} ({body}) SELECT {} AS k, {} AS v FROM w {x} {} w {y} ON {x}.a = {y}.b{}",
                self.value(&both),
                self.number(&both),
                self.r.pick(&["JOIN", "LEFT JOIN", "FULL JOIN"]),
                self.filter(&both, 1)
            ),
            1 => format!(
                "WITH w AS{how} ({body}), w2 AS (SELECT a, count(*) AS n FROM w GROUP BY a) SELECT {} AS k, (SELECT max(n) FROM w2 WHERE w2.a = {x}.a) AS v FROM w {x} WHERE {x}.a IN (SELECT a FROM w2 WHERE n > 1) OR {}",
                self.value(&both[..1]),
                self.condition(&both[..1], 0)
            ),
            2 => {
                let (t, u) = (self.table(), self.table());
                let all = self.r.pick(&["", "", " ALL"]);
                format!(
                    "WITH RECURSIVE w(n, x) AS (SELECT 0, a FROM {t} WHERE g < 4 UNION{all} SELECT w.n + 1, {x}.{} FROM w JOIN {u} {x} ON {x}.a = w.x AND {x}.g < 12 WHERE w.n < 3) SELECT n AS k, x AS v, count(*) AS z FROM w GROUP BY n, x",
                    self.r.pick(&["b", "a", "b + 1"])
                )
            }
            _ => {
                let (table, own) = (self.table(), [y.clone()]);
                format!(
                    "SELECT {} AS k, (WITH w AS{how} (SELECT * FROM {table} {y} WHERE {y}.a = {x}.b) SELECT count(*) + coalesce(max(b), 0) FROM w {y} WHERE {}) AS v FROM {} {x}",
                    self.value(&both[..1]),
                    self.condition(&own, 0),
                    self.table()
                )
            }
        }
    }

    /// Set-returning functions in target lists.
    fn series(&mut self) -> String {
        let from = self.source(&[], 1);
        let s = &from.scope;
        let filter = self.filter(s, 1);
        match self.r.below(2) {
            0 => format!(
                "SELECT {} AS k, generate_series(1, {}.b) AS v FROM {}{filter}",
                self.value(s),
                s[0],
                from.sql
            ),
            _ => format!(
                "SELECT unnest(ARRAY[{}, {}]) AS k, {} AS v FROM {}{filter}",
                self.number(s),
                self.number(s),
                self.text(s),
                from.sql
            ),
        }
    }

    /// A query of the wide grammar.
    pub fn wide(&mut self) -> String {
        match self.r.below(14) {
            0 | 1 => self.grouping_sets(),
            2 | 3 => self.windows(),
            4 => self.grouped_windows(),
            5 => self.distinct_on(),
            6 | 7 => self.limited(),
            8 | 9 => self.target_subqueries(),
            10 => self.using(),
            11 => self.set_operations(),
            12 => self.with_queries(),
            _ => self.series(),
        }
    }
}
