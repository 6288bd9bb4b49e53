//! `mount`: a file system in the machine's tree, through its line in /etc/fstab and the kernel's table.

use super::attribute::{AbsolutePath, Presence, keywords};
use super::claim::{Claim, Hold, PathKind};
use super::define::resource_type;
use super::implied::ancestors;
use super::{Attribute, AttributeError, AttributeKind, Bond, Implied, Mismatch, Rules};
use crate::value::Value;

keywords! {
    /// Whether a file system is in the tree, now and from boot on.
    MountEnsure {
        /// It is in /etc/fstab, and is mounted.
        Mounted = "mounted",
        /// It is in /etc/fstab, and is not mounted.
        Unmounted = "unmounted",
        /// It is in /etc/fstab, mounted or not.
        Present = "present",
        /// It is not in /etc/fstab, and is not mounted.
        Absent = "absent",
    }
}

/// Where a file system is mounted: a path, or `none` for swap space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPoint(AbsolutePathOrNone);

#[derive(Debug, Clone, PartialEq, Eq)]
enum AbsolutePathOrNone {
    Path(AbsolutePath),
    None,
}

impl MountPoint {
    /// The mount point as text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            AbsolutePathOrNone::Path(path) => path.as_str(),
            AbsolutePathOrNone::None => "none",
        }
    }
}

impl Attribute for MountPoint {
    const KIND: AttributeKind = AttributeKind::Path;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        match value.as_str() {
            Some("none") => Ok(Self(AbsolutePathOrNone::None)),
            Some(text) if text.contains(char::is_control) => {
                Err(Mismatch::because("contains a control character"))
            }
            _ => AbsolutePath::read(value).map(|path| Self(AbsolutePathOrNone::Path(path))),
        }
    }
}

resource_type! {
    /// A file system that is mounted at boot: its line of /etc/fstab, whose other lines are left alone, and whether it is mounted now. The title is the mount point, which must be there: manage it as a directory. Swap space has `fstype = "swap"`; its title is `none`, or any path where there are several, and it is known by its device. What systemd makes of the line (`srv-data.mount` of `/srv/data`, and its `.automount`) is managed with it: no `service` or unit file is declared for that, and one on the machine that the boot goes by instead is a failure.
    Mount("mount"), titled MountPoint {
        /// `mounted` (in /etc/fstab, and mounted), `unmounted` (in /etc/fstab only), `present` (in /etc/fstab, mounted or not) or `absent` (neither).
        property ensure: MountEnsure = MountEnsure::Mounted,
        /// What is mounted: a device, `UUID=…`, `LABEL=…`, `host:/path`, a directory for a bind mount, or a word such as `tmpfs`.
        property device: Option<String> => "required, unless absent",
        /// Its type, such as `ext4`, `nfs` or `tmpfs`; `none` for a bind mount.
        property fstype: Option<String> => "required, unless absent",
        /// Its options, with commas between. Where they change it is mounted anew with them, without being unmounted. What the kernel says of `ro`, `noexec`, `nosuid`, `nodev`, times of access, `size`, `mode` and the like is compared too.
        property options: String = "defaults".to_owned(),
        /// Whether dump(8) saves it.
        property dump: u32 = 0,
        /// In which turn it is checked at boot: 1 for `/`, 2 for others, 0 for never.
        property pass: u32 = 0,
    }
}

impl Mount {
    /// Whether it is swap space.
    pub fn is_swap(&self) -> bool {
        self.fstype.as_deref() == Some("swap")
    }

    /// What is mounted; empty if not set.
    pub fn device(&self) -> &str {
        self.device.as_deref().unwrap_or_default()
    }

    /// The path of what is mounted, if it is one: `//host/share` is not.
    pub fn device_path(&self) -> Option<&str> {
        Some(self.device()).filter(|device| device.starts_with('/') && !device.starts_with("//"))
    }

