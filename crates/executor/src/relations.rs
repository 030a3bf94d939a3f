//! From catalog descriptors to opened tables and indexes.

use std::sync::Arc;

use access::{BuiltinRows, Index, IndexDef, IndexState, Persistence, Storage, Table, TableDef};
use catalog::desc::{IndexDesc, RelationDesc};
use common::{Oid, PgResult, internal, unsupported};
use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use types::key::KeyColumn;
use types::{Datum, PhysType};

/// OIDs of access methods in `pg_am` whose indexes are kept in B-tree order: btree, hash, and gist behind exclusion constraints.
const ORDERED: [Oid; 3] = [Oid(403), Oid(405), Oid(783)];

/// Opens what a descriptor describes.
pub trait RelationOpener: Send + Sync {
    /// A table (or materialized view, sequence or catalog read as a table).
    fn table(&self, desc: &Arc<RelationDesc>) -> PgResult<Table>;
    /// An index; `table` is the descriptor of its table.
    fn index(&self, desc: &Arc<RelationDesc>, table: &RelationDesc) -> PgResult<Index>;
    /// The database below.
    fn storage(&self) -> &Arc<Storage>;
}

/// Rows that come with the program, by relation OID.
pub type BuiltinSource = Arc<dyn Fn(Oid) -> Option<Arc<dyn BuiltinRows>> + Send + Sync>;

/// Opened indexes of system catalogs, by OID.
pub type BuiltinIndexes = Arc<dyn Fn(Oid) -> PgResult<Index> + Send + Sync>;

/// The opened relations of one database. An entry counts as long as the same descriptor asks for it.
pub struct RelationCache {
    storage: Arc<Storage>,
    builtin: BuiltinSource,
    builtin_indexes: Option<BuiltinIndexes>,
    tables: RwLock<FxHashMap<Oid, (Arc<RelationDesc>, Table)>>,
    indexes: RwLock<FxHashMap<Oid, (Arc<RelationDesc>, Index)>>,
}

impl RelationCache {
    /// An empty cache. `builtin` gives the rows of system catalogs.
    pub fn new(storage: Arc<Storage>, builtin: BuiltinSource) -> RelationCache {
        RelationCache {
            storage,
            builtin,
            builtin_indexes: None,
            tables: RwLock::default(),
            indexes: RwLock::default(),
        }
    }

    /// With the indexes of system catalogs.
    pub fn with_builtin_indexes(mut self, indexes: BuiltinIndexes) -> RelationCache {
        self.builtin_indexes = Some(indexes);
        self
    }

    /// A cache for a database without built-in rows (tests).
    pub fn without_builtin_rows(storage: Arc<Storage>) -> RelationCache {
        RelationCache::new(storage, Arc::new(|_| None))
    }
}

impl RelationOpener for RelationCache {
    fn table(&self, desc: &Arc<RelationDesc>) -> PgResult<Table> {
        if let Some((known, table)) = self.tables.read().get(&desc.oid) {
            if Arc::ptr_eq(known, desc) {
                return Ok(table.clone());
            }
        }
        let mut def = table_def(desc)?;
        def.builtin = (self.builtin)(desc.oid);
        let table = self.storage.table(&Arc::new(def))?;
        self.tables
            .write()
            .insert(desc.oid, (Arc::clone(desc), table.clone()));
        Ok(table)
    }

    fn index(&self, desc: &Arc<RelationDesc>, table: &RelationDesc) -> PgResult<Index> {
        if let Some((known, index)) = self.indexes.read().get(&desc.oid) {
            if Arc::ptr_eq(known, desc) {
                return Ok(index.clone());
            }
        }
        let index = match &self.builtin_indexes {
            Some(open) if desc.oid < Oid::FIRST_NORMAL => open(desc.oid)?,
            _ => self.storage.index(&Arc::new(index_def(desc, table)?))?,
        };
        self.indexes
            .write()
            .insert(desc.oid, (Arc::clone(desc), index.clone()));
        Ok(index)
    }

    fn storage(&self) -> &Arc<Storage> {
        &self.storage
    }
}

fn persistence(desc: &RelationDesc) -> Persistence {
    match desc.persistence {
        b'u' => Persistence::Unlogged,
        b't' => Persistence::Temporary,
        _ => Persistence::Permanent,
    }
}

