//! Orders of texts by the rules of a language: the Unicode collation algorithm with CLDR's tailorings (crate `icu_collator`).
//!
//! PG: src/backend/utils/adt/pg_locale_icu.c.
//!
//! Behind cargo feature `icu`; without it [`Collation::open`] says what PostgreSQL says when it is built without ICU.
//!
//! # Invariants
//! - The order is total: texts that the language does not tell apart are ordered by their bytes, so equality stays that of bytes
//!   (PostgreSQL's deterministic collations).
//! - Sort keys order as [`Collation::compare`] does. Indexes hold them: another version of the crate's data may order otherwise, and
//!   then wants the indexes to be rebuilt.

mod languages;

use std::cmp::Ordering;

use common::{PgResult, pg_err, unsupported};

pub use languages::unknown_language;

/// An order of texts.
pub struct Collation {
    locale: Box<str>,
    #[cfg(feature = "icu")]
    collator: icu_collator::CollatorBorrowed<'static>,
}

impl std::fmt::Debug for Collation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Collation").field(&self.locale).finish()
    }
}

impl PartialEq for Collation {
    fn eq(&self, other: &Collation) -> bool {
        self.locale == other.locale
    }
}

impl Collation {
    /// The order of a language: its tag by BCP 47, `und` for the root.
    pub fn open(locale: &str) -> PgResult<Collation> {
        icu::open(locale)
    }

    /// Compares two texts.
    pub fn compare(&self, a: &str, b: &str) -> Ordering {
        icu::compare(self, a, b).then_with(|| a.cmp(b))
    }

    /// Appends bytes that order as the texts do, those of the text itself left out.
    pub fn sort_key(&self, text: &str, out: &mut Vec<u8>) {
        icu::sort_key(self, text, out);
    }
}

/// A locale as written (`de_DE`, `en@colNumeric=yes`, `root`) as a language tag.
pub fn language_tag(locale: &str) -> PgResult<String> {
    let (base, keywords) = locale.split_once('@').unwrap_or((locale, ""));
    // A codeset says nothing here.
    let base = base.split_once('.').map_or(base, |(b, _)| b).replace('_', "-");
    let base = match base.to_ascii_lowercase().as_str() {
        "" | "root" => "und".to_owned(),
        _ => base,
    };
    let mut tag = base;
    for (at, keyword) in keywords.split(';').filter(|k| !k.is_empty()).enumerate() {
        let Some((name, value)) = keyword.split_once('=') else {
            return Err(no_tag(locale));
        };
        let (name, value) = old_keyword(name.trim(), value.trim()).ok_or_else(|| no_tag(locale))?;
        tag.push_str(if at == 0 { "-u-" } else { "-" });
        tag.push_str(&name);
        tag.push('-');
        tag.push_str(&value);
    }
    icu::canonical(&tag).ok_or_else(|| no_tag(locale))
}

/// A keyword of ICU's older locale identifiers as one of BCP 47.
fn old_keyword(name: &str, value: &str) -> Option<(String, String)> {
    let (name, value) = (name.to_ascii_lowercase(), value.to_ascii_lowercase());
    let name = match name.as_str() {
        "colstrength" => "ks",
        "colalternate" => "ka",
        "colbackwards" => "kb",
        "colcaselevel" => "kc",
        "colcasefirst" => "kf",
        "colnormalization" => "kk",
        "colnumeric" => "kn",
        "colreorder" => "kr",
        "collation" => "co",
        short if short.len() == 2 => return Some((short.to_owned(), value)),
        _ => return None,
    };
    let value = match (name, value.as_str()) {
        ("ks", "primary") => "level1",
        ("ks", "secondary") => "level2",
        ("ks", "tertiary") => "level3",
        ("ks", "quaternary") => "level4",
        ("ks", "identical") => "identic",
        ("ka", "non-ignorable") => "noignore",
        ("co", "phonebook") => "phonebk",
        ("co", "traditional") => "trad",
        ("co", "dictionary") => "dict",
        (_, "yes") => "true",
        (_, "no") => "false",
        (_, other) => other,
    };
    Some((name.to_owned(), value.to_owned()))
}

fn no_tag(locale: &str) -> Box<common::PgError> {
    pg_err!(
        INVALID_PARAMETER_VALUE,
        "could not convert locale name \"{locale}\" to language tag: U_ILLEGAL_ARGUMENT_ERROR"
    )
}

#[cfg(feature = "icu")]
mod icu {
    use icu_collator::options::{AlternateHandling, CaseLevel, CollatorOptions, MaxVariable, Strength};
    use icu_collator::{CollatorBorrowed, CollatorPreferences};
    use icu_locale_core::Locale;

