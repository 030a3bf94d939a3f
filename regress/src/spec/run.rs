//! Running permutations: one thread per session, and knowing when everything has come to rest.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use regex::Regex;

use super::parse::{Spec, Step};
use super::target::{Answer, Connection, Failure, Outcome, Target};

/// Nothing in a spec takes this long; who waits longer is not waiting for a lock, or is waiting without our knowing it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs all permutations; the text that is compared.
pub(super) fn run(spec: &Spec, target: &mut dyn Target) -> Result<String, String> {
    let mut out = String::new();
    if spec.levels.is_empty() {
        run_level(spec, target, &mut out)?;
    }
    for level in &spec.levels {
        let _ = writeln!(out, "## {level}");
        run_level(&spec.at_level(level), target, &mut out)?;
    }
    Ok(out)
}

fn run_level(spec: &Spec, target: &mut dyn Target, out: &mut String) -> Result<(), String> {
    for order in &spec.permutations {
        let mut one = Permutation::begin(spec, target)?;
        let _ = writeln!(out, "# {}", names(spec, order));
        one.play(order)?;
        let mut before = None;
        for event in &one.events {
            event.print(spec, before, out);
            before = Some(event);
        }
        drop(one);
        finally(spec, target, out)?;
        out.push('\n');
    }
    if spec.interleave {
        for order in spec.interleavings() {
            let mut one = Permutation::begin(spec, target)?;
            one.play(&order)?;
            let events: Vec<String> = one.events.iter().map(|event| event.brief(spec)).collect();
            drop(one);
            let mut last = String::new();
            finally_brief(spec, target, &mut last)?;
            let events: Vec<&str> = events
                .iter()
                .map(String::as_str)
                .filter(|e| !e.is_empty())
                .collect();
            let _ = writeln!(out, "{}{last}", events.join(" "));
        }
    }
    Ok(())
}

fn names(spec: &Spec, order: &[(usize, usize)]) -> String {
    let names: Vec<&str> = order
        .iter()
        .map(|(s, step)| spec.sessions[*s].steps[*step].name.as_str())
        .collect();
    names.join(" ")
}

fn last_outcome(spec: &Spec, target: &mut dyn Target) -> Result<Option<Outcome>, String> {
    if spec.last.is_empty() {
        return Ok(None);
    }
    Ok(Some(target.connect()?.run(&spec.last)))
}

fn finally(spec: &Spec, target: &mut dyn Target, out: &mut String) -> Result<(), String> {
    if let Some(outcome) = last_outcome(spec, target)? {
        out.push_str("final\n");
        print_outcome(&outcome, &BTreeMap::new(), out);
    }
    Ok(())
}

fn finally_brief(spec: &Spec, target: &mut dyn Target, out: &mut String) -> Result<(), String> {
    if let Some(outcome) = last_outcome(spec, target)? {
        let _ = write!(out, " => {}", brief_outcome(&outcome));
    }
    Ok(())
}

/// Something that is shown.
enum Event {
    Started(usize, usize),
    Answered(usize, usize, Outcome, BTreeMap<i32, String>),
    Waits(usize, usize),
}

impl Event {
    fn print(&self, spec: &Spec, before: Option<&Event>, out: &mut String) {
        let name = |s: &usize, step: &usize| {
            let session = &spec.sessions[*s];
            (session.name.clone(), session.steps[*step].clone())
        };
        match self {
            Event::Started(s, step) => {
                let (session, step) = name(s, step);
                let sql: Vec<&str> = step.sql.split_whitespace().collect();
                let _ = writeln!(out, "{session} {}: {}", step.name, sql.join(" "));
            }
            Event::Answered(s, step, outcome, pids) => {
                if !matches!(before, Some(Event::Started(s0, step0)) if (s0, step0) == (s, step)) {
                    let (session, step) = name(s, step);
                    let _ = writeln!(out, "{session} {} answers", step.name);
                }
                print_outcome(outcome, pids, out);
            }
            Event::Waits(s, step) => {
                let (session, step) = name(s, step);
                let _ = writeln!(out, "{session} {} waits", step.name);
            }
        }
    }

    fn brief(&self, spec: &Spec) -> String {
        match self {
            Event::Started(..) => String::new(),
            Event::Answered(s, step, outcome, _) => {
                format!(
                    "{}={}",
                    spec.sessions[*s].steps[*step].name,
                    brief_outcome(outcome)
                )
            }
            Event::Waits(s, step) => format!("{}...", spec.sessions[*s].steps[*step].name),
        }
        .trim()
        .to_owned()
    }
}

/// A session on its thread.
struct Worker {
    pid: i32,
    /// Dropped to end the session.
    jobs: Option<Sender<String>>,
    answers: Receiver<Outcome>,
    thread: Option<std::thread::JoinHandle<()>>,
    /// The step that runs.
    runs: Option<usize>,
    /// It has been shown as waiting.
    shown_waiting: bool,
    /// Steps that wait for it.
    queued: VecDeque<usize>,
}

