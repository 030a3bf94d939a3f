//! A connection's life after start-up: its messages, one after another, on a thread of its own.
//!
//! # Invariants
//! - After an error in the extended protocol everything up to Sync is skipped.
//! - ReadyForQuery goes out exactly once per Query, Sync and FunctionCall.
//! - A malformed message ends this connection only.

use std::io;
use std::time::Duration;

use pglite::protocol::{ResultRows, ScriptStep, Step};
use pglite::{Column, Error, Session, TransactionStatus};

use crate::Shared;
use crate::report::{self, Fatal};
use crate::startup::Request;
use crate::stream::{Event, Stream};
use crate::wire::{Cursor, Malformed, Out};

/// More than this waiting to be sent is sent before going on.
const FLUSH_BYTES: usize = 64 << 10;

/// Settings whose changes clients are told about.
const REPORTED: [&str; 15] = [
    "application_name",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "IntervalStyle",
    "is_superuser",
    "scram_iterations",
    "search_path",
    "server_encoding",
    "server_version",
    "session_authorization",
    "standard_conforming_strings",
    "TimeZone",
];

/// Why a connection ends before its client says so.
pub enum End {
    /// The socket failed or the client left.
    Gone,
    /// An error that is told to the client, after which it ends.
    Fatal(Fatal),
    /// The error has been written already.
    Told,
    /// What a message holds is wrong; where it ends is known, so the client gets an error and goes on.
    Malformed(Malformed),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> End {
        End::Gone
    }
}

impl From<Malformed> for End {
    fn from(e: Malformed) -> End {
        End::Malformed(e)
    }
}

/// How a message was dealt with: `Err(Error)` is a statement's error, the client goes on.
pub type Handled = Result<Result<(), Error>, End>;

/// A statement's error is handed up as a value; everything else ends the connection.
macro_rules! attempt {
    ($e:expr) => {
        match $e {
            Ok(value) => value,
            Err(error) => return Ok(Err(error)),
        }
    };
}
pub(crate) use attempt;

/// A client after start-up.
pub struct Connection<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) stream: Stream,
    pub(crate) out: Out,
    pub(crate) session: Session,
    /// CopyOutResponse was sent, CopyDone not yet.
    pub(crate) copying_out: bool,
    /// Skipping to Sync after an error.
    skipping: bool,
    /// Between the first extended message and Sync.
    in_sequence: bool,
    /// A ReadyForQuery has not been sent, for the sake of the messages that were waiting.
    owes_ready: bool,
    /// Generation of the settings that the client knows.
    generation: u64,
    reported: Vec<String>,
    idle_time: Option<Duration>,
    idle_in_transaction_time: Option<Duration>,
}

