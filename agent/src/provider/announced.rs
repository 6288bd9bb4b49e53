//! Types whose definitions are here and whose providers follow.

use holdfast_catalog::resource::Firewall;

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
    /// Rules of the firewall.
    FirewallRules of Firewall;
}
