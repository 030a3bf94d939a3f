//! `has_*_privilege`, `pg_has_role`, `acldefault`, `aclexplode`.
//!
//! PG: src/backend/utils/adt/acl.c.

use std::sync::Arc;

use catalog::CatalogView;
use catalog::columns as c;
use catalog::desc::RelationDesc;
use catalog::oids;
use catalog::privileges::{AclItem, Guarded, ObjectKind, Privilege, Roles, default_acl};
use catalog::row::StoredRow;
use catalog::store::{CatalogRead, key_oid};
use common::{Oid, PgResult, pg_err};
use functions::framework::session::{ColumnRef, ObjectClass, ObjectRef, PrivilegeQuestion};
use types::{ArrayValue, Datum};

use crate::session::core::SessionCore;
use crate::session::env::StatementEnv;
use crate::session::names::Names;
use crate::session::system::oid;

/// A privilege asked for, and whether the right to grant it.
pub(super) type Asked = (Privilege, bool);

/// `SELECT, INSERT WITH GRANT OPTION`: any of them will do.
pub(super) fn parse(list: &str, allowed: &str) -> PgResult<Vec<Asked>> {
    const OPTION: &str = " WITH GRANT OPTION";
    let mut asked = Vec::new();
    for word in list.split(',').map(str::trim) {
        let split = word
            .len()
            .checked_sub(OPTION.len())
            .filter(|at| word.is_char_boundary(*at));
        let (name, grant) = match split {
            Some(at) if word[at..].eq_ignore_ascii_case(OPTION) => (&word[..at], true),
            _ => (word, false),
        };
        match Privilege::by_word(name).filter(|p| allowed.contains(p.letter())) {
            Some(privilege) => asked.push((privilege, grant)),
            None => {
                return Err(pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "unrecognized privilege type: \"{word}\""
                ));
            }
        }
    }
    Ok(asked)
}

fn any(roles: &Roles, user: Oid, object: Guarded<'_>, asked: &[Asked]) -> bool {
    asked.iter().any(|(privilege, grant)| {
        if *grant {
            roles.may_grant(user, object, *privilege)
        } else {
            roles.may(user, object, *privilege)
        }
    })
}

/// The letters of all privileges.
pub(super) const EVERY_LETTER: &str = types::io_acl::LETTERS;
const RELATION: &str = "arwdDxtm";
const COLUMN: &str = "arwx";

/// Where objects of a class are kept: catalog, its index by OID, positions of owner and ACL, privileges, kind.
struct Place {
    catalog: Oid,
    index: Oid,
    owner: usize,
    acl: usize,
    letters: &'static str,
    kind: ObjectKind,
}

fn place(class: ObjectClass) -> Option<Place> {
    let of = |catalog, index, (owner, acl), letters, kind| {
        Some(Place {
            catalog,
            index,
            owner,
            acl,
            letters,
            kind,
        })
    };
    match class {
        ObjectClass::Database => of(
            oids::PG_DATABASE,
            oids::PG_DATABASE_OID_INDEX,
            (c::pg_database::DATDBA, c::pg_database::DATACL),
            "CTc",
            ObjectKind::Database,
        ),
        ObjectClass::Function => of(
            oids::PG_PROC,
            oids::PG_PROC_OID_INDEX,
            (c::pg_proc::PROOWNER, c::pg_proc::PROACL),
            "X",
            ObjectKind::Function,
        ),
        ObjectClass::Language => of(
            oids::PG_LANGUAGE,
            oids::PG_LANGUAGE_OID_INDEX,
            (c::pg_language::LANOWNER, c::pg_language::LANACL),
            "U",
            ObjectKind::Language,
        ),
        ObjectClass::Schema => of(
            oids::PG_NAMESPACE,
            oids::PG_NAMESPACE_OID_INDEX,
            (c::pg_namespace::NSPOWNER, c::pg_namespace::NSPACL),
            "UC",
            ObjectKind::Schema,
        ),
        ObjectClass::Tablespace => of(
            oids::PG_TABLESPACE,
            oids::PG_TABLESPACE_OID_INDEX,
            (c::pg_tablespace::SPCOWNER, c::pg_tablespace::SPCACL),
            "C",
            ObjectKind::Tablespace,
        ),
        ObjectClass::Type => of(
            oids::PG_TYPE,
            oids::PG_TYPE_OID_INDEX,
            (c::pg_type::TYPOWNER, c::pg_type::TYPACL),
            "U",
            ObjectKind::Type,
        ),
        _ => None,
    }
}

