//! Failpoints from async code: while a test holds one, the other tasks of the process go on.

/// See [`sanfleet_failpoint::reach`].
pub fn hold_at(place: &'static str) {
    // A fleet that is simulated on one thread has no other tasks' threads to spare, and holds nothing.
    #[cfg(feature = "failpoints")]
    if tokio::runtime::Handle::current().runtime_flavor() != tokio::runtime::RuntimeFlavor::CurrentThread {
        tokio::task::block_in_place(|| sanfleet_failpoint::reach(place));
    }
    #[cfg(not(feature = "failpoints"))]
    sanfleet_failpoint::reach(place);
}
