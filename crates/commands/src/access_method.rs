//! Access methods of indexes: what each can do, operator classes, and the operators of exclusion constraints.
//!
//! All indexes are kept in B-tree order inside (docs/adr/0009-indexes-by-other-names.md); what a method promises, and the errors about
//! what it cannot do, are PostgreSQL's.
//!
//! PG: src/backend/commands/indexcmds.c (`DefineIndex`, `ComputeIndexAttrs`, `ResolveOpClass`), utils/index/amapi.c.

use catalog::CatalogView;
use catalog::desc::{IndexColumnDesc, IndexDesc, OperatorDesc};
use catalog::oids;
use catalog::store::key_oid;
use catalog::view::OpclassDesc;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err, unsupported};
use parser::ast::{IndexElem, NameList, SortByDir, SortByNulls};
use types::settings::TypeRef;

use crate::context::CommandContext;
use crate::create_index::{Column, IndexRequest};
use crate::storage_params::ParamSet;

/// What an access method can do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AccessMethod {
    pub oid: Oid,
    pub name: &'static str,
    pub params: ParamSet,
    unique: bool,
    /// ASC, DESC, NULLS FIRST; CLUSTER.
    pub ordered: bool,
    multicolumn: bool,
    include: bool,
    exclusion: bool,
}

const METHODS: &[AccessMethod] = &[
    AccessMethod {
        oid: oids::BTREE_AM,
        name: "btree",
        params: ParamSet::Btree,
        unique: true,
        ordered: true,
        multicolumn: true,
        include: true,
        exclusion: true,
    },
    AccessMethod {
        oid: oids::HASH_AM,
        name: "hash",
        params: ParamSet::Hash,
        unique: false,
        ordered: false,
        multicolumn: false,
        include: false,
        exclusion: true,
    },
    AccessMethod {
        oid: oids::GIST_AM,
        name: "gist",
        params: ParamSet::Gist,
        unique: false,
        ordered: false,
        multicolumn: true,
        include: true,
        exclusion: true,
    },
    AccessMethod {
        oid: Oid(2742),
        name: "gin",
        params: ParamSet::Btree,
        unique: false,
        ordered: false,
        multicolumn: true,
        include: false,
        exclusion: false,
    },
    AccessMethod {
        oid: Oid(4000),
        name: "spgist",
        params: ParamSet::Hash,
        unique: false,
        ordered: false,
        multicolumn: false,
        include: true,
        exclusion: true,
    },
    AccessMethod {
        oid: Oid(3580),
        name: "brin",
        params: ParamSet::Btree,
        unique: false,
        ordered: false,
        multicolumn: true,
        include: false,
        exclusion: false,
    },
];

/// The method of an index that exists.
pub(crate) fn of_index(oid: Oid) -> &'static AccessMethod {
    METHODS.iter().find(|m| m.oid == oid).unwrap_or(&METHODS[0])
}

/// The method that a definition asks for, with what it cannot do refused.
pub(crate) fn of_request(request: &IndexRequest<'_>) -> PgResult<&'static AccessMethod> {
    let key = request.constraint.as_ref();
    let period = key.is_some_and(|k| k.period);
    let asked = match request.access_method {
        None if period => "gist",
        None => "btree",
        Some(name) => name,
    };
    let Some(method) = METHODS.iter().find(|m| m.name == asked) else {
        return Err(pg_err!(
            UNDEFINED_OBJECT,
            "access method \"{asked}\" does not exist"
        ));
    };
    let excludes = !request.operators.is_empty();
    let refused = [
        (request.unique && !method.unique && !period, "unique indexes"),
        (
            !request.including.is_empty() && !method.include,
            "included columns",
        ),
        (
            request.params.len() > 1 && !method.multicolumn,
            "multicolumn indexes",
        ),
        (excludes && !method.exclusion, "exclusion constraints"),
        (period && method.name != "gist", "WITHOUT OVERLAPS constraints"),
    ];
    if let Some((_, what)) = refused.iter().find(|(refused, _)| *refused) {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "access method \"{asked}\" does not support {what}"
        ));
    }
    // A GiST index serves its constraint; nothing scans it.
    let supported = match method.oid {
        oids::GIST_AM => excludes || period,
        oids::BTREE_AM | oids::HASH_AM => true,
        _ => false,
    };
    match supported {
        true => Ok(method),
        false => Err(unsupported!(
            "index access method \"{asked}\" is not supported yet"
        )),
    }
}

