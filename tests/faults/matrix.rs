//! Every fault that we thought of, with the tests that try it, or why it is not tried here. Tests that were written for
//! a fault have its letter and number in their names; others existed before.

use std::collections::BTreeSet;
use std::path::Path;

/// How a fault is tried.
enum Tried {
    By(&'static [&'static str]),
    Not(&'static str),
}

use Tried::{By, Not};

const FAULTS: &[(u8, &str, Tried)] = &[
    (
        1,
        "the server is down",
        By(&["with_the_server_away_drift_is_corrected_and_reported_later_once_and_in_order"]),
    ),
    (
        2,
        "the server does not answer",
        By(&[
            "a_host_can_crash_reboot_hang_and_lose_its_network",
            "f02_a_server_that_never_answers_is_an_error_in_time",
            "f02_a_content_that_never_comes_takes_no_more_than_its_part_of_the_run",
            "f02_reports_that_a_slow_server_takes_one_by_one_wait_for_the_next_run",
        ]),
    ),
    (3, "the connection is cut in a catalog", By(&["a_body_that_ends_early_is_a_failure"])),
    (
        4,
        "the connection is cut in a report",
        By(&["a_report_sent_twice_counts_once_and_is_its_senders", "a_lost_reply_burns_nothing"]),
    ),
    (
        5,
        "the network loses packets",
        Not("a matter of TCP and of the timeouts of F02; tried by hand with loss and delay"),
    ),
    (6, "names are not resolved, or wrongly", By(&["a_wrong_pin_sends_nothing_and_shows_both_fingerprints"])),
    (7, "the server is busy", By(&["who_asks_too_often_waits", "only_what_may_pass_is_tried_again"])),
    (
        8,
        "the answer is nonsense or another's",
        By(&["what_is_not_for_this_node_or_not_understood_is_refused_whole"]),
    ),
    (
        9,
        "the agent is killed at any call",
        By(&["killed_anywhere_every_file_is_whole_and_the_next_run_does_the_rest"]),
    ),
    (
        10,
        "a run is interrupted",
        By(&[
            "an_interrupted_run_skips_what_is_left",
            "signals_wake_and_stop",
            "f10_a_command_at_hand_ends_with_its_children_when_the_run_is_told_to_stop",
            "f10_a_command_that_must_not_end_half_way_goes_on_to_its_end",
            "f10_a_command_that_a_run_was_told_to_stop_in_is_not_tried_again",
            "f10_a_stopped_agent_ends_the_command_at_hand_says_so_and_does_it_next_time",
        ]),
    ),
    (
        11,
        "the power fails",
        Not("needs images of file systems with a log of writes; power cuts of hosts are tried by hand"),
    ),
    (
        12,
        "a restart is owed",
        By(&[
            "what_will_be_owed_is_on_disk_before_anything_changes",
            "a_refresh_that_failed_stays_owed_until_it_works",
            "killed_anywhere_every_file_is_whole_and_the_next_run_does_the_rest",
        ]),
    ),
    (
        13,
        "the disk of a file is full",
        By(&[
            "dropped_or_killed_it_leaves_no_trace",
            "f13_f16_a_managed_file_whose_disk_is_full_or_read_only_fails_with_that_and_comes_about_later",
        ]),
    ),
    (
        14,
        "the disk of the state is full",
        By(&[
            "f14_a_report_that_no_disk_takes_goes_from_memory",
            "f14_f16_a_state_whose_disk_is_full_or_read_only_keeps_no_file_from_being_corrected_and_is_named",
            "f14_without_a_place_for_anything_the_run_enforces_and_reports",
            "f14_f16_what_a_run_leaves_is_known_to_the_next_ones_while_the_disk_takes_nothing_and_after",
            "f14_f16_what_was_backed_up_and_what_was_unpacked_meanwhile_comes_back_with_the_rest",
        ]),
    ),
    (15, "no inodes are left", Not("the same error of the system as F13 and F14, from the same calls")),
    (
        16,
        "the file system is read-only, a file immutable",
        By(&[
            "f16_where_nothing_can_be_written_a_run_still_has_its_lock",
            "f13_f16_a_managed_file_whose_disk_is_full_or_read_only_fails_with_that_and_comes_about_later",
            "f14_f16_a_state_whose_disk_is_full_or_read_only_keeps_no_file_from_being_corrected_and_is_named",
            "an_attribute_that_keeps_root_out_is_named",
        ]),
    ),
    (
        17,
        "a read or a sync fails",
        Not("needs a device that fails; the error of each call is an error of its resource"),
    ),
    (18, "a sync fails once", Not("needs a device that fails; no sync is tried a second time")),
    (19, "a file is mounted on", By(&["in_place_only_a_regular_file_with_one_name_is_written"])),
    (
        20,
        "what the agent keeps is damaged",
        By(&[
            "f20_damaged_contents_are_fetched_anew_whatever_is_in_their_place",
            "f20_a_damaged_identity_keeps_no_machine_from_being_kept_as_it_was_to_be",
            "f20_a_damaged_pair_gives_way_to_the_one_before_and_that_is_said",
            "f20_whatever_is_in_its_place_the_next_catalog_is_kept",
            "f20_what_is_no_file_is_never_waited_for_and_can_be_thrown_away",
            "f20_what_stands_in_the_place_of_a_lock_is_put_aside_and_said",
            "f20_damaged_files_of_the_state_are_told_by_status_doctor_and_the_run_which_has_them_again",
            "f20_directories_of_the_state_that_are_something_else_or_open_are_put_right_and_said",
            "f20_an_identity_of_another_kind_is_damaged_and_a_new_enrolment_is_its_cure",
            "any_flipped_bit_or_cut_puts_it_aside",
            "what_cannot_be_read_is_put_aside_and_said_and_the_run_goes_on",
        ]),
    ),
    (
        21,
        "two runs at once",
        By(&[
            "f21_a_run_that_waits_has_its_turn_and_one_that_does_not_says_who_runs",
            "two_runs_at_once_are_one",
            "the_second_run_is_told_who_runs",
            "f21_whatever_becomes_of_the_file_of_a_lock_it_is_one_and_seen",
        ]),
    ),
    (
        22,
        "a resource hangs",
        By(&[
            "f22_a_bus_that_accepts_and_says_nothing_is_an_error_in_time",
            "work_that_takes_too_long_is_asked_to_stop_and_other_work_is_not",
            "a_command_that_takes_too_long_ends_with_its_children",
            "f22_a_tool_ends_with_its_run_whatever_time_it_has_itself_and_none_begins_later",
            "f22_what_no_signal_ends_is_left_in_time",
            "f22_what_was_not_begun_when_the_time_was_over_says_so",
            "f22_what_is_on_a_file_system_that_does_not_answer_fails_by_name_and_the_rest_is_looked_at",
            "f22_a_run_that_the_kernel_holds_is_given_up_and_what_it_came_to_is_told",
            "f22_a_run_that_ends_by_itself_is_not_given_up",
        ]),
    ),
    (
        23,
        "dpkg is locked, was interrupted, or a script fails",
        By(&[
            "f23_a_lock_that_others_hold_is_waited_for_once_and_all_fail_with_who_holds_it",
            "f23_locks_for_which_apt_does_not_wait_are_waited_for",
            "f23_a_failing_script_s_own_words_are_told_with_its_package",
            "an_interrupted_dpkg_is_put_in_order_first_and_that_is_said",
            "f23_a_hold_is_not_lost_where_a_run_is_killed_before_it_is_set_again",
        ]),
    ),
    (
        24,
        "a command says too much or leaves something running",
        By(&["output_is_bounded_and_no_line_is_cut", "what_a_command_leaves_running_does_not_hold_us"]),
    ),
    (25, "a validator refuses", By(&["a_validator_sees_the_new_file_and_can_refuse_it"])),
    (
        26,
        "a service does not start again",
        By(&[
            "a_refresh_that_failed_stays_owed_until_it_works",
            "a_package_that_nobody_has_and_a_service_that_fails_stand_alone_and_say_why",
        ]),
    ),
    (
        27,
        "the agent is killed for memory",
        By(&["killed_anywhere_every_file_is_whole_and_the_next_run_does_the_rest"]),
    ),
    (
        28,
        "the agent is replaced",
        By(&["f28_what_another_version_wrote_beside_is_kept_and_only_a_newer_form_is_refused"]),
    ),
    (
        29,
        "the clock is wrong",
        By(&[
            "a_wrong_clock_is_called_one",
            "an_old_catalog_is_audited_and_not_enforced",
            "f29_a_clock_that_cannot_be_right_is_told_with_what_it_says",
            "f29_a_server_whose_clock_cannot_be_right_is_not_ready_and_says_what_the_clock_says",
            "f29_a_clock_that_is_years_ahead_costs_no_history",
            "f29_a_certificate_of_a_clock_that_was_wrong_is_replaced_when_the_clock_is_set",
        ]),
    ),
    (
        30,
        "the machine slept for weeks",
        Not("each run is one timer, so there is one; an old catalog is F29's"),
    ),
    (31, "the machine starts again and again", Not("each start is F09 and F12")),
    (
        32,
        "the server is killed at any call",
        By(&[
            "work_that_panics_fails_alone",
            "what_a_restart_must_not_change",
            "a_lost_reply_burns_nothing_and_another_key_is_refused_and_alarmed",
        ]),
    ),
    (
        33,
        "the server's disk is full",
        By(&[
            "f33_a_full_disk_keeps_no_change_from_a_node",
            "a_store_that_cannot_write_says_so",
            "a_commit_that_cannot_be_written_down_is_told_all_the_same_and_written_later",
        ]),
    ),
    (
        34,
        "the database is damaged",
        By(&[
            "f34_a_database_that_is_cut_off_under_the_server_is_seen",
            "f34_a_store_that_is_empty_or_damaged_stops_the_start",
            "f34_a_store_that_is_damaged_in_the_middle_stops_the_start",
        ]),
    ),
    (
        35,
        "the database or the CA is gone",
        By(&[
            "f35_a_database_that_is_removed_or_replaced_takes_nothing_more",
            "f35_whatever_is_missing_stops_the_start_and_nothing_is_made_in_its_place",
            "f35_a_missing_file_is_named_and_nothing_is_made_in_its_place",
            "f35_a_certificate_of_another_key_is_refused",
            "f35_whatever_stands_in_the_place_of_a_part_is_named_or_made_again_and_nothing_kept_is_overwritten",
        ]),
    ),
    (
        36,
        "a backup of yesterday is restored",
        By(&[
            "f36_a_node_that_renewed_after_the_backup_is_taken_back_and_its_clone_is_not",
            "f36_a_node_that_enrolled_or_only_renews_after_the_backup_is_taken_back",
            "f36_who_was_revoked_moved_or_has_an_older_certificate_is_not_taken_back",
            "f36_a_generation_of_the_lost_history_is_not_the_one_that_was_added_since",
            "f36_a_store_beside_another_servers_ca_stops_the_start",
            "f36_nobody_has_enrolled_and_what_is_of_another_server_stops_the_start_all_the_same",
        ]),
    ),
    (
        37,
        "a commit is broken",
        By(&[
            "a_broken_commit_leaves_the_last_good_in_force_and_says_where",
            "a_pusher_hears_what_became_of_the_commit_and_a_restart_keeps_the_last_good_one",
        ]),
    ),
    (38, "a commit breaks one node", By(&["one_tenants_bad_value_stops_its_own_nodes_alone"])),
    (
        39,
        "the git remote is away, or rewritten",
        By(&[
            "f39_a_remote_that_is_away_is_stood_for_by_its_own_mirror_until_it_is_back",
            "f39_a_damaged_mirror_is_had_again_and_nothing_of_it_goes_before_there_is_another",
            "f39_a_mirror_that_is_damaged_under_the_running_server_is_fetched_anew",
            "an_error_is_said_once_and_following_goes_on",
        ]),
    ),
    (40, "two pushes at once", By(&["a_commit_is_read_and_the_work_tree_is_not"])),
    (41, "all agents come at once", Not("the benchmark does it: `make bench`")),
    (
        42,
        "idle connections without end",
        By(&["a27_fifteen_hundred_idle_connections_stop_neither_polls_nor_enrolment_nor_readiness"]),
    ),
    (
        43,
        "a tenant's data is endless",
        By(&[
            "a_tenants_file_beyond_the_limit_stops_that_tenants_nodes_alone_and_is_told_with_its_path",
            "what_one_tenant_has_too_much_of_is_left_out_alone",
        ]),
    ),
    (44, "files run out", By(&["files_are_left_whatever_is_connected"])),
    (45, "a signal", By(&["f45_a_signal_ends_the_server_only_where_it_asks_for_that"])),
    (46, "the server stands still", Not("for the agent it is F02; tried by hand with SIGSTOP")),
    (
        47,
        "two servers are parted",
        Not(
            "there is one server; a second on its data is refused: two_servers_do_not_share_a_data_directory",
        ),
    ),
    (48, "an older server on a newer database", By(&["another_programs_tables_are_refused"])),
    (49, "a page loses its server", By(&["a_commit_goes_from_a_push_to_a_page_that_is_open"])),
    (
        50,
        "the journal does not write",
        Not("standard error is the journal's own pipe; tried by hand with a stopped journal"),
    ),
];

