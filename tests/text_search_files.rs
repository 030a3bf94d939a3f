//! Files of text search dictionaries: where they are found, what is said of bad ones, and that copies of a database have them too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use pglite::{Database, Session};

fn lexize(session: &mut Session, dictionary: &str, word: &str) -> Option<Vec<String>> {
    let sql = format!("SELECT ts_lexize('{dictionary}', '{word}')");
    let mut rows = session.query_map(&sql, (), |row| row.get(0)).unwrap();
    rows.remove(0)
}

fn word(text: &str) -> Option<Vec<String>> {
    Some(vec![text.to_owned()])
}

const SYNONYM: &str = "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = synonym, SYNONYMS = words)";

#[test]
fn files_of_a_database_in_memory() {
    let db = Database::builder()
        .text_search_file("words.syn", "one first\n")
        .text_search_file("english.stop", "first\n")
        .open()
        .unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute(SYNONYM).unwrap();
    assert_eq!(lexize(&mut session, "d", "One"), word("first"));
    assert_eq!(lexize(&mut session, "d", "two"), None);
    // A list of stop words in place of the one that comes with the program.
    assert_eq!(lexize(&mut session, "english_stem", "first"), Some(Vec::new()));
    assert_eq!(lexize(&mut session, "english_stem", "the"), word("the"));
    assert_eq!(lexize(&mut session, "german_stem", "und"), Some(Vec::new()));
    // A fork has the same files.
    let mut fork = db.fork().unwrap().session().unwrap();
    assert_eq!(lexize(&mut fork, "d", "one"), word("first"));
    let target = tempfile::tempdir().unwrap();
    let copy = db.fork_to(target.path().join("copy")).unwrap();
    assert_eq!(lexize(&mut copy.session().unwrap(), "d", "one"), word("first"));
}

#[test]
fn files_of_a_directory() {
    let place = tempfile::tempdir().unwrap();
    let (dir, shared) = (place.path().join("db"), place.path().join("shared"));
    let own = dir.join("tsearch_data");
    fs::create_dir_all(&own).unwrap();
    fs::create_dir_all(&shared).unwrap();
    fs::write(shared.join("words.syn"), "one shared\n").unwrap();
    let open = || {
        let builder = Database::builder().directory(&dir);
        builder.text_search_directory(&shared).open().unwrap()
    };
    let db = open();
    let mut session = db.session().unwrap();
    session.batch_execute(SYNONYM).unwrap();
    assert_eq!(lexize(&mut session, "d", "one"), word("shared"));
    // A changed file comes into use with ALTER, for all sessions.
    fs::write(own.join("words.syn"), "one own\n").unwrap();
    let mut other = db.session().unwrap();
    assert_eq!(lexize(&mut other, "d", "one"), word("shared"));
    session
        .batch_execute("ALTER TEXT SEARCH DICTIONARY d (dummy)")
        .unwrap();
    assert_eq!(lexize(&mut other, "d", "one"), word("own"));
    // A copy has the files of the directory.
    let copied = place.path().join("copied");
    db.backup(&copied).unwrap();
    assert_eq!(
        fs::read_to_string(copied.join("tsearch_data/words.syn")).unwrap(),
        "one own\n"
    );
    let copy = Database::open(&copied).unwrap();
    assert_eq!(lexize(&mut copy.session().unwrap(), "d", "one"), word("own"));
    drop((session, other, db));
    assert_eq!(lexize(&mut open().session().unwrap(), "d", "one"), word("own"));
}

