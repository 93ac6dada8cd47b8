//! A folder with the program under its other name, and an environment in which nothing but the test says anything.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::array::{Log, serve_on};

pub struct Desk {
    pub folder: TempDir,
    /// On the file system of the program, which is here under its other name and without any driver beside it.
    bin: TempDir,
    pub log: Log,
}

/// How a call ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Desk {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("ipc")).unwrap();
        let bin = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::hard_link(env!("CARGO_BIN_EXE_sanfleet"), bin.path().join("lsmcli")).unwrap();
        let log = serve_on(&folder.path().join("ipc/all"));
        Self { folder, bin, log }
    }

    pub fn program(&self) -> PathBuf {
        self.bin.path().join("lsmcli")
    }

    /// Sets what the program sees of the world.
    pub fn surround<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env_clear()
            .env("LSM_UDS_PATH", self.folder.path().join("ipc"))
            .env("LSMCLI_URI", "all://me@host")
            .env("HOME", self.folder.path())
            .env("TZ", "UTC")
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.program());
        self.surround(&mut command).args(words);
        command
    }

    pub fn call(&self, words: &[&str]) -> Said {
        said(&mut self.command(words))
    }

    /// A line with blanks between its words.
    pub fn line(&self, line: &str) -> Said {
        self.call(&line.split(' ').collect::<Vec<_>>())
    }

    /// What the array was told since the last time.
    pub fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }
}

pub fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
