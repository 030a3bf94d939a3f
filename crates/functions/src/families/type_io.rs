//! The input, output and send functions of all types, as functions that can be called: `int4in('7')`, `point_out(p)`.
//!
//! They are not listed one by one: [`kernels`] knows them by their shape in `pg_proc`.

use common::{Oid, PgResult, internal};
use types::{Datum, io, oids};

use crate::facts::ProcRow;
use crate::framework::context::FnContext;
use crate::framework::registry::{Kernels, general_vector};

/// `TYPEin(cstring)`, `TYPEin(cstring, oid, int4)`.
fn input(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let Some(Datum::Text(text)) = args.first() else {
        return Err(internal!("input function called without text"));
    };
    let typmod = args.get(2).and_then(Datum::as_i64).unwrap_or(-1) as i32;
    let type_oid = match (ctx.call.result.oid, args.get(1).and_then(Datum::as_oid)) {
        // Families of types are told which one is meant.
        (oids::ANYENUM | oids::ANYRANGE | oids::ANYMULTIRANGE | oids::RECORD, Some(given)) => given,
        (result, _) => result,
    };
    io::input(type_oid, typmod, text, &ctx.io())
}

/// `TYPEout(value)`.
fn output(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    match args {
        [value] => Ok(Datum::text(io::to_text(ctx.call.arg_type(0), value, &ctx.io())?)),
        _ => Err(internal!("output function called with {} arguments", args.len())),
    }
}

/// `TYPEsend(value)`.
fn send(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let [value] = args else {
        return Err(internal!("send function called with {} arguments", args.len()));
    };
    let mut out = Vec::new();
    io::send(ctx.call.arg_type(0), value, &ctx.io(), &mut out)?;
    Ok(Datum::Bytes(out.into()))
}

macro_rules! strict_general {
    ($module:ident, $f:ident) => {
        mod $module {
            use common::PgResult;
            use types::{Datum, Selection, Vector};

            use crate::framework::context::FnContext;

            pub(super) fn vector(
                ctx: &mut FnContext<'_>,
                args: &[&Vector],
                sel: &Selection,
                out: &mut Vector,
            ) -> PgResult<()> {
                super::general_vector::<true>(super::$f, ctx, args, sel, out)
            }
            pub(super) fn scalar(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
                if args.iter().any(Datum::is_null) {
                    return Ok(Datum::Null);
                }
                super::$f(ctx, args)
            }
        }
    };
}

strict_general!(of_input, input);
strict_general!(of_output, output);
strict_general!(of_send, send);

/// True for types that have values.
fn is_plain(type_oid: Oid) -> bool {
    io::type_io(type_oid).is_some() || types::builtin::type_row(type_oid).is_some_and(|t| t.typtype != b'p')
}

/// The kernels of an input, output or send function of a type with values.
pub(crate) fn kernels(proc: &ProcRow) -> Option<Kernels> {
    let polymorphic = matches!(
        proc.prorettype,
        oids::ANYENUM | oids::ANYRANGE | oids::ANYMULTIRANGE | oids::RECORD
    );
    match (proc.proargtypes, proc.prorettype) {
        ([oids::CSTRING], result) if is_plain(result) && proc.prosrc.ends_with("in") => Some(Kernels {
            vector: of_input::vector,
            scalar: of_input::scalar,
        }),
        ([oids::CSTRING, oids::OID, oids::INT4], result) if polymorphic || is_plain(result) => {
            Some(Kernels {
                vector: of_input::vector,
                scalar: of_input::scalar,
            })
        }
        ([_], oids::CSTRING) if proc.prosrc.ends_with("out") && !proc.prosrc.contains("typmod") => {
            Some(Kernels {
                vector: of_output::vector,
                scalar: of_output::scalar,
            })
        }
        ([_], oids::BYTEA) if proc.prosrc.ends_with("send") => Some(Kernels {
            vector: of_send::vector,
            scalar: of_send::scalar,
        }),
        _ => None,
    }
}
