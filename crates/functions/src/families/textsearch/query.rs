//! Functions and operators of `tsquery`, and matching.

use std::cmp::Ordering;

use common::{PgResult, pg_err};
use types::order::sort_form;
use types::textsearch::query::{self, DISTANCE_MAX, Item, Node};
use types::textsearch::vector;
use types::{Datum, oids};

use crate::families::textsearch::matching::{Document, Query};
use crate::families::textsearch::rewrite;
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

fn compare(a: &[u8], b: &[u8]) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    sort_form(types::oids::TSQUERY, a).cmp(&sort_form(types::oids::TSQUERY, b))
}

macro_rules! comparisons {
    ($($name:ident $op:tt;)*) => {$(
        fn $name(a: &[u8], b: &[u8]) -> bool {
            compare(a, b) $op Ordering::Equal
        }
    )*};
}

comparisons! {
    tsquery_lt <;
    tsquery_le <=;
    tsquery_eq ==;
    tsquery_ne !=;
    tsquery_ge >=;
    tsquery_gt >;
}

fn tsquery_cmp(a: &[u8], b: &[u8]) -> i32 {
    compare(a, b) as i32
}

fn joined(a: &[u8], b: &[u8], operator: Item) -> PgResult<Vec<u8>> {
    let mut items = query::items(a);
    let more = query::items(b);
    if items.is_empty() {
        return Ok(b.to_vec());
    }
    if more.is_empty() {
        return Ok(a.to_vec());
    }
    items.extend(more);
    items.push(operator);
    query::check_depth(&items)?;
    Ok(query::encode(&items))
}

fn tsquery_and(a: &[u8], b: &[u8]) -> PgResult<Vec<u8>> {
    joined(a, b, Item::And)
}

fn tsquery_or(a: &[u8], b: &[u8]) -> PgResult<Vec<u8>> {
    joined(a, b, Item::Or)
}

fn tsquery_not(a: &[u8]) -> PgResult<Vec<u8>> {
    let mut items = query::items(a);
    if !items.is_empty() {
        items.push(Item::Not);
    }
    query::check_depth(&items)?;
    Ok(query::encode(&items))
}

fn tsquery_phrase(a: &[u8], b: &[u8]) -> PgResult<Vec<u8>> {
    joined(a, b, Item::Phrase(1))
}

fn tsquery_phrase_distance(a: &[u8], b: &[u8], distance: i32) -> PgResult<Vec<u8>> {
    match u16::try_from(distance) {
        Ok(d) if d <= DISTANCE_MAX => joined(a, b, Item::Phrase(d)),
        _ => Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "distance in phrase operator must be an integer value between zero and {DISTANCE_MAX} inclusive"
        )),
    }
}

fn tsquery_numnode(q: &[u8]) -> i32 {
    query::item_count(q) as i32
}

/// What an index can look for: parts behind NOT go, and alternatives to them.
fn indexable(node: Node) -> Option<Node> {
    match node {
        Node::Not(_) => None,
        Node::Or(list) => Some(Node::Or(list.into_iter().map(indexable).collect::<Option<_>>()?)),
        Node::And(list) => {
            let mut left: Vec<Node> = list.into_iter().filter_map(indexable).collect();
            if left.len() > 1 {
                Some(Node::And(left))
            } else {
                left.pop()
            }
        }
        Node::Phrase(l, r, distance) => match (indexable(*l), indexable(*r)) {
            (Some(l), Some(r)) => Some(Node::Phrase(Box::new(l), Box::new(r), distance)),
            (one, other) => one.or(other),
        },
        word => Some(word),
    }
}

fn tsquerytree(q: &[u8]) -> String {
    let Some(tree) = query::tree(q) else {
        return String::new();
    };
    let Some(left) = indexable(tree) else {
        return "T".to_owned();
    };
    let (mut items, mut out) = (Vec::new(), String::new());
    query::flatten(&left, &mut items);
    query::push_text(&query::encode(&items), &mut out);
    out
}

fn words(q: &[u8]) -> Vec<String> {
    let items = query::items(q).into_iter();
    let mut found: Vec<String> = items
        .filter_map(|i| match i {
            Item::Word(w) => Some(w.word),
            _ => None,
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn tsq_mcontains(whole: &[u8], part: &[u8]) -> bool {
    let all = words(whole);
    words(part).iter().all(|w| all.binary_search(w).is_ok())
}

fn tsq_mcontained(part: &[u8], whole: &[u8]) -> bool {
    tsq_mcontains(whole, part)
}

/// Does a document match?
pub(crate) fn ts_match_vq(v: &[u8], q: &[u8]) -> bool {
    let query = Query::new(q);
    let entries = vector::entries(v);
    query.matches(&Document {
        entries: &entries,
        operands: &query.operands,
    })
}

fn ts_match_qv(q: &[u8], v: &[u8]) -> bool {
    ts_match_vq(v, q)
}

/// Replaces what a query of (target, substitute) pairs says.
fn tsquery_rewrite_query(ctx: &mut FnContext<'_>, q: &[u8], sql: &str) -> PgResult<Vec<u8>> {
    let found = ctx.session.query(sql, usize::MAX)?;
    let fits = matches!(&found.columns[..], [a, b] if a.type_ref.oid == oids::TSQUERY && b.type_ref.oid == oids::TSQUERY);
    if !fits {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "ts_rewrite query must return two tsquery columns"
        ));
    }
    let mut query = q.to_vec();
    for row in found.rows.iter() {
        if let [Datum::Bytes(target), Datum::Bytes(substitute)] = &row[..] {
            query = tsquery_rewrite(&query, target, substitute);
        }
    }
    Ok(query)
}

fn tsquery_rewrite(q: &[u8], target: &[u8], substitute: &[u8]) -> Vec<u8> {
    rewrite::rewrite(q, target, substitute)
}

builtins! {
    tsquery_lt(a: tsquery, b: tsquery) -> bool;
    tsquery_le(a: tsquery, b: tsquery) -> bool;
    tsquery_eq(a: tsquery, b: tsquery) -> bool;
    tsquery_ne(a: tsquery, b: tsquery) -> bool;
    tsquery_ge(a: tsquery, b: tsquery) -> bool;
    tsquery_gt(a: tsquery, b: tsquery) -> bool;
    tsquery_cmp(a: tsquery, b: tsquery) -> int4;
    tsquery_and(a: tsquery, b: tsquery) -> tsquery;
    tsquery_or(a: tsquery, b: tsquery) -> tsquery;
    tsquery_not(a: tsquery) -> tsquery;
    tsquery_phrase(a: tsquery, b: tsquery) -> tsquery;
    tsquery_phrase_distance(a: tsquery, b: tsquery, distance: int4) -> tsquery;
    tsquery_numnode(q: tsquery) -> int4;
    tsquerytree(q: tsquery) -> text;
    tsq_mcontains(whole: tsquery, part: tsquery) -> bool;
    tsq_mcontained(part: tsquery, whole: tsquery) -> bool;
    ts_match_vq(v: tsvector, q: tsquery) -> bool;
    ts_match_qv(q: tsquery, v: tsvector) -> bool;
    tsquery_rewrite(q: tsquery, target: tsquery, substitute: tsquery) -> tsquery;
    tsquery_rewrite_query(ctx, q: tsquery, sql: text) -> tsquery;
}
