//! Descriptors of functions, operators, casts and operator classes that users made.

use std::sync::Arc;

use common::{Oid, PgResult};
use nodes::serial;

use crate::builtin;
use crate::columns::{pg_aggregate, pg_amop, pg_amproc, pg_cast, pg_opclass, pg_operator, pg_proc};
use crate::desc::{FunctionDesc, OperatorDesc};
use crate::oids;
use crate::row::StoredRow;
use crate::store::{CatalogRead, key_name, key_oid};
use crate::view::{AggregateDesc, CastDesc, MovingDesc, OpclassDesc};

/// A function made (or changed) by a user.
pub fn function(read: &dyn CatalogRead, oid: Oid) -> PgResult<Option<FunctionDesc>> {
    let rows = read.lookup(oids::PG_PROC_OID_INDEX, &[key_oid(oid)])?;
    rows.first().map(describe_function).transpose()
}

/// All functions of a name that users made, in all schemas.
pub fn functions_by_name(read: &dyn CatalogRead, name: &str) -> PgResult<Vec<FunctionDesc>> {
    let rows = read.lookup(oids::PG_PROC_PRONAME_ARGS_NSP_INDEX, &[key_name(name)])?;
    rows.iter().map(describe_function).collect()
}

fn describe_function(row: &StoredRow) -> PgResult<FunctionDesc> {
    use pg_proc::*;
    let defaults = match row.text_opt(PROARGDEFAULTS) {
        Some(text) => serial::decode_exprs(&text)?,
        None => Vec::new(),
    };
    let modes = row.list(PROARGMODES).iter();
    Ok(FunctionDesc {
        oid: row.oid(OID),
        name: row.text(PRONAME),
        namespace: row.oid(PRONAMESPACE),
        owner: row.oid(PROOWNER),
        language: row.oid(PROLANG),
        kind: row.char(PROKIND),
        strict: row.bool(PROISSTRICT),
        returns_set: row.bool(PRORETSET),
        volatility: row.char(PROVOLATILE),
        parallel: row.char(PROPARALLEL),
        security_definer: row.bool(PROSECDEF),
        leakproof: row.bool(PROLEAKPROOF),
        cost: row.float4(PROCOST),
        rows: row.float4(PROROWS),
        variadic: row.oid(PROVARIADIC),
        arg_types: row.oids(PROARGTYPES),
        default_count: row.int2(PRONARGDEFAULTS).max(0) as usize,
        defaults: defaults.into_iter().map(Arc::new).collect(),
        result: row.oid(PRORETTYPE),
        all_arg_types: row.oids(PROALLARGTYPES),
        arg_modes: modes.filter_map(|m| m.as_i64()).map(|m| m as u8).collect(),
        arg_names: row.texts(PROARGNAMES),
        source: row.text(PROSRC),
        sql_body: row.text_opt(PROSQLBODY),
        config: row.texts(PROCONFIG),
        acl: row.list_opt(PROACL).map(<[types::Datum]>::to_vec),
    })
}

/// An operator made by a user.
pub fn operator(read: &dyn CatalogRead, oid: Oid) -> PgResult<Option<OperatorDesc>> {
    let rows = read.lookup(oids::PG_OPERATOR_OID_INDEX, &[key_oid(oid)])?;
    Ok(rows.first().map(describe_operator))
}

/// All operators of a name that users made, in all schemas.
pub fn operators_by_name(read: &dyn CatalogRead, name: &str) -> PgResult<Vec<OperatorDesc>> {
    let rows = read.lookup(oids::PG_OPERATOR_OPRNAME_L_R_N_INDEX, &[key_name(name)])?;
    Ok(rows.iter().map(describe_operator).collect())
}

fn describe_operator(row: &StoredRow) -> OperatorDesc {
    use pg_operator::*;
    OperatorDesc {
        oid: row.oid(OID),
        name: row.text(OPRNAME),
        namespace: row.oid(OPRNAMESPACE),
        kind: row.char(OPRKIND),
        can_merge: row.bool(OPRCANMERGE),
        can_hash: row.bool(OPRCANHASH),
        left: row.oid(OPRLEFT),
        right: row.oid(OPRRIGHT),
        result: row.oid(OPRRESULT),
        commutator: row.oid(OPRCOM),
        negator: row.oid(OPRNEGATE),
        function: row.oid(OPRCODE),
        restrict: estimator(row.oid(OPRREST)),
        join: estimator(row.oid(OPRJOIN)),
    }
}

/// Users can name built-in estimators only.
fn estimator(oid: Oid) -> Arc<str> {
    builtin::functions::function(oid).map_or_else(|| "-".into(), |f| f.name.clone())
}

