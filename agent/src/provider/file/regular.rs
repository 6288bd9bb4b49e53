//! A regular file: compared as cheaply as possible, and replaced in one step.

use std::ffi::OsStr;
use std::path::Path;

use holdfast_catalog::resource::File;
use holdfast_catalog::resource::attribute::{CommandLine, FileContent};

use super::{Change, Property};
use super::{
    Owners, access_changes, also_said, apply_access, backup, clear, content, plan_replacing, properties,
    shown_content, text,
};
use crate::provider::exec::NOT_RUN;
use crate::provider::{Applied, DisplayValue, Error, Reading, Writing};
use crate::system::{
    self, Accounts, Committed, Exit, FileKind, Inspect as _, Invocation, Liveness, Machine, OpenFile,
    Permissions, PrivateCopy, Staged, Stat, System as _,
};

/// The mode of a new file if none is set.
const DEFAULT_MODE: u32 = 0o644;

/// The directory below the agent's state for copies that a validator reads if others can write to the original.
const JUDGED: &str = "/judged";

/// The remark on a file that is written in place.
const IN_PLACE: &str = "written in place, not atomically, because the file is a mount point";

/// The changes that are needed.
pub(super) fn plan(
    want: &File,
    owners: &Owners,
    accounts: &Accounts,
    reading: Reading<'_>,
) -> Result<Vec<Change>, Error> {
    let path = Path::new(want.title.as_str());
    let content = want.content.as_ref().filter(|_| want.replace);
    let size = content.and_then(content::size);
    // One look is usually enough: the file is opened only if its size does not show a difference.
    let Some((stat, opened)) = reading.machine.open_if(path, &|stat| Some(stat.size) == size)? else {
        let diff = want.content.as_ref().filter(|_| want.show_diff);
        let diff = diff.and_then(|content| text::diff(None, content, reading.content));
        return Ok(vec![Change::new(Property::Ensure, "absent", "file").diff(diff)]);
    };
    if stat.kind == FileKind::Symlink && want.content.is_none() && !want.fragments && !want.force {
        return Err(unknown_content(path, reading)?);
    }
    if stat.kind != FileKind::File {
        return Ok(vec![plan_replacing(want, path, &stat, reading.machine)?]);
    }
    let mut changes = Vec::new();
    if let Some(content) = content {
        content_change(want, path, content, opened, reading, &mut changes)?;
    }
    access_changes(want, want.managed_mode().map(|mode| mode.0), owners, accounts, &stat, &mut changes);
    say_lost_capabilities(path, reading, &mut changes)?;
    Ok(changes)
}

/// Notes that the kernel clears a file's capabilities with a change of owner, like set-id bits, whatever mode is
/// declared.
fn say_lost_capabilities(path: &Path, reading: Reading<'_>, changes: &mut [Change]) -> Result<(), Error> {
    let owned = |change: &&mut Change| matches!(change.property, Property::Owner | Property::Group);
    let Some(change) = changes.iter_mut().find(owned) else { return Ok(()) };
    if reading.machine.open(path)?.is_some_and(|opened| opened.has_capabilities()) {
        let words = "this clears its capabilities: restore them with `setcap`";
        change.note = Some(change.note.take().map_or(words.to_owned(), |note| format!("{note}; {words}")));
    }
    Ok(())
}

/// The error if a link is in place of a file whose content is not set: replacing it would leave an empty file.
fn unknown_content(path: &Path, reading: Reading<'_>) -> Result<Error, Error> {
    let target = reading.machine.read_link(path)?;
    Ok(Error::Conflict(format!(
        "{} is a symlink to {}, and no content is set for a file in its place: manage what it points to, or set \
         `content` (with force = true, it is replaced by an empty file)",
        path.display(),
        target.display()
    )))
}

fn content_change(
    want: &File,
    path: &Path,
    content: &FileContent,
    opened: Option<OpenFile>,
    reading: Reading<'_>,
    changes: &mut Vec<Change>,
) -> Result<(), Error> {
    if let Some(mut opened) = opened
        && same(content, &mut opened, path)?
    {
        return Ok(());
    }
    changes.push(differing(want, path, content, reading)?);
    Ok(())
}

/// Whether a file of the right size has this content.
fn same(content: &FileContent, opened: &mut OpenFile, path: &Path) -> Result<bool, Error> {
    content::is_same(content, opened).map_err(|e| system::Error::io("reading", path, e).into())
}

