//! Facts of PostgreSQL's built-in functions, operators, casts, aggregates and operator classes: static tables with all
//! rows, and lookups. The tables are generated; whether a function has code here is asked of the
//! [`registry`](crate::framework::registry).

mod aggregate;
mod cast;
mod opclass;
mod operator;
mod proc;

use common::Oid;

/// One row of `pg_proc`. Constant columns: `proowner` 10, `protrftypes`, `proconfig` NULL; `pronargs` is the length of
/// `proargtypes`.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct ProcRow {
    pub oid: Oid,
    pub proname: &'static str,
    pub pronamespace: Oid,
    pub prolang: Oid,
    pub procost: f32,
    pub prorows: f32,
    pub provariadic: Oid,
    pub prokind: u8,
    pub prosecdef: bool,
    pub proleakproof: bool,
    pub proisstrict: bool,
    pub proretset: bool,
    pub provolatile: u8,
    pub proparallel: u8,
    pub pronargdefaults: u8,
    pub prorettype: Oid,
    pub proargtypes: &'static [Oid],
    pub prosrc: &'static str,
    pub extra: Option<&'static ProcExtra>,
}

/// The columns of `pg_proc` that few rows have.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct ProcExtra {
    /// Planner support function, `-` for none.
    pub prosupport: &'static str,
    /// Types of all parameters, OUT ones included; empty when there are only IN ones.
    pub proallargtypes: &'static [Oid],
    /// One letter per parameter: `i`, `o`, `b`, `v`, `t`.
    pub proargmodes: &'static [u8],
    pub proargnames: &'static [&'static str],
    /// The node tree as PostgreSQL prints it.
    pub proargdefaults: &'static str,
    /// SQL text of the defaults of the last `pronargdefaults` parameters.
    pub argdefaults: &'static [&'static str],
    pub probin: &'static str,
    /// Body of SQL-language functions as `pg_get_function_sqlbody` prints it.
    pub sqlbody: &'static str,
    pub proacl: &'static str,
}

/// One row of `pg_operator` (`oprnamespace` 11, `oprowner` 10).
#[derive(Debug)]
#[allow(missing_docs)]
pub struct OperatorRow {
    pub oid: Oid,
    pub oprname: &'static str,
    pub oprkind: u8,
    pub oprcanmerge: bool,
    pub oprcanhash: bool,
    pub oprleft: Oid,
    pub oprright: Oid,
    pub oprresult: Oid,
    pub oprcom: Oid,
    pub oprnegate: Oid,
    pub oprcode: Oid,
    pub oprrest: Oid,
    pub oprjoin: Oid,
}

/// One row of `pg_cast`.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct CastRow {
    pub oid: Oid,
    pub castsource: Oid,
    pub casttarget: Oid,
    pub castfunc: Oid,
    pub castcontext: u8,
    pub castmethod: u8,
}

/// One row of `pg_aggregate`.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct AggregateRow {
    pub aggfnoid: Oid,
    pub aggkind: u8,
    pub aggnumdirectargs: i16,
    pub aggtransfn: Oid,
    pub aggfinalfn: Oid,
    pub aggcombinefn: Oid,
    pub aggserialfn: Oid,
    pub aggdeserialfn: Oid,
    pub aggmtransfn: Oid,
    pub aggminvtransfn: Oid,
    pub aggmfinalfn: Oid,
    pub aggfinalextra: bool,
    pub aggmfinalextra: bool,
    pub aggfinalmodify: u8,
    pub aggmfinalmodify: u8,
    pub aggsortop: Oid,
    pub aggtranstype: Oid,
    pub aggtransspace: i32,
    pub aggmtranstype: Oid,
    pub aggmtransspace: i32,
    pub agginitval: Option<&'static str>,
    pub aggminitval: Option<&'static str>,
}

/// One row of `pg_opclass` (`opcnamespace` 11, `opcowner` 10).
#[derive(Debug)]
#[allow(missing_docs)]
pub struct OpclassRow {
    pub oid: Oid,
    pub opcmethod: Oid,
    pub opcname: &'static str,
    pub opcfamily: Oid,
    pub opcintype: Oid,
    pub opcdefault: bool,
    pub opckeytype: Oid,
}