/// An OID without its object: superusers may do everything with it, and names of numbers end in an error.
fn gone(roles: &Roles, user: Oid, q: &PrivilegeQuestion<'_>, object: Oid) -> PgResult<Option<bool>> {
    if roles.is_superuser(user) {
        return Ok(Some(true));
    }
    match (q.object, q.class) {
        (ObjectRef::Name(_), ObjectClass::Type) => {
            Err(pg_err!(UNDEFINED_OBJECT, "type with OID {object} does not exist"))
        }
        (ObjectRef::Name(_), ObjectClass::Function) => Err(pg_err!(
            UNDEFINED_FUNCTION,
            "function with OID {object} does not exist"
        )),
        _ => Ok(None),
    }
}

/// There are no foreign servers and wrappers: none exists by name, and one by OID is gone.
fn foreign_privilege(q: &PrivilegeQuestion<'_>) -> PgResult<Option<bool>> {
    if let ObjectRef::Name(name) = q.object {
        let what = match q.class {
            ObjectClass::Server => "server",
            _ => "foreign-data wrapper",
        };
        return Err(pg_err!(UNDEFINED_OBJECT, "{what} \"{name}\" does not exist"));
    }
    parse(q.privilege, "U")?;
    Ok(None)
}

fn guarded_relation(desc: &RelationDesc) -> Guarded<'_> {
    Guarded {
        kind: ObjectKind::of_relkind(desc.relkind),
        owner: desc.owner,
        acl: desc.acl.as_deref(),
    }
}

impl Names {
    /// A role by name or OID; `public` is nobody in particular.
    fn role(&self, roles: &Roles, role: ObjectRef<'_>) -> PgResult<Oid> {
        match role {
            ObjectRef::Oid(oid) => Ok(oid),
            ObjectRef::Name("public") => Ok(Oid::INVALID),
            ObjectRef::Name(name) => roles
                .by_name(name)
                .map(|r| r.oid)
                .ok_or_else(|| pg_err!(UNDEFINED_OBJECT, "role \"{name}\" does not exist")),
        }
    }

    fn relation_of(&self, object: ObjectRef<'_>) -> PgResult<Option<Arc<RelationDesc>>> {
        let oid = match object {
            ObjectRef::Oid(oid) => oid,
            ObjectRef::Name(name) => self.known_relation(name)?,
        };
        self.view.relation(oid)
    }

    /// A row of a catalog by its OID, built-in ones included.
    fn object_row(&self, place: &Place, oid: Oid) -> PgResult<Option<StoredRow>> {
        let rows = self.view.rows().lookup_all(place.index, &[key_oid(oid)])?;
        Ok(rows.into_iter().next())
    }

    fn object_oid(&self, class: ObjectClass, place: &Place, name: &str) -> PgResult<Oid> {
        let missing = |what: &str| pg_err!(UNDEFINED_OBJECT, "{what} \"{name}\" does not exist");
        let named = |at: usize| -> PgResult<Option<Oid>> {
            let rows = self.view.rows().scan(place.catalog)?;
            Ok(rows.iter().find(|r| &*r.text(at) == name).map(|r| r.oid(0)))
        };
        match class {
            ObjectClass::Schema => self
                .view
                .namespace_by_name(name)?
                .ok_or_else(|| pg_err!(UNDEFINED_SCHEMA, "schema \"{name}\" does not exist")),
            // The input functions take it for no object.
            ObjectClass::Type if name == "-" => Err(missing("type")),
            ObjectClass::Function if name == "-" => {
                Err(pg_err!(UNDEFINED_FUNCTION, "function \"-\" does not exist"))
            }
            ObjectClass::Type => match self.object(types::io::RegKind::Type, name)? {
                Oid::INVALID => Err(missing("type")),
                found => Ok(found),
            },
            ObjectClass::Function => match self.object(types::io::RegKind::Procedure, name)? {
                Oid::INVALID => Err(pg_err!(UNDEFINED_FUNCTION, "function \"{name}\" does not exist")),
                found => Ok(found),
            },
            ObjectClass::Database => named(c::pg_database::DATNAME)?
                .ok_or_else(|| pg_err!(UNDEFINED_DATABASE, "database \"{name}\" does not exist")),
            ObjectClass::Language => named(c::pg_language::LANNAME)?.ok_or_else(|| missing("language")),
            _ => named(c::pg_tablespace::SPCNAME)?.ok_or_else(|| missing("tablespace")),
        }
    }

