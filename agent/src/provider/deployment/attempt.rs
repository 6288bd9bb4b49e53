//! Fingerprints: of what a release is made from, and of everything that may be why it failed.

use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::resource::Deployment;
use holdfast_catalog::value::MASK;
use jiff::Timestamp;

use super::marker::FailedRelease;

/// The fingerprint of what a release is made from.
pub fn content(want: &Deployment) -> String {
    let words = match (&want.sha256, &want.remote) {
        (_, Some(remote)) => {
            let revision = revision(want);
            format!("git {remote} {revision} {}", want.submodules)
        }
        (Some(sha256), None) => format!("archive {sha256} {}", want.strip),
        (None, None) => String::new(),
    };
    ContentHash::of(words.as_bytes()).to_string()
}

/// The wanted revision of the remote.
pub fn revision(want: &Deployment) -> &str {
    want.revision.as_ref().map_or(want.version.as_str(), |revision| revision.as_str())
}

/// The record of a release that failed now.
pub fn failed(want: &Deployment, why: &str) -> FailedRelease {
    let at = Timestamp::now();
    let mut random = [0; 16];
    let salt = match getrandom::fill(&mut random) {
        Ok(()) => data_encoding::HEXLOWER.encode(&random),
        // A salt that can be guessed is better than a release that is tried again and again.
        Err(_) => at.to_string(),
    };
    let attempt = fingerprint(want, &salt);
    FailedRelease { at, why: masked(want, why), salt, attempt }
}

/// Whether this is still the release that failed: nothing that may have been the reason has changed.
pub fn is_same(want: &Deployment, failed: &FailedRelease) -> bool {
    failed.attempt == fingerprint(want, &failed.salt)
}

/// The fingerprint of everything that may be the reason. The environment may be secret: with a salt, equal ones cannot
/// be recognized.
fn fingerprint(want: &Deployment, salt: &str) -> String {
    let environment: Vec<_> = want.environment.iter().map(|(name, value)| (name, value.expose())).collect();
    let all = format!(
        "{salt} {} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {environment:?}",
        content(want),
        want.build,
        want.activate,
        want.health,
        want.health_timeout,
        want.timeout,
        want.user,
        want.group,
        want.shared,
    );
    ContentHash::of(all.as_bytes()).to_string()
}

/// A text without the secrets of the environment, for files that the redaction of reports does not cover.
pub fn masked(want: &Deployment, text: &str) -> String {
    let secrets = want.environment.values().filter(|value| value.is_sensitive()).map(|value| value.expose());
    secrets
        .filter(|secret| !secret.is_empty())
        .fold(text.to_owned(), |text, secret| text.replace(&*secret, MASK))
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::value::{Kind, Sensitive, Value};

    use super::*;
    use crate::provider::trial::want;

    fn deployment(more: &[(&str, Value)]) -> Deployment {
        let sha256 = "ab".repeat(32);
        let all =
            [("version", "1".into()), ("source", "/a.tar".into()), ("sha256", Value::from(sha256.as_str()))];
        let mut all = Vec::from(all);
        all.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        all.extend_from_slice(more);
        want("/srv/shop", &all)
    }

    fn secret(text: &str) -> Value {
        [("TOKEN", Kind::Sensitive(Sensitive::text(text)).into())].into()
    }

    #[test]
    fn whatever_could_have_been_the_reason_is_worth_another_try() {
        let failed = failed(&deployment(&[]), "because");
        assert!(is_same(&deployment(&[("keep", 9.into())]), &failed));
        for (name, value) in [
            ("sha256", Value::from("cd".repeat(32).as_str())),
            ("build", "make".into()),
            ("activate", "true".into()),
            ("health", "true".into()),
            ("health_timeout", 5.into()),
            ("environment", secret("hunter2")),
        ] {
            assert!(!is_same(&deployment(&[(name, value)]), &failed), "{name}");
        }
    }

    #[test]
    fn nothing_secret_is_written_down() {
        let want = deployment(&[("environment", secret("hunter2"))]);
        let failed = failed(&want, "cannot log in with hunter2");
        assert_eq!(failed.why, "cannot log in with [sensitive]");
        assert!(is_same(&want, &failed) && !serde_json::to_string(&failed).unwrap().contains("hunter2"));
    }

    #[test]
    fn how_it_is_built_is_not_what_it_is_made_from() {
        let content = |more: &[(&str, Value)]| content(&deployment(more));
        assert_eq!(content(&[]), content(&[("build", "make".into()), ("source", "https://h/a.tar".into())]));
        assert_ne!(content(&[]), content(&[("strip", 1.into())]));
    }
}
