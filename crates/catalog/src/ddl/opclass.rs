//! Operator classes and families: rows of `pg_opclass`, `pg_opfamily`, and of `pg_amop` and `pg_amproc`, their members.
//!
//! PG: src/backend/commands/opclasscmds.c (`storeOperators`, `storeProcedures`).

use common::{Oid, PgResult, pg_err};
use types::Datum;

use crate::columns::{pg_amop, pg_amproc, pg_opclass, pg_opfamily};
use crate::ddl::depend::DependencyType;
use crate::ddl::named::{OPCLASS, OPFAMILY};
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::format_type::format_type;
use crate::oids;
use crate::row::StoredRow;
use crate::store::key_oid;

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// An operator to search with.
    Search,
    /// An operator to order by, in the order of a B-tree family.
    Ordering(Oid),
    /// A support function.
    Function,
}

/// A member of an operator family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Member {
    pub kind: MemberKind,
    /// Strategy or support number.
    pub number: i16,
    pub left: Oid,
    pub right: Oid,
    /// The operator or function; invalid where only the place in the family counts.
    pub object: Oid,
}

impl Member {
    /// True when both stand at the same place of the family.
    pub fn same_place(&self, other: &Member) -> bool {
        (self.word(), self.number, self.left, self.right)
            == (other.word(), other.number, other.left, other.right)
    }

    /// What messages call it.
    pub fn word(&self) -> &'static str {
        match self.kind {
            MemberKind::Function => "function",
            _ => "operator",
        }
    }

    fn catalog(&self) -> Oid {
        match self.kind {
            MemberKind::Function => oids::PG_AMPROC,
            _ => oids::PG_AMOP,
        }
    }
}

/// CREATE OPERATOR CLASS, names resolved.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NewOpclass {
    pub name: String,
    pub namespace: Oid,
    pub method: Oid,
    pub family: Oid,
    pub input_type: Oid,
    /// Invalid: the input type.
    pub key_type: Oid,
    pub is_default: bool,
}