#[test]
fn each_fault_has_its_test_or_a_reason() {
    let numbers: Vec<u8> = FAULTS.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
    let tests = tests_of_the_tree();
    for (number, fault, tried) in FAULTS {
        match tried {
            By(named) => {
                assert!(!named.is_empty(), "F{number:02}: {fault}");
                for name in *named {
                    let known =
                        tests.contains(*name) || tests.iter().any(|test| without_number(test) == *name);
                    assert!(known, "F{number:02} ({fault}) names no test: {name}");
                }
            }
            Not(reason) => assert!(reason.len() > 20, "F{number:02}: {fault}"),
        }
    }
    // A test for a fault must be in the table.
    let named: BTreeSet<&str> = FAULTS
        .iter()
        .flat_map(|(_, _, tried)| match tried {
            By(names) => *names,
            Not(_) => &[],
        })
        .copied()
        .collect();
    let left_out: Vec<_> =
        tests.iter().filter(|test| is_numbered(test) && !named.contains(test.as_str())).collect();
    assert!(left_out.is_empty(), "not in the table: {left_out:?}");
}

/// Whether a test has the number of a fault: `f09_…`.
fn is_numbered(test: &str) -> bool {
    test.starts_with('f') && without_number(test) != test
}

/// A test's name without the letter and number of a fault or an abuse: tests that try several have the number of one.
fn without_number(test: &str) -> &str {
    let bytes = test.as_bytes();
    let is_numbered = bytes.len() > 4
        && bytes[0].is_ascii_lowercase()
        && bytes[1..3].iter().all(u8::is_ascii_digit)
        && bytes[3] == b'_';
    if is_numbered { &test[4..] } else { test }
}

fn tests_of_the_tree() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut tests = BTreeSet::new();
    let mut open: Vec<_> = ["agent/src", "catalog/src", "server/src", "tests"].map(|at| root.join(at)).into();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
                tests.extend(tests_of(&std::fs::read_to_string(entry.path()).unwrap()));
            }
        }
    }
    tests
}

/// The functions with a test attribute.
fn tests_of(text: &str) -> Vec<String> {
    let mut is_test = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line.contains("test]") || line.contains("test(");
            continue;
        }
        let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if let Some(name) = name.filter(|_| is_test) {
            found.extend(name.split('(').next().map(str::to_owned));
        }
        if !line.starts_with("//") {
            is_test = false;
        }
    }
    found
}
