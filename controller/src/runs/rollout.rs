//! *Rollout*: the same procedure on many hosts. Each host is a run of its own, with its own journal, undo and owner; this one
//! starts them, in waves, and counts.

use sanfleet_protocol::{
    ArrayId, HostId, Initiator, MountPoint, RunId,
    v1::{self, RunState, RunVerb, step_output::Output},
};

use super::{
    AnyProcedure,
    clone_volume::CloneVolume,
    error::StepError,
    params::ParamsError,
    parts::Placement,
    procedure::{Here, Patience, Place, Procedure, Step, Undo, boxed},
    provision::Provision,
    waves::{self, Asked, Counts, Part},
};

pub use super::waves::Limits;

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

/// As long as it takes: each part has patience of its own. What fails and may pass is that this controller was cut off, which says
/// nothing about any host.
const PATIENCE: Patience = Patience {
    attempts: 1_000,
    within: std::time::Duration::from_secs(7 * 24 * 3600),
    silence: std::time::Duration::from_secs(24 * 3600),
};

impl Procedure for Rollout {
    const NAME: &'static str = "rollout";
    const STEPS: &'static [Step<Self>] = &[Step {
        name: "hosts",
        act: |here| boxed(hosts(here)),
        undo: Undo::None("a host that succeeded keeps what it has, one that failed was undone by itself"),
        patience: PATIENCE,
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

impl Rollout {
    /// The procedure for the host at this place of the list. Names and ids that must differ are made from the run's own, and names
    /// differ from try to try: of two tries that an old owner and a new one begin, neither finds the other's volume by its name.
    pub fn part(&self, run: RunId, place: u32, attempt: u16) -> Option<AnyProcedure> {
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
                uuid: sanfleet_protocol::FileSystemId::new(uuid),
                ..params.clone()
            }),
            Template::CloneVolume(params) => AnyProcedure::CloneVolume(CloneVolume {
                to: own(&params.to),
                volume_name: name(&params.volume_name),
                ..params.clone()
            }),
        })
    }
}

/// Starts the parts and waits for them, as often as it takes. What a controller before this one started is found again: a
/// part's id follows from the place in the list and the try.
async fn hosts(here: Here<'_, Rollout>) -> Result<Option<Output>, StepError> {
    let (run, register) = (here.run, here.register);
    let attempt = attempt_of(&here);
    let mut parts: Vec<Part> = (0..here.params.parts()).map(|place| found(&here, place, attempt)).collect();
    for stuck in parts.iter_mut().filter(|part| part.state == RunState::Stuck) {
        // Found in an earlier life of this step: somebody has looked at it, or this is the time to try again.
        register.ask(stuck.run, RunVerb::Retry).await;
        stuck.state = RunState::Running;
    }
    let (mut ended, mut own) = (register.ended_parts(run), 0);
    loop {
        let latest = register.latest(run);
        own = latest.as_ref().map_or(own, |run| run.last_sequence);
        let asked = match latest {
            Some(run) if run.cancelled => Asked::Cancel,
            Some(run) if run.paused => Asked::Pause,
            _ => Asked::Nothing,
        };
        for part in parts.iter_mut().filter(|part| part.state == RunState::Running) {
            part.state = register.state(part.run).map_or(part.state, settled);
        }
        match waves::decide(&here.params.limits, &parts, asked) {
            waves::Decision::Start(places) => {
                for place in places {
                    start(&here, &mut parts, place).await?;
                    here.beat.go_on();
                }
                continue;
            }
            waves::Decision::Cancel(places) => {
                for place in places {
                    if let Some(part) = parts.get_mut(place) {
                        part.cancelled = true;
                        register.ask(part.run, RunVerb::Cancel).await;
                    }
                }
            }
            waves::Decision::Wait => {}
            waves::Decision::Over(counts) => return over(counts, asked),
        }
        ended = register.parts_moved(run, ended, own).await;
        here.beat.go_on();
    }
}

fn attempt_of(here: &Here<'_, Rollout>) -> u16 {
    u16::try_from(here.attempt).unwrap_or(u16::MAX)
}

/// The newest try of the part at this place. One that failed in an earlier life of this step gets another try.
fn found(here: &Here<'_, Rollout>, place: u32, attempt: u16) -> Part {
    let earlier = (1..=attempt).rev().map(|attempt| here.run.part(place, attempt));
    let newest = earlier.into_iter().find_map(|run| Some((run, settled(here.register.state(run)?))));
    match newest {
        Some((run, state)) if state != RunState::Failed => Part { run, state, cancelled: false },
        _ => Part { run: here.run.part(place, attempt), state: RunState::Unspecified, cancelled: false },
    }
}

/// Begun and not over is all that a wave needs to know of a part; and how it is over.
fn settled(state: RunState) -> RunState {
    match state {
        RunState::Undoing | RunState::Running => RunState::Running,
        RunState::Undone => RunState::Failed,
        other => other,
    }
}

async fn start(here: &Here<'_, Rollout>, parts: &mut [Part], place: usize) -> Result<(), StepError> {
    let number = u32::try_from(place).unwrap_or(u32::MAX);
    let (Some(part), Some(procedure)) =
        (parts.get_mut(place), here.params.part(here.run, number, attempt_of(here)))
    else {
        return Ok(());
    };
    must_be_ours(here)?;
    let started = here.register.start_part(here.run, part.run, &procedure, &here.permit).await;
    started.map_err(|error| StepError::Journal(error.to_string()))?;
    // A part that came to be too late was cancelled: another try is for who owns this run then.
    must_be_ours(here)?;
    part.state = RunState::Running;
    Ok(())
}

fn must_be_ours(here: &Here<'_, Rollout>) -> Result<(), StepError> {
    match here.permit.holds() {
        true => Ok(()),
        false => Err(StepError::NotVerified("this controller was cut off from the bus".to_owned())),
    }
}

fn over(counts: Counts, asked: Asked) -> Result<Option<Output>, StepError> {
    let Counts { succeeded, failed, skipped } = counts;
    if asked == Asked::Cancel {
        return Err(StepError::Refused(format!(
            "cancelled: {succeeded} hosts had succeeded, {failed} had not, {skipped} were not begun"
        )));
    }
    if skipped > 0 {
        return Err(StepError::Refused(format!(
            "{failed} hosts failed, more than were allowed to: {skipped} were not begun, {succeeded} succeeded"
        )));
    }
    Ok(Some(Output::Parts(v1::PartsDone { succeeded, failed, skipped })))
}
