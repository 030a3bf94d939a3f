//! Record variables: structure and fields.

use std::sync::Arc;

use catalog::CatalogView;
use common::{Oid, PgResult};
use types::settings::TypeRef;
use types::{Datum, FieldNames, RecordValue, oids};

/// The structure of a record.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Its composite type; `record` for none.
    pub type_oid: Oid,
    pub names: FieldNames,
    pub types: Vec<TypeRef>,
}

impl Shape {
    pub fn anonymous(names: FieldNames, types: Vec<TypeRef>) -> Shape {
        Shape {
            type_oid: oids::RECORD,
            names,
            types,
        }
    }

    /// The columns of a composite type (or a domain over one) that are not dropped.
    pub fn of_type(type_oid: Oid, view: &dyn CatalogView) -> PgResult<Arc<Shape>> {
        let mut desc = view.type_desc(type_oid)?;
        while let Some(d) = &desc
            && d.kind == b'd'
        {
            desc = view.type_desc(d.base_type)?;
        }
        let Some(relation) = desc.as_ref().map(|d| d.relation).filter(|r| r.is_valid()) else {
            return Err(common::internal!("type {type_oid} is not composite"));
        };
        let Some(relation) = view.relation(relation)? else {
            return Err(common::internal!("cache lookup failed for relation {relation}"));
        };
        let live = relation.columns.iter().filter(|c| !c.dropped);
        let (names, types): (Vec<Box<str>>, Vec<TypeRef>) =
            live.map(|c| (Box::from(&*c.name), c.type_ref)).unzip();
        Ok(Arc::new(Shape {
            type_oid,
            names: names.into(),
            types,
        }))
    }

    /// The structure of a value, as far as the value itself tells it.
    pub fn of_value(value: &RecordValue, view: &dyn CatalogView) -> PgResult<Arc<Shape>> {
        if value.type_oid != oids::RECORD {
            return Shape::of_type(value.type_oid, view);
        }
        let names: FieldNames = match &value.names {
            Some(names) if names.len() == value.fields.len() => names.clone(),
            _ => (1..=value.fields.len())
                .map(|k| Box::from(format!("f{k}")))
                .collect::<Vec<Box<str>>>()
                .into(),
        };
        let types = value.field_types.iter().map(|t| TypeRef::plain(*t)).collect();
        Ok(Arc::new(Shape::anonymous(names, types)))
    }

    /// Where a field is.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| **n == *name)
    }

    /// A value of this structure.
    pub fn value(&self, fields: Vec<Datum>) -> Datum {
        Datum::Record(Arc::new(RecordValue {
            type_oid: self.type_oid,
            field_types: self.types.iter().map(|t| t.oid).collect(),
            fields,
            names: (self.type_oid == oids::RECORD).then(|| self.names.clone()),
        }))
    }
}

/// What a record variable holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// `None`: not assigned yet.
    pub shape: Option<Arc<Shape>>,
    pub fields: Vec<Datum>,
    /// The whole is NULL, not only its fields.
    pub is_null: bool,
}

impl Record {
    pub fn new(shape: Arc<Shape>, fields: Vec<Datum>) -> Record {
        Record {
            shape: Some(shape),
            fields,
            is_null: false,
        }
    }

    /// All fields NULL.
    pub fn nulls(shape: Arc<Shape>) -> Record {
        Record {
            fields: vec![Datum::Null; shape.types.len()],
            shape: Some(shape),
            is_null: false,
        }
    }

    /// As one value.
    pub fn value(&self) -> Datum {
        match &self.shape {
            Some(shape) if !self.is_null => shape.value(self.fields.clone()),
            _ => Datum::Null,
        }
    }
}
