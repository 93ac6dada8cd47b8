//! Envelopes that nobody signed for this host, for now, or for the first time: none is carried out.

use proptest::{
    prelude::*,
    test_runner::{Config as Cases, TestRunner},
};

use super::*;

const ENVELOPES: u32 = 12_000;
const FENCE: u64 = 100;

/// What somebody does who can read and send everything on the bus, and has no key of ours.
#[derive(Debug, Clone)]
enum Forgery {
    /// Bytes of a good envelope changed.
    Changed(Vec<(prop::sample::Index, u8)>),
    Cut(prop::sample::Index),
    /// One command with the signature of another.
    Mixed,
    /// Another key.
    Signed,
    /// The same envelope again.
    Replayed,
    /// Ours, and signed by us, but for another host, for the past, by an owner that was replaced, or with an id that was used.
    Redirected(String),
    Expired(i64),
    Overtaken(u64),
    Reused,
}

fn forgeries() -> impl Strategy<Value = Forgery> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4);
    prop_oneof![
        4 => changes.prop_map(Forgery::Changed),
        1 => any::<prop::sample::Index>().prop_map(Forgery::Cut),
        1 => Just(Forgery::Mixed),
        1 => Just(Forgery::Signed),
        1 => Just(Forgery::Replayed),
        1 => "[a-zA-Z0-9_.*>-]{0,20}".prop_filter("not ours", |host| host != "db1").prop_map(Forgery::Redirected),
        1 => (1i64..1_000_000_000).prop_map(Forgery::Expired),
        1 => (0..FENCE).prop_map(Forgery::Overtaken),
        1 => Just(Forgery::Reused),
    ]
}

/// The one that was carried out, of a run with this fence.
fn ours() -> v1::Command {
    v1::Command { fence: FENCE, ..command(1, 1, mount("/srv/ours")) }
}

/// One that nobody may get carried out.
fn theirs() -> v1::Command {
    v1::Command { fence: FENCE, ..command(2, 1, mount("/srv/theirs")) }
}

fn forge(how: &Forgery, good: &v1::Command) -> Vec<u8> {
    let envelope = |command: &v1::Command| key().sign(command).encode_to_vec();
    match how {
        Forgery::Changed(changes) => {
            let mut bytes = envelope(good);
            for (at, by) in changes {
                let at = at.index(bytes.len());
                bytes[at] ^= by;
            }
            bytes
        }
        Forgery::Cut(at) => {
            let mut bytes = envelope(good);
            bytes.truncate(at.index(bytes.len()));
            bytes
        }
        Forgery::Mixed => {
            let command = theirs().encode_to_vec();
            v1::SignedCommand { command, ..key().sign(good) }.encode_to_vec()
        }
        Forgery::Signed => CommandKey::from_bytes(&[8; 32]).sign(&theirs()).encode_to_vec(),
        Forgery::Replayed => envelope(good),
        Forgery::Redirected(host) => envelope(&v1::Command { host: host.clone(), ..theirs() }),
        Forgery::Expired(ago_ms) => {
            let expires_at_unix_ms = unix_ms() - ago_ms;
            envelope(&v1::Command { expires_at_unix_ms, ..theirs() })
        }
        Forgery::Overtaken(fence) => envelope(&v1::Command { fence: *fence, ..theirs() }),
        Forgery::Reused => envelope(&v1::Command { id: good.id.clone(), action: Some(detach()), ..theirs() }),
    }
}

fn detach() -> v1::command::Action {
    v1::command::Action::Detach(v1::DetachVolume { volume_id: volume().to_string() })
}

#[test]
fn of_twelve_thousand_envelopes_that_are_forged_replayed_or_out_of_date_none_is_carried_out() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let lab = lab();
    let good = ours();
    let first = runtime.block_on(async { result(send(&lab, &good)).await });
    assert!(done(&first).changed);
    let (mounts, identified) = (lab.host.mounts().unwrap(), lab.host.calls("sda", SimCall::Identify));

    let mut runner = TestRunner::new(Cases { cases: ENVELOPES, ..Cases::default() });
    runner
        .run(&forgeries(), |how| {
            let answer = runtime.block_on(lab.inbox.handle(&forge(&how, &good)));
            // What is the same command to the last byte gets the answer that it got.
            let refused = matches!(&answer.outcome, Some(v1::command_result::Outcome::Error(error))
                if error.kind() == v1::command_error::Kind::Refused);
            prop_assert!(refused || answer == first, "{answer:?}");
            Ok(())
        })
        .unwrap();
    assert_eq!(lab.host.mounts().unwrap(), mounts);
    assert_eq!(lab.host.calls("sda", SimCall::Identify), identified, "no device was so much as asked");
}
