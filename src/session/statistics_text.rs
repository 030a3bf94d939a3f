//! `pg_get_statisticsobjdef` and relatives: extended statistics as SQL text, lists of most common values as rows.

use std::sync::Arc;

use catalog::CatalogView;
use catalog::deparse::{self, Style};
use catalog::desc::RelationDesc;
use catalog::names::{quote_identifier, quote_qualified};
use catalog::oids;
use catalog::statistics_ext::{StatisticsObject, decode_mcv};
use catalog::store::{CatalogRead, key_oid};
use common::{Oid, PgResult};
use types::io::IoContext;
use types::{ArrayValue, Datum, FormatSettings, oids as t};

use crate::session::names::Names;

fn array(element: Oid, elements: Vec<Datum>) -> Datum {
    Datum::Array(Arc::new(ArrayValue::from_elements(element, elements)))
}

impl Names {
    fn statistics_object(&self, oid: Oid) -> PgResult<Option<(StatisticsObject, Arc<RelationDesc>)>> {
        let rows = self
            .view
            .rows()
            .lookup(oids::PG_STATISTIC_EXT_OID_INDEX, &[key_oid(oid)])?;
        let Some(row) = rows.first() else { return Ok(None) };
        let object = StatisticsObject::of_row(row)?;
        let table = self.view.relation(object.table)?;
        Ok(table.map(|table| (object, table)))
    }

    /// The columns and expressions, as CREATE STATISTICS has them behind ON.
    pub fn statistics_columns(&self, oid: Oid) -> PgResult<Option<String>> {
        let Some((object, table)) = self.statistics_object(oid)? else {
            return Ok(None);
        };
        let columns = object.keys.iter().filter_map(|k| table.column(*k));
        let mut parts: Vec<String> = columns.map(|c| quote_identifier(&c.name).into_owned()).collect();
        for expr in &object.exprs {
            let style = Style {
                pretty: true,
                ..Style::PLAIN
            };
            let text = self.print(expr, Some(&table), style)?;
            parts.push(match deparse::looks_like_function(expr) {
                true => text,
                false => format!("({text})"),
            });
        }
        Ok(Some(parts.join(", ")))
    }

    /// The whole statement.
    pub fn statistics_definition(&self, oid: Oid) -> PgResult<Option<String>> {
        let (Some((object, table)), Some(columns)) =
            (self.statistics_object(oid)?, self.statistics_columns(oid)?)
        else {
            return Ok(None);
        };
        let schema = self.view.namespace_name(object.namespace)?;
        let kinds = [(b'd', "ndistinct"), (b'f', "dependencies"), (b'm', "mcv")];
        let named: Vec<&str> = kinds.iter().filter(|k| object.has(k.0)).map(|k| k.1).collect();
        // All kinds are the default, and a single expression has no choice.
        let single = object.keys.is_empty() && object.exprs.len() == 1;
        let kinds = match named.len() == kinds.len() || single {
            true => String::new(),
            false => format!(" ({})", named.join(", ")),
        };
        let table = match self.relation_name(table.oid)? {
            Some(name) => name,
            None => quote_qualified(Some(&table.namespace_name), &table.name),
        };
        Ok(Some(format!(
            "CREATE STATISTICS {}{kinds} ON {columns} FROM {table}",
            quote_qualified(schema.as_deref(), &object.name)
        )))
    }

    /// The expressions as `text[]`.
    pub fn statistics_expressions(&self, oid: Oid) -> PgResult<Datum> {
        let Some((object, table)) = self.statistics_object(oid)? else {
            return Ok(Datum::Null);
        };
        let print = |e| self.print(e, Some(&table), Style::PLAIN).map(Datum::text);
        let texts: Vec<Datum> = object.exprs.iter().map(print).collect::<PgResult<_>>()?;
        Ok(match texts.is_empty() {
            true => Datum::Null,
            false => array(t::TEXT, texts),
        })
    }

    /// Rows of `pg_mcv_list_items`.
    pub fn mcv_items(&self, stored: &str) -> PgResult<Vec<Vec<Datum>>> {
        let (types, items) = decode_mcv(stored)?;
        let settings = FormatSettings::default();
        let io = IoContext {
            settings: &settings,
            resolver: Some(self),
            cancel: common::cancel::CancelToken::never(),
        };
        let mut rows = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let mut texts = Vec::new();
            for (value, type_oid) in item.values.iter().zip(&types) {
                texts.push(match value {
                    Datum::Null => Datum::Null,
                    value => Datum::text(types::io::to_text(*type_oid, value, &io)?),
                });
            }
            let nulls = item.values.iter().map(|v| Datum::Bool(v.is_null())).collect();
            rows.push(vec![
                Datum::Int4(at as i32),
                array(t::TEXT, texts),
                array(t::BOOL, nulls),
                Datum::Float8(item.frequency),
                Datum::Float8(item.base_frequency),
            ]);
        }
        Ok(rows)
    }
}