    /// `has_*_privilege`; `None` when the object is gone.
    pub fn has_privilege(&self, core: &SessionCore, q: &PrivilegeQuestion<'_>) -> PgResult<Option<bool>> {
        let roles = self.view.roles()?;
        let user = match q.user {
            None => core.user.get(),
            Some(role) => self.role(&roles, role)?,
        };
        match q.class {
            ObjectClass::Table | ObjectClass::Sequence => {
                let sequence = q.class == ObjectClass::Sequence;
                // Which of two errors comes first is PostgreSQL's choice.
                let (desc, asked) = if sequence {
                    let asked = parse(q.privilege, "rwU")?;
                    (self.relation_of(q.object)?, asked)
                } else {
                    (self.relation_of(q.object)?, parse(q.privilege, RELATION)?)
                };
                let Some(desc) = desc else { return Ok(None) };
                if sequence && desc.relkind != b'S' {
                    return Err(pg_err!(WRONG_OBJECT_TYPE, "\"{}\" is not a sequence", desc.name));
                }
                Ok(Some(any(&roles, user, guarded_relation(&desc), &asked)))
            }
            ObjectClass::Column => self.column_privilege(&roles, user, q),
            class => {
                let Some(place) = place(class) else {
                    return foreign_privilege(q);
                };
                let object = match q.object {
                    ObjectRef::Oid(oid) => oid,
                    ObjectRef::Name(name) => self.object_oid(class, &place, name)?,
                };
                let asked = parse(q.privilege, place.letters)?;
                let Some(row) = self.object_row(&place, object)? else {
                    return gone(&roles, user, q, object);
                };
                let object = Guarded {
                    kind: place.kind,
                    owner: row.oid(place.owner),
                    acl: row.list_opt(place.acl),
                };
                Ok(Some(any(&roles, user, object, &asked)))
            }
        }
    }

    fn column_privilege(
        &self,
        roles: &Roles,
        user: Oid,
        q: &PrivilegeQuestion<'_>,
    ) -> PgResult<Option<bool>> {
        let Some(desc) = self.relation_of(q.object)? else {
            parse(q.privilege, COLUMN)?;
            return Ok(None);
        };
        let columns: Vec<_> = match q.column {
            Some(column) if is_system_column(&desc, column) => Vec::new(),
            Some(ColumnRef::Name(name)) => match desc.column_by_name(name) {
                Some(column) => vec![column],
                None => {
                    return Err(pg_err!(
                        UNDEFINED_COLUMN,
                        "column \"{name}\" of relation \"{}\" does not exist",
                        desc.name
                    ));
                }
            },
            Some(ColumnRef::Number(number)) => match desc.column(number).filter(|c| !c.dropped) {
                Some(column) => vec![column],
                None => {
                    parse(q.privilege, COLUMN)?;
                    return Ok(None);
                }
            },
            None => desc.columns.iter().filter(|c| !c.dropped).collect(),
        };
        let asked = parse(q.privilege, COLUMN)?;
        if any(roles, user, guarded_relation(&desc), &asked) {
            return Ok(Some(true));
        }
        let found = columns.iter().any(|column| {
            let object = Guarded {
                kind: ObjectKind::Table,
                owner: desc.owner,
                acl: Some(column.acl.as_deref().unwrap_or_default()),
            };
            any(roles, user, object, &asked)
        });
        Ok(Some(found))
    }
}

