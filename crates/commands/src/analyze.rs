//! ANALYZE: a sample of rows becomes `pg_statistic` rows.
//!
//! PG: src/backend/commands/analyze.c (`compute_scalar_stats`).
//!
//! # How it works
//! 1. 300 times the statistics target of the table's rows are kept, each with equal probability. Of a large table only pieces are read, chosen at random: one for five rows
//!    that are wanted. (PostgreSQL reads a page for each; a piece has more rows than a page.)
//! 2. Per column: NULL fraction, width; sorted values give the number of distinct values (Haas and Stokes' estimate), the most
//!    common ones, a histogram of the others, and how far the order of the values follows that of the rows.

use std::sync::Arc;

use access::heap_tuple_width;
use catalog::CatalogView;
use catalog::columns::pg_statistic as s;
use catalog::ddl::comments::RelationStatistics;
use catalog::desc::{ColumnDesc, RelationDesc};
use catalog::statistics_ext::StatisticsObject;
use catalog::virtual_columns::VIRTUAL;
use common::cancel::{self, CancelToken};
use common::{Oid, PgResult, pg_err, pieces};
use parser::ast::Ident;
use types::{ArrayValue, Datum, Rows, oids as t};

use crate::context::CommandContext;

/// Values wider than this are not kept.
const WIDTH_MAX: usize = 1024;

/// Consecutive row ids that are read together: what the storage keeps together.
const PIECE_ROWS: u64 = 1024;
/// For so many of the rows wanted a piece is read. Rows of one piece are more alike than others: with ten, the estimate of distinct values in a column where
/// five rows in a row are equal was a third lower than with all pieces read. With five two rows of the sample are as often neighbours as in PostgreSQL's, of
/// a large table.
const ROWS_OF_PIECE: usize = 5;

/// Rows of a table, or of a table and its children.
pub(crate) struct Sample {
    pub table: Arc<RelationDesc>,
    pub inherited: bool,
    /// In table order, columns of the table.
    pub rows: Rows,
    /// How many there are in all.
    pub total: f64,
}

/// Analyzes a table, or some columns of it, alone and with its children.
pub(crate) fn analyze(table: &Arc<RelationDesc>, columns: &[Ident], cx: &CommandContext<'_>) -> PgResult<()> {
    let wanted = wanted_columns(table, columns)?;
    if table.oid < Oid::FIRST_NORMAL {
        return Ok(());
    }
    let default_target = cx.guc.borrow().get_number("default_statistics_target") as usize;
    let objects = cx.ddl(|ddl| catalog::statistics_ext::objects(&*ddl.store, table.oid))?;
    let extended = objects
        .iter()
        .filter_map(|o| o.target)
        .filter_map(|t| usize::try_from(t).ok());
    let largest = wanted
        .iter()
        .map(|c| target_of(c, default_target))
        .chain(extended);
    let size = 300 * largest.max().unwrap_or(0).max(100);
    if table.relkind != b'p' {
        let sample = sample(table, std::slice::from_ref(table), size, cx)?;
        record_findings(&sample, &wanted, &objects, default_target, cx)?;
        let pages = cx.relations.table(table)?.size().pages;
        record_sizes(table, i32::try_from(pages).unwrap_or(i32::MAX), sample.total, cx)?;
    }
    let below = catalog::partition::descendants(&*cx.view()?, table)?;
    let mut members: Vec<Arc<RelationDesc>> = below.into_iter().filter(|d| d.oid != table.oid).collect();
    members.retain(|d| d.relkind == b'r');
    if members.is_empty() {
        return Ok(());
    }
    if table.relkind != b'p' {
        members.insert(0, Arc::clone(table));
    }
    let sample = sample(table, &members, size, cx)?;
    record_findings(&sample, &wanted, &objects, default_target, cx)?;
    if table.relkind == b'p' {
        let statistics = RelationStatistics {
            pages: -1,
            tuples: sample.total as f32,
            all_visible: 0,
        };
        cx.ddl(|ddl| ddl.set_relation_statistics(table.oid, statistics))?;
    }
    Ok(())
}

/// How many values of a column are kept.
pub(crate) fn target_of(column: &ColumnDesc, default_target: usize) -> usize {
    usize::try_from(column.stats_target).unwrap_or(default_target)
}

