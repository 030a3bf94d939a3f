//! Making types: row types with their array types, enums, domains.

use common::{Oid, PgResult, pg_err};
use types::Datum;
use types::settings::TypeRef;

use crate::builtin::rows::function_oid;
use crate::columns::{pg_enum, pg_type};
use crate::ddl::depend::DependencyType;
use crate::ddl::relation::NewRelation;
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::load;
use crate::oids;
use crate::view::CatalogView;

/// What makes kinds of types different in `pg_type`.
struct TypeShape {
    len: i16,
    by_val: bool,
    kind: u8,
    category: u8,
    align: u8,
    storage: u8,
    /// in, out, receive, send, analyze, subscript.
    functions: [Oid; 6],
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

    fn enumeration() -> TypeShape {
        TypeShape {
            len: 4,
            by_val: true,
            kind: b'e',
            category: b'E',
            align: b'i',
            storage: b'p',
            functions: functions(["enum_in", "enum_out", "enum_recv", "enum_send", "-", "-"]),
        }
    }
}

fn functions(names: [&str; 6]) -> [Oid; 6] {
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
    fn array_type_name(&self, namespace: Oid, element: &str, avoid: Option<&str>) -> PgResult<String> {
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
    fn create_array_type(
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

    fn type_row(&self, type_oid: Oid, namespace: Oid, name: &str, shape: &TypeShape) -> Vec<Datum> {
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
    fn check_type_name_free(&mut self, namespace: Oid, name: &str) -> PgResult<()> {
        match self.make_way_for_type(namespace, name)? {
            true => Ok(()),
            false => Err(pg_err!(DUPLICATE_OBJECT, "type \"{name}\" already exists")),
        }
    }

    /// CREATE TYPE ... AS ENUM.
    pub fn create_enum(&mut self, namespace: Oid, name: &str, labels: &[String]) -> PgResult<Oid> {
        self.check_type_name_free(namespace, name)?;
        for (at, label) in labels.iter().enumerate() {
            if label.len() > 63 {
                return Err(common::error::ErrorExt::detail(
                    pg_err!(INVALID_NAME, "invalid enum label \"{label}\""),
                    "Labels must be 63 bytes or less.",
                ));
            }
            if labels[..at].contains(label) {
                return Err(pg_err!(
                    DUPLICATE_OBJECT,
                    "enum label \"{label}\" used more than once"
                ));
            }
        }
        let type_oid = self.store.new_oid()?;
        let array = self.create_array_type(namespace, name, type_oid, b'i')?;
        let mut row = self.type_row(type_oid, namespace, name, &TypeShape::enumeration());
        row[pg_type::TYPARRAY] = oid(array);
        self.store.insert(oids::PG_TYPE, row)?;
        let schema = ObjectAddress::new(oids::PG_NAMESPACE, namespace);
        self.record_dependency(
            ObjectAddress::new(oids::PG_TYPE, type_oid),
            schema,
            DependencyType::Normal,
        )?;
        for (label, at) in labels.iter().zip(1u16..) {
            self.insert_enum_label(type_oid, label, f32::from(at))?;
        }
        Ok(type_oid)
    }

    /// One label with its place in the order.
    pub fn insert_enum_label(&mut self, type_oid: Oid, label: &str, order: f32) -> PgResult<Oid> {
        use pg_enum::*;
        let label_oid = self.store.new_oid()?;
        let mut row = vec![Datum::Null; COUNT];
        row[OID] = oid(label_oid);
        row[ENUMTYPID] = oid(type_oid);
        row[ENUMSORTORDER] = Datum::Float4(order);
        row[ENUMLABEL] = Datum::text(label);
        self.store.insert(oids::PG_ENUM, row)?;
        Ok(label_oid)
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
        if let Some(facts) = types::builtin::type_row(new.base.oid) {
            row[TYPOUTPUT] = oid(function_oid(facts.typoutput));
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
        let domain = ObjectAddress::new(oids::PG_TYPE, type_oid);
        let schema = ObjectAddress::new(oids::PG_NAMESPACE, new.namespace);
        self.record_dependency(domain, schema, DependencyType::Normal)?;
        let base = ObjectAddress::new(oids::PG_TYPE, new.base.oid);
        self.record_dependency(domain, base, DependencyType::Normal)?;
        if let Some((expr, _)) = &new.default {
            self.record_expr_dependencies(domain, expr, Oid::INVALID, DependencyType::Normal)?;
        }
        Ok(type_oid)
    }
}
