//! The controller's operations: which request goes where, and which reply comes back.

use prost::Message;
use sanfleet_protocol::v1;

/// A request that the controller answers.
pub trait Operation: Message {
    type Reply: Message + Default;
    /// `<noun>.<verb>`, below the API's subject.
    const NAME: &'static str;
    /// True when the controller may begin something that goes on without us.
    const STARTS_WORK: bool = false;
}

macro_rules! reads {
    ($($request:ident => $name:literal => $reply:ident;)*) => {
        $(impl Operation for v1::$request {
            type Reply = v1::$reply;
            const NAME: &'static str = $name;
        })*
    };
}

reads! {
    StatusRequest => "status.show" => StatusReply;
    HostListRequest => "host.list" => HostListReply;
    HostShowRequest => "host.show" => HostShowReply;
    DeviceListRequest => "device.list" => DeviceListReply;
    VolumeListRequest => "volume.list" => VolumeListReply;
    ArrayListRequest => "array.list" => ArrayListReply;
    ArrayShowRequest => "array.show" => ArrayShowReply;
    SealingKeyRequest => "array.sealing_key" => SealingKeyReply;
    MapRequest => "map.show" => MapReply;
    RunListRequest => "run.list" => RunListReply;
    RunShowRequest => "run.show" => RunShowReply;
}

impl Operation for v1::ArrayAddRequest {
    type Reply = v1::ArrayAddReply;
    const NAME: &'static str = "array.add";
    const STARTS_WORK: bool = true;
}

impl Operation for v1::ArrayPasswordRequest {
    type Reply = v1::ArrayPasswordReply;
    const NAME: &'static str = "array.password";
    const STARTS_WORK: bool = true;
}

impl Operation for v1::ArrayRemoveRequest {
    type Reply = v1::ArrayRemoveReply;
    const NAME: &'static str = "array.remove";
    const STARTS_WORK: bool = true;
}

impl Operation for v1::ProvisionRequest {
    type Reply = v1::RunReply;
    const NAME: &'static str = "volume.provision";
    const STARTS_WORK: bool = true;
}

impl Operation for v1::CloneRequest {
    type Reply = v1::RunReply;
    const NAME: &'static str = "volume.clone";
    const STARTS_WORK: bool = true;
}

impl Operation for v1::RunControlRequest {
    type Reply = v1::RunControlReply;
    const NAME: &'static str = "run.control";
    const STARTS_WORK: bool = true;
}

impl Operation for v1::BackupAttachRequest {
    type Reply = v1::RunReply;
    const NAME: &'static str = "backup.attach";
    const STARTS_WORK: bool = true;
}

impl Operation for v1::BackupDetachRequest {
    type Reply = v1::RunReply;
    const NAME: &'static str = "backup.detach";
    const STARTS_WORK: bool = true;
}
