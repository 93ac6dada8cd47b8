//! Named places in the programs where a test can hold a process until it is killed or let go.
//!
//! A release build carries none of it: without the feature `enabled`, [`reach`] is an empty inline function.
//! With it, `SANFLEET_FAILPOINTS=<folder>` arms the places: a process that reaches place `p` while the folder holds
//! a file `p.hold` writes `p.reached` and waits there until `p.hold` is gone (or the process is killed).

/// Marks a place. Blocks the calling thread while a test holds the place.
#[cfg(not(feature = "enabled"))]
#[inline(always)]
pub fn reach(_place: &str) {}

#[cfg(feature = "enabled")]
pub use enabled::reach;

#[cfg(feature = "enabled")]
mod enabled {
    use std::{fs, path::Path, sync::LazyLock, thread, time::Duration};

    static FOLDER: LazyLock<Option<std::ffi::OsString>> =
        LazyLock::new(|| std::env::var_os("SANFLEET_FAILPOINTS"));

    /// Marks a place. Blocks the calling thread while a test holds the place.
    pub fn reach(place: &str) {
        let Some(folder) = FOLDER.as_deref().map(Path::new) else { return };
        let hold = folder.join(format!("{place}.hold"));
        if !hold.exists() {
            return;
        }
        // The test is told only after the place is really held; a full disk here would show as the test's timeout.
        let _ = fs::write(folder.join(format!("{place}.reached")), b"");
        while hold.exists() {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
