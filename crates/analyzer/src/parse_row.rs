//! The fields of composite values, whatever they come from.
//!
//! PG: src/backend/utils/fmgr/funcapi.c (`get_expr_result_type`), parse_target.c (`expandRecordVariable`).

use std::sync::Arc;

use catalog::FunctionDesc;
use common::{Oid, PgResult};
use nodes::Expr;
use nodes::expr::VarSource;
use nodes::query::RteKind;
use types::oids;
use types::settings::TypeRef;

use crate::state::Analyzer;

/// A field of a composite value.
#[derive(Clone, Debug)]
pub(crate) struct RowField {
    pub name: Arc<str>,
    pub type_ref: TypeRef,
    pub collation: Oid,
    pub dropped: bool,
}

impl Analyzer<'_> {
    /// The fields of a composite-typed expression; `None` when it is not composite or its fields are unknown.
    pub fn row_fields(&self, expr: &Expr) -> PgResult<Option<Vec<RowField>>> {
        let type_oid = self.base_type(expr.type_oid())?;
        if type_oid != oids::RECORD {
            return self.composite_fields(type_oid);
        }
        match expr {
            Expr::Row(r) => Ok(Some(self.row_expr_fields(r)?)),
            Expr::Func(f) => self.out_fields(&*self.function(f.func)?, &f.args),
            Expr::Var(v) => match v.source {
                VarSource::Rel { index, levels_up } if v.attno == 0 => {
                    let rte = self.rte(index, levels_up)?;
                    Ok(Some(
                        rte.eref
                            .columns
                            .iter()
                            .zip(&rte.columns)
                            .map(|(name, c)| RowField {
                                name: name.clone(),
                                type_ref: c.type_ref,
                                collation: c.collation,
                                dropped: !c.type_ref.oid.is_valid(),
                            })
                            .collect(),
                    ))
                }
                VarSource::Rel { index, levels_up } => self.record_column_fields(index, levels_up, v.attno),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn row_expr_fields(&self, r: &nodes::expr::RowExpr) -> PgResult<Vec<RowField>> {
        let mut out = Vec::with_capacity(r.args.len());
        for (i, a) in r.args.iter().enumerate() {
            out.push(RowField {
                name: r
                    .names
                    .get(i)
                    .map_or_else(|| format!("f{}", i + 1).into(), |n| Arc::from(&**n)),
                type_ref: a.type_ref(),
                collation: self.type_collation(a.type_oid())?,
                dropped: false,
            });
        }
        Ok(out)
    }

    /// A column of type `record` of a subquery, join or VALUES list: looks where its values come from.
    fn record_column_fields(
        &self,
        index: usize,
        levels_up: usize,
        attno: i16,
    ) -> PgResult<Option<Vec<RowField>>> {
        let rte = self.rte(index, levels_up)?;
        let at = (attno.max(1) - 1) as usize;
        let inner = match &rte.kind {
            RteKind::Subquery { query, .. } => query.output_columns().nth(at).map(|t| t.expr.clone()),
            RteKind::Join { alias_vars, .. } => alias_vars.get(at).cloned(),
            RteKind::Values { rows, .. } => rows.first().and_then(|r| r.get(at)).cloned(),
            RteKind::Function { functions, .. } => match functions.first() {
                Some(f) if functions.len() == 1 && f.column_count == 1 => Some(f.expr.clone()),
                _ => None,
            },
            RteKind::Cte {
                name, levels_up: up, ..
            } => self
                .level(levels_up + up)
                .ctes
                .iter()
                .find(|c| c.name == *name)
                .and_then(|c| c.query.output_columns().nth(at).map(|t| t.expr.clone())),
            _ => None,
        };
        match inner {
            Some(e @ (Expr::Row(_) | Expr::Func(_))) => self.row_fields(&e),
            _ => Ok(None),
        }
    }

    /// The columns of a composite type; `None` for other types.
    pub fn composite_fields(&self, type_oid: Oid) -> PgResult<Option<Vec<RowField>>> {
        if !type_oid.is_valid() {
            return Ok(None);
        }
        let desc = self.ty(type_oid)?;
        if desc.kind != b'c' {
            return Ok(None);
        }
        let Some(rel) = self.cx.catalog.relation(desc.relation)? else {
            return Ok(None);
        };
        Ok(Some(
            rel.columns
                .iter()
                .map(|c| RowField {
                    name: c.name.clone(),
                    type_ref: c.type_ref,
                    collation: c.collation,
                    dropped: c.dropped,
                })
                .collect(),
        ))
    }

    /// Result columns of a function with OUT parameters that returns `record`.
    pub fn out_fields(&self, func: &FunctionDesc, args: &[Expr]) -> PgResult<Option<Vec<RowField>>> {
        if func.arg_modes.is_empty() {
            return Ok(None);
        }
        let actual: Vec<Oid> = args.iter().map(Expr::type_oid).collect();
        let mut out = Vec::new();
        for (i, mode) in func.arg_modes.iter().enumerate() {
            if !matches!(mode, b'o' | b'b' | b't') {
                continue;
            }
            let declared = func.all_arg_types.get(i).copied().unwrap_or_default();
            let mut inputs = func.arg_types.clone();
            let type_oid = if actual.len() == inputs.len() {
                self.enforce_generic_types(&actual, &mut inputs, declared, false)?
            } else {
                declared
            };
            let name = match func.arg_names.get(i) {
                Some(n) if !n.is_empty() => n.clone(),
                _ => format!("column{}", out.len() + 1).into(),
            };
            out.push(RowField {
                name,
                type_ref: TypeRef::plain(type_oid),
                collation: self.type_collation(type_oid)?,
                dropped: false,
            });
        }
        Ok((!out.is_empty()).then_some(out))
    }
}
