//! COPY FROM's columns: where each value of the data goes, and what fills the columns that the data does not have.

use std::sync::Arc;

use catalog::CatalogView;
use catalog::desc::RelationDesc;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use nodes::Expr;
use nodes::expr::{CoerceExpr, CoercionForm, Var, VarSource};
use types::Datum;
use types::settings::TypeRef;

use crate::context::CommandContext;
use crate::copy::lines::Field;
use crate::copy::options::{Columns, CopyOptions};
use crate::eval::RowExpr;

/// Where a column of the data goes.
pub(crate) struct Source {
    /// Position in the row.
    pub at: usize,
    pub name: Arc<str>,
    /// The type to read, below domains.
    pub base: TypeRef,
    /// Checks of a domain.
    pub domain: Option<RowExpr>,
    default: Option<RowExpr>,
    has_default: bool,
    pub force_not_null: bool,
    pub force_null: bool,
}

/// A column that the data does not have.
pub(crate) enum Filler {
    Expr(usize, RowExpr),
    Identity(usize, Oid),
}

impl Filler {
    /// The next value, and where it goes.
    pub fn value(&mut self, desc: &RelationDesc, cx: &CommandContext<'_>) -> PgResult<(usize, Datum)> {
        match self {
            Filler::Expr(at, expr) => Ok((*at, expr.eval(cx, &[])?)),
            Filler::Identity(at, sequence) => {
                let value = cx.session.nextval(*sequence)?;
                let value = match desc.columns.get(*at).map(|c| c.phys) {
                    Some(types::PhysType::Int2) => Datum::Int2(value as i16),
                    Some(types::PhysType::Int4) => Datum::Int4(value as i32),
                    _ => Datum::Int8(value),
                };
                Ok((*at, value))
            }
        }
    }
}

pub(crate) enum SourceText {
    Null,
    Default,
    Text(Vec<u8>),
}

impl Source {
    pub fn text_of(&self, field: Field, null: &str) -> SourceText {
        match field {
            Field::Default => SourceText::Default,
            Field::Null if self.force_not_null => SourceText::Text(null.as_bytes().to_vec()),
            Field::Null => SourceText::Null,
            Field::Quoted(text) if self.force_null && text == null.as_bytes() => SourceText::Null,
            Field::Text(text) | Field::Quoted(text) => SourceText::Text(text),
        }
    }

    pub fn default_value(&mut self, cx: &CommandContext<'_>) -> PgResult<Datum> {
        if !self.has_default {
            return Err(
                pg_err!(BAD_COPY_FILE_FORMAT, "unexpected default marker in COPY data")
                    .detail(format!("Column \"{}\" has no default value.", self.name)),
            );
        }
        match &mut self.default {
            Some(default) => default.eval(cx, &[]),
            None => Ok(Datum::Null),
        }
    }

    pub fn checked(&mut self, value: Datum, cx: &CommandContext<'_>) -> PgResult<Datum> {
        match &mut self.domain {
            Some(domain) => domain.eval(cx, &[value]),
            None => Ok(value),
        }
    }
}

fn is_selected(list: &Columns, name: &str) -> bool {
    match list {
        Columns::None => false,
        Columns::All => true,
        Columns::Listed(names) => names.iter().any(|n| n == name),
    }
}

/// FORCE_... lists name columns of the table that are copied.
pub(crate) fn check_listed(
    list: &Columns,
    word: &str,
    desc: &RelationDesc,
    columns: &[usize],
) -> PgResult<()> {
    let Columns::Listed(names) = list else {
        return Ok(());
    };
    for name in names {
        let Some(column) = desc.column_by_name(name) else {
            return Err(pg_err!(
                UNDEFINED_COLUMN,
                "column \"{name}\" of relation \"{}\" does not exist",
                desc.name
            ));
        };
        if !columns.contains(&(usize::try_from(column.attno).unwrap_or(1) - 1)) {
            return Err(pg_err!(
                INVALID_COLUMN_REFERENCE,
                "{word} column \"{name}\" not referenced by COPY"
            ));
        }
    }
    Ok(())
}

pub(crate) fn make_sources(
    desc: &RelationDesc,
    columns: &[usize],
    options: &CopyOptions,
    (view, cx): (&dyn CatalogView, &CommandContext<'_>),
) -> PgResult<Vec<Source>> {
    check_listed(&options.force_not_null, "FORCE_NOT_NULL", desc, columns)?;
    check_listed(&options.force_null, "FORCE_NULL", desc, columns)?;
    let mut sources = Vec::new();
    for &at in columns {
        let column = &desc.columns[at];
        let (base, domain) = domain_check(column.type_ref, view)?;
        let value = analyzer::utility::column_default(column, &cx.analysis(view))?;
        let default = match (&value, &options.default) {
            (Some(default), Some(_)) => Some(RowExpr::compile(default, view)?),
            _ => None,
        };
        sources.push(Source {
            at,
            name: column.name.clone(),
            base,
            domain,
            has_default: value.is_some(),
            default,
            force_not_null: is_selected(&options.force_not_null, &column.name),
            force_null: is_selected(&options.force_null, &column.name),
        });
    }
    Ok(sources)
}

/// The type below domains, and the check of the domain over column 1.
fn domain_check(type_ref: TypeRef, view: &dyn CatalogView) -> PgResult<(TypeRef, Option<RowExpr>)> {
    let mut base = type_ref;
    let mut is_domain = false;
    while base.oid >= Oid::FIRST_NORMAL
        && let Some(desc) = view.type_desc(base.oid)?
        && desc.kind == b'd'
    {
        is_domain = true;
        base = TypeRef {
            oid: desc.base_type,
            typmod: desc.typmod,
        };
    }
    if !is_domain {
        return Ok((base, None));
    }
    let arg = Expr::Var(Var {
        source: VarSource::Scan,
        attno: 1,
        type_ref: base,
        collation: Oid::INVALID,
        nulling_rels: nodes::RelIds::default(),
        returning: nodes::expr::ReturningKind::Default,
        span: common::Span::NONE,
    });
    let expr = Expr::CoerceToDomain(CoerceExpr {
        arg: Box::new(arg),
        result: type_ref,
        collation: Oid::INVALID,
        form: CoercionForm::ImplicitCast,
        span: common::Span::NONE,
    });
    Ok((base, Some(RowExpr::compile(&expr, view)?)))
}

pub(crate) fn make_fillers(
    desc: &RelationDesc,
    columns: &[usize],
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<Vec<Filler>> {
    let mut fillers = Vec::new();
    for (at, column) in desc.columns.iter().enumerate() {
        let generated = !matches!(column.generated, 0 | b' ');
        if column.dropped || generated || columns.contains(&at) {
            continue;
        }
        if column.identity_sequence.is_valid() {
            fillers.push(Filler::Identity(at, column.identity_sequence));
        } else if let Some(default) = analyzer::utility::column_default(column, &cx.analysis(view))? {
            fillers.push(Filler::Expr(at, RowExpr::compile(&default, view)?));
        }
    }
    Ok(fillers)
}
