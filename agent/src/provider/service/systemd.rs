//! systemd over D-Bus: the few calls that a service needs, each of which is waited for.
//!
//! zbus is asynchronous. The code that plans and applies is not, and may be in a runtime of its own. So the bus has its
//! own runtime, and each call is waited for on a thread of its own.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use holdfast_catalog::resource::service::ServiceEnable;
use serde::de::DeserializeOwned;
use zbus::{Connection, DynamicType, OwnedObjectPath, OwnedVariant, Type};

use crate::stop::StopReason;

use super::unit::{Definition, Enabling, Unit, UnitActivity, is_template};

mod drop_ins;
mod exited;
mod job;
mod older;
mod refused;
mod relapse;
mod settling;
mod stale;
mod starting;
mod state;
mod triggers;
mod waiting;

pub use job::{UnitVerb, WatchLength};
pub use refused::Unusable;
pub use stale::StaleUnit;
pub use state::UnitEnding;
pub use triggers::TriggerSide;
use waiting::{connect, wait};

const SYSTEMD: &str = "org.freedesktop.systemd1";
const MANAGER: &str = "/org/freedesktop/systemd1";
const MANAGER_INTERFACE: &str = "org.freedesktop.systemd1.Manager";
const UNIT_INTERFACE: &str = "org.freedesktop.systemd1.Unit";
const SERVICE_INTERFACE: &str = "org.freedesktop.systemd1.Service";

/// How long systemd may take to answer; answering needs no work but reading unit files.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the bus may take to identify itself.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Why systemd could not be asked, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    #[error(
        "systemd cannot be asked over D-Bus: {0}; install the package `dbus`, or see `systemctl status dbus.socket`"
    )]
    Unreachable(zbus::Error),
    /// The bus accepts connections and does not answer.
    #[error(
        "systemd cannot be asked: the bus did not answer within {} s and may hang; see `systemctl status dbus`", .0.as_secs()
    )]
    Silent(Duration),
    /// The run must stop.
    #[error("{0} before systemd had answered; the request may still succeed")]
    Stopped(StopReason),
    /// The runtime for it could not be created.
    #[error("systemd cannot be asked: {0}")]
    Runtime(std::io::Error),
    /// systemd refused a call.
    #[error("systemd refused {call} for {unit}: {source}")]
    Call { call: &'static str, unit: String, source: zbus::Error },
    /// A job did not end in time, and may still end.
    #[error("{unit} could not be {wanted}: still working on it after {} s, and systemd keeps trying", .after.as_secs())]
    StillAtIt {
        unit: String,
        /// The wanted result, such as `started`.
        wanted: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
    /// A job did not end well.
    #[error("{unit} could not be {wanted}: {said}")]
    Job {
        unit: String,
        /// The wanted result, such as `started`.
        wanted: &'static str,
        /// How it ended.
        said: String,
        /// The run that failed, by its id in the journal.
        run: Option<String>,
        /// The unit whose failure was the cause, if it is another one.
        by: Option<String>,
    },
}

impl BusError {
    /// Whether systemd reports that it has no such unit.
    fn is_no_such_unit(&self) -> bool {
        self.is_called("org.freedesktop.systemd1.NoSuchUnit")
    }

    /// Whether systemd reports that this connection already receives its signals.
    fn is_already_subscribed(&self) -> bool {
        self.is_called("org.freedesktop.systemd1.AlreadySubscribed")
    }

    fn is_called(&self, name: &str) -> bool {
        let Self::Call { source: zbus::Error::MethodError(error, ..), .. } = self else { return false };
        error.as_str() == name
    }
}

/// Units by the names that were asked for.
pub type Units = HashMap<String, Result<Unit, BusError>>;

/// What systemd has read of a unit's drop-ins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropIns {
    pub paths: Vec<String>,
    /// Whether it has read a definition of the unit to which they can belong.
    pub is_loaded: bool,
    /// When it last read all definitions, in microseconds since 1970.
    pub at: Option<i64>,
}

/// A connection to systemd.
pub struct Bus {
    runtime: tokio::runtime::Runtime,
    connection: Connection,
}

