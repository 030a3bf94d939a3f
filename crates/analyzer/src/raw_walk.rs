//! Finding references to WITH queries in raw trees.
//!
//! PG: src/backend/parser/parse_cte.c (`makeDependencyGraphWalker`, `checkWellFormedRecursionWalker`).

use common::Span;
use parser::ast::{
    DistinctClause, Expr, FrameBound, Indirection, JoinType, SelectStmt, SetOperation, Statement, TableRef,
    WindowDef, WithClause,
};

/// What a reference stands inside of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecursionContext {
    Ok,
    SubLink,
    OuterJoin,
    Intersect,
    Except,
}

/// A reference to one of the names looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference {
    pub item: usize,
    pub span: Span,
    pub context: RecursionContext,
}

/// All references to the given names in a statement, in text order; inner WITH queries of the same name hide them.
pub(crate) fn find_references(stmt: &Statement, names: &[&str]) -> Vec<Reference> {
    let mut f = Finder {
        names,
        hidden: Vec::new(),
        context: RecursionContext::Ok,
        found: Vec::new(),
    };
    f.statement(stmt);
    f.found
}

struct Finder<'n> {
    names: &'n [&'n str],
    hidden: Vec<String>,
    context: RecursionContext,
    found: Vec<Reference>,
}

