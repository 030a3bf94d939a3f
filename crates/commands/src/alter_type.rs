//! ALTER TYPE and ALTER DOMAIN: names, owners, schemas; labels of enums; attributes of composite types.
//!
//! PG: src/backend/commands/typecmds.c, tablecmds.c (ALTER TYPE ... ATTRIBUTE).

use std::sync::Arc;

use catalog::CatalogView;
use catalog::columns::{pg_class, pg_depend};
use catalog::ddl::enums::{IfNotExists, LabelPlace};
use catalog::ddl::{Ddl, ObjectAddress};
use catalog::desc::{RelationDesc, TypeDesc};
use catalog::oids;
use catalog::privileges::{ObjectKind, must_be_owner};
use catalog::store::key_oid;
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err, sqlstate, unsupported};
use parser::ast::{
    AlterEnumStmt, AlterTableAction, CollateClause, ColumnDef, ColumnDefItem, DropBehavior, Ident, TypeName,
};
use types::{ArrayValue, Datum, RecordValue};

use crate::context::{CommandContext, CommandOutcome};
use crate::create_type::attribute;
use crate::drop::behavior;
use crate::rewrite::{Rebuild, rewrite};

/// What ALTER says the type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Type,
    Domain,
}

/// A type by name that the user owns, and that ALTER TYPE or ALTER DOMAIN may change.
pub(crate) fn owned_type(
    names: &[Ident],
    wanted: Wanted,
    cx: &CommandContext<'_>,
) -> PgResult<Arc<TypeDesc>> {
    let view = cx.view()?;
    let (schema, last) = match names {
        [last] => (None, last),
        [.., schema, last] => (Some(schema), last),
        [] => return Err(common::internal!("type without a name")),
    };
    if let Some(schema) = schema {
        cx.namespace(schema).map_err(without_position)?;
    }
    let Some(desc) = view.type_by_name(schema.map(Ident::as_str), last.as_str())? else {
        let shown: Vec<&str> = names.iter().map(Ident::as_str).collect();
        return Err(pg_err!(
            UNDEFINED_OBJECT,
            "type \"{}\" does not exist",
            shown.join(".")
        ));
    };
    if wanted == Wanted::Domain && desc.kind != b'd' {
        let shown = catalog::format_type::format_type(&*view, desc.oid, -1)?;
        return Err(pg_err!(WRONG_OBJECT_TYPE, "{shown} is not a domain"));
    }
    check_type_owner(&desc, &*view, cx)?;
    Ok(desc)
}

pub(crate) fn without_position(mut e: Box<PgError>) -> Box<PgError> {
    e.position = None;
    e
}

/// `must be owner of type t`.
pub(crate) fn check_type_owner(
    desc: &TypeDesc,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    if cx.roles()?.owns(cx.user, desc.owner) {
        return Ok(());
    }
    let shown = catalog::format_type::format_type(view, desc.oid, -1)?;
    Err(must_be_owner(ObjectKind::Type, &shown))
}

/// Types that belong to a table, or to another type, change with it alone.
fn refuse_dependent(desc: &TypeDesc, relation_hint: &str, view: &dyn CatalogView) -> PgResult<()> {
    let shown = || catalog::format_type::format_type(view, desc.oid, -1);
    if desc.kind == b'c'
        && let Some(rel) = view.relation(desc.relation)?
        && rel.relkind != b'c'
    {
        return Err(pg_err!(WRONG_OBJECT_TYPE, "{} is a table's row type", shown()?).hint(relation_hint));
    }
    if desc.is_array
        && let Some(element) = view.type_desc(desc.element)?
        && element.array == desc.oid
    {
        return Err(
            pg_err!(WRONG_OBJECT_TYPE, "cannot alter array type {}", shown()?).hint(format!(
                "You can alter type {}, which will alter the array type as well.",
                catalog::format_type::format_type(view, element.oid, -1)?
            )),
        );
    }
    if desc.kind == b'm'
        && let Some(range) = view.range(desc.oid)?
    {
        return Err(
            pg_err!(WRONG_OBJECT_TYPE, "cannot alter multirange type {}", shown()?).hint(format!(
                "You can alter type {}, which will alter the multirange type as well.",
                catalog::format_type::format_type(view, range.range, -1)?
            )),
        );
    }
    Ok(())
}

