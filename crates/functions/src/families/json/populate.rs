//! JSON to SQL values of any type: the conversion behind `json_populate_record` and SQL/JSON's RETURNING.
//!
//! PG: src/backend/utils/adt/jsonfuncs.c (`populate_record_field`).

use std::sync::Arc;

use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err};
use types::io::{self, CompositeField, UserType};
use types::{ArrayDim, ArrayValue, Datum, RecordValue, builtin, oids};

use crate::families::json::source::{Shape, Source};
use crate::framework::context::FnContext;

/// A type to convert to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) type_oid: Oid,
    pub(crate) typmod: i32,
}

/// What kind of type it is.
enum TargetKind {
    Scalar,
    Array(Oid),
    Composite(Vec<CompositeField>),
    Domain(Target),
}

fn target_kind(type_oid: Oid, ctx: &FnContext<'_>) -> PgResult<TargetKind> {
    if let Some(row) = builtin::type_row(type_oid) {
        if row.is_array() {
            return Ok(TargetKind::Array(row.typelem));
        }
        if row.typtype != b'c' && !row.typbasetype.is_valid() {
            return Ok(TargetKind::Scalar);
        }
    }
    Ok(match ctx.io().names().user_type(type_oid)? {
        Some(UserType::Array { element, .. }) => TargetKind::Array(element),
        Some(UserType::Composite { fields }) => TargetKind::Composite(fields),
        Some(UserType::Domain { base, typmod }) => TargetKind::Domain(Target {
            type_oid: base,
            typmod,
        }),
        _ => TargetKind::Scalar,
    })
}

/// The fields of a composite type or of a domain over one; `None` for other types.
pub(crate) fn composite_fields(type_oid: Oid, ctx: &FnContext<'_>) -> PgResult<Option<Vec<CompositeField>>> {
    match target_kind(type_oid, ctx)? {
        TargetKind::Composite(fields) => Ok(Some(fields)),
        TargetKind::Domain(base) => composite_fields(base.type_oid, ctx),
        _ => Ok(None),
    }
}

/// Converts a value (`None`: the key is missing). `default` is the value that a record had before, `name` the column for hints.
pub(crate) fn convert(
    source: Option<Source<'_>>,
    target: Target,
    name: Option<&str>,
    default: &Datum,
    ctx: &FnContext<'_>,
) -> PgResult<Datum> {
    let shape = source.map_or(Ok(Shape::Null), |s| s.shape())?;
    let kind = target_kind(target.type_oid, ctx)?;
    let null = shape == Shape::Null;
    match (kind, source) {
        (TargetKind::Domain(base), _) => {
            let value = if null {
                Datum::Null
            } else {
                convert(source, base, name, default, ctx)?
            };
            ctx.io().names().check_domain(target.type_oid, &value)?;
            Ok(value)
        }
        (_, None) => Ok(Datum::Null),
        (_, Some(_)) if null => Ok(Datum::Null),
        (TargetKind::Array(element), Some(s)) if shape != Shape::String => {
            let mut build = ArrayBuild {
                target: Target {
                    type_oid: element,
                    typmod: target.typmod,
                },
                name,
                ctx,
                dims: Vec::new(),
                known: 0,
                sizes: vec![0],
                elements: Vec::new(),
            };
            build.dimension(s, 1)?;
            build.finish()
        }
        (TargetKind::Composite(fields), Some(s)) if shape != Shape::String => {
            composite(s, target.type_oid, &fields, default, ctx)
        }
        (_, Some(s)) => scalar(s, target, ctx),
    }
}

fn scalar(source: Source<'_>, target: Target, ctx: &FnContext<'_>) -> PgResult<Datum> {
    let io = ctx.io();
    match (target.type_oid, source) {
        (oids::JSON, s) => Ok(Datum::text(s.json_text(ctx.cancel)?)),
        (oids::JSONB, Source::Jsonb(value)) => Ok(value.to_datum()),
        (oids::JSONB, s) => io::input(oids::JSONB, -1, &s.json_text(ctx.cancel)?, &io),
        (_, s) => io::input(target.type_oid, target.typmod, &s.bare_text(ctx.cancel)?, &io),
    }
}

#[cold]
fn not_an_object(what: &str) -> Box<PgError> {
    pg_err!(
        INVALID_PARAMETER_VALUE,
        "cannot call populate_composite on {what}"
    )
}

