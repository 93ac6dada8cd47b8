//! The strictest peers that there are, played: libStorageMgmt's Python client, which gives up on a key too many or too few, and its
//! C client, which undoes no escapes and follows nulls.

use std::collections::{BTreeSet, VecDeque};

use serde_json::from_value;

use super::*;
use crate::{
    job::JobOr,
    model::{AccessGroup, Battery, Disk, FileSystem, JobId, NfsExport, Snapshot, System, TargetPort, Volume},
    serve::serve,
};

/// The records' keys: class, mandatory, may be left out.
const CLASSES: &[(&str, &str, &str)] = &[
    ("System", "id name status status_info", "plugin_data fw_version mode read_cache_pct"),
    (
        "Pool",
        "id name element_type unsupported_actions total_space free_space status status_info system_id",
        "plugin_data",
    ),
    ("Volume", "id name vpd83 block_size num_of_blocks admin_state system_id pool_id", "plugin_data"),
    (
        "Disk",
        "id name disk_type block_size num_of_blocks status system_id",
        "plugin_data vpd83 location rpm link_type",
    ),
    ("AccessGroup", "id name init_ids init_type system_id", "plugin_data"),
    (
        "TargetPort",
        "id port_type service_address network_address physical_address physical_name system_id",
        "plugin_data",
    ),
    ("FileSystem", "id name total_space free_space pool_id system_id", "plugin_data"),
    ("FsSnapshot", "id name ts", "plugin_data"),
    ("NfsExport", "id fs_id export_path auth root rw ro anonuid anongid options", "plugin_data"),
    ("Battery", "id name type status system_id", "plugin_data"),
    ("Capabilities", "cap", ""),
];

const ODD: &str = "a \"quoted\" back\\slash\ttab \u{1} größe 💾";

/// An array whose every text is odd.
#[derive(Default)]
struct Odd {
    deleted: Vec<String>,
}

fn record<T: serde::de::DeserializeOwned>(value: Value) -> T {
    from_value(value).unwrap()
}

fn volume(id: &str, vpd83: &str) -> Volume {
    record(json!({"id": id, "name": ODD, "vpd83": vpd83, "block_size": 512, "num_of_blocks": -1,
        "admin_state": 1, "system_id": ODD, "pool_id": ODD}))
}

type Answer<T> = Result<T, LsmError>;

#[array_driver]
impl ArrayDriver for Odd {
    fn plugin_info(&self) -> PluginInfo {
        PluginInfo { description: ODD.into(), version: "1".into() }
    }

    fn plugin_register(&mut self, _: &str, _: Option<&str>, _: Duration) -> Answer<()> {
        Ok(())
    }

    fn systems(&mut self) -> Answer<Vec<System>> {
        Ok(vec![record(
            json!({"id": ODD, "name": ODD, "status": 2, "status_info": null, "fw_version": null}),
        )])
    }

    fn pools(&mut self, _: Option<&Search>) -> Answer<Vec<Pool>> {
        Ok(vec![pool(ODD)])
    }

    fn volumes(&mut self, _: Option<&Search>) -> Answer<Vec<Volume>> {
        Ok(vec![volume("1", "60014053FEF180BF1000000000000000"), volume(ODD, ""), volume("3", "eui.0011")])
    }

    fn disks(&mut self, _: Option<&Search>) -> Answer<Vec<Disk>> {
        Ok(vec![record(json!({"id": "D", "name": ODD, "disk_type": 53, "block_size": -1,
            "num_of_blocks": 18446744073709551615u64, "status": 2, "system_id": "s", "vpd83": null, "location": null}))])
    }

    fn target_ports(&mut self, _: Option<&Search>) -> Answer<Vec<TargetPort>> {
        Ok(vec![record(json!({"id": "T", "port_type": 2, "service_address": "10000000C9952FDE",
            "network_address": null, "physical_address": "10-00-00-00-C9-95-2F-DE", "physical_name": null,
            "system_id": "s"}))])
    }

