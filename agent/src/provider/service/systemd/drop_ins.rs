//! The loaded drop-ins of units, in the order in which systemd applies them.

use std::collections::BTreeMap;

use zbus::OwnedObjectPath;

use super::waiting::wait;
use super::{Bus, BusError, UNIT_INTERFACE};

impl Bus {
    /// The drop-ins of these units; a unit that is not loaded is loaded for that.
    pub fn drop_ins_of<'a>(
        &self,
        names: impl Iterator<Item = &'a str> + Send,
    ) -> Result<BTreeMap<String, Vec<String>>, BusError> {
        wait(&self.runtime, async {
            let mut all = BTreeMap::new();
            for name in names {
                let object: OwnedObjectPath = self.manager("LoadUnit", name, &(name,)).await?;
                let paths = self.property::<Vec<String>>(&object, UNIT_INTERFACE, "DropInPaths").await;
                all.insert(name.to_owned(), paths.unwrap_or_default());
            }
            Ok(all)
        })
    }
}
