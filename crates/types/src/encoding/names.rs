//! PostgreSQL's encodings: numbers, names, aliases.

use std::sync::LazyLock;

/// An encoding, by PostgreSQL's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Encoding(u8);

impl Default for Encoding {
    fn default() -> Encoding {
        Encoding::UTF8
    }
}

/// By number: name and longest character in bytes.
#[rustfmt::skip]
static ENCODINGS: &[(&str, i32)] = &[
    ("SQL_ASCII", 1),
    ("EUC_JP", 3),
    ("EUC_CN", 3),
    ("EUC_KR", 3),
    ("EUC_TW", 4),
    ("EUC_JIS_2004", 3), ("UTF8", 4), ("MULE_INTERNAL", 4),
    ("LATIN1", 1),
    ("LATIN2", 1),
    ("LATIN3", 1),
    ("LATIN4", 1),
    ("LATIN5", 1),
    ("LATIN6", 1),
    ("LATIN7", 1),
    ("LATIN8", 1),
    ("LATIN9", 1),
    ("LATIN10", 1),
    ("WIN1256", 1),
    ("WIN1258", 1),
    ("WIN866", 1),
    ("WIN874", 1), ("KOI8R", 1),
    ("WIN1251", 1),
    ("WIN1252", 1), ("ISO_8859_5", 1), ("ISO_8859_6", 1), ("ISO_8859_7", 1), ("ISO_8859_8", 1),
    ("WIN1250", 1),
    ("WIN1253", 1),
    ("WIN1254", 1),
    ("WIN1255", 1),
    ("WIN1257", 1), ("KOI8U", 1), ("SJIS", 2), ("BIG5", 2), ("GBK", 2), ("UHC", 2), ("GB18030", 4), ("JOHAB", 3), ("SHIFT_JIS_2004", 2),
];

/// Other names, letters and digits only.
#[rustfmt::skip]
static ALIASES: &[(&str, &str)] = &[
    ("abc", "win1258"), ("alt", "win866"), ("iso88591", "latin1"), ("iso885910", "latin6"), ("iso885913", "latin7"),
    ("iso885914", "latin8"), ("iso885915", "latin9"), ("iso885916", "latin10"), ("iso88592", "latin2"), ("iso88593", "latin3"),
    ("iso88594", "latin4"), ("iso88599", "latin5"), ("koi8", "koi8r"), ("mskanji", "sjis"), ("shiftjis", "sjis"),
    ("tcvn", "win1258"), ("tcvn5712", "win1258"), ("unicode", "utf8"), ("vscii", "win1258"), ("win", "win1251"), ("win932", "sjis"),
    ("win936", "gbk"), ("win949", "uhc"), ("win950", "big5"), ("windows1250", "win1250"), ("windows1251", "win1251"),
    ("windows1252", "win1252"), ("windows1253", "win1253"), ("windows1254", "win1254"), ("windows1255", "win1255"),
    ("windows1256", "win1256"), ("windows1257", "win1257"), ("windows1258", "win1258"), ("windows866", "win866"),
    ("windows874", "win874"), ("windows932", "sjis"), ("windows936", "gbk"), ("windows949", "uhc"), ("windows950", "big5"),
];

/// Letters and digits count, case does not.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

static PLAIN_NAMES: LazyLock<Vec<String>> = LazyLock::new(|| ENCODINGS.iter().map(|e| plain(e.0)).collect());

#[allow(missing_docs)]
impl Encoding {
    pub const SQL_ASCII: Encoding = Encoding(0);
    pub const EUC_JP: Encoding = Encoding(1);
    pub const EUC_CN: Encoding = Encoding(2);
    pub const EUC_KR: Encoding = Encoding(3);
    pub const EUC_TW: Encoding = Encoding(4);
    pub const EUC_JIS_2004: Encoding = Encoding(5);
    pub const UTF8: Encoding = Encoding(6);
    pub const MULE_INTERNAL: Encoding = Encoding(7);
    pub const LATIN1: Encoding = Encoding(8);
    pub const SJIS: Encoding = Encoding(35);
    pub const BIG5: Encoding = Encoding(36);
    pub const GBK: Encoding = Encoding(37);
    pub const UHC: Encoding = Encoding(38);
    pub const GB18030: Encoding = Encoding(39);
    pub const JOHAB: Encoding = Encoding(40);
    pub const SHIFT_JIS_2004: Encoding = Encoding(41);
}

impl Encoding {
    /// The encoding of a name as a user writes it.
    pub fn by_name(name: &str) -> Option<Encoding> {
        let wanted = plain(name);
        let alias = ALIASES.iter().find(|(alias, _)| *alias == wanted);
        let wanted = alias.map_or(wanted.as_str(), |(_, name)| name);
        let at = PLAIN_NAMES.iter().position(|n| n == wanted)?;
        u8::try_from(at).ok().map(Encoding)
    }

    /// The encoding of a number.
    pub fn by_number(number: i32) -> Option<Encoding> {
        let number = u8::try_from(number).ok()?;
        (usize::from(number) < ENCODINGS.len()).then_some(Encoding(number))
    }

    /// PostgreSQL's number of it.
    pub fn number(self) -> u8 {
        self.0
    }

    fn facts(self) -> (&'static str, i32) {
        ENCODINGS.get(usize::from(self.0)).copied().unwrap_or(("", 1))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// Its longest character in bytes.
    pub fn char_bytes_max(self) -> i32 {
        self.facts().1
    }

    /// PostgreSQL converts it to and from MULE_INTERNAL.
    pub(super) fn has_mule_form(self) -> bool {
        const WITH: &[&str] = &[
            "BIG5",
            "EUC_CN",
            "EUC_JP",
            "EUC_KR",
            "EUC_TW",
            "ISO_8859_5",
            "KOI8R",
            "LATIN1",
            "LATIN2",
            "LATIN3",
            "LATIN4",
            "SJIS",
            "WIN1250",
            "WIN1251",
            "WIN866",
        ];
        WITH.contains(&self.name())
    }
}
