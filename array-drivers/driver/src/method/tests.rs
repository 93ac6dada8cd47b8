use serde_json::{Value, json};

use super::*;
use crate::{Capabilities, ErrorNumber, array_driver, message::Request, serve::Dispatcher};

/// Can light a volume's lamp and not put it out; clones and does not copy; keeps a group with an NVMe host.
#[derive(Default)]
struct HalfDone {
    reached: Vec<&'static str>,
    licence_missing: bool,
}

#[array_driver]
impl ArrayDriver for HalfDone {
    fn plugin_info(&self) -> PluginInfo {
        PluginInfo { description: "half done".into(), version: "1".into() }
    }

    fn plugin_register(&mut self, uri: &str, _: Option<&str>, _: Duration) -> Answer<()> {
        self.licence_missing = uri == "unlicensed://";
        Ok(())
    }

    fn variants(&self) -> &[Capability] {
        // The second is void: no method that makes one is there.
        &[Capability::VOLUME_REPLICATE_CLONE, Capability::EXPORT_CUSTOM_PATH]
    }

    fn lacks(&self) -> &[Capability] {
        if self.licence_missing { &[Capability::VOLUME_RESIZE] } else { &[] }
    }

    fn systems(&mut self) -> Answer<Vec<System>> {
        Ok(vec![serde_json::from_value(system()).unwrap()])
    }

    fn volume_ident_led_on(&mut self, _volume: &Volume) -> Answer<()> {
        self.reached.push("volume_ident_led_on");
        Ok(())
    }

    fn volume_resize(&mut self, _volume: &Volume, _bytes: u64) -> Answer<JobOr<Volume>> {
        self.reached.push("volume_resize");
        Ok(JobOr::Job(JobId::new("J")))
    }

    fn volume_replicate(
        &mut self,
        _pool: Option<&Pool>,
        _kind: ReplicateType,
        _source: &Volume,
        _name: &str,
    ) -> Answer<JobOr<Volume>> {
        self.reached.push("volume_replicate");
        Ok(JobOr::Job(JobId::new("J")))
    }

    fn access_groups(&mut self, _search: Option<&Search>) -> Answer<Vec<AccessGroup>> {
        Ok(vec![serde_json::from_value(group()).unwrap()])
    }
}

fn system() -> Value {
    json!({"class": "System", "id": "s", "name": "s", "status": 2, "status_info": ""})
}

fn group() -> Value {
    let nqn = "nqn.2014-08.org.nvmexpress:uuid:4c4c4544-0038-3010-8031-b7c04f4d3732";
    json!({"class": "AccessGroup", "id": "g", "name": "g", "init_ids": ["iqn.2026-01.org.example:a", nqn],
        "init_type": 7, "system_id": "s"})
}

fn volume() -> Value {
    json!({"class": "Volume", "id": "V", "name": "v", "vpd83": "", "block_size": 512, "num_of_blocks": 8,
        "admin_state": 1, "system_id": "s", "pool_id": "p"})
}

fn ask(dispatcher: &mut Dispatcher, method: &str, params: Value) -> Result<Value, ErrorNumber> {
    let params = params.to_string();
    let reply = dispatcher.dispatch(&Request { method: method.into(), params: &params });
    let body = reply.map_err(|error| error.number)?;
    Ok(serde_json::from_slice::<Value>(&body).unwrap()["result"].take())
}

fn registered<'a>(driver: &'a mut HalfDone, uri: &str) -> Dispatcher<'a> {
    let mut dispatcher = Dispatcher::new(driver);
    register(&mut dispatcher, uri);
    dispatcher
}

fn register(dispatcher: &mut Dispatcher, uri: &str) {
    ask(dispatcher, "plugin_register", json!({"uri": uri, "password": null, "timeout": 1})).unwrap();
}

fn replicate(kind: i64) -> Value {
    json!({"pool": null, "rep_type": kind, "volume_src": volume(), "name": "c", "flags": 0})
}

