//! Long blanks, comments and strings end soon when the statement is cancelled.
#![allow(clippy::unwrap_used)]

use common::cancel::{CancelReason, CancelToken};

use super::body::PARTS_PER_LOOK;
use super::*;

fn lexer<'a>(text: &'a str, options: &'a ParseOptions) -> Lexer<'a> {
    Lexer {
        text,
        bytes: text.as_bytes(),
        options,
        decoding: false,
        out: tokenize("", options),
    }
}

#[test]
fn long_tokens_are_read_until_cancelled() {
    let options = ParseOptions::default();
    let blank = " ".repeat(PIECE_BYTES + 9);
    let comment = format!("/*{}*/", "/**/".repeat(PIECE_BYTES / 4 + 9));
    let plain = "x".repeat(PIECE_BYTES + 9);
    let bodies = [
        (
            StringKind::Plain,
            format!("'{}'", "''".repeat(PARTS_PER_LOOK + 1)),
        ),
        (
            StringKind::Escape,
            format!("'{}'", "\\n".repeat(PARTS_PER_LOOK + 1)),
        ),
        (StringKind::Plain, format!("'{plain}'")),
    ];
    let body = |text: &str, kind| {
        let mut out = String::new();
        let end = lexer(text, &options).string_body(0, 1, kind, &mut out);
        end.map(|end| (end, out.len()))
    };
    let dots = format!("SELECT {}b", "a.".repeat(10_000));
    assert_eq!(lexer(&blank, &options).skip_blank(0).unwrap(), blank.len());
    assert_eq!(
        lexer(&comment, &options).block_comment_end(0).unwrap(),
        comment.len()
    );
    for (kind, text) in bodies.clone() {
        let wanted = if text.len() > PIECE_BYTES {
            plain.len()
        } else {
            PARTS_PER_LOOK + 1
        };
        assert_eq!(body(&text, kind).unwrap(), (text.len(), wanted));
    }
    assert!(crate::parse(&dots, &options).is_ok());

    let cancel = CancelToken::new();
    let _entered = cancel.enter();
    cancel.cancel(CancelReason::User);
    let told = |e: Box<PgError>| assert_eq!(e.sqlstate.as_str(), "57014");
    told(lexer(&blank, &options).skip_blank(0).unwrap_err().1);
    told(lexer(&comment, &options).block_comment_end(0).unwrap_err());
    for (kind, text) in bodies {
        told(body(&text, kind).unwrap_err());
    }
}
