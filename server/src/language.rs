//! The language: it turns text into values, and does nothing else. It has no I/O and no clock, and knows nothing about
//! nodes or manifests.
//!
//! In the order in which they build on each other: a [`Fault`] is what is wrong with a text; a [`Scope`] gives names
//! their meaning; an [`Expression`] is the content of `${…}`; an [`Interpolation`] is a string that contains
//! expressions; a [`Formula`] is a whole value whose strings may contain them; a [`Type`] says what a value may be; a
//! [`Template`] is a Handlebars file.

pub mod budget;
pub mod document;
pub mod expression;
pub mod fault;
pub mod formula;
pub mod interpolation;
pub mod keyword; // keys of manifests
pub mod manifest;
pub mod merge;
pub mod name; // names of classes and defines
pub mod problems;
pub mod sample; // example values of a type
pub mod scope;
mod secrecy;
pub mod template;
pub mod types;
pub mod word;

pub use budget::{MAX_STEPS_OF_A_COMPILE, SharedBudget};
pub use expression::Expression;
pub use fault::Fault;
pub use formula::Formula;
pub use interpolation::Interpolation;
pub use scope::Scope;
pub use template::{Partials, Template, Templates};
pub use types::{Defines, Type};
pub use word::{Chapter, Word};
