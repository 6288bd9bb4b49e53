//! `file`: a file, a directory or a symbolic link.

use std::collections::BTreeMap;

use super::attribute::{AbsolutePath, AccountName, CommandLine, FileContent, FileMode, TreeEntry, keywords};
use super::claim::{self, Claim, Hold, PathKind};
use super::define::resource_type;
use super::unit_text;
use super::{AttributeError, Fragment, Implied, Rules};

keywords! {
    /// What is at the path.
    FileEnsure {
        /// A regular file.
        File = "file",
        /// A directory.
        Directory = "directory",
        /// A symbolic link.
        Symlink = "symlink",
        /// Nothing.
        Absent = "absent",
    }
}

resource_type! {
    /// A file, a directory or a symbolic link. The title is its path.
    File("file"), titled AbsolutePath {
        /// What is at the path.
        property ensure: Option<FileEnsure> => "`\"symlink\"` with a `target`, else `\"file\"`",
        /// What the file holds: inline, by `template` or by `source`.
        property content: Option<FileContent> => "left alone; a new file is empty",
        /// Whether the file holds the `fragment`s of the catalog that have it as their `target`, by their `order`, then by title: so that several classes contribute to one file. Everything else about the file is said here. Cannot be beside `content`.
        parameter fragments: bool = false,
        /// What a symbolic link points to; may be relative to the link.
        property target: Option<String> => "none",
        /// Permission bits. With `recurse`, files get it without the execute bits that no reader has; directories can be searched. A file with an access control list keeps it, also when its content is replaced; the bits for the group are then the list's mask.
        property mode: Option<FileMode> => "left alone; of what is new `\"0644\"`, of directories `\"0755\"`; where the content is secret, `\"0600\"`, also of a file that is there",
        /// The owner's name or numeric id; a name may come from another source than /etc/passwd, such as LDAP. What is taken from a user other than root keeps no access control list, and a file is replaced with a copy: its former owner may have it open.
        property owner: Option<AccountName> => "left alone; of what is new `\"root\"`",
        /// The group's name or numeric id; a name may come from another source than /etc/group, such as LDAP.
        property group: Option<AccountName> => "left alone; of what is new `\"root\"`",
        /// Whether existing content is replaced; `false` writes the file only where it is missing.
        parameter replace: bool = true,
        /// Keeps what is replaced or removed, links and whole directories too, beside the agent's state, so that it can be brought back. It lies there in the clear, so nothing is kept of what is secret, or was so by an earlier catalog. What is kept goes 90 days after the catalog no longer has the file.
        parameter backup: bool = false,
        /// A command that must succeed before new content takes its place; `%` is the new file or, where others than root can write to it or to its directory, a copy of it that only root can read. Its name is another one, with the same extension; the validator must leave it where it is.
        parameter validate: Option<CommandLine>,
        /// Whether the report shows a diff; never for sensitive content.
        parameter show_diff: bool = true,
        /// Manages a whole directory: with `source`, everything in it, empty folders, links that stay in it and the execute bits of programs too: what is not a program in the source gets none; otherwise owner, group and mode of what is there, FIFOs, sockets and devices too, but for what another resource says of all below a directory in it. In an archive or a checkout, these are left to it.
        parameter recurse: bool = false,
        /// Removes what a directory holds and no resource of the catalog claims. Archives, checkouts and deployments below it, homes of managed users, and the links by which managed units are enabled or masked stay with all that is in them. In an archive, a checkout or a deployment nothing can be purged.
        property purge: bool = false,
        /// Allows a directory to be removed or replaced with all that it holds.
        parameter force: bool = false,
        /// Names in the directory that are left alone, at any depth and in directories of others too; `*` and `?` as in the shell.
        parameter ignore: Vec<String>,
    }
}

impl File {
    /// The kind of the members of a directory that is purged, in a claim.
    pub const MEMBER: &'static str = claim::MEMBER;

    /// The mode of a file with secret content, unless one is set.
    pub const SECRET_MODE: FileMode = FileMode(0o600);

    /// What should be at the path, with the default resolved.
    pub fn ensured(&self) -> FileEnsure {
        self.ensure.unwrap_or(if self.target.is_some() { FileEnsure::Symlink } else { FileEnsure::File })
    }

    /// The mode that is managed. Only its owner may access secret content, unless something else is set. A file that is
    /// only written if it is missing is left to others later.
    pub fn managed_mode(&self) -> Option<FileMode> {
        let is_secret = self.replace && self.content.as_ref().is_some_and(FileContent::is_sensitive);
        self.mode.or_else(|| is_secret.then_some(Self::SECRET_MODE))
    }

