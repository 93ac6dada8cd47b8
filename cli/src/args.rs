//! What can be said on the command line, exactly as it was typed.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args as Arguments, Parser, Subcommand, ValueEnum};
use sanfleet_protocol::{
    ArrayId, EventFilter, FileSystemKind, FindingCode, HostId, MountPoint, QuiesceBy, ReportPublicKey,
    WebhookId,
    event_filter::{FilterError, KindPattern},
    sign::PublicKey,
    size,
};

mod audit;
mod bus;
mod text;

pub use audit::{AuditCommand, Verify};
pub use bus::BusCommand;
pub use text::{
    Also, ArrayUri, Batch, DeadMan, LabelChange, Place, PlanRef, RunRef, Source, VolumeRef, What,
};

use crate::exit;

/// Puts array storage where it is needed.
#[derive(Debug, Parser)]
#[command(name = "sanfleet", version, max_term_width = 110, after_long_help = exit::HELP)]
pub struct Args {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Arguments)]
pub struct Global {
    /// The bus, or several servers of it with commas between.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "SANFLEET_NATS",
        hide_env_values = true,
        value_delimiter = ',',
        default_value = "nats://127.0.0.1:4222"
    )]
    pub server: Vec<String>,
    /// Credentials for the bus: a file with the user's JWT and seed.
    #[arg(long, global = true, value_name = "FILE", env = "SANFLEET_CREDS")]
    pub creds: Option<PathBuf>,
    /// Certificates of the authorities that the bus's servers are trusted by; the system's own unless given.
    #[arg(long, global = true, value_name = "FILE", env = "SANFLEET_CA")]
    pub ca: Option<PathBuf>,
    /// How the answer is printed. A table is tab-separated when it does not go to a terminal.
    #[arg(long, short, global = true, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
    /// Give up after this long: on an answer (10s unless given, more where an array is listed first), on the end of a run (no limit unless given).
    #[arg(long, global = true, value_name = "DURATION", value_parser = text::span)]
    pub timeout: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    /// The controller's reply as proto3 JSON.
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The fleet on one screen: hosts, arrays, attachments, runs that have not ended.
    Status,
    /// Machines with an agent.
    #[command(subcommand)]
    Host(HostCommand),
    /// Block devices as the hosts see them.
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Volumes as the arrays hold them.
    #[command(subcommand)]
    Volume(VolumeCommand),
    /// Storage arrays.
    #[command(subcommand)]
    Array(Box<ArrayCommand>),
    /// What lies where: host, mount point, device, volume, pool, array.
    Map {
        /// Only this host.
        host: Option<HostId>,
    },
    /// What does not fit between hosts, arrays and runs, and what to do about it.
    Doctor(Doctor),
    /// Consistent copies of live volumes, mounted on other hosts.
    #[command(subcommand)]
    Backup(BackupCommand),
    /// New volumes with new file systems, mounted on as many hosts as are selected.
    Provision(Box<Provision>),
    /// Copies of one volume, mounted on as many hosts as are selected.
    Clone(Box<CloneVolume>),
    /// Take into account what was attached and mounted by hand. Nothing is changed.
    Adopt(Adopt),
    /// Durable procedures, under way and done.
    #[command(subcommand)]
    Run(RunCommand),
    /// What has happened in the fleet, one line an event.
    Events(Events),
    /// Events sent to others over HTTP.
    #[command(subcommand)]
    Webhook(Box<WebhookCommand>),
    /// Who asked for what, what was decided, and what became of it.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Who may say what on the bus: keys, users and the servers' configuration, in a folder. Needs no controller.
    #[command(subcommand)]
    Bus(Box<BusCommand>),
    /// Arrays as libStorageMgmt's lsmcli talks to them, with all of its options: `sanfleet lsm --help`.
    #[command(disable_help_flag = true)]
    Lsm {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORD")]
        words: Vec<OsString>,
    },
}

