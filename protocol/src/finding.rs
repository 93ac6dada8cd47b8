//! The codes of findings: stable, so that people can look them up and scripts decide on them. `docs/doctor.md` has a section
//! for each.

use std::{fmt, str::FromStr};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// What kind of thing does not fit.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FindingCode {
            $($(#[$doc])* $name,)*
        }

        impl FindingCode {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

codes! {
    /// A volume that a run of ours made, and nothing accounts for.
    OrphanCopy = "SF-D001",
    /// A volume is shown to a host through a group of ours, and nothing accounts for it.
    OrphanMapping = "SF-D002",
    /// A host has a device of a volume that it is not shown any more.
    DeviceLeft = "SF-D003",
    /// One volume is mounted read-write on several hosts.
    SeveralWriters = "SF-D004",
    /// Several hosts have one initiator id.
    SharedInitiator = "SF-D005",
    /// Several hosts have one machine id.
    SharedMachineId = "SF-D006",
    /// A volume is shown to an initiator that no host has.
    UnownedInitiator = "SF-D007",
    /// An attachment is not mounted where it should be.
    NotMounted = "SF-D008",
    /// The volume of an attachment is gone.
    VolumeGone = "SF-D009",
    /// The volume of an attachment is not shown to its host.
    MaskGone = "SF-D010",
    /// A run makes no progress.
    NoProgress = "SF-D011",
    /// A run could neither end nor be undone.
    StuckRun = "SF-D012",
    /// An attachment should have been taken down.
    Expired = "SF-D013",
    /// A host with attachments is offline.
    HostOffline = "SF-D014",
    /// An array with attachments cannot be reached.
    ArrayUnreachable = "SF-D015",
    /// Several volumes have one id.
    SharedVolumeId = "SF-D016",
    /// Somebody reports in a host's name whose key is not the host's.
    OtherReportKey = "SF-D017",
    /// Two machines report as one host.
    TwoMachines = "SF-D018",
}

/// Why a text is no code of a finding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no code of a finding: they go from SF-D001 to SF-D018")]
pub struct FindingCodeError {
    text: String,
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// In upper or lower case.
impl FromStr for FindingCode {
    type Err = FindingCodeError;

    fn from_str(text: &str) -> Result<Self, FindingCodeError> {
        let found = Self::ALL.iter().find(|code| code.as_str().eq_ignore_ascii_case(text));
        found.copied().ok_or_else(|| FindingCodeError { text: text.chars().take(32).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_back_and_the_error_names_the_first_and_the_last() {
        for code in FindingCode::ALL {
            assert_eq!(code.as_str().to_ascii_lowercase().parse(), Ok(*code));
        }
        let error = "SF-D999".parse::<FindingCode>().unwrap_err().to_string();
        let (first, last) = (FindingCode::ALL.first().unwrap(), FindingCode::ALL.last().unwrap());
        assert!(error.contains(first.as_str()) && error.contains(last.as_str()), "{error}");
    }
}
