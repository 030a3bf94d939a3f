//! Functions that tell about objects: definitions, comments, visibility, privileges. The catalog answers through the session.

use common::{Oid, PgResult};
use types::Datum;
use types::io::RegKind;

use crate::framework::context::FnContext;
use crate::framework::macros::builtins;
use crate::framework::session::{ColumnRef, DefKind, ObjectClass, ObjectRef, PrivilegeQuestion, VisibleKind};

fn format_type(
    ctx: &mut FnContext<'_>,
    type_oid: Option<u32>,
    typmod: Option<i32>,
) -> PgResult<Option<String>> {
    match type_oid {
        Some(oid) => ctx.session.format_type(Oid(oid), typmod).map(Some),
        None => Ok(None),
    }
}

fn user_by_id(ctx: &mut FnContext<'_>, role: u32) -> PgResult<String> {
    let name = ctx.session.role_name(Oid(role))?;
    Ok(name.unwrap_or_else(|| format!("unknown (OID={role})")))
}

/// `pg_*_is_visible`.
macro_rules! visible {
    ($($name:ident $kind:ident;)*) => {$(
        fn $name(ctx: &mut FnContext<'_>, oid: u32) -> PgResult<Option<bool>> {
            ctx.session.is_visible(VisibleKind::$kind, Oid(oid))
        }
    )*};
}

visible! {
    pg_table_is_visible Table;
    pg_type_is_visible Type;
    pg_function_is_visible Function;
    pg_operator_is_visible Operator;
    pg_opclass_is_visible Opclass;
    pg_opfamily_is_visible Opfamily;
    pg_collation_is_visible Collation;
    pg_conversion_is_visible Conversion;
    pg_statistics_obj_is_visible Statistics;
    pg_ts_parser_is_visible TsParser;
    pg_ts_dict_is_visible TsDict;
    pg_ts_template_is_visible TsTemplate;
    pg_ts_config_is_visible TsConfig;
}

/// `pg_get_*def(oid)` and `pg_get_*def(oid, pretty)`.
macro_rules! definitions {
    ($($kind:ident: $plain:ident $($pretty:ident)?;)*) => {$(
        fn $plain(ctx: &mut FnContext<'_>, oid: u32) -> PgResult<Option<String>> {
            ctx.session.get_def(DefKind::$kind, Oid(oid), 0, false)
        }
        $(fn $pretty(ctx: &mut FnContext<'_>, oid: u32, pretty: bool) -> PgResult<Option<String>> {
            ctx.session.get_def(DefKind::$kind, Oid(oid), 0, pretty)
        })?
    )*};
}

definitions! {
    View: pg_get_viewdef pg_get_viewdef_ext;
    Constraint: pg_get_constraintdef pg_get_constraintdef_ext;
    Rule: pg_get_ruledef pg_get_ruledef_ext;
    Trigger: pg_get_triggerdef pg_get_triggerdef_ext;
    Index: pg_get_indexdef;
    Function: pg_get_functiondef;
    FunctionArguments: pg_get_function_arguments;
    FunctionIdentityArguments: pg_get_function_identity_arguments;
    FunctionResult: pg_get_function_result;
    Statistics: pg_get_statisticsobjdef;
    PartitionKey: pg_get_partkeydef;
    PartitionConstraint: pg_get_partition_constraintdef;
}

fn pg_get_indexdef_ext(
    ctx: &mut FnContext<'_>,
    oid: u32,
    column: i32,
    pretty: bool,
) -> PgResult<Option<String>> {
    ctx.session.get_def(DefKind::Index, Oid(oid), column, pretty)
}

fn pg_get_viewdef_name(ctx: &mut FnContext<'_>, name: &str) -> PgResult<Option<String>> {
    let oid = text_regclass(ctx, name)?;
    ctx.session.get_def(DefKind::View, Oid(oid), 0, false)
}

fn pg_get_expr(ctx: &mut FnContext<'_>, tree: &str, relation: u32) -> PgResult<Option<String>> {
    ctx.session.get_expr(tree, Oid(relation), false)
}

fn pg_get_expr_ext(
    ctx: &mut FnContext<'_>,
    tree: &str,
    relation: u32,
    pretty: bool,
) -> PgResult<Option<String>> {
    ctx.session.get_expr(tree, Oid(relation), pretty)
}

