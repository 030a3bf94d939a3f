//! LISTEN and NOTIFY between the sessions of a process.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

/// A notification as a listener gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Process id of the notifying session.
    pub process_id: i32,
    /// Channel.
    pub channel: String,
    /// Payload, possibly empty.
    pub payload: String,
}

type Waker = Box<dyn Fn() + Send + Sync>;

/// Where a session's notifications wait.
#[derive(Default)]
pub(crate) struct Mailbox {
    queue: Mutex<VecDeque<Notification>>,
    channels: Mutex<HashSet<String>>,
    waker: Mutex<Option<Waker>>,
}

impl Mailbox {
    /// Everything that arrived.
    pub fn drain(&self) -> Vec<Notification> {
        self.queue.lock().drain(..).collect()
    }

    /// The channels listened to, in order.
    pub fn channels(&self) -> Vec<String> {
        let mut names: Vec<String> = self.channels.lock().iter().cloned().collect();
        names.sort_unstable();
        names
    }

    /// True while any channel is listened to.
    pub fn is_listening(&self) -> bool {
        !self.channels.lock().is_empty()
    }

    /// Calls the waker, if one is set.
    pub fn wake(&self) {
        if let Some(wake) = &*self.waker.lock() {
            wake();
        }
    }

    /// Called whenever something arrives (a server's connection task).
    pub fn set_waker(&self, waker: Option<Waker>) {
        *self.waker.lock() = waker;
    }
}

/// All listeners of a database.
#[derive(Default)]
pub(crate) struct NotifyHub {
    listeners: Mutex<HashMap<String, Vec<Weak<Mailbox>>>>,
}

impl NotifyHub {
    /// LISTEN.
    pub fn listen(&self, channel: &str, mailbox: &Arc<Mailbox>) {
        if mailbox.channels.lock().insert(channel.to_owned()) {
            self.listeners
                .lock()
                .entry(channel.to_owned())
                .or_default()
                .push(Arc::downgrade(mailbox));
        }
    }

    /// UNLISTEN; `None`: all channels.
    pub fn unlisten(&self, channel: Option<&str>, mailbox: &Arc<Mailbox>) {
        let mut own = mailbox.channels.lock();
        let gone: Vec<String> = match channel {
            Some(c) => own.take(c).into_iter().collect(),
            None => own.drain().collect(),
        };
        let mut listeners = self.listeners.lock();
        for channel in gone {
            if let Some(list) = listeners.get_mut(&channel) {
                list.retain(|w| w.upgrade().is_some_and(|m| !Arc::ptr_eq(&m, mailbox)));
            }
        }
    }

    /// Delivers to every listener, the sender included.
    pub fn deliver(&self, notifications: Vec<Notification>) {
        for n in notifications {
            let targets: Vec<Arc<Mailbox>> = match self.listeners.lock().get(&n.channel) {
                Some(list) => list.iter().filter_map(Weak::upgrade).collect(),
                None => continue,
            };
            for mailbox in targets {
                mailbox.queue.lock().push_back(n.clone());
                mailbox.wake();
            }
        }
    }
}
