//! Evaluating stored expressions (defaults, checks, index expressions, predicates) over rows of one relation.

use catalog::CatalogView;
use common::{Oid, PgResult, internal, pg_err, unsupported};
use expr::{
    ColumnPlace, CompileEnv, DomainCheck, DomainInfo, ExprProgram, ExprState, FnParts, RowInputs, Runtime,
    Side,
};
use nodes::Expr;
use nodes::expr::{FuncExpr, Var, VarSource};
use types::{Datum, PhysType};

use crate::context::CommandContext;

/// Columns of a relation by attno, as `Rel { index: 1 }` or `Scan`.
struct RelationEnv<'a> {
    catalog: &'a dyn CatalogView,
}

impl CompileEnv for RelationEnv<'_> {
    fn column(&self, var: &Var) -> PgResult<ColumnPlace> {
        let own = matches!(
            var.source,
            VarSource::Scan
                | VarSource::Rel {
                    index: 1,
                    levels_up: 0
                }
        );
        let index = usize::try_from(var.attno).ok().and_then(|a| a.checked_sub(1));
        match index.filter(|_| own) {
            Some(index) => Ok(ColumnPlace {
                side: Side::Scan,
                index,
            }),
            None => Err(unsupported!(
                "references to whole rows and system columns are not supported here yet"
            )),
        }
    }

    fn phys(&self, type_oid: Oid) -> PgResult<PhysType> {
        phys_of(self.catalog, type_oid)
    }

    fn domain(&self, type_oid: Oid) -> PgResult<DomainInfo> {
        domain_of(self.catalog, type_oid)
    }

    fn element_type(&self, type_oid: Oid) -> PgResult<Option<Oid>> {
        if let Some(row) = types::builtin::type_row(type_oid) {
            return Ok(row.is_array().then_some(row.typelem));
        }
        let desc = self.catalog.type_desc(type_oid)?;
        Ok(desc.filter(|d| d.is_array).map(|d| d.element))
    }

    fn composite(&self, type_oid: Oid) -> PgResult<Option<Vec<Option<Oid>>>> {
        self.catalog.composite_attributes(type_oid)
    }

    fn kernel_function(&self, func: Oid) -> PgResult<Oid> {
        const INTERNAL_LANGUAGE: Oid = Oid(12);
        let desc = self
            .catalog
            .function(func)?
            .filter(|f| f.language == INTERNAL_LANGUAGE);
        let code = desc.and_then(|f| functions::framework::registry::internal_function(&f.source));
        Ok(code.unwrap_or(func))
    }

    fn session_function(&self, func: Oid) -> PgResult<Option<bool>> {
        let desc = self.catalog.function(func)?.filter(|f| f.runs_in_session());
        Ok(desc.map(|f| f.strict))
    }

    fn missing_function(&self, proc: Oid) -> Box<common::PgError> {
        match self.catalog.function(proc) {
            Ok(Some(f)) => unsupported!("function {} is not implemented yet", f.name),
            _ => functions::framework::registry::not_implemented(proc),
        }
    }
}

/// Storage class of any type.
pub(crate) fn phys_of(catalog: &dyn CatalogView, type_oid: Oid) -> PgResult<PhysType> {
    if type_oid >= Oid::FIRST_NORMAL
        && let Some(desc) = catalog.type_desc(type_oid)?
    {
        return Ok(desc.phys);
    }
    Ok(PhysType::of_builtin(type_oid))
}

fn domain_of(catalog: &dyn CatalogView, type_oid: Oid) -> PgResult<DomainInfo> {
    let Some(desc) = catalog.type_desc(type_oid)? else {
        return Err(internal!("cache lookup failed for type {type_oid}"));
    };
    let mut info = DomainInfo {
        name: desc.name.clone(),
        not_null: desc.not_null,
        checks: Vec::new(),
    };
    if let Some(base) = catalog.type_desc(desc.base_type)?
        && base.kind == b'd'
    {
        let below = domain_of(catalog, base.oid)?;
        info.not_null |= below.not_null;
        info.checks = below.checks;
    }
    for constraint in catalog.domain_constraints(type_oid)? {
        if let Some(expr) = constraint.check {
            let name = constraint.name;
            info.checks.push(DomainCheck { name, expr });
        }
    }
    Ok(info)
}

/// A compiled expression over the columns of one relation.
pub(crate) struct RowExpr {
    program: ExprProgram,
    state: ExprState,
}

impl RowExpr {
    /// Compiles an expression.
    pub fn compile(expr: &Expr, catalog: &dyn CatalogView) -> PgResult<RowExpr> {
        let program = ExprProgram::compile(expr, &RelationEnv { catalog })?;
        let state = program.new_state();
        Ok(RowExpr { program, state })
    }

