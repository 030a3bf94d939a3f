//! Rows of `pg_proc`, `pg_operator`, `pg_cast`, `pg_aggregate`, `pg_opclass`, `pg_amop`, `pg_amproc`.

use common::{Oid, PgResult};
use functions::facts::{self, AggregateRow, OperatorRow, ProcRow};
use nodes::serial;
use types::{Datum, oids as t};

use crate::builtin::defaults;
use crate::builtin::rows::{function_oid, oid};
use crate::builtin::text;
use crate::columns::{pg_aggregate, pg_amop, pg_amproc, pg_cast, pg_opclass, pg_operator, pg_proc};
use crate::oids;

const CHAR: Oid = t::CHAR;

pub fn proc_rows() -> PgResult<Vec<Vec<Datum>>> {
    facts::procs().iter().map(proc_row).collect()
}

fn proc_row(p: &'static ProcRow) -> PgResult<Vec<Datum>> {
    use pg_proc::*;
    let mut row = vec![Datum::Null; COUNT];
    row[OID] = oid(p.oid);
    row[PRONAME] = Datum::text(p.proname);
    row[PRONAMESPACE] = oid(p.pronamespace);
    row[PROOWNER] = oid(oids::BOOTSTRAP_SUPERUSER);
    row[PROLANG] = oid(p.prolang);
    row[PROCOST] = Datum::Float4(p.procost);
    row[PROROWS] = Datum::Float4(p.prorows);
    row[PROVARIADIC] = oid(p.provariadic);
    row[PROSUPPORT] = oid(Oid::INVALID);
    row[PROKIND] = Datum::Char(p.prokind);
    row[PROSECDEF] = Datum::Bool(p.prosecdef);
    row[PROLEAKPROOF] = Datum::Bool(p.proleakproof);
    row[PROISSTRICT] = Datum::Bool(p.proisstrict);
    row[PRORETSET] = Datum::Bool(p.proretset);
    row[PROVOLATILE] = Datum::Char(p.provolatile);
    row[PROPARALLEL] = Datum::Char(p.proparallel);
    row[PRONARGS] = Datum::Int2(p.proargtypes.len() as i16);
    row[PRONARGDEFAULTS] = Datum::Int2(i16::from(p.pronargdefaults));
    row[PRORETTYPE] = oid(p.prorettype);
    row[PROARGTYPES] = text::oidvector(p.proargtypes.iter().copied());
    row[PROSRC] = Datum::text(p.prosrc);
    set_extra(&mut row, p)?;
    Ok(row)
}

fn set_extra(row: &mut [Datum], p: &'static ProcRow) -> PgResult<()> {
    use pg_proc::*;
    let Some(extra) = p.extra else {
        return Ok(());
    };
    let filled = |value: &'static str| {
        if value.is_empty() {
            Datum::Null
        } else {
            Datum::text(value)
        }
    };
    if extra.prosupport != "-" {
        row[PROSUPPORT] = oid(function_oid(extra.prosupport));
    }
    if !extra.proallargtypes.is_empty() {
        let types = extra.proallargtypes.iter().map(|o| oid(*o)).collect();
        row[PROALLARGTYPES] = text::array_of(t::OID, types);
    }
    if !extra.proargmodes.is_empty() {
        let modes = extra.proargmodes.iter().map(|m| Datum::Char(*m)).collect();
        row[PROARGMODES] = text::array_of(CHAR, modes);
    }
    if !extra.proargnames.is_empty() {
        let names = extra.proargnames.iter().map(|n| Datum::text(*n)).collect();
        row[PROARGNAMES] = text::array_of(t::TEXT, names);
    }
    if p.pronargdefaults > 0 {
        let exprs: Vec<_> = defaults::of_function(p).iter().map(|e| (**e).clone()).collect();
        row[PROARGDEFAULTS] = Datum::text(serial::encode_exprs(&exprs)?);
    }
    row[PROBIN] = filled(extra.probin);
    row[PROSQLBODY] = filled(extra.sqlbody);
    row[PROACL] = match extra.proacl {
        "" => Datum::Null,
        acl => text::datum(Oid(1034), Some(acl))?,
    };
    Ok(())
}

pub fn operator_rows() -> Vec<Vec<Datum>> {
    facts::operators().iter().map(operator_row).collect()
}

fn operator_row(o: &OperatorRow) -> Vec<Datum> {
    use pg_operator::*;
    let mut row = vec![Datum::Null; COUNT];
    row[OID] = oid(o.oid);
    row[OPRNAME] = Datum::text(o.oprname);
    row[OPRNAMESPACE] = oid(oids::PG_CATALOG_NAMESPACE);
    row[OPROWNER] = oid(oids::BOOTSTRAP_SUPERUSER);
    row[OPRKIND] = Datum::Char(o.oprkind);
    row[OPRCANMERGE] = Datum::Bool(o.oprcanmerge);
    row[OPRCANHASH] = Datum::Bool(o.oprcanhash);
    row[OPRLEFT] = oid(o.oprleft);
    row[OPRRIGHT] = oid(o.oprright);
    row[OPRRESULT] = oid(o.oprresult);
    row[OPRCOM] = oid(o.oprcom);
    row[OPRNEGATE] = oid(o.oprnegate);
    row[OPRCODE] = oid(o.oprcode);
    row[OPRREST] = oid(o.oprrest);
    row[OPRJOIN] = oid(o.oprjoin);
    row
}

