//! Collations: which one every expression and every function call gets.
//!
//! PG: src/backend/parser/parse_collate.c.
//!
//! # How it works
//! A bottom-up walk carries a state (none, implicit, conflicting, explicit) from arguments to results. Two explicit
//! collations that differ are an error at once; an implicit conflict only leaves the call without collation.

use common::cancel;
use common::error::ErrorExt;
use common::{Oid, PgResult, Span, pg_err};
use nodes::query::TargetEntry;
use nodes::walk::for_each_child_mut;
use nodes::{Expr, Query};

use crate::state::Analyzer;
use crate::walk::for_each_expr_mut;

/// `default`.
const DEFAULT_COLLATION: Oid = Oid(100);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    None,
    Implicit,
    Conflict,
    Explicit,
}

/// The collation of what has been seen so far.
#[derive(Clone, Copy)]
struct State {
    collation: Oid,
    strength: Strength,
    span: Span,
    /// The other party of a conflict.
    other: (Oid, Span),
}

impl State {
    const NONE: State = State {
        collation: Oid::INVALID,
        strength: Strength::None,
        span: Span::NONE,
        other: (Oid::INVALID, Span::NONE),
    };

    fn implicit(collation: Oid, span: Span) -> State {
        if collation.is_valid() {
            State {
                collation,
                strength: Strength::Implicit,
                span,
                ..State::NONE
            }
        } else {
            State::NONE
        }
    }

    /// The collation, or invalid when nobody can say which.
    fn usable(&self) -> Oid {
        if self.strength == Strength::Conflict {
            Oid::INVALID
        } else {
            self.collation
        }
    }
}

