//! Files of a checkout whose content is not what people expect: those that git calls changed although they are as it
//! checks them out, and Git LFS pointers.

use super::git::Git;
use crate::provider::Error;
use crate::system::{FileKind, Invocation, Stat};

/// The largest file that is compared, in bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The most files called changed by git that are looked at.
const MAX_FILES: usize = 100;

/// The beginning of a pointer: the version of its specification.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The size of the largest pointer, in bytes.
const MAX_POINTER: usize = 1024;

/// The attribute of files whose commit contains pointers.
const LFS: &str = "filter=lfs";

impl Git<'_> {
    /// Of the files that git calls changed, those that are exactly as git checks them out, and that it will always call
    /// changed: their line ends in the commit are not what `.gitattributes` says.
    pub fn never_clean(&self, changed: &[String]) -> Result<Vec<String>, Error> {
        if changed.is_empty() {
            return Ok(Vec::new());
        }
        let words = ["ls-files", "--eol", "-z", "--"];
        let named = changed.iter().take(MAX_FILES).map(String::as_str);
        let output = self.execute(&self.literal(&words.into_iter().chain(named).collect::<Vec<_>>()))?;
        let mut files = Vec::new();
        for path in output.text().split('\0').filter_map(of_other_ends) {
            if self.is_as_checked_out(path)? {
                files.push(path.to_owned());
            }
        }
        Ok(files)
    }

    /// An invocation that takes paths literally and not as patterns.
    fn literal(&self, words: &[&str]) -> Invocation {
        self.invocation(words).variable("GIT_LITERAL_PATHSPECS", "1")
    }

    fn is_as_checked_out(&self, path: &str) -> Result<bool, Error> {
        let blob = format!(":0:{path}");
        let command = self.invocation(&["cat-file", "--filters", &blob]).limit(MAX_BYTES);
        let output = self.execute(&command)?;
        let is = self.small_file(path, MAX_BYTES)?;
        Ok(output.succeeded() && is.is_some_and(|is| is == output.stdout))
    }

    /// The content of a path, if it is a file of at most `most` bytes.
    fn small_file(&self, path: &str, most: usize) -> Result<Option<Vec<u8>>, Error> {
        let (at, most) = (self.dir.join(path), most as u64);
        let is_small = |stat: &Stat| stat.kind == FileKind::File && stat.size <= most;
        match self.machine().lstat(&at)?.filter(is_small) {
            Some(_) => Ok(self.machine().read(&at, most)?),
            None => Ok(None),
        }
    }

    /// Removes files that are as git checks them out, so another revision can take their place.
    pub fn make_way(&self, files: &[String]) -> Result<(), Error> {
        if files.is_empty() {
            return Ok(());
        }
        let words = ["rm", "-f", "--"].into_iter().chain(files.iter().map(String::as_str));
        let mut command = Invocation::new(words);
        command.cwd = Some(self.dir.to_owned());
        command.user = self.access.user.map(ToString::to_string);
        let output = self.execute(&command)?;
        if output.succeeded() { Ok(()) } else { Err(Error::command(&command, &output)) }
    }

    /// Checks out again the removed files that the revision has.
    pub fn bring_back(&self, files: &[String]) -> Result<(), Error> {
        if files.is_empty() {
            return Ok(());
        }
        let text = self.run(&["ls-files", "--deleted", "-z"])?;
        let gone: Vec<&str> = text.split('\0').filter(|path| files.iter().any(|file| file == path)).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let words: Vec<&str> = ["checkout", "--quiet", "--"].into_iter().chain(gone).collect();
        let command = self.literal(&words);
        let output = self.execute(&command)?;
        if output.succeeded() { Ok(()) } else { Err(Error::command(&command, &output)) }
    }

    /// Files that are Git LFS pointers and not the content that they point to: the machine's filters are not used.
    pub fn pointers(&self) -> Result<Vec<String>, Error> {
        let attributes = self.small_file(".gitattributes", MAX_BYTES)?;
        let is_meant = |line: &str| !line.trim_start().starts_with('#') && line.contains(LFS);
        if !attributes.is_some_and(|text| String::from_utf8_lossy(&text).lines().any(is_meant)) {
            return Ok(Vec::new());
        }
        let text = self.run(&["ls-files", "-z", "--", &format!(":(attr:{LFS})")])?;
        let mut pointers = Vec::new();
        for path in text.split('\0').filter(|path| !path.is_empty()) {
            if self.small_file(path, MAX_POINTER)?.is_some_and(|text| text.starts_with(POINTER)) {
                pointers.push(path.to_owned());
            }
        }
        Ok(pointers)
    }
}

/// The path in a line of `ls-files --eol`, if the file's line ends in the commit contradict its attributes.
fn of_other_ends(line: &str) -> Option<&str> {
    let (about, path) = line.split_once('\t')?;
    let mut words = about.split_whitespace();
    let has_others = matches!(words.next(), Some("i/crlf" | "i/mixed"));
    let is_text = words.find_map(|word| word.strip_prefix("attr/")) == Some("text");
    (has_others && is_text).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_that_attributes_rule_out_are_told_from_those_that_git_leaves() {
        for (line, path) in [
            ("i/crlf  w/crlf  attr/text eol=lf      \ta b", Some("a b")),
            ("i/mixed w/mixed attr/text             \tx", Some("x")),
            ("i/crlf  w/crlf  attr/text=auto        \tx", None),
            ("i/crlf  w/crlf  attr/                 \tx", None),
            ("i/crlf  w/crlf  attr/-text            \tx", None),
            ("i/lf    w/lf    attr/text             \tx", None),
        ] {
            assert_eq!(of_other_ends(line), path, "{line}");
        }
    }
}
