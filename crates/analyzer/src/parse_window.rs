//! Window definitions.
//!
//! PG: src/backend/parser/parse_clause.c (`transformWindowDefinitions`, `transformFrameOffset`).

use std::sync::Arc;

use common::error::ErrorExt;
use common::{Oid, PgResult, Span, pg_err};
use nodes::Expr;
use nodes::query::{FrameBound, FrameExclusion, FrameUnits, SortGroupClause, TargetEntry, WindowClause};
use parser::ast;
use types::oids;

use crate::kind::ExprKind;
use crate::parse_coerce::CoercionContext;
use crate::parse_oper::BTREE_AM;
use crate::sort_group::entry_of_ref;
use crate::state::Analyzer;
use crate::walk::find_var_of_level;

/// Support function of btree families for RANGE offsets.
const BT_INRANGE_PROC: i16 = 3;

/// What RANGE offsets are measured by.
#[derive(Clone, Copy)]
struct RangeBy {
    family: Oid,
    input: Oid,
}

impl Analyzer<'_> {
    /// All windows that the query defined or used.
    pub fn transform_windows(&mut self, list: &mut Vec<TargetEntry>) -> PgResult<Vec<WindowClause>> {
        let defs = self.cur().window_defs.clone();
        let mut out: Vec<WindowClause> = Vec::new();
        for (i, def) in defs.iter().enumerate() {
            let window_ref = (i + 1) as u32;
            if let Some(name) = &def.name
                && find_window(&out, name.as_str()).is_some()
            {
                return Err(
                    pg_err!(WINDOWING_ERROR, "window \"{}\" is already defined", name.as_str()).at(def.span),
                );
            }
            let made = self.transform_window(def, window_ref, &out, list)?;
            out.push(made);
        }
        Ok(out)
    }

    fn transform_window(
        &mut self,
        def: &ast::WindowDef,
        window_ref: u32,
        earlier: &[WindowClause],
        list: &mut Vec<TargetEntry>,
    ) -> PgResult<WindowClause> {
        let base = match &def.refname {
            None => None,
            Some(n) => match find_window(earlier, n.as_str()) {
                Some(w) => Some(w),
                None => {
                    return Err(
                        pg_err!(UNDEFINED_OBJECT, "window \"{}\" does not exist", n.as_str()).at(def.span),
                    );
                }
            },
        };
        let order = self.transform_sort_clause(&def.order_clause, list, ExprKind::WindowOrder, true)?;
        let (partition, _) = self.transform_group_clause(
            &def.partition_clause,
            list,
            &order,
            ExprKind::WindowPartition,
            true,
        )?;
        let mut w = WindowClause {
            name: def.name.as_ref().map(|n| Arc::from(n.as_str())),
            ref_name: def.refname.as_ref().map(|n| Arc::from(n.as_str())),
            partition,
            order,
            units: FrameUnits::Range,
            start: FrameBound::UnboundedPreceding,
            end: FrameBound::CurrentRow,
            exclusion: FrameExclusion::NoOthers,
            frame_given: false,
            start_in_range: Oid::INVALID,
            end_in_range: Oid::INVALID,
            in_range_collation: Oid::INVALID,
            in_range_asc: false,
            in_range_nulls_first: false,
            window_ref,
            copied_order: false,
        };
        if let Some(base) = base {
            inherit_window(&mut w, base, def)?;
        }
        if let Some(frame) = &def.frame {
            self.transform_frame(&mut w, frame, def.span, list)?;
        }
        Ok(w)
    }

    fn transform_frame(
        &mut self,
        w: &mut WindowClause,
        frame: &ast::WindowFrame,
        span: Span,
        list: &[TargetEntry],
    ) -> PgResult<()> {
        w.frame_given = true;
        w.units = match frame.mode {
            ast::FrameMode::Range => FrameUnits::Range,
            ast::FrameMode::Rows => FrameUnits::Rows,
            ast::FrameMode::Groups => FrameUnits::Groups,
        };
        w.exclusion = match frame.exclusion {
            ast::FrameExclusion::NoOthers => FrameExclusion::NoOthers,
            ast::FrameExclusion::CurrentRow => FrameExclusion::CurrentRow,
            ast::FrameExclusion::Group => FrameExclusion::Group,
            ast::FrameExclusion::Ties => FrameExclusion::Ties,
        };
        let has_offset = [Some(&frame.start), frame.end.as_ref()]
            .into_iter()
            .flatten()
            .any(|b| {
                matches!(
                    b,
                    ast::FrameBound::OffsetPreceding(_) | ast::FrameBound::OffsetFollowing(_)
                )
            });
        let mut by = None;
        if w.units == FrameUnits::Range && has_offset {
            by = Some(self.range_order(w, span, list)?);
        }
        if w.units == FrameUnits::Groups && w.order.is_empty() {
            return Err(pg_err!(WINDOWING_ERROR, "GROUPS mode requires an ORDER BY clause").at(span));
        }
        let (start, proc) = self.frame_bound(&frame.start, w.units, by)?;
        w.start = start;
        w.start_in_range = proc;
        if let Some(end) = &frame.end {
            let (end, proc) = self.frame_bound(end, w.units, by)?;
            w.end = end;
            w.end_in_range = proc;
        }
        Ok(())
    }

    fn range_order(&mut self, w: &mut WindowClause, span: Span, list: &[TargetEntry]) -> PgResult<RangeBy> {
        let [by] = w.order.as_slice() else {
            return Err(pg_err!(
                WINDOWING_ERROR,
                "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column"
            )
            .at(span));
        };
        let by: &SortGroupClause = by;
        let key = entry_of_ref(list, by.target_ref)?.expr.clone();
        w.in_range_asc = !by.reverse;
        w.in_range_nulls_first = by.nulls_first;
        let mut key_with_collation = key;
        self.assign_expr_collations(&mut key_with_collation)?;
        w.in_range_collation = key_with_collation.collation();
        let families = self.cx.catalog.operator_families(BTREE_AM, by.sort_op)?;
        let op = self.operator(by.sort_op)?;
        Ok(RangeBy {
            family: families.first().map_or(Oid::INVALID, |f| f.0),
            input: op.left,
        })
    }

    fn frame_bound(
        &mut self,
        b: &ast::FrameBound,
        units: FrameUnits,
        by: Option<RangeBy>,
    ) -> PgResult<(FrameBound, Oid)> {
        Ok(match b {
            ast::FrameBound::UnboundedPreceding => (FrameBound::UnboundedPreceding, Oid::INVALID),
            ast::FrameBound::CurrentRow => (FrameBound::CurrentRow, Oid::INVALID),
            ast::FrameBound::UnboundedFollowing => (FrameBound::UnboundedFollowing, Oid::INVALID),
            ast::FrameBound::OffsetPreceding(e) => {
                let (e, proc) = self.frame_offset(e, units, by)?;
                (FrameBound::Preceding(e), proc)
            }
            ast::FrameBound::OffsetFollowing(e) => {
                let (e, proc) = self.frame_offset(e, units, by)?;
                (FrameBound::Following(e), proc)
            }
        })
    }

    fn frame_offset(
        &mut self,
        e: &ast::Expr,
        units: FrameUnits,
        by: Option<RangeBy>,
    ) -> PgResult<(Expr, Oid)> {
        let (kind, name) = match units {
            FrameUnits::Rows => (ExprKind::WindowFrameRows, "ROWS"),
            FrameUnits::Range => (ExprKind::WindowFrameRange, "RANGE"),
            FrameUnits::Groups => (ExprKind::WindowFrameGroups, "GROUPS"),
        };
        let offset = self.transform_expr(e, kind)?;
        let (offset, proc) = match by {
            None => (
                self.coerce_to_specific_type(offset, oids::INT8, name)?,
                Oid::INVALID,
            ),
            Some(by) => self.range_offset(offset, by)?,
        };
        if let Some(span) = find_var_of_level(&offset, 0) {
            return Err(pg_err!(
                INVALID_COLUMN_REFERENCE,
                "argument of {name} must not contain variables"
            )
            .at(span));
        }
        Ok((offset, proc))
    }

    fn range_offset(&mut self, offset: Expr, by: RangeBy) -> PgResult<(Expr, Oid)> {
        const OFFSET_TYPES: [Oid; 8] = [
            oids::INT8,
            oids::INT4,
            oids::INT2,
            oids::INTERVAL,
            oids::NUMERIC,
            oids::FLOAT8,
            oids::FLOAT4,
            oids::OID,
        ];
        let (input, span) = (offset.type_oid(), offset.span());
        let preferred = if input == oids::UNKNOWN { by.input } else { input };
        let mut supported = false;
        let mut fitting: Vec<(Oid, Oid)> = Vec::new();
        for t in OFFSET_TYPES {
            let Some(proc) = self
                .cx
                .catalog
                .opfamily_proc(by.family, by.input, t, BT_INRANGE_PROC)?
            else {
                continue;
            };
            supported = true;
            if t == preferred {
                fitting = vec![(t, proc)];
                break;
            }
            if self.can_coerce_type(&[input], &[t], CoercionContext::Implicit)? {
                fitting.push((t, proc));
            }
        }
        if !supported {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {}",
                self.format_type(by.input)
            )
            .at(span));
        }
        match fitting.as_slice() {
            [] => Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {} and offset type {}",
                self.format_type(by.input),
                self.format_type(preferred)
            )
            .hint("Cast the offset value to an appropriate type.")
            .at(span)),
            [(t, proc)] => {
                let e = self.coerce_to_specific_type(offset, *t, "RANGE")?;
                Ok((e, *proc))
            }
            _ => Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "RANGE with offset PRECEDING/FOLLOWING has multiple interpretations for column type {} and offset type {}",
                self.format_type(by.input),
                self.format_type(preferred)
            )
            .hint("Cast the offset value to the exact intended type.")
            .at(span)),
        }
    }

    /// LIMIT and OFFSET: a bigint without variables.
    pub fn transform_limit(
        &mut self,
        e: &ast::Expr,
        kind: ExprKind,
        construct: &str,
        option: ast::LimitOption,
    ) -> PgResult<Expr> {
        let value = self.transform_expr(e, kind)?;
        let value = self.coerce_to_specific_type(value, oids::INT8, construct)?;
        if let Some(span) = find_var_of_level(&value, 0) {
            return Err(pg_err!(
                INVALID_COLUMN_REFERENCE,
                "argument of {construct} must not contain variables"
            )
            .at(span));
        }
        let is_null = matches!(e, ast::Expr::AConst(c) if c.value == ast::ConstValue::Null);
        if kind == ExprKind::Limit && option == ast::LimitOption::WithTies && is_null {
            return Err(pg_err!(
                INVALID_ROW_COUNT_IN_LIMIT_CLAUSE,
                "row count cannot be null in FETCH FIRST ... WITH TIES clause"
            ));
        }
        Ok(value)
    }
}

