//! Objects that are a row with a name, a schema and an owner: DROP, COMMENT and ALTER ... RENAME, SET SCHEMA, OWNER TO.
//!
//! PG: src/backend/commands/alter.c, catalog/objectaddress.c.

use catalog::columns::pg_am;
use catalog::ddl::large_object::LargeObject;
use catalog::ddl::named::{self, NamedClass, NamedObject};
use catalog::privileges::{Guarded, ObjectKind, Privilege, must_be_owner};
use common::{Oid, PgError, PgResult, pg_err, sqlstate};
use parser::ast::{self, Ident, ObjectType};

use crate::context::CommandContext;

/// The class of a kind of object, if it is one of these.
pub(crate) fn class_of(kind: ObjectType) -> Option<NamedClass> {
    Some(match kind {
        ObjectType::Collation => named::COLLATION,
        ObjectType::Conversion => named::CONVERSION,
        ObjectType::TsConfiguration => named::TS_CONFIG,
        ObjectType::TsDictionary => named::TS_DICT,
        ObjectType::TsParser => named::TS_PARSER,
        ObjectType::TsTemplate => named::TS_TEMPLATE,
        ObjectType::StatisticExt => named::STATISTICS,
        ObjectType::OpClass => named::OPCLASS,
        ObjectType::OpFamily => named::OPFAMILY,
        _ => return None,
    })
}

fn object_kind(class: NamedClass) -> ObjectKind {
    match class.catalog {
        catalog::oids::PG_COLLATION => ObjectKind::Collation,
        catalog::oids::PG_CONVERSION => ObjectKind::Conversion,
        catalog::oids::PG_STATISTIC_EXT => ObjectKind::Statistics,
        catalog::oids::PG_OPCLASS => ObjectKind::OperatorClass,
        catalog::oids::PG_OPFAMILY => ObjectKind::OperatorFamily,
        catalog::oids::PG_TS_CONFIG => ObjectKind::TextSearchConfiguration,
        _ => ObjectKind::TextSearchDictionary,
    }
}

/// Schema and name of a qualified name.
pub(crate) fn split(names: &[Ident]) -> PgResult<(Option<&str>, &str)> {
    match names {
        [name] => Ok((None, name.as_str())),
        [schema, name] | [_, schema, name] => Ok((Some(schema.as_str()), name.as_str())),
        _ => Err(pg_err!(
            SYNTAX_ERROR,
            "improper qualified name (too many dotted names): {}",
            joined(names)
        )),
    }
}

fn joined(names: &[Ident]) -> String {
    names.iter().map(Ident::as_str).collect::<Vec<_>>().join(".")
}

/// The access method by name.
pub(crate) fn access_method(name: &str, cx: &CommandContext<'_>) -> PgResult<Oid> {
    let rows = cx.ddl(|ddl| ddl.store.scan(catalog::oids::PG_AM))?;
    let found = rows.iter().find(|r| &*r.text(pg_am::AMNAME) == name);
    match found {
        Some(row) => Ok(row.oid(pg_am::OID)),
        None => Err(pg_err!(
            UNDEFINED_OBJECT,
            "access method \"{name}\" does not exist"
        )),
    }
}

/// Takes the access method off the front of an operator class's or family's name.
fn of_method<'n>(
    class: NamedClass,
    names: &'n [Ident],
    cx: &CommandContext<'_>,
) -> PgResult<(Option<Oid>, &'n [Ident])> {
    match names {
        [method, rest @ ..] if class.is_of_method() => Ok((Some(access_method(method.as_str(), cx)?), rest)),
        _ => Ok((None, names)),
    }
}

/// An object by name, or the error for a missing one with what IF EXISTS says.
pub(crate) fn lookup(
    class: NamedClass,
    names: &[Ident],
    cx: &CommandContext<'_>,
) -> PgResult<Result<NamedObject, (Box<PgError>, String)>> {
    let (method, names) = of_method(class, names, cx)?;
    let (schema, name) = split(names)?;
    if let Some(schema) = schema
        && cx.view()?.namespace_by_name(schema)?.is_none()
    {
        let message = format!("schema \"{schema}\" does not exist");
        let e = PgError::new(sqlstate::UNDEFINED_SCHEMA, message.clone());
        return Ok(Err((e, message)));
    }
    if let Some(found) = cx.ddl(|ddl| ddl.find_of_method(class, method, schema, name))? {
        return Ok(Ok(found));
    }
    if let Some(method) = method {
        let (word, shown) = (class.word, joined(names));
        let method = cx.ddl(|ddl| ddl.method_name(method))?;
        let message = format!("{word} \"{shown}\" does not exist for access method \"{method}\"");
        return Ok(Err((
            PgError::new(sqlstate::UNDEFINED_OBJECT, message.clone()),
            message,
        )));
    }
    let encoding = match class.catalog {
        catalog::oids::PG_COLLATION => " for encoding \"UTF8\"",
        _ => "",
    };
    let (word, shown) = (class.word, joined(names));
    let e = pg_err!(UNDEFINED_OBJECT, "{word} \"{shown}\"{encoding} does not exist");
    Ok(Err((e, format!("{word} \"{shown}\" does not exist"))))
}

