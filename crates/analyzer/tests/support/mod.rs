//! A catalog for tests: the built-in objects plus the user objects that `record.py` dumped from PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use catalog::CatalogView;
use catalog::builtin::view::BuiltinView;
use catalog::desc::{ColumnDesc, ConstraintDesc, FunctionDesc, OperatorDesc, RelationDesc, TypeDesc};
use catalog::view::{AggregateDesc, CastDesc, ColumnStatistics, OpclassDesc, RangeDesc};
use common::{Oid, PgResult, RelationId};
use serde_json::Value;
use types::settings::TypeRef;
use types::{FormatSettings, PhysType};

#[derive(Default)]
pub struct TestCatalog {
    namespaces: Vec<(Oid, Arc<str>)>,
    relations: HashMap<Oid, Arc<RelationDesc>>,
    types: HashMap<Oid, Arc<TypeDesc>>,
    functions: Vec<Arc<FunctionDesc>>,
    operators: Vec<Arc<OperatorDesc>>,
    casts: Vec<CastDesc>,
    enums: HashMap<Oid, Vec<(Oid, Arc<str>)>>,
    ranges: Vec<RangeDesc>,
    aggregates: HashMap<Oid, AggregateDesc>,
    collations: Vec<(Oid, Arc<str>)>,
    public: OnceLock<Oid>,
}

fn oid(v: &Value, k: &str) -> Oid {
    Oid(v[k].as_u64().unwrap_or(0) as u32)
}
fn text(v: &Value, k: &str) -> Arc<str> {
    v[k].as_str().unwrap_or("").into()
}
fn byte(v: &Value, k: &str) -> u8 {
    v[k].as_str().and_then(|s| s.bytes().next()).unwrap_or(0)
}
fn flag(v: &Value, k: &str) -> bool {
    v[k].as_bool().unwrap_or(false)
}
fn int(v: &Value, k: &str) -> i64 {
    v[k].as_i64().unwrap_or(0)
}
/// `{1,2}` without quoting.
fn list(v: &Value, k: &str) -> Vec<String> {
    let s = v[k].as_str().unwrap_or("{}");
    let inner = s.trim_start_matches('{').trim_end_matches('}');
    if inner.is_empty() {
        return Vec::new();
    }
    inner
        .split(',')
        .map(|x| x.trim_matches('"').to_string())
        .collect()
}
fn oids(v: &Value, k: &str) -> Vec<Oid> {
    list(v, k).iter().map(|x| Oid(x.parse().unwrap())).collect()
}

