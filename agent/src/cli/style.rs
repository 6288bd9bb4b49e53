//! Colours on a terminal, plain text elsewhere; text from outside is made harmless.

use std::io::IsTerminal;

/// Whom the output is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A person at a terminal, with colours.
    Terminal,
    /// A person at a terminal who wants no colours: `NO_COLOR` is set.
    Colourless,
    /// A pipe or a file.
    Plain,
}

impl Style {
    /// The style of a stream.
    pub fn of(stream: &impl IsTerminal) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match (stream.is_terminal(), unwanted) {
            (true, false) => Self::Terminal,
            (true, true) => Self::Colourless,
            (false, _) => Self::Plain,
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Terminal if !text.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Terminal | Self::Colourless | Self::Plain => text.to_owned(),
        }
    }

    /// Text about a failure.
    pub fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// Text about something that was done.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Text about something that needs attention.
    pub fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Text that matters.
    pub fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Details, for those who look for them.
    pub fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }
}

/// Text from outside, on one line, with nothing in it that controls a terminal.
pub fn harmless(text: &str) -> String {
    holdfast_catalog::harmless::line(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_has_no_escape() {
        assert_eq!(Style::Plain.bad("x"), "x");
        assert_eq!(Style::Terminal.good("x"), "\x1b[32mx\x1b[0m");
    }
}
