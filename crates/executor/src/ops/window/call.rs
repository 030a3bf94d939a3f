//! Calls of window functions.

use std::sync::Arc;

use common::{PgResult, internal, pg_err, unsupported};
use expr::{ExprProgram, Inputs};
use functions::{CallInfo, FnCache, facts};
use nodes::expr::{Expr, WindowFunc};
use types::{BATCH_ROWS, Batch, Datum, PhysType, Selection, Vector};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::Eval;
use crate::ops::agg::user::{AggCode, AggSignature, Moving};
use crate::ops::window::frame::{Frames, Partition};
use crate::store::RowStore;

#[derive(Clone)]
enum Kind {
    RowNumber,
    Rank,
    DenseRank,
    PercentRank,
    CumeDist,
    Ntile,
    /// Rows forward: `lead` 1, `lag` -1.
    Offset(i64),
    FirstValue,
    LastValue,
    NthValue,
    Aggregate(AggCode),
}

/// A call, compiled.
pub(crate) struct WindowCall {
    kind: Kind,
    info: CallInfo,
    args: Vec<Arc<ExprProgram>>,
    filter: Option<Arc<ExprProgram>>,
    result: PhysType,
    /// An argument may have another value when it is computed again.
    volatile: bool,
}

impl WindowCall {
    pub fn compile(c: &Compiler<'_>, e: &Expr) -> PgResult<WindowCall> {
        let Expr::WindowFunc(w) = e else {
            return Err(internal!("window function expected"));
        };
        Ok(WindowCall {
            kind: kind(c, w)?,
            info: CallInfo {
                proc: w.func,
                args: w.args.iter().map(Expr::type_ref).collect(),
                result: w.result,
                collation: w.input_collation,
                variadic: false,
                columns: Vec::new(),
            },
            args: c.programs(&w.args, ScanMap::None)?,
            filter: w
                .filter
                .as_ref()
                .map(|f| c.program(f, ScanMap::None))
                .transpose()?,
            result: c.phys(w.result.oid)?,
            volatile: c.volatile_calls(w.args.iter().chain(&w.filter))? > 0,
        })
    }
}

impl WindowCall {
    /// Rows that come later change nothing.
    pub fn looks_back(&self) -> bool {
        matches!(self.kind, Kind::RowNumber | Kind::Rank | Kind::DenseRank)
    }
}

fn kind(c: &Compiler<'_>, w: &WindowFunc) -> PgResult<Kind> {
    let is_aggregate = functions::aggregate(w.func).is_some() || c.catalog.aggregate(w.func)?.is_some();
    if is_aggregate {
        let args: Vec<types::settings::TypeRef> = w.args.iter().map(Expr::type_ref).collect();
        let signature = AggSignature {
            func: w.func,
            args: &args,
            direct: 0,
            trans_type: None,
            result: w.result,
            collation: w.input_collation,
        };
        return Ok(Kind::Aggregate(AggCode::compile(c, &signature)?));
    }
    let func = crate::compile::kernel_function(c.catalog, w.func)?;
    let source = facts::proc(func).map_or("", |p| p.prosrc);
    Ok(match source {
        "window_row_number" => Kind::RowNumber,
        "window_rank" => Kind::Rank,
        "window_dense_rank" => Kind::DenseRank,
        "window_percent_rank" => Kind::PercentRank,
        "window_cume_dist" => Kind::CumeDist,
        "window_ntile" => Kind::Ntile,
        s if s.starts_with("window_lag") => Kind::Offset(-1),
        s if s.starts_with("window_lead") => Kind::Offset(1),
        "window_first_value" => Kind::FirstValue,
        "window_last_value" => Kind::LastValue,
        "window_nth_value" => Kind::NthValue,
        _ => {
            return Err(match c.catalog.function(w.func)? {
                Some(f) => unsupported!("window function {} is not implemented yet", f.name),
                None => internal!("cache lookup failed for function {}", w.func),
            });
        }
    })
}

/// A call with its arguments for all rows, and its results so far.
pub(crate) struct WindowState {
    call: Arc<WindowCall>,
    evals: Vec<Eval>,
    filter: Option<Eval>,
    args: RowStore,
    /// Arguments by blocks of [`BATCH_ROWS`] rows, for aggregates; made on first use.
    blocks: Vec<Vec<Arc<Vector>>>,
    /// Rows that FILTER keeps.
    kept: Vec<bool>,
    cache: FnCache,
    out: Vector,
    rows: usize,
}