#[derive(Debug, Subcommand)]
pub enum HostCommand {
    /// Each host in a line.
    List,
    /// One host with its devices, mounts and initiators.
    Show { host: HostId },
    /// Put nothing new on a host. What is there stays.
    Cordon { host: HostId },
    /// Let new things be put on a host again.
    Uncordon { host: HostId },
    /// Detach all that a host has, and have the arrays forget it. Every volume stays.
    Retire {
        host: HostId,
        #[command(flatten)]
        how: How,
    },
    /// Know a host by another key from now on: it was made anew, and `doctor` says that somebody else reports in its name.
    Trust {
        host: HostId,
        /// The key that its reports are signed by, as `doctor` tells it and its helper's log.
        key: ReportPublicKey,
    },
    /// Give a host labels to be selected by. They count more than those of its agent's configuration.
    Label {
        host: HostId,
        /// KEY=VALUE gives it one, KEY- takes the operator's back.
        #[arg(required = true, value_name = "KEY=VALUE|KEY-")]
        labels: Vec<LabelChange>,
    },
}

#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// Each device in a line, with the volume that it is.
    List {
        /// Only this host's.
        #[arg(long)]
        host: Option<HostId>,
    },
}

#[derive(Debug, Subcommand)]
pub enum VolumeCommand {
    /// Each volume in a line, with the hosts that see it.
    List {
        /// Only this array's.
        #[arg(long)]
        array: Option<ArrayId>,
    },
    /// Unmount an attached volume and take it from its host. The volume stays on its array.
    Detach(Detach),
    /// Make a volume larger, and its file system wherever that is mounted. Nothing is ever made smaller.
    Resize {
        /// Where the volume is mounted, or a volume by its id or name on an array.
        #[arg(value_name = "HOST:MOUNTPOINT|ARRAY/VOLUME")]
        volume: Source,
        /// What it is to have in all.
        #[arg(long, value_name = "SIZE", value_parser = size::parse)]
        size: u64,
        #[command(flatten)]
        how: How,
    },
    /// Take an attached volume from its host to another one. The old host has to be there, to let go of it.
    Move {
        /// Where it is.
        #[arg(value_name = "HOST:MOUNTPOINT")]
        from: Place,
        /// The host that gets it.
        #[arg(long, value_name = "HOST")]
        to: HostId,
        /// Where it is mounted there; at the same mount point unless given.
        #[arg(long, value_name = "PATH")]
        mount: Option<MountPoint>,
        #[command(flatten)]
        how: How,
    },
    /// Delete a volume with all that is on it. Refused while anyone uses it, with who that is.
    Delete {
        /// An array, and the volume's id or name there.
        #[arg(value_name = "ARRAY/VOLUME")]
        volume: VolumeRef,
        #[command(flatten)]
        how: How,
    },
}

#[derive(Debug, Subcommand)]
pub enum ArrayCommand {
    /// Each array in a line, with its health, space and speed.
    List,
    /// One array with all that is known of it, and what went wrong.
    Show { array: ArrayId },
    /// Make an array known to the controller, which keeps its password for itself.
    Add {
        /// What it is to be called here.
        name: ArrayId,
        /// Which driver reaches it, and where. A password has no place in it.
        #[arg(long, value_parser = text::UriParser)]
        uri: ArrayUri,
        #[command(flatten)]
        password: PasswordFrom,
        /// The controller has the password already (a systemd credential, its environment), or there is none.
        #[arg(long, conflicts_with = "given")]
        no_password: bool,
        /// Only connect and show what is found.
        #[arg(long)]
        dry_run: bool,
    },
    /// Give an array another password, which is tried before it is kept.
    Password {
        array: ArrayId,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Forget an array that nothing needs. On the array itself nothing is changed.
    Remove { array: ArrayId },
}

/// Where a password is read; asked for on the terminal unless given. It is sealed before it leaves this process.
#[derive(Debug, Arguments)]
pub struct PasswordFrom {
    /// Read the password from a file, or from standard input where that is `-`.
    #[arg(long, value_name = "FILE", group = "given")]
    pub password_file: Option<PathBuf>,
    /// Read the password from an environment variable.
    #[arg(long, value_name = "VARIABLE", group = "given")]
    pub password_env: Option<String>,
    /// The controller's public key, as agents pin it: the password is then legible to that controller alone. Without it
    /// whoever may answer on the bus as a controller is taken for one.
    #[arg(long, value_name = "KEY", env = "SANFLEET_CONTROLLER_KEY")]
    pub controller_key: Option<PublicKey>,
}

impl PasswordFrom {
    pub fn is_given(&self) -> bool {
        self.password_file.is_some() || self.password_env.is_some()
    }
}

#[derive(Debug, Arguments)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Doctor {
    #[command(subcommand)]
    pub command: Option<DoctorCommand>,
    /// Put right what can be put right safely, each finding by a run of its own.
    #[arg(long)]
    pub fix: bool,
    /// Only findings of this code.
    #[arg(long, value_name = "SF-D…")]
    pub code: Option<FindingCode>,
    /// Only findings about this host.
    #[arg(long)]
    pub host: Option<HostId>,
    /// Only findings about this array.
    #[arg(long)]
    pub array: Option<ArrayId>,
}

