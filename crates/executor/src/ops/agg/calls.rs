//! Aggregate calls: arguments, FILTER, DISTINCT and ORDER BY, accumulators.

use std::cmp::Ordering;
use std::sync::Arc;

use common::{Oid, PgResult, internal, unsupported};
use expr::{ExprProgram, Inputs};
use functions::framework::aggregate::MakeAccumulator;
use functions::{Accumulator, CallInfo, FnCache, Place};
use nodes::Expr;
use nodes::expr::{AggSplit, Aggref};
use nodes::plan::SortKey;
use nodes::query::SortGroupClause;
use rustc_hash::FxHashMap;
use types::settings::TypeRef;
use types::{BATCH_ROWS, Batch, PhysType, Selection, Vector, VectorData};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::groups::GroupTable;
use crate::keys::{EqualKeys, Equality, Order, compare_rows};
use crate::node::Eval;
use crate::ops::agg::calls::ordered::{distinct, seen};
use crate::ops::agg::user::{AggCode, AggSignature};
use crate::parallel::partial::{PartialStates, StateRef};
use crate::spill::sorter::Sorter;

mod ordered;
mod shared;

/// One aggregate call, compiled.
pub(crate) struct AggCall {
    code: AggCode,
    /// The call, of aggregates made by users: another call with the same arguments may use its states.
    user_call: Option<Box<Aggref>>,
    info: CallInfo,
    /// Direct arguments of ordered-set aggregates, aggregated arguments, then those that only ORDER BY needs.
    args: Vec<Arc<ExprProgram>>,
    /// How many of them the accumulator gets.
    aggregated: usize,
    /// Number of direct arguments of a hypothetical-set aggregate.
    hypothetical: Option<usize>,
    filter: Option<Arc<ExprProgram>>,
    ordered: Option<Ordered>,
    result: PhysType,
    /// The column of the input with the [`StateRef`]s that a finishing node merges.
    state_column: Option<usize>,
}

/// DISTINCT or ORDER BY inside a call: rows are kept and sorted. Column 0 of the kept rows is the group.
struct Ordered {
    phys: Vec<PhysType>,
    orders: Vec<Order>,
    distinct: Vec<(usize, Equality)>,
    /// The rows come in order: nothing is kept.
    presorted: bool,
    /// DISTINCT of an aggregate for which the order of its input is all the same: the keys of a hash table of what came already.
    hashed: Option<EqualKeys>,
}

/// `count`, `sum` and `avg` of integers: for DISTINCT of these no order is needed. (Equal numbers of type `numeric` may differ in scale.)
const ORDERLESS: [Oid; 7] = [
    Oid(2100),
    Oid(2101),
    Oid(2102),
    Oid(2107),
    Oid(2108),
    Oid(2109),
    Oid(2147),
];

impl AggCall {
    pub fn compile(c: &Compiler<'_>, e: &Expr) -> PgResult<AggCall> {
        let Expr::Aggref(a) = e else {
            return Err(internal!("aggregate call expected"));
        };
        if a.split == AggSplit::Final {
            let make = functions::aggregate(a.func);
            let make = make.ok_or_else(|| internal!("partial states of an aggregate that has none"))?;
            return AggCall::finishing(c, a, make);
        }
        let (used, junk): (Vec<_>, Vec<_>) = a.args.iter().partition(|t| !t.resjunk);
        let direct = a.direct_args.iter();
        let info = CallInfo {
            proc: a.func,
            args: direct
                .clone()
                .chain(used.iter().map(|t| &t.expr))
                .map(Expr::type_ref)
                .collect(),
            result: a.result,
            collation: a.input_collation,
            variadic: a.variadic,
            columns: Vec::new(),
        };
        let code = AggCode::compile(
            c,
            &AggSignature {
                func: a.func,
                args: &info.args,
                direct: a.direct_args.len(),
                trans_type: Some(a.trans_type),
                result: a.result,
                collation: a.input_collation,
            },
        )?;
        let all: Vec<&nodes::query::TargetEntry> = used.iter().chain(&junk).copied().collect();
        Ok(AggCall {
            user_call: matches!(code, AggCode::User(_)).then(|| Box::new((**a).clone())),
            code,
            info,
            args: direct
                .clone()
                .chain(all.iter().map(|t| &t.expr))
                .map(|e| c.program(e, ScanMap::None))
                .collect::<PgResult<_>>()?,
            aggregated: direct.len() + used.len(),
            hypothetical: (a.kind == b'h').then_some(direct.len()),
            filter: a
                .filter
                .as_ref()
                .map(|f| c.program(f, ScanMap::None))
                .transpose()?,
            ordered: ordered(c, a, &all)?,
            result: c.phys(a.result.oid)?,
            state_column: None,
        })
    }

