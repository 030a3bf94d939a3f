//! What one statement may look up.

use std::sync::Arc;

use common::{Oid, PgResult};
use nodes::partition::PartitionBound;

use crate::desc::{ConstraintDesc, FunctionDesc, OperatorDesc, RelationDesc, TypeDesc};
use crate::partition::Partitions;
use crate::statistics_ext::ExtendedStatistics;

/// What text search objects are asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TextSearchObject {
    Config,
    Dictionary,
}

/// Catalog lookups under one snapshot and search path. Analyzer, planner and executor take `&dyn CatalogView`.
/// Lookups by OID answer `None` for objects that do not exist (any more); callers word the error.
pub trait CatalogView: Send + Sync {
    /// Changes whenever anything this view could answer may have changed: key of plan caches.
    fn version(&self) -> u64;
    /// A relation.
    fn relation(&self, oid: Oid) -> PgResult<Option<Arc<RelationDesc>>>;
    /// A relation by name: in `schema`, or along the search path (temporary schema first).
    fn relation_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Option<Arc<RelationDesc>>>;
    /// A type.
    fn type_desc(&self, oid: Oid) -> PgResult<Option<Arc<TypeDesc>>>;
    /// A type by its internal name (`int4`, `_int4`).
    fn type_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Option<Arc<TypeDesc>>>;
    /// A function.
    fn function(&self, oid: Oid) -> PgResult<Option<Arc<FunctionDesc>>>;
    /// All functions of a name that are visible (or in `schema`), in search path order; hidden duplicates left out.
    fn functions_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Vec<Arc<FunctionDesc>>>;
    /// An operator.
    fn operator(&self, oid: Oid) -> PgResult<Option<Arc<OperatorDesc>>>;
    /// All operators of a name that are visible (or in `schema`), in search path order.
    fn operators_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Vec<Arc<OperatorDesc>>>;
    /// The operator among [`CatalogView::operators_by_name`] with exactly these operand types (`left` invalid: prefix operator).
    fn operator_exact(
        &self,
        schema: Option<&str>,
        name: &str,
        left: Oid,
        right: Oid,
    ) -> PgResult<Option<Arc<OperatorDesc>>> {
        let all = self.operators_by_name(schema, name)?;
        Ok(all.into_iter().find(|o| o.left == left && o.right == right))
    }
    /// How to cast: `pg_cast` row of a pair of types.
    fn cast(&self, source: Oid, target: Oid) -> PgResult<Option<CastDesc>>;
    /// Schema OID by name (`pg_temp` resolved).
    fn namespace_by_name(&self, name: &str) -> PgResult<Option<Oid>>;
    /// Schema name by OID.
    fn namespace_name(&self, oid: Oid) -> PgResult<Option<Arc<str>>>;
    /// Schemas searched for unqualified names, in order, `pg_catalog` and the temporary schema included where they apply.
    fn search_path(&self) -> PgResult<Vec<Oid>>;
    /// Collation by name.
    fn collation_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Option<Oid>>;
    /// A text search configuration or dictionary by name.
    fn text_search_by_name(
        &self,
        object: TextSearchObject,
        schema: Option<&str>,
        name: &str,
    ) -> PgResult<Option<Oid>> {
        let _ = (object, schema, name);
        Ok(None)
    }
    /// A role by name.
    fn role_by_name(&self, name: &str) -> PgResult<Option<Oid>> {
        let _ = name;
        Ok(None)
    }
    /// Collation's name, for messages.
    fn collation_name(&self, oid: Oid) -> PgResult<Option<Arc<str>>>;
    /// The order of texts under a collation; `None`: that of their bytes.
    fn text_order(&self, collation: Oid) -> PgResult<Option<Arc<types::collation::Collation>>> {
        let _ = collation;
        Ok(None)
    }
    /// Labels of an enum type in sort order: (label OID, text).
    fn enum_labels(&self, type_oid: Oid) -> PgResult<EnumLabels>;
    /// Text of an enum label by its OID.
    fn enum_label(&self, label: Oid) -> PgResult<Option<Arc<str>>> {
        let _ = label;
        Ok(None)
    }
    /// 55P04 for a label that the running transaction added to a type that it did not make: the type's order may still be rolled
    /// back under values that use the label.
    fn check_enum_label(&self, label: Oid) -> PgResult<()> {
        let _ = label;
        Ok(())
    }
    /// Facts of a range type, found by its own OID or by that of its multirange.
    fn range(&self, type_oid: Oid) -> PgResult<Option<RangeDesc>> {
        Ok(BUILTIN_RANGES
            .iter()
            .find(|r| r.range == type_oid || r.multirange == type_oid)
            .copied())
    }
    /// CHECK constraints of a domain type itself (not of its base), by name, over `Expr::CoerceToDomainValue`.
    fn domain_constraints(&self, type_oid: Oid) -> PgResult<Vec<ConstraintDesc>> {
        if type_oid < Oid::FIRST_NORMAL {
            return Ok(Vec::new());
        }
        Err(common::unsupported!(
            "constraints of domains are not supported yet"
        ))
    }
    /// Attributes of a composite type made by users (or of a domain over one) by number: their types, `None` for dropped ones.
    fn composite_attributes(&self, type_oid: Oid) -> PgResult<Option<Vec<Option<Oid>>>> {
        let mut next = type_oid;
        while next >= Oid::FIRST_NORMAL {
            let Some(desc) = self.type_desc(next)? else { break };
            if desc.kind == b'c' {
                let relation = self.relation(desc.relation)?;
                let columns = relation.iter().flat_map(|r| &r.columns);
                return Ok(Some(
                    columns.map(|c| (!c.dropped).then_some(c.type_ref.oid)).collect(),
                ));
            }
            if desc.kind != b'd' {
                break;
            }
            next = desc.base_type;
        }
        Ok(None)
    }
    /// Facts of an aggregate.
    fn aggregate(&self, func: Oid) -> PgResult<Option<AggregateDesc>>;
    /// Default operator class of a type for an access method.
    fn default_opclass(&self, access_method: Oid, type_oid: Oid) -> PgResult<Option<OpclassDesc>>;
    /// Operator class by name.
    fn opclass_by_name(
        &self,
        access_method: Oid,
        schema: Option<&str>,
        name: &str,
    ) -> PgResult<Option<OpclassDesc>>;
    /// The operator of a family for a strategy and pair of types.
    fn opfamily_member(&self, family: Oid, left: Oid, right: Oid, strategy: i16) -> PgResult<Option<Oid>>;
    /// Families (with strategy) that an operator belongs to, for an access method.
    fn operator_families(&self, access_method: Oid, op: Oid) -> PgResult<Vec<(Oid, i16)>>;
    /// Support function of a family.
    fn opfamily_proc(&self, family: Oid, left: Oid, right: Oid, number: i16) -> PgResult<Option<Oid>>;
    /// Column statistics of `pg_statistic`, if ANALYZE made any.
    fn statistics(&self, relation: Oid, attno: i16) -> PgResult<Option<Arc<ColumnStatistics>>>;
    /// The same of a table with its children, if that is known.
    fn inherited_statistics(&self, relation: Oid, attno: i16) -> PgResult<Option<Arc<ColumnStatistics>>> {
        self.statistics(relation, attno)
    }
    /// The partitions of a partitioned table.
    fn partitions(&self, table: Oid) -> PgResult<Arc<Partitions>> {
        Partitions::of(self, table)
    }
    /// FOR VALUES ... of a partition. Where thousands are asked for it, their other properties may not have been.
    fn partition_bound(&self, oid: Oid) -> PgResult<Option<Arc<PartitionBound>>> {
        Ok(self
            .relation(oid)?
            .and_then(|desc| desc.inheritance.bound.clone()))
    }
    /// What ANALYZE found for the table's extended statistics.
    fn extended_statistics(&self, _relation: Oid) -> PgResult<Arc<[ExtendedStatistics]>> {
        Ok(Arc::new([]))
    }
    /// Current size of a relation as PostgreSQL's heap or btree would have it: (pages, tuples estimate).
    fn relation_size(&self, relation: &Arc<RelationDesc>) -> PgResult<(u64, f64)>;
    /// False when rows that the running transaction's snapshot sees may be missing in an index (`pg_index.indcheckxmin`).
    fn index_serves_snapshot(&self, _index: &RelationDesc) -> bool {
        true
    }
    /// A role's name.
    fn role_name(&self, oid: Oid) -> PgResult<Option<Arc<str>>>;
}

