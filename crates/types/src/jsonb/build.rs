//! Building documents from the inside out, without recursion.

use std::cmp::Ordering;
use std::sync::Arc;

use common::{PgResult, cancel, long, pg_err, pieces};

use crate::jsonb::{DATA_BYTES_MAX, JsonbRef, Kind, compare_keys, put_number};
use crate::{Datum, Numeric};

/// One container under construction.
#[derive(Default)]
struct Frame {
    object: bool,
    /// Reject a key that comes twice.
    unique: bool,
    /// Leave pairs and elements out whose value is null.
    skip_nulls: bool,
    /// The bytes of the keys, one behind the other, and where each ends.
    keys: Vec<u8>,
    key_ends: Vec<usize>,
    /// The nodes of the values, their kinds and where each ends.
    data: Vec<u8>,
    ends: Vec<(Kind, usize)>,
}

impl Frame {
    fn clear(&mut self) {
        self.keys.clear();
        self.key_ends.clear();
        self.data.clear();
        self.ends.clear();
    }

    fn key(&self, i: usize) -> &[u8] {
        let start = if i == 0 { 0 } else { self.key_ends[i - 1] };
        &self.keys[start..self.key_ends[i]]
    }

    fn value(&self, i: usize) -> (Kind, &[u8]) {
        let start = if i == 0 { 0 } else { self.ends[i - 1].1 };
        (self.ends[i].0, &self.data[start..self.ends[i].1])
    }

    /// Positions of the pairs to keep, in the order of keys; of equal keys the last one counts.
    fn order(&self) -> PgResult<Vec<usize>> {
        let n = self.key_ends.len().min(self.ends.len());
        let mut order: Vec<usize> = (0..n).collect();
        let sorted = (1..n).all(|i| compare_keys(self.key(i - 1), self.key(i)).is_lt());
        if sorted {
            order.retain(|i| !self.is_left_out(*i));
            return Ok(order);
        }
        order.sort_by(|a, b| compare_keys(self.key(*a), self.key(*b)).then(b.cmp(a)));
        let before = order.len();
        order.dedup_by(|later, first| compare_keys(self.key(*later), self.key(*first)) == Ordering::Equal);
        if self.unique && order.len() < before {
            return Err(pg_err!(
                DUPLICATE_JSON_OBJECT_KEY_VALUE,
                "duplicate JSON object key value"
            ));
        }
        order.retain(|i| !self.is_left_out(*i));
        Ok(order)
    }

    fn is_left_out(&self, i: usize) -> bool {
        self.skip_nulls && self.ends[i].0 == Kind::Null
    }

    fn bytes(&self) -> usize {
        self.keys.capacity() + self.data.capacity() + self.ends.capacity() * size_of::<(Kind, usize)>()
    }

    /// Its bytes, which are copied as often as containers are around it. 57014 when a large one's statement was cancelled.
    fn finish(&self, out: &mut Vec<u8>) -> PgResult<()> {
        let is_large = self.data.len() >= LARGE;
        if is_large {
            cancel::check()?;
        }
        match self.object {
            true => self.finish_object(out)?,
            false => self.finish_array(out)?,
        }
        if is_large { cancel::check() } else { Ok(()) }
    }

    fn finish_array(&self, out: &mut Vec<u8>) -> PgResult<()> {
        out.extend_from_slice(&(self.ends.len() as u32).to_le_bytes());
        for (kind, end) in &self.ends {
            out.extend_from_slice(&entry(*kind, *end));
        }
        append(&self.data, out)
    }

    fn finish_object(&self, out: &mut Vec<u8>) -> PgResult<()> {
        let order = self.order()?;
        let is_large = self.data.len() >= LARGE;
        let look = || if is_large { cancel::check() } else { Ok(()) };
        look()?;
        out.extend_from_slice(&(order.len() as u32).to_le_bytes());
        let mut end = 0;
        for i in &order {
            end += self.key(*i).len();
            out.extend_from_slice(&entry(Kind::String, end));
        }
        look()?;
        for i in &order {
            let (kind, bytes) = self.value(*i);
            end += bytes.len();
            out.extend_from_slice(&entry(kind, end));
        }
        look()?;
        for i in &order {
            out.extend_from_slice(self.key(*i));
        }
        look()?;
        for i in &order {
            out.extend_from_slice(self.value(*i).1);
        }
        Ok(())
    }
}

/// Copies bytes, with looks at the cancel flag where they are many.
fn append(bytes: &[u8], out: &mut Vec<u8>) -> PgResult<()> {
    if bytes.len() < LARGE {
        out.extend_from_slice(bytes);
        return Ok(());
    }
    pieces::bytes(&cancel::current(), bytes, |piece| out.extend_from_slice(piece))
}

fn entry(kind: Kind, end: usize) -> [u8; 4] {
    ((kind as u32) << 29 | end as u32).to_le_bytes()
}

/// Takes values in the order of the text and makes a document of them.
#[derive(Default)]
pub struct JsonbBuilder {
    stack: Vec<Frame>,
    /// Frames to use again.
    spare: Vec<Frame>,
    /// The bytes of a container that was just closed.
    closed: Vec<u8>,
    document: Vec<u8>,
}

/// Bytes that it takes milliseconds to copy or to free.
const LARGE: usize = 1 << 24;

impl Drop for JsonbBuilder {
    fn drop(&mut self) {
        if self.held_bytes() >= LARGE {
            let frames = (std::mem::take(&mut self.stack), std::mem::take(&mut self.spare));
            let documents = (
                std::mem::take(&mut self.closed),
                std::mem::take(&mut self.document),
            );
            cancel::discard_if_cancelled((frames, documents));
        }
    }
}

