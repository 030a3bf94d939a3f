//! The wide grammar's windows, and DISTINCT ON.

use crate::maker::{Maker, Pick};

impl Maker<'_> {
    fn frame(&mut self, total: bool) -> String {
        let unit = match total {
            true => self.r.pick(&["ROWS", "ROWS", "GROUPS"]),
            false => self.r.pick(&["RANGE", "GROUPS", "RANGE"]),
        };
        let (lower, upper) = match self.r.below(6) {
            0 => ("UNBOUNDED PRECEDING".to_owned(), "CURRENT ROW".to_owned()),
            1 => (
                format!("{} PRECEDING", self.r.below(3)),
                format!("{} FOLLOWING", self.r.below(3)),
            ),
            2 => (
                format!("{} PRECEDING", 1 + self.r.below(3)),
                "1 PRECEDING".to_owned(),
            ),
            3 => ("CURRENT ROW".to_owned(), "UNBOUNDED FOLLOWING".to_owned()),
            4 => (
                format!("{} FOLLOWING", self.r.below(3)),
                format!("{} FOLLOWING", 2 + self.r.below(3)),
            ),
            _ => ("UNBOUNDED PRECEDING".to_owned(), "UNBOUNDED FOLLOWING".to_owned()),
        };
        let exclude = self.r.pick(&[
            "",
            "",
            " EXCLUDE CURRENT ROW",
            " EXCLUDE GROUP",
            " EXCLUDE TIES",
            " EXCLUDE NO OTHERS",
        ]);
        format!("{unit} BETWEEN {lower} AND {upper}{exclude}")
    }

    fn window_call(&mut self, scope: &[String]) -> String {
        let value = self.number(scope);
        let part = match self.r.chance(60) {
            true => format!("PARTITION BY {} ", self.value(scope)),
            false => String::new(),
        };
        if self.r.chance(45) {
            // Peers are alike to these.
            let key = self.number(scope);
            let how = self.r.pick(&["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
            let call = format!("{}({value})", self.r.pick(&["sum", "count", "min", "max", "avg"]));
            let filter = match self.r.chance(20) {
                true => format!(" FILTER (WHERE {})", self.condition(scope, 0)),
                false => String::new(),
            };
            return format!(
                "{call}{filter} OVER ({part}ORDER BY {key}{how} {})",
                self.frame(false)
            );
        }
        let order = self.total_order(scope);
        let call = match self.r.below(12) {
            0 => format!("first_value({value})"),
            1 => format!("last_value({value})"),
            2 => format!("nth_value({value}, {})", 1 + self.r.below(3)),
            3 => return format!("lag({value}, {}) OVER ({part}ORDER BY {order})", self.r.below(3)),
            4 => return format!("lead({value}, 1, {value}) OVER ({part}ORDER BY {order})"),
            5 => return format!("ntile({}) OVER ({part}ORDER BY {order})", 1 + self.r.below(4)),
            6 => return format!("row_number() OVER ({part}ORDER BY {order})"),
            7 => return format!("percent_rank() OVER ({part}ORDER BY {})", self.order(scope)),
            8 => format!("array_agg({value})"),
            9 => format!("string_agg({}, ',')", self.text(scope)),
            _ => format!("{}({value})", self.r.pick(&["sum", "count", "min", "max", "avg"])),
        };
        format!("{call} OVER ({part}ORDER BY {order} {})", self.frame(true))
    }

    pub fn windows(&mut self) -> String {
        let from = self.source(&[], 2);
        let s = &from.scope;
        let filter = self.filter(s, 1);
        let calls: Vec<String> = (0..1 + self.r.below(3)).map(|_| self.window_call(s)).collect();
        let list = format!(
            "SELECT {} AS k, {} FROM {}{filter}",
            self.value(s),
            calls.join(", "),
            from.sql
        );
        match self.r.below(4) {
            0 => format!(
                "{list} ORDER BY {} LIMIT {}",
                self.total_order(s),
                1 + self.r.below(9)
            ),
            1 => {
                let order = self.total_order(s);
                let key = self.value(s);
                format!(
                    "SELECT * FROM (SELECT {key} AS k, row_number() OVER (PARTITION BY {} ORDER BY {order}) AS w FROM {}{filter}) y WHERE w <= {}",
                    self.value(s),
                    from.sql,
                    1 + self.r.below(3)
                )
            }
            _ => list,
        }
    }

    /// Windows over groups.
    pub fn grouped_windows(&mut self) -> String {
        let from = self.source(&[], 1);
        let s = &from.scope;
        let (key, value) = (self.value(s), self.number(s));
        let filter = self.filter(s, 1);
        let call = self.r.pick(&[
            "rank()",
            "dense_rank()",
            "sum(count(*))",
            "max(sum(V))",
            "cume_dist()",
        ]);
        format!(
            "SELECT {key} AS k, sum({value}) AS v, {} OVER (ORDER BY count(*) DESC) AS w FROM {}{filter} GROUP BY {key}",
            call.replace('V', &value),
            from.sql
        )
    }

    pub fn distinct_on(&mut self) -> String {
        let from = self.source(&[], 2);
        let s = &from.scope;
        let filter = self.filter(s, 1);
        let key = self.value(s);
        let how = self.r.pick(&["", " DESC", " NULLS FIRST"]);
        let rest = self.total_order(s);
        format!(
            "SELECT DISTINCT ON ({key}) {key} AS k, {} AS v, {} AS n FROM {}{filter} ORDER BY {key}{how}, {rest}",
            self.value(s),
            self.value(s),
            from.sql
        )
    }
}
