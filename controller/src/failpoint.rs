//! Failpoints from async code: while a test holds one, the other tasks of the process go on.

/// See [`sanfleet_failpoint::reach`].
pub fn hold_at(place: &'static str) {
    #[cfg(feature = "failpoints")]
    tokio::task::block_in_place(|| sanfleet_failpoint::reach(place));
    #[cfg(not(feature = "failpoints"))]
    sanfleet_failpoint::reach(place);
}
