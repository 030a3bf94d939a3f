//! Errors and notices as messages.

use pglite::Severity;

use crate::wire::Out;

/// An error that ends the connection and that no engine code raised.
#[derive(Debug)]
pub struct Fatal {
    /// SQLSTATE.
    pub code: String,
    /// Primary message.
    pub message: String,
    /// DETAIL.
    pub detail: Option<String>,
    /// HINT.
    pub hint: Option<String>,
}

impl Fatal {
    /// With code and message.
    pub fn new(code: &str, message: impl Into<String>) -> Fatal {
        Fatal {
            code: code.to_owned(),
            message: message.into(),
            detail: None,
            hint: None,
        }
    }

    /// With a DETAIL.
    pub fn detail(mut self, text: &str) -> Fatal {
        self.detail = Some(text.to_owned());
        self
    }

    /// 08P01.
    pub fn protocol(message: impl Into<String>) -> Fatal {
        Fatal::new("08P01", message)
    }

    /// Writes it as ErrorResponse.
    pub fn write(&self, out: &mut Out) {
        out.begin(b'E');
        field(out, b'S', "FATAL");
        field(out, b'V', "FATAL");
        field(out, b'C', &self.code);
        field(out, b'M', &self.message);
        if let Some(detail) = &self.detail {
            field(out, b'D', detail);
        }
        if let Some(hint) = &self.hint {
            field(out, b'H', hint);
        }
        out.byte(0);
        out.end();
    }
}

impl From<pglite::Error> for Fatal {
    fn from(e: pglite::Error) -> Fatal {
        Fatal {
            code: e.code().to_owned(),
            message: e.message().to_owned(),
            detail: e.detail().map(str::to_owned),
            hint: e.hint().map(str::to_owned),
        }
    }
}

fn field(out: &mut Out, kind: u8, text: &str) {
    out.byte(kind);
    // A NUL would end the field early.
    match text.find('\0') {
        None => out.cstr(text),
        Some(at) => out.cstr(&text[..at]),
    }
}

/// Writes an error (ErrorResponse) or anything below (NoticeResponse).
pub fn write(e: &pglite::Error, out: &mut Out, severity: Severity) {
    out.begin(if severity >= Severity::Error { b'E' } else { b'N' });
    field(out, b'S', severity.as_str());
    field(out, b'V', severity.as_str());
    field(out, b'C', e.code());
    field(out, b'M', e.message());
    let texts = [
        (b'D', e.detail()),
        (b'H', e.hint()),
        (b'q', e.internal_query()),
        (b'W', e.context()),
        (b's', e.schema()),
        (b't', e.table()),
        (b'c', e.column()),
        (b'd', e.datatype()),
        (b'n', e.constraint()),
    ];
    for (kind, text) in texts {
        if let Some(text) = text {
            field(out, kind, text);
        }
    }
    for (kind, position) in [(b'P', e.position()), (b'p', e.internal_position())] {
        if let Some(position) = position {
            field(out, kind, &position.to_string());
        }
    }
    if let Some((file, line)) = e.source_location() {
        field(out, b'F', file);
        field(out, b'L', &line.to_string());
        let stem = file.rsplit('/').next().unwrap_or(file);
        field(out, b'R', stem.trim_end_matches(".rs"));
    }
    out.byte(0);
    out.end();
}