/// ALTER TYPE (DOMAIN) ... RENAME TO.
pub(crate) fn rename_type(
    names: &[Ident],
    wanted: Wanted,
    new: &str,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let desc = owned_type(names, wanted, cx)?;
    let view = cx.view()?;
    refuse_dependent(&desc, "Use ALTER TABLE instead.", &*view)?;
    drop(view);
    cx.ddl(|ddl| match desc.kind {
        b'c' => ddl.rename_relation(desc.relation, new),
        _ => ddl.rename_type(desc.oid, new),
    })
}

/// ALTER TYPE (DOMAIN) ... SET SCHEMA.
pub(crate) fn set_schema(
    names: &[Ident],
    wanted: Wanted,
    schema: &Ident,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let desc = owned_type(names, wanted, cx)?;
    let namespace = cx.namespace(schema).map_err(without_position)?;
    let view = cx.view()?;
    refuse_dependent(&desc, "Use ALTER TABLE instead.", &*view)?;
    drop(view);
    cx.check_create_in(namespace)?;
    cx.ddl(|ddl| match desc.kind {
        b'c' => ddl.set_relation_namespace(desc.relation, namespace),
        _ => ddl.set_type_namespace(desc.oid, namespace),
    })
}

/// ALTER TYPE (DOMAIN) ... OWNER TO.
pub(crate) fn set_owner(
    names: &[Ident],
    wanted: Wanted,
    owner: Oid,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let desc = owned_type(names, wanted, cx)?;
    let view = cx.view()?;
    refuse_dependent(&desc, "Use ALTER TABLE instead.", &*view)?;
    drop(view);
    cx.ddl(|ddl| match desc.kind {
        b'c' => ddl.set_relation_owner(desc.relation, owner),
        _ => ddl.set_type_owner(desc.oid, owner),
    })
}

/// ALTER TYPE ... ADD VALUE, RENAME VALUE.
pub(crate) fn alter_enum(stmt: &AlterEnumStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let desc = owned_type(&stmt.type_name, Wanted::Type, cx)?;
    let view = cx.view()?;
    if desc.kind != b'e' {
        let shown = catalog::format_type::format_type(&*view, desc.oid, -1)?;
        return Err(pg_err!(WRONG_OBJECT_TYPE, "{shown} is not an enum"));
    }
    drop(view);
    let outcome = Ok(CommandOutcome::tag("ALTER TYPE"));
    let Some(new) = stmt.new_val.as_ref().map(Ident::as_str) else {
        return Err(unsupported!("dropping an enum value is not implemented").at(stmt.span));
    };
    if let Some(old) = &stmt.old_val {
        cx.ddl(|ddl| ddl.rename_enum_label(desc.oid, old.as_str(), new))?;
        return outcome;
    }
    let place = match &stmt.neighbor {
        None => LabelPlace::Last,
        Some(label) if stmt.new_val_is_after => LabelPlace::After(label.as_str()),
        Some(label) => LabelPlace::Before(label.as_str()),
    };
    let if_not_exists = if stmt.skip_if_new_val_exists {
        IfNotExists::Skip
    } else {
        IfNotExists::Fail
    };
    cx.ddl(|ddl| ddl.add_enum_label(desc.oid, new, place, if_not_exists))?;
    outcome
}

// ---- attributes of composite types -----------------------------------------------------------------------------

/// ADD, DROP, ALTER ATTRIBUTE.
pub(crate) fn attribute_action(
    desc: &Arc<RelationDesc>,
    action: &AlterTableAction,
    cx: &mut CommandContext<'_>,
) -> PgResult<()> {
    match action {
        AlterTableAction::AddAttribute { def, .. } => add_attribute(desc, def, cx),
        AlterTableAction::DropAttribute {
            name,
            missing_ok,
            behavior,
        } => drop_attribute(desc, name, *missing_ok, *behavior, cx),
        AlterTableAction::AlterAttributeType {
            name,
            type_name,
            collation,
            ..
        } => alter_attribute(desc, name, type_name, collation.as_ref(), cx),
        _ => Err(common::internal!("no action on an attribute")),
    }
}

fn item_of(def: &ColumnDef) -> PgResult<ColumnDefItem> {
    let Some(type_name) = &def.type_name else {
        return Err(common::internal!("attribute without a type"));
    };
    Ok(ColumnDefItem {
        name: def.name.clone(),
        type_name: type_name.clone(),
        collation: def.collation.clone(),
        span: def.span,
    })
}

