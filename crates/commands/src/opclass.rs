//! CREATE OPERATOR CLASS and FAMILY, ALTER OPERATOR FAMILY.
//!
//! PG: src/backend/commands/opclasscmds.c.
//!
//! Classes and families are catalog rows for every access method; which of them an index can have is `access_method`'s business.

use analyzer::definition::named_operator;
use catalog::columns::pg_opclass;
use catalog::ddl::ObjectAddress;
use catalog::ddl::drop::DropBehavior;
use catalog::ddl::named;
use catalog::ddl::opclass::{Member, MemberKind, NewOpclass};
use catalog::desc::FunctionDesc;
use catalog::oids;
use catalog::store::key_oid;
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, Span, pg_err, sqlstate};
use parser::ast::{
    AlterOpFamilyStmt, CreateOpClassStmt, CreateOpFamilyStmt, Ident, ObjectType, ObjectWithArgs, OpClassItem,
    TypeName,
};
use types::oids as t;

use crate::alter_type::without_position;
use crate::context::{CommandContext, CommandOutcome};
use crate::create_type::creation_place;
use crate::object;
use crate::routine::find::{Found, find};

const INTERNAL: Oid = Oid(2281);
const GIST: Oid = oids::GIST_AM;
const SPGIST: Oid = Oid(4000);

/// What an access method asks of its classes.
#[derive(Clone, Copy, Debug)]
struct Rules {
    method: Oid,
    operators_max: i32,
    functions_max: i32,
    /// The number of the function that reads a class's options.
    options_function: i16,
    /// Entries of an index may be of another type than the column.
    storage: bool,
}

/// Method, strategies (none: any), support functions, the one that reads options, storage.
const RULES: [(Oid, i32, i32, i16, bool); 6] = [
    (oids::BTREE_AM, 5, 6, 5, false),
    (oids::HASH_AM, 1, 3, 3, false),
    (GIST, 0, 12, 10, true),
    (Oid(2742), 0, 7, 7, true),
    (SPGIST, 0, 7, 6, true),
    (Oid(3580), 0, 15, 5, true),
];

fn bad(message: impl Into<String>) -> Box<PgError> {
    PgError::new(sqlstate::INVALID_OBJECT_DEFINITION, message.into())
}

impl Rules {
    fn of(method: Oid) -> Rules {
        let found = RULES.iter().find(|r| r.0 == method).unwrap_or(&RULES[0]);
        Rules {
            method,
            operators_max: if found.1 == 0 {
                i32::from(i16::MAX)
            } else {
                found.1
            },
            functions_max: found.2,
            options_function: found.3,
            storage: found.4,
        }
    }

    fn number(self, word: &str, number: i32) -> PgResult<i16> {
        let max = match word {
            "operator" => self.operators_max,
            _ => self.functions_max,
        };
        if number <= 0 || number > max {
            return Err(bad(format!(
                "invalid {word} number {number}, must be between 1 and {max}"
            )));
        }
        Ok(number as i16)
    }
}

fn must_be_superuser(what: &str, cx: &CommandContext<'_>) -> PgResult<()> {
    if cx.roles()?.is_superuser(cx.user) {
        return Ok(());
    }
    Err(pg_err!(INSUFFICIENT_PRIVILEGE, "must be superuser to {what}"))
}

fn type_of(name: &TypeName, cx: &CommandContext<'_>) -> PgResult<Oid> {
    let view = cx.view()?;
    let found = analyzer::utility::resolve_type_name(name, &cx.analysis(&*view)).map_err(without_position)?;
    Ok(found.oid)
}

/// CREATE OPERATOR FAMILY.
pub(crate) fn create_family(stmt: &CreateOpFamilyStmt, cx: &CommandContext<'_>) -> PgResult<CommandOutcome> {
    let (namespace, name) = creation_place(&stmt.opfamilyname, cx)?;
    let method = object::access_method(stmt.amname.as_str(), cx)?;
    must_be_superuser("create an operator family", cx)?;
    cx.ddl(|ddl| ddl.create_opfamily(method, namespace, &name))?;
    Ok(CommandOutcome::tag("CREATE OPERATOR FAMILY"))
}

