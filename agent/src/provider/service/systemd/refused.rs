//! Units whose definition systemd refuses: it reports that to the journal, and to anyone who starts one.

use std::collections::BTreeMap;

use zbus::OwnedObjectPath;

use super::waiting::wait;
use super::{Bus, BusError, UNIT_INTERFACE};

/// Why a unit cannot be loaded from its definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// systemd refuses the definition.
    Refused,
    /// There is no definition.
    Missing,
}

impl Bus {
    /// Those of these units that cannot be loaded from their definitions, which are read for this if they were not yet.
    pub fn unusable<'a>(
        &self,
        names: impl Iterator<Item = &'a str> + Send,
    ) -> Result<BTreeMap<String, Unusable>, BusError> {
        wait(&self.runtime, async {
            let mut unusable = BTreeMap::new();
            for name in names {
                let object: OwnedObjectPath = self.manager("LoadUnit", name, &(name,)).await?;
                let state = self.property::<String>(&object, UNIT_INTERFACE, "LoadState").await;
                let why = match state.as_deref() {
                    Some("bad-setting" | "error") => Unusable::Refused,
                    Some("not-found") => Unusable::Missing,
                    _ => continue,
                };
                unusable.insert(name.to_owned(), why);
            }
            Ok(unusable)
        })
    }
}
