//! The inner side of a nested loop by one scan of its table, for many outer rows that are known beforehand.
//!
//! # How it works
//! PostgreSQL's planner weighs a lookup against pages of rows; here a lookup is a chain of cache misses, and a scan reads nothing but the
//! columns in question. So where many outer rows wait, their keys are collected, the table is read once, and rows with one of the keys are
//! kept, chained by key in the order in which the index would have given them.
//!
//! Participants of a Gather put the keys of their outer rows together and divide the scan ([`crate::parallel::gathering`]).
//!
//! # Invariants
//! - Conditions that could fail are tested only for rows that some outer row asks for: the lookups would have tested them, too.
//! - Rows of one key come in the order of the index: by its further columns, then by row id.

use std::ops::Range;
use std::sync::Arc;

use access::{ScanRequest, Table};
use common::{AttrNumber, PgResult, internal};
use expr::{ExprProgram, Inputs};
use nodes::expr::{Param, ParamKind, VarSource};
use nodes::plan::IndexScan;
use nodes::query::TargetEntry;
use nodes::{Expr, Plan, walk};
use types::key::KeyColumn;
use types::{BATCH_ROWS, Batch, Datum, PhysType, Selection, Vector};

use super::IndexMethod;
use super::probe::{KeySource, as_column};
use crate::compile::{Compiler, ParamDeps, ScanMap, column_refs};
use crate::cx::Cx;
use crate::ints::{KeySet, integers};
use crate::node::{Eval, filter_all};
use crate::ops::scan::ScanTarget;
use crate::parallel::gathering::{FoundRows, GatherShare, JointKeys, OuterKeys, Participant};
use crate::store::{MemoryUse, RowStore};

/// Outer rows that wait, and the values of the loop's parameters by position.
pub(crate) struct Waiting {
    pub batch: Batch,
    pub params: Vec<(usize, Arc<Vector>)>,
}

/// Outer rows that are known beforehand.
pub(crate) struct GatherCall<'a> {
    pub waiting: &'a [Waiting],
    /// The join looks at every pair.
    pub every_pair: bool,
    /// Room for the rows found.
    pub bytes_max: usize,
    /// How many rows lookups have found each, if there were any.
    pub rows_per_lookup: Option<f64>,
    /// With other participants, to whom these outer rows are all that there are.
    pub together: Option<&'a mut Participant>,
}

/// What a scan for the outer rows came to.
pub(crate) enum Gathering {
    Done(Box<Gathered>),
    /// Too many rows; fewer outer rows may do.
    TooMuch,
    /// Lookups are cheaper, or the scan cannot take their place.
    Lookups,
}

/// The inner rows of all outer rows that waited.
pub(crate) struct Gathered {
    pub rows: Arc<GatheredRows>,
    /// Of each outer row, in order: the number of its key plus 1; 0 for one that matches nothing.
    slots: Vec<u32>,
    /// Conditions that read the outer row.
    pub pairs: Option<PairFilter>,
}

/// Rows by key.
pub(crate) struct GatheredRows {
    /// Inner rows as the scan hands them out.
    pub columns: Vec<Arc<Vector>>,
    /// Where the rows of each key begin in `order`, and where those of the last end.
    starts: Vec<u32>,
    order: Vec<u32>,
    /// The columns scanned that are kept.
    scanned: Vec<Option<Arc<Vector>>>,
    _memory: [MemoryUse; 1],
    _store: Option<RowStore>,
}

impl Gathered {
    /// Numbers of the inner rows of an outer row.
    #[inline]
    pub fn rows(&self, outer: usize) -> &[u32] {
        let GatheredRows { starts, order, .. } = &*self.rows;
        match self.slots[outer].checked_sub(1) {
            Some(slot) => &order[starts[slot as usize] as usize..starts[slot as usize + 1] as usize],
            None => &[],
        }
    }
}