impl TestCatalog {
    pub fn load(path: &std::path::Path) -> TestCatalog {
        let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let rows = |k: &str| all[k].as_array().cloned().unwrap_or_default();
        let mut c = TestCatalog::default();
        for n in rows("namespaces") {
            c.namespaces.push((oid(&n, "oid"), text(&n, "nspname")));
        }
        let public = c.namespaces.iter().find(|n| &*n.1 == "public").unwrap().0;
        c.public.set(public).unwrap();
        for t in rows("types") {
            let kind = byte(&t, "typtype");
            let is_array = flag(&t, "is_array");
            let phys = match kind {
                b'e' => PhysType::Oid,
                b'd' => PhysType::of_builtin(oid(&t, "typbasetype")),
                _ => PhysType::Nested,
            };
            let desc = TypeDesc {
                oid: oid(&t, "oid"),
                name: text(&t, "typname"),
                namespace: oid(&t, "typnamespace"),
                owner: oid(&t, "typowner"),
                len: int(&t, "typlen") as i16,
                by_val: flag(&t, "typbyval"),
                kind,
                category: byte(&t, "typcategory"),
                preferred: flag(&t, "typispreferred"),
                defined: flag(&t, "typisdefined"),
                delimiter: byte(&t, "typdelim"),
                relation: oid(&t, "typrelid"),
                element: oid(&t, "typelem"),
                array: oid(&t, "typarray"),
                is_array,
                base_type: oid(&t, "typbasetype"),
                typmod: int(&t, "typtypmod") as i32,
                not_null: flag(&t, "typnotnull"),
                collation: oid(&t, "typcollation"),
                default: t["typdefault"].as_str().map(Into::into),
                align: b'i',
                phys,
                like: common::Oid::INVALID,
            };
            c.types.insert(desc.oid, Arc::new(desc));
        }
        for e in rows("enums") {
            c.enums
                .entry(oid(&e, "enumtypid"))
                .or_default()
                .push((oid(&e, "oid"), text(&e, "enumlabel")));
        }
        for r in rows("ranges") {
            c.ranges.push(RangeDesc {
                range: oid(&r, "rngtypid"),
                subtype: oid(&r, "rngsubtype"),
                multirange: oid(&r, "rngmultitypid"),
                collation: oid(&r, "rngcollation"),
                opclass: oid(&r, "rngsubopc"),
                canonical: Oid::INVALID,
                subtype_diff: Oid::INVALID,
            });
        }
        for k in rows("casts") {
            c.casts.push(CastDesc {
                source: oid(&k, "castsource"),
                target: oid(&k, "casttarget"),
                function: oid(&k, "castfunc"),
                context: byte(&k, "castcontext"),
                method: byte(&k, "castmethod"),
            });
        }
        for k in rows("collations") {
            c.collations.push((oid(&k, "oid"), text(&k, "collname")));
        }
        for a in rows("aggregates") {
            let func = oid(&a, "aggfnoid");
            c.aggregates.insert(
                func,
                AggregateDesc {
                    func,
                    kind: byte(&a, "aggkind"),
                    direct_args: int(&a, "aggnumdirectargs") as i16,
                    trans_func: Oid::INVALID,
                    final_func: Oid::INVALID,
                    combine_func: Oid::INVALID,
                    sort_op: Oid::INVALID,
                    trans_type: oid(&a, "aggtranstype"),
                    init_value: None,
                    final_extra: false,
                    final_modify: b'r',
                    moving: Default::default(),
                },
            );
        }
        for o in rows("operators") {
            c.operators.push(Arc::new(OperatorDesc {
                oid: oid(&o, "oid"),
                name: text(&o, "oprname"),
                namespace: oid(&o, "oprnamespace"),
                kind: byte(&o, "oprkind"),
                can_merge: flag(&o, "oprcanmerge"),
                can_hash: flag(&o, "oprcanhash"),
                left: oid(&o, "oprleft"),
                right: oid(&o, "oprright"),
                result: oid(&o, "oprresult"),
                commutator: oid(&o, "oprcom"),
                negator: oid(&o, "oprnegate"),
                function: oid(&o, "oprcode"),
                restrict: "".into(),
                join: "".into(),
            }));
        }
        c.load_functions(&rows("functions"));
        c.load_relations(&rows("relations"), &rows("columns"), &rows("constraints"));
        c
    }

    fn load_functions(&mut self, rows: &[Value]) {
        for f in rows {
            let default_count = int(f, "pronargdefaults") as usize;
            let mut made = FunctionDesc {
                oid: oid(f, "oid"),
                name: text(f, "proname"),
                namespace: oid(f, "pronamespace"),
                owner: oid(f, "proowner"),
                language: Oid(14),
                kind: byte(f, "prokind"),
                strict: flag(f, "proisstrict"),
                returns_set: flag(f, "proretset"),
                volatility: byte(f, "provolatile"),
                parallel: b'u',
                security_definer: false,
                leakproof: false,
                cost: 100.0,
                rows: 1000.0,
                variadic: oid(f, "provariadic"),
                arg_types: oids(f, "args"),
                default_count,
                defaults: Vec::new(),
                result: oid(f, "prorettype"),
                all_arg_types: oids(f, "allargs"),
                arg_modes: list(f, "proargmodes").iter().map(|s| s.as_bytes()[0]).collect(),
                arg_names: list(f, "proargnames").iter().map(|s| s.as_str().into()).collect(),
                source: "".into(),
                sql_body: None,
                config: Vec::new(),
                acl: None,
            };
            for _ in 0..default_count {
                // The values do not matter here; their types do.
                made.defaults.push(Arc::new(nodes::Expr::null_const(
                    TypeRef::plain(
                        made.arg_types[made.arg_types.len() - default_count + made.defaults.len()],
                    ),
                    Oid::INVALID,
                )));
            }
            self.functions.push(Arc::new(made));
        }
    }

