//! What scans of stored tables have in common: which columns are read, EvalPlanQual's substitute.

use std::ops::Range;
use std::sync::Arc;

use access::{ScanRequest, Table, TableScan, ZoneTest, ZoneWants};
use catalog::desc::RelationDesc;
use catalog::virtual_columns::over_stored_row;
use common::{AttrNumber, CTID, Oid, PgResult, RowId, TABLEOID};
use expr::{ExprProgram, Inputs, Side};
use nodes::Plan;
use nodes::expr::{Expr, VarSource};
use nodes::query::TargetEntry;
use nodes::stored::StoredFact;
use types::{Batch, Datum, PhysType, Selection, Vector};

use crate::compile::{Compiler, ScanMap, column_refs};
use crate::cx::Cx;
use crate::node::{EpqRow, Eval, Operator, Projection, Projector, Rest, Substitute, filter_all, slice};
use crate::ops::system::{self, SYSTEM};
use crate::ops::zones::{self, ZoneQuals};
use crate::parallel::share::ScanShare;

/// A scanned relation and what is read of it: stored columns, then `ctid`, `tableoid`, and other system columns, as far as used.
pub(crate) struct ScanTarget {
    pub rt_index: usize,
    pub desc: Arc<RelationDesc>,
    /// What each column of a batch is.
    pub attnos: Vec<AttrNumber>,
    /// The stored columns (0-based), in the same order.
    pub columns: Vec<u16>,
    pub phys: Vec<PhysType>,
    pub ctid: bool,
    pub tableoid: bool,
    /// The other system columns.
    pub system: Vec<AttrNumber>,
    /// Places in `columns` of strings that no condition looks at: their long values are read of rows that pass only.
    pub later: Vec<u16>,
}

/// A scan node's expressions over that target.
pub(crate) struct ScanParts {
    pub target: ScanTarget,
    pub projection: Projection,
    /// Conditions that the scan method itself answers, for rows that come another way.
    pub recheck: Vec<Arc<ExprProgram>>,
    /// Conditions by which chunks may be passed over.
    pub zones: Arc<ZoneQuals>,
}

/// A scan of a table's blocks while it runs: batches filtered and projected, handed out in the sizes asked for.
pub(crate) struct BlockScan {
    projector: Projector,
    scan: Option<TableScan>,
    rest: Rest,
    /// Rows that have passed and whose long values have not been read yet.
    passed: Option<(Batch, usize)>,
    /// Participants of a Gather take their parts of the table from here.
    share: Option<Arc<ScanShare>>,
    zones: Arc<ZoneQuals>,
    /// What rows must have besides, to be of use above.
    narrowed: Vec<ZoneTest>,
}

impl BlockScan {
    pub fn new(parts: &ScanParts, share: Option<Arc<ScanShare>>) -> BlockScan {
        BlockScan {
            share,
            projector: parts.projection.open(),
            scan: None,
            rest: Rest::default(),
            passed: None,
            zones: Arc::clone(&parts.zones),
            narrowed: Vec::new(),
        }
    }

    /// See [`Operator::narrow`].
    pub fn narrow(&mut self, target: &ScanTarget, column: usize, range: Option<(i64, i64)>) {
        let place = self.projector.target_column(column);
        let place = place.filter(|place| place.side == Side::Scan);
        let Some(&column) = place.and_then(|place| target.columns.get(place.index)) else {
            return;
        };
        self.narrowed.retain(|test| test.column != column);
        self.narrowed.extend(range.map(|(least, greatest)| ZoneTest {
            column,
            wants: ZoneWants::Between(least, greatest),
        }));
    }

