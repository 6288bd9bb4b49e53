//! What a path in a control repository is, by the folder of the module that it is in.
//!
//! Only the first folder counts, and a folder below it may have any name: `modules/a/files/templates/x` goes to
//! machines unchanged.

/// The folder of modules.
pub const MODULES: &str = "modules";

/// A folder of a module that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleFolder {
    /// Classes and defines.
    Manifests,
    /// Texts that are rendered, and their partials.
    Templates,
    /// Files that go to machines unchanged.
    Files,
}

/// The path of a file in one of these folders, split into its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModulePath<'a> {
    /// The module's name.
    pub module: &'a str,
    /// The folder of the module.
    pub folder: ModuleFolder,
    /// The path below that folder.
    pub name: &'a str,
}

impl ModuleFolder {
    /// The folder with this name.
    fn of(name: &str) -> Option<Self> {
        [Self::Manifests, Self::Templates, Self::Files].into_iter().find(|folder| folder.as_str() == name)
    }

    /// The name of the folder, such as `manifests`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manifests => "manifests",
            Self::Templates => "templates",
            Self::Files => "files",
        }
    }
}

impl<'a> ModulePath<'a> {
    /// Splits a path in the repository; `None` if it is in none of these folders.
    pub fn of(path: &'a str) -> Option<Self> {
        let (top, inner) = path.split_once('/')?;
        Self::inside(inner).filter(|_| top == MODULES)
    }

    /// Splits a path relative to the folder of modules.
    pub fn inside(inner: &'a str) -> Option<Self> {
        let (module, rest) = inner.split_once('/')?;
        let (folder, name) = rest.split_once('/')?;
        let is_a_file = !module.starts_with('.') && !name.is_empty();
        is_a_file.then_some(Self { module, folder: ModuleFolder::of(folder)?, name })
    }

    /// Whether a path in the repository is in this folder of a module.
    pub fn is_in(folder: ModuleFolder, path: &str) -> bool {
        ModulePath::of(path).is_some_and(|path| path.folder == folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_of_a_module_says_what_a_file_is() {
        let parts = |path| ModulePath::of(path).map(|path| (path.module, path.folder, path.name));
        for (path, folder, name) in [
            ("modules/a/manifests/web/tls.toml", ModuleFolder::Manifests, "web/tls.toml"),
            ("modules/a/templates/x.hbs", ModuleFolder::Templates, "x.hbs"),
            ("modules/a/templates/files/templates/x.hbs", ModuleFolder::Templates, "files/templates/x.hbs"),
            ("modules/a/files/x", ModuleFolder::Files, "x"),
            ("modules/a/files/.htaccess", ModuleFolder::Files, ".htaccess"),
            ("modules/a/files/app/templates/x.html", ModuleFolder::Files, "app/templates/x.html"),
            ("modules/a/files/manifests/x.toml", ModuleFolder::Files, "manifests/x.toml"),
        ] {
            assert_eq!(parts(path), Some(("a", folder, name)), "{path}");
        }
        for path in [
            "modules/a/files",
            "modules/a/files/",
            "modules/.a/files/x",
            "modules/a/docs/templates/x.hbs",
            "modules/templates/x.hbs",
            "files/x",
            "docs/a/templates/x.hbs",
        ] {
            assert_eq!(parts(path), None, "{path}");
        }
    }
}
