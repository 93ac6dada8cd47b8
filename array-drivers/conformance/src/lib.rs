//! Whether an array driver keeps to the protocol, and whether what it claims is what it does.
//!
//! [`run`] opens sessions with a driver, ours or a stranger's, and holds it against the semantics that clients rely on. Each check
//! is a sentence and stands alone. What a check makes bears the run's own prefix and is removed after it, passed or failed; what
//! does not bear it is never touched, so the suite can be pointed at an array that is in use. Without [`Options::changes`] it
//! only reads. It measures no speed and judges no array: it tells where a driver and the protocol part.

mod array;
mod check;
mod checks;
mod expect;
mod ghost;
mod options;
mod plug;
mod report;
mod run;
mod stage;
mod strict;
mod sweep;
mod tap;
mod target;
mod wire;

pub use check::{Check, Kind};
pub use checks::all as checks;
pub use expect::Failure;
pub use options::Options;
pub use report::{Line, Outcome, Report};
pub use run::run;
pub use stage::Broken;
pub use target::{Door, Target};
