//! Text search configurations and dictionaries, and the rules of collations, as functions ask for them.

use catalog::columns::{pg_ts_config_map as m, pg_ts_dict as d, pg_ts_template as t};
use catalog::store::CatalogRead;
use catalog::{CatalogView, oids};
use common::{Oid, PgResult, internal};
use functions::framework::session::{CharacterRules, TextSearchDictionary};

use crate::session::names::Names;

impl Names {
    /// Upper and lower case under a collation made by a user.
    pub fn character_rules(&self, collation: Oid) -> PgResult<CharacterRules> {
        use catalog::columns::pg_collation::{COLLCTYPE, COLLLOCALE, OID};
        let rows = self.view.rows().scan(oids::PG_COLLATION)?;
        let Some(row) = rows.iter().find(|r| r.oid(OID) == collation) else {
            return Err(internal!("cache lookup failed for collation {collation}"));
        };
        if self.view.text_order(collation)?.is_some() {
            return Ok(CharacterRules::Full);
        }
        let locale = row.text_opt(COLLLOCALE).or_else(|| row.text_opt(COLLCTYPE));
        Ok(match locale.as_deref() {
            Some("PG_UNICODE_FAST") => CharacterRules::Full,
            Some("C" | "POSIX" | "") | None => CharacterRules::Ascii,
            Some(_) => CharacterRules::Simple,
        })
    }

    /// Kinds of token and their dictionaries, in order.
    pub fn text_search_config(&self, config: Oid) -> PgResult<Vec<(i32, Oid)>> {
        let rows = self.view.rows().scan(oids::PG_TS_CONFIG_MAP)?;
        let mut found: Vec<(i32, i32, Oid)> = rows
            .iter()
            .filter(|r| r.oid(m::MAPCFG) == config)
            .map(|r| (r.int4(m::MAPTOKENTYPE), r.int4(m::MAPSEQNO), r.oid(m::MAPDICT)))
            .collect();
        if found.is_empty() {
            let all = self.view.rows().scan(oids::PG_TS_CONFIG)?;
            if !all.iter().any(|r| r.oid(0) == config) {
                return Err(internal!(
                    "cache lookup failed for text search configuration {config}"
                ));
            }
        }
        found.sort_unstable();
        Ok(found
            .into_iter()
            .map(|(kind, _, dictionary)| (kind, dictionary))
            .collect())
    }

    /// A row of `pg_ts_dict`, its template by name.
    pub fn text_search_dictionary(&self, dictionary: Oid) -> PgResult<TextSearchDictionary> {
        let rows = self.view.rows().scan(oids::PG_TS_DICT)?;
        let row = rows
            .iter()
            .find(|r| r.oid(d::OID) == dictionary)
            .ok_or_else(|| internal!("cache lookup failed for text search dictionary {dictionary}"))?;
        let templates = self.view.rows().scan(oids::PG_TS_TEMPLATE)?;
        let template = templates
            .iter()
            .find(|r| r.oid(t::OID) == row.oid(d::DICTTEMPLATE));
        let Some(template) = template else {
            return Err(internal!(
                "cache lookup failed for text search template {}",
                row.oid(d::DICTTEMPLATE)
            ));
        };
        let template_name = template.text(t::TMPLNAME).to_string();
        let builtin = functions::textsearch::template_of(template.oid(t::TMPLLEXIZE));
        Ok(TextSearchDictionary {
            name: row.text(d::DICTNAME).to_string(),
            template: builtin.map_or_else(|| template_name.clone(), str::to_owned),
            template_name,
            has_init: template.oid(t::TMPLINIT).is_valid(),
            options: row.text_opt(d::DICTINITOPTION).map(|o| o.to_string()),
        })
    }
}
