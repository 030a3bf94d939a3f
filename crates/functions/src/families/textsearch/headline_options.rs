//! The options of `ts_headline`.

use common::{PgResult, pg_err};
use types::Datum;

use crate::framework::context::FnContext;

/// What the options say.
pub(super) struct Options {
    pub start: String,
    pub stop: String,
    pub delimiter: String,
    pub words_max: i32,
    pub words_min: i32,
    pub short_word: i32,
    pub fragments_max: i32,
    pub all: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            start: "<b>".into(),
            stop: "</b>".into(),
            delimiter: " ... ".into(),
            words_max: 35,
            words_min: 15,
            short_word: 3,
            fragments_max: 0,
            all: false,
        }
    }
}

/// `name = value, name = "value"`.
pub(super) fn pairs(text: &str) -> PgResult<Vec<(String, String)>> {
    let invalid = || pg_err!(SYNTAX_ERROR, "invalid parameter list format: \"{text}\"");
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or_else(invalid)?;
        let name = name.trim().trim_matches('"');
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(invalid());
        }
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let (value, behind) = match quote {
            Some(quote) => {
                let (mut value, mut end) = (String::new(), None);
                let mut chars = after.char_indices().skip(1).peekable();
                while let Some((i, c)) = chars.next() {
                    if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
                        end = Some(i + 1);
                        break;
                    }
                    value.push(c);
                }
                (value, &after[end.ok_or_else(invalid)?..])
            }
            None => {
                let end = after.find([',', ' ', '\t', '\n']).unwrap_or(after.len());
                (after[..end].to_owned(), &after[end..])
            }
        };
        found.push((name.to_owned(), value));
        rest = behind.trim_start();
        match rest.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if rest.is_empty() => {}
            None => return Err(invalid()),
        }
    }
    Ok(found)
}

impl Options {
    pub fn given(ctx: &FnContext<'_>, text: Option<&str>) -> PgResult<Options> {
        text.map_or_else(|| Ok(Options::default()), |text| Options::read(ctx, text))
    }

    fn read(ctx: &FnContext<'_>, text: &str) -> PgResult<Options> {
        let mut options = Options::default();
        for (name, value) in pairs(text)? {
            let number = || -> PgResult<i32> {
                match types::io::input(types::oids::INT4, -1, &value, &ctx.io())? {
                    Datum::Int4(n) => Ok(n),
                    _ => Ok(0),
                }
            };
            match name.to_ascii_lowercase().as_str() {
                "maxwords" => options.words_max = number()?,
                "minwords" => options.words_min = number()?,
                "shortword" => options.short_word = number()?,
                "maxfragments" => options.fragments_max = number()?,
                "startsel" => options.start = value,
                "stopsel" => options.stop = value,
                "fragmentdelimiter" => options.delimiter = value,
                "highlightall" => {
                    let value = value.to_ascii_lowercase();
                    options.all = matches!(value.as_str(), "1" | "on" | "true" | "t" | "y" | "yes");
                }
                _ => {
                    return Err(pg_err!(
                        INVALID_PARAMETER_VALUE,
                        "unrecognized headline parameter: \"{name}\""
                    ));
                }
            }
        }
        options.check()?;
        Ok(options)
    }

    fn check(&self) -> PgResult<()> {
        if self.all {
            return Ok(());
        }
        let complaint = if self.words_min >= self.words_max {
            "MinWords must be less than MaxWords"
        } else if self.words_min <= 0 {
            "MinWords must be positive"
        } else if self.short_word < 0 {
            "ShortWord must be >= 0"
        } else if self.fragments_max < 0 {
            "MaxFragments must be >= 0"
        } else {
            return Ok(());
        };
        Err(pg_err!(INVALID_PARAMETER_VALUE, "{complaint}"))
    }
}
