//! `tidy`: removes what has grown old or large below a directory.

use super::attribute::{AbsolutePath, ByteCount, Seconds, ToToml, keywords};
use super::claim::Claim;
use super::define::resource_type;
use super::{Attribute, AttributeError, AttributeKind, Implied, Mismatch, Rules};
use crate::value::Value;

keywords! {
    /// Which time of a file determines its age.
    TidyBy {
        /// When its content was last written.
        Mtime = "mtime",
        /// When it was last read.
        Atime = "atime",
        /// When it was last changed in any way, including its mode or name.
        Ctime = "ctime",
    }
}

/// How deep to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recurse {
    /// Files of this many levels: those in the directory itself, those in its subdirectories, …
    Levels(u32),
    All,
}

impl Recurse {
    /// Whether the content of a directory at this level is looked at; the directory of the title has level 0.
    pub fn reaches(self, level: u32) -> bool {
        match self {
            Self::Levels(levels) => level < levels,
            Self::All => true,
        }
    }
}

impl ToToml for Recurse {
    fn written(&self) -> String {
        match self {
            Self::Levels(levels) => levels.to_string(),
            Self::All => "true".to_owned(),
        }
    }
}

impl Attribute for Recurse {
    const KIND: AttributeKind = AttributeKind::BooleanOrInteger { min: 1, max: 200 };
    fn read(value: &Value) -> Result<Self, Mismatch> {
        match (value.as_bool(), value.as_int()) {
            (Some(true), _) => Ok(Self::All),
            (Some(false), _) => Ok(Self::Levels(1)),
            (_, Some(levels @ 1..=200)) => {
                u32::try_from(levels).map(Self::Levels).map_err(|_| Mismatch::KIND)
            }
            _ => Err(Mismatch::KIND),
        }
    }
}

resource_type! {
    /// Removes files that have grown old or large from a directory, such as sessions, spools and dumps. The title is the directory, or any name beside a `path`: so one directory can have several, with other names and ages. Only regular files go, and with `remove_dirs` empty directories; links are neither followed nor removed, other file systems below are not entered, and what another resource of the catalog claims stays, with all that is in it: in an archive what was unpacked, in a checkout what git knows, and all of the releases of a deployment. What cannot be looked at stays too, and is told. Each removed path is an event, up to 200; how many more there were is said in one. It is never drift: nobody did it but time.
    Tidy("tidy"), titled String {
        /// The directory.
        parameter path: Option<AbsolutePath> => "the title",
        /// Files at least this old: seconds, or a string such as `"14d"`. With `size`, both must hold. If the clock of the machine is ahead of the server's, ages go by the server's, also while the server does not answer. If by the machine's clock the server's certificate has expired, and the server has not answered since the boot, nothing is removed by its age.
        parameter age: Option<Seconds> => "any",
        /// Files of at least this size: bytes, or a string such as `"10M"`.
        parameter size: Option<ByteCount> => "any",
        /// Only files with such a name; `*` and `?` as in the shell. Without it, every name.
        parameter matches: Vec<String> => "any name",
        /// Whether directories below are looked into too, or how many levels: 1 is the directory's own files.
        parameter recurse: Recurse = Recurse::Levels(1),
        /// Whether directories below go too, once they are empty and as old as `age` says.
        parameter remove_dirs: bool = false,
        /// Which time says how old: `mtime` (written), `atime` (read; most systems keep it only by the day) or `ctime` (changed in any way).
        parameter by: TidyBy = TidyBy::Mtime,
    }
}

/// Directories that are never tidied themselves; directories in them may be.
const KEPT: &[&str] = &[
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/sbin",
    "/var",
    "/var/lib",
];

impl Tidy {
    /// The directory to tidy.
    pub fn directory(&self) -> &str {
        self.path.as_ref().map_or(self.title.as_str(), AbsolutePath::as_str)
    }
}

impl Rules for Tidy {
    const SETS: &'static [&'static str] = &["matches"];

    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = Vec::new();
        let mut refuse = |attribute, message: String, help: &str| {
            errors.push(AttributeError::new(attribute, message).help(help));
        };
        let directory = self.directory();
        let named_by = if self.path.is_some() { "path" } else { "title" };
        if AbsolutePath::read(&directory.into()).is_err() {
            let message = format!("`{}` is not a path of a directory", directory.escape_debug());
            refuse(named_by, message, "use an absolute path as the title, or set `path`");
        }
        if KEPT.contains(&directory) || ["/proc/", "/sys/"].iter().any(|dir| directory.starts_with(dir)) {
            let message = format!("`{directory}` contains what the machine needs to run, and is not tidied");
            refuse(named_by, message, "name a directory below it");
        }
        if self.age.is_none() && self.size.is_none() && self.matches.is_empty() {
            let help =
                "give `age`, `size` or `matches`; to empty a directory, use a `file` with purge = true";
            refuse("title", "nothing says what to remove: everything would be removed".to_owned(), help);
        }
        if let Some(bad) = self.matches.iter().find(|name| name.is_empty() || name.contains('/')) {
            let message = format!("`matches` has `{}`, which no file name can match", bad.escape_debug());
            refuse("matches", message, "write patterns of names, without a directory: \"*.log\"");
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        vec![Implied::on_path(self.directory())]
    }

    fn claims(&self) -> Vec<Claim> {
        // It affects only what no resource claims.
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType};

    fn read(title: &str, attributes: &[(&str, Value)]) -> Result<Tidy, Vec<AttributeError>> {
        let all: Attributes = attributes.iter().map(|(k, v)| ((*k).into(), v.clone())).collect();
        Tidy::read(title, &all)
    }

    #[test]
    fn what_would_empty_a_directory_or_harm_the_machine_is_refused() {
        let old = [("age", Value::from("14d"))];
        assert_eq!(read("/var/tmp", &old).unwrap().age, Some(Seconds(14 * 86400)));
        for kept in ["/", "/etc", "/proc/1", "/usr"] {
            assert_eq!(read(kept, &old).unwrap_err()[0].attribute, "title", "{kept}");
        }
        assert_eq!(read("var/tmp", &old).unwrap_err()[0].attribute, "title");
        let twice = [("path", Value::from("/var/tmp")), ("age", "1d".into())];
        assert_eq!(read("dumps", &twice).unwrap().directory(), "/var/tmp");
        assert_eq!(
            read("dumps", &[("path", "/etc".into()), ("age", "1d".into())]).unwrap_err()[0].attribute,
            "path"
        );
        assert!(read("/var/tmp", &[]).unwrap_err()[0].message.contains("everything"));
        assert!(read("/var/tmp", &[("matches", "a/b".into())]).is_err());
    }

    #[test]
    fn depth_is_a_boolean_or_levels() {
        let reaches = |value: Value| {
            let recurse = Recurse::read(&value).unwrap();
            (0..4).filter(|level| recurse.reaches(*level)).count()
        };
        assert_eq!(reaches(false.into()), 1);
        assert_eq!(reaches(1.into()), 1);
        assert_eq!(reaches(3.into()), 3);
        assert_eq!(reaches(true.into()), 4);
        assert!(Recurse::read(&0.into()).is_err());
    }
}
