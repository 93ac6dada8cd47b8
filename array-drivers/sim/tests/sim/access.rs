use std::fs;

use sanfleet_driver::{AccessGroupId, ErrorNumber, InitiatorType};
use sanfleet_protocol::volume_id;

use crate::bench::{Bench, HOST_A, HOST_B, group, refusal, volume};

#[tokio::test]
async fn a_masked_volume_is_shown_as_its_own_file_with_its_identity() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let volume = volume(&mut session, "data", 1 << 20).await;
    let group = group(&mut session, "a", "IQN.2026-01.Example:A").await;
    assert_eq!(group.init_ids, [HOST_A]);
    session.volume_mask(&group, &volume).await.unwrap();

    let lun = bench.path("fabric").join(HOST_A).join("lun-0");
    let page = fs::read(lun.join("vpd_pg83")).unwrap();
    assert_eq!(volume_id::designators(&page).unwrap(), [volume.volume_id().unwrap()]);
    fs::write(bench.file_of(&volume), "contents").unwrap();
    assert_eq!(fs::read_to_string(lun.join("disk")).unwrap(), "contents");

    assert_eq!(
        session.volumes_accessible_by_access_group(&group).await.unwrap(),
        std::slice::from_ref(&volume)
    );
    assert_eq!(session.access_groups_granted_to_volume(&volume).await.unwrap(), std::slice::from_ref(&group));
    session.volume_unmask(&group, &volume).await.unwrap();
    assert!(bench.shown().is_empty());
}

#[tokio::test]
async fn a_number_is_given_again_only_when_it_is_free() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let group = group(&mut session, "a", HOST_A).await;
    let mut volumes = Vec::new();
    for name in ["v0", "v1", "v2"] {
        let volume = volume(&mut session, name, 512).await;
        session.volume_mask(&group, &volume).await.unwrap();
        volumes.push(volume);
    }
    session.volume_unmask(&group, &volumes[1]).await.unwrap();
    let next = volume(&mut session, "v3", 512).await;
    session.volume_mask(&group, &next).await.unwrap();
    session.volume_mask(&group, &volumes[1]).await.unwrap();

    let expected = [&volumes[0], &next, &volumes[2], &volumes[1]].map(|volume| bench.inode(volume));
    let shown = bench.shown();
    let found = [0, 1, 2, 3].map(|number| shown[&format!("{HOST_A}/lun-{number}")]);
    assert_eq!(found, expected);
}

#[tokio::test]
async fn masking_refuses_what_changes_nothing_and_a_masked_volume_stays() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let volume = volume(&mut session, "data", 512).await;
    let group = group(&mut session, "a", HOST_A).await;
    assert_eq!(refusal(session.volume_unmask(&group, &volume).await), ErrorNumber::NoStateChange);
    session.volume_mask(&group, &volume).await.unwrap();
    assert_eq!(refusal(session.volume_mask(&group, &volume).await), ErrorNumber::NoStateChange);
    assert_eq!(refusal(session.volume_delete(&volume).await), ErrorNumber::IsMasked);
    assert_eq!(refusal(session.access_group_delete(&group).await), ErrorNumber::IsMasked);
    let mut nobody = group.clone();
    nobody.id = AccessGroupId::new("AG_ID_00077");
    assert_eq!(refusal(session.volume_mask(&nobody, &volume).await), ErrorNumber::NotFoundAccessGroup);
    session.volume_unmask(&group, &volume).await.unwrap();
    session.access_group_delete(&group).await.unwrap();
    assert!(session.access_groups(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_initiator_sees_its_groups_volumes_as_long_as_it_is_in_the_group() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let volume = volume(&mut session, "data", 512).await;
    let group = group(&mut session, "both", HOST_A).await;
    session.volume_mask(&group, &volume).await.unwrap();
    let iscsi = InitiatorType::ISCSI;
    let both = session.access_group_initiator_add(&group, HOST_B, iscsi).await.unwrap();
    assert_eq!(both.init_ids, [HOST_A, HOST_B]);
    assert_eq!(bench.shown()[&format!("{HOST_B}/lun-0")], bench.inode(&volume));

    session.access_group_initiator_delete(&group, HOST_A, iscsi).await.unwrap();
    assert_eq!(bench.shown().into_keys().collect::<Vec<_>>(), [format!("{HOST_B}/lun-0")]);
    let outcome = session.access_group_initiator_delete(&group, HOST_B, iscsi).await;
    assert_eq!(refusal(outcome), ErrorNumber::LastInitiatorInAccessGroup);
    let outcome = session.access_group_initiator_delete(&group, HOST_A, iscsi).await;
    assert_eq!(refusal(outcome), ErrorNumber::NoStateChange);
}

#[tokio::test]
async fn an_initiator_is_in_one_group_only() {
    let bench = Bench::new();
    let mut session = bench.open().await;
    let system = session.systems().await.unwrap().remove(0);
    let a = group(&mut session, "a", HOST_A).await;
    group(&mut session, "b", HOST_B).await;
    let iscsi = InitiatorType::ISCSI;
    for (name, initiator, expected) in [
        ("a", "iqn.2026-01.example:new", ErrorNumber::NameConflict),
        ("c", HOST_A, ErrorNumber::ExistsInitiator),
        ("c", "10:00:00:00:c9:95:2f:de", ErrorNumber::InvalidArgument),
        ("c", "iqn.2026-01.example:../../up", ErrorNumber::InvalidArgument),
        ("", "iqn.2026-01.example:new", ErrorNumber::InvalidArgument),
    ] {
        let outcome = session.access_group_create(name, initiator, iscsi, &system).await;
        assert_eq!(refusal(outcome), expected, "{name} {initiator}");
    }
    let outcome = session.access_group_initiator_add(&a, HOST_B, iscsi).await;
    assert_eq!(refusal(outcome), ErrorNumber::ExistsInitiator);
    let outcome = session.access_group_initiator_add(&a, HOST_A, iscsi).await;
    assert_eq!(refusal(outcome), ErrorNumber::NoStateChange);
}
