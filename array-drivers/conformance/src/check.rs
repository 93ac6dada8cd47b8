//! A check: a sentence, and the function that finds out whether it is true.

use std::{future::Future, pin::Pin};

use crate::{expect::Verdict, stage::Stage};

pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Verdict> + 'a>>;

/// One thing that is true of every driver that keeps to the protocol.
#[derive(Clone, Copy)]
pub struct Check {
    pub group: &'static str,
    /// The sentence, with underscores for blanks.
    pub name: &'static str,
    pub kind: Kind,
    pub(crate) run: for<'a> fn(&'a Stage) -> Running<'a>,
}

/// What a check does to the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Reads,
    /// Makes objects of its own, and calls with the ids of objects that are not there.
    Changes,
}

impl Check {
    pub fn sentence(&self) -> String {
        self.name.replace('_', " ")
    }

    /// True when a filter picks it.
    pub fn is_picked(&self, filter: &str) -> bool {
        self.group.contains(filter) || self.name.contains(filter) || self.sentence().contains(filter)
    }
}

/// The checks of one group, as a table.
macro_rules! checks {
    ($group:literal $(, reads [$($read:ident),* $(,)?])? $(, changes [$($change:ident),* $(,)?])?) => {
        pub(crate) const CHECKS: &[$crate::check::Check] = &[
            $($($crate::check::Check {
                group: $group,
                name: stringify!($read),
                kind: $crate::check::Kind::Reads,
                run: |stage| Box::pin($read(stage)),
            },)*)?
            $($($crate::check::Check {
                group: $group,
                name: stringify!($change),
                kind: $crate::check::Kind::Changes,
                run: |stage| Box::pin($change(stage)),
            },)*)?
        ];
    };
}

pub(crate) use checks;
