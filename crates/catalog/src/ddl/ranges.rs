//! Range types: with their multirange and array types, constructor functions and the cast between the two.
//!
//! PG: src/backend/commands/typecmds.c (`DefineRange`).

use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use types::{Datum, oids as t};

use crate::builtin::text::array_of;
use crate::columns::{pg_cast, pg_proc, pg_range, pg_type};
use crate::ddl::depend::DependencyType;
use crate::ddl::types::{TypeShape, functions};
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::oids;

/// A range type to make.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NewRange {
    pub name: String,
    pub namespace: Oid,
    pub subtype: Oid,
    /// Alignment of the subtype.
    pub align: u8,
    /// `None`: derived from the range's name.
    pub multirange_name: Option<(Oid, String)>,
    pub collation: Oid,
    pub opclass: Oid,
    pub canonical: Oid,
    pub subtype_diff: Oid,
}

/// Constructors of built-in range types, by `prosrc`: (source, argument kinds, strict).
const INTERNAL_LANGUAGE: Oid = Oid(12);

fn range_shape(kind: u8, align: u8) -> TypeShape {
    let names = match kind {
        b'r' => [
            "range_in",
            "range_out",
            "range_recv",
            "range_send",
            "range_typanalyze",
            "-",
        ],
        _ => [
            "multirange_in",
            "multirange_out",
            "multirange_recv",
            "multirange_send",
            "multirange_typanalyze",
            "-",
        ],
    };
    TypeShape {
        len: -1,
        by_val: false,
        kind,
        category: b'R',
        align: if align == b'd' { b'd' } else { b'i' },
        storage: b'x',
        functions: functions(names),
    }
}

/// `floatrange` makes `floatmultirange`, anything else gets `_multirange` behind it.
fn multirange_name(range: &str) -> String {
    let made = match range.find("range") {
        Some(at) => format!("{}multi{}", &range[..at], &range[at..]),
        None => {
            let mut kept = range;
            while kept.len() > 63 - "_multirange".len() {
                let mut chars = kept.chars();
                chars.next_back();
                kept = chars.as_str();
            }
            format!("{kept}_multirange")
        }
    };
    let mut end = made.len().min(63);
    while !made.is_char_boundary(end) {
        end -= 1;
    }
    made[..end].to_owned()
}

