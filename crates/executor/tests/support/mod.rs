//! A database in memory without SQL: tables made by hand, plans built from parts.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::cell::RefCell;
use std::sync::Arc;

use access::{ActiveSnapshot, Storage, StorageOptions, Transaction, TransactionOptions};
use catalog::desc::*;
use catalog::view::*;
use catalog::{BuiltinView, CatalogView};
use common::cancel::CancelToken;
use common::env::os::OsEnv;
use common::memory::MemoryBudget;
use common::{Oid, PgResult, RelationId, Span};
use functions::{NoSession, facts};
use nodes::expr::*;
use nodes::plan::*;
use nodes::query::*;
use nodes::{Expr, RelIds};
use pglite_executor::*;
use types::settings::TypeRef;
use types::{Datum, FormatSettings, PhysType, oids};

pub struct TestCatalog {
    builtin: BuiltinView,
    pub relations: Vec<Arc<RelationDesc>>,
}

impl CatalogView for TestCatalog {
    fn version(&self) -> u64 {
        1
    }
    fn relation(&self, oid: Oid) -> PgResult<Option<Arc<RelationDesc>>> {
        Ok(self.relations.iter().find(|r| r.oid == oid).cloned())
    }
    fn relation_by_name(&self, s: Option<&str>, n: &str) -> PgResult<Option<Arc<RelationDesc>>> {
        self.builtin.relation_by_name(s, n)
    }
    fn type_desc(&self, oid: Oid) -> PgResult<Option<Arc<TypeDesc>>> {
        self.builtin.type_desc(oid)
    }
    fn type_by_name(&self, s: Option<&str>, n: &str) -> PgResult<Option<Arc<TypeDesc>>> {
        self.builtin.type_by_name(s, n)
    }
    fn function(&self, oid: Oid) -> PgResult<Option<Arc<FunctionDesc>>> {
        self.builtin.function(oid)
    }
    fn functions_by_name(&self, s: Option<&str>, n: &str) -> PgResult<Vec<Arc<FunctionDesc>>> {
        self.builtin.functions_by_name(s, n)
    }
    fn operator(&self, oid: Oid) -> PgResult<Option<Arc<OperatorDesc>>> {
        self.builtin.operator(oid)
    }
    fn operators_by_name(&self, s: Option<&str>, n: &str) -> PgResult<Vec<Arc<OperatorDesc>>> {
        self.builtin.operators_by_name(s, n)
    }
    fn cast(&self, a: Oid, b: Oid) -> PgResult<Option<CastDesc>> {
        self.builtin.cast(a, b)
    }
    fn namespace_by_name(&self, n: &str) -> PgResult<Option<Oid>> {
        self.builtin.namespace_by_name(n)
    }
    fn namespace_name(&self, oid: Oid) -> PgResult<Option<Arc<str>>> {
        self.builtin.namespace_name(oid)
    }
    fn search_path(&self) -> PgResult<Vec<Oid>> {
        self.builtin.search_path()
    }
    fn collation_by_name(&self, s: Option<&str>, n: &str) -> PgResult<Option<Oid>> {
        self.builtin.collation_by_name(s, n)
    }
    fn collation_name(&self, oid: Oid) -> PgResult<Option<Arc<str>>> {
        self.builtin.collation_name(oid)
    }
    fn enum_labels(&self, oid: Oid) -> PgResult<catalog::view::EnumLabels> {
        self.builtin.enum_labels(oid)
    }
    fn aggregate(&self, f: Oid) -> PgResult<Option<AggregateDesc>> {
        self.builtin.aggregate(f)
    }
    fn default_opclass(&self, am: Oid, t: Oid) -> PgResult<Option<OpclassDesc>> {
        self.builtin.default_opclass(am, t)
    }
    fn opclass_by_name(&self, am: Oid, s: Option<&str>, n: &str) -> PgResult<Option<OpclassDesc>> {
        self.builtin.opclass_by_name(am, s, n)
    }
    fn opfamily_member(&self, f: Oid, l: Oid, r: Oid, s: i16) -> PgResult<Option<Oid>> {
        self.builtin.opfamily_member(f, l, r, s)
    }
    fn operator_families(&self, am: Oid, op: Oid) -> PgResult<Vec<(Oid, i16)>> {
        self.builtin.operator_families(am, op)
    }
    fn opfamily_proc(&self, f: Oid, l: Oid, r: Oid, n: i16) -> PgResult<Option<Oid>> {
        self.builtin.opfamily_proc(f, l, r, n)
    }
    fn statistics(&self, r: Oid, a: i16) -> PgResult<Option<Arc<ColumnStatistics>>> {
        self.builtin.statistics(r, a)
    }
    fn relation_size(&self, r: &Arc<RelationDesc>) -> PgResult<(u64, f64)> {
        self.builtin.relation_size(r)
    }
    fn role_name(&self, oid: Oid) -> PgResult<Option<Arc<str>>> {
        self.builtin.role_name(oid)
    }
}

