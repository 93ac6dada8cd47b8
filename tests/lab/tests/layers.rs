//! Partitions and LVM on copies: the agent's own tests of them, in a guest whose kernel has both.

#![allow(clippy::unwrap_used, reason = "this is a test")]

use sanfleet_lab::{Host, Lab};

#[test]
#[ignore = "needs guests: cargo xtask lab"]
fn copies_with_partitions_and_lvm_are_used_beside_their_sources() {
    let lab = Lab::open().unwrap();
    let mut host = Host::boot(&lab, "host1", 2).unwrap();
    let said = host.run_kernel_tests(&lab, "layers::").unwrap();
    assert!(said.contains("test result: ok. 4 passed"), "{said}");
}
