//! From a function's OID to its kernels.

use std::collections::HashMap;
use std::sync::LazyLock;

use common::{Oid, PgError, PgResult, internal, unsupported};
use types::{Datum, Selection, Vector};

use crate::facts::{self, ProcRow};
use crate::families;
use crate::framework::aggregate::MakeAccumulator;
use crate::framework::context::FnContext;
use crate::framework::phys::{Column, Output, Phys, Put};
use crate::framework::set::SetKernel;
use crate::framework::sql::SqlType;

/// Computes the selected positions of `out`, which has the batch's physical length and the result's class; other positions
/// may become anything. NULLs in, NULLs out are dealt with inside.
pub type VectorKernel = fn(&mut FnContext<'_>, &[&Vector], &Selection, &mut Vector) -> PgResult<()>;

/// The same for one row.
pub type ScalarKernel = fn(&mut FnContext<'_>, &[Datum]) -> PgResult<Datum>;

/// Both forms of one function.
#[derive(Clone, Copy, Debug)]
pub struct Kernels {
    /// Per batch.
    pub vector: VectorKernel,
    /// Per row.
    pub scalar: ScalarKernel,
}

/// One line of a `builtins!` list.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// `pg_proc.prosrc` (`proname` for SQL-language functions).
    pub name: &'static str,
    /// Argument types of the overload it was written for.
    pub args: &'static [Oid],
    /// Its result type.
    pub result: Oid,
    /// The code.
    pub kernels: Kernels,
}

/// OID of the language `sql` in `pg_language`.
const LANGUAGE_SQL: Oid = Oid(14);

static KERNELS: LazyLock<HashMap<Oid, Kernels>> = LazyLock::new(|| {
    let mut by_name: HashMap<&str, Vec<&'static Builtin>> = HashMap::new();
    for builtin in families::builtins() {
        by_name.entry(builtin.name).or_default().push(builtin);
    }
    let mut kernels = HashMap::new();
    for proc in facts::procs() {
        if let Some(builtin) = by_name.get(source_name(proc)).and_then(|all| choose(proc, all)) {
            kernels.insert(proc.oid, builtin.kernels);
        } else if let Some(io) = families::type_io::kernels(proc) {
            kernels.insert(proc.oid, io);
        } else if families::system::is_scalar(proc, source_name(proc)) {
            kernels.insert(proc.oid, families::system::KERNELS);
        }
    }
    kernels
});

/// The name under which `builtins!` lists a function.
pub fn source_name(proc: &ProcRow) -> &'static str {
    if proc.prolang == LANGUAGE_SQL {
        proc.proname
    } else {
        proc.prosrc
    }
}

/// An exact overload wins; functions in C serve every overload that names them.
fn choose(proc: &ProcRow, all: &[&'static Builtin]) -> Option<&'static Builtin> {
    let exact = all.iter().find(|b| b.args == proc.proargtypes);
    if proc.prolang == LANGUAGE_SQL {
        return exact.copied();
    }
    exact.or_else(|| all.first()).copied()
}

/// The kernels of a function, `None` when pglite does not have it yet (or it is an aggregate, set-returning, ...).
pub fn kernels(proc: Oid) -> Option<Kernels> {
    KERNELS.get(&proc).copied()
}

/// The built-in function behind the name in `AS 'name' LANGUAGE internal`.
pub fn internal_function(source: &str) -> Option<Oid> {
    static BY_SOURCE: LazyLock<HashMap<&'static str, Oid>> = LazyLock::new(|| {
        let procs = facts::procs().iter().filter(|p| p.prolang != LANGUAGE_SQL);
        procs.map(|p| (p.prosrc, p.oid)).collect()
    });
    BY_SOURCE.get(source).copied()
}

