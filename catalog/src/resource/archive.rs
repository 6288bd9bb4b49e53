//! `archive`: a directory, or one file, that is fetched, checked and unpacked.

use std::collections::BTreeMap;

use super::attribute::{
    AbsolutePath, AccountName, ArchiveFormat, FileMode, FileSource, Presence, RelativePath, Seconds, Secret,
    header_error,
};
use super::claim::{Claim, Hold, PathKind};
use super::define::resource_type;
use super::{AttributeError, Implied, Rules};
use crate::hash::ContentHash;

/// The largest `strip`, more leading directories than any archive has.
const MAX_STRIP: u32 = 10;

resource_type! {
    /// A directory that is unpacked from an archive, or one file that is fetched. The title is its path. New content is unpacked beside it and takes its place whole, by one rename: what was changed or added inside is gone then. Until then, what was unpacked is compared at each run with what the agent remembers of it: a file that was changed or is gone, a link, permission bits, and the owner of each are corrected one by one, from the archive; what was added stays, and is not looked at. A file is read only when it was touched.
    Archive("archive"), titled AbsolutePath {
        /// Whether it is there. With `absent`, only what this resource made is removed, unless `force` says more.
        property ensure: Presence = Presence::Present,
        /// Where the archive is: `https://`, `http://`, `file:///` or an absolute path of the machine. TLS trusts the machine's own certificate authorities. Up to five redirects are followed, never from https to http. Credentials have no place in it: see `headers`.
        parameter source: Option<FileSource> => "required, unless absent",
        /// The SHA-256 of the archive in hex. It is checked before anything is unpacked, and another one is how a new version is asked for.
        property sha256: Option<ContentHash> => "required, unless absent",
        /// Whether it is unpacked. Without it, what ends in `.tar`, `.tar.gz`, `.tgz`, `.tar.xz`, `.tar.zst`, `.tar.bz2` or `.zip` is, and anything else is put there as the file that it is.
        parameter extract: Option<bool> => "by the source's name",
        /// So many leading directories of the archive are left out; what is beside them is dropped.
        parameter strip: u32 = 0,
        /// The owner of it and of all that is in it, what was added too; where nobody is declared, root of all that was unpacked.
        property owner: Option<AccountName> => "`\"root\"`",
        /// The group of it and of all that is in it, what was added too; where none is declared, root of all that was unpacked.
        property group: Option<AccountName> => "`\"root\"`",
        /// Permission bits of the directory itself, or of the file. What is in the directory has the archive's, without set-id bits and without write for others.
        property mode: Option<FileMode> => "`\"0755\"` for a new directory, `\"0644\"` for a new file",
        /// A path below the directory that the archive must hold, such as `bin/app`: where it is missing, it is fetched again.
        property creates: Option<RelativePath> => "none",
        /// Replaces or removes what is at the path though this resource did not make it, with all that it holds. A directory in which another resource has something stays, and both fail.
        parameter force: bool = false,
        /// Names in it that are not compared with what was unpacked, at any depth, such as a file that the program writes itself; what other resources manage in it is left to them by itself: `*` stands for any run of characters, `?` for one. A new version replaces them all the same.
        parameter ignore: Vec<String>,
        /// Headers that are sent to the source's own host, such as `Authorization`; they may be secret, and go over https only.
        parameter headers: BTreeMap<String, Secret>,
        /// How long fetching may take, and unpacking.
        parameter timeout: Seconds = Seconds(600),
    }
}

impl Archive {
    /// How it is unpacked; `None` if it is one file.
    pub fn format(&self) -> Option<ArchiveFormat> {
        let by_name = self.source.as_ref().and_then(FileSource::format);
        match self.extract {
            Some(false) => None,
            Some(true) => by_name.or(Some(ArchiveFormat::Tar)),
            None => by_name,
        }
    }
}

/// Checks a source and its headers, wherever they are attributes.
pub(super) fn source_errors(
    source: Option<&FileSource>,
    headers: &BTreeMap<String, Secret>,
    strip: u32,
) -> Vec<AttributeError> {
    let url = source.and_then(|source| if let FileSource::Url(url) = source { Some(&**url) } else { None });
    let mut errors: Vec<_> = header_error(headers, url).into_iter().collect();
    if strip > MAX_STRIP {
        let error = AttributeError::new("strip", format!("`strip` is {strip}, more than {MAX_STRIP}"));
        errors.push(error.help("say how many leading directories of the archive are left out"));
    }
    errors
}

/// What comes before something that is unpacked: the programs for it, the certificate authorities for TLS, and the
/// archive if it is a file.
pub(super) fn source_implied(source: &FileSource, format: Option<ArchiveFormat>) -> Vec<Implied> {
    let packages = format.map(ArchiveFormat::packages).unwrap_or_default();
    let mut implied: Vec<_> = packages.iter().map(|name| Implied::on("package", *name)).collect();
    match source {
        FileSource::Url(_) => implied.push(Implied::after("package", "ca-certificates")),
        FileSource::Path(path) => implied.push(Implied::on_path(path.as_str())),
    }
    implied
}

