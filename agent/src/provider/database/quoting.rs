//! Names and texts in SQL.

/// Quotes a content so that it is always exactly one token: inside quotes, doubling the quote is the only way to write
/// it. For texts, sessions make sure that a backslash has no special meaning.
pub fn quoted(content: &str, quote: char) -> String {
    let mut token = String::with_capacity(content.len() + 2);
    token.push(quote);
    for part in content.split_inclusive(quote) {
        token.push_str(part);
        if part.ends_with(quote) {
            token.push(quote);
        }
    }
    token.push(quote);
    token
}

/// A text as an SQL literal.
pub fn literal(text: &str) -> String {
    quoted(text, '\'')
}

/// The texts for `IN (…)`; if there are none, `NULL`, which equals nothing.
pub fn literals<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> String {
    let all: Vec<_> = texts.into_iter().map(|text| literal(text.as_ref())).collect();
    if all.is_empty() { "NULL".to_owned() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a server reads from a quoted token; `None` if anything follows it.
    fn read(quoted: &str, quote: char) -> Option<String> {
        let mut content = String::new();
        let mut rest = quoted.strip_prefix(quote)?;
        loop {
            let (before, after) = rest.split_once(quote)?;
            content.push_str(before);
            let Some(doubled) = after.strip_prefix(quote) else { return after.is_empty().then_some(content) };
            content.push(quote);
            rest = doubled;
        }
    }

    proptest! {
        #[test]
        fn whatever_a_token_holds_it_is_one_token(text in any::<String>()) {
            for quote in ['\'', '"', '`'] {
                prop_assert_eq!(read(&quoted(&text, quote), quote), Some(text.clone()));
            }
        }

        #[test]
        fn quotes_and_backslashes_too(text in r#"["'`\\;: -]{0,12}"#) {
            for quote in ['\'', '"', '`'] {
                prop_assert_eq!(read(&quoted(&text, quote), quote), Some(text.clone()));
            }
        }
    }

    #[test]
    fn texts_stand_in_a_list() {
        assert_eq!(literals(["a", "b'c"]), "'a', 'b''c'");
        assert_eq!(literals::<&str>([]), "NULL");
    }
}