/// A cast made by a user.
pub fn cast(read: &dyn CatalogRead, source: Oid, target: Oid) -> PgResult<Option<CastDesc>> {
    use pg_cast::*;
    let key = [key_oid(source), key_oid(target)];
    let rows = read.lookup(oids::PG_CAST_SOURCE_TARGET_INDEX, &key)?;
    Ok(rows.first().map(|row| CastDesc {
        source,
        target,
        function: row.oid(CASTFUNC),
        context: row.char(CASTCONTEXT),
        method: row.char(CASTMETHOD),
    }))
}

/// An aggregate made by a user.
pub fn aggregate(read: &dyn CatalogRead, func: Oid) -> PgResult<Option<AggregateDesc>> {
    use pg_aggregate::*;
    let rows = read.lookup(oids::PG_AGGREGATE_FNOID_INDEX, &[key_oid(func)])?;
    Ok(rows.first().map(|row| AggregateDesc {
        func,
        kind: row.char(AGGKIND),
        direct_args: row.int2(AGGNUMDIRECTARGS),
        trans_func: row.oid(AGGTRANSFN),
        final_func: row.oid(AGGFINALFN),
        combine_func: row.oid(AGGCOMBINEFN),
        sort_op: row.oid(AGGSORTOP),
        trans_type: row.oid(AGGTRANSTYPE),
        init_value: row.text_opt(AGGINITVAL),
        final_extra: row.bool(AGGFINALEXTRA),
        final_modify: row.char(AGGFINALMODIFY),
        moving: MovingDesc {
            trans_func: row.oid(AGGMTRANSFN),
            inverse_func: row.oid(AGGMINVTRANSFN),
            final_func: row.oid(AGGMFINALFN),
            final_extra: row.bool(AGGMFINALEXTRA),
            trans_type: row.oid(AGGMTRANSTYPE),
            init_value: row.text_opt(AGGMINITVAL),
        },
    }))
}

fn describe_opclass(row: &StoredRow) -> OpclassDesc {
    use pg_opclass::*;
    OpclassDesc {
        oid: row.oid(OID),
        family: row.oid(OPCFAMILY),
        input_type: row.oid(OPCINTYPE),
        key_type: row.oid(OPCKEYTYPE),
    }
}

/// An operator class, built in or not.
pub fn opclass(read: &dyn CatalogRead, oid: Oid) -> PgResult<Option<OpclassDesc>> {
    if let Some(class) = builtin::families::opclass(oid) {
        return Ok(Some(class));
    }
    let rows = read.lookup(oids::PG_OPCLASS_OID_INDEX, &[key_oid(oid)])?;
    Ok(rows.first().map(describe_opclass))
}

/// Operator classes that users made for an access method: (default, schema, name, class).
pub fn opclasses(
    read: &dyn CatalogRead,
    access_method: Oid,
) -> PgResult<Vec<(bool, Oid, Arc<str>, OpclassDesc)>> {
    use pg_opclass::*;
    let rows = read.lookup(oids::PG_OPCLASS_AM_NAME_NSP_INDEX, &[key_oid(access_method)])?;
    let classes = rows.iter().map(|row| {
        let class = describe_opclass(row);
        (
            row.bool(OPCDEFAULT),
            row.oid(OPCNAMESPACE),
            row.text(OPCNAME),
            class,
        )
    });
    Ok(classes.collect())
}

/// The operator of a family that users extended.
pub fn member(
    read: &dyn CatalogRead,
    family: Oid,
    left: Oid,
    right: Oid,
    strategy: i16,
) -> PgResult<Option<Oid>> {
    let key = [
        key_oid(family),
        key_oid(left),
        key_oid(right),
        types::Datum::Int2(strategy),
    ];
    let rows = read.lookup(oids::PG_AMOP_FAM_STRAT_INDEX, &key)?;
    Ok(rows.first().map(|row| row.oid(pg_amop::AMOPOPR)))
}

/// Families (of users) that an operator belongs to.
pub fn families_of_operator(
    read: &dyn CatalogRead,
    access_method: Oid,
    op: Oid,
) -> PgResult<Vec<(Oid, i16)>> {
    use pg_amop::*;
    let rows = read.lookup(oids::PG_AMOP_OPR_FAM_INDEX, &[key_oid(op)])?;
    let here = rows
        .iter()
        .filter(|row| row.oid(AMOPMETHOD) == access_method && row.char(AMOPPURPOSE) == b's');
    Ok(here
        .map(|row| (row.oid(AMOPFAMILY), row.int2(AMOPSTRATEGY)))
        .collect())
}

/// Support function of a family that users extended.
pub fn support_function(
    read: &dyn CatalogRead,
    family: Oid,
    left: Oid,
    right: Oid,
    number: i16,
) -> PgResult<Option<Oid>> {
    let key = [
        key_oid(family),
        key_oid(left),
        key_oid(right),
        types::Datum::Int2(number),
    ];
    let rows = read.lookup(oids::PG_AMPROC_FAM_PROC_INDEX, &key)?;
    Ok(rows.first().map(|row| row.oid(pg_amproc::AMPROC)))
}