impl Analyzer<'_> {
    /// Decides all collations in an expression.
    pub fn assign_expr_collations(&mut self, expr: &mut Expr) -> PgResult<()> {
        self.collate(expr).map(|_| ())
    }

    /// Decides all collations in a query (subqueries did theirs already).
    pub fn assign_query_collations(&mut self, q: &mut Query) -> PgResult<()> {
        for t in &mut q.target_list {
            let state = self.collate(&mut t.expr)?;
            self.check_sort_column(t, state)?;
        }
        let mut result = Ok(());
        for_each_expr_mut(q, &mut |e| {
            if result.is_ok() {
                result = self.assign_expr_collations(e);
            }
        });
        result
    }

    /// A column to sort or group by must have one collation.
    fn check_sort_column(&self, t: &TargetEntry, state: State) -> PgResult<()> {
        if t.sort_group_ref == 0 || state.strength != Strength::Conflict {
            return Ok(());
        }
        Err(self.implicit_conflict(state))
    }

    fn implicit_conflict(&self, state: State) -> Box<common::PgError> {
        pg_err!(
            COLLATION_MISMATCH,
            "collation mismatch between implicit collations \"{}\" and \"{}\"",
            self.collation_shown(state.collation),
            self.collation_shown(state.other.0)
        )
        .hint("You can choose the collation by applying the COLLATE clause to one or both expressions.")
        .at(state.other.1)
    }

    /// The collation that expressions of one column share.
    pub fn select_common_collation(&mut self, exprs: &mut [Expr], none_ok: bool) -> PgResult<Oid> {
        let mut state = State::NONE;
        for e in exprs {
            let s = self.collate(e)?;
            self.merge(&mut state, s)?;
        }
        if state.strength != Strength::Conflict {
            return Ok(state.collation);
        }
        if none_ok {
            return Ok(Oid::INVALID);
        }
        Err(self.implicit_conflict(state))
    }

    /// A collation's name for messages.
    pub fn collation_shown(&self, oid: Oid) -> String {
        match self.cx.catalog.collation_name(oid) {
            Ok(Some(name)) => name.to_string(),
            _ => oid.to_string(),
        }
    }

    fn merge(&self, into: &mut State, new: State) -> PgResult<()> {
        if new.strength > into.strength {
            *into = new;
            return Ok(());
        }
        if new.strength < into.strength || new.collation == into.collation {
            return Ok(());
        }
        match new.strength {
            Strength::None | Strength::Conflict => {}
            Strength::Implicit => {
                if into.collation == DEFAULT_COLLATION {
                    *into = new;
                } else if new.collation != DEFAULT_COLLATION {
                    into.strength = Strength::Conflict;
                    into.other = (new.collation, new.span);
                }
            }
            Strength::Explicit => {
                return Err(pg_err!(
                    COLLATION_MISMATCH,
                    "collation mismatch between explicit collations \"{}\" and \"{}\"",
                    self.collation_shown(into.collation),
                    self.collation_shown(new.collation)
                )
                .at(new.span));
            }
        }
        Ok(())
    }

    /// Sets collations below and in `expr` and returns what it hands upwards.
    fn collate(&mut self, expr: &mut Expr) -> PgResult<State> {
        cancel::check()?;
        match expr {
            Expr::Const(_)
            | Expr::Var(_)
            | Expr::Param(_)
            | Expr::CaseTest(_)
            | Expr::CoerceToDomainValue(_)
            | Expr::SetToDefault(_)
            | Expr::CurrentOf { .. }
            | Expr::NextValue { .. } => Ok(State::implicit(expr.collation(), expr.span())),
            Expr::Collate(c) => {
                self.collate(&mut c.arg)?;
                Ok(State {
                    collation: c.collation,
                    strength: Strength::Explicit,
                    span: c.span,
                    other: (Oid::INVALID, Span::NONE),
                })
            }
            Expr::FieldSelect(f) => {
                self.collate(&mut f.arg)?;
                Ok(State::implicit(f.collation, expr.span()))
            }
            Expr::Row(r) => {
                for a in &mut r.args {
                    self.collate(a)?;
                }
                Ok(State::NONE)
            }
            Expr::RowCompare(r) => {
                for i in 0..r.left.len() {
                    let mut pair = State::NONE;
                    let l = self.collate(&mut r.left[i])?;
                    self.merge(&mut pair, l)?;
                    let s = self.collate(&mut r.right[i])?;
                    self.merge(&mut pair, s)?;
                    r.input_collations[i] = pair.usable();
                }
                Ok(State::NONE)
            }
            Expr::SubLink(s) => {
                if let Some(t) = &mut s.test {
                    self.collate(t)?;
                }
                Ok(State::implicit(expr.collation(), expr.span()))
            }
            Expr::CoerceToDomain(_) => self.collate_domain(expr),
            _ => self.collate_general(expr),
        }
    }

    fn collate_domain(&mut self, expr: &mut Expr) -> PgResult<State> {
        let span = expr.span();
        let Expr::CoerceToDomain(d) = expr else {
            return Ok(State::NONE);
        };
        let inner = self.collate(&mut d.arg)?;
        let of_type = self.type_collation(d.result.oid)?;
        let state = if !of_type.is_valid() {
            State::NONE
        } else if of_type == DEFAULT_COLLATION && inner.strength != Strength::None {
            inner
        } else {
            State::implicit(of_type, span)
        };
        d.collation = state.usable();
        Ok(state)
    }

    fn collate_general(&mut self, expr: &mut Expr) -> PgResult<State> {
        let input = self.collate_inputs(expr)?;
        set_input_collation(expr, input.usable());
        let of_type = self.type_collation(expr.type_oid())?;
        let state = if !of_type.is_valid() {
            State::NONE
        } else if input.strength > Strength::None {
            input
        } else {
            State::implicit(of_type, expr.span())
        };
        set_collation(expr, state.usable());
        Ok(state)
    }

    /// The state of the arguments that decide the collation; the others are only walked.
    fn collate_inputs(&mut self, expr: &mut Expr) -> PgResult<State> {
        let mut input = State::NONE;
        match expr {
            Expr::Aggref(a) => {
                if let Some(f) = &mut a.filter {
                    self.collate(f)?;
                }
                let single = a.args.iter().filter(|t| !t.resjunk).count() == 1;
                let ordered = a.kind != b'n';
                for d in &mut a.direct_args {
                    let s = self.collate(d)?;
                    self.merge(&mut input, s)?;
                }
                for t in &mut a.args {
                    let s = self.collate(&mut t.expr)?;
                    self.check_sort_column(t, s)?;
                    // Only the arguments proper count; of ordered-set aggregates a single sort column.
                    if !t.resjunk && (!ordered || single) {
                        self.merge(&mut input, s)?;
                    }
                }
            }
            Expr::WindowFunc(w) => {
                if let Some(f) = &mut w.filter {
                    self.collate(f)?;
                }
                for a in &mut w.args {
                    let s = self.collate(a)?;
                    self.merge(&mut input, s)?;
                }
            }
            Expr::Case(c) => {
                if let Some(a) = &mut c.arg {
                    self.collate(a)?;
                }
                for w in &mut c.whens {
                    self.collate(&mut w.condition)?;
                    let s = self.collate(&mut w.result)?;
                    self.merge(&mut input, s)?;
                }
                let s = self.collate(&mut c.default)?;
                self.merge(&mut input, s)?;
            }
            Expr::Subscripting(x) => {
                for e in x.upper.iter_mut().chain(&mut x.lower).flatten() {
                    self.collate(e)?;
                }
                let s = self.collate(&mut x.container)?;
                self.merge(&mut input, s)?;
                if let Some(a) = &mut x.assign {
                    let s = self.collate(a)?;
                    self.merge(&mut input, s)?;
                }
            }
            Expr::ArrayCoerce(x) => {
                let s = self.collate(&mut x.arg)?;
                self.collate(&mut x.element)?;
                self.merge(&mut input, s)?;
            }
            other => {
                let mut result = Ok(());
                for_each_child_mut(other, &mut |child| {
                    if result.is_ok() {
                        result = self.collate(child).and_then(|s| self.merge(&mut input, s));
                    }
                });
                result?;
            }
        }
        Ok(input)
    }
}

fn set_collation(expr: &mut Expr, collation: Oid) {
    let slot = match expr {
        Expr::Func(e) | Expr::NullIf(e) => &mut e.collation,
        Expr::Case(e) => &mut e.collation,
        Expr::Coalesce(e) => &mut e.collation,
        Expr::MinMax(e) => &mut e.args.collation,
        Expr::Relabel(e) => &mut e.collation,
        Expr::CoerceViaIo(e) => &mut e.collation,
        Expr::ArrayCoerce(e) => &mut e.collation,
        Expr::Array(e) => &mut e.collation,
        Expr::Subscripting(e) => &mut e.collation,
        Expr::Json(e) => &mut e.collation,
        Expr::Aggref(e) => &mut e.collation,
        Expr::WindowFunc(e) => &mut e.collation,
        _ => return,
    };
    *slot = collation;
}

fn set_input_collation(expr: &mut Expr, collation: Oid) {
    let slot = match expr {
        Expr::Func(e) | Expr::NullIf(e) => &mut e.input_collation,
        Expr::Distinct(e) => &mut e.equality.input_collation,
        Expr::ScalarArrayOp(e) => &mut e.input_collation,
        Expr::MinMax(e) => &mut e.input_collation,
        Expr::Aggref(e) => &mut e.input_collation,
        Expr::WindowFunc(e) => &mut e.input_collation,
        _ => return,
    };
    *slot = collation;
}
