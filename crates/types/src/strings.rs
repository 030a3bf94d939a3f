//! A column of byte strings: 16-byte views over shared buffers, so that gathering copies no payload.
//!
//! # How it works
//! A view holds the length and either the bytes themselves (up to 12) or a 4-byte prefix, a buffer number and an offset.
//! Appending goes to the last buffer while this column alone owns it; a gather shares the source's buffers.
//!
//! # Invariants
//! - Every view lies inside its buffer.
//! - A column inside `VectorData::Text` was only ever filled from `&str`, or from another such column.

use std::ops::Range;
use std::sync::Arc;

const INLINE: usize = 12;

/// A string of so many bytes may be a buffer by itself.
const OWN_BUFFER: usize = 64 << 10;
/// Buffers grow up to here.
const GROWING_MAX: usize = 16 << 20;

/// One string: inline or a reference into a buffer.
#[derive(Clone, Copy, Debug, Default)]
struct View {
    len: u32,
    /// Up to 12 bytes inline; else prefix (4), buffer number (4, LE), offset (4, LE).
    data: [u8; INLINE],
}

impl View {
    fn buffer(&self) -> (usize, usize) {
        let [_, _, _, _, b0, b1, b2, b3, o0, o1, o2, o3] = self.data;
        (
            u32::from_le_bytes([b0, b1, b2, b3]) as usize,
            u32::from_le_bytes([o0, o1, o2, o3]) as usize,
        )
    }

    fn outline(bytes: &[u8], buffer: u32, offset: u32) -> View {
        let mut data = [0; INLINE];
        data[..4].copy_from_slice(&bytes[..4]);
        data[4..8].copy_from_slice(&buffer.to_le_bytes());
        data[8..].copy_from_slice(&offset.to_le_bytes());
        View {
            len: bytes.len() as u32,
            data,
        }
    }

    fn inline(bytes: &[u8]) -> View {
        let mut data = [0; INLINE];
        data[..bytes.len()].copy_from_slice(bytes);
        View {
            len: bytes.len() as u32,
            data,
        }
    }
}

/// A column of byte strings (or UTF-8 texts).
#[derive(Clone, Debug, Default)]
pub struct StringColumn {
    views: Vec<View>,
    buffers: Vec<Arc<Vec<u8>>>,
}

impl StringColumn {
    /// `len` empty strings.
    pub fn empty_strings(len: usize) -> StringColumn {
        StringColumn {
            views: vec![View::default(); len],
            buffers: Vec::new(),
        }
    }

    /// No strings, with room for `capacity`.
    pub fn with_capacity(capacity: usize) -> StringColumn {
        StringColumn {
            views: Vec::with_capacity(capacity),
            buffers: Vec::new(),
        }
    }

    /// Makes room for so many strings more, and so many bytes of those that are not short.
    pub fn reserve(&mut self, strings: usize, bytes: usize) {
        self.views.reserve(strings);
        if bytes > 0 && self.buffers.is_empty() {
            let buffer = Vec::with_capacity(bytes.min(GROWING_MAX));
            self.buffers.push(Arc::new(buffer));
        }
    }

    /// Bytes in its buffers.
    pub fn buffered_bytes(&self) -> usize {
        self.buffers.iter().map(|buffer| buffer.len()).sum()
    }

    /// Number of strings.
    #[inline]
    pub fn len(&self) -> usize {
        self.views.len()
    }

    /// True for a column without strings.
    pub fn is_empty(&self) -> bool {
        self.views.is_empty()
    }

    /// The bytes of string `i`.
    #[inline]
    pub fn bytes(&self, i: usize) -> &[u8] {
        let view = &self.views[i];
        let len = view.len as usize;
        if len <= INLINE {
            return &view.data[..len];
        }
        let (buffer, offset) = view.buffer();
        &self.buffers[buffer][offset..offset + len]
    }

