//! CREATE TYPE: enums, composite types, ranges; the statements of the same form.
//!
//! PG: src/backend/commands/typecmds.c.

use catalog::CatalogView;
use catalog::ddl::ranges::NewRange;
use catalog::ddl::relation::{NewColumn, NewRelation};
use catalog::desc::TypeDesc;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err, unsupported};
use parser::ast::{
    ColumnDefItem, CompositeTypeStmt, CreateEnumStmt, CreateRangeStmt, DefElem, DefineStmt, Ident, ObjectType,
};

use crate::context::{CommandContext, CommandOutcome};
use crate::lookup::range_var;
use crate::options;

/// B-tree access method.
const BTREE: Oid = Oid(403);

/// Where a new object that is no relation goes, and its name.
pub(crate) fn creation_place(names: &[Ident], cx: &CommandContext<'_>) -> PgResult<(Oid, String)> {
    let rel = range_var(names)?;
    let (namespace, _) = cx.creation_namespace(&rel)?;
    Ok((namespace, rel.relation.as_str().to_owned()))
}

/// CREATE TYPE ... AS ENUM.
pub(crate) fn create_enum(stmt: &CreateEnumStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let (namespace, name) = creation_place(&stmt.type_name, cx)?;
    let labels: Vec<String> = stmt.vals.iter().map(|v| v.as_str().to_owned()).collect();
    cx.ddl(|ddl| ddl.create_enum(namespace, &name, &labels))?;
    Ok(CommandOutcome::tag("CREATE TYPE"))
}

/// CREATE TYPE ... AS (...).
pub(crate) fn create_composite(
    stmt: &CompositeTypeStmt,
    cx: &mut CommandContext<'_>,
) -> PgResult<CommandOutcome> {
    let (namespace, _) = cx.creation_namespace(&stmt.typevar)?;
    let name = stmt.typevar.relation.as_str();
    let columns: Vec<NewColumn> = stmt
        .coldeflist
        .iter()
        .map(|item| attribute(item, cx))
        .collect::<PgResult<_>>()?;
    let new = NewRelation::new(name, namespace, b'c').with_columns(columns);
    cx.ddl(|ddl| {
        ddl.check_type_name_free(namespace, name)?;
        ddl.create_relation(&new)
    })?;
    Ok(CommandOutcome::tag("CREATE TYPE"))
}

/// An attribute of a composite type.
pub(crate) fn attribute(item: &ColumnDefItem, cx: &CommandContext<'_>) -> PgResult<NewColumn> {
    let view = cx.view()?;
    let analysis = cx.analysis(&*view);
    let (type_ref, collation) =
        analyzer::utility::resolve_column_type(&item.type_name, item.collation.as_ref(), &analysis)?;
    cx.take_notices(analysis);
    if item.type_name.setof {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "column \"{}\" cannot be declared SETOF",
            item.name.as_str()
        )
        .at(item.type_name.span));
    }
    let mut new = NewColumn::new(item.name.as_str(), type_ref);
    new.collation = collation;
    new.dims = i16::try_from(item.type_name.array_bounds.len()).unwrap_or(i16::MAX);
    Ok(new)
}

/// CREATE TYPE with options, and the other statements of this form.
pub(crate) fn define(stmt: &DefineStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    match stmt.kind {
        ObjectType::Type => {}
        ObjectType::Aggregate => return crate::aggregate::create_aggregate(stmt, cx),
        ObjectType::Operator => return crate::operator::create_operator(stmt, cx),
        ObjectType::Collation => return crate::collation::create_collation(stmt, cx),
        ObjectType::TsParser => return crate::text_search::create_parser(stmt, cx),
        ObjectType::TsTemplate => return crate::text_search::create_template(stmt, cx),
        ObjectType::TsDictionary => return crate::text_search::create_dictionary(stmt, cx),
        ObjectType::TsConfiguration => return crate::text_search::create_configuration(stmt, cx),
        _ => {
            let what = crate::classify::command_tag(&parser::ast::Statement::Define(Box::new(stmt.clone())));
            return Err(unsupported!("{what} is not supported yet").at(stmt.span));
        }
    }
    if stmt.definition.is_empty() {
        let (namespace, name) = creation_place(&stmt.defnames, cx)?;
        cx.ddl(|ddl| ddl.create_shell_type(namespace, &name))?;
        return Ok(CommandOutcome::tag("CREATE TYPE"));
    }
    crate::base_type::create_base_type(stmt, cx)
}

/// The options of CREATE TYPE ... AS RANGE, as written.
#[derive(Default)]
struct RangeOptions<'a> {
    subtype: Option<&'a DefElem>,
    opclass: Option<&'a DefElem>,
    collation: Option<&'a DefElem>,
    canonical: Option<&'a DefElem>,
    subtype_diff: Option<&'a DefElem>,
    multirange: Option<&'a DefElem>,
}

