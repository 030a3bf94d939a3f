//! CASCADE, SET NULL, SET DEFAULT: what becomes of rows whose referenced row goes or gets another key.
//!
//! PG: src/backend/utils/adt/ri_triggers.c.
//!
//! An action is a deletion or an update of the referencing table as a whole: a row of a partition that gets another partition key moves,
//! and a column gets the default that it has in that table, not in the partition.

use std::sync::Arc;

use access::{Conflict, WriteOutcome};
use catalog::CatalogView;
use catalog::desc::RelationDesc;
use catalog::names::quote_identifier;
use common::error::ErrorExt;
use common::{Oid, PgResult, RowId, internal, pg_err};
use expr::Runtime;
use nodes::Expr;
use txn::Snapshot;
use types::Datum;

use crate::compile::{Compiler, ScanMap};
use crate::context::ExecContext;
use crate::modify::after::Firing;
use crate::modify::foreign_key::{KeyType, convert};
use crate::modify::referenced::{self, FkReferenced, MovedRow};
use crate::modify::routing::Columns;
use crate::modify::target::{OpenTarget, Written};
use crate::modify::{errors, lock_for_writing};

/// A table that holds rows of the referencing one: itself, or a partition.
pub(super) struct Referencing {
    pub table: Arc<RelationDesc>,
    /// Positions of the foreign key's columns.
    pub columns: Vec<usize>,
    map: Columns,
}

impl Referencing {
    pub fn new(foreign: &FkReferenced, root: &RelationDesc, table: Arc<RelationDesc>) -> Referencing {
        let map = Columns::new(root, &table);
        let position = |a: &i16| map.position((*a).max(1) as usize - 1).unwrap_or_default();
        Referencing {
            columns: foreign.constraint.columns.iter().map(position).collect(),
            map,
            table,
        }
    }

    /// A column's type, to compare a key of the other side with.
    fn key_type(&self, column: usize) -> KeyType {
        let column = &self.table.columns[column];
        KeyType {
            type_oid: column.type_ref.oid,
            phys: column.phys,
        }
    }

    fn refers_to(&self, row: &[Datum], key: &[Datum]) -> bool {
        self.columns.iter().zip(key).all(|(i, k)| {
            let to = self.key_type(*i);
            convert(k, to).is_some_and(|k| types::compare::equal(to.type_oid, &row[*i], &k))
        })
    }
}

/// What a foreign key does to rows that refer to a key which goes, or changes to `new`.
pub(super) struct Change<'a> {
    pub foreign: &'a FkReferenced,
    /// The referencing table.
    pub root: &'a Arc<RelationDesc>,
    pub key: &'a [Datum],
    pub new: Option<&'a [Datum]>,
    /// c, n, d.
    pub action: u8,
}

