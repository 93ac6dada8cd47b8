//! Every procedure there is, in one list. What is not in it can be neither started nor carried on.

use sanfleet_protocol::{
    ArrayId, VolumeId,
    v1::{self, RunState, run_created},
};

use super::{
    Adopt, BackupAttach, BackupDetach, CloneVolume, HostRetire, Provision, Repair, Rollout, VolumeDelete,
    VolumeDetach, VolumeMove, VolumeResize,
    engine::Engine,
    journal::JournalError,
    outputs::Outputs,
    params::ParamsError,
    procedure::{self, Place, Procedure},
    progress::{Progress, Shape},
};

macro_rules! procedures {
    ($($name:ident,)*) => {
        /// A procedure with its parameters.
        #[derive(Debug, Clone, PartialEq)]
        pub enum AnyProcedure {
            $($name($name),)*
        }

        impl AnyProcedure {
            pub fn title(&self) -> String {
                match self { $(Self::$name(params) => params.title(),)* }
            }

            /// The arrays that it works on.
            pub fn arrays(&self) -> Vec<ArrayId> {
                match self { $(Self::$name(params) => params.arrays(),)* }
            }

            /// The places that no other run may use meanwhile.
            pub fn places(&self) -> Vec<Place> {
                match self { $(Self::$name(params) => params.places(),)* }
            }

            /// The volumes that must stay what they are while it runs.
            pub fn volumes(&self) -> Vec<VolumeId> {
                match self { $(Self::$name(params) => params.volumes(),)* }
            }

            /// The volumes that it makes, by name.
            pub fn makes(&self) -> Vec<(&ArrayId, &str)> {
                match self { $(Self::$name(params) => params.makes(),)* }
            }

            /// How many runs will be parts of it.
            pub fn parts(&self) -> u32 {
                match self { $(Self::$name(params) => params.parts(),)* }
            }

            /// What it leaves attached once it has succeeded.
            pub fn attaches(&self, outputs: &Outputs) -> Vec<v1::Attachment> {
                match self { $(Self::$name(params) => params.attaches(outputs),)* }
            }

            /// The attachments that are gone once it has succeeded.
            pub fn removes(&self) -> Vec<&v1::Attachment> {
                match self { $(Self::$name(params) => params.removes(),)* }
            }

            pub(super) async fn execute(
                &self,
                engine: &Engine<'_>,
                progress: Progress,
            ) -> Result<RunState, JournalError> {
                match self { $(Self::$name(params) => engine.execute(params, progress).await,)* }
            }
        }

        impl From<&AnyProcedure> for run_created::Procedure {
            fn from(procedure: &AnyProcedure) -> Self {
                match procedure { $(AnyProcedure::$name(params) => Self::$name(params.to_message()),)* }
            }
        }

        impl TryFrom<&run_created::Procedure> for AnyProcedure {
            type Error = ParamsError;

            fn try_from(procedure: &run_created::Procedure) -> Result<Self, ParamsError> {
                Ok(match procedure {
                    $(run_created::Procedure::$name(message) => Self::$name($name::from_message(message)?),)*
                })
            }
        }

        /// A procedure's name, as people know it.
        pub fn name_of(procedure: &run_created::Procedure) -> &'static str {
            match procedure { $(run_created::Procedure::$name(_) => $name::NAME,)* }
        }

        pub fn shapes_of(procedure: &run_created::Procedure) -> Vec<Shape> {
            match procedure { $(run_created::Procedure::$name(_) => procedure::shapes::<$name>(),)* }
        }
    };
}

procedures! {
    BackupAttach,
    BackupDetach,
    Provision,
    CloneVolume,
    Rollout,
    VolumeDetach,
    VolumeDelete,
    VolumeResize,
    VolumeMove,
    Adopt,
    HostRetire,
    Repair,
}
