//! Stamps: when a version began and ended, in one atomic word.
//!
//! # Format (64 bits)
//! ```text
//! 0ccccccc...c   committed at that CSN; all ones below the top bit = NEVER
//! 1sss...xxx...  in progress: slot number (16 bits, 47..=62), xid (47 bits)
//! ```
//! As unsigned numbers: every CSN < NEVER < every reference. So two plain compares decide the common case.
//!
//! # Invariants
//! - A reference is written only while its xid owns its slot. Before the slot is freed the owner rewrites every
//!   stamp that names it: to the CSN after a commit, to NEVER (both `begin` and `end`) after a rollback.
//! - Therefore a reader who finds another xid in the slot reads the stamp again and finds it settled.

use common::{Csn, Xid};

use crate::sync::{AtomicU64, Ordering};
use crate::table::{SlotState, TxnTable};

const REFERENCE: u64 = 1 << 63;
const XID_BITS: u32 = 47;
const XID_MASK: u64 = (1 << XID_BITS) - 1;
/// Largest xid that a stamp can name.
pub(crate) const XID_MAX: u64 = XID_MASK;

/// When something happened to a version: a CSN, never, or "ask the transaction in that slot".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp(u64);

/// What a stamp says after asking the transaction it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampState {
    /// Happened at this CSN.
    Committed(Csn),
    /// That transaction has neither committed nor rolled back yet.
    InProgress(Xid),
    /// Did not happen: [`Stamp::NEVER`], or the transaction rolled back.
    Never,
}

impl Stamp {
    /// Has not happened, or will never have happened.
    pub const NEVER: Stamp = Stamp(REFERENCE - 1);
    /// Before every snapshot: rows from before the start of the process.
    pub const FROZEN: Stamp = Stamp(0);

    /// Committed at `csn`.
    #[inline]
    pub const fn committed(csn: Csn) -> Stamp {
        debug_assert!(csn.0 < REFERENCE - 1);
        Stamp(csn.0)
    }

    /// In progress: `xid` in slot `slot`.
    pub(crate) const fn reference(xid: Xid, slot: u32) -> Stamp {
        debug_assert!(xid.0 <= XID_MASK && slot <= u16::MAX as u32);
        Stamp(REFERENCE | ((slot as u64) << XID_BITS) | xid.0)
    }

    /// True when it names a transaction.
    #[inline]
    pub const fn is_reference(self) -> bool {
        self.0 & REFERENCE != 0
    }

    /// The transaction it names.
    #[inline]
    pub const fn xid(self) -> Option<Xid> {
        if self.is_reference() {
            Some(Xid(self.0 & XID_MASK))
        } else {
            None
        }
    }

    /// The CSN, if it is settled and did happen.
    #[inline]
    pub const fn csn(self) -> Option<Csn> {
        if self.0 < Stamp::NEVER.0 {
            Some(Csn(self.0))
        } else {
            None
        }
    }

    pub(crate) const fn slot(self) -> u32 {
        ((self.0 & !REFERENCE) >> XID_BITS) as u32
    }

    /// The word itself, for compares and for tests.
    #[inline]
    pub const fn raw(self) -> u64 {
        self.0
    }
}

/// A stamp in a shared version.
#[derive(Debug)]
pub struct AtomicStamp(AtomicU64);

impl AtomicStamp {
    /// Starts as `stamp`.
    #[inline]
    pub fn new(stamp: Stamp) -> AtomicStamp {
        AtomicStamp(AtomicU64::new(stamp.0))
    }

    /// What it says now. Acquire: whatever was published before the stamp is seen.
    #[inline]
    pub fn load(&self) -> Stamp {
        Stamp(self.0.load(Ordering::Acquire))
    }

    /// Settles or clears it; only the owner of the reference in it (or of a version not yet linked) may.
    #[inline]
    pub fn set(&self, stamp: Stamp) {
        self.0.store(stamp.0, Ordering::Release);
    }

    /// Claims a version for deletion: NEVER becomes `stamp`. `Err` with what stands there instead.
    #[inline]
    pub fn try_claim(&self, stamp: Stamp) -> Result<(), Stamp> {
        self.replace_if(Stamp::NEVER, stamp)
    }

    /// Compare and swap. `Err` with what stands there instead.
    #[inline]
    pub fn replace_if(&self, expected: Stamp, stamp: Stamp) -> Result<(), Stamp> {
        // SeqCst: row lockers look at the stamp after queueing their lock, claimers look at the lock table after
        // the claim; one of the two must see the other.
        match self
            .0
            .compare_exchange(expected.0, stamp.0, Ordering::SeqCst, Ordering::Acquire)
        {
            Ok(_) => Ok(()),
            Err(found) => Err(Stamp(found)),
        }
    }

    /// The CSN of what it dates, once that is committed.
    pub fn committed(&self, table: &TxnTable) -> Option<Csn> {
        let now = self.load();
        if !now.is_reference() {
            return now.csn();
        }
        match self.resolve(table) {
            StampState::Committed(csn) => Some(csn),
            StampState::InProgress(_) | StampState::Never => None,
        }
    }

    /// What it says after asking the transaction it names, if any. A stamp that still names a transaction that has finished is that of a version
    /// that left memory meanwhile, for where all find it: who holds on to such a version found it before the commit, and does not see it.
    pub fn resolve(&self, table: &TxnTable) -> StampState {
        let mut finished = None;
        loop {
            let stamp = self.load();
            let Some(xid) = stamp.xid() else {
                return match stamp.csn() {
                    Some(csn) => StampState::Committed(csn),
                    None => StampState::Never,
                };
            };
            match table.state(xid, stamp.slot()) {
                Some(SlotState::Committed(csn)) => return StampState::Committed(csn),
                Some(SlotState::InProgress) => return StampState::InProgress(xid),
                Some(SlotState::Aborted) => return StampState::Never,
                None if finished == Some(stamp) => return StampState::Never,
                // The transaction has finished, and has settled this stamp before that.
                None => finished = Some(stamp),
            }
        }
    }
}
