//! Functions that tell about the session, its settings and sequences.

use common::error::SqlState;
use common::sqlstate;
use common::{PgError, PgResult, pg_err};
use types::encoding::Encoding;
use types::{ArrayValue, Datum, RecordValue, io, oids};

use crate::framework::context::FnContext;
use crate::framework::macros::builtins;
use crate::framework::session::{AdvisoryKey, AdvisoryMode, SizeKind};

/// What `version()` says. Clients parse the number after the first word.
pub const VERSION: &str = "PostgreSQL 18.4 (pglite)";

fn pg_typeof(ctx: &mut FnContext<'_>, _args: &[Datum]) -> PgResult<Datum> {
    Ok(Datum::Oid(ctx.call.arg_type(0).0))
}

fn version() -> &'static str {
    VERSION
}

fn current_database(ctx: &mut FnContext<'_>) -> PgResult<String> {
    ctx.session.current_database()
}

fn current_user(ctx: &mut FnContext<'_>) -> PgResult<String> {
    ctx.session.current_user()
}

fn session_user(ctx: &mut FnContext<'_>) -> PgResult<String> {
    ctx.session.session_user()
}

fn current_schema(ctx: &mut FnContext<'_>) -> PgResult<Option<String>> {
    ctx.session.current_schema()
}

fn current_schemas(ctx: &mut FnContext<'_>, include_implicit: bool) -> PgResult<ArrayValue> {
    let names = ctx.session.current_schemas(include_implicit)?;
    Ok(ArrayValue::from_elements(
        oids::NAME,
        names.into_iter().map(Datum::text).collect(),
    ))
}

fn current_query(ctx: &mut FnContext<'_>) -> PgResult<Option<String>> {
    ctx.session.current_query()
}

fn backend_pid(ctx: &mut FnContext<'_>) -> PgResult<i32> {
    ctx.session.backend_pid()
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

/// A NULL value resets the setting.
fn set_config(
    ctx: &mut FnContext<'_>,
    name: Option<&str>,
    value: Option<&str>,
    is_local: Option<bool>,
) -> PgResult<String> {
    match name {
        Some(name) => ctx.session.set_config(name, value, is_local.unwrap_or(false)),
        None => Err(pg_err!(NULL_VALUE_NOT_ALLOWED, "SET requires parameter name")),
    }
}

fn utf8() -> &'static str {
    "UTF8"
}

fn client_encoding(ctx: &mut FnContext<'_>) -> PgResult<Option<String>> {
    ctx.session.current_setting("client_encoding", false)
}

pub(super) fn encoding_name(code: i32) -> &'static str {
    Encoding::by_number(code).map_or("", Encoding::name)
}

pub(super) fn encoding_code(name: &str) -> i32 {
    Encoding::by_name(name).map_or(-1, |e| e.number().into())
}

fn encoding_max_length(code: i32) -> Option<i32> {
    Encoding::by_number(code).map(Encoding::char_bytes_max)
}

fn nextval(ctx: &mut FnContext<'_>, sequence: u32) -> PgResult<i64> {
    ctx.session.nextval(common::Oid(sequence))
}
fn currval(ctx: &mut FnContext<'_>, sequence: u32) -> PgResult<i64> {
    ctx.session.currval(common::Oid(sequence))
}
fn setval(ctx: &mut FnContext<'_>, sequence: u32, value: i64) -> PgResult<i64> {
    ctx.session.setval(common::Oid(sequence), value, true)
}
fn setval_is_called(ctx: &mut FnContext<'_>, sequence: u32, value: i64, is_called: bool) -> PgResult<i64> {
    ctx.session.setval(common::Oid(sequence), value, is_called)
}
fn lastval(ctx: &mut FnContext<'_>) -> PgResult<i64> {
    ctx.session.lastval()
}

