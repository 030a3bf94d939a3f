//! Where columns lie and what types are, for compiling expressions.

use catalog::CatalogView;
use common::{AttrNumber, Oid, PgResult, TABLEOID, internal, unsupported};
use expr::{ColumnPlace, CompileEnv, DomainCheck, DomainInfo, Side};
use nodes::expr::{Const, Expr, Var, VarSource};
use types::{Datum, PhysType};

/// What `Scan` columns mean in a node.
#[derive(Clone, Copy)]
pub(crate) enum ScanMap<'a> {
    /// There are none.
    None,
    /// The batch has these attnos, in this order.
    Attnos(&'a [AttrNumber]),
    /// Column `attno` is at position `attno - 1`.
    Positions,
    /// Rows of a data-modifying node: see [`crate::modify::returning`].
    Modified(&'a crate::modify::RowLayout),
}

/// Columns and types of one node.
#[derive(Clone, Copy)]
pub(crate) struct Env<'a> {
    pub catalog: &'a dyn CatalogView,
    pub scan: ScanMap<'a>,
}

/// No columns at all.
pub(crate) struct NoColumns<'a> {
    pub catalog: &'a dyn CatalogView,
}

fn position(attno: AttrNumber) -> PgResult<usize> {
    usize::try_from(attno)
        .ok()
        .and_then(|a| a.checked_sub(1))
        .ok_or_else(|| unsupported!("reference to system column {attno} is not supported here"))
}

impl CompileEnv for Env<'_> {
    fn column(&self, var: &Var) -> PgResult<ColumnPlace> {
        let place = |side, index| Ok(ColumnPlace { side, index });
        match var.source {
            VarSource::Outer => place(Side::Outer, position(var.attno)?),
            VarSource::Inner => place(Side::Inner, position(var.attno)?),
            // Stored expressions of a relation (defaults, checks, index expressions) name it as entry 1.
            VarSource::Scan
            | VarSource::Rel {
                index: 1,
                levels_up: 0,
            } => place(Side::Scan, self.scan_position(var)?),
            VarSource::Rel { .. } => Err(internal!("column of an unplanned relation")),
        }
    }

    fn phys(&self, type_oid: Oid) -> PgResult<PhysType> {
        phys_of(self.catalog, type_oid)
    }

    fn domain(&self, type_oid: Oid) -> PgResult<DomainInfo> {
        domain_of(self.catalog, type_oid)
    }

    fn element_type(&self, type_oid: Oid) -> PgResult<Option<Oid>> {
        element_of(self.catalog, type_oid)
    }

    fn composite(&self, type_oid: Oid) -> PgResult<Option<Vec<Option<Oid>>>> {
        self.catalog.composite_attributes(type_oid)
    }

    fn kernel_function(&self, func: Oid) -> PgResult<Oid> {
        kernel_function(self.catalog, func)
    }

    fn session_function(&self, func: Oid) -> PgResult<Option<bool>> {
        session_function(self.catalog, func)
    }

    fn missing_function(&self, proc: Oid) -> Box<common::PgError> {
        missing(self.catalog, proc)
    }
}

impl Env<'_> {
    fn scan_position(&self, var: &Var) -> PgResult<usize> {
        match self.scan {
            ScanMap::None => Err(internal!(
                "scan column {} in a node that scans nothing",
                var.attno
            )),
            ScanMap::Attnos(list) => list
                .iter()
                .position(|a| *a == var.attno)
                .ok_or_else(|| internal!("scan does not read column {}", var.attno)),
            ScanMap::Positions => position(var.attno),
            ScanMap::Modified(layout) => layout.position(var.attno, var.returning),
        }
    }
}

impl CompileEnv for NoColumns<'_> {
    fn column(&self, _var: &Var) -> PgResult<ColumnPlace> {
        Err(internal!("column in a constant expression"))
    }

    fn phys(&self, type_oid: Oid) -> PgResult<PhysType> {
        phys_of(self.catalog, type_oid)
    }

    fn domain(&self, type_oid: Oid) -> PgResult<DomainInfo> {
        domain_of(self.catalog, type_oid)
    }

    fn element_type(&self, type_oid: Oid) -> PgResult<Option<Oid>> {
        element_of(self.catalog, type_oid)
    }

    fn composite(&self, type_oid: Oid) -> PgResult<Option<Vec<Option<Oid>>>> {
        self.catalog.composite_attributes(type_oid)
    }

    fn kernel_function(&self, func: Oid) -> PgResult<Oid> {
        kernel_function(self.catalog, func)
    }

    fn session_function(&self, func: Oid) -> PgResult<Option<bool>> {
        session_function(self.catalog, func)
    }

    fn missing_function(&self, proc: Oid) -> Box<common::PgError> {
        missing(self.catalog, proc)
    }
}

