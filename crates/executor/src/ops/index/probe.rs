//! The inner side of a nested loop for many outer rows at once: keys are looked up one by one, rows are fetched together.
//!
//! # When
//! All conditions are equalities of leading columns with parameters or constants, and nothing else of the scan can fail or computes:
//! then it does not matter that rows are read that nobody asks for. Filters that read parameters see them as columns.

use std::sync::Arc;

use access::{IndexScan as EntryScan, KeyList, Table};
use catalog::virtual_columns::over_stored_row;
use common::{PgResult, RowId, internal};
use expr::{Inputs, Runtime};
use nodes::expr::{Param, ParamKind, Var, VarSource};
use nodes::query::TargetEntry;
use nodes::{Expr, Plan, walk};
use types::{Batch, Datum, PhysType, Selection, Vector};

use super::{IndexScanNode, IndexScanOp};
use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::Projection;
use crate::ops::scan::ScanParts;
use crate::ops::system;

/// Where the value of an index column comes from.
pub(crate) enum KeySource {
    Param(usize),
    Const(Datum),
}

/// Outer rows to look for.
pub(crate) struct OuterKeys<'a> {
    /// Executor parameters and their values by position in the outer batch.
    pub params: &'a [(usize, Arc<Vector>)],
    pub selection: &'a Selection,
    /// The first of the selected rows that is not done.
    pub next: usize,
    /// How many inner rows are wanted.
    pub limit: usize,
}

/// What was found.
pub(crate) struct Matches {
    /// Inner rows, and for each the number of its outer row among the selected ones, ascending.
    pub batch: Option<Batch>,
    pub outer: Vec<u32>,
    /// Outer rows before this one are done.
    pub next: usize,
    /// That one has been given some of its rows.
    pub partial: bool,
}

/// Opened relations, and the scan for an outer row that is half done.
pub(crate) struct Probing {
    table: Table,
    index: access::Index,
    scan: Option<EntryScan>,
    prefix: Vec<u8>,
    /// Keys looked up together, whose they are, and what was found.
    keys: KeyList,
    rows: Vec<u32>,
    found: Vec<Option<RowId>>,
}

/// Outer rows whose unique keys are looked up together.
const TOGETHER: usize = 64;

/// A scan's conditions and target list for many outer rows: parameters are columns of the outer side.
pub(super) struct Unbound {
    pub projection: Projection,
    /// The parameter of each of those columns.
    slots: Vec<usize>,
    phys: Vec<PhysType>,
}

impl Unbound {
    /// `None` for a plan whose expressions run subplans, can fail, or compute.
    pub fn compile(c: &Compiler<'_>, plan: &Plan, parts: &ScanParts) -> PgResult<Option<Unbound>> {
        let mut found: Vec<Param> = Vec::new();
        let mut subplans = false;
        let mut columns = |e: &Expr| {
            let mut e = over_stored_row(e, &parts.target.desc);
            walk::rewrite(&mut e, &mut |e| match e {
                Expr::Param(p) if p.kind == ParamKind::Exec => *e = as_column(p, &mut found),
                Expr::SubPlan(_) => subplans = true,
                _ => {}
            });
            e
        };
        let quals: Vec<Expr> = plan.qual.iter().map(&mut columns).collect();
        let target = |t: &TargetEntry| TargetEntry {
            expr: columns(&t.expr),
            ..t.clone()
        };
        let targets: Vec<TargetEntry> = plan.target_list.iter().map(target).collect();
        if subplans {
            return Ok(None);
        }
        let projection = c.projection_of(&quals, &targets, ScanMap::Attnos(&parts.target.attnos))?;
        let phys = found.iter().map(|p| c.phys(p.type_ref.oid));
        Ok(Some(Unbound {
            phys: phys.collect::<PgResult<_>>()?,
            slots: found.iter().map(|p| p.number).collect(),
            projection,
        })
        .filter(|u| u.projection.is_harmless()))
    }