    /// The sides of it that are managed.
    fn sides(&self) -> impl Iterator<Item = &'static str> {
        let sides = [
            self.managed_mode().map(|_| "mode"),
            self.owner.as_ref().map(|_| "owner"),
            self.group.as_ref().map(|_| "group"),
        ];
        sides.into_iter().flatten()
    }

    /// How its content is held: what is only written if it is missing is left to others later.
    fn held_content(&self) -> Hold {
        if self.replace { Hold::Content } else { Hold::Seed }
    }

    /// Claims on everything in a directory's source, and on the directories that contain it.
    fn claims_of_source(&self, top: &str, entries: &BTreeMap<String, TreeEntry>) -> Vec<Claim> {
        let mut standing: BTreeMap<&str, PathKind> = BTreeMap::new();
        for (below, entry) in entries {
            for (end, _) in below.match_indices('/') {
                standing.insert(&below[..end], PathKind::Directory);
            }
            let stands = match entry {
                TreeEntry::File { .. } => PathKind::File,
                TreeEntry::Link(_) => PathKind::Symlink,
                TreeEntry::Folder => PathKind::Directory,
            };
            standing.insert(below.as_str(), stands);
        }
        let holds = standing.into_iter().flat_map(|(below, stands)| {
            let content = match stands {
                PathKind::File => Some(self.held_content()),
                PathKind::Symlink => Some(Hold::Content),
                PathKind::Directory | PathKind::Nothing => None,
            };
            let has_mode = stands != PathKind::Symlink;
            let sides = self.sides().filter(move |side| has_mode || *side != "mode").map(Hold::Side);
            let path = format!("{top}/{below}");
            std::iter::once(Hold::Standing(stands))
                .chain(content)
                .chain(sides)
                .map(move |hold| Claim::path(&*path, hold))
        });
        holds.collect()
    }
}

impl Rules for File {
    const SETS: &'static [&'static str] = &["ignore"];

    fn validate(&self) -> Vec<AttributeError> {
        let ensure = self.ensured();
        let mut errors = Vec::new();
        let mut refuse = |attribute, message: &str, help: &str| {
            errors.push(AttributeError::new(attribute, message).help(help));
        };
        if ensure == FileEnsure::Symlink && self.target.is_none() {
            refuse("ensure", "a symlink needs a `target`", "say what it points to: target = \"/path\"");
        }
        if ensure != FileEnsure::Symlink && self.target.is_some() {
            refuse(
                "target",
                "only a symlink has a `target`",
                "use ensure = \"symlink\", or leave `ensure` out",
            );
        }
        let tree = matches!(self.content, Some(FileContent::Tree(_)));
        if self.content.is_some() && !tree && ensure != FileEnsure::File {
            refuse(
                "content",
                &format!("a {ensure} has no content"),
                "leave `content`, `template` and `source` out",
            );
        }
        if tree && !(ensure == FileEnsure::Directory && self.recurse) {
            let help = "use ensure = \"directory\" with recurse = true, or name one file of it";
            refuse("content", "the source is a directory", help);
        }
        if self.fragments && (self.content.is_some() || ensure != FileEnsure::File) {
            let help = "leave `content`, `template`, `source` and `ensure` out, or `fragments`";
            refuse("fragments", "fragments are the whole content of a file", help);
        }
        if (self.recurse || self.purge) && ensure != FileEnsure::Directory {
            refuse("ensure", "`recurse` and `purge` are for directories", "use ensure = \"directory\"");
        }
        if self.validate.is_some() && ensure != FileEnsure::File {
            refuse("validate", "only a file's content can be validated", "leave `validate` out");
        }
        if let Some(FileContent::Inline(text)) =
            self.content.as_ref().filter(|_| unit_text::is_unit(self.title.as_str()))
        {
            errors.extend(unit_text::refused("content", text));
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        let path = self.title.as_str();
        let mut implied = vec![Implied::on_parent(path), Implied::on_mount(path)];
        implied.extend(self.owner.as_ref().map(|owner| Implied::on("user", owner.as_str())));
        implied.extend(self.group.as_ref().map(|group| Implied::on_group(group.as_str())));
        implied
    }

    fn claims(&self) -> Vec<Claim> {
        let path = self.title.as_str();
        let standing = match self.ensured() {
            FileEnsure::File => PathKind::File,
            FileEnsure::Directory => PathKind::Directory,
            FileEnsure::Symlink => PathKind::Symlink,
            FileEnsure::Absent => return Claim::standing(path, PathKind::Nothing),
        };
        let mut claims = vec![Claim::path(path, Hold::Standing(standing))];
        claims.extend(self.sides().map(|side| Claim::path(path, Hold::Side(side))));
        match &self.content {
            Some(FileContent::Tree(entries)) => {
                claims.push(Claim::path(path, Hold::Content));
                claims.extend(self.claims_of_source(path, entries));
            }
            Some(_) => claims.push(Claim::path(path, self.held_content())),
            None if standing == PathKind::Symlink => claims.push(Claim::path(path, Hold::Content)),
            None if self.recurse => {
                claims.extend(self.sides().map(|side| Claim::path(path, Hold::SideBelow(side))));
            }
            None => {}
        }
        if self.fragments {
            claims.push(Claim::path(path, Hold::Rest(Fragment::ENTRY)));
        }
        if self.purge {
            claims.push(Claim::path(path, Hold::Rest(Self::MEMBER)));
        }
        claims
    }
}
