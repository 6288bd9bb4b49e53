//! A node's certificates, as its page lists them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::text::When;
use crate::store::certificate::CertificateRow;

/// A certificate that is in use or may come into use.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Certificate")]
pub struct CertificateLine {
    /// The serial number in hex.
    pub serial: String,
    /// Until when it is valid.
    pub until: When,
    /// Whether the node has used it.
    pub used: bool,
}

impl CertificateLine {
    pub(super) fn of(row: CertificateRow, now: Timestamp) -> Self {
        Self { serial: row.serial, until: When::seen(row.not_after, now), used: row.confirmed_at.is_some() }
    }
}
