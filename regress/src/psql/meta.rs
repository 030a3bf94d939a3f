//! Backslash commands.

use super::message::message;
use super::print::Format;
use super::vars::{Variables, boolean};
use super::{Condition, NOT_SUPPORTED, Psql, Use};

/// Arguments of a command, in psql's quoting.
struct Arguments<'a> {
    line: &'a str,
    at: usize,
}

impl Arguments<'_> {
    /// The next argument; `None` at the end of the command.
    fn next(&mut self, vars: &Variables) -> Option<String> {
        self.skip_space();
        let mut out = String::new();
        let mut any = false;
        while let Some(c) = self.line[self.at..].chars().next() {
            match c {
                c if c.is_ascii_whitespace() => break,
                '\\' => break,
                '\'' => {
                    any = true;
                    self.quoted(&mut out);
                }
                '"' => {
                    any = true;
                    let rest = &self.line[self.at + 1..];
                    let n = rest.find('"').map_or(rest.len(), |n| n + 1);
                    out.push('"');
                    out.push_str(&rest[..n]);
                    self.at += n + 1;
                }
                ':' => {
                    any = true;
                    match vars.reference(&self.line[self.at..]) {
                        Some((n, value)) => {
                            out.push_str(value.trim_start_matches(" E").trim_start());
                            self.at += n;
                        }
                        None => {
                            out.push(':');
                            self.at += 1;
                        }
                    }
                }
                c => {
                    any = true;
                    out.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        any.then_some(out)
    }

    fn skip_space(&mut self) {
        let rest = &self.line[self.at..];
        self.at += rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_whitespace()).len();
    }

    /// A quoted piece with C's escapes.
    fn quoted(&mut self, out: &mut String) {
        self.at += 1;
        let mut chars = self.line[self.at..].chars().peekable();
        while let Some(c) = chars.next() {
            self.at += c.len_utf8();
            match c {
                '\'' if chars.peek() == Some(&'\'') => {
                    chars.next();
                    self.at += 1;
                    out.push('\'');
                }
                '\'' => return,
                '\\' => {
                    let Some(escaped) = chars.next() else { return };
                    self.at += escaped.len_utf8();
                    out.push(match escaped {
                        'n' => '\n',
                        't' => '\t',
                        'b' => '\u{8}',
                        'r' => '\r',
                        'f' => '\u{c}',
                        other => other,
                    });
                }
                c => out.push(c),
            }
        }
    }

    fn all(&mut self, vars: &Variables) -> Vec<String> {
        std::iter::from_fn(|| self.next(vars)).collect()
    }

    /// The rest of the line.
    fn rest(&mut self) -> String {
        self.skip_space();
        let rest = self.line[self.at..].trim_end().to_owned();
        self.at = self.line.len();
        rest
    }
}

impl Psql<'_> {
    /// Runs the command that begins at `at` (after its backslash) and moves `at` behind it.
    pub(super) fn meta(&mut self, line: &str, at: &mut usize) {
        let rest = &line[*at..];
        let n = rest
            .find(|c: char| c.is_ascii_whitespace() || c == '\\' || c == '\'' || c == '"' || c == ':')
            .unwrap_or(rest.len());
        let name = rest[..n].to_owned();
        let mut args = Arguments { line, at: *at + n };
        if self.conditional(&name, &mut args) {
        } else if self.active() {
            self.command(&name, &mut args);
        } else if matches!(name.as_str(), "copy" | "!" | "sf" | "sv" | "help" | "h") {
            args.rest();
        } else {
            args.all(&Variables::default());
        }
        *at = args.at;
        // A double backslash separates commands from SQL.
        if line[*at..].trim_start().starts_with("\\\\") {
            *at += line[*at..].find("\\\\").unwrap_or(0) + 2;
        } else if line[*at..].trim().is_empty() {
            *at = line.len();
        }
    }

    /// `\if`, `\elif`, `\else`, `\endif`; false for other commands.
    fn conditional(&mut self, name: &str, args: &mut Arguments<'_>) -> bool {
        match name {
            "if" => {
                let outer = self.active();
                let value = self.condition_value(args, outer, "\\if expression");
                self.conditions.push(Condition {
                    active: value,
                    taken: value,
                    outer,
                    after_else: false,
                });
            }
            "elif" => {
                let Some(top) = self.conditions.last().copied() else {
                    args.all(&Variables::default());
                    self.print("\\elif: no matching \\if\n");
                    return true;
                };
                if top.after_else {
                    args.all(&Variables::default());
                    self.print("\\elif: cannot occur after \\else\n");
                    return true;
                }
                let wanted = top.outer && !top.taken;
                let value = self.condition_value(args, wanted, "\\elif expression");
                if let Some(top) = self.conditions.last_mut() {
                    top.active = value;
                    top.taken |= value;
                }
                self.query.clear();
            }
            "else" => match self.conditions.last_mut() {
                None => self.print("\\else: no matching \\if\n"),
                Some(top) if top.after_else => self.print("\\else: cannot occur after \\else\n"),
                Some(top) => {
                    top.active = top.outer && !top.taken;
                    top.taken = true;
                    top.after_else = true;
                    if top.active || !top.outer {
                        self.query.clear();
                    }
                }
            },
            "endif" => {
                if self.conditions.pop().is_none() {
                    self.print("\\endif: no matching \\if\n");
                }
            }
            _ => return false,
        }
        true
    }

    /// Reads the condition; only evaluated where it decides something.
    fn condition_value(&mut self, args: &mut Arguments<'_>, evaluate: bool, what: &str) -> bool {
        let words = args.all(&self.vars);
        if !evaluate {
            return false;
        }
        let text = words.join(" ");
        match boolean(&text) {
            Some(value) => value,
            None => {
                self.print(&format!(
                    "unrecognized value \"{text}\" for \"{what}\": Boolean expected\n"
                ));
                false
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm per command")]
    fn command(&mut self, name: &str, args: &mut Arguments<'_>) {
        match name {
            "set" => {
                let words = args.all(&self.vars);
                self.set(&words);
            }
            "unset" => {
                for word in args.all(&self.vars) {
                    self.unset(&word);
                }
            }
            "getenv" => {
                let words = args.all(&self.vars);
                if let [name, variable] = words.as_slice() {
                    if let Ok(value) = std::env::var(variable) {
                        self.vars.set(name, value);
                    }
                }
            }
            "echo" | "qecho" | "warn" => {
                let mut words = args.all(&self.vars);
                let newline = if words.first().is_some_and(|w| w == "-n") {
                    words.remove(0);
                    ""
                } else {
                    "\n"
                };
                let text = words.join(" ") + newline;
                if name == "qecho" {
                    self.print_result(&text);
                } else {
                    self.print(&text);
                }
            }
            "g" | "gx" => self.go(name == "gx", args),
            "gset" => {
                let prefix = args.next(&self.vars).unwrap_or_default();
                self.send(Use::Set(prefix));
            }
            "copy" => self.copy(args),
            "sv" | "sf" => self.definition(name, args),
            "gexec" => self.send(Use::Execute),
            "gdesc" => self.send(Use::Describe),
            "bind" => {
                let values = args.all(&self.vars);
                self.bind = Some((None, values));
            }
            "bind_named" => {
                let mut values = args.all(&self.vars);
                if values.is_empty() {
                    self.print("\\bind_named: missing required argument\n");
                    self.bind = None;
                    return;
                }
                let statement = values.remove(0);
                self.bind = Some((Some(statement), values));
            }
            "parse" => match args.next(&self.vars) {
                Some(statement) => self.parse_named(&statement),
                None => self.print("\\parse: missing required argument\n"),
            },
            "close_prepared" => match args.next(&self.vars) {
                Some(statement) => self.close_named(&statement),
                None => self.print("\\close_prepared: missing required argument\n"),
            },
            "x" => {
                let value = args.next(&self.vars);
                self.options.expanded = value
                    .as_deref()
                    .and_then(boolean)
                    .unwrap_or(!self.options.expanded);
            }
            "t" => {
                let value = args.next(&self.vars);
                let old = self.options.tuples_only;
                self.options.tuples_only = value.as_deref().and_then(boolean).unwrap_or(!old);
            }
            "a" => {
                self.options.format = match self.options.format {
                    Format::Aligned => Format::Unaligned,
                    _ => Format::Aligned,
                };
            }
            "f" => {
                if let Some(value) = args.next(&self.vars) {
                    self.options.field_sep = value;
                }
            }
            "C" => self.options.title = args.next(&self.vars),
            "pset" => {
                let words = args.all(&self.vars);
                if let Some((what, value)) = words.split_first() {
                    self.pset(what, value.first().map(String::as_str));
                } else {
                    self.print(&format!("{NOT_SUPPORTED} \\pset\n"));
                }
            }
            "r" | "reset" => {
                self.query.clear();
                self.bind = None;
                self.lexer.reset();
            }
            "p" | "print" => {
                let text = if self.query.is_empty() {
                    &self.previous
                } else {
                    &self.query
                };
                let text = format!("{text}\n");
                self.print(&text);
            }
            "q" | "quit" => self.quit = true,
            "c" | "connect" => {
                let words = args.all(&self.vars);
                let user = words
                    .get(1)
                    .filter(|u| *u != "-")
                    .map(|u| u.trim_matches('"').to_owned());
                self.reconnect(user.as_deref());
            }
            "o" | "out" => self.redirect(args),
            "setenv" | "timing" | "encoding" | "cd" | "w" | "write" | "s" => drop(args.all(&self.vars)),
            _ => self.unknown(name, args),
        }
    }

    /// Commands that psql has and we have not, and those that nobody has.
    fn unknown(&mut self, name: &str, args: &mut Arguments<'_>) {
        const OTHERS: [&str; 22] = [
            "copyright",
            "crosstabview",
            "watch",
            "sendpipeline",
            "startpipeline",
            "endpipeline",
            "syncpipeline",
            "flush",
            "flushrequest",
            "getresults",
            "h",
            "help",
            "?",
            "!",
            "i",
            "ir",
            "include",
            "l",
            "z",
            "errverbose",
            "password",
            "restrict",
        ];
        args.rest();
        if name.starts_with('d') || OTHERS.contains(&name) {
            self.print(&format!("{NOT_SUPPORTED} \\{name}\n"));
        } else {
            self.print(&format!("invalid command \\{name}\n"));
        }
    }

    /// `\sv` and `\sf`: the statement that made a view or a function.
    fn definition(&mut self, command: &str, args: &mut Arguments<'_>) {
        let words = args.all(&self.vars);
        let name = words.first().map_or("", |w| w.trim_end_matches(';'));
        let literal = format!("'{}'", name.replace('\'', "''"));
        let query = match command {
            "sv" => format!(
                "SELECT 'CREATE OR REPLACE VIEW ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || E' AS\\n' \
                 || rtrim(pg_get_viewdef(c.oid, true), ';') || E'\\n' FROM pg_class c JOIN pg_namespace n \
                 ON n.oid = c.relnamespace WHERE c.oid = {literal}::regclass"
            ),
            _ => {
                let kind = if name.contains('(') {
                    "regprocedure"
                } else {
                    "regproc"
                };
                format!("SELECT pg_get_functiondef({literal}::{kind})")
            }
        };
        let found = self.session.query_map(query.as_str(), (), |row| row.get_text(0));
        let text = match found {
            Ok(rows) => rows.into_iter().flatten().collect(),
            Err(e) => message(&e, &query, self.verbosity(), self.show_context()),
        };
        self.print(&text);
    }

    /// `\copy` between a table and the script or the output; not with files.
    fn copy(&mut self, args: &mut Arguments<'_>) {
        let rest = args.rest();
        let place = rest.to_ascii_lowercase();
        if ["stdin", "stdout", "pstdin", "pstdout"]
            .iter()
            .any(|w| place.contains(w))
        {
            self.execute(&format!("COPY {}", rest.trim()), &Use::Print);
        } else {
            self.print(&format!("{NOT_SUPPORTED} \\copy\n"));
        }
    }

    /// `\g` and `\gx`, with options in parentheses and a file to write.
    fn go(&mut self, expanded: bool, args: &mut Arguments<'_>) {
        let saved = self.options.clone();
        if args.line[args.at..].trim_start().starts_with('(') {
            let rest = &args.line[args.at..];
            let end = rest.find(')').unwrap_or(rest.len());
            let inner = rest[..end].trim_start().trim_start_matches('(').to_owned();
            args.at += (end + 1).min(rest.len());
            let mut words = Arguments { line: &inner, at: 0 };
            for word in words.all(&self.vars) {
                if let Some((what, value)) = word.split_once('=') {
                    self.pset(what, Some(value));
                }
            }
        }
        let target = args.next(&self.vars);
        let file = self.file.take();
        if let Some(target) = &target {
            self.open_output(target);
        } else {
            self.file = file;
        }
        self.options.expanded |= expanded;
        self.send(Use::Print);
        if target.is_some() {
            self.file = None;
        }
        self.options = saved;
    }

    fn redirect(&mut self, args: &mut Arguments<'_>) {
        self.file = None;
        if let Some(target) = args.next(&self.vars) {
            self.open_output(&target);
        }
        args.rest();
    }

    fn open_output(&mut self, target: &str) {
        if target.starts_with('|') {
            self.print(&format!("{NOT_SUPPORTED} pipes\n"));
            self.file = Some(Box::new(std::io::sink()));
            return;
        }
        match std::fs::File::create(target) {
            Ok(file) => self.file = Some(Box::new(file)),
            Err(_) => self.print(&format!("{target}: No such file or directory\n")),
        }
    }

    fn set(&mut self, words: &[String]) {
        let Some((name, values)) = words.split_first() else {
            let all: Vec<String> = self.vars.iter().map(|(k, v)| format!("{k} = '{v}'\n")).collect();
            self.print(&all.concat());
            return;
        };
        let mut value = values.concat();
        if matches!(
            name.as_str(),
            "AUTOCOMMIT" | "ON_ERROR_STOP" | "QUIET" | "SINGLELINE" | "SHOW_ALL_RESULTS"
        ) {
            match boolean(if value.is_empty() { "on" } else { &value }) {
                Some(on) => value = if on { "on" } else { "off" }.into(),
                None => {
                    self.print(&format!(
                        "unrecognized value \"{value}\" for \"{name}\": Boolean expected\n"
                    ));
                    return;
                }
            }
        }
        if name == "FETCH_COUNT" && value.parse::<i32>().is_err() {
            self.print(&format!(
                "invalid value \"{value}\" for \"{name}\": integer expected\n"
            ));
            return;
        }
        if name == "ON_ERROR_ROLLBACK" && value != "interactive" {
            match boolean(if value.is_empty() { "on" } else { &value }) {
                Some(on) => value = if on { "on" } else { "off" }.into(),
                None => {
                    self.print(&format!(
                        "unrecognized value \"{value}\" for \"{name}\"\nAvailable values are: on, off, interactive.\n"
                    ));
                    return;
                }
            }
        }
        if !self.vars.set(name, value) {
            self.print(&format!("invalid variable name: \"{name}\"\n"));
        }
    }

    /// Special variables go back to their defaults.
    fn unset(&mut self, name: &str) {
        let default = match name {
            "AUTOCOMMIT" | "SHOW_ALL_RESULTS" => "on",
            "ON_ERROR_STOP" | "ON_ERROR_ROLLBACK" | "QUIET" | "SINGLELINE" => "off",
            "ECHO" => "none",
            "VERBOSITY" => "default",
            "SHOW_CONTEXT" => "errors",
            "FETCH_COUNT" => "0",
            _ => {
                self.vars.unset(name);
                return;
            }
        };
        self.vars.set(name, default);
    }

    fn pset(&mut self, what: &str, value: Option<&str>) {
        let flag = |old: bool| value.and_then(boolean).unwrap_or(!old);
        let o = &mut self.options;
        match what {
            "null" => o.null = value.unwrap_or_default().to_owned(),
            "format" => match value {
                Some("aligned" | "wrapped") => o.format = Format::Aligned,
                Some("unaligned") => o.format = Format::Unaligned,
                Some("csv") => o.format = Format::Csv,
                other => {
                    let other = other.unwrap_or_default().to_owned();
                    self.print(&format!("{NOT_SUPPORTED} \\pset format {other}\n"));
                }
            },
            "expanded" | "x" | "vertical" => o.expanded = flag(o.expanded),
            "tuples_only" | "t" => o.tuples_only = flag(o.tuples_only),
            "footer" => o.footer = flag(o.footer),
            "fieldsep" => o.field_sep = value.unwrap_or("|").to_owned(),
            "csv_fieldsep" => o.csv_field_sep = value.unwrap_or(",").to_owned(),
            "title" | "C" => o.title = value.map(str::to_owned),
            "border" => o.border = value.and_then(|v| v.parse().ok()).unwrap_or(1),
            _ => {}
        }
    }
}