    /// A call whose states come from partial aggregation: its argument is the column that refers to them.
    fn finishing(c: &Compiler<'_>, a: &Aggref, make: MakeAccumulator) -> PgResult<AggCall> {
        let column = a.args.first().and_then(|t| match &t.expr {
            Expr::Var(v) => usize::try_from(v.attno - 1).ok(),
            _ => None,
        });
        let column = column.ok_or_else(|| internal!("finishing aggregate without its states"))?;
        Ok(AggCall {
            code: AggCode::Builtin(make),
            user_call: None,
            info: CallInfo {
                proc: a.func,
                args: a.arg_types.iter().map(|t| TypeRef::plain(*t)).collect(),
                result: a.result,
                collation: a.input_collation,
                variadic: a.variadic,
                columns: Vec::new(),
            },
            args: Vec::new(),
            aggregated: 0,
            hypothetical: None,
            filter: None,
            ordered: None,
            result: c.phys(a.result.oid)?,
            state_column: Some(column),
        })
    }
}

fn ordered(c: &Compiler<'_>, a: &Aggref, all: &[&nodes::query::TargetEntry]) -> PgResult<Option<Ordered>> {
    if a.distinct.is_empty() && (a.order_by.is_empty() || a.presorted) {
        return Ok(None);
    }
    let find = |clause: &SortGroupClause| {
        all.iter()
            .position(|t| t.sort_group_ref == clause.target_ref)
            .ok_or_else(|| internal!("sort column of an aggregate is not an argument"))
    };
    // Columns before the arguments: the group, and direct arguments.
    let before = 1 + a.direct_args.len();
    let mut orders = vec![Order::ascending_int8(0)];
    let mut taken = Vec::new();
    for clause in a.order_by.iter().chain(&a.distinct) {
        if taken.contains(&clause.target_ref) || !clause.sort_op.is_valid() {
            continue;
        }
        taken.push(clause.target_ref);
        let at = find(clause)?;
        let e = &all[at].expr;
        let key = SortKey {
            column: (at + before) as i16 + 1,
            sort_op: clause.sort_op,
            descending: clause.reverse,
            nulls_first: clause.nulls_first,
            collation: e.collation(),
        };
        orders.push(Order::of_type(c, at + before, e.type_oid(), &key)?);
    }
    let mut distinct = Vec::new();
    for clause in &a.distinct {
        let at = find(clause)?;
        let e = &all[at].expr;
        let t = e.type_oid();
        if !clause.sort_op.is_valid() {
            return Err(unsupported!(
                "DISTINCT over a type without order is not supported yet"
            ));
        }
        distinct.push((
            at + before,
            Equality::compile(c, clause.eq_op, t, t, e.collation())?,
        ));
    }
    let mut phys = vec![PhysType::Int8];
    for e in a.direct_args.iter().chain(all.iter().map(|t| &t.expr)) {
        phys.push(c.phys(e.type_oid())?);
    }
    let presorted = a.presorted;
    let orderless = a.order_by.is_empty() && ORDERLESS.contains(&a.func) && !presorted;
    let hashed = orderless.then(|| distinct_keys(c, a, all)).transpose()?;
    Ok(Some(Ordered {
        phys,
        orders,
        hashed: hashed.flatten(),
        presorted,
        distinct,
    }))
}

/// Group and argument, when the one can be told apart by a hash.
fn distinct_keys(
    c: &Compiler<'_>,
    a: &Aggref,
    all: &[&nodes::query::TargetEntry],
) -> PgResult<Option<EqualKeys>> {
    let ([clause], [argument]) = (&a.distinct[..], all) else {
        return Ok(None);
    };
    let t = argument.expr.type_oid();
    let equality = Equality::compile(c, clause.eq_op, t, t, argument.expr.collation())?;
    let hashes = !matches!(equality, Equality::Function(..));
    let group = || Equality::Direct(types::oids::INT8);
    Ok(hashes.then(|| EqualKeys {
        columns: vec![(1, equality), (0, group())],
    }))
}

