//! Where in the statement text a node came from.

/// A byte range of the statement string; [`Span::NONE`] when a node has no text of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// First byte, `u32::MAX` when unknown.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// No place in the text.
    pub const NONE: Span = Span {
        start: u32::MAX,
        end: u32::MAX,
    };

    /// The bytes `start..end`.
    pub const fn new(start: u32, end: u32) -> Span {
        Span { start, end }
    }

    /// True unless this is [`Span::NONE`].
    pub const fn is_known(self) -> bool {
        self.start != u32::MAX
    }

    /// The smallest span that covers both.
    pub fn to(self, other: Span) -> Span {
        match (self.is_known(), other.is_known()) {
            (false, _) => other,
            (_, false) => self,
            _ => Span::new(self.start.min(other.start), self.end.max(other.end)),
        }
    }
}
