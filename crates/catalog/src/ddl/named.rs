//! Objects that are one row with a name, a schema and an owner: collations, conversions, text search objects, operator classes.
//!
//! PG: src/backend/commands/alter.c, catalog/objectaddress.c (`ObjectProperty`).

use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use types::Datum;

use crate::columns::{
    pg_am, pg_collation, pg_conversion, pg_opclass, pg_opfamily, pg_statistic_ext, pg_ts_config, pg_ts_dict,
    pg_ts_parser, pg_ts_template,
};
use crate::ddl::depend::DependencyType;
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::oids;
use crate::row::StoredRow;
use crate::view::CatalogView;

/// A kind of such objects: its catalog, whose first column is `oid`.
#[derive(Clone, Copy, Debug)]
pub struct NamedClass {
    /// The catalog.
    pub catalog: Oid,
    /// What messages call it.
    pub word: &'static str,
    name: usize,
    namespace: usize,
    owner: Option<usize>,
    /// The access method, for names that are unique for each.
    method: Option<usize>,
}

/// Collations.
pub const COLLATION: NamedClass = NamedClass {
    catalog: oids::PG_COLLATION,
    word: "collation",
    name: pg_collation::COLLNAME,
    namespace: pg_collation::COLLNAMESPACE,
    owner: Some(pg_collation::COLLOWNER),
    method: None,
};

/// Conversions.
pub const CONVERSION: NamedClass = NamedClass {
    catalog: oids::PG_CONVERSION,
    word: "conversion",
    name: pg_conversion::CONNAME,
    namespace: pg_conversion::CONNAMESPACE,
    owner: Some(pg_conversion::CONOWNER),
    method: None,
};

/// Text search configurations.
pub const TS_CONFIG: NamedClass = NamedClass {
    catalog: oids::PG_TS_CONFIG,
    word: "text search configuration",
    name: pg_ts_config::CFGNAME,
    namespace: pg_ts_config::CFGNAMESPACE,
    owner: Some(pg_ts_config::CFGOWNER),
    method: None,
};

/// Text search dictionaries.
pub const TS_DICT: NamedClass = NamedClass {
    catalog: oids::PG_TS_DICT,
    word: "text search dictionary",
    name: pg_ts_dict::DICTNAME,
    namespace: pg_ts_dict::DICTNAMESPACE,
    owner: Some(pg_ts_dict::DICTOWNER),
    method: None,
};

/// Text search parsers; they have no owner.
pub const TS_PARSER: NamedClass = NamedClass {
    catalog: oids::PG_TS_PARSER,
    word: "text search parser",
    name: pg_ts_parser::PRSNAME,
    namespace: pg_ts_parser::PRSNAMESPACE,
    owner: None,
    method: None,
};

/// Text search templates; they have no owner.
pub const TS_TEMPLATE: NamedClass = NamedClass {
    catalog: oids::PG_TS_TEMPLATE,
    word: "text search template",
    name: pg_ts_template::TMPLNAME,
    namespace: pg_ts_template::TMPLNAMESPACE,
    owner: None,
    method: None,
};

/// Extended statistics.
pub const STATISTICS: NamedClass = NamedClass {
    catalog: oids::PG_STATISTIC_EXT,
    word: "statistics object",
    name: pg_statistic_ext::STXNAME,
    namespace: pg_statistic_ext::STXNAMESPACE,
    owner: Some(pg_statistic_ext::STXOWNER),
    method: None,
};

/// Operator classes.
pub const OPCLASS: NamedClass = NamedClass {
    catalog: oids::PG_OPCLASS,
    word: "operator class",
    name: pg_opclass::OPCNAME,
    namespace: pg_opclass::OPCNAMESPACE,
    owner: Some(pg_opclass::OPCOWNER),
    method: Some(pg_opclass::OPCMETHOD),
};

/// Operator families.
pub const OPFAMILY: NamedClass = NamedClass {
    catalog: oids::PG_OPFAMILY,
    word: "operator family",
    name: pg_opfamily::OPFNAME,
    namespace: pg_opfamily::OPFNAMESPACE,
    owner: Some(pg_opfamily::OPFOWNER),
    method: Some(pg_opfamily::OPFMETHOD),
};

