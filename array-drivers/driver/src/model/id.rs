//! Ids that an array gives out: opaque texts, equal only byte for byte, unique per kind within one array.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(SystemId);
id!(PoolId);
id!(
    /// The array's own id of a volume. Not the in-band identity that hosts see: that is `sanfleet_protocol`'s `VolumeId`.
    VolumeKey
);
id!(AccessGroupId);
id!(TargetPortId);
id!(DiskId);
id!(BatteryId);
id!(FileSystemId);
id!(SnapshotId);
id!(NfsExportId);
id!(
    /// A job that the array works on; valid across sessions until it is freed.
    JobId
);
