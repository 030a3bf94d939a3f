//! Orders that the Unicode collation algorithm, or CLDR for a language, defines.

#![allow(clippy::unwrap_used)]

use super::*;

#[test]
#[cfg(not(feature = "icu"))]
fn without_the_feature_there_is_none() {
    let e = Collation::open("und").unwrap_err();
    assert_eq!(e.message, "ICU is not supported in this build");
}

#[cfg(feature = "icu")]
fn open(locale: &str) -> Collation {
    Collation::open(&language_tag(locale).unwrap()).unwrap()
}

/// The words in order, starting from the reverse of it; sort keys must give the same.
#[cfg(feature = "icu")]
fn check(locale: &str, expected: &str) {
    let collation = open(locale);
    let expected: Vec<&str> = expected.split('|').collect();
    let mut words: Vec<&str> = expected.iter().rev().copied().collect();
    words.sort_by(|a, b| collation.compare(a, b));
    assert_eq!(words, expected, "{locale}");
    words.reverse();
    words.sort_by_cached_key(|word| {
        let mut key = Vec::new();
        collation.sort_key(word, &mut key);
        (key, *word)
    });
    assert_eq!(words, expected, "{locale}, by keys");
}

#[test]
#[cfg(feature = "icu")]
fn the_root_orders_all_scripts() {
    // Blanks, punctuation, symbols, currencies, digits, then the scripts.
    check("und", " |_|-|,|.|(|+|$|0|1|9|a|z|α|я|א|あ|中|八|字|阿");
    // Letters first, then accents, then case.
    check("und", "a|A|ä|Ä|b|B|z|Z");
    check("und", "resume|Resume|résumé|Résumé|resumes");
    // Canonically equivalent texts stand together, bytes tell them apart.
    check("und", "éa|e\u{301}b|éc");
    check("und", "e\u{301}|é");
    check("", "a|B|c");
    check("root", "a|B|c");
    check("und", "10|9|a10|a9");
}

#[test]
#[cfg(feature = "icu")]
fn languages_have_letters_of_their_own() {
    check("de", "ä|ad|af|o|ö|z");
    check("sv", "a|o|z|å|ä|ö");
    check("da", "az|z|æ|ø|å|aa");
    check("es", "c|ch|cz|d|l|ll|lz|m|n|nz|ñ|o");
    check("cs", "c|č|d|h|ch|i");
    check("et", "s|š|z|ž|t");
    check("lt", "i|y|j");
    check("zh", "阿|八|中|字");
    // Accents count from the end of the word in Canada.
    check("fr", "cote|coté|côte|côté");
    check("fr_CA", "cote|côte|coté|côté");
}

#[test]
#[cfg(feature = "icu")]
fn a_language_may_have_orders_to_choose_from() {
    check("de", "Göbel|Goethe|Goldmann|Götz");
    check("de-u-co-phonebk", "ad|ae|ä|af");
    check("de-u-co-phonebk", "Göbel|Goethe|Götz|Goldmann");
    check("de@collation=phonebook", "ad|ä|af");
    check("es-u-co-trad", "c|cz|ch|d|l|lz|ll|m|n|nz|ñ|o");
    check("es@collation=traditional", "cz|ch|d");
}

#[test]
#[cfg(feature = "icu")]
fn digits_may_be_numbers() {
    check("en-u-kn", "a9|a10|a100|b1");
    check("en-u-kn-true", "9|10");
    check("en@colNumeric=yes", "9|10");
    check("en-u-kn-false", "10|9");
    check("en@colNumeric=no", "10|9");
}

#[test]
#[cfg(feature = "icu")]
fn case_may_come_first() {
    check("und-u-kf-upper", "A|a|B|b");
    check("und-u-kf-lower", "a|A|b|B");
    check("und@colCaseFirst=upper", "A|a|B|b");
    check("da", "A|a|B|b");
    check("da-u-kf-false", "a|A|b|B");
}