impl JsonbBuilder {
    /// An empty one.
    pub fn new() -> JsonbBuilder {
        JsonbBuilder::default()
    }

    fn begin(&mut self, object: bool) {
        let mut frame = self.spare.pop().unwrap_or_default();
        frame.clear();
        frame.object = object;
        frame.unique = false;
        frame.skip_nulls = false;
        self.stack.push(frame);
    }

    /// Opens an array.
    pub fn begin_array(&mut self) {
        self.begin(false);
    }

    /// Opens an object.
    pub fn begin_object(&mut self) {
        self.begin(true);
    }

    /// The object just opened rejects a key that comes twice (22030).
    pub fn set_unique(&mut self) {
        if let Some(frame) = self.stack.last_mut() {
            frame.unique = true;
        }
    }

    /// The container just opened leaves nulls out.
    pub fn set_skip_nulls(&mut self) {
        if let Some(frame) = self.stack.last_mut() {
            frame.skip_nulls = true;
        }
    }

    /// Bytes held, roughly.
    pub fn memory_bytes(&self) -> usize {
        self.stack.iter().map(Frame::bytes).sum::<usize>() + self.document.capacity()
    }

    /// With what is kept for the next containers.
    fn held_bytes(&self) -> usize {
        self.memory_bytes() + self.spare.iter().map(Frame::bytes).sum::<usize>() + self.closed.capacity()
    }

    /// How many containers are open.
    pub fn depth(&self) -> usize {
        self.stack.len()
    }

    /// The key of the next value.
    pub fn key(&mut self, key: &str) -> PgResult<()> {
        if let Some(frame) = self.stack.last_mut() {
            frame.keys.extend_from_slice(key.as_bytes());
            frame.key_ends.push(frame.keys.len());
            if frame.keys.len() > DATA_BYTES_MAX {
                return Err(too_big(true));
            }
        }
        Ok(())
    }

    /// A value that exists already.
    pub fn value(&mut self, value: JsonbRef<'_>) -> PgResult<()> {
        let (kind, bytes) = value.raw();
        self.put(kind, |out| append(bytes, out))
    }

    /// `null`.
    pub fn null(&mut self) -> PgResult<()> {
        self.put(Kind::Null, |_| Ok(()))
    }

    /// A boolean.
    pub fn bool(&mut self, value: bool) -> PgResult<()> {
        self.put(if value { Kind::True } else { Kind::False }, |_| Ok(()))
    }

    /// A number.
    pub fn number(&mut self, value: &Numeric) -> PgResult<()> {
        self.put(Kind::Number, |out| {
            put_number(value, out);
            Ok(())
        })
    }

    /// A string.
    pub fn string(&mut self, value: &str) -> PgResult<()> {
        self.put(Kind::String, |out| append(value.as_bytes(), out))
    }

    fn put(&mut self, kind: Kind, write: impl FnOnce(&mut Vec<u8>) -> PgResult<()>) -> PgResult<()> {
        let Some(frame) = self.stack.last_mut() else {
            self.document.clear();
            self.document.push(kind as u8);
            return write(&mut self.document);
        };
        // A null that is left out still counts as a use of its key: where keys are unique it stays until the end.
        if kind == Kind::Null && frame.skip_nulls && !(frame.object && frame.unique) {
            if frame.object {
                frame.key_ends.pop();
                frame.keys.truncate(frame.key_ends.last().copied().unwrap_or(0));
            }
            return Ok(());
        }
        write(&mut frame.data)?;
        frame.ends.push((kind, frame.data.len()));
        if frame.data.len() + frame.keys.len() > DATA_BYTES_MAX {
            return Err(too_big(frame.object));
        }
        Ok(())
    }

    /// Closes the innermost container.
    pub fn end(&mut self) -> PgResult<()> {
        let Some(frame) = self.stack.pop() else {
            return Err(common::internal!("jsonb container closed twice"));
        };
        let mut bytes = std::mem::take(&mut self.closed);
        bytes.clear();
        let kind = if frame.object { Kind::Object } else { Kind::Array };
        let finished = frame.finish(&mut bytes);
        self.spare.push(frame);
        let put = finished.and_then(|()| self.put(kind, |out| append(&bytes, out)));
        self.closed = bytes;
        put
    }

    /// The document, once every container is closed; the builder is empty then.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.document)
    }

    /// The same as a datum.
    pub fn finish_datum(&mut self) -> PgResult<Datum> {
        let document = self.finish();
        if document.len() < LARGE {
            return Ok(Datum::Bytes(document.into()));
        }
        long::bytes(&document, &cancel::current()).map(Datum::Bytes)
    }
}

#[cold]
fn too_big(object: bool) -> Box<common::PgError> {
    let what = if object { "object" } else { "array" };
    pg_err!(
        PROGRAM_LIMIT_EXCEEDED,
        "total size of jsonb {what} elements exceeds the maximum of {DATA_BYTES_MAX} bytes"
    )
}

/// A value that may borrow from a document: what operators put together.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum JsonbNode<'a> {
    Ref(JsonbRef<'a>),
    Owned(Arc<[u8]>),
}

impl JsonbNode<'_> {
    /// The value.
    pub fn get(&self) -> JsonbRef<'_> {
        match self {
            JsonbNode::Ref(r) => *r,
            JsonbNode::Owned(bytes) => JsonbRef::root(bytes),
        }
    }
}
