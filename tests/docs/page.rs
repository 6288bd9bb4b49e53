//! A page of Markdown, split into its blocks of code.

use std::path::{Path, PathBuf};

use harness::binaries::workspace;

/// A page, and the text that will replace it.
pub struct Page {
    file: PathBuf,
    text: String,
    changed: String,
}

/// A block of code.
#[derive(Clone)]
pub struct CodeBlock {
    /// The text after the opening fence: `toml,wrong`.
    info: String,
    /// The line number of the opening fence.
    pub line: usize,
    /// The text between the fences.
    pub text: String,
}

impl Page {
    /// Reads a page.
    pub fn read(file: &Path) -> Self {
        let text =
            std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Self { file: file.to_owned(), changed: text.clone(), text }
    }

    /// Its path in the tree.
    pub fn name(&self) -> String {
        self.file.strip_prefix(workspace()).unwrap_or(&self.file).display().to_string()
    }

    /// Its blocks, in order.
    pub fn blocks(&self) -> Vec<CodeBlock> {
        let mut blocks: Vec<CodeBlock> = Vec::new();
        let mut open = false;
        for (index, line) in self.text.split_inclusive('\n').enumerate() {
            match line.strip_prefix("```") {
                Some(info) if !open => {
                    blocks.push(CodeBlock {
                        info: info.trim().to_owned(),
                        line: index + 1,
                        text: String::new(),
                    });
                    open = true;
                }
                Some(_) => open = false,
                None if open => blocks.last_mut().expect("one is open").text.push_str(line),
                None => {}
            }
        }
        blocks
    }

    /// Replaces the text of a block.
    pub fn replace(&mut self, block: &CodeBlock, text: &str) {
        let fenced = |text: &str| format!("```{}\n{text}```\n", block.info);
        self.changed = self.changed.replacen(&fenced(&block.text), &fenced(text), 1);
    }

    /// Whether a block was replaced by another text.
    pub fn is_changed(&self) -> bool {
        self.changed != self.text
    }

    /// Writes the page with the replaced blocks.
    pub fn write(&self) {
        std::fs::write(&self.file, &self.changed).unwrap();
    }
}

impl CodeBlock {
    /// The first word after the opening fence.
    pub fn language(&self) -> &str {
        self.info.split(',').next().unwrap_or_default()
    }

    /// Whether it must be refused.
    pub fn is_wrong(&self) -> bool {
        self.info.split(',').any(|word| word == "wrong")
    }

    /// The file named in its first line: `# hieradata/common.toml`, `{{! modules/x/templates/y.hbs }}`.
    pub fn path(&self) -> Option<&str> {
        let line = self.text.lines().next()?;
        let comment = match self.language() {
            "hbs" => line.strip_prefix("{{!")?.strip_suffix("}}")?,
            _ => line.strip_prefix('#')?,
        };
        let path = comment.split([':', ' ']).find(|word| !word.is_empty())?;
        path.contains(['.', '/']).then_some(path)
    }
}
