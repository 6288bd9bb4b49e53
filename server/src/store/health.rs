//! Whether the store can be used: checked before a start, and for those who ask a running server.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;

use super::{Error, Result, Store, pool, time};

/// Identifies the database file that was opened among all files that may ever have its name.
#[derive(Debug, Clone)]
pub struct DatabaseFile {
    file: PathBuf,
    identity: (u64, u64),
}

impl DatabaseFile {
    /// The identity of a file that exists.
    pub fn of(file: &Path) -> Result<Self> {
        let found = std::fs::metadata(file).map_err(|error| Error::Database(Box::new(error)))?;
        Ok(Self { file: file.to_owned(), identity: (found.dev(), found.ino()) })
    }

    /// Checks that the name still refers to this file. What is written to a file without a name is lost when the
    /// process ends.
    pub fn check(&self) -> Result<()> {
        match std::fs::metadata(&self.file) {
            Ok(found) if (found.dev(), found.ino()) == self.identity => Ok(()),
            _ => Err(Error::Gone(self.file.display().to_string())),
        }
    }
}

impl Store {
    /// The size of the database in bytes, including what has been written but is not in its main file yet.
    pub fn size(&self) -> u64 {
        let of = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
        let file = &self.shared.place.file;
        of(file) + of(&file.with_extension("db-wal"))
    }

    /// How many pieces of work wait to be written, or are being written.
    pub fn waiting(&self) -> usize {
        self.shared.writer.waiting()
    }

    /// Whether a file is a store with its tables. Does not change the file.
    ///
    /// # Errors
    /// Returns an error if the file exists but cannot be read as a database.
    pub fn is_at(file: &Path) -> Result<bool> {
        if !file.exists() {
            return Ok(false);
        }
        let connection = pool::open_for_reading(file)?;
        Ok(connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? > 0)
    }

    /// Checks that each page of a file is where the others refer to it. A file that is damaged in the middle, or has
    /// the log of another one beside it, may open and fail a day later. Does not change the file; a gigabyte takes a
    /// second or two.
    ///
    /// # Errors
    /// Returns an error with the first damage if the file is damaged.
    pub fn check_whole(file: &Path) -> Result<()> {
        let connection = pool::open_for_reading(file)?;
        match connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))? {
            said if said == "ok" => Ok(()),
            said => Err(Error::Database(format!("the database is damaged: {said}").into())),
        }
    }

    /// When something with a time was last written: an operator's action, or a machine's report.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn last_written(&self) -> Result<Option<Timestamp>> {
        self.read(|connection| {
            let sql = "SELECT max(coalesce((SELECT at FROM audit ORDER BY seq DESC LIMIT 1), 0),
                              coalesce((SELECT max(received_at) FROM report), 0))";
            let last: i64 = connection.query_row(sql, [], |row| row.get(0))?;
            Some(last).filter(|last| *last > 0).map(time).transpose()
        })
        .await
    }

    /// Checks that reading works: the file is the one that was opened, it is whole, and each table can be read. Uses a
    /// new connection, which has nothing cached and does not wait behind pages.
    ///
    /// # Errors
    /// Returns an error if the store cannot read.
    pub async fn check_reading(&self) -> Result<()> {
        let place = self.shared.place.clone();
        let look = move || {
            place.check()?;
            look_at_tables(&pool::open_for_reading(&place.file)?)
        };
        tokio::task::spawn_blocking(look).await.map_err(|error| Error::Database(Box::new(error)))?
    }

    /// Checks that writing works: writes a value that is there already, down to the disk.
    ///
    /// # Errors
    /// Returns an error if the store cannot write.
    pub async fn check_writing(&self) -> Result<()> {
        self.write(|connection| {
            let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            Ok(connection.pragma_update(None, "user_version", version)?)
        })
        .await
    }
}

fn look_at_tables(connection: &Connection) -> Result<()> {
    let mut names = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")?;
    let names = names.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    if names.is_empty() {
        return Err(Error::Database("the database has no tables".into()));
    }
    for name in names {
        let sql = format!("SELECT count(*) FROM (SELECT * FROM \"{name}\" LIMIT 1)");
        connection.query_row(&sql, [], |row| row.get::<_, i64>(0))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::empty;
    use super::*;

    #[test]
    fn a_disk_at_fault_is_told_from_a_file_that_is_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let nowhere = Store::open(&directory.path().join("gone/server.db")).err().unwrap();
        assert!(nowhere.is_of_the_disk(), "{nowhere}");
        let file = directory.path().join("server.db");
        std::fs::write(&file, "no database at all, and longer than the header of one. ".repeat(9)).unwrap();
        let damaged = Store::open(&file).err().unwrap();
        assert!(!damaged.is_of_the_disk(), "{damaged}");
    }

    #[actix_web::test]
    async fn f34_a_database_that_is_cut_off_under_the_server_is_seen() {
        let (directory, store) = empty();
        store.close().await;
        let store = Store::open(&directory.path().join("server.db")).unwrap();
        store.check_reading().await.unwrap();
        let file = std::fs::File::options().write(true).open(directory.path().join("server.db")).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        assert!(store.check_reading().await.is_err());
    }

    #[actix_web::test]
    async fn f35_a_database_that_is_removed_or_replaced_takes_nothing_more() {
        for replaced in [false, true] {
            let (directory, store) = empty();
            let file = directory.path().join("server.db");
            store.check_writing().await.unwrap();
            std::fs::rename(&file, directory.path().join("aside")).unwrap();
            if replaced {
                std::fs::copy(directory.path().join("aside"), &file).unwrap();
            }
            let error = store.check_reading().await.unwrap_err().to_string();
            assert!(error.contains("removed or replaced"), "{error}");
            assert!(store.check_writing().await.is_err(), "it acknowledged what is lost");
        }
    }
}