/// The operator class of a key column, and what the method cannot do with it.
pub(crate) fn operator_class(
    cx: &CommandContext<'_>,
    view: &dyn CatalogView,
    method: &AccessMethod,
    (element, type_ref): (&IndexElem, TypeRef),
) -> PgResult<OpclassDesc> {
    let class = find_class(cx, view, method, (element, type_ref))?;
    if method.ordered {
        return Ok(class);
    }
    let what = match (element.ordering, element.nulls_ordering) {
        (SortByDir::Default, SortByNulls::Default) => return Ok(class),
        (SortByDir::Default, _) => "NULLS FIRST/LAST",
        _ => "ASC/DESC",
    };
    Err(pg_err!(
        FEATURE_NOT_SUPPORTED,
        "access method \"{}\" does not support {what} options",
        method.name
    ))
}

fn find_class(
    cx: &CommandContext<'_>,
    view: &dyn CatalogView,
    method: &AccessMethod,
    (element, type_ref): (&IndexElem, TypeRef),
) -> PgResult<OpclassDesc> {
    let type_name = || catalog::format_type::format_type(view, type_ref.oid, -1);
    let base = base_type(view, type_ref.oid)?;
    if element.opclass.is_empty() {
        let mut found = default_class(view, method.oid, base)?;
        if found.is_none() && method.oid == oids::GIST_AM && has_btree_gist(cx)? {
            found = default_class(view, oids::BTREE_AM, base)?;
        }
        return match found {
            Some(class) => Ok(class),
            None => Err(pg_err!(
                UNDEFINED_OBJECT,
                "data type {} has no default operator class for access method \"{}\"",
                type_name()?,
                method.name
            )
            .hint("You must specify an operator class for the index or define a default operator class for the data type.")),
        };
    }
    let (schema, name) = match element.opclass.as_slice() {
        [name] => (None, name),
        [schema, name, ..] => (Some(schema.as_str()), name),
        [] => return Err(common::internal!("operator class without a name")),
    };
    let Some(class) = view.opclass_by_name(method.oid, schema, name.as_str())? else {
        return Err(pg_err!(
            UNDEFINED_OBJECT,
            "operator class \"{}\" does not exist for access method \"{}\"",
            name.as_str(),
            method.name
        ));
    };
    let accepts = class.input_type == base
        || default_class(view, method.oid, base)?.is_some_and(|d| d.input_type == class.input_type)
        || is_binary_coercible(view, base, class.input_type)?;
    if !accepts {
        return Err(pg_err!(
            DATATYPE_MISMATCH,
            "operator class \"{}\" does not accept data type {}",
            name.as_str(),
            type_name()?
        ));
    }
    Ok(class)
}

/// Whether an index can be kept under the classes that users made: entries lie in the order of their type, so a class's comparison
/// function must be the type's own; under a hash class, its equality.
pub(crate) fn check_classes(view: &dyn CatalogView, index: &IndexDesc, name: &str) -> PgResult<()> {
    let method = index.access_method;
    for (column, attribute) in index.columns.iter().take(index.key_count).zip(1..) {
        if column.opclass < Oid::FIRST_NORMAL {
            continue;
        }
        let of = column.opcintype;
        let Some(compares) = view.opfamily_proc(column.opfamily, of, of, 1)? else {
            return Err(common::internal!(
                "missing support function 1 for attribute {attribute} of index \"{name}\""
            ));
        };
        let own = catalog::builtin::families::default_opclass(method, of);
        let serves = match own {
            Some(own) if method == oids::HASH_AM => {
                view.opfamily_member(column.opfamily, of, of, 1)?
                    == view.opfamily_member(own.family, of, of, 1)?
            }
            Some(own) => view.opfamily_proc(own.family, of, of, 1)? == Some(compares),
            None => false,
        };
        if !serves {
            return Err(unsupported!(
                "indexes under operator classes that order or compare otherwise than their data type are not supported yet"
            ));
        }
    }
    Ok(())
}

/// Class and family of a column of a partition key, if rows can be routed by it.
pub(crate) fn partition_class(
    view: &dyn CatalogView,
    class: &OpclassDesc,
    collation: Oid,
) -> PgResult<(Oid, Oid)> {
    if class.oid >= Oid::FIRST_NORMAL {
        return Err(unsupported!(
            "partition keys under operator classes made by users are not supported yet"
        ));
    }
    match view.text_order(collation)? {
        None => Ok((class.oid, class.family)),
        Some(_) => Err(unsupported!(
            "partition keys under collations that do not compare bytes are not supported yet"
        )),
    }
}

/// The extension that teaches GiST the types of B-trees.
fn has_btree_gist(cx: &CommandContext<'_>) -> PgResult<bool> {
    let rows = cx.ddl(|ddl| ddl.store.scan(oids::PG_EXTENSION))?;
    let name = |row: &catalog::row::StoredRow| row.text(catalog::columns::pg_extension::EXTNAME);
    Ok(rows.iter().any(|row| &*name(row) == "btree_gist"))
}

