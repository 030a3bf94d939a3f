//! `pg_indexam_has_property`, `pg_index_has_property`, `pg_index_column_has_property`.
//!
//! PG: src/backend/utils/adt/amutils.c.

use catalog::CatalogView;
use common::{Oid, PgResult};
use types::Datum;

use crate::session::env::StatementEnv;
use crate::session::system::{int, oid, text};

/// What an access method can do.
struct Method {
    oid: Oid,
    order: bool,
    unique: bool,
    multi_column: bool,
    exclude: bool,
    include: bool,
    cluster: bool,
    index_scan: bool,
    backward: bool,
    search_array: bool,
    search_nulls: bool,
}

const fn method(oid: u32, can: [bool; 5], does: [bool; 5]) -> Method {
    let [order, unique, multi_column, exclude, include] = can;
    let [cluster, index_scan, backward, search_array, search_nulls] = does;
    Method {
        oid: Oid(oid),
        order,
        unique,
        multi_column,
        exclude,
        include,
        cluster,
        index_scan,
        backward,
        search_array,
        search_nulls,
    }
}

const T: bool = true;
const F: bool = false;

/// btree, hash, GiST, GIN, BRIN, SP-GiST.
static METHODS: [Method; 6] = [
    method(403, [T, T, T, T, T], [T, T, T, T, T]),
    method(405, [F, F, F, T, F], [F, T, T, F, F]),
    method(783, [F, F, T, T, T], [T, T, F, F, T]),
    method(2742, [F, F, T, F, F], [F, F, F, F, F]),
    method(3580, [F, F, T, F, F], [F, F, F, F, T]),
    method(4000, [F, F, F, T, T], [F, T, F, F, T]),
];

fn answer(found: Option<bool>) -> Datum {
    found.map_or(Datum::Null, Datum::Bool)
}

fn of_oid(oid: Oid) -> Option<&'static Method> {
    METHODS.iter().find(|m| m.oid == oid)
}

impl StatementEnv<'_> {
    /// The three functions; `None` for others.
    pub(super) fn index_property(&self, function: &str, args: &[Datum]) -> PgResult<Option<Datum>> {
        Ok(Some(match function {
            "pg_indexam_has_property" => {
                let property = text(args, 1).to_ascii_lowercase();
                answer(of_oid(oid(args, 0)).and_then(|m| match property.as_str() {
                    "can_order" => Some(m.order),
                    "can_unique" => Some(m.unique),
                    "can_multi_col" => Some(m.multi_column),
                    "can_exclude" => Some(m.exclude),
                    "can_include" => Some(m.include),
                    _ => None,
                }))
            }
            "pg_index_has_property" => {
                let property = text(args, 1).to_ascii_lowercase();
                let desc = self.view.relation(oid(args, 0))?;
                let method = desc
                    .as_ref()
                    .and_then(|d| of_oid(d.index.as_ref()?.access_method));
                answer(method.and_then(|m| match property.as_str() {
                    "clusterable" => Some(m.cluster),
                    "index_scan" => Some(m.index_scan),
                    "bitmap_scan" => Some(true),
                    "backward_scan" => Some(m.backward),
                    _ => None,
                }))
            }
            "pg_index_column_has_property" => self.index_column_property(args)?,
            _ => return Ok(None),
        }))
    }

    fn index_column_property(&self, args: &[Datum]) -> PgResult<Datum> {
        let property = text(args, 2).to_ascii_lowercase();
        let desc = self.view.relation(oid(args, 0))?;
        let Some(index) = desc.as_ref().and_then(|d| d.index.as_ref()) else {
            return Ok(Datum::Null);
        };
        let at = usize::try_from(int(args, 1) - 1).ok();
        let (Some(at), Some(method)) = (at, of_oid(index.access_method)) else {
            return Ok(Datum::Null);
        };
        let Some(column) = index.columns.get(at) else {
            return Ok(Datum::Null);
        };
        let is_key = at < index.key_count;
        let ordered = |set: bool| is_key.then_some(method.order && set);
        Ok(answer(match property.as_str() {
            "asc" => ordered(!column.descending),
            "desc" => ordered(column.descending),
            "nulls_first" => ordered(column.nulls_first),
            "nulls_last" => ordered(!column.nulls_first),
            "orderable" => Some(is_key && method.order),
            "distance_orderable" => Some(false),
            "returnable" => Some(method.oid == Oid(403)),
            "search_array" => is_key.then_some(method.search_array),
            "search_nulls" => is_key.then_some(method.search_nulls),
            _ => None,
        }))
    }
}