    /// The units that systemd generates for its line: the mount, and the one that mounts it on access. Swap space has
    /// none here.
    pub fn units(&self) -> Vec<String> {
        if self.is_swap() {
            return Vec::new();
        }
        let name = unit_name(self.title.as_str());
        ["mount", "automount"].map(|kind| format!("{name}.{kind}")).into()
    }

    /// The options, one by one.
    pub fn options(&self) -> impl Iterator<Item = &str> {
        self.options.split(',').filter(|option| !option.is_empty())
    }

    /// Whether it shows a directory of this machine at another place.
    pub fn is_bind(&self) -> bool {
        self.options().any(|option| matches!(option, "bind" | "rbind"))
    }
}

/// A path as systemd writes it in a unit's name.
fn unit_name(path: &str) -> String {
    let path = path.trim_matches('/');
    if path.is_empty() {
        return "-".to_owned();
    }
    let mut name = String::with_capacity(path.len());
    for (at, byte) in path.bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if at == 0 => name.push_str("\\x2e"),
            b':' | b'_' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => name.push(char::from(byte)),
            other => name.push_str(&format!("\\x{other:02x}")),
        }
    }
    name
}

/// Mount points that a machine cannot do without.
pub const KEPT: &[&str] = &["/", "/dev", "/proc", "/run", "/sys", "/usr"];