impl Rules for Archive {
    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = source_errors(self.source.as_ref(), &self.headers, self.strip);
        let mut refuse = |attribute, message: &str, help: &str| {
            errors.push(AttributeError::new(attribute, message).help(help));
        };
        if self.title.as_str() == "/" {
            refuse("title", "the root directory is not an archive", "name a directory below it");
        }
        if self.ensure == Presence::Absent {
            return errors;
        }
        if self.source.is_none() {
            refuse("source", "an archive needs a `source`", "say where it is: source = \"https://…\"");
        }
        if self.sha256.is_none() {
            refuse(
                "sha256",
                "an archive needs a `sha256`",
                "give the 64 hex digits that `sha256sum FILE` prints",
            );
        }
        if self.source.is_some() && self.format().is_none() && (self.strip > 0 || self.creates.is_some()) {
            let help = "leave `strip` and `creates` out, or say extract = true";
            refuse("extract", "`strip` and `creates` are for archives, and this is one file", help);
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        let mut implied = vec![Implied::on_parent(self.title.as_str())];
        implied.extend(self.owner.iter().map(|owner| Implied::on("user", owner.as_str())));
        implied.extend(self.group.iter().map(|group| Implied::on_group(group.as_str())));
        implied.extend(self.source.iter().flat_map(|source| source_implied(source, self.format())));
        implied
    }

    fn claims(&self) -> Vec<Claim> {
        let path = self.title.as_str();
        if self.ensure == Presence::Absent {
            return Claim::standing(path, PathKind::Nothing);
        }
        let mut claims = match self.format() {
            Some(_) => Claim::whole_tree(path),
            None => Claim::standing(path, PathKind::File),
        };
        let sides = [Some("owner"), Some("group"), self.mode.map(|_| "mode")];
        claims.extend(sides.into_iter().flatten().map(|side| Claim::path(path, Hold::Side(side))));
        claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType as _};
    use crate::value::Value;

    fn read(title: &str, attributes: &[(&str, Value)]) -> Result<Archive, Vec<AttributeError>> {
        let attributes: Attributes = attributes.iter().map(|(k, v)| ((*k).into(), v.clone())).collect();
        Archive::read(title, &attributes)
    }

    fn wrong(attributes: &[(&str, Value)]) -> Vec<&'static str> {
        let errors = read("/opt/app", attributes).unwrap_err();
        assert!(errors.iter().all(|error| error.help.is_some()), "{errors:?}");
        errors.iter().map(|error| error.attribute).collect()
    }

    fn hash() -> Value {
        "ab".repeat(32).as_str().into()
    }

    #[test]
    fn the_name_or_the_data_says_whether_it_is_unpacked() {
        let format = |source: &str, more: &[(&str, Value)]| {
            let mut attributes = vec![("source", Value::from(source)), ("sha256", hash())];
            attributes.extend_from_slice(more);
            read("/opt/app", &attributes).unwrap().format()
        };
        assert_eq!(format("https://h/a.tar.xz", &[]), Some(ArchiveFormat::TarXz));
        assert_eq!(format("https://h/tool", &[]), None);
        assert_eq!(format("https://h/tool", &[("extract", true.into())]), Some(ArchiveFormat::Tar));
        assert_eq!(format("https://h/a.zip", &[("extract", false.into())]), None);
    }

    #[test]
    fn what_is_missing_or_contradicts_is_said_with_the_cure() {
        assert_eq!(wrong(&[]), ["source", "sha256"]);
        assert_eq!(
            wrong(&[("source", "/srv/tool".into()), ("sha256", hash()), ("strip", 1.into())]),
            ["extract"]
        );
        assert_eq!(
            wrong(&[("source", "/srv/a.tar".into()), ("sha256", hash()), ("strip", 11.into())]),
            ["strip"]
        );
        assert!(read("/", &[("ensure", "absent".into())]).is_err());
        assert!(read("/opt/app", &[("ensure", "absent".into())]).is_ok());
    }

    #[test]
    fn what_unpacks_it_and_who_owns_it_come_first() {
        let attributes =
            [("source", "/srv/a.tar.xz".into()), ("sha256", hash()), ("owner", Value::from("shop"))];
        let implied = read("/opt/app", &attributes).unwrap().implied();
        for edge in [
            Implied::on("package", "xz-utils"),
            Implied::on("user", "shop"),
            Implied::on_path("/srv/a.tar.xz"),
        ] {
            assert!(implied.contains(&edge), "{edge:?} of {implied:?}");
        }
    }
}
