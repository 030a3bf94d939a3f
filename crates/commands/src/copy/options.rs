//! Options of COPY, checked as PostgreSQL checks them.
//!
//! PG: src/backend/commands/copy.c (`ProcessCopyOptions`).

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err, unsupported};
use parser::ast::{DefArg, DefElem};
use types::encoding::Encoding;

use crate::context::CommandContext;
use crate::options::{arg_text, boolean, conflicting, text};

/// FORMAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Format {
    #[default]
    Text,
    Csv,
    Binary,
}

/// HEADER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Header {
    #[default]
    No,
    Yes,
    Match,
}

/// FORCE_QUOTE and relatives: which columns.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum Columns {
    #[default]
    None,
    All,
    Listed(Vec<String>),
}

impl Columns {
    fn is_given(&self) -> bool {
        *self != Columns::None
    }
}

/// LOG_VERBOSITY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Verbosity {
    Silent,
    #[default]
    Default,
    Verbose,
}

/// All options with their defaults filled in.
#[derive(Clone, Debug, Default)]
pub(crate) struct CopyOptions {
    pub format: Format,
    pub delimiter: u8,
    pub null: String,
    pub default: Option<String>,
    pub header: Header,
    pub quote: u8,
    pub escape: u8,
    pub force_quote: Columns,
    pub force_not_null: Columns,
    pub force_null: Columns,
    pub ignore_errors: bool,
    pub reject_limit: Option<i64>,
    pub verbosity: Verbosity,
    pub freeze: bool,
    /// ENCODING; without it the client's.
    pub encoding: Option<Encoding>,
}

impl CopyOptions {
    /// The encoding of the data.
    pub fn file_encoding(&self, cx: &CommandContext<'_>) -> Encoding {
        self.encoding.unwrap_or(cx.settings.client_encoding)
    }
}

/// Options as written.
#[derive(Default)]
struct Given {
    delimiter: Option<String>,
    null: Option<String>,
    default: Option<String>,
    quote: Option<String>,
    escape: Option<String>,
    on_error: bool,
}

fn columns(option: &DefElem) -> PgResult<Columns> {
    let names = |items: &[DefArg]| {
        items
            .iter()
            .map(|i| match i {
                DefArg::String(s) => Some(s.to_string()),
                DefArg::Names(n) => n.first().map(|n| n.as_str().to_owned()),
                _ => None,
            })
            .collect::<Option<Vec<String>>>()
    };
    let listed = match &option.arg {
        Some(DefArg::Star) => return Ok(Columns::All),
        Some(DefArg::List(items)) => names(items),
        Some(DefArg::Names(n)) => Some(n.iter().map(|n| n.as_str().to_owned()).collect()),
        _ => None,
    };
    match listed {
        Some(listed) => Ok(Columns::Listed(listed)),
        None => Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "argument to option \"{}\" must be a list of column names",
            option.name
        )
        .at(option.span)),
    }
}

fn header(option: &DefElem, is_from: bool) -> PgResult<Header> {
    let flag = |b: bool| if b { Header::Yes } else { Header::No };
    match &option.arg {
        None => return Ok(Header::Yes),
        Some(DefArg::Integer(0)) => return Ok(Header::No),
        Some(DefArg::Integer(1)) => return Ok(Header::Yes),
        Some(DefArg::Boolean(b)) => return Ok(flag(*b)),
        Some(DefArg::Integer(_)) => {}
        Some(arg) => match arg_text(arg).to_ascii_lowercase().as_str() {
            "true" | "on" => return Ok(Header::Yes),
            "false" | "off" => return Ok(Header::No),
            "match" if is_from => return Ok(Header::Match),
            "match" => {
                return Err(pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "cannot use \"match\" with HEADER in COPY TO"
                ));
            }
            _ => {}
        },
    }
    Err(pg_err!(
        SYNTAX_ERROR,
        "{} requires a Boolean value or \"match\"",
        option.name
    ))
}

/// Reads and checks the options.
pub(crate) fn read(list: &[DefElem], is_from: bool) -> PgResult<CopyOptions> {
    let mut o = CopyOptions::default();
    let mut given = Given::default();
    let mut seen: Vec<&str> = Vec::new();
    for option in list {
        let name = option.name.as_str();
        if seen.contains(&name) {
            return Err(conflicting(option));
        }
        seen.push(name);
        read_one(option, is_from, &mut o, &mut given)?;
    }
    fill_in(&mut o, &given)?;
    check_text_and_csv(&o, &given, seen.contains(&"header"))?;
    check_csv_only(&o, is_from)?;
    check_directions(&o, &given, is_from)?;
    if o.reject_limit.is_some() && !o.ignore_errors {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "COPY REJECT_LIMIT requires ON_ERROR to be set to IGNORE"
        ));
    }
    Ok(o)
}

