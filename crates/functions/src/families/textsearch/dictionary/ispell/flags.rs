//! Flags: which affixes a word takes, and what words and affixes may do in compounds.
//!
//! A flag is one character, two characters or a number, as the affix file says. Words carry sets of them, which many words share.

use common::{PgError, PgResult, pg_err};
use rustc_hash::FxHashMap;

/// How flags are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum FlagMode {
    /// One character each.
    #[default]
    Char,
    /// Two characters each.
    Long,
    /// Numbers with commas between them.
    Number,
}

/// Numbers up to this one are flags.
const FLAG_NUMBER_MAX: i64 = 1 << 16;

/// What words and affixes may do in compounds: bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Compound(pub u8);

impl Compound {
    pub const NONE: Compound = Compound(0);
    /// Stands in compounds only.
    pub const ONLY: Compound = Compound(0x01);
    pub const BEGIN: Compound = Compound(0x02);
    pub const MIDDLE: Compound = Compound(0x04);
    pub const LAST: Compound = Compound(0x08);
    pub const ANYWHERE: Compound = Compound(0x0e);
    /// An affix that may stand inside.
    pub const PERMIT: Compound = Compound(0x10);
    /// An affix that may not.
    pub const FORBID: Compound = Compound(0x20);
    /// What concerns words.
    const OF_WORDS: Compound = Compound(0x0f);

    pub fn has(self, other: Compound) -> bool {
        self.0 & other.0 != 0
    }

    pub fn and(self, other: Compound) -> Compound {
        Compound(self.0 | other.0)
    }

    pub fn without(self, other: Compound) -> Compound {
        Compound(self.0 & !other.0)
    }

    /// What stands only in compounds may stand in them.
    pub fn completed(self) -> Compound {
        if self.has(Compound::ONLY) && !self.has(Compound::ANYWHERE) {
            self.and(Compound::ANYWHERE)
        } else {
            self
        }
    }
}

/// The flags of a set.
#[derive(Debug, Default)]
pub(super) struct FlagSet {
    text: Box<str>,
    flags: Vec<Box<str>>,
    /// What is wrong behind them: said when somebody looks so far.
    broken: Option<Box<PgError>>,
}

/// The number of a set.
pub(super) type SetId = u32;

/// All sets of a dictionary.
#[derive(Debug, Default)]
pub(super) struct FlagSets {
    pub mode: FlagMode,
    /// The affix file numbers its sets (`AF`), and words name them by these numbers.
    pub has_aliases: bool,
    /// Set 0 is the empty one when there are aliases.
    sets: Vec<FlagSet>,
    by_text: FxHashMap<Box<str>, SetId>,
    compounds: FxHashMap<Box<str>, Compound>,
    has_compounds: bool,
}

#[cold]
pub(super) fn bad(message: String) -> Box<PgError> {
    pg_err!(CONFIG_FILE_ERROR, "{message}")
}

/// A whole number at the start of a text as `strtol` reads it, and what follows.
pub(super) fn leading_number(text: &str) -> Option<(i64, &str)> {
    let trimmed = text.trim_start_matches(super::super::files::is_space);
    let digits = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed);
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    if count == 0 {
        return None;
    }
    let end = trimmed.len() - digits.len() + count;
    let number = trimmed[..end].trim_start_matches('+').parse().ok()?;
    Some((number, &trimmed[end..]))
}

fn flag_number(text: &str) -> PgResult<(i64, &str)> {
    let Some((number, rest)) = leading_number(text) else {
        return Err(bad(format!("invalid affix flag \"{text}\"")));
    };
    if !(0..=FLAG_NUMBER_MAX).contains(&number) {
        return Err(bad(format!("affix flag \"{text}\" is out of range")));
    }
    Ok((number, rest))
}

impl FlagMode {
    /// The next flag of a set, and what follows it.
    fn next_flag(self, set: &str) -> PgResult<(Box<str>, &str)> {
        let mut chars = set.chars();
        match self {
            FlagMode::Char => {
                chars.next();
            }
            FlagMode::Long => {
                if chars.by_ref().take(2).count() < 2 {
                    return Err(bad(format!(
                        "invalid affix flag \"{set}\" with \"long\" flag value"
                    )));
                }
            }
            FlagMode::Number => return next_number(set),
        }
        let rest = chars.as_str();
        Ok((set[..set.len() - rest.len()].into(), rest))
    }

    /// A flag as sets spell it.
    fn canonical(self, flag: &str) -> PgResult<Box<str>> {
        Ok(match self {
            FlagMode::Number => flag_number(flag)?.0.to_string().into(),
            FlagMode::Char | FlagMode::Long => flag.into(),
        })
    }
}

fn next_number(set: &str) -> PgResult<(Box<str>, &str)> {
    let (number, rest) = flag_number(set)?;
    let mut comma = false;
    for (at, c) in rest.char_indices() {
        match c {
            '0'..='9' if comma => return Ok((number.to_string().into(), &rest[at..])),
            ',' if !comma => comma = true,
            '0'..='9' | ',' => return Err(bad(format!("invalid affix flag \"{}\"", &rest[at..]))),
            c if super::super::files::is_space(c) => {}
            _ => {
                let rest = &rest[at..];
                return Err(bad(format!("invalid character in affix flag \"{rest}\"")));
            }
        }
    }
    Ok((number.to_string().into(), ""))
}