impl Worker {
    fn new(mut connection: Box<dyn Connection>) -> Worker {
        let pid = connection.pid();
        let (jobs, inbox) = channel::<String>();
        let (outbox, answers) = channel();
        let thread = std::thread::spawn(move || {
            for sql in inbox {
                if outbox.send(connection.run(&sql)).is_err() {
                    break;
                }
            }
        });
        Worker {
            pid,
            jobs: Some(jobs),
            answers,
            thread: Some(thread),
            runs: None,
            shown_waiting: false,
            queued: VecDeque::new(),
        }
    }
}

struct Permutation<'a> {
    spec: &'a Spec,
    workers: Vec<Worker>,
    /// The session that looks who waits.
    observer: Box<dyn Connection>,
    events: Vec<Event>,
    pids: BTreeMap<i32, String>,
}

impl<'a> Permutation<'a> {
    fn begin(spec: &'a Spec, target: &mut dyn Target) -> Result<Permutation<'a>, String> {
        super::reset(target, &spec.setup)?;
        let mut workers = Vec::new();
        let mut pids = BTreeMap::new();
        for session in &spec.sessions {
            let mut connection = target.connect()?;
            let setup = connection.run(&session.setup);
            if let Some(error) = setup.error {
                return Err(format!("setup of {}: {}", session.name, error.message));
            }
            pids.insert(connection.pid(), session.name.clone());
            workers.push(Worker::new(connection));
        }
        Ok(Permutation {
            spec,
            workers,
            observer: target.connect()?,
            events: Vec::new(),
            pids,
        })
    }

    fn play(&mut self, order: &[(usize, usize)]) -> Result<(), String> {
        for (s, step) in order {
            self.workers[*s].queued.push_back(*step);
            self.go_on(*s)?;
        }
        // Who is left waiting waits for a session without further steps: those end their transactions.
        for s in 0..self.workers.len() {
            if self.workers[s].runs.is_none() && self.workers.iter().any(|w| w.runs.is_some()) {
                self.send(s, "ROLLBACK")?;
                let _ = self.workers[s].answers.recv_timeout(PATIENCE);
                self.settle()?;
            }
        }
        match self.workers.iter().position(|w| w.runs.is_some()) {
            Some(s) => Err(format!("{} waits for ever", self.spec.sessions[s].name)),
            None => Ok(()),
        }
    }

    fn send(&self, s: usize, sql: &str) -> Result<(), String> {
        let jobs = self.workers[s].jobs.as_ref().ok_or("session has ended")?;
        jobs.send(sql.to_owned())
            .map_err(|_| "session has died".to_owned())
    }

    /// Starts steps of a session until one waits, and whatever that sets free elsewhere.
    fn go_on(&mut self, s: usize) -> Result<(), String> {
        let mut next = Some(s);
        while let Some(s) = next {
            if self.workers[s].runs.is_none() {
                if let Some(step) = self.workers[s].queued.pop_front() {
                    self.events.push(Event::Started(s, step));
                    let sql = self.spec.sessions[s].steps[step].sql.clone();
                    self.workers[s].runs = Some(step);
                    self.workers[s].shown_waiting = false;
                    self.send(s, &sql)?;
                    self.settle()?;
                }
            }
            let mut idle = self.workers.iter();
            next = idle.position(|w| w.runs.is_none() && !w.queued.is_empty());
        }
        Ok(())
    }

    /// Waits until every session has answered or waits for a lock, and notes what is new: answers of all in the order of the
    /// sessions, then who waits.
    fn settle(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        let mut answers: BTreeMap<usize, Outcome> = BTreeMap::new();
        let mut before: Option<Blocked> = None;
        loop {
            let finished = answers.len();
            let running: Vec<usize> = (0..self.workers.len())
                .filter(|s| self.workers[*s].runs.is_some() && !answers.contains_key(s))
                .collect();
            for s in &running {
                if let Ok(outcome) = self.workers[*s].answers.try_recv() {
                    answers.insert(*s, outcome);
                }
            }
            let running: Vec<usize> = running.into_iter().filter(|s| !answers.contains_key(s)).collect();
            if running.is_empty() {
                break;
            }
            let now = self.blocked(&running)?;
            let rests = self.at_rest(&running, &now) && finished == answers.len();
            if rests && before.as_ref() == Some(&now) {
                break;
            }
            before = rests.then_some(now);
            if begun.elapsed() > PATIENCE {
                return Err(format!("no rest after {PATIENCE:?}: {}", self.runs(&running)));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        for (s, outcome) in answers {
            if let Some(step) = self.workers[s].runs.take() {
                let pids = self.pids.clone();
                self.events.push(Event::Answered(s, step, outcome, pids));
            }
        }
        for (s, worker) in self.workers.iter_mut().enumerate() {
            if let Some(step) = worker.runs.filter(|_| !worker.shown_waiting) {
                worker.shown_waiting = true;
                self.events.push(Event::Waits(s, step));
            }
        }
        Ok(())
    }

    fn runs(&self, running: &[usize]) -> String {
        let names: Vec<String> = running
            .iter()
            .map(|s| self.step(*s).map_or_else(String::new, |step| step.name.clone()))
            .collect();
        names.join(" ")
    }

    fn step(&self, s: usize) -> Option<&Step> {
        self.spec.sessions[s].steps.get(self.workers[s].runs?)
    }

    /// For whom the running sessions wait.
    fn blocked(&mut self, running: &[usize]) -> Result<Blocked, String> {
        let pids: Vec<String> = running.iter().map(|s| self.workers[*s].pid.to_string()).collect();
        let outcome = self.observer.run(&format!(
            "SELECT pid, unnest(pg_blocking_pids(pid) || pg_safe_snapshot_blocking_pids(pid)) FROM unnest('{{{}}}'::int[]) pid",
            pids.join(",")
        ));
        if let Some(error) = outcome.error {
            return Err(format!("who waits: {}", error.message));
        }
        let mut blocked = Blocked::new();
        for row in outcome.answers.iter().flat_map(|a| &a.rows) {
            let mut ints = row.iter().flatten().filter_map(|v| v.parse().ok());
            if let (Some(waiter), Some(blocker)) = (ints.next(), ints.next()) {
                blocked.entry(waiter).or_default().push(blocker);
            }
        }
        for blockers in blocked.values_mut() {
            blockers.sort_unstable();
        }
        Ok(blocked)
    }

    fn at_rest(&self, running: &[usize], blocked: &Blocked) -> bool {
        running.iter().all(|s| {
            let pid = self.workers[*s].pid;
            let timed = self.step(*s).is_some_and(|step| step.timed);
            !timed && blocked.contains_key(&pid) && !waits_for_itself(pid, blocked)
        })
    }
}

impl Drop for Permutation<'_> {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.jobs = None;
        }
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take().filter(|_| worker.runs.is_none()) {
                let _ = thread.join();
            }
        }
    }
}