impl Ddl<'_> {
    /// CREATE TYPE ... AS RANGE.
    pub fn create_range(&mut self, new: &NewRange) -> PgResult<Oid> {
        self.check_type_name_free(new.namespace, &new.name)?;
        let (multi_namespace, multi_name) = match &new.multirange_name {
            Some(named) => named.clone(),
            None => (new.namespace, multirange_name(&new.name)),
        };
        let given = new.multirange_name.is_some();
        if !self.make_way_for_type(multi_namespace, &multi_name)? || multi_name == new.name {
            let e = pg_err!(DUPLICATE_OBJECT, "type \"{multi_name}\" already exists");
            return Err(if given {
                e
            } else {
                e.detail(format!(
                    "Failed while creating a multirange type for type \"{}\".",
                    new.name
                ))
                .hint("You can manually specify a multirange type name using the \"multirange_type_name\" attribute.")
            });
        }
        let range = self.insert_range_type(new.namespace, &new.name, b'r', new.align)?;
        let multirange = self.insert_range_type(multi_namespace, &multi_name, b'm', new.align)?;
        let object = self.record_type_schema(range, new.namespace)?;
        let multi_object = ObjectAddress::new(oids::PG_TYPE, multirange);
        self.record_dependency(multi_object, object, DependencyType::Internal)?;
        self.insert_range_row(new, range, multirange)?;
        self.create_constructors(new, range, (multi_namespace, &multi_name, multirange))?;
        Ok(range)
    }

    fn insert_range_type(&mut self, namespace: Oid, name: &str, kind: u8, align: u8) -> PgResult<Oid> {
        let type_oid = self.store.new_oid()?;
        let array = self.create_array_type(namespace, name, type_oid, align)?;
        let mut row = self.type_row(type_oid, namespace, name, &range_shape(kind, align));
        row[pg_type::TYPARRAY] = oid(array);
        self.store.insert(oids::PG_TYPE, row)?;
        Ok(type_oid)
    }

    fn insert_range_row(&mut self, new: &NewRange, range: Oid, multirange: Oid) -> PgResult<()> {
        use pg_range::*;
        let mut row = vec![Datum::Null; COUNT];
        row[RNGTYPID] = oid(range);
        row[RNGSUBTYPE] = oid(new.subtype);
        row[RNGMULTITYPID] = oid(multirange);
        row[RNGCOLLATION] = oid(new.collation);
        row[RNGSUBOPC] = oid(new.opclass);
        row[RNGCANONICAL] = oid(new.canonical);
        row[RNGSUBDIFF] = oid(new.subtype_diff);
        self.store.insert(oids::PG_RANGE, row)?;
        let object = ObjectAddress::new(oids::PG_TYPE, range);
        for (class, needed) in [
            (oids::PG_TYPE, new.subtype),
            (oids::PG_OPCLASS, new.opclass),
            (oids::PG_COLLATION, new.collation),
            (oids::PG_PROC, new.canonical),
            (oids::PG_PROC, new.subtype_diff),
        ] {
            if needed.is_valid() {
                self.record_dependency(object, ObjectAddress::new(class, needed), DependencyType::Normal)?;
            }
        }
        Ok(())
    }

    fn create_constructors(&mut self, new: &NewRange, range: Oid, multi: (Oid, &str, Oid)) -> PgResult<()> {
        let (multi_namespace, multi_name, multirange) = multi;
        let array =
            crate::view::CatalogView::type_desc(&self.view(), range)?.map_or(Oid::INVALID, |d| d.array);
        let of_range = |source, args| Constructor {
            name: &new.name,
            namespace: new.namespace,
            result: range,
            owner: range,
            source,
            args,
            variadic: Oid::INVALID,
        };
        self.create_constructor(of_range("range_constructor2", vec![new.subtype; 2]))?;
        self.create_constructor(of_range(
            "range_constructor3",
            vec![new.subtype, new.subtype, t::TEXT],
        ))?;
        let of_multi = |source, args, variadic| Constructor {
            name: multi_name,
            namespace: multi_namespace,
            result: multirange,
            owner: multirange,
            source,
            args,
            variadic,
        };
        self.create_constructor(of_multi("multirange_constructor0", Vec::new(), Oid::INVALID))?;
        let from_one =
            self.create_constructor(of_multi("multirange_constructor1", vec![range], Oid::INVALID))?;
        self.create_constructor(of_multi("multirange_constructor2", vec![array], range))?;
        self.create_range_cast(range, multirange, from_one)
    }

    fn create_constructor(&mut self, new: Constructor<'_>) -> PgResult<Oid> {
        use pg_proc::*;
        let function = self.store.new_oid()?;
        let mut row = vec![Datum::Null; COUNT];
        row[OID] = oid(function);
        row[PRONAME] = Datum::text(new.name);
        row[PRONAMESPACE] = oid(new.namespace);
        row[PROOWNER] = oid(self.user);
        row[PROLANG] = oid(INTERNAL_LANGUAGE);
        row[PROCOST] = Datum::Float4(1.0);
        row[PROROWS] = Datum::Float4(0.0);
        row[PROVARIADIC] = oid(new.variadic);
        row[PROSUPPORT] = oid(Oid::INVALID);
        row[PROKIND] = Datum::Char(b'f');
        row[PROSECDEF] = Datum::Bool(false);
        row[PROLEAKPROOF] = Datum::Bool(false);
        row[PROISSTRICT] = Datum::Bool(new.source.starts_with("multirange"));
        row[PRORETSET] = Datum::Bool(false);
        row[PROVOLATILE] = Datum::Char(b'i');
        row[PROPARALLEL] = Datum::Char(b's');
        row[PRONARGS] = Datum::Int2(new.args.len() as i16);
        row[PRONARGDEFAULTS] = Datum::Int2(0);
        row[PRORETTYPE] = oid(new.result);
        let args: Vec<Datum> = new.args.iter().map(|a| oid(*a)).collect();
        row[PROARGTYPES] = types::io_array::vector_value(t::OID, args.clone());
        if new.variadic.is_valid() {
            row[PROALLARGTYPES] = array_of(t::OID, args);
            row[PROARGMODES] = array_of(t::CHAR, vec![Datum::Char(b'v')]);
        }
        row[PROSRC] = Datum::text(new.source);
        self.store.insert(oids::PG_PROC, row)?;
        let object = ObjectAddress::new(oids::PG_PROC, function);
        let owner = ObjectAddress::new(oids::PG_TYPE, new.owner);
        self.record_dependency(object, owner, DependencyType::Internal)?;
        Ok(function)
    }

    fn create_range_cast(&mut self, range: Oid, multirange: Oid, function: Oid) -> PgResult<()> {
        use pg_cast::*;
        let cast = self.store.new_oid()?;
        let mut row = vec![Datum::Null; COUNT];
        row[OID] = oid(cast);
        row[CASTSOURCE] = oid(range);
        row[CASTTARGET] = oid(multirange);
        row[CASTFUNC] = oid(function);
        row[CASTCONTEXT] = Datum::Char(b'e');
        row[CASTMETHOD] = Datum::Char(b'f');
        self.store.insert(oids::PG_CAST, row)?;
        let object = ObjectAddress::new(oids::PG_CAST, cast);
        for (class, needed) in [
            (oids::PG_TYPE, range),
            (oids::PG_TYPE, multirange),
            (oids::PG_PROC, function),
        ] {
            self.record_dependency(
                object,
                ObjectAddress::new(class, needed),
                DependencyType::Internal,
            )?;
        }
        Ok(())
    }
}

/// A constructor function to make.
struct Constructor<'a> {
    name: &'a str,
    namespace: Oid,
    result: Oid,
    /// The type that it is part of.
    owner: Oid,
    source: &'a str,
    args: Vec<Oid>,
    variadic: Oid,
}
