//! Making and changing types: row types with their array types, domains; names, owners and schemas of all kinds.
//!
//! Enums and ranges have files of their own.

use common::{Oid, PgResult, pg_err};
use types::Datum;
use types::settings::TypeRef;

use crate::builtin::rows::function_oid;
use crate::columns::pg_type;
use crate::ddl::depend::DependencyType;
use crate::ddl::relation::NewRelation;
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::load;
use crate::oids;
use crate::view::CatalogView;

/// What makes kinds of types different in `pg_type`.
pub(crate) struct TypeShape {
    pub len: i16,
    pub by_val: bool,
    pub kind: u8,
    pub category: u8,
    pub align: u8,
    pub storage: u8,
    /// in, out, receive, send, analyze, subscript.
    pub functions: [Oid; 6],
}

impl TypeShape {
    fn composite() -> TypeShape {
        TypeShape {
            len: -1,
            by_val: false,
            kind: b'c',
            category: b'C',
            align: b'd',
            storage: b'x',
            functions: functions(["record_in", "record_out", "record_recv", "record_send", "-", "-"]),
        }
    }

    fn array(align: u8) -> TypeShape {
        let names = [
            "array_in",
            "array_out",
            "array_recv",
            "array_send",
            "array_typanalyze",
            "array_subscript_handler",
        ];
        TypeShape {
            len: -1,
            by_val: false,
            kind: b'b',
            category: b'A',
            // Elements of type `double precision` alignment need the same of the array.
            align: if align == b'd' { b'd' } else { b'i' },
            storage: b'x',
            functions: functions(names),
        }
    }
}

pub(crate) fn functions(names: [&str; 6]) -> [Oid; 6] {
    names.map(|name| {
        if name == "-" {
            Oid::INVALID
        } else {
            function_oid(name)
        }
    })
}

/// A domain to make.
#[derive(Clone, Debug)]
pub struct NewDomain {
    /// Its name.
    pub name: String,
    /// Its schema.
    pub namespace: Oid,
    /// The type it restricts, with modifier.
    pub base: TypeRef,
    /// Its collation.
    pub collation: Oid,
    /// NOT NULL.
    pub not_null: bool,
    /// Default: stored expression and its SQL text.
    pub default: Option<(nodes::Expr, String)>,
}

