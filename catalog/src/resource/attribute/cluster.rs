//! Which PostgreSQL server a resource belongs to, and what comes before everything in it.

use super::AccountName;
use super::database::Port;
use crate::resource::{Bond, Implied, ResourceRef};

/// A PostgreSQL cluster of this machine, as its superuser reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cluster<'a> {
    /// The system account that is its superuser.
    pub system_user: &'a str,
    /// Its port, from which its socket gets its name.
    pub port: Port,
}

impl<'a> Cluster<'a> {
    /// The versions whose packages and services are known by name.
    const VERSIONS: std::ops::RangeInclusive<u8> = 12..=20;

    /// The cluster at a port; its superuser is an account, by default `postgres`.
    pub fn new(port: Port, system_user: Option<&'a AccountName>) -> Self {
        Self { port, system_user: system_user.map_or("postgres", AccountName::as_str) }
    }

    /// The server's package and service, by their usual names, which come before.
    pub fn implied(self) -> Vec<Implied> {
        let versioned = |type_name, name: fn(u8) -> String| {
            let all = Self::VERSIONS.rev().map(|v| ResourceRef::new(type_name, name(v)));
            Implied::On(all.collect(), Bond::Lack)
        };
        vec![
            Implied::on("user", self.system_user),
            Implied::on("package", "postgresql"),
            Implied::on("package", "postgresql-server"),
            versioned("package", |version| format!("postgresql-{version}")),
            Implied::on("service", "postgresql"),
            versioned("service", |version| format!("postgresql@{version}-main")),
        ]
    }
}
