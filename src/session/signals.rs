//! `pg_cancel_backend` and `pg_terminate_backend`: who may interrupt whom.
//!
//! PG: src/backend/storage/ipc/signalfuncs.c.

use std::time::Duration;

use common::cancel::CancelReason;
use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, pg_err, sqlstate};

use crate::session::env::StatementEnv;

/// Members may interrupt the sessions of everybody but superusers.
const PG_SIGNAL_BACKEND: Oid = Oid(4200);
/// How often one who waits for the end of a session looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The words of a refusal.
struct Refusal {
    what: &'static str,
    of_superusers: &'static str,
    of_others: &'static str,
}

const CANCEL: Refusal = Refusal {
    what: "permission denied to cancel query",
    of_superusers: "Only roles with the SUPERUSER attribute may cancel queries of roles with the SUPERUSER attribute.",
    of_others: "Only roles with privileges of the role whose query is being canceled or with privileges of the \"pg_signal_backend\" role may cancel this query.",
};

const TERMINATE: Refusal = Refusal {
    what: "permission denied to terminate process",
    of_superusers: "Only roles with the SUPERUSER attribute may terminate processes of roles with the SUPERUSER attribute.",
    of_others: "Only roles with privileges of the role whose process is being terminated or with privileges of the \"pg_signal_backend\" role may terminate this process.",
};

impl StatementEnv<'_> {
    pub(super) fn cancel_session(&self, pid: i32) -> PgResult<bool> {
        self.interrupt(pid, CancelReason::User, &CANCEL)
    }

    /// With a timeout (in milliseconds, 0: none) true only when the session has ended by then.
    pub(super) fn terminate_session(&self, pid: i32, timeout: i64) -> PgResult<bool> {
        if timeout < 0 {
            return Err(pg_err!(
                NUMERIC_VALUE_OUT_OF_RANGE,
                "\"timeout\" must not be negative"
            ));
        }
        let found = self.interrupt(pid, CancelReason::Shutdown, &TERMINATE)?;
        if !found || timeout == 0 {
            return Ok(found);
        }
        self.wait_for_end(pid, Duration::from_millis(timeout as u64))
    }

    fn interrupt(&self, pid: i32, reason: CancelReason, refusal: &Refusal) -> PgResult<bool> {
        let role = self.core.db.sessions.read().get(&pid).map(|entry| entry.role);
        let Some(role) = role else {
            return Ok(self.nobody(pid));
        };
        self.check_may_interrupt(role, refusal)?;
        // It may have ended meanwhile.
        Ok(self.core.db.signal(pid, None, reason) || self.nobody(pid))
    }

    fn nobody(&self, pid: i32) -> bool {
        self.warn(format!("PID {pid} is not a PostgreSQL backend process"));
        false
    }

    fn warn(&self, text: String) {
        self.core
            .notice(PgError::notice(Severity::Warning, sqlstate::WARNING, text));
    }

    fn check_may_interrupt(&self, role: Oid, refusal: &Refusal) -> PgResult<()> {
        let (roles, user) = (self.view.roles()?, self.core.user.get());
        let detail = if roles.is_superuser(role) && !roles.is_superuser(user) {
            refusal.of_superusers
        } else if !roles.has_privileges_of(user, role) && !roles.has_privileges_of(user, PG_SIGNAL_BACKEND) {
            refusal.of_others
        } else {
            return Ok(());
        };
        Err(pg_err!(INSUFFICIENT_PRIVILEGE, "{}", refusal.what).detail(detail))
    }

    fn wait_for_end(&self, pid: i32, timeout: Duration) -> PgResult<bool> {
        let env = &self.core.db.env;
        let end = env.monotonic().saturating_add(timeout);
        while self.core.db.sessions.read().contains_key(&pid) {
            self.core.cancel.check()?;
            let left = end.saturating_sub(env.monotonic());
            if left.is_zero() {
                let waited = timeout.as_millis();
                let unit = if waited == 1 {
                    "millisecond"
                } else {
                    "milliseconds"
                };
                self.warn(format!(
                    "backend with PID {pid} did not terminate within {waited} {unit}"
                ));
                return Ok(false);
            }
            env.sleep(left.min(LOOK_EVERY));
        }
        Ok(true)
    }
}
