//! *Host retire*: nothing new is put on a host, all that is attached to it is detached, and the arrays forget it:
//! cordon → detach → release. Every volume stays.
//!
//! It only goes forward: the same request made again goes on from where it stopped.

use sanfleet_protocol::{
    ArrayId, HostId, Initiator, RunId, VolumeId,
    v1::{self, step_output::Output},
};

use super::{
    AnyProcedure,
    error::StepError,
    fan_out::{self, FanOut},
    params::ParamsError,
    parts::{PATIENT, attached::Attached},
    procedure::{Here, Place, Procedure, Step, Undo, boxed},
    volume_detach::VolumeDetach,
    waves::Limits,
};

/// Parameters of the procedure, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct HostRetire {
    pub host: HostId,
    pub attachments: Vec<Attached>,
    pub initiators: Vec<Initiator>,
    /// Those that are to forget the host.
    pub arrays: Vec<ArrayId>,
}

impl Procedure for HostRetire {
    const NAME: &'static str = "host retire";
    const STEPS: &'static [Step<Self>] = &[
        Step {
            name: "cordon",
            act: |here| boxed(cordon(here)),
            undo: Undo::None("`sanfleet host uncordon` lets new things be put there again"),
            patience: PATIENT,
        },
        Step {
            name: "detach",
            act: |here| boxed(detach(here)),
            undo: Undo::None("every volume stays; what is detached can be attached again"),
            patience: fan_out::PATIENCE,
        },
        Step {
            name: "release",
            act: |here| boxed(release(here)),
            undo: Undo::None("a host that comes back is made known to an array with its next attachment"),
            patience: PATIENT,
        },
    ];

    type Message = v1::HostRetireParams;

    fn to_message(&self) -> v1::HostRetireParams {
        v1::HostRetireParams {
            host: self.host.to_string(),
            attachments: self.attachments.iter().map(|what| what.record.clone()).collect(),
            initiators: self.initiators.iter().map(ToString::to_string).collect(),
            arrays: self.arrays.iter().map(ToString::to_string).collect(),
        }
    }

    fn from_message(message: &v1::HostRetireParams) -> Result<Self, ParamsError> {
        let attachments = message.attachments.iter().map(|record| Attached::from_message(Some(record)));
        let initiators = message.initiators.iter().map(|text| text.parse());
        let arrays = message.arrays.iter().map(|text| text.parse());
        Ok(Self {
            host: message.host.parse()?,
            attachments: attachments.collect::<Result<_, _>>()?,
            initiators: initiators.collect::<Result<_, _>>()?,
            arrays: arrays.collect::<Result<_, _>>()?,
        })
    }

    fn title(&self) -> String {
        self.host.to_string()
    }

    /// Its parts work on one.
    fn array(&self) -> Option<ArrayId> {
        None
    }

    fn places(&self) -> Vec<Place> {
        self.attachments.iter().map(Attached::place).collect()
    }

    fn volumes(&self) -> Vec<VolumeId> {
        self.attachments.iter().map(|what| what.volume_id.clone()).collect()
    }

    fn parts(&self) -> u32 {
        u32::try_from(self.attachments.len()).unwrap_or(u32::MAX)
    }
}

impl FanOut for HostRetire {
    /// All that can be detached is, whatever else cannot.
    fn limits(&self) -> Limits {
        Limits { canary: 0, batch: 0, batch_percent: 0, max_failures: u32::MAX }
    }

    fn units(&self) -> &'static str {
        "attachments"
    }

    fn part(&self, _: RunId, place: u32, _: u16) -> Option<AnyProcedure> {
        let what = self.attachments.get(usize::try_from(place).ok()?)?.clone();
        Some(AnyProcedure::VolumeDetach(VolumeDetach { what }))
    }
}

type At<'a> = Here<'a, HostRetire>;

async fn cordon(here: At<'_>) -> Result<Option<Output>, StepError> {
    here.must_be_ours()?;
    here.world.notes.cordon(&here.params.host).await?;
    Ok(None)
}

/// The arrays forget a host only when it is without any volume.
async fn detach(here: At<'_>) -> Result<Option<Output>, StepError> {
    let counts = fan_out::carry_out(here).await?;
    match counts.failed {
        0 => Ok(Some(fan_out::output(counts))),
        failed => Err(StepError::Refused(format!("{failed} attachments could not be taken down"))),
    }
}

async fn release(here: At<'_>) -> Result<Option<Output>, StepError> {
    let HostRetire { host, initiators, arrays, .. } = here.params;
    let seen = here.world.catalog.read().volumes_on(host);
    if !seen.is_empty() {
        let why = format!("host {host} still sees {}", seen.join(", "));
        return Err(StepError::NotVerified(why));
    }
    for array in arrays {
        here.array(array)?.forget_initiators(initiators).await?;
    }
    Ok(None)
}
