//! Aggregate and window function calls, GROUPING, and where set-returning functions may stand.
//!
//! PG: src/backend/parser/parse_agg.c (`transformAggregateCall`, `transformWindowFuncCall`), parse_func.c.

use common::error::ErrorExt;
use common::{Oid, PgResult, Span, internal, pg_err};
use nodes::Expr;
use nodes::expr::{AggSplit, Aggref, GroupingFunc, VarSource, WindowFunc};
use nodes::query::TargetEntry;
use parser::ast;
use types::oids;
use types::settings::TypeRef;

use crate::func_candidates::Candidate;
use crate::kind::ExprKind;
use crate::parse_coerce::CoerceTo;
use crate::parse_func::{CallSite, ResolvedCall};
use crate::parse_type::name_list_to_string;
use crate::state::Analyzer;
use crate::walk::{find_window_func, walk_levels};

const LATERAL_HINT: &str = "You might be able to move the set-returning function into a LATERAL FROM item.";

/// What the arguments of an aggregate refer to.
#[derive(Default)]
struct ArgLevels {
    var: Option<usize>,
    agg: Option<(usize, Span)>,
    error: Option<Box<common::PgError>>,
}

impl ArgLevels {
    fn lower(slot: &mut Option<usize>, level: usize) {
        *slot = Some(slot.map_or(level, |s| s.min(level)));
    }
}

