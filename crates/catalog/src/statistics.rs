//! Column statistics: `pg_statistic` rows as ANALYZE writes them and the planner reads them.

use std::sync::Arc;

use common::{Oid, PgResult};
use types::Datum;

use crate::columns::pg_statistic::*;
use crate::oids;
use crate::row::StoredRow;
use crate::store::{CatalogRead, key_oid};
use crate::view::ColumnStatistics;

/// `stakindN` of most common values, histograms and correlation.
const KIND_MCV: i16 = 1;
const KIND_HISTOGRAM: i16 = 2;
const KIND_CORRELATION: i16 = 3;

/// What is known of a column; `inherited`: with the table's children, if that is known.
pub fn column(
    read: &dyn CatalogRead,
    (relation, attno): (Oid, i16),
    inherited: bool,
) -> PgResult<Option<Arc<ColumnStatistics>>> {
    let key = [key_oid(relation), Datum::Int2(attno)];
    let rows = read.lookup(oids::PG_STATISTIC_RELID_ATT_INH_INDEX, &key)?;
    let row = rows.iter().find(|row| row.bool(STAINHERIT) == inherited);
    let row = row.or(rows.first());
    Ok(row.map(|row| Arc::new(of_row(row))))
}

/// The findings of a row of `pg_statistic`.
pub(crate) fn of_row(row: &StoredRow) -> ColumnStatistics {
    let mut statistics = ColumnStatistics {
        null_fraction: row.float4(STANULLFRAC),
        average_width: row.int4(STAWIDTH),
        n_distinct: row.float4(STADISTINCT),
        ..ColumnStatistics::default()
    };
    for slot in 0..5 {
        let numbers = row.list(STANUMBERS1 + slot).iter().map(|n| match n {
            Datum::Float4(v) => *v,
            _ => 0.0,
        });
        let values = row.list(STAVALUES1 + slot).iter().cloned();
        match row.int2(STAKIND1 + slot) {
            KIND_MCV => statistics.most_common = values.zip(numbers).collect(),
            KIND_HISTOGRAM => statistics.histogram = values.collect(),
            KIND_CORRELATION => statistics.correlation = numbers.into_iter().next(),
            _ => {}
        }
    }
    statistics
}
