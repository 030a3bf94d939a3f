//! The default parser: cuts a document into words, numbers, addresses, tags.
//!
//! PG: src/backend/tsearch/wparser_def.c; the documentation, "Parsers".
//!
//! # How it works
//! A state looks at the next character and goes on in another state, ends the token, gives up, or *tries*: a try that gives up
//! returns to the state that tried, which looks for something else. So `a.b` is tried as a host, then as a file, and is
//! two words only when neither fits. Hyphenated words and URLs are given out whole, then read again for their parts.
//!
//! # Invariants
//! - Characters beyond ASCII are letters (the database's locale is C).

use State::*;

/// What a token is, as `ts_token_type` numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
#[repr(i32)]
pub(crate) enum Kind {
    AsciiWord = 1,
    Word,
    NumWord,
    Email,
    Url,
    Host,
    Scientific,
    Version,
    NumHwordPart,
    HwordPart,
    AsciiHwordPart,
    Space,
    Tag,
    Protocol,
    NumHword,
    AsciiHword,
    Hword,
    UrlPath,
    File,
    Decimal,
    SignedInt,
    UnsignedInt,
    Entity,
}

/// Number, alias and description of the kinds.
pub(crate) const KINDS: [(i32, &str, &str); 23] = [
    (1, "asciiword", "Word, all ASCII"),
    (2, "word", "Word, all letters"),
    (3, "numword", "Word, letters and digits"),
    (4, "email", "Email address"),
    (5, "url", "URL"),
    (6, "host", "Host"),
    (7, "sfloat", "Scientific notation"),
    (8, "version", "Version number"),
    (9, "hword_numpart", "Hyphenated word part, letters and digits"),
    (10, "hword_part", "Hyphenated word part, all letters"),
    (11, "hword_asciipart", "Hyphenated word part, all ASCII"),
    (12, "blank", "Space symbols"),
    (13, "tag", "XML tag"),
    (14, "protocol", "Protocol head"),
    (15, "numhword", "Hyphenated word, letters and digits"),
    (16, "asciihword", "Hyphenated word, all ASCII"),
    (17, "hword", "Hyphenated word, all letters"),
    (18, "url_path", "URL path"),
    (19, "file", "File or path name"),
    (20, "float", "Decimal notation"),
    (21, "int", "Signed integer"),
    (22, "uint", "Unsigned integer"),
    (23, "entity", "XML entity"),
];

/// The number of a kind of token.
pub fn token_kind(alias: &str) -> Option<i32> {
    KINDS.iter().find(|k| k.1 == alias).map(|k| k.0)
}

/// Where in a token the parser is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Base,
    NumWord,
    AsciiWord,
    Word,
    UnsignedInt,
    SignFirst,
    SignedInt,
    Space,
    UDecimalFirst,
    UDecimal,
    DecimalFirst,
    Decimal,
    VersionFirst,
    Version,
    ExponentFirst,
    ExponentSign,
    Exponent,
    EntityFirst,
    Entity,
    EntityNumberFirst,
    EntityNumber,
    EntityHexFirst,
    EntityHex,
    EntityEnd,
    TagFirst,
    XmlBegin,
    TagCloseFirst,
    TagName,
    TagEmptyEnd,
    Tag,
    TagQuote(char),
    TagEnd,
    CommentFirst,
    CommentSecond,
    Comment,
    CommentDash,
    CommentDashes,
    HostDomainFirst,
    HostDomainSecond,
    HostDomain,
    PortFirst,
    Port,
    HostFirst,
    Host,
    Email,
    FileFirst,
    FileTilde,
    PathFirst,
    PathDot,
    PathSecond,
    File,
    FileNext,
    UrlPathFirst,
    UrlPathStart,
    UrlPath,
    FullUrl,
    ProtocolFirst,
    ProtocolSecond,
    ProtocolEnd,
    HyphenAsciiFirst,
    HyphenAscii,
    HyphenWordFirst,
    HyphenWord,
    HyphenNumFirst,
    HyphenNum,
    HyphenDigits,
    Parts,
    PartsHyphen,
    PartAscii,
    PartWord,
    PartNum,
    PartDigits,
}

/// A finished token: where it ends, what it is, and where the next one begins in which state.
#[derive(Clone, Copy)]
struct Found {
    end: usize,
    kind: Kind,
    next: State,
    /// The next token begins where this one does: its parts follow.
    again: bool,
    want_host: bool,
    ignore: Option<bool>,
}

