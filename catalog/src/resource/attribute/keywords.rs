//! The macro behind attributes that are one of several words.

/// Reads one of several words into an enum that prints as the word.
macro_rules! keywords {
    ($(#[doc = $doc:literal])+ $name:ident { $( $(#[doc = $vdoc:literal])+ $variant:ident = $word:literal ),+ $(,)? }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $( $(#[doc = $vdoc])+ $variant ),+ }

        impl $crate::resource::Attribute for $name {
            const KIND: $crate::resource::AttributeKind = $crate::resource::AttributeKind::Enum(&[$($word),+]);
            fn read(value: &$crate::value::Value) -> Result<Self, $crate::resource::Mismatch> {
                match value.as_str() {
                    $( Some($word) => Ok(Self::$variant), )+
                    _ => Err($crate::resource::Mismatch::KIND),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $( Self::$variant => $word ),+ })
            }
        }

        impl $crate::resource::attribute::ToToml for $name {
            fn written(&self) -> String {
                $crate::resource::attribute::quoted(self)
            }
        }
    };
}
pub(crate) use keywords;
