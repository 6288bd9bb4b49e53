//! A catalog that a person gives as a file: a bundle, or only a catalog.

use std::collections::BTreeMap;
use std::io::{Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_catalog::catalog::{Bundle, Catalog, InvalidCatalog};
use holdfast_catalog::certname::Certname;
use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::value::is_masked;

use crate::content::{self, ContentSource};

mod unread;

/// The most bytes of a bundle.
const MAX_BYTES: u64 = 512 * 1024 * 1024;

/// A catalog from a file, with the contents that came with it.
#[derive(Debug)]
pub struct GivenCatalog {
    pub(super) catalog: Arc<Catalog>,
    contents: BTreeMap<ContentHash, Vec<u8>>,
}

/// Why a file cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read the catalog {path}: {error}")]
    Read { path: PathBuf, error: std::io::Error },
    /// It is not a catalog.
    #[error("{path} {words}")]
    Parse {
        path: PathBuf,
        /// What it is instead, where, and what to do.
        words: String,
    },
    /// It is not text.
    #[error("{0} is not text, so it is not JSON: unpack a packed file first")]
    NotText(PathBuf),
    /// Its secrets are masked.
    #[error(
        "{0} contains masked secrets: it is only for viewing; `holdfast compile --bundle FILE --with-secrets` writes a \
         bundle that can be applied"
    )]
    Masked(PathBuf),
    /// A content of the bundle is not what its name says.
    #[error("{path}: the content {name} is damaged; write the bundle again")]
    Content {
        path: PathBuf,
        /// The name, as it is in the bundle.
        name: String,
    },
    /// It is a catalog that cannot be enforced.
    #[error("{path}: {error}")]
    Invalid { path: PathBuf, error: InvalidCatalog },
}

impl GivenCatalog {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Fails if anything in it cannot be used: then nothing in it is.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let failed = |error| Error::Read { path: path.to_owned(), error };
        let mut text = String::new();
        let file = crate::regular::given(path).map_err(failed)?;
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(|error| match error.kind() {
            ErrorKind::InvalidData => Error::NotText(path.to_owned()),
            _ => failed(error),
        })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        // Both formats refuse unknown fields, so the error is reported for the format that was meant.
        let parsed = match serde_json::from_str::<Catalog>(text) {
            Ok(catalog) => Ok(Bundle { catalog, contents: BTreeMap::new() }),
            Err(_) if text.contains("\"contents\"") => serde_json::from_str::<Bundle>(text),
            Err(error) => Err(error),
        };
        let holds_masked = || serde_json::from_str(text).is_ok_and(|json| is_masked(&json));
        let bundle = parsed.map_err(|error| match holds_masked() {
            true => Error::Masked(path.to_owned()),
            false => Error::Parse { path: path.to_owned(), words: unread::words(text, &error) },
        })?;
        bundle.catalog.validate().map_err(|error| Error::Invalid { path: path.to_owned(), error })?;
        let contents = bundle.contents.into_iter().map(|(name, base64)| {
            content(&name, &base64).ok_or_else(|| Error::Content { path: path.to_owned(), name })
        });
        Ok(Self { catalog: Arc::new(bundle.catalog), contents: contents.collect::<Result<_, _>>()? })
    }

    /// The machine that it is for.
    pub fn certname(&self) -> &Certname {
        &self.catalog.certname
    }
}

fn content(name: &str, base64: &str) -> Option<(ContentHash, Vec<u8>)> {
    let bytes = data_encoding::BASE64.decode(base64.as_bytes()).ok()?;
    let hash = ContentHash::of(&bytes);
    (hash.as_str() == name).then_some((hash, bytes))
}

impl ContentSource for GivenCatalog {
    fn open(&self, sha256: &ContentHash, _size: u64) -> Result<Box<dyn Read>, content::Error> {
        let bytes = self.contents.get(sha256).ok_or_else(|| content::Error::Missing(sha256.clone()))?;
        Ok(Box::new(Cursor::new(bytes.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(attributes: &str) -> String {
        format!(
            r#"{{"id":"{}","certname":"web1.acme.example","commit":"c","environment":"main","resources":[
                {{"reference":"notify[x]","attributes":{attributes},"container":null,"origin":null}}],
                "containers":[],"edges":[]}}"#,
            "0".repeat(64)
        )
    }

    fn parse(text: &str) -> Result<GivenCatalog, String> {
        GivenCatalog::parse(Path::new("c.json"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_catalog_alone_and_a_bundle_are_read() {
        assert_eq!(parse(&catalog("{}")).unwrap().certname().as_str(), "web1.acme.example");
        let hash = ContentHash::of(b"hello");
        let bundle = |name: &ContentHash| {
            format!(r#"{{"catalog":{},"contents":{{"{name}":"aGVsbG8="}}}}"#, catalog("{}"))
        };
        let given = parse(&bundle(&hash)).unwrap();
        let mut text = String::new();
        given.open(&hash, 5).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        let other = ContentHash::of(b"other");
        assert!(matches!(given.open(&other, 5), Err(content::Error::Missing(_))));
        assert!(parse(&bundle(&other)).unwrap_err().contains("damaged"));
    }

    #[test]
    fn masks_are_never_applied() {
        let masked = catalog(r#"{"message":{"$sensitive":"[sensitive]"}}"#);
        let bundle = format!(r#"{{"catalog":{masked},"contents":{{}}}}"#);
        for text in [masked, bundle] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains("--with-secrets") && !error.contains(" line "), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_enforced_is_refused_whole() {
        let unknown = catalog("{}").replace("notify[x]", "quux[x]");
        assert!(parse(&unknown).unwrap_err().contains("upgrade the agent"));
        assert!(parse("{}").unwrap_err().starts_with("c.json is JSON, but neither a catalog nor a bundle"));
        let packed = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(packed.path(), [0x28, 0xb5, 0x2f, 0xfd]).unwrap();
        assert!(GivenCatalog::read(packed.path()).unwrap_err().to_string().contains("is not text"));
    }
}
