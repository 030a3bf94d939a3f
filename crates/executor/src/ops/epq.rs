//! EvalPlanQual: a row of a join computed once more, with the newest version of the rows that changed.
//!
//! PG: src/backend/executor/README, "EvalPlanQual (READ COMMITTED Update Checking)".
//!
//! # How it works
//! The plan below is opened anew, and its scans see one row each: of the relations that are locked or changed the newest version, of the
//! others the row that they had in the join, which the input names by its `ctid`. What is no table (subqueries, functions, VALUES, CTEs) has
//! no name for a row, so the input has the whole row ([`Replaceable`] scans give it).

use std::sync::Arc;

use access::Table;
use catalog::desc::RelationDesc;
use common::{Oid, PgResult, RowId, internal, pg_err};
use expr::Inputs;
use nodes::Plan;
use nodes::plan::PlanRowMark;
use types::{Batch, Datum, PhysType};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::{Epq, EpqRow, NodeKind, Opening, Operator, Projection, Projector, Substitute};
use crate::ops::system;
use crate::store::RowStore;

/// What a join had beside the rows that are locked or changed.
pub(crate) enum Other {
    /// A row of a table, named.
    Named(Place),
    /// A row of something else, whole: its entry, and the input columns that have it.
    Whole(usize, Vec<usize>),
}

/// Where the rows of a relation are named in the input.
pub(crate) struct Place {
    rt_index: usize,
    desc: Arc<RelationDesc>,
    /// Input column with the row id.
    column: usize,
    /// Input column with the row's table, when it may be in several: these, with their entries.
    table_column: Option<usize>,
    members: Vec<(usize, Oid)>,
}

impl Place {
    pub fn compile(c: &Compiler<'_>, mark: &PlanRowMark) -> PgResult<Place> {
        let column = |at: i16| usize::try_from(at).ok().and_then(|c| c.checked_sub(1));
        let desc = c.relation(mark.relation)?;
        let unlockable = match desc.relkind {
            b'S' => Some("sequence"),
            b'm' if mark.strength.is_some() => Some("materialized view"),
            _ => None,
        };
        if let Some(kind) = unlockable {
            return Err(pg_err!(
                WRONG_OBJECT_TYPE,
                "cannot lock rows in {kind} \"{}\"",
                desc.name
            ));
        }
        Ok(Place {
            rt_index: mark.rt_index,
            desc,
            column: column(mark.row_id_column).ok_or_else(|| internal!("row mark without a column"))?,
            table_column: column(mark.table_oid_column),
            members: mark.members.clone(),
        })
    }

    /// The row that an input row names: entry, table and row id. None: it has none (an outer join's nullable side).
    pub fn find(&self, cx: &Cx<'_>, input: &[Datum]) -> PgResult<Option<(usize, Arc<RelationDesc>, RowId)>> {
        let tid = input.get(self.column).and_then(Datum::as_i64);
        let Some(row) = tid.and_then(RowId::from_tid) else {
            return Ok(None);
        };
        let table = self
            .table_column
            .and_then(|at| input.get(at))
            .and_then(Datum::as_oid);
        let Some(oid) = table else {
            return Ok(Some((self.rt_index, Arc::clone(&self.desc), row)));
        };
        let member = self.members.iter().find(|(_, member)| *member == oid);
        let desc = match oid == self.desc.oid {
            true => Arc::clone(&self.desc),
            false => cx
                .ext
                .catalog
                .relation(oid)?
                .ok_or_else(|| internal!("no table {oid}"))?,
        };
        Ok(Some((
            member.map_or(self.rt_index, |(entry, _)| *entry),
            desc,
            row,
        )))
    }

    /// The entries under which it is read.
    fn entries(&self) -> impl Iterator<Item = usize> {
        let members = self.members.iter().map(|(entry, _)| *entry);
        members.chain([self.rt_index])
    }
}

/// The relations of a join that are neither locked nor changed.
pub(crate) fn others(c: &Compiler<'_>, marks: &[PlanRowMark]) -> PgResult<Vec<Other>> {
    let others = marks.iter().filter(|m| m.strength.is_none());
    let compile = |mark: &PlanRowMark| {
        if mark.relation.is_valid() {
            return Place::compile(c, mark).map(Other::Named);
        }
        let columns = mark.columns.iter().map(|at| (*at).max(1) as usize - 1);
        Ok(Other::Whole(mark.rt_index, columns.collect()))
    };
    others.map(compile).collect()
}