fn add_attribute(desc: &Arc<RelationDesc>, def: &ColumnDef, cx: &CommandContext<'_>) -> PgResult<()> {
    let new = attribute(&item_of(def)?, cx)?;
    refuse_self_reference(desc, new.type_ref.oid, cx)?;
    cx.ddl(|ddl| {
        ddl.check_column_name_free(desc.oid, &new.name)?;
        ddl.add_column(desc.oid, &new, None)
    })?;
    reshape_values(
        desc.row_type,
        &|record| {
            record.field_types.push(new.type_ref.oid);
            record.fields.push(Datum::Null);
        },
        cx,
    )
}

/// A composite type cannot contain itself.
fn refuse_self_reference(desc: &RelationDesc, type_oid: Oid, cx: &CommandContext<'_>) -> PgResult<()> {
    let view = cx.view()?;
    let mut pending = vec![type_oid];
    while let Some(next) = pending.pop() {
        if next == desc.row_type {
            let shown = catalog::format_type::format_type(&*view, desc.row_type, -1)?;
            return Err(pg_err!(
                INVALID_TABLE_DEFINITION,
                "composite type {shown} cannot be made a member of itself"
            ));
        }
        let Some(t) = view.type_desc(next)? else { continue };
        match t.kind {
            b'd' => pending.push(t.base_type),
            b'c' => {
                let fields = view.relation(t.relation)?;
                let fields = fields.iter().flat_map(|r| &r.columns).filter(|c| !c.dropped);
                pending.extend(fields.map(|c| c.type_ref.oid));
            }
            _ if t.is_array => pending.push(t.element),
            b'r' | b'm' => pending.extend(view.range(next)?.map(|r| r.subtype)),
            _ => {}
        }
    }
    Ok(())
}

fn drop_attribute(
    desc: &Arc<RelationDesc>,
    name: &Ident,
    missing_ok: bool,
    how: DropBehavior,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let Some(found) = desc.column_by_name(name.as_str()) else {
        let message = format!(
            "column \"{}\" of relation \"{}\" does not exist",
            name.as_str(),
            desc.name
        );
        return cx.skip(missing_ok, sqlstate::UNDEFINED_COLUMN, message);
    };
    let live = desc.columns.iter().filter(|c| !c.dropped);
    let at = live.take_while(|c| c.attno != found.attno).count();
    let object = ObjectAddress::column(desc.oid, found.attno);
    cx.ddl(|ddl| ddl.drop_objects(&[object], behavior(how)))?;
    reshape_values(desc.row_type, &|record| remove_field(record, at), cx)
}

/// Takes a field out of a record.
pub(crate) fn remove_field(record: &mut RecordValue, at: usize) {
    if at < record.fields.len() {
        record.fields.remove(at);
        record.field_types.remove(at);
    }
}

fn alter_attribute(
    desc: &Arc<RelationDesc>,
    name: &Ident,
    type_name: &TypeName,
    collation: Option<&CollateClause>,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let found = crate::alter_table::column(desc, name)?;
    let view = cx.view()?;
    let analysis = cx.analysis(&*view);
    let (target, collation) = analyzer::utility::resolve_column_type(type_name, collation, &analysis)?;
    cx.take_notices(analysis);
    refuse_self_reference(desc, target.oid, cx)?;
    let users = cx.ddl(|ddl| stored_columns(ddl, desc.row_type))?;
    if let Some((relation, attno)) = users.first() {
        let rel = cx.relation(*relation)?;
        let column = rel
            .column(*attno)
            .map_or_else(|| "???".into(), |c| c.name.clone());
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "cannot alter type \"{}\" because column \"{}.{column}\" uses it",
            desc.name,
            rel.name
        ));
    }
    let attno = found.attno;
    drop(view);
    cx.ddl(|ddl| ddl.set_column_type(desc.oid, attno, target, collation))
}

/// Columns of tables that hold values of a type: directly, or inside arrays, domains, composite types and ranges; in the order in
/// which PostgreSQL comes upon them.
pub(crate) fn stored_columns(ddl: &Ddl<'_>, type_oid: Oid) -> PgResult<Vec<(Oid, i16)>> {
    let mut found = Vec::new();
    collect_columns(ddl, type_oid, &mut Vec::new(), &mut found)?;
    Ok(found)
}

