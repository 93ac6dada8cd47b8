//! Numbers and bit sets of the protocol as types that keep values they do not know.

/// A protocol number with named values; an unknown one travels through unchanged.
macro_rules! number {
    ($(#[$doc:meta])* $type:ident { $($(#[$value_doc:meta])* $name:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $type(pub i64);

        impl $type {
            $($(#[$value_doc])* pub const $name: Self = Self($value);)*
        }
    };
}

/// A bit set of the protocol; unknown bits are kept.
macro_rules! bits {
    ($(#[$doc:meta])* $type:ident { $($name:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $type(pub u64);

        impl $type {
            $(pub const $name: Self = Self($value);)*

            /// True when every bit of `other` is set.
            pub fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }
        }

        impl std::ops::BitOr for $type {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }
    };
}

pub(crate) use {bits, number};
