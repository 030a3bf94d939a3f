//! Functions that tell about the session and its catalog.

use common::PgResult;
use types::Datum;

use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

fn pg_typeof(ctx: &mut FnContext<'_>, _args: &[Datum]) -> PgResult<Datum> {
    Ok(Datum::Oid(ctx.call.arg_type(0).0))
}

fn current_database(ctx: &mut FnContext<'_>) -> PgResult<String> {
    ctx.session.current_database()
}

fn current_setting(ctx: &mut FnContext<'_>, name: &str) -> PgResult<Option<String>> {
    ctx.session.current_setting(name, false)
}

fn current_setting_missing_ok(
    ctx: &mut FnContext<'_>,
    name: &str,
    missing_ok: bool,
) -> PgResult<Option<String>> {
    ctx.session.current_setting(name, missing_ok)
}

/// NULL name resets nothing in PostgreSQL, it is an error there; a NULL value resets the setting.
fn set_config(
    ctx: &mut FnContext<'_>,
    name: Option<&str>,
    value: Option<&str>,
    is_local: Option<bool>,
) -> PgResult<String> {
    match name {
        Some(name) => ctx.session.set_config(name, value, is_local.unwrap_or(false)),
        None => Err(common::pg_err!(
            NULL_VALUE_NOT_ALLOWED,
            "SET requires parameter name"
        )),
    }
}

builtins! {
    pg_typeof[general](any) -> regtype;
    current_database(ctx) -> name;
    show_config_by_name = current_setting(ctx, name: text) -> text;
    show_config_by_name_missing_ok = current_setting_missing_ok(ctx, name: text, missing_ok: bool) -> text;
    set_config_by_name = set_config(ctx, name: text, value: text, is_local: bool) -> text;
}
