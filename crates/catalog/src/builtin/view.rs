//! A catalog of the built-in objects alone: no storage, no session.

use std::sync::Arc;

use common::{Oid, PgResult};

use crate::builtin::{collations, families, functions, relations, types};
use crate::desc::{FunctionDesc, OperatorDesc, RelationDesc, TypeDesc};
use crate::names;
use crate::oids;
use crate::view::{AggregateDesc, CastDesc, CatalogView, ColumnStatistics, OpclassDesc};

/// The built-in objects as a new database shows them, with search path `pg_catalog, public`.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuiltinView;

/// The schemas that a name may be in.
fn schemas(schema: Option<&str>) -> Vec<Oid> {
    match schema {
        Some(name) => names::builtin_namespace_oid(name).into_iter().collect(),
        None => vec![oids::PG_CATALOG_NAMESPACE, oids::PUBLIC_NAMESPACE],
    }
}

impl CatalogView for BuiltinView {
    fn version(&self) -> u64 {
        0
    }

    fn relation(&self, oid: Oid) -> PgResult<Option<Arc<RelationDesc>>> {
        Ok(relations::relation(oid))
    }

    fn relation_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Option<Arc<RelationDesc>>> {
        let mut found = schemas(schema)
            .into_iter()
            .map(|n| relations::relation_by_name(n, name));
        Ok(found.find_map(|r| r))
    }

    fn type_desc(&self, oid: Oid) -> PgResult<Option<Arc<TypeDesc>>> {
        Ok(types::type_desc(oid))
    }

    fn type_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Option<Arc<TypeDesc>>> {
        let mut found = schemas(schema).into_iter().map(|n| types::type_by_name(n, name));
        Ok(found.find_map(|t| t))
    }

    fn function(&self, oid: Oid) -> PgResult<Option<Arc<FunctionDesc>>> {
        Ok(functions::function(oid))
    }

    fn functions_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Vec<Arc<FunctionDesc>>> {
        let all = schemas(schema).into_iter();
        Ok(all.flat_map(|n| functions::functions_by_name(n, name)).collect())
    }

    fn operator(&self, oid: Oid) -> PgResult<Option<Arc<OperatorDesc>>> {
        Ok(functions::operator(oid))
    }

    fn operators_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Vec<Arc<OperatorDesc>>> {
        let all = schemas(schema).into_iter();
        Ok(all.flat_map(|n| functions::operators_by_name(n, name)).collect())
    }

    fn cast(&self, source: Oid, target: Oid) -> PgResult<Option<CastDesc>> {
        Ok(functions::cast(source, target))
    }

    fn namespace_by_name(&self, name: &str) -> PgResult<Option<Oid>> {
        Ok(names::builtin_namespace_oid(name))
    }

    fn namespace_name(&self, oid: Oid) -> PgResult<Option<Arc<str>>> {
        Ok(names::builtin_namespace(oid).map(Arc::from))
    }

    fn search_path(&self) -> PgResult<Vec<Oid>> {
        Ok(schemas(None))
    }

    fn collation_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Option<Oid>> {
        let pg_catalog = schemas(schema).contains(&oids::PG_CATALOG_NAMESPACE);
        Ok(collations::by_name(name).filter(|_| pg_catalog))
    }

    fn collation_name(&self, oid: Oid) -> PgResult<Option<Arc<str>>> {
        Ok(collations::name(oid).map(Arc::from))
    }

    fn enum_labels(&self, _type_oid: Oid) -> PgResult<crate::view::EnumLabels> {
        Ok(Arc::new([]))
    }

    fn aggregate(&self, func: Oid) -> PgResult<Option<AggregateDesc>> {
        Ok(functions::aggregate(func))
    }

    fn default_opclass(&self, access_method: Oid, type_oid: Oid) -> PgResult<Option<OpclassDesc>> {
        Ok(families::default_opclass(access_method, type_oid))
    }

    fn opclass_by_name(
        &self,
        access_method: Oid,
        schema: Option<&str>,
        name: &str,
    ) -> PgResult<Option<OpclassDesc>> {
        let pg_catalog = schemas(schema).contains(&oids::PG_CATALOG_NAMESPACE);
        Ok(families::opclass_by_name(access_method, name).filter(|_| pg_catalog))
    }

