//! The name that someone meant who wrote another one.

/// The longest word that is compared: longer ones are no typing errors, and comparing takes time with the square of the
/// length.
const MAX_WORD: usize = 200;

/// The same word in another case, or else the candidate with the fewest edits, if they are at most a third of the word;
/// the first by name if several are equal. Never the word itself: whoever typed it needs another.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length > MAX_WORD {
        return None;
    }
    let limit = (length / 3).max(1);
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let in_another_case = |candidate: &&&str| **candidate != word && candidate.eq_ignore_ascii_case(word);
    if let Some(same) = candidates.iter().filter(in_another_case).min() {
        return Some(same);
    }
    if length < 2 {
        return None; // any other letter is one edit away
    }
    candidates
        .into_iter()
        .filter(|candidate| {
            candidate.len() <= 4 * MAX_WORD && candidate.chars().count().abs_diff(length) <= limit
        })
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(distance, _)| (1..=limit).contains(distance))
        .min()
        .map(|(_, candidate)| candidate)
}

/// The help that names the nearest of the candidates, where one is near.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|near| format!("did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_within_a_third() {
        let names = ["ensure", "enable", "owner"];
        assert_eq!(nearest("ensrue", names), Some("ensure"));
        assert_eq!(nearest("enabel", names), Some("enable"));
        assert_eq!(nearest("zzz", names), None);
        assert_eq!(nearest("P", ["b", "p", "s"]), Some("p"), "the same letter comes first");
        assert_eq!(nearest("\u{440}", ["b", "p"]), None, "any letter is as near to another");
        assert_eq!(nearest("OWNER", names), Some("owner"));
        let long = "a".repeat(10_000_000);
        assert_eq!(nearest(&long, [&*long]), None, "what costs too much to compare is not compared");
        assert_eq!(nearest("owner", names), None, "what was typed is not advice");
    }
}