fn is_binary_coercible(view: &dyn CatalogView, from: Oid, to: Oid) -> PgResult<bool> {
    Ok(from == to
        || view
            .cast(from, to)?
            .is_some_and(|c| c.method == b'b' && c.context == b'i'))
}

/// The default class of a method: of the type itself, or of one that it is binary compatible with (varchar: text).
pub(crate) fn default_class(view: &dyn CatalogView, method: Oid, base: Oid) -> PgResult<Option<OpclassDesc>> {
    if let Some(class) = view.default_opclass(method, base)? {
        return Ok(Some(class));
    }
    use types::oids as t;
    let stand_in = match base {
        t::VARCHAR => Some(t::TEXT),
        _ => view.type_desc(base)?.and_then(|d| match d.kind {
            b'e' => Some(t::ANYENUM),
            b'r' => Some(t::ANYRANGE),
            b'm' => Some(t::ANYMULTIRANGE),
            b'c' => Some(t::RECORD),
            _ if d.is_array => Some(t::ANYARRAY),
            _ => None,
        }),
    };
    match stand_in {
        Some(other) => view.default_opclass(method, other),
        None => Ok(None),
    }
}

/// The type below domains.
pub(crate) fn base_type(view: &dyn CatalogView, type_oid: Oid) -> PgResult<Oid> {
    let mut at = type_oid;
    while let Some(desc) = view.type_desc(at)?
        && desc.kind == b'd'
    {
        at = desc.base_type;
    }
    Ok(at)
}

/// The operator of a column of an exclusion constraint.
pub(crate) fn exclusion_operator(
    cx: &CommandContext<'_>,
    view: &dyn CatalogView,
    column: &Column,
    name: &NameList,
) -> PgResult<Oid> {
    let analysis = cx.analysis(view);
    let op = analyzer::utility::compatible_operator(name, column.type_ref.oid, &analysis)?;
    if op.commutator != op.oid {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "operator {} is not commutative",
            signature(view, &op)?
        )
        .detail("Only commutative operators can be used in exclusion constraints."));
    }
    if !is_member(view, &column.desc, &op)? {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "operator {} is not a member of operator family \"{}\"",
            signature(view, &op)?,
            family_name(cx, column.desc.opfamily)?
        )
        .detail("The exclusion operator must be related to the index operator class for the constraint."));
    }
    Ok(op.oid)
}

fn is_member(view: &dyn CatalogView, column: &IndexColumnDesc, op: &OperatorDesc) -> PgResult<bool> {
    for method in METHODS {
        let families = view.operator_families(method.oid, op.oid)?;
        if families.iter().any(|(family, _)| *family == column.opfamily) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn signature(view: &dyn CatalogView, op: &OperatorDesc) -> PgResult<String> {
    let name = |t| catalog::format_type::format_type(view, t, -1);
    Ok(format!("{}({},{})", op.name, name(op.left)?, name(op.right)?))
}

fn family_name(cx: &CommandContext<'_>, family: Oid) -> PgResult<String> {
    let rows = cx.ddl(|ddl| {
        ddl.store
            .lookup_all(oids::PG_OPFAMILY_OID_INDEX, &[key_oid(family)])
    })?;
    let name = rows
        .first()
        .map(|r| r.text(catalog::columns::pg_opfamily::OPFNAME));
    Ok(name.as_deref().unwrap_or_default().to_owned())
}

/// The operators of WITHOUT OVERLAPS: equality, and `&&` for the last column.
pub(crate) fn period_operators(view: &dyn CatalogView, columns: &[Column]) -> PgResult<Vec<Oid>> {
    const RANGE_OVERLAPS: Oid = Oid(3888);
    const MULTIRANGE_OVERLAPS: Oid = Oid(2868);
    let mut operators = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let base = base_type(view, column.type_ref.oid)?;
        if at + 1 == columns.len() {
            let kind = view.type_desc(base)?.map_or(0, |d| d.kind);
            operators.push(if kind == b'm' {
                MULTIRANGE_OVERLAPS
            } else {
                RANGE_OVERLAPS
            });
            continue;
        }
        let class = default_class(view, oids::BTREE_AM, base)?;
        let equality = match &class {
            Some(c) => view.opfamily_member(c.family, c.input_type, c.input_type, 3)?,
            None => None,
        };
        operators.push(equality.ok_or_else(|| {
            pg_err!(
                UNDEFINED_OBJECT,
                "could not identify an equality operator for type {}",
                base.0
            )
        })?);
    }
    Ok(operators)
}