impl WindowState {
    pub fn new(call: &Arc<WindowCall>) -> WindowState {
        let phys: Vec<PhysType> = call.args.iter().map(|a| a.phys()).collect();
        WindowState {
            evals: Eval::all(&call.args),
            filter: call.filter.as_ref().map(Eval::new),
            args: RowStore::new(&phys),
            blocks: Vec::new(),
            kept: Vec::new(),
            cache: FnCache::default(),
            out: Vector::empty(call.result),
            rows: 0,
            call: Arc::clone(call),
        }
    }

    /// Computes the arguments of a (compact) batch.
    pub fn read(&mut self, cx: &mut Cx<'_>, batch: &Batch) -> PgResult<()> {
        let inputs = Inputs::outer(&batch.columns, batch.rows);
        if let Some(f) = &mut self.filter {
            let sel = f.filter(cx, inputs, &batch.selection)?;
            let from = self.kept.len();
            self.kept.resize(from + batch.rows, false);
            sel.for_each(|i| self.kept[from + i] = true);
        }
        let values = self
            .evals
            .iter_mut()
            .map(|e| e.vector(cx, inputs, &batch.selection))
            .collect::<PgResult<Vec<_>>>()?;
        self.rows += batch.rows;
        self.args.append(cx, &values, &batch.selection)
    }

    pub fn into_result(self) -> Vector {
        self.out
    }

    fn arg(&self, k: usize, row: usize) -> Datum {
        self.args.columns.get(k).map_or(Datum::Null, |c| c.datum(row))
    }

    /// Results for all rows of the next partition.
    pub fn compute(&mut self, cx: &Cx<'_>, p: &Partition, frame: &Frames) -> PgResult<()> {
        let call = Arc::clone(&self.call);
        match &call.kind {
            Kind::Aggregate(code) => return self.aggregate(cx, code, p, frame),
            Kind::Ntile => return self.ntile(p),
            _ => {}
        }
        for row in p.start..p.end {
            let value = self.value(p, frame, row)?;
            self.out.push(&value);
        }
        Ok(())
    }

    /// The value of a call that [`WindowCall::looks_back`], for one row.
    pub fn number_of(&self, p: &Partition, row: usize) -> Vector {
        let mut vector = Vector::empty(self.call.result);
        vector.push(&self.number(p, row));
        vector
    }

    fn number(&self, p: &Partition, row: usize) -> Datum {
        let number = match self.call.kind {
            Kind::RowNumber => row - p.start + 1,
            Kind::DenseRank => p.group_of(row) + 1,
            _ => p.peers(row).0 - p.start + 1,
        };
        Datum::Int8(number as i64)
    }

    fn value(&self, p: &Partition, frame: &Frames, row: usize) -> PgResult<Datum> {
        let (peers, after) = p.peers(row);
        let rank = peers - p.start + 1;
        match self.call.kind {
            Kind::RowNumber | Kind::Rank | Kind::DenseRank => Ok(self.number(p, row)),
            Kind::PercentRank => Ok(Datum::Float8(if p.len() > 1 {
                (rank - 1) as f64 / (p.len() - 1) as f64
            } else {
                0.0
            })),
            Kind::CumeDist => Ok(Datum::Float8((after - p.start) as f64 / p.len() as f64)),
            Kind::Offset(direction) => Ok(self.offset(p, row, direction)),
            Kind::FirstValue | Kind::LastValue | Kind::NthValue => {
                self.frame_value(&frame.parts(p, row), row)
            }
            Kind::Ntile | Kind::Aggregate(_) => Err(internal!("computed per partition")),
        }
    }

    /// `lag` and `lead`.
    fn offset(&self, p: &Partition, row: usize, direction: i64) -> Datum {
        let by = if self.call.args.len() > 1 {
            match self.arg(1, row).as_i64() {
                Some(n) => n,
                None => return Datum::Null,
            }
        } else {
            1
        };
        let at = (row as i64).saturating_add(by.saturating_mul(direction));
        match usize::try_from(at) {
            Ok(at) if (p.start..p.end).contains(&at) => self.arg(0, at),
            _ => self.arg(2, row),
        }
    }

    fn frame_value(&self, parts: &[(usize, usize)], row: usize) -> PgResult<Datum> {
        let rows = || parts.iter().filter(|(a, b)| a < b);
        let at = match self.call.kind {
            Kind::FirstValue => rows().next().map(|(a, _)| *a),
            Kind::LastValue => rows().next_back().map(|(_, b)| b - 1),
            _ => match self.arg(1, row).as_i64() {
                None => return Ok(Datum::Null),
                Some(n) if n <= 0 => {
                    return Err(pg_err!(
                        INVALID_ARGUMENT_FOR_NTH_VALUE,
                        "argument of nth_value must be greater than zero"
                    ));
                }
                Some(n) => {
                    let mut left = usize::try_from(n - 1).unwrap_or(usize::MAX);
                    let mut found = None;
                    for (a, b) in rows() {
                        if left < b - a {
                            found = Some(a + left);
                            break;
                        }
                        left -= b - a;
                    }
                    found
                }
            },
        };
        Ok(at.map_or(Datum::Null, |at| self.arg(0, at)))
    }

