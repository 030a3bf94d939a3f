//! What a finished command says of itself.

use std::borrow::Cow;
use std::fmt;

/// The command tag: `SELECT 5`, `INSERT 0 1`, `CREATE TABLE`. Cheap to copy for the commands that run often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandTag {
    words: Cow<'static, str>,
    /// Written after the words.
    count: Option<u64>,
}

impl CommandTag {
    /// A tag that ends with a number of rows.
    pub(crate) fn counted(words: &'static str, count: u64) -> CommandTag {
        CommandTag {
            words: Cow::Borrowed(words),
            count: Some(count),
        }
    }

    /// Appends the tag as it is written.
    pub fn push_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.words.as_bytes());
        let Some(mut count) = self.count else { return };
        let mut digits = [0; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (count % 10) as u8;
            count /= 10;
            if count == 0 {
                break;
            }
        }
        out.push(b' ');
        out.extend_from_slice(&digits[at..]);
    }

    /// Rows inserted, updated, deleted, returned or copied; 0 for commands that count none.
    pub fn rows(&self) -> u64 {
        self.count.unwrap_or_else(|| {
            let last = self.words.rsplit(' ').next();
            last.and_then(|n| n.parse().ok()).unwrap_or(0)
        })
    }
}

impl From<&'static str> for CommandTag {
    fn from(words: &'static str) -> CommandTag {
        CommandTag {
            words: Cow::Borrowed(words),
            count: None,
        }
    }
}

impl From<String> for CommandTag {
    fn from(words: String) -> CommandTag {
        CommandTag {
            words: Cow::Owned(words),
            count: None,
        }
    }
}

impl fmt::Display for CommandTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)?;
        match self.count {
            Some(count) => write!(f, " {count}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CommandTag;

    #[test]
    fn tags_as_written_and_counted() {
        let tag = CommandTag::counted("INSERT 0", 7);
        assert_eq!((tag.to_string().as_str(), tag.rows()), ("INSERT 0 7", 7));
        for tag in [
            tag,
            CommandTag::counted("SELECT", 0),
            CommandTag::counted("COPY", u64::MAX),
            "BEGIN".into(),
        ] {
            let mut bytes = Vec::new();
            tag.push_to(&mut bytes);
            assert_eq!(String::from_utf8_lossy(&bytes), tag.to_string());
        }
        let tag = CommandTag::from("SELECT 12".to_owned());
        assert_eq!((tag.to_string().as_str(), tag.rows()), ("SELECT 12", 12));
        assert_eq!(CommandTag::from("CREATE TABLE").rows(), 0);
    }
}
