//! Names of columns and relations: which namespace item they mean, and what to say when there is none.
//!
//! PG: src/backend/parser/parse_relation.c (`colNameToVar`, `refnameNamespaceItem`, `errorMissingColumn`...).

use std::sync::Arc;

use common::error::ErrorExt;
use common::{AttrNumber, Oid, PgError, PgResult, Span, TABLEOID, pg_err};
use nodes::Expr;
use nodes::expr::{CoercionForm, ReturningKind, RowExpr, Var, VarSource};
use nodes::query::{RangeTblEntry, RteKind};
use types::oids;
use types::settings::TypeRef;

use crate::fuzzy::FuzzyMatches;
use crate::kind::ExprKind;
use crate::state::{Analyzer, NsColumn, NsItem};

/// System columns of tables: name, attribute number, type.
const SYSTEM_COLUMNS: [(&str, AttrNumber, Oid); 6] = [
    ("ctid", -1, oids::TID),
    ("xmin", -2, oids::XID),
    ("cmin", -3, oids::CID),
    ("xmax", -4, oids::XID),
    ("cmax", -5, oids::CID),
    ("tableoid", -6, oids::OID),
];

impl Analyzer<'_> {
    /// An unqualified column name; the nearest query level that has it wins.
    pub fn col_name_to_var(&mut self, name: &str, local_only: bool, span: Span) -> PgResult<Option<Expr>> {
        for up in 0..self.states.len() {
            let mut found: Option<(NsItem, usize)> = None;
            let mut system: Option<(NsItem, AttrNumber)> = None;
            let lateral_active = self.level(up).lateral_active;
            let items: Vec<NsItem> = self.level(up).namespace.clone();
            for item in items {
                if !item.cols_visible || (item.lateral_only && !lateral_active) {
                    continue;
                }
                let Some(hit) = self.find_in_item(&item, up, name, span)? else {
                    continue;
                };
                if found.is_some() || system.is_some() {
                    return Err(ambiguous_column(name, span));
                }
                self.check_lateral_ref(&item, up, span)?;
                match hit {
                    Ok(at) => found = Some((item, at)),
                    Err(attno) => system = Some((item, attno)),
                }
            }
            if let Some((item, at)) = found {
                return Ok(Some(self.var_of_item(&item, at, up, span)));
            }
            if let Some((item, attno)) = system {
                return Ok(Some(self.system_var(&item, attno, up, span)));
            }
            if local_only {
                break;
            }
        }
        Ok(None)
    }

    /// Finds a column of one item: its position, or a system column's number (`Err`).
    fn find_in_item(
        &self,
        item: &NsItem,
        up: usize,
        name: &str,
        span: Span,
    ) -> PgResult<Option<Result<usize, AttrNumber>>> {
        let mut at = None;
        for (i, n) in item.names.column_names.iter().enumerate() {
            if &**n == name && item.names.columns.get(i).is_some_and(|c| c.attno != 0) {
                if at.is_some() {
                    return Err(ambiguous_column(name, span));
                }
                at = Some(i);
            }
        }
        if let Some(i) = at {
            return Ok(Some(Ok(i)));
        }
        if item.names.partial {
            return Ok(None);
        }
        let rte = self.rte(item.index(), up)?;
        let Some(attno) = system_column(rte, name) else {
            return Ok(None);
        };
        self.check_system_column(name, attno, span)?;
        Ok(Some(Err(attno)))
    }

    fn check_system_column(&self, name: &str, attno: AttrNumber, span: Span) -> PgResult<()> {
        let kind = self.cur().expr_kind;
        if attno == TABLEOID && kind != ExprKind::MergeWhen {
            return Ok(());
        }
        match kind {
            ExprKind::CheckConstraint => Err(pg_err!(
                INVALID_COLUMN_REFERENCE,
                "system column \"{name}\" reference in check constraint is invalid"
            )
            .at(span)),
            ExprKind::GeneratedColumn => Err(pg_err!(
                INVALID_COLUMN_REFERENCE,
                "cannot use system column \"{name}\" in column generation expression"
            )
            .at(span)),
            ExprKind::MergeWhen if attno != TABLEOID => Err(pg_err!(
                INVALID_COLUMN_REFERENCE,
                "cannot use system column \"{name}\" in MERGE WHEN condition"
            )
            .at(span)),
            _ => Ok(()),
        }
    }

    /// The variable that position `at` of an item stands for.
    pub fn var_of_item(&mut self, item: &NsItem, at: usize, up: usize, span: Span) -> Expr {
        let column = item.names.columns[at].clone();
        self.mark_selected(column.index, up, column.attno);
        self.column_var(&column, up, span)
    }

    /// The variable of a namespace column, with the outer joins that null it as of now.
    pub fn column_var(&self, column: &NsColumn, up: usize, span: Span) -> Expr {
        let nulling_rels = self
            .level(up)
            .nulling
            .get(column.index.wrapping_sub(1))
            .cloned()
            .unwrap_or_default();
        Expr::Var(Var {
            source: VarSource::Rel {
                index: column.index,
                levels_up: up,
            },
            attno: column.attno,
            type_ref: column.type_ref,
            collation: column.collation,
            nulling_rels,
            returning: column.returning,
            span,
        })
    }

    fn system_var(&mut self, item: &NsItem, attno: AttrNumber, up: usize, span: Span) -> Expr {
        let index = item.index();
        self.mark_selected(index, up, attno);
        let type_oid = SYSTEM_COLUMNS
            .iter()
            .find(|c| c.1 == attno)
            .map_or(oids::OID, |c| c.2);
        let column = NsColumn {
            index,
            attno,
            type_ref: TypeRef::plain(type_oid),
            collation: Oid::INVALID,
            returning: item.names.returning,
            dont_expand: false,
        };
        self.column_var(&column, up, span)
    }

    /// A column of one item by name.
    pub fn column_of_item(
        &mut self,
        item: &NsItem,
        up: usize,
        name: &str,
        span: Span,
    ) -> PgResult<Option<Expr>> {
        Ok(match self.find_in_item(item, up, name, span)? {
            None => None,
            Some(Ok(at)) => Some(self.var_of_item(item, at, up, span)),
            Some(Err(attno)) => Some(self.system_var(item, attno, up, span)),
        })
    }

    /// A column of the item that shows a range table entry.
    pub fn column_of_rte(
        &mut self,
        index: usize,
        up: usize,
        returning: ReturningKind,
        name: &str,
        span: Span,
    ) -> PgResult<Option<Expr>> {
        let item = self
            .level(up)
            .namespace
            .iter()
            .find(|n| n.index() == index && n.names.returning == returning)
            .cloned();
        match item {
            Some(item) => self.column_of_item(&item, up, name, span),
            None => Ok(None),
        }
    }

    /// The relation or alias of that name, at the nearest level that shows one.
    pub fn ref_name_item(
        &mut self,
        schema: Option<&str>,
        name: &str,
        span: Span,
    ) -> PgResult<Option<(NsItem, usize)>> {
        let wanted = match schema {
            None => None,
            Some(s) => match self.cx.catalog.relation_by_name(Some(s), name)? {
                Some(rel) => Some(rel.oid),
                None => return Ok(None),
            },
        };
        for up in 0..self.states.len() {
            let mut found: Option<NsItem> = None;
            let level = self.level(up);
            for item in &level.namespace {
                if !item.rel_visible || (item.lateral_only && !level.lateral_active) {
                    continue;
                }
                let hit = match wanted {
                    None => &*item.names.name == name,
                    Some(oid) => level.rtable.get(item.index() - 1).is_some_and(|rte| {
                        rte.alias.is_none()
                            && !item.names.partial
                            && matches!(&rte.kind, RteKind::Relation { relation, .. } if *relation == oid)
                            && *item.names.name == *rte.eref.name
                    }),
                };
                if !hit {
                    continue;
                }
                if found.is_some() {
                    return Err(match wanted {
                        None => pg_err!(AMBIGUOUS_ALIAS, "table reference \"{name}\" is ambiguous"),
                        Some(oid) => pg_err!(AMBIGUOUS_ALIAS, "table reference {oid} is ambiguous"),
                    }
                    .at(span));
                }
                self.check_lateral_ref(item, up, span)?;
                found = Some(item.clone());
            }
            if let Some(item) = found {
                return Ok(Some((item, up)));
            }
        }
        Ok(None)
    }

    fn check_lateral_ref(&self, item: &NsItem, up: usize, span: Span) -> PgResult<()> {
        if !item.lateral_only || item.lateral_ok {
            return Ok(());
        }
        let name = &item.names.name;
        let e = pg_err!(
            INVALID_COLUMN_REFERENCE,
            "invalid reference to FROM-clause entry for table \"{name}\""
        );
        let is_target = self.level(up).target_index == item.index() && self.level(up).target.is_some();
        Err(if is_target {
            e.hint(format!(
                "There is an entry for table \"{name}\", but it cannot be referenced from this part of the query."
            ))
        } else {
            e.detail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.")
        }
        .at(span))
    }

    /// `t` or `t.*` as one value.
    pub fn whole_row(&mut self, item: &NsItem, up: usize, span: Span) -> PgResult<Expr> {
        let rte = self.rte(item.index(), up)?;
        if item.names.partial {
            return self.whole_row_expr(item, up, span);
        }
        let mut column = NsColumn {
            index: item.index(),
            attno: 0,
            type_ref: TypeRef::plain(oids::RECORD),
            collation: Oid::INVALID,
            returning: item.names.returning,
            dont_expand: false,
        };
        match &rte.kind {
            RteKind::Relation { relation, .. } => {
                let relation = *relation;
                if let Some(rel) = self.cx.catalog.relation(relation)? {
                    if !rel.row_type.is_valid() {
                        return Err(pg_err!(
                            WRONG_OBJECT_TYPE,
                            "relation \"{}\" does not have a composite type",
                            rel.name
                        ));
                    }
                    column.type_ref = TypeRef::plain(rel.row_type);
                }
            }
            RteKind::Function {
                functions,
                ordinality,
                ..
            } if functions.len() == 1 && !ordinality => {
                let f = &functions[0];
                let type_oid = f.expr.type_oid();
                if self.is_complex(type_oid)? {
                    column.type_ref = TypeRef::plain(type_oid);
                } else if type_oid != oids::RECORD {
                    // A function of a scalar: its row is the scalar itself.
                    column = NsColumn {
                        returning: item.names.returning,
                        ..item.names.columns[0].clone()
                    };
                }
            }
            RteKind::Subquery { view: Some(view), .. } => {
                if let Some(rel) = self.cx.catalog.relation(*view)? {
                    column.type_ref = TypeRef::plain(rel.row_type);
                }
            }
            _ => {}
        }
        let attno = column.attno;
        self.mark_selected(item.index(), up, attno);
        Ok(self.column_var(&column, up, span))
    }

    fn whole_row_expr(&mut self, item: &NsItem, up: usize, span: Span) -> PgResult<Expr> {
        let mut args = Vec::new();
        let mut names = Vec::new();
        for at in 0..item.names.columns.len() {
            if item.names.columns[at].attno != 0 {
                args.push(self.var_of_item(item, at, up, span));
                names.push(Box::from(&*item.names.column_names[at]));
            }
        }
        Ok(Expr::Row(RowExpr {
            args,
            row_type: oids::RECORD,
            names,
            form: CoercionForm::ImplicitCast,
            span,
        }))
    }

    /// The error for a column that does not exist or cannot be seen.
    pub fn missing_column(&mut self, relation: Option<&str>, name: &str, span: Span) -> Box<PgError> {
        let e = match relation {
            Some(r) => pg_err!(UNDEFINED_COLUMN, "column {r}.{name} does not exist"),
            None => pg_err!(UNDEFINED_COLUMN, "column \"{name}\" does not exist"),
        }
        .at(span);
        let found = self.search_columns(relation, name);
        if let Some((index, up, _)) = found.exact {
            if found.exact_again {
                let e = e.detail(format!(
                    "There are columns named \"{name}\", but they are in tables that cannot be referenced from this part of the query."
                ));
                return if relation.is_none() {
                    e.hint("Try using a table-qualified name.")
                } else {
                    e
                };
            }
            let e = e.detail(format!(
                "There is a column named \"{name}\" in table \"{}\", but it cannot be referenced from this part of the query.",
                self.rte_name(index, up)
            ));
            if self.visible_if_lateral(index, up) {
                return e.hint("To reference that column, you must mark this subquery with LATERAL.");
            }
            if relation.is_none() && self.visible_if_qualified(index, up) {
                return e.hint("To reference that column, you must use a table-qualified name.");
            }
            return e;
        }
        match (found.first, found.second) {
            (Some(a), Some(b)) => e.hint(format!(
                "Perhaps you meant to reference the column \"{}\" or the column \"{}\".",
                self.column_display(a),
                self.column_display(b)
            )),
            (Some(a), None) => e.hint(format!(
                "Perhaps you meant to reference the column \"{}\".",
                self.column_display(a)
            )),
            _ => e,
        }
    }

    fn search_columns(&self, relation: Option<&str>, name: &str) -> FuzzyMatches {
        let mut found = FuzzyMatches::new();
        for up in 0..self.states.len() {
            for (i, rte) in self.level(up).rtable.iter().enumerate() {
                if !matches!(rte.kind, RteKind::Join { .. }) {
                    found.consider(rte, i + 1, up, relation, name, system_column(rte, name));
                }
            }
        }
        found
    }

    fn rte_name(&self, index: usize, up: usize) -> Arc<str> {
        self.rte(index, up)
            .map_or_else(|_| "".into(), |r| r.eref.name.clone())
    }

    fn column_display(&self, at: (usize, usize, usize)) -> String {
        let (index, up, column) = at;
        match self.rte(index, up) {
            Ok(rte) => format!(
                "{}.{}",
                rte.eref.name,
                rte.eref.columns.get(column).map_or("", |c| c)
            ),
            Err(_) => String::new(),
        }
    }

    fn item_for_rte(&self, index: usize, up: usize) -> Option<&NsItem> {
        self.level(up).namespace.iter().find(|n| n.index() == index)
    }

    fn visible_if_lateral(&self, index: usize, up: usize) -> bool {
        if self.cur().lateral_active {
            return false;
        }
        self.item_for_rte(index, up)
            .is_some_and(|n| n.lateral_only && n.lateral_ok)
    }

    fn visible_if_qualified(&self, index: usize, up: usize) -> bool {
        self.item_for_rte(index, up)
            .is_some_and(|n| n.rel_visible && !n.cols_visible)
    }

    /// The error for a relation that is not in FROM or cannot be seen.
    pub fn missing_rte(&mut self, schema: Option<&str>, name: &str, span: Span) -> PgResult<Box<PgError>> {
        let Some((index, up)) = self.search_relation(schema, name)? else {
            return Ok(pg_err!(UNDEFINED_TABLE, "missing FROM-clause entry for table \"{name}\"").at(span));
        };
        let rte = self.rte(index, up)?;
        let alias = rte.eref.name.clone();
        let e = pg_err!(
            UNDEFINED_TABLE,
            "invalid reference to FROM-clause entry for table \"{name}\""
        )
        .at(span);
        if rte.alias.is_some() && &*alias != name {
            if let Some((item, item_up)) = self.ref_name_item(None, &alias, span)?
                && item.index() == index
                && item_up == up
            {
                return Ok(e.hint(format!(
                    "Perhaps you meant to reference the table alias \"{alias}\"."
                )));
            }
        }
        let e = e.detail(format!(
            "There is an entry for table \"{alias}\", but it cannot be referenced from this part of the query."
        ));
        Ok(if self.visible_if_lateral(index, up) {
            e.hint("To reference that table, you must mark this subquery with LATERAL.")
        } else {
            e
        })
    }

    fn search_relation(&self, schema: Option<&str>, name: &str) -> PgResult<Option<(usize, usize)>> {
        let cte = schema.is_none()
            && self
                .states
                .iter()
                .any(|s| s.ctes.iter().any(|c| &*c.name == name));
        let wanted = if cte {
            None
        } else {
            self.cx.catalog.relation_by_name(schema, name)?.map(|r| r.oid)
        };
        for up in 0..self.states.len() {
            for (i, rte) in self.level(up).rtable.iter().enumerate() {
                let hit = match &rte.kind {
                    RteKind::Relation { relation, .. } => Some(*relation) == wanted,
                    RteKind::Cte { name: n, .. } => cte && &**n == name,
                    _ => false,
                };
                if hit || &*rte.eref.name == name {
                    return Ok(Some((i + 1, up)));
                }
            }
        }
        Ok(None)
    }
}

fn ambiguous_column(name: &str, span: Span) -> Box<PgError> {
    pg_err!(AMBIGUOUS_COLUMN, "column reference \"{name}\" is ambiguous").at(span)
}

/// The number of a system column that the entry has.
pub(crate) fn system_column(rte: &RangeTblEntry, name: &str) -> Option<AttrNumber> {
    match rte.kind {
        RteKind::Relation { relkind, .. } if relkind != b'v' => {
            SYSTEM_COLUMNS.iter().find(|c| c.0 == name).map(|c| c.1)
        }
        _ => None,
    }
}
