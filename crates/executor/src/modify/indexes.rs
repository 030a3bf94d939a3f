//! The indexes of a table that is written to.

use std::sync::Arc;

use access::{EntryRun, Index, UniqueCheck};
use catalog::desc::{IndexColumnDesc, IndexDesc, RelationDesc};
use common::{Oid, PgResult, RowId, internal, unsupported};
use expr::{ExprProgram, RowInputs, Runtime};
use smallvec::SmallVec;
use types::{Datum, Vector};

use crate::compile::{Compiler, ScanMap};
use crate::context::ExecContext;
use crate::modify::errors;
use crate::modify::exclusion::Exclusion;
use crate::node::Eval;

/// An index, compiled.
pub(crate) struct IndexPart {
    pub desc: Arc<RelationDesc>,
    keys: Vec<KeySource>,
    include: Vec<KeySource>,
    predicate: Option<Arc<ExprProgram>>,
    pub unique: bool,
    /// It takes new entries; else it is on its way in or out, and entries of rows that go must go.
    pub ready: bool,
    /// Checked at once, not at the end of the statement.
    pub immediate: bool,
    /// Of an exclusion constraint, or WITHOUT OVERLAPS.
    pub exclusion: Option<Exclusion>,
}

enum KeySource {
    Column(usize),
    Expr(Arc<ExprProgram>),
}

impl IndexPart {
    /// `None`: it is on its way out (DROP INDEX CONCURRENTLY), nobody uses it any more.
    pub fn compile(c: &Compiler<'_>, oid: Oid) -> PgResult<Option<Arc<IndexPart>>> {
        let desc = c.relation(oid)?;
        let Some(info) = &desc.index else {
            return Err(internal!("relation \"{}\" is not an index", desc.name));
        };
        if !info.live {
            return Ok(None);
        }
        let exclusion = match info.exclusion {
            true => Exclusion::of_index(c.catalog, &*c.relation(info.table)?, &desc)?,
            false => None,
        };
        let mut sources = Vec::new();
        for column in &info.columns {
            sources.push(match (&column.expr, usize::try_from(column.attno)) {
                (None, Ok(attno)) if attno > 0 => KeySource::Column(attno - 1),
                (Some(e), _) => KeySource::Expr(c.program(e, ScanMap::Positions)?),
                _ => return Err(unsupported!("index over a system column is not supported yet")),
            });
        }
        let include = sources.split_off(info.key_count.min(sources.len()));
        let predicate = info
            .predicate
            .as_ref()
            .map(|p| c.program(p, ScanMap::Positions))
            .transpose()?;
        Ok(Some(Arc::new(IndexPart {
            keys: sources,
            include,
            predicate,
            unique: info.unique,
            ready: info.ready,
            immediate: info.immediate,
            exclusion,
            desc,
        })))
    }
}

impl IndexPart {
    /// True when entries are columns as they are, of every row.
    pub fn is_plain(&self) -> bool {
        let mut sources = self.keys.iter().chain(&self.include);
        self.predicate.is_none() && sources.all(|s| matches!(s, KeySource::Column(_)))
    }

    /// The entry of a row of a plain index, into one made before.
    pub fn fill(&self, columns: &[Arc<Vector>], row: usize, entry: &mut Entry) {
        let value = |source: &KeySource| match source {
            KeySource::Column(i) => columns.get(*i).map_or(Datum::Null, |c| c.datum(row)),
            KeySource::Expr(_) => Datum::Null,
        };
        entry.key.clear();
        entry.key.extend(self.keys.iter().map(value));
        entry.include.clear();
        entry.include.extend(self.include.iter().map(value));
    }
}

/// An index opened for writing.
pub(crate) struct OpenIndex {
    pub part: Arc<IndexPart>,
    pub index: Index,
    exprs: Vec<Option<Eval>>,
    predicate: Option<Eval>,
}

/// Key and included values of a row.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Entry {
    pub key: SmallVec<[Datum; 2]>,
    include: Vec<Datum>,
}

impl OpenIndex {
    pub fn open(ext: &ExecContext<'_>, part: &Arc<IndexPart>, table: &RelationDesc) -> PgResult<OpenIndex> {
        let eval = |s: &KeySource| match s {
            KeySource::Column(_) => None,
            KeySource::Expr(e) => Some(Eval::new(e)),
        };
        Ok(OpenIndex {
            index: ext.relations.index(&part.desc, table)?,
            exprs: part.keys.iter().chain(&part.include).map(eval).collect(),
            predicate: part.predicate.as_ref().map(Eval::new),
            part: Arc::clone(part),
        })
    }

    /// True for an index that keeps the same keys apart as `other` does: the one that REINDEX CONCURRENTLY makes or leaves, or one made twice.
    pub fn is_twin(&self, other: &OpenIndex) -> bool {
        let (Some(own), Some(theirs)) = (&self.part.desc.index, &other.part.desc.index) else {
            return false;
        };
        let keeps = |info: &IndexDesc| info.unique && info.ready && !info.exclusion && info.immediate;
        let same = |a: &IndexColumnDesc, b: &IndexColumnDesc| {
            (a.attno, &a.expr, a.opclass, a.collation) == (b.attno, &b.expr, b.opclass, b.collation)
        };
        let mut keys = own.columns.iter().zip(&theirs.columns).take(own.key_count);
        let alike = own.key_count == theirs.key_count && keys.all(|(a, b)| same(a, b));
        keeps(own) && keeps(theirs) && own.predicate == theirs.predicate && alike
    }

