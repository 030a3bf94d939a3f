//! Range table entries and the namespace items that show them to names.
//!
//! PG: src/backend/parser/parse_relation.c (`addRangeTableEntry*`, `expandRTE`).

use std::rc::Rc;
use std::sync::Arc;

use catalog::RelationDesc;
use common::error::ErrorExt;
use common::{AttrNumber, Oid, PgResult, pg_err};
use nodes::Expr;
use nodes::expr::ReturningKind;
use nodes::query::JoinTreeNode;
use nodes::query::{
    Alias, JoinType, Permissions, Query, RangeTblEntry, RangeTblFunction, RteColumn, RteKind,
};
use nodes::relids::RelIds;
use parser::ast;
use types::oids;
use types::settings::TypeRef;

use crate::state::{Analyzer, NsColumn, NsItem, NsNames};

/// Offset that makes room for system columns in permission sets.
pub(crate) const FIRST_LOW_ATTNO: i32 = 7;

impl Analyzer<'_> {
    /// Opens a relation by its name in the statement; the error says that it does not exist.
    pub fn open_relation(&mut self, rv: &ast::RangeVar) -> PgResult<Arc<RelationDesc>> {
        if let Some(db) = &rv.catalog
            && db.as_str() != &*self.cx.database
        {
            let schema = rv.schema.as_ref().map_or("", ast::Ident::as_str);
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cross-database references are not implemented: \"{}.{}.{}\"",
                db.as_str(),
                schema,
                rv.relation.as_str()
            )
            .at(rv.span));
        }
        let schema = rv.schema.as_ref().map(ast::Ident::as_str);
        if let Some(rel) = self.cx.catalog.relation_by_name(schema, rv.relation.as_str())? {
            return match rel.relkind {
                b'i' | b'I' => {
                    Err(cannot_open(&rel, "This operation is not supported for indexes.").at(rv.span))
                }
                b'c' => {
                    Err(cannot_open(&rel, "This operation is not supported for composite types.").at(rv.span))
                }
                _ => Ok(rel),
            };
        }
        let shown = match schema {
            Some(s) => format!("{s}.{}", rv.relation.as_str()),
            None => rv.relation.as_str().to_string(),
        };
        let mut e = pg_err!(UNDEFINED_TABLE, "relation \"{shown}\" does not exist");
        if schema.is_none() && self.is_future_cte(rv.relation.as_str()) {
            e = e
                .detail(format!(
                    "There is a WITH item named \"{0}\", but it cannot be referenced from this part of the query.",
                    rv.relation.as_str()
                ))
                .hint("Use WITH RECURSIVE, or re-order the WITH items to remove forward references.");
        }
        Err(e.at(rv.span))
    }

    fn is_future_cte(&self, name: &str) -> bool {
        self.states
            .iter()
            .any(|s| s.future_ctes.iter().any(|c| &*c.name == name))
    }

    fn push_rte(&mut self, rte: RangeTblEntry) -> usize {
        let ps = self.ps();
        ps.rtable.push(rte);
        ps.nulling.push(RelIds::empty());
        ps.rtable.len()
    }

    /// A namespace item over all columns of an entry just made.
    fn ns_item(&self, index: usize) -> PgResult<NsItem> {
        let rte = self.rte(index, 0)?;
        let relation = match (&rte.kind, &rte.alias) {
            (RteKind::Relation { relation, .. }, None) => *relation,
            _ => Oid::INVALID,
        };
        let columns = rte
            .columns
            .iter()
            .enumerate()
            .map(|(i, c)| NsColumn {
                index,
                attno: if c.type_ref.oid.is_valid() {
                    (i + 1) as AttrNumber
                } else {
                    0
                },
                type_ref: c.type_ref,
                collation: c.collation,
                returning: ReturningKind::Default,
                dont_expand: false,
            })
            .collect();
        Ok(NsItem::new(Rc::new(NsNames {
            name: rte.eref.name.clone(),
            column_names: rte.eref.columns.clone(),
            columns,
            index,
            returning: ReturningKind::Default,
            relation,
            partial: false,
        })))
    }

    fn add_rte(&mut self, rte: RangeTblEntry) -> PgResult<NsItem> {
        let index = self.push_rte(rte);
        self.ns_item(index)
    }

    /// A relation in FROM, or a target.
    pub fn add_relation(
        &mut self,
        rel: &RelationDesc,
        alias: Option<&ast::Alias>,
        inherit: bool,
        in_from: bool,
    ) -> PgResult<NsItem> {
        let names = rel
            .columns
            .iter()
            .map(|c| if c.dropped { Arc::from("") } else { c.name.clone() })
            .collect::<Vec<Arc<str>>>();
        let columns = rel
            .columns
            .iter()
            .map(|c| RteColumn {
                type_ref: if c.dropped {
                    TypeRef::plain(Oid::INVALID)
                } else {
                    c.type_ref
                },
                collation: c.collation,
            })
            .collect();
        let eref = build_eref(alias, &rel.name, names)?;
        self.add_rte(RangeTblEntry {
            kind: RteKind::Relation {
                relation: rel.oid,
                relkind: rel.relkind,
                inherit,
                sample: None,
            },
            alias: alias.map(user_alias),
            eref,
            columns,
            in_from,
            permissions: Permissions {
                select: in_from,
                ..Permissions::default()
            },
        })
    }

    /// A subquery in FROM, a set operation's leaf, or the source of INSERT.
    pub fn add_subquery(
        &mut self,
        query: Query,
        alias: Option<&ast::Alias>,
        name: &str,
        lateral: bool,
        in_from: bool,
    ) -> PgResult<NsItem> {
        let names = query
            .output_columns()
            .map(|t| t.name.clone().unwrap_or_else(|| "?column?".into()))
            .collect();
        let columns = query
            .output_columns()
            .map(|t| RteColumn {
                type_ref: t.expr.type_ref(),
                collation: t.expr.collation(),
            })
            .collect();
        let eref = build_eref(alias, name, names)?;
        self.add_rte(RangeTblEntry {
            kind: RteKind::Subquery {
                query: Arc::new(query),
                lateral,
                view: None,
                security_barrier: false,
            },
            alias: alias.map(user_alias),
            eref,
            columns,
            in_from,
            permissions: Permissions::default(),
        })
    }

    /// A VALUES list.
    pub fn add_values(
        &mut self,
        rows: Vec<Vec<Expr>>,
        columns: Vec<RteColumn>,
        lateral: bool,
        in_from: bool,
    ) -> PgResult<NsItem> {
        let names = (1..=columns.len()).map(|i| format!("column{i}").into()).collect();
        let eref = build_eref(None, "*VALUES*", names)?;
        self.add_rte(RangeTblEntry {
            kind: RteKind::Values { rows, lateral },
            alias: None,
            eref,
            columns,
            in_from,
            permissions: Permissions::default(),
        })
    }

    /// Functions in FROM with the columns they yield.
    pub fn add_functions(
        &mut self,
        functions: Vec<RangeTblFunction>,
        names: Vec<Arc<str>>,
        columns: Vec<RteColumn>,
        range: &ast::RangeFunction,
        name: &str,
        lateral: bool,
    ) -> PgResult<NsItem> {
        let alias = range.alias.as_deref();
        let eref = build_eref(alias, name, names)?;
        self.add_rte(RangeTblEntry {
            kind: RteKind::Function {
                functions,
                ordinality: range.ordinality,
                lateral,
            },
            alias: alias.map(user_alias),
            eref,
            columns,
            in_from: true,
            permissions: Permissions::default(),
        })
    }

    /// A join's entry over columns already merged.
    pub fn add_join(
        &mut self,
        kind: RteKind,
        names: Vec<Arc<str>>,
        ns_columns: Vec<NsColumn>,
        alias: Option<&ast::Alias>,
    ) -> PgResult<NsItem> {
        let RteKind::Join { alias_vars, .. } = &kind else {
            return Err(common::internal!("not a join"));
        };
        let columns = alias_vars
            .iter()
            .map(|e| RteColumn {
                type_ref: e.type_ref(),
                collation: e.collation(),
            })
            .collect();
        let eref = build_join_eref(alias, names)?;
        let rte = RangeTblEntry {
            kind,
            alias: alias.map(user_alias),
            eref,
            columns,
            in_from: true,
            permissions: Permissions::default(),
        };
        let (name, column_names) = (rte.eref.name.clone(), rte.eref.columns.clone());
        let index = self.push_rte(rte);
        Ok(NsItem::new(Rc::new(NsNames {
            name,
            column_names,
            columns: ns_columns,
            index,
            returning: ReturningKind::Default,
            relation: Oid::INVALID,
            partial: false,
        })))
    }

    /// A reference to a WITH query `levels_up` queries outwards.
    pub fn add_cte_reference(
        &mut self,
        position: usize,
        levels_up: usize,
        self_reference: bool,
        rv: &ast::RangeVar,
    ) -> PgResult<NsItem> {
        let level = self.level_mut(levels_up);
        let cte = &mut level.ctes[position];
        cte.reference_count += 1;
        let (name, mut names, mut columns) =
            (cte.name.clone(), cte.column_names.clone(), cte.columns.clone());
        let (search, cycle) = (cte.search.clone(), cte.cycle.clone());
        if !self_reference {
            self.check_data_modifying_reference(position, levels_up, rv)?;
        }
        let plain = names.len();
        if let Some(s) = &search {
            names.push(s.sequence_column.clone());
            columns.push(RteColumn {
                type_ref: TypeRef::plain(if s.breadth_first {
                    oids::RECORD
                } else {
                    oids::RECORD_ARRAY
                }),
                collation: Oid::INVALID,
            });
        }
        if let Some(c) = &cycle {
            names.push(c.mark_column.clone());
            columns.push(RteColumn {
                type_ref: c.mark_type,
                collation: c.mark_collation,
            });
            names.push(c.path_column.clone());
            columns.push(RteColumn {
                type_ref: TypeRef::plain(oids::RECORD_ARRAY),
                collation: Oid::INVALID,
            });
        }
        let eref = build_eref(
            rv.alias.as_deref(),
            rv.alias
                .as_ref()
                .map_or(rv.relation.as_str(), |a| a.name.as_str()),
            names,
        )?;
        let item = self.add_rte(RangeTblEntry {
            kind: RteKind::Cte {
                name,
                levels_up,
                self_reference,
            },
            alias: rv.alias.as_deref().map(user_alias),
            eref,
            columns,
            in_from: true,
            permissions: Permissions::default(),
        })?;
        if !self_reference || (search.is_none() && cycle.is_none()) {
            return Ok(item);
        }
        // Inside the recursive query the columns that SEARCH and CYCLE add can be named, but `*` leaves them out.
        let mut columns = item.names.columns.clone();
        columns.iter_mut().skip(plain).for_each(|c| c.dont_expand = true);
        Ok(NsItem::new(Rc::new(NsNames {
            name: item.names.name.clone(),
            column_names: item.names.column_names.clone(),
            columns,
            index: item.index(),
            returning: ReturningKind::Default,
            relation: Oid::INVALID,
            partial: false,
        })))
    }

    fn check_data_modifying_reference(
        &self,
        position: usize,
        levels_up: usize,
        rv: &ast::RangeVar,
    ) -> PgResult<()> {
        let cte = &self.level(levels_up).ctes[position];
        let query = &cte.query;
        if query.command != nodes::query::CommandType::Select && query.returning.is_empty() {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "WITH query \"{}\" does not have a RETURNING clause",
                cte.name
            )
            .at(rv.span));
        }
        Ok(())
    }

    /// Adds an item to the namespace and perhaps to FROM.
    pub fn add_to_query(
        &mut self,
        mut item: NsItem,
        to_join_list: bool,
        rel_visible: bool,
        cols_visible: bool,
    ) {
        if to_join_list {
            let node = JoinTreeNode::Rel(item.index());
            self.ps().join_list.push(node);
        }
        if rel_visible || cols_visible {
            item.rel_visible = rel_visible;
            item.cols_visible = cols_visible;
            item.lateral_only = false;
            item.lateral_ok = true;
            self.ps().namespace.push(item);
        }
    }

    /// Notes that an outer join nulls everything below a join tree node.
    pub fn mark_nulled(&mut self, node: &JoinTreeNode, join_index: usize) {
        match node {
            JoinTreeNode::Rel(index) => {
                if let Some(set) = self.ps().nulling.get_mut(index - 1) {
                    set.insert(join_index);
                }
            }
            JoinTreeNode::Join(j) => {
                self.mark_nulled(&j.left, join_index);
                self.mark_nulled(&j.right, join_index);
                if let Some(set) = self.ps().nulling.get_mut(j.rt_index.wrapping_sub(1)) {
                    set.insert(join_index);
                }
            }
            JoinTreeNode::From(_) => {}
        }
    }

    /// Marks a column as read; attno 0 is the whole row.
    pub fn mark_selected(&mut self, index: usize, levels_up: usize, attno: AttrNumber) {
        let level = self.level_mut(levels_up);
        let mut columns = Vec::new();
        if let Some(rte) = level.rtable.get_mut(index - 1) {
            match &rte.kind {
                RteKind::Relation { .. } => {
                    rte.permissions.select = true;
                    rte.permissions
                        .selected_columns
                        .insert((i32::from(attno) + FIRST_LOW_ATTNO).max(0) as usize);
                }
                RteKind::Join { alias_vars, .. } => {
                    for e in alias_vars {
                        nodes::walk::walk(e, &mut |x| {
                            if let Expr::Var(v) = x
                                && let nodes::expr::VarSource::Rel { index, levels_up: 0 } = v.source
                            {
                                columns.push((index, v.attno));
                            }
                            true
                        });
                    }
                }
                _ => {}
            }
        }
        for (i, a) in columns {
            if i != index {
                self.mark_selected(i, levels_up, a);
            }
        }
    }
}