pub struct Db {
    pub storage: Arc<Storage>,
    pub relations: RelationCache,
    pub catalog: TestCatalog,
    pub txn: RefCell<Transaction>,
    pub memory: MemoryBudget,
    settings: FormatSettings,
    cancel: CancelToken,
    env: OsEnv,
    next: u32,
}

fn empty_desc(oid: Oid, name: &str, kind: u8, storage: RelationId) -> RelationDesc {
    RelationDesc {
        oid,
        name: name.into(),
        namespace: Oid(2200),
        namespace_name: "public".into(),
        owner: Oid(10),
        relkind: kind,
        persistence: b'p',
        row_type: Oid(0),
        storage,
        columns: Vec::new(),
        indexes: Vec::new(),
        constraints: Vec::new(),
        has_rules: false,
        has_triggers: false,
        trigger_states: Vec::new(),
        row_security: false,
        force_row_security: false,
        is_partition: false,
        has_subclass: false,
        reltuples: -1.0,
        relpages: 0,
        acl: None,
        options: Vec::new(),
        index: None,
        populated: true,
        referenced_by: Vec::new(),
        foreign_key_parts: Vec::new(),
        inheritance: catalog::desc::Inheritance::default(),
        view_definition: None,
    }
}

fn column(attno: i16, name: &str, type_oid: Oid) -> ColumnDesc {
    ColumnDesc {
        attno,
        name: name.into(),
        type_ref: TypeRef::plain(type_oid),
        phys: PhysType::of_builtin(type_oid),
        collation: Oid(0),
        not_null: false,
        dropped: false,
        default: None,
        identity: 0,
        generated: 0,
        identity_sequence: Oid(0),
        missing: None,
        storage: b'p',
        compression: 0,
        stats_target: -1,
        is_local: true,
        inherited_count: 0,
        acl: None,
    }
}

impl Db {
    pub fn new() -> Db {
        let storage = Storage::open(StorageOptions {
            background: false,
            ..StorageOptions::in_memory(Arc::new(OsEnv::new()))
        })
        .unwrap();
        let proc = storage.register(1).unwrap();
        let txn = storage.begin(&proc, TransactionOptions::default()).unwrap();
        Db {
            relations: RelationCache::without_builtin_rows(storage.clone()),
            storage,
            catalog: TestCatalog {
                builtin: catalog::builtin_view(),
                relations: Vec::new(),
            },
            txn: RefCell::new(txn),
            memory: MemoryBudget::new(64 << 20),
            settings: FormatSettings::default(),
            cancel: CancelToken::new(),
            env: OsEnv::new(),
            next: 20000,
        }
    }

    fn oid(&mut self) -> Oid {
        self.next += 1;
        Oid(self.next)
    }

    /// A table; `unique` makes a unique index on the first column.
    pub fn table(&mut self, name: &str, columns: &[(&str, Oid)], unique: bool) -> Oid {
        self.table_with(name, columns, unique, |_| {})
    }

    pub fn table_with(
        &mut self,
        name: &str,
        columns: &[(&str, Oid)],
        unique: bool,
        change: impl FnOnce(&mut RelationDesc),
    ) -> Oid {
        let oid = self.oid();
        let storage = self.txn.borrow_mut().create_relation().unwrap();
        let mut desc = empty_desc(oid, name, b'r', storage);
        for (i, (n, t)) in columns.iter().enumerate() {
            desc.columns.push(column(i as i16 + 1, n, *t));
        }
        change(&mut desc);
        if unique {
            let index = self.oid();
            let storage = self.txn.borrow_mut().create_relation().unwrap();
            let mut i = empty_desc(index, &format!("{name}_pkey"), b'i', storage);
            i.columns.push(column(1, columns[0].0, columns[0].1));
            i.index = Some(IndexDesc {
                table: oid,
                access_method: Oid(403),
                unique: true,
                primary: true,
                exclusion: false,
                nulls_not_distinct: false,
                immediate: true,
                valid: true,
                ready: true,
                live: true,
                clustered: false,
                columns: vec![IndexColumnDesc {
                    attno: 1,
                    expr: None,
                    opclass: Oid(1978),
                    opfamily: Oid(1976),
                    opcintype: columns[0].1,
                    collation: Oid(0),
                    descending: false,
                    nulls_first: false,
                    text_order: None,
                }],
                key_count: 1,
                predicate: None,
            });
            desc.indexes.push(index);
            self.catalog.relations.push(Arc::new(i));
        }
        self.catalog.relations.push(Arc::new(desc));
        oid
    }