/// Conditions on pairs of an outer row and an inner row.
pub(crate) struct PairFilter {
    filters: Vec<Eval>,
    /// What the conditions read: columns scanned and parameters.
    columns: Vec<Option<Arc<Vector>>>,
    params: Arc<[(usize, PhysType)]>,
}

impl PairFilter {
    /// Which of the pairs pass.
    pub fn apply(
        &mut self,
        cx: &mut Cx<'_>,
        params: &[(usize, Arc<Vector>)],
        [outer, inner]: [&[u32]; 2],
    ) -> PgResult<Selection> {
        let rows = outer.len();
        let filler = Arc::new(Vector::constant(PhysType::Bool, &Datum::Null, rows));
        let take = |column: &Vector, rows: &[u32]| Arc::new(column.take(rows.iter().map(|&r| r as usize)));
        let scan: Vec<Arc<Vector>> = self
            .columns
            .iter()
            .map(|column| {
                column
                    .as_ref()
                    .map_or_else(|| Arc::clone(&filler), |c| take(c, inner))
            })
            .collect();
        let mut values = Vec::with_capacity(self.params.len());
        for (slot, phys) in self.params.iter() {
            values.push(match params.iter().find(|(s, _)| s == slot) {
                Some((_, vector)) => take(vector, outer),
                None => Arc::new(Vector::constant(*phys, &exec_param(cx, *slot)?, rows)),
            });
        }
        let inputs = Inputs {
            rows,
            scan: &scan,
            outer: &values,
            inner: &[],
        };
        filter_all(&mut self.filters, cx, inputs, &Selection::All(rows))
    }
}

fn exec_param(cx: &Cx<'_>, slot: usize) -> PgResult<Datum> {
    use expr::Runtime;
    cx.exec_param(slot)
}

/// How an index scan's table is scanned instead.
pub(super) struct GatherNode {
    target: ScanTarget,
    /// Where the value of each key column comes from, and its place among the columns scanned.
    keys: Vec<(KeySource, usize)>,
    /// Places of the index's further columns.
    further: Vec<usize>,
    /// Conditions on rows alone: those that cannot fail, and the others.
    before: Vec<Arc<ExprProgram>>,
    after: Vec<Arc<ExprProgram>>,
    targets: Vec<Arc<ExprProgram>>,
    /// Conditions that read parameters, the places that they read, the parameters.
    pairs: Vec<Arc<ExprProgram>>,
    pair_columns: Vec<usize>,
    params: Arc<[(usize, PhysType)]>,
    /// Columns to keep: those of the output, of pairs, of the order.
    kept: Vec<usize>,
    /// Rows that the planner expects per lookup.
    rows_per_lookup: f64,
}

/// Integers that may be told apart by 64 bits: one column of any width, or two of up to 32 bits each.
fn suits(columns: &[KeyColumn]) -> bool {
    let is = |c: &KeyColumn, kinds: &[PhysType]| {
        kinds.contains(&c.phys)
            && matches!(
                c.type_oid,
                types::oids::INT2 | types::oids::INT4 | types::oids::INT8
            )
    };
    match columns {
        [one] => is(one, &[PhysType::Int2, PhysType::Int4, PhysType::Int8]),
        [a, b] => [a, b].iter().all(|c| is(c, &[PhysType::Int2, PhysType::Int4])),
        _ => false,
    }
}

/// The expressions of a scan, with parameters as columns of the outer side.
struct Exprs {
    quals: Vec<Expr>,
    pairs: Vec<Expr>,
    targets: Vec<TargetEntry>,
    params: Vec<Param>,
}

