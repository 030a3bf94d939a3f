//! psql variables: values, substitution, and the special ones that psql itself reads.

use std::collections::BTreeMap;

/// All variables.
#[derive(Debug, Default)]
pub struct Variables {
    values: BTreeMap<String, String>,
}

impl Variables {
    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Sets a variable; false when the name is not allowed.
    pub fn set(&mut self, name: &str, value: impl Into<String>) -> bool {
        let valid = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii());
        if valid {
            self.values.insert(name.to_owned(), value.into());
        }
        valid
    }

    /// Removes a variable.
    pub fn unset(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// In name order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// What a text that begins with a colon refers to: length of the reference and its replacement. `None`: no (known) variable.
    pub fn reference(&self, text: &str) -> Option<(usize, String)> {
        let word = |s: &str| {
            s.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()))
                .unwrap_or(s.len())
        };
        let rest = text.strip_prefix(':')?;
        if let Some(test) = rest.strip_prefix("{?") {
            let n = word(test);
            if n == 0 || !test[n..].starts_with('}') {
                return None;
            }
            let known = self.get(&test[..n]).is_some();
            return Some((n + 4, if known { "TRUE" } else { "FALSE" }.to_owned()));
        }
        for quote in ['\'', '"'] {
            if let Some(quoted) = rest.strip_prefix(quote) {
                let n = word(quoted);
                if n == 0 || !quoted[n..].starts_with(quote) {
                    return None;
                }
                let value = self.get(&quoted[..n])?;
                let value = if quote == '\'' {
                    literal(value)
                } else {
                    identifier(value)
                };
                return Some((n + 3, value));
            }
        }
        let n = word(rest);
        if n == 0 {
            return None;
        }
        Some((n + 1, self.get(&rest[..n])?.to_owned()))
    }
}

/// An SQL literal.
pub fn literal(value: &str) -> String {
    let doubled = value.replace('\'', "''");
    if doubled.contains('\\') {
        format!(" E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

fn identifier(value: &str) -> String {
    format!("\"{}\"", value.replace('"', "\"\""))
}

/// psql's reading of a Boolean.
pub fn boolean(value: &str) -> Option<bool> {
    let v = value.to_ascii_lowercase();
    let starts = |word: &str, min: usize| v.len() >= min && word.starts_with(&v);
    if starts("true", 1) || starts("yes", 1) || starts("on", 2) || v == "1" {
        Some(true)
    } else if starts("false", 1) || starts("no", 1) || starts("off", 2) || v == "0" {
        Some(false)
    } else {
        None
    }
}