pub fn cast_rows() -> Vec<Vec<Datum>> {
    use pg_cast::*;
    let row = |c: &facts::CastRow| {
        let mut row = vec![Datum::Null; COUNT];
        row[OID] = oid(c.oid);
        row[CASTSOURCE] = oid(c.castsource);
        row[CASTTARGET] = oid(c.casttarget);
        row[CASTFUNC] = oid(c.castfunc);
        row[CASTCONTEXT] = Datum::Char(c.castcontext);
        row[CASTMETHOD] = Datum::Char(c.castmethod);
        row
    };
    facts::casts().iter().map(row).collect()
}

pub fn aggregate_rows() -> Vec<Vec<Datum>> {
    facts::aggregates().iter().map(aggregate_row).collect()
}

fn aggregate_row(a: &AggregateRow) -> Vec<Datum> {
    use pg_aggregate::*;
    let mut row = vec![Datum::Null; COUNT];
    row[AGGFNOID] = oid(a.aggfnoid);
    row[AGGKIND] = Datum::Char(a.aggkind);
    row[AGGNUMDIRECTARGS] = Datum::Int2(a.aggnumdirectargs);
    row[AGGTRANSFN] = oid(a.aggtransfn);
    row[AGGFINALFN] = oid(a.aggfinalfn);
    row[AGGCOMBINEFN] = oid(a.aggcombinefn);
    row[AGGSERIALFN] = oid(a.aggserialfn);
    row[AGGDESERIALFN] = oid(a.aggdeserialfn);
    row[AGGMTRANSFN] = oid(a.aggmtransfn);
    row[AGGMINVTRANSFN] = oid(a.aggminvtransfn);
    row[AGGMFINALFN] = oid(a.aggmfinalfn);
    row[AGGFINALEXTRA] = Datum::Bool(a.aggfinalextra);
    row[AGGMFINALEXTRA] = Datum::Bool(a.aggmfinalextra);
    row[AGGFINALMODIFY] = Datum::Char(a.aggfinalmodify);
    row[AGGMFINALMODIFY] = Datum::Char(a.aggmfinalmodify);
    row[AGGSORTOP] = oid(a.aggsortop);
    row[AGGTRANSTYPE] = oid(a.aggtranstype);
    row[AGGTRANSSPACE] = Datum::Int4(a.aggtransspace);
    row[AGGMTRANSTYPE] = oid(a.aggmtranstype);
    row[AGGMTRANSSPACE] = Datum::Int4(a.aggmtransspace);
    row[AGGINITVAL] = a.agginitval.map_or(Datum::Null, Datum::text);
    row[AGGMINITVAL] = a.aggminitval.map_or(Datum::Null, Datum::text);
    row
}

pub fn opclass_rows() -> Vec<Vec<Datum>> {
    use pg_opclass::*;
    let row = |c: &facts::OpclassRow| {
        let mut row = vec![Datum::Null; COUNT];
        row[OID] = oid(c.oid);
        row[OPCMETHOD] = oid(c.opcmethod);
        row[OPCNAME] = Datum::text(c.opcname);
        row[OPCNAMESPACE] = oid(oids::PG_CATALOG_NAMESPACE);
        row[OPCOWNER] = oid(oids::BOOTSTRAP_SUPERUSER);
        row[OPCFAMILY] = oid(c.opcfamily);
        row[OPCINTYPE] = oid(c.opcintype);
        row[OPCDEFAULT] = Datum::Bool(c.opcdefault);
        row[OPCKEYTYPE] = oid(c.opckeytype);
        row
    };
    facts::opclasses().iter().map(row).collect()
}

pub fn amop_rows() -> Vec<Vec<Datum>> {
    use pg_amop::*;
    let row = |m: &facts::AmopRow| {
        let mut row = vec![Datum::Null; COUNT];
        row[OID] = oid(m.oid);
        row[AMOPFAMILY] = oid(m.amopfamily);
        row[AMOPLEFTTYPE] = oid(m.amoplefttype);
        row[AMOPRIGHTTYPE] = oid(m.amoprighttype);
        row[AMOPSTRATEGY] = Datum::Int2(m.amopstrategy);
        row[AMOPPURPOSE] = Datum::Char(m.amoppurpose);
        row[AMOPOPR] = oid(m.amopopr);
        row[AMOPMETHOD] = oid(m.amopmethod);
        row[AMOPSORTFAMILY] = oid(m.amopsortfamily);
        row
    };
    facts::amops().iter().map(row).collect()
}

pub fn amproc_rows() -> Vec<Vec<Datum>> {
    use pg_amproc::*;
    let row = |p: &facts::AmprocRow| {
        let mut row = vec![Datum::Null; COUNT];
        row[OID] = oid(p.oid);
        row[AMPROCFAMILY] = oid(p.amprocfamily);
        row[AMPROCLEFTTYPE] = oid(p.amproclefttype);
        row[AMPROCRIGHTTYPE] = oid(p.amprocrighttype);
        row[AMPROCNUM] = Datum::Int2(p.amprocnum);
        row[AMPROC] = oid(p.amproc);
        row
    };
    facts::amprocs().iter().map(row).collect()
}