/// What the strength leaves out is decided by bytes: a collation is a total order.
#[test]
#[cfg(feature = "icu")]
fn strength_says_which_differences_count() {
    check("und", "a|A|á|Ä|b");
    check("und-u-ks-level1", "A|a|Ä|á|b");
    check("und-u-ks-level2", "A|a|á|Ä|b");
    check("und-u-ks-level3", "a|A|á|Ä|b");
    check("und-u-ks-identic", "a|A|á|Ä|b");
    // With a level for case: case counts, accents do not.
    check("und-u-ks-level1-kc", "a|á|A|Ä|b");
    check("und@colStrength=primary;colCaseLevel=yes", "a|á|A|Ä|b");
}

#[test]
#[cfg(feature = "icu")]
fn punctuation_may_be_ignored() {
    check("und", "de luge|de-luge|de-lugf|deluge");
    check("und-u-ka-shifted", "de luge|de-luge|deluge|de-lugf");
    check("und-u-ka-shifted-kv-space", "d-z|da|d b|dc");
    check("und-u-ka-shifted-kv-punct", "da|d b|dc|d-z");
    // At the fourth level, what was ignored counts again: before what is not there.
    check("und-u-ka-shifted-ks-level4", "de luge|de-luge|deluge");
    check("und@colAlternate=shifted", "dea|de-z");
}

#[test]
#[cfg(feature = "icu")]
fn equal_texts_are_those_of_equal_bytes() {
    for locale in ["und", "und-u-ks-level1", "de-u-co-phonebk", "und-u-ka-shifted"] {
        let collation = open(locale);
        for (a, b) in [
            ("a", "A"),
            ("é", "e\u{301}"),
            ("a-b", "ab"),
            ("ä", "ae"),
            ("", " "),
        ] {
            assert!(collation.compare(a, b).is_ne(), "{locale} {a} {b}");
            assert_eq!(
                collation.compare(a, b),
                collation.compare(b, a).reverse(),
                "{locale} {a} {b}"
            );
            assert!(collation.compare(a, a).is_eq(), "{locale} {a}");
        }
    }
}

#[test]
#[cfg(feature = "icu")]
fn locales_have_a_standard_form() {
    for (locale, tag) in [
        ("de_DE", "de-DE"),
        ("de_DE.UTF-8", "de-DE"),
        ("EN-us", "en-US"),
        ("root", "und"),
        ("", "und"),
        ("und@colStrength=secondary", "und-u-ks-level2"),
        ("@colStrength=primary", "und-u-ks-level1"),
        ("nonsense-nowhere", "nonsense-nowhere"),
        ("Nonsense_u_kn", "nonsense-u-kn"),
    ] {
        assert_eq!(language_tag(locale).unwrap(), tag);
    }
}

#[test]
#[cfg(feature = "icu")]
fn wrong_locales_are_refused() {
    for locale in [
        "nonsense-nowhere!",
        "@colStrength=primary;nonsense=yes",
        "@colNumeric",
        "d",
    ] {
        let e = language_tag(locale).unwrap_err();
        assert_eq!(e.sqlstate, common::sqlstate::INVALID_PARAMETER_VALUE);
        assert_eq!(
            e.message,
            format!("could not convert locale name \"{locale}\" to language tag: U_ILLEGAL_ARGUMENT_ERROR")
        );
    }
    for locale in ["und-u-ks-level9", "und-u-ka-never", "und-u-kv-all"] {
        let e = Collation::open(locale).unwrap_err();
        assert!(
            e.message
                .starts_with(&format!("could not open collator for locale \"{locale}\"")),
            "{}",
            e.message
        );
    }
    // A language that has no locale orders as the root does.
    check("nonsense-nowhere", "a|A|ä|b");
    for locale in ["und-u-kb", "und-u-kr-digit-latn", "und-u-vt-0020"] {
        let e = Collation::open(locale).unwrap_err();
        assert_eq!(e.sqlstate, common::sqlstate::FEATURE_NOT_SUPPORTED, "{locale}");
    }
}