impl Exprs {
    /// `None` when something reads parameters in a way that needs one outer row at a time.
    fn of(c: &Compiler<'_>, plan: &Plan, table: &catalog::desc::RelationDesc) -> Option<Exprs> {
        let mut out = Exprs {
            quals: Vec::new(),
            pairs: Vec::new(),
            targets: Vec::new(),
            params: Vec::new(),
        };
        let depends = |e: &Expr| !ParamDeps::of_exprs(std::slice::from_ref(e), &c.plan.subplans).is_empty();
        for qual in &plan.qual {
            let mut e = catalog::virtual_columns::over_stored_row(qual, table);
            if !depends(&e) {
                out.quals.push(e);
                continue;
            }
            let mut subplans = false;
            walk::rewrite(&mut e, &mut |e| match e {
                Expr::Param(p) if p.kind == ParamKind::Exec => *e = as_column(p, &mut out.params),
                Expr::SubPlan(_) => subplans = true,
                _ => {}
            });
            if subplans {
                return None;
            }
            out.pairs.push(e);
        }
        for target in &plan.target_list {
            let expr = catalog::virtual_columns::over_stored_row(&target.expr, table);
            if depends(&expr) {
                return None;
            }
            out.targets.push(TargetEntry {
                expr,
                ..target.clone()
            });
        }
        Some(out)
    }
}

/// An index of which a scan can take the place.
struct KeyShape {
    /// Where the values of the leading columns come from, and which columns of the table they are.
    sources: Vec<KeySource>,
    key: Vec<AttrNumber>,
    /// The columns behind them, unless the key is unique.
    further: Vec<AttrNumber>,
}

impl KeyShape {
    fn of(method: &IndexMethod) -> Option<KeyShape> {
        let sources = method.equal_keys()?;
        let (key, rest) = method.key_columns().split_at_checked(sources.len())?;
        let (attnos, behind) = method.attnos.split_at_checked(key.len())?;
        let further = match method.unique_key() {
            Some(_) => 0,
            None => rest.len(),
        };
        let shape = KeyShape {
            sources,
            key: attnos.to_vec(),
            further: behind.get(..further)?.to_vec(),
        };
        let plain = |c: &KeyColumn| suits(std::slice::from_ref(c)) && !c.descending && !c.nulls_first;
        let stored = shape.key.iter().chain(&shape.further).all(|attno| *attno > 0);
        (suits(key) && rest[..further].iter().all(plain) && stored).then_some(shape)
    }
}

impl GatherNode {
    /// `None` for a scan that only lookups can do.
    pub fn compile(
        c: &Compiler<'_>,
        plan: &Plan,
        s: &IndexScan,
        method: &IndexMethod,
        table: &Arc<catalog::desc::RelationDesc>,
    ) -> PgResult<Option<GatherNode>> {
        let (Some(shape), Some(exprs)) = (KeyShape::of(method), Exprs::of(c, plan, table)) else {
            return Ok(None);
        };
        let mut used = [&shape.key[..], &shape.further].concat();
        let read = exprs.quals.iter().chain(&exprs.pairs);
        let targets = || exprs.targets.iter().map(|t| &t.expr);
        read.chain(targets())
            .for_each(|e| column_refs(e, VarSource::Scan, &mut used));
        let target = ScanTarget::new(s.rt_index, Arc::clone(table), &used)?;
        if !target.system.is_empty() {
            return Ok(None);
        }
        let place = |attno: &AttrNumber| target.attnos.iter().position(|a| a == attno).unwrap_or_default();
        let places = |exprs: &mut dyn Iterator<Item = &Expr>| {
            let mut read = Vec::new();
            exprs.for_each(|e| column_refs(e, VarSource::Scan, &mut read));
            read.iter().map(place).collect::<Vec<usize>>()
        };
        let pair_columns = places(&mut exprs.pairs.iter());
        let mut kept = places(&mut targets());
        let further: Vec<usize> = shape.further.iter().map(place).collect();
        kept.extend(pair_columns.iter().chain(&further));
        kept.sort_unstable();
        kept.dedup();
        let map = ScanMap::Attnos(&target.attnos);
        let quals = c.programs(&exprs.quals, map)?;
        let (before, after) = quals.into_iter().partition(|q| q.is_harmless());
        let phys = exprs
            .params
            .iter()
            .map(|p| Ok((p.number, c.phys(p.type_ref.oid)?)));
        let node = GatherNode {
            keys: shape
                .sources
                .into_iter()
                .zip(shape.key.iter().map(place))
                .collect(),
            further,
            before,
            after,
            targets: c.projection_of(&[], &exprs.targets, map)?.targets,
            pairs: c.programs(&exprs.pairs, map)?,
            pair_columns,
            params: phys.collect::<PgResult<Vec<_>>>()?.into(),
            kept,
            rows_per_lookup: plan.cost.rows.max(1.0),
            target,
        };
        let harmless = node.pairs.iter().all(|p| p.is_harmless())
            && (node.pairs.is_empty() || node.after.is_empty())
            && node
                .targets
                .iter()
                .all(|t| t.as_column().is_some() || t.as_const().is_some());
        Ok(harmless.then_some(node))
    }
}

