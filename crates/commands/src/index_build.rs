//! Filling an index from the rows of its table.

use std::sync::Arc;

use access::{BuildOutcome, Index, IndexBuilder, ScanRequest, Table};
use catalog::desc::{IndexDesc, RelationDesc};
use common::error::ErrorExt;
use common::{PgResult, RowId, pg_err};
use executor::Exclusion;
use txn::Snapshot;
use types::{BATCH_ROWS, Batch, Datum};

use crate::context::CommandContext;
use crate::eval::RowExpr;

/// Computes the key of a row.
pub(crate) struct IndexKeys {
    columns: Vec<KeySource>,
    key_count: usize,
    predicate: Option<RowExpr>,
}

enum KeySource {
    Column(usize),
    Expr(RowExpr),
}

impl IndexKeys {
    /// Compiles what an index needs.
    pub fn compile(index: &IndexDesc, cx: &CommandContext<'_>) -> PgResult<IndexKeys> {
        let view = cx.view()?;
        let mut columns = Vec::new();
        for column in &index.columns {
            columns.push(match &column.expr {
                Some(expr) => KeySource::Expr(RowExpr::compile(expr, &*view)?),
                None => KeySource::Column(usize::try_from(column.attno - 1).unwrap_or_default()),
            });
        }
        let predicate = match &index.predicate {
            Some(p) => Some(RowExpr::compile(p, &*view)?),
            None => None,
        };
        Ok(IndexKeys {
            columns,
            key_count: index.key_count,
            predicate,
        })
    }

    /// The table's columns that it looks at.
    pub fn reads(&self, columns: usize) -> Vec<u16> {
        let plain = self.columns.iter().map(|c| match c {
            KeySource::Column(at) => Some(*at as u16),
            KeySource::Expr(_) => None,
        });
        match (plain.collect(), &self.predicate) {
            (Some(plain), None) => plain,
            _ => (0..columns).map(|c| c as u16).collect(),
        }
    }

    /// True when keys are columns, and nothing else belongs to an entry.
    fn is_plain(&self) -> bool {
        let column = |source: &KeySource| matches!(source, KeySource::Column(_));
        self.predicate.is_none() && self.columns.len() == self.key_count && self.columns.iter().all(column)
    }

    /// Key and INCLUDE datums of a row; `None`: the row does not belong into the index.
    pub fn of_row(
        &mut self,
        cx: &CommandContext<'_>,
        row: &[Datum],
    ) -> PgResult<Option<(Vec<Datum>, Vec<Datum>)>> {
        if let Some(predicate) = &mut self.predicate
            && predicate.test(cx, row)? != Some(true)
        {
            return Ok(None);
        }
        let mut values = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            values.push(match column {
                KeySource::Column(at) => row.get(*at).cloned().unwrap_or_default(),
                KeySource::Expr(expr) => expr.eval(cx, row)?,
            });
        }
        let include = values.split_off(self.key_count);
        Ok(Some((values, include)))
    }
}

/// Calls `visit` with every row of a table that the transaction sees now: all columns, and where it is.
pub(crate) fn for_each_row(
    table: &Table,
    columns: usize,
    cx: &CommandContext<'_>,
    visit: &mut dyn FnMut(&[Datum], RowId) -> PgResult<()>,
) -> PgResult<()> {
    let all: Vec<u16> = (0..columns).map(|c| c as u16).collect();
    let snapshot = cx.txn.borrow().latest_snapshot()?;
    for_each_row_of((table, &snapshot), columns, &all, cx, visit)
}

/// The same with the wanted columns filled in, the others NULL.
pub(crate) fn for_each_row_of(
    table: (&Table, &Snapshot),
    columns: usize,
    wanted: &[u16],
    cx: &CommandContext<'_>,
    visit: &mut dyn FnMut(&[Datum], RowId) -> PgResult<()>,
) -> PgResult<()> {
    let mut row = vec![Datum::Null; columns];
    for_each_batch(table, wanted, cx, &mut |batch| {
        for position in batch.selection.iter() {
            for (&column, vector) in wanted.iter().zip(&batch.columns) {
                if let Some(place) = row.get_mut(usize::from(column)) {
                    *place = vector.long_datum(position, cx.cancel)?;
                }
            }
            let id = batch.columns.last().and_then(|ids| ids.datum(position).as_i64());
            visit(&row, RowId(id.unwrap_or_default() as u64))?;
        }
        Ok(())
    })
}

/// Calls `visit` with every batch of rows that the snapshot sees: the wanted columns, then row ids.
pub(crate) fn for_each_batch(
    (table, snapshot): (&Table, &Snapshot),
    wanted: &[u16],
    cx: &CommandContext<'_>,
    visit: &mut dyn FnMut(&Batch) -> PgResult<()>,
) -> PgResult<()> {
    let mut scan = table.scan(snapshot, ScanRequest::columns(wanted).with_row_ids());
    while let Some(batch) = scan.next_batch(BATCH_ROWS)? {
        cx.cancel.check()?;
        visit(&batch)?;
    }
    Ok(())
}

