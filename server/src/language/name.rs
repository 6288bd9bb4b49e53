//! Names of classes and defines, and the paths that they come from.

use std::fmt;
use std::sync::Arc;

use crate::repo::{ModuleFolder, ModulePath};

/// The full name of a class or define: `nginx`, `profile::web::tls`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ManifestName(Arc<str>);

impl ManifestName {
    /// The name that follows from the path of a file under `modules/`; `None` if it is not the path of a manifest.
    ///
    /// # Errors
    /// Returns an error if the path is a manifest's, but a part of it is not a valid name.
    pub fn of_path(path: &str) -> Option<Result<Self, String>> {
        let path = ModulePath::of(path).filter(|path| path.folder == ModuleFolder::Manifests)?;
        let (module, inner) = (path.module, path.name.strip_suffix(".toml")?);
        let mut segments = vec![module];
        if inner != "init" {
            segments.extend(inner.split('/'));
        }
        Some(match segments.iter().find(|segment| !is_segment(segment)) {
            Some(bad) => Err(format!(
                "`{bad}` in the path is not a name: use lower-case letters, digits and `_`, beginning with a letter"
            )),
            None => Ok(Self(segments.join("::").into())),
        })
    }

    /// Parses a name such as `a::b`; `None` if it is not valid.
    pub fn parse(text: &str) -> Option<Self> {
        is_name(text).then(|| Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as shared text.
    pub fn shared(&self) -> &Arc<str> {
        &self.0
    }

    /// Its module, in which its templates and files are found.
    pub fn module(&self) -> &str {
        self.0.split("::").next().unwrap_or_default()
    }
}

/// Whether a text is a valid part of a name: `[a-z][a-z0-9_]*`.
pub fn is_segment(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Whether a text is a valid name of a class or define.
pub fn is_name(text: &str) -> bool {
    text.split("::").all(is_segment)
}

impl fmt::Display for ManifestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ManifestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for ManifestName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_name() {
        for (path, name) in [
            ("modules/chrony/manifests/init.toml", "chrony"),
            ("modules/profile/manifests/web/tls.toml", "profile::web::tls"),
        ] {
            let parsed = ManifestName::of_path(path).unwrap().unwrap();
            assert_eq!(parsed.as_str(), name);
        }
    }

    #[test]
    fn other_paths_are_no_manifests_and_bad_parts_are_errors() {
        for path in [
            "modules/a/templates/x.hbs",
            "modules/a/manifests/x.md",
            "hieradata/common.toml",
            "modules/x.toml",
        ] {
            assert!(ManifestName::of_path(path).is_none(), "{path}");
        }
        let error = ManifestName::of_path("modules/a/manifests/My-Class.toml").unwrap().unwrap_err();
        assert!(error.contains("`My-Class`"), "{error}");
    }
}