fn pg_get_serial_sequence(ctx: &mut FnContext<'_>, table: &str, column: &str) -> PgResult<Option<String>> {
    ctx.session.serial_sequence(table, column)
}

fn obj_description(ctx: &mut FnContext<'_>, oid: u32, catalog: &str) -> PgResult<Option<String>> {
    ctx.session.description(Oid(oid), Some(catalog), 0)
}

fn obj_description_any(ctx: &mut FnContext<'_>, oid: u32) -> PgResult<Option<String>> {
    ctx.session.description(Oid(oid), None, 0)
}

fn col_description(ctx: &mut FnContext<'_>, relation: u32, column: i32) -> PgResult<Option<String>> {
    ctx.session.description(Oid(relation), Some("pg_class"), column)
}

fn shobj_description(ctx: &mut FnContext<'_>, oid: u32, catalog: &str) -> PgResult<Option<String>> {
    ctx.session.shared_description(Oid(oid), catalog)
}

/// `to_reg*`: NULL instead of an error for unknown names.
macro_rules! to_reg {
    ($($name:ident $kind:ident;)*) => {$(
        fn $name(ctx: &mut FnContext<'_>, name: &str) -> PgResult<Option<u32>> {
            use common::sqlstate as s;
            match ctx.session.resolver().resolve(RegKind::$kind, name) {
                Err(_) if name.trim().is_empty() => Ok(None),
                Ok(oid) => Ok(Some(oid.0)),
                Err(e) if [s::UNDEFINED_TABLE, s::UNDEFINED_OBJECT, s::UNDEFINED_FUNCTION, s::INVALID_SCHEMA_NAME,
                    s::AMBIGUOUS_FUNCTION, s::INVALID_NAME, s::INVALID_TEXT_REPRESENTATION, s::UNDEFINED_PARAMETER,
                    s::TOO_MANY_ARGUMENTS, s::NUMERIC_VALUE_OUT_OF_RANGE].contains(&e.sqlstate) => Ok(None),
                Err(e) => Err(e),
            }
        }
    )*};
}

to_reg! {
    to_regclass Class;
    to_regtype Type;
    to_regproc Proc;
    to_regprocedure Procedure;
    to_regoper Oper;
    to_regoperator Operator;
    to_regrole Role;
    to_regnamespace Namespace;
    to_regcollation Collation;
}

fn text_regclass(ctx: &mut FnContext<'_>, name: &str) -> PgResult<u32> {
    // Unlike the input function of `regclass` this takes no numbers and tells a missing schema from a missing relation.
    match ctx.session.call("text_regclass", &[Datum::text(name)])? {
        Datum::Oid(oid) => Ok(oid),
        other => Err(common::internal!("a relation's OID expected, got {other:?}")),
    }
}

/// `has_CLASS_privilege(user, object, privilege)` in its six forms: user by name, by OID or current; object by name or OID.
macro_rules! privileges {
    ($($class:ident: $name_name:ident $name_id:ident $id_name:ident $id_id:ident $name:ident $id:ident;)*) => {$(
        fn $name_name(ctx: &mut FnContext<'_>, user: &str, object: &str, privilege: &str) -> PgResult<Option<bool>> {
            ask(ctx, Some(ObjectRef::Name(user)), ObjectClass::$class, ObjectRef::Name(object), privilege)
        }
        fn $name_id(ctx: &mut FnContext<'_>, user: &str, object: u32, privilege: &str) -> PgResult<Option<bool>> {
            ask(ctx, Some(ObjectRef::Name(user)), ObjectClass::$class, ObjectRef::Oid(Oid(object)), privilege)
        }
        fn $id_name(ctx: &mut FnContext<'_>, user: u32, object: &str, privilege: &str) -> PgResult<Option<bool>> {
            ask(ctx, Some(ObjectRef::Oid(Oid(user))), ObjectClass::$class, ObjectRef::Name(object), privilege)
        }
        fn $id_id(ctx: &mut FnContext<'_>, user: u32, object: u32, privilege: &str) -> PgResult<Option<bool>> {
            ask(ctx, Some(ObjectRef::Oid(Oid(user))), ObjectClass::$class, ObjectRef::Oid(Oid(object)), privilege)
        }
        fn $name(ctx: &mut FnContext<'_>, object: &str, privilege: &str) -> PgResult<Option<bool>> {
            ask(ctx, None, ObjectClass::$class, ObjectRef::Name(object), privilege)
        }
        fn $id(ctx: &mut FnContext<'_>, object: u32, privilege: &str) -> PgResult<Option<bool>> {
            ask(ctx, None, ObjectClass::$class, ObjectRef::Oid(Oid(object)), privilege)
        }
    )*};
}

