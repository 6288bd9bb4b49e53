//! Checks the table of abuse tests against the tree; and tests what only shows when the programs run.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use harness::binaries::workspace;
use harness::server::{SOON, ServerPaths};
use harness::{binaries, process, wait};

/// The numbers of the attacks, and of the cases of enrolment.
const ATTACKS: std::ops::RangeInclusive<u32> = 1..=60;
const ENROLMENTS: std::ops::RangeInclusive<u32> = 1..=18;

/// The rows of the table: the text of the last column, by number.
fn table() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(workspace().join("tests/abuse/README.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, _, tests] = cells[..] else { return None };
        number.starts_with(['A', 'E']).then(|| (number.to_owned(), tests.to_owned()))
    });
    let rows: Vec<_> = rows.collect();
    let table: BTreeMap<_, _> = rows.iter().cloned().collect();
    assert_eq!(rows.len(), table.len(), "a number is in the table twice");
    table
}

#[test]
fn every_attack_is_in_the_table() {
    let wanted = ATTACKS.map(|n| format!("A{n:02}")).chain(ENROLMENTS.map(|n| format!("E{n:02}")));
    let table = table();
    let missing: Vec<_> = wanted.filter(|number| !table.contains_key(number)).collect();
    assert!(missing.is_empty(), "not in tests/abuse/README.md: {missing:?}");
}

#[test]
fn every_test_of_the_table_is_in_the_tree() {
    let mut lost = Vec::new();
    for (number, tests) in table() {
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(
            !named.is_empty() || tests.starts_with("not yet"),
            "{number} has neither a test nor a reason"
        );
        for test in named {
            let (file, name) = test.rsplit_once("::").unwrap_or((test, ""));
            let text = std::fs::read_to_string(workspace().join(file)).unwrap_or_default();
            if !text.contains(&format!("fn {name}(")) {
                lost.push(format!("{number}: {test}"));
            }
        }
    }
    assert!(lost.is_empty(), "tests of the table that are not there:\n  {}", lost.join("\n  "));
}

/// A server in a folder, over a repository with a customer but no machine.
fn server(folder: &Path) -> ServerPaths {
    let server = ServerPaths {
        repo: folder.join("control"),
        data_dir: folder.join("data"),
        log_file: folder.join("server.log"),
        listen: process::free_address().unwrap(),
        dashboard: process::free_address().unwrap(),
    };
    let customer = server.repo.join("inventory/hosting/acme.toml");
    std::fs::create_dir_all(customer.parent().unwrap()).unwrap();
    std::fs::write(customer, "# no machine yet\n").unwrap();
    git(&server, &["init", "--quiet", "--initial-branch=main"]);
    git(&server, &["add", "--all"]);
    git(&server, &["commit", "--quiet", "--message", "A customer"]);
    server
}

fn git(server: &ServerPaths, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(&server.repo);
    command.args(["-c", "user.name=Otto", "-c", "user.email=otto@hosting.example"]);
    process::run(command.args(arguments)).unwrap()
}

/// Sends something that is not a request, after the TLS handshake, as a stranger; returns once it is answered.
fn send_what_is_none(server: &ServerPaths, address: std::net::SocketAddr) {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    let ca = server.data_dir.join("ca/ca.pem");
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
    let session = rustls::ClientConnection::new(Arc::new(config), address.ip().into()).unwrap();
    let mut stream = rustls::StreamOwned::new(session, TcpStream::connect(address).unwrap());
    stream.write_all(b"\x01\x02 no request\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // the server may end the connection without TLS's closing message
    let _ended = stream.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn a30_a_request_that_is_none_leaves_no_line_in_the_log() {
    // With a filter that includes such lines, they appear: otherwise the test would prove nothing.
    for (asked, leaves) in [(Some("info"), true), (None, false)] {
        let folder = tempfile::tempdir().unwrap();
        let server = server(folder.path());
        let mut command = Command::new(&binaries().server);
        command.env_remove("HOLDFAST_LOG").envs(asked.map(|asked| ("HOLDFAST_LOG", asked)));
        let _running = server.start(command, &[]).unwrap();
        for address in [server.listen, server.dashboard] {
            send_what_is_none(&server, address);
        }
        let said = |words: &str| match server.log() {
            log if log.contains(words) => Ok(log),
            log => Err(log),
        };
        if leaves {
            wait::until("it is logged where that is asked for", SOON, || said("actix_http")).unwrap();
            continue;
        }
        // A later line in the log shows that nothing was logged before it.
        git(&server, &["commit", "--quiet", "--allow-empty", "--message", "Another"]);
        let commit = git(&server, &["rev-parse", "HEAD"]);
        let log = wait::until("the next commit is logged", SOON, || said(commit.trim())).unwrap();
        assert!(!log.contains("ERROR") && !log.contains("actix") && !log.contains("no request"), "{log}");
    }
}

#[test]
fn a27_where_no_file_can_be_opened_that_is_said_and_not_what_seems_to_follow() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let mut running = server.start(Command::new(&binaries().server), &[]).unwrap();
    let id = running.child().id().to_string();
    let limit = |files: &str| {
        process::run(Command::new("prlimit").args(["--pid", &id, &format!("--nofile={files}:")])).unwrap()
    };
    let said = |words: &str| match server.log() {
        log if log.contains(words) => Ok(log),
        log => Err(log),
    };
    // Fewer than it has open already.
    limit("5");
    let log =
        wait::until("the server says it", SOON, || said("too many files are open, 5 is the limit")).unwrap();
    assert!(!log.contains("no branch") && !log.contains("is not a commit"), "{log}");
    limit("1024");
    git(&server, &["commit", "--quiet", "--allow-empty", "--message", "Another"]);
    let commit = git(&server, &["rev-parse", "HEAD"]);
    wait::until("it reads again", SOON, || server.holdfast(&["poke", "--commit", commit.trim()])).unwrap();
}