impl Analyzer<'_> {
    /// Checks that a call of an aggregate has its arguments divided as the aggregate wants them.
    pub fn check_ordered_set_call(
        &self,
        site: &CallSite<'_>,
        found: &Candidate,
        types: &[Oid],
    ) -> PgResult<()> {
        let arg_count = types.len();
        let Some(call) = site.call else { return Ok(()) };
        let name = name_list_to_string(site.names);
        let agg = self.aggregate(found.func.oid)?;
        if agg.kind == b'n' {
            if call.agg_within_group {
                return Err(pg_err!(
                    WRONG_OBJECT_TYPE,
                    "{name} is not an ordered-set aggregate, so it cannot have WITHIN GROUP"
                )
                .at(site.span));
            }
            return Ok(());
        }
        if !call.agg_within_group {
            return Err(pg_err!(
                WRONG_OBJECT_TYPE,
                "WITHIN GROUP is required for ordered-set aggregate {name}"
            )
            .at(site.span));
        }
        if call.over.is_some() {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "OVER is not supported for ordered-set aggregate {name}"
            )
            .at(site.span));
        }
        let aggregated = call.agg_order.len();
        let direct = arg_count.saturating_sub(aggregated);
        let declared_direct = agg.direct_args.max(0) as usize;
        let variadic_count = found.variadic_count;
        let declared = arg_count - variadic_count.saturating_sub(1);
        let hint = if !found.func.variadic.is_valid() || declared_direct < declared {
            (direct != declared_direct).then(|| {
                format!(
                    "There is an ordered-set aggregate {name}, but it requires {declared_direct} direct argument{}, not {direct}.",
                    if declared_direct == 1 { "" } else { "s" }
                )
            })
        } else if agg.kind == b'h' {
            (variadic_count != 2 * aggregated).then(|| {
                format!(
                    "To use the hypothetical-set aggregate {name}, the number of hypothetical direct arguments (here {}) must match the number of ordering columns (here {aggregated}).",
                    variadic_count.saturating_sub(aggregated)
                )
            })
        } else {
            (variadic_count <= aggregated).then(|| {
                format!(
                    "There is an ordered-set aggregate {name}, but it requires at least {declared_direct} direct argument{}.",
                    if declared_direct == 1 { "" } else { "s" }
                )
            })
        };
        match hint {
            None => Ok(()),
            Some(hint) => Err(pg_err!(
                UNDEFINED_FUNCTION,
                "function {} does not exist",
                self.function_signature(site.names, &[], types)
            )
            .hint(hint)
            .at(site.span)),
        }
    }

    /// Facts of an aggregate that is known to exist.
    pub fn aggregate(&self, func: Oid) -> PgResult<catalog::view::AggregateDesc> {
        self.cx
            .catalog
            .aggregate(func)?
            .ok_or_else(|| internal!("cache lookup failed for aggregate {func}"))
    }

    /// An aggregate call (without OVER).
    pub fn make_aggregate(
        &mut self,
        site: CallSite<'_>,
        call: &ast::FuncCall,
        resolved: ResolvedCall,
        filter: Option<Expr>,
    ) -> PgResult<Expr> {
        let name = name_list_to_string(site.names);
        if resolved.args.is_empty() && !call.agg_star && !call.agg_within_group {
            return Err(parameterless(&name, site.span));
        }
        if resolved.func.returns_set {
            return Err(pg_err!(INVALID_FUNCTION_DEFINITION, "aggregates cannot return sets").at(site.span));
        }
        if resolved.named {
            return Err(
                pg_err!(FEATURE_NOT_SUPPORTED, "aggregates cannot use named arguments").at(site.span),
            );
        }
        let agg = self.aggregate(resolved.func.oid)?;
        let mut args = resolved.args;
        let arg_types: Vec<Oid> = args.iter().map(Expr::type_oid).collect();
        let mut made = Aggref {
            func: resolved.func.oid,
            trans_type: self.transition_type(&agg, &resolved.func.arg_types, &arg_types)?,
            arg_types,
            direct_args: Vec::new(),
            args: Vec::new(),
            order_by: Vec::new(),
            distinct: Vec::new(),
            filter,
            star: call.agg_star,
            variadic: resolved.variadic,
            kind: agg.kind,
            levels_up: 0,
            split: AggSplit::Simple,
            presorted: false,
            result: TypeRef::plain(resolved.result),
            input_collation: Oid::INVALID,
            collation: Oid::INVALID,
            span: site.span,
        };
        if agg.kind == b'n' {
            self.plain_aggregate_arguments(&mut made, args, call)?;
        } else {
            let direct = args.len().saturating_sub(call.agg_order.len());
            let mut ordered = args.split_off(direct);
            if agg.kind == b'h' {
                self.unify_hypothetical(&mut args, &mut ordered)?;
            }
            made.direct_args = args;
            self.ordered_set_arguments(&mut made, ordered, call)?;
        }
        self.check_aggregate_levels(&mut made)?;
        Ok(Expr::Aggref(Box::new(made)))
    }

    fn transition_type(
        &self,
        agg: &catalog::view::AggregateDesc,
        declared: &[Oid],
        actual: &[Oid],
    ) -> PgResult<Oid> {
        if !crate::parse_coerce::is_polymorphic(agg.trans_type) || declared.len() != actual.len() {
            return Ok(agg.trans_type);
        }
        self.enforce_generic_types(actual, &mut declared.to_vec(), agg.trans_type, false)
    }

    fn plain_aggregate_arguments(
        &mut self,
        made: &mut Aggref,
        args: Vec<Expr>,
        call: &ast::FuncCall,
    ) -> PgResult<()> {
        let mut list: Vec<TargetEntry> = args
            .into_iter()
            .enumerate()
            .map(|(i, expr)| crate::parse_target::target_entry(expr, (i + 1) as i16, None, false))
            .collect();
        let before = self.ps().next_resno;
        self.ps().next_resno = (list.len() + 1) as i16;
        made.order_by = self.transform_sort_clause(&call.agg_order, &mut list, ExprKind::OrderBy, true)?;
        if call.agg_distinct {
            made.distinct = self.transform_distinct(&mut list, &made.order_by, true)?;
            for c in &made.distinct {
                if !c.sort_op.is_valid() {
                    let entry = list.iter().find(|t| t.sort_group_ref == c.target_ref);
                    let (type_oid, span) = entry.map_or((oids::UNKNOWN, Span::NONE), |t| {
                        (t.expr.type_oid(), t.expr.span())
                    });
                    return Err(pg_err!(
                        UNDEFINED_FUNCTION,
                        "could not identify an ordering operator for type {}",
                        self.format_type(type_oid)
                    )
                    .detail("Aggregates with DISTINCT must be able to sort their inputs.")
                    .at(span));
                }
            }
        }
        self.ps().next_resno = before;
        made.args = list;
        Ok(())
    }

    fn ordered_set_arguments(
        &mut self,
        made: &mut Aggref,
        args: Vec<Expr>,
        call: &ast::FuncCall,
    ) -> PgResult<()> {
        let mut list = Vec::new();
        for (i, (expr, sort)) in args.into_iter().zip(&call.agg_order).enumerate() {
            list.push(crate::parse_target::target_entry(
                expr,
                (i + 1) as i16,
                None,
                false,
            ));
            let at = list.len() - 1;
            self.add_to_sort_list(at, &mut made.order_by, &mut list, sort)?;
        }
        made.args = list;
        Ok(())
    }

    /// Hypothetical direct arguments and the columns they are compared with get common types.
    fn unify_hypothetical(&mut self, direct: &mut [Expr], ordered: &mut [Expr]) -> PgResult<()> {
        let skip = direct.len().saturating_sub(ordered.len());
        for (d, o) in direct[skip..].iter_mut().zip(ordered) {
            let types = [(o.type_oid(), o.span()), (d.type_oid(), d.span())];
            let common = self.select_common_type(&types, Some("WITHIN GROUP"))?;
            for e in [d, o] {
                let taken = std::mem::replace(e, Expr::bool_const(false));
                *e = self.coerce_type(taken, CoerceTo::implicit(common))?;
            }
        }
        Ok(())
    }

    /// Finds the query level an aggregate belongs to and checks that it may stand there.
    fn check_aggregate_levels(&mut self, agg: &mut Aggref) -> PgResult<()> {
        let exprs: Vec<&Expr> = agg.args.iter().map(|t| &t.expr).chain(&agg.filter).collect();
        let level = self.aggregate_level(&exprs, &agg.direct_args.iter().collect::<Vec<_>>())?;
        agg.levels_up = level;
        self.check_aggregate_place(level, agg.span, "aggregate functions")
    }

    fn aggregate_level(&self, args: &[&Expr], direct: &[&Expr]) -> PgResult<usize> {
        let found = scan_levels(args)?;
        let level = match (found.var, found.agg) {
            (None, None) => 0,
            (Some(v), None) => v,
            (None, Some((a, _))) => a,
            (Some(v), Some((a, _))) => v.min(a),
        };
        if let Some((a, span)) = found.agg
            && a == level
        {
            return Err(pg_err!(GROUPING_ERROR, "aggregate function calls cannot be nested").at(span));
        }
        let direct = scan_levels(direct)?;
        if let Some(v) = direct.var
            && v < level
        {
            return Err(pg_err!(
                GROUPING_ERROR,
                "outer-level aggregate cannot contain a lower-level variable in its direct arguments"
            ));
        }
        if let Some((a, span)) = direct.agg
            && a <= level
        {
            return Err(pg_err!(GROUPING_ERROR, "aggregate function calls cannot be nested").at(span));
        }
        Ok(level)
    }

    fn check_aggregate_place(&mut self, level: usize, span: Span, what: &str) -> PgResult<()> {
        if level >= self.states.len() {
            return Err(internal!("aggregate of a query level that does not exist"));
        }
        self.level_mut(level).has_aggs = true;
        match self.level(level).expr_kind.aggregate_error_place() {
            None => Ok(()),
            Some(place) => Err(pg_err!(GROUPING_ERROR, "{what} are not allowed in {place}").at(span)),
        }
    }

    /// GROUPING(...).
    pub fn transform_grouping_func(&mut self, g: &ast::GroupingFunc) -> PgResult<Expr> {
        if g.args.len() > 31 {
            return Err(pg_err!(TOO_MANY_ARGUMENTS, "GROUPING must have fewer than 32 arguments").at(g.span));
        }
        let kind = self.cur().expr_kind;
        let mut args = Vec::new();
        for a in &g.args {
            args.push(self.transform_expr(a, kind)?);
        }
        let level = self.aggregate_level(&args.iter().collect::<Vec<_>>(), &[])?;
        self.check_aggregate_place(level, g.span, "grouping operations")?;
        Ok(Expr::GroupingFunc(GroupingFunc {
            args,
            refs: Vec::new(),
            levels_up: level,
            span: g.span,
        }))
    }

    /// A call with OVER.
    pub fn make_window_func(
        &mut self,
        site: CallSite<'_>,
        call: &ast::FuncCall,
        resolved: ResolvedCall,
        filter: Option<Expr>,
    ) -> PgResult<Expr> {
        let name = name_list_to_string(site.names);
        let is_aggregate = resolved.func.kind == b'a';
        let fail = |text: &str| Err(pg_err!(FEATURE_NOT_SUPPORTED, "{text}").at(site.span));
        if call.agg_distinct {
            return fail("DISTINCT is not implemented for window functions");
        }
        if is_aggregate && resolved.args.is_empty() && !call.agg_star {
            return Err(parameterless(&name, site.span));
        }
        if !call.agg_order.is_empty() {
            return fail("aggregate ORDER BY is not implemented for window functions");
        }
        if !is_aggregate && filter.is_some() {
            return fail("FILTER is not implemented for non-aggregate window functions");
        }
        if self.cur().last_srf.0 != site.last_srf.0 {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "window function calls cannot contain set-returning function calls"
            )
            .hint(LATERAL_HINT)
            .at(self.cur().last_srf.1));
        }
        if resolved.func.returns_set {
            return Err(
                pg_err!(INVALID_FUNCTION_DEFINITION, "window functions cannot return sets").at(site.span),
            );
        }
        if let Some(span) = resolved.args.iter().find_map(find_window_func) {
            return Err(pg_err!(WINDOWING_ERROR, "window function calls cannot be nested").at(span));
        }
        if let Some(place) = self.cur().expr_kind.window_error_place() {
            return Err(
                pg_err!(WINDOWING_ERROR, "window functions are not allowed in {place}").at(site.span),
            );
        }
        let def = call
            .over
            .as_deref()
            .ok_or_else(|| internal!("window function without OVER"))?;
        let window_ref = self.window_reference(def)?;
        self.ps().has_window_funcs = true;
        Ok(Expr::WindowFunc(Box::new(WindowFunc {
            func: resolved.func.oid,
            args: resolved.args,
            filter,
            window_ref,
            star: call.agg_star,
            is_aggregate,
            result: TypeRef::plain(resolved.result),
            input_collation: Oid::INVALID,
            collation: Oid::INVALID,
            span: site.span,
        })))
    }

    /// The number of the window an OVER clause means; a new definition is noted.
    fn window_reference(&mut self, def: &ast::WindowDef) -> PgResult<u32> {
        if let Some(name) = &def.name {
            let at = self
                .cur()
                .window_defs
                .iter()
                .position(|d| d.name.as_ref().is_some_and(|n| n.as_str() == name.as_str()));
            return match at {
                Some(i) => Ok((i + 1) as u32),
                None => {
                    Err(pg_err!(UNDEFINED_OBJECT, "window \"{}\" does not exist", name.as_str()).at(def.span))
                }
            };
        }
        let wanted = text_without_places(def);
        let defs = &self.cur().window_defs;
        if let Some(i) = defs
            .iter()
            .position(|d| d.name.is_none() && text_without_places(d) == wanted)
        {
            return Ok((i + 1) as u32);
        }
        self.ps().window_defs.push(def.clone());
        Ok(self.cur().window_defs.len() as u32)
    }

    /// Whether a set-returning function may stand here; marks the query as having one.
    pub fn check_srf_placement(&mut self, last_srf: (usize, Span), span: Span) -> PgResult<()> {
        let kind = self.cur().expr_kind;
        if kind == ExprKind::FromFunction {
            if self.cur().last_srf.0 != last_srf.0 {
                return Err(pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "set-returning functions must appear at top level of FROM"
                )
                .at(self.cur().last_srf.1));
            }
            return Ok(());
        }
        if let Some(place) = kind.srf_error_place() {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "set-returning functions are not allowed in {place}"
            )
            .at(span));
        }
        if !matches!(kind, ExprKind::Other | ExprKind::None) {
            self.ps().has_target_srfs = true;
        }
        Ok(())
    }

    /// Constructs that evaluate conditionally must not contain set-returning functions.
    pub fn forbid_srf_since(&self, last_srf: (usize, Span), construct: &str) -> PgResult<()> {
        if self.cur().last_srf.0 == last_srf.0 {
            return Ok(());
        }
        Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "set-returning functions are not allowed in {construct}"
        )
        .hint(LATERAL_HINT)
        .at(self.cur().last_srf.1))
    }
}

