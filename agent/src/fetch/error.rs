//! Why there is no answer: each case in words that say what to do, whoever is at fault.

use std::error::Error as StdError;
use std::time::Duration;

use holdfast_catalog::wire::Refusal;
use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};

use crate::clock::now;
use crate::keypair::Validity;
use crate::trust::WrongPin;

mod clocks;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{server} cannot be reached: {reason}")]
    Unreachable { server: String, reason: String },
    /// The server that answered is not the trusted one; nothing was sent.
    #[error("{0}")]
    Untrusted(String),
    /// The server's certificate has expired by this machine's clock, which may be ahead; nothing was sent.
    #[error("{0}")]
    Expired(String),
    /// The server does not accept this node's certificate.
    #[error("{server} refuses this node's certificate: {reason}")]
    Certificate {
        server: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// The server refused the request.
    #[error("the server refused ({code}): {message}", code = .refusal.code, message = .refusal.message)]
    Refused { status: u16, refusal: Refusal },
    /// The server has an internal error.
    #[error("the server could not answer ({code}): {message}", code = .refusal.code, message = .refusal.message)]
    Broken { status: u16, refusal: Refusal },
    /// The server is overloaded.
    #[error("the server is busy: {message}")]
    Busy {
        message: String,
        /// How long to wait before the next try.
        wait: Duration,
    },
    /// What answered is not a Holdfast server, whatever its certificate says: a dashboard, or something in between.
    #[error(
        "{server} cannot be reached: what answers there ({status}) is not a Holdfast server's port for machines; check \
         the port of `server` in agent.toml, which is 8140 unless the server's settings change it"
    )]
    Foreign {
        server: String,
        /// The HTTP status, which does not refer to what was asked.
        status: u16,
    },
    /// The answer does not follow the protocol.
    #[error("the server's answer cannot be used: {0}")]
    Garbage(String),
    /// This side is unable to send a request.
    #[error("the connection cannot be set up: {0}")]
    Setup(String),
}

impl Error {
    /// How long to wait before another try, if one is worthwhile.
    pub(super) fn worth_another_try(&self) -> Option<Duration> {
        match self {
            Self::Unreachable { .. } => Some(Duration::from_millis(200)),
            Self::Busy { wait, .. } => Some(*wait),
            _ => None,
        }
    }

    /// Whether the same request would always be refused: the server has read it, and says that it is not valid.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Refused { status: 400 | 409 | 413 | 415 | 422, .. })
    }

    /// The error for a transport failure. `own` is the validity of the certificate that was shown, and `is_taken` says
    /// whether the server has accepted it before.
    pub(super) fn of_transport(
        server: &str,
        own: Option<Validity>,
        is_taken: bool,
        error: &reqwest::Error,
    ) -> Self {
        let unreachable = |reason: String| Self::Unreachable { server: server.to_owned(), reason };
        match find::<rustls::Error>(error) {
            Some(rustls::Error::InvalidCertificate(wrong)) => {
                return Self::of_certificate(server, wrong);
            }
            Some(rustls::Error::AlertReceived(alert)) => {
                return Self::Certificate { server: server.to_owned(), reason: alert_words(*alert, own) };
            }
            Some(other) => return unreachable(format!("TLS failed: {other}")),
            None => {}
        }
        if error.is_timeout() {
            let phase =
                if error.is_connect() { "connecting took too long" } else { "it did not answer in time" };
            return unreachable(phase.to_owned());
        }
        let cause = root_cause(error);
        // The resolver's error has no type of its own and no code.
        if cause.contains("lookup address") || cause.contains("Name or service") {
            return unreachable(format!(
                "its name does not resolve ({cause}); check DNS, or `server` in agent.toml"
            ));
        }
        if error.is_connect() {
            return unreachable(cause);
        }
        // With TLS 1.3 a client learns of a refused certificate only after its first request.
        let perhaps = match is_taken {
            true => "it answered other requests of this run: the network may be dropping large packets (MTU)",
            false => "it may have refused this node's certificate",
        };
        unreachable(format!("it closed the connection ({cause}); {perhaps}"))
    }

    /// The error for a certificate of the server that cannot be accepted.
    fn of_certificate(server: &str, wrong: &CertificateError) -> Self {
        match wrong {
            CertificateError::ExpiredContext { time, not_after } => {
                Self::Expired(clocks::server_is_late(server, moment(*not_after), moment(*time)))
            }
            other => Self::Untrusted(untrusted(server, other)),
        }
    }
}

/// What to do about a certificate that the server does not accept.
const ENROL: &str = "; `holdfast node show` on the server says why, and a new join string enrols it again";

fn alert_words(alert: AlertDescription, own: Option<Validity>) -> String {
    match alert {
        AlertDescription::CertificateRevoked => format!("it is revoked{ENROL}"),
        // TLS sends this alert also for one that is not valid yet.
        AlertDescription::CertificateExpired => clocks::node_is_refused(own, now()),
        AlertDescription::UnknownCA => format!("it is from another CA{ENROL}"),
        other => format!("TLS alert {other:?}{ENROL}"),
    }
}

fn untrusted(server: &str, wrong: &CertificateError) -> String {
    match wrong {
        CertificateError::Other(other) => match other.0.downcast_ref::<WrongPin>() {
            Some(pin) => format!("{server}: {pin}"),
            None => format!("{server}: {}", other.0),
        },
        CertificateError::NotValidYetContext { time, not_before } => {
            clocks::server_is_early(server, moment(*not_before), moment(*time))
        }
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "the server's certificate is not for {}, but for {}; use that name, or add this one to the server's certificate",
            expected.to_str(),
            presented.join(", ")
        ),
        other => format!("the certificate of {server} cannot be trusted: {other}"),
    }
}

fn moment(time: UnixTime) -> Timestamp {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::MAX)
}

/// Finds an error of a type in a chain; `io::Error` hides its inner error from `source`.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let held = error.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
        next = match held {
            Some(held) => Some(held as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    None
}

fn root_cause(mut error: &dyn StdError) -> String {
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_inside_an_io_error_is_found() {
        let inner = rustls::Error::AlertReceived(AlertDescription::CertificateRevoked);
        let outer = std::io::Error::other(std::io::Error::other(inner));
        assert!(matches!(find::<rustls::Error>(&outer), Some(rustls::Error::AlertReceived(_))));
        assert!(find::<WrongPin>(&outer).is_none());
    }

    #[test]
    fn a_certificate_that_has_expired_by_this_clock_is_told_from_one_of_another_server() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let expired = CertificateError::ExpiredContext { time: at(900_000), not_after: at(86_400) };
        let early = CertificateError::NotValidYetContext { time: at(86_400), not_before: at(900_000) };
        let is_expired = |wrong| matches!(Error::of_certificate("s:8140", wrong), Error::Expired(_));
        assert!(is_expired(&expired));
        // A clock that is behind makes nothing old.
        assert!(![early, CertificateError::UnknownIssuer].iter().any(is_expired));
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let refusal = || Refusal { code: "x".into(), message: "y".into(), commit: None };
        let refused = |status| Error::Refused { status, refusal: refusal() };
        assert!(refused(409).worth_another_try().is_none() && refused(409).is_final());
        assert!([401, 403, 404, 405, 408, 425].iter().all(|status| !refused(*status).is_final()));
        let busy = Error::Busy { message: "y".into(), wait: Duration::from_secs(3) };
        assert_eq!(busy.worth_another_try(), Some(Duration::from_secs(3)));
    }
}