impl Ddl<'_> {
    /// Owner and privileges of a type made by a user; those of built-in types are the defaults.
    pub fn type_privileges(&self, type_oid: Oid) -> PgResult<Option<(Oid, Option<Vec<Datum>>)>> {
        let row = self.find(oids::PG_TYPE_OID_INDEX, type_oid)?;
        Ok(row.map(|row| {
            let acl = row.list_opt(pg_type::TYPACL).map(<[Datum]>::to_vec);
            (row.oid(pg_type::TYPOWNER), acl)
        }))
    }

    /// True when a type may be called so: an array type of that name, which nobody chose, gives way by taking another.
    pub(crate) fn make_way_for_type(&mut self, namespace: Oid, name: &str) -> PgResult<bool> {
        if crate::builtin::types::type_by_name(namespace, name).is_some() {
            return Ok(false);
        }
        let Some(existing) = load::types::type_oid(&self.view().rows(), namespace, name)? else {
            return Ok(true);
        };
        let view = self.view();
        let Some(desc) = view.type_desc(existing)? else {
            return Ok(true);
        };
        let element = if desc.is_array {
            view.type_desc(desc.element)?
        } else {
            None
        };
        let Some(element) = element.filter(|e| e.array == existing) else {
            return Ok(false);
        };
        let other = self.array_type_name(namespace, &element.name, Some(name))?;
        let row = self.get(oids::PG_TYPE_OID_INDEX, existing)?;
        self.set(oids::PG_TYPE, row, &[(pg_type::TYPNAME, Datum::text(other))])?;
        Ok(true)
    }

    /// `_name`, with more underscores while taken.
    pub(crate) fn array_type_name(
        &self,
        namespace: Oid,
        element: &str,
        avoid: Option<&str>,
    ) -> PgResult<String> {
        let mut underscores = 1;
        loop {
            let mut name = "_".repeat(underscores);
            let room = 63usize.saturating_sub(underscores);
            name.extend(
                element
                    .char_indices()
                    .take_while(|(at, c)| at + c.len_utf8() <= room)
                    .map(|(_, c)| c),
            );
            let taken = avoid == Some(name.as_str())
                || crate::builtin::types::type_by_name(namespace, &name).is_some()
                || load::types::type_oid(&self.view().rows(), namespace, &name)?.is_some();
            if !taken {
                return Ok(name);
            }
            underscores += 1;
        }
    }

    /// The composite type of a relation's rows and the array type of it.
    pub(crate) fn create_row_type(&mut self, new: &NewRelation, relation: Oid) -> PgResult<Oid> {
        let row_type = self.store.new_oid()?;
        let array = self.create_array_type(new.namespace, &new.name, row_type, b'd')?;
        let mut row = self.type_row(row_type, new.namespace, &new.name, &TypeShape::composite());
        row[pg_type::TYPRELID] = oid(relation);
        row[pg_type::TYPARRAY] = oid(array);
        self.store.insert(oids::PG_TYPE, row)?;
        let type_object = ObjectAddress::new(oids::PG_TYPE, row_type);
        let relation = ObjectAddress::new(oids::PG_CLASS, relation);
        if new.relkind == b'c' {
            // A free-standing composite type: the relation is part of the type.
            let schema = ObjectAddress::new(oids::PG_NAMESPACE, new.namespace);
            self.record_dependency(type_object, schema, DependencyType::Normal)?;
            self.record_dependency(relation, type_object, DependencyType::Internal)?;
        } else {
            self.record_dependency(type_object, relation, DependencyType::Internal)?;
        }
        Ok(row_type)
    }

    /// An array type, part of its element type.
    pub(crate) fn create_array_type(
        &mut self,
        namespace: Oid,
        element_name: &str,
        element: Oid,
        align: u8,
    ) -> PgResult<Oid> {
        let array = self.store.new_oid()?;
        let name = self.array_type_name(namespace, element_name, None)?;
        let mut row = self.type_row(array, namespace, &name, &TypeShape::array(align));
        row[pg_type::TYPELEM] = oid(element);
        self.store.insert(oids::PG_TYPE, row)?;
        let element = ObjectAddress::new(oids::PG_TYPE, element);
        self.record_dependency(
            ObjectAddress::new(oids::PG_TYPE, array),
            element,
            DependencyType::Internal,
        )?;
        Ok(array)
    }

    pub(crate) fn type_row(
        &self,
        type_oid: Oid,
        namespace: Oid,
        name: &str,
        shape: &TypeShape,
    ) -> Vec<Datum> {
        use pg_type::*;
        let mut row = vec![Datum::Null; COUNT];
        row[OID] = oid(type_oid);
        row[TYPNAME] = Datum::text(name);
        row[TYPNAMESPACE] = oid(namespace);
        row[TYPOWNER] = oid(self.user);
        row[TYPLEN] = Datum::Int2(shape.len);
        row[TYPBYVAL] = Datum::Bool(shape.by_val);
        row[TYPTYPE] = Datum::Char(shape.kind);
        row[TYPCATEGORY] = Datum::Char(shape.category);
        row[TYPISPREFERRED] = Datum::Bool(false);
        row[TYPISDEFINED] = Datum::Bool(true);
        row[TYPDELIM] = Datum::Char(b',');
        row[TYPALIGN] = Datum::Char(shape.align);
        row[TYPSTORAGE] = Datum::Char(shape.storage);
        row[TYPNOTNULL] = Datum::Bool(false);
        row[TYPTYPMOD] = Datum::Int4(-1);
        row[TYPNDIMS] = Datum::Int4(0);
        for none in [
            TYPRELID,
            TYPELEM,
            TYPARRAY,
            TYPMODIN,
            TYPMODOUT,
            TYPBASETYPE,
            TYPCOLLATION,
        ] {
            row[none] = oid(Oid::INVALID);
        }
        let places = [TYPINPUT, TYPOUTPUT, TYPRECEIVE, TYPSEND, TYPANALYZE, TYPSUBSCRIPT];
        for (place, function) in places.into_iter().zip(shape.functions) {
            row[place] = oid(function);
        }
        row
    }

    /// `type "x" already exists`.
    pub fn check_type_name_free(&mut self, namespace: Oid, name: &str) -> PgResult<()> {
        match self.make_way_for_type(namespace, name)? {
            true => Ok(()),
            false => Err(pg_err!(DUPLICATE_OBJECT, "type \"{name}\" already exists")),
        }
    }

    /// CREATE DOMAIN; its constraints follow as `pg_constraint` rows.
    pub fn create_domain(&mut self, new: &NewDomain) -> PgResult<Oid> {
        use pg_type::*;
        self.check_type_name_free(new.namespace, &new.name)?;
        let Some(base) = self.view().type_desc(new.base.oid)? else {
            return Err(common::internal!("cache lookup failed for type {}", new.base.oid));
        };
        let type_oid = self.store.new_oid()?;
        let array = self.create_array_type(new.namespace, &new.name, type_oid, base.align)?;
        let shape = TypeShape {
            len: base.len,
            by_val: base.by_val,
            kind: b'd',
            category: base.category,
            align: base.align,
            storage: if base.len == -1 { b'x' } else { b'p' },
            functions: functions(["domain_in", "-", "domain_recv", "-", "-", "-"]),
        };
        let mut row = self.type_row(type_oid, new.namespace, &new.name, &shape);
        match types::builtin::type_row(new.base.oid) {
            Some(facts) => row[TYPOUTPUT] = oid(function_oid(facts.typoutput)),
            None => {
                let base = self.get(oids::PG_TYPE_OID_INDEX, new.base.oid)?;
                row[TYPOUTPUT] = oid(base.oid(TYPOUTPUT));
            }
        }
        row[TYPARRAY] = oid(array);
        row[TYPBASETYPE] = oid(new.base.oid);
        row[TYPTYPMOD] = Datum::Int4(new.base.typmod);
        row[TYPCOLLATION] = oid(new.collation);
        row[TYPNOTNULL] = Datum::Bool(new.not_null);
        if let Some((expr, sql)) = &new.default {
            row[TYPDEFAULTBIN] = Datum::text(nodes::serial::encode_expr(expr)?);
            row[TYPDEFAULT] = Datum::text(sql.as_str());
        }
        self.store.insert(oids::PG_TYPE, row)?;
        let domain = self.record_type_schema(type_oid, new.namespace)?;
        let base = ObjectAddress::new(oids::PG_TYPE, new.base.oid);
        self.record_dependency(domain, base, DependencyType::Normal)?;
        if let Some((expr, _)) = &new.default {
            self.record_expr_dependencies(domain, expr, Oid::INVALID, DependencyType::Normal)?;
        }
        Ok(type_oid)
    }

    /// CREATE TYPE without anything: a name for functions to refer to.
    pub fn create_shell_type(&mut self, namespace: Oid, name: &str) -> PgResult<Oid> {
        self.check_type_name_free(namespace, name)?;
        let shape = TypeShape {
            len: 4,
            by_val: true,
            kind: b'p',
            category: b'P',
            align: b'i',
            storage: b'p',
            functions: functions(["shell_in", "shell_out", "-", "-", "-", "-"]),
        };
        let type_oid = self.store.new_oid()?;
        let mut row = self.type_row(type_oid, namespace, name, &shape);
        row[pg_type::TYPISDEFINED] = Datum::Bool(false);
        self.store.insert(oids::PG_TYPE, row)?;
        self.record_type_schema(type_oid, namespace)?;
        Ok(type_oid)
    }

    /// A type of its own needs its schema.
    pub(crate) fn record_type_schema(&mut self, type_oid: Oid, namespace: Oid) -> PgResult<ObjectAddress> {
        let object = ObjectAddress::new(oids::PG_TYPE, type_oid);
        let schema = ObjectAddress::new(oids::PG_NAMESPACE, namespace);
        self.record_dependency(object, schema, DependencyType::Normal)?;
        Ok(object)
    }

    /// ALTER DOMAIN ... SET DEFAULT: stored expression and its SQL text; `None` drops it.
    pub fn set_domain_default(&mut self, domain: Oid, default: Option<(&nodes::Expr, &str)>) -> PgResult<()> {
        use pg_type::{TYPDEFAULT, TYPDEFAULTBIN};
        let row = self.get(oids::PG_TYPE_OID_INDEX, domain)?;
        let (stored, text) = match default {
            Some((expr, sql)) => (Datum::text(nodes::serial::encode_expr(expr)?), Datum::text(sql)),
            None => (Datum::Null, Datum::Null),
        };
        self.set(oids::PG_TYPE, row, &[(TYPDEFAULTBIN, stored), (TYPDEFAULT, text)])?;
        match default {
            Some((expr, _)) => {
                let object = ObjectAddress::new(oids::PG_TYPE, domain);
                self.record_expr_dependencies(object, expr, Oid::INVALID, DependencyType::Normal)
            }
            None => Ok(()),
        }
    }

    /// Any columns of `pg_type`.
    pub fn alter_type(&mut self, type_oid: Oid, changes: &[(usize, Datum)]) -> PgResult<()> {
        let row = self.get(oids::PG_TYPE_OID_INDEX, type_oid)?;
        self.set(oids::PG_TYPE, row, changes)
    }

    /// ALTER TYPE ... RENAME TO: the array type follows.
    pub fn rename_type(&mut self, type_oid: Oid, new: &str) -> PgResult<()> {
        let row = self.get(oids::PG_TYPE_OID_INDEX, type_oid)?;
        let (namespace, array) = (row.oid(pg_type::TYPNAMESPACE), row.oid(pg_type::TYPARRAY));
        self.check_type_name_free(namespace, new)?;
        self.set(oids::PG_TYPE, row, &[(pg_type::TYPNAME, Datum::text(new))])?;
        if array.is_valid() {
            let name = self.array_type_name(namespace, new, None)?;
            self.alter_type(array, &[(pg_type::TYPNAME, Datum::text(name))])?;
        }
        Ok(())
    }

    /// ALTER TYPE ... OWNER TO, with the array type and the multirange type.
    pub fn set_type_owner(&mut self, type_oid: Oid, owner: Oid) -> PgResult<()> {
        for member in self.type_family(type_oid)? {
            self.alter_type(member, &[(pg_type::TYPOWNER, oid(owner))])?;
        }
        Ok(())
    }

    /// ALTER TYPE ... SET SCHEMA, with the array type, the multirange type and a domain's constraints.
    pub fn set_type_namespace(&mut self, type_oid: Oid, namespace: Oid) -> PgResult<()> {
        let row = self.get(oids::PG_TYPE_OID_INDEX, type_oid)?;
        let (old, name) = (row.oid(pg_type::TYPNAMESPACE), row.text(pg_type::TYPNAME));
        if old == namespace {
            return Ok(());
        }
        if !self.make_way_for_type(namespace, &name)? {
            let schema = CatalogView::namespace_name(&self.view(), namespace)?;
            return Err(pg_err!(
                DUPLICATE_OBJECT,
                "type \"{name}\" already exists in schema \"{}\"",
                schema.as_deref().unwrap_or("???")
            ));
        }
        for member in self.type_family(type_oid)? {
            self.alter_type(member, &[(pg_type::TYPNAMESPACE, oid(namespace))])?;
        }
        for constraint in self.domain_constraint_rows(type_oid)? {
            let moved = (crate::columns::pg_constraint::CONNAMESPACE, oid(namespace));
            self.set(oids::PG_CONSTRAINT, constraint, &[moved])?;
        }
        self.change_namespace_dependency(ObjectAddress::new(oids::PG_TYPE, type_oid), old, namespace)
    }

    /// A type and the types that were made with it.
    fn type_family(&self, type_oid: Oid) -> PgResult<Vec<Oid>> {
        use crate::columns::pg_range;
        let mut family = vec![type_oid];
        let ranges = self
            .store
            .lookup(oids::PG_RANGE_RNGTYPID_INDEX, &[crate::store::key_oid(type_oid)])?;
        family.extend(ranges.iter().map(|row| row.oid(pg_range::RNGMULTITYPID)));
        for at in 0..family.len() {
            let row = self.get(oids::PG_TYPE_OID_INDEX, family[at])?;
            family.push(row.oid(pg_type::TYPARRAY));
        }
        family.retain(|member| member.is_valid());
        Ok(family)
    }

    /// Constraints of a domain itself.
    pub(crate) fn domain_constraint_rows(&self, domain: Oid) -> PgResult<Vec<crate::row::StoredRow>> {
        self.store.lookup(
            oids::PG_CONSTRAINT_CONTYPID_INDEX,
            &[crate::store::key_oid(domain)],
        )
    }

    /// `constraint "c" for domain "d" already exists`.
    pub fn check_domain_constraint_name_free(&self, domain: Oid, name: &str) -> PgResult<()> {
        use crate::columns::pg_constraint::CONNAME;
        let rows = self.domain_constraint_rows(domain)?;
        if rows.iter().any(|row| &*row.text(CONNAME) == name) {
            let shown = crate::format_type::format_type(&self.view(), domain, -1)?;
            return Err(pg_err!(
                DUPLICATE_OBJECT,
                "constraint \"{name}\" for domain {shown} already exists"
            ));
        }
        Ok(())
    }

    /// ALTER DOMAIN ... RENAME CONSTRAINT.
    pub fn rename_domain_constraint(&mut self, domain: Oid, constraint: Oid, new: &str) -> PgResult<()> {
        self.check_domain_constraint_name_free(domain, new)?;
        self.alter_constraint(
            constraint,
            &[(crate::columns::pg_constraint::CONNAME, Datum::text(new))],
        )
    }
}
