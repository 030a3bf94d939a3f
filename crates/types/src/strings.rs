//! A column of byte strings: 16-byte views over shared buffers, so that gathering copies no payload.
//!
//! # How it works
//! A view holds the length and either the bytes themselves (up to 12) or a 4-byte prefix, a buffer number and an offset.
//! Appending goes to the last buffer while this column alone owns it; a gather shares the source's buffers. Long datums are shared, too.
//!
//! # Invariants
//! - Every view lies inside its buffer; one into a buffer of one string is all of it.
//! - A column inside `VectorData::Text` was only ever filled from `&str`, or from another such column.

use std::ops::{Deref, Range};
use std::sync::Arc;

use common::cancel::{self, CancelToken};
use common::{PgResult, long};

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

/// Where strings lie.
#[derive(Clone, Debug)]
enum Buffer {
    /// Many strings; one column alone may add some.
    Strings(Arc<Vec<u8>>),
    /// One long string, which datums may have, too.
    Text(Arc<str>),
    /// The same of bytes.
    Bytes(Arc<[u8]>),
}

/// Bytes from which on a buffer is worth a thread when it is freed: unmapping takes about as long as copying.
const LARGE: usize = 16 << 20;

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.len() < LARGE {
            return;
        }
        match self {
            Buffer::Strings(bytes) => cancel::discard_if_cancelled(std::mem::take(bytes)),
            Buffer::Text(text) => cancel::discard_if_cancelled(std::mem::replace(text, Arc::from(""))),
            Buffer::Bytes(bytes) => cancel::discard_if_cancelled(std::mem::replace(bytes, Arc::from([]))),
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Buffer::Strings(bytes) => bytes,
            Buffer::Text(text) => text.as_bytes(),
            Buffer::Bytes(bytes) => bytes,
        }
    }
}

impl Buffer {
    /// To add strings to, if nobody else has it.
    fn growing(&mut self) -> Option<&mut Vec<u8>> {
        match self {
            Buffer::Strings(bytes) => Arc::get_mut(bytes),
            Buffer::Text(_) | Buffer::Bytes(_) => None,
        }
    }
}

