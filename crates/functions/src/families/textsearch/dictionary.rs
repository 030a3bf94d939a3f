//! Dictionaries: what becomes of a token. `simple` and the Snowball stemmers, with their stop words.
//!
//! Stemming is crate `waken_snowball` (Snowball 3), which agrees with PostgreSQL 18 on all but a few words (German 1.2 %,
//! Swedish 1 %, English and French 0.1 % of the 40,000 most frequent ones, ...). The lists of stop words in `data/stopwords` are the words that PostgreSQL's
//! dictionaries throw away, found by asking one.

use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err, unsupported};
use waken_snowball::Algorithm;

use crate::facts;
use crate::framework::session::TextSearchDictionary;

/// A dictionary, ready to use.
#[derive(Debug)]
pub(crate) enum Dictionary {
    /// Lower case, without stop words; with `accept` it knows every word.
    Simple { stop: StopWords, accept: bool },
    /// Stems.
    Snowball {
        algorithm: Option<Algorithm>,
        stop: StopWords,
    },
}

/// Sorted stop words.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StopWords(Option<&'static str>);

macro_rules! stop_lists {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../data/stopwords/", $name, ".txt")))),*]
    };
}

/// The stop words of each language that has some, one a line, sorted by their bytes.
static STOP_LISTS: &[(&str, &str)] = stop_lists!(
    "danish" "dutch" "english" "finnish" "french" "german" "hungarian" "italian" "nepali" "norwegian" "portuguese"
    "russian" "spanish" "swedish" "turkish"
);

impl StopWords {
    fn named(name: &str) -> PgResult<StopWords> {
        match STOP_LISTS.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some((_, list)) => Ok(StopWords(Some(list))),
            None => Err(pg_err!(
                CONFIG_FILE_ERROR,
                "could not open stop-word file \"{name}.stop\": No such file or directory"
            )),
        }
    }

    fn contains(self, word: &str) -> bool {
        let Some(list) = self.0 else { return false };
        let bytes = list.as_bytes();
        let (mut low, mut high) = (0, bytes.len());
        while low < high {
            let middle = (low + high) / 2;
            let start = bytes[..middle]
                .iter()
                .rposition(|b| *b == b'\n')
                .map_or(0, |p| p + 1);
            let end = bytes[middle..]
                .iter()
                .position(|b| *b == b'\n')
                .map_or(bytes.len(), |p| middle + p);
            match bytes[start..end].cmp(word.as_bytes()) {
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Less => low = end + 1,
                std::cmp::Ordering::Greater => high = start,
            }
        }
        false
    }
}

fn algorithm(language: &str) -> PgResult<Option<Algorithm>> {
    let name = language.to_ascii_lowercase();
    Ok(match name.as_str() {
        "simple" => None,
        // PostgreSQL 18 has what Snowball 3 renamed.
        "dutch" => Some(Algorithm::DutchPorter),
        "esperanto" | "lovins" | "dutch_porter" => return Err(no_stemmer(language)),
        name => match Algorithm::from_str(name) {
            Some(found) => Some(found),
            None => return Err(no_stemmer(language)),
        },
    })
}

#[cold]
fn no_stemmer(language: &str) -> Box<common::PgError> {
    pg_err!(
        UNDEFINED_OBJECT,
        "no Snowball stemmer available for language \"{language}\" and encoding \"UTF8\""
    )
}

/// What is wrong with the options of a dictionary, as far as it can be told from them.
pub fn check_dictionary(row: &TextSearchDictionary) -> PgResult<()> {
    Dictionary::open(row).map(drop)
}

/// The built-in template whose function turns tokens into lexemes.
pub fn template_of(lexize: Oid) -> Option<&'static str> {
    Some(match facts::proc(lexize)?.proname {
        "dsimple_lexize" => "simple",
        "dsnowball_lexize" => "snowball",
        "dsynonym_lexize" => "synonym",
        "thesaurus_lexize" => "thesaurus",
        "dispell_lexize" => "ispell",
        _ => return None,
    })
}

