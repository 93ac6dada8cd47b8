//! What the demo says to the person who watches.

#![allow(clippy::print_stdout, reason = "talking is this module's work")]

use std::time::Instant;

/// A sentence.
pub fn line(text: &str) {
    println!("{text}");
}

/// A step: what is being done, and when it is done how long it took.
pub struct Step {
    begun: Instant,
}

impl Step {
    pub fn begin(what: &str) -> Self {
        println!("\n▸ {what}");
        Self { begun: Instant::now() }
    }

    pub fn done(self, what: &str) {
        println!("  {what}  ({} ms)", self.begun.elapsed().as_millis());
    }
}
