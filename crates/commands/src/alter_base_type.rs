//! ALTER TYPE ... SET (...): storage and support functions of base types.
//!
//! PG: src/backend/commands/typecmds.c (`AlterType`, `AlterTypeRecurse`).

use catalog::columns::pg_type;
use catalog::ddl::ObjectAddress;
use catalog::desc::TypeDesc;
use catalog::oids;
use catalog::privileges::{ObjectKind, must_be_owner};
use common::{Oid, PgResult, pg_err};
use parser::ast::{AlterTypeStmt, DefElem, Ident};
use types::Datum;

use crate::alter_type::without_position;
use crate::base_type::{Finder, bad, storage};
use crate::context::{CommandContext, CommandOutcome};
use crate::options;

/// Attributes that CREATE TYPE knows and ALTER TYPE does not change.
const FIXED: [&str; 12] = [
    "input",
    "output",
    "internallength",
    "passedbyvalue",
    "alignment",
    "like",
    "category",
    "preferred",
    "default",
    "element",
    "delimiter",
    "collatable",
];

/// What changes: columns of `pg_type`, with the option of each.
#[derive(Default)]
struct Changes {
    columns: Vec<(usize, Datum)>,
    functions: Vec<Oid>,
    superuser: bool,
}

impl Changes {
    fn set(&mut self, column: usize, value: Datum) {
        self.columns.retain(|(at, _)| *at != column);
        self.columns.push((column, value));
    }
}

/// ALTER TYPE ... SET.
pub(crate) fn alter_type(stmt: &AlterTypeStmt, cx: &CommandContext<'_>) -> PgResult<CommandOutcome> {
    let view = cx.view()?;
    let written = options::as_type_name(&stmt.type_name);
    let found =
        analyzer::utility::resolve_type_name(&written, &cx.analysis(&*view)).map_err(without_position)?;
    let Some(desc) = view.type_desc(found.oid)? else {
        return Err(common::internal!("cache lookup failed for type {}", found.oid));
    };
    let shown = catalog::format_type::format_type(&*view, desc.oid, -1)?;
    let finder = Finder::new(&desc, cx)?;
    let mut changes = Changes::default();
    for option in &stmt.options {
        read_option(option, &desc, &finder, &mut changes, cx)?;
    }
    let roles = cx.roles()?;
    if changes.superuser && !roles.is_superuser(cx.user) {
        return Err(pg_err!(
            INSUFFICIENT_PRIVILEGE,
            "must be superuser to alter a type"
        ));
    }
    if !roles.owns(cx.user, desc.owner) {
        let name = stmt.type_name.last().map_or("", Ident::as_str);
        return Err(must_be_owner(ObjectKind::Type, name));
    }
    if desc.kind != b'b' || desc.is_array {
        return Err(pg_err!(WRONG_OBJECT_TYPE, "{shown} is not a base type"));
    }
    apply(&desc, &changes, cx)?;
    Ok(CommandOutcome::tag("ALTER TYPE"))
}

fn read_option(
    option: &DefElem,
    desc: &TypeDesc,
    finder: &Finder<'_>,
    changes: &mut Changes,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let name = match &*option.name {
        "analyse" => "analyze",
        other => other,
    };
    if name == "storage" {
        return read_storage(option, desc, changes, cx);
    }
    let column = match name {
        "receive" => pg_type::TYPRECEIVE,
        "send" => pg_type::TYPSEND,
        "typmod_in" => pg_type::TYPMODIN,
        "typmod_out" => pg_type::TYPMODOUT,
        "analyze" => pg_type::TYPANALYZE,
        "subscript" => pg_type::TYPSUBSCRIPT,
        known if FIXED.contains(&known) => {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "type attribute \"{}\" cannot be changed",
                option.name
            ));
        }
        _ => {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "type attribute \"{}\" not recognized",
                option.name
            ));
        }
    };
    let function = match &option.arg {
        None => Oid::INVALID,
        Some(_) => finder.function(name, &options::names(option)?)?,
    };
    changes.superuser = true;
    changes.functions.push(function);
    changes.set(column, Datum::Oid(function.0));
    Ok(())
}

fn read_storage(
    option: &DefElem,
    desc: &TypeDesc,
    changes: &mut Changes,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let wanted = storage(&options::text(option)?)?;
    if wanted != b'p' && desc.len != -1 {
        return Err(bad("fixed-size types must have storage PLAIN".into()));
    }
    let row = cx.ddl(|ddl| {
        ddl.store
            .lookup_all(oids::PG_TYPE_OID_INDEX, &[catalog::store::key_oid(desc.oid)])
    })?;
    let is = row.first().map_or(b'p', |r| r.char(pg_type::TYPSTORAGE));
    match (wanted, is) {
        (b'p', b'p') => {}
        // Values stored out of line would not be found any more.
        (b'p', _) => return Err(bad("cannot change type's storage to PLAIN".into())),
        (_, b'p') => changes.superuser = true,
        _ => {}
    }
    changes.set(pg_type::TYPSTORAGE, Datum::Char(wanted));
    Ok(())
}

/// Changes the type, its array type and the domains over it, each as far as it inherits.
fn apply(desc: &TypeDesc, changes: &Changes, cx: &CommandContext<'_>) -> PgResult<()> {
    if desc.oid < Oid::FIRST_NORMAL {
        return Err(common::unsupported!("built-in types cannot be changed"));
    }
    let only = |columns: &[usize]| -> Vec<(usize, Datum)> {
        let mine = changes.columns.iter().filter(|(at, _)| columns.contains(at));
        mine.cloned().collect()
    };
    let of_array = only(&[pg_type::TYPMODIN, pg_type::TYPMODOUT]);
    let of_domains = only(&[pg_type::TYPSTORAGE, pg_type::TYPSEND, pg_type::TYPANALYZE]);
    cx.ddl(|ddl| {
        ddl.alter_type(desc.oid, &changes.columns)?;
        let object = ObjectAddress::new(oids::PG_TYPE, desc.oid);
        ddl.record_needs(object, oids::PG_PROC, &changes.functions)?;
        let mut above = vec![desc.oid];
        if desc.array.is_valid() && !of_array.is_empty() {
            ddl.alter_type(desc.array, &of_array)?;
        }
        while let Some(base) = above.pop() {
            let rows = ddl.store.scan(oids::PG_TYPE)?;
            for row in rows.iter().filter(|r| r.oid(pg_type::TYPBASETYPE) == base) {
                let domain = row.oid(pg_type::OID);
                ddl.alter_type(domain, &of_domains)?;
                above.push(domain);
            }
        }
        Ok(())
    })
}
