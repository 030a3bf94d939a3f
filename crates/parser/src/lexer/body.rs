//! What stands between the quotes of a string.

use common::error::ErrorExt;
use common::pieces::{self, PIECE_BYTES};
use common::{PgError, Span, cancel};

use crate::escape;
use crate::lexer::{LexResult, Lexer, StringKind};

/// Parts of a string, between escapes and doubled quotes, between two looks at the cancel flag.
pub(super) const PARTS_PER_LOOK: usize = 1 << 14;

impl Lexer<'_> {
    /// Reads the body of a quoted string with its continuations; returns where the token ends.
    pub(super) fn string_body(
        &mut self,
        start: usize,
        body: usize,
        kind: StringKind,
        text: &mut String,
    ) -> LexResult<usize> {
        let mut at = body;
        let mut bytes = Vec::new();
        let mut warned = false;
        let mut parts = 0_usize;
        loop {
            parts += 1;
            if parts % PARTS_PER_LOOK == 0 {
                cancel::check()?;
            }
            let rest = self.bytes.get(at..).unwrap_or(&[]);
            let found = if matches!(kind, StringKind::Escape | StringKind::Legacy) {
                memchr::memchr2(b'\'', b'\\', rest)
            } else {
                memchr::memchr(b'\'', rest)
            };
            let Some(n) = found else {
                return Err(self.error(kind.unterminated(), start, self.bytes.len()));
            };
            match n > PIECE_BYTES {
                true => pieces::append_bytes(&cancel::current(), &rest[..n], &mut bytes)?,
                false => bytes.extend_from_slice(&rest[..n]),
            }
            at += n;
            if self.byte(at) == b'\\' {
                if kind == StringKind::Legacy && !warned {
                    warned = true;
                    self.warn_escape(start, self.byte(at + 1));
                }
                at = escape::backslash(self.text, (start, at), &mut bytes, self.options)?;
                continue;
            }
            at += 1;
            if self.byte(at) == b'\''
                && matches!(kind, StringKind::Plain | StringKind::Escape | StringKind::Legacy)
            {
                bytes.push(b'\'');
                at += 1;
                continue;
            }
            match self.continuation(at) {
                Some(next) => at = next,
                None => break,
            }
        }
        let verified = escape::verify_utf8(bytes)?;
        match text.is_empty() {
            true => *text = verified,
            false => text.push_str(&verified),
        }
        Ok(at)
    }

    /// `escape_string_warning`: once for each literal.
    #[cold]
    fn warn_escape(&mut self, start: usize, escaped: u8) {
        if !self.options.escape_string_warning {
            return;
        }
        let (what, hint) = match escaped {
            b'\'' => (
                "\\'",
                "Use '' to write quotes in strings, or use the escape string syntax (E'...').",
            ),
            b'\\' => (
                "\\\\",
                "Use the escape string syntax for backslashes, e.g., E'\\\\'.",
            ),
            _ => (
                "escape",
                "Use the escape string syntax for escapes, e.g., E'\\r\\n'.",
            ),
        };
        let text = format!("nonstandard use of {what} in a string literal");
        let code = common::sqlstate::NONSTANDARD_USE_OF_ESCAPE_CHARACTER;
        let warning = PgError::notice(common::error::Severity::Warning, code, text)
            .hint(hint)
            .at(Span::new(start as u32, start as u32));
        self.out.notices.push(*warning);
    }
}