fn options(text: &str) -> Vec<(String, String)> {
    let all = dictionary_options(text).into_iter();
    all.map(|(name, value, _)| (name, value)).collect()
}

/// `name = 'value', name = 1` as `pg_ts_dict` keeps options: name, value, and whether it stands in quotes.
pub fn dictionary_options(text: &str) -> Vec<(String, String, bool)> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        if !after.starts_with(['E', '\'']) {
            let end = after.find(',').unwrap_or(after.len());
            let name = name.trim().trim_start_matches(',').trim().trim_matches('"');
            found.push((name.to_owned(), after[..end].trim().to_owned(), false));
            rest = after[end..].trim_start_matches([',', ' ']);
            continue;
        }
        let escaped = after.starts_with('E');
        let after = after.strip_prefix('E').unwrap_or(after);
        let mut value = String::new();
        let mut end = after.len();
        let mut chars = after.char_indices().skip(1).peekable();
        while let Some((i, c)) = chars.next() {
            if c == '\'' {
                if chars.peek().is_some_and(|(_, c)| *c == '\'') {
                    chars.next();
                } else {
                    end = i + 1;
                    break;
                }
            }
            if c == '\\' && escaped {
                chars.next();
            }
            value.push(c);
        }
        let name = name.trim().trim_start_matches(',').trim().trim_matches('"');
        found.push((name.to_owned(), value, true));
        rest = after.get(end..).unwrap_or("").trim_start_matches([',', ' ']);
    }
    found
}

impl Dictionary {
    /// Prepares a dictionary of `pg_ts_dict`.
    pub fn open(row: &TextSearchDictionary) -> PgResult<Dictionary> {
        let options = options(row.options.as_deref().unwrap_or(""));
        let (mut stop, mut accept, mut stemmer) = (StopWords::default(), true, None);
        for (name, value) in &options {
            match (row.template.as_str(), name.as_str()) {
                ("simple" | "snowball", "stopwords") => stop = StopWords::named(value)?,
                ("simple", "accept") => accept = matches!(value.as_str(), "true" | "t" | "on" | "yes" | "1"),
                ("snowball", "language") => stemmer = Some(algorithm(value)?),
                ("simple", _) => {
                    return Err(pg_err!(
                        INVALID_PARAMETER_VALUE,
                        "unrecognized simple dictionary parameter: \"{name}\""
                    ));
                }
                ("snowball", _) => {
                    return Err(pg_err!(
                        INVALID_PARAMETER_VALUE,
                        "unrecognized Snowball parameter: \"{name}\""
                    ));
                }
                _ => {}
            }
        }
        match row.template.as_str() {
            "simple" => Ok(Dictionary::Simple { stop, accept }),
            "snowball" => match stemmer {
                Some(algorithm) => Ok(Dictionary::Snowball { algorithm, stop }),
                None => Err(pg_err!(INVALID_PARAMETER_VALUE, "missing Language parameter")),
            },
            other => Err(
                unsupported!("text search template \"{other}\" is not supported yet")
                    .hint("Templates \"simple\" and \"snowball\" are."),
            ),
        }
    }

    /// The lexemes of a token: none for a stop word, `None` for a word that the dictionary does not know.
    pub fn lexize(&self, token: &str) -> Option<Vec<String>> {
        let word = token.to_ascii_lowercase();
        match self {
            Dictionary::Simple { stop, .. } if word.is_empty() || stop.contains(&word) => Some(Vec::new()),
            Dictionary::Simple { accept, .. } => accept.then(|| vec![word]),
            Dictionary::Snowball { .. } if word.len() > 1000 => Some(vec![word]),
            Dictionary::Snowball { stop, .. } if word.is_empty() || stop.contains(&word) => Some(Vec::new()),
            Dictionary::Snowball { algorithm, .. } => Some(vec![match algorithm {
                Some(algorithm) => stem(*algorithm, &word),
                None => word,
            }]),
        }
    }
}

fn stem(algorithm: Algorithm, word: &str) -> String {
    let found = algorithm.stemmer().stem(word);
    // A stem of nothing is the word.
    if found.is_empty() {
        word.to_owned()
    } else {
        found.into_owned()
    }
}
