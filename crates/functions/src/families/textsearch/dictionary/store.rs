//! Dictionaries opened once for all sessions of a database.
//!
//! # How it works
//! A dictionary of thousands of words takes long to read, so the store keeps it under its OID together with the row of `pg_ts_dict` it was
//! made of. Whoever asks compares the row as the session sees it: another row (a transaction's own ALTER, say) makes another dictionary.
//! ALTER TEXT SEARCH DICTIONARY forgets it in any case, which is how changed files come into use, as in PostgreSQL.

use std::io;
use std::sync::Arc;

use common::cancel::CancelToken;
use common::sync::Mutex;
use common::{Oid, PgResult};
use rustc_hash::FxHashMap;
use types::io::RegKind;

use super::files::{BUILTIN_FILES, StopWords};
use super::ispell::Ispell;
use super::options::{self, boolean, missing, set_once, unrecognized};
use super::stem::{self, Snowball};
use super::synonym::Synonyms;
use super::thesaurus::Thesaurus;
use super::{Dictionary, nested_thesaurus};
use crate::framework::context::FnContext;
use crate::framework::session::{SessionContext, TextSearchDictionary};

/// Where the files of dictionaries are: what `$SHAREDIR/tsearch_data` is to PostgreSQL.
pub trait TextSearchFiles: Send + Sync {
    /// The content of a file, and its path as messages show it.
    fn read(&self, name: &str) -> (String, io::Result<Vec<u8>>);
}

/// The opened dictionaries of a database.
pub struct DictionaryStore {
    files: Box<dyn TextSearchFiles>,
    /// Protects the map, for the time of one look; dictionaries are made outside of it.
    opened: Mutex<FxHashMap<Oid, Opened>>,
}

#[derive(Clone)]
struct Opened {
    row: TextSearchDictionary,
    dictionary: Arc<Dictionary>,
}

impl DictionaryStore {
    /// A store without dictionaries.
    pub fn new(files: Box<dyn TextSearchFiles>) -> DictionaryStore {
        DictionaryStore {
            files,
            opened: Mutex::default(),
        }
    }

    /// Forgets a dictionary: its files are read again when it is used next.
    pub fn forget(&self, dictionary: Oid) {
        self.opened.lock().remove(&dictionary);
    }

    /// A user's file, or one that comes with the program.
    pub(super) fn read(&self, name: &str) -> (String, io::Result<Vec<u8>>) {
        let (path, found) = self.files.read(name);
        let absent = matches!(&found, Err(error) if error.kind() == io::ErrorKind::NotFound);
        match BUILTIN_FILES.iter().find(|(n, _)| absent && *n == name) {
            Some((_, content)) => (path, Ok(content.as_bytes().to_vec())),
            None => (path, found),
        }
    }
}

/// What making a dictionary needs.
pub(super) struct Loader<'a> {
    pub store: &'a DictionaryStore,
    pub session: &'a dyn SessionContext,
    pub cancel: &'a CancelToken,
}

/// The dictionary of an OID, for a function.
pub(crate) fn dictionary(ctx: &FnContext<'_>, oid: Oid) -> PgResult<Arc<Dictionary>> {
    load(ctx.session, ctx.cancel, oid)
}

/// The dictionary of an OID.
pub(crate) fn load(
    session: &dyn SessionContext,
    cancel: &CancelToken,
    oid: Oid,
) -> PgResult<Arc<Dictionary>> {
    let store = session.dictionary_store()?;
    let loader = Loader {
        store: &store,
        session,
        cancel,
    };
    loader.dictionary(oid)
}

/// Makes a dictionary to see whether its options and files are right.
pub fn check_dictionary(
    row: &TextSearchDictionary,
    session: &dyn SessionContext,
    cancel: &CancelToken,
) -> PgResult<()> {
    let store = session.dictionary_store()?;
    let loader = Loader {
        store: &store,
        session,
        cancel,
    };
    loader.make(row).map(drop)
}

/// The values of a row's options, in order.
fn each_option(
    row: &TextSearchDictionary,
    visit: &mut dyn FnMut(&str, String) -> PgResult<()>,
) -> PgResult<()> {
    let all = options::dictionary_options(row.options.as_deref().unwrap_or(""));
    all.into_iter()
        .try_for_each(|(name, value, _)| visit(&name, value))
}