    /// Its value for a row: one datum per column in attno order.
    pub fn eval(&mut self, cx: &CommandContext<'_>, row: &[Datum]) -> PgResult<Datum> {
        let inputs = RowInputs {
            scan: row,
            ..RowInputs::default()
        };
        self.program
            .eval_row(&mut CommandRuntime(cx), &mut self.state, inputs)
    }

    /// A condition's value: NULL is neither.
    pub fn test(&mut self, cx: &CommandContext<'_>, row: &[Datum]) -> PgResult<Option<bool>> {
        Ok(self.eval(cx, row)?.as_bool())
    }
}

/// Evaluates an expression without columns.
pub(crate) fn constant(expr: &Expr, catalog: &dyn CatalogView, cx: &CommandContext<'_>) -> PgResult<Datum> {
    if let Expr::Const(c) = expr {
        return Ok(c.value.clone());
    }
    RowExpr::compile(expr, catalog)?.eval(cx, &[])
}

/// The surroundings of an evaluation outside of plans.
struct CommandRuntime<'a, 'c>(&'a CommandContext<'c>);

impl Runtime for CommandRuntime<'_, '_> {
    fn parts(&self) -> FnParts<'_> {
        FnParts {
            settings: &self.0.settings,
            cancel: self.0.cancel,
            session: self.0.session,
        }
    }

    fn param(&self, number: usize) -> PgResult<Datum> {
        let value = number.checked_sub(1).and_then(|i| self.0.params.get(i));
        value
            .cloned()
            .ok_or_else(|| pg_err!(UNDEFINED_PARAMETER, "there is no parameter ${number}"))
    }
}

/// True when an expression calls a volatile function or advances a sequence.
pub(crate) fn is_volatile(expr: &Expr, catalog: &dyn CatalogView) -> PgResult<bool> {
    worst_volatility(expr, catalog).map(|v| v == b'v')
}

/// True when an expression's value depends on its inputs alone.
pub(crate) fn is_immutable(expr: &Expr, catalog: &dyn CatalogView) -> PgResult<bool> {
    worst_volatility(expr, catalog).map(|v| v == b'i')
}

fn worst_volatility(expr: &Expr, catalog: &dyn CatalogView) -> PgResult<u8> {
    let mut worst = b'i';
    let mut funcs: Vec<Oid> = Vec::new();
    let mut others: Vec<PgResult<u8>> = Vec::new();
    nodes::walk::walk(expr, &mut |e| {
        match e {
            Expr::Func(f) if TEXT_CONCATENATIONS.contains(&f.func) => {
                others.push(concatenation_volatility(f, catalog));
            }
            Expr::Func(f) | Expr::NullIf(f) => funcs.push(f.func),
            Expr::Distinct(d) => funcs.push(d.equality.func),
            Expr::ScalarArrayOp(s) => funcs.push(s.func),
            Expr::SqlValueFunction(_) => worst = worst.max(b's'),
            Expr::Json(j) if j.is_mutable() => worst = worst.max(b's'),
            Expr::NextValue { .. } => worst = b'v',
            Expr::CoerceViaIo(c) => {
                others.push(io_volatility(c.result.oid, Conversion::Input, catalog));
                others.push(io_volatility(c.arg.type_oid(), Conversion::Output, catalog));
            }
            _ => {}
        }
        true
    });
    for func in funcs {
        if let Some(desc) = catalog.function(func)? {
            worst = worst.max(desc.volatility);
        }
    }
    for volatility in others {
        worst = worst.max(volatility?);
    }
    Ok(worst)
}

/// `textanycat` and `anytextcat`: functions in SQL, no more volatile than the cast to text inside them.
const TEXT_CONCATENATIONS: [Oid; 2] = [Oid(2003), Oid(2004)];

/// A function of text conversion.
#[derive(Clone, Copy)]
enum Conversion {
    Input,
    Output,
}

/// `provolatile` of a type's input or output function.
fn io_volatility(type_oid: Oid, which: Conversion, catalog: &dyn CatalogView) -> PgResult<u8> {
    if let Some(row) = types::builtin::type_row(type_oid) {
        let name = match which {
            Conversion::Input => row.typinput,
            Conversion::Output => row.typoutput,
        };
        let found = functions::facts::procs_by_name(name).next();
        return Ok(found.map_or(b's', |p| p.provolatile));
    }
    match catalog.type_desc(type_oid)? {
        Some(desc) if desc.kind == b'd' => io_volatility(desc.base_type, which, catalog),
        Some(desc) if desc.like.is_valid() => io_volatility(desc.like, which, catalog),
        // Those of enums, composites, ranges and arrays look into the catalog.
        _ => Ok(b's'),
    }
}

fn concatenation_volatility(call: &FuncExpr, catalog: &dyn CatalogView) -> PgResult<u8> {
    let other = call
        .args
        .iter()
        .map(Expr::type_oid)
        .find(|t| *t != types::oids::TEXT);
    other.map_or(Ok(b'i'), |t| io_volatility(t, Conversion::Output, catalog))
}