#[derive(Debug, Subcommand)]
pub enum DoctorCommand {
    /// What a code means, how it comes to be, and what to do. Needs no controller.
    Explain {
        #[arg(value_name = "SF-D…")]
        code: FindingCode,
    },
}

#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Copy the volume under a mount point while it is in use, and mount the copy on another host.
    Attach(Box<Attach>),
    /// Unmount a copy, take it from its host, and delete it.
    Detach(Detach),
    /// The copies that are attached.
    List,
}

#[derive(Debug, Arguments)]
pub struct Attach {
    /// What to copy: a host, and a mount point on it.
    #[arg(value_name = "HOST:MOUNTPOINT")]
    pub source: Place,
    /// The host that gets the copy.
    #[arg(long, value_name = "HOST")]
    pub to: HostId,
    /// Where the copy is mounted on that host.
    #[arg(long, value_name = "PATH")]
    pub mount: MountPoint,
    /// Another volume of the same application: a mount point of the source, and where its copy is mounted. All are copied while the
    /// application is held still once. May be given again.
    #[arg(long, value_name = "MOUNTPOINT=PATH")]
    pub also: Vec<Also>,
    /// What is held still at the moment of the copy, and how: `mysql` (and MariaDB: commits are blocked, the file system is frozen),
    /// `postgresql` (a checkpoint is written, the file system is frozen), `fsfreeze` (the file system is frozen), `hook:NAME` (a
    /// hook of the agent's configuration is run, the file system is frozen), or `none` (the copy is as after a power cut).
    #[arg(long, value_name = "METHOD", default_value = "fsfreeze")]
    pub quiesce: QuiesceBy,
    /// Mount the copy writable.
    #[arg(long)]
    pub rw: bool,
    /// The copy's name on the array; made from the source and the run unless given.
    #[arg(long)]
    pub name: Option<String>,
    /// Read samples of the copy, once it is mounted.
    #[arg(long)]
    pub verify: bool,
    /// Take the copy down by itself after this long.
    #[arg(long, value_name = "DURATION", value_parser = text::span)]
    pub expire: Option<Duration>,
    /// The source goes on by itself after this long, whatever happens; the controller's default unless given.
    #[arg(long, value_name = "DURATION")]
    pub dead_man: Option<DeadMan>,
    #[command(flatten)]
    pub how: How,
}

#[derive(Debug, Arguments)]
pub struct Detach {
    /// The attachment's id, or where it is mounted.
    #[arg(value_name = "ATTACHMENT|HOST:MOUNTPOINT")]
    pub what: What,
    #[command(flatten)]
    pub how: How,
}

