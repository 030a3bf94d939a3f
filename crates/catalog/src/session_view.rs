//! [`CatalogView`] over the tables of a database, for one statement of one session.

use std::sync::Arc;

use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use nodes::partition::PartitionBound;
use types::Datum;

use crate::builtin;
use crate::cache::{Cache, NamespaceEntry, get_or_load, get_or_load_name, get_or_load_str};
use crate::columns::{pg_authid, pg_collation, pg_enum, pg_namespace, pg_range, pg_ts_dict};
use crate::desc::{ConstraintDesc, FunctionDesc, OperatorDesc, RelationDesc, TypeDesc};
use crate::load;
use crate::oids;
use crate::partition::Partitions;
use crate::privileges::Roles;
use crate::search_path::SearchPath;
use crate::statistics;
use crate::statistics_ext::{self, ExtendedStatistics};
use crate::store::{CatalogRead, key_oid};
use crate::view::{
    AggregateDesc, BUILTIN_RANGES, CastDesc, CatalogView, ColumnStatistics, EnumLabels, OpclassDesc,
    RangeDesc, TextSearchObject,
};

/// How big a relation is now: the storage knows.
pub trait RelationSizes: Send + Sync {
    /// (pages as PostgreSQL would need them, rows) of a relation other than an index.
    fn size(&self, relation: &Arc<RelationDesc>) -> PgResult<(u64, f64)>;

    /// False when rows that the running transaction's snapshot sees may be missing in an index.
    fn index_serves_snapshot(&self, _index: &RelationDesc) -> bool {
        true
    }
}

/// Pages that PostgreSQL's btree would need for an index over so many rows, just built (fillfactor 90).
fn index_pages(index: &RelationDesc, rows: f64) -> u64 {
    /// Usable bytes of a page, the fill factor applied.
    const LEAF_BYTES: f64 = (8192.0 - 40.0) * 0.9;
    /// Tuple header and line pointer.
    const ENTRY_OVERHEAD: usize = 12;
    /// What a value of variable width is taken for.
    const VARIABLE_WIDTH: usize = 32;
    let width: usize = index
        .columns
        .iter()
        .map(|c| crate::builtin::types::type_desc(c.type_ref.oid).map_or(-1, |t| t.len))
        .map(|len| usize::try_from(len).unwrap_or(VARIABLE_WIDTH))
        .sum();
    let per_leaf = (LEAF_BYTES / (width.next_multiple_of(8) + ENTRY_OVERHEAD) as f64).max(1.0);
    let leaves = (rows / per_leaf).ceil().max(0.0);
    let inner = if leaves > 1.0 {
        (leaves / per_leaf).ceil()
    } else {
        0.0
    };
    // And the meta page.
    (1.0 + leaves + inner) as u64
}

/// Sizes as ANALYZE left them in `pg_class`.
pub struct RecordedSizes;

impl RelationSizes for RecordedSizes {
    fn size(&self, relation: &Arc<RelationDesc>) -> PgResult<(u64, f64)> {
        Ok((
            relation.relpages.max(0) as u64,
            f64::from(relation.reltuples.max(0.0)),
        ))
    }
}

/// The catalog as one statement sees it: rows of a snapshot, descriptors of a cache, names along a search path.
pub struct SessionView<R> {
    read: R,
    cache: Arc<Cache>,
    path: Arc<SearchPath>,
    sizes: Arc<dyn RelationSizes>,
}

impl<R: CatalogRead> SessionView<R> {
    /// A view over what `read` sees. The cache must be of a version read before the snapshot was taken.
    pub fn new(
        read: R,
        cache: Arc<Cache>,
        path: Arc<SearchPath>,
        sizes: Arc<dyn RelationSizes>,
    ) -> SessionView<R> {
        SessionView {
            read,
            cache,
            path,
            sizes,
        }
    }

    /// The rows below.
    pub fn rows(&self) -> &R {
        &self.read
    }