fn collect_columns(
    ddl: &Ddl<'_>,
    type_oid: Oid,
    seen: &mut Vec<Oid>,
    found: &mut Vec<(Oid, i16)>,
) -> PgResult<()> {
    if !type_oid.is_valid() || seen.contains(&type_oid) {
        return Ok(());
    }
    seen.push(type_oid);
    let key = [key_oid(oids::PG_TYPE), key_oid(type_oid)];
    for row in ddl.store.lookup(oids::PG_DEPEND_REFERENCE_INDEX, &key)? {
        let (object, sub) = (row.oid(pg_depend::OBJID), row.int4(pg_depend::OBJSUBID));
        match row.oid(pg_depend::CLASSID) {
            oids::PG_TYPE => collect_columns(ddl, object, seen, found)?,
            oids::PG_CLASS if sub != 0 => {
                let class = ddl.store.lookup(oids::PG_CLASS_OID_INDEX, &[key_oid(object)])?;
                let Some(class) = class.first() else { continue };
                if matches!(class.char(pg_class::RELKIND), b'r' | b'm' | b'p')
                    && !found.contains(&(object, sub as i16))
                {
                    found.push((object, sub as i16));
                }
                collect_columns(ddl, class.oid(pg_class::RELTYPE), seen, found)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Changes a record of the type in place.
type Reshape<'f> = &'f dyn Fn(&mut RecordValue);

/// Stored values of a composite type have its attributes: tables that hold some are rewritten when those change.
pub(crate) fn reshape_values(row_type: Oid, change: Reshape<'_>, cx: &CommandContext<'_>) -> PgResult<()> {
    if !row_type.is_valid() {
        return Ok(());
    }
    let users = cx.ddl(|ddl| stored_columns(ddl, row_type))?;
    let mut tables: Vec<Oid> = users.iter().map(|(relation, _)| *relation).collect();
    tables.sort_unstable();
    tables.dedup();
    for table in tables {
        let rel = cx.relation(table)?;
        rewrite(&rel, Rebuild::Storage, cx, &mut |_, row| {
            for (_, attno) in users.iter().filter(|(relation, _)| *relation == table) {
                let at = usize::try_from(attno - 1).unwrap_or_default();
                if let Some(place) = row.get_mut(at) {
                    reshape(place, row_type, change);
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn reshape(value: &mut Datum, type_oid: Oid, change: Reshape<'_>) {
    match value {
        Datum::Record(record) => {
            let record = Arc::make_mut(record);
            record
                .fields
                .iter_mut()
                .for_each(|f| reshape(f, type_oid, change));
            if record.type_oid == type_oid {
                change(record);
            }
        }
        Datum::Array(array) => {
            let array: &mut ArrayValue = Arc::make_mut(array);
            array
                .elements
                .iter_mut()
                .for_each(|e| reshape(e, type_oid, change));
        }
        Datum::Range(range) => {
            if let Some(range) = &mut Arc::make_mut(range).range {
                reshape(&mut range.lower.value, type_oid, change);
                reshape(&mut range.upper.value, type_oid, change);
            }
        }
        Datum::Multirange(multirange) => {
            for range in &mut Arc::make_mut(multirange).ranges {
                reshape(&mut range.lower.value, type_oid, change);
                reshape(&mut range.upper.value, type_oid, change);
            }
        }
        _ => {}
    }
}

/// A row type is no part of itself, through whatever domain, array, range or other row type.
///
/// PG: src/backend/catalog/heap.c (`CheckAttributeType`).
pub(crate) fn check_not_containing(
    view: &dyn catalog::CatalogView,
    type_oid: Oid,
    table: &RelationDesc,
) -> PgResult<()> {
    let Some(desc) = view.type_desc(type_oid)? else {
        return Ok(());
    };
    if table.row_type.is_valid() && type_oid == table.row_type {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "composite type {} cannot be made a member of itself",
            catalog::format_type::format_type(view, type_oid, -1)?
        ));
    }
    match desc.kind {
        b'd' => return check_not_containing(view, desc.base_type, table),
        b'r' => {
            if let Some(range) = view.range(type_oid)? {
                return check_not_containing(view, range.subtype, table);
            }
        }
        b'c' if desc.relation.is_valid() => {
            if let Some(row) = view.relation(desc.relation)? {
                for column in row.columns.iter().filter(|c| !c.dropped) {
                    check_not_containing(view, column.type_ref.oid, table)?;
                }
            }
        }
        _ if desc.is_array => return check_not_containing(view, desc.element, table),
        _ => {}
    }
    Ok(())
}
