//! Long texts of any encoding in pieces that end where characters end, so that whoever converts them can stop between two.

use common::pieces::boundary;

use super::Encoding;
use super::verify::char_length;

/// Bytes of a piece: about a millisecond's work.
const PIECE_BYTES: usize = 1 << 20;

/// False for encodings some of whose characters stand for two characters of Unicode: these may not be torn apart.
pub fn by_characters(to: Encoding) -> bool {
    !matches!(to, Encoding::EUC_JIS_2004 | Encoding::SHIFT_JIS_2004)
}

/// The pieces of bytes in an encoding. Bytes that are no characters of it are in some piece, too, in the order in which they come.
pub fn pieces(encoding: Encoding, bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at(first_piece(encoding, rest));
        rest = after;
        Some(piece).filter(|p| !p.is_empty())
    })
}

fn first_piece(encoding: Encoding, bytes: &[u8]) -> usize {
    let mut end = 0;
    while end < PIECE_BYTES {
        match bytes.get(end..) {
            Some(rest) if bytes.len() > PIECE_BYTES && !rest.is_empty() => {
                end += char_length(encoding, rest).max(1)
            }
            _ => return bytes.len(),
        }
    }
    end.min(bytes.len())
}

/// The pieces of a text that is to be in another encoding.
pub fn text_pieces(text: &str, to: Encoding) -> impl Iterator<Item = &str> {
    let length = if by_characters(to) {
        PIECE_BYTES
    } else {
        usize::MAX
    };
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = if rest.len() <= length {
            rest.len()
        } else {
            boundary(rest, length)
        };
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece).filter(|p| !p.is_empty())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;
    use crate::encoding::{convert, decode, encode};

    #[test]
    fn pieces_together_are_the_whole() {
        for name in ["UTF8", "EUC_JP", "LATIN1", "GB18030", "SJIS", "EUC_TW"] {
            let encoding = Encoding::by_name(name).expect("an encoding");
            for unit in ["aé", "日本x", "語"] {
                let Ok(one) = encode(unit, encoding) else { continue };
                let bytes = one.repeat(3 * PIECE_BYTES / one.len());
                let parts: Vec<&[u8]> = pieces(encoding, &bytes).collect();
                assert!(parts.len() >= 3 && parts.concat() == bytes, "{name}");
                let texts = parts
                    .iter()
                    .map(|p| decode(p, encoding).expect("whole characters").into_owned());
                assert!(texts.collect::<String>() == decode(&bytes, encoding).expect("a text"));
            }
        }
        // What is no character does not stop them.
        let broken = [b"\xff\xe4".repeat(PIECE_BYTES), b"\xe4".to_vec()].concat();
        assert_eq!(
            pieces(Encoding::UTF8, &broken).collect::<Vec<_>>().concat(),
            broken
        );
        assert!(convert(&broken, Encoding::UTF8, Encoding::UTF8).is_err());
    }

    #[test]
    fn texts_come_in_pieces_of_whole_characters() {
        let text = "aé日".repeat(PIECE_BYTES);
        let to = Encoding::by_name("EUC_JP").expect("an encoding");
        let parts: Vec<&str> = text_pieces(&text, to).collect();
        assert!(parts.len() > 5 && parts.concat() == text);
        let whole = Encoding::by_name("SHIFT_JIS_2004").expect("an encoding");
        assert_eq!(text_pieces(&text, whole).count(), 1);
    }
}