/// The states of all calls of a node.
pub(crate) struct AggStates {
    calls: Vec<CallState>,
    by_row: bool,
}

struct CallState {
    call: Arc<AggCall>,
    /// The call before it that keeps the states for this one too.
    shared: Option<usize>,
    args: Vec<Eval>,
    filter: Option<Eval>,
    accumulator: Option<Box<dyn Accumulator>>,
    cache: FnCache,
    /// Rows that wait for their order.
    kept: Option<Sorter>,
    /// The last row that DISTINCT let through, of rows that come in order.
    last: Option<(Batch, usize)>,
    /// What DISTINCT has let through, while that is not too much.
    seen: Option<GroupTable>,
    memory: crate::store::MemoryUse,
    /// Bytes of the states when they were last added up, and rows since then.
    bytes: usize,
    groups: usize,
    rows_since: usize,
    /// Finishing: for each slot of partial states the groups here of its groups.
    maps: FxHashMap<u32, Vec<u32>>,
}

impl AggStates {
    pub fn new(calls: &[Arc<AggCall>]) -> AggStates {
        let sharing = |at: usize| (0..at).find(|before| calls[at].shares_with(&calls[*before]));
        let calls = calls
            .iter()
            .enumerate()
            .map(|(at, call)| CallState {
                shared: sharing(at),
                args: Eval::all(&call.args),
                filter: call.filter.as_ref().map(Eval::new),
                accumulator: None,
                cache: FnCache::default(),
                kept: call
                    .ordered
                    .as_ref()
                    .filter(|o| !o.presorted)
                    .map(|o| Sorter::new(&o.phys, None)),
                last: None,
                seen: call.ordered.as_ref().and_then(seen),
                memory: crate::store::MemoryUse::default(),
                bytes: 0,
                groups: 0,
                rows_since: 0,
                maps: FxHashMap::default(),
                call: Arc::clone(call),
            })
            .collect::<Vec<CallState>>();
        let by_users = calls
            .iter()
            .filter(|c| c.shared.is_none() && c.call.user_call.is_some());
        AggStates {
            by_row: by_users.count() > 1,
            calls,
        }
    }

    /// Adds a batch; `numbers[k]` is the group of its `k`-th row. `single`: all are in group 0.
    pub fn update(
        &mut self,
        cx: &mut Cx<'_>,
        batch: &Batch,
        numbers: &[u32],
        groups: usize,
        single: bool,
    ) -> PgResult<()> {
        if self.by_row {
            return self.update_by_row(cx, batch, numbers, groups);
        }
        for call in self.calls.iter_mut().filter(|c| c.shared.is_none()) {
            call.update(cx, batch, numbers, groups, single)?;
        }
        Ok(())
    }

    /// Several functions of users, who may see the order of their calls, get the rows one by one.
    fn update_by_row(
        &mut self,
        cx: &mut Cx<'_>,
        batch: &Batch,
        numbers: &[u32],
        groups: usize,
    ) -> PgResult<()> {
        let rows: Vec<usize> = batch.selection.iter().collect();
        for (k, row) in rows.into_iter().enumerate() {
            let one = Batch {
                selection: Selection::Rows(vec![row as u16].into()),
                ..batch.clone()
            };
            let number = numbers.get(k).map_or(&[][..], std::slice::from_ref);
            for call in self.calls.iter_mut().filter(|c| c.shared.is_none()) {
                call.update(cx, &one, number, groups, numbers.is_empty())?;
            }
        }
        Ok(())
    }

    /// Bytes that the states take, as of the last time somebody looked.
    pub fn memory_bytes(&self) -> usize {
        self.calls.iter().map(|c| c.bytes).sum()
    }

    /// Sorts and adds the rows kept for DISTINCT and ORDER BY. All groups are known now.
    pub fn finish_ordered(&mut self, cx: &mut Cx<'_>, groups: usize) -> PgResult<()> {
        for call in self.calls.iter_mut().filter(|c| c.shared.is_none()) {
            call.accumulator(groups)?;
            call.finish_ordered(cx)?;
        }
        Ok(())
    }

