//! What the real daemon was heard to say is read, and what is not its word is refused.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::daemon::{
    ExportRow, FsRow, GroupRow, InitiatorRow, MapRow, NfsRow, PoolRow, SnapshotRow, VolumeRow,
};

const RECORDED: [&str; 2] = [
    include_str!("../../tests/data/recorded.jsonl"),
    include_str!("../../tests/data/recorded-active-copies.jsonl"),
];

/// Reads an answer as the driver would.
fn read(id: u64, method: &str, body: &[u8]) -> Result<(), RpcError> {
    match method {
        "pool_list" => decode::<Vec<PoolRow>>(id, "", body).map(drop),
        "vol_list" => decode::<Vec<VolumeRow>>(id, "", body).map(drop),
        "export_list" => decode::<Vec<ExportRow>>(id, "", body).map(drop),
        "initiator_list" => decode::<Vec<InitiatorRow>>(id, "", body).map(drop),
        "access_group_list" => decode::<Vec<GroupRow>>(id, "", body).map(drop),
        "access_group_map_list" => decode::<Vec<MapRow>>(id, "", body).map(drop),
        "fs_list" => decode::<Vec<FsRow>>(id, "", body).map(drop),
        "ss_list" => decode::<Vec<SnapshotRow>>(id, "", body).map(drop),
        "nfs_export_list" => decode::<Vec<NfsRow>>(id, "", body).map(drop),
        "nfs_export_auth_list" => decode::<Vec<String>>(id, "", body).map(drop),
        "nfs_export_add" => decode::<serde::de::IgnoredAny>(id, "", body).map(drop),
        _ => decode::<()>(id, "", body),
    }
}

#[test]
fn every_recorded_answer_is_read_and_every_recorded_refusal_has_its_number() {
    let lines = RECORDED.iter().flat_map(|recording| recording.lines());
    let exchanges = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let exchanges: Vec<Value> = exchanges.filter(|line| line["req"].is_object()).collect();
    for line in &exchanges {
        let (request, answer) = (&line["req"], line["resp"].as_str().unwrap());
        let method = request["method"].as_str().unwrap();
        let told: Value = serde_json::from_str(answer).unwrap();
        match read(request["id"].as_u64().unwrap(), method, answer.as_bytes()) {
            Ok(()) => assert!(told["error"].is_null(), "{line}"),
            Err(RpcError::Refused { code, message, .. }) => {
                assert_eq!(
                    (json!(code.0), json!(message)),
                    (told["error"]["code"].clone(), told["error"]["message"].clone())
                );
            }
            Err(error) => panic!("{line}: {error}"),
        }
    }
    assert_eq!(exchanges.len(), 178);
}

#[test]
fn every_recorded_request_is_written_as_it_was() {
    for line in RECORDED[0].lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let Some(request) = line.get("req") else { continue };
        let (id, method) = (request["id"].as_u64().unwrap(), request["method"].as_str().unwrap());
        let written = encode(id, method, request["params"].clone());
        assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), *request);
    }
}

#[test]
fn what_a_refusal_means_is_read_off_its_number_and_where_that_says_nothing_off_its_text() {
    use sanfleet_driver::{ErrorNumber as E, LsmError};
    for (code, message, number, open) in [
        (-50, "Volume with that name exists", E::NameConflict, false),
        (-103, "Volume nope not found in pool vg", E::NotFoundVolume, false),
        (-151, "Volume 'c2' not found in iqn exports", E::NoStateChange, false),
        (-200, "Access group not found", E::NotFoundAccessGroup, false),
        (-32601, "method nfs_export_add not found", E::PluginBug, false),
        (-303, "Volume 'v1' cannot be removed while exported", E::PluginBug, true),
        (-1, "LVMError: Process reported exit code 3:   --size may not be zero.\n", E::InvalidArgument, true),
        (-1, "RTSLibError: WWN not valid as: iqn, naa, eui", E::InvalidArgument, true),
        (-1, "LVMError: … Volume group \"vg\" has insufficient free space", E::NotEnoughSpace, true),
        (-1, "LVMError: … Failed to find logical volume \"vg/nope\"\n", E::NotFoundVolume, true),
        (-1, "RTSLibError: something new", E::PluginBug, true),
    ] {
        let error = RpcError::Refused { method: "m", code: Code(code), message: message.into() };
        assert_eq!(error.leaves_it_open(), open, "{message}");
        assert_eq!(LsmError::from(error).number, number, "{message}");
    }
}

#[test]
fn an_answer_to_another_request_is_none() {
    let body = br#"{"result": [], "id": 6, "jsonrpc": "2.0"}"#;
    assert!(decode::<Vec<PoolRow>>(6, "", body).is_ok());
    let error = decode::<Vec<PoolRow>>(7, "", body).unwrap_err();
    assert!(matches!(error, RpcError::Garbled { .. }), "{error:?}");
    assert!(error.leaves_it_open());
}

#[test]
fn a_call_without_parameters_sends_none() {
    let request: Value = serde_json::from_slice(&encode(3, "pool_list", Value::Null)).unwrap();
    assert_eq!(request, json!({"jsonrpc": "2.0", "id": 3, "method": "pool_list"}));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read(1, "pool_list", &bytes).is_err());
    }

    #[test]
    fn any_result_of_the_wrong_form_is_refused(number: i64, text in "\\PC{0,40}") {
        for result in [json!(number), json!(text), json!({ &text: number }), json!([number]), json!([[text]])] {
            let body = json!({"id": 1, "result": result}).to_string();
            prop_assert!(read(1, "vol_list", body.as_bytes()).is_err());
            prop_assert!(read(1, "vol_create", body.as_bytes()).is_err());
        }
    }
}
