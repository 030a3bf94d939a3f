//! ANALYZE of extended statistics: how many combinations of values there are, which columns follow from others, which combinations
//! are most common, and the statistics of expressions.
//!
//! PG: src/backend/statistics (`mvdistinct.c`, `dependencies.c`, `mcv.c`, `extended_stats.c`).

use std::cmp::Ordering;
use std::sync::Arc;

use catalog::CatalogView;
use catalog::columns::{pg_statistic, pg_statistic_ext_data as data};
use catalog::desc::ColumnDesc;
use catalog::statistics_ext::{
    AttributesOf, McvItem, StatisticsObject, dependencies_text, encode_mcv, ndistinct_text,
};
use common::cancel::CancelToken;
use common::error::Severity;
use common::{Oid, PgError, PgResult, pieces, sqlstate};
use types::{ArrayValue, Datum, RecordValue, oids as t};

use crate::analyze::{Sample, Subject, statistics_row, target_of};
use crate::context::CommandContext;
use crate::eval::RowExpr;

/// Gathers what a table's statistics objects ask for.
pub(crate) fn analyze(
    sample: &Sample,
    wanted: &[&ColumnDesc],
    objects: &[StatisticsObject],
    default_target: usize,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    if sample.rows.is_empty() {
        return Ok(());
    }
    let view = cx.view()?;
    for object in objects {
        cx.cancel.check()?;
        let columns: Option<Vec<&ColumnDesc>> = object
            .keys
            .iter()
            .map(|k| {
                wanted
                    .iter()
                    .find(|c| c.attno == *k && c.stats_target != 0)
                    .copied()
            })
            .collect();
        let Some(columns) = columns else {
            cx.notice(not_computed(sample, object, &*view)?);
            continue;
        };
        let of_columns = columns.iter().map(|c| target_of(c, default_target)).max();
        let target = match object.target {
            Some(target) => usize::try_from(target).unwrap_or_default(),
            None => of_columns.unwrap_or(0).max(if object.exprs.is_empty() {
                0
            } else {
                default_target
            }),
        };
        if target == 0 {
            continue;
        }
        let values = Values::compute(sample, object, &columns, &*view, cx)?;
        let row = values.row(sample, object, target, default_target, &*view)?;
        cx.ddl(|ddl| ddl.set_statistics_data(row))?;
    }
    Ok(())
}

fn not_computed(
    sample: &Sample,
    object: &StatisticsObject,
    view: &dyn CatalogView,
) -> PgResult<Box<PgError>> {
    let schema = view.namespace_name(object.namespace)?.unwrap_or_default();
    Ok(PgError::notice(
        Severity::Warning,
        sqlstate::INVALID_OBJECT_DEFINITION,
        format!(
            "statistics object \"{schema}.{}\" could not be computed for relation \"{}.{}\"",
            object.name, sample.table.namespace_name, sample.table.name
        ),
    ))
}

/// A column of the sample, or an expression over it.
struct Dimension {
    attribute: i16,
    type_oid: Oid,
    /// The type without domains, which says how values compare.
    base: Oid,
    collation: Oid,
    values: Vec<Datum>,
}

/// All dimensions of a statistics object.
struct Values {
    dimensions: Vec<Dimension>,
    rows: usize,
    cancel: CancelToken,
}

impl Values {
    fn compute(
        sample: &Sample,
        object: &StatisticsObject,
        columns: &[&ColumnDesc],
        view: &dyn CatalogView,
        cx: &CommandContext<'_>,
    ) -> PgResult<Values> {
        let mut dimensions = Vec::new();
        for column in columns {
            let at = usize::try_from(column.attno - 1).unwrap_or_default();
            let value = |row: &Vec<Datum>| row.get(at).cloned().unwrap_or_default();
            dimensions.push(Dimension {
                attribute: column.attno,
                type_oid: column.type_ref.oid,
                base: crate::access_method::base_type(view, column.type_ref.oid)?,
                collation: column.collation,
                values: sample.rows.iter().map(value).collect(),
            });
        }
        for (expr, attribute) in object
            .exprs
            .iter()
            .zip(object.attributes().split_off(object.keys.len()))
        {
            let mut compiled = RowExpr::compile(expr, view)?;
            let mut values = Vec::with_capacity(sample.rows.len());
            for row in sample.rows.iter() {
                values.push(compiled.eval(cx, row)?);
            }
            dimensions.push(Dimension {
                attribute,
                type_oid: expr.type_oid(),
                base: crate::access_method::base_type(view, expr.type_oid())?,
                collation: expr.collation(),
                values,
            });
        }
        Ok(Values {
            dimensions,
            rows: sample.rows.len(),
            cancel: cx.cancel.clone(),
        })
    }