fn read_one(option: &DefElem, is_from: bool, o: &mut CopyOptions, given: &mut Given) -> PgResult<()> {
    match option.name.as_str() {
        "format" => {
            let word = text(option)?;
            o.format = match word.as_str() {
                "text" => Format::Text,
                "csv" => Format::Csv,
                "binary" => Format::Binary,
                _ => {
                    return Err(
                        pg_err!(INVALID_PARAMETER_VALUE, "COPY format \"{word}\" not recognized")
                            .at(option.span),
                    );
                }
            };
        }
        "freeze" => o.freeze = boolean(option)?,
        "delimiter" => given.delimiter = Some(text(option)?),
        "null" => given.null = Some(text(option)?),
        "default" => given.default = Some(text(option)?),
        "header" => o.header = header(option, is_from)?,
        "quote" => given.quote = Some(text(option)?),
        "escape" => given.escape = Some(text(option)?),
        "force_quote" => o.force_quote = columns(option)?,
        "force_not_null" => o.force_not_null = columns(option)?,
        "force_null" => o.force_null = columns(option)?,
        "convert_selectively" => {
            return Err(unsupported!("COPY option \"convert_selectively\" is not supported").at(option.span));
        }
        "encoding" => o.encoding = Some(encoding(option)?),
        "on_error" => {
            given.on_error = true;
            o.ignore_errors = on_error(option, is_from)?;
        }
        "log_verbosity" => {
            let word = text(option)?;
            o.verbosity = match word.as_str() {
                "silent" => Verbosity::Silent,
                "default" => Verbosity::Default,
                "verbose" => Verbosity::Verbose,
                _ => {
                    return Err(pg_err!(
                        INVALID_PARAMETER_VALUE,
                        "COPY LOG_VERBOSITY \"{word}\" not recognized"
                    )
                    .at(option.span));
                }
            };
        }
        "reject_limit" => {
            let limit = crate::options::int8(option)?;
            if limit <= 0 {
                return Err(pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "REJECT_LIMIT ({limit}) must be greater than zero"
                ));
            }
            o.reject_limit = Some(limit);
        }
        other => {
            return Err(pg_err!(SYNTAX_ERROR, "option \"{other}\" not recognized").at(option.span));
        }
    }
    Ok(())
}

fn on_error(option: &DefElem, is_from: bool) -> PgResult<bool> {
    if !is_from {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "COPY ON_ERROR cannot be used with COPY TO"
        )
        .at(option.span));
    }
    match &option.arg {
        None => Ok(false),
        Some(arg) => match arg_text(arg).as_str() {
            "stop" => Ok(false),
            "ignore" => Ok(true),
            word => Err(
                pg_err!(INVALID_PARAMETER_VALUE, "COPY ON_ERROR \"{word}\" not recognized").at(option.span),
            ),
        },
    }
}

fn encoding(option: &DefElem) -> PgResult<Encoding> {
    Encoding::by_name(&text(option)?).ok_or_else(|| {
        pg_err!(
            INVALID_PARAMETER_VALUE,
            "argument to option \"{}\" must be a valid encoding name",
            option.name
        )
        .at(option.span)
    })
}

/// Defaults that depend on the format; single characters.
fn fill_in(o: &mut CopyOptions, given: &Given) -> PgResult<()> {
    if o.format == Format::Binary {
        let refused = [
            ("DELIMITER", given.delimiter.is_some()),
            ("NULL", given.null.is_some()),
            ("DEFAULT", given.default.is_some()),
        ];
        if let Some((word, _)) = refused.iter().find(|(_, given)| *given) {
            return Err(pg_err!(SYNTAX_ERROR, "cannot specify {word} in BINARY mode"));
        }
    }
    let csv = o.format == Format::Csv;
    let delimiter = given.delimiter.as_deref().unwrap_or(if csv { "," } else { "\t" });
    o.delimiter = single(delimiter, "delimiter")?;
    o.null = given
        .null
        .clone()
        .unwrap_or_else(|| if csv { "" } else { "\\N" }.to_owned());
    o.default.clone_from(&given.default);
    if csv {
        o.quote = single(given.quote.as_deref().unwrap_or("\""), "quote")?;
        o.escape = match &given.escape {
            Some(escape) => single(escape, "escape")?,
            None => o.quote,
        };
    } else if given.quote.is_some() || given.escape.is_some() {
        let word = if given.quote.is_some() { "QUOTE" } else { "ESCAPE" };
        return Err(requires_csv(word));
    }
    Ok(())
}