    fn load_relations(&mut self, relations: &[Value], columns: &[Value], constraints: &[Value]) {
        for r in relations {
            let id = oid(r, "oid");
            let mut desc = RelationDesc {
                oid: id,
                name: text(r, "relname"),
                namespace: oid(r, "relnamespace"),
                namespace_name: text(r, "nspname"),
                owner: oid(r, "relowner"),
                relkind: byte(r, "relkind"),
                persistence: b'p',
                row_type: oid(r, "reltype"),
                storage: RelationId(u64::from(id.0)),
                columns: Vec::new(),
                indexes: Vec::new(),
                constraints: Vec::new(),
                has_rules: flag(r, "has_rules"),
                has_triggers: flag(r, "relhastriggers"),
                trigger_states: Vec::new(),
                row_security: false,
                force_row_security: false,
                is_partition: false,
                has_subclass: flag(r, "relhassubclass"),
                reltuples: -1.0,
                relpages: 0,
                acl: None,
                options: Vec::new(),
                index: None,
                populated: true,
                referenced_by: Vec::new(),
                foreign_key_parts: Vec::new(),
                inheritance: catalog::desc::Inheritance::default(),
                view_definition: r["viewdef"].as_str().map(Into::into),
            };
            for col in columns.iter().filter(|c| oid(c, "attrelid") == id) {
                let type_ref = TypeRef {
                    oid: oid(col, "atttypid"),
                    typmod: int(col, "atttypmod") as i32,
                };
                let has_default = col["def"].is_string();
                desc.columns.push(ColumnDesc {
                    attno: int(col, "attnum") as i16,
                    name: text(col, "attname"),
                    type_ref,
                    phys: PhysType::of_builtin(type_ref.oid),
                    collation: oid(col, "attcollation"),
                    not_null: flag(col, "attnotnull"),
                    dropped: flag(col, "attisdropped"),
                    default: has_default
                        .then(|| Arc::new(nodes::Expr::null_const(type_ref, oid(col, "attcollation")))),
                    identity: byte(col, "attidentity"),
                    generated: byte(col, "attgenerated"),
                    identity_sequence: if byte(col, "attidentity") != 0 {
                        Oid(1)
                    } else {
                        Oid::INVALID
                    },
                    missing: None,
                    storage: b'p',
                    compression: 0,
                    stats_target: -1,
                    is_local: true,
                    inherited_count: 0,
                    acl: None,
                });
            }
            for k in constraints.iter().filter(|c| oid(c, "conrelid") == id) {
                desc.constraints.push(ConstraintDesc {
                    oid: oid(k, "oid"),
                    name: text(k, "conname"),
                    kind: byte(k, "contype"),
                    relation: id,
                    columns: list(k, "conkey").iter().map(|x| x.parse().unwrap()).collect(),
                    deferrable: flag(k, "condeferrable"),
                    validated: true,
                    enforced: true,
                    is_local: true,
                    ..Default::default()
                });
            }
            self.relations.insert(id, Arc::new(desc));
        }
    }

    fn in_scope(&self, namespace: Oid, schema: Option<&str>) -> bool {
        match schema {
            None => self.public.get() == Some(&namespace),
            Some(s) => self.namespaces.iter().any(|n| n.0 == namespace && &*n.1 == s),
        }
    }
}