    fn ntile(&mut self, p: &Partition) -> PgResult<()> {
        let Some(buckets) = self.arg(0, p.start).as_i64() else {
            (p.start..p.end).for_each(|_| self.out.push(&Datum::Null));
            return Ok(());
        };
        let Some(buckets) = usize::try_from(buckets).ok().filter(|b| *b > 0) else {
            return Err(pg_err!(
                INVALID_ARGUMENT_FOR_NTILE,
                "argument of ntile must be greater than zero"
            ));
        };
        // The first `larger` buckets have one row more.
        let (size, larger) = (p.len() / buckets, p.len() % buckets);
        for k in 0..p.len() {
            let boundary = larger * (size + 1);
            let bucket = if k < boundary {
                k / (size + 1)
            } else {
                larger + (k - boundary) / size.max(1)
            };
            self.out.push(&Datum::Int4(bucket as i32 + 1));
        }
        Ok(())
    }

    fn aggregate(&mut self, cx: &Cx<'_>, code: &AggCode, p: &Partition, frame: &Frames) -> PgResult<()> {
        if let AggCode::User(user) = code
            && let Some(moving) = &user.moving
            && frame.moves_simply()
            && !self.call.volatile
        {
            return self.moving(cx, moving, p, frame);
        }
        if let Some(totals) = Totals::new(self, p) {
            for row in p.start..p.end {
                let value = totals.over(&frame.parts(p, row))?;
                self.out.push(&value);
            }
            return Ok(());
        }
        let mut last: Option<([(usize, usize); 3], Datum)> = None;
        for row in p.start..p.end {
            let range = frame.parts(p, row);
            let value = match &last {
                Some((known, value)) if *known == range && frame.plain() => value.clone(),
                _ => self.over(cx, code, &range)?,
            };
            self.out.push(&value);
            last = Some((range, value));
        }
        Ok(())
    }

    /// The aggregate over frames that move forward: what leaves a frame is taken out of the state, when that can be done.
    fn moving(&mut self, cx: &Cx<'_>, form: &Moving, p: &Partition, frame: &Frames) -> PgResult<()> {
        let call = Arc::clone(&self.call);
        let mut caches = [FnCache::default(), FnCache::default(), FnCache::default()];
        let mut unused = FnCache::default();
        let (mut base, mut upto) = (p.start, p.start);
        let (mut state, mut count) = (None, 0_usize);
        let mut last: Option<((usize, usize), Datum)> = None;
        let mut begun = false;
        for row in p.start..p.end {
            cx.check()?;
            let (from, to) = frame.whole(row);
            if let Some((known, value)) = &last
                && *known == (from, to)
            {
                self.out.push(value);
                continue;
            }
            let ctx = cx.fn_context(&call.info, &mut unused);
            let [add, remove, finish] = &mut caches;
            while begun && base < from && base < upto {
                let values = self.values(base);
                base += 1;
                if !self.is_kept(base - 1) || form.skips(&values) {
                    continue;
                }
                let left = match (state.take(), count) {
                    (Some(state), 2..) => form.remove(&ctx, remove, state, &values)?,
                    // The last value: what is left is the state without any, which the function need not know.
                    (_, 0..=1) => {
                        state = form.forward.initial(&ctx)?;
                        count = 0;
                        continue;
                    }
                    (None, _) => None,
                };
                match left {
                    Some(left) => (state, count) = (Some(left), count - 1),
                    None => begun = false,
                }
            }
            if !begun || base < from || to < upto {
                (base, upto, count, begun) = (from, from, 0, true);
                state = form.forward.initial(&ctx)?;
            }
            while upto < to {
                let values = self.values(upto);
                upto += 1;
                if self.is_kept(upto - 1) && !form.skips(&values) {
                    state = form.add(&ctx, add, state.take(), &values)?;
                    count += 1;
                }
            }
            let value = form.forward.finish(&ctx, finish, state.clone(), &[])?;
            self.out.push(&value);
            last = Some(((from, to), value));
        }
        Ok(())
    }

    fn values(&self, row: usize) -> Vec<Datum> {
        self.args.columns.iter().map(|c| c.datum(row)).collect()
    }

    fn is_kept(&self, row: usize) -> bool {
        self.kept.get(row).copied().unwrap_or(true)
    }

