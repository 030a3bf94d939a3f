//! SCRAM-SHA-256, the server's side (RFC 5802, RFC 7677), without channel binding.
//!
//! # How it works
//! 1. Client: `n,,n=,r=CLIENT`. Server: `r=CLIENT+SERVER,s=SALT,i=ITERATIONS`.
//! 2. Client: `c=biws,r=CLIENT+SERVER,p=PROOF`, where PROOF = ClientKey XOR HMAC(StoredKey, AuthMessage).
//! 3. The server knows StoredKey = SHA256(ClientKey) only, so it takes the proof apart and compares hashes; it answers
//!    `v=HMAC(ServerKey, AuthMessage)` to prove itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

type Key = [u8; 32];

/// Iterations for verifiers made here, as `scram_iterations` has by default.
const ITERATIONS: u32 = 4096;

/// What is stored instead of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Key {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn xor(a: &Key, b: &Key) -> Key {
    std::array::from_fn(|i| a[i] ^ b[i])
}

/// Takes the same time wherever the difference is.
fn same(a: &Key, b: &Key) -> bool {
    a.iter().zip(b).fold(0, |d, (x, y)| d | (x ^ y)) == 0
}

impl Verifier {
    /// From `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
    pub fn parse(text: &str) -> Option<Verifier> {
        let rest = text.strip_prefix("SCRAM-SHA-256$")?;
        let (head, keys) = rest.split_once('$')?;
        let (iterations, salt) = head.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        let key = |s: &str| Key::try_from(BASE64.decode(s).ok()?).ok();
        Some(Verifier {
            iterations: iterations.parse().ok()?,
            salt: BASE64.decode(salt).ok()?,
            stored_key: key(stored)?,
            server_key: key(server)?,
        })
    }

    /// For a password, with a random salt.
    pub fn from_password(password: &str) -> Result<Verifier, getrandom::Error> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)?;
        Ok(Verifier::derive(password, &salt, ITERATIONS))
    }

    /// One that no password fits.
    pub fn unknown() -> Result<Verifier, getrandom::Error> {
        let mut random = [0; 80];
        getrandom::fill(&mut random)?;
        let part = |from: usize| std::array::from_fn(|i| random[from + i]);
        Ok(Verifier {
            iterations: ITERATIONS,
            salt: random[..16].to_vec(),
            stored_key: part(16),
            server_key: part(48),
        })
    }

    fn derive(password: &str, salt: &[u8], iterations: u32) -> Verifier {
        // PBKDF2 with one block of output.
        let mut u = hmac(password.as_bytes(), &[salt, &1_u32.to_be_bytes()]);
        let mut salted = u;
        for _ in 1..iterations {
            u = hmac(password.as_bytes(), &[&u]);
            salted = xor(&salted, &u);
        }
        let client_key = hmac(&salted, &[b"Client Key"]);
        Verifier {
            iterations,
            salt: salt.to_vec(),
            stored_key: Sha256::digest(client_key).into(),
            server_key: hmac(&salted, &[b"Server Key"]),
        }
    }
}

/// An exchange after the client's first message.
pub struct Exchange {
    verifier: Verifier,
    gs2_header: String,
    client_first_bare: String,
    nonce: String,
    server_first: String,
}

/// The value of an attribute that must be the next one.
fn attribute<'a>(parts: &mut std::str::Split<'a, char>, name: char) -> Result<&'a str, &'static str> {
    let part = parts.next().ok_or("malformed SCRAM message")?;
    let mut chars = part.chars();
    if chars.next() == Some(name) && chars.next() == Some('=') {
        return Ok(&part[2..]);
    }
    Err("malformed SCRAM message")
}

impl Exchange {
    /// Takes the client's first message.
    pub fn begin(verifier: Verifier, client_first: &[u8], nonce: &[u8]) -> Result<Exchange, &'static str> {
        let text = std::str::from_utf8(client_first).map_err(|_| "malformed SCRAM message")?;
        let mut header = text.splitn(3, ',');
        let (binding, authzid, bare) = (header.next(), header.next(), header.next());
        let (Some(binding), Some(authzid), Some(bare)) = (binding, authzid, bare) else {
            return Err("malformed SCRAM message");
        };
        match binding {
            "n" | "y" => {}
            _ => return Err("client requires SCRAM channel binding, but it is not supported"),
        }
        if !authzid.is_empty() {
            return Err("client uses authorization identity, but it is not supported");
        }
        let mut parts = bare.split(',');
        attribute(&mut parts, 'n')?;
        let client_nonce = attribute(&mut parts, 'r')?;
        if client_nonce.is_empty() || !client_nonce.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("non-printable characters in SCRAM nonce");
        }
        let nonce = format!("{client_nonce}{}", BASE64.encode(nonce));
        let salt = BASE64.encode(&verifier.salt);
        Ok(Exchange {
            server_first: format!("r={nonce},s={salt},i={}", verifier.iterations),
            gs2_header: format!("{binding},,"),
            client_first_bare: bare.to_owned(),
            nonce,
            verifier,
        })
    }

    /// The server's first message.
    pub fn server_first(&self) -> &str {
        &self.server_first
    }

    /// Takes the client's proof: the server's last message, or `None` when the password was wrong.
    pub fn finish(&self, client_final: &[u8]) -> Result<Option<String>, &'static str> {
        let text = std::str::from_utf8(client_final).map_err(|_| "malformed SCRAM message")?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or("malformed SCRAM message")?;
        let mut parts = without_proof.split(',');
        let binding = attribute(&mut parts, 'c')?;
        if binding != BASE64.encode(&self.gs2_header) {
            return Err("unexpected SCRAM channel-binding attribute in client-final-message");
        }
        if attribute(&mut parts, 'r')? != self.nonce {
            return Err("invalid SCRAM response");
        }
        let proof = BASE64.decode(proof).ok().and_then(|p| Key::try_from(p).ok());
        let proof = proof.ok_or("malformed SCRAM message")?;
        let message = [
            &self.client_first_bare,
            ",",
            &self.server_first,
            ",",
            without_proof,
        ]
        .map(str::as_bytes);
        let client_key = xor(&proof, &hmac(&self.verifier.stored_key, &message));
        if !same(&Sha256::digest(client_key).into(), &self.verifier.stored_key) {
            return Ok(None);
        }
        let signature = hmac(&self.verifier.server_key, &message);
        Ok(Some(format!("v={}", BASE64.encode(signature))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The example of RFC 7677 with its salt, iterations and password.
    #[test]
    fn verifier_of_rfc_7677() {
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let v = Verifier::derive("pencil", &salt, 4096);
        let auth = b"n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let signature = BASE64.encode(hmac(&v.server_key, &[auth]));
        assert_eq!(signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn wrong_proof_is_refused() {
        let v = Verifier::derive("a", b"salt", 2);
        let x = Exchange::begin(v, b"n,,n=,r=abc", b"xyz").unwrap();
        let proof = BASE64.encode([7; 32]);
        let reply = format!("c=biws,r={},p={proof}", x.nonce);
        assert_eq!(x.finish(reply.as_bytes()), Ok(None));
        assert!(x.finish(b"c=biws,r=abc,p=").is_err());
    }
}
