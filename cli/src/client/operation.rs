//! The controller's operations: which request goes where, and which reply comes back.

use std::time::Duration;

use prost::Message;
use sanfleet_protocol::v1;

/// A request that the controller answers.
pub trait Operation: Message {
    type Reply: Message + Default;
    /// `<noun>.<verb>`, below the API's subject.
    const NAME: &'static str;
    /// True when the controller may begin something that goes on without us.
    const STARTS_WORK: bool = false;
    /// How long its answer is waited for unless the operator says.
    const ANSWER: Duration = Duration::from_secs(10);
}

/// Within this the controller has connected to an array and listed it, or given up.
const ARRAY_LISTED: Duration = Duration::from_secs(180);
/// Within this it has waited for a list of what was just changed, asked all hosts, and planned.
const ARRAY_SETTLED: Duration = Duration::from_secs(40);

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
    DoctorListRequest => "doctor.list" => DoctorListReply;
    RunListRequest => "run.list" => RunListReply;
    RunShowRequest => "run.show" => RunShowReply;
    WebhookListRequest => "webhook.list" => WebhookListReply;
    WebhookDeadRequest => "webhook.dead" => WebhookDeadReply;
    WebhookTestRequest => "webhook.test" => WebhookTestReply;
}

impl Operation for v1::ArrayAddRequest {
    type Reply = v1::ArrayAddReply;
    const NAME: &'static str = "array.add";
    const STARTS_WORK: bool = true;
    const ANSWER: Duration = ARRAY_LISTED;
}

impl Operation for v1::ArrayPasswordRequest {
    type Reply = v1::ArrayPasswordReply;
    const NAME: &'static str = "array.password";
    const STARTS_WORK: bool = true;
    const ANSWER: Duration = ARRAY_LISTED;
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

impl Operation for v1::VolumeDetachRequest {
    type Reply = v1::RunReply;
    const NAME: &'static str = "volume.detach";
    const STARTS_WORK: bool = true;
}

impl Operation for v1::VolumeDeleteRequest {
    type Reply = v1::RunReply;
    const NAME: &'static str = "volume.delete";
    const STARTS_WORK: bool = true;
    const ANSWER: Duration = ARRAY_SETTLED;
}

impl Operation for v1::VolumeResizeRequest {
    type Reply = v1::RunReply;
    const NAME: &'static str = "volume.resize";
    const STARTS_WORK: bool = true;
}

impl Operation for v1::VolumeMoveRequest {
    type Reply = v1::RunReply;
    const NAME: &'static str = "volume.move";
    const STARTS_WORK: bool = true;
}

impl Operation for v1::HostCordonRequest {
    type Reply = v1::HostCordonReply;
    const NAME: &'static str = "host.cordon";
    const STARTS_WORK: bool = true;
}

impl Operation for v1::HostLabelRequest {
    type Reply = v1::HostLabelReply;
    const NAME: &'static str = "host.label";
    const STARTS_WORK: bool = true;
}

impl Operation for v1::HostTrustRequest {
    type Reply = v1::HostTrustReply;
    const NAME: &'static str = "host.trust";
    const STARTS_WORK: bool = true;
}

impl Operation for v1::AdoptRequest {
    type Reply = v1::RunReply;
    const NAME: &'static str = "volume.adopt";
    const STARTS_WORK: bool = true;
}

impl Operation for v1::HostRetireRequest {
    type Reply = v1::RunReply;
    const NAME: &'static str = "host.retire";
    const STARTS_WORK: bool = true;
}

impl Operation for v1::DoctorFixRequest {
    type Reply = v1::DoctorFixReply;
    const NAME: &'static str = "doctor.fix";
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

impl Operation for v1::WebhookAddRequest {
    type Reply = v1::WebhookAddReply;
    const NAME: &'static str = "webhook.add";
    const STARTS_WORK: bool = true;
}

impl Operation for v1::WebhookRemoveRequest {
    type Reply = v1::WebhookRemoveReply;
    const NAME: &'static str = "webhook.remove";
    const STARTS_WORK: bool = true;
}

impl Operation for v1::WebhookRetryRequest {
    type Reply = v1::WebhookRetryReply;
    const NAME: &'static str = "webhook.retry";
    const STARTS_WORK: bool = true;
}
