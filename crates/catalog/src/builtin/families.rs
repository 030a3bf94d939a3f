//! Built-in operator classes and families, from `functions::facts`.

use std::collections::HashMap;
use std::sync::OnceLock;

use common::Oid;
use functions::facts::{self, OpclassRow};
use types::builtin as type_facts;

use crate::view::OpclassDesc;

/// (family, left, right, strategy or number).
type MemberKey = (Oid, Oid, Oid, i16);

struct Maps {
    members: HashMap<MemberKey, Oid>,
    support: HashMap<MemberKey, Oid>,
    by_operator: HashMap<Oid, Vec<(Oid, Oid, i16)>>,
}

fn maps() -> &'static Maps {
    static MAPS: OnceLock<Maps> = OnceLock::new();
    MAPS.get_or_init(|| {
        let mut by_operator: HashMap<Oid, Vec<(Oid, Oid, i16)>> = HashMap::new();
        let mut members = HashMap::new();
        // Ordering operators (purpose `o`) are no members for searching.
        for m in facts::amops().iter().filter(|m| m.amoppurpose == b's') {
            let key = (m.amopfamily, m.amoplefttype, m.amoprighttype, m.amopstrategy);
            members.insert(key, m.amopopr);
            let families = by_operator.entry(m.amopopr).or_default();
            families.push((m.amopmethod, m.amopfamily, m.amopstrategy));
        }
        let procs = facts::amprocs().iter();
        Maps {
            members,
            support: procs
                .map(|p| {
                    (
                        (p.amprocfamily, p.amproclefttype, p.amprocrighttype, p.amprocnum),
                        p.amproc,
                    )
                })
                .collect(),
            by_operator,
        }
    })
}

fn describe(c: &OpclassRow) -> OpclassDesc {
    OpclassDesc {
        oid: c.oid,
        family: c.opcfamily,
        input_type: c.opcintype,
        key_type: c.opckeytype,
    }
}

/// A built-in operator class.
pub fn opclass(oid: Oid) -> Option<OpclassDesc> {
    facts::opclasses().iter().find(|c| c.oid == oid).map(describe)
}

/// The access method that a built-in operator class is for.
pub fn opclass_method(oid: Oid) -> Option<Oid> {
    facts::opclasses()
        .iter()
        .find(|c| c.oid == oid)
        .map(|c| c.opcmethod)
}

/// A built-in operator class by name.
pub fn opclass_by_name(access_method: Oid, name: &str) -> Option<OpclassDesc> {
    let mut all = facts::opclasses().iter();
    all.find(|c| c.opcmethod == access_method && c.opcname == name)
        .map(describe)
}

/// The default operator class for a type, as PostgreSQL's `GetDefaultOpClass` chooses: one for the very type, else one for a
/// type it can be taken as without conversion, the category's preferred type first.
pub fn default_opclass(access_method: Oid, type_oid: Oid) -> Option<OpclassDesc> {
    let defaults = || {
        facts::opclasses()
            .iter()
            .filter(|c| c.opcmethod == access_method && c.opcdefault)
    };
    if let Some(exact) = defaults().find(|c| c.opcintype == type_oid) {
        return Some(describe(exact));
    }
    let mut compatible = defaults().filter(|c| binary_coercible(type_oid, c.opcintype));
    let first = compatible.next()?;
    let preferred = |c: &&OpclassRow| type_facts::type_row(c.opcintype).is_some_and(|t| t.typispreferred);
    let chosen = std::iter::once(first).chain(compatible).find(preferred);
    Some(describe(chosen.unwrap_or(first)))
}

/// PostgreSQL's `IsBinaryCoercible` for built-in types: without a function, also from arrays, enums, ranges and composites to
/// their pseudo-types.
fn binary_coercible(source: Oid, target: Oid) -> bool {
    use types::oids;
    let Some(t) = type_facts::type_row(source) else {
        return false;
    };
    match target {
        oids::ANYARRAY if t.is_array() => return true,
        oids::ANYENUM if t.typtype == b'e' => return true,
        oids::ANYRANGE if t.typtype == b'r' => return true,
        oids::ANYMULTIRANGE if t.typtype == b'm' => return true,
        oids::RECORD if t.typtype == b'c' => return true,
        _ => {}
    }
    if t.typbasetype.is_valid() {
        return t.typbasetype == target || binary_coercible(t.typbasetype, target);
    }
    let cast = crate::builtin::functions::cast(source, target);
    cast.is_some_and(|c| c.method == b'b' && c.context == b'i')
}

/// The operator of a family for a strategy and pair of types.
pub fn member(family: Oid, left: Oid, right: Oid, strategy: i16) -> Option<Oid> {
    maps().members.get(&(family, left, right, strategy)).copied()
}

/// Families of an access method that an operator belongs to, with its strategy.
pub fn of_operator(access_method: Oid, op: Oid) -> Vec<(Oid, i16)> {
    let all = maps().by_operator.get(&op).map(Vec::as_slice).unwrap_or_default();
    let here = all.iter().filter(|m| m.0 == access_method);
    here.map(|m| (m.1, m.2)).collect()
}

/// Support function of a family.
pub fn support_function(family: Oid, left: Oid, right: Oid, number: i16) -> Option<Oid> {
    maps().support.get(&(family, left, right, number)).copied()
}
