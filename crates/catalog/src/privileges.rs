//! Who may do what: roles, access control lists, and the errors of those who may not.
//!
//! An `aclitem` is kept in its text form, `grantee=privileges/grantor` with role names (an empty grantee is PUBLIC, `*` after a
//! letter is its grant option).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use common::{Oid, PgError, PgResult, pg_err};
use rustc_hash::FxHashMap;
use types::Datum;

use crate::columns::{pg_auth_members, pg_authid};
use crate::names::quote_identifier;
use crate::oids;
use crate::store::CatalogRead;

/// A role's attributes (`pg_authid`).
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Role {
    pub oid: Oid,
    pub name: Arc<str>,
    pub superuser: bool,
    pub inherit: bool,
    pub create_role: bool,
    pub create_db: bool,
    pub can_login: bool,
    pub replication: bool,
    pub bypass_rls: bool,
    pub password: Option<Arc<str>>,
}

/// All roles and who is a member of whom.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    by_oid: FxHashMap<Oid, Role>,
    /// Member to (role, inherits its privileges).
    member_of: FxHashMap<Oid, Vec<(Oid, bool)>>,
}

impl Roles {
    /// Reads `pg_authid` and `pg_auth_members`.
    pub fn load(read: &dyn CatalogRead) -> PgResult<Roles> {
        use pg_authid::*;
        let mut roles = Roles::default();
        for row in read.scan(oids::PG_AUTHID)? {
            let role = Role {
                oid: row.oid(OID),
                name: row.text(ROLNAME),
                superuser: row.bool(ROLSUPER),
                inherit: row.bool(ROLINHERIT),
                create_role: row.bool(ROLCREATEROLE),
                create_db: row.bool(ROLCREATEDB),
                can_login: row.bool(ROLCANLOGIN),
                replication: row.bool(ROLREPLICATION),
                bypass_rls: row.bool(ROLBYPASSRLS),
                password: row.text_opt(ROLPASSWORD),
            };
            roles.by_oid.insert(role.oid, role);
        }
        for row in read.scan(oids::PG_AUTH_MEMBERS)? {
            use pg_auth_members::*;
            let membership = (row.oid(ROLEID), row.bool(INHERIT_OPTION));
            roles
                .member_of
                .entry(row.oid(MEMBER))
                .or_default()
                .push(membership);
        }
        Ok(roles)
    }

    /// A role by OID.
    pub fn get(&self, oid: Oid) -> Option<&Role> {
        self.by_oid.get(&oid)
    }

    /// A role by name.
    pub fn by_name(&self, name: &str) -> Option<&Role> {
        self.by_oid.values().find(|r| &*r.name == name)
    }

    /// A role's name.
    pub fn name(&self, oid: Oid) -> Option<Arc<str>> {
        self.get(oid).map(|r| r.name.clone())
    }

    /// True for superusers, who may do everything.
    pub fn is_superuser(&self, oid: Oid) -> bool {
        self.get(oid).is_some_and(|r| r.superuser)
    }

    /// The role itself and every role whose privileges it has through inherited membership.
    pub fn roles_with_privileges(&self, oid: Oid) -> BTreeSet<Oid> {
        self.closure(oid, true)
    }

    /// PostgreSQL's `has_privs_of_role`.
    pub fn has_privileges_of(&self, member: Oid, role: Oid) -> bool {
        member == role || self.is_superuser(member) || self.closure(member, true).contains(&role)
    }

    /// PostgreSQL's `is_member_of_role`: through any membership.
    pub fn is_member_of(&self, member: Oid, role: Oid) -> bool {
        member == role || self.is_superuser(member) || self.closure(member, false).contains(&role)
    }

    fn closure(&self, oid: Oid, inherited_only: bool) -> BTreeSet<Oid> {
        let mut found = BTreeSet::from([oid]);
        let mut todo = vec![oid];
        while let Some(next) = todo.pop() {
            let memberships = self.member_of.get(&next).map(Vec::as_slice).unwrap_or_default();
            for (role, inherits) in memberships {
                if (*inherits || !inherited_only) && found.insert(*role) {
                    todo.push(*role);
                }
            }
        }
        found
    }
}

/// One privilege, by its letter in ACLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Privilege {
    Insert,
    Select,
    Update,
    Delete,
    Truncate,
    References,
    Trigger,
    Execute,
    Usage,
    Create,
    Temporary,
    Connect,
    Set,
    AlterSystem,
    Maintain,
}

