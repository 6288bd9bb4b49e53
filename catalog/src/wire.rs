//! What agent and server send each other: protocol version 1.
//!
//! JSON, perhaps compressed with zstd; unknown fields are refused. No request names a node: the certificate says who
//! calls.

use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, CatalogId};
use crate::commit::CommitId;
use crate::facts::Facts;
use crate::run::RunId;

/// The most bytes of a request or an answer, after decompression.
pub const MAX_BODY: usize = 64 * 1024 * 1024;

/// The most bytes of a report, after decompression.
pub const MAX_REPORT: usize = 16 * 1024 * 1024;

/// The paths of the routes.
pub mod path {
    /// Enrolment: the one route without a client certificate.
    pub const ENROLL: &str = "/v1/enroll";
    /// Renewal: a new certificate for a new key.
    pub const RENEW: &str = "/v1/renew";
    /// The poll.
    pub const CATALOG: &str = "/v1/catalog";
    /// File contents; the path continues with a hash.
    pub const CONTENT: &str = "/v1/content";
    /// Delivery of reports.
    pub const REPORTS: &str = "/v1/reports";
}

/// Asks for the first certificate.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrollRequest {
    /// The token's id, from the join string.
    pub token: String,
    /// The token's secret.
    pub secret: String,
    /// A certificate signing request in PEM: the key, and the proof that the sender has its private half.
    pub csr: String,
}

/// Asks for the next certificate, with a new key, authenticated by the present one.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewRequest {
    /// A certificate signing request in PEM.
    pub csr: String,
}

/// A certificate.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The leaf in PEM.
    pub certificate: String,
    /// The CA's certificates in PEM: what the agent trusts from now on.
    pub roots: String,
    /// The node's name, so the agent knows who it is.
    pub certname: crate::certname::Certname,
}

/// The request of a poll.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogRequest {
    /// SHA-256 of the stable facts.
    pub facts_hash: String,
    /// The facts themselves, if the server asked for them or the agent knows that it does not have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    /// The catalog that the agent has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub have: Option<CatalogId>,
    /// The agent's version.
    pub agent: String,
}

/// The answer to a poll.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
pub enum CatalogAnswer {
    /// Nothing new to do.
    Unchanged {
        /// The live commit.
        commit: CommitId,
        /// Seconds until the next poll.
        next_run: u64,
        /// Seconds between two polls, from which both sides know when one is late.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interval: Option<u64>,
        /// The run that this node last reported, if the server looked. An agent that knows of no run that late was
        /// restored from an older copy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reported: Option<RunId>,
    },
    /// A new catalog.
    Catalog {
        /// What the node should be.
        catalog: Box<Catalog>,
        /// Seconds until the next poll.
        next_run: u64,
        /// Seconds between two polls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interval: Option<u64>,
        /// The run that this node last reported, if the server looked. An agent that knows of no run that late was
        /// restored from an older copy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reported: Option<RunId>,
    },
    /// The server does not have facts with this hash: ask again with them.
    FactsWanted,
}

/// The result of a report.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportAnswer {
    /// Whether it was new; a report sent twice counts once.
    pub new: bool,
}

/// The answer to a refused request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// A stable word, such as `token-used`.
    pub code: String,
    /// What is wrong and what to do, for the person at the node.
    pub message: String,
    /// The commit that has no catalog for the node, where that is what is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares the schema with the one under `catalog/schema/v1/`, which is rewritten only with `HOLDFAST_BLESS=1`.
    fn check_schema<T: schemars::JsonSchema>(name: &str) {
        let path = format!("{}/schema/v1/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(T)).unwrap() + "\n";
        if std::env::var_os("HOLDFAST_BLESS").is_some() {
            std::fs::create_dir_all(std::path::Path::new(&path).parent().unwrap()).unwrap();
            std::fs::write(&path, &schema).unwrap();
        }
        let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(checked_in, schema, "{path} differs: a wire format changes with its version only");
    }

    #[test]
    fn the_checked_in_schemas_are_the_types() {
        check_schema::<EnrollRequest>("enroll-request");
        check_schema::<RenewRequest>("renew-request");
        check_schema::<Certificate>("certificate");
        check_schema::<CatalogRequest>("catalog-request");
        check_schema::<CatalogAnswer>("catalog-answer");
        check_schema::<crate::report::Report>("report");
        check_schema::<ReportAnswer>("report-answer");
        check_schema::<Refusal>("refusal");
    }

    #[test]
    fn a_request_cannot_name_a_node() {
        let json = r#"{"facts_hash":"x","agent":"1","certname":"other.example"}"#;
        assert!(serde_json::from_str::<CatalogRequest>(json).unwrap_err().to_string().contains("certname"));
    }
}
