//! The checksum that every stored value carries.
//!
//! # Format
//! `value bytes` + `CRC-32C, 4 bytes little endian`, the checksum taken over keyspace (8 bytes big endian), key and value. With keyspace
//! and key in it, a value that turns up under another key (a page written to the wrong place) is found out too.

use crate::{Keyspace, KvError, KvResult};

/// What sealing adds to a value.
pub(crate) const CHECKSUM_BYTES: usize = 4;

fn checksum(keyspace: Keyspace, key: &[u8], value: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let crc = crc32c::crc32c(&keyspace.0.to_be_bytes());
    let crc = crc32c::crc32c_append(crc, key);
    crc32c::crc32c_append(crc, value).to_le_bytes()
}

/// Writes value and checksum into `stored`, which is [`CHECKSUM_BYTES`] longer than the value.
pub(crate) fn seal_into(keyspace: Keyspace, key: &[u8], value: &[u8], stored: &mut [u8]) {
    if let Some((target, sum)) = stored.split_last_chunk_mut() {
        target.copy_from_slice(value);
        *sum = checksum(keyspace, key, value);
    }
}

/// Appends the checksum.
#[cfg(any(feature = "sled", test))]
pub(crate) fn seal(keyspace: Keyspace, key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    let sum = checksum(keyspace, key, &value);
    value.extend_from_slice(&sum);
    value
}

/// Takes the checksum off, after a look at it.
pub(crate) fn unseal<'a>(keyspace: Keyspace, key: &[u8], stored: &'a [u8]) -> KvResult<&'a [u8]> {
    match stored.split_last_chunk() {
        Some((value, sum)) if *sum == checksum(keyspace, key, value) => Ok(value),
        _ => Err(KvError::Corrupt(format!(
            "checksum mismatch in keyspace {} of the key-value store",
            keyspace.0
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_flipped_bit_and_every_move_is_found() {
        let keyspace = Keyspace(7);
        let sealed = seal(keyspace, b"key", b"value".to_vec());
        let mut in_place = [0; 5 + CHECKSUM_BYTES];
        seal_into(keyspace, b"key", b"value", &mut in_place);
        assert_eq!(sealed, in_place);
        assert_eq!(unseal(keyspace, b"key", &sealed).unwrap(), b"value");
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(keyspace, b"key", &damaged).is_err());
        }
        assert!(unseal(keyspace, b"kez", &sealed).is_err());
        assert!(unseal(Keyspace(8), b"key", &sealed).is_err());
        assert!(unseal(keyspace, b"key", b"abc").is_err());
    }

    #[test]
    fn the_format_does_not_change_by_accident() {
        assert_eq!(
            seal(Keyspace(1), b"k", b"v".to_vec()),
            [b'v', 0xd7, 0x9f, 0xca, 0x38]
        );
    }
}
