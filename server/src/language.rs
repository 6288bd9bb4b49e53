//! The language: text to values, and nothing else. No I/O, no clock, no knowledge of nodes or manifests.
//!
//! In the order in which things are built on each other:
//! a [`Fault`] is what is wrong with a text; a [`Scope`] is what names mean; an [`Expression`] is what is in
//! `${…}`; an [`Interpolation`] is a string that holds some; a [`Formula`] is a whole value whose strings may; a
//! [`Type`] says what a value may be; a [`Template`] is a Handlebars file.

pub mod budget;
pub mod document;
pub mod expression;
pub mod fault;
pub mod formula;
pub mod interpolation;
pub mod keyword; // keys of manifests
pub mod manifest;
pub mod merge;
pub mod name; // of classes and defines
pub mod problems;
pub mod sample; // values that fit a type
pub mod scope;
mod secrecy;
pub mod template;
pub mod types;
pub mod word;

pub use budget::{Allowance, STEPS_OF_A_COMPILE};
pub use expression::Expression;
pub use fault::Fault;
pub use formula::Formula;
pub use interpolation::Interpolation;
pub use scope::Scope;
pub use template::{Partials, Template, Templates};
pub use types::{Defines, Type};
pub use word::{Chapter, Word};
