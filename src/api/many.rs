//! One statement for many rows of parameters.
//!
//! # How it works
//! `INSERT ... VALUES (one row)` becomes `INSERT ... SELECT` of the same expressions over `unnest` of one array per parameter, and some thousands of
//! rows go through the executor at a time, by columns. What cannot be told that way (RETURNING, ON CONFLICT DO UPDATE, DEFAULT, subqueries, parameters of
//! array or composite types) and every other statement runs once per row. Either way all of it is one transaction.

use std::fmt::Write;
use std::sync::Arc;

use catalog::CatalogView;
use common::{Oid, PgResult, Span};
use parser::ast::{Expr, InsertStmt, OnConflictAction, Statement};
use types::{ArrayValue, Datum};

use crate::api::params::Params;
use crate::api::rows::ToStatement;
use crate::error::Result;
use crate::session::Session;
use crate::session::prepared::Prepared;

/// Rows that one INSERT takes, and bytes of their texts about which it ends earlier.
const ROWS: usize = 4096;
const BYTES: usize = 4 << 20;

impl Session {
    /// Runs a statement for each row of parameters and returns how many rows it inserted, updated, deleted or returned. Outside of a transaction block all of
    /// it is one transaction: an error undoes it all.
    ///
    /// ```
    /// # fn main() -> pglite::Result<()> {
    /// # let db = pglite::Database::memory()?;
    /// # let mut session = db.session()?;
    /// session.batch_execute("CREATE TABLE t (id int PRIMARY KEY, name text)")?;
    /// let rows = (0..1000).map(|id| (id, format!("name {id}")));
    /// assert_eq!(session.execute_many("INSERT INTO t VALUES ($1, $2)", rows)?, 1000);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// An INSERT of one row of VALUES takes thousands of rows as one statement: its expressions see the tables as they were before that.
    pub fn execute_many<P: Params>(
        &mut self,
        statement: impl ToStatement,
        rows: impl IntoIterator<Item = P>,
    ) -> Result<u64> {
        self.statement_begins();
        let prepared = statement.to_statement(self)?;
        let count = match self.of_columns(&prepared) {
            Some(by_columns) => self.insert_many(&prepared, &by_columns, rows)?,
            None => {
                let mut count = 0;
                for row in rows {
                    let values = self.parameter_values(&prepared, row)?;
                    count += self.run_one(&prepared, values, &prepared.source)?;
                }
                count
            }
        };
        self.sync()?;
        Ok(count)
    }

    fn insert_many<P: Params>(
        &mut self,
        prepared: &Arc<Prepared>,
        by_columns: &Arc<Prepared>,
        rows: impl IntoIterator<Item = P>,
    ) -> Result<u64> {
        let mut columns = Columns::of(&prepared.param_types);
        let mut count = 0;
        for row in rows {
            columns.push(self.parameter_values(prepared, row)?);
            if columns.rows == ROWS || columns.bytes > BYTES {
                count += self.insert_gathered(by_columns, columns.take(), &prepared.source)?;
            }
        }
        if columns.rows > 0 {
            count += self.insert_gathered(by_columns, columns.take(), &prepared.source)?;
        }
        Ok(count)
    }

    fn insert_gathered(
        &mut self,
        by_columns: &Arc<Prepared>,
        values: Vec<Datum>,
        text: &Arc<str>,
    ) -> Result<u64> {
        let mark = |session: &mut Session, gathered| {
            if let Some(txn) = &session.block.txn {
                txn.borrow_mut().set_gathered(gathered);
            }
        };
        mark(self, true);
        let inserted = self.run_one(by_columns, values, text);
        mark(self, false);
        inserted
    }

    /// One run, for others who look on with the client's text.
    fn run_one(&mut self, prepared: &Arc<Prepared>, values: Vec<Datum>, text: &Arc<str>) -> Result<u64> {
        self.statement_begins();
        let _deadline = self.deadline();
        let mut portal = self.bind(prepared, values)?;
        portal.text = Some(Arc::clone(text));
        self.core.show_query(text);
        self.run_to_end(portal)
    }

    /// The INSERT that takes an array for each parameter; `None` where there is none with the same meaning.
    fn of_columns(&mut self, prepared: &Prepared) -> Option<Arc<Prepared>> {
        let Some(Statement::Insert(insert)) = prepared.stmt.as_deref() else {
            return None;
        };
        let text = with_arrays(
            &prepared.source,
            prepared.span,
            insert,
            prepared.param_types.len(),
        )?;
        let types = self
            .guarded(|s| s.array_types(&prepared.param_types))
            .ok()
            .flatten()?;
        self.guarded(|s| s.parse_one(&text, &types)).ok()
    }

