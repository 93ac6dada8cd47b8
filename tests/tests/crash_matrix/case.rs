//! What the matrix must know of each procedure. One that is not here does not compile.

use std::sync::Arc;

use futures::future::BoxFuture;
use sanfleet_controller::runs::AnyProcedure;
use sanfleet_protocol::{RunId, v1::RunState};
use sanfleet_sim::{Controller, Fleet, Source, orders};

/// Where, and under which name, a procedure makes what it makes.
const AT: &str = "/copy";
const NAME: &str = "made";

/// One procedure in the matrix.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    /// Does what has to be done before, and gives the parameters.
    pub parameters: for<'a> fn(&'a Fleet, &'a Arc<Controller>, Arc<Source>) -> BoxFuture<'a, AnyProcedure>,
    /// How many attachments there are before it, and when it has succeeded.
    pub attached_before: usize,
    pub attached: usize,
    /// Whether it is taken back when it fails. One that is not goes on from where it stopped.
    pub is_taken_back: bool,
}

macro_rules! matrix {
    (not_yet: $($later:ident),*; $($procedure:ident => $case:expr,)*) => {
        pub const CASES: &[Case] = &[$($case,)*];

        /// No wildcard: whoever adds a procedure adds it here.
        pub fn case_of(procedure: &AnyProcedure) -> &'static str {
            match procedure {
                $(AnyProcedure::$procedure(_) => stringify!($procedure),)*
                $(AnyProcedure::$later(_) => stringify!($later),)*
            }
        }
    };
}

matrix! {
    // Tried with real processes, and named in the README as not struck at every place.
    not_yet: VolumeDetach, VolumeDelete, VolumeResize, VolumeMove, Adopt, HostRetire, Repair;

    BackupAttach => Case {
        name: "BackupAttach",
        parameters: |fleet, _, source| Box::pin(async move { orders::attach(&source, fleet.host(2), AT, NAME) }),
        attached_before: 0,
        attached: 1,
        is_taken_back: true,
    },
    BackupDetach => Case {
        name: "BackupDetach",
        parameters: |fleet, controller, source| Box::pin(attached(fleet, controller, source)),
        attached_before: 1,
        attached: 0,
        is_taken_back: false,
    },
    Provision => Case {
        name: "Provision",
        parameters: |fleet, _, source| Box::pin(async move { orders::provision(&source, fleet.host(2), AT, NAME) }),
        attached_before: 0,
        attached: 1,
        is_taken_back: true,
    },
    CloneVolume => Case {
        name: "CloneVolume",
        parameters: |fleet, _, source| Box::pin(async move { orders::clone(&source, fleet.host(2), AT, NAME) }),
        attached_before: 0,
        attached: 1,
        is_taken_back: true,
    },
    Rollout => Case {
        name: "Rollout",
        parameters: |fleet, _, source| Box::pin(async move {
            orders::roll_out(&source, &[fleet.host(2), fleet.host(3)], AT, NAME)
        }),
        attached_before: 0,
        attached: 2,
        is_taken_back: false,
    },
}

/// Makes what is to be detached.
async fn attached(fleet: &Fleet, controller: &Arc<Controller>, source: Arc<Source>) -> AnyProcedure {
    let before = Fleet::run_id(0);
    controller.begin(before, orders::attach(&source, fleet.host(2), AT, NAME));
    assert_eq!(fleet.journal.over(before).await, RunState::Succeeded);
    orders::detach(controller.runs.attachments().remove(0))
}

/// The run that is looked at.
pub fn run() -> RunId {
    Fleet::run_id(1)
}