/// An object that must be there.
pub(crate) fn existing(class: NamedClass, names: &[Ident], cx: &CommandContext<'_>) -> PgResult<NamedObject> {
    lookup(class, names, cx)?.map_err(|(e, _)| e)
}

fn without_method(class: NamedClass, names: &[Ident]) -> &[Ident] {
    names.get(usize::from(class.is_of_method())..).unwrap_or(names)
}

/// An object that must be there and belong to the user.
pub(crate) fn owned(class: NamedClass, names: &[Ident], cx: &CommandContext<'_>) -> PgResult<NamedObject> {
    let found = existing(class, names, cx)?;
    check_owner(&found, without_method(class, names), cx)?;
    Ok(found)
}

/// `must be owner of text search dictionary d`.
pub(crate) fn check_owner(object: &NamedObject, names: &[Ident], cx: &CommandContext<'_>) -> PgResult<()> {
    let roles = cx.roles()?;
    match object.owner {
        Some(owner) if roles.owns(cx.user, owner) => Ok(()),
        Some(_) => Err(must_be_owner(object_kind(object.class), &joined(names))),
        None if roles.is_superuser(cx.user) => Ok(()),
        None => Err(pg_err!(INSUFFICIENT_PRIVILEGE, "must be superuser")),
    }
}

/// ALTER ... RENAME TO.
pub(crate) fn rename(class: NamedClass, names: &[Ident], new: &str, cx: &CommandContext<'_>) -> PgResult<()> {
    let found = owned(class, names, cx)?;
    cx.check_create_in(found.namespace)?;
    cx.ddl(|ddl| ddl.rename_named(&found, new))
}

/// ALTER ... SET SCHEMA.
pub(crate) fn set_schema(
    class: NamedClass,
    names: &[Ident],
    schema: &Ident,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let found = existing(class, names, cx)?;
    let namespace = cx
        .namespace(schema)
        .map_err(crate::alter_type::without_position)?;
    check_owner(&found, without_method(class, names), cx)?;
    cx.check_create_in(namespace)?;
    cx.ddl(|ddl| ddl.move_named(&found, namespace))
}

/// ALTER ... OWNER TO.
pub(crate) fn set_owner(
    class: NamedClass,
    names: &[Ident],
    owner: Oid,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let found = owned(class, names, cx)?;
    cx.check_new_owner(owner, Some(found.namespace))?;
    cx.ddl(|ddl| ddl.own_named(&found, owner))
}

/// A large object that must be there.
pub(crate) fn existing_large_object(
    number: &ast::Expr,
    cx: &CommandContext<'_>,
) -> PgResult<(Oid, LargeObject)> {
    let text = match number {
        ast::Expr::AConst(c) => match &c.value {
            ast::ConstValue::Integer(i) => i.to_string(),
            ast::ConstValue::Float(f) => f.to_string(),
            _ => String::new(),
        },
        _ => String::new(),
    };
    let Ok(object) = text.parse().map(Oid) else {
        return Err(pg_err!(
            INVALID_TEXT_REPRESENTATION,
            "invalid input syntax for type oid: \"{text}\""
        ));
    };
    match cx.ddl(|ddl| ddl.large_object(object))? {
        Some(found) => Ok((object, found)),
        None => Err(pg_err!(UNDEFINED_OBJECT, "large object {object} does not exist")),
    }
}

/// A large object that must be there and belong to the user.
pub(crate) fn owned_large_object(number: &ast::Expr, cx: &CommandContext<'_>) -> PgResult<Oid> {
    let (object, found) = existing_large_object(number, cx)?;
    if cx.roles()?.owns(cx.user, found.owner) {
        return Ok(object);
    }
    Err(must_be_owner(ObjectKind::LargeObject, &object.to_string()))
}

impl CommandContext<'_> {
    /// What giving an object away takes: to be able to become its new owner, who may make such objects in its schema.
    pub(crate) fn check_new_owner(&self, owner: Oid, namespace: Option<Oid>) -> PgResult<()> {
        let roles = self.roles()?;
        if roles.is_superuser(self.user) {
            return Ok(());
        }
        if !roles.is_member_of(self.user, owner) {
            return Err(pg_err!(
                INSUFFICIENT_PRIVILEGE,
                "must be able to SET ROLE \"{}\"",
                self.role_name(owner)?
            ));
        }
        match namespace {
            Some(namespace) => self.check_may_create_in(owner, namespace),
            None => Ok(()),
        }
    }

    /// USAGE on a type or `permission denied for type t`.
    pub(crate) fn check_type_usage(&self, type_oid: Oid) -> PgResult<()> {
        let roles = self.roles()?;
        if roles.is_superuser(self.user) {
            return Ok(());
        }
        let view = self.view()?;
        let Some(desc) = view.type_desc(type_oid)? else {
            return Ok(());
        };
        // An array type is open to those to whom its element type is.
        let guarded_type = if desc.is_array { desc.element } else { type_oid };
        let Some((owner, acl)) = self.ddl(|ddl| ddl.type_privileges(guarded_type))? else {
            return Ok(());
        };
        let guarded = Guarded {
            kind: ObjectKind::Type,
            owner,
            acl: acl.as_deref(),
        };
        let name = catalog::format_type::format_type(&*view, guarded_type, -1)?;
        roles.check(self.user, guarded, Privilege::Usage, &name)
    }
}