    fn opfamily_member(&self, family: Oid, left: Oid, right: Oid, strategy: i16) -> PgResult<Option<Oid>> {
        Ok(families::member(family, left, right, strategy))
    }

    fn operator_families(&self, access_method: Oid, op: Oid) -> PgResult<Vec<(Oid, i16)>> {
        Ok(families::of_operator(access_method, op))
    }

    fn opfamily_proc(&self, family: Oid, left: Oid, right: Oid, number: i16) -> PgResult<Option<Oid>> {
        Ok(families::support_function(family, left, right, number))
    }

    fn statistics(&self, _relation: Oid, _attno: i16) -> PgResult<Option<Arc<ColumnStatistics>>> {
        Ok(None)
    }

    fn relation_size(&self, relation: &Arc<RelationDesc>) -> PgResult<(u64, f64)> {
        Ok((
            relation.relpages.max(0) as u64,
            f64::from(relation.reltuples.max(0.0)),
        ))
    }

    fn role_name(&self, oid: Oid) -> PgResult<Option<Arc<str>>> {
        Ok((oid == oids::BOOTSTRAP_SUPERUSER).then(|| "postgres".into()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ::types::oids as t;

    use super::*;
    use crate::builtin::facts;

    #[test]
    fn answers_for_built_in_objects() {
        let view = BuiltinView;
        let class = view.relation_by_name(None, "pg_class").unwrap().unwrap();
        assert_eq!((class.oid, class.columns.len()), (Oid(1259), 34));
        assert_eq!(class.column_by_name("relname").unwrap().type_ref.oid, t::NAME);
        assert!(
            view.relation_by_name(Some("public"), "pg_class")
                .unwrap()
                .is_none()
        );
        assert!(
            view.relation_by_name(Some("information_schema"), "tables")
                .unwrap()
                .is_some()
        );
        let index = view.relation(Oid(2662)).unwrap().unwrap().index.clone().unwrap();
        assert_eq!((index.table, index.columns[0].opfamily), (Oid(1259), Oid(1989)));
        assert_eq!(
            view.type_by_name(None, "_int4").unwrap().unwrap().element,
            t::INT4
        );
        assert_eq!(view.functions_by_name(None, "sum").unwrap().len(), 8);
        assert_eq!(view.function(Oid(1317)).unwrap().unwrap().name.as_ref(), "length");
        let plus = view.operators_by_name(None, "+").unwrap();
        let int4pl = plus
            .iter()
            .find(|o| o.left == t::INT4 && o.right == t::INT4)
            .unwrap();
        assert_eq!((int4pl.oid, int4pl.function), (Oid(551), Oid(177)));
        let less = view.operator(Oid(97)).unwrap().unwrap();
        assert_eq!((&*less.restrict, &*less.join), ("scalarltsel", "scalarltjoinsel"));
        assert_eq!(view.cast(t::INT4, t::INT8).unwrap().unwrap().function, Oid(481));
        assert_eq!(view.aggregate(Oid(2108)).unwrap().unwrap().trans_type, t::INT8);
    }

    #[test]
    fn chooses_default_operator_classes_as_postgres() {
        let class = |am: u32, type_oid| {
            BuiltinView
                .default_opclass(Oid(am), type_oid)
                .unwrap()
                .map(|c| c.oid)
        };
        assert_eq!(class(403, t::INT4), Some(Oid(1978)));
        assert_eq!(class(403, t::VARCHAR), Some(Oid(3126)));
        assert_eq!(class(405, t::VARCHAR), class(405, t::TEXT));
        assert_eq!(class(403, t::INT4_ARRAY), class(403, t::ANYARRAY));
        assert_eq!(class(403, t::JSON), None);
        assert_eq!(
            BuiltinView
                .opfamily_member(Oid(1976), t::INT4, t::INT8, 1)
                .unwrap(),
            Some(Oid(37))
        );
    }

    #[test]
    fn every_built_in_relation_has_a_descriptor() {
        for rel in facts::relations() {
            let desc = BuiltinView.relation(rel.oid).unwrap().unwrap();
            assert_eq!(desc.columns.len(), rel.columns.len());
            assert!(
                desc.columns.iter().all(|c| builtin_type_exists(c.type_ref.oid)),
                "{}",
                rel.name
            );
        }
    }

    fn builtin_type_exists(oid: Oid) -> bool {
        BuiltinView.type_desc(oid).unwrap().is_some()
    }
}