    /// The row of `pg_statistic_ext_data`.
    fn row(
        &self,
        sample: &Sample,
        object: &StatisticsObject,
        target: usize,
        default_target: usize,
        view: &dyn CatalogView,
    ) -> PgResult<Vec<Datum>> {
        let mut row = vec![Datum::Null; data::COUNT];
        row[data::STXOID] = Datum::Oid(object.oid.0);
        row[data::STXDINHERIT] = Datum::Bool(sample.inherited);
        if object.has(b'd') {
            row[data::STXDNDISTINCT] = Datum::text(ndistinct_text(&self.ndistinct(sample.total)?));
        }
        if object.has(b'f') {
            let found = self.dependencies()?;
            if !found.is_empty() {
                row[data::STXDDEPENDENCIES] = Datum::text(dependencies_text(&found));
            }
        }
        if object.has(b'm') {
            let items = self.most_common(target, sample.total)?;
            if !items.is_empty() {
                let types: Vec<Oid> = self.dimensions.iter().map(|d| d.type_oid).collect();
                row[data::STXDMCV] = Datum::text(encode_mcv(&items, &types)?);
            }
        }
        if object.has(b'e') {
            let target = if object.target.is_some() {
                target
            } else {
                default_target
            };
            row[data::STXDEXPR] = self.of_expressions(sample.total, target, view)?;
        }
        Ok(row)
    }

    fn compare(&self, dimension: usize, a: usize, b: usize) -> Ordering {
        let Some(d) = self.dimensions.get(dimension) else {
            return Ordering::Equal;
        };
        match (&d.values[a], &d.values[b]) {
            (Datum::Null, Datum::Null) => Ordering::Equal,
            (Datum::Null, _) => Ordering::Greater,
            (_, Datum::Null) => Ordering::Less,
            (x, y) => types::compare::compare(d.base, x, y),
        }
    }

    fn compare_all(&self, dimensions: &[usize], a: usize, b: usize) -> Ordering {
        let mut each = dimensions.iter().map(|d| self.compare(*d, a, b));
        each.find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    }

    /// Rows in the order of some dimensions.
    fn sorted(&self, dimensions: &[usize]) -> PgResult<Vec<usize>> {
        let mut rows: Vec<usize> = (0..self.rows).collect();
        pieces::sort_by(&self.cancel, &mut rows, |a, b| {
            self.compare_all(dimensions, *a, *b)
        })?;
        Ok(rows)
    }

    /// First row and number of rows of each combination, in order.
    fn groups(&self, dimensions: &[usize]) -> PgResult<Vec<(usize, usize)>> {
        let mut groups: Vec<(usize, usize)> = Vec::new();
        for row in self.sorted(dimensions)? {
            match groups.last_mut() {
                Some((first, count)) if self.compare_all(dimensions, *first, row).is_eq() => *count += 1,
                _ => groups.push((row, 1)),
            }
        }
        Ok(groups)
    }

    fn attributes(&self, dimensions: &[usize]) -> Vec<i16> {
        let attribute = |d: &usize| self.dimensions.get(*d).map(|d| d.attribute);
        dimensions.iter().filter_map(attribute).collect()
    }

    /// Number of different combinations of every set of at least two dimensions, by the estimator of Haas and Stokes.
    fn ndistinct(&self, total: f64) -> PgResult<Vec<AttributesOf>> {
        let count = self.dimensions.len();
        let mut found = Vec::new();
        for size in 2..=count {
            for set in combinations(count, size) {
                let groups = self.groups(&set)?;
                let once = groups.iter().filter(|(_, n)| *n == 1).count() as f64;
                let (rows, distinct) = (self.rows as f64, groups.len() as f64);
                let estimate = rows * distinct / ((rows - once) + once * rows / total);
                let n = (estimate.max(distinct).min(total) + 0.5).floor();
                found.push((self.attributes(&set), n));
            }
        }
        Ok(found)
    }