/// What a row of a scan costs beside a lookup, and each row that it finds: nanoseconds, roughly.
const SCAN_ROW: f64 = 6.0;
const LOOKUP: f64 = 1000.0;
const LOOKUP_ROW: f64 = 600.0;

impl GatherNode {
    fn pays(&self, table: &Table, outer: usize, rows_per_lookup: Option<f64>) -> bool {
        let scan = table.row_id_end().0 as f64 * SCAN_ROW;
        let rows = rows_per_lookup.unwrap_or(self.rows_per_lookup);
        scan < outer as f64 * (LOOKUP + LOOKUP_ROW * rows)
    }

    /// Reads the table for all rows that wait.
    pub fn gather(&self, cx: &mut Cx<'_>, call: &mut GatherCall<'_>) -> PgResult<Gathering> {
        let outer = call.waiting.iter().map(|w| w.batch.len()).sum();
        let table = self.target.open(cx)?;
        // Serializable transactions are told what was read: a scan would be all.
        if cx.ext.snapshot.serial != 0 || !call.every_pair && !self.after.is_empty() {
            return Ok(Gathering::Lookups);
        }
        if let Some(participant) = call.together.take()
            && let Some(done) = self.gather_together(cx, call, &table, participant)?
        {
            return Ok(done);
        }
        if !self.pays(&table, outer, call.rows_per_lookup) {
            return Ok(Gathering::Lookups);
        }
        let OuterKeys { keys, except } = self.outer_keys(cx, call.waiting, outer)?;
        let (keys, slots) = KeySet::of(&keys, &except);
        let Some(found) = self.scan(cx, &table, &keys, call.bytes_max, None)? else {
            return Ok(Gathering::TooMuch);
        };
        let rows = self.chain(cx, vec![found], &keys, slots.len())?;
        Ok(self.gathered(Arc::new(rows), slots))
    }

    /// The same for the outer rows of all participants. `None`: each for itself.
    fn gather_together(
        &self,
        cx: &mut Cx<'_>,
        call: &GatherCall<'_>,
        table: &Table,
        participant: &mut Participant,
    ) -> PgResult<Option<Gathering>> {
        let Some(team) = cx.run.team.clone() else {
            return Ok(None);
        };
        let outer = call.waiting.iter().map(|w| w.batch.len()).sum();
        let keys = self.outer_keys(cx, call.waiting, outer)?;
        let make = |offers: Vec<OuterKeys>| {
            let outer = offers.iter().map(|o| o.keys.len()).sum();
            self.pays(table, outer, None).then(|| JointKeys::of(offers))
        };
        let Some(joint) = participant.offer(keys, &team, make)? else {
            return Ok(None);
        };
        let bytes_max = call.bytes_max.saturating_mul(joint.slots.len());
        let Some(found) = self.scan(cx, table, &joint.keys, bytes_max, Some(participant.share()))? else {
            participant.give_up();
            return Ok(None);
        };
        let outer = joint.slots.iter().map(Vec::len).sum();
        let rows = participant.finish(found, &team, |found| self.chain(cx, found, &joint.keys, outer))?;
        let slots = joint.slots.get(participant.number()).cloned();
        Ok(rows.zip(slots).map(|(rows, slots)| self.gathered(rows, slots)))
    }

