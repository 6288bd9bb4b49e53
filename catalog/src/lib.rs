//! What server and agent agree on, from the ground up: a module uses only those above it.
//!
//! No I/O, no clock, no async: names, values, resource types, catalogs, reports and the protocol are plain data here.

pub mod count; // numbers with their nouns
pub mod certname; // names, parsed once
pub mod hash; // content by SHA-256
pub mod commit; // which state of a control repository
pub mod run; // which run of an agent
pub mod origin; // where a value is
mod bounded; // lists and maps from strangers
pub mod value; // what data is made of, secrets included
pub mod spelling; // the name that was meant
pub mod facts; // what a node says about itself
pub mod manifest_words; // reserved words of the language
pub mod graph; // edges and order
pub mod resource; // resource types and their registry
pub mod synonym; // words of other tools, and their equivalents here
pub mod catalog; // what a node should be
mod assembly; // files made of fragments
pub mod report; // what a run found and did
pub mod state; // the state of a machine, and why
pub mod harmless; // texts from outside, made safe to print
pub mod settings; // what is wrong in a file of settings
pub mod log; // how a program logs
pub mod join; // the text with which a new node joins
pub mod wire; // protocol version 1

#[cfg(feature = "testing")]
pub mod random; // random values for tests