impl<'a> Connection<'a> {
    /// Over a started session; greets the client.
    pub fn new(shared: &'a Shared, stream: Stream, out: Out, session: Session) -> Connection<'a> {
        Connection {
            shared,
            stream,
            out,
            session,
            copying_out: false,
            skipping: false,
            in_sequence: false,
            owes_ready: false,
            generation: 0,
            reported: vec![String::new(); REPORTED.len()],
            idle_time: None,
            idle_in_transaction_time: None,
        }
    }

    /// Serves the client until it leaves.
    pub fn run(&mut self, request: &Request) {
        let end = self.serve(request);
        if let Err(End::Fatal(fatal)) = &end {
            fatal.write(&mut self.out);
        }
        if matches!(end, Err(End::Fatal(_) | End::Told)) {
            // The client may be gone already.
            let _ = self.flush();
        }
    }

    fn serve(&mut self, request: &Request) -> Result<(), End> {
        self.report_settings(true);
        self.out.begin(b'K');
        self.out.i32(self.session.process_id());
        self.out.raw(&crate::cancel_key(&self.session, request.minor));
        self.out.end();
        self.ready()?;
        loop {
            let kind = self.next_message()?;
            if kind == b'X' {
                return Ok(());
            }
            let handled = match self.handle(kind) {
                Err(End::Malformed(e)) => Err(self.session.protocol_error(e.code, &e.text)),
                other => other?,
            };
            if let Err(error) = handled {
                self.tell(&error)?;
                match kind {
                    b'Q' | b'F' => self.ready()?,
                    b'S' => {}
                    _ => self.skipping = true,
                }
            }
            if kind == b'S' {
                self.ready()?;
            }
            self.flush_if_full()?;
        }
    }

    fn handle(&mut self, kind: u8) -> Handled {
        if self.skipping
            && kind != b'S'
            && matches!(kind, b'Q' | b'P' | b'B' | b'D' | b'E' | b'C' | b'H' | b'F')
        {
            return Ok(Ok(()));
        }
        if matches!(kind, b'P' | b'B' | b'D' | b'E' | b'C') && !self.in_sequence {
            self.in_sequence = true;
            self.session.begin_messages();
        }
        match kind {
            b'Q' => {
                let mut message = Cursor::new(self.stream.body()).in_encoding(self.out.encoding);
                let sql = message.cstr()?.into_owned();
                message.end()?;
                let done = self.simple_query(&sql)?;
                if done.is_ok() {
                    self.ready()?;
                }
                Ok(done)
            }
            b'P' => self.parse(),
            b'B' => self.bind(),
            b'D' => self.describe(),
            b'E' => self.execute(),
            b'C' => self.close(),
            b'H' => {
                self.flush()?;
                Ok(Ok(()))
            }
            b'S' => {
                self.skipping = false;
                self.in_sequence = false;
                Cursor::new(self.stream.body()).end()?;
                Ok(self.session.sync())
            }
            // Left over from a COPY that failed.
            b'd' | b'c' | b'f' => Ok(Ok(())),
            b'F' => self.function_call(),
            _ => {
                let text = format!("invalid frontend message type {kind}");
                Err(End::Fatal(Fatal::protocol(text)))
            }
        }
    }

    /// Waits for a message, dealing with notifications, termination and idle limits.
    pub(crate) fn next_message(&mut self) -> Result<u8, End> {
        // What was waiting may have been data of a COPY that has failed, which nobody answers.
        if self.owes_ready && !self.stream.has_message() {
            self.flush()?;
        }
        loop {
            let limit = match self.session.transaction_status() {
                TransactionStatus::Idle => self.idle_time,
                _ => self.idle_in_transaction_time,
            };
            let limit = limit.filter(|_| !self.in_sequence);
            // Termination ends reading; only notifications need the waker.
            self.stream.heed_waker(self.session.is_listening());
            match self.stream.next(limit)? {
                Event::Message(kind) => return Ok(kind),
                Event::Closed => return Err(self.ended()),
                Event::Invalid(why) => return Err(End::Fatal(Fatal::protocol(why))),
                Event::Woken => {
                    if self.session.is_terminated() {
                        return Err(self.ended());
                    }
                    if self.session.transaction_status() == TransactionStatus::Idle && !self.in_sequence {
                        self.notifications();
                        self.flush()?;
                    }
                }
                Event::TimedOut => return Err(End::Fatal(self.idle_too_long())),
            }
        }
    }

    fn ended(&self) -> End {
        if self.session.is_terminated() || self.shared.is_stopping() {
            let text = "terminating connection due to administrator command";
            return End::Fatal(Fatal::new("57P01", text));
        }
        End::Gone
    }

    fn idle_too_long(&self) -> Fatal {
        match self.session.transaction_status() {
            TransactionStatus::Idle => {
                Fatal::new("57P05", "terminating connection due to idle-session timeout")
            }
            _ => Fatal::new(
                "25P03",
                "terminating connection due to idle-in-transaction timeout",
            ),
        }
    }

    /// Writes an error; one that ends the session ends the connection.
    fn tell(&mut self, error: &Error) -> Result<(), End> {
        self.notices();
        self.copying_out = false;
        report::write(error, &mut self.out, error.severity());
        match error.ends_session() {
            true => Err(End::Told),
            false => Ok(()),
        }
    }

    pub(crate) fn notices(&mut self) {
        for notice in self.session.take_notices() {
            report::write(&notice, &mut self.out, notice.severity());
        }
    }

    fn notifications(&mut self) {
        for n in self.session.take_notifications() {
            self.out.begin(b'A');
            self.out.i32(n.process_id);
            self.out.cstr(&n.channel);
            self.out.cstr(&n.payload);
            self.out.end();
        }
    }

    /// ReadyForQuery, with what must come before it.
    pub(crate) fn ready(&mut self) -> Result<(), End> {
        self.notices();
        self.report_settings(false);
        if self.session.transaction_status() == TransactionStatus::Idle {
            self.notifications();
        }
        self.out.begin(b'Z');
        self.out.byte(self.session.transaction_status().letter());
        self.out.end();
        // A pipeline's answers go out together.
        self.owes_ready = true;
        if !self.stream.has_buffered() || self.out.len() > FLUSH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> Result<(), End> {
        self.owes_ready = false;
        if self.out.len() > 0 {
            self.stream.send(self.out.bytes())?;
            self.out.clear();
        }
        Ok(())
    }

    pub(crate) fn flush_if_full(&mut self) -> Result<(), End> {
        if self.out.len() > FLUSH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// ParameterStatus for what has changed.
    fn report_settings(&mut self, first: bool) {
        let generation = self.session.settings_generation();
        if generation == self.generation {
            return;
        }
        self.generation = generation;
        self.out.encoding = self.session.client_encoding();
        for (name, known) in REPORTED.iter().zip(&mut self.reported) {
            let Ok(mut value) = self.session.setting(name) else {
                continue;
            };
            if *name == "server_version" {
                value.push_str(" (pglite)");
            }
            if first || value != *known {
                self.out.parameter_status(name, &value);
                *known = value;
            }
        }
        let limit = |name| {
            let millis = self.session.setting_number(name) as u64;
            Some(Duration::from_millis(millis)).filter(|d| !d.is_zero())
        };
        self.idle_time = limit("idle_session_timeout");
        self.idle_in_transaction_time = limit("idle_in_transaction_session_timeout");
    }

    /// Query: any number of statements.
    fn simple_query(&mut self, sql: &str) -> Handled {
        self.session.close_statement("");
        self.session.close_portal("");
        let mut script = attempt!(self.session.start_script(sql));
        let mut described = false;
        let mut statements = 0;
        loop {
            let step = match attempt!(self.session.step_script(&mut script)) {
                ScriptStep::End => break,
                ScriptStep::Step(step) => step,
            };
            if let (false, Some(columns)) = (described, script.columns()) {
                self.out.row_description(&columns, script.formats());
            }
            described = true;
            match step {
                Step::Rows(batch) => {
                    if let Some(columns) = script.columns() {
                        attempt!(self.rows(&batch, &columns, script.formats())?);
                    }
                }
                Step::Complete(tag) => {
                    self.complete(&tag);
                    described = false;
                    statements += 1;
                }
                Step::Empty => {
                    self.out.empty(b'I');
                    described = false;
                    statements += 1;
                }
                Step::CopyIn(format) => {
                    match self.copy_in(format, Some(&mut script))? {
                        Ok(()) => {}
                        Err(error) => {
                            self.session.abandon_script(script);
                            return Ok(Err(error));
                        }
                    }
                    described = false;
                    statements += 1;
                }
                Step::CopyOut(format) => self.copy_out_response(format),
                Step::CopyData(data) => self.copy_data(&data)?,
                Step::Suspended => {}
            }
        }
        if statements == 0 {
            self.out.empty(b'I');
        }
        Ok(Ok(()))
    }

    /// DataRows.
    pub(crate) fn rows(&mut self, rows: &ResultRows, columns: &[Column], formats: &[bool]) -> Handled {
        // Nothing given means text for all.
        let text;
        let formats = if formats.len() == columns.len() {
            formats
        } else {
            text = vec![false; columns.len()];
            &text
        };
        let encoded = self.session.encode_values(rows, columns, formats, &mut self.out);
        self.flush_if_full()?;
        Ok(encoded)
    }
}