/// The row of a sequence: `last_value`, `log_cnt`, `is_called`.
pub(crate) fn sequence_row(storage: &Arc<Storage>, desc: &RelationDesc) -> PgResult<[Datum; 3]> {
    let state = storage.sequence(desc.storage, persistence(desc))?.state();
    Ok([
        Datum::Int8(state.last_value),
        Datum::Int8(state.log_count),
        Datum::Bool(state.is_called),
    ])
}

/// A table's definition for storage.
pub(crate) fn table_def(desc: &RelationDesc) -> PgResult<TableDef> {
    if !matches!(desc.relkind, b'r' | b'm' | b't') {
        return Err(unsupported!(
            "cannot read relation \"{}\" of this kind as a table",
            desc.name
        ));
    }
    let mut def = TableDef::new(desc.storage, desc.oid, desc.phys_columns());
    def.persistence = persistence(desc);
    let storage = desc
        .columns
        .iter()
        .map(|c| access::ColumnStorage::of_letter(c.storage));
    def.storage = storage.collect();
    let missing = |c: &catalog::desc::ColumnDesc| c.missing.clone().unwrap_or(Datum::Null);
    if desc.columns.iter().any(|c| c.missing.is_some()) {
        def.missing = desc.columns.iter().map(missing).collect();
    }
    Ok(def)
}

/// The descriptor's index part.
pub(crate) fn index_part(desc: &RelationDesc) -> PgResult<&IndexDesc> {
    desc.index
        .as_ref()
        .ok_or_else(|| internal!("relation \"{}\" is not an index", desc.name))
}

/// An index's definition for storage.
pub(crate) fn index_def(desc: &RelationDesc, table: &RelationDesc) -> PgResult<IndexDef> {
    let info = index_part(desc)?;
    if !ORDERED.contains(&info.access_method) {
        return Err(unsupported!(
            "index \"{}\" has an access method that is not supported yet",
            desc.name
        ));
    }
    let mut columns = Vec::new();
    let mut include = Vec::new();
    for (position, column) in info.columns.iter().enumerate() {
        let phys = index_column_phys(desc, table, position)?;
        if position >= info.key_count {
            include.push(phys);
            continue;
        }
        columns.push(KeyColumn {
            phys,
            type_oid: key_type(desc, table, position),
            descending: column.descending,
            nulls_first: column.nulls_first,
            collation: column.text_order.clone(),
        });
    }
    let mut def = IndexDef::new(desc.storage, desc.oid, columns);
    def.table = Some(table.storage);
    def.include = include;
    // What is more than equality is checked above.
    def.unique = info.unique && !info.exclusion;
    def.nulls_not_distinct = info.nulls_not_distinct;
    def.persistence = persistence(desc);
    def.state = match (info.valid, info.ready) {
        (true, _) => IndexState::Complete,
        (false, true) => IndexState::WriteOnly,
        (false, false) => IndexState::DeleteOnly,
    };
    Ok(def)
}

/// The SQL type that orders an index column.
fn key_type(desc: &RelationDesc, table: &RelationDesc, position: usize) -> Oid {
    let own = desc.columns.get(position).map(|c| c.type_ref.oid);
    let info = desc.index.as_ref().and_then(|i| i.columns.get(position));
    let of_table = info.and_then(|c| table.column(c.attno)).map(|c| c.type_ref.oid);
    let of_expr = info.and_then(|c| c.expr.as_ref()).map(|e| e.type_oid());
    own.or(of_table).or(of_expr).unwrap_or(Oid::INVALID)
}

/// Storage class of an index column.
pub(crate) fn index_column_phys(
    desc: &RelationDesc,
    table: &RelationDesc,
    position: usize,
) -> PgResult<PhysType> {
    let info = index_part(desc)?;
    let Some(column) = info.columns.get(position) else {
        return Err(internal!("index \"{}\" has no column {position}", desc.name));
    };
    if let Some(c) = table.column(column.attno) {
        return Ok(c.phys);
    }
    if let Some(c) = desc.columns.get(position) {
        return Ok(c.phys);
    }
    match &column.expr {
        Some(expr) => Ok(PhysType::of_builtin(expr.type_oid())),
        None => Err(internal!("index \"{}\" has a column without a source", desc.name)),
    }
}