/// A column of byte strings (or UTF-8 texts).
#[derive(Clone, Debug, Default)]
pub struct StringColumn {
    views: Vec<View>,
    buffers: Vec<Buffer>,
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
            self.buffers.push(Buffer::Strings(Arc::new(buffer)));
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
        let fits = |b: &Vec<u8>| {
            let len = b.len() + bytes.len();
            len <= b.capacity() || len <= GROWING_MAX
        };
        let Some((number, buffer)) = self.growing(fits, bytes.len()) else {
            return View::default(); // unreachable: the last buffer is ours alone
        };
        let offset = buffer.len() as u32;
        buffer.extend_from_slice(bytes);
        View::outline(bytes, number as u32, offset)
    }

    /// The last buffer, if it is this column's alone and has room, or else a new one; and its number.
    #[inline]
    fn growing(&mut self, fits: impl Fn(&Vec<u8>) -> bool, bytes: usize) -> Option<(usize, &mut Vec<u8>)> {
        let last = self.buffers.last_mut().and_then(Buffer::growing);
        if !last.is_some_and(|buffer| fits(buffer)) {
            let buffer = Vec::with_capacity(bytes.max(4096));
            self.buffers.push(Buffer::Strings(Arc::new(buffer)));
        }
        let number = self.buffers.len() - 1;
        Some((number, self.buffers.last_mut()?.growing()?))
    }

    /// A string that is a buffer, if it is long.
    fn value_view(&mut self, buffer: Buffer) -> View {
        if buffer.len() < OWN_BUFFER {
            return self.make_view(&buffer);
        }
        let view = View::outline(&buffer, self.buffers.len() as u32, 0);
        self.buffers.push(buffer);
        view
    }

    /// Appends a text; a long one is shared.
    #[inline]
    pub fn push_text(&mut self, text: &Arc<str>) {
        let view = match text.len() < OWN_BUFFER {
            true => self.make_view(text.as_bytes()),
            false => self.value_view(Buffer::Text(Arc::clone(text))),
        };
        self.views.push(view);
    }

    /// Appends bytes; many are shared.
    #[inline]
    pub fn push_shared_bytes(&mut self, bytes: &Arc<[u8]>) {
        let view = match bytes.len() < OWN_BUFFER {
            true => self.make_view(bytes),
            false => self.value_view(Buffer::Bytes(Arc::clone(bytes))),
        };
        self.views.push(view);
    }

    /// Replaces string `i` by a text; a long one is shared.
    #[inline]
    pub fn set_text(&mut self, i: usize, text: &Arc<str>) {
        self.views[i] = match text.len() < OWN_BUFFER {
            true => self.make_view(text.as_bytes()),
            false => self.value_view(Buffer::Text(Arc::clone(text))),
        };
    }

    /// Replaces string `i` by bytes; many are shared.
    #[inline]
    pub fn set_shared_bytes(&mut self, i: usize, bytes: &Arc<[u8]>) {
        self.views[i] = match bytes.len() < OWN_BUFFER {
            true => self.make_view(bytes),
            false => self.value_view(Buffer::Bytes(Arc::clone(bytes))),
        };
    }

    /// The buffer that string `i` is, if it is one.
    #[inline]
    fn value_buffer(&self, i: usize) -> Option<&Buffer> {
        let view = &self.views[i];
        if (view.len as usize) < OWN_BUFFER {
            return None;
        }
        let buffer = &self.buffers[view.buffer().0];
        match buffer {
            Buffer::Strings(_) => None,
            Buffer::Text(_) | Buffer::Bytes(_) => Some(buffer),
        }
    }

    /// The buffer that string `i` lies in, if it is long and takes most of it.
    #[inline]
    fn mostly(&self, i: usize) -> Option<&Buffer> {
        let view = &self.views[i];
        let len = view.len as usize;
        if len < OWN_BUFFER {
            return None;
        }
        let buffer = &self.buffers[view.buffer().0];
        (buffer.len() / 2 < len).then_some(buffer)
    }

    /// String `i` as a datum. Only for columns filled from `&str` (class `Text`).
    #[inline]
    pub fn text_datum(&self, i: usize) -> Arc<str> {
        match self.value_buffer(i) {
            Some(Buffer::Text(text)) => Arc::clone(text),
            _ => self.str(i).into(),
        }
    }

    /// The same of a long string that may have to be copied.
    pub fn long_text(&self, i: usize, cancel: &CancelToken) -> PgResult<Arc<str>> {
        match self.value_buffer(i) {
            Some(Buffer::Text(text)) => Ok(Arc::clone(text)),
            _ => long::text(self.str(i), cancel),
        }
    }

    /// The same of bytes.
    pub fn long_bytes(&self, i: usize, cancel: &CancelToken) -> PgResult<Arc<[u8]>> {
        match self.value_buffer(i) {
            Some(Buffer::Bytes(bytes)) => Ok(Arc::clone(bytes)),
            _ => long::bytes(self.bytes(i), cancel),
        }
    }

    /// The bytes of string `i` as a datum.
    #[inline]
    pub fn bytes_datum(&self, i: usize) -> Arc<[u8]> {
        match self.value_buffer(i) {
            Some(Buffer::Bytes(bytes)) => Arc::clone(bytes),
            _ => self.bytes(i).into(),
        }
    }

    /// Appends bytes.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        let view = self.make_view(bytes);
        self.views.push(view);
    }

    /// Appends strings that lie behind each other, by their lengths, which together are not longer than `bytes`.
    pub fn extend_strings(&mut self, bytes: &[u8], lengths: impl Iterator<Item = usize>) {
        let fits = |b: &Vec<u8>| b.len() + bytes.len() <= u32::MAX as usize;
        let Some((number, buffer)) = self.growing(fits, bytes.len()) else {
            return; // unreachable: the last buffer is ours alone
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
        self.buffers.push(Buffer::Strings(Arc::new(bytes)));
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
            buffers: vec![Buffer::Strings(Arc::clone(buffer))],
        }
    }

    /// Gives back room that nothing lies in.
    pub fn shrink_to_fit(&mut self) {
        self.views.shrink_to_fit();
        if let Some(buffer) = self.buffers.last_mut().and_then(Buffer::growing) {
            buffer.shrink_to_fit();
        }
    }

    /// Appends string `j` of another column, copying its bytes unless they are many and most of their buffer.
    pub fn push_from(&mut self, other: &StringColumn, j: usize) {
        match other.mostly(j) {
            Some(buffer) => {
                let (_, offset) = other.views[j].buffer();
                let view = View::outline(other.bytes(j), self.buffers.len() as u32, offset as u32);
                self.buffers.push(buffer.clone());
                self.views.push(view);
            }
            None => self.push_bytes(other.bytes(j)),
        }
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
    fn long_datums_are_shared() {
        let text: Arc<str> = "long ".repeat(OWN_BUFFER).into();
        let bytes: Arc<[u8]> = text.as_bytes().into();
        let mut c = StringColumn::empty_strings(2);
        c.push_text(&text);
        c.push_str("a string that lies in a buffer");
        c.set_text(0, &text);
        c.push_text(&"short".into());
        let mut d = c.gather([4, 2, 3].into_iter());
        d.push_from(&c, 0);
        for (column, i) in [(&c, 0), (&c, 2), (&d, 1), (&d, 3)] {
            assert!(Arc::ptr_eq(&column.text_datum(i), &text));
            assert_eq!(column.str(i), &*text);
        }
        assert_eq!(
            (&*c.text_datum(1), &*c.text_datum(3), &*d.text_datum(0)),
            ("", "a string that lies in a buffer", "short")
        );
        let mut e = StringColumn::empty_strings(1);
        e.set_shared_bytes(0, &bytes);
        assert!(Arc::ptr_eq(&e.bytes_datum(0), &bytes) && e.equal(0, &c, 0));
        e.set_owned(0, bytes.to_vec());
        c.push_from(&e, 0);
        c.push_str("another string that lies in a buffer");
        e.push_str("one of the source");
        assert_eq!(
            (c.str(5), c.str(6)),
            (&*text, "another string that lies in a buffer")
        );
        assert_eq!(e.bytes_datum(0), bytes);
    }

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