fn record_findings(
    sample: &Sample,
    wanted: &[&ColumnDesc],
    objects: &[StatisticsObject],
    default_target: usize,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let view = cx.view()?;
    for column in wanted {
        cx.cancel.check()?;
        let target = target_of(column, default_target);
        if target == 0 {
            continue;
        }
        let at = usize::try_from(column.attno - 1).unwrap_or_default();
        let values: Vec<&Datum> = sample.rows.iter().filter_map(|row| row.get(at)).collect();
        if values.is_empty() {
            continue;
        }
        let of = Subject {
            type_oid: column.type_ref.oid,
            collation: column.collation,
            target,
        };
        let mut row = statistics_row(of, &values, sample.total, (&*view, cx.cancel))?;
        row[s::STARELID] = Datum::Oid(sample.table.oid.0);
        row[s::STAATTNUM] = Datum::Int2(column.attno);
        row[s::STAINHERIT] = Datum::Bool(sample.inherited);
        cx.ddl(|ddl| ddl.set_column_statistics(row))?;
    }
    crate::analyze_ext::analyze(sample, wanted, objects, default_target, cx)
}

/// `relpages` and `reltuples` of a table and its indexes.
pub(crate) fn record_sizes(
    table: &Arc<RelationDesc>,
    pages: i32,
    tuples: f64,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let mut all = vec![(
        table.oid,
        RelationStatistics {
            pages,
            tuples: tuples as f32,
            all_visible: pages,
        },
    )];
    for index in &table.indexes {
        let desc = cx.relation(*index)?;
        let size = cx.relations.index(&desc, table)?.size();
        let statistics = RelationStatistics {
            pages: i32::try_from(size.pages).unwrap_or(i32::MAX),
            tuples: size.tuples as f32,
            all_visible: 0,
        };
        all.push((*index, statistics));
    }
    cx.ddl(|ddl| {
        for (relation, statistics) in &all {
            ddl.set_relation_statistics(*relation, *statistics)?;
        }
        Ok(())
    })
}

/// `relpages` and `reltuples` of a table and a new index of it that has `entries` entries: the table was read, so its size is known.
///
/// PG: `index_update_stats`.
pub(crate) fn record_built(
    (table, opened): (&Arc<RelationDesc>, &access::Table),
    (index, target): (&Arc<RelationDesc>, &access::Index),
    entries: u64,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    // An empty table has just been made, and will grow: its size stays unknown.
    if entries == 0 || table.oid < Oid::FIRST_NORMAL {
        return Ok(());
    }
    let (of_table, of_index) = (opened.size(), target.size());
    let pages = |pages: u64| i32::try_from(pages).unwrap_or(i32::MAX);
    let table_statistics = RelationStatistics {
        pages: pages(of_table.pages),
        tuples: of_table.rows.max(entries) as f32,
        all_visible: if table.reltuples < 0.0 {
            0
        } else {
            pages(of_table.pages)
        },
    };
    let index_statistics = RelationStatistics {
        pages: pages(of_index.pages),
        tuples: entries as f32,
        all_visible: 0,
    };
    cx.ddl(|ddl| {
        ddl.set_relation_statistics(table.oid, table_statistics)?;
        ddl.set_relation_statistics(index.oid, index_statistics)
    })
}

fn wanted_columns<'d>(table: &'d RelationDesc, columns: &[Ident]) -> PgResult<Vec<&'d ColumnDesc>> {
    if columns.is_empty() {
        let live = table.columns.iter().filter(|c| !c.dropped);
        return Ok(live.filter(|c| c.generated != VIRTUAL).collect());
    }
    let mut wanted: Vec<&ColumnDesc> = Vec::new();
    for name in columns {
        let Some(column) = table.column_by_name(name.as_str()) else {
            return Err(pg_err!(
                UNDEFINED_COLUMN,
                "column \"{}\" of relation \"{}\" does not exist",
                name.as_str(),
                table.name
            ));
        };
        if wanted.iter().any(|c| c.attno == column.attno) {
            return Err(pg_err!(
                DUPLICATE_COLUMN,
                "column \"{}\" of relation \"{}\" appears more than once",
                name.as_str(),
                table.name
            ));
        }
        wanted.push(column);
    }
    wanted.retain(|c| c.generated != VIRTUAL);
    Ok(wanted)
}

