//! CREATE and ALTER TEXT SEARCH PARSER, TEMPLATE, DICTIONARY, CONFIGURATION.
//!
//! PG: src/backend/commands/tsearchcmds.c.
//!
//! A parser or template may name the built-in functions of another one; there is no other code to name.

use analyzer::definition::exact_function;
use catalog::columns::{pg_ts_config, pg_ts_dict, pg_ts_parser, pg_ts_template};
use catalog::ddl::ObjectAddress;
use catalog::ddl::named::{self, NamedObject};
use catalog::oids;
use common::{Oid, PgError, PgResult, pg_err, sqlstate};
use functions::framework::session::TextSearchDictionary;
use parser::ast::{
    AlterTsConfigType, AlterTsConfigurationStmt, AlterTsDictionaryStmt, DefArg, DefElem, DefineStmt, Ident,
};
use types::{Datum, oids as t};

use crate::context::{CommandContext, CommandOutcome};
use crate::create_type::creation_place;
use crate::{object, options};

const INTERNAL: Oid = Oid(2281);

fn bad(message: &str) -> Box<PgError> {
    PgError::new(sqlstate::INVALID_OBJECT_DEFINITION, message)
}

fn must_be_superuser(what: &str, cx: &CommandContext<'_>) -> PgResult<()> {
    if cx.roles()?.is_superuser(cx.user) {
        return Ok(());
    }
    Err(pg_err!(
        INSUFFICIENT_PRIVILEGE,
        "must be superuser to create {what}"
    ))
}

/// A function of a parser or template, which must look as it is called.
fn method(option: &DefElem, args: &[Oid], result: Oid, cx: &CommandContext<'_>) -> PgResult<Oid> {
    let names = options::names(option)?;
    let view = cx.view()?;
    let found = exact_function(&names, args, &cx.analysis(&*view))?;
    if found.result != result {
        let shown = |o: Oid| catalog::format_type::format_type(&*view, o, -1);
        let args: PgResult<Vec<String>> = args.iter().map(|a| shown(*a)).collect();
        let name: Vec<&str> = names.iter().map(Ident::as_str).collect();
        return Err(bad(&format!(
            "function {}({}) should return type {}",
            name.join("."),
            args?.join(", "),
            shown(result)?
        )));
    }
    Ok(found.oid)
}

/// CREATE TEXT SEARCH PARSER.
pub(crate) fn create_parser(stmt: &DefineStmt, cx: &CommandContext<'_>) -> PgResult<CommandOutcome> {
    must_be_superuser("text search parsers", cx)?;
    let (namespace, name) = creation_place(&stmt.defnames, cx)?;
    let mut row = vec![Datum::Null; pg_ts_parser::COUNT];
    row[pg_ts_parser::PRSNAME] = Datum::text(name.as_str());
    row[pg_ts_parser::PRSNAMESPACE] = Datum::Oid(namespace.0);
    row[pg_ts_parser::PRSHEADLINE] = Datum::Oid(0);
    let mut functions = Vec::new();
    for option in &stmt.definition {
        let (at, args, result): (usize, &[Oid], Oid) = match &*option.name {
            "start" => (pg_ts_parser::PRSSTART, &[INTERNAL, t::INT4], INTERNAL),
            "gettoken" => (pg_ts_parser::PRSTOKEN, &[INTERNAL, INTERNAL, INTERNAL], INTERNAL),
            "end" => (pg_ts_parser::PRSEND, &[INTERNAL], t::VOID),
            "headline" => (
                pg_ts_parser::PRSHEADLINE,
                &[INTERNAL, INTERNAL, t::TSQUERY],
                INTERNAL,
            ),
            "lextypes" => (pg_ts_parser::PRSLEXTYPE, &[INTERNAL], INTERNAL),
            other => {
                return Err(pg_err!(
                    SYNTAX_ERROR,
                    "text search parser parameter \"{other}\" not recognized"
                ));
            }
        };
        let found = method(option, args, result, cx)?;
        row[at] = Datum::Oid(found.0);
        functions.push(found);
    }
    let needed = [
        (pg_ts_parser::PRSSTART, "start"),
        (pg_ts_parser::PRSTOKEN, "gettoken"),
        (pg_ts_parser::PRSEND, "end"),
        (pg_ts_parser::PRSLEXTYPE, "lextypes"),
    ];
    if let Some((_, what)) = needed.iter().find(|(at, _)| row[*at].is_null()) {
        return Err(bad(&format!("text search parser {what} method is required")));
    }
    cx.ddl(|ddl| {
        ddl.check_unique_name(named::TS_PARSER, namespace, &name)?;
        let made = ddl.create_named(named::TS_PARSER, row)?;
        let object = ObjectAddress::new(oids::PG_TS_PARSER, made);
        ddl.record_needs(object, oids::PG_PROC, &functions)
    })?;
    Ok(CommandOutcome::tag("CREATE TEXT SEARCH PARSER"))
}