/// One row of `pg_opfamily` (`opfnamespace` 11, `opfowner` 10).
#[derive(Debug)]
#[allow(missing_docs)]
pub struct OpfamilyRow {
    pub oid: Oid,
    pub opfmethod: Oid,
    pub opfname: &'static str,
}

/// One row of `pg_amop`.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct AmopRow {
    pub oid: Oid,
    pub amopfamily: Oid,
    pub amoplefttype: Oid,
    pub amoprighttype: Oid,
    pub amopstrategy: i16,
    pub amoppurpose: u8,
    pub amopopr: Oid,
    pub amopmethod: Oid,
    pub amopsortfamily: Oid,
}

/// One row of `pg_amproc`.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct AmprocRow {
    pub oid: Oid,
    pub amprocfamily: Oid,
    pub amproclefttype: Oid,
    pub amprocrighttype: Oid,
    pub amprocnum: i16,
    pub amproc: Oid,
}

/// OID of the access method `btree`.
pub const BTREE_AM: Oid = Oid(403);
/// OID of the access method `hash`.
pub const HASH_AM: Oid = Oid(405);

/// All functions, by OID.
pub fn procs() -> &'static [ProcRow] {
    proc::PROCS
}

/// A function.
pub fn proc(oid: Oid) -> Option<&'static ProcRow> {
    let rows = proc::PROCS;
    rows.binary_search_by_key(&oid, |p| p.oid).ok().map(|i| &rows[i])
}

/// All overloads of a name.
pub fn procs_by_name(name: &str) -> impl Iterator<Item = &'static ProcRow> {
    named(proc::PROCS_BY_NAME, proc::PROCS, |p| p.proname, name)
}

/// All operators, by OID.
pub fn operators() -> &'static [OperatorRow] {
    operator::OPERATORS
}

/// An operator.
pub fn operator(oid: Oid) -> Option<&'static OperatorRow> {
    let rows = operator::OPERATORS;
    rows.binary_search_by_key(&oid, |o| o.oid).ok().map(|i| &rows[i])
}

/// All operators of a name.
pub fn operators_by_name(name: &str) -> impl Iterator<Item = &'static OperatorRow> {
    named(
        operator::OPERATORS_BY_NAME,
        operator::OPERATORS,
        |o| o.oprname,
        name,
    )
}

/// The operator of a name and exact operand types (`left` invalid for prefix operators).
pub fn operator_exact(name: &str, left: Oid, right: Oid) -> Option<&'static OperatorRow> {
    operators_by_name(name).find(|o| o.oprleft == left && o.oprright == right)
}

fn named<T>(
    order: &'static [u16],
    rows: &'static [T],
    key: fn(&T) -> &'static str,
    name: &str,
) -> impl Iterator<Item = &'static T> {
    let row = move |i: &u16| &rows[usize::from(*i)];
    let from = order.partition_point(|i| key(row(i)) < name);
    let len = order[from..].partition_point(|i| key(row(i)) == name);
    order[from..from + len].iter().map(row)
}

/// All casts, by source and target.
pub fn casts() -> &'static [CastRow] {
    cast::CASTS
}

/// The cast between two types.
pub fn cast(source: Oid, target: Oid) -> Option<&'static CastRow> {
    let rows = cast::CASTS;
    rows.binary_search_by_key(&(source, target), |c| (c.castsource, c.casttarget))
        .ok()
        .map(|i| &rows[i])
}

/// All aggregates, by function OID.
pub fn aggregates() -> &'static [AggregateRow] {
    aggregate::AGGREGATES
}

/// The aggregate behind a function.
pub fn aggregate(proc: Oid) -> Option<&'static AggregateRow> {
    let rows = aggregate::AGGREGATES;
    rows.binary_search_by_key(&proc, |a| a.aggfnoid)
        .ok()
        .map(|i| &rows[i])
}

/// All operator classes, by OID.
pub fn opclasses() -> &'static [OpclassRow] {
    opclass::OPCLASSES
}