fn transaction_id(ctx: &mut FnContext<'_>) -> PgResult<Option<i64>> {
    Ok(ctx.session.transaction_id(true)?.map(|x| x as i64))
}
fn transaction_id_if_assigned(ctx: &mut FnContext<'_>) -> PgResult<Option<i64>> {
    Ok(ctx.session.transaction_id(false)?.map(|x| x as i64))
}
fn is_in_recovery(ctx: &mut FnContext<'_>) -> PgResult<bool> {
    ctx.session.is_in_recovery()
}
fn cancel_backend(ctx: &mut FnContext<'_>, pid: i32) -> PgResult<bool> {
    ctx.session.cancel_backend(pid)
}
fn terminate_backend(ctx: &mut FnContext<'_>, pid: i32, timeout: i64) -> PgResult<bool> {
    ctx.session.terminate_backend(pid, timeout)
}
fn notify(ctx: &mut FnContext<'_>, channel: Option<&str>, payload: Option<&str>) -> PgResult<()> {
    ctx.session.notify(channel.unwrap_or(""), payload.unwrap_or(""))
}

fn lock(ctx: &mut FnContext<'_>, key: AdvisoryKey, mode: AdvisoryMode) -> PgResult<bool> {
    ctx.session.advisory_lock(key, mode)
}

/// The sixteen ways to take an advisory lock.
macro_rules! advisory {
    ($($one:ident $two:ident $ret:ty, $shared:literal $transaction:literal $wait:literal;)*) => {$(
        fn $one(ctx: &mut FnContext<'_>, key: i64) -> PgResult<$ret> {
            let mode = AdvisoryMode { shared: $shared, transaction: $transaction, wait: $wait };
            Ok(From::from(Held(lock(ctx, AdvisoryKey::One(key), mode)?)))
        }
        fn $two(ctx: &mut FnContext<'_>, a: i32, b: i32) -> PgResult<$ret> {
            let mode = AdvisoryMode { shared: $shared, transaction: $transaction, wait: $wait };
            Ok(From::from(Held(lock(ctx, AdvisoryKey::Two(a, b), mode)?)))
        }
    )*};
}

/// Whether a lock was obtained; the waiting forms return nothing.
struct Held(bool);

impl From<Held> for bool {
    fn from(held: Held) -> bool {
        held.0
    }
}

impl From<Held> for () {
    fn from(_: Held) {}
}

advisory! {
    pg_advisory_lock_int8 pg_advisory_lock_int4 (), false false true;
    pg_advisory_lock_shared_int8 pg_advisory_lock_shared_int4 (), true false true;
    pg_advisory_xact_lock_int8 pg_advisory_xact_lock_int4 (), false true true;
    pg_advisory_xact_lock_shared_int8 pg_advisory_xact_lock_shared_int4 (), true true true;
    pg_try_advisory_lock_int8 pg_try_advisory_lock_int4 bool, false false false;
    pg_try_advisory_lock_shared_int8 pg_try_advisory_lock_shared_int4 bool, true false false;
    pg_try_advisory_xact_lock_int8 pg_try_advisory_xact_lock_int4 bool, false true false;
    pg_try_advisory_xact_lock_shared_int8 pg_try_advisory_xact_lock_shared_int4 bool, true true false;
}

fn pg_advisory_unlock_int8(ctx: &mut FnContext<'_>, key: i64) -> PgResult<bool> {
    ctx.session.advisory_unlock(AdvisoryKey::One(key), false)
}
fn pg_advisory_unlock_int4(ctx: &mut FnContext<'_>, a: i32, b: i32) -> PgResult<bool> {
    ctx.session.advisory_unlock(AdvisoryKey::Two(a, b), false)
}
fn pg_advisory_unlock_shared_int8(ctx: &mut FnContext<'_>, key: i64) -> PgResult<bool> {
    ctx.session.advisory_unlock(AdvisoryKey::One(key), true)
}
fn pg_advisory_unlock_shared_int4(ctx: &mut FnContext<'_>, a: i32, b: i32) -> PgResult<bool> {
    ctx.session.advisory_unlock(AdvisoryKey::Two(a, b), true)
}
fn pg_advisory_unlock_all(ctx: &mut FnContext<'_>) -> PgResult<()> {
    ctx.session.advisory_unlock_all()
}