/// Fills a new index. 23505 with the key when it is unique and the rows are not.
pub(crate) fn build(
    cx: &CommandContext<'_>,
    table: &Arc<RelationDesc>,
    index: &Arc<RelationDesc>,
) -> PgResult<u64> {
    let Some(info) = &index.index else {
        return Err(common::internal!("relation \"{}\" is not an index", index.name));
    };
    let mut keys = IndexKeys::compile(info, cx)?;
    let opened = cx.relations.table(table)?;
    let target = cx.relations.index(index, table)?;
    let memory = (cx.guc.borrow().get_number("maintenance_work_mem") as usize) << 10;
    let mut builder = IndexBuilder::new(&target, &opened, cx.temp, memory).cancelled_by(cx.cancel);
    let snapshot = cx.txn.borrow().latest_snapshot()?;
    let columns = table.columns.len();
    let reads = keys.reads(columns);
    match keys.is_plain() {
        true => for_each_batch((&opened, &snapshot), &reads, cx, &mut |batch| {
            builder.push_batch(batch)
        })?,
        false => for_each_row_of((&opened, &snapshot), columns, &reads, cx, &mut |row, id| {
            if let Some((key, include)) = keys.of_row(cx, row)? {
                builder.push(&key, &include, id)?;
            }
            Ok(())
        })?,
    }
    let outcome = builder.finish(&mut cx.txn.borrow_mut())?;
    match outcome {
        BuildOutcome::Built(count) => {
            crate::analyze::record_built((table, &opened), (index, &target), count, cx)?;
            check_exclusion(cx, (table, index), (&opened, &target), &mut keys)?;
            Ok(count)
        }
        BuildOutcome::Duplicate(first, _) => Err(duplicate(cx, table, index, &opened, first)?),
    }
}

/// Of a new exclusion constraint: no two rows that are there may conflict.
fn check_exclusion(
    cx: &CommandContext<'_>,
    (table, index): (&Arc<RelationDesc>, &Arc<RelationDesc>),
    (opened, entries): (&Table, &Index),
    keys: &mut IndexKeys,
) -> PgResult<()> {
    let view = cx.view()?;
    let Some(rule) = Exclusion::of_index(&*view, table, index)? else {
        return Ok(());
    };
    cx.txn.borrow_mut().next_command()?;
    let snapshot = cx.txn.borrow().latest_snapshot()?;
    let context = cx.exec_context(&*view, &snapshot);
    let columns = table.columns.len();
    for_each_row_of(
        (opened, &snapshot),
        columns,
        &keys.reads(columns),
        cx,
        &mut |row, id| match keys.of_row(cx, row)? {
            Some((key, _)) => rule.check_row(&context, (table, index), entries, (&key, id)),
            None => Ok(()),
        },
    )
}

/// The error of a unique index whose rows are not.
pub(crate) fn duplicate(
    cx: &CommandContext<'_>,
    table: &RelationDesc,
    index: &RelationDesc,
    opened: &Table,
    row: RowId,
) -> PgResult<Box<common::PgError>> {
    let error = pg_err!(
        UNIQUE_VIOLATION,
        "could not create unique index \"{}\"",
        index.name
    )
    .table(&*table.namespace_name, &*table.name)
    .constraint(&*index.name);
    let Some(info) = &index.index else {
        return Ok(error);
    };
    let snapshot = cx.txn.borrow().latest_snapshot()?;
    let mut values = Vec::new();
    if !opened.fetch(row, &snapshot, &mut values)? {
        return Ok(error);
    }
    let mut keys = IndexKeys::compile(info, cx)?;
    let Some((key, _)) = keys.of_row(cx, &values)? else {
        return Ok(error);
    };
    Ok(error.detail(format!(
        "Key ({})={} is duplicated.",
        key_names(table, info, cx)?,
        key_text(table, info, &key, cx)?
    )))
}

/// The key columns as `pg_get_indexdef` prints them.
pub(crate) fn key_names(
    table: &RelationDesc,
    index: &IndexDesc,
    cx: &CommandContext<'_>,
) -> PgResult<String> {
    let view = cx.view()?;
    let mut names = Vec::new();
    for column in index.columns.iter().take(index.key_count) {
        names.push(match &column.expr {
            Some(expr) => crate::deparse::index_expression(expr, table, &*view)?,
            None => {
                let name = table.column(column.attno).map_or("?", |c| &*c.name);
                parser::quote_identifier(name).to_string()
            }
        });
    }
    Ok(names.join(", "))
}

fn key_text(
    table: &RelationDesc,
    index: &IndexDesc,
    key: &[Datum],
    cx: &CommandContext<'_>,
) -> PgResult<String> {
    let names = cx.session.resolver();
    let io = types::io::IoContext {
        settings: &cx.settings,
        resolver: Some(names),
        cancel: common::cancel::CancelToken::never(),
    };
    let mut parts = Vec::new();
    for (column, value) in index.columns.iter().zip(key) {
        let type_oid = match &column.expr {
            Some(expr) => expr.type_oid(),
            None => table
                .column(column.attno)
                .map_or(column.opcintype, |c| c.type_ref.oid),
        };
        parts.push(match value {
            Datum::Null => "null".to_owned(),
            value => types::io::to_text(type_oid, value, &io)?,
        });
    }
    Ok(format!("({})", parts.join(", ")))
}
