//! What a server keeps of a password: a SCRAM-SHA-256 verifier (RFC 5802, RFC 7677), made and compared here.

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use data_encoding::BASE64;
use holdfast_catalog::resource::postgresql_role::is_verifier;
use zeroize::Zeroizing;

/// PostgreSQL's default number of iterations.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).expect("it is not zero");

/// The most iterations that a comparison is worth in a run; with more, the password is set again.
const MAX_ITERATIONS: u32 = 1_000_000;

const SALT_BYTES: usize = 16;

/// Whether the server's verifier belongs to this password, or equals it if it is a verifier.
pub fn is_of(kept: &str, password: &str) -> bool {
    if is_verifier(password) {
        return kept == password;
    }
    let computed = || {
        let (iterations, salt) = kept.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?.0.split_once(':')?;
        let iterations =
            iterations.parse().ok().filter(|count: &NonZeroU32| count.get() <= MAX_ITERATIONS)?;
        Some(compute(password, &BASE64.decode(salt.as_bytes()).ok()?, iterations))
    };
    computed()
        .is_some_and(|own| constant_time::verify_slices_are_equal(own.as_bytes(), kept.as_bytes()).is_ok())
}

/// The verifier for the server: the one that was given, or a new one for the password.
///
/// # Errors
/// Fails if the system has no random numbers.
pub fn for_server(password: &str) -> Result<Zeroizing<String>, getrandom::Error> {
    if is_verifier(password) {
        return Ok(Zeroizing::new(password.to_owned()));
    }
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt)?;
    Ok(compute(password, &salt, ITERATIONS))
}

fn compute(password: &str, salt: &[u8], iterations: NonZeroU32) -> Zeroizing<String> {
    let mut salted = Zeroizing::new([0; digest::SHA256_OUTPUT_LEN]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password.as_bytes(), &mut *salted);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &*salted);
    let client = hmac::sign(&key, b"Client Key");
    let stored = digest::digest(&digest::SHA256, client.as_ref());
    let server = hmac::sign(&key, b"Server Key");
    let (salt, stored, server) =
        (BASE64.encode(salt), BASE64.encode(stored.as_ref()), BASE64.encode(server.as_ref()));
    Zeroizing::new(format!("SCRAM-SHA-256${iterations}:{salt}${stored}:{server}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From PostgreSQL 15.18, for the password `hunter2`.
    const KEPT: &str = "SCRAM-SHA-256$4096:HVRZiEDwFVvs8ftmogOrIA==$cYhI4ExvQu7H/YSRQDRlq05/kqSs/jGFuodb1vfkc9c=:BHMrJYYh8nge/ib9KNxe78uub4i/LKFbO+cjuxvXXbI=";

    #[test]
    fn a_verifier_that_the_server_made_is_recognised() {
        assert!(is_of(KEPT, "hunter2"));
        assert!(!is_of(KEPT, "hunter3"));
        assert!(is_of(KEPT, KEPT));
    }

    #[test]
    fn a_new_verifier_is_of_its_password_and_has_a_salt_of_its_own() {
        let (one, other) = (for_server("hunter2").unwrap(), for_server("hunter2").unwrap());
        assert_ne!(one, other);
        assert!(is_of(&one, "hunter2") && is_of(&other, "hunter2") && is_verifier(&one));
        assert!(!one.contains("hunter2"));
        assert_eq!(*for_server(KEPT).unwrap(), KEPT);
    }

    #[test]
    fn what_is_no_verifier_is_of_no_password() {
        for kept in [
            "",
            "md5a6343a68d964ca596d9752250d54bb8a",
            "SCRAM-SHA-256$0:c2FsdA==$x:y",
            "SCRAM-SHA-256$4096:%$x:y",
        ] {
            assert!(!is_of(kept, "hunter2"), "{kept}");
        }
    }

    #[test]
    fn a_planted_number_of_iterations_costs_no_time() {
        let planted = KEPT.replacen("4096", "2147483647", 1);
        assert!(!is_of(&planted, "hunter2"));
    }
}