/// CREATE TEXT SEARCH TEMPLATE.
pub(crate) fn create_template(stmt: &DefineStmt, cx: &CommandContext<'_>) -> PgResult<CommandOutcome> {
    must_be_superuser("text search templates", cx)?;
    let (namespace, name) = creation_place(&stmt.defnames, cx)?;
    let mut row = vec![Datum::Null; pg_ts_template::COUNT];
    row[pg_ts_template::TMPLNAME] = Datum::text(name.as_str());
    row[pg_ts_template::TMPLNAMESPACE] = Datum::Oid(namespace.0);
    row[pg_ts_template::TMPLINIT] = Datum::Oid(0);
    let mut functions = Vec::new();
    for option in &stmt.definition {
        let (at, args): (usize, &[Oid]) = match &*option.name {
            "init" => (pg_ts_template::TMPLINIT, &[INTERNAL]),
            "lexize" => (pg_ts_template::TMPLLEXIZE, &[INTERNAL; 4]),
            other => {
                return Err(pg_err!(
                    SYNTAX_ERROR,
                    "text search template parameter \"{other}\" not recognized"
                ));
            }
        };
        let found = method(option, args, INTERNAL, cx)?;
        row[at] = Datum::Oid(found.0);
        functions.push(found);
    }
    if row[pg_ts_template::TMPLLEXIZE].is_null() {
        return Err(bad("text search template lexize method is required"));
    }
    cx.ddl(|ddl| {
        ddl.check_unique_name(named::TS_TEMPLATE, namespace, &name)?;
        let made = ddl.create_named(named::TS_TEMPLATE, row)?;
        let object = ObjectAddress::new(oids::PG_TS_TEMPLATE, made);
        ddl.record_needs(object, oids::PG_PROC, &functions)
    })?;
    Ok(CommandOutcome::tag("CREATE TEXT SEARCH TEMPLATE"))
}

/// One option as `pg_ts_dict.dictinitoption` keeps it.
fn serialized((name, value): &(String, Value)) -> String {
    let name = functions::quote_identifier(name);
    match value {
        Value::Number(n) => format!("{name} = {n}"),
        Value::Text(text) => {
            let escape = if text.contains('\\') { "E" } else { "" };
            let text = text.replace('\'', "''").replace('\\', "\\\\");
            format!("{name} = {escape}'{text}'")
        }
    }
}

/// The value of a dictionary's option.
#[derive(Clone)]
enum Value {
    Number(String),
    Text(String),
}

fn value(option: &DefElem) -> PgResult<Value> {
    Ok(match &option.arg {
        Some(DefArg::Integer(_) | DefArg::Float(_)) => Value::Number(options::text(option)?),
        _ => Value::Text(options::text(option)?),
    })
}