    fn gathered(&self, rows: Arc<GatheredRows>, slots: Vec<u32>) -> Gathering {
        let pairs = (!self.pairs.is_empty()).then(|| {
            let read = |(place, column): (usize, &Option<Arc<Vector>>)| {
                column.clone().filter(|_| self.pair_columns.contains(&place))
            };
            PairFilter {
                filters: Eval::all(&self.pairs),
                columns: rows.scanned.iter().enumerate().map(read).collect(),
                params: Arc::clone(&self.params),
            }
        });
        Gathering::Done(Box::new(Gathered { rows, slots, pairs }))
    }

    fn phys(&self, place: usize) -> PhysType {
        match self.target.phys.get(place) {
            Some(phys) => *phys,
            None if self.target.ctid && place == self.target.phys.len() => PhysType::Int8,
            None => PhysType::Oid,
        }
    }

    /// The keys that outer rows ask for.
    fn outer_keys(&self, cx: &Cx<'_>, waiting: &[Waiting], outer: usize) -> PgResult<OuterKeys> {
        let (mut all, mut except) = (Vec::with_capacity(outer), Vec::new());
        for w in waiting {
            let mut columns = Vec::with_capacity(self.keys.len());
            for (source, _) in &self.keys {
                let constant = |value: Datum| Arc::new(Vector::constant(class(&value), &value, w.batch.rows));
                columns.push(match source {
                    KeySource::Const(value) => constant(value.clone()),
                    KeySource::Param(slot) => match w.params.iter().find(|(s, _)| s == slot) {
                        Some((_, values)) => Arc::clone(values),
                        None => constant(exec_param(cx, *slot)?),
                    },
                });
            }
            if !packed(&columns, &w.batch.selection, &mut all, &mut except) {
                let end = all.len() + w.batch.len();
                except.extend(all.len() as u32..end as u32);
                all.resize(end, 0);
            }
        }
        Ok(OuterKeys { keys: all, except })
    }

    /// Collects the rows with one of the keys, of the whole table or of the morsels that fall to this participant; `None` when they are too
    /// many.
    fn scan(
        &self,
        cx: &mut Cx<'_>,
        table: &Table,
        keys: &KeySet,
        bytes_max: usize,
        share: Option<&GatherShare>,
    ) -> PgResult<Option<FoundRows>> {
        let phys: Vec<PhysType> = self.kept.iter().map(|&place| self.phys(place)).collect();
        let mut found = FoundRows::new(&phys);
        if keys.count() == 0 {
            return Ok(Some(found));
        }
        let mut request = ScanRequest::columns(self.target.columns.clone());
        request.row_ids = self.target.needs_row_ids();
        match share {
            Some(_) => request.rows = Some(0..0),
            None => found.morsels.push((0, 0)),
        }
        let mut scan = table.scan(cx.ext.snapshot, request);
        let mut tests = Tests {
            before: Eval::all(&self.before),
            after: Eval::all(&self.after),
            wanted: Vec::new(),
            except: Vec::new(),
        };
        let mut bytes = 0;
        loop {
            let Some(mut batch) = scan.next_batch(BATCH_ROWS)? else {
                let Some(rows) = share.and_then(|share| share.morsels.claim(table)) else {
                    break;
                };
                found.morsels.push((rows.start, found.slots.len()));
                scan.go_on(rows);
                continue;
            };
            cx.check()?;
            self.target.complete_batch(cx, &mut batch)?;
            if !self.keep(cx, &batch, keys, &mut tests, &mut found)? {
                continue;
            }
            let now = found.store.memory_bytes() + found.slots.len() * ROW_BYTES;
            let too_much = match share {
                Some(share) => share.outgrows(now.saturating_sub(bytes), bytes_max),
                None => now > bytes_max,
            };
            if too_much {
                return Ok(None);
            }
            bytes = bytes.max(now);
        }
        Ok(Some(found))
    }