    fn batteries(&mut self, _: Option<&Search>) -> Answer<Vec<Battery>> {
        Ok(vec![record(json!({"id": "B", "name": ODD, "type": 3, "status": 4, "system_id": "s"}))])
    }

    fn access_groups(&mut self, _: Option<&Search>) -> Answer<Vec<AccessGroup>> {
        let ids = ["10000000C9952FDE", "IQN.2026-01.example:a", "nqn.2014-08.org.example:x", "host one"];
        Ok(vec![record(json!({"id": "A", "name": ODD, "init_ids": ids, "init_type": 7, "system_id": "s"}))])
    }

    fn fs(&mut self, _: Option<&Search>) -> Answer<Vec<FileSystem>> {
        Ok(vec![record(json!({"id": "F", "name": ODD, "total_space": 1, "free_space": -1, "pool_id": "p",
            "system_id": "s"}))])
    }

    fn fs_snapshots(&mut self, _: &FileSystem) -> Answer<Vec<Snapshot>> {
        Ok(vec![record(json!({"id": "S", "name": ODD, "ts": "1700000000"}))])
    }

    fn exports(&mut self, _: Option<&Search>) -> Answer<Vec<NfsExport>> {
        Ok(vec![record(
            json!({"id": "E", "fs_id": "F", "export_path": null, "auth": null, "root": [], "rw": [],
            "ro": [], "anonuid": -1, "anongid": -1, "options": null}),
        )])
    }

    fn volume_delete(&mut self, volume: &Volume) -> Answer<Option<JobId>> {
        self.deleted.push(volume.id.to_string());
        match volume.id.as_str() == ODD {
            true => Ok(None),
            false => Err(LsmError {
                number: ErrorNumber::NotFoundVolume,
                message: format!("no \"{}\"", volume.id),
                data: Some("line\n\"two\"\\".into()),
            }),
        }
    }

    fn volume_create(
        &mut self,
        _: &Pool,
        name: &str,
        _: u64,
        _: crate::model::Provisioning,
    ) -> Answer<JobOr<Volume>> {
        Ok(JobOr::Done(Volume { name: name.into(), ..volume("9", "") }))
    }

    fn fs_child_dependency(&mut self, _: &FileSystem, files: &[String]) -> Answer<bool> {
        Ok(!files.is_empty())
    }
}