/// An object to a composite value.
pub(crate) fn composite(
    source: Source<'_>,
    type_oid: Oid,
    fields: &[CompositeField],
    default: &Datum,
    ctx: &FnContext<'_>,
) -> PgResult<Datum> {
    match source.shape()? {
        Shape::Object => {}
        Shape::Array => return Err(not_an_object("an array")),
        _ => return Err(not_an_object("a scalar")),
    }
    let object = source.fields(ctx.cancel)?;
    let before = match default {
        Datum::Record(r) => Some(r),
        _ => None,
    };
    if before.is_some() && object.is_empty() {
        return Ok(default.clone());
    }
    let mut values = Vec::with_capacity(fields.len());
    for (k, field) in fields.iter().enumerate() {
        let old = before.and_then(|r| r.fields.get(k)).unwrap_or(&Datum::Null);
        let found = object.get(&field.name);
        values.push(if before.is_some() && found.is_none() {
            old.clone()
        } else {
            let target = Target {
                type_oid: field.type_oid,
                typmod: field.typmod,
            };
            convert(found, target, Some(&field.name), old, ctx)?
        });
    }
    Ok(Datum::Record(Arc::new(RecordValue {
        type_oid,
        field_types: fields.iter().map(|f| f.type_oid).collect(),
        fields: values,
        names: None,
    })))
}

/// An array on its way, possibly of several dimensions; how many, its first leaf tells.
struct ArrayBuild<'c, 'x> {
    target: Target,
    name: Option<&'c str>,
    ctx: &'c FnContext<'x>,
    /// Length of each dimension; -1 while not known.
    dims: Vec<i64>,
    /// Number of dimensions; 0 while not known.
    known: usize,
    /// How many elements of each dimension have been read.
    sizes: Vec<i64>,
    elements: Vec<Datum>,
}

impl ArrayBuild<'_, '_> {
    #[cold]
    fn expected_array(&self, depth: usize) -> Box<PgError> {
        let e = pg_err!(INVALID_TEXT_REPRESENTATION, "expected JSON array");
        let indexes: String = self.sizes.iter().take(depth).map(|s| format!("[{s}]")).collect();
        match (depth, self.name) {
            (0, Some(name)) => e.hint(format!("See the value of key \"{name}\".")),
            (0, None) => e,
            (_, Some(name)) => e.hint(format!("See the array element {indexes} of key \"{name}\".")),
            (_, None) => e.hint(format!("See the array element {indexes}.")),
        }
    }

    fn dimension(&mut self, source: Source<'_>, depth: usize) -> PgResult<()> {
        if source.shape()? != Shape::Array {
            return Err(self.expected_array(depth - 1));
        }
        let elements = source.elements(self.ctx.cancel)?;
        let first = elements.first().map(Source::shape).transpose()?;
        if self.known == 0 && first != Some(Shape::Array) {
            self.known = depth;
            self.dims = vec![-1; depth];
            self.sizes.resize(depth, 0);
        }
        for element in elements {
            if self.known > 0 && depth >= self.known {
                let value = convert(Some(element), self.target, None, &Datum::Null, self.ctx)?;
                self.elements.push(value);
                self.count(depth);
            } else {
                if self.sizes.len() <= depth {
                    self.sizes.resize(depth + 1, 0);
                }
                self.dimension(element, depth + 1)?;
                self.check_dimension(depth)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, depth: usize) {
        if let Some(size) = self.sizes.get_mut(depth - 1) {
            *size += 1;
        }
    }

    fn check_dimension(&mut self, depth: usize) -> PgResult<()> {
        if let (Some(size), Some(dim)) = (self.sizes.get_mut(depth), self.dims.get_mut(depth)) {
            if *dim == -1 {
                *dim = *size;
            } else if *dim != *size {
                return Err(pg_err!(INVALID_TEXT_REPRESENTATION, "malformed JSON array")
                    .detail("Multidimensional arrays must have sub-arrays with matching dimensions."));
            }
            *size = 0;
        }
        self.count(depth);
        Ok(())
    }

    fn finish(mut self) -> PgResult<Datum> {
        if let (Some(dim), Some(size)) = (self.dims.first_mut(), self.sizes.first()) {
            *dim = *size;
        }
        let dims = if self.elements.is_empty() {
            Vec::new()
        } else {
            let dim = |len: &i64| ArrayDim {
                len: *len as i32,
                lower: 1,
            };
            self.dims.iter().map(dim).collect()
        };
        Ok(Datum::Array(Arc::new(ArrayValue {
            element_type: self.target.type_oid,
            dims,
            elements: self.elements,
        })))
    }
}