/// Storage class of any type.
pub(crate) fn phys_of(catalog: &dyn CatalogView, type_oid: Oid) -> PgResult<PhysType> {
    if type_oid < Oid::FIRST_NORMAL && types::builtin::type_row(type_oid).is_some() {
        return Ok(PhysType::of_builtin(type_oid));
    }
    match catalog.type_desc(type_oid)? {
        Some(desc) => Ok(desc.phys),
        None => Ok(PhysType::of_builtin(type_oid)),
    }
}

fn element_of(catalog: &dyn CatalogView, type_oid: Oid) -> PgResult<Option<Oid>> {
    if let Some(row) = types::builtin::type_row(type_oid) {
        return Ok(row.is_array().then_some(row.typelem));
    }
    let Some(desc) = catalog.type_desc(type_oid)? else {
        return Ok(None);
    };
    match desc.kind {
        b'd' => element_of(catalog, desc.base_type),
        _ => Ok(desc.is_array.then_some(desc.element)),
    }
}

/// Whether a function in language SQL, which the session runs, is strict.
pub(crate) fn session_function(catalog: &dyn CatalogView, func: Oid) -> PgResult<Option<bool>> {
    let desc = catalog
        .function(func)?
        .filter(|f| func >= Oid::FIRST_NORMAL && f.runs_in_session());
    Ok(desc.map(|f| f.strict))
}

/// Functions in the language `internal` are built-in ones under another name.
pub(crate) fn kernel_function(catalog: &dyn CatalogView, func: Oid) -> PgResult<Oid> {
    const INTERNAL_LANGUAGE: Oid = Oid(12);
    let desc = catalog
        .function(func)?
        .filter(|f| func >= Oid::FIRST_NORMAL && f.language == INTERNAL_LANGUAGE);
    let code = desc.and_then(|f| functions::framework::registry::internal_function(&f.source));
    Ok(code.unwrap_or(func))
}

/// The code of a function, whoever made it.
pub(crate) fn kernels_of(catalog: &dyn CatalogView, func: Oid) -> PgResult<functions::Kernels> {
    if func < Oid::FIRST_NORMAL {
        return functions::require_kernels(func);
    }
    if let Some(strict) = session_function(catalog, func)? {
        return Ok(functions::framework::registry::routine_kernels(strict));
    }
    functions::kernels(kernel_function(catalog, func)?).ok_or_else(|| missing(catalog, func))
}

fn missing(catalog: &dyn CatalogView, proc: Oid) -> Box<common::PgError> {
    match catalog.function(proc) {
        Ok(Some(f)) => unsupported!("function {} is not implemented yet", f.name),
        _ => functions::framework::registry::not_implemented(proc),
    }
}

/// A domain's rules, base domains' first.
fn domain_of(catalog: &dyn CatalogView, type_oid: Oid) -> PgResult<DomainInfo> {
    let desc = catalog
        .type_desc(type_oid)?
        .ok_or_else(|| internal!("cache lookup failed for type {type_oid}"))?;
    let mut info = DomainInfo {
        name: desc.name.clone(),
        not_null: desc.not_null,
        checks: Vec::new(),
    };
    if let Some(base) = catalog.type_desc(desc.base_type)? {
        if base.kind == b'd' {
            let below = domain_of(catalog, base.oid)?;
            info.not_null |= below.not_null;
            info.checks = below.checks;
        }
    }
    for constraint in catalog.domain_constraints(type_oid)? {
        let Some(check) = constraint.check else { continue };
        info.checks.push(DomainCheck {
            name: constraint.name,
            expr: check,
        });
    }
    Ok(info)
}

/// The expression for rows of one table, whose `tableoid` is known.
pub fn with_table_oid(expr: &Expr, table: Oid) -> Expr {
    let mut expr = expr.clone();
    nodes::walk::rewrite(&mut expr, &mut |e| {
        let Expr::Var(v) = e else { return };
        if v.attno == TABLEOID {
            *e = Expr::Const(Const {
                value: Datum::Oid(table.0),
                type_ref: v.type_ref,
                collation: v.collation,
                span: v.span,
            });
        }
    });
    expr
}
