//! The key that a foreign key refers to: its unique index, and the operators that compare both sides.
//!
//! PG: src/backend/commands/tablecmds.c (`transformFkeyCheckAttrs`, `transformFkeyGetPrimaryKey`).

use std::sync::Arc;

use catalog::CatalogView;
use catalog::desc::RelationDesc;
use catalog::oids;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use parser::ast::Constraint;

use super::key_columns;
use super::period::period_of_referenced_only;
use crate::context::CommandContext;

/// REFERENCES without columns.
fn primary_key(
    cx: &CommandContext<'_>,
    referenced: &RelationDesc,
    key: &Constraint,
) -> PgResult<(Vec<i16>, Arc<RelationDesc>)> {
    let Some(primary) = referenced.constraints.iter().find(|c| c.kind == b'p') else {
        return Err(pg_err!(
            UNDEFINED_OBJECT,
            "there is no primary key for referenced table \"{}\"",
            referenced.name
        ));
    };
    if primary.deferrable {
        return Err(pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cannot use a deferrable primary key for referenced table \"{}\"",
            referenced.name
        ));
    }
    if primary.period && !key.fk_with_period {
        return Err(period_of_referenced_only());
    }
    let index = cx.relation(primary.index)?;
    let columns = index.index.as_ref().map_or_else(Vec::new, |i| {
        i.columns.iter().take(i.key_count).map(|c| c.attno).collect()
    });
    Ok((columns, index))
}

/// The columns referred to and their unique index.
pub(super) fn referenced_key(
    cx: &CommandContext<'_>,
    referenced: &RelationDesc,
    key: &Constraint,
) -> PgResult<(Vec<i16>, Arc<RelationDesc>)> {
    if key.pk_attrs.is_empty() {
        return primary_key(cx, referenced, key);
    }
    if key.fk_with_period && !key.pk_with_period {
        return Err(pg_err!(
            INVALID_FOREIGN_KEY,
            "foreign key uses PERIOD on the referencing table but not the referenced table"
        ));
    }
    let columns = key_columns(referenced, &key.pk_attrs)?;
    for (i, column) in columns.iter().enumerate() {
        if columns[..i].contains(column) {
            return Err(pg_err!(
                INVALID_FOREIGN_KEY,
                "foreign key referenced-columns list must not contain duplicates"
            ));
        }
    }
    let mut deferrable = false;
    for oid in &referenced.indexes {
        let index = cx.relation(*oid)?;
        let Some(info) = &index.index else { continue };
        let own: Vec<i16> = info
            .columns
            .iter()
            .take(info.key_count)
            .map(|c| c.attno)
            .collect();
        // With PERIOD the key is one WITHOUT OVERLAPS, and the period its last column.
        let kind = match key.fk_with_period {
            true => info.exclusion && own.last() == columns.last(),
            false => info.unique,
        };
        let usable = kind && info.valid && info.predicate.is_none() && own.len() == columns.len();
        if !usable || !own.iter().all(|a| *a > 0 && columns.contains(a)) {
            continue;
        }
        if info.immediate && info.exclusion && !key.fk_with_period {
            return Err(pg_err!(
                INVALID_FOREIGN_KEY,
                "foreign key must use PERIOD when referencing a primary key using WITHOUT OVERLAPS"
            ));
        }
        if info.immediate {
            return Ok((columns, index));
        }
        deferrable = true;
    }
    Err(if deferrable {
        pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cannot use a deferrable unique constraint for referenced table \"{}\"",
            referenced.name
        )
    } else {
        pg_err!(
            INVALID_FOREIGN_KEY,
            "there is no unique constraint matching given keys for referenced table \"{}\"",
            referenced.name
        )
    })
}

pub(super) type Operators = (Vec<Oid>, Vec<Oid>, Vec<Oid>);

/// The strategy of equality in the families that keys WITHOUT OVERLAPS name.
const GIST_EQUAL: i16 = 18;

/// Equality operators pk = fk, pk = pk, fk = fk of the index's families.
pub(super) fn operators(
    view: &dyn CatalogView,
    table: &RelationDesc,
    referenced: &RelationDesc,
    columns: &[i16],
    pk_columns: &[i16],
    index: &RelationDesc,
    name: &str,
) -> PgResult<Operators> {
    let mut out: Operators = (Vec::new(), Vec::new(), Vec::new());
    let btree = index
        .index
        .as_ref()
        .is_some_and(|i| i.access_method == oids::BTREE_AM);
    let equal = if btree { 3 } else { GIST_EQUAL };
    for (own, theirs) in columns.iter().zip(pk_columns) {
        let (Some(fk), Some(pk)) = (table.column(*own), referenced.column(*theirs)) else {
            return Err(common::internal!("key column vanished"));
        };
        let info = index
            .index
            .as_ref()
            .and_then(|i| i.columns.iter().find(|c| c.attno == *theirs))
            .ok_or_else(|| common::internal!("index \"{}\" lacks a key column", index.name))?;
        let fk_type = crate::access_method::base_type(view, fk.type_ref.oid)?;
        let family = info.opfamily;
        let pp = view.opfamily_member(family, info.opcintype, info.opcintype, equal)?;
        let mut pf = view.opfamily_member(family, info.opcintype, fk_type, equal)?;
        let mut ff = view.opfamily_member(family, fk_type, fk_type, equal)?;
        if pf.is_none() || ff.is_none() {
            // The referencing value is cast to the index's type.
            let castable = fk_type == info.opcintype
                || view
                    .cast(fk_type, info.opcintype)?
                    .is_some_and(|c| c.context == b'i')
                || is_polymorphic(info.opcintype) && fk.type_ref.oid == pk.type_ref.oid;
            if castable {
                (pf, ff) = (pp, pp);
            }
        }
        let (Some(pf), Some(pp)) = (pf, pp) else {
            let word = |oid: Oid| catalog::format_type::format_type(view, oid, -1);
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "foreign key constraint \"{name}\" cannot be implemented"
            )
            .detail(format!(
                "Key columns \"{}\" of the referencing table and \"{}\" of the referenced table are of incompatible types: {} and {}.",
                fk.name,
                pk.name,
                word(fk.type_ref.oid)?,
                word(pk.type_ref.oid)?
            )));
        };
        out.0.push(pf);
        out.1.push(pp);
        out.2.push(ff.unwrap_or(pp));
    }
    Ok(out)
}

fn is_polymorphic(type_oid: Oid) -> bool {
    use types::oids as t;
    matches!(
        type_oid,
        t::ANYARRAY | t::ANYENUM | t::ANYRANGE | t::ANYMULTIRANGE | t::RECORD
    )
}