/// What the template says to the options.
fn check_options(
    template: &NamedObject,
    list: &[(String, Value)],
    cx: &CommandContext<'_>,
) -> PgResult<Option<String>> {
    let text = (!list.is_empty()).then(|| list.iter().map(serialized).collect::<Vec<_>>().join(", "));
    let lexize = template.row.oid(pg_ts_template::TMPLLEXIZE);
    let row = TextSearchDictionary {
        name: String::new(),
        template: functions::textsearch::template_of(lexize)
            .unwrap_or(&template.name)
            .to_owned(),
        template_name: template.name.to_string(),
        has_init: template.row.oid(pg_ts_template::TMPLINIT).is_valid(),
        options: text.clone(),
    };
    functions::textsearch::check_dictionary(&row, cx.session, cx.cancel)?;
    Ok(text)
}

/// CREATE TEXT SEARCH DICTIONARY.
pub(crate) fn create_dictionary(stmt: &DefineStmt, cx: &CommandContext<'_>) -> PgResult<CommandOutcome> {
    let (namespace, name) = creation_place(&stmt.defnames, cx)?;
    let (mut template, mut list) = (None, Vec::new());
    for option in &stmt.definition {
        match &*option.name {
            "template" => {
                let names = options::names(option)?;
                template = Some(object::existing(named::TS_TEMPLATE, &names, cx)?);
            }
            other => list.push((other.to_owned(), value(option)?)),
        }
    }
    let Some(template) = template else {
        return Err(bad("text search template is required"));
    };
    let text = check_options(&template, &list, cx)?;
    let mut row = vec![Datum::Null; pg_ts_dict::COUNT];
    row[pg_ts_dict::DICTNAME] = Datum::text(name.as_str());
    row[pg_ts_dict::DICTNAMESPACE] = Datum::Oid(namespace.0);
    row[pg_ts_dict::DICTTEMPLATE] = Datum::Oid(template.oid.0);
    row[pg_ts_dict::DICTINITOPTION] = text.map_or(Datum::Null, Datum::text);
    cx.ddl(|ddl| {
        ddl.check_unique_name(named::TS_DICT, namespace, &name)?;
        let made = ddl.create_named(named::TS_DICT, row)?;
        let object = ObjectAddress::new(oids::PG_TS_DICT, made);
        ddl.record_needs(object, oids::PG_TS_TEMPLATE, &[template.oid])
    })?;
    Ok(CommandOutcome::tag("CREATE TEXT SEARCH DICTIONARY"))
}

/// ALTER TEXT SEARCH DICTIONARY: options set, or taken back when no value is given.
pub(crate) fn alter_dictionary(
    stmt: &AlterTsDictionaryStmt,
    cx: &CommandContext<'_>,
) -> PgResult<CommandOutcome> {
    let found = object::owned(named::TS_DICT, &stmt.dictname, cx)?;
    let kept = found.row.text_opt(pg_ts_dict::DICTINITOPTION);
    let kept = functions::textsearch::dictionary_options(kept.as_deref().unwrap_or(""));
    let mut list: Vec<(String, Value)> = kept
        .into_iter()
        .map(|(name, text, quoted)| {
            let value = if quoted {
                Value::Text(text)
            } else {
                Value::Number(text)
            };
            (name, value)
        })
        .collect();
    for option in &stmt.options {
        list.retain(|(name, _)| *name != *option.name);
        if option.arg.is_some() {
            list.push((option.name.to_string(), value(option)?));
        }
    }
    let template = found.row.oid(pg_ts_dict::DICTTEMPLATE);
    let Some(template) = cx.ddl(|ddl| ddl.named_by_oid(named::TS_TEMPLATE, template))? else {
        return Err(common::internal!(
            "cache lookup failed for text search template {template}"
        ));
    };
    let text = check_options(&template, &list, cx)?;
    let text = text.map_or(Datum::Null, Datum::text);
    cx.ddl(|ddl| ddl.alter_named(&found, &[(pg_ts_dict::DICTINITOPTION, text)]))?;
    // Changed files come into use.
    cx.session.dictionary_store()?.forget(found.oid);
    Ok(CommandOutcome::tag("ALTER TEXT SEARCH DICTIONARY"))
}

