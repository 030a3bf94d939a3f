//! Authentication: trust, or SCRAM-SHA-256 against the role's verifier.

use std::time::{Duration, Instant};

use crate::report::Fatal;
use crate::scram::{Exchange, Verifier};
use crate::stream::{Event, Stream};
use crate::wire::{Cursor, Malformed, Out};
use crate::{Auth, Shared};

const MECHANISM: &str = "SCRAM-SHA-256";

/// Lets a role in or not. On success AuthenticationOk is in the buffer.
pub fn authenticate(
    stream: &mut Stream,
    out: &mut Out,
    shared: &Shared,
    user: &str,
    time_max: Duration,
) -> Result<(), Fatal> {
    let role = shared.db.login_role(user)?;
    if shared.auth == Auth::ScramSha256 {
        let own = shared.superuser_verifier.clone().filter(|_| user == "postgres");
        let verifier = own.or_else(|| {
            let text = role.as_ref()?.verifier.as_ref()?;
            Verifier::parse(text)
        });
        let deadline = Instant::now() + time_max;
        scram(stream, out, user, verifier, deadline)?;
    }
    match role {
        None => Err(Fatal::new("28000", format!("role \"{user}\" does not exist"))),
        Some(r) if !r.can_login => {
            let text = format!("role \"{user}\" is not permitted to log in");
            Err(Fatal::new("28000", text))
        }
        Some(_) => {
            request(out, 0, b"");
            Ok(())
        }
    }
}

/// An Authentication message.
fn request(out: &mut Out, code: i32, data: &[u8]) {
    out.begin(b'R');
    out.i32(code);
    out.raw(data);
    out.end();
}

fn malformed(e: Malformed) -> Fatal {
    Fatal::new(e.code, e.text)
}

/// The exchange of RFC 5802. Without a verifier it runs to its end and fails, so that nobody learns which roles exist.
fn scram(
    stream: &mut Stream,
    out: &mut Out,
    user: &str,
    verifier: Option<Verifier>,
    deadline: Instant,
) -> Result<(), Fatal> {
    let failed = || {
        let text = format!("password authentication failed for user \"{user}\"");
        Fatal::new("28P01", text)
    };
    let known = verifier.is_some();
    let verifier = match verifier {
        Some(v) => v,
        None => Verifier::unknown().map_err(|e| Fatal::new("XX000", e.to_string()))?,
    };
    request(out, 10, b"SCRAM-SHA-256\0\0");
    let first = password_message(stream, out, deadline)?;
    let mut message = Cursor::new(&first);
    let mechanism = message.cstr().map_err(malformed)?;
    if mechanism != MECHANISM {
        return Err(Fatal::protocol(
            "client selected an invalid SASL authentication mechanism",
        ));
    }
    let len = message.i32().map_err(malformed)?;
    let data = message
        .take(usize::try_from(len).unwrap_or(0))
        .map_err(malformed)?;
    let mut nonce = [0; 18];
    getrandom::fill(&mut nonce).map_err(|e| Fatal::new("XX000", e.to_string()))?;
    let exchange = Exchange::begin(verifier, data, &nonce).map_err(Fatal::protocol)?;
    request(out, 11, exchange.server_first().as_bytes());
    let last = password_message(stream, out, deadline)?;
    match exchange.finish(&last).map_err(Fatal::protocol)? {
        Some(server_final) if known => {
            request(out, 12, server_final.as_bytes());
            Ok(())
        }
        _ => Err(failed()),
    }
}

/// Sends what waits and reads one password message.
fn password_message(stream: &mut Stream, out: &mut Out, deadline: Instant) -> Result<Vec<u8>, Fatal> {
    let gone = || Fatal::new("08006", "client is gone");
    stream.send(out.bytes()).map_err(|_| gone())?;
    out.clear();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match stream.next_limited(Some(left), 65_535) {
            Ok(Event::Message(b'p')) => return Ok(stream.body().to_vec()),
            Ok(Event::Message(kind)) => {
                let text = format!("expected SASL response, got message type {kind}");
                return Err(Fatal::protocol(text));
            }
            Ok(Event::Invalid(why)) => return Err(Fatal::protocol(why)),
            Ok(Event::Woken) => {}
            Ok(Event::TimedOut) => {
                return Err(Fatal::new("57014", "canceling authentication due to timeout"));
            }
            Ok(Event::Closed) | Err(_) => return Err(gone()),
        }
    }
}
