//! What the matrix must know of each procedure. One that is not here does not compile.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use sanfleet_controller::runs::{AnyProcedure, BackupAttach, BackupDetach};
use sanfleet_protocol::{
    RunId,
    v1::{self, QuiesceMethod, RunState},
};
use sanfleet_sim::{Controller, Fleet, LOOP, Source};

/// One procedure in the matrix.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    /// Makes the world, as it is before anything of ours was done to it.
    pub world: fn(&Fleet) -> Arc<Source>,
    /// Does what has to be done before, and gives the parameters.
    pub parameters: for<'a> fn(&'a Fleet, &'a Arc<Controller>, Arc<Source>) -> BoxFuture<'a, AnyProcedure>,
    /// How many attachments there are before it, and when it has succeeded.
    pub attached_before: usize,
    pub attached: usize,
    /// Whether it is taken back when it fails. One that is not goes on from where it stopped.
    pub is_taken_back: bool,
}

macro_rules! matrix {
    ($($procedure:ident => $case:expr,)*) => {
        pub const CASES: &[Case] = &[$($case,)*];

        /// No wildcard: whoever adds a procedure adds it here.
        pub fn case_of(procedure: &AnyProcedure) -> &'static str {
            match procedure { $(AnyProcedure::$procedure(_) => stringify!($procedure),)* }
        }
    };
}

matrix! {
    BackupAttach => Case {
        name: "BackupAttach",
        world,
        parameters: |_, _, source| Box::pin(async move { attach(&source, "bk").into_any() }),
        attached_before: 0,
        attached: 1,
        is_taken_back: true,
    },
    BackupDetach => Case {
        name: "BackupDetach",
        world,
        parameters: |fleet, controller, source| Box::pin(detach(fleet, controller, source)),
        attached_before: 1,
        attached: 0,
        is_taken_back: false,
    },
}

/// An application on host1, whose volume is on the first array.
fn world(fleet: &Fleet) -> Arc<Source> {
    fleet.an_array().add_source(fleet.host(1), "/data")
}

/// From host1 to host2.
fn attach(source: &Source, name: &str) -> BackupAttach {
    BackupAttach {
        source: source.host.id.clone(),
        source_mount: source.at.clone(),
        target: "host2".parse().unwrap(),
        target_mount: "/copy".parse().unwrap(),
        quiesce: QuiesceMethod::Fsfreeze,
        read_write: false,
        copy_name: name.to_owned(),
        dead_man: Duration::from_secs(5),
        resolved: v1::SourceResolved {
            array: source.array.to_string(),
            volume: source.volume.id.to_string(),
            volume_id: source.id.to_string(),
            pool: source.volume.pool_id.to_string(),
            initiator: "iqn.2026-01.org.example:host2".to_owned(),
            fabric: LOOP.to_owned(),
            ..Default::default()
        },
    }
}

async fn detach(fleet: &Fleet, controller: &Arc<Controller>, source: Arc<Source>) -> AnyProcedure {
    let before = Fleet::run_id(0);
    controller.begin(before, attach(&source, "bk").into_any());
    assert_eq!(fleet.journal.over(before).await, RunState::Succeeded);
    let attachment = controller.runs.attachments().remove(0);
    AnyProcedure::BackupDetach(BackupDetach::try_from(attachment).unwrap())
}

trait IntoAny {
    fn into_any(self) -> AnyProcedure;
}

impl IntoAny for BackupAttach {
    fn into_any(self) -> AnyProcedure {
        AnyProcedure::BackupAttach(self)
    }
}

/// The run that is looked at.
pub fn run() -> RunId {
    Fleet::run_id(1)
}
