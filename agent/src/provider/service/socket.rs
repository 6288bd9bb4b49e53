//! Sockets. systemd does not start one while the service that it starts is running. A restart of the socket alone would
//! leave it down, and nobody could reach the service any more once that ends.

use super::systemd::{Bus, TriggerSide, UnitVerb, WatchLength};
use super::unit::Unit;
use super::{Error, job};
use crate::provider::Writing;

/// Whether a unit is a socket.
pub(super) fn is_one(unit: &Unit) -> bool {
    unit.name.ends_with(".socket")
}

/// Restarts a socket, stopping the running services that it starts before, and starting them after. Returns what was
/// done. Whatever fails on the way, the socket and the services are started again.
pub(super) fn restart(bus: &Bus, name: &str, writing: Writing<'_>) -> Result<String, Error> {
    let services =
        if bus.starts_many(name)? { Vec::new() } else { bus.up_beside(name, TriggerSide::Starts)? };
    let told = |name: &str, verb: UnitVerb| job(bus, name, verb, WatchLength::Shortly, writing);
    if services.is_empty() {
        told(name, UnitVerb::Restart)?;
        return Ok("restarted".to_owned());
    }
    // The socket first, or it would start them again.
    told(name, UnitVerb::Stop)?;
    let stopped = all(&services, |service| told(service, UnitVerb::Stop));
    let listens = told(name, UnitVerb::Start);
    let started = all(&services, |service| told(service, UnitVerb::Start));
    listens.and(stopped).and(started)?;
    Ok(format!(
        "restarted, and {} around it: a socket cannot be started while they run",
        services.join(" and ")
    ))
}

/// Calls `act` for each name, and returns the first error.
fn all(names: &[String], act: impl Fn(&str) -> Result<(), Error>) -> Result<(), Error> {
    names.iter().map(|name| act(name)).fold(Ok(()), Result::and)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn each_has_its_turn_though_one_fails() {
        let seen = RefCell::new(Vec::new());
        let done = all(&["a".to_owned(), "b".to_owned(), "c".to_owned()], |name| {
            seen.borrow_mut().push(name.to_owned());
            if name == "c" { Ok(()) } else { Err(Error::Refused(name.to_owned())) }
        });
        assert_eq!(done.unwrap_err().to_string(), "a");
        assert_eq!(seen.into_inner(), ["a", "b", "c"]);
    }
}