    /// The search path it resolves names along.
    pub fn path(&self) -> &Arc<SearchPath> {
        &self.path
    }

    /// All schemas.
    pub fn namespaces(&self) -> PgResult<Arc<[NamespaceEntry]>> {
        if let Some(found) = self.cache.namespaces.read().as_ref() {
            return Ok(found.clone());
        }
        let entries = namespaces(&self.read)?;
        Ok(self.cache.namespaces.write().get_or_insert(entries).clone())
    }

    /// All roles and memberships.
    pub fn roles(&self) -> PgResult<Arc<Roles>> {
        if let Some(found) = self.cache.roles.read().as_ref() {
            return Ok(found.clone());
        }
        let roles = Arc::new(Roles::load(&self.read)?);
        Ok(self.cache.roles.write().get_or_insert(roles).clone())
    }

    /// The schemas that a name may be in.
    fn schemas(&self, schema: Option<&str>) -> PgResult<Vec<Oid>> {
        match schema {
            Some(name) => Ok(self.namespace_by_name(name)?.into_iter().collect()),
            None => Ok(self.path.effective().to_vec()),
        }
    }

    fn relation_oid(&self, namespace: Oid, name: &str) -> PgResult<Option<Oid>> {
        if let Some(rel) = builtin::facts::relation_by_name(namespace, name) {
            return Ok(Some(rel.oid));
        }
        get_or_load_name(&self.cache.relation_names, namespace, name, || {
            load::relation::relation_oid(&self.read, namespace, name)
        })
    }

    /// Operators of a name in `pg_operator` beside the built-in ones.
    fn user_operators(&self, name: &str) -> PgResult<Arc<[Arc<OperatorDesc>]>> {
        get_or_load_str(&self.cache.operator_names, name, || {
            let all = load::functions::operators_by_name(&self.read, name)?;
            Ok(all
                .into_iter()
                .filter(|o| !is_builtin(o.oid))
                .map(Arc::new)
                .collect())
        })
    }

    fn user_opclass(
        &self,
        access_method: Oid,
        accept: impl Fn(bool, Oid, &str, &OpclassDesc) -> bool,
    ) -> PgResult<Option<OpclassDesc>> {
        let all = load::functions::opclasses(&self.read, access_method)?;
        let mut found = all
            .into_iter()
            .filter(|(default, namespace, name, class)| accept(*default, *namespace, name, class));
        Ok(found.next().map(|(_, _, _, class)| class))
    }
}

/// All rows of `pg_namespace`.
pub(crate) fn namespaces(read: &dyn CatalogRead) -> PgResult<Arc<[NamespaceEntry]>> {
    use pg_namespace::*;
    let rows = read.scan(oids::PG_NAMESPACE)?;
    let entries = rows.iter().map(|row| NamespaceEntry {
        oid: row.oid(OID),
        name: row.text(NSPNAME),
        owner: row.oid(NSPOWNER),
        acl: row.list_opt(NSPACL).map(<[Datum]>::to_vec),
    });
    Ok(entries.collect())
}

/// User-made objects have OIDs from here on.
fn is_builtin(oid: Oid) -> bool {
    oid < Oid::FIRST_NORMAL
}

impl<R: CatalogRead> CatalogView for SessionView<R> {
    fn version(&self) -> u64 {
        self.cache.version()
    }

    fn relation(&self, oid: Oid) -> PgResult<Option<Arc<RelationDesc>>> {
        if is_builtin(oid) {
            return Ok(builtin::relations::relation(oid));
        }
        get_or_load(&self.cache.relations, oid, || {
            let schema = |oid| Ok(self.namespace_name(oid)?.unwrap_or_else(|| "".into()));
            Ok(load::relation::relation(&self.read, oid, &schema)?.map(Arc::new))
        })
    }

