//! The state of one query level, and the analyzer that holds the stack of them.
//!
//! PG: src/include/parser/parse_node.h (`ParseState`, `ParseNamespaceItem`).
//!
//! # How it works
//! Query levels under analysis form a stack: the innermost is last, and `levels_up` of a variable counts downwards in it.
//! A subquery pushes its state and pops it when done.

use std::rc::Rc;
use std::sync::Arc;

use catalog::RelationDesc;
use common::error::ErrorExt;
use common::{AttrNumber, Oid, PgResult, Span, internal};
use nodes::expr::ReturningKind;
use nodes::query::{CommonTableExpr, JoinTreeNode, RangeTblEntry};
use nodes::relids::RelIds;
use parser::ast;
use types::settings::TypeRef;

use crate::context::AnalyzeContext;
use crate::kind::ExprKind;

/// What a column name of a namespace item stands for.
#[derive(Clone, Debug)]
pub(crate) struct NsColumn {
    /// Range table index and column it is a variable of; attno 0: a dropped column.
    pub index: usize,
    pub attno: AttrNumber,
    pub type_ref: TypeRef,
    pub collation: Oid,
    pub returning: ReturningKind,
    /// Not part of `*`.
    pub dont_expand: bool,
}

/// The names of a namespace item, shared by its copies.
#[derive(Debug)]
pub(crate) struct NsNames {
    pub name: Arc<str>,
    pub column_names: Vec<Arc<str>>,
    pub columns: Vec<NsColumn>,
    pub index: usize,
    pub returning: ReturningKind,
    /// The relation, when it is shown under its own name; two of them may share a name.
    pub relation: Oid,
    /// The names differ from those of the range table entry (alias of JOIN USING).
    pub partial: bool,
}

/// Something that names may refer to, and whether they may at this point.
#[derive(Clone, Debug)]
pub(crate) struct NsItem {
    pub names: Rc<NsNames>,
    pub rel_visible: bool,
    pub cols_visible: bool,
    pub lateral_only: bool,
    pub lateral_ok: bool,
}

/// A WITH query whose own analysis is not finished.
#[derive(Clone, Debug)]
pub(crate) struct FutureCte {
    pub name: Arc<str>,
}

/// One query level.
pub(crate) struct ParseState {
    pub rtable: Vec<RangeTblEntry>,
    /// Outer joins known so far to null each entry of `rtable`.
    pub nulling: Vec<RelIds>,
    pub join_list: Vec<JoinTreeNode>,
    pub namespace: Vec<NsItem>,
    pub lateral_active: bool,
    pub ctes: Vec<CommonTableExpr>,
    pub future_ctes: Vec<FutureCte>,
    /// The state analyzes the query of a WITH item (position in the level below's `ctes`).
    pub parent_cte: Option<usize>,
    pub window_defs: Vec<ast::WindowDef>,
    pub expr_kind: ExprKind,
    pub next_resno: AttrNumber,
    /// FOR UPDATE clauses at this level, and whether one above covers everything here.
    pub locking: Vec<ast::LockingClause>,
    pub locked_from_parent: bool,
    pub resolve_unknowns: bool,
    pub has_aggs: bool,
    pub has_window_funcs: bool,
    pub has_target_srfs: bool,
    pub has_sub_links: bool,
    pub has_modifying_cte: bool,
    pub target: Option<Arc<RelationDesc>>,
    pub target_index: usize,
    /// The last set-returning call seen: a serial number and its place.
    pub last_srf: (usize, Span),
    /// Type of VALUE in a domain's CHECK.
    pub domain_value: Option<(TypeRef, Oid)>,
}

impl ParseState {
    pub fn new() -> ParseState {
        ParseState {
            rtable: Vec::new(),
            nulling: Vec::new(),
            join_list: Vec::new(),
            namespace: Vec::new(),
            lateral_active: false,
            ctes: Vec::new(),
            future_ctes: Vec::new(),
            parent_cte: None,
            window_defs: Vec::new(),
            expr_kind: ExprKind::None,
            next_resno: 1,
            locking: Vec::new(),
            locked_from_parent: false,
            resolve_unknowns: true,
            has_aggs: false,
            has_window_funcs: false,
            has_target_srfs: false,
            has_sub_links: false,
            has_modifying_cte: false,
            target: None,
            target_index: 0,
            last_srf: (0, Span::NONE),
            domain_value: None,
        }
    }
}

/// The analyzer of one statement.
pub(crate) struct Analyzer<'a> {
    pub cx: &'a AnalyzeContext<'a>,
    pub states: Vec<ParseState>,
    /// Functions whose bodies are being put in place of their calls.
    pub inlining: Vec<common::Oid>,
}

impl<'a> Analyzer<'a> {
    pub fn new(cx: &'a AnalyzeContext<'a>) -> Analyzer<'a> {
        Analyzer {
            cx,
            states: vec![ParseState::new()],
            inlining: Vec::new(),
        }
    }

    /// The innermost query level.
    pub fn ps(&mut self) -> &mut ParseState {
        self.level_mut(0)
    }

    /// The innermost query level, for reading.
    pub fn cur(&self) -> &ParseState {
        self.level(0)
    }

    /// The level `up` queries outwards.
    pub fn level(&self, up: usize) -> &ParseState {
        &self.states[self.states.len() - 1 - up]
    }

    /// The level `up` queries outwards.
    pub fn level_mut(&mut self, up: usize) -> &mut ParseState {
        let at = self.states.len() - 1 - up;
        &mut self.states[at]
    }

    /// Runs `f` on a new innermost level and hands back what it left there.
    pub fn with_level<T>(&mut self, f: impl FnOnce(&mut Self) -> PgResult<T>) -> PgResult<T> {
        self.check_depth()?;
        self.states.push(ParseState::new());
        let result = f(self);
        self.states.pop();
        result
    }

    fn check_depth(&self) -> PgResult<()> {
        const LEVELS_MAX: usize = 1000;
        if self.states.len() > LEVELS_MAX {
            return Err(common::pg_err!(
                STATEMENT_TOO_COMPLEX,
                "stack depth limit exceeded"
            ));
        }
        Ok(())
    }

    /// Runs `f` while expressions belong to `kind`.
    pub fn with_kind<T>(&mut self, kind: ExprKind, f: impl FnOnce(&mut Self) -> PgResult<T>) -> PgResult<T> {
        let before = std::mem::replace(&mut self.ps().expr_kind, kind);
        let result = f(self);
        self.ps().expr_kind = before;
        result
    }

    /// Range table entry of a level.
    pub fn rte(&self, index: usize, up: usize) -> PgResult<&RangeTblEntry> {
        self.level(up)
            .rtable
            .get(index.wrapping_sub(1))
            .ok_or_else(|| internal!("range table index {index} out of range"))
    }

    /// `Err` for a construct that pglite does not analyze yet.
    pub fn not_yet<T>(&self, what: &str, span: Span) -> PgResult<T> {
        Err(common::unsupported!("{what} is not supported yet").at(span))
    }
}

impl NsItem {
    /// Visible in both ways, as a plain FROM item.
    pub fn new(names: Rc<NsNames>) -> NsItem {
        NsItem {
            names,
            rel_visible: true,
            cols_visible: true,
            lateral_only: false,
            lateral_ok: true,
        }
    }

    pub fn index(&self) -> usize {
        self.names.index
    }
}