/// Up to `size` rows in table order, and how many rows there are.
fn sample(
    table: &Arc<RelationDesc>,
    members: &[Arc<RelationDesc>],
    size: usize,
    cx: &CommandContext<'_>,
) -> PgResult<Sample> {
    let mut seed = [0u8; 8];
    cx.env.fill_random(&mut seed);
    let mut kept = Reservoir {
        size,
        rows: Vec::new(),
        seen: 0,
        state: u64::from_le_bytes(seed) | 1,
    };
    let opened: PgResult<Vec<access::Table>> = members.iter().map(|m| cx.relations.table(m)).collect();
    let opened = opened?;
    let pieces: Vec<u64> = opened
        .iter()
        .map(|table| table.row_id_end().0.div_ceil(PIECE_ROWS))
        .collect();
    let all_pieces: u64 = pieces.iter().sum();
    let limit = (size / ROWS_OF_PIECE) as u64;
    let mut total = 0.0;
    for ((member, opened), pieces) in members.iter().zip(&opened).zip(pieces) {
        let wanted = match all_pieces <= limit {
            true => pieces,
            false => (u128::from(limit) * u128::from(pieces)).div_ceil(u128::from(all_pieces)) as u64,
        };
        let before = kept.seen;
        kept.take(opened, &places(table, member), (pieces, wanted), cx)?;
        let seen = (kept.seen - before) as f64;
        total += match wanted < pieces {
            // As many as there would be if the others were like these.
            true => (seen / wanted as f64 * pieces as f64).round(),
            false => seen,
        };
    }
    if kept.seen > size as u64 {
        kept.rows.sort_unstable_by_key(|(position, _)| *position);
    }
    let rows: Vec<Vec<Datum>> = std::mem::take(&mut kept.rows)
        .into_iter()
        .map(|(_, row)| row)
        .collect();
    Ok(Sample {
        table: Arc::clone(table),
        inherited: members.first().is_none_or(|m| m.oid != table.oid) || members.len() > 1,
        rows: rows.into(),
        total,
    })
}

/// Rows of which each that was looked at is one with equal probability.
struct Reservoir {
    size: usize,
    /// With their numbers among those looked at.
    rows: Vec<(u64, Vec<Datum>)>,
    seen: u64,
    state: u64,
}

impl Drop for Reservoir {
    fn drop(&mut self) {
        cancel::discard_list(std::mem::take(&mut self.rows));
    }
}

impl Reservoir {
    /// Looks at the rows of so many pieces of a table, each as probable as any other, in order.
    fn take(
        &mut self,
        table: &access::Table,
        places: &[Option<usize>],
        (pieces, wanted): (u64, u64),
        cx: &CommandContext<'_>,
    ) -> PgResult<()> {
        let snapshot = cx.txn.borrow().latest_snapshot()?;
        let columns: Vec<u16> = (0..table.def().columns.len()).map(|c| c as u16).collect();
        let whole = wanted >= pieces;
        let request = access::ScanRequest {
            rows: (!whole).then_some(0..0),
            ..access::ScanRequest::columns(columns)
        };
        let mut scan = table.scan(&snapshot, request);
        if whole {
            return self.take_rest(&mut scan, places, cx);
        }
        for piece in chosen(pieces, wanted, self.state) {
            scan.go_on(piece * PIECE_ROWS..(piece + 1) * PIECE_ROWS);
            self.take_rest(&mut scan, places, cx)?;
        }
        Ok(())
    }

    fn take_rest(
        &mut self,
        scan: &mut access::TableScan,
        places: &[Option<usize>],
        cx: &CommandContext<'_>,
    ) -> PgResult<()> {
        while let Some(batch) = scan.next_batch(PIECE_ROWS as usize)? {
            cx.cancel.check()?;
            let row = |position: usize| {
                let column = |at: &Option<usize>| at.and_then(|at| batch.columns.get(at));
                let value = |at| column(at).map_or(Ok(Datum::Null), |c| c.long_datum(position, cx.cancel));
                places.iter().map(value).collect::<PgResult<_>>()
            };
            for position in batch.selection.iter() {
                if self.rows.len() < self.size {
                    self.rows.push((self.seen, row(position)?));
                } else {
                    self.state = xorshift(self.state);
                    if let Some(place) = self.rows.get_mut((self.state % (self.seen + 1)) as usize) {
                        *place = (self.seen, row(position)?);
                    }
                }
                self.seen += 1;
            }
        }
        Ok(())
    }
}