    use super::{Collation, Ordering, PgResult, no_tag, pg_err, unsupported};

    /// ICU's longest and shortest language names that are no codes.
    const NAME_CHARS: std::ops::RangeInclusive<usize> = 5..=8;

    /// A tag's locale, and its language where that is a name of more letters than the crate takes: it orders as the root then.
    fn parse(tag: &str) -> Option<(Locale, Option<&str>)> {
        if let Ok(locale) = Locale::try_from_str(tag) {
            return Some((locale, None));
        }
        let language = tag.split('-').next().unwrap_or_default();
        if !NAME_CHARS.contains(&language.len()) || !language.bytes().all(|b| b.is_ascii_alphabetic()) {
            return None;
        }
        let rest = tag.get(language.len()..)?;
        let locale = Locale::try_from_str(&format!("und{rest}")).ok()?;
        Some((locale, Some(language)))
    }

    pub(super) fn canonical(tag: &str) -> Option<String> {
        let (locale, name) = parse(tag)?;
        let form = locale.to_string();
        Some(match (name, form.strip_prefix("und")) {
            (Some(name), Some(rest)) => name.to_ascii_lowercase() + rest,
            _ => form,
        })
    }

    pub(super) fn open(locale: &str) -> PgResult<Collation> {
        let (tag, _) = parse(locale).ok_or_else(|| no_tag(locale))?;
        let options = options(&tag)?;
        let collator = CollatorBorrowed::try_new(CollatorPreferences::from(&tag), options).map_err(|e| {
            pg_err!(
                INVALID_PARAMETER_VALUE,
                "could not open collator for locale \"{locale}\": {e}"
            )
        })?;
        Ok(Collation {
            locale: locale.into(),
            collator,
        })
    }

    /// The settings of the tag's extension `u` that the crate does not read itself (it reads `co`, `kf`, `kn`).
    fn options(tag: &Locale) -> PgResult<CollatorOptions> {
        let mut options = CollatorOptions::default();
        for (key, value) in tag.extensions.unicode.keywords.iter() {
            let (key, value) = (key.as_str(), value.to_string());
            let unknown = || {
                pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "could not open collator for locale \"{tag}\": {key}={value}"
                )
            };
            match key {
                "ks" => {
                    options.strength = Some(match value.as_str() {
                        "level1" => Strength::Primary,
                        "level2" => Strength::Secondary,
                        "level3" => Strength::Tertiary,
                        "level4" => Strength::Quaternary,
                        "identic" => Strength::Identical,
                        _ => return Err(unknown()),
                    });
                }
                "ka" => {
                    options.alternate_handling = Some(match value.as_str() {
                        "noignore" => AlternateHandling::NonIgnorable,
                        "shifted" => AlternateHandling::Shifted,
                        _ => return Err(unknown()),
                    });
                }
                "kv" => {
                    options.max_variable = Some(match value.as_str() {
                        "space" => MaxVariable::Space,
                        "punct" => MaxVariable::Punctuation,
                        "symbol" => MaxVariable::Symbol,
                        "currency" => MaxVariable::Currency,
                        _ => return Err(unknown()),
                    });
                }
                "kc" => {
                    options.case_level = Some(match value.as_str() {
                        "" | "true" => CaseLevel::On,
                        _ => CaseLevel::Off,
                    });
                }
                "kb" | "kr" | "vt" => {
                    return Err(unsupported!("collation setting \"{key}\" is not supported yet"));
                }
                // Normalization is always on; others are not about order.
                _ => {}
            }
        }
        Ok(options)
    }

    pub(super) fn compare(c: &Collation, a: &str, b: &str) -> Ordering {
        c.collator.compare(a, b)
    }

    pub(super) fn sort_key(c: &Collation, text: &str, out: &mut Vec<u8>) {
        // Writing to memory does not fail.
        let _ = c.collator.write_sort_key_to(text, out);
    }
}

#[cfg(not(feature = "icu"))]
mod icu {
    use super::{Collation, Ordering, PgResult, unsupported};

    pub(super) fn canonical(tag: &str) -> Option<String> {
        Some(tag.to_owned())
    }

    pub(super) fn open(_: &str) -> PgResult<Collation> {
        Err(unsupported!("ICU is not supported in this build"))
    }

    pub(super) fn compare(_: &Collation, _: &str, _: &str) -> Ordering {
        Ordering::Equal
    }

    pub(super) fn sort_key(_: &Collation, _: &str, _: &mut Vec<u8>) {}
}

#[cfg(test)]
mod tests;