/// CREATE OPERATOR CLASS.
pub(crate) fn create_class(stmt: &CreateOpClassStmt, cx: &CommandContext<'_>) -> PgResult<CommandOutcome> {
    let (namespace, name) = creation_place(&stmt.opclassname, cx)?;
    let method_name = stmt.amname.as_str();
    let method = object::access_method(method_name, cx)?;
    must_be_superuser("create an operator class", cx)?;
    let rules = Rules::of(method);
    let input_type = type_of(&stmt.datatype, cx)?;
    let family = family_of(stmt, (namespace, &name), method, cx)?;
    let (mut members, mut storage) = (Vec::new(), None);
    for item in &stmt.items {
        if let OpClassItem::Storage(name) = &item.item {
            if storage.is_some() {
                return Err(bad("storage type specified more than once"));
            }
            storage = Some(type_of(name, cx)?);
            continue;
        }
        let member = member(&item.item, Some(input_type), rules, cx)?;
        add(&mut members, member, cx)?;
    }
    let key_type = storage.filter(|s| *s != input_type);
    if key_type.is_some() && !rules.storage {
        return Err(bad(format!(
            "storage type cannot be different from data type for access method \"{method_name}\""
        )));
    }
    if cx.ddl(|ddl| ddl.is_taken_of_method(named::OPCLASS, Some(method), namespace, &name))? {
        return Err(pg_err!(
            DUPLICATE_OBJECT,
            "operator class \"{name}\" for access method \"{method_name}\" already exists"
        ));
    }
    if stmt.is_default {
        check_no_default(stmt, &name, method, input_type, cx)?;
    }
    let new = NewOpclass {
        name,
        namespace,
        method,
        family,
        input_type,
        key_type: key_type.unwrap_or_default(),
        is_default: stmt.is_default,
    };
    cx.ddl(|ddl| {
        let class = ddl.create_opclass(&new)?;
        for member in &members {
            let owner = is_of_class(member, rules, input_type).then_some(class);
            ddl.add_family_member(family, method, member, owner)?;
        }
        Ok(())
    })?;
    Ok(CommandOutcome::tag("CREATE OPERATOR CLASS"))
}

/// The family that is named, that has the class's name, or a new one of that name.
fn family_of(
    stmt: &CreateOpClassStmt,
    (namespace, name): (Oid, &str),
    method: Oid,
    cx: &CommandContext<'_>,
) -> PgResult<Oid> {
    if !stmt.opfamilyname.is_empty() {
        return Ok(named_family(&stmt.opfamilyname, &stmt.amname, cx)?.oid);
    }
    cx.ddl(|ddl| {
        let rows = ddl.store.scan(oids::PG_OPFAMILY)?;
        for row in rows {
            let found = ddl.named_by_oid(named::OPFAMILY, row.oid(0))?;
            if let Some(f) = found
                && (f.method, f.namespace, f.name.as_str()) == (Some(method), namespace, name)
            {
                return Ok(f.oid);
            }
        }
        ddl.create_opfamily(method, namespace, name)
    })
}

fn named_family(
    names: &[Ident],
    method: &Ident,
    cx: &CommandContext<'_>,
) -> PgResult<catalog::ddl::named::NamedObject> {
    let mut packed = vec![method.clone()];
    packed.extend_from_slice(names);
    object::existing(named::OPFAMILY, &packed, cx)
}

/// A type has one default class for a method at most.
fn check_no_default(
    stmt: &CreateOpClassStmt,
    name: &str,
    method: Oid,
    input_type: Oid,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let rows = cx.ddl(|ddl| {
        ddl.store
            .lookup_all(oids::PG_OPCLASS_AM_NAME_NSP_INDEX, &[key_oid(method)])
    })?;
    let is_default = |r: &&catalog::row::StoredRow| {
        r.bool(pg_opclass::OPCDEFAULT) && r.oid(pg_opclass::OPCINTYPE) == input_type
    };
    match rows.iter().find(is_default) {
        None => Ok(()),
        Some(row) => Err(pg_err!(
            DUPLICATE_OBJECT,
            "could not make operator class \"{name}\" be default for type {}",
            crate::routine::find::written(&stmt.datatype)
        )
        .detail(format!(
            "Operator class \"{}\" already is the default.",
            row.text(pg_opclass::OPCNAME)
        ))),
    }
}

