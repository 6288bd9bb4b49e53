//! What a resource type's plans speak of: an enum a provider, with a name for each only where people read it.

use std::convert::Infallible;
use std::fmt::{Debug, Display};

/// The properties of one type, as its provider plans changes of them and makes them.
pub trait Property: Copy + Eq + Debug + Display + Send + Sync + 'static {
    /// Its name, as manifests and reports have it.
    fn name(self) -> &'static str;

    /// The property of a name.
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
        /// What a plan of this type can speak of.
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

        /// A difference of this type.
        pub type Change = $crate::provider::Change<Property>;
        /// A plan of this type.
        pub type Plan = $crate::provider::Plan<Property>;
    };
}

pub(super) use properties;
