//! Extended statistics as the planner reads them, and the text that the catalog keeps of them.
//!
//! PG: src/backend/statistics/README; `pg_ndistinct_out`, `pg_dependencies_out`.
//!
//! Attributes are numbered as PostgreSQL does: columns by `attnum`, expressions -1, -2... A list of most common values is stored as a
//! list of constants: how many attributes there are; for each item its values, its frequency, and the frequency it would have if the
//! columns were independent.

use std::fmt::Write as _;
use std::sync::Arc;

use common::{Oid, PgResult, internal};
use nodes::expr::{Const, Expr};
use nodes::serial;
use types::settings::TypeRef;
use types::{Datum, oids as t};

use crate::columns::pg_statistic_ext::*;
use crate::columns::pg_statistic_ext_data as data;
use crate::oids;
use crate::row::StoredRow;
use crate::store::{CatalogRead, key_oid};
use crate::view::ColumnStatistics;

/// Attributes and a number of them: distinct combinations, or (the last one being implied) the degree of a dependency.
pub type AttributesOf = (Vec<i16>, f64);

/// An item of a list of most common combinations.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct McvItem {
    pub values: Vec<Datum>,
    pub frequency: f64,
    pub base_frequency: f64,
}

/// What ANALYZE found for a statistics object.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct ExtendedStatistics {
    pub keys: Vec<i16>,
    /// Over the table as range table entry 1.
    pub exprs: Vec<Expr>,
    /// Of the table with its children.
    pub inherited: bool,
    pub ndistinct: Vec<AttributesOf>,
    pub dependencies: Vec<AttributesOf>,
    pub mcv: Vec<McvItem>,
    /// Of each expression.
    pub expr_statistics: Vec<ColumnStatistics>,
}

impl ExtendedStatistics {
    /// Number of an expression as an attribute.
    pub fn expr_attribute(at: usize) -> i16 {
        -1 - at as i16
    }

    /// Where an attribute's values are in items.
    pub fn dimension(&self, attribute: i16) -> Option<usize> {
        match attribute {
            a if a > 0 => self.keys.iter().position(|k| *k == a),
            a => Some(self.keys.len() + usize::try_from(-1 - a).ok()?),
        }
    }
}

/// A statistics object without its findings.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct StatisticsObject {
    pub oid: Oid,
    pub name: String,
    pub namespace: Oid,
    pub table: Oid,
    pub keys: Vec<i16>,
    pub exprs: Vec<Expr>,
    pub kinds: Vec<u8>,
    /// `None`: the columns decide.
    pub target: Option<i16>,
}

impl StatisticsObject {
    /// From a row of `pg_statistic_ext`.
    pub fn of_row(row: &StoredRow) -> PgResult<StatisticsObject> {
        let letter = |d: &Datum| match d {
            Datum::Char(c) => *c,
            _ => 0,
        };
        Ok(StatisticsObject {
            oid: row.oid(OID),
            name: row.text(STXNAME).to_string(),
            namespace: row.oid(STXNAMESPACE),
            table: row.oid(STXRELID),
            keys: row.int2s(STXKEYS),
            exprs: match row.text_opt(STXEXPRS) {
                Some(text) => serial::decode_exprs(&text)?,
                None => Vec::new(),
            },
            kinds: row.list(STXKIND).iter().map(letter).collect(),
            target: match row.datum(STXSTATTARGET) {
                Datum::Int2(target) => Some(*target),
                _ => None,
            },
        })
    }

    /// True when a kind of statistics is to be gathered.
    pub fn has(&self, kind: u8) -> bool {
        self.kinds.contains(&kind)
    }

    /// Columns, then expressions.
    pub fn attributes(&self) -> Vec<i16> {
        let exprs = (0..self.exprs.len()).map(ExtendedStatistics::expr_attribute);
        self.keys.iter().copied().chain(exprs).collect()
    }
}

/// The statistics objects of a table, in the order of their OIDs.
pub fn objects(read: &dyn CatalogRead, table: Oid) -> PgResult<Vec<StatisticsObject>> {
    let rows = read.lookup(oids::PG_STATISTIC_EXT_RELID_INDEX, &[key_oid(table)])?;
    let mut all: Vec<_> = rows
        .iter()
        .map(StatisticsObject::of_row)
        .collect::<PgResult<_>>()?;
    all.sort_by_key(|o| o.oid);
    Ok(all)
}