impl Loader<'_> {
    /// The opened dictionary of an OID.
    fn dictionary(&self, oid: Oid) -> PgResult<Arc<Dictionary>> {
        let row = self.session.text_search_dictionary(oid)?;
        let found = self.store.opened.lock().get(&oid).cloned();
        if let Some(opened) = found.filter(|o| o.row == row)
            && self.is_fresh(&opened.dictionary)?
        {
            return Ok(opened.dictionary);
        }
        let dictionary = Arc::new(self.make(&row)?);
        let opened = Opened {
            row,
            dictionary: Arc::clone(&dictionary),
        };
        self.store.opened.lock().insert(oid, opened);
        Ok(dictionary)
    }

    /// A thesaurus was compiled by another dictionary, which may have changed.
    fn is_fresh(&self, dictionary: &Dictionary) -> PgResult<bool> {
        let Dictionary::Thesaurus(thesaurus) = dictionary else {
            return Ok(true);
        };
        let subdictionary = self.subdictionary(&thesaurus.subdictionary_name)?;
        Ok(Arc::ptr_eq(&subdictionary, &thesaurus.subdictionary))
    }

    fn subdictionary(&self, name: &str) -> PgResult<Arc<Dictionary>> {
        let oid = self.session.resolver().resolve(RegKind::Dictionary, name)?;
        // One that stands on itself would be opened for ever.
        if self.session.text_search_dictionary(oid)?.template == "thesaurus" {
            return Err(nested_thesaurus());
        }
        self.dictionary(oid)
    }

    fn make(&self, row: &TextSearchDictionary) -> PgResult<Dictionary> {
        if !row.has_init && row.options.is_some() {
            return Err(options::no_options(&row.template_name));
        }
        match row.template.as_str() {
            "simple" => self.simple(row),
            "snowball" => self.snowball(row),
            "synonym" => self.synonym(row),
            "thesaurus" => self.thesaurus(row),
            "ispell" => self.ispell(row),
            other => Err(common::internal!(
                "text search template \"{other}\" has no lexize method"
            )),
        }
    }

    fn simple(&self, row: &TextSearchDictionary) -> PgResult<Dictionary> {
        let (mut stop, mut accept) = (None, None);
        each_option(row, &mut |name, value| match name {
            "stopwords" if stop.is_some() => Err(options::repeated("StopWords")),
            "stopwords" => set_once(&mut stop, StopWords::named(self.store, &value)?, "StopWords"),
            "accept" if accept.is_some() => Err(options::repeated("Accept")),
            "accept" => set_once(&mut accept, boolean(name, &value)?, "Accept"),
            _ => Err(unrecognized("simple dictionary", name)),
        })?;
        Ok(Dictionary::Simple {
            stop: stop.unwrap_or_default(),
            accept: accept.unwrap_or(true),
        })
    }

    fn snowball(&self, row: &TextSearchDictionary) -> PgResult<Dictionary> {
        let (mut stop, mut language) = (None, None);
        each_option(row, &mut |name, value| match name {
            "stopwords" if stop.is_some() => Err(options::repeated("StopWords")),
            "stopwords" => set_once(&mut stop, StopWords::named(self.store, &value)?, "StopWords"),
            "language" if language.is_some() => Err(options::repeated("Language")),
            "language" => set_once(&mut language, stem::algorithm(&value)?, "Language"),
            _ => Err(unrecognized("Snowball", name)),
        })?;
        let algorithm = language.ok_or_else(|| missing("Language"))?;
        Ok(Dictionary::Snowball(Snowball::new(
            algorithm,
            stop.unwrap_or_default(),
        )))
    }

    fn synonym(&self, row: &TextSearchDictionary) -> PgResult<Dictionary> {
        let (mut file, mut case_sensitive) = (None, false);
        each_option(row, &mut |name, value| {
            match name {
                // The last one counts.
                "synonyms" => file = Some(value),
                "casesensitive" => case_sensitive = boolean(name, &value)?,
                _ => return Err(unrecognized("synonym", name)),
            }
            Ok(())
        })?;
        let file = file.ok_or_else(|| missing("Synonyms"))?;
        Ok(Dictionary::Synonym(Synonyms::read(
            self.store,
            &file,
            case_sensitive,
        )?))
    }

    fn thesaurus(&self, row: &TextSearchDictionary) -> PgResult<Dictionary> {
        let (mut rules, mut name_of_sub) = (None, None);
        each_option(row, &mut |name, value| match name {
            "dictfile" if rules.is_some() => Err(options::repeated("DictFile")),
            "dictfile" => set_once(&mut rules, Thesaurus::read(self.store, &value)?, "DictFile"),
            "dictionary" => set_once(&mut name_of_sub, value, "Dictionary"),
            _ => Err(unrecognized("Thesaurus", name)),
        })?;
        let rules = rules.ok_or_else(|| missing("DictFile"))?;
        let name = name_of_sub.ok_or_else(|| missing("Dictionary"))?;
        let subdictionary = self.subdictionary(&name)?;
        Thesaurus::compile(&rules, name, subdictionary, self.cancel).map(Dictionary::Thesaurus)
    }

    fn ispell(&self, row: &TextSearchDictionary) -> PgResult<Dictionary> {
        let (mut words, mut affixes, mut stop) = (None, None, None);
        each_option(row, &mut |name, value| match name {
            "dictfile" if words.is_some() => Err(options::repeated("DictFile")),
            "dictfile" => set_once(&mut words, Ispell::read_words(self.store, &value)?, "DictFile"),
            "afffile" if affixes.is_some() => Err(options::repeated("AffFile")),
            "afffile" => set_once(&mut affixes, Ispell::read_affixes(self.store, &value)?, "AffFile"),
            "stopwords" if stop.is_some() => Err(options::repeated("StopWords")),
            "stopwords" => set_once(&mut stop, StopWords::named(self.store, &value)?, "StopWords"),
            _ => Err(unrecognized("Ispell", name)),
        })?;
        let affixes = affixes.ok_or_else(|| missing("AffFile"))?;
        let words = words.ok_or_else(|| missing("DictFile"))?;
        let ispell = Ispell::build(affixes, words, stop.unwrap_or_default())?;
        Ok(Dictionary::Ispell(Box::new(ispell)))
    }
}