/// So many of all numbers below the first, ascending, each as probable as any other.
fn chosen(all: u64, wanted: u64, mut state: u64) -> impl Iterator<Item = u64> {
    let mut left = wanted;
    (0..all).filter(move |number| {
        state = xorshift(state);
        let takes = state % (all - number) < left;
        left -= u64::from(takes);
        takes
    })
}

/// Where the columns of a table are in one of its children, or in itself.
fn places(table: &RelationDesc, member: &RelationDesc) -> Vec<Option<usize>> {
    if table.oid == member.oid {
        return (0..table.columns.len()).map(Some).collect();
    }
    let place = |c: &ColumnDesc| {
        let found = member.column_by_name(&c.name).filter(|_| !c.dropped)?;
        usize::try_from(found.attno - 1).ok()
    };
    table.columns.iter().map(place).collect()
}

fn xorshift(mut x: u64) -> u64 {
    x ^= x << 13;
    x ^= x >> 7;
    x ^ (x << 17)
}

/// Bytes of a value as PostgreSQL stores it, without alignment.
fn width(value: &Datum) -> usize {
    match value {
        Datum::Text(text) => varlena(text.len()),
        Datum::Bytes(bytes) => varlena(bytes.len()),
        // A row of nothing but this value is a 24-byte header and the value, aligned to 8.
        other => heap_tuple_width(std::slice::from_ref(other)).saturating_sub(24),
    }
}

fn varlena(length: usize) -> usize {
    if length < 127 { length + 1 } else { length + 4 }
}

/// What is known of a column's values.
#[derive(Default)]
struct Findings {
    null_fraction: f64,
    width: i32,
    distinct: f64,
    common: Vec<(Datum, f64)>,
    histogram: Vec<Datum>,
    correlation: Option<f64>,
}

/// A column or expression whose values are looked at.
#[derive(Clone, Copy)]
pub(crate) struct Subject {
    pub type_oid: Oid,
    pub collation: Oid,
    pub target: usize,
}

/// A row of `pg_statistic` that does not say yet whose it is.
pub(crate) fn statistics_row(
    of: Subject,
    values: &[&Datum],
    total: f64,
    (view, cancel): (&dyn CatalogView, &CancelToken),
) -> PgResult<Vec<Datum>> {
    let type_oid = crate::access_method::base_type(view, of.type_oid)?;
    let class = crate::access_method::default_class(view, catalog::oids::BTREE_AM, type_oid)?;
    let fixed = view.type_desc(type_oid)?.map_or(-1, |d| d.len);
    let kind = Kind {
        type_oid,
        fixed_width: fixed,
        sortable: class.is_some(),
    };
    let findings = findings(values, total, of.target, kind, cancel)?;
    let mut row = vec![Datum::Null; s::COUNT];
    row[s::STARELID] = Datum::Oid(0);
    row[s::STAATTNUM] = Datum::Int2(0);
    row[s::STAINHERIT] = Datum::Bool(false);
    row[s::STANULLFRAC] = Datum::Float4(findings.null_fraction as f32);
    row[s::STAWIDTH] = Datum::Int4(findings.width);
    row[s::STADISTINCT] = Datum::Float4(findings.distinct as f32);
    for slot in 0..5 {
        row[s::STAKIND1 + slot] = Datum::Int2(0);
        row[s::STAOP1 + slot] = Datum::Oid(0);
        row[s::STACOLL1 + slot] = Datum::Oid(0);
    }
    let Some(class) = class else {
        return Ok(row);
    };
    let member = |strategy| view.opfamily_member(class.family, class.input_type, class.input_type, strategy);
    let (less, equal) = (member(1)?.unwrap_or_default(), member(3)?.unwrap_or_default());
    let floats = |numbers: Vec<f64>| {
        let elements = numbers.into_iter().map(|n| Datum::Float4(n as f32)).collect();
        Datum::Array(Arc::new(ArrayValue::from_elements(t::FLOAT4, elements)))
    };
    let array = |values: Vec<Datum>| Datum::Array(Arc::new(ArrayValue::from_elements(type_oid, values)));
    let mut slots: Vec<(i16, Oid, Option<Datum>, Option<Datum>)> = Vec::new();
    if !findings.common.is_empty() {
        let (values, numbers) = findings.common.into_iter().unzip();
        slots.push((1, equal, Some(floats(numbers)), Some(array(values))));
    }
    if !findings.histogram.is_empty() {
        slots.push((2, less, None, Some(array(findings.histogram))));
    }
    if let Some(correlation) = findings.correlation {
        slots.push((3, less, Some(floats(vec![correlation])), None));
    }
    for (slot, (kind, op, numbers, values)) in slots.into_iter().enumerate() {
        row[s::STAKIND1 + slot] = Datum::Int2(kind);
        row[s::STAOP1 + slot] = Datum::Oid(op.0);
        row[s::STACOLL1 + slot] = Datum::Oid(of.collation.0);
        row[s::STANUMBERS1 + slot] = numbers.unwrap_or_default();
        row[s::STAVALUES1 + slot] = values.unwrap_or_default();
    }
    Ok(row)
}