    /// Partial aggregation: leaves the states of all groups for the finishing node; the slots, one per call.
    pub fn leave(&mut self, cx: &Cx<'_>) -> PgResult<Vec<u32>> {
        self.calls.iter_mut().map(|c| c.leave(cx)).collect()
    }

    /// Finishing: merges what rows have referred to.
    pub fn merge(&mut self, cx: &Cx<'_>, groups: usize) -> PgResult<()> {
        for call in &mut self.calls {
            call.accumulator(groups)?;
            call.merge(cx)?;
        }
        Ok(())
    }

    /// Results of groups `from..from + count`, one vector per call.
    pub fn finalize(&mut self, cx: &Cx<'_>, from: usize, count: usize) -> PgResult<Vec<Arc<Vector>>> {
        let mut results = Vec::with_capacity(self.calls.len());
        for at in 0..self.calls.len() {
            let (before, rest) = self.calls.split_at_mut(at);
            let Some(call) = rest.first_mut() else { break };
            results.push(Arc::new(match call.shared.and_then(|k| before.get_mut(k)) {
                Some(keeper) => call.finalize_shared(cx, keeper, from, count)?,
                None => call.finalize(cx, from, count)?,
            }));
        }
        Ok(results)
    }
}

impl CallState {
    fn accumulator(&mut self, groups: usize) -> PgResult<()> {
        let accumulator = match &mut self.accumulator {
            Some(a) => a,
            None => self.accumulator.insert(self.call.code.make(&self.call.info)?),
        };
        accumulator.resize(groups);
        self.groups = groups;
        Ok(())
    }

    fn leave(&mut self, cx: &Cx<'_>) -> PgResult<u32> {
        let accumulator = self.accumulator.take();
        let Some(accumulator) = accumulator else {
            return Err(internal!("partial aggregate without state"));
        };
        cx.run.partials.leave(PartialStates {
            accumulator,
            groups: self.groups,
            memory: std::mem::take(&mut self.memory),
        })
    }

    /// Takes note of the states that rows refer to.
    fn refer(&mut self, batch: &Batch, column: usize, numbers: &[u32]) -> PgResult<()> {
        let refs = &batch.columns[column];
        for (i, &number) in batch.selection.iter().zip(numbers) {
            let Some(value) = refs.integer(i) else {
                return Err(internal!("row of a partial aggregate without states"));
            };
            let StateRef { slot, group } = StateRef::from_i64(value);
            let map = self.maps.entry(slot).or_default();
            let group = group as usize;
            if map.len() <= group {
                map.resize(group + 1, u32::MAX);
            }
            map[group] = number;
        }
        Ok(())
    }

    fn merge(&mut self, cx: &Cx<'_>) -> PgResult<()> {
        let mut maps: Vec<(u32, Vec<u32>)> = self.maps.drain().collect();
        maps.sort_unstable();
        for (slot, map) in maps {
            let states = cx.run.partials.fetch(slot)?;
            if map.len() != states.groups || map.contains(&u32::MAX) {
                return Err(internal!("groups of a partial aggregate got lost"));
            }
            let Some(accumulator) = &mut self.accumulator else {
                return Err(internal!("aggregate without state"));
            };
            let mut ctx = cx.fn_context(&self.call.info, &mut self.cache);
            accumulator.combine(&mut ctx, states.accumulator, &map)?;
            self.bytes = accumulator.memory_bytes();
            self.memory.cover(cx, self.bytes)?;
            drop(states.memory);
        }
        Ok(())
    }

