//! Names and texts as they stand in SQL.

/// A name: what it holds is never more than a name.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text: what it holds is never more than a text, as long as `standard_conforming_strings` is on, which sessions see to.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Texts for `IN (…)`; with none, one that nothing equals.
pub fn literals<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<_> = texts.into_iter().map(literal).collect();
    if all.is_empty() { "NULL".to_owned() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a server reads of a quoted token, where nothing stands behind it.
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
        fn whatever_a_name_holds_it_is_one_name(name in any::<String>()) {
            prop_assert_eq!(read(&identifier(&name), '"'), Some(name));
        }

        #[test]
        fn whatever_a_text_holds_it_is_one_text(text in any::<String>()) {
            prop_assert_eq!(read(&literal(&text), '\''), Some(text));
        }

        #[test]
        fn quotes_and_backslashes_too(text in r#"["'`\\;: -]{0,12}"#) {
            prop_assert_eq!(read(&identifier(&text), '"'), Some(text.clone()));
            prop_assert_eq!(read(&literal(&text), '\''), Some(text));
        }
    }

    #[test]
    fn no_texts_are_in_no_list() {
        assert_eq!(literals([]), "NULL");
        assert_eq!(literals(["a", "b'c"]), "'a', 'b''c'");
    }
}