    /// The aggregate of a range of rows.
    fn over(&mut self, cx: &Cx<'_>, code: &AggCode, parts: &[(usize, usize)]) -> PgResult<Datum> {
        cx.check()?;
        self.make_blocks();
        let call = Arc::clone(&self.call);
        let mut accumulator = code.make(&call.info)?;
        accumulator.resize(1);
        let mut ctx = cx.fn_context(&call.info, &mut self.cache);
        for &(from, to) in parts {
            let mut at = from;
            while at < to {
                let block = at / BATCH_ROWS;
                let first = block * BATCH_ROWS;
                let end = to.min(first + BATCH_ROWS);
                let whole = at == first && end - first == (self.rows - first).min(BATCH_ROWS);
                let sel = if whole && self.filter.is_none() {
                    Selection::All(end - first)
                } else {
                    let kept = |row: &usize| self.kept.get(*row).copied().unwrap_or(true);
                    Selection::Rows((at..end).filter(kept).map(|row| (row - first) as u16).collect())
                };
                let args: Vec<&Vector> = self.blocks[block].iter().map(|v| &**v).collect();
                if !sel.is_empty() {
                    accumulator.update_single(&mut ctx, 0, &args, &sel)?;
                }
                at = end;
            }
        }
        accumulator.finalize(&mut ctx, 0)
    }

    fn make_blocks(&mut self) {
        if !self.blocks.is_empty() {
            return;
        }
        let mut from = 0;
        while from < self.rows {
            let count = BATCH_ROWS.min(self.rows - from);
            let column = |c: &Vector| Arc::new(c.take(from..from + count));
            self.blocks.push(self.args.columns.iter().map(column).collect());
            from += count;
        }
    }
}

/// Running totals of an aggregate over integers: the aggregate of any run of rows is a difference of two.
struct Totals {
    start: usize,
    counts: Vec<i64>,
    sums: Vec<i128>,
    result: TotalKind,
}

#[derive(Clone, Copy)]
enum TotalKind {
    Count,
    /// `sum` of int2 or int4.
    SumBig,
    /// `sum` of int8.
    SumNumeric,
}

/// `count(*)`, `count(any)`, `sum(int8)`, `sum(int4)`, `sum(int2)`.
const COUNT_STAR: u32 = 2803;
const COUNT_ANY: u32 = 2147;
const SUM_INT8: u32 = 2107;
const SUM_INT4: u32 = 2108;
const SUM_INT2: u32 = 2109;

impl Totals {
    /// The totals of a partition, for aggregates that can be computed from them.
    fn new(state: &WindowState, p: &Partition) -> Option<Totals> {
        let result = match state.call.info.proc.0 {
            COUNT_STAR | COUNT_ANY => TotalKind::Count,
            SUM_INT2 | SUM_INT4 => TotalKind::SumBig,
            SUM_INT8 => TotalKind::SumNumeric,
            _ => return None,
        };
        let column = state.args.columns.first();
        let (mut counts, mut sums) = (vec![0i64], vec![0i128]);
        let (mut count, mut sum) = (0i64, 0i128);
        for row in p.start..p.end {
            let kept = state.kept.get(row).copied().unwrap_or(true);
            if kept {
                match (result, column) {
                    (TotalKind::Count, None) => count += 1,
                    (TotalKind::Count, Some(c)) => count += i64::from(!c.datum(row).is_null()),
                    (_, Some(c)) => {
                        if let Some(v) = c.datum(row).as_i64() {
                            count += 1;
                            sum += i128::from(v);
                        }
                    }
                    (_, None) => return None,
                }
            }
            counts.push(count);
            sums.push(sum);
        }
        Some(Totals {
            start: p.start,
            counts,
            sums,
            result,
        })
    }

    fn over(&self, parts: &[(usize, usize)]) -> PgResult<Datum> {
        let (mut count, mut sum) = (0i64, 0i128);
        for (from, to) in parts {
            let (a, b) = (from - self.start, to - self.start);
            count += self.counts[b] - self.counts[a];
            sum += self.sums[b] - self.sums[a];
        }
        match self.result {
            TotalKind::Count => Ok(Datum::Int8(count)),
            _ if count == 0 => Ok(Datum::Null),
            TotalKind::SumBig => i64::try_from(sum)
                .map(Datum::Int8)
                .map_err(|_| pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range")),
            TotalKind::SumNumeric => match i64::try_from(sum) {
                Ok(small) => Ok(Datum::Numeric(types::Numeric::from(small))),
                Err(_) => types::numeric::parse(&sum.to_string(), "numeric").map(Datum::Numeric),
            },
        }
    }
}
