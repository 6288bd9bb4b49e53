//! Where a file comes from: a URL or a path, without credentials.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{AbsolutePath, Attribute, AttributeKind, Mismatch, Secret};
use crate::hash::ContentHash;
use crate::resource::AttributeError;
use crate::value::Value;

/// Where a file comes from: `https://`, `http://`, `file:///`, or an absolute path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileSource {
    /// An `https` or `http` URL.
    Url(Arc<str>),
    /// A file on the machine.
    Path(AbsolutePath),
}

/// How several files are packed into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// `tar`, with whatever compression the file shows.
    Tar,
    /// `tar`, compressed with gzip.
    TarGzip,
    /// `tar`, compressed with xz.
    TarXz,
    /// `tar`, compressed with zstd.
    TarZstd,
    /// `tar`, compressed with bzip2.
    TarBzip2,
    Zip,
}

/// Suffixes of names, and what they mean.
const FORMATS: [(&str, ArchiveFormat); 10] = [
    (".tar", ArchiveFormat::Tar),
    (".tar.gz", ArchiveFormat::TarGzip),
    (".tgz", ArchiveFormat::TarGzip),
    (".tar.xz", ArchiveFormat::TarXz),
    (".txz", ArchiveFormat::TarXz),
    (".tar.zst", ArchiveFormat::TarZstd),
    (".tzst", ArchiveFormat::TarZstd),
    (".tar.bz2", ArchiveFormat::TarBzip2),
    (".tbz2", ArchiveFormat::TarBzip2),
    (".zip", ArchiveFormat::Zip),
];

impl ArchiveFormat {
    /// Names of the packages that can unpack it and that a small system may lack: Debian's, and those of RPM systems.
    pub fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Tar | Self::TarGzip => &["tar"],
            Self::TarXz => &["xz-utils", "xz"],
            Self::TarZstd => &["zstd"],
            Self::TarBzip2 => &["bzip2"],
            Self::Zip => &["unzip"],
        }
    }
}

impl FileSource {
    /// How it is packed, according to the suffix of its name.
    pub fn format(&self) -> Option<ArchiveFormat> {
        let path = match self {
            Self::Url(url) => url.split('?').next().unwrap_or_default(),
            Self::Path(path) => path.as_str(),
        };
        let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        FORMATS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, format)| *format)
    }

    /// The path, if it is a file on this machine.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Url(_) => None,
            Self::Path(path) => Some(path.as_str()),
        }
    }
}

impl fmt::Display for FileSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(url),
            Self::Path(path) => fmt::Display::fmt(path, f),
        }
    }
}

impl Attribute for FileSource {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        if let Some(path) = text.strip_prefix("file://").or_else(|| text.starts_with('/').then_some(text)) {
            return AbsolutePath::read(&path.into()).map(Self::Path);
        }
        url(text, &["https://", "http://"])?;
        Ok(Self::Url(text.into()))
    }
}

/// Checks a URL with one of these schemes; returns its host and what is before it.
///
/// # Errors
/// Fails on another scheme, a missing host, characters that are not allowed in a URL, a password, or a fragment.
pub(super) fn url<'a>(text: &'a str, schemes: &[&str]) -> Result<&'a str, Mismatch> {
    let named = || schemes.join(", ");
    let Some(rest) = schemes.iter().find_map(|scheme| text.strip_prefix(scheme)) else {
        let why = format!("is `{}`, which is not one of {}", text.escape_debug(), named());
        return Err(Mismatch::because(why).help("give a URL or an absolute path"));
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') && schemes != ["ssh://"] {
        // Not quoted, since it may be a password.
        return Err(Mismatch::because("contains credentials, which everyone would see")
            .help("take them out of the URL and give them as `headers`"));
    }
    let plain = |b: u8| b.is_ascii_graphic() && !b"\"'<>\\^`{|}#".contains(&b);
    if authority.is_empty() || authority.starts_with('-') || text.len() > 4095 || !text.bytes().all(plain) {
        let why = format!("is `{}`, which is not a URL", text.escape_debug());
        return Err(Mismatch::because(why).help("write other characters as %XX; leave a `#` out"));
    }
    Ok(authority)
}

/// What is wrong with headers for `url`: they may contain secrets, and so are sent only over TLS.
pub fn header_error(headers: &BTreeMap<String, Secret>, url: Option<&str>) -> Option<AttributeError> {
    let name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let value = |value: &Secret| value.expose().bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    let wrong = headers.iter().find(|(key, text)| !name(key) || !value(text));
    if let Some((key, _)) = wrong {
        let message = format!("the header `{}` has a name or a value that is not valid", key.escape_debug());
        return Some(AttributeError::new("headers", message).help("use letters, digits and `-` in the name"));
    }
    if headers.is_empty() || url.is_some_and(|url| url.starts_with("https://")) {
        return None;
    }
    let error =
        AttributeError::new("headers", "headers are sent only over https: otherwise others could read them");
    Some(error.help("use an https:// URL, or leave `headers` out"))
}

impl Attribute for ContentHash {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        Self::parse(&text.to_ascii_lowercase()).ok_or_else(|| {
            Mismatch::because(format!("is `{}`, which is not an SHA-256", text.escape_debug()))
                .help("give the 64 hex digits that `sha256sum FILE` prints")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<FileSource, Mismatch> {
        FileSource::read(&text.into())
    }

    #[test]
    fn urls_and_paths_are_sources() {
        assert_eq!(read("file:///srv/a.tar").unwrap(), read("/srv/a.tar").unwrap());
        assert_eq!(read("/srv/a.tar").unwrap().path(), Some("/srv/a.tar"));
        assert_eq!(read("https://dl.example/a?b=c").unwrap().to_string(), "https://dl.example/a?b=c");
        for bad in [
            "ftp://x/y",
            "srv/a",
            "-rf",
            "https://",
            "https:///x",
            "http://h/a b",
            "http://h/\n",
            "http://h/#a",
            "/a/../b",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_quoted() {
        let error = read("https://deploy:hunter2@dl.example/a.tar").unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"));
        assert!(error.help.unwrap().contains("headers"));
        assert!(read("https://dl.example/@scope/pkg.tgz").is_ok());
    }

    #[test]
    fn the_ending_of_the_name_says_how_it_is_packed() {
        let format = |text: &str| read(text).unwrap().format();
        assert_eq!(format("https://h/app-1.2.tar.gz?token=x.zip"), Some(ArchiveFormat::TarGzip));
        assert_eq!(format("/srv/A.TGZ"), Some(ArchiveFormat::TarGzip));
        assert_eq!(format("/srv/a.tar.zst"), Some(ArchiveFormat::TarZstd));
        assert_eq!(format("/srv/a.zip"), Some(ArchiveFormat::Zip));
        assert_eq!(format("https://h/node_exporter"), None);
    }

    #[test]
    fn headers_go_over_tls_and_hold_no_line_break() {
        let headers = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), Secret::from(value))]);
        let token = headers("Authorization", "Bearer x");
        assert_eq!(header_error(&token, Some("https://h/x")), None);
        assert!(header_error(&token, Some("http://h/x")).is_some());
        assert!(header_error(&token, None).is_some());
        assert!(header_error(&headers("A", "x\r\nB: y"), Some("https://h/x")).is_some());
        assert!(header_error(&headers("A: x\nB", "y"), Some("https://h/x")).is_some());
    }

    #[test]
    fn a_hash_is_sixty_four_digits() {
        assert_eq!(ContentHash::read(&"AB".repeat(32).into()).unwrap().as_str(), "ab".repeat(32));
        assert!(ContentHash::read(&"abc".into()).is_err());
    }
}
