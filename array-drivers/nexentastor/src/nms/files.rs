//! File systems, for which these releases are not asked.

use super::{Nms, lacking::unsupported};
use crate::{
    appliance::{Answer, FileSystemRow, Files, ShareRow},
    dataset::DatasetPath,
};

impl Files for Nms {
    fn file_systems(&mut self) -> Answer<Vec<FileSystemRow>> {
        unsupported("file systems")
    }

    fn fs_create(&mut self, _path: &DatasetPath, _quota: u64) -> Answer<()> {
        unsupported("a new file system")
    }

    fn fs_resize(&mut self, _path: &DatasetPath, _quota: u64) -> Answer<()> {
        unsupported("a file system's new size")
    }

    fn fs_delete(&mut self, _path: &DatasetPath) -> Answer<()> {
        unsupported("the end of a file system")
    }

    fn shares(&mut self) -> Answer<Vec<ShareRow>> {
        unsupported("shares")
    }

    fn share_create(&mut self, _share: &ShareRow) -> Answer<()> {
        unsupported("a new share")
    }

    fn share_delete(&mut self, _file_system: &DatasetPath) -> Answer<()> {
        unsupported("the end of a share")
    }
}
