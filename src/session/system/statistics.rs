//! `pg_stat_get_*` of tables: what changed since the database was opened, and what kept them in order.

use access::{Asked, Done, Table, Upkeep};
use catalog::CatalogView;
use common::{Oid, PgResult};
use executor::RelationOpener;
use types::Datum;

use crate::session::core::EPOCH_MICROS;
use crate::session::env::StatementEnv;

/// Who asked for what a function counts, by the end of its name.
fn upkeep(rest: &str) -> Option<(Upkeep, Asked)> {
    Some(match rest {
        "vacuum" => (Upkeep::Vacuum, Asked::ByHand),
        "autovacuum" => (Upkeep::Vacuum, Asked::Automatic),
        "analyze" => (Upkeep::Analyze, Asked::ByHand),
        "autoanalyze" => (Upkeep::Analyze, Asked::Automatic),
        _ => return None,
    })
}

fn last(done: Done) -> Datum {
    match done.last_unix_micros {
        0 => Datum::Null,
        micros => Datum::Int8(micros - EPOCH_MICROS),
    }
}

fn counted(rest: &str, table: Option<&Table>) -> Option<Datum> {
    let done = |what: &str| {
        upkeep(what).map(|(what, asked)| table.map_or_else(Done::default, |t| t.upkeep(what, asked)))
    };
    if let Some(what) = rest
        .strip_prefix("last_")
        .and_then(|rest| rest.strip_suffix("_time"))
    {
        return done(what).map(last);
    }
    if let Some(what) = rest
        .strip_prefix("total_")
        .and_then(|rest| rest.strip_suffix("_time"))
    {
        return done(what).map(|done| Datum::Float8(done.spent_micros as f64 / 1000.0));
    }
    if let Some(what) = rest.strip_suffix("_count") {
        return done(what).map(|done| Datum::Int8(done.count as i64));
    }
    let activity = table.map(Table::activity).unwrap_or_default();
    Some(Datum::Int8(match rest {
        "tuples_inserted" => activity.inserted,
        "tuples_updated" => activity.updated,
        "tuples_deleted" => activity.deleted,
        "mod_since_analyze" => activity.since_analyze,
        "ins_since_vacuum" => activity.inserted_since_vacuum,
        _ => return None,
    } as i64))
}

impl StatementEnv<'_> {
    /// A `pg_stat_get_*` of a table; 0 or NULL for what has no rows of its own.
    pub(super) fn table_statistics(&self, function: &str, args: &[Datum]) -> PgResult<Option<Datum>> {
        let (Some(rest), Some(Datum::Oid(relation))) = (function.strip_prefix("pg_stat_get_"), args.first())
        else {
            return Ok(None);
        };
        if counted(rest, None).is_none() {
            return Ok(None);
        }
        let desc = self.view.relation(Oid(*relation))?;
        let table = match desc.filter(|desc| matches!(desc.relkind, b'r' | b'm')) {
            Some(desc) => Some(self.core.db.relations.table(&desc)?),
            None => None,
        };
        Ok(counted(rest, table.as_ref()))
    }
}
