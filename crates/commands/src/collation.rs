//! CREATE and ALTER COLLATION.
//!
//! PG: src/backend/commands/collationcmds.c.
//!
//! Collations of the providers `builtin` and `libc` are there as far as they compare bytes: `C`, `POSIX`, `C.UTF-8` and `PG_UNICODE_FAST`;
//! those of provider `icu` with cargo feature `icu`, deterministic ones without rules of their own.

use catalog::columns::pg_collation::*;
use catalog::ddl::named::{self, NamedObject};
use catalog::oids;
use common::error::{ErrorExt, Severity};
use common::{PgError, PgResult, pg_err, sqlstate, unsupported};
use parser::ast::{AlterCollationStmt, DefElem, DefineStmt};
use types::Datum;

use crate::context::{CommandContext, CommandOutcome};
use crate::create_type::creation_place;
use crate::{object, options};

/// UTF-8 in `collencoding`.
const UTF8: i32 = 6;

/// The options as written.
#[derive(Default)]
struct Options<'a> {
    from: Option<&'a DefElem>,
    locale: Option<&'a DefElem>,
    lc_collate: Option<&'a DefElem>,
    lc_ctype: Option<&'a DefElem>,
    provider: Option<&'a DefElem>,
    deterministic: Option<&'a DefElem>,
    rules: Option<&'a DefElem>,
    version: Option<&'a DefElem>,
}

impl<'a> Options<'a> {
    fn read(definition: &'a [DefElem]) -> PgResult<Options<'a>> {
        let mut o = Options::default();
        for option in definition {
            let place = match &*option.name {
                "from" => &mut o.from,
                "locale" => &mut o.locale,
                "lc_collate" => &mut o.lc_collate,
                "lc_ctype" => &mut o.lc_ctype,
                "provider" => &mut o.provider,
                "deterministic" => &mut o.deterministic,
                "rules" => &mut o.rules,
                "version" => &mut o.version,
                other => {
                    return Err(
                        pg_err!(SYNTAX_ERROR, "collation attribute \"{other}\" not recognized")
                            .at(option.span),
                    );
                }
            };
            if place.is_some() {
                return Err(options::conflicting(option));
            }
            *place = Some(option);
        }
        let conflict =
            |detail: &str| pg_err!(SYNTAX_ERROR, "conflicting or redundant options").detail(detail);
        if o.locale.is_some() && (o.lc_collate.is_some() || o.lc_ctype.is_some()) {
            return Err(conflict(
                "LOCALE cannot be specified together with LC_COLLATE or LC_CTYPE.",
            ));
        }
        if o.from.is_some() && definition.len() != 1 {
            return Err(conflict(
                "FROM cannot be specified together with any other options.",
            ));
        }
        Ok(o)
    }
}

fn bad(message: impl Into<String>) -> Box<PgError> {
    PgError::new(sqlstate::INVALID_OBJECT_DEFINITION, message.into())
}

fn text(option: Option<&DefElem>) -> PgResult<Option<String>> {
    option.map(options::text).transpose()
}

/// CREATE COLLATION.
pub(crate) fn create_collation(stmt: &DefineStmt, cx: &CommandContext<'_>) -> PgResult<CommandOutcome> {
    let (namespace, name) = creation_place(&stmt.defnames, cx)?;
    let o = Options::read(&stmt.definition)?;
    let mut row = match o.from {
        Some(from) => copied(from, cx)?,
        None => made(&o, cx)?,
    };
    row[COLLNAME] = Datum::text(name.as_str());
    row[COLLNAMESPACE] = Datum::Oid(namespace.0);
    let outcome = Ok(CommandOutcome::tag("CREATE COLLATION"));
    if cx.ddl(|ddl| ddl.is_name_taken(named::COLLATION, namespace, &name))? {
        let encoding = match row[COLLENCODING] {
            Datum::Int4(UTF8) => " for encoding \"UTF8\"",
            _ => "",
        };
        let message = format!("collation \"{name}\"{encoding} already exists");
        cx.skip(stmt.if_not_exists, sqlstate::DUPLICATE_OBJECT, message)?;
        return outcome;
    }
    cx.ddl(|ddl| ddl.create_named(named::COLLATION, row))?;
    outcome
}

fn copied(from: &DefElem, cx: &CommandContext<'_>) -> PgResult<Vec<Datum>> {
    let names = options::names(from)?;
    let found = object::existing(named::COLLATION, &names, cx)?;
    if found.row.char(COLLPROVIDER) == b'd' {
        return Err(bad("collation \"default\" cannot be copied"));
    }
    Ok(found.row.values)
}

fn made(o: &Options<'_>, cx: &CommandContext<'_>) -> PgResult<Vec<Datum>> {
    let provider = match text(o.provider)?.map(|p| p.to_ascii_lowercase()).as_deref() {
        None | Some("libc") => b'c',
        Some("builtin") => b'b',
        Some("icu") => b'i',
        Some(other) => return Err(bad(format!("unrecognized collation provider: {other}"))),
    };
    let deterministic = o.deterministic.map_or(Ok(true), options::boolean)?;
    let locale = text(o.locale)?;
    let mut row = vec![Datum::Null; COUNT];
    row[COLLPROVIDER] = Datum::Char(provider);
    row[COLLISDETERMINISTIC] = Datum::Bool(deterministic);
    row[COLLENCODING] = Datum::Int4(UTF8);
    if let Some(version) = text(o.version)? {
        row[COLLVERSION] = Datum::text(version);
    }
    let missing = |what: &str| bad(format!("parameter \"{what}\" must be specified"));
    match provider {
        b'c' => {
            let collate = text(o.lc_collate)?.or_else(|| locale.clone());
            let ctype = text(o.lc_ctype)?.or(locale);
            let collate = collate.ok_or_else(|| missing("lc_collate"))?;
            let ctype = ctype.ok_or_else(|| missing("lc_ctype"))?;
            check_libc(&collate)?;
            check_libc(&ctype)?;
            row[COLLCOLLATE] = Datum::text(collate);
            row[COLLCTYPE] = Datum::text(ctype);
        }
        b'b' => {
            let locale = builtin_locale(&locale.ok_or_else(|| missing("locale"))?)?;
            if locale == "C" {
                row[COLLENCODING] = Datum::Int4(-1);
            }
            row[COLLLOCALE] = Datum::text(locale);
            if o.version.is_none() {
                row[COLLVERSION] = Datum::text("1");
            }
        }
        _ => {
            let locale = locale.ok_or_else(|| missing("locale"))?;
            row[COLLLOCALE] = Datum::text(icu_locale(&locale, cx)?);
            row[COLLENCODING] = Datum::Int4(-1);
            if o.rules.is_some() {
                return Err(unsupported!("ICU rules are not supported yet"));
            }
            if !deterministic {
                return Err(unsupported!("nondeterministic collations are not supported yet"));
            }
            return Ok(row);
        }
    }
    if !deterministic {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "nondeterministic collations not supported with this provider"
        ));
    }
    if o.rules.is_some() {
        return Err(bad("ICU rules cannot be specified unless locale provider is ICU"));
    }
    Ok(row)
}