    /// Adds the rows of a batch that have one of the keys; false when there are none.
    fn keep(
        &self,
        cx: &mut Cx<'_>,
        batch: &Batch,
        keys: &KeySet,
        tests: &mut Tests,
        found: &mut FoundRows,
    ) -> PgResult<bool> {
        let inputs = Inputs::scan(&batch.columns, batch.rows);
        let mut sel = filter_all(&mut tests.before, cx, inputs, &batch.selection)?;
        if sel.is_empty() {
            return Ok(false);
        }
        tests.wanted.clear();
        tests.except.clear();
        let column = |place: &usize| Arc::clone(&batch.columns[*place]);
        let columns: Vec<Arc<Vector>> = self.keys.iter().map(|(_, place)| column(place)).collect();
        if !packed(&columns, &sel, &mut tests.wanted, &mut tests.except) {
            return Err(internal!("index keys of another class"));
        }
        let mut slots = Vec::new();
        sel = keys.filter(&tests.wanted, &tests.except, &sel, &mut slots);
        if !tests.after.is_empty() && !sel.is_empty() {
            let before = std::mem::replace(&mut sel, Selection::All(0));
            sel = filter_all(&mut tests.after, cx, inputs, &before)?;
            let mut passed = sel.iter().peekable();
            let mut kept = before.iter().map(|p| passed.next_if_eq(&p).is_some());
            slots.retain(|_| kept.next().unwrap_or(false));
        }
        if sel.is_empty() {
            return Ok(false);
        }
        found.slots.append(&mut slots);
        let columns: Vec<Arc<Vector>> = self.kept.iter().map(column).collect();
        found.store.append(cx, &columns, &sel)?;
        Ok(true)
    }

    /// Chains the rows by key. `outer`: how many outer rows ask for them.
    fn chain(
        &self,
        cx: &mut Cx<'_>,
        found: Vec<FoundRows>,
        keys: &KeySet,
        outer: usize,
    ) -> PgResult<GatheredRows> {
        let morsels = in_order(&found);
        let mut parts = found.into_iter();
        let (mut store, mut slots) = match parts.next() {
            Some(first) => (first.store, first.slots),
            None => (RowStore::new(&[]), Vec::new()),
        };
        for mut part in parts {
            let (columns, rows) = part.store.drain_columns();
            store.append(cx, &columns, &Selection::All(rows))?;
            slots.append(&mut part.slots);
        }
        let mut memory = MemoryUse::default();
        let keys_bytes = keys.memory_bytes() + (outer + keys.count()) * 4;
        memory.cover(cx, slots.len() * ROW_BYTES + keys_bytes)?;
        let keys = keys.count();
        let (columns, rows) = store.drain_columns();
        let mut scanned: Vec<Option<Arc<Vector>>> = vec![None; self.target.attnos.len()];
        for (&place, column) in self.kept.iter().zip(columns) {
            scanned[place] = Some(column);
        }
        let mut starts = vec![0_u32; keys + 2];
        slots.iter().for_each(|&slot| starts[slot as usize + 2] += 1);
        for slot in 2..starts.len() {
            starts[slot] += starts[slot - 1];
        }
        let mut order = vec![0_u32; rows];
        for row in morsels.into_iter().flatten() {
            let next = &mut starts[slots[row] as usize + 1];
            order[*next as usize] = row as u32;
            *next += 1;
        }
        starts.truncate(keys + 1);
        self.as_index_orders(&scanned, &starts, &mut order);
        let filler = Arc::new(Vector::constant(PhysType::Bool, &Datum::Null, rows));
        let inputs: Vec<Arc<Vector>> = scanned
            .iter()
            .map(|c| Arc::clone(c.as_ref().unwrap_or(&filler)))
            .collect();
        let every = Selection::All(rows);
        let columns = self
            .targets
            .iter()
            .map(|t| Eval::new(t).vector(cx, Inputs::scan(&inputs, rows), &every));
        Ok(GatheredRows {
            columns: columns.collect::<PgResult<_>>()?,
            starts,
            order,
            scanned,
            _memory: [memory],
            _store: Some(store),
        })
    }

