//! `holdfast audit`: who did what, and whether nothing of that was changed since.

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};

use super::{CommandError, OutputFormat, Socket, print, print_json, print_table, time};
use crate::admin::{Answer, AuditEntry, Request};
use crate::repo;

/// Which entries, or a check of all.
#[derive(clap::Args)]
#[command(
    after_help = "The server writes the log's last hash to its journal, at its start and within ten minutes of each change: \
                  `journalctl -u holdfast-server -g 'the audit log'`. With --head, one of these hashes must be in the \
                  log, which detects that its end was cut off. Exit codes: 0 done; 1 the log is broken, or could not be read."
)]
pub(super) struct AuditArguments {
    /// Only entries from this time on: `2026-11-30`, `2026-11-30T08:00:00Z`, or how long ago, such as `90m`, `12h` or `7d`
    #[arg(long, value_name = "TIME", value_parser = since, conflicts_with = "verify")]
    since: Option<Timestamp>,
    /// Check that no entry was changed, and that none before the last is missing
    #[arg(long)]
    verify: bool,
    /// With --verify: an entry with this hash must be in the log
    #[arg(long, value_name = "HASH", requires = "verify", value_parser = hash)]
    head: Option<String>,
    #[command(flatten)]
    socket: Socket,
}

/// A point in time, given as such or as how long ago it was.
fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(day) = text.parse::<civil::Date>() {
        return day.to_zoned(TimeZone::UTC).map(|day| day.timestamp()).map_err(|error| error.to_string());
    }
    let wrong = || {
        "give a day such as 2026-11-30, a time in UTC such as 2026-11-30T08:00:00Z, or 90m, 12h or 7d"
            .to_owned()
    };
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let count = text[..text.len() - unit.len_utf8()].parse::<u32>().map_err(|_| wrong())?;
    let ago = SignedDuration::from_secs(i64::from(count) * seconds);
    Timestamp::now().checked_sub(ago).map_err(|_| wrong())
}

/// A hash as the journal shows it.
fn hash(text: &str) -> Result<String, String> {
    let is_hash = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    is_hash.then(|| text.to_ascii_lowercase()).ok_or_else(|| "a hash has 64 hexadecimal digits".to_owned())
}

/// Prints the log, or the result of a check of it.
pub fn run(arguments: &AuditArguments) -> Result<(), CommandError> {
    let AuditArguments { since, verify, head, socket } = arguments;
    if *verify {
        return check(socket, head.clone());
    }
    let entries = entries(socket, *since)?;
    match socket.format {
        OutputFormat::Json => print_json(&entries)?,
        OutputFormat::Text if entries.is_empty() => say!("no entry of the audit log is from then on"),
        OutputFormat::Text => show(&entries),
    }
    Ok(())
}

fn check(socket: &Socket, head: Option<String>) -> Result<(), CommandError> {
    let Answer::AuditChecked(checked) = socket.ask(&Request::AuditCheck { head })? else {
        return Err("the server answered something else".into());
    };
    if socket.format == OutputFormat::Json {
        print_json(&checked)?;
    }
    match checked.fault() {
        Some(fault) => Err(fault.into()),
        None => {
            if socket.format == OutputFormat::Text {
                print(checked.words());
            }
            Ok(())
        }
    }
}

/// All entries: the server sends a part at a time.
fn entries(socket: &Socket, since: Option<Timestamp>) -> Result<Vec<AuditEntry>, CommandError> {
    let mut all: Vec<AuditEntry> = Vec::new();
    loop {
        let after = all.last().map_or(0, |entry| entry.seq);
        match socket.ask(&Request::Audit { since, after })? {
            Answer::Audit(part) if part.is_empty() => return Ok(all),
            Answer::Audit(part) => all.extend(part),
            _ => return Err("the server answered something else".into()),
        }
    }
}

fn show(entries: &[AuditEntry]) {
    let row = |entry: &AuditEntry| {
        vec![
            entry.seq.to_string(),
            time(entry.at),
            entry.actor.clone(),
            entry.action.clone(),
            entry.object.clone(),
            entry.commit.as_ref().map_or_else(|| "–".to_owned(), repo::short),
            entry.detail.clone(),
        ]
    };
    let rows: Vec<_> = entries.iter().map(row).collect();
    print_table(&["ENTRY", "WHEN", "WHO", "WHAT", "TO WHAT", "COMMIT", "DETAIL"], &rows);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_day_a_moment_or_how_long_ago() {
        assert_eq!(since("2026-11-30").unwrap().to_string(), "2026-11-30T00:00:00Z");
        assert_eq!(since("2026-11-30T08:00:00Z").unwrap().to_string(), "2026-11-30T08:00:00Z");
        let two_hours_ago = since("2h").unwrap();
        let passed = Timestamp::now().duration_since(two_hours_ago);
        assert!((7_200..7_260).contains(&passed.as_secs()), "{passed:?}");
        for wrong in ["", "yesterday", "5", "d", "-3d", "3ü", "99999999999d"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
        assert!(hash(&"A".repeat(64)).is_ok() && hash("abc").is_err());
    }
}