fn ask(
    ctx: &FnContext<'_>,
    user: Option<ObjectRef<'_>>,
    class: ObjectClass,
    object: ObjectRef<'_>,
    privilege: &str,
) -> PgResult<Option<bool>> {
    ctx.session.has_privilege(PrivilegeQuestion {
        user,
        class,
        object,
        column: None,
        privilege,
    })
}

privileges! {
    Table: has_table_privilege_name_name has_table_privilege_name_id has_table_privilege_id_name has_table_privilege_id_id has_table_privilege_name has_table_privilege_id;
    Sequence: has_sequence_privilege_name_name has_sequence_privilege_name_id has_sequence_privilege_id_name has_sequence_privilege_id_id has_sequence_privilege_name has_sequence_privilege_id;
    Database: has_database_privilege_name_name has_database_privilege_name_id has_database_privilege_id_name has_database_privilege_id_id has_database_privilege_name has_database_privilege_id;
    Function: has_function_privilege_name_name has_function_privilege_name_id has_function_privilege_id_name has_function_privilege_id_id has_function_privilege_name has_function_privilege_id;
    Language: has_language_privilege_name_name has_language_privilege_name_id has_language_privilege_id_name has_language_privilege_id_id has_language_privilege_name has_language_privilege_id;
    Schema: has_schema_privilege_name_name has_schema_privilege_name_id has_schema_privilege_id_name has_schema_privilege_id_id has_schema_privilege_name has_schema_privilege_id;
    Server: has_server_privilege_name_name has_server_privilege_name_id has_server_privilege_id_name has_server_privilege_id_id has_server_privilege_name has_server_privilege_id;
    ForeignDataWrapper: has_foreign_data_wrapper_privilege_name_name has_foreign_data_wrapper_privilege_name_id has_foreign_data_wrapper_privilege_id_name has_foreign_data_wrapper_privilege_id_id has_foreign_data_wrapper_privilege_name has_foreign_data_wrapper_privilege_id;
    Tablespace: has_tablespace_privilege_name_name has_tablespace_privilege_name_id has_tablespace_privilege_id_name has_tablespace_privilege_id_id has_tablespace_privilege_name has_tablespace_privilege_id;
    Type: has_type_privilege_name_name has_type_privilege_name_id has_type_privilege_id_name has_type_privilege_id_id has_type_privilege_name has_type_privilege_id;
}

fn has_column_privilege_name_name(
    ctx: &mut FnContext<'_>,
    table: &str,
    column: &str,
    privilege: &str,
) -> PgResult<Option<bool>> {
    ctx.session.has_privilege(PrivilegeQuestion {
        user: None,
        class: ObjectClass::Column,
        object: ObjectRef::Name(table),
        column: Some(ColumnRef::Name(column)),
        privilege,
    })
}

fn has_column_privilege_id_attnum(
    ctx: &mut FnContext<'_>,
    table: u32,
    column: i16,
    privilege: &str,
) -> PgResult<Option<bool>> {
    ctx.session.has_privilege(PrivilegeQuestion {
        user: None,
        class: ObjectClass::Column,
        object: ObjectRef::Oid(Oid(table)),
        column: Some(ColumnRef::Number(column)),
        privilege,
    })
}