fn relation_size(ctx: &mut FnContext<'_>, oid: u32, fork: &str) -> PgResult<Option<i64>> {
    ctx.session.size(SizeKind::Relation {
        oid: common::Oid(oid),
        fork,
    })
}
fn relation_size_main(ctx: &mut FnContext<'_>, oid: u32) -> PgResult<Option<i64>> {
    relation_size(ctx, oid, "main")
}
fn table_size(ctx: &mut FnContext<'_>, oid: u32) -> PgResult<Option<i64>> {
    ctx.session.size(SizeKind::Table(common::Oid(oid)))
}
fn indexes_size(ctx: &mut FnContext<'_>, oid: u32) -> PgResult<Option<i64>> {
    ctx.session.size(SizeKind::Indexes(common::Oid(oid)))
}
fn total_relation_size(ctx: &mut FnContext<'_>, oid: u32) -> PgResult<Option<i64>> {
    ctx.session.size(SizeKind::TotalRelation(common::Oid(oid)))
}
fn database_size(ctx: &mut FnContext<'_>, oid: u32) -> PgResult<Option<i64>> {
    ctx.session
        .size(SizeKind::Database(crate::framework::session::ObjectRef::Oid(
            common::Oid(oid),
        )))
}
fn database_size_name(ctx: &mut FnContext<'_>, name: &str) -> PgResult<Option<i64>> {
    ctx.session
        .size(SizeKind::Database(crate::framework::session::ObjectRef::Name(
            name,
        )))
}

const UNITS: [(&str, u32, i64); 6] = [
    ("bytes", 0, 10 * 1024),
    ("kB", 10, 20 * 1024 - 1),
    ("MB", 20, 20 * 1024 - 1),
    ("GB", 30, 20 * 1024 - 1),
    ("TB", 40, 20 * 1024 - 1),
    ("PB", 50, 20 * 1024 - 1),
];

/// Below ten thousand of a unit the next larger one is not used; halves round away from zero.
fn size_pretty(size: i64) -> String {
    pretty(i128::from(size))
}

fn pretty(size: i128) -> String {
    let magnitude = size.abs();
    let sign = if size < 0 { "-" } else { "" };
    if magnitude < i128::from(UNITS[0].2) {
        return format!("{size} bytes");
    }
    for (k, (unit, shift, limit)) in UNITS.iter().enumerate().skip(1) {
        // In half units, so that the last bit rounds.
        let halves = magnitude >> (shift - 1);
        if halves < i128::from(*limit) || k + 1 == UNITS.len() {
            return format!("{sign}{} {unit}", (halves + 1) / 2);
        }
    }
    format!("{size} bytes")
}

/// What is wrong with the text of a type; errors that an input function cannot help raising go through.
fn input_error(ctx: &FnContext<'_>, text: &str, type_name: &str) -> PgResult<Option<Box<PgError>>> {
    let io = ctx.io();
    let found = io.names().resolve_type(type_name)?;
    match io::input(found.oid, found.typmod, text, &io) {
        Ok(_) => Ok(None),
        Err(e) if is_soft(e.sqlstate) => Ok(Some(e)),
        Err(e) => Err(e),
    }
}

/// Classes of errors that are about the value: data exceptions (but not of arithmetic) and violated constraints.
fn is_soft(code: SqlState) -> bool {
    match &code.class() {
        b"22" => code != sqlstate::DIVISION_BY_ZERO,
        b"23" | b"42" | b"54" => true,
        _ => false,
    }
}

fn input_is_valid(ctx: &mut FnContext<'_>, text: &str, type_name: &str) -> PgResult<bool> {
    Ok(input_error(ctx, text, type_name)?.is_none())
}

fn input_error_info(ctx: &mut FnContext<'_>, text: &str, type_name: &str) -> PgResult<RecordValue> {
    let field = |t: Option<&str>| t.map_or(Datum::Null, Datum::text);
    let fields = match input_error(ctx, text, type_name)? {
        None => vec![Datum::Null; 4],
        Some(e) => vec![
            Datum::text(e.message.as_str()),
            field(e.detail.as_deref()),
            field(e.hint.as_deref()),
            Datum::text(e.sqlstate.as_str()),
        ],
    };
    Ok(RecordValue {
        type_oid: oids::RECORD,
        field_types: vec![oids::TEXT; 4],
        fields,
        names: None,
    })
}

