//! Affix files of Ispell.
//!
//! ```text
//! suffixes
//! flag *A:
//!     [^AEIOU]Y  >  -Y,IES     # base forms so, minus this, plus that
//! ```

use common::PgResult;

use super::AffixFile;
use super::affix::{Affix, Kind, Mask};
use super::affix_file::Format;
use super::flags::{Compound, bad};
use crate::families::textsearch::dictionary::files::is_space;
use crate::families::textsearch::dictionary::lower;

/// A file so far.
#[derive(Default)]
pub(super) struct Reader {
    made: AffixFile,
    kind: Option<Kind>,
    flag: String,
    crosses: bool,
    only_in_compounds: bool,
}

/// A line that defines an affix.
#[derive(Debug, Default, PartialEq)]
struct Entry {
    mask: String,
    removed: String,
    added: String,
}

/// What [`Entry::parse`] reads next.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Mask,
    AfterMask,
    Removed,
    AfterRemoved,
    Added,
}

impl Entry {
    /// `None`: the line defines nothing.
    fn parse(line: &str) -> PgResult<Option<Entry>> {
        let mut entry = Entry::default();
        let mut part = Part::Mask;
        for c in line.chars() {
            let is_letter = c.is_alphabetic();
            match part {
                Part::Mask if c == '#' && entry.mask.is_empty() => return Ok(None),
                Part::Mask if c == '>' && !entry.mask.is_empty() => part = Part::AfterMask,
                Part::Mask if !is_space(c) => entry.mask.push(c),
                Part::AfterMask if c == '-' => part = Part::Removed,
                Part::AfterMask if is_letter || c == '\'' => {
                    entry.added.push(c);
                    part = Part::Added;
                }
                Part::Removed if c == ',' => part = Part::AfterRemoved,
                Part::Removed if is_letter => entry.removed.push(c),
                Part::AfterRemoved if c == '-' => break,
                Part::AfterRemoved if is_letter => {
                    entry.added.push(c);
                    part = Part::Added;
                }
                Part::Added if c == '#' => break,
                Part::Added if is_letter => entry.added.push(c),
                _ if is_space(c) => {}
                _ => return Err(bad("syntax error".to_owned())),
            }
        }
        let does_nothing = entry.removed.is_empty() && entry.added.is_empty();
        Ok(Some(entry).filter(|e| !e.mask.is_empty() && !does_nothing))
    }
}

impl Reader {
    /// Takes a line, and says what it tells about the format of the file.
    pub fn line(&mut self, line: &str) -> PgResult<Format> {
        let lower_line = lower(line);
        if matches!(lower_line.chars().next(), None | Some('#' | '\n')) {
            return Ok(Format::Any);
        }
        if lower_line.starts_with("compoundwords")
            && let Some(at) = line.find(['l', 'L'])
        {
            return self.compound_words(&line[at..]);
        }
        if lower_line.starts_with("suffixes") {
            self.kind = Some(Kind::Suffix);
            return Ok(Format::Old);
        }
        if lower_line.starts_with("prefixes") {
            self.kind = Some(Kind::Prefix);
            return Ok(Format::Old);
        }
        if lower_line.starts_with("flag") {
            return Ok(self.flag(&line[4..]));
        }
        if let Some(kind) = self.kind
            && let Some(entry) = Entry::parse(&lower_line)?
        {
            self.made.add(Affix {
                kind,
                flag: self.flag.as_str().into(),
                crosses: self.crosses,
                compound: if self.only_in_compounds {
                    Compound::ONLY
                } else {
                    Compound::NONE
                },
                attached: entry.added.into(),
                replaced: entry.removed.into(),
                mask: Mask::parse(&entry.mask, kind)?,
            });
        }
        Ok(Format::Any)
    }

    /// `compoundwords controlled Z`: the flag behind the word.
    fn compound_words(&mut self, from_word: &str) -> PgResult<Format> {
        let rest = from_word
            .trim_start_matches(|c| !is_space(c))
            .trim_start_matches(is_space);
        if rest.starts_with(|c: char| c.is_ascii()) {
            self.made.declare(rest, Compound::ANYWHERE)?;
        }
        Ok(Format::Old)
    }

    /// `flag *A:`: marks, an optional backslash, one character. Anything else behind the word is of the new format.
    fn flag(&mut self, rest: &str) -> Format {
        let mut rest = rest.trim_start_matches(is_space);
        (self.crosses, self.only_in_compounds) = (rest.starts_with('*'), rest.starts_with('~'));
        rest = rest.strip_prefix(['*', '~']).unwrap_or(rest);
        rest = rest.strip_prefix('\\').unwrap_or(rest);
        let mut chars = rest.chars();
        let Some(flag) = chars.next().filter(char::is_ascii) else {
            return Format::New;
        };
        let ends = match chars.next() {
            None | Some('#' | ':') => true,
            Some(c) => is_space(c),
        };
        if !ends {
            return Format::New;
        }
        self.flag = flag.to_string();
        Format::Old
    }

    /// The file.
    pub fn finish(self) -> AffixFile {
        self.made
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn entries() {
        let check = |line: &str, expected: Option<(&str, &str, &str)>| {
            let entry = Entry::parse(line).unwrap();
            let parts = entry.as_ref().map(|e| (&*e.mask, &*e.removed, &*e.added));
            assert_eq!(parts, expected, "{line}");
        };
        check(" . > re # as in reenter", Some((".", "", "re")));
        check("[^aeiou] y > -y, ies", Some(("[^aeiou]y", "y", "ies")));
        check("e > -e,-", Some(("e", "e", "")));
        check("# nothing", None);
        check("x >", None);
        assert!(Entry::parse(". > 1").is_err());
    }
}
