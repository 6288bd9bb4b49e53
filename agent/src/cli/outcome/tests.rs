//! What people read, word for word.

use holdfast_catalog::report::{Counts, Source};
use holdfast_catalog::resource::ResourceRef;

use super::*;

fn origin(file: &str, line: u32, level: Option<&str>) -> Origin {
    Origin { file: file.into(), start: 0, end: 0, line, column: 1, level: level.map(Into::into) }
}

fn event() -> Event {
    Event {
        resource: ResourceRef::parse("file[/etc/motd]").unwrap(),
        property: Some("mode".into()),
        path: None,
        is: Some("0600".into()),
        should: Some("0644".into()),
        status: Status::Changed,
        cause: Some(Cause::Corrective),
        reason: None,
        diff: Some("-a\n+b\u{1b}[2J\n".into()),
        origin: Some(origin("modules/motd/manifests/init.toml", 4, None)),
        sources: vec![origin("hieradata/nodes/web1.toml", 7, Some("node"))],
        duration_ms: 3,
    }
}

fn report(events: Vec<Event>, counts: Counts) -> Report {
    Report {
        run: uuid::Uuid::nil().into(),
        catalog: holdfast_catalog::catalog::CatalogId::parse(&"a".repeat(64)),
        commit: Some("0123456789abcdef".into()),
        environment: None,
        mode: Mode::Enforce,
        source: Source::File,
        started: jiff::Timestamp::UNIX_EPOCH,
        duration_ms: 1_240,
        phases: [("check".to_owned(), 60)].into(),
        types: [].into(),
        counts,
        events,
        no_catalog: None,
        error: None,
        agent: "0".into(),
        volatile: [].into(),
    }
}

#[test]
fn a_line_says_what_why_and_where() {
    let counts = Counts { total: 5, changed: 1, corrective: 1, unchanged: 4, ..Counts::default() };
    assert_eq!(
        text(&report(vec![event()], counts), None, Style::Plain),
        "changed file[/etc/motd] mode 0600 -> 0644 (corrective) \
         [modules/motd/manifests/init.toml:4, hieradata/nodes/web1.toml:7 (node)]\n    -a\n    +b\\u{1b}[2J\n\
         1 changed (1 corrective), 4 unchanged in 1.2 s (check 60 ms)\n"
    );
}

#[test]
fn a_terminal_shows_the_diff_and_cannot_be_steered_by_it() {
    let shown = text(&report(vec![event()], Counts::default()), None, Style::Terminal);
    assert!(shown.contains("0123456789ab ·") && shown.contains("0600 → 0644"), "{shown}");
    assert!(shown.contains("+b\\u{1b}[2J"), "{shown}");
    assert!(shown.contains("set in hieradata/nodes/web1.toml:7 (node)"), "{shown}");
}

#[test]
fn a_reason_of_several_lines_is_shown_in_as_many() {
    let failed =
        Event { status: Status::Failed, reason: Some("apt said:\nE: no\u{1b}[2J".into()), ..event() };
    let shown = text(&report(vec![failed.clone()], Counts::default()), None, Style::Terminal);
    assert!(shown.contains("    apt said:\n    E: no\\u{1b}[2J\n"), "{shown}");
    let plain = text(&report(vec![failed], Counts::default()), None, Style::Plain);
    assert!(plain.contains("apt said:\\nE: no"), "a line of a journal stays one: {plain}");
}

#[test]
fn who_wants_no_colours_reads_the_same_without_them() {
    let shown = |style| text(&report(vec![event()], Counts::default()), None, style);
    let mut colours = shown(Style::Terminal);
    for code in ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[1;31m"] {
        colours = colours.replace(code, "");
    }
    assert_eq!(shown(Style::Colourless), colours);
}

#[test]
fn long_values_are_cut_and_hashes_are_short() {
    assert_eq!(value(&format!("sha256:{}", "a".repeat(64))), "sha256:aaaaaaaaaaaa…");
    let cut = format!("{}… (and 300 characters)", "ü".repeat(MAX_VALUE));
    assert_eq!(value(&"ü".repeat(500)), cut);
    assert_eq!(value("0644"), "0644");
}

#[test]
fn a_run_that_was_none_does_not_look_like_a_good_one() {
    let mut none = report(Vec::new(), Counts::default());
    (none.catalog, none.commit, none.environment) = (None, None, None);
    none.error = Some("no catalog".into());
    assert_eq!(text(&none, None, Style::Plain), "note: no catalog\nthere was no run: nothing was checked\n");
}

fn common(detailed_exitcodes: bool) -> Common {
    Common { config: None, state_dir: None, root: "/".into(), detailed_exitcodes, format: Format::Text }
}

#[test]
fn exit_codes_tell_changed_failed_and_both() {
    let code = |changed, failed, detailed| {
        let counts = Counts { changed, failed, ..Counts::default() };
        format!("{:?}", exit_code(&report(Vec::new(), counts), false, &common(detailed)))
    };
    let expected = |code: u8| format!("{:?}", ExitCode::from(code));
    for (changed, failed, plain, detailed) in [(0, 0, 0, 0), (1, 0, 0, 2), (0, 1, 1, 4), (2, 1, 1, 6)] {
        assert_eq!(code(changed, failed, false), expected(plain));
        assert_eq!(code(changed, failed, true), expected(detailed));
    }
    // A run that was stopped skipped what it had not begun.
    let stopped = Counts { skipped: 3, unchanged: 1, ..Counts::default() };
    let code = |detailed| format!("{:?}", exit_code(&report(Vec::new(), stopped), false, &common(detailed)));
    assert_eq!((code(false), code(true)), (expected(1), expected(4)));
    let refused = |detailed| exit_code(&report(Vec::new(), Counts::default()), true, &common(detailed));
    assert_eq!(format!("{:?}", refused(false)), expected(1));
    assert_eq!(format!("{:?}", refused(true)), expected(4), "the server was there, and gave no new catalog");
}

#[test]
fn a_resource_that_was_changed_in_part_and_failed_in_part_is_both() {
    let part = |status| Event { status, ..event() };
    let counts = Counts { total: 1, failed: 1, ..Counts::default() };
    let code = |events: Vec<Event>| format!("{:?}", exit_code(&report(events, counts), false, &common(true)));
    let is = |code: u8| format!("{:?}", ExitCode::from(code));
    assert_eq!(code(vec![part(Status::Changed), part(Status::Failed)]), is(6));
    assert_eq!(code(vec![part(Status::Failed)]), is(4));
}

#[test]
fn an_audit_after_which_a_run_would_refresh_is_not_green() {
    let would = Counts { would_refresh: 1, ..Counts::default() };
    let code = exit_code(&report(Vec::new(), would), false, &common(true));
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(2)));
}

#[test]
fn what_is_not_applicable_is_said_in_the_last_line_and_is_not_green() {
    let counts = Counts { total: 2, not_applicable: 1, unchanged: 1, ..Counts::default() };
    let report = report(Vec::new(), counts);
    assert!(summary(&report, Style::Plain).starts_with("1 not applicable, 1 unchanged"));
    let shown = summary(&report, Style::Terminal);
    assert!(shown.contains(&Style::Terminal.warn("1 not applicable")), "{shown}");
}

#[test]
fn what_is_left_out_and_cut_is_said() {
    let counts = Counts { total: 1, unchanged: 1, dropped: 7, ..Counts::default() };
    let told = text(&report(vec![], counts), None, Style::Plain);
    assert!(told.ends_with("; 7 events left out of the report\n"), "{told}");
}