/// A run of equal values in the sorted sample.
struct Run {
    start: usize,
    count: usize,
}

/// What it matters to know of the values' type.
#[derive(Clone, Copy)]
struct Kind {
    type_oid: Oid,
    fixed_width: i16,
    sortable: bool,
}

fn findings(
    values: &[&Datum],
    total: f64,
    target: usize,
    kind: Kind,
    cancel: &CancelToken,
) -> PgResult<Findings> {
    let type_oid = kind.type_oid;
    let sample_rows = values.len() as f64;
    let present: Vec<(usize, &Datum)> = values
        .iter()
        .enumerate()
        .filter(|(_, v)| !v.is_null())
        .map(|(at, v)| (at, *v))
        .collect();
    let nulls = sample_rows - present.len() as f64;
    let mut found = Findings {
        null_fraction: nulls / sample_rows,
        ..Findings::default()
    };
    if present.is_empty() {
        found.width = i32::from(kind.fixed_width.max(0));
        return Ok(found);
    }
    let total_width: usize = present.iter().map(|(_, v)| width(v)).sum();
    found.width = match kind.fixed_width {
        w if w > 0 => i32::from(w),
        _ => (total_width as f64 / present.len() as f64) as i32,
    };
    if !kind.sortable {
        return Ok(found);
    }
    let mut kept: Vec<(usize, &Datum)> = present
        .iter()
        .filter(|(_, v)| width(v) <= WIDTH_MAX)
        .copied()
        .collect();
    let too_wide = (present.len() - kept.len()) as f64;
    // Positions count the values that were kept, in table order.
    kept.iter_mut().enumerate().for_each(|(at, entry)| entry.0 = at);
    pieces::sort_by(cancel, &mut kept, |a, b| {
        types::compare::compare(type_oid, a.1, b.1).then(a.0.cmp(&b.0))
    })?;
    if kept.is_empty() {
        found.distinct = -(1.0 - found.null_fraction);
        return Ok(found);
    }
    cancel.check()?;
    let runs = runs(&kept, type_oid);
    let multiple = runs.iter().filter(|r| r.count > 1).count() as f64;
    let distinct = runs.len() as f64;
    found.distinct = distinct_estimate(
        distinct,
        multiple,
        too_wide,
        sample_rows - nulls,
        total,
        found.null_fraction,
    );
    let chosen = common_values(&runs, target, &found, too_wide, sample_rows, total);
    found.common = chosen
        .iter()
        .map(|&r| (kept[runs[r].start].1.clone(), runs[r].count as f64 / sample_rows))
        .collect();
    found.histogram = histogram(&kept, &runs, &chosen, target);
    found.correlation = correlation(&kept);
    Ok(found)
}

fn runs(sorted: &[(usize, &Datum)], type_oid: Oid) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (at, (_, value)) in sorted.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if types::compare::compare(type_oid, sorted[run.start].1, value).is_eq() => {
                run.count += 1
            }
            _ => runs.push(Run { start: at, count: 1 }),
        }
    }
    runs
}

