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

            /// The values that have names, in the order of the protocol's own list.
            pub const NAMED: &'static [(&'static str, Self)] = &[$((stringify!($name), Self::$name)),*];

            /// The protocol's name of the value, if it has one.
            pub fn name(self) -> Option<&'static str> {
                Self::NAMED.iter().find(|(_, value)| *value == self).map(|(name, _)| *name)
            }
        }
    };
}

/// A bit set of the protocol; unknown bits are kept.
macro_rules! bits {
    ($(#[$doc:meta])* $type:ident { $($(#[$value_doc:meta])* $name:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $type(pub u64);

        impl $type {
            $($(#[$value_doc])* pub const $name: Self = Self($value);)*

            /// The bits that have names, in the order of the protocol's own list.
            pub const NAMED: &'static [(&'static str, Self)] = &[$((stringify!($name), Self::$name)),*];

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
