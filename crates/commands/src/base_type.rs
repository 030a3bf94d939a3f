//! CREATE TYPE of base types.
//!
//! PG: src/backend/commands/typecmds.c (`DefineType`).
//!
//! A function that reads or writes values must be in language `internal` (there is no C to load), so each base type has the values, the
//! input and the output of a built-in one, under a name of its own.

use std::sync::Arc;

use catalog::ddl::base_type::NewBaseType;
use catalog::desc::{FunctionDesc, TypeDesc};
use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, pg_err, sqlstate, unsupported};
use parser::ast::{DefElem, DefineStmt, Ident};
use types::oids as t;

use crate::context::{CommandContext, CommandOutcome};
use crate::create_type::creation_place;
use crate::options;

/// Pseudo-types that support functions take.
const INTERNAL: Oid = Oid(2281);
const CSTRING_ARRAY: Oid = Oid(1263);

/// The options as written, by the names that are listed in [`ATTRIBUTES`].
struct Options<'a>(Vec<(&'static str, &'a DefElem)>);

const ATTRIBUTES: [&str; 19] = [
    "like",
    "internallength",
    "input",
    "output",
    "receive",
    "send",
    "typmod_in",
    "typmod_out",
    "analyze",
    "subscript",
    "category",
    "preferred",
    "delimiter",
    "element",
    "default",
    "passedbyvalue",
    "alignment",
    "storage",
    "collatable",
];

impl<'a> Options<'a> {
    fn read(definition: &'a [DefElem], cx: &CommandContext<'_>) -> PgResult<Options<'a>> {
        let mut found: Vec<(&'static str, &DefElem)> = Vec::new();
        for option in definition {
            let name = match &*option.name {
                "analyse" => "analyze",
                other => other,
            };
            let Some(known) = ATTRIBUTES.iter().find(|a| **a == name) else {
                let warning = PgError::notice(
                    Severity::Warning,
                    sqlstate::SYNTAX_ERROR,
                    format!("type attribute \"{name}\" not recognized"),
                );
                cx.notice(warning.at(option.span));
                continue;
            };
            if found.iter().any(|(n, _)| n == known) {
                return Err(options::conflicting(option));
            }
            found.push((known, option));
        }
        Ok(Options(found))
    }

    fn get(&self, name: &str) -> Option<&'a DefElem> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, option)| *option)
    }

    fn text(&self, name: &str) -> PgResult<Option<String>> {
        self.get(name).map(options::text).transpose()
    }

    fn names(&self, name: &str) -> PgResult<Option<Vec<Ident>>> {
        self.get(name).map(options::names).transpose()
    }

    fn boolean(&self, name: &str) -> PgResult<bool> {
        self.get(name).map_or(Ok(false), options::boolean)
    }
}

pub(crate) fn bad(message: String) -> Box<PgError> {
    PgError::new(sqlstate::INVALID_OBJECT_DEFINITION, message)
}

/// CREATE TYPE name (...).
pub(crate) fn create_base_type(stmt: &DefineStmt, cx: &CommandContext<'_>) -> PgResult<CommandOutcome> {
    if !cx.roles()?.is_superuser(cx.user) {
        return Err(pg_err!(
            INSUFFICIENT_PRIVILEGE,
            "must be superuser to create a base type"
        ));
    }
    let (namespace, name) = creation_place(&stmt.defnames, cx)?;
    let shell = shell(stmt, &name, cx)?;
    let o = Options::read(&stmt.definition, cx)?;
    let mut new = NewBaseType::new(shell.oid, namespace, &name);
    read_shape(&o, &mut new, cx)?;
    let finder = Finder::new(&shell, cx)?;
    finder.functions(&o, &mut new)?;
    check_shape(&new)?;
    if new.element.is_valid() {
        return Err(unsupported!("base types with elements are not supported"));
    }
    cx.ddl(|ddl| ddl.create_base_type(&new))?;
    Ok(CommandOutcome::tag("CREATE TYPE"))
}

/// The shell to fill.
fn shell(stmt: &DefineStmt, name: &str, cx: &CommandContext<'_>) -> PgResult<Arc<TypeDesc>> {
    let schema = stmt.defnames.iter().rev().nth(1).map(Ident::as_str);
    match cx.view()?.type_by_name(schema, name)? {
        None => Err(pg_err!(UNDEFINED_OBJECT, "type \"{name}\" does not exist").hint(
            "Create the type as a shell type, then create its I/O functions, then do a full CREATE TYPE.",
        )),
        Some(found) if found.defined => Err(pg_err!(DUPLICATE_OBJECT, "type \"{name}\" already exists")),
        Some(found) => Ok(found),
    }
}