/// What is known of a table's combinations of columns.
pub fn of_table(read: &dyn CatalogRead, table: Oid) -> PgResult<Arc<[ExtendedStatistics]>> {
    let mut all = Vec::new();
    for object in objects(read, table)?.into_iter() {
        let key = [key_oid(object.oid)];
        for row in read.lookup(oids::PG_STATISTIC_EXT_DATA_STXOID_INH_INDEX, &key)? {
            let mut found = ExtendedStatistics {
                keys: object.keys.clone(),
                exprs: object.exprs.clone(),
                inherited: row.bool(data::STXDINHERIT),
                ..ExtendedStatistics::default()
            };
            if let Some(text) = row.text_opt(data::STXDNDISTINCT) {
                found.ndistinct = parse_attributes(&text)?;
            }
            if let Some(text) = row.text_opt(data::STXDDEPENDENCIES) {
                found.dependencies = parse_attributes(&text)?;
            }
            if let Some(text) = row.text_opt(data::STXDMCV) {
                found.mcv = decode_mcv(&text)?.1;
            }
            for entry in row.list(data::STXDEXPR) {
                if let Datum::Record(record) = entry {
                    let row = StoredRow {
                        row: common::RowId(0),
                        values: record.fields.clone(),
                    };
                    found.expr_statistics.push(crate::statistics::of_row(&row));
                }
            }
            all.push(found);
        }
    }
    Ok(all.into())
}

/// `{"1, 2": 11, "1, 3": 4}`.
pub fn ndistinct_text(items: &[AttributesOf]) -> String {
    let items = items.iter().map(|(attributes, n)| {
        let names: Vec<String> = attributes.iter().map(i16::to_string).collect();
        format!("\"{}\": {}", names.join(", "), *n as i64)
    });
    format!("{{{}}}", items.collect::<Vec<_>>().join(", "))
}

/// `{"1 => 2": 1.000000, "1, 2 => 3": 0.500000}`.
pub fn dependencies_text(items: &[AttributesOf]) -> String {
    let mut out = String::from("{");
    for (i, (attributes, degree)) in items.iter().enumerate() {
        let Some((implied, from)) = attributes.split_last() else {
            continue;
        };
        let from: Vec<String> = from.iter().map(i16::to_string).collect();
        let comma = if i > 0 { ", " } else { "" };
        let _ = write!(out, "{comma}\"{} => {implied}\": {degree:.6}", from.join(", "));
    }
    out.push('}');
    out
}

/// The reverse of both.
fn parse_attributes(text: &str) -> PgResult<Vec<AttributesOf>> {
    let bad = || internal!("unreadable extended statistics \"{text}\"");
    let mut items = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('"') {
        let (names, after) = after.split_once("\": ").ok_or_else(bad)?;
        let end = after.find([',', '}']).ok_or_else(bad)?;
        let attributes = names
            .replace(" => ", ", ")
            .split(", ")
            .map(|n| n.parse().map_err(|_| bad()))
            .collect::<PgResult<_>>()?;
        items.push((attributes, after[..end].parse().map_err(|_| bad())?));
        rest = &after[end..];
    }
    Ok(items)
}

/// The stored form of a list; `types` are those of the dimensions.
pub fn encode_mcv(items: &[McvItem], types: &[Oid]) -> PgResult<String> {
    let constant = |value: Datum, type_oid: Oid| {
        Expr::Const(Const {
            value,
            type_ref: TypeRef::plain(type_oid),
            collation: Oid::INVALID,
            span: common::Span::NONE,
        })
    };
    let mut all = vec![constant(Datum::Int4(types.len() as i32), t::INT4)];
    for item in items {
        let values = item.values.iter().zip(types);
        all.extend(values.map(|(v, t)| constant(v.clone(), *t)));
        all.push(constant(Datum::Float8(item.frequency), t::FLOAT8));
        all.push(constant(Datum::Float8(item.base_frequency), t::FLOAT8));
    }
    serial::encode_exprs(&all)
}

/// Types of the dimensions, and the items, of the stored form.
pub fn decode_mcv(text: &str) -> PgResult<(Vec<Oid>, Vec<McvItem>)> {
    let bad = || internal!("unreadable list of most common values");
    let mut constants = Vec::new();
    for e in serial::decode_exprs(text)? {
        let Expr::Const(c) = e else { return Err(bad()) };
        constants.push((c.value, c.type_ref.oid));
    }
    let (first, rest) = constants.split_first().ok_or_else(bad)?;
    let dimensions = first
        .0
        .as_i64()
        .and_then(|n| usize::try_from(n).ok())
        .ok_or_else(bad)?;
    let types = rest.iter().take(dimensions).map(|(_, t)| *t).collect();
    let items = rest.chunks_exact(dimensions + 2).map(|item| {
        let number = |at: usize| match item.get(at).map(|(v, _)| v) {
            Some(Datum::Float8(f)) => *f,
            _ => 0.0,
        };
        McvItem {
            values: item.iter().take(dimensions).map(|(v, _)| v.clone()).collect(),
            frequency: number(dimensions),
            base_frequency: number(dimensions + 1),
        }
    });
    Ok((types, items.collect()))
}
