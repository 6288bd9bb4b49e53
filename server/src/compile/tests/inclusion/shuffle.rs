//! Rewrites a manifest with its inclusions in another order, and some of them in the other form.

use holdfast_catalog::random::Random;

const START: &str = "include = [";

/// The manifest, with its `include` and its tables `[class.NAME]` in random order.
pub(super) fn manifest(text: &str, random: &mut Random) -> String {
    let mut tables = tables(text);
    let mut classes: Vec<String> = Vec::new();
    if let Some(start) = tables[0].find(START) {
        let end = start + tables[0][start..].find(']').expect("the list ends");
        let listed = tables[0][start + START.len()..end].split(',');
        let mut names: Vec<_> =
            listed.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        random.shuffle(&mut names);
        names.retain(|name| {
            let other_form = random.one_in(4) && !text.contains("[class.");
            if other_form {
                classes.push(format!("\n[class.{name}]\n"));
            }
            !other_form
        });
        tables[0].replace_range(start..=end, &format!("{START}{}]", names.join(", ")));
    }
    let (own, mut tables): (Vec<_>, Vec<_>) =
        tables.into_iter().partition(|table| table.starts_with("[class."));
    classes.extend(own);
    random.shuffle(&mut classes);
    for class in classes {
        tables.insert(1 + random.below(tables.len()), class);
    }
    tables.concat()
}

/// The text before the first header, then each table with its nested tables.
fn tables(text: &str) -> Vec<String> {
    let mut tables = vec![String::new()];
    let mut header = None;
    let mut in_text = false;
    for line in text.split_inclusive('\n') {
        let inner = header.is_some_and(|header: &str| {
            line.strip_prefix(header.trim_end().trim_end_matches(']'))
                .is_some_and(|rest| rest.starts_with('.'))
        });
        if line.starts_with('[') && !in_text && !inner {
            header = Some(line);
            tables.push(String::new());
        }
        in_text ^= line.matches("\"\"\"").count() % 2 == 1;
        if let Some(table) = tables.last_mut() {
            table.push_str(line);
        }
    }
    tables
}