fn distinct_estimate(
    distinct: f64,
    multiple: f64,
    too_wide: f64,
    n: f64,
    total: f64,
    null_fraction: f64,
) -> f64 {
    let estimate = if multiple == 0.0 {
        return -(1.0 - null_fraction);
    } else if too_wide == 0.0 && multiple == distinct {
        distinct
    } else {
        let all = total * (1.0 - null_fraction);
        let d = distinct + too_wide;
        let once = distinct - multiple + too_wide;
        let denominator = (n - once) + if all > 0.0 { once * n / all } else { 0.0 };
        let estimate = if denominator > 0.0 {
            n * d / denominator
        } else {
            0.0
        };
        (estimate.max(d).min(all) + 0.5).floor()
    };
    if estimate > 0.1 * total {
        -(estimate / total)
    } else {
        estimate
    }
}

/// Runs that are the most common values, most common first.
fn common_values(
    runs: &[Run],
    target: usize,
    found: &Findings,
    too_wide: f64,
    sample_rows: f64,
    total: f64,
) -> Vec<usize> {
    let mut tracked: Vec<usize> = (0..runs.len()).filter(|&r| runs[r].count > 1).collect();
    tracked.sort_by(|&a, &b| runs[b].count.cmp(&runs[a].count).then(a.cmp(&b)));
    tracked.truncate(target);
    let complete = tracked.len() == runs.len() && too_wide == 0.0 && found.distinct > 0.0;
    if complete || sample_rows == total || total <= 1.0 {
        return tracked;
    }
    let distinct_in_table = if found.distinct < 0.0 {
        -found.distinct * total
    } else {
        found.distinct
    };
    let mut sum: f64 = tracked.iter().rev().skip(1).map(|&r| runs[r].count as f64).sum();
    while let Some(&last) = tracked.last() {
        let count = runs[last].count as f64;
        let mut selectivity = (1.0 - sum / sample_rows - found.null_fraction).clamp(0.0, 1.0);
        let others = distinct_in_table - (tracked.len() as f64 - 1.0);
        if others > 1.0 {
            selectivity /= others;
        }
        let k = total * count / sample_rows;
        let variance =
            sample_rows * k * (total - k) * (total - sample_rows) / (total * total * (total - 1.0));
        if count > selectivity * sample_rows + 2.0 * variance.sqrt() + 0.5 {
            break;
        }
        tracked.pop();
        if let Some(&next) = tracked.last() {
            sum -= runs[next].count as f64;
        }
    }
    tracked
}

fn histogram(sorted: &[(usize, &Datum)], runs: &[Run], common: &[usize], target: usize) -> Vec<Datum> {
    let entries = (runs.len() - common.len()).min(target + 1);
    if entries < 2 {
        return Vec::new();
    }
    let mut rest: Vec<&Datum> = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        if !common.contains(&at) {
            rest.extend(sorted[run.start..run.start + run.count].iter().map(|(_, v)| *v));
        }
    }
    (0..entries)
        .filter_map(|i| rest.get(i * (rest.len() - 1) / (entries - 1)))
        .map(|v| (*v).clone())
        .collect()
}

/// How far the order of the values follows the order of the rows.
fn correlation(sorted: &[(usize, &Datum)]) -> Option<f64> {
    let n = sorted.len() as f64;
    if sorted.len() < 2 {
        return None;
    }
    let products: f64 = sorted
        .iter()
        .enumerate()
        .map(|(i, (at, _))| i as f64 * *at as f64)
        .sum();
    let sum = (n - 1.0) * n / 2.0;
    let squares = (n - 1.0) * n * (2.0 * n - 1.0) / 6.0;
    Some((n * products - sum * sum) / (n * squares - sum * sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_chosen_evenly() {
        let mut times = vec![0_u32; 500];
        for seed in 1..2001_u64 {
            let some: Vec<u64> = chosen(500, 50, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1).collect();
            assert_eq!(some.len(), 50);
            assert!(some.is_sorted_by(|a, b| a < b));
            some.iter().for_each(|piece| times[*piece as usize] += 1);
        }
        // 200 of 2,000 are expected of each; the standard deviation is 13.
        assert!(times.iter().all(|n| (120..280).contains(n)), "{times:?}");
        assert_eq!(chosen(7, 7, 3).count(), 7);
    }
}
