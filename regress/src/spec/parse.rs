//! Reading spec files.
//!
//! ```text
//! # what is shown
//! setup { CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 10); }
//! session s1
//! setup { SET lock_timeout = '10s'; }
//! step r1 { SELECT v FROM t WHERE id = 1 }
//! session s2
//! step w2 { UPDATE t SET v = 20 WHERE id = 1 }
//! step l2 timeout { LOCK TABLE t }
//! permutation r1 w2
//! interleave
//! final { SELECT * FROM t ORDER BY id }
//! levels { READ COMMITTED | SERIALIZABLE }
//! ```
//! `levels` runs everything once for each text given, in place of the word `$level`.
//! `timeout` marks a step that ends its own wait. `interleave` stands for all orders that keep each session's steps in order; they are
//! shown in one line each. `final` runs at the end of each permutation, when all sessions have ended their transactions.

/// One named step of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name, unique in the file.
    pub name: String,
    /// What it runs.
    pub sql: String,
    /// Its wait ends by itself.
    pub timed: bool,
}

/// One connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecSession {
    /// Its name.
    pub name: String,
    /// What runs first in each permutation.
    pub setup: String,
    /// Its steps in order.
    pub steps: Vec<Step>,
}

/// A spec file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    /// What makes the tables.
    pub setup: String,
    /// The sessions.
    pub sessions: Vec<SpecSession>,
    /// Orders of steps, as (session, step).
    pub permutations: Vec<Vec<(usize, usize)>>,
    /// All interleavings are run as well.
    pub interleave: bool,
    /// What is asked at the end.
    pub last: String,
    /// What `$level` stands for.
    pub levels: Vec<String>,
}

impl Spec {
    /// Reads a spec.
    pub fn parse(text: &str) -> Result<Spec, String> {
        let mut spec = Spec::default();
        let mut rest = strip_comments(text);
        let mut orders: Vec<Vec<String>> = Vec::new();
        while let Some((word, after)) = next_word(&rest) {
            rest = match word.as_str() {
                "setup" => {
                    let (sql, after) = block(&after)?;
                    let target = match spec.sessions.last_mut() {
                        Some(session) => &mut session.setup,
                        None => &mut spec.setup,
                    };
                    target.push_str(&sql);
                    after
                }
                "final" => {
                    let (sql, after) = block(&after)?;
                    spec.last = sql;
                    after
                }
                "levels" => {
                    let (levels, after) = block(&after)?;
                    spec.levels = levels.split('|').map(|l| l.trim().to_owned()).collect();
                    after
                }
                "session" => {
                    let (name, after) = next_word(&after).ok_or("session without a name")?;
                    spec.sessions.push(SpecSession {
                        name,
                        ..SpecSession::default()
                    });
                    after
                }
                "step" => spec.step(&after)?,
                "interleave" => {
                    spec.interleave = true;
                    after
                }
                "permutation" => {
                    let (line, after) = after.split_once('\n').unwrap_or((&after, ""));
                    orders.push(line.split_whitespace().map(str::to_owned).collect());
                    after.to_owned()
                }
                other => return Err(format!("unknown word \"{other}\"")),
            };
        }
        for order in orders {
            let order = order
                .iter()
                .map(|name| spec.find(name))
                .collect::<Result<_, _>>()?;
            spec.permutations.push(order);
        }
        Ok(spec)
    }

    fn step(&mut self, text: &str) -> Result<String, String> {
        let (name, mut after) = next_word(text).ok_or("step without a name")?;
        let timed = after.trim_start().starts_with("timeout");
        if timed {
            after = after.trim_start()["timeout".len()..].to_owned();
        }
        let (sql, after) = block(&after)?;
        let session = self.sessions.last_mut().ok_or("step outside a session")?;
        session.steps.push(Step { name, sql, timed });
        Ok(after)
    }

    /// The spec with `$level` replaced.
    pub fn at_level(&self, level: &str) -> Spec {
        let put = |sql: &mut String| *sql = sql.replace("$level", level);
        let mut spec = self.clone();
        put(&mut spec.setup);
        for session in &mut spec.sessions {
            put(&mut session.setup);
            session.steps.iter_mut().for_each(|step| put(&mut step.sql));
        }
        spec
    }

    fn find(&self, name: &str) -> Result<(usize, usize), String> {
        let mut all = self.sessions.iter().enumerate();
        all.find_map(|(s, session)| Some((s, session.steps.iter().position(|step| step.name == name)?)))
            .ok_or_else(|| format!("no step \"{name}\""))
    }

    /// All orders that keep the steps of each session in order.
    pub fn interleavings(&self) -> Vec<Vec<(usize, usize)>> {
        let mut done = Vec::new();
        let mut next = vec![0; self.sessions.len()];
        self.extend(&mut Vec::new(), &mut next, &mut done);
        done
    }

    fn extend(
        &self,
        order: &mut Vec<(usize, usize)>,
        next: &mut [usize],
        done: &mut Vec<Vec<(usize, usize)>>,
    ) {
        let mut complete = true;
        for (s, session) in self.sessions.iter().enumerate() {
            if next[s] < session.steps.len() {
                complete = false;
                order.push((s, next[s]));
                next[s] += 1;
                self.extend(order, next, done);
                next[s] -= 1;
                order.pop();
            }
        }
        if complete {
            done.push(order.clone());
        }
    }
}

/// Without lines that begin with `#`.
fn strip_comments(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn next_word(text: &str) -> Option<(String, String)> {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_owned(), text[end..].to_owned()))
}

/// What stands in braces, which may nest.
fn block(text: &str) -> Result<(String, String), String> {
    let inner = text.trim_start().strip_prefix('{').ok_or("\"{\" expected")?;
    let mut depth = 1;
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok((inner[..at].trim().to_owned(), inner[at + 1..].to_owned()));
        }
    }
    Err("\"}\" missing".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found() {
        let spec = Spec::parse(
            "# x\nsetup { A; }\nsession s1\nsetup { B }\nstep a { C '{}' }\nstep b timeout { D }\nsession s2\n\
             step c { E }\npermutation a c b\ninterleave\nfinal { F }",
        )
        .unwrap();
        assert_eq!((spec.setup.as_str(), spec.last.as_str()), ("A;", "F"));
        assert_eq!(spec.sessions[0].setup, "B");
        assert_eq!(spec.sessions[0].steps[0].sql, "C '{}'");
        assert!(spec.sessions[0].steps[1].timed);
        assert_eq!(spec.permutations, [[(0, 0), (1, 0), (0, 1)]]);
        assert_eq!(spec.interleavings().len(), 3);
        assert!(Spec::parse("permutation x").is_err());
    }
}
