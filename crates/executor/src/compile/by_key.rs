//! Sequential scans that ask for one row by a unique key.
//!
//! They are planned so for tables of a page or two, where PostgreSQL would spend more on walking the index. Here the lookup is always
//! cheaper; and to a serializable transaction the key says what was read, where a scan has read the whole table.

use catalog::desc::IndexColumnDesc;
use common::Oid;
use nodes::Expr;
use nodes::plan::{IndexQual, IndexQualValue, IndexScan, ScanDirection};

use super::Compiler;

/// The conditions of a sequential scan as a scan of an index, and those beside it: where they name one row by a unique key.
pub(crate) fn scan_by_key<'p>(
    c: &Compiler<'_>,
    quals: &'p [Expr],
    rt_index: usize,
    relation: Oid,
) -> Option<(IndexScan, Vec<&'p Expr>)> {
    const BTREE: Oid = Oid(403);
    let table = c.relation(relation).ok()?;
    for oid in &table.indexes {
        let index = c.relation(*oid).ok()?;
        let Some(info) = &index.index else { continue };
        let single = info.unique && info.immediate && info.valid;
        if !single || info.predicate.is_some() || info.access_method != BTREE {
            continue;
        }
        if !c.catalog.index_serves_snapshot(&index) {
            continue;
        }
        let keys = info.columns.get(..info.key_count)?;
        let found: Option<Vec<usize>> = keys.iter().map(|key| equality(c, quals, key)).collect();
        let Some(found) = found else { continue };
        let used = found.iter().enumerate().filter_map(|(column, &q)| {
            let Expr::Func(op) = &quals[q] else { return None };
            Some(IndexQual {
                index_column: column,
                strategy: 3,
                value: IndexQualValue::Expr(op.args.get(1)?.clone()),
                original: quals[q].clone(),
            })
        });
        let scan = IndexScan {
            rt_index,
            relation,
            index: *oid,
            quals: used.collect(),
            order_by: Vec::new(),
            direction: ScanDirection::Forward,
        };
        let rest = (0..quals.len()).filter(|q| !found.contains(q));
        return Some((scan, rest.map(|q| &quals[q]).collect()));
    }
    None
}

/// Position of a condition `column = constant or parameter` by the index column's own equality.
fn equality(c: &Compiler<'_>, quals: &[Expr], key: &IndexColumnDesc) -> Option<usize> {
    quals.iter().position(|q| {
        let Expr::Func(op) = q else { return false };
        let [Expr::Var(column), value @ (Expr::Const(_) | Expr::Param(_))] = &op.args[..] else {
            return false;
        };
        let right = c
            .catalog
            .operator(op.op)
            .ok()
            .flatten()
            .map(|o| (o.left, o.right));
        column.attno == key.attno
            && key.attno > 0
            && op.input_collation == key.collation
            && right.is_some_and(|(left, right)| {
                left == value.type_oid()
                    && left == right
                    && c.catalog
                        .opfamily_member(key.opfamily, left, right, 3)
                        .ok()
                        .flatten()
                        == Some(op.op)
            })
    })
}