/// True for the members that a class cannot do without: the others belong to its family.
fn is_of_class(member: &Member, rules: Rules, input_type: Oid) -> bool {
    let own = member.left == input_type && member.right == input_type;
    match (rules.method, member.kind) {
        (_, MemberKind::Ordering(_)) => false,
        (oids::BTREE_AM | oids::HASH_AM, MemberKind::Search) => own,
        (_, MemberKind::Search) => false,
        (oids::BTREE_AM | oids::HASH_AM, _) => own && member.number == 1,
        (GIST, _) => matches!(member.number, 1 | 2 | 5..=7),
        _ => member.number != rules.options_function,
    }
}

/// Adds a member to a list of such that stand at different places.
fn add(members: &mut Vec<Member>, member: Member, cx: &CommandContext<'_>) -> PgResult<()> {
    if members.iter().any(|m| m.same_place(&member)) {
        let place = cx.ddl(|ddl| ddl.member_place(&member))?;
        let (number, types) = place.split_once('(').unwrap_or((&place, ""));
        return Err(bad(format!(
            "{} number {number} for ({types} appears more than once",
            member.word()
        )));
    }
    members.push(member);
    Ok(())
}

/// An item as a member; without an input type (of ALTER OPERATOR FAMILY) all types must be given.
fn member(
    item: &OpClassItem,
    input_type: Option<Oid>,
    rules: Rules,
    cx: &CommandContext<'_>,
) -> PgResult<Member> {
    match item {
        OpClassItem::Operator {
            number,
            name,
            order_family,
        } => operator_member(*number, name, order_family, input_type, rules, cx),
        OpClassItem::Function {
            number,
            class_args,
            name,
        } => function_member(*number, class_args, name, input_type, rules, cx),
        OpClassItem::Storage(_) => Err(pg_err!(
            SYNTAX_ERROR,
            "STORAGE cannot be specified in ALTER OPERATOR FAMILY"
        )),
        OpClassItem::DropOperator { .. } | OpClassItem::DropFunction { .. } => {
            Err(common::internal!("a member to drop among those to add"))
        }
    }
}

fn operator_member(
    number: i32,
    name: &ObjectWithArgs,
    order_family: &[Ident],
    input_type: Option<Oid>,
    rules: Rules,
    cx: &CommandContext<'_>,
) -> PgResult<Member> {
    let number = rules.number("operator", number)?;
    let op = match (name.args_unspecified, input_type) {
        (false, _) => crate::operator::find(name, cx)?,
        (true, Some(of)) => {
            let view = cx.view()?;
            named_operator(&name.name, of, of, Span::NONE, &cx.analysis(&*view))?
        }
        (true, None) => {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "operator argument types must be specified in ALTER OPERATOR FAMILY"
            ));
        }
    };
    let kind = match order_family {
        [] => MemberKind::Search,
        names => {
            let btree = Ident::new("btree", Span::NONE);
            MemberKind::Ordering(named_family(names, &btree, cx)?.oid)
        }
    };
    if !op.left.is_valid() || !op.right.is_valid() {
        return Err(bad("index operators must be binary"));
    }
    if kind == MemberKind::Search && op.result != t::BOOL {
        return Err(bad("index search operators must return boolean"));
    }
    if kind != MemberKind::Search && !matches!(rules.method, GIST | SPGIST) {
        let method = cx.ddl(|ddl| ddl.method_name(rules.method))?;
        return Err(bad(format!(
            "access method \"{method}\" does not support ordering operators"
        )));
    }
    Ok(Member {
        kind,
        number,
        left: op.left,
        right: op.right,
        object: op.oid,
    })
}

