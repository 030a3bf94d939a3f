//! Shared values made of long strings: copied a piece at a time, so that a cancelled statement ends before the value is there. The first touch of
//! new memory takes far longer than the copying.

use std::mem::MaybeUninit;
use std::sync::Arc;

use crate::cancel::CancelToken;
use crate::error::PgResult;
use crate::pieces::PIECE_BYTES;

/// A text as datums have it.
pub fn text(s: &str, cancel: &CancelToken) -> PgResult<Arc<str>> {
    if s.len() <= PIECE_BYTES {
        return Ok(s.into());
    }
    let bytes = bytes(s.as_bytes(), cancel)?;
    #[expect(
        unsafe_code,
        reason = "looking for wrong UTF-8 again, and a copy, would take as long again"
    )]
    // SAFETY: the bytes are those of a `str`, and an `Arc<str>` has the layout of an `Arc<[u8]>`, as the standard library relies on for the way back.
    let text = unsafe { Arc::from_raw(Arc::into_raw(bytes) as *const str) };
    Ok(text)
}

/// The same of bytes.
pub fn bytes(source: &[u8], cancel: &CancelToken) -> PgResult<Arc<[u8]>> {
    if source.len() <= PIECE_BYTES {
        return Ok(source.into());
    }
    let mut copy: Arc<[MaybeUninit<u8>]> = Arc::new_uninit_slice(source.len());
    let Some(room) = Arc::get_mut(&mut copy) else {
        return Ok(source.into()); // unreachable: nobody else has it yet
    };
    for (to, from) in room.chunks_mut(PIECE_BYTES).zip(source.chunks(PIECE_BYTES)) {
        cancel.check()?;
        to.iter_mut().zip(from).for_each(|(to, from)| {
            to.write(*from);
        });
    }
    #[expect(unsafe_code, reason = "the pieces are written one by one")]
    // SAFETY: both are of one length and were cut alike, so every byte was written.
    let copy = unsafe { copy.assume_init() };
    Ok(copy)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::cancel::CancelReason;

    use super::*;

    #[test]
    fn pieces_make_the_whole_unless_cancelled() {
        let cancel = CancelToken::new();
        for len in [0, 5, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES + 7] {
            let s = "Größe".repeat(len / 7 + 1);
            assert_eq!(*text(&s, &cancel).unwrap(), *s);
            assert_eq!(*bytes(s.as_bytes(), &cancel).unwrap(), *s.as_bytes());
        }
        cancel.cancel(CancelReason::User);
        let s = "x".repeat(PIECE_BYTES + 1);
        assert_eq!(text(&s, &cancel).unwrap_err().sqlstate.as_str(), "57014");
        assert_eq!(
            bytes(s.as_bytes(), &cancel).unwrap_err().sqlstate.as_str(),
            "57014"
        );
    }
}
