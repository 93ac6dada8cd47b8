//! Who may see what: access groups and masking. Each is check → act → verify, and fine when it already is so.

use sanfleet_driver::{AccessGroup, ErrorNumber, InitiatorType, Volume, client::ClientError};
use sanfleet_protocol::{HostId, Initiator};

use super::{ArrayError, ArrayHandle};

/// The name of the access group that we keep for a host. A group of another name is not ours to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessGroupName(String);

impl AccessGroupName {
    pub fn of(host: &HostId) -> Self {
        Self(format!("sanfleet-{host}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host for which a group of this name is ours.
    pub fn host(name: &str) -> Option<HostId> {
        name.strip_prefix("sanfleet-")?.parse().ok()
    }
}

/// The group through which an initiator sees volumes.
#[derive(Debug, Clone)]
pub struct Grant {
    pub group: AccessGroup,
    /// True when the group is one that we made, so that it may go when nothing uses it.
    pub ours: bool,
}

impl ArrayHandle {
    pub(super) async fn access_groups(&self) -> Result<Vec<AccessGroup>, ArrayError> {
        self.call("listing access groups", |session| {
            Box::pin(async move { session.access_groups(None).await })
        })
        .await
    }

    /// The group that holds this initiator and no other, made when there is none.
    ///
    /// # Errors
    /// A group that holds other initiators too would let other hosts see the volume.
    pub async fn ensure_access_group(
        &self,
        name: &AccessGroupName,
        initiator: &Initiator,
    ) -> Result<Grant, ArrayError> {
        if let Some(group) = self.group_of(initiator).await? {
            let ours = group.name == name.as_str();
            return Ok(Grant { group, ours });
        }
        let (text, kind, name) = (initiator.to_string(), initiator_type(initiator), name.as_str().to_owned());
        let made = self
            .call("making an access group", |session| {
                Box::pin(async move {
                    let systems = session.systems().await?;
                    let Some(system) = systems.first() else { return Ok(None) };
                    session.access_group_create(&name, &text, kind, system).await.map(Some)
                })
            })
            .await?;
        let group = made.ok_or_else(|| self.not_verified("it has no system"))?;
        Ok(Grant { group, ours: true })
    }

    async fn group_of(&self, initiator: &Initiator) -> Result<Option<AccessGroup>, ArrayError> {
        let is_this = |text: &String| text.parse::<Initiator>().as_ref() == Ok(initiator);
        let Some(group) =
            self.access_groups().await?.into_iter().find(|group| group.init_ids.iter().any(is_this))
        else {
            return Ok(None);
        };
        let others: Vec<&str> =
            group.init_ids.iter().filter(|text| !is_this(text)).map(String::as_str).collect();
        match others.is_empty() {
            true => Ok(Some(group)),
            false => Err(ArrayError::ForeignInitiators {
                array: self.name().clone(),
                group: group.name.clone(),
                others: others.join(", "),
            }),
        }
    }

    pub async fn mask(&self, group: &AccessGroup, volume: &Volume) -> Result<(), ArrayError> {
        let (group, volume) = (group.clone(), volume.clone());
        let granted = self
            .call("masking a volume", |session| {
                Box::pin(async move {
                    unless_already(session.volume_mask(&group, &volume).await)?;
                    let granted = session.access_groups_granted_to_volume(&volume).await?;
                    Ok(granted.iter().any(|known| known.id == group.id))
                })
            })
            .await?;
        match granted {
            true => Ok(()),
            false => Err(self.not_verified("the volume is not masked after it was")),
        }
    }

    /// Takes the volume away from everybody.
    pub async fn unmask_everywhere(&self, volume: &Volume) -> Result<(), ArrayError> {
        let volume = volume.clone();
        let left = self
            .call("unmasking a volume", |session| {
                Box::pin(async move {
                    for group in session.access_groups_granted_to_volume(&volume).await? {
                        unless_already(session.volume_unmask(&group, &volume).await)?;
                    }
                    session.access_groups_granted_to_volume(&volume).await
                })
            })
            .await?;
        match left.is_empty() {
            true => Ok(()),
            false => Err(self.not_verified("the volume is still masked after it was not")),
        }
    }

    /// The names of the groups through which the volume is shown.
    pub async fn shown_through(&self, volume: &Volume) -> Result<Vec<String>, ArrayError> {
        let volume = volume.clone();
        let groups = self
            .call("asking who sees a volume", |session| {
                Box::pin(async move { session.access_groups_granted_to_volume(&volume).await })
            })
            .await?;
        Ok(groups.into_iter().map(|group| group.name).collect())
    }

    /// Takes the volume from one group of ours, if that holds nobody but these. Fine when there is no such group any more.
    ///
    /// # Errors
    /// A group that holds other initiators too may be what another host needs.
    pub async fn unmask_from(
        &self,
        name: &AccessGroupName,
        theirs: &[Initiator],
        volume: &Volume,
    ) -> Result<(), ArrayError> {
        let Some(group) = self.access_groups().await?.into_iter().find(|group| group.name == name.as_str())
        else {
            return Ok(());
        };
        let is_foreign = |text: &&String| !text.parse().is_ok_and(|one: Initiator| theirs.contains(&one));
        let others: Vec<&str> = group.init_ids.iter().filter(is_foreign).map(String::as_str).collect();
        if !others.is_empty() {
            let (array, others) = (self.name().clone(), others.join(", "));
            return Err(ArrayError::ForeignInitiators { array, group: group.name, others });
        }
        let (id, volume) = (group.id.clone(), volume.clone());
        let left = self
            .call("unmasking a volume", |session| {
                Box::pin(async move {
                    unless_already(session.volume_unmask(&group, &volume).await)?;
                    session.access_groups_granted_to_volume(&volume).await
                })
            })
            .await?;
        match left.iter().any(|group| group.id == id) {
            true => Err(self.not_verified("the volume is still masked after it was not")),
            false => Ok(()),
        }
    }

    /// Removes our group when nothing is masked to it any more; one in use stays.
    pub async fn release_access_group(&self, name: &AccessGroupName) -> Result<(), ArrayError> {
        let Some(group) = self.access_groups().await?.into_iter().find(|group| group.name == name.as_str())
        else {
            return Ok(());
        };
        let removed = self
            .call("removing an access group", |session| {
                Box::pin(async move {
                    if !session.volumes_accessible_by_access_group(&group).await?.is_empty() {
                        return Ok(());
                    }
                    session.access_group_delete(&group).await
                })
            })
            .await;
        match removed.as_ref().err().and_then(ArrayError::by_array).map(|error| error.number) {
            Some(ErrorNumber::IsMasked | ErrorNumber::NotFoundAccessGroup) => Ok(()),
            _ => removed,
        }
    }

    fn not_verified(&self, what: &str) -> ArrayError {
        ArrayError::NotVerified { array: self.name().clone(), what: what.to_owned() }
    }
}

/// "It already is so" is what was wanted.
fn unless_already(done: Result<(), ClientError>) -> Result<(), ClientError> {
    match done {
        Err(ClientError::Array(error)) if error.number == ErrorNumber::NoStateChange => Ok(()),
        other => other,
    }
}

fn initiator_type(initiator: &Initiator) -> InitiatorType {
    match initiator {
        Initiator::Iqn(_) | Initiator::Eui(_) | Initiator::Naa(_) => InitiatorType::ISCSI,
        Initiator::Wwpn(_) => InitiatorType::WWPN,
        Initiator::Nqn(_) => InitiatorType::OTHER,
    }
}