/// `ctid` and its like have no privileges of their own.
fn is_system_column(desc: &RelationDesc, column: ColumnRef<'_>) -> bool {
    const NAMES: [&str; 6] = ["ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"];
    let has_some = !matches!(desc.relkind, b'v' | b'c' | b'i' | b'I');
    has_some
        && match column {
            ColumnRef::Name(name) => NAMES.contains(&name),
            ColumnRef::Number(number) => (-6..0).contains(&number),
        }
}

/// User and object by their datums: names or OIDs.
fn reference(datum: &Datum) -> ObjectRef<'_> {
    match datum {
        Datum::Oid(oid) => ObjectRef::Oid(Oid(*oid)),
        other => ObjectRef::Name(other.as_str().unwrap_or_default()),
    }
}

impl StatementEnv<'_> {
    /// `has_column_privilege`, `has_any_column_privilege`, `has_parameter_privilege`, `has_largeobject_privilege` in all their forms.
    pub(super) fn has_general_privilege(&self, kind: &str, args: &[Datum]) -> PgResult<Datum> {
        let columns = kind.starts_with("column_");
        let with_user = args.len() > if columns { 3 } else { 2 };
        let (user, rest) = match args {
            [user, rest @ ..] if with_user => (Some(reference(user)), rest),
            rest => (None, rest),
        };
        let [object, .., privilege] = rest else {
            return Ok(Datum::Null);
        };
        if kind.starts_with("parameter_") {
            parse(privilege.as_str().unwrap_or_default(), "sA")?;
            let roles = self.view.roles()?;
            let user = match user {
                None => self.core.user.get(),
                Some(role) => self.names.role(&roles, role)?,
            };
            return Ok(Datum::Bool(roles.is_superuser(user)));
        }
        if kind.starts_with("largeobject_") {
            return self.large_object_privilege(user, object, privilege);
        }
        let column = match rest.get(1) {
            Some(Datum::Int2(number)) if columns => Some(ColumnRef::Number(*number)),
            Some(name) if columns => Some(ColumnRef::Name(name.as_str().unwrap_or_default())),
            _ => None,
        };
        let question = PrivilegeQuestion {
            user,
            class: ObjectClass::Column,
            object: reference(object),
            column,
            privilege: privilege.as_str().unwrap_or_default(),
        };
        let answer = self.names.has_privilege(self.core, &question)?;
        Ok(answer.map_or(Datum::Null, Datum::Bool))
    }

    /// NULL where there is no such large object.
    fn large_object_privilege(
        &self,
        user: Option<ObjectRef<'_>>,
        object: &Datum,
        privilege: &Datum,
    ) -> PgResult<Datum> {
        let roles = self.view.roles()?;
        let user = match user {
            None => self.core.user.get(),
            Some(role) => self.names.role(&roles, role)?,
        };
        let asked = parse(privilege.as_str().unwrap_or_default(), "rw")?;
        let Some(facts) = self.large_object_facts(object.as_oid().unwrap_or_default())? else {
            return Ok(Datum::Null);
        };
        let object = Guarded {
            kind: ObjectKind::LargeObject,
            owner: facts.owner,
            acl: facts.acl.as_deref(),
        };
        let free = self.core.guc.borrow().get_bool("lo_compat_privileges");
        Ok(Datum::Bool(free || any(&roles, user, object, &asked)))
    }

    /// `pg_has_role([user,] role, privilege)`.
    pub(super) fn has_role(&self, args: &[Datum]) -> PgResult<bool> {
        let roles = self.view.roles()?;
        let (user, rest) = match args {
            [user, rest @ ..] if args.len() > 2 => (self.names.role(&roles, reference(user))?, rest),
            rest => (self.core.user.get(), rest),
        };
        let [role, privilege] = rest else { return Ok(false) };
        let role = self.names.role(&roles, reference(role))?;
        let list = privilege.as_str().unwrap_or_default();
        for word in list.split(',').map(str::trim) {
            let found = match word.to_ascii_uppercase().as_str() {
                "USAGE" => roles.has_privileges_of(user, role),
                "MEMBER" | "SET" => roles.is_member_of(user, role),
                "USAGE WITH GRANT OPTION"
                | "USAGE WITH ADMIN OPTION"
                | "MEMBER WITH GRANT OPTION"
                | "MEMBER WITH ADMIN OPTION"
                | "SET WITH GRANT OPTION"
                | "SET WITH ADMIN OPTION" => roles.is_superuser(user) || self.is_admin(user, role)?,
                _ => {
                    return Err(pg_err!(
                        INVALID_PARAMETER_VALUE,
                        "unrecognized privilege type: \"{word}\""
                    ));
                }
            };
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_admin(&self, user: Oid, role: Oid) -> PgResult<bool> {
        use c::pg_auth_members::*;
        let rows = self.view.rows().scan(oids::PG_AUTH_MEMBERS)?;
        let roles = self.view.roles()?;
        Ok(rows.iter().any(|r| {
            r.oid(ROLEID) == role && r.bool(ADMIN_OPTION) && roles.is_member_of(user, r.oid(MEMBER))
        }))
    }

    /// `acldefault(kind, owner)`.
    pub(super) fn default_acl(&self, args: &[Datum]) -> PgResult<Datum> {
        let Some(Datum::Char(kind)) = args.first() else {
            return Ok(Datum::Null);
        };
        let owner = oid(args, 1);
        let name = match self.view.role_name(owner)? {
            Some(name) => name.to_string(),
            None => owner.to_string(),
        };
        // Nobody as grantee is everybody.
        let grantee = if owner.is_valid() { name.as_str() } else { "" };
        let items: Vec<String> = match kind {
            b'c' => Vec::new(),
            b'L' => vec![format!("{grantee}=rw/{name}")],
            b'p' => vec![format!("{grantee}=sA/{name}")],
            b'F' | b'S' => vec![format!("{grantee}=U/{name}")],
            letter => {
                let kind = match letter {
                    b'r' => ObjectKind::Table,
                    b's' => ObjectKind::Sequence,
                    b'd' => ObjectKind::Database,
                    b'f' => ObjectKind::Function,
                    b'l' => ObjectKind::Language,
                    b'n' => ObjectKind::Schema,
                    b't' => ObjectKind::Tablespace,
                    b'T' => ObjectKind::Type,
                    other => {
                        let other = Some(char::from(*other)).filter(|c| *c != '\0');
                        return Err(pg_err!(
                            INVALID_PARAMETER_VALUE,
                            "unrecognized object type abbreviation: {}",
                            other.map_or_else(String::new, String::from)
                        ));
                    }
                };
                default_acl(kind, &name).iter().map(ToString::to_string).collect()
            }
        };
        let items = items.into_iter().map(Datum::text).collect();
        Ok(Datum::Array(Arc::new(ArrayValue::from_elements(
            types::oids::ACLITEM,
            items,
        ))))
    }

    /// `aclexplode`: grantor, grantee, privilege, grantable.
    pub(super) fn explode_acl(&self, args: &[Datum]) -> Vec<Vec<Datum>> {
        let Some(Datum::Array(acl)) = args.first() else {
            return Vec::new();
        };
        let roles = self.view.roles();
        let number = |name: &str| {
            let found = roles.as_ref().ok().and_then(|r| r.by_name(name).map(|r| r.oid));
            Datum::Oid(found.map_or(0, |o| o.0))
        };
        let mut rows = Vec::new();
        for item in acl
            .elements
            .iter()
            .filter_map(Datum::as_str)
            .filter_map(AclItem::parse)
        {
            for privilege in Privilege::ALL.into_iter().filter(|p| item.has(*p)) {
                rows.push(vec![
                    number(&item.grantor),
                    number(&item.grantee),
                    Datum::text(privilege.word()),
                    Datum::Bool(item.has_grant_option(privilege)),
                ]);
            }
        }
        rows
    }
}