    fn relation_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Option<Arc<RelationDesc>>> {
        for namespace in self.schemas(schema)? {
            if let Some(oid) = self.relation_oid(namespace, name)? {
                return self.relation(oid);
            }
        }
        Ok(None)
    }

    fn partitions(&self, table: Oid) -> PgResult<Arc<Partitions>> {
        get_or_load(&self.cache.partitions, table, || Partitions::of(self, table))
    }

    fn partition_bound(&self, oid: Oid) -> PgResult<Option<Arc<PartitionBound>>> {
        if let Some(known) = self.cache.relations.read().get(&oid) {
            return Ok(known.as_ref().and_then(|desc| desc.inheritance.bound.clone()));
        }
        get_or_load(&self.cache.partition_bounds, oid, || {
            load::relation::partition_bound(&self.read, oid)
        })
    }

    fn type_desc(&self, oid: Oid) -> PgResult<Option<Arc<TypeDesc>>> {
        if is_builtin(oid) {
            return Ok(builtin::types::type_desc(oid));
        }
        get_or_load(&self.cache.types, oid, || {
            Ok(load::types::type_desc(&self.read, oid)?.map(Arc::new))
        })
    }

    fn type_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Option<Arc<TypeDesc>>> {
        for namespace in self.schemas(schema)? {
            if let Some(found) = builtin::types::type_by_name(namespace, name) {
                return Ok(Some(found));
            }
            let oid = get_or_load_name(&self.cache.type_names, namespace, name, || {
                load::types::type_oid(&self.read, namespace, name)
            })?;
            if let Some(oid) = oid {
                return self.type_desc(oid);
            }
        }
        Ok(None)
    }

    fn function(&self, oid: Oid) -> PgResult<Option<Arc<FunctionDesc>>> {
        if is_builtin(oid) {
            return Ok(builtin::functions::function(oid));
        }
        get_or_load(&self.cache.functions, oid, || {
            Ok(load::functions::function(&self.read, oid)?.map(Arc::new))
        })
    }

    fn functions_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Vec<Arc<FunctionDesc>>> {
        let of_users = get_or_load_str(&self.cache.function_names, name, || {
            let all = load::functions::functions_by_name(&self.read, name)?;
            Ok(all.into_iter().map(Arc::new).collect())
        })?;
        let mut found: Vec<Arc<FunctionDesc>> = Vec::new();
        for namespace in self.schemas(schema)? {
            let here = of_users
                .iter()
                .filter(|f| f.namespace == namespace && !is_builtin(f.oid));
            let here = builtin::functions::functions_by_name(namespace, name)
                .into_iter()
                .chain(here.cloned());
            for function in here {
                // One that is earlier in the path hides later ones with the same arguments; built-in ones never meet.
                if of_users.is_empty() || !found.iter().any(|f| f.arg_types == function.arg_types) {
                    found.push(function);
                }
            }
        }
        Ok(found)
    }

    fn operator(&self, oid: Oid) -> PgResult<Option<Arc<OperatorDesc>>> {
        if is_builtin(oid) {
            return Ok(builtin::functions::operator(oid));
        }
        get_or_load(&self.cache.operators, oid, || {
            Ok(load::functions::operator(&self.read, oid)?.map(Arc::new))
        })
    }

    fn operators_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Vec<Arc<OperatorDesc>>> {
        let of_users = self.user_operators(name)?;
        let mut found: Vec<Arc<OperatorDesc>> = Vec::new();
        for namespace in self.schemas(schema)? {
            let here = of_users.iter().filter(|o| o.namespace == namespace);
            for op in builtin::functions::operators_by_name(namespace, name)
                .into_iter()
                .chain(here.cloned())
            {
                let hidden = || found.iter().any(|f| (f.left, f.right) == (op.left, op.right));
                if of_users.is_empty() || !hidden() {
                    found.push(op);
                }
            }
        }
        Ok(found)
    }

