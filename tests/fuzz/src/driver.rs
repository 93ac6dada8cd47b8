//! A driver that does nothing: what is tested is what stands before it.

use std::time::Duration;

use sanfleet_driver::{
    ArrayDriver, Implemented, JobId, JobStatus, LsmError, PluginInfo, Search, System, Volume,
};

pub struct Nothing;

type Answer<T> = Result<T, LsmError>;

/// In a registered session every method of the protocol has its arguments read before anybody asks whether it is there: so few
/// methods are enough.
impl ArrayDriver for Nothing {
    fn plugin_info(&self) -> PluginInfo {
        PluginInfo { description: String::new(), version: String::new() }
    }

    fn plugin_register(&mut self, _: &str, _: Option<&str>, _: Duration) -> Answer<()> {
        Ok(())
    }

    fn implemented(&self) -> Implemented {
        Implemented::new(&["volumes", "job_status", "volume_delete", "volumes_page", "volume_ids"])
    }

    fn systems(&mut self) -> Answer<Vec<System>> {
        Ok(Vec::new())
    }

    fn volumes(&mut self, _: Option<&Search>) -> Answer<Vec<Volume>> {
        Ok(Vec::new())
    }

    fn volume_delete(&mut self, _: &Volume) -> Answer<Option<JobId>> {
        Ok(None)
    }

    fn job_status(&mut self, job: &JobId) -> Answer<JobStatus> {
        Err(LsmError::new(sanfleet_driver::ErrorNumber::NotFoundJob, job.as_str()))
    }

    fn volume_ids(&mut self, volume: &Volume) -> Answer<Vec<String>> {
        Ok(vec![volume.vpd83.clone()])
    }
}