    /// Arrays of these types, if `unnest` gives back what went into them.
    fn array_types(&mut self, types: &[Oid]) -> PgResult<Option<Vec<Oid>>> {
        self.ensure_transaction()?;
        let view = self.current_view()?;
        let mut arrays = Vec::with_capacity(types.len());
        for oid in types {
            match view.type_desc(*oid)? {
                Some(desc)
                    if desc.array != Oid::INVALID && matches!(desc.kind, b'b' | b'e' | b'r' | b'm') =>
                {
                    arrays.push(desc.array);
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(arrays))
    }
}

/// Values by parameters.
struct Columns {
    types: Vec<Oid>,
    values: Vec<Vec<Datum>>,
    rows: usize,
    bytes: usize,
}

impl Columns {
    fn of(types: &[Oid]) -> Columns {
        Columns {
            types: types.to_vec(),
            values: types.iter().map(|_| Vec::with_capacity(ROWS)).collect(),
            rows: 0,
            bytes: 0,
        }
    }

    fn push(&mut self, row: Vec<Datum>) {
        for (column, value) in self.values.iter_mut().zip(row) {
            self.bytes += match &value {
                Datum::Text(text) => text.len(),
                other => other.as_bytes().map_or(0, <[u8]>::len),
            };
            column.push(value);
        }
        self.rows += 1;
    }

    /// All of them as arrays.
    fn take(&mut self) -> Vec<Datum> {
        self.rows = 0;
        self.bytes = 0;
        let columns = self.values.iter_mut().zip(&self.types);
        let array = |(column, element): (&mut Vec<Datum>, &Oid)| {
            let values = std::mem::replace(column, Vec::with_capacity(ROWS));
            Datum::Array(Arc::new(ArrayValue::from_elements(*element, values)))
        };
        columns.map(array).collect()
    }
}

/// The text of an INSERT of one row of VALUES as one that takes its parameters from arrays.
fn with_arrays(source: &str, whole: Span, insert: &InsertStmt, count: usize) -> Option<String> {
    let select = insert.select_stmt.as_deref()?;
    let [row] = &select.values_lists[..] else {
        return None;
    };
    let conflict = insert.on_conflict.as_ref();
    let plain = conflict.is_none_or(|c| c.action == OnConflictAction::Nothing)
        && insert.returning.is_none()
        && insert.with.is_none()
        && select.with.is_none()
        && select.sort_clause.is_empty()
        && select.limit_count.is_none()
        && select.limit_offset.is_none();
    if !plain || count == 0 {
        return None;
    }
    let mut places = Vec::new();
    if !row.iter().all(|e| find_parameters(e, &mut places)) {
        return None;
    }
    let cut = |from: u32, to: u32| source.get(from as usize..to as usize);
    let values = cut(select.span.start, select.span.end)?;
    let list = values
        .get(..6)
        .filter(|word| word.eq_ignore_ascii_case("values"))
        .and_then(|_| values[6..].trim().strip_prefix('('))
        .and_then(|rest| rest.strip_suffix(')'))?;
    let from = list.as_ptr() as usize - source.as_ptr() as usize;
    let (from, to) = (from as u32, (from + list.len()) as u32);
    places.sort_unstable_by_key(|(span, _)| span.start);
    let mut out = cut(whole.start, select.span.start)?.to_owned();
    out.push_str("SELECT ");
    let mut done = from;
    for (span, number) in places {
        out.push_str(cut(done, span.start)?);
        write!(out, "pglite_rows.p{number}").ok()?;
        done = span.end;
    }
    out.push_str(cut(done, to)?);
    let names = |sign: &str| {
        let names: Vec<String> = (1..=count).map(|n| format!("{sign}{n}")).collect();
        names.join(", ")
    };
    write!(out, " FROM unnest({}) AS pglite_rows({})", names("$"), names("p")).ok()?;
    out.push_str(cut(select.span.end, whole.end)?);
    Some(out)
}

/// Where an expression has parameters. False: it may be more than a value made of them.
fn find_parameters(e: &Expr, places: &mut Vec<(Span, i32)>) -> bool {
    match e {
        Expr::ParamRef(param) => {
            places.push((param.span, param.number));
            true
        }
        Expr::AConst(_) | Expr::SqlValueFunction(_) => true,
        Expr::TypeCast(cast) => find_parameters(&cast.arg, places),
        Expr::AExpr(e) => {
            let sides = e.lexpr.iter().chain(&e.rexpr).chain(&e.list);
            sides.into_iter().all(|side| find_parameters(side, places))
        }
        Expr::FuncCall(call) => call.args.iter().all(|arg| find_parameters(arg, places)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn rewritten(sql: &str, count: usize) -> Option<String> {
        let parsed = parser::parse_with_notices(sql, &parser::ParseOptions::default()).unwrap();
        let raw = &parsed.statements[0];
        match &raw.stmt {
            Statement::Insert(insert) => with_arrays(sql, raw.span, insert, count),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_become_arrays() {
        let same = [
            (
                "insert into t values ($1, $2)",
                "insert into t SELECT pglite_rows.p1, pglite_rows.p2 FROM unnest($1, $2) AS pglite_rows(p1, p2)",
            ),
            (
                "insert into t (b, a) values( $2::int + 1,0 , upper($1), current_date ) on conflict do nothing;",
                "insert into t (b, a) SELECT  pglite_rows.p2::int + 1,0 , upper(pglite_rows.p1), current_date  \
                 FROM unnest($1, $2) AS pglite_rows(p1, p2) on conflict do nothing",
            ),
        ];
        for (sql, expected) in same {
            assert_eq!(rewritten(sql, 2).as_deref(), Some(expected));
        }
        let others = [
            "insert into t values ($1), ($2)",
            "insert into t values ($1, default)",
            "insert into t values ($1, (select 1))",
            "insert into t values ($1, 2) returning a",
            "insert into t values ($1, 2) on conflict (a) do update set b = 1",
            "insert into t select $1, $2",
            "insert into t default values",
            "with x as (select 1) insert into t values ($1, 1)",
        ];
        for sql in others {
            assert_eq!(rewritten(sql, 2), None, "{sql}");
        }
    }
}
