//! cron's five fields, if someone gives each of them in a word of its own.

use super::SchedulePart;
use crate::resource::Attribute as _;
use crate::resource::attribute::CronSchedule;

/// The schedule that these parts make, each as the manifest has it. A part that is not plainly valid is not shown.
pub fn schedule(parts: &[(SchedulePart, &str)]) -> String {
    let form = "minute, hour, day of the month, month, day of the week";
    let Some(written) = joined(parts) else {
        return format!(
            "give all five fields in one: schedule = \"30 4 * * *\" ({form}), or a word such as \"@daily\""
        );
    };
    let hour = written.strip_prefix("* ").filter(|rest| !rest.starts_with('*'));
    let once = hour.map(|rest| format!("; that is each minute of the hour, and \"0 {rest}\" is once"));
    let form = if written.starts_with('@') { String::new() } else { format!(" ({form})") };
    format!("write schedule = \"{written}\"{form}{}", once.unwrap_or_default())
}

fn joined(parts: &[(SchedulePart, &str)]) -> Option<String> {
    let mut fields = ["*"; 5].map(str::to_owned);
    for (part, written) in parts {
        match part {
            SchedulePart::Field(at) => *fields.get_mut(*at)? = field(written)?,
            SchedulePart::Word => return word(written),
        }
    }
    let schedule = fields.join(" ");
    let computed = schedule.contains("${");
    (computed || CronSchedule::read(&schedule.as_str().into()).is_ok()).then_some(schedule)
}

fn word(written: &str) -> Option<String> {
    let word = format!("@{}", bare(written).trim_start_matches('@'));
    CronSchedule::read(&word.as_str().into()).is_ok().then_some(word)
}

/// One field from a number, a text, or a list of them.
fn field(written: &str) -> Option<String> {
    let list = written.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let items =
        list.unwrap_or(written).split(',').map(bare).filter(|item| list.is_none() || !item.is_empty());
    let items: Option<Vec<_>> = items.map(item).collect();
    items.filter(|items| !items.is_empty()).map(|items| items.join(","))
}

fn bare(written: &str) -> &str {
    written.trim().trim_matches(['"', '\''])
}

fn item(text: &str) -> Option<String> {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b))
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"*/-".contains(&b);
    let expression = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    match text {
        "absent" => Some("*".to_owned()),
        // A month or a day by its full name.
        _ if text.len() > 3 && text.bytes().all(|b| b.is_ascii_alphabetic()) => {
            Some(text[..3].to_ascii_lowercase())
        }
        _ if expression.is_some_and(is_name) => Some(text.to_owned()),
        _ => (!text.is_empty() && text.len() <= 20 && text.bytes().all(plain)).then(|| text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_joined_as_they_are_given() {
        let (minute, hour, day) = (SchedulePart::Field(0), SchedulePart::Field(1), SchedulePart::Field(4));
        let written = |parts: &[(SchedulePart, &str)]| joined(parts);
        assert_eq!(written(&[(hour, "4"), (minute, "30")]).as_deref(), Some("30 4 * * *"));
        assert_eq!(written(&[(minute, "[0, 30]"), (day, "'Monday'")]).as_deref(), Some("0,30 * * * mon"));
        assert_eq!(written(&[(minute, "\"*/5\""), (hour, "'absent'")]).as_deref(), Some("*/5 * * * *"));
        assert_eq!(written(&[(minute, "\"${minute}\"")]).as_deref(), Some("${minute} * * * *"));
        assert_eq!(written(&[(SchedulePart::Word, "'daily'")]).as_deref(), Some("@daily"));
    }

    #[test]
    fn what_is_no_field_is_not_repeated() {
        for odd in ["70", "\"hunter2-hunter2\"", "[]", "\"${lookup('key')}\"", "{ a = 1 }", "\"a b\""] {
            let help = schedule(&[(SchedulePart::Field(1), odd)]);
            assert!(help.starts_with("give all five fields in one"), "{odd}: {help}");
        }
    }

    #[test]
    fn an_hour_without_a_minute_is_said_to_be_sixty_times() {
        let help = schedule(&[(SchedulePart::Field(1), "4")]);
        assert!(
            help.contains("schedule = \"* 4 * * *\"") && help.contains("\"0 4 * * *\" is once"),
            "{help}"
        );
        assert!(!schedule(&[(SchedulePart::Field(0), "4")]).contains("once"));
    }
}