impl Change<'_> {
    /// Changes or deletes one row; true when something was written.
    pub fn act(&self, firing: &mut Firing<'_, '_>, leaf: &Referencing, row: RowId) -> PgResult<bool> {
        let ext = firing.ext;
        self.act_on(firing, leaf, row)
            .map_err(|e| match self.statement(ext.catalog) {
                Ok(statement) => e.context(format!("SQL statement \"{statement}\"")),
                Err(other) => other,
            })
    }

    /// The statement that would do it, as errors have it.
    fn statement(&self, catalog: &dyn CatalogView) -> PgResult<String> {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let root = self.root;
        let names: Vec<String> = self
            .foreign
            .constraint
            .columns
            .iter()
            .map(|a| root.column(*a).map_or_else(String::new, |c| quoted(&c.name)))
            .collect();
        let only = if root.relkind == b'p' { "" } else { "ONLY " };
        let table = format!("{only}{}.{}", quoted(&root.namespace_name), quoted(&root.name));
        let mut first = 1;
        let head = match (self.action, self.new) {
            (b'c', None) => format!("DELETE FROM {table}"),
            (b'c', Some(_)) => {
                first += names.len();
                let set = names.iter().zip(1..).map(|(name, n)| format!("{name} = ${n}"));
                format!("UPDATE {table} SET {}", set.collect::<Vec<_>>().join(", "))
            }
            (action, _) => {
                let value = if action == b'd' { "DEFAULT" } else { "NULL" };
                let columns = self.foreign.constraint.columns.iter().zip(&names);
                let set = columns.filter(|(a, _)| self.sets(**a));
                let set = set.map(|(_, name)| format!("{name} = {value}"));
                format!("UPDATE {table} SET {}", set.collect::<Vec<_>>().join(", "))
            }
        };
        let mut conditions = Vec::new();
        for (i, name) in names.iter().enumerate() {
            conditions.push(self.condition(catalog, i, &format!("${}", first + i), name)?);
        }
        Ok(format!("{head} WHERE {}", conditions.join(" AND ")))
    }

    /// `$1 OPERATOR(pg_catalog.=) "a"`, with casts to what the operator takes.
    fn condition(&self, catalog: &dyn CatalogView, i: usize, param: &str, column: &str) -> PgResult<String> {
        let foreign = &self.foreign.foreign;
        let operator = foreign.pf_eq_ops.get(i).copied().unwrap_or_default();
        let operator = catalog
            .operator(operator)?
            .ok_or_else(|| internal!("operator {operator} vanished"))?;
        let schema =
            |oid| -> PgResult<Arc<str>> { Ok(catalog.namespace_name(oid)?.unwrap_or_else(|| "?".into())) };
        let cast = |to: Oid, from: Option<Oid>| -> PgResult<String> {
            if from == Some(to) {
                return Ok(String::new());
            }
            let name = match catalog.type_desc(to)? {
                Some(t) => format!("{}.{}", schema(t.namespace)?, quote_identifier(&t.name)),
                None => return Ok(String::new()),
            };
            Ok(format!("::{name}"))
        };
        let type_of =
            |table: &RelationDesc, a: Option<&i16>| a.and_then(|a| table.column(*a)).map(|c| c.type_ref.oid);
        let referenced = self
            .foreign
            .columns
            .get(i)
            .and_then(|i| self.foreign.table.columns.get(*i));
        let own = type_of(self.root, self.foreign.constraint.columns.get(i));
        Ok(format!(
            "{param}{} OPERATOR({}.{}) {column}{}",
            cast(operator.left, referenced.map(|c| c.type_ref.oid))?,
            schema(operator.namespace)?,
            operator.name,
            cast(operator.right, own)?
        ))
    }

    /// Whether SET NULL or SET DEFAULT concerns a column of the key.
    fn sets(&self, attno: i16) -> bool {
        let set = &self.foreign.foreign.delete_set_columns;
        self.new.is_some() || set.is_empty() || set.contains(&attno)
    }

    fn act_on(&self, firing: &mut Firing<'_, '_>, leaf: &Referencing, row: RowId) -> PgResult<bool> {
        let ext = firing.ext;
        let mut at = row;
        loop {
            let snapshot = ext.with_txn(|txn| txn.latest_snapshot())?;
            let target = firing.target(leaf.table.oid)?;
            let Some(old) = target.fetch(&snapshot, at)? else {
                return Ok(false);
            };
            refuse_newer(ext, target, at)?;
            if !leaf.refers_to(&old, self.key) {
                return Ok(false);
            }
            let written = match self.replacement(ext, leaf, &old)? {
                None => {
                    let mut rt = crate::constants::RowRuntime(ext);
                    target.delete(ext, &mut rt, &snapshot, at, &old)?
                }
                Some(values) => self.update(firing, leaf, &snapshot, at, (&old, values))?,
            };
            match written {
                Written::Done(_) => return Ok(true),
                Written::Not(WriteOutcome::Conflict(Conflict::Updated(to))) => at = to,
                Written::Not(_) => return Ok(false),
            }
        }
    }

    /// The row as it will be; none when it goes.
    fn replacement(
        &self,
        ext: &ExecContext<'_>,
        leaf: &Referencing,
        old: &[Datum],
    ) -> PgResult<Option<Vec<Datum>>> {
        match (self.action, self.new) {
            (b'c', None) => Ok(None),
            (b'c', Some(new)) => cascaded(leaf, old, new).map(Some),
            _ => self.cleared(ext, leaf, old).map(Some),
        }
    }

    /// NULLs or defaults for the key, or for those of its columns that ON DELETE SET names.
    fn cleared(&self, ext: &ExecContext<'_>, leaf: &Referencing, old: &[Datum]) -> PgResult<Vec<Datum>> {
        let mut values = old.to_vec();
        for (attno, at) in self.foreign.constraint.columns.iter().zip(&leaf.columns) {
            if !self.sets(*attno) {
                continue;
            }
            let column = self.root.column(*attno);
            values[*at] = match (column.and_then(|c| c.default.as_ref()), self.action) {
                (Some(default), b'd') => default_value(ext, default)?,
                _ => Datum::Null,
            };
        }
        Ok(values)
    }

    fn update(
        &self,
        firing: &mut Firing<'_, '_>,
        leaf: &Referencing,
        snapshot: &Snapshot,
        row: RowId,
        (old, mut values): (&[Datum], Vec<Datum>),
    ) -> PgResult<Written> {
        let ext = firing.ext;
        let mut rt = crate::constants::RowRuntime(ext);
        firing.target(leaf.table.oid)?.generate(&mut rt, &mut values)?;
        if leaf.table.is_partition && !firing.router.fits(ext, &mut rt, &leaf.table, &values, None)? {
            return self.relocate(firing, leaf, snapshot, row, (old, &values));
        }
        let target = firing.target(leaf.table.oid)?;
        target.check(ext, &mut rt, &values)?;
        target.update(ext, &mut rt, snapshot, row, (old, &values))
    }

    /// Moves a row into the partition where it belongs now.
    fn relocate(
        &self,
        firing: &mut Firing<'_, '_>,
        leaf: &Referencing,
        snapshot: &Snapshot,
        row: RowId,
        (old, values): (&[Datum], &[Datum]),
    ) -> PgResult<Written> {
        let ext = firing.ext;
        let mut rt = crate::constants::RowRuntime(ext);
        let top = Some(self.root.oid);
        if leaf.table.oid == self.root.oid || firing.router.fits(ext, &mut rt, &leaf.table, values, top)? {
            return Err(errors::partition(ext, &leaf.table, values));
        }
        let up = leaf.map.up(values);
        let (place, new) = firing.router.route(ext, &mut rt, self.root, &up)?;
        lock_for_writing(ext, place.oid)?;
        let new = prepared(firing.target(place.oid)?, ext, &mut rt, new)?;
        let target = firing.target(leaf.table.oid)?;
        let from = Arc::clone(&target.def);
        let written = target.delete_moving(ext, &mut rt, snapshot, row, old)?;
        if !matches!(written, Written::Done(_)) {
            return Ok(written);
        }
        let to = firing.target(place.oid)?.insert(ext, &mut rt, &new)?;
        let moved = MovedRow {
            in_partition: old,
            old: &leaf.map.up(old),
            new: &up,
        };
        referenced::queue_moved(ext, self.root, &from, &moved)?;
        Ok(Written::Done(to))
    }
}

