//! A node's name inside its certificate: `holdfast://<instance>/node/<certname>?gen=<n>`.

use std::fmt;
use std::str::FromStr;

use holdfast_catalog::certname::Certname;

/// The URI of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeUri {
    /// The server that named it: a certificate from another server is not valid here.
    pub instance: String,
    pub certname: Certname,
    /// Which machine with that name.
    pub generation: u32,
}

impl fmt::Display for NodeUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "holdfast://{}/node/{}?gen={}", self.instance, self.certname, self.generation)
    }
}

impl FromStr for NodeUri {
    type Err = ();

    /// Parses only the exact form that is written: no other spelling names a node.
    fn from_str(text: &str) -> Result<Self, ()> {
        let rest = text.strip_prefix("holdfast://").ok_or(())?;
        let (instance, rest) = rest.split_once("/node/").ok_or(())?;
        let (certname, generation) = rest.split_once("?gen=").ok_or(())?;
        let uri = Self {
            instance: instance.to_owned(),
            certname: Certname::parse(certname).map_err(drop)?,
            generation: generation.parse().map_err(drop)?,
        };
        if uri.to_string() == text { Ok(uri) } else { Err(()) }
    }
}

impl NodeUri {
    /// The name in a certificate, given in PEM; `None` if it is not a node's.
    pub fn in_pem(pem: &str) -> Option<Self> {
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok()?;
        let certificate = pem.parse_x509().ok()?;
        super::authority::uris(&certificate).next()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_names_a_node() {
        let text = "holdfast://0a1b/node/web1.acme.example?gen=2";
        assert_eq!(text.parse::<NodeUri>().unwrap().to_string(), text);
        for other in [
            "holdfast://0a1b/node/WEB1.acme.example?gen=2",
            "holdfast://0a1b/node/web1.acme.example?gen=02",
            "holdfast://0a1b/node/web1.acme.example?gen=+2",
            "holdfast://0a1b/node/web1.acme.example",
            "holdfast://0a1b/node/../x?gen=1",
            "https://0a1b/node/web1?gen=1",
        ] {
            assert!(other.parse::<NodeUri>().is_err(), "{other}");
        }
    }
}
