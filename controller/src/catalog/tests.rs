use super::*;

fn host() -> HostId {
    "db1".parse().unwrap()
}

fn device(name: &str, sequence: u64) -> v1::BlockDevice {
    v1::BlockDevice { name: name.into(), disk_sequence: sequence, ..Default::default() }
}

fn inventory(generation: u64, devices: Vec<v1::BlockDevice>) -> Inventory {
    let report = v1::HostReport { version: 1, host: "db1".into(), generation, devices, ..Default::default() };
    Inventory::from_report(&host(), report).unwrap()
}

#[test]
fn the_first_report_says_that_a_host_is_there_and_later_ones_what_is_new() {
    let mut catalog = Catalog::default();
    let changes = catalog.take_report(&host(), inventory(1, vec![device("sda", 1)]), 0);
    assert_eq!(changes, [Change::HostOnline(host())]);
    let changes = catalog.take_report(&host(), inventory(2, vec![device("sda", 1), device("sdb", 2)]), 0);
    assert_eq!(
        changes,
        [Change::DeviceAppeared { host: host(), generation: Generation(2), device: device("sdb", 2) }]
    );
}

#[test]
fn a_reused_name_is_another_device() {
    let mut catalog = Catalog::default();
    catalog.take_report(&host(), inventory(1, vec![device("sda", 1)]), 0);
    let changes = catalog.take_report(&host(), inventory(2, vec![device("sda", 7)]), 0);
    assert_eq!(
        changes,
        [
            Change::DeviceGone { host: host(), generation: Generation(2), device: device("sda", 1) },
            Change::DeviceAppeared { host: host(), generation: Generation(2), device: device("sda", 7) },
        ]
    );
}

#[test]
fn a_report_that_is_not_newer_changes_nothing() {
    let mut catalog = Catalog::default();
    catalog.take_report(&host(), inventory(5, vec![device("sda", 1)]), 0);
    for generation in [4, 5] {
        assert!(catalog.take_report(&host(), inventory(generation, vec![]), 1).is_empty());
    }
    assert_eq!(catalog.host(&host()).unwrap().inventory.as_ref().unwrap().report.devices.len(), 1);
}

#[test]
fn a_host_may_speak_only_for_itself() {
    let report = v1::HostReport { version: 1, host: "web9".into(), ..Default::default() };
    assert!(matches!(Inventory::from_report(&host(), report), Err(ReportError::Host { .. })));
}

#[test]
fn a_host_of_which_only_a_key_is_kept_is_not_there_until_something_is_heard_of_it() {
    let key = sanfleet_protocol::ReportKey::from_bytes(&[1; 32]).public();
    let mut catalog = Catalog::default();
    catalog.know_by(&host(), key.clone());
    assert!(catalog.host(&host()).is_none() && catalog.hosts().next().is_none());
    assert_eq!(catalog.signer(&host(), None), Signer::Other, "and yet it is known by it");
    catalog.dispute(&host(), Dispute { key: None, at_unix_ms: 1 });
    assert!(catalog.host(&host()).is_some(), "somebody claims to be it");
    catalog.know_by(&host(), key.clone());
    catalog.saw(&host(), 1);
    assert_eq!(catalog.hosts().count(), 1);
    catalog.forget_key(&host(), &key);
    assert_eq!(catalog.signer(&host(), Some(&key)), Signer::New);
}

#[test]
fn silence_makes_a_host_offline_once() {
    let mut catalog = Catalog::default();
    catalog.saw(&host(), 1_000);
    assert_eq!(catalog.silent_since(1_000), Vec::<HostId>::new());
    assert_eq!(catalog.silent_since(1_001), [host()]);
    assert_eq!(catalog.lost(&host()), [Change::HostOffline(host())]);
    assert!(catalog.lost(&host()).is_empty());
}

#[test]
fn a_host_confirms_only_the_report_that_we_have() {
    let mut catalog = Catalog::default();
    catalog.take_report(&host(), inventory(5, vec![]), 1);
    catalog.confirm(&host(), Generation(6), 2);
    assert_eq!(catalog.host(&host()).unwrap().confirmed_unix_ms, 0, "it has news that we lack");
    catalog.confirm(&host(), Generation(5), 3);
    assert_eq!(catalog.host(&host()).unwrap().confirmed_unix_ms, 3);
}
