//! How programs are given in a catalog.

use std::fmt;

use super::{Attribute, AttributeKind, Mismatch};
use crate::value::{Kind, Value};

/// How a program is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandLine {
    /// Without a shell: program and arguments.
    Arguments(Vec<String>),
    Shell(String),
}

impl CommandLine {
    /// The program, if it is given by an absolute path.
    pub fn program_path(&self) -> Option<&str> {
        let program = match self {
            Self::Arguments(list) => list.first().map(String::as_str),
            Self::Shell(text) => text.split_whitespace().next(),
        };
        program.filter(|p| p.starts_with('/'))
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments(list) => f.write_str(&list.join(" ")),
            Self::Shell(text) => f.write_str(text),
        }
    }
}

impl Attribute for CommandLine {
    const KIND: AttributeKind = AttributeKind::Command;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        match &value.kind {
            Kind::String(text) if !text.trim().is_empty() => String::read(value).map(Self::Shell),
            Kind::List(list) if !list.is_empty() => Vec::<String>::read(value).map(Self::Arguments),
            _ => Err(Mismatch::KIND),
        }
    }
}