impl Ddl<'_> {
    /// CREATE OPERATOR FAMILY.
    pub fn create_opfamily(&mut self, method: Oid, namespace: Oid, name: &str) -> PgResult<Oid> {
        if self.is_taken_of_method(OPFAMILY, Some(method), namespace, name)? {
            return Err(pg_err!(
                DUPLICATE_OBJECT,
                "operator family \"{name}\" for access method \"{}\" already exists",
                self.method_name(method)?
            ));
        }
        let mut row = vec![Datum::Null; pg_opfamily::COUNT];
        row[pg_opfamily::OPFMETHOD] = oid(method);
        row[pg_opfamily::OPFNAME] = Datum::text(name);
        row[pg_opfamily::OPFNAMESPACE] = oid(namespace);
        self.create_named(OPFAMILY, row)
    }

    /// CREATE OPERATOR CLASS, without its members.
    pub fn create_opclass(&mut self, new: &NewOpclass) -> PgResult<Oid> {
        let mut row = vec![Datum::Null; pg_opclass::COUNT];
        row[pg_opclass::OPCMETHOD] = oid(new.method);
        row[pg_opclass::OPCNAME] = Datum::text(new.name.as_str());
        row[pg_opclass::OPCNAMESPACE] = oid(new.namespace);
        row[pg_opclass::OPCFAMILY] = oid(new.family);
        row[pg_opclass::OPCINTYPE] = oid(new.input_type);
        row[pg_opclass::OPCDEFAULT] = Datum::Bool(new.is_default);
        row[pg_opclass::OPCKEYTYPE] = oid(new.key_type);
        let made = self.create_named(OPCLASS, row)?;
        let class = ObjectAddress::new(oids::PG_OPCLASS, made);
        let family = ObjectAddress::new(oids::PG_OPFAMILY, new.family);
        self.record_dependency(class, family, DependencyType::Auto)?;
        self.record_needs(class, oids::PG_TYPE, &[new.input_type, new.key_type])?;
        Ok(made)
    }

    /// The row at a place of a family.
    pub fn family_member(&self, family: Oid, place: &Member) -> PgResult<Option<StoredRow>> {
        let index = match place.kind {
            MemberKind::Function => oids::PG_AMPROC_FAM_PROC_INDEX,
            _ => oids::PG_AMOP_FAM_STRAT_INDEX,
        };
        let key = [
            key_oid(family),
            key_oid(place.left),
            key_oid(place.right),
            Datum::Int2(place.number),
        ];
        Ok(self.store.lookup_all(index, &key)?.into_iter().next())
    }

    /// `1(integer,bigint)`.
    pub fn member_place(&self, place: &Member) -> PgResult<String> {
        let view = self.view();
        Ok(format!(
            "{}({},{})",
            place.number,
            format_type(&view, place.left, -1)?,
            format_type(&view, place.right, -1)?
        ))
    }

    /// Adds a member to a family; with a class it is the class's, and goes and stays with it.
    pub fn add_family_member(
        &mut self,
        family: Oid,
        method: Oid,
        member: &Member,
        class: Option<Oid>,
    ) -> PgResult<()> {
        if self.family_member(family, member)?.is_some() {
            let name = self.named_by_oid(OPFAMILY, family)?.map(|f| f.name);
            return Err(pg_err!(
                DUPLICATE_OBJECT,
                "{} {} already exists in operator family \"{}\"",
                member.word(),
                self.member_place(member)?,
                name.unwrap_or_default()
            ));
        }
        let made = self.store.new_oid()?;
        self.store
            .insert(member.catalog(), member_row(made, family, method, member))?;
        let address = ObjectAddress::new(member.catalog(), made);
        let (owner, own) = match class {
            Some(class) => (
                ObjectAddress::new(oids::PG_OPCLASS, class),
                DependencyType::Internal,
            ),
            None => (
                ObjectAddress::new(oids::PG_OPFAMILY, family),
                DependencyType::Auto,
            ),
        };
        let object = match member.kind {
            MemberKind::Function => ObjectAddress::new(oids::PG_PROC, member.object),
            _ => ObjectAddress::new(oids::PG_OPERATOR, member.object),
        };
        let needs = match class {
            Some(_) => DependencyType::Normal,
            None => DependencyType::Auto,
        };
        self.record_dependency(address, object, needs)?;
        self.record_dependency(address, owner, own)?;
        if let MemberKind::Ordering(order) = member.kind {
            let order = ObjectAddress::new(oids::PG_OPFAMILY, order);
            self.record_dependency(address, order, needs)?;
        }
        Ok(())
    }

    /// `operator 1 (integer, bigint) of operator family f for access method btree: <(integer,bigint)`.
    pub(crate) fn describe_member(&self, member: ObjectAddress) -> PgResult<String> {
        let is_function = member.class == oids::PG_AMPROC;
        let (index, word) = match is_function {
            true => (oids::PG_AMPROC_OID_INDEX, "function"),
            false => (oids::PG_AMOP_OID_INDEX, "operator"),
        };
        let Some(row) = self.find(index, member.object)? else {
            return Ok(format!("{word} {}", member.object));
        };
        // Both catalogs begin alike.
        let family = ObjectAddress::new(oids::PG_OPFAMILY, row.oid(pg_amop::AMOPFAMILY));
        let object = match is_function {
            true => ObjectAddress::new(oids::PG_PROC, row.oid(pg_amproc::AMPROC)),
            false => ObjectAddress::new(oids::PG_OPERATOR, row.oid(pg_amop::AMOPOPR)),
        };
        let object = self.describe(object)?;
        let (view, name) = (self.view(), object.split_once(' ').map_or("", |(_, name)| name));
        Ok(format!(
            "{word} {} ({}, {}) of {}: {name}",
            row.int2(pg_amop::AMOPSTRATEGY),
            format_type(&view, row.oid(pg_amop::AMOPLEFTTYPE), -1)?,
            format_type(&view, row.oid(pg_amop::AMOPRIGHTTYPE), -1)?,
            self.describe(family)?
        ))
    }
}

fn member_row(made: Oid, family: Oid, method: Oid, member: &Member) -> Vec<Datum> {
    let place = [
        oid(made),
        oid(family),
        oid(member.left),
        oid(member.right),
        Datum::Int2(member.number),
    ];
    let mut row = place.to_vec();
    let (purpose, order) = match member.kind {
        MemberKind::Function => {
            row.push(oid(member.object));
            return row;
        }
        MemberKind::Search => (b's', Oid::INVALID),
        MemberKind::Ordering(order) => (b'o', order),
    };
    row.extend([Datum::Char(purpose), oid(member.object), oid(method), oid(order)]);
    row
}