/// A stream that brings its bytes in these pieces, however they were cut.
struct Pieces {
    left: VecDeque<Vec<u8>>,
    written: Vec<u8>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.left.pop_front().unwrap_or_default();
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

impl Write for Pieces {
    /// Takes less than it is given, as a full socket does.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(100);
        self.written.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bodies of the replies, as bytes.
fn replies_to(pieces: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut stream = Pieces { left: pieces.into_iter().collect(), written: Vec::new() };
    assert_eq!(serve(&mut Odd::default(), &mut stream).unwrap(), Ended::Closed);
    let mut buffer = FrameBuffer::new(MAX_FRAME);
    buffer.push(&stream.written);
    std::iter::from_fn(|| buffer.next_frame().unwrap()).collect()
}

fn ask(method: &str, params: &str) -> Vec<u8> {
    let call = format!(r#"{{"method": "{method}", "id": 100, "params": {{{params}}}}}"#);
    replies_to([frames(&[REGISTER, &call])]).remove(1)
}

/// What the Python client checks, beginning with the envelope.
fn python_reads(body: &[u8]) -> Value {
    let reply: Value = serde_json::from_slice(body).unwrap();
    match reply.get("error") {
        Some(error) => {
            let keys: BTreeSet<&str> = error.as_object().unwrap().keys().map(String::as_str).collect();
            assert!(keys.is_subset(&["code", "message", "data"].into()), "{reply}");
        }
        None => {
            assert_eq!(reply["id"], json!(100));
            python_decodes(reply.get("result").unwrap());
        }
    }
    reply
}

fn python_decodes(value: &Value) {
    match value {
        Value::Array(values) => values.iter().for_each(python_decodes),
        Value::Object(fields) => {
            if let Some(class) = fields.get("class") {
                let (_, mandatory, optional) =
                    CLASSES.iter().find(|(name, ..)| class == name).expect("a class of the protocol");
                let given: BTreeSet<&str> =
                    fields.keys().map(String::as_str).filter(|key| *key != "class").collect();
                let mandatory: BTreeSet<&str> = mandatory.split_whitespace().collect();
                let known: BTreeSet<&str> =
                    mandatory.iter().copied().chain(optional.split_whitespace()).collect();
                assert!(given.is_subset(&known) && given.is_superset(&mandatory), "{class}: {given:?}");
            }
            fields.values().for_each(python_decodes);
        }
        _ => {}
    }
}

/// What makes the C client fail or crash.
fn c_reads(body: &[u8]) {
    let text = std::str::from_utf8(body).unwrap();
    assert!(
        numbers(text).iter().all(|number| number.bytes().all(|b| b.is_ascii_digit() || b == b'-')),
        "{text}"
    );
    let reply: Value = serde_json::from_str(text).unwrap();
    if let Some(error) = reply.get("error") {
        assert!(error["code"].is_i64() && error["message"].is_string(), "{text}");
        assert!(error["data"].is_string() || error["data"].is_null(), "{text}");
        assert!(!text.contains('\\'), "an escape in {text}");
    }
    c_follows(&reply["result"]);
}

fn c_follows(value: &Value) {
    let Value::Object(fields) = value else {
        return value.as_array().into_iter().flatten().for_each(c_follows);
    };
    let may_be_null = ["plugin_data", "auth", "options"];
    for (key, value) in fields {
        assert!(!value.is_null() || may_be_null.contains(&key.as_str()), "{key} is null");
    }
    if fields.get("class") == Some(&json!("Volume")) {
        let vpd83 = fields["vpd83"].as_str().unwrap();
        let digits = vpd83.bytes().all(|b| b.is_ascii_hexdigit());
        let form = match vpd83.len() {
            32 => vpd83.starts_with('6'),
            16 => vpd83.starts_with(['2', '3', '5']),
            _ => false,
        };
        assert!(digits && form, "{vpd83:?} is no NAA");
    }
}

/// The numbers of a JSON text, as they are written.
fn numbers(text: &str) -> Vec<String> {
    let (mut outside, mut quoted, mut escaped) = (String::new(), false, false);
    for letter in text.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            _ => outside.push(letter),
        }
    }
    let words = outside.split(['[', ']', '{', '}', ',', ':', ' ']).filter(|word| !word.is_empty());
    words.filter(|word| !["true", "false", "null"].contains(word)).map(str::to_owned).collect()
}

const FS: &str = r#""fs": {"class": "FileSystem", "id": "F", "name": "", "total_space": 1, "free_space": -1,
    "pool_id": "p", "system_id": "s", "plugin_data": null}"#;

