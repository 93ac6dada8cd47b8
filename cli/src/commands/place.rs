//! `sanfleet provision` and `sanfleet clone`: volumes on many hosts.

use sanfleet_protocol::v1;

use super::{Console, change::carry_out};
use crate::{
    args::{Careful, CloneVolume, Provision, Source},
    exit::Exit,
    failure::Failure,
};

pub async fn provision(console: &Console, provision: Provision) -> Result<Exit, Failure> {
    let how = provision.how.clone();
    carry_out(console, provision_request(provision), &how).await
}

pub async fn clone_volume(console: &Console, clone: CloneVolume) -> Result<Exit, Failure> {
    let how = clone.how.clone();
    carry_out(console, clone_request(clone), &how).await
}

fn provision_request(provision: Provision) -> v1::ProvisionRequest {
    v1::ProvisionRequest {
        hosts: provision.hosts,
        size_bytes: provision.size,
        file_system: provision.fs.to_string(),
        mount_point: provision.mount.to_string(),
        array: provision.array.map(|array| array.to_string()).unwrap_or_default(),
        pool: provision.pool.unwrap_or_default(),
        thin: provision.thin,
        label: provision.label.unwrap_or_default(),
        name: provision.name.unwrap_or_default(),
        limits: Some(limits(&provision.careful)),
        skip_unfit: provision.careful.skip_unfit,
        dry_run: false,
        as_planned: String::new(),
    }
}

fn clone_request(clone: CloneVolume) -> v1::CloneRequest {
    let mut request = v1::CloneRequest {
        hosts: clone.to,
        mount_point: clone.mount.to_string(),
        read_write: clone.rw,
        name: clone.name.unwrap_or_default(),
        limits: Some(limits(&clone.careful)),
        skip_unfit: clone.careful.skip_unfit,
        ..Default::default()
    };
    match clone.source {
        Source::At(place) => {
            request.source_host = place.host.to_string();
            request.source_mount_point = place.mount_point.to_string();
        }
        Source::Volume { array, volume } => {
            request.source_array = array.to_string();
            request.source_volume = volume;
        }
    }
    request
}

fn limits(careful: &Careful) -> v1::RolloutLimits {
    v1::RolloutLimits {
        canary: careful.canary,
        batch: careful.batch.number(),
        batch_percent: careful.batch.percent(),
        max_failures: careful.max_failures,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Command};

    fn parsed(line: &str) -> Command {
        Args::try_parse_from(line.split(' ')).unwrap().command
    }

    #[test]
    fn a_provision_asks_for_all_that_was_said() {
        let line = "sanfleet provision --hosts web*,role=web --size 100GiB --fs xfs --mount /srv/data \
                    --array a1 --pool p1 --thin --label data --name web --canary 1 --batch 10% --max-failures 2";
        let Command::Provision(provision) = parsed(line) else { panic!() };
        assert_eq!(
            provision_request(*provision),
            v1::ProvisionRequest {
                hosts: "web*,role=web".into(),
                size_bytes: 100 << 30,
                file_system: "xfs".into(),
                mount_point: "/srv/data".into(),
                array: "a1".into(),
                pool: "p1".into(),
                thin: true,
                label: "data".into(),
                name: "web".into(),
                limits: Some(v1::RolloutLimits { canary: 1, batch: 0, batch_percent: 10, max_failures: 2 }),
                ..Default::default()
            }
        );
    }

    #[test]
    fn a_clone_is_of_a_mount_point_or_of_a_volume_of_an_array() {
        let Command::Clone(at) = parsed("sanfleet clone golden:/srv/image --to web* --mount /srv/image")
        else {
            panic!()
        };
        let at = clone_request(*at);
        assert_eq!((at.source_host.as_str(), at.source_mount_point.as_str()), ("golden", "/srv/image"));
        let Command::Clone(volume) = parsed("sanfleet clone a1/golden --to web* --mount /srv/image --rw")
        else {
            panic!()
        };
        let volume = clone_request(*volume);
        assert_eq!((volume.source_array.as_str(), volume.source_volume.as_str()), ("a1", "golden"));
        assert!(volume.read_write && volume.source_host.is_empty());
    }
}
