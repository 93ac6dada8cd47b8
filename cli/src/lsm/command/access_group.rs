//! Access groups, and how their initiators log in.

use sanfleet_driver::InitiatorType;

use crate::lsm::{
    args::{
        AccessGroupAdd, AccessGroupCreate, AccessGroupDelete, AccessGroupRemove, AccessGroupVolumes,
        IscsiChap, Secret,
    },
    console::Console,
    stop::Stop,
};

pub async fn create(console: &mut Console<'_>, args: AccessGroupCreate) -> Result<(), Stop> {
    let system = console.system(&args.sys).await?;
    let init = args.init;
    let group = console.session.access_group_create(&args.name, &init.id, init.kind, &system).await?;
    console.out.show(&[group])
}

pub async fn add(console: &mut Console<'_>, args: AccessGroupAdd) -> Result<(), Stop> {
    let group = console.access_group(&args.ag).await?;
    let group = console.session.access_group_initiator_add(&group, &args.init.id, args.init.kind).await?;
    console.out.show(&[group])
}

pub async fn remove(console: &mut Console<'_>, args: AccessGroupRemove) -> Result<(), Stop> {
    let group = console.access_group(&args.ag).await?;
    let group = console.session.access_group_initiator_delete(&group, &args.init.id, args.init.kind).await?;
    console.out.show(&[group])
}

pub async fn delete(console: &mut Console<'_>, args: AccessGroupDelete) -> Result<(), Stop> {
    let group = console.access_group(&args.ag).await?;
    Ok(console.session.access_group_delete(&group).await?)
}

pub async fn volumes(console: &mut Console<'_>, args: AccessGroupVolumes) -> Result<(), Stop> {
    let group = console.access_group(&args.ag).await?;
    let volumes = console.session.volumes_accessible_by_access_group(&group).await?;
    console.show_volumes(volumes)
}

pub async fn iscsi_chap(console: &mut Console<'_>, args: IscsiChap) -> Result<(), Stop> {
    check(&args).map_err(Stop::Usage)?;
    let (in_user, in_pass) = (args.in_user.as_deref(), secret(args.in_pass.as_ref()));
    let (out_user, out_pass) = (args.out_user.as_deref(), secret(args.out_pass.as_ref()));
    Ok(console.session.iscsi_chap_auth(&args.init.id, in_user, in_pass, out_user, out_pass).await?)
}

fn secret(secret: Option<&Secret>) -> Option<&str> {
    secret.map(|secret| secret.0.as_str())
}

/// Users come with passwords, and the array only logs in where the initiator does.
fn check(args: &IscsiChap) -> Result<(), String> {
    if args.init.kind != InitiatorType::ISCSI {
        return Err(format!("--init \"{}\" is not a valid iSCSI IQN", args.init.id));
    }
    let given = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
    let (in_user, in_pass) = (given(args.in_user.as_deref()), given(secret(args.in_pass.as_ref())));
    let (out_user, out_pass) = (given(args.out_user.as_deref()), given(secret(args.out_pass.as_ref())));
    for (wrong, why) in [
        (in_user && !in_pass, "--in-user requires --in-pass"),
        (in_pass && !in_user, "--in-pass requires --in-user"),
        (out_user && !out_pass, "--out-user requires --out-pass"),
        (out_pass && !out_user, "--out-pass requires --out-user"),
        (out_user && !in_user, "out-user and out-password only supported if inbound is supplied"),
    ] {
        if wrong {
            return Err(why.to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsm::args::{Command, Request, parse};

    fn checked(options: &str) -> Result<(), String> {
        let words: Vec<String> = format!("iscsi-chap {options}").split(' ').map(str::to_owned).collect();
        let Ok(Request::Run(invocation)) = parse("lsmcli", "lsmcli", &words) else { panic!("{options}") };
        let Command::IscsiChap(args) = invocation.command else { panic!() };
        check(&args)
    }

    #[test]
    fn users_come_with_passwords_and_the_way_out_with_the_way_in() {
        for (options, answer) in [
            ("--init iqn.a", Ok(())),
            ("--init iqn.a --in-user u --in-pass p", Ok(())),
            ("--init iqn.a --in-user u --in-pass p --out-user u --out-pass p", Ok(())),
            ("--init iqn.a --in-user u", Err("--in-user requires --in-pass")),
            ("--init iqn.a --in-pass p", Err("--in-pass requires --in-user")),
            ("--init iqn.a --out-user u", Err("--out-user requires --out-pass")),
            ("--init iqn.a --out-pass p", Err("--out-pass requires --out-user")),
            (
                "--init iqn.a --out-user u --out-pass p",
                Err("out-user and out-password only supported if inbound is supplied"),
            ),
            (
                "--init 10:00:00:00:00:00:00:01",
                Err("--init \"10:00:00:00:00:00:00:01\" is not a valid iSCSI IQN"),
            ),
        ] {
            assert_eq!(checked(options), answer.map_err(str::to_owned), "{options}");
        }
    }
}
