//! Nothing a client can send panics or exhausts the stack: deep nesting, random bytes, token soup.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use pglite_parser::{ParseOptions, parse, parse_expression, parse_type_name};

/// Runs on a thread with the stack that Rust gives to threads by default.
fn on_small_stack(body: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(body)
        .unwrap();
    thread.join().expect("the parser must not overflow the stack");
}

fn expect_too_deep(sql: String) {
    on_small_stack(move || {
        let error = parse(&sql, &ParseOptions::default()).expect_err("too deep to be accepted");
        let start: String = sql.chars().take(30).collect();
        assert_eq!(error.sqlstate.as_str(), "54001", "{start}: {}", error.message);
        assert_eq!(error.message, "stack depth limit exceeded");
    });
}

#[test]
fn deep_nesting_ends_in_54001() {
    const N: usize = 100_000;
    let wrap = |before: &str, open: &str, middle: &str, close: &str, after: &str| {
        format!("{before}{}{middle}{}{after}", open.repeat(N), close.repeat(N))
    };
    expect_too_deep(wrap("SELECT ", "(", "1", ")", ""));
    expect_too_deep(wrap("SELECT ", "(", "SELECT 1", ")", ""));
    expect_too_deep(wrap("", "(", "SELECT 1", ")", ""));
    expect_too_deep(wrap("SELECT ", "(SELECT ", "1", ")", ""));
    expect_too_deep(wrap("SELECT * FROM ", "(", "SELECT 1", ")", " x"));
    expect_too_deep(wrap("SELECT * FROM ", "(", "a JOIN b ON true", ")", " x"));
    expect_too_deep(wrap("SELECT * FROM ", "(SELECT * FROM ", "a", ") x", ""));
    expect_too_deep(wrap("SELECT ", "f(", "1", ")", ""));
    expect_too_deep(wrap("SELECT ", "NOT ", "true", "", ""));
    expect_too_deep(wrap("SELECT ", "- ", "a", "", ""));
    expect_too_deep(wrap("SELECT ", "@ ", "a", "", ""));
    expect_too_deep(wrap("SELECT ", "ARRAY[", "1", "]", ""));
    expect_too_deep(wrap("SELECT ARRAY", "[", "1", "]", ""));
    expect_too_deep(wrap("SELECT ", "CASE WHEN ", "1", " THEN 1 END", ""));
    expect_too_deep(wrap("SELECT ", "a[", "1", "]", ""));
    expect_too_deep(wrap("SELECT ", "CAST(", "1", " AS int)", ""));
    expect_too_deep(wrap("SELECT 1 ", "+ 1 ", "", "", ""));
    expect_too_deep(wrap("SELECT 1", "::int", "", "", ""));
    expect_too_deep(wrap("SELECT a ", "IS NULL ", "", "", ""));
    expect_too_deep(wrap("SELECT 1 ", "UNION SELECT 1 ", "", "", ""));
    expect_too_deep(wrap("SELECT * FROM a ", "CROSS JOIN a ", "", "", ""));
    expect_too_deep(wrap("SELECT * FROM a ", "JOIN a ", "", "ON true ", ""));
    expect_too_deep(wrap("SELECT * FROM a GROUP BY ", "GROUPING SETS (", "a", ")", ""));
    expect_too_deep(wrap("SELECT ", "x(", "1", ") 'a'", ""));
    expect_too_deep(wrap("", "WITH x AS (", "SELECT 1", ") SELECT 1", ""));
}

#[test]
fn long_flat_lists_are_fine() {
    on_small_stack(|| {
        let options = ParseOptions::default();
        let ands = format!("SELECT {}", vec!["a"; 50_000].join(" AND "));
        parse(&ands, &options).unwrap();
        let list = format!("SELECT * FROM t WHERE a IN ({})", vec!["1"; 50_000].join(", "));
        parse(&list, &options).unwrap();
        let values = format!("INSERT INTO t VALUES {}", vec!["(1, 'a')"; 50_000].join(", "));
        parse(&values, &options).unwrap();
        let chain = format!("SELECT {}", vec!["1"; 2_000].join(" + "));
        let copy = parse(&chain, &options).unwrap().clone();
        assert!(format!("{copy:?}").len() > 1000);
        let nested = format!("SELECT {}1{}", "(".repeat(100), ")".repeat(100));
        parse(&nested, &options).unwrap();
    });
}