/// Waiting pids, and for whom they wait.
type Blocked = BTreeMap<i32, Vec<i32>>;

fn waits_for_itself(pid: i32, blocked: &Blocked) -> bool {
    let mut seen = Vec::new();
    let mut todo: Vec<i32> = blocked.get(&pid).cloned().unwrap_or_default();
    while let Some(next) = todo.pop() {
        if next == pid {
            return true;
        }
        if !seen.contains(&next) {
            seen.push(next);
            todo.extend(blocked.get(&next).into_iter().flatten());
        }
    }
    false
}

fn print_outcome(outcome: &Outcome, pids: &BTreeMap<i32, String>, out: &mut String) {
    for notice in &outcome.notices {
        print_failure(notice, pids, out);
    }
    for answer in &outcome.answers {
        if let Some(columns) = &answer.columns {
            let _ = writeln!(out, "    {}", columns.join("|"));
            for row in &answer.rows {
                let _ = writeln!(out, "    {}", row_text(row));
            }
            let _ = writeln!(out, "    ({} rows)", answer.rows.len());
        } else {
            let _ = writeln!(out, "    {}", answer.tag);
        }
    }
    if let Some(error) = &outcome.error {
        print_failure(error, pids, out);
    }
}

fn row_text(row: &[Option<String>]) -> String {
    let values: Vec<&str> = row.iter().map(|v| v.as_deref().unwrap_or("")).collect();
    values.join("|")
}

fn print_failure(failure: &Failure, pids: &BTreeMap<i32, String>, out: &mut String) {
    let _ = writeln!(
        out,
        "    {} {}: {}",
        failure.severity,
        failure.code,
        anonymous(&failure.message, pids)
    );
    for (title, text) in [("DETAIL", &failure.detail), ("HINT", &failure.hint)] {
        if !text.is_empty() {
            let text = anonymous(text, pids).replace('\n', "\n            ");
            let _ = writeln!(out, "    {title}: {text}");
        }
    }
}

/// Without numbers that differ from run to run.
fn anonymous(text: &str, pids: &BTreeMap<i32, String>) -> String {
    let mut text = text.to_owned();
    for (pid, name) in pids {
        text = text.replace(&format!("rocess {pid}"), &format!("rocess {name}"));
    }
    let patterns = [
        (r"transaction \d+(/\d+)?", "transaction N"),
        (r"relation \d+ of database \d+", "relation N of database N"),
        (r"tuple \(\d+,\d+\)", "tuple (N,N)"),
        (r"pivot \d+", "pivot N"),
        (r"advisory lock \[\d+,", "advisory lock [N,"),
        (
            r"object \d+ of class (\d+) of database \d+",
            "object N of class $1 of database N",
        ),
    ];
    for (pattern, with) in patterns {
        if let Ok(regex) = Regex::new(pattern) {
            text = regex.replace_all(&text, with).into_owned();
        }
    }
    text
}

fn brief_outcome(outcome: &Outcome) -> String {
    let mut parts: Vec<String> = outcome.answers.iter().map(brief_answer).collect();
    parts.extend(outcome.error.iter().map(|e| e.code.clone()));
    parts.join(";")
}

fn brief_answer(answer: &Answer) -> String {
    if answer.columns.is_none() {
        return answer.tag.replace(' ', "_");
    }
    let rows: Vec<String> = answer.rows.iter().map(|row| row_text(row)).collect();
    format!("[{}]", rows.join(","))
}
