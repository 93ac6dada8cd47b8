//! What the matrix must know of each procedure. One that is not here does not compile.

use std::sync::Arc;

use futures::future::BoxFuture;
use sanfleet_controller::runs::AnyProcedure;
use sanfleet_driver::Volume;
use sanfleet_protocol::{
    RunId,
    v1::{Attachment, RunState},
};
use sanfleet_sim::{Controller, Fleet, Source, orders};

/// Where, and under which name, a procedure makes what it makes.
const AT: &str = "/copy";
const NAME: &str = "made";
/// The volume of the application.
const SOURCE: &str = "host1-data";
/// What somebody has made by hand, and where.
const BY_HAND: &str = "by-hand";
const AT_BY_HAND: &str = "/by/hand";
const GROWN_BYTES: u64 = 2 << 20;

/// One procedure in the matrix; of one that does several things, one of them.
#[derive(Clone, Copy)]
pub struct Case {
    /// The procedure's name, and a word more where it has several cases.
    pub name: &'static str,
    /// What somebody does by hand before. It is there before, and is none of the run's business unless the run is about it.
    pub by_hand: fn(&Fleet),
    /// Has runs do what has to be done before, and gives the parameters.
    pub parameters: for<'a> fn(Before<'a>) -> BoxFuture<'a, AnyProcedure>,
    /// How many attachments there are before it, and when it has succeeded.
    pub attached_before: usize,
    pub attached: usize,
    /// Whether it is taken back when it fails. One that is not goes on from where it stopped.
    pub is_taken_back: bool,
}

/// What is there before the run.
pub struct Before<'a> {
    pub fleet: &'a Fleet,
    pub controller: &'a Arc<Controller>,
    pub source: Arc<Source>,
    /// A second volume of the same application.
    pub other: Arc<Source>,
}

macro_rules! matrix {
    ($($procedure:ident => [$($case:expr),+],)*) => {
        pub const CASES: &[Case] = &[$($($case,)+)*];

        /// No wildcard: whoever adds a procedure adds it here.
        pub fn case_of(procedure: &AnyProcedure) -> &'static str {
            match procedure { $(AnyProcedure::$procedure(_) => stringify!($procedure),)* }
        }
    };
}

/// Puts one new volume on one host, or takes it back.
const PUTS: Case = Case {
    name: "",
    by_hand: |_| {},
    parameters: |_| unreachable!("every case has its own"),
    attached_before: 0,
    attached: 1,
    is_taken_back: true,
};

/// Takes something away, and goes only forward.
const TAKES_AWAY: Case = Case { attached_before: 1, attached: 0, is_taken_back: false, ..PUTS };

/// Is about something that no run has made.
const FOUND: Case = Case { attached_before: 0, ..TAKES_AWAY };

