//! Descriptors of the built-in types, from `types::builtin`.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use common::Oid;
use types::PhysType;
use types::builtin::{self, TypeRow};

use crate::builtin::slots::Slots;
use crate::desc::TypeDesc;
use crate::oids;

struct Types {
    by_name: HashMap<(&'static str, Oid), usize>,
    slots: Slots<TypeDesc>,
}

fn types() -> &'static Types {
    static TYPES: OnceLock<Types> = OnceLock::new();
    TYPES.get_or_init(|| {
        let rows = builtin::TYPES.iter().enumerate();
        Types {
            by_name: rows.map(|(at, t)| ((t.typname, t.typnamespace), at)).collect(),
            slots: Slots::new(builtin::TYPES.len()),
        }
    })
}

/// A built-in type.
pub fn type_desc(oid: Oid) -> Option<Arc<TypeDesc>> {
    let at = builtin::TYPES.binary_search_by_key(&oid, |t| t.oid).ok()?;
    let row = builtin::TYPES.get(at)?;
    Some(types().slots.get_or_build(at, || describe(row)))
}

/// A built-in type by schema and internal name.
pub fn type_by_name(namespace: Oid, name: &str) -> Option<Arc<TypeDesc>> {
    let at = types().by_name.get(&(name, namespace))?;
    type_desc(builtin::TYPES.get(*at)?.oid)
}

fn describe(t: &TypeRow) -> TypeDesc {
    TypeDesc {
        oid: t.oid,
        name: t.typname.into(),
        namespace: t.typnamespace,
        owner: oids::BOOTSTRAP_SUPERUSER,
        len: t.typlen,
        by_val: t.typbyval,
        kind: t.typtype,
        category: t.typcategory,
        preferred: t.typispreferred,
        defined: true,
        delimiter: t.typdelim,
        relation: t.typrelid,
        element: t.typelem,
        array: t.typarray,
        is_array: t.is_array(),
        base_type: t.typbasetype,
        typmod: domain_typmod(t.oid),
        not_null: false,
        collation: t.typcollation,
        default: None,
        align: t.typalign,
        phys: PhysType::of_builtin(t.oid),
        like: common::Oid::INVALID,
    }
}

/// `typtypmod`: of the domains of `information_schema`, `time_stamp` and `yes_or_no` have a modifier.
pub fn domain_typmod(oid: Oid) -> i32 {
    match oid {
        Oid(12446) => 2,
        Oid(12448) => 7,
        _ => -1,
    }
}
