//! From a request to the driver's method and back.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    call::{self, Call},
    driver::ArrayDriver,
    error::{ErrorNumber, LsmError},
    message::Request,
    search::{Search, Searchable},
};

type Params = Map<String, Value>;

/// Calls the method that the request names. A driver without it, and a method nobody knows, answer NO_SUPPORT.
pub(super) fn dispatch(driver: &mut dyn ArrayDriver, request: Request) -> Result<Value, LsmError> {
    let Request { method, params } = request;
    match method.as_str() {
        call::PluginRegister::METHOD => answer(params, |c: call::PluginRegister| {
            driver.plugin_register(&c.uri, c.password.as_deref(), milliseconds(c.timeout))
        }),
        call::PluginUnregister::METHOD => {
            answer(params, |_: call::PluginUnregister| driver.plugin_unregister())
        }
        call::PluginInfo::METHOD => answer(params, |_: call::PluginInfo| {
            let info = driver.plugin_info();
            Ok((info.description, info.version))
        }),
        call::TimeOutSet::METHOD => {
            answer(params, |c: call::TimeOutSet| driver.time_out_set(milliseconds(c.ms)))
        }
        call::TimeOutGet::METHOD => answer(params, |_: call::TimeOutGet| {
            driver.time_out_get().map(|timeout| u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX))
        }),
        call::GetCapabilities::METHOD => {
            answer(params, |c: call::GetCapabilities| driver.capabilities(&c.system))
        }
        call::GetJobStatus::METHOD => answer(params, |c: call::GetJobStatus| driver.job_status(&c.job_id)),
        call::JobFree::METHOD => answer(params, |c: call::JobFree| driver.job_free(&c.job_id)),
        _ => lists(driver, &method, params),
    }
}

fn lists(driver: &mut dyn ArrayDriver, method: &str, params: Params) -> Result<Value, LsmError> {
    match method {
        call::Systems::METHOD => answer(params, |_: call::Systems| driver.systems()),
        call::Pools::METHOD => answer(params, |c: call::Pools| {
            found(c.search_key, c.search_value, |search| driver.pools(search))
        }),
        call::Volumes::METHOD => answer(params, |c: call::Volumes| {
            found(c.search_key, c.search_value, |search| driver.volumes(search))
        }),
        call::TargetPorts::METHOD => answer(params, |c: call::TargetPorts| {
            found(c.search_key, c.search_value, |search| driver.target_ports(search))
        }),
        call::AccessGroups::METHOD => answer(params, |c: call::AccessGroups| {
            found(c.search_key, c.search_value, |search| driver.access_groups(search))
        }),
        _ => volumes(driver, method, params),
    }
}

fn volumes(driver: &mut dyn ArrayDriver, method: &str, params: Params) -> Result<Value, LsmError> {
    match method {
        call::VolumeCreate::METHOD => answer(params, |c: call::VolumeCreate| {
            driver.volume_create(&c.pool, &c.volume_name, c.size_bytes, c.provisioning)
        }),
        call::VolumeDelete::METHOD => answer(params, |c: call::VolumeDelete| driver.volume_delete(&c.volume)),
        call::VolumeReplicate::METHOD => answer(params, |c: call::VolumeReplicate| {
            driver.volume_replicate(c.pool.as_ref(), c.rep_type, &c.volume_src, &c.name)
        }),
        call::VolumeChildDependency::METHOD => {
            answer(params, |c: call::VolumeChildDependency| driver.volume_child_dependency(&c.volume))
        }
        _ => access(driver, method, params),
    }
}

fn access(driver: &mut dyn ArrayDriver, method: &str, params: Params) -> Result<Value, LsmError> {
    match method {
        call::VolumeMask::METHOD => {
            answer(params, |c: call::VolumeMask| driver.volume_mask(&c.access_group, &c.volume))
        }
        call::VolumeUnmask::METHOD => {
            answer(params, |c: call::VolumeUnmask| driver.volume_unmask(&c.access_group, &c.volume))
        }
        call::VolumesAccessible::METHOD => answer(params, |c: call::VolumesAccessible| {
            driver.volumes_accessible_by_access_group(&c.access_group)
        }),
        call::AccessGroupsGranted::METHOD => {
            answer(params, |c: call::AccessGroupsGranted| driver.access_groups_granted_to_volume(&c.volume))
        }
        call::AccessGroupCreate::METHOD => answer(params, |c: call::AccessGroupCreate| {
            driver.access_group_create(&c.name, &c.init_id, c.init_type, &c.system)
        }),
        call::AccessGroupDelete::METHOD => {
            answer(params, |c: call::AccessGroupDelete| driver.access_group_delete(&c.access_group))
        }
        call::AccessGroupInitiatorAdd::METHOD => answer(params, |c: call::AccessGroupInitiatorAdd| {
            driver.access_group_initiator_add(&c.access_group, &c.init_id, c.init_type)
        }),
        call::AccessGroupInitiatorDelete::METHOD => answer(params, |c: call::AccessGroupInitiatorDelete| {
            driver.access_group_initiator_delete(&c.access_group, &c.init_id, c.init_type)
        }),
        _ => Err(LsmError::no_support()),
    }
}

/// Reads the call from its parameters (those it does not know are passed over), makes it, and writes its result.
fn answer<C: Call>(
    params: Params,
    make: impl FnOnce(C) -> Result<C::Reply, LsmError>,
) -> Result<Value, LsmError> {
    let call = serde_json::from_value(Value::Object(params)).map_err(|error| {
        // serde's words may quote the value: not for a call that carries a password.
        let why =
            if C::METHOD == call::PluginRegister::METHOD { String::new() } else { format!(": {error}") };
        let message = format!("wrong or missing argument of {}{why}", C::METHOD);
        LsmError::new(ErrorNumber::TransportInvalidArgument, message)
    })?;
    let reply = make(call)?;
    serde_json::to_value(reply).map_err(|error| LsmError::new(ErrorNumber::PluginBug, error.to_string()))
}

fn found<T: Searchable>(
    key: Option<String>,
    value: Option<String>,
    list: impl FnOnce(Option<&Search>) -> Result<Vec<T>, LsmError>,
) -> Result<Vec<T>, LsmError> {
    let search = match (key, value) {
        (Some(key), Some(value)) => Some(Search { key, value }),
        (None, _) => None,
        (Some(_), None) => {
            return Err(LsmError::new(ErrorNumber::TransportInvalidArgument, "a search key without a value"));
        }
    };
    search.as_ref().map_or(Ok(()), Search::check::<T>)?;
    let mut records = list(search.as_ref())?;
    if let Some(search) = &search {
        records.retain(|record| search.matches(record));
    }
    Ok(records)
}

fn milliseconds(count: u32) -> Duration {
    Duration::from_millis(u64::from(count))
}
