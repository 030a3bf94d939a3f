//! Upper and lower case, by the rules of a collation.
//!
//! PG: src/common/unicode_case.c, src/backend/utils/adt/pg_locale_builtin.c.

use common::{Oid, PgResult};

use crate::framework::context::FnContext;
use crate::framework::session::CharacterRules;

/// The rules of the call's collation.
pub(crate) fn rules(ctx: &mut FnContext<'_>) -> PgResult<CharacterRules> {
    match ctx.call.collation.0 {
        // `default` (the database's is C), `C`, `POSIX`, `ucs_basic`.
        0 | 100 | 950 | 951 | 962 => Ok(CharacterRules::Ascii),
        // `unicode`, `pg_unicode_fast`.
        963 | 6411 => Ok(CharacterRules::Full),
        made if made >= Oid::FIRST_NORMAL.0 => {
            let (collation, session) = (ctx.call.collation, ctx.session);
            let known = |(of, _): &(Oid, CharacterRules)| *of == collation;
            let made = || Ok((collation, session.character_rules(collation)?));
            Ok(ctx.cache.get_or_try_insert(known, made)?.1)
        }
        _ => Ok(CharacterRules::Simple),
    }
}

/// Case mapping of one character where the result is one character too (PostgreSQL's simple mapping).
pub(crate) fn simple(mut mapped: impl Iterator<Item = char>, original: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(c), None) => c,
        _ => original,
    }
}

pub(crate) fn simple_upper(s: &str) -> String {
    s.chars().map(|c| simple(c.to_uppercase(), c)).collect()
}

/// Unicode's simple case folding: what a character and its variants in both cases have in common.
pub(crate) fn fold(c: char) -> char {
    let upper = simple(c.to_uppercase(), c);
    match c {
        // Dotted and dotless i are folded in Turkish only.
        'ı' | 'İ' => c,
        // The upper case of sharp s is of one letter, its own that of two.
        'ẞ' => 'ß',
        // Cherokee folds to its older, upper case.
        '\u{13a0}'..='\u{13fd}' | '\u{ab70}'..='\u{abbf}' => upper,
        _ => simple(upper.to_lowercase(), upper),
    }
}

/// Unicode's full case folding.
pub(crate) fn full_fold(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    for c in s.chars() {
        match c {
            'ı' => out.push(c),
            'ẞ' => out.push_str("ss"),
            'İ' => out.extend(c.to_lowercase()),
            '\u{13a0}'..='\u{13fd}' | '\u{ab70}'..='\u{abbf}' => out.push(fold(c)),
            _ => out.extend(c.to_uppercase().flat_map(char::to_lowercase)),
        }
    }
    out
}

/// Letters that have a form of their own at the beginning of a word: digraphs.
fn title(c: char) -> Option<char> {
    match c {
        'Ǆ' | 'ǅ' | 'ǆ' => Some('ǅ'),
        'Ǉ' | 'ǈ' | 'ǉ' => Some('ǈ'),
        'Ǌ' | 'ǋ' | 'ǌ' => Some('ǋ'),
        'Ǳ' | 'ǲ' | 'ǳ' => Some('ǲ'),
        _ => None,
    }
}

/// The first letter of every word in upper case, the others in lower case.
pub(crate) fn initcap(rules: CharacterRules, s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    let mut in_word = false;
    for c in s.chars() {
        match (rules, in_word) {
            (CharacterRules::Ascii, true) => out.push(c.to_ascii_lowercase()),
            (CharacterRules::Ascii, false) => out.push(c.to_ascii_uppercase()),
            (CharacterRules::Simple, true) => out.push(simple(c.to_lowercase(), c)),
            (CharacterRules::Full, true) => out.extend(c.to_lowercase()),
            (CharacterRules::Full, false) if title(c).is_some() => out.extend(title(c)),
            (CharacterRules::Simple, false) => out.push(simple(c.to_uppercase(), c)),
            (CharacterRules::Full, false) => {
                let mut upper = c.to_uppercase();
                out.extend(upper.next());
                // What becomes two letters has only the first of them in upper case.
                out.extend(upper.flat_map(char::to_lowercase));
            }
        }
        in_word = match rules {
            CharacterRules::Ascii => c.is_ascii_alphanumeric(),
            // Of all digits only those of ASCII belong to words.
            CharacterRules::Simple => c.is_alphabetic() || c.is_ascii_digit(),
            CharacterRules::Full => c.is_alphanumeric(),
        };
    }
    out
}