/// All of them.
pub const CLASSES: [NamedClass; 9] = [
    COLLATION,
    CONVERSION,
    TS_CONFIG,
    TS_DICT,
    TS_PARSER,
    TS_TEMPLATE,
    STATISTICS,
    OPCLASS,
    OPFAMILY,
];

/// An object found.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NamedObject {
    pub class: NamedClass,
    pub oid: Oid,
    pub name: String,
    pub namespace: Oid,
    /// `None`: only superusers may change it.
    pub owner: Option<Oid>,
    /// Of operator classes and families.
    pub method: Option<Oid>,
    /// Its row.
    pub row: StoredRow,
}

impl NamedObject {
    /// Where it is in the catalogs.
    pub fn address(&self) -> ObjectAddress {
        ObjectAddress::new(self.class.catalog, self.oid)
    }
}

impl NamedClass {
    /// True when names are unique for each access method only.
    pub fn is_of_method(self) -> bool {
        self.method.is_some()
    }

    fn object(self, row: StoredRow) -> NamedObject {
        NamedObject {
            class: self,
            oid: row.oid(0),
            name: row.text(self.name).to_string(),
            namespace: row.oid(self.namespace),
            owner: self.owner.map(|at| row.oid(at)),
            method: self.method.map(|at| row.oid(at)),
            row,
        }
    }
}

