//! Joins: conditions, USING and NATURAL, merged columns, what aliases hide.
//!
//! PG: src/backend/parser/parse_clause.c (`transformFromClauseItem`, `buildMergedJoinVar`).

use std::rc::Rc;
use std::sync::Arc;

use common::{AttrNumber, Oid, PgResult, Span, pg_err};
use nodes::Expr;
use nodes::expr::{ReturningKind, TypedArgs};
use nodes::query::JoinTreeNode;
use nodes::query::{JoinExpr, JoinType, RteKind};
use parser::ast;
use types::settings::TypeRef;

use crate::expr_op::and_all;
use crate::kind::ExprKind;
use crate::parse_clause::{FromItem, check_conflicts, set_lateral};
use crate::parse_coerce::{CoerceTo, select_common_typmod};
use crate::parse_relation::join_type;
use crate::state::{Analyzer, NsColumn, NsItem, NsNames};

/// The two sides of a join, analyzed.
struct Sides {
    left: NsItem,
    right: NsItem,
    /// Positions merged by USING, left and right.
    merged: Vec<(usize, usize)>,
    names: Vec<Arc<str>>,
}

impl Analyzer<'_> {
    /// A join.
    pub fn join(&mut self, j: &ast::JoinExpr) -> PgResult<FromItem> {
        let (left_node, left, mut left_ns) = self.table_ref(&j.larg)?;
        let lateral_ok = matches!(j.jointype, ast::JoinType::Inner | ast::JoinType::Left);
        let mut visible = left_ns.clone();
        set_lateral(&mut visible, true, lateral_ok);
        let before = self.cur().namespace.len();
        // The left side is visible to LATERAL items of the right side, and is gone again afterwards.
        self.ps().namespace.extend(visible);
        let right_result = self.table_ref(&j.rarg);
        self.ps().namespace.truncate(before);
        let (right_node, right, right_ns) = right_result?;
        check_conflicts(&left_ns, &right_ns)?;
        left_ns.extend(right_ns);
        let mut items: Vec<NsItem> = left_ns;
        let mut sides = self.merge_sides(j, left, right)?;
        let quals = if sides.names.is_empty() {
            match &j.quals {
                Some(q) => Some(self.join_condition(q, &items)?),
                None => None,
            }
        } else {
            self.using_condition(&sides)?
        };
        let rt_index = self.cur().rtable.len() + 1;
        let kind = join_type(j.jointype);
        if matches!(kind, JoinType::Left | JoinType::Full) {
            self.mark_nulled(&right_node, rt_index);
        }
        if matches!(kind, JoinType::Right | JoinType::Full) {
            self.mark_nulled(&left_node, rt_index);
        }
        let item = self.join_item(j, kind, &mut sides, rt_index)?;
        let node = JoinTreeNode::Join(Box::new(JoinExpr {
            join_type: kind,
            left: left_node,
            right: right_node,
            quals,
            rt_index,
        }));
        if let Some(alias) = &j.join_using_alias {
            let using = self.using_alias_item(alias, &item, &sides, &items)?;
            if j.alias.is_some() {
                items.clear();
            } else {
                items.iter_mut().for_each(|i| i.cols_visible = false);
                items.push(using);
            }
        } else if j.alias.is_some() {
            items.clear();
        } else {
            items.iter_mut().for_each(|i| i.cols_visible = false);
        }
        items.push(item.clone());
        Ok((node, item, items))
    }

    fn merge_sides(&mut self, j: &ast::JoinExpr, left: NsItem, right: NsItem) -> PgResult<Sides> {
        let mut names: Vec<Arc<str>> = Vec::new();
        if j.is_natural {
            for (i, n) in left.names.column_names.iter().enumerate() {
                let usable = |item: &NsItem, at: usize| {
                    item.names
                        .columns
                        .get(at)
                        .is_some_and(|c| c.attno != 0 && !c.dont_expand)
                };
                let twin = right
                    .names
                    .column_names
                    .iter()
                    .enumerate()
                    .any(|(k, r)| r == n && usable(&right, k));
                if usable(&left, i) && twin {
                    names.push(n.clone());
                }
            }
        } else {
            names.extend(j.using_clause.iter().map(|n| Arc::from(n.as_str())));
        }
        let mut merged = Vec::new();
        for (i, n) in names.iter().enumerate() {
            if names[..i].contains(n) {
                // A natural join finds the ambiguity in the side that has the column twice.
                let text = format!("column name \"{n}\" appears more than once in USING clause");
                if !j.is_natural {
                    return Err(pg_err!(DUPLICATE_COLUMN, "{text}"));
                }
            }
            merged.push((using_column(&left, n, "left")?, using_column(&right, n, "right")?));
        }
        Ok(Sides {
            left,
            right,
            merged,
            names,
        })
    }

    fn join_condition(&mut self, q: &ast::Expr, items: &[NsItem]) -> PgResult<Expr> {
        let mut visible = items.to_vec();
        set_lateral(&mut visible, false, true);
        let saved = std::mem::replace(&mut self.ps().namespace, visible);
        let result = self.transform_where(q, ExprKind::JoinOn, "JOIN/ON");
        self.ps().namespace = saved;
        result
    }

    fn using_condition(&mut self, sides: &Sides) -> PgResult<Option<Expr>> {
        let mut parts = Vec::new();
        for (l, r) in &sides.merged {
            let left = self.var_of_item(&sides.left, *l, 0, Span::NONE);
            let right = self.var_of_item(&sides.right, *r, 0, Span::NONE);
            let equals = [ast::Ident::new("=", Span::NONE)];
            let one = self.make_op(&equals, Some(left), right, Span::NONE)?;
            parts.push(self.coerce_to_boolean(one, "JOIN/USING")?);
        }
        Ok(and_all(parts))
    }

    fn join_item(
        &mut self,
        j: &ast::JoinExpr,
        kind: JoinType,
        sides: &mut Sides,
        rt_index: usize,
    ) -> PgResult<NsItem> {
        let (mut vars, mut columns, mut names) = (Vec::new(), Vec::new(), Vec::new());
        let (mut left_cols, mut right_cols) = (Vec::new(), Vec::new());
        for (k, (l, r)) in sides.merged.clone().into_iter().enumerate() {
            let left_column = sides.left.names.columns[l].clone();
            let right_column = sides.right.names.columns[r].clone();
            let left = self.column_var(&left_column, 0, Span::NONE);
            let right = self.column_var(&right_column, 0, Span::NONE);
            let merged = self.merged_var(kind, left.clone(), right.clone())?;
            columns.push(if merged == left {
                left_column
            } else if merged == right {
                right_column
            } else {
                NsColumn {
                    index: rt_index,
                    attno: (k + 1) as AttrNumber,
                    type_ref: merged.type_ref(),
                    collation: merged.collation(),
                    returning: ReturningKind::Default,
                    dont_expand: false,
                }
            });
            vars.push(merged);
            names.push(sides.names[k].clone());
            left_cols.push((l + 1) as AttrNumber);
            right_cols.push((r + 1) as AttrNumber);
        }
        let merged = vars.len();
        let taken_left: Vec<usize> = sides.merged.iter().map(|m| m.0).collect();
        let taken_right: Vec<usize> = sides.merged.iter().map(|m| m.1).collect();
        for (item, taken, cols) in [
            (&sides.left, &taken_left, &mut left_cols),
            (&sides.right, &taken_right, &mut right_cols),
        ] {
            for (i, c) in item.names.columns.iter().enumerate() {
                if c.attno == 0 || taken.contains(&i) {
                    continue;
                }
                vars.push(self.column_var(c, 0, Span::NONE));
                columns.push(c.clone());
                names.push(item.names.column_names[i].clone());
                cols.push((i + 1) as AttrNumber);
            }
        }
        let rte = RteKind::Join {
            join_type: kind,
            alias_vars: vars,
            merged,
            left_cols,
            right_cols,
            using_alias: j.join_using_alias.as_ref().map(|a| Arc::from(a.name.as_str())),
        };
        let mut item = self.add_join(rte, names, columns, j.alias.as_deref())?;
        item.rel_visible = j.alias.is_some();
        Ok(item)
    }

    /// The column that USING makes of one of each side.
    fn merged_var(&mut self, kind: JoinType, left: Expr, right: Expr) -> PgResult<Expr> {
        let types = [(left.type_oid(), left.span()), (right.type_oid(), right.span())];
        let common = self.select_common_type(&types, Some("JOIN/USING"))?;
        let typmod = select_common_typmod(&[left.type_ref(), right.type_ref()], common);
        let target = TypeRef { oid: common, typmod };
        let left = self.merge_side(left, target)?;
        let right = self.merge_side(right, target)?;
        let mut merged = match kind {
            JoinType::Left => left,
            JoinType::Right => right,
            JoinType::Full => Expr::Coalesce(TypedArgs {
                args: vec![left, right],
                result: target,
                collation: Oid::INVALID,
                span: Span::NONE,
            }),
            _ if matches!(left, Expr::Var(_)) || !matches!(right, Expr::Var(_)) => left,
            _ => right,
        };
        self.assign_expr_collations(&mut merged)?;
        Ok(merged)
    }

    fn merge_side(&mut self, e: Expr, target: TypeRef) -> PgResult<Expr> {
        if e.type_oid() != target.oid {
            return self.coerce_type(
                e,
                CoerceTo {
                    target,
                    ..CoerceTo::implicit(target.oid)
                },
            );
        }
        if e.type_ref().typmod != target.typmod {
            let collation = e.collation();
            return Ok(crate::parse_coerce::relabel(
                e,
                target,
                collation,
                CoerceTo::implicit(target.oid),
            ));
        }
        Ok(e)
    }

    fn using_alias_item(
        &mut self,
        alias: &ast::Alias,
        item: &NsItem,
        sides: &Sides,
        items: &[NsItem],
    ) -> PgResult<NsItem> {
        if items
            .iter()
            .any(|i| i.rel_visible && &*i.names.name == alias.name.as_str())
        {
            return Err(pg_err!(
                DUPLICATE_ALIAS,
                "table name \"{}\" specified more than once",
                alias.name.as_str()
            ));
        }
        let count = sides.names.len();
        let mut using = NsItem::new(Rc::new(NsNames {
            name: Arc::from(alias.name.as_str()),
            column_names: sides.names.clone(),
            columns: item.names.columns[..count].to_vec(),
            index: item.index(),
            returning: ReturningKind::Default,
            relation: Oid::INVALID,
            partial: true,
        }));
        using.cols_visible = false;
        Ok(using)
    }
}

fn using_column(item: &NsItem, name: &str, side: &str) -> PgResult<usize> {
    let mut found = None;
    for (i, n) in item.names.column_names.iter().enumerate() {
        if &**n != name || item.names.columns.get(i).is_none_or(|c| c.attno == 0) {
            continue;
        }
        if found.is_some() {
            return Err(pg_err!(
                AMBIGUOUS_COLUMN,
                "common column name \"{name}\" appears more than once in {side} table"
            ));
        }
        found = Some(i);
    }
    found.ok_or_else(|| {
        pg_err!(
            UNDEFINED_COLUMN,
            "column \"{name}\" specified in USING clause does not exist in {side} table"
        )
    })
}