/// Files, the options that lead to them, and the error: SQLSTATE, message, context without the path.
const BAD_FILES: &[(&str, &[u8], &str, &str, &str, &str)] = &[
    (
        "a.syn",
        b"a b\nc \xff\n",
        "TEMPLATE = synonym, SYNONYMS = a",
        "22021",
        "invalid byte sequence for encoding \"UTF8\": 0xff",
        "line 2 of configuration file \"a.syn\"",
    ),
    (
        "a.ths",
        b" : x\n",
        THESAURUS,
        "F0000",
        "unexpected delimiter",
        "line 1 of configuration file \"a.ths\": \" : x\n\"",
    ),
    (
        "a.ths",
        b"# rules\na b c\n",
        THESAURUS,
        "F0000",
        "unexpected end of line",
        "line 2 of configuration file \"a.ths\": \"a b c\n\"",
    ),
    (
        "a.ths",
        b"a : \n",
        THESAURUS,
        "F0000",
        "unexpected end of line",
        "line 1 of configuration file \"a.ths\": \"a : \n\"",
    ),
    (
        "a.ths",
        b"a : *",
        THESAURUS,
        "F0000",
        "unexpected end of line or lexeme",
        "line 1 of configuration file \"a.ths\": \"a : *\"",
    ),
    (
        "a.ths",
        b"one : the\n",
        THESAURUS,
        "F0000",
        "thesaurus substitute word \"the\" is a stop word (rule 1)",
        "",
    ),
    (
        "a.ths",
        b"one : two\nthe : one\n",
        THESAURUS,
        "F0000",
        "thesaurus sample word \"the\" is a stop word (rule 2)",
        "",
    ),
    (
        "a.affix",
        b"suffixes\nflag a:\n  . > 1\n",
        ISPELL,
        "F0000",
        "syntax error",
        "line 3 of configuration file \"a.affix\": \"  . > 1\n\"",
    ),
    (
        "a.affix",
        b"suffixes\nflag a:\n  [ > S\n",
        ISPELL,
        "2201B",
        "invalid regular expression: brackets [] not balanced",
        "line 3 of configuration file \"a.affix\": \"  [ > S\n\"",
    ),
    (
        "a.affix",
        b"FLAG foo\nSFX A Y 1\n",
        ISPELL,
        "F0000",
        "Ispell dictionary supports only \"default\", \"long\", and \"num\" flag values",
        "line 1 of configuration file \"a.affix\": \"FLAG foo\n\"",
    ),
    (
        "a.affix",
        b"AF x\nSFX A Y 1\n",
        ISPELL,
        "F0000",
        "invalid number of flag vector aliases",
        "line 1 of configuration file \"a.affix\": \"AF x\n\"",
    ),
    (
        "a.affix",
        b"AF 1\nAF A\nAF B\nSFX A Y 1\n",
        ISPELL,
        "F0000",
        "number of aliases exceeds specified number 1",
        "line 3 of configuration file \"a.affix\": \"AF B\n\"",
    ),
    (
        "a.affix",
        b"FLAG num\nCOMPOUNDFLAG x\nSFX A Y 1\n",
        ISPELL,
        "F0000",
        "invalid affix flag \"x\"",
        "line 2 of configuration file \"a.affix\": \"COMPOUNDFLAG x\n\"",
    ),
    (
        "a.affix",
        b"FLAG num\nCOMPOUNDFLAG 70000\nSFX A Y 1\n",
        ISPELL,
        "F0000",
        "affix flag \"70000\" is out of range",
        "line 2 of configuration file \"a.affix\": \"COMPOUNDFLAG 70000\n\"",
    ),
    (
        "a.affix",
        b"COMPOUNDFLAG\nSFX A Y 1\n",
        ISPELL,
        "F0000",
        "syntax error",
        "line 1 of configuration file \"a.affix\": \"COMPOUNDFLAG\n\"",
    ),
    (
        "a.affix",
        b"FLAG num\nCOMPOUNDFLAG 1\nSFX 12 Y 1\nSFX 12 0 s .\n",
        ISPELL,
        "F0000",
        "invalid character in affix flag \"x\"",
        "",
    ),
    (
        "a.affix",
        b"suffixes\nflag a:\n  . > s\nSFX A Y 1\n",
        ISPELL,
        "F0000",
        "affix file contains both old-style and new-style commands",
        "line 4 of configuration file \"a.affix\": \"SFX A Y 1\n\"",
    ),
];

const THESAURUS: &str = "TEMPLATE = thesaurus, DICTFILE = a, DICTIONARY = english_stem";
const ISPELL: &str = "TEMPLATE = ispell, DICTFILE = a, AFFFILE = a";

#[test]
fn bad_files() {
    for (name, content, options, state, message, context) in BAD_FILES {
        let db = Database::builder()
            .text_search_file("a.dict", "walk/1,2\nbar/12x\n")
            .text_search_file(*name, content)
            .open()
            .unwrap();
        let mut session = db.session().unwrap();
        let sql = format!("CREATE TEXT SEARCH DICTIONARY d ({options})");
        let error = session.batch_execute(&sql).unwrap_err();
        let found = (error.code(), error.message(), error.context().unwrap_or(""));
        assert_eq!(found, (*state, *message, *context), "{name}");
    }
}

#[test]
fn missing_files() {
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    for (options, message) in [
        (
            "TEMPLATE = synonym, SYNONYMS = no",
            "could not open synonym file \"tsearch_data/no.syn\": No such file or directory",
        ),
        (
            "TEMPLATE = simple, STOPWORDS = no",
            "could not open stop-word file \"tsearch_data/no.stop\": No such file or directory",
        ),
        (
            "TEMPLATE = thesaurus, DICTFILE = no",
            "could not open thesaurus file \"tsearch_data/no.ths\": No such file or directory",
        ),
        (
            "TEMPLATE = ispell, DICTFILE = no",
            "could not open dictionary file \"tsearch_data/no.dict\": No such file or directory",
        ),
        (
            "TEMPLATE = ispell, AFFFILE = no",
            "could not open affix file \"tsearch_data/no.affix\": No such file or directory",
        ),
    ] {
        let sql = format!("CREATE TEXT SEARCH DICTIONARY d ({options})");
        let error = session.batch_execute(&sql).unwrap_err();
        assert_eq!((error.code(), error.message()), ("F0000", message));
    }
}