/// A row with its generated columns, checked.
fn prepared(
    target: &mut OpenTarget,
    ext: &ExecContext<'_>,
    rt: &mut dyn Runtime,
    mut values: Vec<Datum>,
) -> PgResult<Vec<Datum>> {
    target.generate(rt, &mut values)?;
    target.check(ext, rt, &values)?;
    Ok(values)
}

/// A transaction with one snapshot must not change rows that it cannot see.
fn refuse_newer(ext: &ExecContext<'_>, target: &OpenTarget, row: RowId) -> PgResult<()> {
    let seen = ext.with_txn(|txn| {
        if !txn.uses_one_snapshot() {
            return Ok(true);
        }
        // A look, not a read that counts.
        let own = Snapshot {
            serial: 0,
            ..*txn.snapshot()?
        };
        target.table.is_visible(row, &own)
    })?;
    if seen {
        return Ok(());
    }
    Err(pg_err!(
        T_R_SERIALIZATION_FAILURE,
        "could not serialize access due to concurrent update"
    ))
}

fn cascaded(leaf: &Referencing, old: &[Datum], new: &[Datum]) -> PgResult<Vec<Datum>> {
    let mut values = old.to_vec();
    for (i, value) in leaf.columns.iter().zip(new) {
        values[*i] = convert(value, leaf.key_type(*i)).ok_or_else(|| {
            pg_err!(
                NUMERIC_VALUE_OUT_OF_RANGE,
                "value of column \"{}\" is out of range",
                leaf.table.columns[*i].name
            )
        })?;
    }
    Ok(values)
}

fn default_value(ext: &ExecContext<'_>, default: &Expr) -> PgResult<Datum> {
    let plan = crate::modify::insert_target::no_plan();
    let compiler = Compiler {
        plan: &plan,
        catalog: ext.catalog,
    };
    let program = compiler.program(default, ScanMap::None)?;
    let mut eval = crate::node::Eval::new(&program);
    eval.value(&mut crate::constants::RowRuntime(ext))
}