impl<'a> RangeOptions<'a> {
    fn read(params: &'a [DefElem]) -> PgResult<RangeOptions<'a>> {
        let mut found = RangeOptions::default();
        for option in params {
            let place = match &*option.name {
                "subtype" => &mut found.subtype,
                "subtype_opclass" => &mut found.opclass,
                "collation" => &mut found.collation,
                "canonical" => &mut found.canonical,
                "subtype_diff" => &mut found.subtype_diff,
                "multirange_type_name" => &mut found.multirange,
                other => {
                    return Err(pg_err!(SYNTAX_ERROR, "type attribute \"{other}\" not recognized"));
                }
            };
            if place.is_some() {
                return Err(options::conflicting(option));
            }
            *place = Some(option);
        }
        Ok(found)
    }
}

/// CREATE TYPE ... AS RANGE.
pub(crate) fn create_range(stmt: &CreateRangeStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let (namespace, name) = creation_place(&stmt.type_name, cx)?;
    let given = RangeOptions::read(&stmt.params)?;
    let view = cx.view()?;
    let Some(option) = given.subtype else {
        return Err(pg_err!(SYNTAX_ERROR, "type attribute \"subtype\" is required"));
    };
    let subtype = range_subtype(option, &*view, cx)?;
    let new = NewRange {
        multirange_name: given
            .multirange
            .map(|option| creation_place(&options::names(option)?, cx))
            .transpose()?,
        collation: range_collation(given.collation, &subtype, &*view, cx)?,
        opclass: range_opclass(given.opclass, &subtype, &*view)?,
        canonical: match given.canonical {
            None => Oid::INVALID,
            // The function would take the type that is being made.
            Some(_) => {
                return Err(pg_err!(
                    INVALID_OBJECT_DEFINITION,
                    "cannot specify a canonical function without a pre-created shell type"
                )
                .hint("Create the type as a shell type, then create its canonicalization function, then do a full CREATE TYPE."));
            }
        },
        subtype_diff: match given.subtype_diff {
            None => Oid::INVALID,
            Some(option) => subtype_diff(option, &subtype, &*view)?,
        },
        name,
        namespace,
        subtype: subtype.oid,
        align: subtype.align,
    };
    drop(view);
    cx.ddl(|ddl| ddl.create_range(&new))?;
    Ok(CommandOutcome::tag("CREATE TYPE"))
}

fn range_subtype(
    option: &DefElem,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<std::sync::Arc<TypeDesc>> {
    let name = options::type_name(option)?;
    let found = analyzer::utility::resolve_type_name(&name, &cx.analysis(view))?;
    let Some(desc) = view.type_desc(found.oid)? else {
        return Err(common::internal!("cache lookup failed for type {}", found.oid));
    };
    if desc.kind == b'p' {
        let shown = catalog::format_type::format_type(view, found.oid, -1)?;
        return Err(pg_err!(DATATYPE_MISMATCH, "range subtype cannot be {shown}"));
    }
    Ok(desc)
}

fn range_opclass(option: Option<&DefElem>, subtype: &TypeDesc, view: &dyn CatalogView) -> PgResult<Oid> {
    let Some(option) = option else {
        if let Some(class) = view.default_opclass(BTREE, subtype.oid)? {
            return Ok(class.oid);
        }
        let shown = catalog::format_type::format_type(view, subtype.oid, -1)?;
        return Err(pg_err!(
            UNDEFINED_OBJECT,
            "data type {shown} has no default operator class for access method \"btree\""
        )
        .hint("You must specify an operator class for the range type or define a default operator class for the subtype."));
    };
    let names = options::names(option)?;
    let (schema, name) = match names.as_slice() {
        [.., schema, name] => (Some(schema.as_str()), name.as_str()),
        [name] => (None, name.as_str()),
        [] => return Err(common::internal!("operator class without a name")),
    };
    let Some(class) = view.opclass_by_name(BTREE, schema, name)? else {
        return Err(pg_err!(
            UNDEFINED_OBJECT,
            "operator class \"{name}\" does not exist for access method \"btree\""
        ));
    };
    let fits = class.input_type == subtype.oid
        || view
            .cast(subtype.oid, class.input_type)?
            .is_some_and(|c| c.method == b'b');
    if !fits {
        return Err(pg_err!(
            DATATYPE_MISMATCH,
            "operator class \"{name}\" does not accept data type {}",
            catalog::format_type::format_type(view, subtype.oid, -1)?
        ));
    }
    Ok(class.oid)
}

fn range_collation(
    option: Option<&DefElem>,
    subtype: &TypeDesc,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<Oid> {
    let collation = match option {
        None => Ok(subtype.collation),
        Some(_) if !subtype.collation.is_valid() => Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "range collation specified but subtype does not support collation"
        )),
        Some(option) => {
            let names = options::names(option)?;
            analyzer::utility::resolve_collation(&names, common::Span::NONE, &cx.analysis(view))
        }
    }?;
    if view.text_order(collation)?.is_some() {
        return Err(unsupported!(
            "ranges under collations that do not compare bytes are not supported yet"
        ));
    }
    Ok(collation)
}

fn subtype_diff(option: &DefElem, subtype: &TypeDesc, view: &dyn CatalogView) -> PgResult<Oid> {
    let names = options::names(option)?;
    let (schema, name) = match names.as_slice() {
        [.., schema, name] => (Some(schema.as_str()), name.as_str()),
        [name] => (None, name.as_str()),
        [] => return Err(common::internal!("function without a name")),
    };
    let all = view.functions_by_name(schema, name)?;
    let shown: Vec<&str> = names.iter().map(Ident::as_str).collect();
    let Some(found) = all.iter().find(|f| f.arg_types == [subtype.oid, subtype.oid]) else {
        let arg = catalog::format_type::format_type(view, subtype.oid, -1)?;
        return Err(pg_err!(
            UNDEFINED_FUNCTION,
            "function {}({arg}, {arg}) does not exist",
            shown.join(".")
        ));
    };
    let signature = || -> PgResult<String> {
        let arg = catalog::format_type::format_type(view, subtype.oid, -1)?;
        Ok(format!("{}({arg}, {arg})", shown.join(".")))
    };
    if found.result != types::oids::FLOAT8 {
        return Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "range subtype diff function {} must return type double precision",
            signature()?
        ));
    }
    if found.volatility != b'i' {
        return Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "range subtype diff function {} must be immutable",
            signature()?
        ));
    }
    Ok(found.oid)
}
