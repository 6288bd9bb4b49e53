//! Names and texts as MariaDB and MySQL read them; sessions turn `NO_BACKSLASH_ESCAPES` on.

use holdfast_catalog::resource::mysql_user::MysqlAccount;

use super::super::database::quoting::quoted;
pub use super::super::database::quoting::{literal, literals};

/// A quoted identifier.
pub fn identifier(name: &str) -> String {
    quoted(name, '`')
}

/// A quoted account.
pub fn account(account: &MysqlAccount) -> String {
    format!("{}@{}", literal(&account.user), literal(&account.host))
}

/// A database's name in a grant, where `_` is a wildcard unless it is escaped.
pub fn pattern(database: &str) -> String {
    database.replace('_', "\\_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_underscore_in_a_grant_is_itself() {
        assert_eq!(pattern("shop_a"), "shop\\_a");
    }
}
