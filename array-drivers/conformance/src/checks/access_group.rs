//! Access groups and their initiators.

use sanfleet_driver::{AccessGroup, Capability, ErrorNumber, InitiatorType};

use crate::{
    array::{Array, Look},
    check::checks,
    expect::{Verdict, equal, refused, that},
    ghost,
    stage::Stage,
};

checks!("access group", changes [
    a_group_begins_with_an_iscsi_name,
    a_group_begins_with_a_wwpn,
    a_wwpn_is_told_in_lower_case_with_colons,
    a_name_that_is_taken_is_refused,
    an_initiator_of_another_group_is_refused,
    what_is_no_initiator_is_refused,
    a_group_on_no_system_is_refused,
    an_initiator_comes_and_goes,
    an_initiator_that_is_there_is_no_change,
    an_initiator_that_is_not_there_is_no_change,
    the_last_initiator_stays,
    a_deleted_group_is_no_longer_listed,
    an_initiator_of_a_deleted_group_is_free,
]);

async fn a_group_begins_with_an_iscsi_name(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::ACCESS_GROUP_CREATE_ISCSI_IQN])?;
    begins_with(&mut array, &stage.iqn(), InitiatorType::ISCSI).await
}

async fn a_group_begins_with_a_wwpn(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::ACCESS_GROUP_CREATE_WWPN])?;
    begins_with(&mut array, &stage.wwpn(), InitiatorType::WWPN).await
}

async fn begins_with(array: &mut Array<'_>, initiator: &str, kind: InitiatorType) -> Verdict {
    array.needs(&[Capability::ACCESS_GROUPS, Capability::ACCESS_GROUP_DELETE])?;
    let name = array.stage.name();
    let made = array.session.access_group_create(&name, initiator, kind, &array.system).await?;
    equal("its name", made.name.as_str(), name.as_str())?;
    equal("its initiators", made.init_ids.as_slice(), &[initiator.to_owned()])?;
    equal("its type", made.init_type, kind)?;
    equal("its system", &made.system_id, &array.system.id)?;
    until_listed(array, &made).await
}

async fn a_wwpn_is_told_in_lower_case_with_colons(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::ACCESS_GROUP_CREATE_WWPN, Capability::ACCESS_GROUP_DELETE])?;
    let wwpn = stage.wwpn();
    let upper = wwpn.to_ascii_uppercase();
    let made =
        array.session.access_group_create(&stage.name(), &upper, InitiatorType::WWPN, &array.system).await?;
    equal("its initiators", made.init_ids, vec![wwpn])
}

async fn a_name_that_is_taken_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let group = array.group().await?;
    let (initiator, kind) = array.initiator()?;
    let again = array.session.access_group_create(&group.name, &initiator, kind, &array.system).await;
    refused("a second group of one name", again, &[ErrorNumber::NameConflict])
}

async fn an_initiator_of_another_group_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let group = array.group().await?;
    let (taken, kind) = only_initiator(&group)?;
    let again = array.session.access_group_create(&stage.name(), &taken, kind, &array.system).await;
    refused("a group with an initiator of another", again, &[ErrorNumber::ExistsInitiator])?;
    if array.claims(adding(kind)) {
        let other = array.group().await?;
        let added = array.session.access_group_initiator_add(&other, &taken, kind).await;
        refused("adding an initiator of another group", added, &[ErrorNumber::ExistsInitiator])?;
    }
    Ok(())
}

async fn what_is_no_initiator_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let (_, kind) = array.initiator()?;
    for bad in ["", "db1", "zz:00:00:00:00:00:00:00"] {
        let made = array.session.access_group_create(&stage.name(), bad, kind, &array.system).await;
        refused(&format!("a group with the initiator {bad:?}"), made, &[ErrorNumber::InvalidArgument])?;
    }
    Ok(())
}

async fn a_group_on_no_system_is_refused(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let (initiator, kind) = array.initiator()?;
    let made = array.session.access_group_create(&stage.name(), &initiator, kind, &ghost::system()).await;
    refused("a group on a system that is not there", made, &[ErrorNumber::NotFoundSystem])
}

