//! Services that systemd counts as running without a process.

use super::waiting::wait;
use super::{Bus, BusError, SERVICE_INTERFACE, UNIT_INTERFACE, Unit};

/// Where systemd keeps the units that it generates.
const GENERATED: &str = "/run/systemd/generator";

/// Where scripts of services are.
const SCRIPTS: &str = "/etc/init.d/";

impl Bus {
    /// Whether a service that goes into the background counts as running without a process; with the script that it stands for,
    /// if it stands for one.
    pub fn exited(&self, unit: &Unit) -> Result<Option<Option<String>>, BusError> {
        if !unit.name.ends_with(".service") || unit.object.is_empty() {
            return Ok(None);
        }
        wait(&self.runtime, async {
            let text = |interface, name| self.property::<String>(&unit.object, interface, name);
            if text(UNIT_INTERFACE, "SubState").await.as_deref() != Some("exited")
                || text(SERVICE_INTERFACE, "Type").await.as_deref() != Some("forking")
            {
                return Ok(None);
            }
            let fragment = text(UNIT_INTERFACE, "FragmentPath").await.unwrap_or_default();
            let source = text(UNIT_INTERFACE, "SourcePath").await;
            let is_script = |source: &String| source.starts_with(SCRIPTS) && fragment.starts_with(GENERATED);
            Ok(Some(source.filter(is_script)))
        })
    }
}