impl Finder<'_> {
    fn within(&mut self, context: RecursionContext, f: impl FnOnce(&mut Self)) {
        let saved = self.context;
        if saved == RecursionContext::Ok {
            self.context = context;
        }
        f(self);
        self.context = saved;
    }

    fn with_clause(&mut self, with: Option<&WithClause>, f: impl FnOnce(&mut Self)) {
        let Some(w) = with else { return f(self) };
        let before = self.hidden.len();
        if w.recursive {
            self.hidden
                .extend(w.ctes.iter().map(|c| c.name.as_str().to_string()));
            w.ctes.iter().for_each(|c| self.statement(&c.query));
        } else {
            for c in &w.ctes {
                self.statement(&c.query);
                self.hidden.push(c.name.as_str().to_string());
            }
        }
        f(self);
        self.hidden.truncate(before);
    }

    fn statement(&mut self, s: &Statement) {
        match s {
            Statement::Select(s) => self.select(s),
            Statement::Insert(i) => self.with_clause(i.with.as_deref(), |f| {
                i.select_stmt.iter().for_each(|s| f.select(s));
                if let Some(r) = &i.returning {
                    r.exprs
                        .iter()
                        .filter_map(|t| t.val.as_ref())
                        .for_each(|e| f.expr(e));
                }
                if let Some(c) = &i.on_conflict {
                    c.target_list
                        .iter()
                        .filter_map(|t| t.val.as_ref())
                        .for_each(|e| f.expr(e));
                    c.where_clause.iter().for_each(|e| f.expr(e));
                }
            }),
            Statement::Update(u) => self.with_clause(u.with.as_deref(), |f| {
                u.target_list
                    .iter()
                    .filter_map(|t| t.val.as_ref())
                    .for_each(|e| f.expr(e));
                u.from.iter().for_each(|t| f.table(t));
                u.where_clause.iter().for_each(|e| f.expr(e));
                if let Some(r) = &u.returning {
                    r.exprs
                        .iter()
                        .filter_map(|t| t.val.as_ref())
                        .for_each(|e| f.expr(e));
                }
            }),
            Statement::Delete(d) => self.with_clause(d.with.as_deref(), |f| {
                d.using_clause.iter().for_each(|t| f.table(t));
                d.where_clause.iter().for_each(|e| f.expr(e));
                if let Some(r) = &d.returning {
                    r.exprs
                        .iter()
                        .filter_map(|t| t.val.as_ref())
                        .for_each(|e| f.expr(e));
                }
            }),
            Statement::Merge(m) => self.with_clause(m.with.as_deref(), |f| {
                f.table(&m.source);
                f.expr(&m.join_condition);
                m.when_clauses
                    .iter()
                    .filter_map(|w| w.condition.as_ref())
                    .for_each(|e| f.expr(e));
            }),
            _ => {}
        }
    }

    fn select(&mut self, s: &SelectStmt) {
        self.with_clause(s.with.as_deref(), |f| f.select_body(s));
    }

    fn select_body(&mut self, s: &SelectStmt) {
        if let (Some(l), Some(r)) = (&s.larg, &s.rarg) {
            match s.op {
                SetOperation::Intersect if s.all => self.within(RecursionContext::Intersect, |f| {
                    f.select(l);
                    f.select(r);
                }),
                SetOperation::Except => {
                    self.select(l);
                    self.within(RecursionContext::Except, |f| f.select(r));
                }
                _ => {
                    self.select(l);
                    self.select(r);
                }
            }
        }
        s.target_list
            .iter()
            .filter_map(|t| t.val.as_ref())
            .for_each(|e| self.expr(e));
        if let Some(DistinctClause::On(list)) = &s.distinct {
            list.iter().for_each(|e| self.expr(e));
        }
        s.from.iter().for_each(|t| self.table(t));
        s.where_clause
            .iter()
            .chain(&s.group_clause)
            .chain(&s.having)
            .chain(s.values_lists.iter().flatten())
            .chain(s.sort_clause.iter().map(|o| &o.node))
            .chain(&s.limit_offset)
            .chain(&s.limit_count)
            .for_each(|e| self.expr(e));
        s.window_clause.iter().for_each(|w| self.window(w));
    }

    fn window(&mut self, w: &WindowDef) {
        w.partition_clause
            .iter()
            .chain(w.order_clause.iter().map(|o| &o.node))
            .for_each(|e| self.expr(e));
        if let Some(frame) = &w.frame {
            for b in [Some(&frame.start), frame.end.as_ref()].into_iter().flatten() {
                if let FrameBound::OffsetPreceding(e) | FrameBound::OffsetFollowing(e) = b {
                    self.expr(e);
                }
            }
        }
    }

    fn table(&mut self, t: &TableRef) {
        match t {
            TableRef::RangeVar(rv) => {
                let name = rv.relation.as_str();
                if rv.schema.is_none()
                    && !self.hidden.iter().any(|h| h == name)
                    && let Some(item) = self.names.iter().position(|n| *n == name)
                {
                    self.found.push(Reference {
                        item,
                        span: rv.span,
                        context: self.context,
                    });
                }
            }
            TableRef::Subselect(s) => self.select(&s.subquery),
            TableRef::Function(f) => f.functions.iter().for_each(|i| self.expr(&i.func)),
            TableRef::TableSample(s) => {
                self.table(&s.relation);
                s.args.iter().for_each(|e| self.expr(e));
            }
            TableRef::Join(j) => {
                let outer = RecursionContext::OuterJoin;
                match j.jointype {
                    JoinType::Inner => {
                        self.table(&j.larg);
                        self.table(&j.rarg);
                    }
                    JoinType::Left => {
                        self.table(&j.larg);
                        self.within(outer, |f| f.table(&j.rarg));
                    }
                    JoinType::Right => {
                        self.within(outer, |f| f.table(&j.larg));
                        self.table(&j.rarg);
                    }
                    JoinType::Full => self.within(outer, |f| {
                        f.table(&j.larg);
                        f.table(&j.rarg);
                    }),
                }
                j.quals.iter().for_each(|e| self.expr(e));
            }
            TableRef::TableFunc(_) | TableRef::JsonTable(_) => {}
        }
    }

    fn expr(&mut self, e: &Expr) {
        match e {
            Expr::TypeCast(t) => self.expr(&t.arg),
            Expr::CollateClause(c) => c.arg.iter().for_each(|a| self.expr(a)),
            Expr::AExpr(a) => a
                .lexpr
                .iter()
                .chain(&a.rexpr)
                .chain(&a.list)
                .for_each(|x| self.expr(x)),
            Expr::BoolExpr(b) => b.args.iter().for_each(|x| self.expr(x)),
            Expr::NullTest(n) => self.expr(&n.arg),
            Expr::BooleanTest(b) => self.expr(&b.arg),
            Expr::FuncCall(f) => {
                f.args
                    .iter()
                    .chain(&f.agg_filter)
                    .chain(f.agg_order.iter().map(|o| &o.node))
                    .for_each(|x| self.expr(x));
                f.over.iter().for_each(|w| self.window(w));
            }
            Expr::NamedArg(n) => self.expr(&n.arg),
            Expr::SubLink(s) => {
                self.within(RecursionContext::SubLink, |f| f.select(&s.subselect));
                s.test.iter().for_each(|x| self.expr(x));
            }
            Expr::CaseExpr(c) => {
                c.arg.iter().for_each(|x| self.expr(x));
                for w in &c.args {
                    self.expr(&w.expr);
                    self.expr(&w.result);
                }
                c.defresult.iter().for_each(|x| self.expr(x));
            }
            Expr::ArrayExpr(a) => a.elements.iter().for_each(|x| self.expr(x)),
            Expr::RowExpr(r) => r.args.iter().for_each(|x| self.expr(x)),
            Expr::CoalesceExpr(c) => c.args.iter().for_each(|x| self.expr(x)),
            Expr::MinMaxExpr(m) => m.args.iter().for_each(|x| self.expr(x)),
            Expr::AIndirection(i) => {
                self.expr(&i.arg);
                for step in &i.indirection {
                    if let Indirection::Index(x) = step {
                        x.lower.iter().chain(&x.upper).for_each(|y| self.expr(y));
                    }
                }
            }
            Expr::GroupingFunc(g) => g.args.iter().for_each(|x| self.expr(x)),
            Expr::GroupingSet(g) => g.content.iter().for_each(|x| self.expr(x)),
            Expr::MultiAssignRef(m) => self.expr(&m.source),
            _ => {}
        }
    }
}
