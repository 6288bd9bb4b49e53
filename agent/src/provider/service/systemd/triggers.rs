//! Units that start each other: a socket, a path or a timer, and the services that it starts.

use std::time::Instant;

use super::settling::WATCHED;
use super::waiting::wait;
use super::{Bus, BusError, UNIT_INTERFACE};
use crate::provider::service::unit::UnitActivity;

const SOCKET_INTERFACE: &str = "org.freedesktop.systemd1.Socket";

/// How often a unit is looked at that should stay down.
const EVERY: std::time::Duration = std::time::Duration::from_millis(50);

/// Which units are meant, seen from one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerSide {
    /// Those that it starts.
    Starts,
    /// Those that start it.
    StartedBy,
}

impl TriggerSide {
    fn property(self) -> &'static str {
        match self {
            Self::Starts => "Triggers",
            Self::StartedBy => "TriggeredBy",
        }
    }
}

impl Bus {
    /// The units on one side that are running.
    pub fn up_beside(&self, name: &str, beside: TriggerSide) -> Result<Vec<String>, BusError> {
        wait(&self.runtime, async {
            let object = self.unit_async(name).await?.object;
            let names = self.property::<Vec<String>>(&object, UNIT_INTERFACE, beside.property()).await;
            let mut up = Vec::new();
            for name in names.unwrap_or_default() {
                if self.unit_async(&name).await?.activity.is_up() {
                    up.push(name);
                }
            }
            Ok(up)
        })
    }

    /// Whether a socket starts one service for each connection, none of which must be down for it.
    pub fn starts_many(&self, socket: &str) -> Result<bool, BusError> {
        wait(&self.runtime, async {
            let object = self.unit_async(socket).await?.object;
            Ok(self.property::<bool>(&object, SOCKET_INTERFACE, "Accept").await == Some(true))
        })
    }

    /// Whether a unit that was stopped is down, and still is a moment later.
    pub fn stays_down(&self, name: &str) -> Result<bool, BusError> {
        wait(&self.runtime, async {
            let began = Instant::now();
            while began.elapsed() < WATCHED {
                if matches!(
                    self.unit_async(name).await?.activity,
                    UnitActivity::Running | UnitActivity::Starting
                ) {
                    return Ok(false);
                }
                tokio::time::sleep(EVERY).await;
            }
            Ok(true)
        })
    }
}
