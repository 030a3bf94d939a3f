//! Descriptors: catalog rows in the form the engine works with.

use std::sync::Arc;

use common::{AttrNumber, Oid, RelationId};
use nodes::Expr;
use types::settings::TypeRef;
use types::{Datum, PhysType};

use crate::trigger::TriggerState;

/// A relation (table, index, view, sequence, composite type...) with its columns and what hangs on it.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct RelationDesc {
    pub oid: Oid,
    pub name: Arc<str>,
    pub namespace: Oid,
    pub namespace_name: Arc<str>,
    pub owner: Oid,
    /// `pg_class.relkind`: r, i, S, v, m, c, t, f, p, I.
    pub relkind: u8,
    /// `pg_class.relpersistence`: p, u, t.
    pub persistence: u8,
    /// Composite type of its rows.
    pub row_type: Oid,
    /// Where its rows are (tables, sequences, indexes); invalid for views.
    pub storage: RelationId,
    pub columns: Vec<ColumnDesc>,
    /// OIDs of its indexes, in OID order.
    pub indexes: Vec<Oid>,
    /// CHECK, NOT NULL, unique, foreign key... constraints, by name.
    pub constraints: Vec<ConstraintDesc>,
    /// What foreign keys among `constraints` are for the partitions of the tables they refer to: rows of `pg_constraint` that give
    /// them names and dependencies, and nothing to check.
    pub foreign_key_parts: Vec<ConstraintDesc>,
    pub has_rules: bool,
    pub has_triggers: bool,
    /// Triggers of foreign keys that are switched off, or fire on replicas or always.
    pub trigger_states: Vec<TriggerState>,
    pub row_security: bool,
    pub force_row_security: bool,
    pub is_partition: bool,
    /// For partitioned tables, children and parents in `pg_inherits`.
    pub has_subclass: bool,
    /// `pg_class.reltuples`, `relpages`, `relallvisible` (planner estimates; -1: never analyzed).
    pub reltuples: f32,
    pub relpages: i32,
    pub acl: Option<Vec<Datum>>,
    pub options: Vec<(Arc<str>, Arc<str>)>,
    /// For relkind i and I.
    pub index: Option<IndexDesc>,
    /// `pg_class.relispopulated`: no for a materialized view without data.
    pub populated: bool,
    /// Foreign keys that refer to it: (referencing table, constraint).
    pub referenced_by: Vec<(Oid, Oid)>,
    /// Parents, children, partition key and bound.
    pub inheritance: Inheritance,
    /// For views and materialized views: the stored query's text form (`pg_rewrite`), analyzed on use.
    pub view_definition: Option<Arc<str>>,
}

impl RelationDesc {
    /// The column with this attribute number (dropped ones included).
    pub fn column(&self, attno: AttrNumber) -> Option<&ColumnDesc> {
        usize::try_from(attno)
            .ok()
            .and_then(|i| self.columns.get(i.wrapping_sub(1)))
    }

    /// The live column of this name.
    pub fn column_by_name(&self, name: &str) -> Option<&ColumnDesc> {
        self.columns.iter().find(|c| !c.dropped && &*c.name == name)
    }

    /// Storage classes of all columns, dropped ones included, in attno order.
    pub fn phys_columns(&self) -> Vec<PhysType> {
        self.columns.iter().map(|c| c.phys).collect()
    }
}

/// Where a relation stands in inheritance trees and partition hierarchies.
#[derive(Clone, Debug, Default)]
pub struct Inheritance {
    /// Direct parents, in order of `inhseqno`.
    pub parents: Vec<Oid>,
    /// Direct children, by OID.
    pub children: Vec<Oid>,
    /// For partitioned tables.
    pub key: Option<Arc<crate::partition::PartitionKey>>,
    /// The default partition of a partitioned table; invalid: none.
    pub default_partition: Oid,
    /// For partitions.
    pub bound: Option<Arc<nodes::partition::PartitionBound>>,
}