impl CatalogView for TestCatalog {
    fn version(&self) -> u64 {
        0
    }
    fn relation(&self, oid: Oid) -> PgResult<Option<Arc<RelationDesc>>> {
        match self.relations.get(&oid) {
            Some(r) => Ok(Some(r.clone())),
            None => BuiltinView.relation(oid),
        }
    }
    fn relation_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Option<Arc<RelationDesc>>> {
        if let Some(r) = BuiltinView.relation_by_name(schema, name)? {
            return Ok(Some(r));
        }
        Ok(self
            .relations
            .values()
            .find(|r| &*r.name == name && self.in_scope(r.namespace, schema))
            .cloned())
    }
    fn type_desc(&self, oid: Oid) -> PgResult<Option<Arc<TypeDesc>>> {
        match self.types.get(&oid) {
            Some(t) => Ok(Some(t.clone())),
            None => BuiltinView.type_desc(oid),
        }
    }
    fn type_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Option<Arc<TypeDesc>>> {
        if let Some(t) = BuiltinView.type_by_name(schema, name)? {
            return Ok(Some(t));
        }
        Ok(self
            .types
            .values()
            .find(|t| &*t.name == name && self.in_scope(t.namespace, schema))
            .cloned())
    }
    fn function(&self, oid: Oid) -> PgResult<Option<Arc<FunctionDesc>>> {
        match self.functions.iter().find(|f| f.oid == oid) {
            Some(f) => Ok(Some(f.clone())),
            None => BuiltinView.function(oid),
        }
    }
    fn functions_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Vec<Arc<FunctionDesc>>> {
        let mut all = BuiltinView.functions_by_name(schema, name)?;
        all.extend(
            self.functions
                .iter()
                .filter(|f| &*f.name == name && self.in_scope(f.namespace, schema))
                .cloned(),
        );
        Ok(all)
    }
    fn operator(&self, oid: Oid) -> PgResult<Option<Arc<OperatorDesc>>> {
        match self.operators.iter().find(|o| o.oid == oid) {
            Some(o) => Ok(Some(o.clone())),
            None => BuiltinView.operator(oid),
        }
    }
    fn operators_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Vec<Arc<OperatorDesc>>> {
        let mut all = BuiltinView.operators_by_name(schema, name)?;
        all.extend(
            self.operators
                .iter()
                .filter(|o| &*o.name == name && self.in_scope(o.namespace, schema))
                .cloned(),
        );
        Ok(all)
    }
    fn cast(&self, source: Oid, target: Oid) -> PgResult<Option<CastDesc>> {
        match self
            .casts
            .iter()
            .find(|c| c.source == source && c.target == target)
        {
            Some(c) => Ok(Some(*c)),
            None => BuiltinView.cast(source, target),
        }
    }
    fn namespace_by_name(&self, name: &str) -> PgResult<Option<Oid>> {
        match self.namespaces.iter().find(|n| &*n.1 == name) {
            Some(n) => Ok(Some(n.0)),
            None => BuiltinView.namespace_by_name(name),
        }
    }
    fn namespace_name(&self, oid: Oid) -> PgResult<Option<Arc<str>>> {
        match self.namespaces.iter().find(|n| n.0 == oid) {
            Some(n) => Ok(Some(n.1.clone())),
            None => BuiltinView.namespace_name(oid),
        }
    }
    fn search_path(&self) -> PgResult<Vec<Oid>> {
        BuiltinView.search_path()
    }
    fn collation_by_name(&self, schema: Option<&str>, name: &str) -> PgResult<Option<Oid>> {
        match self.collations.iter().find(|c| &*c.1 == name) {
            Some(c) => Ok(Some(c.0)),
            None => BuiltinView.collation_by_name(schema, name),
        }
    }
    fn collation_name(&self, oid: Oid) -> PgResult<Option<Arc<str>>> {
        match self.collations.iter().find(|c| c.0 == oid) {
            Some(c) => Ok(Some(c.1.clone())),
            None => BuiltinView.collation_name(oid),
        }
    }
    fn enum_labels(&self, type_oid: Oid) -> PgResult<catalog::view::EnumLabels> {
        Ok(self.enums.get(&type_oid).cloned().unwrap_or_default().into())
    }
    fn range(&self, type_oid: Oid) -> PgResult<Option<RangeDesc>> {
        match self
            .ranges
            .iter()
            .find(|r| r.range == type_oid || r.multirange == type_oid)
        {
            Some(r) => Ok(Some(*r)),
            None => BuiltinView.range(type_oid),
        }
    }
    fn aggregate(&self, func: Oid) -> PgResult<Option<AggregateDesc>> {
        match self.aggregates.get(&func) {
            Some(a) => Ok(Some(a.clone())),
            None => BuiltinView.aggregate(func),
        }
    }
    fn default_opclass(&self, access_method: Oid, type_oid: Oid) -> PgResult<Option<OpclassDesc>> {
        BuiltinView.default_opclass(access_method, type_oid)
    }
    fn opclass_by_name(&self, am: Oid, schema: Option<&str>, name: &str) -> PgResult<Option<OpclassDesc>> {
        BuiltinView.opclass_by_name(am, schema, name)
    }
    fn opfamily_member(&self, family: Oid, left: Oid, right: Oid, strategy: i16) -> PgResult<Option<Oid>> {
        BuiltinView.opfamily_member(family, left, right, strategy)
    }
    fn operator_families(&self, access_method: Oid, op: Oid) -> PgResult<Vec<(Oid, i16)>> {
        BuiltinView.operator_families(access_method, op)
    }
    fn opfamily_proc(&self, family: Oid, left: Oid, right: Oid, number: i16) -> PgResult<Option<Oid>> {
        BuiltinView.opfamily_proc(family, left, right, number)
    }
    fn statistics(&self, _: Oid, _: i16) -> PgResult<Option<Arc<ColumnStatistics>>> {
        Ok(None)
    }
    fn relation_size(&self, _: &Arc<RelationDesc>) -> PgResult<(u64, f64)> {
        Ok((0, 0.0))
    }
    fn role_name(&self, oid: Oid) -> PgResult<Option<Arc<str>>> {
        BuiltinView.role_name(oid)
    }
}

