//! `holdfast-agent enroll`: makes this machine a node, with a join string.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use holdfast_catalog::join::JoinString;
use zeroize::Zeroizing;

use super::{Common, Format, Style};
use crate::identity::Identity;
use crate::identity::enroll::{self, OnExisting};
use crate::identity::owner::EnrolledNode;
use crate::run;
use crate::spool::{AsideCounts, Spool};
use crate::state::StateDir;

/// The most bytes of a join string and the text around it.
const MAX_BYTES: u64 = 16 * 1024;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file that contains the join string
    #[arg(long, value_name = "FILE", conflicts_with = "stdin")]
    join_file: Option<PathBuf>,
    /// Set this machine's identity aside, without asking its server whether it is still valid
    #[arg(long)]
    replace: bool,
    /// Read the join string from standard input (the default without a file)
    // Any value is accepted, so no error of the command line repeats a join string.
    #[arg(value_name = "-")]
    stdin: Option<OsString>,
}

pub(super) fn run(arguments: &Arguments, common: &Common) -> anyhow::Result<ExitCode> {
    if arguments.stdin.as_ref().is_some_and(|given| given != "-") {
        let error = Style::of(&std::io::stderr()).bad("error:");
        super::say(&format!(
            "{error} a join string cannot be an argument: other users of this machine could see it"
        ));
        super::say(
            "give it with --join-file FILE or on standard input; if the argument was a join string, make a new one",
        );
        return Ok(super::USAGE.into());
    }
    let place = common.place()?;
    let state = StateDir::open(&place.state_dir)?;
    // Read before the lock is taken: the person who is asked may take all day, and no run should wait for that.
    let text = match &arguments.join_file {
        Some(path) => read_file(path)?,
        None => read_stdin()?,
    };
    let join: JoinString = text.parse()?;
    let _lock = state.lock()?;
    let earlier = if arguments.replace { OnExisting::Replace } else { OnExisting::Keep };
    let network = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let identity = network.block_on(enroll::enroll(&join, &state, earlier))?;
    // Done before anything is printed, which may fail: the machine's earlier identity ends whether or not anyone reads
    // of it.
    let before = end_what_was_before(&identity, &state);
    let told = tell(&identity, common);
    note_other_name(&identity, &place.root);
    before.iter().for_each(|words| super::note(words));
    told?;
    Ok(ExitCode::SUCCESS)
}

fn read_file(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let failed = || format!("cannot read the join string from {}", path.display());
    let mut text = Zeroizing::new(String::new());
    crate::regular::given(path)
        .with_context(failed)?
        .take(MAX_BYTES)
        .read_to_string(&mut text)
        .with_context(failed)?;
    Ok(text)
}

fn read_stdin() -> anyhow::Result<Zeroizing<String>> {
    let stdin = std::io::stdin();
    let mut text = Zeroizing::new(String::new());
    if stdin.is_terminal() {
        // If there is no terminal to ask on, nobody answers either.
        let _ = write!(std::io::stderr(), "join string (from `holdfast node add`): ");
        stdin.read_line(&mut text)?;
    } else {
        stdin.lock().take(MAX_BYTES).read_to_string(&mut text).context("cannot read the join string")?;
    }
    Ok(text)
}

/// Ends what this machine was before. Returns what the user should know about it: reports that its earlier runs left
/// are never delivered.
fn end_what_was_before(identity: &Identity, state: &StateDir) -> Vec<String> {
    let owner = EnrolledNode::of(identity);
    let forgotten = run::take_over(state, identity).unwrap_or_else(|error| Some(error.for_people_here()));
    let sifted = Spool::open(state).and_then(|spool| {
        spool.sift(&owner)?;
        spool.aside()
    });
    let aside = sifted.map_or_else(|error| Some(error.to_string()), AsideCounts::words);
    forgotten.into_iter().chain(aside).collect()
}

/// Warns if the host's own name differs from the node's: a join string works wherever it is pasted, so it may be
/// another machine's.
fn note_other_name(identity: &Identity, root: &Path) {
    let Ok(name) = crate::regular::text(&root.join("etc/hostname"), MAX_BYTES) else { return };
    if let Some(words) = other_name(identity.certname.as_str(), name.trim()) {
        super::note(&words);
    }
}