fn function_member(
    number: i32,
    class_args: &[TypeName],
    name: &ObjectWithArgs,
    input_type: Option<Oid>,
    rules: Rules,
    cx: &CommandContext<'_>,
) -> PgResult<Member> {
    let number = rules.number("function", number)?;
    let function = match find(name, ObjectType::Function, cx)? {
        Found::Routine(f) => f,
        Found::Missing(e, _) => return Err(e),
    };
    let given = match class_args {
        [] => None,
        args => Some(types_of(args, cx)?),
    };
    let by_arguments = check_function(number, &function, given, rules)?;
    let of_class = input_type.map(|o| (o, o));
    let Some((left, right)) = given.or(by_arguments).or(of_class) else {
        return Err(bad(
            "associated data types must be specified for index support function",
        ));
    };
    Ok(Member {
        kind: MemberKind::Function,
        number,
        left,
        right,
        object: function.oid,
    })
}

/// One type or two.
fn types_of(args: &[TypeName], cx: &CommandContext<'_>) -> PgResult<(Oid, Oid)> {
    match args {
        [one] => {
            let one = type_of(one, cx)?;
            Ok((one, one))
        }
        [left, right] => Ok((type_of(left, cx)?, type_of(right, cx)?)),
        _ => Err(pg_err!(
            SYNTAX_ERROR,
            "one or two argument types must be specified"
        )),
    }
}

/// What is wrong with the signature of a support function (method, number).
fn signature_fault(place: (Oid, i16), args: &[Oid], result: Oid, cross_type: bool) -> Option<&'static str> {
    let checks: &[(bool, &'static str)] = match place {
        (oids::BTREE_AM, 1) => &[
            (
                args.len() == 2,
                "ordering comparison functions must have two arguments",
            ),
            (
                result == t::INT4,
                "ordering comparison functions must return integer",
            ),
        ],
        (oids::BTREE_AM, 2) => &[
            (
                args == [INTERNAL],
                "ordering sort support functions must accept type \"internal\"",
            ),
            (
                result == t::VOID,
                "ordering sort support functions must return void",
            ),
        ],
        (oids::BTREE_AM, 3) => &[
            (
                args.len() == 5,
                "ordering in_range functions must have five arguments",
            ),
            (
                result == t::BOOL,
                "ordering in_range functions must return boolean",
            ),
        ],
        (oids::BTREE_AM, 4) => &[
            (
                args.len() == 1,
                "ordering equal image functions must have one argument",
            ),
            (
                result == t::BOOL,
                "ordering equal image functions must return boolean",
            ),
            (
                !cross_type,
                "ordering equal image functions must not be cross-type",
            ),
        ],
        (oids::BTREE_AM, 6) => &[
            (
                args == [INTERNAL],
                "btree skip support functions must accept type \"internal\"",
            ),
            (result == t::VOID, "btree skip support functions must return void"),
            (!cross_type, "btree skip support functions must not be cross-type"),
        ],
        (oids::HASH_AM, 1) => &[
            (args.len() == 1, "hash function 1 must have one argument"),
            (result == t::INT4, "hash function 1 must return integer"),
        ],
        (oids::HASH_AM, 2) => &[
            (args.len() == 2, "hash function 2 must have two arguments"),
            (result == t::INT8, "hash function 2 must return bigint"),
        ],
        _ => &[],
    };
    checks
        .iter()
        .find(|(holds, _)| !holds)
        .map(|(_, message)| *message)
}

