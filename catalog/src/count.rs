//! Numbers with their nouns, as people say them: `1 error`, `2 errors`.

use std::fmt::Display;

/// A number with its noun, or with its noun and verb: `1 node compiles`, `2 nodes compile`.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, one: &str, many: &str) -> String {
    let words = if count == N::from(1) { one } else { many };
    format!("{count} {words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_has_the_singular() {
        let errors = |count: usize| counted(count, "error", "errors");
        assert_eq!([errors(0), errors(1), errors(2)], ["0 errors", "1 error", "2 errors"]);
        assert_eq!(counted(1_u32, "node compiles", "nodes compile"), "1 node compiles");
        assert_eq!(counted(-1_i64, "day", "days"), "-1 days");
    }
}