matrix! {
    BackupAttach => [Case {
        name: "BackupAttach",
        parameters: |before| Box::pin(async move {
            orders::attach(&before.source, before.fleet.host(2), AT, NAME)
        }),
        ..PUTS
    }, Case {
        name: "BackupAttach: two volumes, with a hook",
        parameters: |before| Box::pin(async move { before.both() }),
        attached: 2,
        ..PUTS
    }],
    BackupDetach => [Case {
        name: "BackupDetach",
        parameters: |before| Box::pin(async move {
            before.has_done(orders::attach(&before.source, before.fleet.host(2), AT, NAME), 0).await;
            before.detach()
        }),
        ..TAKES_AWAY
    }, Case {
        name: "BackupDetach: two volumes",
        parameters: |before| Box::pin(async move {
            before.has_done(before.both(), 0).await;
            before.detach()
        }),
        attached_before: 2,
        ..TAKES_AWAY
    }],
    Provision => [Case {
        name: "Provision",
        parameters: |before| Box::pin(async move {
            orders::provision(&before.source, before.fleet.host(2), AT, NAME)
        }),
        ..PUTS
    }],
    CloneVolume => [Case {
        name: "CloneVolume",
        parameters: |before| Box::pin(async move {
            orders::clone(&before.source, before.fleet.host(2), AT, NAME)
        }),
        ..PUTS
    }],
    Rollout => [Case {
        name: "Rollout",
        parameters: |before| Box::pin(async move {
            let hosts = [before.fleet.host(2).as_ref(), before.fleet.host(3).as_ref()];
            orders::roll_out(&before.source, &hosts, AT, NAME)
        }),
        attached: 2,
        is_taken_back: false,
        ..PUTS
    }],
    VolumeDetach => [Case {
        name: "VolumeDetach",
        parameters: |before| Box::pin(async move {
            before.has_provisioned(0).await;
            orders::take_down(before.attachments().remove(0))
        }),
        ..TAKES_AWAY
    }],
    VolumeDelete => [Case {
        name: "VolumeDelete",
        by_hand: |fleet| drop(fleet.an_array().make(BY_HAND)),
        parameters: |before| Box::pin(async move {
            orders::delete(before.fleet.an_array(), &made_by_hand(before.fleet))
        }),
        ..FOUND
    }],
    VolumeResize => [Case {
        name: "VolumeResize",
        // Another host sees it too, and has nothing of it mounted.
        by_hand: |fleet| find_by_hand(fleet, &fleet.an_array().volume_named(SOURCE).unwrap(), BY_HAND),
        parameters: |before| Box::pin(async move {
            orders::resize(before.fleet, &before.source, GROWN_BYTES)
        }),
        ..FOUND
    }],
    VolumeMove => [Case {
        name: "VolumeMove",
        parameters: |before| Box::pin(async move {
            before.has_provisioned(0).await;
            let (from, to) = (before.fleet.host(2), before.fleet.host(3));
            orders::move_to(before.attachments().remove(0), from, to, AT)
        }),
        attached_before: 1,
        ..PUTS
    }],
    Adopt => [Case {
        name: "Adopt",
        by_hand: |fleet| {
            let (array, host) = (fleet.an_array(), fleet.host(2));
            let volume = array.make(BY_HAND);
            array.show(host, &volume, BY_HAND);
            host.mount_by_hand(&volume.volume_id().unwrap(), AT_BY_HAND);
        },
        parameters: |before| Box::pin(async move {
            let volume = made_by_hand(before.fleet);
            orders::adopt(before.fleet.an_array(), &volume, before.fleet.host(2), AT_BY_HAND)
        }),
        is_taken_back: false,
        ..PUTS
    }],
    HostRetire => [Case {
        name: "HostRetire",
        parameters: |before| Box::pin(async move {
            let (fleet, source) = (before.fleet, &before.source);
            before.has_done(orders::provision(source, fleet.host(2), AT, NAME), 0).await;
            before.has_done(orders::provision(source, fleet.host(2), "/other", "other"), 2).await;
            orders::retire(fleet.host(2), before.attachments())
        }),
        attached_before: 2,
        ..TAKES_AWAY
    }],
    Repair => [
        Case {
            name: "Repair: delete a copy",
            by_hand: |fleet| drop(fleet.an_array().make(BY_HAND)),
            parameters: |before| Box::pin(async move {
                orders::delete_copy(before.fleet.an_array(), &made_by_hand(before.fleet))
            }),
            ..FOUND
        },
        Case {
            name: "Repair: hide a volume",
            by_hand: |fleet| {
                let ours = format!("sanfleet-{}", fleet.host(2).id);
                find_by_hand(fleet, &fleet.an_array().make(BY_HAND), &ours);
            },
            parameters: |before| Box::pin(async move {
                orders::hide(before.fleet.an_array(), &made_by_hand(before.fleet), before.fleet.host(2))
            }),
            ..FOUND
        },
        Case {
            name: "Repair: remove a device",
            by_hand: |fleet| find_by_hand(fleet, &fleet.an_array().make(BY_HAND), BY_HAND),
            parameters: |before| Box::pin(async move {
                orders::remove_device(&made_by_hand(before.fleet), before.fleet.host(2))
            }),
            ..FOUND
        }
    ],
}

impl Before<'_> {
    /// A run before that of the story.
    async fn has_done(&self, procedure: AnyProcedure, number: u64) {
        let before = Fleet::run_id(number);
        self.controller.begin(before, procedure);
        assert_eq!(self.fleet.journal.over(before).await, RunState::Succeeded);
    }

    async fn has_provisioned(&self, number: u64) {
        self.has_done(orders::provision(&self.source, self.fleet.host(2), AT, NAME), number).await;
    }

    /// Of both volumes of the application, held still by its hook.
    fn both(&self) -> AnyProcedure {
        orders::attach_both(&self.source, &self.other, self.fleet.host(2), AT, NAME)
    }

    fn detach(&self) -> AnyProcedure {
        let all = self.attachments();
        orders::detach(&all, &all[0])
    }

    fn attachments(&self) -> Vec<Attachment> {
        self.controller.runs.attachments()
    }
}

/// A volume is shown to the second host through this group, and its device is there, not used by anybody.
fn find_by_hand(fleet: &Fleet, volume: &Volume, group: &str) {
    let host = fleet.host(2);
    fleet.an_array().show(host, volume, group);
    host.find_by_hand(&volume.volume_id().unwrap());
}

fn made_by_hand(fleet: &Fleet) -> Volume {
    fleet.an_array().volume_named(BY_HAND).unwrap()
}

/// The run that is looked at.
pub fn run() -> RunId {
    Fleet::run_id(1)
}
