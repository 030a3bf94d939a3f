//! Views: their `_RETURN` rule holds the query.

use common::{Oid, PgResult};
use nodes::{Query, serial};
use types::Datum;

use crate::columns::{pg_class, pg_rewrite};
use crate::ddl::depend::DependencyType;
use crate::ddl::relation::{CreatedRelation, NewRelation};
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::oids;
use crate::store::{key_name, key_oid};

impl Ddl<'_> {
    /// CREATE VIEW, CREATE MATERIALIZED VIEW (by `relkind`): the relation and its query.
    pub fn create_view(&mut self, new: &NewRelation, query: &Query) -> PgResult<CreatedRelation> {
        let made = self.create_relation(new)?;
        self.insert_view_rule(made.oid, query)?;
        self.set_class(made.oid, &[(pg_class::RELHASRULES, Datum::Bool(true))])?;
        Ok(made)
    }

    /// CREATE OR REPLACE VIEW: another query under the same rule.
    pub fn replace_view_query(&mut self, view: Oid, query: &Query) -> PgResult<()> {
        let key = [key_oid(view), key_name("_RETURN")];
        let rows = self.store.lookup(oids::PG_REWRITE_REL_RULENAME_INDEX, &key)?;
        let Some(row) = rows.into_iter().next() else {
            return self.insert_view_rule(view, query);
        };
        let rule = ObjectAddress::new(oids::PG_REWRITE, row.oid(pg_rewrite::OID));
        let action = Datum::text(serial::encode_query(query)?);
        self.set(oids::PG_REWRITE, row, &[(pg_rewrite::EV_ACTION, action)])?;
        self.delete_dependencies(rule, None)?;
        self.record_rule_dependencies(rule, view, query)
    }

    fn insert_view_rule(&mut self, view: Oid, query: &Query) -> PgResult<()> {
        use pg_rewrite::*;
        let rule = self.store.new_oid()?;
        let mut row = vec![Datum::Null; COUNT];
        row[OID] = oid(rule);
        row[RULENAME] = Datum::text("_RETURN");
        row[EV_CLASS] = oid(view);
        row[EV_TYPE] = Datum::Char(b'1');
        row[EV_ENABLED] = Datum::Char(b'O');
        row[IS_INSTEAD] = Datum::Bool(true);
        row[EV_QUAL] = Datum::text("<>");
        row[EV_ACTION] = Datum::text(serial::encode_query(query)?);
        self.store.insert(oids::PG_REWRITE, row)?;
        self.record_rule_dependencies(ObjectAddress::new(oids::PG_REWRITE, rule), view, query)
    }

    fn record_rule_dependencies(&mut self, rule: ObjectAddress, view: Oid, query: &Query) -> PgResult<()> {
        let relation = ObjectAddress::new(oids::PG_CLASS, view);
        self.record_dependency(rule, relation, DependencyType::Internal)?;
        self.record_query_dependencies(rule, query)
    }
}