/// A column. `RelationDesc::columns[attno - 1]`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct ColumnDesc {
    pub attno: AttrNumber,
    pub name: Arc<str>,
    pub type_ref: TypeRef,
    pub phys: PhysType,
    pub collation: Oid,
    pub not_null: bool,
    pub dropped: bool,
    /// Default or generation expression over the relation's own columns as `Rel { index: 1 }` variables.
    pub default: Option<Arc<Expr>>,
    /// `attidentity`: b' ', b'a', b'd' (0 when none).
    pub identity: u8,
    /// `attgenerated`: b's', b'v' (0 when none).
    pub generated: u8,
    /// Sequence of an identity column.
    pub identity_sequence: Oid,
    /// Value for rows older than the column.
    pub missing: Option<Datum>,
    pub storage: u8,
    pub compression: u8,
    pub stats_target: i16,
    pub is_local: bool,
    pub inherited_count: i16,
    pub acl: Option<Vec<Datum>>,
}

/// What makes an index an index (`pg_index`).
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct IndexDesc {
    pub table: Oid,
    /// Access method OID (403: btree, 405: hash...).
    pub access_method: Oid,
    pub unique: bool,
    pub primary: bool,
    pub exclusion: bool,
    pub nulls_not_distinct: bool,
    pub immediate: bool,
    pub valid: bool,
    /// New rows get entries.
    pub ready: bool,
    /// False: about to go, nobody uses it.
    pub live: bool,
    pub clustered: bool,
    /// Key columns first, then INCLUDE columns.
    pub columns: Vec<IndexColumnDesc>,
    pub key_count: usize,
    /// Partial index: predicate over the table's columns.
    pub predicate: Option<Arc<Expr>>,
}

/// One index column.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct IndexColumnDesc {
    /// Table column; 0 for an expression.
    pub attno: AttrNumber,
    pub expr: Option<Arc<Expr>>,
    pub opclass: Oid,
    pub opfamily: Oid,
    /// Input type of the operator class.
    pub opcintype: Oid,
    pub collation: Oid,
    /// The collation's order where it is not that of bytes; of indexes that are stored.
    pub text_order: Option<Arc<types::collation::Collation>>,
    pub descending: bool,
    pub nulls_first: bool,
}

/// A constraint (`pg_constraint`).
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct ConstraintDesc {
    pub oid: Oid,
    pub name: Arc<str>,
    /// c check, n not null, p primary, u unique, f foreign key, x exclusion, t trigger.
    pub kind: u8,
    pub relation: Oid,
    pub columns: Vec<AttrNumber>,
    /// CHECK: over the relation's columns as `Rel { index: 1 }` variables.
    pub check: Option<Arc<Expr>>,
    /// Unique, primary, exclusion: its index.
    pub index: Oid,
    /// Exclusion and WITHOUT OVERLAPS: the operator of each column.
    pub exclusion_ops: Vec<Oid>,
    /// WITHOUT OVERLAPS, PERIOD.
    pub period: bool,
    pub deferrable: bool,
    pub deferred: bool,
    pub validated: bool,
    pub enforced: bool,
    pub no_inherit: bool,
    pub is_local: bool,
    pub inherited_count: i16,
    /// The constraint of the partitioned parent that it belongs to; invalid for none.
    pub parent: Oid,
    /// Foreign keys: referenced table and columns, equality operators (pk = fk), actions and match type.
    pub foreign: Option<ForeignKeyDesc>,
}

/// The foreign part of a foreign key.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct ForeignKeyDesc {
    pub table: Oid,
    pub columns: Vec<AttrNumber>,
    /// Equality of referenced and referencing, of referenced, and of referencing values.
    pub pf_eq_ops: Vec<Oid>,
    pub pp_eq_ops: Vec<Oid>,
    pub ff_eq_ops: Vec<Oid>,
    pub on_update: u8,
    pub on_delete: u8,
    pub match_type: u8,
    pub delete_set_columns: Vec<AttrNumber>,
}

