//! COPY from Rust.

use crate::error::Result;
use crate::session::Session;
use crate::session::portal::Step;
use crate::session::script::{Script, ScriptStep};

/// A running `COPY ... FROM STDIN`. Write the data in the statement's format, then [`CopyIn::finish`]; dropped, it is given up.
pub struct CopyIn<'s> {
    session: &'s mut Session,
    script: Script,
    done: bool,
}

impl CopyIn<'_> {
    /// Sends data; any cut is fine.
    pub fn write(&mut self, data: &[u8]) -> Result<()> {
        let sent = self.session.copy_data(data);
        self.done |= sent.is_err();
        sent.map(drop)
    }

    /// Ends the data and returns the number of rows copied.
    pub fn finish(mut self) -> Result<u64> {
        self.done = true;
        let tag = self.session.copy_done(Some(&mut self.script))?;
        while !matches!(self.session.step_script(&mut self.script)?, ScriptStep::End) {}
        Ok(tag.rows())
    }
}

impl Drop for CopyIn<'_> {
    fn drop(&mut self) {
        if !self.done {
            let _ = self.session.copy_fail("dropped");
        }
    }
}

impl Session {
    /// Starts `COPY ... FROM STDIN`.
    pub fn copy_in(&mut self, sql: &str) -> Result<CopyIn<'_>> {
        let mut script = self.start_script(sql)?;
        match self.step_script(&mut script)? {
            ScriptStep::Step(Step::CopyIn(_)) => Ok(CopyIn {
                session: self,
                script,
                done: false,
            }),
            _ => Err(self.protocol_error("42601", "statement is not COPY ... FROM STDIN")),
        }
    }

    /// Runs `COPY ... TO STDOUT` and hands the data to `sink` in pieces; returns the number of rows.
    pub fn copy_out(&mut self, sql: &str, mut sink: impl FnMut(&[u8]) -> Result<()>) -> Result<u64> {
        let mut script = self.start_script(sql)?;
        let mut rows = 0;
        loop {
            match self.step_script(&mut script)? {
                ScriptStep::End => return Ok(rows),
                ScriptStep::Step(Step::CopyData(data)) => {
                    if let Err(e) = sink(&data) {
                        self.statement_failed();
                        return Err(e);
                    }
                }
                ScriptStep::Step(Step::Complete(tag)) => {
                    rows = tag.rows();
                }
                ScriptStep::Step(Step::CopyIn(_)) => {
                    return Err(self.protocol_error("42601", "statement is not COPY ... TO STDOUT"));
                }
                ScriptStep::Step(_) => {}
            }
        }
    }
}