/// What a state does with a character.
enum Action {
    Go(State),
    End(Kind, State),
    /// As `End`, and the token is read again.
    Again(Kind, State),
    GiveUp,
}

/// A document being cut.
pub(crate) struct DefaultParser<'a> {
    text: &'a str,
    at: usize,
    state: State,
    /// Behind a URL: its host comes next, and ends at the path.
    want_host: bool,
    /// Inside `<script>` or `<style>`.
    ignore: bool,
}

/// Tries that nest deeper are given up: `a@b@c@...` must not exhaust the stack.
const TRIES_MAX: u32 = 200;

impl<'a> DefaultParser<'a> {
    pub fn new(text: &'a str) -> DefaultParser<'a> {
        DefaultParser {
            text,
            at: 0,
            state: Base,
            want_host: false,
            ignore: false,
        }
    }

    fn peek(&self, at: usize) -> Option<char> {
        self.text.get(at..).and_then(|s| s.chars().next())
    }

    /// A token of one kind that begins at `at` in `state`; where it ends.
    fn sub_token(&self, at: usize, state: State, kind: Kind, want_host: bool, depth: u32) -> Option<usize> {
        let sub = DefaultParser {
            text: self.text,
            at,
            state,
            want_host,
            ignore: false,
        };
        let found = sub.run(at, at, state, depth + 1)?;
        (found.kind == kind).then_some(found.end)
    }

    /// Runs from a state to the end of the token; `None`: gave up.
    fn run(&self, start: usize, mut at: usize, mut state: State, depth: u32) -> Option<Found> {
        if depth > TRIES_MAX {
            return None;
        }
        let mut ignore = None;
        loop {
            let c = self.peek(at);
            if state == Email {
                if self.want_host {
                    return None;
                }
                let end = self.sub_token(at, HostFirst, Kind::Host, true, depth)?;
                return Some(Found::plain(end, Kind::Email, Base));
            }
            if state == FullUrl {
                let end = self.sub_token(at, UrlPathFirst, Kind::UrlPath, false, depth)?;
                return Some(Found {
                    again: true,
                    want_host: true,
                    ..Found::plain(end, Kind::Url, Base)
                });
            }
            if matches!(state, HostDomain | Port) && c == Some('/') && self.want_host {
                return Some(Found::plain(at, Kind::Host, UrlPathStart));
            }
            for tried in tries(state, c) {
                let next = at + c.map_or(0, char::len_utf8);
                if let Some(found) = self.run(start, next, *tried, depth + 1) {
                    return Some(found);
                }
            }
            match self.action(state, c) {
                Action::Go(next) => {
                    if matches!(state, TagName | Tag) && matches!(c, Some('>' | ' ' | '\t' | '\n' | '\r')) {
                        ignore = special_tag(&self.text[start..at]).or(ignore);
                    }
                    // States that end a token without looking at a character stand behind the one just read.
                    at += c.map_or(0, char::len_utf8);
                    state = next;
                }
                Action::End(kind, next) => {
                    return Some(Found {
                        ignore,
                        ..Found::plain(at, kind, next)
                    });
                }
                Action::Again(kind, next) => {
                    return Some(Found {
                        again: true,
                        ..Found::plain(at, kind, next)
                    });
                }
                Action::GiveUp => return None,
            }
        }
    }
}

impl Found {
    fn plain(end: usize, kind: Kind, next: State) -> Found {
        Found {
            end,
            kind,
            next,
            again: false,
            want_host: false,
            ignore: None,
        }
    }
}

/// `<script` and `<style` begin text to be passed over, their ends end it.
fn special_tag(tag: &str) -> Option<bool> {
    match tag.to_ascii_lowercase().as_str() {
        "<script" | "<style" => Some(true),
        "</script" | "</style" => Some(false),
        _ => None,
    }
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || !c.is_ascii()
}

fn is_word(c: char) -> bool {
    is_letter(c) || c.is_ascii_digit()
}

fn is_url(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// The states to be tried behind character `c` before a state goes on by itself.
fn tries(state: State, c: Option<char>) -> &'static [State] {
    let Some(c) = c else { return &[] };
    match (state, c) {
        (Base, '<') => &[TagFirst],
        (Base, '-' | '+') => &[SignFirst],
        (Base, '&') => &[EntityFirst],
        (Base, '~') => &[FileTilde],
        (Base, '/') => &[FileFirst],
        (Base, '.') => &[PathDot],
        (NumWord, '@') | (Host, '@') | (HostDomainSecond | HostDomain, '@') | (UnsignedInt, '@') => &[Email],
        (NumWord | UnsignedInt | AsciiWord, '/') => &[FileFirst],
        (NumWord, '.') => &[FileNext],
        (NumWord, '-') => &[HyphenNumFirst],
        (AsciiWord, '.') => &[HostDomainFirst, FileNext],
        (AsciiWord, '-') => &[HostFirst, HyphenAsciiFirst],
        (AsciiWord | UnsignedInt, '_') => &[HostFirst],
        (AsciiWord, '@') => &[Email],
        (AsciiWord, ':') => &[ProtocolFirst],
        (AsciiWord, '0'..='9') => &[Host],
        (Word, '-') => &[HyphenWordFirst],
        (UnsignedInt, '.') => &[HostDomainFirst, UDecimalFirst],
        (UnsignedInt, 'e' | 'E') => &[ExponentFirst, Host],
        (UnsignedInt, '-') => &[HostFirst],
        (UnsignedInt, 'a'..='z' | 'A'..='Z') => &[Host],
        (SignedInt, '.') => &[DecimalFirst],
        (SignedInt | UDecimal | Decimal, 'e' | 'E') => &[ExponentFirst],
        (UDecimal | Version, '.') => &[VersionFirst],
        (TagFirst, '/') => &[TagCloseFirst],
        (TagFirst, '!') => &[CommentFirst],
        (TagFirst, '?') => &[XmlBegin],
        (TagFirst, 'a'..='z' | 'A'..='Z' | ':' | '_') => &[TagName],
        (HostDomainSecond | HostDomain, '0'..='9') => &[Host],
        (HostDomainSecond | HostDomain | Host, '-' | '_') => &[HostFirst],
        (HostDomainSecond | HostDomain | Host, '.') => &[HostDomainFirst],
        (HostDomain, ':') => &[PortFirst],
        (HostDomain | Port, '/') => &[FullUrl],
        (FileFirst, '~') => &[FileTilde],
        (PathSecond, '/') => &[FileFirst],
        (File, '.') => &[FileNext],
        (File, '/') => &[FileFirst],
        (HyphenAscii, '-') => &[HyphenAsciiFirst],
        (HyphenWord, '-') => &[HyphenWordFirst],
        (HyphenNum, '-') => &[HyphenNumFirst],
        (Parts, '0'..='9') => &[PartDigits],
        (Parts, '-') => &[PartsHyphen],
        _ => &[],
    }
}

impl DefaultParser<'_> {
    fn action(&self, state: State, c: Option<char>) -> Action {
        match state {
            Base | Space => self.blank_action(state, c),
            AsciiWord | Word | NumWord => word_action(state, c),
            UnsignedInt | SignFirst | SignedInt | UDecimalFirst | UDecimal | DecimalFirst | Decimal
            | VersionFirst | Version | ExponentFirst | ExponentSign | Exponent => number_action(state, c),
            EntityFirst | Entity | EntityNumberFirst | EntityNumber | EntityHexFirst | EntityHex
            | EntityEnd => entity_action(state, c),
            TagFirst | XmlBegin | TagCloseFirst | TagName | TagEmptyEnd | Tag | TagQuote(_) | TagEnd
            | CommentFirst | CommentSecond | Comment | CommentDash | CommentDashes => tag_action(state, c),
            HostDomainFirst | HostDomainSecond | HostDomain | PortFirst | Port | HostFirst | Host | Email
            | UrlPathFirst | UrlPathStart | UrlPath | FullUrl | ProtocolFirst | ProtocolSecond
            | ProtocolEnd => host_action(state, c),
            FileFirst | FileTilde | PathFirst | PathDot | PathSecond | File | FileNext => {
                file_action(state, c)
            }
            _ => hyphen_action(state, c),
        }
    }

