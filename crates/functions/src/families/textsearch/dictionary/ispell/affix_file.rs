//! Affix files of MySpell and Hunspell, as far as PostgreSQL reads them.

use common::PgResult;

use super::super::files::{ConfigFile, is_space};
use super::affix::{Affix, Kind, Mask};
use super::flags::{Compound, FlagMode, bad, leading_number};
use super::{AffixFile, old_format};
use crate::families::textsearch::dictionary::lower;

/// What begins a line that only the new format has.
const NEW_COMMANDS: &[&str] = &["COMPOUNDFLAG", "COMPOUNDMIN", "PFX", "SFX"];

/// What flags mean in compounds, by the command that names them. The first that fits counts.
const COMPOUND_COMMANDS: &[(&str, Compound)] = &[
    ("COMPOUNDFLAG", Compound::ANYWHERE),
    ("COMPOUNDBEGIN", Compound::BEGIN),
    ("COMPOUNDLAST", Compound::LAST),
    ("COMPOUNDEND", Compound::LAST),
    ("COMPOUNDMIDDLE", Compound::MIDDLE),
    ("ONLYINCOMPOUND", Compound::ONLY),
    ("COMPOUNDPERMITFLAG", Compound::PERMIT),
    ("COMPOUNDFORBIDFLAG", Compound::FORBID),
];

/// Whether a line is of the old format, of the new one, or of any.
pub(super) enum Format {
    Old,
    New,
    Any,
}

/// Reads an affix file of either format.
pub(super) fn read(file: &ConfigFile) -> PgResult<AffixFile> {
    let mut reader = old_format::Reader::default();
    let (mut old, mut new) = (false, false);
    file.lines(&mut |line| {
        let format = if NEW_COMMANDS.iter().any(|c| line.starts_with(c)) {
            Format::New
        } else {
            reader.line(line)?
        };
        match format {
            Format::New if old => {
                let message = "affix file contains both old-style and new-style commands";
                return Err(bad(message.to_owned()));
            }
            Format::New => new = true,
            Format::Old => old = true,
            Format::Any => {}
        }
        Ok(!new)
    })?;
    if new { read_new(file) } else { Ok(reader.finish()) }
}

/// True for lines with nothing to read.
fn is_idle(line: &str) -> bool {
    line.is_empty() || line.starts_with('#') || line.starts_with(is_space)
}

fn read_new(file: &ConfigFile) -> PgResult<AffixFile> {
    let mut made = AffixFile::default();
    // What flags mean must be known before the affixes that have them.
    file.lines(&mut |line| {
        if !is_idle(line) {
            made.declaration(line)?;
        }
        Ok(true)
    })?;
    let mut state = Reading::default();
    file.lines(&mut |line| {
        if !is_idle(line) {
            made.definition(line, &mut state)?;
        }
        Ok(true)
    })?;
    // Numbers beyond the sets that are there name empty ones.
    while made.flags.has_aliases && made.flags.alias_count() < state.aliases {
        made.flags.add_alias("");
    }
    Ok(made)
}

/// Where the second reading stands.
#[derive(Default)]
struct Reading {
    /// How many numbered sets the file announced, the empty one included.
    aliases: usize,
    /// The last header of affixes.
    is_suffix: bool,
    crosses: bool,
}

impl AffixFile {
    /// Adds the flag that a command names.
    pub(super) fn declare(&mut self, text: &str, meaning: Compound) -> PgResult<()> {
        let flag = text.split(is_space).find(|w| !w.is_empty());
        let Some(flag) = flag else {
            return Err(bad("syntax error".to_owned()));
        };
        self.flags.declare(flag, meaning)
    }

    fn declaration(&mut self, line: &str) -> PgResult<()> {
        let command = COMPOUND_COMMANDS
            .iter()
            .find_map(|(name, meaning)| Some((line.strip_prefix(name)?, *meaning)));
        if let Some((rest, meaning)) = command {
            return self.declare(rest, meaning);
        }
        let Some(rest) = line.strip_prefix("FLAG") else {
            return Ok(());
        };
        let mode = rest.trim_start_matches(is_space);
        if mode.starts_with("long") {
            self.flags.mode = FlagMode::Long;
        } else if mode.starts_with("num") {
            self.flags.mode = FlagMode::Number;
        } else if !mode.is_empty() && !mode.starts_with("default") {
            let message = "Ispell dictionary supports only \"default\", \"long\", and \"num\" flag values";
            return Err(bad(message.to_owned()));
        }
        Ok(())
    }

    fn definition(&mut self, line: &str, state: &mut Reading) -> PgResult<()> {
        let fields: Vec<&str> = line
            .split(is_space)
            .filter(|f| !f.is_empty())
            .take_while(|f| !f.starts_with('#'))
            .take(5)
            .collect();
        let field = |n: usize| fields.get(n).copied().unwrap_or("");
        let kind = lower(field(0));
        let flag = field(1);
        if kind.starts_with("af") {
            return self.alias(flag, state);
        }
        let (is_suffix, is_prefix) = (kind.starts_with("sfx"), kind.starts_with("pfx"));
        let too_long = match self.flags.mode {
            FlagMode::Char => flag.len() > 1,
            FlagMode::Long => flag.len() > 2,
            FlagMode::Number => false,
        };
        if fields.len() < 4 || !(is_suffix || is_prefix) || too_long {
            return Ok(());
        }
        if fields.len() == 4 {
            state.is_suffix = is_suffix;
            state.crosses = field(2).starts_with(['y', 'Y']);
            return Ok(());
        }
        let (attached, of_affix) = field(3).split_once('/').unwrap_or((field(3), ""));
        let compound = if field(3).contains('/') {
            self.flags.compound_of_text(of_affix)?
        } else {
            Compound::NONE
        };
        let part = |text: &str, whole: &str| {
            if whole.starts_with('0') {
                String::new()
            } else {
                lower(text)
            }
        };
        let kind = if state.is_suffix {
            Kind::Suffix
        } else {
            Kind::Prefix
        };
        self.add(Affix {
            kind,
            flag: flag.into(),
            crosses: state.crosses,
            compound,
            attached: part(attached, field(3)).into(),
            replaced: part(field(2), field(2)).into(),
            mask: Mask::parse(&lower(field(4)), kind)?,
        });
        Ok(())
    }

    /// `AF`: first their number, then a set a line.
    fn alias(&mut self, text: &str, state: &mut Reading) -> PgResult<()> {
        if self.flags.has_aliases {
            if self.flags.alias_count() >= state.aliases {
                return Err(bad(format!(
                    "number of aliases exceeds specified number {}",
                    state.aliases - 1
                )));
            }
            self.flags.add_alias(text);
            return Ok(());
        }
        let count = leading_number(text).map_or(0, |(n, _)| n);
        let Some(count) = usize::try_from(count).ok().filter(|n| *n > 0) else {
            return Err(bad("invalid number of flag vector aliases".to_owned()));
        };
        self.flags.has_aliases = true;
        state.aliases = count.saturating_add(1);
        self.flags.add_alias("");
        Ok(())
    }

    /// Adds an affix; one for the inside of compounds may stand in them.
    pub(super) fn add(&mut self, affix: Affix) {
        let inside = affix.compound.has(Compound::ONLY) || affix.compound.has(Compound::PERMIT);
        let compound = if inside && !affix.compound.has(Compound::ANYWHERE) {
            affix.compound.and(Compound::ANYWHERE)
        } else {
            affix.compound
        };
        self.affixes.push(Affix { compound, ..affix });
    }
}
