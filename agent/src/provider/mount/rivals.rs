//! What systemd reads besides the units that it generates from the lines of /etc/fstab: other definitions of these, which
//! take precedence, and drop-ins, which change them.

use std::path::Path;

use holdfast_catalog::resource::Mount;
use holdfast_catalog::resource::mount::MountEnsure;

use super::FSTAB;
use crate::provider::service::settings_of;
use crate::provider::{Error, Reading, unit_path};

/// The keys of a drop-in that change what is mounted, or how. `systemctl set-property` writes others.
const KEYS: [&str; 6] = ["What", "Where", "Type", "Options", "ExtraOptions", "ReadWriteOnly"];

/// The option with which a unit of the kind `automount` is generated.
const AUTOMOUNT: &str = "x-systemd.automount";

/// Fails if the line is as wanted, but something else decides what is mounted.
pub(super) fn refuse(want: &Mount, reading: Reading<'_>) -> Result<(), Error> {
    if want.ensure == MountEnsure::Absent {
        return Ok(());
    }
    for unit in want.units() {
        if let Some(path) = unit_path::hiding_made(&unit, reading.machine)? {
            let does = if unit_path::is_mask(&path, reading.machine)? { "masks" } else { "defines" };
            return Err(Error::Conflict(format!(
                "{} {does} `{unit}`, and {} by that instead of the line of {FSTAB}: remove it, then run \
                 `systemctl daemon-reload`",
                path.display(),
                who_goes(&path)
            )));
        }
        let is_made = !unit.ends_with(".automount") || want.options().any(|option| option == AUTOMOUNT);
        if is_made {
            refuse_drop_ins(&unit, reading)?;
        }
    }
    Ok(())
}

/// Who uses what is at this path: what is below `/run` is gone at the next boot.
fn who_goes(path: &Path) -> &'static str {
    if path.starts_with("/run") { "until the next boot systemd goes" } else { "the boot goes" }
}

fn refuse_drop_ins(unit: &str, reading: Reading<'_>) -> Result<(), Error> {
    for path in unit_path::drop_ins(unit, reading.machine)? {
        // A link to /dev/null, which is one too, changes nothing.
        let Ok(Some(text)) = reading.machine.read_text(&path) else { continue };
        let Some(key) = deciding(&text) else { continue };
        let is_managed = path.to_str().is_some_and(|path| {
            reading.named.spared(reading.machine).is_ok_and(|spared| spared.contains(path))
        });
        if !is_managed {
            return Err(Error::Conflict(format!(
                "{} sets `{key}` of `{unit}`, and {} by that besides the line of {FSTAB}: remove it, then run \
                 `systemctl daemon-reload`; or manage it, as a `file` or a `systemd_unit`",
                path.display(),
                who_goes(&path)
            )));
        }
    }
    Ok(())
}

/// The first key in a drop-in that decides whether something is mounted, what, or how.
fn deciding(text: &str) -> Option<String> {
    let decides = |section: &str, key: &str| match section {
        "Unit" => key.starts_with("Condition") || key.starts_with("Assert"),
        "Mount" | "Automount" => KEYS.contains(&key),
        _ => false,
    };
    settings_of(text).into_iter().find_map(|(section, key, _)| decides(&section, &key).then_some(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_in_decides_by_its_conditions_and_by_what_it_says_of_the_mount() {
        for (text, key) in [
            ("[Unit]\nConditionPathExists=/none\n", Some("ConditionPathExists")),
            ("[Unit]\n AssertHost = x\n", Some("AssertHost")),
            ("[Mount]\nTimeoutSec=1 \\\nOptions=ro\n", None),
            ("[Mount]\n# What=/dev/x\nOptions=size=1m\n", Some("Options")),
            ("[Automount]\nExtraOptions=ro\n", Some("ExtraOptions")),
            ("[Unit]\nAfter=network-online.target\nOptions=x\n", None),
            ("[Mount]\nMemoryMax=1G\nTimeoutSec=10\n", None),
            ("", None),
        ] {
            assert_eq!(deciding(text).as_deref(), key, "{text}");
        }
    }
}