/// The change for content that differs, with its diff.
fn differing(want: &File, path: &Path, content: &FileContent, reading: Reading<'_>) -> Result<Change, Error> {
    let mut opened = reading.machine.open(path)?;
    let is = match &mut opened {
        _ if content.is_sensitive() => DisplayValue::Masked,
        Some(opened) => {
            let hash = content::hash_of(&mut opened.file);
            let hash = hash.map_err(|e| system::Error::io("reading", path, e))?;
            DisplayValue::Plain(content::shown(&hash))
        }
        None => DisplayValue::Plain(String::new()),
    };
    // A file with other hard links may be one that the directory's owner may not read: nothing of it is shown.
    let shows = want.show_diff && opened.as_ref().is_none_or(|opened| opened.stat.links < 2);
    let diff = if shows { text::diff(opened.as_mut(), content, reading.content) } else { None };
    let mut change = Change::new(Property::Content, String::new(), String::new()).diff(diff);
    change.is = is;
    change.should = shown_content(content);
    Ok(change)
}

/// Makes the changes: one replacement if content is among them.
pub(super) fn apply(
    want: &File,
    owners: &Owners,
    changes: &[Change],
    writing: Writing<'_>,
) -> Result<Applied, Error> {
    let path = Path::new(want.title.as_str());
    let properties = properties(changes);
    let old = writing.machine.lstat(path)?;
    let is_taken = want.content.is_some() && want.replace && owners.take(old);
    let whole = properties.iter().position(|property| match property {
        Property::Ensure | Property::Content => true,
        Property::Owner => is_taken,
        _ => false,
    });
    let Some(position) = whole else {
        apply_access(path, want.managed_mode().map(|mode| mode.0), owners, &properties, writing)?;
        return Ok(Applied::default());
    };
    let mode = want.managed_mode().map_or_else(|| default_mode(want, old), |mode| mode.0);
    let job = Replacement { path, content: want.content.as_ref(), mode, old };
    let said = replace(want, owners, &job, writing)?;
    Ok(also_said(position, said))
}

fn default_mode(want: &File, old: Option<Stat>) -> u32 {
    let secret = want.content.as_ref().is_some_and(FileContent::is_sensitive);
    let new = if secret { File::SECRET_MODE.0 } else { DEFAULT_MODE };
    old.filter(|old| old.kind == FileKind::File).map_or(new, |old| old.permissions())
}

/// One file to write.
pub(super) struct Replacement<'a> {
    pub(super) path: &'a Path,
    pub(super) content: Option<&'a FileContent>,
    pub(super) mode: u32,
    pub(super) old: Option<Stat>,
}

/// Writes a file as a whole; returns a remark, if there is one.
pub(super) fn replace(
    want: &File,
    owners: &Owners,
    job: &Replacement<'_>,
    writing: Writing<'_>,
) -> Result<Option<String>, Error> {
    let old_file = job.old.filter(|old| old.kind == FileKind::File);
    let access = owners.access(job.mode, old_file);
    let blocked = job.old.is_some_and(|old| matches!(old.kind, FileKind::Directory | FileKind::Other));
    let mut stream = content::open(job.content, writing.content)?;
    let mut staged = writing.machine.stage(job.path, access, &mut stream)?;
    stream.verify()?;
    let not_validated = validate(want, job, &mut *staged, writing)?;
    let not_kept = match job.old {
        Some(_) if blocked => clear(want, job.path, writing)?,
        Some(_) => backup::keep(want, job.path, writing)?,
        None => None,
    };
    Ok(match staged.commit()? {
        Committed::Whole => joined([None, not_validated, not_kept]),
        Committed::InPlace => joined([Some(IN_PLACE.to_owned()), not_validated, not_kept]),
    })
}

fn joined(words: [Option<String>; 3]) -> Option<String> {
    let words: Vec<_> = words.into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join("; "))
}

