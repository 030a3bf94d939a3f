//! From the first byte to ReadyForQuery: encryption requests, cancel requests, start-up parameters, authentication, session.

use std::time::Duration;

use pglite::Session;

use crate::Shared;
use crate::auth;
use crate::report::Fatal;
use crate::stream::{Event, Stream};
use crate::wire::{Cursor, Malformed, Out};

/// Like `authentication_timeout`.
const LOGIN_TIME_MAX: Duration = Duration::from_secs(60);
const CANCEL_REQUEST: i32 = 80_877_102;
const SSL_REQUEST: i32 = 80_877_103;
const GSSENC_REQUEST: i32 = 80_877_104;
/// Newest protocol minor version that is spoken here.
const MINOR_MAX: i32 = 2;

/// What a client asks for in its start-up packet.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Protocol minor version after negotiation.
    pub minor: i32,
    /// Role.
    pub user: String,
    /// Database; the role's name if not given.
    pub database: String,
    /// `replication` was asked for.
    pub replication: bool,
    /// Settings in order, those of `options` first.
    pub settings: Vec<(String, String)>,
    /// `_pq_.` parameters, none of which exists.
    pub unknown: Vec<String>,
}

/// How the start went.
pub enum Start {
    /// A session runs.
    Session(Box<Session>, Request),
    /// Nothing to do any more: a cancel request, or the client has gone.
    Done,
}

/// Runs the start of a connection.
pub fn start(stream: &mut Stream, out: &mut Out, shared: &Shared) -> Result<Start, Fatal> {
    let Some(request) = read_request(stream, shared)? else {
        return Ok(Start::Done);
    };
    if request.replication {
        return Err(Fatal::new("0A000", "replication connections are not supported"));
    }
    if request.minor > MINOR_MAX || !request.unknown.is_empty() {
        negotiate(out, &request);
    }
    auth::authenticate(stream, out, shared, &request.user, LOGIN_TIME_MAX)?;
    if request.database != *shared.db.name() {
        let message = format!("database \"{}\" does not exist", request.database);
        return Err(Fatal::new("3D000", message));
    }
    let mut session = shared.db.session_as(&request.user)?;
    session.use_client_encoding();
    session.set_peer(stream.peer());
    for (name, value) in &request.settings {
        session.set_default(name, value)?;
    }
    Ok(Start::Session(Box::new(session), request))
}

/// Reads packets up to a start-up request; `None` after a cancel request.
fn read_request(stream: &mut Stream, shared: &Shared) -> Result<Option<Request>, Fatal> {
    // Each kind of encryption may be asked for once.
    let mut asked = Vec::new();
    loop {
        match stream.next_startup(Some(LOGIN_TIME_MAX)) {
            Ok(Event::Message(_)) => {}
            Ok(Event::Invalid(why)) => return Err(Fatal::protocol(why)),
            Ok(Event::Woken) if !shared.is_stopping() => continue,
            _ => return Ok(None),
        }
        let mut message = Cursor::new(stream.body());
        let code = message.i32().map_err(malformed)?;
        match code {
            SSL_REQUEST | GSSENC_REQUEST if !asked.contains(&code) => {
                asked.push(code);
                // Anything behind the request came before the answer: it could have been put there by somebody in the middle.
                if stream.has_buffered() {
                    let kind = if code == SSL_REQUEST {
                        "SSL"
                    } else {
                        "GSSAPI encryption"
                    };
                    let text = format!("received unencrypted data after {kind} request");
                    return Err(Fatal::protocol(text).detail(
                        "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.",
                    ));
                }
                if stream.send(b"N").is_err() {
                    return Ok(None);
                }
            }
            CANCEL_REQUEST => {
                if let Ok(pid) = message.i32() {
                    shared.cancel(pid, message.rest());
                }
                return Ok(None);
            }
            version if version >> 16 == 3 => {
                return parse_request(version & 0xffff, message).map(Some);
            }
            version => {
                let text = format!(
                    "unsupported frontend protocol {}.{}: server supports 3.0 to 3.{MINOR_MAX}",
                    version >> 16,
                    version & 0xffff
                );
                return Err(Fatal::new("0A000", text));
            }
        }
    }
}

fn malformed(e: Malformed) -> Fatal {
    Fatal::new(e.code, e.text)
}

fn parse_request(minor: i32, mut message: Cursor<'_>) -> Result<Request, Fatal> {
    let layout = || Fatal::protocol("invalid startup packet layout: expected terminator as last byte");
    let mut request = Request {
        minor,
        ..Request::default()
    };
    loop {
        let name = message.cstr().map_err(|_| layout())?;
        if name.is_empty() {
            break;
        }
        let value = message.cstr().map_err(|_| layout())?;
        match &*name {
            "user" => request.user = value.into_owned(),
            "database" => request.database = value.into_owned(),
            "options" => {
                let found = command_line_options(&value)?;
                request.settings.splice(0..0, found);
            }
            "replication" => request.replication = !matches!(&*value, "false" | "off" | "no" | "0"),
            _ if name.starts_with("_pq_.") => request.unknown.push(name.into_owned()),
            _ => request.settings.push((name.into_owned(), value.into_owned())),
        }
    }
    message.end().map_err(|_| layout())?;
    if request.user.is_empty() {
        return Err(Fatal::new(
            "28000",
            "no PostgreSQL user name specified in startup packet",
        ));
    }
    if request.database.is_empty() {
        request.database = request.user.clone();
    }
    Ok(request)
}

/// `-c name=value`, `-cname=value` and `--name=value`; a backslash takes the next character as it is.
fn command_line_options(text: &str) -> Result<Vec<(String, String)>, Fatal> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c.is_ascii_whitespace() {
            words.extend(word.take());
        } else {
            let c = if c == '\\' { chars.next().unwrap_or(c) } else { c };
            word.get_or_insert_default().push(c);
        }
    }
    words.extend(word);
    let mut settings = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let setting = if word == "-c" {
            words.next().unwrap_or_default()
        } else if let Some(s) = word.strip_prefix("-c").or_else(|| word.strip_prefix("--")) {
            s.to_owned()
        } else {
            let text = format!("invalid command-line argument for server process: {word}");
            return Err(Fatal::new("42601", text));
        };
        match setting.split_once('=') {
            Some((name, value)) => settings.push((name.replace('-', "_"), value.to_owned())),
            None => return Err(Fatal::new("42601", format!("-c {setting} requires a value"))),
        }
    }
    Ok(settings)
}

/// NegotiateProtocolVersion.
fn negotiate(out: &mut Out, request: &Request) {
    out.begin(b'v');
    out.i32((3 << 16) | request.minor.min(MINOR_MAX));
    out.i32(request.unknown.len() as i32);
    for name in &request.unknown {
        out.cstr(name);
    }
    out.end();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn options_are_split_like_a_command_line() {
        let found = command_line_options(r"-c a=b --search-path=x\ y -cz=1").unwrap();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            found,
            [pair("a", "b"), pair("search_path", "x y"), pair("z", "1")]
        );
        assert!(command_line_options("-x").is_err());
    }

    #[test]
    fn database_is_the_users_by_default() {
        let r = parse_request(0, Cursor::new(b"user\0joe\0application_name\0t\0\0")).unwrap();
        assert_eq!((r.user.as_str(), r.database.as_str()), ("joe", "joe"));
        assert_eq!(r.settings, [("application_name".to_owned(), "t".to_owned())]);
        assert!(parse_request(0, Cursor::new(b"user\0joe\0")).is_err());
        assert!(parse_request(0, Cursor::new(b"\0")).is_err());
    }
}
