//! Descriptors of the built-in functions, aggregates, operators and casts, from `functions::facts`.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use common::Oid;
use functions::facts::{self, AggregateRow, OperatorRow, ProcRow};

use crate::builtin::defaults;
use crate::builtin::slots::Slots;
use crate::desc::{FunctionDesc, OperatorDesc};
use crate::oids;
use crate::view::{AggregateDesc, CastDesc, MovingDesc};

struct Tables {
    functions: Slots<FunctionDesc>,
    operators: Slots<OperatorDesc>,
    /// Names of the selectivity estimators that operators name by OID.
    estimators: HashMap<Oid, Arc<str>>,
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let named = facts::operators().iter().flat_map(|o| [o.oprrest, o.oprjoin]);
        let estimators = named.map(|oid| (oid, facts::proc(oid).map_or("-", |p| p.proname).into()));
        Tables {
            functions: Slots::new(facts::procs().len()),
            operators: Slots::new(facts::operators().len()),
            estimators: estimators.collect(),
        }
    })
}

/// A built-in function.
pub fn function(oid: Oid) -> Option<Arc<FunctionDesc>> {
    let at = facts::procs().binary_search_by_key(&oid, |p| p.oid).ok()?;
    let row = facts::procs().get(at)?;
    Some(tables().functions.get_or_build(at, || describe_function(row)))
}

/// All built-in functions of a name in a schema.
pub fn functions_by_name(namespace: Oid, name: &str) -> Vec<Arc<FunctionDesc>> {
    let here = facts::procs_by_name(name).filter(|p| p.pronamespace == namespace);
    here.filter_map(|p| function(p.oid)).collect()
}

fn describe_function(p: &'static ProcRow) -> FunctionDesc {
    let extra = p.extra;
    FunctionDesc {
        oid: p.oid,
        name: p.proname.into(),
        namespace: p.pronamespace,
        owner: oids::BOOTSTRAP_SUPERUSER,
        language: p.prolang,
        kind: p.prokind,
        strict: p.proisstrict,
        returns_set: p.proretset,
        volatility: p.provolatile,
        parallel: p.proparallel,
        security_definer: p.prosecdef,
        leakproof: p.proleakproof,
        cost: p.procost,
        rows: p.prorows,
        variadic: p.provariadic,
        arg_types: p.proargtypes.to_vec(),
        default_count: usize::from(p.pronargdefaults),
        defaults: defaults::of_function(p),
        result: p.prorettype,
        all_arg_types: extra.map_or(Vec::new(), |e| e.proallargtypes.to_vec()),
        arg_modes: extra.map_or(Vec::new(), |e| e.proargmodes.to_vec()),
        arg_names: extra.map_or(Vec::new(), |e| {
            e.proargnames.iter().map(|n| (*n).into()).collect()
        }),
        source: p.prosrc.into(),
        sql_body: extra.filter(|e| !e.sqlbody.is_empty()).map(|e| e.sqlbody.into()),
        config: Vec::new(),
        acl: None,
    }
}

/// A built-in operator.
pub fn operator(oid: Oid) -> Option<Arc<OperatorDesc>> {
    let at = facts::operators().binary_search_by_key(&oid, |o| o.oid).ok()?;
    let row = facts::operators().get(at)?;
    Some(tables().operators.get_or_build(at, || describe_operator(row)))
}

/// All built-in operators of a name; they are in `pg_catalog`.
pub fn operators_by_name(namespace: Oid, name: &str) -> Vec<Arc<OperatorDesc>> {
    if namespace != oids::PG_CATALOG_NAMESPACE {
        return Vec::new();
    }
    facts::operators_by_name(name)
        .filter_map(|o| operator(o.oid))
        .collect()
}

/// The built-in operator of a name with exactly these operand types (`left` invalid: prefix operator).
pub fn operator_exact(name: &str, left: Oid, right: Oid) -> Option<Arc<OperatorDesc>> {
    operator(facts::operator_exact(name, left, right)?.oid)
}

fn describe_operator(o: &OperatorRow) -> OperatorDesc {
    let estimator = |oid: Oid| {
        tables()
            .estimators
            .get(&oid)
            .cloned()
            .unwrap_or_else(|| "-".into())
    };
    OperatorDesc {
        oid: o.oid,
        name: o.oprname.into(),
        namespace: oids::PG_CATALOG_NAMESPACE,
        kind: o.oprkind,
        can_merge: o.oprcanmerge,
        can_hash: o.oprcanhash,
        left: o.oprleft,
        right: o.oprright,
        result: o.oprresult,
        commutator: o.oprcom,
        negator: o.oprnegate,
        function: o.oprcode,
        restrict: estimator(o.oprrest),
        join: estimator(o.oprjoin),
    }
}

/// A built-in cast.
pub fn cast(source: Oid, target: Oid) -> Option<CastDesc> {
    let c = facts::cast(source, target)?;
    Some(CastDesc {
        source,
        target,
        function: c.castfunc,
        context: c.castcontext,
        method: c.castmethod,
    })
}

/// Facts of a built-in aggregate.
pub fn aggregate(func: Oid) -> Option<AggregateDesc> {
    facts::aggregate(func).map(describe_aggregate)
}

fn describe_aggregate(a: &AggregateRow) -> AggregateDesc {
    AggregateDesc {
        func: a.aggfnoid,
        kind: a.aggkind,
        direct_args: a.aggnumdirectargs,
        trans_func: a.aggtransfn,
        final_func: a.aggfinalfn,
        combine_func: a.aggcombinefn,
        sort_op: a.aggsortop,
        trans_type: a.aggtranstype,
        init_value: a.agginitval.map(Arc::from),
        final_extra: a.aggfinalextra,
        final_modify: a.aggfinalmodify,
        moving: MovingDesc {
            trans_func: a.aggmtransfn,
            inverse_func: a.aggminvtransfn,
            final_func: a.aggmfinalfn,
            final_extra: a.aggmfinalextra,
            trans_type: a.aggmtranstype,
            init_value: a.aggminitval.map(Arc::from),
        },
    }
}
