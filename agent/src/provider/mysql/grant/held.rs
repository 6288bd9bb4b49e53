//! Which account holds which privileges, as the server lists them.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_catalog::resource::MysqlGrant;
use holdfast_catalog::resource::mysql_grant::{GrantLevel, MysqlPrivilege};
use holdfast_catalog::resource::mysql_user::MysqlAccount;
use serde::Deserialize;

use super::super::quoting::{literal, literals};

/// A row of the server's answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Row {
    /// An existing account, as `information_schema` writes it.
    Account(String),
    /// An existing table.
    Table(String),
    /// A privilege that the account has on something.
    Privilege {
        who: String,
        /// The level that it applies to.
        on: String,
        name: String,
        /// Whether the account may grant what it has there.
        option: String,
    },
    /// A privilege that the account has on a column of a table.
    Column { who: String, on: String, name: String, column: String },
    /// A privilege that the server knows.
    Known(String),
}

/// Which account holds which privileges.
#[derive(Debug, Default)]
pub struct GrantTable {
    accounts: BTreeSet<String>,
    tables: BTreeSet<String>,
    known: BTreeSet<MysqlPrivilege>,
    /// By account and level.
    by_place: BTreeMap<(String, String), GrantRow>,
}

/// What an account holds at one level.
#[derive(Debug, Default)]
struct GrantRow {
    privileges: BTreeSet<MysqlPrivilege>,
    /// The columns on which it has a privilege.
    columns: BTreeMap<MysqlPrivilege, BTreeSet<String>>,
    option: bool,
}

/// The query for everything that these accounts hold, for the tables that are named, and for all privileges that exist.
/// Those are the privileges of the account that asks, since nobody can be granted more.
pub fn question(all: &[&MysqlGrant]) -> String {
    let accounts: BTreeSet<&MysqlAccount> = all.iter().map(|want| &want.user).collect();
    let pairs: Vec<_> =
        accounts.iter().map(|one| format!("({}, {})", literal(&one.user), literal(&one.host))).collect();
    let tables = all.iter().filter_map(|want| match &want.on {
        GrantLevel::Table(database, table) => {
            let (database, table) = (literal(database.as_str()), literal(table.as_str()));
            Some(format!("(TABLE_SCHEMA = {database} AND TABLE_NAME = {table})"))
        }
        _ => None,
    });
    let tables: Vec<_> = tables.collect();
    format!(
        include_str!("held.sql"),
        pairs = pairs.join(", "),
        tables = if tables.is_empty() { "FALSE".to_owned() } else { tables.join(" OR ") },
        grantees = literals(accounts.iter().map(|account| grantee(account)))
    )
}

/// An account as `information_schema` writes it.
fn grantee(account: &MysqlAccount) -> String {
    format!("'{}'@'{}'", account.user, account.host)
}

impl GrantTable {
    /// Collects the rows of an answer.
    pub fn of(rows: Vec<Row>) -> Self {
        let mut all = Self::default();
        for row in rows {
            match row {
                Row::Account(who) => drop(all.accounts.insert(who)),
                Row::Table(name) => drop(all.tables.insert(name)),
                Row::Known(name) => all.known.extend(MysqlPrivilege::named(&name)),
                Row::Column { who, on, name, column } => {
                    let there = all.by_place.entry((who, on)).or_default();
                    if let Some(privilege) = MysqlPrivilege::named(&name) {
                        there.columns.entry(privilege).or_default().insert(column);
                    }
                }
                Row::Privilege { who, on, name, option } => {
                    let there = all.by_place.entry((who, on)).or_default();
                    there.privileges.extend(MysqlPrivilege::named(&name));
                    there.option |= option == "YES";
                }
            }
        }
        all
    }

    /// What a grant needs and does not exist, in words.
    pub fn missing(&self, want: &MysqlGrant) -> Option<String> {
        if !self.accounts.contains(&grantee(&want.user)) {
            return Some(format!("there is no account `{}`", want.user));
        }
        let table = Some(want.on.to_string()).filter(|_| matches!(want.on, GrantLevel::Table(..)));
        table.filter(|table| !self.tables.contains(table)).map(|table| format!("there is no table `{table}`"))
    }

    /// Which of the wanted privileges the account has at a level; `ALL` if it has all that the server knows.
    pub fn of_wanted(&self, want: &MysqlGrant, place: &str) -> BTreeSet<MysqlPrivilege> {
        let has = |one: &MysqlPrivilege| {
            self.there(want, place).is_some_and(|there| there.privileges.contains(one))
        };
        if !want.privileges.contains(&MysqlPrivilege::ALL) {
            return want.privileges.iter().copied().filter(has).collect();
        }
        let known: BTreeSet<_> =
            MysqlPrivilege::at(&want.on).filter(|one| self.known.contains(one)).collect();
        let held: BTreeSet<_> = known.iter().copied().filter(has).collect();
        if held == known && !known.is_empty() { BTreeSet::from([MysqlPrivilege::ALL]) } else { held }
    }

    /// Whether the account has any of the wanted privileges at a level.
    pub fn any(&self, want: &MysqlGrant, place: &str) -> bool {
        !self.of_wanted(want, place).is_empty()
    }

    /// The wanted privileges that the account has on columns of a table.
    pub fn on_columns(
        &self,
        want: &MysqlGrant,
        place: &str,
    ) -> impl Iterator<Item = (MysqlPrivilege, &BTreeSet<String>)> {
        let is_meant = |privilege: &MysqlPrivilege| {
            want.privileges.contains(&MysqlPrivilege::ALL) || want.privileges.contains(privilege)
        };
        let there = self.there(want, place).into_iter().flat_map(|there| &there.columns);
        there
            .filter(move |(privilege, _)| is_meant(privilege))
            .map(|(privilege, columns)| (*privilege, columns))
    }

    /// Whether the account may grant what it has at a level.
    pub fn has_option(&self, want: &MysqlGrant, place: &str) -> bool {
        self.there(want, place).is_some_and(|there| there.option)
    }

    fn there(&self, want: &MysqlGrant, place: &str) -> Option<&GrantRow> {
        self.by_place.get(&(grantee(&want.user), place.to_owned()))
    }
}
