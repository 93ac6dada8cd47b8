//! Who may see what: access groups and masking. Each is check → act → verify, and fine when it already is so.

use sanfleet_driver::{AccessGroup, AccessGroupId, ErrorNumber, InitiatorType, Volume, client::ClientError};
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
        let Some(group) = self.access_groups().await?.into_iter().find(|group| holds(group, initiator))
        else {
            return Ok(None);
        };
        let others: Vec<&str> =
            group.init_ids.iter().filter(|text| !is(text, initiator)).map(String::as_str).collect();
        match others.is_empty() {
            true => Ok(Some(group)),
            false => Err(ArrayError::ForeignInitiators {
                array: self.name().clone(),
                group: group.name.clone(),
                others: others.join(", "),
            }),
        }
    }

    /// The group through which this initiator, and no other, sees the volume.
    pub async fn access_of(&self, initiator: &Initiator, volume: &Volume) -> Result<AccessGroup, ArrayError> {
        let not_masked =
            || self.not_verified(&format!("volume {} is not masked to {initiator}", volume.name));
        let group = self.group_of(initiator).await?.ok_or_else(not_masked)?;
        match self.groups_of(volume).await?.iter().any(|granted| granted.id == group.id) {
            true => Ok(group),
            false => Err(not_masked()),
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
        self.unmask_where(volume, |_| true).await
    }

    /// Takes the volume away from this group, and from no other.
    pub async fn unmask(&self, group: &AccessGroupId, volume: &Volume) -> Result<(), ArrayError> {
        let group = group.clone();
        self.unmask_where(volume, move |granted| granted.id == group).await
    }

    /// Takes the volume away from our group of this name. Fine when there is no such group any more.
    pub async fn unmask_named(&self, name: &AccessGroupName, volume: &Volume) -> Result<(), ArrayError> {
        match self.group_named(name).await? {
            Some(group) => self.unmask(&group.id, volume).await,
            None => Ok(()),
        }
    }

    /// Takes the volume away from the groups that hold this initiator.
    pub async fn unmask_initiator(&self, initiator: &Initiator, volume: &Volume) -> Result<(), ArrayError> {
        let initiator = initiator.clone();
        self.unmask_where(volume, move |granted| holds(granted, &initiator)).await
    }

    async fn unmask_where(
        &self,
        volume: &Volume,
        chosen: impl Fn(&AccessGroup) -> bool + Send + Sync + 'static,
    ) -> Result<(), ArrayError> {
        let volume = volume.clone();
        let left = self
            .call("unmasking a volume", |session| {
                Box::pin(async move {
                    for group in session.access_groups_granted_to_volume(&volume).await? {
                        if chosen(&group) {
                            unless_already(session.volume_unmask(&group, &volume).await)?;
                        }
                    }
                    let left = session.access_groups_granted_to_volume(&volume).await?;
                    Ok(left.iter().any(chosen))
                })
            })
            .await?;
        match left {
            false => Ok(()),
            true => Err(self.not_verified("the volume is still masked after it was not")),
        }
    }

    async fn group_named(&self, name: &AccessGroupName) -> Result<Option<AccessGroup>, ArrayError> {
        Ok(self.access_groups().await?.into_iter().find(|group| group.name == name.as_str()))
    }

    async fn groups_of(&self, volume: &Volume) -> Result<Vec<AccessGroup>, ArrayError> {
        let volume = volume.clone();
        self.call("asking who sees a volume", |session| {
            Box::pin(async move { session.access_groups_granted_to_volume(&volume).await })
        })
        .await
    }

    /// The access groups that see the volume, in words.
    pub async fn masked_to(&self, volume: &Volume) -> Result<Vec<String>, ArrayError> {
        let groups = self.groups_of(volume).await?;
        let shown =
            |group: AccessGroup| format!("access group {} ({})", group.name, group.init_ids.join(", "));
        Ok(groups.into_iter().map(shown).collect())
    }

    /// Who uses the volume, as the array has it: initiators that it is masked to, and copies that depend on it, in words.
    pub async fn users(&self, volume: &Volume) -> Result<Vec<String>, ArrayError> {
        let mut users: Vec<String> = self
            .masked_to(volume)
            .await?
            .into_iter()
            .map(|group| format!("it is masked to {group}"))
            .collect();
        let volume = volume.clone();
        let has_children = self
            .call("asking what depends on a volume", |session| {
                Box::pin(async move {
                    match session.volume_child_dependency(&volume).await {
                        // It refuses to delete what others depend on, or nothing can.
                        Err(ClientError::Array(error)) if error.number == ErrorNumber::NoSupport => Ok(false),
                        answer => answer,
                    }
                })
            })
            .await?;
        users.extend(has_children.then(|| "copies on the array depend on it".to_owned()));
        Ok(users)
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
        let Some(group) = self.group_named(name).await? else { return Ok(()) };
        let is_foreign = |text: &&String| !text.parse().is_ok_and(|one: Initiator| theirs.contains(&one));
        let others: Vec<&str> = group.init_ids.iter().filter(is_foreign).map(String::as_str).collect();
        if !others.is_empty() {
            let (array, others) = (self.name().clone(), others.join(", "));
            return Err(ArrayError::ForeignInitiators { array, group: group.name, others });
        }
        self.unmask(&group.id, volume).await
    }

    /// Removes our group when nothing is masked to it any more; one in use stays.
    pub async fn release_access_group(&self, name: &AccessGroupName) -> Result<(), ArrayError> {
        let Some(group) = self.group_named(name).await? else { return Ok(()) };
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

    /// Forgets the initiators of one host. A group that holds nobody else goes, with all that it sees; from any other they
    /// are taken out.
    pub async fn forget_initiators(&self, initiators: &[Initiator]) -> Result<(), ArrayError> {
        for group in self.access_groups().await? {
            let theirs: Vec<Initiator> =
                initiators.iter().filter(|initiator| holds(&group, initiator)).cloned().collect();
            if theirs.is_empty() {
                continue;
            }
            match group.init_ids.iter().all(|text| theirs.iter().any(|initiator| is(text, initiator))) {
                true => self.remove_group(group).await?,
                false => self.take_out(group, theirs).await?,
            }
        }
        let left = self.access_groups().await?;
        match left.iter().any(|group| initiators.iter().any(|initiator| holds(group, initiator))) {
            false => Ok(()),
            true => Err(self.not_verified("an initiator is still in a group after it was taken out")),
        }
    }

    async fn remove_group(&self, group: AccessGroup) -> Result<(), ArrayError> {
        self.call("removing an access group", |session| {
            Box::pin(async move {
                for volume in session.volumes_accessible_by_access_group(&group).await? {
                    unless_already(session.volume_unmask(&group, &volume).await)?;
                }
                session.access_group_delete(&group).await
            })
        })
        .await
    }

    async fn take_out(&self, group: AccessGroup, initiators: Vec<Initiator>) -> Result<(), ArrayError> {
        self.call("taking initiators out of an access group", |session| {
            Box::pin(async move {
                for initiator in initiators {
                    let (text, kind) = (initiator.to_string(), initiator_type(&initiator));
                    let taken = session.access_group_initiator_delete(&group, &text, kind).await;
                    unless_already(taken.map(drop))?;
                }
                Ok(())
            })
        })
        .await
    }

    fn not_verified(&self, what: &str) -> ArrayError {
        ArrayError::NotVerified { array: self.name().clone(), what: what.to_owned() }
    }
}

pub(super) fn holds(group: &AccessGroup, initiator: &Initiator) -> bool {
    group.init_ids.iter().any(|text| is(text, initiator))
}

pub(super) fn is(text: &str, initiator: &Initiator) -> bool {
    text.parse::<Initiator>().as_ref() == Ok(initiator)
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