fn find_window<'w>(windows: &'w [WindowClause], name: &str) -> Option<&'w WindowClause> {
    windows.iter().find(|w| w.name.as_deref() == Some(name))
}

/// Takes over PARTITION BY and ORDER BY of the window that this one extends.
fn inherit_window(w: &mut WindowClause, base: &WindowClause, def: &ast::WindowDef) -> PgResult<()> {
    let name = base.name.as_deref().unwrap_or("");
    if !w.partition.is_empty() {
        return Err(pg_err!(
            WINDOWING_ERROR,
            "cannot override PARTITION BY clause of window \"{name}\""
        )
        .at(def.span));
    }
    w.partition = base.partition.clone();
    if !w.order.is_empty() && !base.order.is_empty() {
        return Err(pg_err!(
            WINDOWING_ERROR,
            "cannot override ORDER BY clause of window \"{name}\""
        )
        .at(def.span));
    }
    let own_order = !w.order.is_empty();
    if !own_order {
        w.order = base.order.clone();
        w.copied_order = true;
    }
    if base.frame_given {
        let e = pg_err!(
            WINDOWING_ERROR,
            "cannot copy window \"{name}\" because it has a frame clause"
        );
        return Err(if def.name.is_some() || own_order || def.frame.is_some() {
            e
        } else {
            e.hint("Omit the parentheses in this OVER clause.")
        }
        .at(def.span));
    }
    Ok(())
}