    fn update(
        &mut self,
        cx: &mut Cx<'_>,
        batch: &Batch,
        numbers: &[u32],
        groups: usize,
        single: bool,
    ) -> PgResult<()> {
        if let Some(column) = self.call.state_column {
            return self.refer(batch, column, numbers);
        }
        let inputs = Inputs::outer(&batch.columns, batch.rows);
        let (sel, filtered);
        let mut numbers = numbers;
        if let Some(f) = &mut self.filter {
            sel = f.filter(cx, inputs, &batch.selection)?;
            filtered = narrow(&batch.selection, numbers, &sel);
            numbers = &filtered;
        } else {
            sel = batch.selection.clone();
        }
        self.accumulator(groups)?;
        if sel.is_empty() {
            return Ok(());
        }
        let args = self
            .args
            .iter_mut()
            .map(|a| a.vector(cx, inputs, &sel))
            .collect::<PgResult<Vec<_>>>()?;
        if self.call.ordered.is_some() {
            let mut column = vec![0_i64; batch.rows];
            for (i, n) in sel.iter().zip(numbers) {
                column[i] = i64::from(*n);
            }
            let mut columns = vec![Arc::new(Vector::new(VectorData::Int8(column), None))];
            columns.extend(args);
            if self.seen.is_some() {
                return self.add_distinct(cx, batch.rows, &columns, &sel);
            }
            return self.add_ordered(cx, batch.rows, columns, &sel);
        }
        self.add(cx, numbers, &args, &sel, single)
    }

    /// Keeps rows for their sort; where they come in order, adds those that DISTINCT lets through.
    fn add_ordered(
        &mut self,
        cx: &mut Cx<'_>,
        rows: usize,
        columns: Vec<Arc<Vector>>,
        sel: &Selection,
    ) -> PgResult<()> {
        let call = Arc::clone(&self.call);
        let Some(ordered) = &call.ordered else {
            return Err(internal!("an order without its columns"));
        };
        if let Some(kept) = &mut self.kept {
            return kept.add(cx, &ordered.orders, &columns, sel);
        }
        let batch = Batch {
            columns,
            rows,
            selection: sel.clone(),
        };
        let sel = distinct(cx, ordered, &batch, &mut self.last)?;
        self.add_rows(cx, &batch.columns, &sel)
    }

    fn add(
        &mut self,
        cx: &Cx<'_>,
        numbers: &[u32],
        args: &[Arc<Vector>],
        sel: &Selection,
        single: bool,
    ) -> PgResult<()> {
        let refs: smallvec::SmallVec<[&Vector; 4]> =
            args.iter().take(self.call.aggregated).map(|v| &**v).collect();
        let Some(accumulator) = &mut self.accumulator else {
            return Err(internal!("aggregate without state"));
        };
        let mut ctx = cx.fn_context(&self.call.info, &mut self.cache);
        if single {
            accumulator.update_single(&mut ctx, 0, &refs, sel)?;
        } else {
            accumulator.update(&mut ctx, numbers, &refs, sel)?;
        }
        // Adding up walks all groups: once per as many rows is enough.
        self.rows_since += sel.len();
        if self.rows_since >= self.groups {
            self.rows_since = 0;
            self.bytes = accumulator.memory_bytes();
        }
        self.memory.cover(cx, self.bytes)
    }

    /// Adds the rows with values that their groups have not had. Beyond the memory for that, rows with other values wait for a sort.
    fn add_distinct(
        &mut self,
        cx: &mut Cx<'_>,
        rows: usize,
        columns: &[Arc<Vector>],
        sel: &Selection,
    ) -> PgResult<()> {
        let call = Arc::clone(&self.call);
        let (Some(ordered), Some(seen)) = (&call.ordered, &mut self.seen) else {
            return Err(internal!("DISTINCT without its state"));
        };
        let Some(keys) = &ordered.hashed else {
            return Err(internal!("DISTINCT without its keys"));
        };
        let batch = Batch {
            columns: columns.to_vec(),
            rows,
            selection: sel.clone(),
        };
        let mut numbers = Vec::new();
        if seen.memory_bytes() > cx.ext.hash_mem_bytes && cx.ext.temp.may_spill() {
            let (_, others, _) = seen.assign_known(cx, keys, &batch, &mut numbers)?;
            return match &mut self.kept {
                Some(kept) if !others.is_empty() => kept.add(cx, &ordered.orders, columns, &others),
                _ => Ok(()),
            };
        }
        let mut next = seen.len() as u32;
        seen.assign(cx, keys, columns, sel, &mut numbers)?;
        let mut fresh: Vec<u16> = Vec::new();
        for (i, number) in sel.iter().zip(&numbers) {
            if *number == next {
                next += 1;
                fresh.push(i as u16);
            }
        }
        self.add_rows(cx, columns, &Selection::Rows(fresh.into()))
    }

