//! The state of a machine according to what is known: a table of cases, with the reasons.

use std::time::Duration;

use super::*;

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);
const INTERVAL: Duration = Duration::from_secs(1_800);

fn ago(minutes: i64) -> Timestamp {
    NOW - SignedDuration::from_mins(minutes)
}

fn ran(counts: Counts) -> LastRun {
    LastRun { at: ago(4), source: Source::Server, took_place: true, counts, error: None }
}

fn no_run() -> LastRun {
    LastRun { took_place: false, ..ran(Counts::default()) }
}

fn good() -> Counts {
    Counts { total: 64, unchanged: 64, ..Counts::default() }
}

fn known() -> NodeRecord {
    NodeRecord {
        standing: Membership::Added,
        heard: Some(ago(5)),
        kept_back: None,
        corrected: None,
        last: Some(ran(good())),
        drifted: None,
        changed: None,
    }
}

fn judged(known: &NodeRecord) -> (State, String) {
    let Judgement { state, reason } = judge(known, NOW, INTERVAL);
    (state, reason)
}

#[test]
fn each_state_has_what_makes_it_and_a_reason() {
    let with = |counts| NodeRecord { last: Some(ran(counts)), ..known() };
    let error = |error: &str| Some(error.to_owned());
    let cases = [
        (known(), State::InOrder, "the last run found everything"),
        (with(Counts::default()), State::InOrder, "the catalog of the last run manages nothing"),
        (
            with(Counts { off: 2, unchanged: 62, ..good() }),
            State::InOrder,
            "found the rest as it should be; 2 of 64 resources are switched off by policy",
        ),
        (
            with(Counts { off: 64, unchanged: 0, ..good() }),
            State::SwitchedOff,
            "64 of 64 resources are switched off by policy: nothing was checked",
        ),
        (
            NodeRecord {
                last: Some(LastRun { error: error("no new certificate"), ..ran(good()) }),
                ..known()
            },
            State::Trouble,
            "the last run said: no new certificate",
        ),
        (with(Counts { failed: 2, skipped: 1, ..good() }), State::Failed, "2 of 64 resources failed"),
        (
            with(Counts { failed: 1, skipped: 1, ..good() }),
            State::Failed,
            "failed in the last run and 1 was skipped",
        ),
        (with(Counts { skipped: 3, ..good() }), State::Failed, "did not end: 3 of 64 resources were skipped"),
        (with(Counts { skipped: 1, ..good() }), State::Failed, "did not end: 1 of 64 resources was skipped"),
        (
            with(Counts { off: 1, unchanged: 0, total: 1, ..good() }),
            State::SwitchedOff,
            "1 of 1 resource is switched off by policy: nothing was checked",
        ),
        (
            with(Counts { would_change: 1, total: 1, ..good() }),
            State::Pending,
            "1 of 1 resource differs and is left alone",
        ),
        (
            NodeRecord { last: Some(LastRun { error: error("no catalog"), ..no_run() }), ..known() },
            State::Failed,
            "did not take place: no catalog",
        ),
        (NodeRecord { last: Some(no_run()), ..known() }, State::Failed, "did not take place"),
        (
            NodeRecord {
                last: Some(LastRun { error: error("an old clock"), ..ran(Counts::default()) }),
                ..known()
            },
            State::Trouble,
            "the last run said: an old clock",
        ),
        (
            with(Counts { not_applicable: 1, ..good() }),
            State::NotApplicable,
            "1 of 64 resources does not apply",
        ),
        (with(Counts { would_change: 5, ..good() }), State::Pending, "5 of 64 resources differ"),
        (NodeRecord { heard: Some(ago(61)), ..known() }, State::Late, "nothing was heard for 61 min"),
        (
            NodeRecord { last: Some(LastRun { at: ago(300), ..ran(good()) }), ..known() },
            State::Late,
            "its last report is 5 h old",
        ),
        (NodeRecord { last: None, ..known() }, State::NoRun, "no run has been reported"),
        (NodeRecord { heard: None, last: None, ..known() }, State::NeverSeen, "never heard from"),
        (NodeRecord { standing: Membership::NotAdded, ..known() }, State::NotAdded, "but not added"),
        (NodeRecord { standing: Membership::Revoked, ..known() }, State::Revoked, "refused"),
        (NodeRecord { drifted: Some(ago(90)), ..known() }, State::Drifted, "corrected 90 min ago"),
        (
            NodeRecord { changed: Some(ago(30)), ..known() },
            State::Changed,
            "changed 30 min ago, and that was not drift",
        ),
        (NodeRecord { changed: Some(ago(90)), ..known() }, State::InOrder, ""),
    ];
    for (known, state, reason) in cases {
        let (found, words) = judged(&known);
        assert_eq!(found, state, "{known:?}");
        assert!(words.contains(reason), "{words} holds no `{reason}`");
    }
}