fn cannot_open(rel: &RelationDesc, detail: &str) -> Box<common::PgError> {
    pg_err!(WRONG_OBJECT_TYPE, "cannot open relation \"{}\"", rel.name).detail(detail)
}

/// The alias as nodes know it.
pub(crate) fn user_alias(alias: &ast::Alias) -> Alias {
    Alias {
        name: Arc::from(alias.name.as_str()),
        columns: alias.columns.iter().map(|c| Arc::from(c.as_str())).collect(),
    }
}

/// Names in force: those of the alias first, then those of the object.
pub(crate) fn build_eref(
    alias: Option<&ast::Alias>,
    name: &str,
    mut columns: Vec<Arc<str>>,
) -> PgResult<Alias> {
    let Some(alias) = alias else {
        return Ok(Alias {
            name: Arc::from(name),
            columns,
        });
    };
    let mut given = alias.columns.iter();
    // Dropped columns (empty names) keep their places and take no alias.
    for slot in columns.iter_mut().filter(|c| !c.is_empty()) {
        match given.next() {
            Some(n) => *slot = Arc::from(n.as_str()),
            None => break,
        }
    }
    if given.next().is_some() {
        return Err(pg_err!(
            INVALID_COLUMN_REFERENCE,
            "table \"{}\" has {} columns available but {} columns specified",
            alias.name.as_str(),
            columns.iter().filter(|c| !c.is_empty()).count(),
            alias.columns.len()
        ));
    }
    Ok(Alias {
        name: Arc::from(alias.name.as_str()),
        columns,
    })
}

fn build_join_eref(alias: Option<&ast::Alias>, mut columns: Vec<Arc<str>>) -> PgResult<Alias> {
    let Some(alias) = alias else {
        return Ok(Alias {
            name: "unnamed_join".into(),
            columns,
        });
    };
    if alias.columns.len() > columns.len() {
        return Err(pg_err!(
            INVALID_COLUMN_REFERENCE,
            "join expression \"{}\" has {} columns available but {} columns specified",
            alias.name.as_str(),
            columns.len(),
            alias.columns.len()
        ));
    }
    for (slot, n) in columns.iter_mut().zip(&alias.columns) {
        *slot = Arc::from(n.as_str());
    }
    Ok(Alias {
        name: Arc::from(alias.name.as_str()),
        columns,
    })
}

/// The join type of nodes.
pub(crate) fn join_type(t: ast::JoinType) -> JoinType {
    match t {
        ast::JoinType::Inner => JoinType::Inner,
        ast::JoinType::Left => JoinType::Left,
        ast::JoinType::Full => JoinType::Full,
        ast::JoinType::Right => JoinType::Right,
    }
}