#[derive(Debug, Arguments)]
pub struct Provision {
    /// Names, patterns and conditions with commas between: web*,role=web,os!=debian.
    #[arg(long, value_name = "SELECTOR")]
    pub hosts: String,
    /// Size of each volume.
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub size: u64,
    /// The file system on it: xfs, ext4 or btrfs.
    #[arg(long, value_name = "TYPE", default_value = "xfs")]
    pub fs: FileSystemKind,
    /// Where it is mounted.
    #[arg(long, value_name = "PATH")]
    pub mount: MountPoint,
    /// The array that it comes from; the one with the most free space unless given.
    #[arg(long)]
    pub array: Option<ArrayId>,
    /// The pool that it comes from, by id or name; the one with the most free space unless given.
    #[arg(long)]
    pub pool: Option<String>,
    /// It takes space from its pool only when it is written to.
    #[arg(long)]
    pub thin: bool,
    /// Mount it again at every start of the host, by the file system's UUID.
    #[arg(long)]
    pub persist: bool,
    /// The file system's label.
    #[arg(long)]
    pub label: Option<String>,
    /// What the volume's name on the array begins with.
    #[arg(long)]
    pub name: Option<String>,
    #[command(flatten)]
    pub careful: Careful,
    #[command(flatten)]
    pub how: How,
}

#[derive(Debug, Arguments)]
pub struct CloneVolume {
    /// What to copy: where it is mounted, or a volume by its id or name on an array.
    #[arg(value_name = "HOST:MOUNTPOINT|ARRAY/VOLUME")]
    pub source: Source,
    /// The hosts that get a copy: names, patterns and conditions with commas between.
    #[arg(long, value_name = "SELECTOR")]
    pub to: String,
    /// Where the copy is mounted.
    #[arg(long, value_name = "PATH")]
    pub mount: MountPoint,
    /// Mount the copies read-only, which they are unless --rw is given.
    #[arg(long, conflicts_with = "rw")]
    pub ro: bool,
    /// Mount the copies writable. Each then gets a file-system UUID of its own, unless it expires.
    #[arg(long)]
    pub rw: bool,
    /// Mount them again at every start of the host, by the file system's UUID.
    #[arg(long, conflicts_with = "expire")]
    pub persist: bool,
    /// Take the copies down by themselves after this long.
    #[arg(long, value_name = "DURATION", value_parser = text::span)]
    pub expire: Option<Duration>,
    /// What the copies' names on the array begin with.
    #[arg(long)]
    pub name: Option<String>,
    #[command(flatten)]
    pub careful: Careful,
    #[command(flatten)]
    pub how: How,
}

#[derive(Debug, Arguments)]
pub struct Adopt {
    /// Where it is mounted.
    #[arg(value_name = "HOST:MOUNTPOINT")]
    pub place: Place,
    #[command(flatten)]
    pub how: How,
}

/// How many hosts at a time, and when to stop.
#[derive(Debug, Clone, Arguments)]
pub struct Careful {
    /// So many hosts go first, and the others only when all of these have succeeded.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub canary: u32,
    /// At most so many hosts at one time, as a number or as a part of all (10%); all unless given.
    #[arg(long, value_name = "N|N%", default_value = "0")]
    pub batch: Batch,
    /// With more failures than this no further host is begun.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub max_failures: u32,
    /// Leave out hosts on which it could not be done, instead of refusing it.
    #[arg(long)]
    pub skip_unfit: bool,
}

/// How far a command that starts a run goes.
#[derive(Debug, Clone, Arguments)]
pub struct How {
    /// Only show what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask. On a terminal the plan is shown and asked about; without one nobody is asked.
    #[arg(long, short)]
    pub yes: bool,
    /// Carry out the very plan that was shown before, or refuse when the world has moved since.
    #[arg(long, value_name = "RUN:HASH", conflicts_with = "dry_run")]
    pub plan: Option<PlanRef>,
    /// Start the run and leave it.
    #[arg(long, conflicts_with = "dry_run")]
    pub no_wait: bool,
}

