//! A watchdog: an input that takes too long ends the process with its name.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// No input may take longer, on the slowest of machines.
const TIME_MAX: Duration = Duration::from_secs(60);

/// What is running, and since when.
pub struct Watch {
    current: &'static Mutex<Option<(Instant, String)>>,
}

impl Watch {
    /// One per target; its thread lives as long as the process.
    pub fn new(target: &'static str) -> Watch {
        let current: &'static Mutex<Option<(Instant, String)>> = Box::leak(Box::default());
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_secs(1));
                // A panicking target poisons it; the test ends then.
                let Ok(guard) = current.lock() else { return };
                if let Some((_, input)) = guard.as_ref().filter(|(since, _)| since.elapsed() > TIME_MAX) {
                    eprintln!("{target}: this input takes longer than {TIME_MAX:?}: {input}");
                    std::process::abort();
                }
            }
        });
        Watch { current }
    }

    /// Runs one input.
    pub fn run<T>(&self, input: &str, work: impl FnOnce() -> T) -> T {
        self.set(Some((Instant::now(), input.to_owned())));
        if let Some(path) = std::env::var_os("PGLITE_FUZZ_LAST") {
            // For aborts, which leave no message: what ran last.
            std::fs::write(path, input).unwrap();
        }
        let result = work();
        self.set(None);
        result
    }

    fn set(&self, value: Option<(Instant, String)>) {
        *self.current.lock().unwrap_or_else(|e| e.into_inner()) = value;
    }
}