    /// Adds rows with their groups in column 0.
    fn add_rows(&mut self, cx: &Cx<'_>, columns: &[Arc<Vector>], sel: &Selection) -> PgResult<()> {
        if sel.is_empty() {
            return Ok(());
        }
        let VectorData::Int8(groups) = columns[0].data() else {
            return Err(internal!("group numbers lost their class"));
        };
        let numbers: Vec<u32> = sel.iter().map(|i| groups[i] as u32).collect();
        self.add(cx, &numbers, &columns[1..], sel, false)
    }

    fn finish_ordered(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        let call = Arc::clone(&self.call);
        let (Some(kept), Some(ordered)) = (self.kept.take(), &call.ordered) else {
            return Ok(());
        };
        let mut sorted = kept.finish(cx, &ordered.orders)?;
        let mut last: Option<(Batch, usize)> = None;
        while let Some(batch) = sorted.next(cx, &ordered.orders, BATCH_ROWS)? {
            cx.check()?;
            let mut sel = Selection::All(batch.rows);
            if let Some(direct) = call.hypothetical {
                let after = last.replace((batch.clone(), batch.rows - 1));
                self.add_places(cx, ordered, &batch, after, direct)?;
                continue;
            }
            if !ordered.distinct.is_empty() {
                sel = distinct(cx, ordered, &batch, &mut last)?;
            }
            self.add_rows(cx, &batch.columns, &sel)?;
        }
        Ok(())
    }

    /// Tells a hypothetical-set aggregate of each sorted row where it stands relative to the direct arguments.
    fn add_places(
        &mut self,
        cx: &Cx<'_>,
        ordered: &Ordered,
        batch: &Batch,
        mut last: Option<(Batch, usize)>,
        direct: usize,
    ) -> PgResult<()> {
        let orders = &ordered.orders[1..];
        let columns = &batch.columns;
        let to_direct = |i: usize| -> PgResult<Ordering> {
            for o in orders {
                let found = o.compare(cx, &columns[o.column], i, &columns[o.column - direct], i)?;
                if found.is_ne() {
                    return Ok(found);
                }
            }
            Ok(Ordering::Equal)
        };
        let group = |b: &Batch, row: usize| b.columns[0].datum(row).as_i64().unwrap_or(0);
        let (mut places, mut numbers) = (Vec::with_capacity(batch.rows), Vec::with_capacity(batch.rows));
        for row in 0..batch.rows {
            places.push(match to_direct(row)? {
                Ordering::Greater => Place::BEHIND,
                Ordering::Equal => Place::PEER,
                Ordering::Less => match &last {
                    Some((b, p))
                        if group(b, *p) == group(batch, row)
                            && compare_rows(cx, orders, &b.columns, *p, columns, row)?.is_eq() =>
                    {
                        Place::BEFORE_AGAIN
                    }
                    _ => Place::BEFORE,
                },
            });
            numbers.push(group(batch, row) as u32);
            last = Some((batch.clone(), row));
        }
        let rows = Selection::All(places.len());
        let places = Arc::new(Vector::new(VectorData::Int4(places), None));
        self.add(cx, &numbers, &[places], &rows, false)
    }

    fn finalize(&mut self, cx: &Cx<'_>, from: usize, count: usize) -> PgResult<Vector> {
        let mut out = Vector::empty(self.call.result);
        let Some(accumulator) = &mut self.accumulator else {
            return Err(internal!("aggregate without state"));
        };
        let mut ctx = cx.fn_context(&self.call.info, &mut self.cache);
        for group in from..from + count {
            out.push(&accumulator.finalize(&mut ctx, group as u32)?);
        }
        Ok(out)
    }
}

/// The numbers of the rows of `all` that are in `kept`.
fn narrow(all: &Selection, numbers: &[u32], kept: &Selection) -> Vec<u32> {
    let mut wanted = kept.iter().peekable();
    let mut out = Vec::with_capacity(kept.len());
    for (i, n) in all.iter().zip(numbers) {
        if wanted.peek() == Some(&i) {
            wanted.next();
            out.push(*n);
        }
    }
    out
}