fn parameterless(name: &str, span: Span) -> Box<common::PgError> {
    pg_err!(
        WRONG_OBJECT_TYPE,
        "{name}(*) must be used to call a parameterless aggregate function"
    )
    .at(span)
}

fn scan_levels(exprs: &[&Expr]) -> PgResult<ArgLevels> {
    let mut found = ArgLevels::default();
    for e in exprs {
        walk_levels(e, 0, &mut |e, depth| {
            scan_level(e, depth, &mut found);
            found.error.is_none()
        });
    }
    match found.error.take() {
        Some(e) => Err(e),
        None => Ok(found),
    }
}

fn scan_level(e: &Expr, depth: usize, found: &mut ArgLevels) {
    match e {
        Expr::Var(v) => {
            if let VarSource::Rel { levels_up, .. } = v.source
                && levels_up >= depth
            {
                ArgLevels::lower(&mut found.var, levels_up - depth);
            }
        }
        Expr::Aggref(a) if a.levels_up >= depth => note_agg(found, a.levels_up - depth, a.span),
        Expr::GroupingFunc(g) if g.levels_up >= depth => note_agg(found, g.levels_up - depth, g.span),
        Expr::Func(f) if depth == 0 && f.returns_set => {
            found.error = Some(
                pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "aggregate function calls cannot contain set-returning function calls"
                )
                .hint(LATERAL_HINT)
                .at(e.span()),
            );
        }
        Expr::WindowFunc(w) if depth == 0 => {
            found.error = Some(
                pg_err!(
                    GROUPING_ERROR,
                    "aggregate function calls cannot contain window function calls"
                )
                .at(w.span),
            );
        }
        _ => {}
    }
}

fn note_agg(found: &mut ArgLevels, level: usize, span: Span) {
    if found.agg.is_none_or(|(l, _)| level < l) {
        found.agg = Some((level, span));
    }
}

/// A tree as text without its places, to compare definitions as PostgreSQL's `equal` does.
pub(crate) fn text_without_places(node: &dyn std::fmt::Debug) -> String {
    let text = format!("{node:?}");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("Span {") {
        out.push_str(&rest[..at]);
        rest = rest[at..].find('}').map_or("", |end| &rest[at + end + 1..]);
    }
    out.push_str(rest);
    out
}
