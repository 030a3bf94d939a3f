//! Searches of very long texts that can be stopped: the automata of crate `regex`, walked a byte at a time by ourselves.
//!
//! # How it works
//! 1. Forward, an automaton that prefers as the crate does finds where the leftmost match ends.
//! 2. Backward from there, one that takes the longest way finds where it begins.
//!
//! Matches are told a byte late, so the end of the text has a step of its own. An automaton may give up (it does at word boundaries among
//! letters beyond ASCII); the caller then asks the crate.

use common::PgResult;
use common::cancel::CancelToken;
use common::pieces::PIECE_BYTES;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::{Anchored, Input, MatchKind};

/// Both automata of an expression.
pub(super) struct Steps {
    forward: DFA,
    backward: DFA,
}

/// What a walk found, unless the automaton gave up.
type Walked = Option<Option<usize>>;

impl Steps {
    /// None where the crate has no such automata for the expression.
    pub(super) fn new(pattern: &str) -> Option<Steps> {
        let nfa = |reverse| {
            let config = thompson::Config::new().which_captures(WhichCaptures::None);
            let config = config.reverse(reverse);
            NFA::compiler().configure(config).build(pattern).ok()
        };
        let (forward, backward) = (nfa(false)?, nfa(true)?);
        let longest = DFA::config().match_kind(MatchKind::All);
        Some(Steps {
            forward: DFA::builder().build_from_nfa(forward).ok()?,
            backward: DFA::builder().configure(longest).build_from_nfa(backward).ok()?,
        })
    }

    /// The span of the leftmost match from `from` on. The outer None: ask somebody else.
    pub(super) fn find(
        &self,
        cancel: &CancelToken,
        text: &str,
        from: usize,
    ) -> PgResult<Option<Option<(usize, usize)>>> {
        let end = match self.end(cancel, text.as_bytes(), from)? {
            Some(Some(end)) => end,
            Some(None) => return Ok(Some(None)),
            None => return Ok(None),
        };
        let start = self.start(cancel, text.as_bytes(), from, end)?;
        // An empty match within a character is none.
        let whole = |at: &usize| text.is_char_boundary(*at) && text.is_char_boundary(end);
        Ok(start.flatten().filter(whole).map(|start| Some((start, end))))
    }

    fn end(&self, cancel: &CancelToken, text: &[u8], from: usize) -> PgResult<Walked> {
        let input = Input::new(text).range(from..);
        let mut cache = self.forward.create_cache();
        let Ok(state) = self.forward.start_state_forward(&mut cache, &input) else {
            return Ok(None);
        };
        let mut walk = Walk::new(&self.forward, cache, state);
        let mut at = from;
        for piece in text[from..].chunks(PIECE_BYTES) {
            cancel.check()?;
            match walk.piece(piece.iter()) {
                Stop::No => at += piece.len(),
                Stop::GaveUp => return Ok(None),
                Stop::Dead => return Ok(Some(walk.last.map(|late| from + late))),
            }
        }
        Ok(walk.end().map(|matches| match matches {
            true => Some(at),
            false => walk.last.map(|late| from + late),
        }))
    }

    fn start(&self, cancel: &CancelToken, text: &[u8], from: usize, end: usize) -> PgResult<Walked> {
        let input = Input::new(text).range(from..end).anchored(Anchored::Yes);
        let mut cache = self.backward.create_cache();
        let Ok(state) = self.backward.start_state_reverse(&mut cache, &input) else {
            return Ok(None);
        };
        let mut walk = Walk::new(&self.backward, cache, state);
        for piece in text[from..end].rchunks(PIECE_BYTES) {
            cancel.check()?;
            match walk.piece(piece.iter().rev()) {
                Stop::No => {}
                Stop::GaveUp => return Ok(None),
                Stop::Dead => return Ok(Some(walk.last.map(|late| end - late))),
            }
        }
        // What stands before counts for anchors.
        let matches = match from.checked_sub(1) {
            Some(before) => match walk.piece(text[before..from].iter()) {
                Stop::GaveUp => None,
                _ => Some(walk.last == Some(end - from)),
            },
            None => walk.end(),
        };
        Ok(matches.map(|matches| match matches {
            true => Some(from),
            false => walk.last.map(|late| end - late),
        }))
    }
}