/// Everything but the functions.
fn read_shape(o: &Options<'_>, new: &mut NewBaseType, cx: &CommandContext<'_>) -> PgResult<()> {
    let view = cx.view()?;
    let resolve = |option: &DefElem| -> PgResult<Arc<TypeDesc>> {
        let name = options::type_name(option)?;
        let found = analyzer::utility::resolve_type_name(&name, &cx.analysis(&*view))?;
        let desc = view.type_desc(found.oid)?;
        desc.ok_or_else(|| common::internal!("cache lookup failed for type {}", found.oid))
    };
    if let Some(option) = o.get("like") {
        let like = resolve(option)?;
        (new.len, new.by_val, new.align) = (like.len, like.by_val, like.align);
        new.storage = types::builtin::type_row(like.oid).map_or(b'p', |row| row.typstorage);
    }
    if let Some(option) = o.get("internallength") {
        new.len = match options::text(option)?.as_str() {
            "variable" => -1,
            _ => options::int4(option)? as i16,
        };
    }
    if let Some(option) = o.get("passedbyvalue") {
        new.by_val = options::boolean(option)?;
    }
    if let Some(text) = o.text("category")? {
        match text.bytes().next() {
            Some(letter @ 32..=126) => new.category = letter,
            _ => {
                return Err(pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "invalid type category \"{text}\": must be simple ASCII"
                ));
            }
        }
    }
    new.preferred = o.boolean("preferred")?;
    if let Some(text) = o.text("delimiter")? {
        new.delimiter = text.bytes().next().unwrap_or(b',');
    }
    if let Some(option) = o.get("element") {
        let element = resolve(option)?;
        if element.kind == b'p' {
            let shown = catalog::format_type::format_type(&*view, element.oid, -1)?;
            return Err(pg_err!(DATATYPE_MISMATCH, "array element type cannot be {shown}"));
        }
        new.element = element.oid;
    }
    new.default = o.text("default")?;
    if let Some(text) = o.text("alignment")? {
        new.align = alignment(&text)?;
    }
    if let Some(text) = o.text("storage")? {
        new.storage = storage(&text)?;
    }
    new.collatable = o.boolean("collatable")?;
    Ok(())
}

fn alignment(text: &str) -> PgResult<u8> {
    let bare = text.strip_prefix("pg_catalog.").unwrap_or(text);
    match bare.to_ascii_lowercase().as_str() {
        "double" | "float8" => Ok(b'd'),
        "int4" | "integer" => Ok(b'i'),
        "int2" | "smallint" => Ok(b's'),
        "char" | "bpchar" => Ok(b'c'),
        _ => Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "alignment \"{text}\" not recognized"
        )),
    }
}

pub(crate) fn storage(text: &str) -> PgResult<u8> {
    match text.to_ascii_lowercase().as_str() {
        "plain" => Ok(b'p'),
        "external" => Ok(b'e'),
        "extended" => Ok(b'x'),
        "main" => Ok(b'm'),
        _ => Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "storage \"{text}\" not recognized"
        )),
    }
}

/// What fits together of length, alignment and storage.
fn check_shape(new: &NewBaseType) -> PgResult<()> {
    if !(new.len > 0 || matches!(new.len, -1 | -2)) {
        return Err(bad(format!("invalid type internal size {}", new.len)));
    }
    if new.by_val {
        let wanted = match new.len {
            1 => b'c',
            2 => b's',
            4 => b'i',
            8 => b'd',
            other => {
                return Err(bad(format!(
                    "internal size {other} is invalid for passed-by-value type"
                )));
            }
        };
        if new.align != wanted {
            return Err(bad(format!(
                "alignment \"{}\" is invalid for passed-by-value type of size {}",
                char::from(new.align),
                new.len
            )));
        }
    }
    if new.len == -1 && !matches!(new.align, b'i' | b'd') || new.len == -2 && new.align != b'c' {
        return Err(bad(format!(
            "alignment \"{}\" is invalid for variable-length type",
            char::from(new.align)
        )));
    }
    if new.len != -1 && new.storage != b'p' {
        return Err(bad("fixed-size types must have storage PLAIN".into()));
    }
    Ok(())
}

/// Finds the functions of a type by their names.
pub(crate) struct Finder<'a> {
    shell: &'a TypeDesc,
    name: String,
    cx: &'a CommandContext<'a>,
}

/// A support function as the option of a type: option, what messages call it, signatures, result.
type Support = (&'static str, &'static str, Vec<Vec<Oid>>, Oid);

fn reading(first: Oid) -> Vec<Vec<Oid>> {
    vec![vec![first], vec![first, t::OID, t::INT4]]
}

