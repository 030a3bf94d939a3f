//! Statements that change rows: INSERT ... ON CONFLICT, UPDATE, DELETE, MERGE, with RETURNING OLD and NEW, and in WITH.
//!
//! Each statement yields rows of one text column. No statement may change a row twice in an order that the plan chooses: what it
//! joins with has at most one row per target row, or the order does not show.

use crate::maker::{Maker, NUMBERS, Pick};

const OLD_NEW: &str = "ROW(old.a, old.b, old.d, old.g, new.a, new.b, new.d, new.g)::text";

impl Maker<'_> {
    fn target(&mut self) -> String {
        self.r
            .pick(&["r0", "r1", "r2", "r3", "u", "p", "h", "i", "p", "r1"])
            .to_owned()
    }

    /// Tables whose `g` has a unique index.
    fn keyed(&mut self) -> String {
        self.r.pick(&["r0", "r1", "r2", "r3"]).to_owned()
    }

    fn assignments(&mut self, scope: &[String]) -> String {
        match self.r.below(6) {
            0 => format!("b = {}, d = {}", self.r.below(9), self.number(scope)),
            1 => format!("(b, d) = ({}, {})", self.r.below(9), self.number(scope)),
            2 => {
                let inner = self.alias();
                let (table, column) = (self.table(), self.r.pick(&NUMBERS));
                format!(
                    "(b, d) = (SELECT count(*), max({inner}.d) FROM {table} {inner} WHERE {inner}.{column} = {}.{column})",
                    scope[0]
                )
            }
            3 => format!("d = {}, c = {}", self.scalar(scope, 1), self.text(scope)),
            4 => "b = b + 1, e = DEFAULT".to_owned(),
            _ => format!("e = ({})::int, f = 'q'", self.number(scope)),
        }
    }

    /// UPDATE of some rows, joined with one that has at most one partner for each.
    fn update(&mut self) -> (String, String) {
        let (target, x, y) = (self.target(), self.alias(), self.alias());
        let own = [x.clone()];
        let moves = match target.as_str() {
            "p" if self.r.chance(50) => ", a = a + 3",
            "h" if self.r.chance(40) => ", f = 'zz'",
            _ => "",
        };
        let sql = match self.r.below(3) {
            0 => {
                let both = [x.clone(), y.clone()];
                let partner = self.keyed();
                format!(
                    "UPDATE {target} {x} SET {}{moves} FROM {partner} {y} WHERE {x}.{} = {y}.g AND {}",
                    self.assignments(&both),
                    self.r.pick(&["g", "a", "e"]),
                    self.rich_condition(&both, 1)
                )
            }
            1 => format!(
                "UPDATE {target} {x} SET {}{moves} WHERE {}",
                self.assignments(&own),
                self.rich_condition(&own, 2)
            ),
            _ => format!(
                "UPDATE {target} {x} SET {}{moves} FROM (SELECT a, max(b) AS b, min(c) AS c, sum(d) AS d, max(e) AS e, max(f) AS f FROM {} GROUP BY a) {y} WHERE {x}.a = {y}.a",
                self.assignments(&[x.clone(), y.clone()]),
                self.table()
            ),
        };
        (target, sql)
    }

    fn delete(&mut self) -> (String, String) {
        let (target, x, y) = (self.target(), self.alias(), self.alias());
        let own = [x.clone()];
        let sql = match self.r.below(2) {
            0 => format!("DELETE FROM {target} {x} WHERE {}", self.rich_condition(&own, 2)),
            _ => {
                let both = [x.clone(), y.clone()];
                format!(
                    "DELETE FROM {target} {x} USING {} {y} WHERE {x}.b = {y}.g AND {}",
                    self.keyed(),
                    self.rich_condition(&both, 1)
                )
            }
        };
        (target, sql)
    }

    /// INSERT ... SELECT, often with ON CONFLICT.
    fn insert(&mut self) -> (String, String) {
        let target = self.keyed();
        let from = self.source(&[], 0);
        let s = &from.scope[0];
        let shift = self.r.pick(&["0", "7", "100"]);
        let select = format!(
            "SELECT {s}.a, {s}.b, {s}.c, {s}.d, {s}.e, {s}.f, {s}.g + {shift} FROM {}{}",
            from.sql,
            self.filter(&from.scope, 1)
        );
        let scope = [target.clone(), "excluded".to_owned()];
        let conflict = match self.r.below(4) {
            0 => String::new(),
            1 => " ON CONFLICT DO NOTHING".to_owned(),
            2 => format!(
                " ON CONFLICT (g) DO UPDATE SET {}",
                self.conflict_assignments(&scope)
            ),
            _ => format!(
                " ON CONFLICT (g) DO UPDATE SET {} WHERE {}",
                self.conflict_assignments(&scope),
                self.condition(&scope, 1)
            ),
        };
        (target.clone(), format!("INSERT INTO {target} {select}{conflict}"))
    }

    fn conflict_assignments(&mut self, scope: &[String]) -> String {
        match self.r.below(3) {
            0 => format!("b = excluded.b, d = {}", self.number(scope)),
            1 => format!("(a, c) = (excluded.a, {})", self.text(scope)),
            _ => format!("d = {}", self.scalar(scope, 1)),
        }
    }

    fn merge(&mut self) -> (String, String) {
        // PostgreSQL 18.4 crashes in MERGE of partitioned tables with subqueries in SET and RETURNING OLD.
        let (target, x, y) = (self.keyed(), self.alias(), self.alias());
        let both = [x.clone(), y.clone()];
        let own = [x.clone()];
        let theirs = [y.clone()];
        let source = match self.r.below(2) {
            0 => format!("{} {y}", self.keyed()),
            _ => format!(
                "(SELECT a, max(b) AS b, min(c) AS c, sum(d) AS d, max(e) AS e, max(f) AS f, coalesce(a, -1) AS g FROM {} GROUP BY a) {y}",
                self.table()
            ),
        };
        let mut sql = format!(
            "MERGE INTO {target} {x} USING {source} ON {x}.{} = {y}.g",
            self.r.pick(&["g", "g", "a", "b"])
        );
        if self.r.chance(30) {
            sql = format!("{sql} AND {}", self.condition(&both, 0));
        }
        let and = |m: &mut Self, scope: &[String]| match m.r.chance(60) {
            true => format!(" AND {}", m.condition(scope, 0)),
            false => String::new(),
        };
        for _ in 0..1 + self.r.below(3) {
            let clause = match self.r.below(7) {
                0 => format!("WHEN MATCHED{} THEN DELETE", and(self, &both)),
                1 => format!("WHEN MATCHED{} THEN DO NOTHING", and(self, &both)),
                2 | 3 => {
                    let condition = and(self, &both);
                    let mut set = self.assignments(&both);
                    // PostgreSQL 18.4 confuses the subqueries of several assignments to lists of columns in one MERGE.
                    while sql.contains(") = (SELECT count") && set.contains(") = (SELECT count") {
                        set = self.assignments(&both);
                    }
                    format!("WHEN MATCHED{condition} THEN UPDATE SET {set}")
                }
                4 => {
                    format!(
                        "WHEN NOT MATCHED BY SOURCE{} THEN UPDATE SET d = -1, c = 'gone'",
                        and(self, &own)
                    )
                }
                5 => format!("WHEN NOT MATCHED BY SOURCE{} THEN DELETE", and(self, &own)),
                _ => format!(
                    "WHEN NOT MATCHED{} THEN INSERT (a, b, d, g) VALUES ({y}.a, {y}.b, {}, {y}.g + 500)",
                    and(self, &theirs),
                    self.number(&theirs)
                ),
            };
            sql = format!("{sql} {clause}");
        }
        // Clauses behind one without a condition are refused; a condition that is always true says the same.
        (target, sql)
    }

    fn change(&mut self) -> (String, String, bool) {
        match self.r.below(7) {
            0 | 1 => {
                let (target, sql) = self.update();
                (target, sql, false)
            }
            2 => {
                let (target, sql) = self.delete();
                (target, sql, false)
            }
            3 | 4 => {
                let (target, sql) = self.insert();
                (target, sql, false)
            }
            _ => {
                let (target, sql) = self.merge();
                (target, sql, true)
            }
        }
    }

    /// A statement, and the tables that it may change.
    pub fn changing(&mut self) -> (String, Vec<String>) {
        let (target, sql, merge) = self.change();
        let returned = match merge {
            true => format!("merge_action() || {OLD_NEW}"),
            false => OLD_NEW.to_owned(),
        };
        if self.r.chance(65) {
            return (format!("{sql} RETURNING {returned}"), vec![target]);
        }
        let column = match self.r.pick(&["a", "b", "g"]) {
            c if self.r.chance(50) => format!("old.{c}"),
            c => format!("new.{c}"),
        };
        let body = format!("{sql} RETURNING {column} AS k, {returned} AS v");
        let other = self.table();
        match self.r.below(3) {
            0 => (
                format!("WITH w AS ({body}) SELECT ROW(k, count(*), min(v))::text FROM w GROUP BY k"),
                vec![target],
            ),
            1 => (
                format!(
                    "WITH w AS ({body}) SELECT ROW(w.k, w.v, t.c)::text FROM w LEFT JOIN {other} t ON t.g = w.k"
                ),
                vec![target],
            ),
            _ => {
                let second = self.r.pick(&["r0", "r1", "r2", "r3"]).to_owned();
                let second = match second == target {
                    true => "r9".to_owned(),
                    false => second,
                };
                let insert = format!(
                    "WITH w AS ({body}) INSERT INTO {second} (a, g) SELECT max(k)::int, 900 FROM w RETURNING ROW(a, g)::text"
                );
                (insert, vec![target, second])
            }
        }
    }
}
