//! Tokens as PostgreSQL 18 cuts them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::families::textsearch::parser::DefaultParser;

fn tokens(text: &str) -> String {
    let all = DefaultParser::new(text).map(|(kind, token)| format!("{}|{token}", kind as i32));
    all.collect::<Vec<_>>().join("\n")
}

fn check(text: &str, expected: &[&str]) {
    assert_eq!(tokens(text), expected.join("\n"), "{text}");
}

#[test]
fn hosts_and_files() {
    check("example.com/ x", &["6|example.com", "12|/ ", "1|x"]);
    check("example.com/a", &["5|example.com/a", "6|example.com", "18|/a"]);
    check(
        "http://www.a.de:80/x?y=1",
        &["14|http://", "5|www.a.de:80/x?y=1", "6|www.a.de:80", "18|/x?y=1"],
    );
    check("a@b.com:80", &["4|a@b.com:80"]);
    check(
        "/usr/local ../a a.b ~/x",
        &[
            "19|/usr/local",
            "12| ..",
            "19|/a",
            "12| ",
            "19|a.b",
            "12| ~",
            "19|/x",
        ],
    );
}

#[test]
fn hyphens_and_numbers() {
    check("a-1b", &["15|a-1b", "11|a", "12|-", "9|1b"]);
    check("foo-12-bar", &["1|foo", "21|-12", "12|-", "1|bar"]);
    check("12-ab", &["22|12", "12|-", "1|ab"]);
    check("1.2.3 -1e5", &["8|1.2.3", "12| ", "7|-1e5"]);
}

#[test]
fn tags() {
    check(
        "<script>if a<b then</script> x&amp;y",
        &[
            "13|<script>",
            "12|if a",
            "12|<b then",
            "13|</script>",
            "12| ",
            "1|x",
            "23|&amp;",
            "1|y",
        ],
    );
}