    pub fn index_of(&self, table: Oid) -> Oid {
        self.catalog.relation(table).unwrap().unwrap().indexes[0]
    }

    pub fn snapshot(&self) -> ActiveSnapshot {
        self.txn.borrow_mut().snapshot().unwrap()
    }

    /// Commits; another transaction begins.
    pub fn commit(&self) {
        let proc = self.storage.register(2).unwrap();
        let next = self.storage.begin(&proc, TransactionOptions::default()).unwrap();
        self.txn.replace(next).commit().unwrap();
    }

    pub fn with<T>(&self, params: &[Datum], f: impl FnOnce(&ExecContext<'_>) -> T) -> T {
        let snapshot = self.snapshot();
        self.with_at(&snapshot, params, f)
    }

    pub fn with_at<T>(
        &self,
        snapshot: &ActiveSnapshot,
        params: &[Datum],
        f: impl FnOnce(&ExecContext<'_>) -> T,
    ) -> T {
        f(&ExecContext {
            txn: Some(&self.txn),
            snapshot,
            catalog: &self.catalog,
            relations: &self.relations,
            params,
            session: &NoSession,
            settings: &self.settings,
            cancel: &self.cancel,
            memory: &self.memory,
            work_mem_bytes: 4 << 20,
            hash_mem_bytes: 8 << 20,
            temp: &access::TempSpace::default(),
            after: &pglite_executor::AfterQueue::default(),
            env: &self.env,
            workers: None,
            leader_participates: true,
        })
    }

    /// Runs a plan in steps of `step` rows.
    pub fn run_step(&self, stmt: PlannedStmt, step: usize) -> PgResult<Vec<Vec<Datum>>> {
        let snapshot = self.snapshot();
        self.run_at(&snapshot, stmt, step)
    }

    /// The same under a given snapshot.
    pub fn run_at(
        &self,
        snapshot: &ActiveSnapshot,
        stmt: PlannedStmt,
        step: usize,
    ) -> PgResult<Vec<Vec<Datum>>> {
        let prepared = Arc::new(PreparedPlan::compile(Arc::new(stmt), &self.catalog)?);
        let rows = self.with_at(snapshot, &[], |cx| {
            let mut run = QueryRun::start(prepared, RunOptions::default());
            let mut rows = Vec::new();
            while let Some(batch) = run.next_batch(cx, step)? {
                assert!(!batch.is_empty() && batch.len() <= step);
                rows.extend((0..batch.len()).map(|k| batch.row(k)));
            }
            Ok(rows)
        });
        self.txn.borrow_mut().next_command().unwrap();
        rows
    }

    pub fn run(&self, plan: Plan) -> PgResult<Vec<Vec<Datum>>> {
        self.run_step(stmt(plan), 1024)
    }

    pub fn insert(&self, table: Oid, rows: &[Vec<Datum>]) -> PgResult<u64> {
        let desc = self.catalog.relation(table)?.unwrap();
        let n = self.with(&[], |cx| {
            let mut target = InsertTarget::open(cx, &desc)?;
            for row in rows {
                target.insert(cx, &mut row.clone())?;
            }
            target.finish(cx)?;
            Ok(rows.len() as u64)
        });
        self.txn.borrow_mut().next_command().unwrap();
        n
    }
}

pub fn stmt(mut plan: Plan) -> PlannedStmt {
    fn number(p: &mut Plan, next: &mut u32) {
        p.id = *next;
        *next += 1;
        match &mut p.node {
            PlanNode::NestLoop { outer, inner, .. }
            | PlanNode::MergeJoin { outer, inner, .. }
            | PlanNode::HashJoin { outer, inner, .. } => {
                number(outer, next);
                number(inner, next);
            }
            _ => {}
        }
    }
    number(&mut plan, &mut 0);
    let command = match &plan.node {
        PlanNode::ModifyTable(m) => m.operation,
        _ => CommandType::Select,
    };
    PlannedStmt {
        command,
        has_returning: false,
        has_modifying_cte: false,
        plan,
        range_table: Vec::new(),
        subplans: Vec::new(),
        exec_params: 8,
        param_types: Vec::new(),
        depends_on: Vec::new(),
        generic: true,
        transient: false,
        has_row_copies: false,
    }
}

pub fn int(v: i32) -> Datum {
    Datum::Int4(v)
}

pub fn constant(value: Datum, type_oid: Oid) -> Expr {
    Expr::Const(Const {
        value,
        type_ref: TypeRef::plain(type_oid),
        collation: Oid(0),
        span: Span::NONE,
    })
}

pub fn int4(v: i32) -> Expr {
    constant(int(v), oids::INT4)
}

pub fn param(slot: usize, kind: ParamKind) -> Expr {
    Expr::Param(Param {
        kind,
        number: slot,
        type_ref: TypeRef::plain(oids::INT4),
        collation: Oid(0),
        span: Span::NONE,
    })
}

pub fn var(source: VarSource, attno: i16, type_oid: Oid) -> Expr {
    Expr::Var(nodes::Var {
        source,
        attno,
        type_ref: TypeRef::plain(type_oid),
        collation: Oid(0),
        nulling_rels: RelIds::empty(),
        returning: Default::default(),
        span: Span::NONE,
    })
}

pub fn scan_col(attno: i16) -> Expr {
    var(VarSource::Scan, attno, oids::INT4)
}

pub fn outer(attno: i16) -> Expr {
    var(VarSource::Outer, attno, oids::INT4)
}

pub fn inner(attno: i16) -> Expr {
    var(VarSource::Inner, attno, oids::INT4)
}

pub fn op_oid(name: &str, t: Oid) -> Oid {
    facts::operator_exact(name, t, t).unwrap().oid
}

pub fn op(name: &str, l: Expr, r: Expr) -> Expr {
    let o = facts::operator_exact(name, l.type_oid(), r.type_oid()).unwrap();
    Expr::Func(FuncExpr {
        func: o.oprcode,
        op: o.oid,
        args: vec![l, r],
        result: TypeRef::plain(o.oprresult),
        returns_set: false,
        variadic: false,
        form: CoercionForm::ExplicitCall,
        input_collation: Oid(0),
        collation: Oid(0),
        span: Span::NONE,
    })
}

pub fn targets(exprs: Vec<Expr>) -> Vec<TargetEntry> {
    exprs
        .into_iter()
        .enumerate()
        .map(|(i, expr)| TargetEntry {
            expr,
            resno: i as i16 + 1,
            name: None,
            sort_group_ref: i as u32 + 1,
            origin_table: Oid(0),
            origin_column: 0,
            resjunk: false,
        })
        .collect()
}

pub fn plan(node: PlanNode, out: Vec<Expr>) -> Plan {
    Plan {
        id: 0,
        cost: PlanCost::default(),
        target_list: targets(out),
        qual: Vec::new(),
        init_plans: Vec::new(),
        parallel_aware: false,
        disabled_nodes: 0,
        node,
    }
}

/// All columns of an input of `n` int4 columns.
pub fn pass(n: i16) -> Vec<Expr> {
    (1..=n).map(outer).collect()
}

pub fn seq_scan(relation: Oid, rt_index: usize, columns: i16) -> Plan {
    plan(
        PlanNode::SeqScan { rt_index, relation },
        (1..=columns).map(scan_col).collect(),
    )
}

pub fn values(rows: Vec<Vec<Expr>>) -> Plan {
    let n = rows[0].len() as i16;
    let out = (1..=n)
        .map(|i| var(VarSource::Scan, i, rows[0][i as usize - 1].type_oid()))
        .collect();
    plan(PlanNode::ValuesScan { rt_index: 1, rows }, out)
}

pub fn sort_key(column: i16, descending: bool, nulls_first: bool) -> SortKey {
    SortKey {
        column,
        sort_op: op_oid(if descending { ">" } else { "<" }, oids::INT4),
        descending,
        nulls_first,
        collation: Oid(0),
    }
}

pub fn group_key(column: i16) -> GroupKey {
    GroupKey {
        column,
        eq_op: op_oid("=", oids::INT4),
        collation: Oid(0),
    }
}

/// A small generator, so that failures name a seed and nothing else is needed.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
    pub fn datum(&mut self, bound: u64) -> Datum {
        match self.next(bound + 1) {
            0 => Datum::Null,
            v => int(v as i32),
        }
    }
    pub fn rows(&mut self, count: usize, columns: usize, bound: u64) -> Vec<Vec<Datum>> {
        (0..count)
            .map(|_| (0..columns).map(|_| self.datum(bound)).collect())
            .collect()
    }
}