/// Labels of an enum type in sort order: (label OID, text).
pub type EnumLabels = Arc<[(Oid, Arc<str>)]>;

/// A row of `pg_cast`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CastDesc {
    pub source: Oid,
    pub target: Oid,
    /// Invalid: binary compatible or through I/O.
    pub function: Oid,
    /// i implicit, a assignment, e explicit.
    pub context: u8,
    /// f function, b binary compatible, i through I/O.
    pub method: u8,
}

/// A row of `pg_range`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct RangeDesc {
    pub range: Oid,
    pub subtype: Oid,
    pub multirange: Oid,
    pub collation: Oid,
    pub opclass: Oid,
    /// Function that makes discrete ranges canonical; invalid for continuous ones.
    pub canonical: Oid,
    /// Function that measures distances; may be invalid.
    pub subtype_diff: Oid,
}

/// The range types that every database has.
pub static BUILTIN_RANGES: [RangeDesc; 6] = [
    builtin_range([3904, 23, 4451, 1978], [3914, 3922]),
    builtin_range([3906, 1700, 4532, 3125], [0, 3924]),
    builtin_range([3908, 1114, 4533, 3128], [0, 3929]),
    builtin_range([3910, 1184, 4534, 3127], [0, 3930]),
    builtin_range([3912, 1082, 4535, 3122], [3915, 3925]),
    builtin_range([3926, 20, 4536, 3124], [3928, 3923]),
];