#[test]
fn every_record_is_borne_by_the_strictest_clients_of_both_languages() {
    let system = serde_json::to_string(&Odd::default().systems().unwrap()[0]).unwrap();
    let lists = [
        "systems",
        "pools",
        "volumes",
        "disks",
        "target_ports",
        "batteries",
        "access_groups",
        "fs",
        "exports",
    ];
    let mut bodies: Vec<Vec<u8>> = lists.map(|list| ask(list, r#""flags": 0"#)).into();
    bodies.push(ask("fs_snapshots", FS));
    bodies.push(ask("capabilities", &format!(r#""system": {system}"#)));
    bodies.push(ask("time_out_get", ""));
    bodies.push(ask("no such method", ""));
    for body in bodies {
        let reply = python_reads(&body);
        c_reads(&body);
        assert!(reply.get("result").is_none_or(|result| *result != json!([])), "{reply}");
    }
}

#[test]
fn initiators_and_ports_are_spelt_as_all_clients_take_them() {
    let groups = python_reads(&ask("access_groups", ""));
    assert_eq!(groups["result"][0]["init_ids"], json!(["10:00:00:00:c9:95:2f:de", "iqn.2026-01.example:a"]));
    let ports = python_reads(&ask("target_ports", ""));
    for address in ["service_address", "physical_address"] {
        assert_eq!(ports["result"][0][address], json!("10:00:00:00:c9:95:2f:de"));
    }
}

#[test]
fn a_client_that_asked_for_the_extensions_sees_the_records_as_they_are() {
    let calls = ["sanfleet_extensions", "volumes", "access_groups"]
        .map(|method| format!(r#"{{"method": "{method}", "id": 100, "params": {{"flags": 0}}}}"#));
    let replies = replies_to([frames(&[REGISTER, &calls[0], &calls[1], &calls[2]])]);
    let read = |at: usize| python_reads(&replies[at]);
    assert_eq!(read(2)["result"][1]["vpd83"], json!(""));
    assert_eq!(read(3)["result"][0]["init_ids"].as_array().unwrap().len(), 4);
}

#[test]
fn an_odd_name_comes_to_the_driver_and_back_as_it_is() {
    let pool = serde_json::to_string(&pool("p")).unwrap();
    let params = json!({"pool": serde_json::from_str::<Value>(&pool).unwrap(), "volume_name": ODD,
        "size_bytes": 1, "provisioning": 3, "flags": 0});
    let body = json!({"method": "volume_create", "id": 100, "params": params}).to_string();
    let reply = python_reads(&replies_to([frames(&[REGISTER, &body])]).remove(1));
    assert_eq!((&reply["result"][0], &reply["result"][1]["name"]), (&Value::Null, &json!(ODD)));
}

#[test]
fn an_odd_id_that_a_c_client_never_unescaped_comes_back_as_it_went() {
    let body = String::from_utf8(ask("volumes", "")).unwrap();
    // As the C client does: what is between the quotes, unread, goes back between quotes.
    let record = body.split("{\"class\":\"Volume\"").nth(2).unwrap();
    let record = format!("{{\"class\":\"Volume\"{}", &record[..=record.find('}').unwrap()]);
    let reply = python_reads(&ask("volume_delete", &format!(r#""volume": {record}, "flags": 0"#)));
    assert_eq!(reply, json!({"id": 100, "result": null}));
}

#[test]
fn an_errors_words_are_legible_without_undoing_escapes() {
    let volume = serde_json::to_string(&volume("x", "")).unwrap();
    let body = ask("volume_delete", &format!(r#""volume": {volume}, "flags": 0"#));
    c_reads(&body);
    let error = &python_reads(&body)["error"];
    assert_eq!(*error, json!({"code": 205, "message": "no 'x'", "data": "line 'two'/"}));
}

#[test]
fn a_list_that_the_python_client_sends_as_null_is_an_empty_one() {
    for (files, found) in [("null", false), ("[]", false), (r#"["a"]"#, true)] {
        let reply = python_reads(&ask("fs_child_dependency", &format!(r#"{FS}, "files": {files}"#)));
        assert_eq!(reply["result"], json!(found), "{files}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn calls_are_answered_alike_wherever_their_bytes_are_cut(cuts in prop::collection::vec(1usize..200, 1..12)) {
        let volumes = r#"{"method": "volumes", "id": 100, "params": {"flags": 0}}"#;
        let stream = frames(&[REGISTER, volumes, "{", volumes]);
        let whole = replies_to([stream.clone()]);
        let (mut pieces, mut rest) = (Vec::new(), stream.as_slice());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece.to_vec());
            rest = after;
        }
        prop_assert_eq!(replies_to(pieces), whole);
    }
}

#[test]
fn a_call_is_answered_alike_at_every_place_of_one_cut() {
    let stream = frames(&[REGISTER, r#"{"method": "pools", "id": 100, "params": {"flags": 0}}"#]);
    let whole = replies_to([stream.clone()]);
    for at in 1..stream.len() {
        assert_eq!(replies_to([stream[..at].to_vec(), stream[at..].to_vec()]), whole, "cut at {at}");
    }
    assert_eq!(replies_to(stream.chunks(1).map(<[u8]>::to_vec)), whole, "every byte alone");
}