impl Rules for Mount {
    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = Vec::new();
        let mut refuse = |attribute, message: String, help: &str| {
            errors.push(AttributeError::new(attribute, message).help(help));
        };
        let there = self.ensure != MountEnsure::Absent;
        let title = self.title.as_str();
        for (name, value) in [("device", &self.device), ("fstype", &self.fstype)] {
            if there && value.is_none() {
                let help = "say what is mounted: device = \"UUID=…\", fstype = \"ext4\"";
                refuse(name, format!("attribute `{name}` is missing"), help);
            }
        }
        if self.device.as_deref().is_some_and(|device| {
            device.is_empty() || device.starts_with(['#', '-']) || device.contains(char::is_control)
        }) {
            let message = format!("`device` is `{}`, which is not a device", self.device().escape_debug());
            refuse("device", message, "use a path, UUID=…, LABEL=…, host:/path or a word");
        }
        let word = |text: &str| {
            text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) && !text.starts_with('-')
        };
        if self.fstype.as_deref().is_some_and(|fstype| fstype.is_empty() || !word(fstype)) {
            refuse("fstype", "`fstype` is not a file system type".to_owned(), "use one such as \"ext4\"");
        }
        if self.options.is_empty() || self.options.contains(|c: char| c.is_whitespace() || c.is_control()) {
            let help = "write them with commas and no space between: \"noatime,nofail\"";
            refuse("options", "`options` is empty or contains white space".to_owned(), help);
        }
        if matches!(self.ensure, MountEnsure::Unmounted | MountEnsure::Absent) && KEPT.contains(&title) {
            refuse("ensure", format!("a machine does not run without {title}"), "leave it mounted");
        }
        if title == "none" && !self.is_swap() {
            refuse("title", "only swap space has the mount point `none`".to_owned(), "use fstype = \"swap\"");
        }
        if self.is_swap() && self.device.is_none() {
            refuse("device", "swap space is known by its `device`".to_owned(), "name it");
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        let mut implied = Vec::new();
        let title = self.title.as_str();
        match self.ensure {
            MountEnsure::Unmounted | MountEnsure::Absent => {
                // What is in the way of others goes first: before its directory, and before the mounts around it.
                implied.push(Implied::place_of("file", title));
                implied.push(Implied::on_parent(title));
                implied.extend(ancestors("mount", title).into_iter().map(|r| Implied::Under(r, Bond::Place)));
            }
            MountEnsure::Mounted | MountEnsure::Present if !self.is_swap() => {
                implied.push(Implied::on_path(title));
                implied.push(Implied::on_mount(title));
            }
            MountEnsure::Mounted | MountEnsure::Present => {}
        }
        if let Some(path) = self.device_path() {
            implied.push(Implied::on_path(path));
            implied.push(Implied::on_mount(path));
        }
        implied
    }

    fn claims(&self) -> Vec<Claim> {
        let title = self.title.as_str();
        let there = match self.ensure {
            MountEnsure::Absent => Presence::Absent,
            MountEnsure::Mounted | MountEnsure::Unmounted | MountEnsure::Present => Presence::Present,
        };
        if self.is_swap() {
            return vec![Claim::entry("/etc/fstab", "swap space", self.device(), there)];
        }
        let mut claims = vec![Claim::entry("/etc/fstab", "mount point", title, there)];
        // systemd generates both from the line, unless they are defined elsewhere.
        for unit in self.units() {
            claims
                .push(Claim::path(format!("/etc/systemd/system/{unit}"), Hold::Standing(PathKind::Nothing)));
            claims.push(Claim::whole("unit", unit));
        }
        if there == Presence::Present {
            claims.extend([Hold::Something, Hold::Tree].map(|hold| Claim::path(title, hold)));
        }
        claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType};

    fn read(title: &str, attributes: &[(&str, &str)]) -> Result<Mount, Vec<AttributeError>> {
        let mut all: Attributes =
            [("device", "/dev/vdb"), ("fstype", "ext4")].map(|(k, v)| (k.into(), Value::from(v))).into();
        all.extend(attributes.iter().map(|(k, v)| ((*k).into(), Value::from(*v))));
        Mount::read(title, &all)
    }

    #[test]
    fn what_would_break_the_line_or_the_machine_is_refused() {
        assert!(read("/srv/a b", &[("device", "UUID=1-2"), ("options", "noatime,nofail")]).is_ok());
        for (name, bad) in [
            ("device", "#x"),
            ("device", "a\nb"),
            ("fstype", "ext4 x"),
            ("fstype", ""),
            ("options", "a b"),
            ("options", ""),
            ("options", "a\n/dev/x"),
        ] {
            assert_eq!(read("/srv", &[(name, bad)]).unwrap_err()[0].attribute, name, "{bad:?}");
        }
        assert!(read("/srv\nx", &[]).is_err());
        assert_eq!(read("/", &[("ensure", "unmounted")]).unwrap_err()[0].attribute, "ensure");
    }

    #[test]
    fn swap_space_needs_no_mount_point() {
        assert!(read("none", &[("fstype", "swap")]).unwrap().is_swap());
        assert!(read("none", &[]).is_err());
        assert!(Mount::read("/srv", &Attributes::new()).is_err());
        assert!(Mount::read("/srv", &[("ensure".into(), Value::from("absent"))].into()).is_ok());
    }

    #[test]
    fn a_mount_comes_after_the_mounts_around_it() {
        let mount = |path: &str| crate::resource::ResourceRef::new("mount", path);
        let implied = read("/srv/a", &[]).unwrap().implied();
        assert!(implied.contains(&Implied::On(vec![mount("/srv"), mount("/")], Bond::Place)));
        let implied = read("/srv/a", &[("ensure", "absent")]).unwrap().implied();
        assert!(implied.contains(&Implied::Under(mount("/srv"), Bond::Place)));
    }

    /// As `systemd-escape --path` writes them.
    #[test]
    fn a_mount_has_the_units_that_systemd_makes_of_it() {
        for (path, name) in [
            ("/", "-"),
            ("/srv/b", "srv-b"),
            ("/srv/a-b/c.d", "srv-a\\x2db-c.d"),
            ("/.snapshots", "\\x2esnapshots"),
            ("/srv/ü", "srv-\\xc3\\xbc"),
        ] {
            let units = read(path, &[]).unwrap().units();
            assert_eq!(units, [format!("{name}.mount"), format!("{name}.automount")]);
        }
        assert!(read("/srv/b", &[("fstype", "swap")]).unwrap().units().is_empty());
    }
}