    fn operator_exact(
        &self,
        schema: Option<&str>,
        name: &str,
        left: Oid,
        right: Oid,
    ) -> PgResult<Option<Arc<OperatorDesc>>> {
        if schema.is_none() && self.user_operators(name)?.is_empty() {
            let exact = builtin::functions::operator_exact(name, left, right);
            return Ok(exact);
        }
        let all = self.operators_by_name(schema, name)?;
        Ok(all.into_iter().find(|o| o.left == left && o.right == right))
    }

    fn cast(&self, source: Oid, target: Oid) -> PgResult<Option<CastDesc>> {
        if let Some(cast) = builtin::functions::cast(source, target) {
            return Ok(Some(cast));
        }
        get_or_load(&self.cache.casts, (source, target), || {
            load::functions::cast(&self.read, source, target)
        })
    }

    fn namespace_by_name(&self, name: &str) -> PgResult<Option<Oid>> {
        if name == "pg_temp" {
            return Ok(self.path.temp_namespace());
        }
        let all = self.namespaces()?;
        Ok(all.iter().find(|n| &*n.name == name).map(|n| n.oid))
    }

    fn namespace_name(&self, oid: Oid) -> PgResult<Option<Arc<str>>> {
        let all = self.namespaces()?;
        Ok(all.iter().find(|n| n.oid == oid).map(|n| n.name.clone()))
    }

    fn search_path(&self) -> PgResult<Vec<Oid>> {
        Ok(self.path.effective().to_vec())
    }

    fn text_search_by_name(
        &self,
        object: TextSearchObject,
        schema: Option<&str>,
        name: &str,
    ) -> PgResult<Option<Oid>> {
        use pg_ts_dict::*;
        // Both catalogs begin with OID, name, schema.
        let rows = self.read.scan(match object {
            TextSearchObject::Config => oids::PG_TS_CONFIG,
            TextSearchObject::Dictionary => oids::PG_TS_DICT,
        })?;
        let schemas = self.schemas(schema)?;
        let named = |home: &Oid| {
            rows.iter()
                .find(|r| r.oid(DICTNAMESPACE) == *home && &*r.text(DICTNAME) == name)
        };
        Ok(schemas.iter().find_map(named).map(|row| row.oid(OID)))
    }

    fn role_by_name(&self, name: &str) -> PgResult<Option<Oid>> {
        let rows = self.read.scan(oids::PG_AUTHID)?;
        let found = rows.iter().find(|r| &*r.text(pg_authid::ROLNAME) == name);
        Ok(found.map(|r| r.oid(pg_authid::OID)))
    }

    fn collation_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Option<Oid>> {
        use pg_collation::*;
        let schemas = self.schemas(schema)?;
        if schemas.contains(&oids::PG_CATALOG_NAMESPACE)
            && let Some(oid) = builtin::collations::by_name(name)
        {
            return Ok(Some(oid));
        }
        let rows = self
            .read
            .lookup(oids::PG_COLLATION_NAME_ENC_NSP_INDEX, &[Datum::text(name)])?;
        let find = |namespace: &Oid| rows.iter().find(|row| row.oid(COLLNAMESPACE) == *namespace);
        Ok(schemas.iter().find_map(find).map(|row| row.oid(OID)))
    }

    fn collation_name(&self, oid: Oid) -> PgResult<Option<Arc<str>>> {
        if let Some(name) = builtin::collations::name(oid) {
            return Ok(Some(name.into()));
        }
        let rows = self.read.lookup(oids::PG_COLLATION_OID_INDEX, &[key_oid(oid)])?;
        Ok(rows.first().map(|row| row.text(pg_collation::COLLNAME)))
    }

    fn text_order(&self, collation: Oid) -> PgResult<Option<Arc<types::collation::Collation>>> {
        get_or_load(&self.cache.text_orders, collation, || {
            load::collations::text_order(&self.read, collation)
        })
    }