    /// The next rows. `demand`: how many to read at a time; `range`: where a scan that begins looks.
    pub fn next(
        &mut self,
        cx: &mut Cx<'_>,
        target: &ScanTarget,
        (max_rows, demand): (usize, usize),
        range: impl FnOnce(&mut Cx<'_>) -> PgResult<Option<Range<u64>>>,
    ) -> PgResult<Option<Batch>> {
        if let Some(batch) = self.rest.take(max_rows) {
            return Ok(Some(batch));
        }
        let mut scan = match self.scan.take() {
            Some(scan) => scan,
            None => {
                let mut request = ScanRequest::columns(target.columns.clone());
                request.later = target.later.clone();
                request.row_ids = target.needs_row_ids();
                request.rows = range(cx)?;
                request.cancel = cx.ext.cancel.clone();
                // EXPLAIN ANALYZE counts the rows that conditions drop.
                if cx.run.stats.is_empty() {
                    request.zones = self.zones.tests(cx);
                    request.zones.extend_from_slice(&self.narrowed);
                }
                let table = target.open(cx)?;
                if let Some(share) = &self.share {
                    request.rows = Some(share.claim(&table).unwrap_or(0..0));
                }
                table.scan(cx.ext.snapshot, request)
            }
        };
        let mut out = None;
        loop {
            if let Some((batch, done)) = self.passed.take() {
                out = Some(self.project_passed(cx, &scan, batch, done)?);
                break;
            }
            let Some(mut batch) = scan.next_batch(demand)? else {
                let more = self.share.as_ref().and_then(|share| share.claim(scan.table()));
                let Some(rows) = more else { break };
                scan.go_on(rows);
                continue;
            };
            cx.check()?;
            target.complete_batch(cx, &mut batch)?;
            let inputs = Inputs::scan(&batch.columns, batch.rows);
            if scan.has_later() {
                batch.selection = self.projector.filter(cx, inputs, &batch.selection)?;
                self.passed = (!batch.is_empty()).then_some((batch, 0));
                continue;
            }
            out = self.projector.apply(cx, inputs, &batch.selection)?;
            if out.is_some() {
                break;
            }
        }
        self.scan = Some(scan);
        let Some(batch) = out else { return Ok(None) };
        self.rest.put(batch);
        Ok(self.rest.take(max_rows))
    }

    /// Some of the rows that have passed, with all their values.
    fn project_passed(
        &mut self,
        cx: &mut Cx<'_>,
        scan: &TableScan,
        batch: Batch,
        done: usize,
    ) -> PgResult<Batch> {
        let mut part = slice(&batch, done, batch.len() - done);
        let take = scan.later_within(&part.selection)?;
        if take < part.len() {
            part = slice(&part, 0, take);
            self.passed = Some((batch, done + take));
        }
        scan.fill_later(&mut part.columns, &part.selection)?;
        let inputs = Inputs::scan(&part.columns, part.rows);
        self.projector.project(cx, inputs, part.selection.clone())
    }

    /// Begins again at the next call.
    pub fn restart(&mut self) {
        self.passed = None;
        self.scan = None;
        self.rest.clear();
    }
}

/// Compiles a scan's conditions and target list. `method` are the conditions that the method answers.
pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    rt_index: usize,
    relation: Oid,
    method: &[&Expr],
) -> PgResult<ScanParts> {
    let desc = c.relation(relation)?;
    let over = |e: &Expr| over_stored_row(e, &desc);
    let quals: Vec<Expr> = plan.qual.iter().map(over).collect();
    let recheck: Vec<Expr> = method.iter().map(|e| over(e)).collect();
    let targets: Vec<TargetEntry> = plan
        .target_list
        .iter()
        .map(|t| TargetEntry {
            expr: over(&t.expr),
            ..t.clone()
        })
        .collect();
    let mut used = Vec::new();
    for e in quals
        .iter()
        .chain(&recheck)
        .chain(targets.iter().map(|t| &t.expr))
    {
        column_refs(e, VarSource::Scan, &mut used);
    }
    let mut target = ScanTarget::new(rt_index, desc, &used)?;
    if !quals.is_empty() {
        let mut tested = Vec::new();
        quals
            .iter()
            .for_each(|e| column_refs(e, VarSource::Scan, &mut tested));
        target.look_later(&tested);
    }
    let map = ScanMap::Attnos(&target.attnos);
    let projection = c.projection_of(&quals, &targets, map)?;
    let recheck = c.programs(&recheck, map)?;
    Ok(ScanParts {
        zones: Arc::new(zones::compile(c, &quals, &projection.filters)?),
        target,
        projection,
        recheck,
    })
}

impl ScanTarget {
    pub fn new(rt_index: usize, desc: Arc<RelationDesc>, used: &[AttrNumber]) -> PgResult<ScanTarget> {
        let mut attnos: Vec<AttrNumber> = used.iter().copied().filter(|a| *a > 0).collect();
        attnos.sort_unstable();
        let columns: Vec<u16> = attnos.iter().map(|a| *a as u16 - 1).collect();
        let phys = attnos
            .iter()
            .map(|a| desc.column(*a).map_or(PhysType::Int4, |c| c.phys))
            .collect();
        let (ctid, tableoid) = (used.contains(&CTID), used.contains(&TABLEOID));
        let mut system: Vec<AttrNumber> = SYSTEM.into_iter().filter(|a| used.contains(a)).collect();
        system.extend(used.iter().filter(|a| StoredFact::of_attno(**a).is_some()));
        if ctid {
            attnos.push(CTID);
        }
        if tableoid {
            attnos.push(TABLEOID);
        }
        attnos.extend(&system);
        Ok(ScanTarget {
            rt_index,
            desc,
            attnos,
            columns,
            phys,
            ctid,
            tableoid,
            system,
            later: Vec::new(),
        })
    }