fn other_name(certname: &str, host: &str) -> Option<String> {
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_other = !host.is_empty() && first(certname) != first(host);
    is_other.then(|| {
        format!(
            "this host's name is {host}: if the join string was meant for another machine, run `holdfast node move \
             {certname}` on the server: it makes a join string for that machine, and ends this enrolment"
        )
    })
}

fn tell(identity: &Identity, common: &Common) -> anyhow::Result<()> {
    let until = identity.current.validity().map_err(anyhow::Error::msg)?.until;
    if common.format == Format::Json {
        return super::print_json(&serde_json::json!({
            "certname": identity.certname, "server": identity.server, "certificate_until": until,
        }));
    }
    let style = Style::of(&std::io::stderr());
    super::say(&format!(
        "{} as {} with {}; the certificate is valid until {until:.0} and is renewed automatically",
        style.good("enrolled"),
        style.strong(identity.certname.as_str()),
        identity.server
    ));
    super::say(&next(common));
    Ok(())
}

/// What to do next. A root other than `/` has no service that runs the agent.
fn next(common: &Common) -> String {
    let given = [("--root", Some(&common.root).filter(|root| root.as_os_str() != "/"))];
    let given = given.into_iter().chain([("--config", common.config.as_ref())]);
    let given = given.chain([("--state-dir", common.state_dir.as_ref())]);
    let told: String =
        given.filter_map(|(option, path)| Some(format!(" {option} {}", path?.display()))).collect();
    match told.is_empty() {
        true => "next: `holdfast-agent run --once`, or `systemctl enable --now holdfast-agent`".to_owned(),
        false => super::style::harmless(&format!("next: `holdfast-agent run --once{told}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_next_is_for_the_same_root() {
        let common = |root: &str| Common {
            config: None,
            state_dir: None,
            root: root.into(),
            detailed_exitcodes: false,
            format: Format::Text,
        };
        assert!(next(&common("/")).contains("`systemctl enable"));
        assert_eq!(next(&common("/srv/image")), "next: `holdfast-agent run --once --root /srv/image`");
    }

    #[test]
    fn while_the_join_string_is_waited_for_no_run_is_held_up() {
        let parent = tempfile::tempdir().unwrap();
        let (fifo, state_dir) = (parent.path().join("join"), parent.path().join("agent"));
        let may_use = rustix::fs::Mode::RWXU;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, may_use, 0).unwrap();
        // Named by its descriptor, as a shell passes the output of a process substitution.
        let handle = rustix::fs::open(&fifo, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
        let handed_over = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&handle));
        let arguments = Arguments { join_file: Some(handed_over.into()), replace: false, stdin: None };
        let common = Common {
            config: None,
            state_dir: Some(state_dir.clone()),
            root: parent.path().to_owned(),
            detailed_exitcodes: false,
            format: Format::Text,
        };
        std::thread::scope(|scope| {
            let enrolling = scope.spawn(|| run(&arguments, &common).unwrap_err().to_string());
            // Opens once the other end does, which then waits for input.
            let mut giving = std::fs::OpenOptions::new().write(true).open(&fifo).unwrap();
            let lock = StateDir::open(&state_dir).unwrap().lock();
            giving.write_all(b"no join string").unwrap();
            drop(giving);
            assert!(lock.is_ok(), "{lock:?}");
            let error = enrolling.join().unwrap();
            assert!(!error.contains("in progress"), "it failed for what it was given: {error}");
        });
    }

    #[test]
    fn a_host_of_another_name_is_told_whose_join_string_it_used() {
        for host in ["box1", "box1.harbor.example", "BOX1", ""] {
            assert_eq!(other_name("box1.harbor.example", host), None, "{host}");
        }
        let said = other_name("box1.harbor.example", "server.harbor.example").unwrap();
        assert!(said.contains("server.harbor.example") && said.contains("node move box1.harbor.example"));
    }
}
