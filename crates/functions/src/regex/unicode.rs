//! The named classes of collations that know Unicode.
//!
//! PG: src/backend/regex/regc_pg_locale.c, src/common/unicode_category.c.

use std::sync::LazyLock;

use crate::families::casing;
use crate::framework::session::CharacterRules;

/// A class by its name, as crate `regex-syntax` spells the set; `None`: the same as without Unicode.
fn spelled(name: &str, rules: CharacterRules) -> Option<&'static str> {
    let full = rules == CharacterRules::Full;
    Some(match name {
        "alpha" => r"\p{Alphabetic}",
        "digit" if full => r"\p{Nd}",
        "alnum" if full => r"[\p{Alphabetic}\p{Nd}]",
        "alnum" => r"[\p{Alphabetic}0-9]",
        "word" if full => r"[\p{Alphabetic}\p{Nd}_]",
        "word" => r"[\p{Alphabetic}0-9_]",
        "lower" => r"\p{Lowercase}",
        "upper" => r"\p{Uppercase}",
        "space" => r"\p{White_Space}",
        "graph" => r"[^\p{Cc}\p{Cn}\p{White_Space}]",
        "print" => r"[\p{Zs}[^\p{Cc}\p{Cn}\p{White_Space}]]",
        "punct" if full => r"\p{P}",
        "punct" => r"[[\p{P}\p{S}]--\p{Alphabetic}]",
        _ => return None,
    })
}

/// The ranges of a class.
pub(super) fn named(name: &str, rules: CharacterRules) -> Option<Vec<(u32, u32)>> {
    let hir = regex_syntax::parse(spelled(name, rules)?).ok()?;
    match hir.kind() {
        regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => Some(
            class
                .ranges()
                .iter()
                .map(|r| (u32::from(r.start()), u32::from(r.end())))
                .collect(),
        ),
        _ => None,
    }
}

/// Decimal digits of all scripts.
static DIGITS: LazyLock<Vec<(u32, u32)>> =
    LazyLock::new(|| named("digit", CharacterRules::Full).unwrap_or_default());

/// A decimal digit of any script.
pub(super) fn is_digit(c: char) -> bool {
    let at = DIGITS.partition_point(|(_, to)| *to < u32::from(c));
    DIGITS.get(at).is_some_and(|(from, _)| *from <= u32::from(c))
}

/// All characters with another case: themselves, lower, upper.
static CASES: LazyLock<Vec<[char; 3]>> = LazyLock::new(|| {
    // No letter beyond plane 1 has two cases.
    ('\0'..='\u{1ffff}')
        .map(|c| [c, casing::simple_lower(c), casing::simple_upper(c)])
        .filter(|[c, lower, upper]| lower != c || upper != c)
        .collect()
});

/// Lower and upper case of all characters of the set that have some.
pub(super) fn other_cases(contains: impl Fn(char) -> bool) -> Vec<(u32, u32)> {
    let found = CASES.iter().filter(|[c, ..]| contains(*c));
    let both = found.flat_map(|[_, lower, upper]| [*lower, *upper]);
    both.map(|c| (u32::from(c), u32::from(c))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::regex::class::Class;

    #[test]
    fn every_class_is_there() {
        for rules in [CharacterRules::Simple, CharacterRules::Full] {
            for name in [
                "alpha", "alnum", "word", "lower", "upper", "space", "graph", "print", "punct",
            ] {
                assert!(
                    named(name, rules).is_some_and(|ranges| ranges.len() > 5),
                    "{name}"
                );
            }
        }
        assert!(named("digit", CharacterRules::Full).is_some());
        assert!(named("digit", CharacterRules::Simple).is_none());
    }

    /// Recorded from PostgreSQL 18.4: collations `pg_c_utf8` (simple) and `pg_unicode_fast` (full).
    #[test]
    fn classes_are_postgresqls() {
        let has = |name: &str, rules, c| Class::named(name, rules).unwrap().contains(c);
        let (simple, full) = (CharacterRules::Simple, CharacterRules::Full);
        assert!(has("cntrl", CharacterRules::Ascii, '\u{85}'));
        assert!(has("alpha", simple, 'é') && !has("alpha", CharacterRules::Ascii, 'é'));
        assert!(!has("digit", simple, '٣') && has("digit", full, '٣'));
        assert!(has("punct", simple, '+') && !has("punct", full, '+'));
        assert!(!has("word", simple, '\u{301}'));
        assert!(has("graph", simple, '\u{200b}') && has("graph", simple, '\u{e000}'));
        assert!(!has("graph", simple, '\u{378}') && !has("graph", simple, '\u{2028}'));
        assert!(
            has("print", simple, '\u{a0}') && !has("print", simple, '\u{85}') && !has("print", simple, '\t')
        );
        assert!(!has("blank", simple, '\u{a0}') && has("space", simple, '\u{a0}'));
    }
}