const fn builtin_range(
    [range, subtype, multirange, opclass]: [u32; 4],
    [canonical, subtype_diff]: [u32; 2],
) -> RangeDesc {
    RangeDesc {
        range: Oid(range),
        subtype: Oid(subtype),
        multirange: Oid(multirange),
        collation: Oid::INVALID,
        opclass: Oid(opclass),
        canonical: Oid(canonical),
        subtype_diff: Oid(subtype_diff),
    }
}

/// Facts of an aggregate (`pg_aggregate`).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct AggregateDesc {
    pub func: Oid,
    pub kind: u8,
    pub direct_args: i16,
    pub trans_func: Oid,
    pub final_func: Oid,
    pub combine_func: Oid,
    pub sort_op: Oid,
    pub trans_type: Oid,
    pub init_value: Option<Arc<str>>,
    /// The final function also gets NULLs of the aggregated arguments' types.
    pub final_extra: bool,
    /// What `finalfunc_modify` says: r, s, w.
    pub final_modify: u8,
    /// The form for frames that move; its functions are invalid when there is none.
    pub moving: MovingDesc,
}

/// The moving-aggregate form of an aggregate (`aggm...` in `pg_aggregate`).
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct MovingDesc {
    pub trans_func: Oid,
    pub inverse_func: Oid,
    pub final_func: Oid,
    pub final_extra: bool,
    pub trans_type: Oid,
    pub init_value: Option<Arc<str>>,
}

/// An operator class.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct OpclassDesc {
    pub oid: Oid,
    pub family: Oid,
    pub input_type: Oid,
    pub key_type: Oid,
}

/// What ANALYZE knows of a column.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct ColumnStatistics {
    pub null_fraction: f32,
    pub average_width: i32,
    /// Positive: count; negative: minus the fraction of rows.
    pub n_distinct: f32,
    pub most_common: Vec<(types::Datum, f32)>,
    pub histogram: Vec<types::Datum>,
    pub correlation: Option<f32>,
}
