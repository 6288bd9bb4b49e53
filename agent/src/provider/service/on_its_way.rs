//! Services that are starting or stopping, as on a machine that boots: what depends on them is judged by their final
//! state. A run that waited for one in vain does not wait for it again.

use std::path::Path;
use std::time::Duration;

use holdfast_catalog::resource::Service;
use holdfast_catalog::resource::service::ServiceEnsure;

use super::systemd::{Bus, BusError};
use super::unit::is_template;
use super::{SYSTEMD_RUNS, is_unit_name};
use crate::provider::Reading;
use crate::system::{Inspect, glob};

/// How long they are waited for.
const ON_ITS_WAY: Duration = Duration::from_secs(90);

/// Waits for services that should run and are only starting, or should stop and are not yet down.
pub(super) fn wait_for(bus: &Bus, all: &[&Service], reading: Reading<'_>) -> Result<(), BusError> {
    let machine = reading.machine;
    let is_in_vain = |name: &String| machine.in_vain().contains(name);
    let names = |ensure: ServiceEnsure| -> Vec<String> {
        let wanted = all.iter().filter(|want| want.ensure == Some(ensure) && is_unit_name(want));
        wanted.map(|want| want.unit()).filter(|name| !is_template(name) && !is_in_vain(name)).collect()
    };
    let (to_run, to_stop) = (names(ServiceEnsure::Running), names(ServiceEnsure::Stopped));
    if to_run.is_empty() && to_stop.is_empty() {
        return Ok(());
    }
    let (to_run, to_stop) = (
        Vec::from_iter(to_run.iter().map(|name| &**name)),
        Vec::from_iter(to_stop.iter().map(|name| &**name)),
    );
    match bus.settled(&to_run, &to_stop, machine.patience(ON_ITS_WAY), &|| machine.stopping()) {
        Ok(still) => machine.in_vain().extend(still),
        // Then each name is asked for separately.
        Err(BusError::Call { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Waits for a server that could not be reached, if systemd is starting it, whatever manages it. Returns whether to ask
/// it again.
pub(in crate::provider) fn has_started(pattern: &str, machine: &dyn Inspect) -> bool {
    let is_by_systemd = machine.stat(Path::new(SYSTEMD_RUNS)).is_ok_and(|found| found.is_some());
    if !is_by_systemd || machine.in_vain().iter().any(|name| glob::matches(pattern, name)) {
        return false;
    }
    let wait = |bus: Bus| bus.have_started(pattern, machine.patience(ON_ITS_WAY), &|| machine.stopping());
    match Bus::connect().and_then(wait) {
        Ok(Some(true)) => true,
        Ok(Some(false)) => {
            machine.in_vain().insert(pattern.to_owned());
            false
        }
        Ok(None) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::double::Double;

    #[test]
    fn nothing_is_waited_for_where_no_systemd_runs_or_where_that_was_in_vain() {
        let double = Double::new(|_| None);
        assert!(!has_started("postgresql*.service", &double));
        double.put(&format!("{SYSTEMD_RUNS}/x"), "");
        double.in_vain().insert("postgresql@15-main.service".to_owned());
        assert!(!has_started("postgresql*.service", &double));
    }

    #[test]
    fn a_server_whose_service_was_waited_for_in_vain_is_known_by_its_pattern() {
        let like = |name: &str| glob::matches("postgresql*.service", name);
        assert!(
            like("postgresql.service") && like("postgresql@15-main.service") && like("postgresql*.service")
        );
        assert!(!like("postgresql.socket") && !like("nginx.service"));
    }
}