    fn blank_action(&self, state: State, c: Option<char>) -> Action {
        let Some(c) = c else {
            return Action::End(Kind::Space, Base);
        };
        if state == Base {
            return Action::Go(match c {
                _ if self.ignore => Space,
                'a'..='z' | 'A'..='Z' => AsciiWord,
                '0'..='9' => UnsignedInt,
                c if is_letter(c) => Word,
                _ => Space,
            });
        }
        match c {
            '<' => Action::End(Kind::Space, Base),
            _ if self.ignore => Action::Go(Space),
            '-' | '+' | '&' | '/' => Action::End(Kind::Space, Base),
            c if !is_word(c) => Action::Go(Space),
            _ => Action::End(Kind::Space, Base),
        }
    }
}

fn word_action(state: State, c: Option<char>) -> Action {
    let letters = |c: char| match c {
        _ if state == NumWord => NumWord,
        '0'..='9' => NumWord,
        'a'..='z' | 'A'..='Z' => state,
        _ => Word,
    };
    match c {
        Some(c) if is_word(c) => Action::Go(letters(c)),
        _ => Action::End(
            match state {
                AsciiWord => Kind::AsciiWord,
                Word => Kind::Word,
                _ => Kind::NumWord,
            },
            Base,
        ),
    }
}

fn number_action(state: State, c: Option<char>) -> Action {
    let digits = match state {
        UnsignedInt => UnsignedInt,
        SignFirst | SignedInt => SignedInt,
        UDecimalFirst | UDecimal => UDecimal,
        DecimalFirst | Decimal => Decimal,
        VersionFirst | Version => Version,
        _ => Exponent,
    };
    let kind = match state {
        UnsignedInt => Kind::UnsignedInt,
        SignedInt => Kind::SignedInt,
        UDecimal | Decimal => Kind::Decimal,
        Version => Kind::Version,
        Exponent => Kind::Scientific,
        _ => {
            return match c {
                Some('0'..='9') => Action::Go(digits),
                Some('+' | '-') if state == ExponentFirst => Action::Go(ExponentSign),
                _ => Action::GiveUp,
            };
        }
    };
    match c {
        Some('0'..='9') => Action::Go(digits),
        Some(c) if state == UnsignedInt && is_letter(c) => Action::Go(NumWord),
        _ => Action::End(kind, Base),
    }
}

