//! Upper and lower case, by the rules of a collation.
//!
//! PG: src/common/unicode_case.c, src/backend/utils/adt/pg_locale_builtin.c.

use common::{Oid, PgResult};

use crate::framework::context::FnContext;
use crate::framework::session::{CharacterRules, SessionContext};

/// The rules of the call's collation.
pub(crate) fn rules(ctx: &mut FnContext<'_>) -> PgResult<CharacterRules> {
    let (collation, session) = (ctx.call.collation, ctx.session);
    if collation < Oid::FIRST_NORMAL {
        return rules_of(session, collation);
    }
    let known = |(of, _): &(Oid, CharacterRules)| *of == collation;
    let made = || Ok((collation, rules_of(session, collation)?));
    Ok(ctx.cache.get_or_try_insert(known, made)?.1)
}

/// The rules of a collation: for those who cache what they make of them.
pub(crate) fn rules_of(session: &dyn SessionContext, collation: Oid) -> PgResult<CharacterRules> {
    match collation.0 {
        // `default` (the database's is C), `C`, `POSIX`, `ucs_basic`.
        0 | 100 | 950 | 951 | 962 => Ok(CharacterRules::Ascii),
        // `pg_unicode_fast`.
        6411 => Ok(CharacterRules::Full),
        // `unicode`, which not every build knows.
        963 => session.character_rules(collation),
        _ if collation >= Oid::FIRST_NORMAL => session.character_rules(collation),
        _ => Ok(CharacterRules::Simple),
    }
}

/// What is one character in both cases (PostgreSQL's simple mapping); the original where a mapping makes several.
fn simple(mut mapped: impl Iterator<Item = char>, original: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(c), None) => c,
        _ => original,
    }
}

/// Letters whose other case came with Unicode 17, which Rust knows and PostgreSQL 18 does not.
fn is_newer(c: char) -> bool {
    matches!(c, '\u{a7ce}' | '\u{a7cf}' | '\u{a7d2}'..='\u{a7d5}' | '\u{16ea0}'..='\u{16ed3}')
}

/// What a mapping makes of a text, newer letters left alone.
fn mapped(s: &str, map: impl Fn(&str) -> String) -> String {
    if !s.contains(is_newer) {
        return map(s);
    }
    let pieces = s.split_inclusive(is_newer);
    let each = pieces.map(|piece| match piece.char_indices().next_back() {
        Some((at, c)) if is_newer(c) => map(&piece[..at]) + &piece[at..],
        _ => map(piece),
    });
    each.collect()
}

/// Unicode's full mapping to lower case.
pub(crate) fn full_lower(s: &str) -> String {
    mapped(s, str::to_lowercase)
}

/// Unicode's full mapping to upper case.
pub(crate) fn full_upper(s: &str) -> String {
    mapped(s, str::to_uppercase)
}

/// The lower case of a character as one character.
pub(crate) fn simple_lower(c: char) -> char {
    match c {
        _ if is_newer(c) => c,
        'İ' => 'i',
        _ => simple(c.to_lowercase(), c),
    }
}

/// The upper case of a character as one character.
pub(crate) fn simple_upper(c: char) -> char {
    let code = u32::from(c);
    let up = |by: u32| char::from_u32(code + by).unwrap_or(c);
    match code {
        _ if is_newer(c) => c,
        // Greek letters with a small iota below, whose full upper case has it beside.
        0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7 => up(8),
        0x1fb3 | 0x1fc3 | 0x1ff3 => up(9),
        _ => simple(c.to_uppercase(), c),
    }
}

/// Unicode's simple case folding: what a character and its variants in both cases have in common.
pub(crate) fn fold(c: char) -> char {
    let upper = simple_upper(c);
    match c {
        // Dotted and dotless i are folded in Turkish only.
        'ı' | 'İ' => c,
        // What is equal to another letter but for its history.
        '\u{1fd3}' => '\u{390}',
        '\u{1fe3}' => '\u{3b0}',
        '\u{fb05}' => '\u{fb06}',
        // The upper case of sharp s is of one letter, its own that of two.
        'ẞ' => 'ß',
        // Cherokee folds to its older, upper case.
        '\u{13a0}'..='\u{13fd}' | '\u{ab70}'..='\u{abbf}' => upper,
        _ => simple_lower(upper),
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
            _ if is_newer(c) => out.push(c),
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
            (CharacterRules::Simple, true) => out.push(simple_lower(c)),
            (CharacterRules::Full, true) => out.extend(c.to_lowercase()),
            (CharacterRules::Full, false) if title(c).is_some() => out.extend(title(c)),
            (CharacterRules::Simple, false) => out.push(simple_upper(c)),
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