/// CREATE TEXT SEARCH CONFIGURATION.
pub(crate) fn create_configuration(stmt: &DefineStmt, cx: &CommandContext<'_>) -> PgResult<CommandOutcome> {
    let (namespace, name) = creation_place(&stmt.defnames, cx)?;
    let (mut parser, mut source) = (None, None);
    for option in &stmt.definition {
        let names = || options::names(option);
        match &*option.name {
            "parser" => parser = Some(object::existing(named::TS_PARSER, &names()?, cx)?.oid),
            "copy" => source = Some(object::existing(named::TS_CONFIG, &names()?, cx)?),
            other => {
                return Err(pg_err!(
                    SYNTAX_ERROR,
                    "text search configuration parameter \"{other}\" not recognized"
                ));
            }
        }
    }
    if parser.is_some() && source.is_some() {
        return Err(pg_err!(
            SYNTAX_ERROR,
            "cannot specify both PARSER and COPY options"
        ));
    }
    let parser = parser.or(source.as_ref().map(|s| s.row.oid(pg_ts_config::CFGPARSER)));
    let Some(parser) = parser else {
        return Err(bad("text search parser is required"));
    };
    let mut row = vec![Datum::Null; pg_ts_config::COUNT];
    row[pg_ts_config::CFGNAME] = Datum::text(name.as_str());
    row[pg_ts_config::CFGNAMESPACE] = Datum::Oid(namespace.0);
    row[pg_ts_config::CFGPARSER] = Datum::Oid(parser.0);
    cx.ddl(|ddl| {
        ddl.check_unique_name(named::TS_CONFIG, namespace, &name)?;
        let made = ddl.create_named(named::TS_CONFIG, row)?;
        match &source {
            Some(source) => ddl.copy_mappings(source.oid, made),
            None => ddl.record_config_dependencies(made),
        }
    })?;
    Ok(CommandOutcome::tag("CREATE TEXT SEARCH CONFIGURATION"))
}

/// ALTER TEXT SEARCH CONFIGURATION ... MAPPING.
pub(crate) fn alter_configuration(
    stmt: &AlterTsConfigurationStmt,
    cx: &CommandContext<'_>,
) -> PgResult<CommandOutcome> {
    let config = object::owned(named::TS_CONFIG, &stmt.cfgname, cx)?;
    let mut kinds: Vec<i32> = Vec::new();
    for token in &stmt.tokentype {
        let Some(kind) = functions::textsearch::token_kind(token.as_str()) else {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "token type \"{}\" does not exist",
                token.as_str()
            ));
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let mut dictionaries = Vec::new();
    for names in &stmt.dicts {
        dictionaries.push(object::existing(named::TS_DICT, names, cx)?.oid);
    }
    match (stmt.kind, &dictionaries[..]) {
        (AlterTsConfigType::DropMapping, _) => drop_mappings(stmt, &config, &kinds, cx)?,
        (AlterTsConfigType::ReplaceDict | AlterTsConfigType::ReplaceDictForToken, [old, new]) => {
            cx.ddl(|ddl| ddl.replace_dictionary(config.oid, &kinds, *old, *new))?;
        }
        (kind, _) => {
            let replace = kind == AlterTsConfigType::AlterMappingForToken;
            cx.ddl(|ddl| ddl.set_mappings(config.oid, &kinds, &dictionaries, replace))?;
        }
    }
    Ok(CommandOutcome::tag("ALTER TEXT SEARCH CONFIGURATION"))
}

fn drop_mappings(
    stmt: &AlterTsConfigurationStmt,
    config: &NamedObject,
    kinds: &[i32],
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    for (token, kind) in stmt.tokentype.iter().zip(kinds) {
        if cx.ddl(|ddl| ddl.drop_mapping(config.oid, *kind))? {
            continue;
        }
        let message = format!("mapping for token type \"{}\" does not exist", token.as_str());
        cx.skip(stmt.missing_ok, sqlstate::UNDEFINED_OBJECT, message)?;
    }
    cx.ddl(|ddl| ddl.record_config_dependencies(config.oid))
}
