//! Listed functions against the catalog facts.

use common::Oid;
use types::{PhysType, builtin};

use crate::facts;
use crate::families;
use crate::framework::registry::{self, source_name};

fn polymorphic(oid: Oid) -> bool {
    builtin::type_row(oid).is_some_and(|t| t.typtype == b'p')
}

/// Every listed function exists with these types, and other functions with its `prosrc` have the same storage classes.
#[test]
fn builtins_agree_with_pg_proc() {
    let mut wrong = Vec::new();
    for b in families::builtins() {
        let named: Vec<_> = facts::procs()
            .iter()
            .filter(|p| source_name(p) == b.name)
            .collect();
        if !named
            .iter()
            .any(|p| p.proargtypes == b.args && p.prorettype == b.result)
        {
            let found: Vec<String> = named
                .iter()
                .map(|p| format!("{}{:?} -> {}", p.proname, p.proargtypes, p.prorettype))
                .collect();
            wrong.push(format!(
                "{}{:?} -> {}: catalog has {found:?}",
                b.name, b.args, b.result
            ));
        }
        if families::builtins()
            .filter(|o| o.name == b.name && o.args == b.args)
            .count()
            > 1
        {
            wrong.push(format!("{} {:?} is listed twice", b.name, b.args));
        }
        for p in named.iter().filter(|p| p.prolang != Oid(14)) {
            let exact = families::builtins().any(|o| o.name == b.name && o.args == p.proargtypes);
            let class = |oid: &Oid| PhysType::of_builtin(*oid);
            let alike = p.proargtypes.len() == b.args.len()
                && p.proargtypes
                    .iter()
                    .chain([&p.prorettype])
                    .zip(b.args.iter().chain([&b.result]))
                    .all(|(x, y)| class(x) == class(y) || polymorphic(*y));
            if !exact && !alike {
                wrong.push(format!(
                    "{}: {}{:?} needs a line of its own",
                    b.name, p.proname, p.proargtypes
                ));
            }
        }
    }
    for a in families::aggregates() {
        let known = facts::procs_by_name(a.name)
            .any(|p| p.prokind == b'a' && p.proargtypes == a.args && p.prorettype == a.result);
        if !known {
            wrong.push(format!("aggregate {}{:?} -> {}", a.name, a.args, a.result));
        }
    }
    for s in families::sets() {
        let known = facts::procs().iter().any(|p| {
            source_name(p) == s.name
                && (p.proretset || types::builtin::type_row(p.prorettype).is_some_and(|t| t.typtype == b'p'))
                && p.proargtypes == s.args
                && p.prorettype == s.result
        });
        if !known {
            wrong.push(format!("set function {}{:?} -> {}", s.name, s.args, s.result));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn finds_kernels_by_oid() {
    assert!(registry::kernels(Oid(177)).is_some(), "int4pl");
    assert!(registry::kernels(Oid(3)).is_none());
    assert!(registry::aggregate(Oid(2803)).is_some(), "count(*)");
    assert!(
        registry::set_function(Oid(1067)).is_some(),
        "generate_series(int4, int4)"
    );
    let e = registry::not_implemented(Oid(3));
    assert_eq!(e.message, "function heap_tableam_handler is not implemented yet");
}
