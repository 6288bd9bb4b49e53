//! What server and agent agree on, from the ground up: a module uses those above it alone.
//!
//! No I/O, no clock, no async: names, values, resource types, catalogs, reports and the wire are plain data here.

pub mod count; // numbers with their nouns
pub mod certname; // names, parsed once
pub mod hash; // content by SHA-256
pub mod origin; // where a value is
mod bounded; // lists and maps of strangers
pub mod value; // what data is made of, secrets included
pub mod spelling; // the name that was meant
pub mod facts; // what a node says about itself
pub mod manifest_words; // reserved words of the language
pub mod graph; // edges and order
pub mod resource; // resource types and their registry
pub mod synonym; // words of other tools, and what says it here
pub mod catalog; // what a node is to be
mod assembly; // files made of fragments
pub mod report; // what a run found and did
pub mod state; // how a machine is, and why
pub mod harmless; // texts of others, made safe to print
pub mod settings; // what is wrong in a file of settings
pub mod log; // how a program logs
pub mod join; // a new node's first piece of text
pub mod wire; // protocol version 1

#[cfg(feature = "testing")]
pub mod random; // what tests make by chance