async fn an_initiator_comes_and_goes(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let group = array.group().await?;
    let (_, kind) = only_initiator(&group)?;
    array.needs(&[adding(kind), Capability::ACCESS_GROUP_INITIATOR_DELETE])?;
    let (second, _) = array.initiator()?;
    let grown = array.session.access_group_initiator_add(&group, &second, kind).await?;
    that(grown.init_ids.len() == 2 && grown.init_ids.contains(&second), "its initiators", "both", &grown)?;
    until_listed(&mut array, &grown).await?;
    let shrunk = array.session.access_group_initiator_delete(&grown, &second, kind).await?;
    equal("its initiators", &shrunk.init_ids, &group.init_ids)?;
    until_listed(&mut array, &shrunk).await
}

async fn an_initiator_that_is_there_is_no_change(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let group = array.group().await?;
    let (initiator, kind) = only_initiator(&group)?;
    array.needs(&[adding(kind)])?;
    let added = array.session.access_group_initiator_add(&group, &initiator, kind).await;
    refused("adding an initiator that is there", added, &[ErrorNumber::NoStateChange])
}

async fn an_initiator_that_is_not_there_is_no_change(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::ACCESS_GROUP_INITIATOR_DELETE])?;
    let group = array.group().await?;
    let (other, kind) = array.initiator()?;
    let deleted = array.session.access_group_initiator_delete(&group, &other, kind).await;
    refused("taking out an initiator that is not there", deleted, &[ErrorNumber::NoStateChange])
}

async fn the_last_initiator_stays(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    array.needs(&[Capability::ACCESS_GROUP_INITIATOR_DELETE])?;
    let group = array.group().await?;
    let (initiator, kind) = only_initiator(&group)?;
    let deleted = array.session.access_group_initiator_delete(&group, &initiator, kind).await;
    refused("taking out the last initiator", deleted, &[ErrorNumber::LastInitiatorInAccessGroup])?;
    until_listed(&mut array, &group).await
}

async fn a_deleted_group_is_no_longer_listed(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let group = array.group().await?;
    array.session.access_group_delete(&group).await?;
    array
        .until("a deleted group in the list", "nothing", async |array| {
            let seen =
                array.session.access_groups(None).await?.into_iter().find(|listed| listed.id == group.id);
            Ok(Look::at(seen.is_none(), seen))
        })
        .await?;
    let again = array.session.access_group_delete(&group).await;
    refused("deleting it again", again, &[ErrorNumber::NotFoundAccessGroup])
}

async fn an_initiator_of_a_deleted_group_is_free(stage: &Stage) -> Verdict {
    let mut array = stage.array().await?;
    let group = array.group().await?;
    let (initiator, kind) = only_initiator(&group)?;
    array.session.access_group_delete(&group).await?;
    let made = array.session.access_group_create(&stage.name(), &initiator, kind, &array.system).await?;
    equal("its initiators", made.init_ids, vec![initiator])
}

pub(super) fn adding(kind: InitiatorType) -> Capability {
    match kind {
        InitiatorType::WWPN => Capability::ACCESS_GROUP_INITIATOR_ADD_WWPN,
        _ => Capability::ACCESS_GROUP_INITIATOR_ADD_ISCSI_IQN,
    }
}

fn only_initiator(group: &AccessGroup) -> Verdict<(String, InitiatorType)> {
    that(group.init_ids.len() == 1, "a new group's initiators", "the one that it was made with", group)?;
    Ok((group.init_ids.first().cloned().unwrap_or_default(), group.init_type))
}

pub(super) async fn until_listed(array: &mut Array<'_>, group: &AccessGroup) -> Verdict {
    let group = group.clone();
    array
        .until("the group in the list", &format!("{group:?}"), async |array| {
            let seen =
                array.session.access_groups(None).await?.into_iter().find(|listed| listed.id == group.id);
            Ok(Look::at(seen.as_ref() == Some(&group), seen))
        })
        .await
}