fn single(value: &str, what: &str) -> PgResult<u8> {
    match value.as_bytes() {
        [one] if one.is_ascii() => Ok(*one),
        _ => Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "COPY {what} must be a single one-byte character"
        )),
    }
}

fn requires_csv(word: &str) -> Box<PgError> {
    pg_err!(FEATURE_NOT_SUPPORTED, "COPY {word} requires CSV mode")
}

fn has_newline(text: &str) -> bool {
    text.contains(['\n', '\r'])
}

fn check_text_and_csv(o: &CopyOptions, given: &Given, header_given: bool) -> PgResult<()> {
    if matches!(o.delimiter, b'\n' | b'\r') {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "COPY delimiter cannot be newline or carriage return"
        ));
    }
    if has_newline(&o.null) {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "COPY null representation cannot use newline or carriage return"
        ));
    }
    if o.default.as_deref().is_some_and(has_newline) {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "COPY default representation cannot use newline or carriage return"
        ));
    }
    let reserved = b"\\.abcdefghijklmnopqrstuvwxyz0123456789";
    if o.format != Format::Csv && reserved.contains(&o.delimiter) {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "COPY delimiter cannot be \"{}\"",
            char::from(o.delimiter)
        ));
    }
    if o.format == Format::Binary && header_given && o.header != Header::No {
        return Err(pg_err!(SYNTAX_ERROR, "cannot specify HEADER in BINARY mode"));
    }
    if o.format == Format::Csv && o.delimiter == o.quote {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "COPY delimiter and quote must be different"
        ));
    }
    let _ = given;
    Ok(())
}

fn check_csv_only(o: &CopyOptions, is_from: bool) -> PgResult<()> {
    let csv = o.format == Format::Csv;
    let clash = |a: &str, b: &str| pg_err!(FEATURE_NOT_SUPPORTED, "COPY {a} cannot be used with {b}");
    for (given, word, wrong_way, other) in [
        (&o.force_quote, "FORCE_QUOTE", is_from, "COPY FROM"),
        (&o.force_not_null, "FORCE_NOT_NULL", !is_from, "COPY TO"),
        (&o.force_null, "FORCE_NULL", !is_from, "COPY TO"),
    ] {
        if given.is_given() && !csv {
            return Err(requires_csv(word));
        }
        if given.is_given() && wrong_way {
            return Err(clash(word, other));
        }
    }
    Ok(())
}

fn check_directions(o: &CopyOptions, given: &Given, is_from: bool) -> PgResult<()> {
    let csv = o.format == Format::Csv;
    let delimiter = char::from(o.delimiter);
    let quote = char::from(o.quote);
    let in_spec = |who: &str, spec: &str| {
        pg_err!(
            INVALID_PARAMETER_VALUE,
            "{who} character must not appear in the {spec} specification"
        )
    };
    if o.null.contains(delimiter) && o.format != Format::Binary {
        return Err(in_spec("COPY delimiter", "NULL"));
    }
    if csv && o.null.contains(quote) {
        return Err(in_spec("CSV quote", "NULL"));
    }
    if o.freeze && !is_from {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "COPY FREEZE cannot be used with COPY TO"
        ));
    }
    if let Some(default) = &o.default {
        if !is_from {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "COPY DEFAULT cannot be used with COPY TO"
            ));
        }
        if default.contains(delimiter) {
            return Err(in_spec("COPY delimiter", "DEFAULT"));
        }
        if csv && default.contains(quote) {
            return Err(in_spec("CSV quote", "DEFAULT"));
        }
        if *default == o.null {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "NULL specification and DEFAULT specification cannot be the same"
            ));
        }
    }
    if o.format == Format::Binary && given.on_error && o.ignore_errors {
        return Err(pg_err!(
            SYNTAX_ERROR,
            "only ON_ERROR STOP is allowed in BINARY mode"
        ));
    }
    Ok(())
}