    /// Where string `i` lies: number of a buffer and offset in it; `None` for a short string, which lies in no buffer.
    #[inline]
    pub fn place(&self, i: usize) -> Option<(usize, usize)> {
        let view = &self.views[i];
        (view.len as usize > INLINE).then(|| view.buffer())
    }

    /// A buffer that strings lie in.
    #[inline]
    pub fn buffer(&self, number: usize) -> &[u8] {
        &self.buffers[number]
    }

    /// String `i` as text. Only for columns filled from `&str` (class `Text`).
    #[inline]
    #[expect(
        unsafe_code,
        reason = "validating UTF-8 again on every access would dominate string kernels"
    )]
    pub fn str(&self, i: usize) -> &str {
        debug_assert!(std::str::from_utf8(self.bytes(i)).is_ok());
        // SAFETY: `VectorData::Text` columns are filled by `push_str`/`set_str` and by gathers of such columns only.
        unsafe { std::str::from_utf8_unchecked(self.bytes(i)) }
    }

    /// Equality of two strings, deciding most unequal pairs on length and prefix alone.
    #[inline]
    pub fn equal(&self, i: usize, other: &StringColumn, j: usize) -> bool {
        let (a, b) = (&self.views[i], &other.views[j]);
        // What lies inline is followed by zeros.
        let inline = a.len as usize <= INLINE;
        a.len == b.len
            && a.data[..4] == b.data[..4]
            && if inline {
                a.data == b.data
            } else {
                self.bytes(i) == other.bytes(j)
            }
    }

    /// String `i` with blanks up to `len` bytes, as a column of its own.
    pub fn padded(&self, i: usize, len: usize) -> StringColumn {
        let mut bytes = self.bytes(i).to_vec();
        bytes.resize(len.max(bytes.len()), b' ');
        let mut out = StringColumn::default();
        out.push_bytes(&bytes);
        out
    }

    /// Length of string `i` in bytes.
    #[inline]
    pub fn byte_len(&self, i: usize) -> usize {
        self.views[i].len as usize
    }

    fn make_view(&mut self, bytes: &[u8]) -> View {
        if bytes.len() <= INLINE {
            return View::inline(bytes);
        }
        // A long buffer is not moved to make it longer.
        let fits = |b: &Arc<Vec<u8>>| {
            let len = b.len() + bytes.len();
            len <= b.capacity() || len <= GROWING_MAX
        };
        let room = self
            .buffers
            .last_mut()
            .is_some_and(|b| fits(b) && Arc::get_mut(b).is_some());
        if !room {
            self.buffers
                .push(Arc::new(Vec::with_capacity(bytes.len().max(4096))));
        }
        let number = self.buffers.len() - 1;
        let Some(buffer) = self.buffers.last_mut().and_then(Arc::get_mut) else {
            return View::default(); // unreachable: the last buffer is ours alone, just checked or just made
        };
        let offset = buffer.len() as u32;
        buffer.extend_from_slice(bytes);
        View::outline(bytes, number as u32, offset)
    }

    /// Appends bytes.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        let view = self.make_view(bytes);
        self.views.push(view);
    }

    /// Appends strings that lie behind each other, by their lengths, which together are not longer than `bytes`.
    pub fn extend_strings(&mut self, bytes: &[u8], lengths: impl Iterator<Item = usize>) {
        let fits = |b: &Arc<Vec<u8>>| b.len() + bytes.len() <= u32::MAX as usize;
        let room = self
            .buffers
            .last_mut()
            .is_some_and(|b| fits(b) && Arc::get_mut(b).is_some());
        if !room {
            self.buffers
                .push(Arc::new(Vec::with_capacity(bytes.len().max(4096))));
        }
        let number = self.buffers.len() - 1;
        let Some(buffer) = self.buffers.last_mut().and_then(Arc::get_mut) else {
            return; // unreachable: the last buffer is ours alone, just checked or just made
        };
        let base = buffer.len();
        buffer.extend_from_slice(bytes);
        let mut start = 0;
        self.views.extend(lengths.map(|len| {
            let string = &bytes[start..start + len];
            let offset = base + start;
            start += len;
            match len <= INLINE {
                true => View::inline(string),
                false => View::outline(string, number as u32, offset as u32),
            }
        }));
    }

    /// Appends text.
    pub fn push_str(&mut self, s: &str) {
        self.push_bytes(s.as_bytes());
    }

    /// Replaces string `i` (the old bytes stay in their buffer).
    #[inline]
    pub fn set_bytes(&mut self, i: usize, bytes: &[u8]) {
        self.views[i] = self.make_view(bytes);
    }

    /// Replaces string `i`.
    #[inline]
    pub fn set_str(&mut self, i: usize, s: &str) {
        self.set_bytes(i, s.as_bytes());
    }

    /// Replaces string `i` with bytes that become a buffer, if they are many.
    pub fn set_owned(&mut self, i: usize, mut bytes: Vec<u8>) {
        if bytes.len() < OWN_BUFFER {
            return self.set_bytes(i, &bytes);
        }
        if bytes.capacity() / 2 > bytes.len() {
            bytes.shrink_to_fit();
        }
        self.views[i] = View::outline(&bytes, self.buffers.len() as u32, 0);
        self.buffers.push(Arc::new(bytes));
    }

    /// Forgets the strings from `len` on (their bytes stay).
    pub fn truncate(&mut self, len: usize) {
        self.views.truncate(len);
    }

    /// The strings at `positions`, sharing buffers.
    pub fn gather(&self, positions: impl Iterator<Item = usize>) -> StringColumn {
        StringColumn {
            views: positions.map(|i| self.views[i]).collect(),
            buffers: self.buffers.clone(),
        }
    }

    /// Strings that lie in a buffer, which they share; no more than 4 GB long.
    pub fn of_places(buffer: &Arc<Vec<u8>>, places: impl Iterator<Item = Range<usize>>) -> StringColumn {
        let view = |place: Range<usize>| {
            let (offset, bytes) = (place.start, &buffer[place]);
            match bytes.len() <= INLINE {
                true => View::inline(bytes),
                false => View::outline(bytes, 0, offset as u32),
            }
        };
        StringColumn {
            views: places.map(view).collect(),
            buffers: vec![Arc::clone(buffer)],
        }
    }

    /// Gives back room that nothing lies in.
    pub fn shrink_to_fit(&mut self) {
        self.views.shrink_to_fit();
        if let Some(buffer) = self.buffers.last_mut().and_then(Arc::get_mut) {
            buffer.shrink_to_fit();
        }
    }

    /// Appends string `j` of another column, copying its bytes.
    pub fn push_from(&mut self, other: &StringColumn, j: usize) {
        self.push_bytes(other.bytes(j));
    }

    /// Bytes held, shared buffers counted in full.
    pub fn memory_bytes(&self) -> usize {
        self.views.len() * size_of::<View>() + self.buffers.iter().map(|b| b.len()).sum::<usize>()
    }
}

impl PartialEq for StringColumn {
    fn eq(&self, other: &StringColumn) -> bool {
        self.len() == other.len() && (0..self.len()).all(|i| self.equal(i, other, i))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_and_outline_strings_survive_gather_and_append() {
        let mut c = StringColumn::default();
        for s in [
            "",
            "twelve bytes",
            "thirteen byte",
            "a much longer string than that",
        ] {
            c.push_str(s);
        }
        let mut g = c.gather([3, 1, 2].into_iter());
        g.push_str("appended after sharing the buffers");
        c.push_str("and the source goes on");
        assert_eq!(g.str(0), "a much longer string than that");
        assert_eq!(g.str(1), "twelve bytes");
        assert_eq!(g.str(3), "appended after sharing the buffers");
        assert_eq!(c.str(4), "and the source goes on");
        assert!(c.equal(2, &g, 2) && !c.equal(1, &g, 2));
    }
}
