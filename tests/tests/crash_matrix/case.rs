//! What the matrix must know of each procedure. One that is not here does not compile.

use std::sync::Arc;

use futures::future::BoxFuture;
use sanfleet_controller::runs::AnyProcedure;
use sanfleet_protocol::{RunId, v1::RunState};
use sanfleet_sim::{Controller, Fleet, Source, orders};

/// Where, and under which name, a procedure makes what it makes.
const AT: &str = "/copy";
const NAME: &str = "made";

/// The two volumes of an application.
pub type Sources = [Arc<Source>; 2];

/// One procedure in the matrix, perhaps in one of several shapes.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub procedure: &'static str,
    /// Does what has to be done before, and gives the parameters.
    pub parameters: for<'a> fn(&'a Fleet, &'a Arc<Controller>, Sources) -> BoxFuture<'a, AnyProcedure>,
    /// How many attachments there are before it, and when it has succeeded.
    pub attached_before: usize,
    pub attached: usize,
    /// Whether it is taken back when it fails. One that is not goes on from where it stopped.
    pub is_taken_back: bool,
}

macro_rules! matrix {
    (not_yet: $($later:ident),*; $($procedure:ident => $case:expr,)*; $($shape:expr,)*) => {
        pub const CASES: &[Case] = &[$($case,)* $($shape,)*];

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
        procedure: "BackupAttach",
        parameters: |fleet, _, [source, _]| Box::pin(async move { orders::attach(&source, fleet.host(2), AT, NAME) }),
        attached_before: 0,
        attached: 1,
        is_taken_back: true,
    },
    BackupDetach => Case {
        name: "BackupDetach",
        procedure: "BackupDetach",
        parameters: |fleet, controller, [source, _]| Box::pin(async move {
            attached(fleet, controller, orders::attach(&source, fleet.host(2), AT, NAME)).await
        }),
        attached_before: 1,
        attached: 0,
        is_taken_back: false,
    },
    Provision => Case {
        name: "Provision",
        procedure: "Provision",
        parameters: |fleet, _, [source, _]| Box::pin(async move { orders::provision(&source, fleet.host(2), AT, NAME) }),
        attached_before: 0,
        attached: 1,
        is_taken_back: true,
    },
    CloneVolume => Case {
        name: "CloneVolume",
        procedure: "CloneVolume",
        parameters: |fleet, _, [source, _]| Box::pin(async move { orders::clone(&source, fleet.host(2), AT, NAME) }),
        attached_before: 0,
        attached: 1,
        is_taken_back: true,
    },
    Rollout => Case {
        name: "Rollout",
        procedure: "Rollout",
        parameters: |fleet, _, [source, _]| Box::pin(async move {
            orders::roll_out(&source, &[fleet.host(2), fleet.host(3)], AT, NAME)
        }),
        attached_before: 0,
        attached: 2,
        is_taken_back: false,
    },
    // Other shapes of the same.
    ;
    Case {
        name: "BackupAttach of two volumes with a hook",
        procedure: "BackupAttach",
        parameters: |fleet, _, sources| Box::pin(async move { both(fleet, &sources) }),
        attached_before: 0,
        attached: 2,
        is_taken_back: true,
    },
    Case {
        name: "BackupDetach of two volumes",
        procedure: "BackupDetach",
        parameters: |fleet, controller, sources| Box::pin(async move {
            attached(fleet, controller, both(fleet, &sources)).await
        }),
        attached_before: 2,
        attached: 0,
        is_taken_back: false,
    },
}

fn both(fleet: &Fleet, [source, other]: &Sources) -> AnyProcedure {
    orders::attach_both(source, other, fleet.host(2), AT, NAME)
}

/// Makes what is to be detached, and gives the parameters for that.
async fn attached(fleet: &Fleet, controller: &Arc<Controller>, attach: AnyProcedure) -> AnyProcedure {
    let before = Fleet::run_id(0);
    controller.begin(before, attach);
    assert_eq!(fleet.journal.over(before).await, RunState::Succeeded);
    let all = controller.runs.attachments();
    orders::detach(&all, &all[0])
}

/// The run that is looked at.
pub fn run() -> RunId {
    Fleet::run_id(1)
}