impl FlagSets {
    /// Declares what a flag means in compounds.
    pub fn declare(&mut self, flag: &str, meaning: Compound) -> PgResult<()> {
        let flag = self.mode.canonical(flag)?;
        self.compounds.entry(flag).or_insert(meaning);
        self.has_compounds = true;
        Ok(())
    }

    /// True when words may be parts of words.
    pub fn has_compounds(&self) -> bool {
        self.has_compounds
    }

    /// Adds a numbered set.
    pub fn add_alias(&mut self, text: &str) {
        let set = self.parse(text);
        self.sets.push(set);
    }

    /// How many numbered sets there are, the empty one included.
    pub fn alias_count(&self) -> usize {
        self.sets.len()
    }

    fn parse(&self, text: &str) -> FlagSet {
        let mut set = FlagSet {
            text: text.into(),
            ..FlagSet::default()
        };
        let mut rest = text;
        while !rest.is_empty() {
            match self.mode.next_flag(rest) {
                Ok((flag, after)) => {
                    set.flags.push(flag);
                    rest = after;
                }
                Err(error) => {
                    set.broken = Some(error);
                    break;
                }
            }
        }
        set
    }

    /// The set of a word, as its line in the dictionary file has it.
    pub fn of_word(&mut self, text: &str) -> PgResult<SetId> {
        if !self.has_aliases {
            return Ok(self.intern(text));
        }
        if text.is_empty() {
            return Ok(0);
        }
        let invalid = || bad(format!("invalid affix alias \"{text}\""));
        let (number, rest) = leading_number(text).ok_or_else(invalid)?;
        let known = usize::try_from(number).is_ok_and(|n| n < self.sets.len());
        if !known || rest.starts_with(|c: char| !super::super::files::is_space(c)) {
            return Err(invalid());
        }
        Ok(number as SetId)
    }

    fn intern(&mut self, text: &str) -> SetId {
        if let Some(known) = self.by_text.get(text) {
            return *known;
        }
        let id = self.sets.len() as SetId;
        let set = self.parse(text);
        self.sets.push(set);
        self.by_text.insert(text.into(), id);
        id
    }

    /// The set of a word that stands twice in the dictionary file.
    pub fn merged(&mut self, a: SetId, b: SetId) -> SetId {
        let (left, right) = (self.text(a).to_owned(), self.text(b));
        if left.is_empty() {
            return b;
        }
        if right.is_empty() {
            return a;
        }
        let comma = if self.mode == FlagMode::Number { "," } else { "" };
        let both = format!("{left}{comma}{right}");
        self.intern(&both)
    }

    fn text(&self, set: SetId) -> &str {
        self.sets.get(set as usize).map_or("", |s| &s.text)
    }

    /// True when a set has a flag; every set has the empty one.
    pub fn has(&self, set: SetId, flag: &str) -> PgResult<bool> {
        if flag.is_empty() {
            return Ok(true);
        }
        let Some(set) = self.sets.get(set as usize) else {
            return Ok(false);
        };
        match &set.broken {
            _ if set.flags.iter().any(|f| **f == *flag) => Ok(true),
            Some(error) => Err(error.clone()),
            None => Ok(false),
        }
    }

    /// True when some set has a flag.
    pub fn in_use(&self, flag: &str) -> PgResult<bool> {
        for set in 0..self.sets.len() {
            if self.has(set as SetId, flag)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What the words of a set may do in compounds.
    pub fn compound_of(&self, set: SetId) -> PgResult<Compound> {
        match self.sets.get(set as usize) {
            Some(set) => Ok(Compound(self.meaning(set)?.0 & Compound::OF_WORDS.0)),
            None => Ok(Compound::NONE),
        }
    }

    fn meaning(&self, set: &FlagSet) -> PgResult<Compound> {
        if self.compounds.is_empty() {
            return Ok(Compound::NONE);
        }
        if let Some(error) = &set.broken {
            return Err(error.clone());
        }
        let known = set.flags.iter().filter_map(|f| self.compounds.get(f));
        Ok(known.fold(Compound::NONE, |all, one| all.and(*one)))
    }

    /// What an affix with these flags behind its `/` may do in compounds.
    pub fn compound_of_text(&self, text: &str) -> PgResult<Compound> {
        if !self.has_aliases || text.is_empty() {
            return self.meaning(&self.parse(text));
        }
        let invalid = || bad(format!("invalid affix alias \"{text}\""));
        let (number, _) = leading_number(text).ok_or_else(invalid)?;
        match usize::try_from(number).ok().filter(|n| *n > 0) {
            Some(n) if n > self.sets.len() => Err(invalid()),
            Some(n) => self
                .sets
                .get(n)
                .map_or(Ok(Compound::NONE), |set| self.meaning(set)),
            None => Ok(Compound::NONE),
        }
    }
}