    /// How far the last of every set of dimensions follows from the others.
    fn dependencies(&self) -> PgResult<Vec<AttributesOf>> {
        let count = self.dimensions.len();
        let mut found = Vec::new();
        for size in 2..=count {
            for from in combinations(count, size - 1) {
                for implied in (0..count).filter(|d| !from.contains(d)) {
                    let degree = self.degree(&from, implied)?;
                    if degree > 0.0 {
                        let mut all = self.attributes(&from);
                        all.extend(self.attributes(&[implied]));
                        found.push((all, degree));
                    }
                }
            }
        }
        Ok(found)
    }

    /// The part of the rows whose values of `from` go with one value of `implied` only.
    fn degree(&self, from: &[usize], implied: usize) -> PgResult<f64> {
        let rows = self.sorted(&[from, &[implied]].concat())?;
        let mut supporting = 0;
        let mut start = 0;
        while start < rows.len() {
            let group = rows[start..]
                .iter()
                .take_while(|r| self.compare_all(from, rows[start], **r).is_eq())
                .count();
            let last = rows[start + group - 1];
            if self.compare(implied, rows[start], last).is_eq() {
                supporting += group;
            }
            start += group;
        }
        Ok(supporting as f64 / self.rows as f64)
    }

    /// The most common combinations, most common first.
    fn most_common(&self, target: usize, total: f64) -> PgResult<Vec<McvItem>> {
        let all: Vec<usize> = (0..self.dimensions.len()).collect();
        let mut groups = self.groups(&all)?;
        groups.sort_by_key(|g| std::cmp::Reverse(g.1));
        groups.truncate(target);
        let least = least_count(self.rows as f64, total);
        groups.retain(|(_, count)| *count as f64 >= least);
        let single: PgResult<Vec<Vec<(usize, usize)>>> = all.iter().map(|d| self.groups(&[*d])).collect();
        let single = single?;
        let rows = self.rows as f64;
        let item = |(row, count): &(usize, usize)| {
            let frequency_in = |(d, groups): (usize, &Vec<(usize, usize)>)| {
                let at = groups.binary_search_by(|(first, _)| self.compare(d, *first, *row));
                at.map_or(1.0, |at| groups[at].1 as f64 / rows)
            };
            McvItem {
                values: self.dimensions.iter().map(|d| d.values[*row].clone()).collect(),
                frequency: *count as f64 / rows,
                base_frequency: single.iter().enumerate().map(frequency_in).product(),
            }
        };
        Ok(groups.iter().map(item).collect())
    }

    /// `pg_statistic` rows of the expressions, as an array.
    fn of_expressions(&self, total: f64, target: usize, view: &dyn CatalogView) -> PgResult<Datum> {
        let mut elements = Vec::new();
        let catalog = view.relation(catalog::oids::PG_STATISTIC)?;
        let field_types: Vec<Oid> = catalog
            .iter()
            .flat_map(|d| d.columns.iter().map(|c| c.type_ref.oid))
            .collect();
        for d in self.dimensions.iter().filter(|d| d.attribute < 0) {
            let of = Subject {
                type_oid: d.type_oid,
                collation: d.collation,
                target,
            };
            let values: Vec<&Datum> = d.values.iter().collect();
            let row = statistics_row(of, &values, total, (view, &self.cancel))?;
            elements.push(Datum::Record(Arc::new(RecordValue {
                type_oid: t::PG_STATISTIC,
                field_types: field_types.clone(),
                fields: row.into_iter().take(pg_statistic::COUNT).collect(),
                names: None,
            })));
        }
        Ok(Datum::Array(Arc::new(ArrayValue::from_elements(
            t::PG_STATISTIC,
            elements,
        ))))
    }
}

/// Below so many rows of the sample, chance may have made an item.
///
/// PG: `get_mincount_for_mcv_list`.
fn least_count(sample: f64, total: f64) -> f64 {
    let denominator = total - sample + 0.04 * sample * (total - 1.0);
    if denominator == 0.0 {
        return 0.0;
    }
    sample * (total - sample) / denominator
}

/// Sets of `size` numbers below `count`, ascending.
fn combinations(count: usize, size: usize) -> Vec<Vec<usize>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for last in size - 1..count {
        for mut below in combinations(last, size - 1) {
            below.push(last);
            all.push(below);
        }
    }
    all.sort();
    all
}