/// The standard form of an ICU locale, which must be one that can be opened.
fn icu_locale(locale: &str, cx: &CommandContext<'_>) -> PgResult<String> {
    let tag = types::collation::language_tag(locale)?;
    types::collation::Collation::open(&tag)?;
    if tag != locale {
        cx.notice(PgError::notice(
            Severity::Notice,
            sqlstate::SUCCESSFUL_COMPLETION,
            format!("using standard form \"{tag}\" for ICU locale \"{locale}\""),
        ));
    }
    validate_language(&tag, cx)?;
    Ok(tag)
}

/// A language that ICU does not know orders as the root does: `icu_validation_level` says how loudly that is told.
fn validate_language(tag: &str, cx: &CommandContext<'_>) -> PgResult<()> {
    let level = cx.guc.borrow().get("icu_validation_level").to_owned();
    let severity = match level.as_str() {
        "disabled" => return Ok(()),
        "error" => Severity::Error,
        "log" => Severity::Log,
        "notice" => Severity::Notice,
        "warning" => Severity::Warning,
        _ => Severity::Debug,
    };
    let Some(language) = types::collation::unknown_language(tag) else {
        return Ok(());
    };
    let message = format!("ICU locale \"{tag}\" has unknown language \"{language}\"");
    let mut unknown = PgError::new(sqlstate::INVALID_PARAMETER_VALUE, message).hint(
        "To disable ICU locale validation, set the parameter \"icu_validation_level\" to \"disabled\".",
    );
    if severity == Severity::Error {
        return Err(unknown);
    }
    unknown.severity = severity;
    cx.notice(unknown);
    Ok(())
}

fn builtin_locale(name: &str) -> PgResult<&'static str> {
    match name {
        "C" => Ok("C"),
        "C.UTF-8" | "C.UTF8" => Ok("C.UTF-8"),
        "PG_UNICODE_FAST" => Ok("PG_UNICODE_FAST"),
        _ => Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "invalid locale name \"{name}\" for builtin provider"
        )),
    }
}

/// Of the operating system's locales those that compare bytes.
fn check_libc(name: &str) -> PgResult<()> {
    match name {
        "C" | "POSIX" | "" | "C.UTF-8" | "C.utf8" | "C.UTF8" => Ok(()),
        _ => Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "could not create locale \"{name}\": No such file or directory"
        )
        .detail(format!(
            "The operating system could not find any locale data for the locale name \"{name}\"."
        ))),
    }
}

/// ALTER COLLATION ... REFRESH VERSION: the versions of these collations do not change.
pub(crate) fn refresh_version(
    stmt: &AlterCollationStmt,
    cx: &CommandContext<'_>,
) -> PgResult<CommandOutcome> {
    let found: NamedObject = object::existing(named::COLLATION, &stmt.collname, cx)?;
    if found.oid == oids::DEFAULT_COLLATION {
        return Err(
            pg_err!(WRONG_OBJECT_TYPE, "cannot refresh version of default collation")
                .hint("Use ALTER DATABASE ... REFRESH COLLATION VERSION instead."),
        );
    }
    object::check_owner(&found, &stmt.collname, cx)?;
    cx.notice(PgError::notice(
        Severity::Notice,
        sqlstate::SUCCESSFUL_COMPLETION,
        "version has not changed",
    ));
    Ok(CommandOutcome::tag("ALTER COLLATION"))
}