/// The functions that a type may have beside input and output, in the order of [`NewBaseType`].
fn supports(own: Oid) -> [Support; 6] {
    [
        ("receive", "receive", reading(INTERNAL), own),
        ("send", "send", vec![vec![own]], t::BYTEA),
        ("typmod_in", "typmod_in", vec![vec![CSTRING_ARRAY]], t::INT4),
        ("typmod_out", "typmod_out", vec![vec![t::INT4]], t::CSTRING),
        ("analyze", "analyze", vec![vec![INTERNAL]], t::BOOL),
        ("subscript", "subscripting", vec![vec![INTERNAL]], INTERNAL),
    ]
}

impl<'a> Finder<'a> {
    /// For a type, perhaps a shell.
    pub(crate) fn new(of: &'a TypeDesc, cx: &'a CommandContext<'a>) -> PgResult<Finder<'a>> {
        Ok(Finder {
            shell: of,
            name: catalog::format_type::format_type(&*cx.view()?, of.oid, -1)?,
            cx,
        })
    }

    /// A support function by the option that names it.
    pub(crate) fn function(&self, option: &str, names: &[Ident]) -> PgResult<Oid> {
        match supports(self.shell.oid).iter().find(|s| s.0 == option) {
            Some((_, what, signatures, result)) => Ok(self.one_of(what, names, signatures, *result)?.oid),
            None => Err(common::internal!("no support function \"{option}\"")),
        }
    }

    fn functions(&self, o: &Options<'_>, new: &mut NewBaseType) -> PgResult<()> {
        let own = self.shell.oid;
        let names = |what: &str| o.names(what);
        let Some(input) = names("input")? else {
            return Err(bad("type input function must be specified".into()));
        };
        let Some(output) = names("output")? else {
            return Err(bad("type output function must be specified".into()));
        };
        if o.get("typmod_in").is_none() && o.get("typmod_out").is_some() {
            return Err(bad(
                "type modifier output function is useless without a type modifier input function".into(),
            ));
        }
        let input = self.one_of("input", &input, &reading(t::CSTRING), own)?;
        let output = self.one_of("output", &output, &[vec![own]], t::CSTRING)?;
        new.functions[0] = input.oid;
        new.functions[1] = output.oid;
        for (at, (option, what, signatures, result)) in supports(own).into_iter().enumerate() {
            if let Some(names) = names(option)? {
                new.functions[at + 2] = self.one_of(what, &names, &signatures, result)?.oid;
            }
        }
        check_internal(&input, &output)
    }

    /// The function of one of the signatures, with the result that it must have.
    fn one_of(
        &self,
        what: &str,
        names: &[Ident],
        signatures: &[Vec<Oid>],
        result: Oid,
    ) -> PgResult<Arc<FunctionDesc>> {
        let view = self.cx.view()?;
        let shown: Vec<&str> = names.iter().map(Ident::as_str).collect();
        let schema = names.iter().rev().nth(1).map(Ident::as_str);
        let all = match names.last() {
            Some(last) => view.functions_by_name(schema, last.as_str())?,
            None => Vec::new(),
        };
        let mut fits = signatures
            .iter()
            .filter_map(|s| all.iter().find(|f| f.arg_types == *s));
        let (first, second) = (fits.next(), fits.next());
        let shown = shown.join(".");
        if second.is_some() {
            return Err(pg_err!(
                AMBIGUOUS_FUNCTION,
                "type {what} function {shown} has multiple matches"
            ));
        }
        let Some(found) = first else {
            let args = signatures.first().into_iter().flatten();
            let args: Vec<String> = args
                .map(|a| catalog::format_type::format_type(&*view, *a, -1))
                .collect::<PgResult<_>>()?;
            return Err(pg_err!(
                UNDEFINED_FUNCTION,
                "function {shown}({}) does not exist",
                args.join(", ")
            ));
        };
        if found.result != result {
            let wanted = match result == self.shell.oid {
                true => self.name.clone(),
                false => catalog::format_type::format_type(&*view, result, -1)?,
            };
            return Err(bad(format!(
                "type {what} function {shown} must return type {wanted}"
            )));
        }
        if found.volatility == b'v' {
            self.cx.notice(PgError::notice(
                Severity::Warning,
                sqlstate::INVALID_OBJECT_DEFINITION,
                format!("type {what} function {shown} should not be volatile"),
            ));
        }
        Ok(found.clone())
    }
}

/// The functions must read and write the values of one built-in type.
fn check_internal(input: &FunctionDesc, output: &FunctionDesc) -> PgResult<()> {
    let like = catalog::load::types::type_of_input(&input.source);
    let row = like.and_then(types::builtin::type_row);
    let same = row.is_some_and(|row| row.typoutput == &*output.source);
    if same && input.language == catalog::oids::INTERNAL_LANGUAGE {
        return Ok(());
    }
    Err(unsupported!(
        "base types are supported with the input and output functions of a built-in type only"
    ))
}