/// Kernels of a routine made by a user: the session runs it.
pub fn routine_kernels(strict: bool) -> Kernels {
    fn scalar<const STRICT: bool>(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
        if STRICT && args.iter().any(Datum::is_null) {
            return Ok(Datum::Null);
        }
        ctx.session.call_function(ctx.call, args)
    }
    fn vector<const STRICT: bool>(
        ctx: &mut FnContext<'_>,
        args: &[&Vector],
        sel: &Selection,
        out: &mut Vector,
    ) -> PgResult<()> {
        general_vector::<STRICT>(scalar::<STRICT>, ctx, args, sel, out)
    }
    if strict {
        Kernels {
            vector: vector::<true>,
            scalar: scalar::<true>,
        }
    } else {
        Kernels {
            vector: vector::<false>,
            scalar: scalar::<false>,
        }
    }
}

/// The same with PostgreSQL's way of saying "not here" (0A000).
pub fn require_kernels(proc: Oid) -> PgResult<Kernels> {
    kernels(proc).ok_or_else(|| not_implemented(proc))
}

/// The error for a function without code.
pub fn not_implemented(proc: Oid) -> Box<PgError> {
    match facts::proc(proc) {
        Some(p) => unsupported!("function {} is not implemented yet", p.proname),
        None => internal!("cache lookup failed for function {proc}"),
    }
}

/// The accumulator of a built-in aggregate.
pub fn aggregate(proc: Oid) -> Option<MakeAccumulator> {
    static MAKERS: LazyLock<HashMap<Oid, MakeAccumulator>> = LazyLock::new(|| {
        let entries = families::aggregates();
        let find = |e: &&'static crate::framework::aggregate::AggregateEntry| {
            facts::procs_by_name(e.name).find(|p| p.prokind == b'a' && p.proargtypes == e.args)
        };
        entries.filter_map(|e| Some((find(&e)?.oid, e.make))).collect()
    });
    MAKERS.get(&proc).copied()
}

/// The code of a built-in set-returning function.
pub fn set_function(proc: Oid) -> Option<SetKernel> {
    let row = facts::proc(proc)?;
    let name = source_name(row);
    families::sets()
        .find(|e| e.name == name && e.args == row.proargtypes)
        .or_else(|| families::sets().find(|e| e.name == name && row.prolang != LANGUAGE_SQL))
        .map(|e| e.make)
        .or_else(|| families::system::is_set(row, name).then_some(families::system::rows as SetKernel))
}

/// Opens argument columns for the macro.
#[inline]
pub fn open_column<'a, T: SqlType>(vector: Option<&&'a Vector>) -> PgResult<Column<'a, T::Phys>> {
    match vector {
        Some(vector) => Column::open(vector),
        None => Err(internal!("function called with too few arguments")),
    }
}

/// Opens argument datums for the macro.
#[inline]
pub fn open_datum<'a, T: SqlType>(
    datum: Option<&'a Datum>,
) -> PgResult<Option<<T::Phys as Phys>::Value<'a>>> {
    match datum {
        Some(Datum::Null) => Ok(None),
        Some(datum) => match T::Phys::of_datum(datum) {
            Some(value) => Ok(Some(value)),
            None => Err(internal!("function argument arrived as {datum:?}")),
        },
        None => Err(internal!("function called with too few arguments")),
    }
}

/// Wraps results for the macro.
#[inline]
pub fn close_datum<T: SqlType, O: Output<T::Phys>>(output: O) -> PgResult<Datum> {
    output.into_output()?.map_or(Ok(Datum::Null), Put::into_datum)
}

/// The vector kernel of general functions.
pub fn general_vector<const STRICT: bool>(
    f: ScalarKernel,
    ctx: &mut FnContext<'_>,
    args: &[&Vector],
    sel: &Selection,
    out: &mut Vector,
) -> PgResult<()> {
    let mut row = Vec::with_capacity(args.len());
    sel.try_for_each(|i| {
        if STRICT && args.iter().any(|a| a.is_null(i)) {
            out.set_null(i);
            return Ok(());
        }
        row.clear();
        for arg in args {
            ctx.cancel.check()?;
            row.push(arg.long_datum(i, ctx.cancel)?);
        }
        let value = f(ctx, &row)?;
        out.set(i, &value);
        Ok(())
    })
}