#[rustfmt::skip]
builtins! {
    pg_typeof[general](any) -> regtype; pgsql_version = version() -> text;
    current_database(ctx) -> name; current_user(ctx) -> name; session_user(ctx) -> name;
    current_schema(ctx) -> name; current_schemas(ctx, include_implicit: bool) -> name_array;
    current_query(ctx) -> text; pg_backend_pid = backend_pid(ctx) -> int4;
    show_config_by_name = current_setting(ctx, name: text) -> text;
    show_config_by_name_missing_ok = current_setting_missing_ok(ctx, name: text, missing_ok: bool) -> text;
    set_config_by_name = set_config(ctx, name: text, value: text, is_local: bool) -> text;
    getdatabaseencoding = utf8() -> name; pg_client_encoding = client_encoding(ctx) -> name;
    PG_encoding_to_char = encoding_name(code: int4) -> name; PG_char_to_encoding = encoding_code(name: name) -> int4;
    pg_encoding_max_length_sql = encoding_max_length(code: int4) -> int4;
    nextval_oid = nextval(ctx, sequence: regclass) -> int8; currval_oid = currval(ctx, sequence: regclass) -> int8;
    setval_oid = setval(ctx, sequence: regclass, value: int8) -> int8; lastval(ctx) -> int8;
    setval3_oid = setval_is_called(ctx, sequence: regclass, value: int8, is_called: bool) -> int8;
    pg_current_xact_id = transaction_id(ctx) -> int8; pg_current_xact_id_if_assigned = transaction_id_if_assigned(ctx) -> int8;
    pg_is_in_recovery = is_in_recovery(ctx) -> bool; pg_cancel_backend = cancel_backend(ctx, pid: int4) -> bool;
    pg_terminate_backend = terminate_backend(ctx, pid: int4, timeout: int8) -> bool;
    pg_notify = notify(ctx, channel: text, payload: text) -> void;
    pg_advisory_lock_int8(ctx, key: int8) -> void; pg_advisory_lock_int4(ctx, a: int4, b: int4) -> void;
    pg_advisory_lock_shared_int8(ctx, key: int8) -> void; pg_advisory_lock_shared_int4(ctx, a: int4, b: int4) -> void;
    pg_advisory_xact_lock_int8(ctx, key: int8) -> void; pg_advisory_xact_lock_int4(ctx, a: int4, b: int4) -> void;
    pg_advisory_xact_lock_shared_int8(ctx, key: int8) -> void; pg_advisory_xact_lock_shared_int4(ctx, a: int4, b: int4) -> void;
    pg_try_advisory_lock_int8(ctx, key: int8) -> bool; pg_try_advisory_lock_int4(ctx, a: int4, b: int4) -> bool;
    pg_try_advisory_lock_shared_int8(ctx, key: int8) -> bool; pg_try_advisory_lock_shared_int4(ctx, a: int4, b: int4) -> bool;
    pg_try_advisory_xact_lock_int8(ctx, key: int8) -> bool; pg_try_advisory_xact_lock_int4(ctx, a: int4, b: int4) -> bool;
    pg_try_advisory_xact_lock_shared_int8(ctx, key: int8) -> bool; pg_try_advisory_xact_lock_shared_int4(ctx, a: int4, b: int4) -> bool;
    pg_advisory_unlock_int8(ctx, key: int8) -> bool; pg_advisory_unlock_int4(ctx, a: int4, b: int4) -> bool;
    pg_advisory_unlock_shared_int8(ctx, key: int8) -> bool; pg_advisory_unlock_shared_int4(ctx, a: int4, b: int4) -> bool;
    pg_advisory_unlock_all(ctx) -> void;
    pg_relation_size = relation_size(ctx, oid: regclass, fork: text) -> int8; pg_relation_size = relation_size_main(ctx, oid: regclass) -> int8;
    pg_table_size = table_size(ctx, oid: regclass) -> int8; pg_indexes_size = indexes_size(ctx, oid: regclass) -> int8;
    pg_total_relation_size = total_relation_size(ctx, oid: regclass) -> int8;
    pg_database_size_oid = database_size(ctx, oid: oid) -> int8; pg_database_size_name = database_size_name(ctx, name: name) -> int8;
    pg_size_pretty = size_pretty(size: int8) -> text; pg_input_is_valid = input_is_valid(ctx, text: text, type_name: text) -> bool;
    pg_input_error_info = input_error_info(ctx, text: text, type_name: text) -> record;
}
