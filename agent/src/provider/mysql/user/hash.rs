//! What a server keeps of a password for `mysql_native_password`: SHA-1 of SHA-1.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use data_encoding::HEXUPPER;

/// The hash of a password.
pub fn of(password: &str) -> String {
    let once = digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let twice = digest(&SHA1_FOR_LEGACY_USE_ONLY, once.as_ref());
    format!("*{}", HEXUPPER.encode(twice.as_ref()))
}

#[test]
fn it_is_what_the_server_makes_of_it() {
    // From MariaDB 10.11: SELECT PASSWORD('hunter2').
    assert_eq!(of("hunter2"), "*58815970BE77B3720276F63DB198B1FA42E5CC02");
}
