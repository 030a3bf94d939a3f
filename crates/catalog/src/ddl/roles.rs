//! Roles, memberships and databases: their rows.

use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use types::Datum;

use crate::columns::{pg_auth_members, pg_authid, pg_database};
use crate::ddl::{Ddl, oid};
use crate::oids;
use crate::privileges::Roles;

/// A role to make.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NewRole {
    pub name: String,
    pub superuser: bool,
    pub inherit: bool,
    pub create_role: bool,
    pub create_db: bool,
    pub can_login: bool,
    pub replication: bool,
    pub bypass_rls: bool,
    pub connection_limit: i32,
    /// The stored (hashed) password.
    pub password: Option<String>,
    /// Microseconds since 2000-01-01.
    pub valid_until: Option<i64>,
}

impl NewRole {
    /// CREATE ROLE without options.
    pub fn new(name: impl Into<String>) -> NewRole {
        NewRole {
            name: name.into(),
            superuser: false,
            inherit: true,
            create_role: false,
            create_db: false,
            can_login: false,
            replication: false,
            bypass_rls: false,
            connection_limit: -1,
            password: None,
            valid_until: None,
        }
    }
}

impl Ddl<'_> {
    /// CREATE ROLE.
    pub fn create_role(&mut self, new: &NewRole) -> PgResult<Oid> {
        use pg_authid::*;
        self.check_role_name(&new.name)?;
        let role = self.store.new_oid()?;
        let mut row = vec![Datum::Null; COUNT];
        row[OID] = oid(role);
        row[ROLNAME] = Datum::text(new.name.as_str());
        row[ROLSUPER] = Datum::Bool(new.superuser);
        row[ROLINHERIT] = Datum::Bool(new.inherit);
        row[ROLCREATEROLE] = Datum::Bool(new.create_role);
        row[ROLCREATEDB] = Datum::Bool(new.create_db);
        row[ROLCANLOGIN] = Datum::Bool(new.can_login);
        row[ROLREPLICATION] = Datum::Bool(new.replication);
        row[ROLBYPASSRLS] = Datum::Bool(new.bypass_rls);
        row[ROLCONNLIMIT] = Datum::Int4(new.connection_limit);
        row[ROLPASSWORD] = new.password.as_deref().map_or(Datum::Null, Datum::text);
        row[ROLVALIDUNTIL] = new.valid_until.map_or(Datum::Null, Datum::Int8);
        self.store.insert(oids::PG_AUTHID, row)?;
        Ok(role)
    }

    fn check_role_name(&self, name: &str) -> PgResult<()> {
        if matches!(name, "public" | "none") {
            return Err(pg_err!(RESERVED_NAME, "role name \"{name}\" is reserved"));
        }
        if name.starts_with("pg_") {
            return Err(pg_err!(RESERVED_NAME, "role name \"{name}\" is reserved")
                .detail("Role names starting with \"pg_\" are reserved."));
        }
        if Roles::load(&*self.store)?.by_name(name).is_some() {
            return Err(pg_err!(DUPLICATE_OBJECT, "role \"{name}\" already exists"));
        }
        Ok(())
    }

    /// ALTER ROLE: any columns of `pg_authid`.
    pub fn alter_role(&mut self, name: &str, changes: &[(usize, Datum)]) -> PgResult<Oid> {
        let rows = self.store.scan(oids::PG_AUTHID)?;
        let Some(row) = rows
            .into_iter()
            .find(|row| &*row.text(pg_authid::ROLNAME) == name)
        else {
            return Err(pg_err!(UNDEFINED_OBJECT, "role \"{name}\" does not exist"));
        };
        let role = row.oid(pg_authid::OID);
        self.set(oids::PG_AUTHID, row, changes)?;
        Ok(role)
    }

    /// GRANT role TO member.
    pub fn grant_role(&mut self, role: Oid, member: Oid, options: MembershipOptions) -> PgResult<()> {
        use pg_auth_members::*;
        let membership = self.store.new_oid()?;
        let mut row = vec![Datum::Null; COUNT];
        row[OID] = oid(membership);
        row[ROLEID] = oid(role);
        row[MEMBER] = oid(member);
        row[GRANTOR] = oid(self.user);
        row[ADMIN_OPTION] = Datum::Bool(options.admin);
        row[INHERIT_OPTION] = Datum::Bool(options.inherit);
        row[SET_OPTION] = Datum::Bool(options.set);
        let existing = self.store.scan(oids::PG_AUTH_MEMBERS)?;
        match existing
            .into_iter()
            .find(|m| m.oid(ROLEID) == role && m.oid(MEMBER) == member)
        {
            Some(old) => {
                row[OID] = old.datum(OID).clone();
                self.store.update(oids::PG_AUTH_MEMBERS, old.row, row)
            }
            None => self.store.insert(oids::PG_AUTH_MEMBERS, row),
        }
    }

    /// REVOKE role FROM member; false if it was none.
    pub fn revoke_role(&mut self, role: Oid, member: Oid) -> PgResult<bool> {
        use pg_auth_members::*;
        let existing = self.store.scan(oids::PG_AUTH_MEMBERS)?;
        match existing
            .into_iter()
            .find(|m| m.oid(ROLEID) == role && m.oid(MEMBER) == member)
        {
            Some(old) => self.store.delete(oids::PG_AUTH_MEMBERS, old.row).map(|()| true),
            None => Ok(false),
        }
    }

    /// DROP ROLE, without the check that nothing belongs to it.
    pub fn drop_role(&mut self, name: &str) -> PgResult<()> {
        let rows = self.store.scan(oids::PG_AUTHID)?;
        let Some(row) = rows
            .into_iter()
            .find(|row| &*row.text(pg_authid::ROLNAME) == name)
        else {
            return Err(pg_err!(UNDEFINED_OBJECT, "role \"{name}\" does not exist"));
        };
        let role = row.oid(pg_authid::OID);
        for membership in self.store.scan(oids::PG_AUTH_MEMBERS)? {
            use pg_auth_members::*;
            if membership.oid(ROLEID) == role || membership.oid(MEMBER) == role {
                self.store.delete(oids::PG_AUTH_MEMBERS, membership.row)?;
            }
        }
        self.store.delete(oids::PG_AUTHID, row.row)
    }

    /// Another name for a database; 42P04 when there is one of that name.
    pub fn rename_database(&mut self, database: Oid, name: &str) -> PgResult<()> {
        use pg_database::*;
        let rows = self.store.scan(oids::PG_DATABASE)?;
        if rows.iter().any(|row| &*row.text(DATNAME) == name) {
            return Err(pg_err!(DUPLICATE_DATABASE, "database \"{name}\" already exists"));
        }
        match rows.into_iter().find(|row| row.oid(OID) == database) {
            Some(row) => self.set(oids::PG_DATABASE, row, &[(DATNAME, Datum::text(name))]),
            None => Err(pg_err!(UNDEFINED_DATABASE, "database \"{name}\" does not exist")),
        }
    }

    /// A `pg_database` row like that of `template1`.
    pub fn create_database_row(&mut self, name: &str) -> PgResult<Oid> {
        use pg_database::*;
        let rows = self.store.scan(oids::PG_DATABASE)?;
        if rows.iter().any(|row| &*row.text(DATNAME) == name) {
            return Err(pg_err!(DUPLICATE_DATABASE, "database \"{name}\" already exists"));
        }
        let Some(template) = rows.iter().find(|row| &*row.text(DATNAME) == "template1") else {
            return Err(pg_err!(
                UNDEFINED_DATABASE,
                "template database \"template1\" does not exist"
            ));
        };
        let database = self.store.new_oid()?;
        let mut row = template.values.clone();
        row[OID] = oid(database);
        row[DATNAME] = Datum::text(name);
        row[DATDBA] = oid(self.user);
        row[DATISTEMPLATE] = Datum::Bool(false);
        row[DATACL] = Datum::Null;
        self.store.insert(oids::PG_DATABASE, row)?;
        Ok(database)
    }
}

/// WITH ADMIN, INHERIT, SET options of a membership.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct MembershipOptions {
    pub admin: bool,
    pub inherit: bool,
    pub set: bool,
}
