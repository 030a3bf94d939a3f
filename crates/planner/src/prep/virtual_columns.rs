//! References to virtual generated columns become the expressions that they stand for.
//!
//! PG: src/backend/optimizer/prep/prepjointree.c (`expand_virtual_generated_columns`).
//!
//! # How it works
//! Once for the whole statement, before anything is pulled up or moved. The expression takes the reference's place also above
//! outer joins, where a reference would be NULL for want of a row. A strict expression is so by itself; another one is put into a
//! CASE that asks for the row's `tableoid`.

use std::sync::Arc;

use catalog::virtual_columns::{expansion, has_any};
use catalog::{CatalogView, RelationDesc};
use common::{Oid, PgResult, Span, TABLEOID};
use nodes::expr::{CaseExpr, CaseWhen, Expr, NullTest, ReturningKind, Var, VarSource};
use nodes::query::{CommandType, Query, RteKind};
use nodes::walk;
use types::oids;
use types::settings::TypeRef;

use crate::exprs::facts;
use crate::exprs::query_walk::{for_each_expr_deep, for_each_expr_mut};
use crate::prep::aliases::{nullable_entries, raise_levels};

/// A range table entry with virtual columns.
struct Entry {
    index: usize,
    desc: Arc<RelationDesc>,
    presence: Presence,
}

/// Whether rows of an entry are there where expressions over it are evaluated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Certain,
    /// An outer join or MERGE may leave them out.
    Doubtful,
    /// Grouping sets leave columns out one by one, and must not take the expression for one that the user wrote over other keys.
    Columns,
}

/// Expands all virtual columns in the query and in those inside it.
pub fn expand(query: &mut Query, catalog: &dyn CatalogView) -> PgResult<()> {
    let entries = entries(query, catalog)?;
    if !entries.is_empty() {
        for_each_expr_deep(query, 0, &mut |e, depth| {
            walk::rewrite(e, &mut |e| replace(e, depth, &entries, catalog));
        });
    }
    for rte in &mut query.range_table {
        if let RteKind::Subquery { query, .. } = &mut rte.kind {
            expand(Arc::make_mut(query), catalog)?;
        }
    }
    for cte in &mut query.ctes {
        expand(Arc::make_mut(&mut cte.query), catalog)?;
    }
    if query.has_sub_links {
        expand_sub_links(query, catalog)
    } else {
        Ok(())
    }
}

fn expand_sub_links(query: &mut Query, catalog: &dyn CatalogView) -> PgResult<()> {
    let mut result = Ok(());
    for_each_expr_mut(query, &mut |e| {
        walk::rewrite(e, &mut |e| {
            if let Expr::SubLink(link) = e
                && result.is_ok()
            {
                result = expand(Arc::make_mut(&mut link.query), catalog);
            }
        });
    });
    result
}

fn entries(query: &Query, catalog: &dyn CatalogView) -> PgResult<Vec<Entry>> {
    let mut found = Vec::new();
    for (k, rte) in query.range_table.iter().enumerate() {
        if let RteKind::Relation { relation, .. } = rte.kind
            && let Some(desc) = catalog.relation(relation)?
            && has_any(&desc)
        {
            found.push((k + 1, desc));
        }
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let nullable = nullable_entries(query);
    let presence = |index: usize| match () {
        () if !query.grouping_sets.is_empty() => Presence::Columns,
        () if query.command == CommandType::Merge || nullable.contains_key(&index) => Presence::Doubtful,
        () => Presence::Certain,
    };
    let entry = |(index, desc)| Entry {
        index,
        desc,
        presence: presence(index),
    };
    Ok(found.into_iter().map(entry).collect())
}

fn replace(e: &mut Expr, depth: usize, entries: &[Entry], catalog: &dyn CatalogView) {
    let Expr::Var(v) = e else { return };
    let VarSource::Rel { index, levels_up } = v.source else {
        return;
    };
    if levels_up != depth {
        return;
    }
    let Some(entry) = entries.iter().find(|entry| entry.index == index) else {
        return;
    };
    // Seen from the reference's own level, which strictness is asked at.
    let own = Var {
        source: VarSource::Rel { index, levels_up: 0 },
        ..v.clone()
    };
    let Some(mut expanded) = expansion(&own, &entry.desc) else {
        return;
    };
    let is_strict = || facts::nonnullable_rels(&expanded, false, catalog).contains(index);
    let asks = match entry.presence {
        Presence::Certain => v.returning != ReturningKind::Default && !is_strict(),
        Presence::Doubtful => !is_strict(),
        Presence::Columns => true,
    };
    if asks {
        expanded = where_present(expanded, &own);
    }
    raise_levels(&mut expanded, depth);
    *e = expanded;
}

/// The expression, or NULL where there is no row that the reference is of.
fn where_present(expr: Expr, var: &Var) -> Expr {
    let table = Expr::Var(Var {
        attno: TABLEOID,
        type_ref: TypeRef::plain(oids::OID),
        collation: Oid::INVALID,
        ..var.clone()
    });
    let (result, collation) = (expr.type_ref(), expr.collation());
    Expr::Case(CaseExpr {
        arg: None,
        whens: vec![CaseWhen {
            condition: Expr::NullTest(NullTest {
                arg: Box::new(table),
                is_not: true,
                arg_is_row: false,
                span: Span::NONE,
            }),
            result: expr,
            span: Span::NONE,
        }],
        default: Box::new(Expr::null_const(result, collation)),
        result,
        collation,
        span: Span::NONE,
    })
}