/// How a walk through a piece ended.
enum Stop {
    No,
    /// Nothing further can match.
    Dead,
    GaveUp,
}

struct Walk<'d> {
    dfa: &'d DFA,
    cache: Cache,
    state: LazyStateID,
    /// Bytes that were read.
    read: usize,
    /// Bytes that had been read at the last match.
    last: Option<usize>,
}

impl<'d> Walk<'d> {
    fn new(dfa: &'d DFA, cache: Cache, state: LazyStateID) -> Walk<'d> {
        Walk {
            dfa,
            cache,
            state,
            read: 0,
            last: None,
        }
    }

    fn piece<'b>(&mut self, bytes: impl Iterator<Item = &'b u8>) -> Stop {
        if self.state.is_tagged() && self.state.is_dead() {
            return Stop::Dead;
        }
        for byte in bytes {
            match self.dfa.next_state(&mut self.cache, self.state, *byte) {
                Ok(state) => self.state = state,
                Err(_) => return Stop::GaveUp,
            }
            if self.state.is_tagged() {
                if self.state.is_match() {
                    self.last = Some(self.read);
                } else if self.state.is_dead() {
                    return Stop::Dead;
                } else if self.state.is_quit() {
                    return Stop::GaveUp;
                }
            }
            self.read += 1;
        }
        Stop::No
    }

    /// Whether it matches at the end of the text; None when it gave up.
    fn end(&mut self) -> Option<bool> {
        let state = self.dfa.next_eoi_state(&mut self.cache, self.state).ok()?;
        Some(state.is_match())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use common::cancel::CancelReason;

    use super::*;

    fn crate_regex(pattern: &str) -> regex::Regex {
        regex::Regex::new(pattern).unwrap()
    }

    /// Patterns and texts of all kinds: spans are those of crate `regex`, wherever the search begins.
    #[test]
    fn walks_find_what_the_crate_finds() {
        let patterns = [
            "n.*u.*x",
            "a+",
            "a+?",
            "(?:a|ab)(?:c|bcd)*",
            "^a*",
            "a*$",
            "[^z]{3,}x",
            "(?:x*)*",
            "ä.*ö|b+",
            "(?-u:\\b)u[a-z]*(?-u:\\b)",
            "(?m)^.*c$",
            "q",
            "",
        ];
        let texts = [
            "",
            "a",
            "xaab",
            "und aabcd bcx",
            "zzäaaöxö\nab c\nc",
            "nnu ux ux u",
            "ää€",
            "zzz",
        ];
        let cancel = CancelToken::new();
        for pattern in patterns {
            let ours = Steps::new(pattern).unwrap();
            let crates = crate_regex(pattern);
            for text in texts {
                for from in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
                    let wanted = crates.find_at(text, from).map(|m| (m.start(), m.end()));
                    if let Some(found) = ours.find(&cancel, text, from).unwrap() {
                        assert_eq!(found, wanted, "{pattern} {text} {from}");
                    }
                }
            }
        }
    }

    #[test]
    fn long_texts_are_walked_until_cancelled() {
        let steps = Steps::new("n.*u.*x").unwrap();
        let mut text = "Zeichen und ".repeat(PIECE_BYTES / 5);
        let cancel = CancelToken::new();
        assert_eq!(steps.find(&cancel, &text, 7).unwrap(), Some(None));
        text.push('x');
        assert_eq!(
            steps.find(&cancel, &text, 7).unwrap(),
            Some(Some((9, text.len())))
        );
        cancel.cancel(CancelReason::User);
        let told = steps.find(&cancel, &text, 7).unwrap_err();
        assert_eq!(told.sqlstate.as_str(), "57014");
    }
}
