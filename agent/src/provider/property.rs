//! The properties that a resource type's plans contain: one enum for each provider, with a name for each property that
//! only people read.

use std::convert::Infallible;
use std::fmt::{Debug, Display};

/// The properties of one type, in which its provider plans and makes changes.
pub trait Property: Copy + Eq + Debug + Display + Send + Sync + 'static {
    /// The name, as in manifests and reports.
    fn name(self) -> &'static str;

    /// The property with this name.
    fn named(name: &str) -> Option<Self>;
}

/// A type without properties: it never plans a change.
impl Property for Infallible {
    fn name(self) -> &'static str {
        match self {}
    }

    fn named(_: &str) -> Option<Self> {
        None
    }
}

/// Defines the enum `Property` of a provider, and the types of its plans.
macro_rules! properties {
    ($($variant:ident => $name:literal),+ $(,)?) => {
        /// A property of this type.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Property {
            $( $variant, )+
        }

        impl $crate::provider::Property for Property {
            fn name(self) -> &'static str {
                match self {
                    $( Self::$variant => $name, )+
                }
            }

            fn named(name: &str) -> Option<Self> {
                match name {
                    $( $name => Some(Self::$variant), )+
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for Property {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($crate::provider::Property::name(*self))
            }
        }

        /// A change of this type.
        pub type Change = $crate::provider::Change<Property>;
        /// A plan of this type.
        pub type Plan = $crate::provider::Plan<Property>;
    };
}

pub(super) use properties;