impl Privilege {
    /// In the order in which ACLs print.
    pub const ALL: [Privilege; 15] = [
        Privilege::Insert,
        Privilege::Select,
        Privilege::Update,
        Privilege::Delete,
        Privilege::Truncate,
        Privilege::References,
        Privilege::Trigger,
        Privilege::Execute,
        Privilege::Usage,
        Privilege::Create,
        Privilege::Temporary,
        Privilege::Connect,
        Privilege::Set,
        Privilege::AlterSystem,
        Privilege::Maintain,
    ];

    /// The letter.
    pub fn letter(self) -> char {
        b"arwdDxtXUCTcsAm"[self as usize] as char
    }

    /// The word in GRANT.
    pub fn word(self) -> &'static str {
        const WORDS: [&str; 15] = [
            "INSERT",
            "SELECT",
            "UPDATE",
            "DELETE",
            "TRUNCATE",
            "REFERENCES",
            "TRIGGER",
            "EXECUTE",
            "USAGE",
            "CREATE",
            "TEMPORARY",
            "CONNECT",
            "SET",
            "ALTER SYSTEM",
            "MAINTAIN",
        ];
        WORDS[self as usize]
    }

    /// By the word in GRANT, whatever its case; `TEMP` is short for TEMPORARY.
    pub fn by_word(word: &str) -> Option<Privilege> {
        if word.eq_ignore_ascii_case("TEMP") {
            return Some(Privilege::Temporary);
        }
        let mut all = Privilege::ALL.into_iter();
        all.find(|p| p.word().eq_ignore_ascii_case(word))
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Kinds of objects that have privileges or owners, with PostgreSQL's words for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ObjectKind {
    Table,
    View,
    MaterializedView,
    ForeignTable,
    Index,
    Sequence,
    Schema,
    Database,
    Function,
    Procedure,
    Aggregate,
    Type,
    Language,
    Tablespace,
    Operator,
    OperatorClass,
    OperatorFamily,
    Collation,
    Statistics,
    Conversion,
    TextSearchConfiguration,
    TextSearchDictionary,
    LargeObject,
}

impl ObjectKind {
    /// The kind of a `relkind`.
    pub fn of_relkind(relkind: u8) -> ObjectKind {
        match relkind {
            b'v' => ObjectKind::View,
            b'm' => ObjectKind::MaterializedView,
            b'f' => ObjectKind::ForeignTable,
            b'i' | b'I' => ObjectKind::Index,
            b'S' => ObjectKind::Sequence,
            b'c' => ObjectKind::Type,
            _ => ObjectKind::Table,
        }
    }

    /// How messages call it.
    pub fn word(self) -> &'static str {
        match self {
            ObjectKind::Table => "table",
            ObjectKind::View => "view",
            ObjectKind::MaterializedView => "materialized view",
            ObjectKind::ForeignTable => "foreign table",
            ObjectKind::Index => "index",
            ObjectKind::Sequence => "sequence",
            ObjectKind::Schema => "schema",
            ObjectKind::Database => "database",
            ObjectKind::Function => "function",
            ObjectKind::Procedure => "procedure",
            ObjectKind::Aggregate => "aggregate",
            ObjectKind::Type => "type",
            ObjectKind::Language => "language",
            ObjectKind::Tablespace => "tablespace",
            ObjectKind::Operator => "operator",
            ObjectKind::OperatorClass => "operator class",
            ObjectKind::OperatorFamily => "operator family",
            ObjectKind::Collation => "collation",
            ObjectKind::Statistics => "statistics object",
            ObjectKind::Conversion => "conversion",
            ObjectKind::TextSearchConfiguration => "text search configuration",
            ObjectKind::TextSearchDictionary => "text search dictionary",
            ObjectKind::LargeObject => "large object",
        }
    }

    /// (owner's, PUBLIC's) letters when the ACL is NULL.
    fn defaults(self) -> (&'static str, &'static str) {
        match self {
            ObjectKind::Sequence => ("rwU", ""),
            ObjectKind::Schema => ("UC", ""),
            ObjectKind::Database => ("CTc", "Tc"),
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate => ("X", "X"),
            ObjectKind::Type | ObjectKind::Language => ("U", "U"),
            ObjectKind::Tablespace => ("C", ""),
            ObjectKind::LargeObject => ("rw", ""),
            _ => ("arwdDxtm", ""),
        }
    }
}

/// `permission denied for table x`.
pub fn permission_denied(kind: ObjectKind, name: &str) -> Box<PgError> {
    pg_err!(
        INSUFFICIENT_PRIVILEGE,
        "permission denied for {} {name}",
        kind.word()
    )
}