/// Runs the validator on the new content; returns why it gave no answer, if so. It runs as root, so it is given
/// something that nobody else can change: the new file itself, or a copy if others could replace the file or write to
/// it.
fn validate(
    want: &File,
    job: &Replacement<'_>,
    staged: &mut dyn Staged,
    writing: Writing<'_>,
) -> Result<Option<String>, Error> {
    let Some(command) = &want.validate else { return Ok(None) };
    if writing.machine.liveness() == Liveness::Directory {
        return Ok(Some("not validated: commands are not run: the root is not a running system".to_owned()));
    }
    let run = |path: &Path| writing.machine.run(&Invocation::of(for_file(command, path)).detached());
    let is_closed = staged.is_closed();
    let output = if is_closed {
        staged.take_extension()?;
        run(staged.path())
    } else {
        let copy = copied(job, writing)?;
        called(copy.path(), job.path.extension(), writing.state_dir, run)?
    };
    let output = match output {
        Err(error @ system::Error::Spawn { .. }) => return Err(Error::missing(not_judged(&error))),
        output => output?,
    };
    let said = output.last_words();
    Err(match output.exit {
        Exit::Code(0) if is_closed && !staged.is_there() => Error::Refused(format!(
            "`{command}` removed or replaced the file that it was to check (`%`), so the old content stays: it must \
             only read that file"
        )),
        Exit::Code(0) => return Ok(None),
        Exit::Code(code) if matches!(command, CommandLine::Shell(_)) && NOT_RUN.contains(&code) => {
            Error::missing(not_judged(&format_args!(
                "`{command}` could not be run, with exit code {code}: {said}"
            )))
        }
        Exit::Code(code) => Error::Refused(format!(
            "`{command}` refused the new content with exit code {code}; the old content stays: {said}"
        )),
        Exit::Signal(_) | Exit::TimedOut(_) | Exit::Stopped(_) | Exit::Held(_) => {
            Error::Refused(not_judged(&Error::command(&Invocation::of(command.clone()), &output)))
        }
    })
}

/// The remark if the validator gave no answer.
fn not_judged(why: &dyn std::fmt::Display) -> String {
    format!("`validate` could not check the new content, so the old content stays: {why}")
}

/// Calls `act` with a path to a copy that has this extension, in a directory that belongs to root: the copy itself has
/// no name.
fn called<T>(
    copy: &Path,
    extension: Option<&OsStr>,
    state_dir: &Path,
    act: impl FnOnce(&Path) -> T,
) -> Result<T, Error> {
    let Some(extension) = extension else { return Ok(act(copy)) };
    let state = Machine::open(state_dir)?;
    if state.lstat(Path::new(JUDGED))?.is_some() {
        state.remove_tree(Path::new(JUDGED))?;
    }
    state.make_dir(Path::new(JUDGED), Permissions { mode: 0o700, uid: None, gid: None })?;
    let name = Path::new(JUDGED).join("new").with_extension(extension);
    let access = Permissions { mode: 0o777, uid: None, gid: None };
    state.make_symlink(&name, copy, access)?;
    let done = act(&state_dir.join(name.strip_prefix("/").unwrap_or(&name)));
    state.remove_tree(Path::new(JUDGED))?;
    Ok(done)
}

/// A copy of the new content, read once more from its source.
fn copied(job: &Replacement<'_>, writing: Writing<'_>) -> Result<PrivateCopy, Error> {
    let mut stream = content::open(job.content, writing.content)?;
    let copy = PrivateCopy::of(&mut stream)
        .map_err(|e| system::Error::io("copying for the validator the new content of", job.path, e))?;
    stream.verify()?;
    Ok(copy)
}

/// The validator's command, with `%` replaced with the path of the file.
fn for_file(command: &CommandLine, path: &Path) -> CommandLine {
    let path = path.to_string_lossy();
    match command {
        CommandLine::Arguments(list) => {
            CommandLine::Arguments(list.iter().map(|word| word.replace('%', &path)).collect())
        }
        CommandLine::Shell(text) => {
            let quoted = format!("'{}'", path.replace('\'', r"'\''"));
            CommandLine::Shell(text.replace('%', &quoted))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_shell_command_is_one_word() {
        let path = Path::new("/a b/it's");
        let shell = for_file(&CommandLine::Shell("check %".into()), path);
        assert_eq!(shell, CommandLine::Shell(r"check '/a b/it'\''s'".into()));
        let list = for_file(&CommandLine::Arguments(vec!["check".into(), "--file=%".into()]), path);
        assert_eq!(list, CommandLine::Arguments(vec!["check".into(), "--file=/a b/it's".into()]));
    }
}