    fn enum_labels(&self, type_oid: Oid) -> PgResult<EnumLabels> {
        use pg_enum::*;
        get_or_load(&self.cache.enum_labels, type_oid, || {
            let mut rows = self
                .read
                .lookup(oids::PG_ENUM_TYPID_SORTORDER_INDEX, &[key_oid(type_oid)])?;
            rows.sort_by(|a, b| a.float4(ENUMSORTORDER).total_cmp(&b.float4(ENUMSORTORDER)));
            Ok(rows
                .iter()
                .map(|row| (row.oid(OID), row.text(ENUMLABEL)))
                .collect())
        })
    }

    fn enum_label(&self, label: Oid) -> PgResult<Option<Arc<str>>> {
        get_or_load(&self.cache.enum_names, label, || {
            let rows = self.read.lookup(oids::PG_ENUM_OID_INDEX, &[key_oid(label)])?;
            Ok(rows.first().map(|row| row.text(pg_enum::ENUMLABEL)))
        })
    }

    fn check_enum_label(&self, label: Oid) -> PgResult<()> {
        if !self.cache.unsafe_labels().contains(&label) {
            return Ok(());
        }
        let rows = self.read.lookup(oids::PG_ENUM_OID_INDEX, &[key_oid(label)])?;
        let Some(row) = rows.first() else { return Ok(()) };
        let type_name = crate::format_type::format_type(self, row.oid(pg_enum::ENUMTYPID), -1)?;
        Err(pg_err!(
            UNSAFE_NEW_ENUM_VALUE_USAGE,
            "unsafe use of new value \"{}\" of enum type {type_name}",
            row.text(pg_enum::ENUMLABEL)
        )
        .hint("New enum values must be committed before they can be used."))
    }

    fn domain_constraints(&self, type_oid: Oid) -> PgResult<Vec<ConstraintDesc>> {
        if is_builtin(type_oid) {
            return Ok(Vec::new());
        }
        load::relation::domain_constraints(&self.read, type_oid)
    }

    fn aggregate(&self, func: Oid) -> PgResult<Option<AggregateDesc>> {
        if is_builtin(func) {
            return Ok(builtin::functions::aggregate(func));
        }
        load::functions::aggregate(&self.read, func)
    }

    fn default_opclass(&self, access_method: Oid, type_oid: Oid) -> PgResult<Option<OpclassDesc>> {
        use types::oids as t;
        let mine = self.user_opclass(access_method, |default, _, _, class| {
            default && class.input_type == type_oid
        })?;
        if mine.is_some() || is_builtin(type_oid) {
            return Ok(mine.or_else(|| builtin::families::default_opclass(access_method, type_oid)));
        }
        // A user's type is taken as its base type or as the pseudo-type of its kind.
        let Some(desc) = self.type_desc(type_oid)? else {
            return Ok(None);
        };
        let stand_in = match desc.kind {
            b'd' => return self.default_opclass(access_method, desc.base_type),
            b'e' => t::ANYENUM,
            b'r' => t::ANYRANGE,
            b'm' => t::ANYMULTIRANGE,
            b'c' => t::RECORD,
            _ if desc.is_array => t::ANYARRAY,
            _ => return Ok(None),
        };
        Ok(builtin::families::default_opclass(access_method, stand_in))
    }

    fn opclass_by_name(
        &self,
        access_method: Oid,
        schema: Option<&str>,
        name: &str,
    ) -> PgResult<Option<OpclassDesc>> {
        let schemas = self.schemas(schema)?;
        if schemas.contains(&oids::PG_CATALOG_NAMESPACE)
            && let Some(class) = builtin::families::opclass_by_name(access_method, name)
        {
            return Ok(Some(class));
        }
        self.user_opclass(access_method, |_, namespace, n, _| {
            n == name && schemas.contains(&namespace)
        })
    }