    /// Values of the parameters for rows found, `rows` being positions in the outer batch.
    fn values(&self, cx: &Cx<'_>, keys: &OuterKeys<'_>, rows: &[usize]) -> PgResult<Vec<Arc<Vector>>> {
        let value = |(slot, phys): (&usize, &PhysType)| {
            let known = keys.params.iter().find(|(s, _)| s == slot);
            Ok(Arc::new(match known {
                Some((_, values)) => values.take(rows.iter().copied()),
                None => Vector::constant(*phys, &cx.exec_param(*slot)?, rows.len()),
            }))
        };
        self.slots.iter().zip(&self.phys).map(value).collect()
    }
}

/// The column that stands for a parameter.
pub(super) fn as_column(p: &Param, found: &mut Vec<Param>) -> Expr {
    let at = found
        .iter()
        .position(|f| f.number == p.number)
        .unwrap_or_else(|| {
            found.push(p.clone());
            found.len() - 1
        });
    Expr::Var(Var {
        source: VarSource::Outer,
        attno: at as i16 + 1,
        type_ref: p.type_ref,
        collation: p.collation,
        nulling_rels: nodes::RelIds::empty(),
        returning: Default::default(),
        span: p.span,
    })
}

impl IndexScanOp {
    /// Looks up as many outer rows as give the inner rows wanted; `None` when this scan takes one outer row at a time.
    pub(super) fn probe_keys(&mut self, cx: &mut Cx<'_>, keys: &OuterKeys<'_>) -> PgResult<Option<Matches>> {
        let node = Arc::clone(&self.node);
        let Some((sources, unbound)) = &node.probe else {
            return Ok(None);
        };
        if self.probe_projector.is_none() {
            self.probe_projector = Some(unbound.projection.open());
        }
        if self.probing.is_none() {
            let target = &node.parts.target;
            self.probing = Some(Probing {
                table: target.open(cx)?,
                index: cx.ext.relations.index(&node.method.desc, &target.desc)?,
                scan: None,
                prefix: Vec::new(),
                keys: KeyList::default(),
                rows: Vec::new(),
                found: Vec::new(),
            });
        }
        let Some(probing) = &mut self.probing else {
            return Ok(None);
        };
        let (mut ids, mut owners) = (Vec::new(), Vec::new());
        let mut values = Vec::with_capacity(sources.len());
        let mut next = keys.next;
        while next < keys.selection.len() && ids.len() < keys.limit {
            if node.probes_unique {
                let to = keys
                    .selection
                    .len()
                    .min(next + TOGETHER.min(keys.limit - ids.len()));
                for row in next..to {
                    if key_values(cx, &node, sources, (keys, row), &mut values)? {
                        probing.keys.push(&probing.index, &values);
                        probing.rows.push(row as u32);
                    }
                }
                probing.look_up(cx, &mut ids, &mut owners)?;
                next = to;
                continue;
            }
            if probing.scan.is_none() {
                if key_values(cx, &node, sources, (keys, next), &mut values)? {
                    probing.begin(cx, &node, &values, keys.limit, &mut ids)?;
                }
            }
            probing.read(keys.limit, &mut ids)?;
            owners.resize(ids.len(), next as u32);
            if probing.scan.is_some() {
                break;
            }
            next += 1;
        }
        let partial = probing.scan.is_some();
        let (batch, outer) = self.rows(cx, keys, &ids, &owners)?;
        Ok(Some(Matches {
            batch,
            outer,
            next,
            partial,
        }))
    }