impl Bus {
    /// Connects over the system bus.
    pub fn connect() -> Result<Self, BusError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(BusError::Runtime)?;
        let connection = connect(&runtime, zbus::connection::Builder::system(), CONNECT_TIMEOUT)?;
        Ok(Self { runtime, connection })
    }

    /// These units, by the names that were given. A name that systemd refuses has an error.
    pub fn units(&self, names: Vec<String>) -> Result<Units, BusError> {
        wait(&self.runtime, self.units_async(names))
    }

    /// The unit with this name.
    pub fn unit(&self, name: &str) -> Result<Unit, BusError> {
        wait(&self.runtime, self.unit_async(name))
    }

    /// Makes systemd read all definitions again.
    pub fn reload_definitions(&self) -> Result<(), BusError> {
        wait(&self.runtime, self.manager("Reload", "all units", &()))
    }

    /// The drop-ins of a unit that systemd has read.
    pub fn drop_ins(&self, unit: &Unit) -> Result<DropIns, BusError> {
        wait(&self.runtime, async {
            let paths = self.property(&unit.object, UNIT_INTERFACE, "DropInPaths").await;
            let load_state = self.property::<String>(&unit.object, UNIT_INTERFACE, "LoadState").await;
            Ok(DropIns {
                paths: paths.unwrap_or_default(),
                is_loaded: load_state.is_some_and(|state| state == "loaded"),
                at: self.read_at_async().await,
            })
        })
    }

    /// The file from which systemd has a unit; `None` if it has read none.
    pub fn fragment(&self, unit: &Unit) -> Option<PathBuf> {
        if unit.object.is_empty() {
            return None;
        }
        let path = async { Ok(self.property::<String>(&unit.object, UNIT_INTERFACE, "FragmentPath").await) };
        let path = wait(&self.runtime, path).ok().flatten()?;
        Some(PathBuf::from(path)).filter(|path| path.is_absolute())
    }

    /// When all definitions were last read, in microseconds since 1970; the current time if that is unknown.
    pub fn read_at(&self) -> i64 {
        let when = async { Ok(self.read_at_async().await) };
        wait(&self.runtime, when).ok().flatten().unwrap_or(i64::MAX)
    }

    /// When all definitions were last read, in microseconds since 1970; `None` if that is unknown.
    async fn read_at_async(&self) -> Option<i64> {
        let when = self.property::<u64>(MANAGER, MANAGER_INTERFACE, "UnitsLoadTimestamp").await;
        when.map(|micros| i64::try_from(micros).unwrap_or(i64::MAX))
    }

    /// Enables, disables or masks a unit.
    pub fn set_enabling(&self, name: &str, enable: ServiceEnable) -> Result<(), BusError> {
        wait(&self.runtime, self.set_enabling_async(name, enable))
    }

    async fn set_enabling_async(&self, name: &str, enable: ServiceEnable) -> Result<(), BusError> {
        let names = [name];
        // At runtime and permanently: one hides the other, and neither should be left behind.
        const BOTH: [bool; 2] = [true, false];
        if enable != ServiceEnable::Masked {
            for for_now in BOTH {
                self.manager::<_, LinkChanges>("UnmaskUnitFiles", name, &(&names[..], for_now)).await?;
            }
        }
        match (enable, self.enabling(name).await?) {
            (ServiceEnable::Masked, _) => {
                self.manager::<_, LinkChanges>("MaskUnitFiles", name, &(&names[..], false, false)).await?;
            }
            // An enabled unit may lack links that its file asks for.
            (ServiceEnable::Enabled, Enabling::Disabled | Enabling::EnabledForNow | Enabling::Enabled) => {
                self.manager::<_, (bool, LinkChanges)>("EnableUnitFiles", name, &(&names[..], false, false))
                    .await?;
            }
            (ServiceEnable::Disabled, Enabling::Enabled | Enabling::EnabledForNow) => {
                for for_now in BOTH {
                    self.manager::<_, LinkChanges>("DisableUnitFiles", name, &(&names[..], for_now)).await?;
                }
            }
            _ => {}
        }
        // New or removed links take effect only when systemd has read them.
        self.manager("Reload", name, &()).await
    }

    async fn units_async(&self, names: Vec<String>) -> Result<Units, BusError> {
        let mut units = HashMap::with_capacity(names.len());
        let (templates, names): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| is_template(name));
        for name in templates {
            let unit = self.template(&name).await;
            units.insert(name, unit);
        }
        match self.manager::<_, Vec<ListedUnit>>("ListUnitsByNames", "all units", &(&names,)).await {
            // One for each name and in their order. If the given name is an alias, its unit is listed under its own
            // name.
            Ok(listed) => {
                for (asked, listed) in names.into_iter().zip(listed) {
                    let unit = self.enabling(&listed.0).await.map(|enabling| read_unit(listed, enabling));
                    units.insert(asked, unit);
                }
            }
            // One name that systemd refuses spoils the query for all.
            Err(BusError::Call { .. }) => {
                for name in names {
                    let unit = self.unit_async(&name).await;
                    units.insert(name, unit);
                }
            }
            Err(error) => return Err(error),
        }
        Ok(units)
    }

    /// A template, of which systemd knows only the file.
    async fn template(&self, name: &str) -> Result<Unit, BusError> {
        let enabling = self.enabling(name).await?;
        let definition = if enabling == Enabling::Unknown { Definition::Missing } else { Definition::Found };
        let activity = UnitActivity::Stopped;
        Ok(Unit {
            name: name.to_owned(),
            object: String::new(),
            definition,
            activity,
            enabling,
            by_script: false,
            hollow: None,
            fall: None,
        })
    }

    async fn unit_async(&self, name: &str) -> Result<Unit, BusError> {
        if is_template(name) {
            return self.template(name).await;
        }
        let listed = self.listed(name).await?;
        let enabling = self.enabling(&listed.0).await?;
        Ok(read_unit(listed, enabling))
    }

    async fn listed(&self, name: &str) -> Result<ListedUnit, BusError> {
        let listed: Vec<ListedUnit> = self.manager("ListUnitsByNames", name, &([name].as_slice(),)).await?;
        listed.into_iter().next().ok_or_else(|| {
            let source = zbus::Error::Failure("it is not a valid unit name".to_owned());
            BusError::Call { call: "ListUnitsByNames", unit: name.to_owned(), source }
        })
    }

    /// Read from the disk and not from systemd's memory, since links are made and removed by hand.
    async fn enabling(&self, name: &str) -> Result<Enabling, BusError> {
        match self.manager::<_, String>("GetUnitFileState", name, &(name,)).await {
            Ok(state) => Ok(Enabling::read(&state)),
            Err(BusError::Call { source: zbus::Error::FDO(error), .. })
                if matches!(*error, zbus::fdo::Error::FileNotFound(_)) =>
            {
                Ok(Enabling::Unknown)
            }
            Err(error) if error.is_no_such_unit() => Ok(Enabling::Unknown),
            Err(error) => Err(error),
        }
    }

    /// A property; `None` if the unit has none of that name.
    async fn property<T: TryFrom<OwnedVariant>>(
        &self,
        object: &str,
        interface: &'static str,
        name: &'static str,
    ) -> Option<T> {
        let properties = Some("org.freedesktop.DBus.Properties");
        let get = (interface, name);
        let value = self.connection.call_method(Some(SYSTEMD), object, properties, "Get", &get).await.ok()?;
        let value: OwnedVariant = value.body().deserialize().ok()?;
        T::try_from(value).ok()
    }

    /// Calls a method of systemd's manager about a unit.
    async fn manager<B, R>(&self, call: &'static str, unit: &str, body: &B) -> Result<R, BusError>
    where
        B: serde::Serialize + DynamicType + Sync,
        R: DeserializeOwned + Type,
    {
        let failed = |source| BusError::Call { call, unit: unit.to_owned(), source };
        let reply =
            self.connection.call_method(Some(SYSTEMD), MANAGER, Some(MANAGER_INTERFACE), call, body).await;
        reply.map_err(failed)?.body().deserialize().map_err(failed)
    }
}

/// Links that were made or removed: kind, path, target.
type LinkChanges = Vec<(String, String, String)>;

/// A unit in the answer of `ListUnitsByNames`: name, description, load state, active state, sub state, followed unit,
/// object, and the job that is queued: id, type, object.
type ListedUnit =
    (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

fn read_unit((name, _, load, active, sub, _, object, ..): ListedUnit, enabling: Enabling) -> Unit {
    Unit {
        name,
        object: object.to_string(),
        definition: Definition::read(&load),
        activity: UnitActivity::read(&active, &sub),
        enabling,
        by_script: false,
        hollow: None,
        fall: None,
    }
}