fn entity_action(state: State, c: Option<char>) -> Action {
    let go = match (state, c) {
        (EntityEnd, _) => return Action::End(Kind::Entity, Base),
        (EntityFirst, Some('#')) => EntityNumberFirst,
        (EntityFirst, Some('a'..='z' | 'A'..='Z' | ':' | '_')) => Entity,
        (Entity, Some(':' | '_' | '.' | '-')) => Entity,
        (Entity, Some(c)) if is_word(c) => Entity,
        (EntityNumberFirst, Some('x' | 'X')) => EntityHexFirst,
        (EntityNumberFirst | EntityNumber, Some('0'..='9')) => EntityNumber,
        (EntityHexFirst | EntityHex, Some(c)) if c.is_ascii_hexdigit() => EntityHex,
        (Entity | EntityNumber | EntityHex, Some(';')) => EntityEnd,
        _ => return Action::GiveUp,
    };
    Action::Go(go)
}

fn tag_action(state: State, c: Option<char>) -> Action {
    if state == TagEnd {
        return Action::End(Kind::Tag, Base);
    }
    let Some(c) = c else { return Action::GiveUp };
    Action::Go(match (state, c) {
        (XmlBegin, 'x') => Tag,
        (TagCloseFirst, 'a'..='z' | 'A'..='Z') => TagName,
        (TagName, '/') => TagEmptyEnd,
        (TagName | TagEmptyEnd | Tag, '>') => TagEnd,
        (TagName | Tag, c) if is_blank(c) => Tag,
        (TagName, ':' | '_' | '.' | '-') => TagName,
        (TagName, c) if is_word(c) => TagName,
        (Tag, '\'' | '"') => TagQuote(c),
        (Tag, '=' | '-' | '_' | '#' | '/' | ':' | '.' | '&' | '?' | '%' | '~') => Tag,
        (Tag, c) if c.is_ascii_alphanumeric() => Tag,
        (TagQuote(quote), c) => {
            if c == quote {
                Tag
            } else {
                state
            }
        }
        (CommentFirst, '-') => CommentSecond,
        (CommentFirst, 'D' | 'd') => Tag,
        (CommentSecond, '-') => Comment,
        (Comment, '-') => CommentDash,
        (CommentDash | CommentDashes, '-') => CommentDashes,
        (CommentDashes, '>') => TagEnd,
        (Comment | CommentDash | CommentDashes, _) => Comment,
        _ => return Action::GiveUp,
    })
}