    /// Fetches rows and puts them through conditions and target list.
    fn rows(
        &mut self,
        cx: &mut Cx<'_>,
        keys: &OuterKeys<'_>,
        ids: &[RowId],
        owners: &[u32],
    ) -> PgResult<(Option<Batch>, Vec<u32>)> {
        let target = &self.node.parts.target;
        let Some(probing) = self.probing.as_ref().filter(|_| !ids.is_empty()) else {
            return Ok((None, Vec::new()));
        };
        let mut out: Vec<Vector> = target.phys.iter().map(|p| Vector::empty(*p)).collect();
        let mut found = Vec::with_capacity(ids.len());
        probing
            .table
            .fetch_batch(ids, cx.ext.snapshot, &target.columns, &mut out, &mut found)?;
        let count = found.len();
        let mut columns: Vec<Arc<Vector>> = out.into_iter().map(Arc::new).collect();
        let rows = || found.iter().map(|&k| ids[k as usize]);
        if target.ctid {
            columns.push(system::tids(rows()));
        }
        target.complete(&mut columns, count);
        target.add_system(cx, cx.ext.snapshot, rows().map(Some), &mut columns)?;
        let (Some(unbound), Some(projector)) = (&self.node.probe, &mut self.probe_projector) else {
            return Err(internal!("index probe without its expressions"));
        };
        let mut values = Vec::new();
        if !unbound.1.slots.is_empty() {
            let position = |&k: &u32| keys.selection.position(owners[k as usize] as usize);
            let rows: Vec<usize> = found.iter().map(position).collect();
            values = unbound.1.values(cx, keys, &rows)?;
        }
        let inputs = Inputs {
            rows: count,
            scan: &columns,
            outer: &values,
            inner: &[],
        };
        let Some(batch) = projector.apply(cx, inputs, &Selection::All(count))? else {
            return Ok((None, Vec::new()));
        };
        let owner = |at: usize| owners[found[at] as usize];
        let outer = batch.selection.iter().map(owner).collect();
        Ok((Some(batch), outer))
    }
}

impl Probing {
    /// Looks the keys up that have been collected: at most one row each.
    fn look_up(&mut self, cx: &Cx<'_>, ids: &mut Vec<RowId>, owners: &mut Vec<u32>) -> PgResult<()> {
        let all = self
            .index
            .lookup_many(cx.ext.snapshot, &self.keys, &mut self.found);
        self.keys.clear();
        let rows = self.rows.drain(..).zip(self.found.drain(..));
        for (row, id) in rows.filter_map(|(row, id)| Some((row, id?))) {
            ids.push(id);
            owners.push(row);
        }
        all
    }

    /// Begins to read the entries of a key.
    fn begin(
        &mut self,
        cx: &Cx<'_>,
        node: &IndexScanNode,
        values: &[Datum],
        limit: usize,
        ids: &mut Vec<RowId>,
    ) -> PgResult<()> {
        self.index.encode_prefix(values, &mut self.prefix);
        let room = limit.saturating_sub(ids.len());
        if self.index.lookup_all(cx.ext.snapshot, &self.prefix, room, ids)? {
            return Ok(());
        }
        let bounds = self.index.bounds_equal(values);
        self.scan = Some(self.index.scan(cx.ext.snapshot, bounds, node.direction));
        Ok(())
    }

    /// Reads the entries of the key under way; the scan stays when there may be more.
    fn read(&mut self, limit: usize, ids: &mut Vec<RowId>) -> PgResult<()> {
        let Some(scan) = &mut self.scan else {
            return Ok(());
        };
        while ids.len() < limit {
            if !scan.next_rows(limit - ids.len(), ids)? {
                self.scan = None;
                break;
            }
        }
        Ok(())
    }

    /// Forgets the outer row that is half done.
    pub(super) fn stop(&mut self) {
        self.scan = None;
    }
}

/// The key of an outer row; false when nothing can be equal to it.
fn key_values(
    cx: &Cx<'_>,
    node: &IndexScanNode,
    sources: &[KeySource],
    (keys, row): (&OuterKeys<'_>, usize),
    out: &mut Vec<Datum>,
) -> PgResult<bool> {
    out.clear();
    let position = keys.selection.position(row);
    for (column, source) in sources.iter().enumerate() {
        let value = match source {
            KeySource::Const(value) => value.clone(),
            KeySource::Param(slot) => match keys.params.iter().find(|(s, _)| s == slot) {
                Some((_, values)) => values.datum(position),
                // Of a loop further out: the same for all these rows.
                None => cx.exec_param(*slot)?,
            },
        };
        match node.method.key_value(column, value) {
            Some(value) => out.push(value),
            None => return Ok(false),
        }
    }
    Ok(true)
}
