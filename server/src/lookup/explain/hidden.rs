//! Which parts of a level's value a more specific level took away: by a knock-out, or by null.

use holdfast_catalog::value::Value;

/// The parts of `value` that `answer` does not have at all, as paths. What another value stands for is not among them.
pub(super) fn parts(value: &Value, answer: &Value, prefix: Option<&str>) -> Vec<String> {
    let mut gone = Vec::new();
    find(value, Some(answer), prefix, "", &mut gone);
    gone
}

fn find(value: &Value, answer: Option<&Value>, prefix: Option<&str>, path: &str, gone: &mut Vec<String>) {
    let is_marker = |text: &str| prefix.is_some_and(|prefix| text.starts_with(prefix));
    let Some(answer) = answer.filter(|answer| !answer.is_null() || value.is_null()) else {
        gone.push(if path.is_empty() { "all of it".to_owned() } else { path.to_owned() });
        return;
    };
    if let (Some(map), Some(_)) = (value.as_map(), answer.as_map()) {
        for (key, value) in map.iter().filter(|(key, value)| !is_marker(key) && !value.is_null()) {
            let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
            find(value, answer.get(key), prefix, &path, gone);
        }
    } else if let (Some(list), Some(there)) = (value.as_list(), answer.as_list()) {
        let taken =
            |item: &&Value| item.scalar_text().is_some_and(|text| !is_marker(&text)) && !there.contains(item);
        gone.extend(list.iter().filter(taken).map(|item| format!("{path}[{}]", item.shown())));
    }
}