#[derive(Debug, Subcommand)]
pub enum RunCommand {
    /// Each run in a line.
    List {
        /// At most this many, the newest first.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// One run with its steps.
    Show {
        /// The run's id, or the beginning of it.
        run: RunRef,
    },
    /// Follow a run until it ends.
    Watch {
        /// The run's id, or the beginning of it.
        run: RunRef,
    },
    /// Begin no further step of it. A step that is under way ends first.
    Pause {
        /// The run's id, or the beginning of it.
        run: RunRef,
    },
    /// Go on with a run that was paused.
    Resume {
        /// The run's id, or the beginning of it.
        run: RunRef,
    },
    /// Take back what the run has done; where nothing can be taken back, stop.
    Cancel {
        /// The run's id, or the beginning of it.
        run: RunRef,
    },
    /// Go on with a run that failed, is stuck, or succeeded in part: what failed is tried again.
    Retry {
        /// The run's id, or the beginning of it.
        run: RunRef,
    },
}

#[derive(Debug, Arguments)]
pub struct Events {
    /// Go on with what happens from now on.
    #[arg(long, short)]
    pub follow: bool,
    /// Begin this long ago. Without it: all that is kept, or with --follow only what is new.
    #[arg(long, value_name = "DURATION", value_parser = text::span)]
    pub since: Option<Duration>,
    /// Begin with this event of the stream: the `streamsequence` of the last one that was seen, and one more.
    #[arg(long, value_name = "N", conflicts_with = "since")]
    pub since_sequence: Option<u64>,
    #[command(flatten)]
    pub which: Which,
}

/// Which events: without anything, all.
#[derive(Debug, Arguments)]
pub struct Which {
    /// Only events of this type: `run.finished`, `run.*`, `*.failed`. May be given again.
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    pub types: Vec<KindPattern>,
    /// Only events about this host, run or array. May be given again.
    #[arg(long, value_name = "HOST|RUN|ARRAY", value_delimiter = ',')]
    pub about: Vec<String>,
}

impl Which {
    pub fn filter(self) -> Result<EventFilter, FilterError> {
        EventFilter::new(self.types, self.about)
    }
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "it is boxed as a whole, and made once")]
pub enum WebhookCommand {
    /// Send events to a URL from now on.
    Add {
        /// What it is to be called here.
        name: WebhookId,
        /// Where to: http or https. A user or a password has no place in it.
        #[arg(long)]
        url: String,
        /// Read the secret that signs from a file, or from standard input where that is `-`. Without it the controller must have
        /// it already, as the systemd credential webhook-NAME.
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
        /// The controller's public key, as agents pin it: the secret is then legible to that controller alone.
        #[arg(long, value_name = "KEY", env = "SANFLEET_CONTROLLER_KEY")]
        controller_key: Option<PublicKey>,
        #[command(flatten)]
        which: Which,
        /// Put an event aside after so many tries; the controller's default, 10, unless given.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        tries: Option<u32>,
    },
    /// Each webhook in a line, with how it goes.
    List,
    /// Forget a webhook, with all that waits for it and all that was put aside.
    Remove { name: WebhookId },
    /// Send an event of the type webhook.test, once, and say what the answer was.
    Test { name: WebhookId },
    /// The events that were put aside, the oldest first, each with the reason.
    Dead {
        name: WebhookId,
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Send what was put aside again.
    Retry { name: WebhookId },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parsed(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(line.split(' '))
    }

    fn attach(line: &str) -> Attach {
        match parsed(line).unwrap().command {
            Command::Backup(BackupCommand::Attach(attach)) => *attach,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_tree_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn an_attach_is_read_as_it_was_said() {
        let attach = attach(
            "sanfleet backup attach db1:/var/lib/mysql --to backup1 --mount /mnt/copy \
             --quiesce mysql --rw --name nightly --dead-man 5s --no-wait",
        );
        assert_eq!(attach.source.host.as_str(), "db1");
        assert_eq!(attach.source.mount_point.as_str(), "/var/lib/mysql");
        assert_eq!(attach.to.as_str(), "backup1");
        assert_eq!(attach.mount.as_str(), "/mnt/copy");
        assert_eq!(attach.quiesce, QuiesceBy::Mysql);
        assert!(attach.rw && attach.how.no_wait && !attach.how.dry_run);
        assert_eq!(attach.name.as_deref(), Some("nightly"));
        assert_eq!(attach.dead_man.map(DeadMan::millis), Some(5_000));
    }

    #[test]
    fn an_attach_that_says_little_is_read_only_frozen_and_waited_for() {
        let attach = attach("sanfleet backup attach db1:/srv --to b --mount /m");
        assert_eq!(attach.quiesce, QuiesceBy::Fsfreeze);
        assert!(attach.also.is_empty());
        assert!(!attach.rw && !attach.how.no_wait && !attach.how.dry_run);
        assert!(attach.name.is_none() && attach.dead_man.is_none());
    }

    #[test]
    fn an_attach_may_name_a_hook_and_further_volumes() {
        let attach = attach(
            "sanfleet backup attach db1:/srv/db --also /srv/log=/copy/log --also /srv/a=b=/copy/b --to b --mount /copy/db \
             --quiesce hook:shop",
        );
        assert_eq!(attach.quiesce.to_string(), "hook:shop");
        let also: Vec<(&str, &str)> =
            attach.also.iter().map(|one| (one.from.as_str(), one.to.as_str())).collect();
        assert_eq!(also, [("/srv/log", "/copy/log"), ("/srv/a=b", "/copy/b")]);
    }

    #[test]
    fn globals_are_taken_after_the_command_too() {
        let args = parsed("sanfleet host list -o json --timeout 200ms --server nats://a,nats://b").unwrap();
        assert_eq!(args.global.output, Format::Json);
        assert_eq!(args.global.timeout, Some(Duration::from_millis(200)));
        assert_eq!(args.global.server, ["nats://a", "nats://b"]);
    }

    #[test]
    fn a_password_that_was_typed_is_not_repeated() {
        let refused = parsed("sanfleet array add a --uri ontap://admin:hunter2@filer").unwrap_err();
        let said = refused.render().to_string();
        assert!(said.contains("password") && !said.contains("hunter2"), "{said}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_before_anything_is_asked() {
        for line in [
            "sanfleet",
            "sanfleet host show a.b",
            "sanfleet device list --host *",
            "sanfleet backup attach db1 --to b --mount /m",
            "sanfleet backup attach db1:/srv --to b --mount m",
            "sanfleet backup attach db1:/srv --to b --mount /m --quiesce oracle",
            "sanfleet backup attach db1:/srv --to b --mount /m --quiesce hook:",
            "sanfleet backup attach db1:/srv --to b --mount /m --quiesce hook:../x",
            "sanfleet backup attach db1:/srv --to b --mount /m --also /log",
            "sanfleet backup attach db1:/srv --to b --mount /m --also db1:/log=/m2",
            "sanfleet backup attach db1:/srv --to b --mount /m --also /log=m2",
            "sanfleet backup attach db1:/srv --to b --mount /m --dead-man 0s",
            "sanfleet backup attach db1:/srv --to b --mount /m --dry-run --no-wait",
            "sanfleet backup detach ../x",
            "sanfleet run show >",
            "sanfleet array add sim1 --uri ontap://admin:secret@filer",
            "sanfleet array add f1 --uri x://u@h --password-file a --password-env B",
            "sanfleet array add f1 --uri x://u@h --password-file a --no-password",
            "sanfleet array add f1 --uri x://u@h --password hunter2",
            "sanfleet array password f1 --controller-key 00",
            "sanfleet status --timeout -5s",
            "sanfleet events --type run",
            "sanfleet events --since 1h --since-sequence 7",
            "sanfleet webhook add a.b --url http://x/",
            "sanfleet webhook add a --url http://x/ --type run.>",
            "sanfleet webhook add a --url http://x/ --tries 0",
        ] {
            let refused = parsed(line).unwrap_err();
            assert!(refused.use_stderr(), "{line}");
        }
    }
}
