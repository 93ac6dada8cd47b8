//! *Rollout*: the same procedure on many hosts, each a run of its own.

use sanfleet_protocol::{
    ArrayId, FileSystemId, HostId, Initiator, MountPoint, RunId, VolumeId,
    v1::{self, step_output::Output},
};

use super::{
    AnyProcedure,
    clone_volume::{CloneVolume, NewIdentity},
    error::StepError,
    fan_out::{self, FanOut},
    params::ParamsError,
    parts::Placement,
    procedure::{Here, Place, Procedure, Step, Undo, boxed},
    provision::Provision,
    waves::Limits,
};

/// Parameters of the procedure, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    pub template: Template,
    pub targets: Vec<Target>,
    pub limits: Limits,
}

/// What is done on every host. Its own host, initiator and names are those of the first target.
#[derive(Debug, Clone, PartialEq)]
pub enum Template {
    Provision(Provision),
    CloneVolume(CloneVolume),
}

/// What differs from host to host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub host: HostId,
    pub initiator: Initiator,
    pub fabric: String,
}

impl Target {
    /// A place on this host.
    pub fn placement(&self, array: ArrayId, mount_point: MountPoint, read_write: bool) -> Placement {
        let Self { host, initiator, fabric } = self.clone();
        Placement { host, mount_point, read_write, array, initiator, fabric }
    }
}

impl Procedure for Rollout {
    const NAME: &'static str = "rollout";
    const STEPS: &'static [Step<Self>] = &[Step {
        name: "hosts",
        act: |here| boxed(hosts(here)),
        undo: Undo::None("a host that succeeded keeps what it has, one that failed was undone by itself"),
        patience: fan_out::PATIENCE,
    }];

    type Message = v1::RolloutParams;

    fn to_message(&self) -> v1::RolloutParams {
        use v1::rollout_params::Template as Message;
        let template = match &self.template {
            Template::Provision(params) => Message::Provision(params.to_message()),
            Template::CloneVolume(params) => Message::CloneVolume(params.to_message()),
        };
        let targets = self.targets.iter().map(|target| v1::RolloutTarget {
            host: target.host.to_string(),
            initiator: target.initiator.to_string(),
            fabric: target.fabric.clone(),
        });
        let limits = v1::RolloutLimits {
            canary: self.limits.canary,
            batch: self.limits.batch,
            max_failures: self.limits.max_failures,
            batch_percent: self.limits.batch_percent,
        };
        v1::RolloutParams { template: Some(template), targets: targets.collect(), limits: Some(limits) }
    }

    fn from_message(message: &v1::RolloutParams) -> Result<Self, ParamsError> {
        use v1::rollout_params::Template as Message;
        let template = message.template.as_ref().ok_or(ParamsError::Missing { field: "template" })?;
        let limits = message.limits.as_ref().ok_or(ParamsError::Missing { field: "limits" })?;
        let targets = message.targets.iter().map(|target| {
            Ok(Target {
                host: target.host.parse()?,
                initiator: target.initiator.parse()?,
                fabric: target.fabric.clone(),
            })
        });
        Ok(Self {
            template: match template {
                Message::Provision(params) => Template::Provision(Provision::from_message(params)?),
                Message::CloneVolume(params) => Template::CloneVolume(CloneVolume::from_message(params)?),
            },
            targets: targets.collect::<Result<_, ParamsError>>()?,
            limits: Limits {
                canary: limits.canary,
                batch: limits.batch,
                batch_percent: limits.batch_percent,
                max_failures: limits.max_failures,
            },
        })
    }

    fn title(&self) -> String {
        let count = self.targets.len();
        match &self.template {
            Template::Provision(params) => format!(
                "{} {} on {count} hosts at {}",
                sanfleet_protocol::size::shown(params.size_bytes),
                params.file_system,
                params.to.mount_point
            ),
            Template::CloneVolume(params) => {
                let source = match &params.source {
                    Some((host, at)) => format!("{host}:{at}"),
                    None => format!("{}/{}", params.to.array, params.source_volume),
                };
                format!("{source} on {count} hosts at {}", params.to.mount_point)
            }
        }
    }

    /// Its parts work on one.
    fn array(&self) -> Option<ArrayId> {
        None
    }

    fn places(&self) -> Vec<Place> {
        let mount_point = &self.template.placement().mount_point;
        let place = |target: &Target| Place { host: target.host.clone(), mount_point: mount_point.clone() };
        self.targets.iter().map(place).collect()
    }

    fn volumes(&self) -> Vec<VolumeId> {
        match &self.template {
            Template::Provision(params) => params.volumes(),
            Template::CloneVolume(params) => params.volumes(),
        }
    }

    fn parts(&self) -> u32 {
        u32::try_from(self.targets.len()).unwrap_or(u32::MAX)
    }
}

impl Template {
    pub fn placement(&self) -> &Placement {
        match self {
            Self::Provision(params) => &params.to,
            Self::CloneVolume(params) => &params.to,
        }
    }
}

impl FanOut for Rollout {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn units(&self) -> &'static str {
        "hosts"
    }

    fn part(&self, run: RunId, place: u32, attempt: u16) -> Option<AnyProcedure> {
        let target = self.targets.get(usize::try_from(place).ok()?)?;
        let own = |to: &Placement| Placement {
            host: target.host.clone(),
            initiator: target.initiator.clone(),
            fabric: target.fabric.clone(),
            ..to.clone()
        };
        // Place 0 of the tries is no part's id, so that it is free to be a file system's.
        let uuid = run.part(place, 0).uuid();
        let name = |prefix: &str| match attempt {
            1 => format!("{prefix}-{place}"),
            _ => format!("{prefix}-{place}-{attempt}"),
        };
        Some(match &self.template {
            Template::Provision(params) => AnyProcedure::Provision(Provision {
                to: own(&params.to),
                volume_name: name(&params.volume_name),
                uuid: FileSystemId::new(uuid),
                ..params.clone()
            }),
            Template::CloneVolume(params) => AnyProcedure::CloneVolume(CloneVolume {
                to: own(&params.to),
                volume_name: name(&params.volume_name),
                identity: params
                    .identity
                    .clone()
                    .map(|identity| NewIdentity { own: FileSystemId::new(uuid), ..identity }),
                ..params.clone()
            }),
        })
    }
}

async fn hosts(here: Here<'_, Rollout>) -> Result<Option<Output>, StepError> {
    Ok(Some(fan_out::output(fan_out::carry_out(here).await?)))
}
