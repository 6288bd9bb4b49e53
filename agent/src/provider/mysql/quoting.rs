//! Names and texts as they stand in SQL.

use holdfast_catalog::resource::mysql_user::Account;

/// A name: what it holds is never more than a name.
pub fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text: what it holds is never more than a text, as long as backslashes are none but themselves, which sessions see to.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Texts for `IN (…)`; with none, one that nothing equals.
pub fn literals<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> String {
    let all: Vec<_> = texts.into_iter().map(|text| literal(text.as_ref())).collect();
    if all.is_empty() { "NULL".to_owned() } else { all.join(", ") }
}

/// An account.
pub fn account(account: &Account) -> String {
    format!("{}@{}", literal(&account.user), literal(&account.host))
}

/// A database's name in a grant, where `_` is a wildcard unless it is escaped.
pub fn pattern(database: &str) -> String {
    database.replace('_', "\\_")
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
            prop_assert_eq!(read(&identifier(&name), '`'), Some(name));
        }

        #[test]
        fn whatever_a_text_holds_it_is_one_text(text in any::<String>()) {
            prop_assert_eq!(read(&literal(&text), '\''), Some(text));
        }

        #[test]
        fn quotes_and_backslashes_too(text in r#"["'`\\;: -]{0,12}"#) {
            prop_assert_eq!(read(&identifier(&text), '`'), Some(text.clone()));
            prop_assert_eq!(read(&literal(&text), '\''), Some(text));
        }
    }

    #[test]
    fn an_underscore_in_a_grant_is_itself() {
        assert_eq!(pattern("shop_a"), "shop\\_a");
        assert_eq!(literals(["a", "b'c"]), "'a', 'b''c'");
        assert_eq!(literals::<&str>([]), "NULL");
    }
}
