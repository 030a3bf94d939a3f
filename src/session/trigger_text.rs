//! What `pg_get_triggerdef` prints.
//!
//! PG: src/backend/utils/adt/ruleutils.c (`pg_get_triggerdef_worker`).

use catalog::CatalogView;
use catalog::columns::pg_trigger as t;
use catalog::deparse::Style;
use catalog::names::{quote_identifier, quote_qualified};
use catalog::oids;
use catalog::store::{CatalogRead, key_oid};
use catalog::trigger::RiTrigger;
use common::{Oid, PgResult, unsupported};

use crate::session::names::Names;

impl Names {
    /// `CREATE CONSTRAINT TRIGGER ...`; `None` without such a trigger.
    pub fn trigger_definition(&self, oid: Oid, style: Style) -> PgResult<Option<String>> {
        let rows = self
            .view
            .rows()
            .lookup(oids::PG_TRIGGER_OID_INDEX, &[key_oid(oid)])?;
        let Some(row) = rows.first() else { return Ok(None) };
        let function = row.oid(t::TGFOID);
        let (Some(trigger), Some(proc)) =
            (RiTrigger::of_function(function), functions::facts::proc(function))
        else {
            return Err(unsupported!("this kind of definition cannot be printed yet"));
        };
        let Some(table) = self.view.relation(row.oid(t::TGRELID))? else {
            return Ok(None);
        };
        let on = match style.pretty {
            true => self.relation_name(table.oid)?.unwrap_or_default(),
            false => quote_qualified(Some(&table.namespace_name), &table.name),
        };
        let other = self.relation_name(row.oid(t::TGCONSTRRELID))?;
        Ok(Some(format!(
            "CREATE CONSTRAINT TRIGGER {} AFTER {} ON {on}{} {}DEFERRABLE INITIALLY {} FOR EACH ROW EXECUTE FUNCTION {}()",
            quote_identifier(&row.text(t::TGNAME)),
            trigger.event(),
            other.map_or_else(String::new, |name| format!(" FROM {name}")),
            if row.bool(t::TGDEFERRABLE) { "" } else { "NOT " },
            if row.bool(t::TGINITDEFERRED) {
                "DEFERRED"
            } else {
                "IMMEDIATE"
            },
            quote_identifier(proc.proname),
        )))
    }
}
