//! What server and agent agree on, in the order in which data flows.
//!
//! No I/O, no clock, no async: names, values, resource types, catalogs, reports and the wire are plain data here.

pub mod certname;
pub mod diagnostic;
pub mod facts;
pub mod hash;
pub mod manifest_words;
pub mod origin;
pub mod resource;
pub mod value;