    /// The row's entry; `None` when a partial index leaves it out.
    pub fn entry(&mut self, rt: &mut dyn Runtime, values: &[Datum]) -> PgResult<Option<Entry>> {
        let row = RowInputs {
            scan: values,
            ..RowInputs::default()
        };
        if let Some(p) = &mut self.predicate {
            if p.row(rt, row)?.as_bool() != Some(true) {
                return Ok(None);
            }
        }
        let keys = self.part.keys.len();
        let mut entry = Entry::default();
        let sources = self.part.keys.iter().chain(&self.part.include);
        for (k, (source, eval)) in sources.zip(&mut self.exprs).enumerate() {
            let value = match (source, eval) {
                (KeySource::Column(i), _) => values.get(*i).cloned().unwrap_or(Datum::Null),
                (KeySource::Expr(_), Some(e)) => e.row(rt, row)?,
                (KeySource::Expr(_), None) => return Err(internal!("index expression lost its state")),
            };
            match k < keys {
                true => entry.key.push(value),
                false => entry.include.push(value),
            }
        }
        Ok(Some(entry))
    }

    /// Adds the entries of consecutive rows of a plain index at once. False, and nothing done, when some key of a unique one may exist.
    pub fn insert_many(
        &self,
        ext: &ExecContext<'_>,
        columns: &[Arc<Vector>],
        rows: usize,
        first: RowId,
    ) -> PgResult<bool> {
        if !self.part.ready {
            return Ok(true);
        }
        let (mut run, mut entry) = (EntryRun::default(), Entry::default());
        for row in 0..rows {
            self.part.fill(columns, row, &mut entry);
            let id = RowId(first.0 + row as u64);
            run.push(&self.index, &entry.key, &entry.include, id);
        }
        ext.with_txn(|txn| self.index.insert_run(txn, run))
    }

    /// Adds an entry unless another row is in the way: for exclusion constraints, with its key. With a deferrable constraint the
    /// entry is added even then.
    pub fn insert(
        &self,
        ext: &ExecContext<'_>,
        entry: &Entry,
        row: RowId,
    ) -> PgResult<Result<(), Vec<Datum>>> {
        if !self.part.ready {
            return Ok(Ok(()));
        }
        if let Some(rule) = &self.part.exclusion {
            rule.check_period(&entry.key)?;
            let mut add = || self.add(ext, entry, row, UniqueCheck::No).map(drop);
            if !self.part.immediate {
                let doubtful = rule.insert_unchecked(ext, (&self.index, &entry.key), &mut add)?;
                return Ok(if doubtful { Err(Vec::new()) } else { Ok(()) });
            }
            let added = rule.insert(ext, (&self.index, &entry.key), &mut add)?;
            return Ok(added.map_err(|(_, key)| key));
        }
        let check = match (self.part.unique, self.part.immediate) {
            (false, _) => UniqueCheck::No,
            (true, true) => UniqueCheck::Yes,
            (true, false) => UniqueCheck::Partial,
        };
        let added = self.add(ext, entry, row, check)?;
        Ok(added.map_err(|_| Vec::new()))
    }

    fn add(
        &self,
        ext: &ExecContext<'_>,
        entry: &Entry,
        row: RowId,
        check: UniqueCheck,
    ) -> PgResult<Result<(), RowId>> {
        ext.with_txn(|txn| self.index.insert(txn, &entry.key, &entry.include, row, check))
    }

    /// The row that an insertion of the entry would meet (ON CONFLICT).
    pub fn conflicting(
        &self,
        ext: &ExecContext<'_>,
        table: &RelationDesc,
        entry: &Entry,
    ) -> PgResult<Option<RowId>> {
        if !self.part.immediate {
            return Err(errors::deferrable_arbiter(table, &self.part.desc));
        }
        match &self.part.exclusion {
            Some(rule) => {
                let found = rule.conflict(ext, &self.index, &entry.key, None)?;
                Ok(found.map(|(row, _)| row))
            }
            None => ext.with_txn(|txn| self.index.conflicting_row(txn, &entry.key, None)),
        }
    }

    /// Adds an entry or says that the key exists. True: it may exist, and must be checked later (deferrable constraints).
    pub fn insert_or_fail(
        &self,
        ext: &ExecContext<'_>,
        table: &RelationDesc,
        entry: &Entry,
        row: RowId,
    ) -> PgResult<bool> {
        match self.insert(ext, entry, row)? {
            Ok(()) => Ok(false),
            Err(_) if !self.part.immediate => Ok(true),
            Err(existing) if self.part.exclusion.is_some() => Err(errors::exclusion(
                ext,
                table,
                &self.part.desc,
                (&entry.key, &existing),
            )),
            Err(_) => Err(errors::unique(ext, table, &self.part.desc, &entry.key)),
        }
    }

    /// The check of a deferrable constraint at the end of the statement.
    pub fn check_late(
        &self,
        ext: &ExecContext<'_>,
        table: &RelationDesc,
        entry: &Entry,
        row: RowId,
    ) -> PgResult<()> {
        if let Some(rule) = &self.part.exclusion {
            return match rule.conflict(ext, &self.index, &entry.key, Some(row))? {
                Some((_, existing)) => Err(errors::exclusion(
                    ext,
                    table,
                    &self.part.desc,
                    (&entry.key, &existing),
                )),
                None => Ok(()),
            };
        }
        match self.add(ext, entry, row, UniqueCheck::Existing)? {
            Ok(()) => Ok(()),
            Err(_) => Err(errors::unique(ext, table, &self.part.desc, &entry.key)),
        }
    }

    /// Removes the entry of a row.
    pub fn delete(&self, ext: &ExecContext<'_>, entry: &Entry, row: RowId) -> PgResult<()> {
        ext.with_txn(|txn| self.index.delete(txn, &entry.key, row))?;
        Ok(())
    }
}