fn host_action(state: State, c: Option<char>) -> Action {
    Action::Go(match (state, c) {
        (HostDomainFirst, Some('a'..='z' | 'A'..='Z')) => HostDomainSecond,
        (HostDomainFirst, Some('0'..='9')) => Host,
        (HostDomainSecond | HostDomain, Some('a'..='z' | 'A'..='Z')) => HostDomain,
        (HostDomain, Some('0'..='9')) => return Action::GiveUp,
        (HostDomain, _) => return Action::End(Kind::Host, Base),
        (PortFirst | Port, Some('0'..='9')) => Port,
        (Port, _) => return Action::End(Kind::Host, Base),
        (HostFirst | Host, Some('0'..='9' | 'a'..='z' | 'A'..='Z')) => Host,
        (UrlPathFirst | UrlPathStart | UrlPath, Some(c)) if is_url(c) => UrlPath,
        (UrlPathStart | UrlPath, _) => return Action::End(Kind::UrlPath, Base),
        (ProtocolFirst, Some('/')) => ProtocolSecond,
        (ProtocolSecond, Some('/')) => ProtocolEnd,
        (ProtocolEnd, _) => return Action::End(Kind::Protocol, Base),
        _ => return Action::GiveUp,
    })
}

fn file_action(state: State, c: Option<char>) -> Action {
    Action::Go(match (state, c) {
        (FileFirst | FileTilde | PathFirst | FileNext, Some('a'..='z' | 'A'..='Z' | '0'..='9' | '_')) => File,
        (File, Some('a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-')) => File,
        (File, _) => return Action::End(Kind::File, Base),
        (FileFirst, Some('.')) => PathFirst,
        (FileTilde | PathFirst | PathDot, Some('/')) => FileFirst,
        (PathFirst | PathDot, Some('.')) => PathSecond,
        (PathSecond, None | Some('/')) => return Action::End(Kind::File, Base),
        (PathSecond, Some(c)) if is_blank(c) => return Action::End(Kind::File, Base),
        _ => return Action::GiveUp,
    })
}

fn hyphen_action(state: State, c: Option<char>) -> Action {
    let ascii = matches!(c, Some('a'..='z' | 'A'..='Z'));
    let letter = c.is_some_and(is_letter);
    let digit = matches!(c, Some('0'..='9'));
    match state {
        HyphenAsciiFirst if ascii => Action::Go(HyphenAscii),
        HyphenAsciiFirst | HyphenWordFirst if letter => Action::Go(HyphenWord),
        HyphenNumFirst if letter => Action::Go(HyphenNum),
        HyphenAsciiFirst | HyphenWordFirst | HyphenNumFirst | HyphenDigits if digit => {
            Action::Go(HyphenDigits)
        }
        HyphenDigits if letter => Action::Go(HyphenNum),
        HyphenAscii if ascii => Action::Go(HyphenAscii),
        HyphenAscii | HyphenWord if letter => Action::Go(HyphenWord),
        HyphenAscii | HyphenWord | HyphenNum if digit || letter => Action::Go(HyphenNum),
        HyphenAscii => Action::Again(Kind::AsciiHword, Parts),
        HyphenWord => Action::Again(Kind::Hword, Parts),
        HyphenNum => Action::Again(Kind::NumHword, Parts),
        Parts | PartAscii if ascii => Action::Go(PartAscii),
        Parts | PartAscii | PartWord if letter => Action::Go(PartWord),
        Parts | PartAscii | PartWord | PartNum if digit || letter => Action::Go(PartNum),
        PartDigits if letter => Action::Go(PartNum),
        PartDigits if digit => Action::Go(PartDigits),
        PartDigits => Action::End(Kind::UnsignedInt, Parts),
        PartAscii => Action::End(Kind::AsciiHwordPart, Parts),
        PartWord => Action::End(Kind::HwordPart, Parts),
        PartNum => Action::End(Kind::NumHwordPart, Parts),
        PartsHyphen if digit || letter => Action::End(Kind::Space, Parts),
        _ => Action::GiveUp,
    }
}

impl<'a> Iterator for DefaultParser<'a> {
    type Item = (Kind, &'a str);

    fn next(&mut self) -> Option<(Kind, &'a str)> {
        if self.at >= self.text.len() {
            return None;
        }
        let mut found = self.run(self.at, self.at, self.state, 0);
        if found.is_none() && self.state != Base {
            // Parts of a hyphenated word are over.
            self.state = Base;
            found = self.run(self.at, self.at, Base, 0);
        }
        let found = found?;
        let token = (found.kind, &self.text[self.at..found.end]);
        self.want_host = found.want_host;
        self.ignore = found.ignore.unwrap_or(self.ignore);
        self.state = found.next;
        if !found.again {
            self.at = found.end;
        }
        Some(token)
    }
}
