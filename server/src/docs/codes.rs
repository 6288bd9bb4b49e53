//! The page of all errors and warnings: each code with its meaning and an example. Also shows a single code on a terminal.

use std::fmt::Write as _;

use super::markdown::code;
use crate::diagnostic::Code;

/// The page of all codes.
pub fn page() -> String {
    let mut page = String::from(
        "# Errors and warnings\n\nMade from their definitions. Each problem of a control repository has a code, in brackets \
         after `error` or `warning`; `holdfast help CODE` prints its entry on this page. The examples come from the tests.\n",
    );
    for one in Code::ALL {
        let _ = write!(
            page,
            "\n## {}\n\n{}\n\n```text\n{}\n```\n",
            code(one.word()),
            one.meaning(),
            one.example().trim_end()
        );
    }
    page
}

/// The text of one code for a terminal.
pub fn text(code: Code) -> String {
    format!("{code}: {}\n\nFor example:\n\n{}", code.meaning(), code.example().trim_end())
}