/// A small generator (splitmix64), so that a failing run can be repeated from its printed seed.
struct Random(u64);

impl Random {
    fn seeded() -> Random {
        let seed = std::env::var("PARSER_SEED")
            .ok()
            .and_then(|s| s.parse().ok())
            .unwrap_or_else(|| {
                let now = std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .unwrap();
                now.as_nanos() as u64
            });
        println!("PARSER_SEED={seed}");
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

fn try_everything(text: &str) {
    let mut options = ParseOptions::default();
    for conforming in [true, false] {
        options.standard_conforming_strings = conforming;
        check_result(text, parse(text, &options));
        let _ = parse_expression(text, &options);
    }
    let _ = parse_type_name(text);
}

fn check_result(text: &str, result: common::PgResult<Vec<pglite_parser::ast::RawStatement>>) {
    match result {
        Ok(statements) => {
            for statement in statements {
                let (start, end) = (statement.span.start as usize, statement.span.end as usize);
                assert!(text.get(start..end).is_some(), "bad span in {text:?}");
            }
        }
        Err(e) => {
            let at = e.position.unwrap_or(0) as usize;
            assert!(
                at <= text.len() && text.is_char_boundary(at),
                "bad position {at} in {text:?}"
            );
        }
    }
}

#[test]
fn random_bytes_never_panic() {
    let mut random = Random::seeded();
    let alphabet = "abeExXuUnNq019_$.'\"\\;()[]{},:=<>+-*/%^~!@#&|`? \n\r\t\u{b}é€😀\0";
    let chars: Vec<char> = alphabet.chars().collect();
    for _ in 0..20_000 {
        let length = random.below(40);
        let text: String = (0..length).map(|_| chars[random.below(chars.len())]).collect();
        try_everything(&text);
    }
}

#[test]
fn token_soup_never_panics() {
    let mut random = Random::seeded();
    let words: Vec<&str> = pglite_parser::keywords::KEYWORDS.iter().map(|k| k.word).collect();
    let other = [
        "a",
        "b",
        "t",
        "x",
        "\"Q\"",
        "'s'",
        "1",
        "2.5",
        "$1",
        "(",
        ")",
        "(",
        ")",
        ",",
        ",",
        ".",
        ";",
        "*",
        "+",
        "-",
        "=",
        "<",
        "::",
        "[",
        "]",
        ":=",
        "=>",
        "||",
        "E'\\n'",
        "U&'\\0041'",
        "b'01'",
        "x'ff'",
        "$$q$$",
        "é",
    ];
    let heads = [
        "select",
        "create table",
        "create",
        "alter table t",
        "alter",
        "drop",
        "insert into t",
        "with x as (",
        "grant",
        "copy t",
        "create function f(",
        "merge into t using s on true when",
        "set",
        "comment on",
    ];
    for _ in 0..20_000 {
        let mut text = String::from(random.pick(&heads));
        for _ in 0..random.below(25) {
            text.push(' ');
            let word = if random.below(2) == 0 {
                random.pick(&words)
            } else {
                random.pick(&other)
            };
            text.push_str(word);
        }
        try_everything(&text);
    }
}

/// A text is left as soon as somebody asks: in the lexer, and in the grammar.
#[test]
fn a_cancelled_statement_is_not_parsed_to_its_end() {
    use common::cancel::{CancelReason, CancelToken};

    let token = CancelToken::new();
    let _entered = token.enter();
    let long = format!("SELECT {}1", "1, ".repeat(50_000));
    assert!(parse(&long, &ParseOptions::default()).is_ok());
    token.cancel(CancelReason::User);
    // Behind the error nothing is read: the lexer would find a quote that is not closed, the grammar a word too many.
    for text in [
        long.clone(),
        format!("{long} '"),
        format!("{long} FROM FROM"),
        "SELECT 1".to_owned(),
    ] {
        let error = parse(&text, &ParseOptions::default()).unwrap_err();
        assert_eq!(error.sqlstate.as_str(), "57014", "{}", error.message);
    }
}
