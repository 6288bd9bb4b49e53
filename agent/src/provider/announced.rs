//! Types whose definitions are here and whose providers follow.

use holdfast_catalog::resource::{AptKey, AptPin, AptRepository, Firewall, SystemdUnit};

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

fn refused<T>() -> Result<T, Error> {
    Err(Error::Refused("this resource type is not here yet".to_owned()))
}

macro_rules! announced {
    ($($(#[doc = $doc:literal])+ $name:ident of $want:ident;)+) => { $(
        $(#[doc = $doc])+
        pub struct $name;

        impl Provider for $name {
            type Want = $want;
            type Seen = ();
            fn observe(&self, _: &[&$want], _: Reading<'_>) -> Result<(), Error> {
                refused()
            }
            fn plan(&self, _: &$want, _: &(), _: Reading<'_>) -> Result<Plan, Error> {
                refused()
            }
            fn apply(&self, _: &$want, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
                refused()
            }
            fn left<'a>(&self, _: &'a $want) -> Left<'a> {
                Vec::new()
            }
        }
    )+ };
}

announced! {
    /// Keys of apt.
    AptKeys of AptKey;
    /// Pins of apt.
    AptPins of AptPin;
    /// Repositories of apt.
    AptRepositories of AptRepository;
    /// Rules of the firewall.
    FirewallRules of Firewall;
    /// Units of systemd.
    SystemdUnits of SystemdUnit;
}