/// `must be owner of table x`.
pub fn must_be_owner(kind: ObjectKind, name: &str) -> Box<PgError> {
    let word = match kind {
        // PostgreSQL says so for partitioned and foreign tables too.
        ObjectKind::Index => "index",
        other => other.word(),
    };
    pg_err!(INSUFFICIENT_PRIVILEGE, "must be owner of {word} {name}")
}

/// Who owns an object and whom it is open to.
#[derive(Clone, Copy, Debug)]
pub struct Guarded<'a> {
    /// What it is.
    pub kind: ObjectKind,
    /// Its owner.
    pub owner: Oid,
    /// Its ACL, `None` for NULL: the defaults of the kind.
    pub acl: Option<&'a [Datum]>,
}

impl Roles {
    /// True if the user has the privilege on the object: as superuser, by the ACL, through a role or PUBLIC.
    pub fn may(&self, user: Oid, object: Guarded<'_>, privilege: Privilege) -> bool {
        self.is_superuser(user) || self.mask(user, object) & privilege.bit() != 0
    }

    /// True if the user may grant the privilege on.
    pub fn may_grant(&self, user: Oid, object: Guarded<'_>, privilege: Privilege) -> bool {
        if self.is_superuser(user) || self.owns(user, object.owner) {
            return true;
        }
        let mine = self.roles_with_privileges(user);
        let items = object.acl.unwrap_or_default().iter();
        items
            .filter_map(Datum::as_str)
            .filter_map(AclItem::parse)
            .filter(|item| self.by_name(&item.grantee).is_some_and(|r| mine.contains(&r.oid)))
            .any(|item| item.grant_options & privilege.bit() != 0)
    }

    /// True if the user owns the object, directly, through a role, or as superuser.
    pub fn owns(&self, user: Oid, owner: Oid) -> bool {
        self.has_privileges_of(user, owner)
    }

    /// The privilege or PostgreSQL's error.
    pub fn check(&self, user: Oid, object: Guarded<'_>, privilege: Privilege, name: &str) -> PgResult<()> {
        if self.may(user, object, privilege) {
            return Ok(());
        }
        Err(permission_denied(object.kind, name))
    }

    /// Ownership or PostgreSQL's error.
    pub fn check_owner(&self, user: Oid, object: Guarded<'_>, name: &str) -> PgResult<()> {
        if self.owns(user, object.owner) {
            return Ok(());
        }
        Err(must_be_owner(object.kind, name))
    }

    fn mask(&self, user: Oid, object: Guarded<'_>) -> u32 {
        let mine = self.roles_with_privileges(user);
        let Some(acl) = object.acl else {
            let (owner, public) = object.kind.defaults();
            let owner = if mine.contains(&object.owner) { owner } else { "" };
            return letters(owner) | letters(public);
        };
        let items = acl.iter().filter_map(Datum::as_str).filter_map(AclItem::parse);
        items
            .filter(|item| {
                item.grantee.is_empty() || self.by_name(&item.grantee).is_some_and(|r| mine.contains(&r.oid))
            })
            .fold(0, |mask, item| mask | item.privileges)
    }
}

fn letters(text: &str) -> u32 {
    let known = Privilege::ALL.iter().filter(|p| text.contains(p.letter()));
    known.fold(0, |mask, p| mask | p.bit())
}

/// One entry of an ACL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclItem {
    /// Role name; empty for PUBLIC.
    pub grantee: Arc<str>,
    /// Who granted.
    pub grantor: Arc<str>,
    /// Privileges, one bit each in the order of [`Privilege::ALL`].
    pub privileges: u32,
    /// Those of them that the grantee may grant on.
    pub grant_options: u32,
}

impl AclItem {
    /// True if the grantee may grant the privilege on.
    pub fn has_grant_option(&self, privilege: Privilege) -> bool {
        self.grant_options & privilege.bit() != 0
    }

    /// Reads `grantee=privileges/grantor`.
    pub fn parse(text: &str) -> Option<AclItem> {
        let (grantee, rest) = take_name(text)?;
        let rest = rest.strip_prefix('=')?;
        let (privileges, grantor) = rest.split_once('/')?;
        let (grantor, rest) = take_name(grantor)?;
        let mut item = AclItem {
            grantee: grantee.into(),
            grantor: grantor.into(),
            privileges: 0,
            grant_options: 0,
        };
        let mut last = 0;
        for c in privileges.chars() {
            if c == '*' {
                item.grant_options |= last;
                continue;
            }
            last = Privilege::ALL.iter().find(|p| p.letter() == c)?.bit();
            item.privileges |= last;
        }
        rest.is_empty().then_some(item)
    }

    /// True if it has the privilege.
    pub fn has(&self, privilege: Privilege) -> bool {
        self.privileges & privilege.bit() != 0
    }