#[test]
fn a_capability_is_claimed_only_when_every_method_that_needs_it_is_there() {
    let claimed = Capabilities::claimed(&HalfDone::default());
    let expected = [
        Capability::VOLUME_RESIZE,
        Capability::VOLUME_REPLICATE,
        Capability::VOLUME_REPLICATE_CLONE,
        Capability::ACCESS_GROUPS,
    ];
    assert_eq!(claimed, Capabilities::of(&expected));
}

#[test]
fn what_is_not_claimed_is_refused_before_the_driver_sees_it() {
    let mut driver = HalfDone::default();
    let mut dispatcher = registered(&mut driver, "x://");
    let refused = Err(ErrorNumber::NoSupport);
    assert_eq!(ask(&mut dispatcher, "volume_ident_led_on", json!({"volume": volume()})), refused);
    assert_eq!(ask(&mut dispatcher, "volume_replicate", replicate(ReplicateType::COPY.0)), refused);
    assert_eq!(ask(&mut dispatcher, "volumes", json!({})), refused);
    assert!(ask(&mut dispatcher, "volume_replicate", replicate(ReplicateType::CLONE.0)).is_ok());
    drop(dispatcher);
    assert_eq!(driver.reached, ["volume_replicate"]);
}

#[test]
fn what_an_array_lacks_is_known_once_it_is_open_and_then_neither_claimed_nor_done() {
    let mut driver = HalfDone::default();
    let mut dispatcher = registered(&mut driver, "x://");
    let resize = json!({"volume": volume(), "new_size_bytes": 1});
    assert!(ask(&mut dispatcher, "volume_resize", resize.clone()).is_ok());
    register(&mut dispatcher, "unlicensed://");
    assert_eq!(ask(&mut dispatcher, "volume_resize", resize), Err(ErrorNumber::NoSupport));
    let told = ask(&mut dispatcher, "capabilities", json!({"system": system()})).unwrap();
    let told: Capabilities = serde_json::from_value(told).unwrap();
    assert!(!told.supports(Capability::VOLUME_RESIZE) && told.supports(Capability::VOLUME_REPLICATE));
}

#[test]
fn an_initiator_that_an_old_client_cannot_read_is_shown_to_those_alone_who_asked_for_extensions() {
    let mut driver = HalfDone::default();
    let mut dispatcher = registered(&mut driver, "x://");
    let shown = |groups: Value| groups[0]["init_ids"].as_array().unwrap().len();
    assert_eq!(shown(ask(&mut dispatcher, "access_groups", json!({})).unwrap()), 1);
    assert_eq!(ask(&mut dispatcher, "sanfleet_extensions", json!({})).unwrap(), json!([]));
    assert_eq!(shown(ask(&mut dispatcher, "access_groups", json!({})).unwrap()), 2);
}

#[test]
fn a_flag_that_nobody_knows_is_refused_rather_than_passed_over() {
    let mut driver = HalfDone::default();
    let mut dispatcher = Dispatcher::new(&mut driver);
    assert_eq!(ask(&mut dispatcher, "systems", json!({"flags": 4})), Err(ErrorNumber::InvalidArgument));
    assert_eq!(
        ask(&mut dispatcher, "systems", json!({"flags": "x"})),
        Err(ErrorNumber::TransportInvalidArgument)
    );
}

#[test]
fn every_capability_has_one_source() {
    let of_methods = METHODS.iter().flat_map(|method| method.needs);
    let sources: Vec<Capability> =
        of_methods.chain(VARIANTS.iter().map(|(variant, _)| variant)).copied().collect();
    for (name, capability) in Capability::NAMED {
        assert!(sources.contains(capability), "nothing makes {name} claimed");
    }
    for (variant, methods) in VARIANTS {
        assert!(METHODS.iter().all(|method| !method.needs.contains(variant)), "{variant:?} has two sources");
        for method in *methods {
            assert!(METHODS.iter().any(|known| known.name == *method), "{method} is no method");
        }
    }
}