    /// Brings the rows of each key into the order of the index's further columns.
    fn as_index_orders(&self, scanned: &[Option<Arc<Vector>>], starts: &[u32], order: &mut [u32]) {
        if self.further.is_empty() {
            return;
        }
        let mut words: Vec<Vec<i64>> = Vec::new();
        for &place in &self.further {
            let mut values = Vec::new();
            let Some(column) = &scanned[place] else { continue };
            if !integers(column, &Selection::All(order.len()), &mut values) {
                continue;
            }
            for (row, value) in values.iter_mut().enumerate().filter(|_| column.may_have_nulls()) {
                // NULLs come last.
                if column.is_null(row) {
                    *value = i64::MAX;
                }
            }
            words.push(values);
        }
        let key = |row: u32| words.iter().map(move |w| w[row as usize]);
        for bounds in starts.windows(2) {
            let rows = &mut order[bounds[0] as usize..bounds[1] as usize];
            if !rows.is_sorted_by(|a, b| key(*a).le(key(*b))) {
                rows.sort_by(|a, b| key(*a).cmp(key(*b)));
            }
        }
    }
}

/// What the number of a row's key and its place in a chain take.
const ROW_BYTES: usize = 8;

/// What a scan tests rows with, and room for their keys.
struct Tests {
    before: Vec<Eval>,
    after: Vec<Eval>,
    wanted: Vec<i64>,
    except: Vec<u32>,
}

/// The rows of all participants, as they are numbered one behind the other, in the order of the table.
fn in_order(found: &[FoundRows]) -> Vec<Range<usize>> {
    let (mut morsels, mut base) = (Vec::new(), 0);
    for part in found {
        let ends = part.morsels.iter().skip(1).map(|(_, row)| *row);
        let ends = ends.chain([part.slots.len()]);
        let rows = |((first, start), end): (&(u64, usize), usize)| (*first, base + start..base + end);
        morsels.extend(part.morsels.iter().zip(ends).map(rows));
        base += part.slots.len();
    }
    morsels.sort_unstable_by_key(|(first, _)| *first);
    morsels.into_iter().map(|(_, rows)| rows).collect()
}

/// The class that a constant of a key has.
fn class(value: &Datum) -> PhysType {
    match value {
        Datum::Int2(_) => PhysType::Int2,
        Datum::Int4(_) => PhysType::Int4,
        _ => PhysType::Int8,
    }
}

/// The keys of the selected rows as one integer each, added to `out`, and the numbers of those that can be equal to nothing, NULLs and what
/// fits no column of the index, to `except`; false, and nothing added, for values of other classes.
fn packed(columns: &[Arc<Vector>], sel: &Selection, out: &mut Vec<i64>, except: &mut Vec<u32>) -> bool {
    let start = out.len();
    let mut low = Vec::new();
    match columns {
        [one] => {
            if !integers(one, sel, &mut low) {
                return false;
            }
            out.append(&mut low);
        }
        [one, two] => {
            let mut high = Vec::new();
            if !integers(one, sel, &mut high) || !integers(two, sel, &mut low) {
                return false;
            }
            let fits = |v: i64| i32::try_from(v).is_ok();
            let misfits = (start..)
                .zip(high.iter().zip(&low))
                .filter(|(_, (a, b))| !fits(**a) || !fits(**b));
            except.extend(misfits.map(|(at, _)| at as u32));
            out.extend(high.iter().zip(&low).map(|(a, b)| a << 32 | i64::from(*b as u32)));
        }
        _ => return false,
    }
    for column in columns.iter().filter(|column| column.may_have_nulls()) {
        let nulls = (start..)
            .zip(sel.iter())
            .filter(|(_, position)| column.is_null(*position));
        except.extend(nulls.map(|(at, _)| at as u32));
    }
    except.sort_unstable();
    except.dedup();
    true
}