/// What PostgreSQL said, and what we say.
pub fn analyze_one(catalog: &TestCatalog, sql: &str, database: &str) -> Value {
    let settings = FormatSettings::default();
    let cx = pglite_analyzer::AnalyzeContext::new(catalog, &settings)
        .with_params(pglite_analyzer::ParamTypes::variable(Vec::new()))
        .with_database(database);
    let result = parser::parse(sql, &parser::ParseOptions::default())
        .and_then(|list| pglite_analyzer::analyze(&list[0].stmt, sql, &cx));
    match result {
        Ok(q) => {
            let columns: Vec<Value> = q
                .output_columns()
                .map(|t| {
                    let mut r = t.expr.type_ref();
                    // RowDescription shows what is behind domains.
                    while let Ok(Some(d)) = catalog.type_desc(r.oid)
                        && d.kind == b'd'
                    {
                        r = TypeRef {
                            oid: d.base_type,
                            typmod: d.typmod,
                        };
                    }
                    serde_json::json!([
                        t.name.as_deref().unwrap_or("?column?"),
                        r.oid.0,
                        r.typmod,
                        t.origin_table.0,
                        t.origin_column
                    ])
                })
                .collect();
            let params: Vec<u32> = cx.params.types().iter().map(|o| o.0).collect();
            serde_json::json!({ "sql": sql, "params": params, "columns": columns })
        }
        Err(e) => {
            let mut fields = serde_json::Map::new();
            fields.insert("C".into(), e.sqlstate.as_str().into());
            fields.insert("M".into(), e.message.clone().into());
            if let Some(d) = &e.detail {
                fields.insert("D".into(), d.clone().into());
            }
            if let Some(h) = &e.hint {
                fields.insert("H".into(), h.clone().into());
            }
            if let Some(p) = e.position {
                let chars = sql.get(..p as usize).map_or(0, |s| s.chars().count());
                fields.insert("P".into(), (chars + 1).to_string().into());
            }
            serde_json::json!({ "sql": sql, "error": fields })
        }
    }
}
