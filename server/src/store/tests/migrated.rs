//! A store that was filled by earlier programs: brought up to date from each version, it has the same content.

use holdfast_catalog::origin::Origin;
use rusqlite::{Connection, params};

use crate::diagnostic::{Code, Diagnostic};

use super::super::commit::{CommitRow, CommitStatus};
use super::super::fleet::{KeptBackRow, LastRunRow};
use super::super::user::UserScope;
use super::super::{migrate, pack};
use super::*;

/// The content of a server of the first version: two nodes, one of which ran twice and does not compile; a commit, and
/// a user.
fn fill(connection: &Connection) {
    let (older, newer) = (report(1, 1), report(2, 0));
    let newer =
        Report { mode: Mode::Audit, error: Some("x".repeat(500)), commit: Some("c2".into()), ..newer };
    connection
        .execute_batch(
            "INSERT INTO node VALUES (1, 'web1', 1, 'alpinhost', 'acme', 'enrolled', 1, 2, 3000, 'c2', NULL);
             INSERT INTO node VALUES (2, 'web2', 1, 'alpinhost', 'acme', 'added', 1, NULL, NULL, NULL, NULL);
             INSERT INTO certificate VALUES ('01', 1, x'01', 1, 9000, 'pem', 1, 2, NULL);
             INSERT INTO token VALUES ('t', 1, x'01', 1, 'uid 0', 9, 2, x'02');
             INSERT INTO user VALUES (1, 'ana', 'operator', NULL, NULL, 'hash', 1);",
        )
        .unwrap();
    for (id, report) in [(1, &older), (2, &newer)] {
        let counts = &report.counts;
        connection
            .execute(
                "INSERT INTO report VALUES (?1, 1, ?2, ?3, 1, 5, NULL, ?4, 'main', ?5, 'server', ?6, ?7, ?8, 0, 0, 0, 0, 0,
                   0, 0, 0, ?9, '0.1.0', ?10)",
                params![
                    id,
                    report.run.to_string(),
                    1000 * id,
                    report.commit.as_deref(),
                    word(&report.mode),
                    counts.total,
                    counts.unchanged,
                    counts.changed,
                    report.error,
                    pack(report).unwrap().body
                ],
            )
            .unwrap();
    }
    connection
        .execute_batch(
            "INSERT INTO event VALUES (1, 0, 1, 1000, 'file[/etc/motd]', 'content', NULL, 'changed', NULL, NULL);
             UPDATE node SET report = 2 WHERE id = 1;",
        )
        .unwrap();
    let problems = serde_json::to_string(&problems()).unwrap();
    let problems = problems.replace("wrong-type", "wrong-kind"); // its name in that version
    connection.execute("INSERT INTO compile_error VALUES (1, 'main', 'c2', 7, ?1)", [&problems]).unwrap();
    let commit = "INSERT INTO commit_seen VALUES ('main', 'c1', 5, 4, 'Ana', 'One', 'good', ?1)";
    connection.execute(commit, [&problems]).unwrap();
}

fn problems() -> Vec<Diagnostic> {
    let at = |file: &str| Some(Origin::locate(&file.into(), "a = 1", 0..1));
    ["hieradata/a.toml", "hieradata/b.toml"]
        .map(|file| Diagnostic::error(Code::WrongType, "no", at(file)))
        .into()
}

/// The number of rows in each table of the first version.
fn rows(connection: &Connection) -> Vec<(String, i64)> {
    let tables = ["node", "token", "certificate", "report", "event", "compile_error", "commit_seen", "user"];
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        (table.to_owned(), connection.query_row(&sql, [], |row| row.get(0)).unwrap())
    };
    tables.map(count).into()
}

#[actix_web::test]
async fn a_store_of_any_earlier_version_is_brought_up_to_date_with_all_that_it_holds() {
    for version in 1..=migrate::newest() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("server.db");
        let connection = Connection::open(&file).unwrap();
        migrate::up_to(&connection, 1).unwrap();
        fill(&connection);
        let held = rows(&connection);
        migrate::up_to(&connection, version).unwrap();
        drop(connection);

        let store = Store::open(&file).unwrap();
        assert_eq!(rows(&Connection::open(&file).unwrap()), held, "from version {version}");
        let fleet = store.fleet(UserScope::Everything, None, "main".into()).await.unwrap();
        let [web1, web2] = &*fleet else { panic!("{fleet:?}") };
        let last = LastRunRow {
            run: Some(report(2, 0).run),
            received_at: time(2000).unwrap(),
            mode: Mode::Audit,
            source: Source::Server,
            commit: Some("c2".into()),
            counts: report(2, 0).counts,
            error: Some("x".repeat(300)),
            refused_commit: None,
            besides: None,
        };
        assert_eq!((web1.last.as_ref(), &web2.last), (Some(&last), &None), "from version {version}");
        assert_eq!(
            web1.kept_back,
            Some(KeptBackRow::of(&"c2".into(), &problems())),
            "from version {version}"
        );
        assert_eq!(web1.node.runs_on.as_deref(), Some("c1"), "it looked at c2, and runs on c1");
        assert!(web1.knows_commit && web1.lately.changed == Some(time(1000).unwrap()));
        assert_eq!((web1.certificate_until, web1.refused), (Some(time(9000).unwrap()), None));
        let reports = store.reports_of(web1.node.id, 9).await.unwrap();
        assert_eq!(reports.iter().map(|report| report.id).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(store.report(1).await.unwrap().unwrap().1, report(1, 1));
        let errors = |commits: Vec<(CommitRow, usize)>| commits[0].1;
        assert_eq!(errors(store.commits("main".into(), 0, 9).await.unwrap()), 2, "from version {version}");
        let head = store.head("main".into()).await.unwrap().unwrap().in_force.unwrap();
        assert_eq!((&*head.id, head.status), ("c1", CommitStatus::Good));
        // It can be used from there on.
        assert!(matches!(
            store.put_report(web2.node.id, report(3, 1), NOW).await.unwrap(),
            InsertOutcome::New(_)
        ));
        assert!(store.user("ana".into()).await.unwrap().is_some_and(|ana| ana.password.is_some()));
    }
}