impl Ddl<'_> {
    /// The object of a name in a schema, or in the first of the search path that has one.
    pub fn find_named(
        &self,
        class: NamedClass,
        schema: Option<&str>,
        name: &str,
    ) -> PgResult<Option<NamedObject>> {
        self.find_of_method(class, None, schema, name)
    }

    /// The same of an access method.
    pub fn find_of_method(
        &self,
        class: NamedClass,
        method: Option<Oid>,
        schema: Option<&str>,
        name: &str,
    ) -> PgResult<Option<NamedObject>> {
        let schemas = match schema {
            Some(schema) => Vec::from_iter(self.view().namespace_by_name(schema)?),
            None => self.path.effective().to_vec(),
        };
        let mut rows = self.store.scan(class.catalog)?;
        rows.retain(|row| &*row.text(class.name) == name && class.method.map(|at| row.oid(at)) == method);
        for home in schemas {
            if let Some(at) = rows.iter().position(|r| r.oid(class.namespace) == home) {
                return Ok(Some(class.object(rows.swap_remove(at))));
            }
        }
        Ok(None)
    }

    /// The object with an OID.
    pub fn named_by_oid(&self, class: NamedClass, object: Oid) -> PgResult<Option<NamedObject>> {
        Ok(self.scan_for(class.catalog, object)?.map(|row| class.object(row)))
    }

    /// True when a schema has an object of that name.
    pub fn is_name_taken(&self, class: NamedClass, namespace: Oid, name: &str) -> PgResult<bool> {
        self.is_taken_of_method(class, None, namespace, name)
    }

    /// The same of an access method.
    pub fn is_taken_of_method(
        &self,
        class: NamedClass,
        method: Option<Oid>,
        namespace: Oid,
        name: &str,
    ) -> PgResult<bool> {
        let rows = self.store.scan(class.catalog)?;
        Ok(rows.iter().any(|r| {
            r.oid(class.namespace) == namespace
                && &*r.text(class.name) == name
                && class.method.map(|at| r.oid(at)) == method
        }))
    }

    /// The name of an access method.
    pub fn method_name(&self, method: Oid) -> PgResult<String> {
        let row = self.scan_for(oids::PG_AM, method)?;
        Ok(row.map_or_else(|| method.to_string(), |r| r.text(pg_am::AMNAME).to_string()))
    }

    /// Makes an object from its row (all but the OID), and records that it needs its schema.
    pub fn create_named(&mut self, class: NamedClass, mut row: Vec<Datum>) -> PgResult<Oid> {
        let made = self.store.new_oid()?;
        let namespace = row
            .get(class.namespace)
            .and_then(Datum::as_oid)
            .unwrap_or_default();
        if let Some(first) = row.first_mut() {
            *first = oid(made);
        }
        if let Some(at) = class.owner.and_then(|at| row.get_mut(at)) {
            *at = oid(self.user);
        }
        self.store.insert(class.catalog, row)?;
        let schema = ObjectAddress::new(oids::PG_NAMESPACE, namespace);
        let object = ObjectAddress::new(class.catalog, made);
        self.record_dependency(object, schema, DependencyType::Normal)?;
        Ok(made)
    }

    /// Changes columns of an object's row.
    pub fn alter_named(&mut self, object: &NamedObject, changes: &[(usize, Datum)]) -> PgResult<()> {
        self.set(object.class.catalog, object.row.clone(), changes)
    }

    /// ALTER ... RENAME TO.
    pub fn rename_named(&mut self, object: &NamedObject, new: &str) -> PgResult<()> {
        self.check_named_free(object, object.namespace, new)?;
        self.alter_named(object, &[(object.class.name, Datum::text(new))])
    }

    /// ALTER ... SET SCHEMA.
    pub fn move_named(&mut self, object: &NamedObject, namespace: Oid) -> PgResult<()> {
        if object.namespace == namespace {
            return Ok(());
        }
        self.check_named_free(object, namespace, &object.name)?;
        self.alter_named(object, &[(object.class.namespace, oid(namespace))])?;
        self.delete_dependencies(object.address(), Some(oids::PG_NAMESPACE))?;
        let schema = ObjectAddress::new(oids::PG_NAMESPACE, namespace);
        self.record_dependency(object.address(), schema, DependencyType::Normal)
    }

    /// ALTER ... OWNER TO.
    pub fn own_named(&mut self, object: &NamedObject, owner: Oid) -> PgResult<()> {
        match object.class.owner {
            Some(at) => self.alter_named(object, &[(at, oid(owner))]),
            None => Ok(()),
        }
    }

    /// A name that a new text search object wants; PostgreSQL leaves it to the catalog's index to complain.
    pub fn check_unique_name(&self, class: NamedClass, namespace: Oid, name: &str) -> PgResult<()> {
        if !self.is_name_taken(class, namespace, name)? {
            return Ok(());
        }
        let (catalog, prefix) = match class.catalog {
            oids::PG_TS_CONFIG => ("pg_ts_config", "cfg"),
            oids::PG_TS_DICT => ("pg_ts_dict", "dict"),
            oids::PG_TS_PARSER => ("pg_ts_parser", "prs"),
            _ => ("pg_ts_template", "tmpl"),
        };
        Err(pg_err!(
            UNIQUE_VIOLATION,
            "duplicate key value violates unique constraint \"{catalog}_{prefix}name_index\""
        )
        .detail(format!(
            "Key ({prefix}name, {prefix}namespace)=({name}, {namespace}) already exists."
        )))
    }

    /// `text search dictionary "d" already exists in schema "s"`: for an object that is to have a name.
    fn check_named_free(&self, object: &NamedObject, namespace: Oid, name: &str) -> PgResult<()> {
        let class = object.class;
        if !self.is_taken_of_method(class, object.method, namespace, name)? {
            return Ok(());
        }
        let schema = self.view().namespace_name(namespace)?.unwrap_or_default();
        let which = match (class.catalog, object.method) {
            (oids::PG_COLLATION, _) => " for encoding \"UTF8\"".to_owned(),
            (_, Some(method)) => format!(" for access method \"{}\"", self.method_name(method)?),
            _ => String::new(),
        };
        Err(pg_err!(
            DUPLICATE_OBJECT,
            "{} \"{name}\"{which} already exists in schema \"{schema}\"",
            class.word
        ))
    }

    /// `collation c`, qualified when the search path does not find it.
    pub(crate) fn describe_named(&self, class: NamedClass, object: Oid) -> PgResult<String> {
        let Some(found) = self.named_by_oid(class, object)? else {
            return Ok(format!("{} {object}", class.word));
        };
        let visible = self
            .find_of_method(class, found.method, None, &found.name)?
            .is_some_and(|o| o.oid == object);
        let schema = match visible {
            true => None,
            false => self.view().namespace_name(found.namespace)?,
        };
        let name = crate::names::quote_qualified(schema.as_deref(), &found.name);
        let method = match found.method {
            Some(method) => format!(" for access method {}", self.method_name(method)?),
            None => String::new(),
        };
        Ok(format!("{} {name}{method}", class.word))
    }
}
