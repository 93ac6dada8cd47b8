//! Work that an array may do at once or as a job.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::{
    model::{FileSystem, JobId, Pool, Snapshot, Volume},
    number::number,
};

number!(JobState {
    IN_PROGRESS = 1,
    COMPLETE = 2,
    /// The job failed. The protocol carries no reason here.
    ERROR = 3,
});

/// The answer of a call that may take long: on the wire `[job, null]` or `[null, item]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobOr<T> {
    /// Follow it with `job_status`, then `job_free` it.
    Job(JobId),
    Done(T),
}

/// How far a job is: on the wire `[state, percent, item]`.
#[derive(Debug, Clone, PartialEq)]
pub struct JobStatus {
    pub state: JobState,
    /// 0 to 100.
    pub percent: u8,
    /// What the job made, once it is complete and if it makes something.
    pub item: Option<JobItem>,
}

/// What a job made.
#[derive(Debug, Clone, PartialEq)]
pub enum JobItem {
    Volume(Volume),
    FileSystem(FileSystem),
    Snapshot(Snapshot),
    Pool(Pool),
    /// A record of a class that this crate has no type for.
    Other(Value),
}

impl<T: Serialize> Serialize for JobOr<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Job(job) => (job, ()).serialize(serializer),
            Self::Done(item) => ((), item).serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for JobOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // If both came the job is what is still to be followed; the item may not be whole yet.
        match Deserialize::deserialize(deserializer)? {
            (Some(job), _) => Ok(Self::Job(job)),
            (None, Some(item)) => Ok(Self::Done(item)),
            (None, None) => Err(de::Error::custom("neither a job nor an item")),
        }
    }
}

impl Serialize for JobStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.item {
            Some(JobItem::Volume(volume)) => (self.state, self.percent, volume).serialize(serializer),
            Some(JobItem::FileSystem(fs)) => (self.state, self.percent, fs).serialize(serializer),
            Some(JobItem::Snapshot(snapshot)) => (self.state, self.percent, snapshot).serialize(serializer),
            Some(JobItem::Pool(pool)) => (self.state, self.percent, pool).serialize(serializer),
            Some(JobItem::Other(record)) => (self.state, self.percent, record).serialize(serializer),
            None => (self.state, self.percent, ()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for JobStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (state, percent, item): (JobState, i64, Option<Value>) = Deserialize::deserialize(deserializer)?;
        let percent = u8::try_from(percent.clamp(0, 100)).unwrap_or(100);
        let item = item.map(job_item).transpose().map_err(de::Error::custom)?;
        Ok(Self { state, percent, item })
    }
}

fn job_item(record: Value) -> serde_json::Result<JobItem> {
    match record.get("class").and_then(Value::as_str) {
        Some("Volume") => serde_json::from_value(record).map(JobItem::Volume),
        Some("FileSystem") => serde_json::from_value(record).map(JobItem::FileSystem),
        Some("FsSnapshot") => serde_json::from_value(record).map(JobItem::Snapshot),
        Some("Pool") => serde_json::from_value(record).map(JobItem::Pool),
        _ => Ok(JobItem::Other(record)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn a_job_wins_over_an_item_that_came_with_it() {
        let read: JobOr<String> = from_value(json!(["JOB_ID_00001", "item"])).unwrap();
        assert_eq!(read, JobOr::Job(JobId::new("JOB_ID_00001")));
        assert!(from_value::<JobOr<String>>(json!([null, null])).is_err());
    }

    #[test]
    fn both_forms_are_written_as_pairs() {
        assert_eq!(to_value(JobOr::<String>::Job(JobId::new("J"))).unwrap(), json!(["J", null]));
        assert_eq!(to_value(JobOr::Done("item")).unwrap(), json!([null, "item"]));
    }

    #[test]
    fn a_percentage_beyond_the_scale_is_cut() {
        let read: JobStatus = from_value(json!([1, 250, null])).unwrap();
        assert_eq!(read, JobStatus { state: JobState::IN_PROGRESS, percent: 100, item: None });
    }

    #[test]
    fn a_record_of_another_class_is_kept_as_it_is() {
        let record = json!({"class": "Battery", "id": "B"});
        let read: JobStatus = from_value(json!([2, 100, record])).unwrap();
        assert_eq!(read.item, Some(JobItem::Other(record.clone())));
        assert_eq!(to_value(&read).unwrap(), json!([2, 100, record]));
    }
}
