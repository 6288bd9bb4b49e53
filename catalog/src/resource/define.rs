//! The two macros behind the registry: a type's attributes are written once, as a struct with doc comments.

/// Defines a resource type: its struct, its definition and how it is read, from one list of attributes.
///
/// A `property` can be compared with the machine; a `parameter` only says how. A field of type `Option<T>` may be left
/// out; one with `= value` has a default; any other is required. `=> "words"` says what applies if it is left out,
/// unless that is simply that a property is left alone, or that a parameter has no value.
macro_rules! resource_type {
    (
        $(#[doc = $doc:literal])+
        $name:ident($word:literal), titled $title:ty {
            $( $(#[doc = $adoc:literal])+ $role:ident $attr:ident : $ty:ty $(= $default:expr)? $(=> $words:literal)? ,)*
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            /// The resource's title.
            pub title: $title,
            $( $(#[doc = $adoc])+ pub $attr: $ty, )*
        }

        impl $crate::resource::ResourceType for $name {
            const DEF: $crate::resource::TypeDef = $crate::resource::TypeDef {
                name: $word,
                doc: concat!($($doc, "\n"),+),
                title: <$title as $crate::resource::Attribute>::KIND,
                attributes: &[$( $crate::resource::AttributeDef {
                    name: $crate::resource::define::plain(stringify!($attr)),
                    doc: concat!($($adoc, "\n"),+),
                    kind: <$ty as $crate::resource::Attribute>::KIND,
                    role: $crate::resource::define::resource_type!(@role $role),
                    left_out: $crate::resource::define::resource_type!(
                        @left_out $role $ty; $($default)?; $($words)?
                    ),
                } ),*],
                reloads: <Self as $crate::resource::Rules>::RELOADS,
                check: |title, attributes| {
                    use $crate::resource::Rules;
                    let known = |typed: Self| $crate::resource::ResourceSummary {
                        implied: typed.implied(),
                        claims: typed.claims(),
                    };
                    Self::read(title, attributes).map(known)
                },
                sets: <Self as $crate::resource::Rules>::SETS,
                same: |title, here, there| {
                    let there = Self::read(title, there);
                    Self::read(title, here).is_ok_and(|here| there.is_ok_and(|there| here == there))
                },
            };

            fn read(
                title: &str,
                attributes: &$crate::resource::Attributes,
            ) -> Result<Self, Vec<$crate::resource::AttributeError>> {
                let mut reader = $crate::resource::attribute::AttributeReader::new(attributes);
                let title = reader.title(title);
                $( let $attr: Option<$ty> = reader.attribute(
                    $crate::resource::define::plain(stringify!($attr)),
                    $crate::resource::define::resource_type!(@default $($default)?),
                ); )*
                reader.finish(&Self::DEF)?;
                let (Some(title), $( Some($attr), )*) = (title, $( $attr, )*) else {
                    return Err(Vec::new());
                };
                let typed = Self { title, $( $attr, )* };
                match $crate::resource::Rules::validate(&typed) {
                    errors if errors.is_empty() => Ok(typed),
                    errors => Err(errors),
                }
            }
        }
    };
    (@role property) => { $crate::resource::AttributeRole::Property };
    (@role parameter) => { $crate::resource::AttributeRole::Parameter };
    (@left_out $role:ident $ty:ty; $default:expr; ) => {
        $crate::resource::LeftOut::Value(|| {
            let default: $ty = $default;
            $crate::resource::attribute::ToToml::written(&default)
        })
    };
    (@left_out $role:ident $ty:ty; ; $words:literal) => { $crate::resource::LeftOut::Words($words) };
    (@left_out $role:ident $ty:ty; ; ) => {
        $crate::resource::LeftOut::usual(
            $crate::resource::define::resource_type!(@role $role),
            <$ty as $crate::resource::Attribute>::OPTIONAL,
            <$ty as $crate::resource::Attribute>::EMPTY,
        )
    };
    (@default) => { None };
    (@default $default:expr) => { Some($default) };
}

/// A field's name as manifests write it: `match` for `r#match`.
pub(super) const fn plain(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// The registry: the list of definitions, and the enum of typed resources that the agent matches on.
macro_rules! registry {
    ($($name:ident),+ $(,)?) => {
        /// A resource of any type, in its typed form.
        #[derive(Debug, Clone, PartialEq)]
        pub enum TypedResource {
            $( #[doc = concat!("A `", stringify!($name), "`.")] $name($name), )+
        }

        impl TypedResource {
            /// Reads a resource of the type `type_name`; `None` if there is no such type.
            pub fn read(
                type_name: &str,
                title: &str,
                attributes: &Attributes,
            ) -> Option<Result<Self, Vec<AttributeError>>> {
                $( if type_name == <$name as ResourceType>::DEF.name {
                    return Some(<$name as ResourceType>::read(title, attributes).map(Self::$name));
                } )+
                None
            }

            /// What the resource manages.
            pub fn claims(&self) -> Vec<$crate::resource::claim::Claim> {
                match self {
                    $( Self::$name(typed) => Rules::claims(typed), )+
                }
            }
        }

        /// Every type, by name.
        pub fn definitions() -> &'static [TypeDef] {
            const DEFINITIONS: &[TypeDef] = &[$( <$name as ResourceType>::DEF ),+];
            DEFINITIONS
        }
    };
}

pub(crate) use {registry, resource_type};