    fn opfamily_member(&self, family: Oid, left: Oid, right: Oid, strategy: i16) -> PgResult<Option<Oid>> {
        match builtin::families::member(family, left, right, strategy) {
            Some(op) => Ok(Some(op)),
            None => load::functions::member(&self.read, family, left, right, strategy),
        }
    }

    fn operator_families(&self, access_method: Oid, op: Oid) -> PgResult<Vec<(Oid, i16)>> {
        let mut families = builtin::families::of_operator(access_method, op);
        let made = get_or_load(&self.cache.families, (access_method, op), || {
            Ok(load::functions::families_of_operator(&self.read, access_method, op)?.into())
        })?;
        families.extend(made.iter());
        Ok(families)
    }

    fn opfamily_proc(&self, family: Oid, left: Oid, right: Oid, number: i16) -> PgResult<Option<Oid>> {
        match builtin::families::support_function(family, left, right, number) {
            Some(func) => Ok(Some(func)),
            None => load::functions::support_function(&self.read, family, left, right, number),
        }
    }

    fn statistics(&self, relation: Oid, attno: i16) -> PgResult<Option<Arc<ColumnStatistics>>> {
        get_or_load(&self.cache.statistics, (relation, attno, false), || {
            statistics::column(&self.read, (relation, attno), false)
        })
    }

    fn inherited_statistics(&self, relation: Oid, attno: i16) -> PgResult<Option<Arc<ColumnStatistics>>> {
        get_or_load(&self.cache.statistics, (relation, attno, true), || {
            statistics::column(&self.read, (relation, attno), true)
        })
    }

    fn extended_statistics(&self, relation: Oid) -> PgResult<Arc<[ExtendedStatistics]>> {
        if relation < Oid::FIRST_NORMAL {
            return Ok(Arc::new([]));
        }
        get_or_load(&self.cache.extended_statistics, relation, || {
            statistics_ext::of_table(&self.read, relation)
        })
    }

    fn index_serves_snapshot(&self, index: &RelationDesc) -> bool {
        self.sizes.index_serves_snapshot(index)
    }

    fn relation_size(&self, relation: &Arc<RelationDesc>) -> PgResult<(u64, f64)> {
        let Some(index) = &relation.index else {
            return self.sizes.size(relation);
        };
        let Some(table) = self.relation(index.table)? else {
            return Ok((1, 0.0));
        };
        let (_, mut rows) = self.sizes.size(&table)?;
        if index.predicate.is_some() && relation.reltuples >= 0.0 {
            rows = rows.min(f64::from(relation.reltuples));
        }
        Ok((index_pages(relation, rows), rows))
    }

    fn role_name(&self, oid: Oid) -> PgResult<Option<Arc<str>>> {
        Ok(self.roles()?.name(oid))
    }

    fn range(&self, type_oid: Oid) -> PgResult<Option<RangeDesc>> {
        use pg_range::*;
        let built_in = BUILTIN_RANGES
            .iter()
            .find(|r| r.range == type_oid || r.multirange == type_oid);
        if is_builtin(type_oid) {
            return Ok(built_in.copied());
        }
        let describe = |row: &crate::row::StoredRow| RangeDesc {
            range: row.oid(RNGTYPID),
            subtype: row.oid(RNGSUBTYPE),
            multirange: row.oid(RNGMULTITYPID),
            collation: row.oid(RNGCOLLATION),
            opclass: row.oid(RNGSUBOPC),
            canonical: row.oid(RNGCANONICAL),
            subtype_diff: row.oid(RNGSUBDIFF),
        };
        let rows = self
            .read
            .lookup(oids::PG_RANGE_RNGTYPID_INDEX, &[key_oid(type_oid)])?;
        if let Some(row) = rows.first() {
            return Ok(Some(describe(row)));
        }
        let rows = self.read.scan(oids::PG_RANGE)?;
        Ok(rows.iter().map(describe).find(|r| r.multirange == type_oid))
    }
}
