//! What each method answers with.

use serde_json::Value;

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Null,
    Number,
    Truth,
    Texts,
    /// That many whole numbers.
    Numbers(usize),
    /// Description and version.
    TwoTexts,
    Record(&'static str),
    Records(&'static str),
    /// `[job, null]` or `[null, record]`, never both.
    JobOr(&'static str),
    JobOrNull,
    JobStatus,
    PoolMembers,
    RaidChoices,
}

/// None for a method that this table does not know.
pub fn of(method: &str) -> Option<Shape> {
    use Shape::{
        JobOr, JobOrNull, JobStatus, Null, Number, Numbers, PoolMembers, RaidChoices, Record, Records, Texts,
        Truth, TwoTexts,
    };
    Some(match method {
        "plugin_register"
        | "plugin_unregister"
        | "time_out_set"
        | "job_free"
        | "system_read_cache_pct_update"
        | "volume_enable"
        | "volume_disable"
        | "volume_mask"
        | "volume_unmask"
        | "access_group_delete"
        | "iscsi_chap_auth"
        | "volume_ident_led_on"
        | "volume_ident_led_off"
        | "volume_physical_disk_cache_update"
        | "volume_write_cache_policy_update"
        | "volume_read_cache_policy_update"
        | "export_remove" => Null,
        "plugin_info" => TwoTexts,
        "time_out_get" | "volume_replicate_range_block_size" => Number,
        "job_status" => JobStatus,
        "capabilities" => Record("Capabilities"),
        "systems" => Records("System"),
        "pools" => Records("Pool"),
        "volumes" | "volumes_accessible_by_access_group" => Records("Volume"),
        "disks" => Records("Disk"),
        "target_ports" => Records("TargetPort"),
        "batteries" => Records("Battery"),
        "access_groups" | "access_groups_granted_to_volume" => Records("AccessGroup"),
        "fs" => Records("FileSystem"),
        "fs_snapshots" => Records("FsSnapshot"),
        "exports" => Records("NfsExport"),
        "volume_create" | "volume_resize" | "volume_replicate" => JobOr("Volume"),
        "fs_create" | "fs_resize" | "fs_clone" => JobOr("FileSystem"),
        "fs_snapshot_create" => JobOr("FsSnapshot"),
        "volume_delete"
        | "volume_replicate_range"
        | "volume_child_dependency_rm"
        | "fs_delete"
        | "fs_file_clone"
        | "fs_snapshot_delete"
        | "fs_snapshot_restore"
        | "fs_child_dependency_rm" => JobOrNull,
        "volume_child_dependency" | "fs_child_dependency" => Truth,
        "access_group_create" | "access_group_initiator_add" | "access_group_initiator_delete" => {
            Record("AccessGroup")
        }
        "volume_raid_create" => Record("Volume"),
        "export_fs" => Record("NfsExport"),
        "volume_raid_info" | "volume_cache_info" => Numbers(5),
        "pool_member_info" => PoolMembers,
        "volume_raid_create_cap_get" => RaidChoices,
        "export_auth" => Texts,
        _ => return None,
    })
}

pub fn fits(shape: Shape, result: &Value) -> bool {
    match shape {
        Shape::Null => result.is_null(),
        Shape::Number => is_number(result),
        Shape::Truth => result.is_boolean(),
        Shape::Texts => all(result, Value::is_string),
        Shape::Numbers(count) => {
            all(result, is_number) && result.as_array().is_some_and(|all| all.len() == count)
        }
        Shape::TwoTexts => {
            all(result, Value::is_string) && result.as_array().is_some_and(|all| all.len() == 2)
        }
        Shape::Record(class) => is_a(class, result),
        Shape::Records(class) => all(result, |record| is_a(class, record)),
        Shape::JobOr(class) => match parts(result) {
            [job, Value::Null] => is_job(job),
            [Value::Null, record] => is_a(class, record),
            _ => false,
        },
        Shape::JobOrNull => result.is_null() || is_job(result),
        Shape::JobStatus => match parts(result) {
            [state, percent, item] => {
                matches!(state.as_u64(), Some(1..=3))
                    && matches!(percent.as_u64(), Some(0..=100))
                    && (item.is_null() || item.is_object())
            }
            _ => false,
        },
        Shape::PoolMembers => match parts(result) {
            [raid, member, ids] => is_number(raid) && is_number(member) && all(ids, Value::is_string),
            _ => false,
        },
        Shape::RaidChoices => match parts(result) {
            [types, strips] => all(types, is_number) && all(strips, is_number),
            _ => false,
        },
    }
}

pub fn words(shape: Shape) -> String {
    match shape {
        Shape::Null => "null".into(),
        Shape::Number => "a whole number".into(),
        Shape::Truth => "true or false".into(),
        Shape::Texts => "a list of texts".into(),
        Shape::Numbers(count) => format!("a list of {count} whole numbers"),
        Shape::TwoTexts => "a description and a version".into(),
        Shape::Record(class) => format!("a {class}"),
        Shape::Records(class) => format!("a list of {class}"),
        Shape::JobOr(class) => format!("[job, null] or [null, {class}]"),
        Shape::JobOrNull => "a job or null".into(),
        Shape::JobStatus => "[state 1 to 3, percent 0 to 100, record or null]".into(),
        Shape::PoolMembers => "[RAID type, member type, [id, …]]".into(),
        Shape::RaidChoices => "[[RAID type, …], [strip size, …]]".into(),
    }
}

fn parts(result: &Value) -> &[Value] {
    result.as_array().map_or(&[], Vec::as_slice)
}

fn all(list: &Value, each: impl Fn(&Value) -> bool) -> bool {
    list.as_array().is_some_and(|items| items.iter().all(each))
}

fn is_number(value: &Value) -> bool {
    value.is_i64() || value.is_u64()
}

fn is_job(value: &Value) -> bool {
    value.as_str().is_some_and(|job| !job.is_empty())
}

fn is_a(class: &str, value: &Value) -> bool {
    value.get("class").and_then(Value::as_str) == Some(class)
}