#[rustfmt::skip]
builtins! {
    format_type(ctx, type_oid: oid, typmod: int4) -> text; pg_get_userbyid = user_by_id(ctx, role: oid) -> name;
    pg_table_is_visible(ctx, oid: oid) -> bool; pg_type_is_visible(ctx, oid: oid) -> bool; pg_function_is_visible(ctx, oid: oid) -> bool;
    pg_operator_is_visible(ctx, oid: oid) -> bool; pg_opclass_is_visible(ctx, oid: oid) -> bool; pg_opfamily_is_visible(ctx, oid: oid) -> bool;
    pg_collation_is_visible(ctx, oid: oid) -> bool; pg_conversion_is_visible(ctx, oid: oid) -> bool;
    pg_statistics_obj_is_visible(ctx, oid: oid) -> bool; pg_ts_parser_is_visible(ctx, oid: oid) -> bool; pg_ts_dict_is_visible(ctx, oid: oid) -> bool;
    pg_ts_template_is_visible(ctx, oid: oid) -> bool; pg_ts_config_is_visible(ctx, oid: oid) -> bool;
    pg_get_viewdef(ctx, oid: oid) -> text; pg_get_viewdef_ext(ctx, oid: oid, pretty: bool) -> text; pg_get_viewdef_name(ctx, name: text) -> text;
    pg_get_constraintdef(ctx, oid: oid) -> text; pg_get_constraintdef_ext(ctx, oid: oid, pretty: bool) -> text;
    pg_get_ruledef(ctx, oid: oid) -> text; pg_get_ruledef_ext(ctx, oid: oid, pretty: bool) -> text;
    pg_get_triggerdef(ctx, oid: oid) -> text; pg_get_triggerdef_ext(ctx, oid: oid, pretty: bool) -> text;
    pg_get_indexdef(ctx, oid: oid) -> text; pg_get_indexdef_ext(ctx, oid: oid, column: int4, pretty: bool) -> text;
    pg_get_functiondef(ctx, oid: oid) -> text; pg_get_function_arguments(ctx, oid: oid) -> text;
    pg_get_function_identity_arguments(ctx, oid: oid) -> text; pg_get_function_result(ctx, oid: oid) -> text;
    pg_get_statisticsobjdef(ctx, oid: oid) -> text; pg_get_partkeydef(ctx, oid: oid) -> text; pg_get_partition_constraintdef(ctx, oid: oid) -> text;
    pg_get_expr(ctx, tree: pg_node_tree, relation: oid) -> text; pg_get_expr_ext(ctx, tree: pg_node_tree, relation: oid, pretty: bool) -> text;
    pg_get_serial_sequence(ctx, table: text, column: text) -> text;
    obj_description(ctx, oid: oid, catalog: name) -> text; obj_description = obj_description_any(ctx, oid: oid) -> text;
    col_description(ctx, relation: oid, column: int4) -> text; shobj_description(ctx, oid: oid, catalog: name) -> text;
    to_regclass(ctx, name: text) -> regclass; to_regtype(ctx, name: text) -> regtype; to_regproc(ctx, name: text) -> regproc;
    to_regprocedure(ctx, name: text) -> regprocedure; to_regoper(ctx, name: text) -> regoper; to_regoperator(ctx, name: text) -> regoperator;
    to_regrole(ctx, name: text) -> regrole; to_regnamespace(ctx, name: text) -> regnamespace; to_regcollation(ctx, name: text) -> regcollation;
    text_regclass(ctx, name: text) -> regclass;
    has_column_privilege_name_name(ctx, table: text, column: text, privilege: text) -> bool;
    has_column_privilege_id_attnum(ctx, table: oid, column: int2, privilege: text) -> bool;
    has_table_privilege_name_name(ctx, user: name, object: text, privilege: text) -> bool; has_table_privilege_name_id(ctx, user: name, object: oid, privilege: text) -> bool;
    has_table_privilege_id_name(ctx, user: oid, object: text, privilege: text) -> bool; has_table_privilege_id_id(ctx, user: oid, object: oid, privilege: text) -> bool;
    has_table_privilege_name(ctx, object: text, privilege: text) -> bool; has_table_privilege_id(ctx, object: oid, privilege: text) -> bool;
    has_sequence_privilege_name_name(ctx, user: name, object: text, privilege: text) -> bool; has_sequence_privilege_name_id(ctx, user: name, object: oid, privilege: text) -> bool;
    has_sequence_privilege_id_name(ctx, user: oid, object: text, privilege: text) -> bool; has_sequence_privilege_id_id(ctx, user: oid, object: oid, privilege: text) -> bool;
    has_sequence_privilege_name(ctx, object: text, privilege: text) -> bool; has_sequence_privilege_id(ctx, object: oid, privilege: text) -> bool;
    has_database_privilege_name_name(ctx, user: name, object: text, privilege: text) -> bool; has_database_privilege_name_id(ctx, user: name, object: oid, privilege: text) -> bool;
    has_database_privilege_id_name(ctx, user: oid, object: text, privilege: text) -> bool; has_database_privilege_id_id(ctx, user: oid, object: oid, privilege: text) -> bool;
    has_database_privilege_name(ctx, object: text, privilege: text) -> bool; has_database_privilege_id(ctx, object: oid, privilege: text) -> bool;
    has_function_privilege_name_name(ctx, user: name, object: text, privilege: text) -> bool; has_function_privilege_name_id(ctx, user: name, object: oid, privilege: text) -> bool;
    has_function_privilege_id_name(ctx, user: oid, object: text, privilege: text) -> bool; has_function_privilege_id_id(ctx, user: oid, object: oid, privilege: text) -> bool;
    has_function_privilege_name(ctx, object: text, privilege: text) -> bool; has_function_privilege_id(ctx, object: oid, privilege: text) -> bool;
    has_language_privilege_name_name(ctx, user: name, object: text, privilege: text) -> bool; has_language_privilege_name_id(ctx, user: name, object: oid, privilege: text) -> bool;
    has_language_privilege_id_name(ctx, user: oid, object: text, privilege: text) -> bool; has_language_privilege_id_id(ctx, user: oid, object: oid, privilege: text) -> bool;
    has_language_privilege_name(ctx, object: text, privilege: text) -> bool; has_language_privilege_id(ctx, object: oid, privilege: text) -> bool;
    has_schema_privilege_name_name(ctx, user: name, object: text, privilege: text) -> bool; has_schema_privilege_name_id(ctx, user: name, object: oid, privilege: text) -> bool;
    has_schema_privilege_id_name(ctx, user: oid, object: text, privilege: text) -> bool; has_schema_privilege_id_id(ctx, user: oid, object: oid, privilege: text) -> bool;
    has_schema_privilege_name(ctx, object: text, privilege: text) -> bool; has_schema_privilege_id(ctx, object: oid, privilege: text) -> bool;
    has_server_privilege_name_name(ctx, user: name, object: text, privilege: text) -> bool; has_server_privilege_name_id(ctx, user: name, object: oid, privilege: text) -> bool;
    has_server_privilege_id_name(ctx, user: oid, object: text, privilege: text) -> bool; has_server_privilege_id_id(ctx, user: oid, object: oid, privilege: text) -> bool;
    has_server_privilege_name(ctx, object: text, privilege: text) -> bool; has_server_privilege_id(ctx, object: oid, privilege: text) -> bool;
    has_foreign_data_wrapper_privilege_name_name(ctx, user: name, object: text, privilege: text) -> bool; has_foreign_data_wrapper_privilege_name_id(ctx, user: name, object: oid, privilege: text) -> bool;
    has_foreign_data_wrapper_privilege_id_name(ctx, user: oid, object: text, privilege: text) -> bool; has_foreign_data_wrapper_privilege_id_id(ctx, user: oid, object: oid, privilege: text) -> bool;
    has_foreign_data_wrapper_privilege_name(ctx, object: text, privilege: text) -> bool; has_foreign_data_wrapper_privilege_id(ctx, object: oid, privilege: text) -> bool;
    has_tablespace_privilege_name_name(ctx, user: name, object: text, privilege: text) -> bool; has_tablespace_privilege_name_id(ctx, user: name, object: oid, privilege: text) -> bool;
    has_tablespace_privilege_id_name(ctx, user: oid, object: text, privilege: text) -> bool; has_tablespace_privilege_id_id(ctx, user: oid, object: oid, privilege: text) -> bool;
    has_tablespace_privilege_name(ctx, object: text, privilege: text) -> bool; has_tablespace_privilege_id(ctx, object: oid, privilege: text) -> bool;
    has_type_privilege_name_name(ctx, user: name, object: text, privilege: text) -> bool; has_type_privilege_name_id(ctx, user: name, object: oid, privilege: text) -> bool;
    has_type_privilege_id_name(ctx, user: oid, object: text, privilege: text) -> bool; has_type_privilege_id_id(ctx, user: oid, object: oid, privilege: text) -> bool;
    has_type_privilege_name(ctx, object: text, privilege: text) -> bool; has_type_privilege_id(ctx, object: oid, privilege: text) -> bool;
}
