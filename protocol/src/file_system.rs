//! File systems that volumes are given: which there are, and what they are told apart by.

use std::{fmt, str::FromStr};

/// Why a text does not describe a file system that could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileSystemError {
    #[error("file system {text:?} is none of xfs, ext4 and btrfs")]
    Kind { text: String },
    #[error("label {text:?} is longer than the {max} bytes that {kind} keeps")]
    LongLabel { text: String, kind: FileSystemKind, max: usize },
    #[error("label {text:?} may hold only printable ASCII, no blanks and no '/'; it may not begin with '-'")]
    Label { text: String },
}

/// A file system that a volume can be given. Its text is the kernel's name of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileSystemKind {
    Xfs,
    Ext4,
    Btrfs,
}

impl FileSystemKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Xfs => "xfs",
            Self::Ext4 => "ext4",
            Self::Btrfs => "btrfs",
        }
    }

    /// Longest label in bytes: `XFSLABEL_MAX`, `EXT4_LABEL_MAX`, and `BTRFS_LABEL_SIZE` without its NUL.
    pub const fn label_bytes(self) -> usize {
        match self {
            Self::Xfs => 12,
            Self::Ext4 => 16,
            Self::Btrfs => 255,
        }
    }
}

impl FromStr for FileSystemKind {
    type Err = FileSystemError;

    fn from_str(text: &str) -> Result<Self, FileSystemError> {
        [Self::Xfs, Self::Ext4, Self::Btrfs]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| FileSystemError::Kind { text: shortened(text) })
    }
}

impl fmt::Display for FileSystemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What people call a file system; empty when it has no label. Fits the kind that it was made for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Label(String);

impl Label {
    pub fn new(kind: FileSystemKind, text: &str) -> Result<Self, FileSystemError> {
        let max = kind.label_bytes();
        if text.len() > max {
            return Err(FileSystemError::LongLabel { text: shortened(text), kind, max });
        }
        // It is an argument of a program and a name below /dev/disk/by-label.
        let fits = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/') && !text.starts_with('-');
        match fits {
            true => Ok(Self(text.to_owned())),
            false => Err(FileSystemError::Label { text: shortened(text) }),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_file_systems_that_can_be_made_are_named() {
        for kind in [FileSystemKind::Xfs, FileSystemKind::Ext4, FileSystemKind::Btrfs] {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        for bad in ["", "XFS", "ext3", "zfs", "xfs -f"] {
            assert!(bad.parse::<FileSystemKind>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_label_fits_its_file_system_and_is_no_option_of_a_program() {
        assert_eq!(Label::new(FileSystemKind::Xfs, "").unwrap(), Label::default());
        assert_eq!(Label::new(FileSystemKind::Xfs, "golden-image").unwrap().as_str(), "golden-image");
        assert!(Label::new(FileSystemKind::Xfs, "golden-images").is_err());
        assert!(Label::new(FileSystemKind::Ext4, "golden-images").is_ok());
        for bad in ["-f", "a b", "a/b", "ä", "a\n"] {
            assert!(Label::new(FileSystemKind::Btrfs, bad).is_err(), "{bad:?}");
        }
    }
}