/// Checks a support function's signature; the types it is for, as far as its arguments tell.
fn check_function(
    number: i16,
    f: &FunctionDesc,
    given: Option<(Oid, Oid)>,
    rules: Rules,
) -> PgResult<Option<(Oid, Oid)>> {
    let (args, result) = (&f.arg_types[..], f.result);
    let cross_type = given.is_some_and(|(left, right)| left != right);
    if number == rules.options_function {
        if result != t::VOID || args != [INTERNAL] {
            return Err(bad("invalid operator class options parsing function").hint(
                "Valid signature of operator class options parsing function is (internal) RETURNS void.",
            ));
        }
        return Ok(None);
    }
    if let Some(message) = signature_fault((rules.method, number), args, result, cross_type) {
        return Err(bad(message));
    }
    let by_arguments = |a: usize, b: usize| Some((*args.get(a)?, *args.get(b)?));
    Ok(match (rules.method, number) {
        (oids::BTREE_AM, 1) => by_arguments(0, 1),
        (oids::BTREE_AM, 3) => by_arguments(0, 2),
        (oids::HASH_AM, 1 | 2) => by_arguments(0, 0),
        _ => None,
    })
}

/// ALTER OPERATOR FAMILY ... ADD and DROP.
pub(crate) fn alter_family(stmt: &AlterOpFamilyStmt, cx: &CommandContext<'_>) -> PgResult<CommandOutcome> {
    let method = object::access_method(stmt.amname.as_str(), cx)?;
    let rules = Rules::of(method);
    let family = named_family(&stmt.opfamilyname, &stmt.amname, cx)?;
    must_be_superuser("alter an operator family", cx)?;
    let outcome = Ok(CommandOutcome::tag("ALTER OPERATOR FAMILY"));
    let mut members = Vec::new();
    if stmt.is_drop {
        for item in &stmt.items {
            let place = place(&item.item, rules, cx)?;
            add(&mut members, place, cx)?;
        }
        for place in &members {
            drop_member(&family, place, cx)?;
        }
        return outcome;
    }
    for item in &stmt.items {
        let member = member(&item.item, None, rules, cx)?;
        add(&mut members, member, cx)?;
    }
    for member in &members {
        let class = class_in(family.oid, member, rules, cx)?;
        cx.ddl(|ddl| ddl.add_family_member(family.oid, method, member, class))?;
    }
    outcome
}

/// The class of a family that a member of one type becomes part of.
fn class_in(family: Oid, member: &Member, rules: Rules, cx: &CommandContext<'_>) -> PgResult<Option<Oid>> {
    if !is_of_class(member, rules, member.left) || !matches!(rules.method, oids::BTREE_AM | oids::HASH_AM) {
        return Ok(None);
    }
    let rows = cx.ddl(|ddl| {
        ddl.store
            .lookup_all(oids::PG_OPCLASS_AM_NAME_NSP_INDEX, &[key_oid(rules.method)])
    })?;
    let of_family = rows
        .iter()
        .find(|r| r.oid(pg_opclass::OPCFAMILY) == family && r.oid(pg_opclass::OPCINTYPE) == member.left);
    Ok(of_family.map(|r| r.oid(pg_opclass::OID)))
}

/// The place of a member to drop.
fn place(item: &OpClassItem, rules: Rules, cx: &CommandContext<'_>) -> PgResult<Member> {
    let (kind, word, number, args) = match item {
        OpClassItem::DropOperator { number, args } => (MemberKind::Search, "operator", *number, args),
        OpClassItem::DropFunction { number, args } => (MemberKind::Function, "function", *number, args),
        _ => return Err(common::internal!("a member to add among those to drop")),
    };
    let number = rules.number(word, number)?;
    let (left, right) = types_of(args, cx)?;
    Ok(Member {
        kind,
        number,
        left,
        right,
        object: Oid::INVALID,
    })
}

fn drop_member(
    family: &catalog::ddl::named::NamedObject,
    place: &Member,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let catalog = match place.kind {
        MemberKind::Function => oids::PG_AMPROC,
        _ => oids::PG_AMOP,
    };
    cx.ddl(|ddl| {
        let Some(row) = ddl.family_member(family.oid, place)? else {
            return Err(pg_err!(
                UNDEFINED_OBJECT,
                "{} {} does not exist in operator family \"{}\"",
                place.word(),
                ddl.member_place(place)?,
                family.name
            ));
        };
        let object = ObjectAddress::new(catalog, row.oid(0));
        ddl.drop_objects(&[object], DropBehavior::Restrict).map(drop)
    })
}
