//! A private key, which never leaves this machine, and the certificate for it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::trust;

/// A private key: PKCS#8 in PEM, wiped from memory when it is dropped.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct PrivateKey(Zeroizing<String>);

impl PrivateKey {
    /// The key in PEM, for TLS and for the identity's file.
    pub fn pem(&self) -> &str {
        &self.0
    }
}

impl From<String> for PrivateKey {
    fn from(pem: String) -> Self {
        Self(pem.into())
    }
}

impl Serialize for PrivateKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivateKey")
    }
}

/// A private key and the certificate for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyPair {
    pub key: PrivateKey,
    /// The certificate, in PEM.
    pub certificate: String,
}

impl KeyPair {
    /// Checks that both can be used.
    ///
    /// # Errors
    /// Returns what is wrong with one of them.
    pub(crate) fn usable(&self) -> Result<(), String> {
        self.validity()?;
        let key = rcgen::KeyPair::from_pem(self.key.pem());
        key.map(|_| ()).map_err(|_| "its key is not valid".to_owned())
    }

    /// The period in which its certificate is valid.
    ///
    /// # Errors
    /// Returns what is wrong with the certificate.
    pub fn validity(&self) -> Result<Validity, String> {
        let der = trust::one_certificate(&self.certificate)?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).map_err(|error| error.to_string())?;
        let moment = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp()).map_err(|error| error.to_string())
        };
        Ok(Validity {
            from: moment(parsed.validity().not_before)?,
            until: moment(parsed.validity().not_after)?,
        })
    }

    /// The URI in its certificate, as the server wrote it.
    pub(crate) fn uri(&self) -> Option<String> {
        use x509_parser::extensions::GeneralName;
        let der = trust::one_certificate(&self.certificate).ok()?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).ok()?;
        let names = parsed.subject_alternative_name().ok()??;
        names.value.general_names.iter().find_map(|name| match name {
            GeneralName::URI(uri) => Some((*uri).to_owned()),
            _ => None,
        })
    }
}

/// The period in which a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    pub from: Timestamp,
    pub until: Timestamp,
}

impl Validity {
    /// The time that is left of it.
    pub fn left(self, now: Timestamp) -> SignedDuration {
        self.until.duration_since(now)
    }

    /// When to renew: at half the certificate's life, shifted by up to a tenth of that. `lot` (0..=255) is the node's
    /// own, so nodes that were enrolled together do not renew together.
    pub fn renewal(self, lot: u8) -> Timestamp {
        let half = self.until.duration_since(self.from).as_secs() / 2;
        let jitter = half / 10 * (i64::from(lot) * 2 - 255) / 255;
        self.from.saturating_add(SignedDuration::from_secs(half + jitter)).unwrap_or(self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_is_at_half_life_give_or_take_a_tenth() {
        let from = Timestamp::UNIX_EPOCH;
        let validity = Validity { from, until: from + SignedDuration::from_hours(200) };
        let hours = |lot| validity.renewal(lot).duration_since(from).as_hours();
        assert_eq!((hours(0), hours(255)), (90, 110));
        assert!((99..=100).contains(&hours(127)), "{}", hours(127));
    }
}