/// All operator families, by OID.
pub fn opfamilies() -> &'static [OpfamilyRow] {
    opclass::OPFAMILIES
}

/// All operators of families.
pub fn amops() -> &'static [AmopRow] {
    opclass::AMOPS
}

/// All support functions of families.
pub fn amprocs() -> &'static [AmprocRow] {
    opclass::AMPROCS
}

/// The default operator class of an access method for exactly this type (callers try `anyarray`, `anyenum`, `record`... and
/// binary-coercible types such as `text` for `varchar` themselves).
pub fn default_opclass(access_method: Oid, type_oid: Oid) -> Option<&'static OpclassRow> {
    opclasses()
        .iter()
        .find(|c| c.opcmethod == access_method && c.opcintype == type_oid && c.opcdefault)
}

/// An operator of a family by strategy (btree: 1 `<`, 2 `<=`, 3 `=`, 4 `>=`, 5 `>`; hash: 1 `=`).
pub fn family_operator(family: Oid, left: Oid, right: Oid, strategy: i16) -> Option<Oid> {
    amops()
        .iter()
        .find(|a| {
            a.amopfamily == family
                && a.amoplefttype == left
                && a.amoprighttype == right
                && a.amopstrategy == strategy
                && a.amoppurpose == b's'
        })
        .map(|a| a.amopopr)
}

/// A support function of a family (btree: 1 comparison; hash: 1 hash, 2 extended hash).
pub fn family_proc(family: Oid, left: Oid, right: Oid, number: i16) -> Option<Oid> {
    amprocs()
        .iter()
        .find(|a| {
            a.amprocfamily == family
                && a.amproclefttype == left
                && a.amprocrighttype == right
                && a.amprocnum == number
        })
        .map(|a| a.amproc)
}

/// The operator families, with the strategy, in which an operator takes part as a search operator.
pub fn families_of_operator(operator: Oid) -> impl Iterator<Item = &'static AmopRow> {
    amops()
        .iter()
        .filter(move |a| a.amopopr == operator && a.amoppurpose == b's')
}

/// The default sort and hash support of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct TypeOperators {
    pub less: Oid,
    pub equal: Oid,
    pub greater: Oid,
    /// Comparison function (`btint4cmp`).
    pub compare: Oid,
    /// Hash function (`hashint4`), when the type hashes.
    pub hash: Option<Oid>,
}

/// The operators of the default btree class of a type (exactly this type, see [`default_opclass`]).
pub fn type_operators(type_oid: Oid) -> Option<TypeOperators> {
    let class = default_opclass(BTREE_AM, type_oid)?;
    let operator = |strategy| family_operator(class.opcfamily, type_oid, type_oid, strategy);
    let hash =
        default_opclass(HASH_AM, type_oid).and_then(|h| family_proc(h.opcfamily, type_oid, type_oid, 1));
    Some(TypeOperators {
        less: operator(1)?,
        equal: operator(3)?,
        greater: operator(5)?,
        compare: family_proc(class.opcfamily, type_oid, type_oid, 1)?,
        hash,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_complete_and_sorted() {
        assert_eq!(procs().len(), 3413);
        assert_eq!(operators().len(), 799);
        assert!(procs().is_sorted_by_key(|p| p.oid) && operators().is_sorted_by_key(|o| o.oid));
        assert!(casts().is_sorted_by_key(|c| (c.castsource, c.casttarget)));
        assert!(aggregates().is_sorted_by_key(|a| a.aggfnoid));
        assert_eq!(procs_by_name("sum").count(), 8);
        assert_eq!(proc(Oid(89)).map(|p| p.prosrc), Some("pgsql_version"));
        assert_eq!(
            operator_exact("+", Oid(23), Oid(23))
                .and_then(|o| proc(o.oprcode))
                .map(|p| p.proname),
            Some("int4pl")
        );
        let int4 = type_operators(Oid(23)).map(|t| (t.less, t.equal, t.compare, t.hash));
        assert_eq!(int4, Some((Oid(97), Oid(96), Oid(351), Some(Oid(450)))));
    }
}