/// A scan of something that is no table, which EvalPlanQual may replace by the row that a join had.
struct Replaceable {
    rt_index: usize,
    scan: Arc<dyn NodeKind>,
    /// Of its columns.
    phys: Vec<PhysType>,
    projection: Projection,
}

/// Makes a scan replaceable where the statement may want that.
pub(crate) fn replaceable(
    c: &Compiler<'_>,
    plan: &Plan,
    rt_index: usize,
    scan: Arc<dyn NodeKind>,
) -> PgResult<Arc<dyn NodeKind>> {
    if !c.plan.has_row_copies {
        return Ok(scan);
    }
    let Some(entry) = rt_index.checked_sub(1).and_then(|i| c.plan.range_table.get(i)) else {
        return Err(internal!("no range table entry {rt_index}"));
    };
    let columns = entry.columns.iter();
    Ok(Arc::new(Replaceable {
        rt_index,
        scan,
        phys: columns
            .map(|column| c.phys(column.type_ref.oid))
            .collect::<PgResult<_>>()?,
        projection: c.projection(plan, ScanMap::Positions)?,
    }))
}

impl NodeKind for Replaceable {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        let row = match opening.epq_for(self.rt_index) {
            None => return Arc::clone(&self.scan).open(opening),
            Some(Substitute::Nothing) => None,
            Some(Substitute::Row(row)) => Some(row),
        };
        Box::new(Replacement {
            given: false,
            row,
            projector: self.projection.open(),
            node: self,
        })
    }
}

struct Replacement {
    node: Arc<Replaceable>,
    row: Option<Arc<EpqRow>>,
    given: bool,
    projector: Projector,
}

impl Operator for Replacement {
    fn next(&mut self, cx: &mut Cx<'_>, _max_rows: usize) -> PgResult<Option<Batch>> {
        let Some(row) = self.row.as_ref().filter(|_| !self.given) else {
            return Ok(None);
        };
        self.given = true;
        let mut store = RowStore::new(&self.node.phys);
        store.push_datums(&row.values);
        let (columns, rows) = store.drain_columns();
        let batch = Batch::new(columns, rows);
        let inputs = Inputs::scan(&batch.columns, batch.rows);
        self.projector.apply(cx, inputs, &batch.selection)
    }

    fn rescan(&mut self, _cx: &mut Cx<'_>) -> PgResult<()> {
        self.given = false;
        Ok(())
    }
}

impl Epq {
    /// Puts what an input row had beside the changed ones in its place.
    pub fn add_other(&mut self, cx: &Cx<'_>, other: &Other, input: &[Datum]) -> PgResult<()> {
        let (rt_index, columns) = match other {
            Other::Named(place) => return self.add_named(cx, place, input),
            Other::Whole(rt_index, columns) => (*rt_index, columns),
        };
        let values: Arc<[Datum]> = columns
            .iter()
            .map(|at| input.get(*at).cloned().unwrap_or_default())
            .collect();
        self.rows.push(Arc::new(EpqRow {
            rt_index,
            row: RowId(0),
            system: Default::default(),
            values,
        }));
        Ok(())
    }

    /// Puts rows of other relations in their places: those that an input row names.
    pub fn add_named(&mut self, cx: &Cx<'_>, place: &Place, input: &[Datum]) -> PgResult<()> {
        let Some((entry, desc, row)) = place.find(cx, input)? else {
            self.empty.extend(place.entries());
            return Ok(());
        };
        self.add_empty(place, entry);
        let table = cx.ext.relations.table(&desc)?;
        let mut values = Vec::new();
        if !table.fetch(row, cx.ext.snapshot, &mut values)? {
            return Ok(());
        }
        let database = system::database(cx.ext)?;
        let system = table.system(row, cx.ext.snapshot, database)?.unwrap_or_default();
        self.rows.push(Arc::new(EpqRow {
            rt_index: entry,
            row,
            system: system::values(system),
            values: values.into(),
        }));
        Ok(())
    }

    /// The members of a tree that have no part in a row which is in another one.
    pub fn add_empty(&mut self, place: &Place, but: usize) {
        self.empty.extend(place.entries().filter(|entry| *entry != but));
    }

    /// Puts the newest version of a row in its place.
    pub fn add_newest(
        &mut self,
        cx: &Cx<'_>,
        table: &Table,
        (rt_index, row): (usize, RowId),
        values: &[Datum],
    ) -> PgResult<()> {
        let now = system::of_written(cx.ext, table, row, system::Which::Before)?;
        self.rows.push(Arc::new(EpqRow {
            rt_index,
            row,
            system: system::values(now),
            values: values.into(),
        }));
        Ok(())
    }
}