/// A type (`pg_type`), built in or made by a user.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct TypeDesc {
    pub oid: Oid,
    pub name: Arc<str>,
    pub namespace: Oid,
    pub owner: Oid,
    pub len: i16,
    pub by_val: bool,
    /// b base, c composite, d domain, e enum, p pseudo, r range, m multirange.
    pub kind: u8,
    pub category: u8,
    pub preferred: bool,
    pub defined: bool,
    pub delimiter: u8,
    pub relation: Oid,
    pub element: Oid,
    pub array: Oid,
    /// True array type (not only subscriptable).
    pub is_array: bool,
    pub base_type: Oid,
    pub typmod: i32,
    pub not_null: bool,
    pub collation: Oid,
    pub default: Option<Arc<str>>,
    pub align: u8,
    pub phys: PhysType,
    /// Of a base type made by a user: the built-in type whose input function it has, whose values it has therefore.
    pub like: Oid,
}

/// A function, procedure, aggregate or window function (`pg_proc`).
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct FunctionDesc {
    pub oid: Oid,
    pub name: Arc<str>,
    pub namespace: Oid,
    pub owner: Oid,
    pub language: Oid,
    /// f, p, a, w.
    pub kind: u8,
    pub strict: bool,
    pub returns_set: bool,
    /// i, s, v.
    pub volatility: u8,
    pub parallel: u8,
    pub security_definer: bool,
    pub leakproof: bool,
    pub cost: f32,
    pub rows: f32,
    /// Element type of a VARIADIC parameter; invalid without.
    pub variadic: Oid,
    pub arg_types: Vec<Oid>,
    pub default_count: usize,
    /// Defaults of the last `default_count` input arguments.
    pub defaults: Vec<Arc<Expr>>,
    pub result: Oid,
    /// OUT, INOUT, TABLE parameters: all types, modes and names.
    pub all_arg_types: Vec<Oid>,
    pub arg_modes: Vec<u8>,
    pub arg_names: Vec<Arc<str>>,
    pub source: Arc<str>,
    pub sql_body: Option<Arc<str>>,
    pub config: Vec<Arc<str>>,
    /// Privileges, where they are not the default.
    pub acl: Option<Vec<Datum>>,
}

impl FunctionDesc {
    /// True for functions and procedures in language SQL.
    pub fn is_sql(&self) -> bool {
        self.language == crate::oids::SQL_LANGUAGE
    }

    /// True for functions and procedures in PL/pgSQL.
    pub fn is_plpgsql(&self) -> bool {
        self.language == crate::oids::PLPGSQL_LANGUAGE
    }

    /// True for routines that the session runs: their bodies are text.
    pub fn runs_in_session(&self) -> bool {
        self.is_sql() || self.is_plpgsql()
    }

    /// Names and types of OUT, INOUT and TABLE parameters.
    pub fn out_columns(&self) -> Vec<(&str, Oid)> {
        let with_mode = self.arg_modes.iter().enumerate();
        with_mode
            .filter(|(_, m)| matches!(m, b'o' | b'b' | b't'))
            .map(|(i, _)| {
                let name = self.arg_names.get(i).map_or("", |n| &**n);
                (name, self.all_arg_types.get(i).copied().unwrap_or(Oid::INVALID))
            })
            .collect()
    }
}

/// An operator (`pg_operator`).
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct OperatorDesc {
    pub oid: Oid,
    pub name: Arc<str>,
    pub namespace: Oid,
    /// b binary, l prefix.
    pub kind: u8,
    pub can_merge: bool,
    pub can_hash: bool,
    pub left: Oid,
    pub right: Oid,
    pub result: Oid,
    pub commutator: Oid,
    pub negator: Oid,
    pub function: Oid,
    pub restrict: Arc<str>,
    pub join: Arc<str>,
}