    /// Strings that are not among these columns may be read later.
    fn look_later(&mut self, tested: &[AttrNumber]) {
        let is_string = |phys: &PhysType| matches!(phys, PhysType::Text | PhysType::Bytes);
        let columns = self.attnos.iter().zip(&self.phys).enumerate();
        let later = columns.filter(|(_, (attno, phys))| is_string(phys) && !tested.contains(attno));
        self.later = later.map(|(place, _)| place as u16).collect();
    }

    pub fn open(&self, cx: &Cx<'_>) -> PgResult<Table> {
        cx.ext.relations.table(&self.desc)
    }

    /// Adds `tableoid` to columns that have the stored columns and `ctid`.
    pub fn complete(&self, columns: &mut Vec<Arc<Vector>>, rows: usize) {
        if self.tableoid {
            let oid = Datum::Oid(self.desc.oid.0);
            columns.push(Arc::new(Vector::constant(PhysType::Oid, &oid, rows)));
        }
    }

    /// One row given whole.
    fn single(
        &self,
        EpqRow {
            row, values, system, ..
        }: &EpqRow,
    ) -> Vec<Arc<Vector>> {
        let mut columns: Vec<Arc<Vector>> = self
            .columns
            .iter()
            .zip(&self.phys)
            .map(|(&i, phys)| {
                let value = values.get(usize::from(i)).unwrap_or(&Datum::Null);
                Arc::new(Vector::from_datums(*phys, std::slice::from_ref(value)))
            })
            .collect();
        if self.ctid {
            columns.push(Arc::new(Vector::from_datums(
                PhysType::Int8,
                &[Datum::Int8(row.tid())],
            )));
        }
        self.complete(&mut columns, 1);
        for attno in &self.system {
            let at = SYSTEM.iter().position(|a| a == attno);
            // How values are stored is not among what the row came with.
            let value = at.and_then(|at| system.get(at)).unwrap_or(&Datum::Null);
            columns.push(Arc::new(Vector::from_datums(
                system::phys(*attno),
                std::slice::from_ref(value),
            )));
        }
        columns
    }

    /// The rows with these ids that the snapshot sees, as columns in the order of `attnos`; how many.
    pub fn fetch(&self, cx: &Cx<'_>, table: &Table, rows: &[RowId]) -> PgResult<(Vec<Arc<Vector>>, usize)> {
        let mut out: Vec<Vector> = self.phys.iter().map(|p| Vector::empty(*p)).collect();
        let mut found = Vec::with_capacity(rows.len());
        table.fetch_batch(rows, cx.ext.snapshot, &self.columns, &mut out, &mut found)?;
        let count = found.len();
        let mut columns: Vec<Arc<Vector>> = out.into_iter().map(Arc::new).collect();
        if self.ctid {
            columns.push(system::tids(found.iter().map(|&k| rows[k as usize])));
        }
        self.complete(&mut columns, count);
        let ids = found.iter().map(|&k| Some(rows[k as usize]));
        self.add_system(cx, cx.ext.snapshot, ids, &mut columns)?;
        Ok((columns, count))
    }
}

/// A scan that sees one given row: EvalPlanQual.
pub(crate) struct EpqScan {
    /// There is no row.
    absent: bool,
    columns: Vec<Arc<Vector>>,
    recheck: Vec<Eval>,
    projector: Projector,
    done: bool,
}

impl EpqScan {
    pub fn open(parts: &ScanParts, substitute: &Substitute) -> Box<dyn Operator> {
        let (columns, absent) = match substitute {
            Substitute::Row(row) => (parts.target.single(row), false),
            Substitute::Nothing => (Vec::new(), true),
        };
        Box::new(EpqScan {
            absent,
            columns,
            recheck: Eval::all(&parts.recheck),
            projector: parts.projection.open(),
            done: absent,
        })
    }
}

impl Operator for EpqScan {
    fn next(&mut self, cx: &mut Cx<'_>, _max_rows: usize) -> PgResult<Option<Batch>> {
        if std::mem::replace(&mut self.done, true) {
            return Ok(None);
        }
        let inputs = Inputs::scan(&self.columns, 1);
        let sel = filter_all(&mut self.recheck, cx, inputs, &Selection::All(1))?;
        if sel.is_empty() {
            return Ok(None);
        }
        self.projector.apply(cx, inputs, &sel)
    }

    fn rescan(&mut self, _cx: &mut Cx<'_>) -> PgResult<()> {
        self.done = self.absent;
        Ok(())
    }
}