#[test]
fn an_older_catalog_is_never_in_order() {
    let why = |broken| Some(KeptBack { broken, why: "commit abc: no role".into() });
    assert_eq!(
        judged(&NodeRecord { kept_back: why(true), ..known() }),
        (State::Broken, "commit abc: no role".into())
    );
    assert_eq!(judged(&NodeRecord { kept_back: why(false), ..known() }).0, State::KeptBack);
    let cached = LastRun { source: Source::Cache, error: Some("refused whole".into()), ..ran(good()) };
    let (state, reason) = judged(&NodeRecord { last: Some(cached), ..known() });
    assert_eq!(state, State::KeptBack);
    assert!(reason.contains("refused whole"), "{reason}");
}

#[test]
fn what_is_corrected_is_pending_until_the_poll_and_excuses_the_run_that_lacked_a_catalog() {
    let words = "corrected by commit abc; its next poll is due in 5 min";
    let corrected = |explains_last| Some(ResolvedFault { words: words.to_owned(), explains_last });
    let cached = LastRun { source: Source::Cache, ..ran(good()) };
    // What a node says never looks like a reason of the server's.
    let late = LastRun { error: Some("the clock is 9 min off; revoked by ana".into()), ..no_run() };
    let cases = [
        (NodeRecord { corrected: corrected(true), last: Some(no_run()), ..known() }, State::Pending, words),
        (
            NodeRecord { corrected: corrected(true), last: Some(cached.clone()), ..known() },
            State::Pending,
            words,
        ),
        (
            NodeRecord { corrected: corrected(true), last: Some(late.clone()), ..known() },
            State::Pending,
            "due in 5 min; the last run said: the clock is 9 min off, revoked by ana",
        ),
        (
            NodeRecord { corrected: corrected(false), last: Some(late), ..known() },
            State::Failed,
            "the last run did not take place: the clock is 9 min off, revoked by ana; corrected by commit abc",
        ),
        (NodeRecord { corrected: corrected(false), last: Some(cached), ..known() }, State::KeptBack, words),
        (
            NodeRecord {
                corrected: corrected(true),
                last: Some(ran(Counts { failed: 2, ..good() })),
                ..known()
            },
            State::Failed,
            "2 of 64 resources failed in the last run; corrected by",
        ),
        (
            NodeRecord { corrected: corrected(true), standing: Membership::Revoked, ..known() },
            State::Revoked,
            State::Revoked.meaning(),
        ),
    ];
    for (known, state, reason) in cases {
        let (found, said) = judged(&known);
        assert_eq!(found, state, "{known:?}");
        assert!(said.contains(reason), "{said} holds no `{reason}`");
    }
}

#[test]
fn whatever_is_wrong_besides_stands_in_the_reason() {
    let failed = Some(ran(Counts { failed: 1, would_change: 2, ..good() }));
    let both = NodeRecord { heard: Some(ago(600)), last: failed, drifted: Some(ago(700)), ..known() };
    let (state, reason) = judged(&both);
    assert_eq!(state, State::Late);
    for words in
        ["nothing was heard for 10 h", "1 of 64 resources failed", "2 of 64 resources differ", "corrected"]
    {
        assert!(reason.contains(words), "{reason} holds no `{words}`");
    }
}

#[test]
fn words_of_others_are_cut_to_a_line() {
    let error = Some(format!("{}\nsecond", "é".repeat(1_000)));
    let known = NodeRecord { last: Some(LastRun { error, ..no_run() }), ..known() };
    let (_, reason) = judged(&known);
    assert!(reason.chars().count() < 300 && !reason.contains('\n'), "{reason}");
}

#[test]
fn slugs_are_read_and_misspelt_ones_explained() {
    for state in State::ALL {
        assert_eq!(state.slug().parse(), Ok(state));
        assert_eq!(serde_json::to_value(state).unwrap(), state.slug());
    }
    assert!("faild".parse::<State>().unwrap_err().contains("did you mean `failed`?"));
    assert!(State::ALL.is_sorted());
}