    /// Adds a privilege, with its grant option or not.
    pub fn grant(&mut self, privilege: Privilege, with_option: GrantOption) {
        self.privileges |= privilege.bit();
        if with_option == GrantOption::With {
            self.grant_options |= privilege.bit();
        }
    }

    /// Takes a privilege away, or its grant option alone.
    pub fn revoke(&mut self, privilege: Privilege, what: RevokeWhat) {
        self.grant_options &= !privilege.bit();
        if what == RevokeWhat::Privilege {
            self.privileges &= !privilege.bit();
        }
    }
}

/// WITH GRANT OPTION or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum GrantOption {
    With,
    Without,
}

/// REVOKE or REVOKE GRANT OPTION FOR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum RevokeWhat {
    Privilege,
    GrantOption,
}

/// A role name from the front: in double quotes when it is not alphanumeric.
fn take_name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(['=', '/']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if chars.next_if(|(_, c)| *c == '"').is_some() => name.push('"'),
            '"' => return Some((name, &quoted[at + 1..])),
            _ => name.push(c),
        }
    }
    None
}

impl fmt::Display for AclItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let name = |name: &str| match plain(name) {
            true => name.to_owned(),
            false => format!("\"{}\"", name.replace('"', "\"\"")),
        };
        write!(f, "{}=", name(&self.grantee))?;
        for privilege in Privilege::ALL.iter().filter(|p| self.has(**p)) {
            let option = if self.grant_options & privilege.bit() != 0 {
                "*"
            } else {
                ""
            };
            write!(f, "{}{option}", privilege.letter())?;
        }
        write!(f, "/{}", name(&self.grantor))
    }
}

/// The ACL that NULL stands for, to start from when something is granted or revoked.
pub fn default_acl(kind: ObjectKind, owner: &str) -> Vec<AclItem> {
    let (of_owner, of_public) = kind.defaults();
    let item = |grantee: &str, text: &str| AclItem {
        grantee: grantee.into(),
        grantor: owner.into(),
        privileges: letters(text),
        grant_options: 0,
    };
    let mut acl = vec![item("", of_public), item(owner, of_owner)];
    acl.retain(|i| i.privileges != 0);
    acl
}

/// A role's name for messages that quote identifiers where needed.
pub fn role_identifier(name: &str) -> String {
    quote_identifier(name).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn acl_items_come_back_as_written() {
        for text in [
            "=r/postgres",
            "postgres=arwdDxtm/postgres",
            "bob=r*w/alice",
            "\"a b\"=X/\"x\"\"y\"",
            "=Tc/postgres",
        ] {
            assert_eq!(AclItem::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(AclItem::parse("bob=r"), None);
        assert_eq!(AclItem::parse("bob=?/alice"), None);
    }

    fn roles() -> Roles {
        let role = |oid: u32, name: &str, superuser| Role {
            oid: Oid(oid),
            name: name.into(),
            superuser,
            inherit: true,
            create_role: false,
            create_db: false,
            can_login: true,
            replication: false,
            bypass_rls: false,
            password: None,
        };
        let all = [
            role(10, "postgres", true),
            role(20, "alice", false),
            role(30, "bob", false),
            role(40, "staff", false),
        ];
        Roles {
            by_oid: all.into_iter().map(|r| (r.oid, r)).collect(),
            member_of: [(Oid(30), vec![(Oid(40), true)])].into_iter().collect(),
        }
    }

    #[test]
    fn owners_superusers_members_and_public_have_what_the_acl_says() {
        let roles = roles();
        let acl = [
            Datum::text("alice=arwdDxtm/alice"),
            Datum::text("staff=r/alice"),
            Datum::text("=a/alice"),
        ];
        let table = |acl| Guarded {
            kind: ObjectKind::Table,
            owner: Oid(20),
            acl,
        };
        let may = |user, acl, privilege| roles.may(Oid(user), table(acl), privilege);
        assert!(may(10, None, Privilege::Delete) && may(20, None, Privilege::Delete));
        assert!(!may(30, None, Privilege::Select));
        assert!(may(30, Some(&acl), Privilege::Select) && may(30, Some(&acl), Privilege::Insert));
        let refused = roles
            .check(Oid(30), table(Some(&acl)), Privilege::Delete, "t")
            .unwrap_err();
        assert_eq!(
            (refused.sqlstate.as_str(), refused.message.as_str()),
            ("42501", "permission denied for table t")
        );
        let refused = roles.check_owner(Oid(30), table(None), "t").unwrap_err();
        assert_eq!(refused.message, "must be owner of table t");
    }
}
