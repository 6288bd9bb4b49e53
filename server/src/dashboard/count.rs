//! Numbers for people.

use std::borrow::Borrow;

/// A number with its noun. The number may be a reference, since templates pass some numbers that way.
pub fn counted(count: impl Borrow<usize>, one: &str, many: &str) -> String {
    let count = *count.borrow();
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// A number with thin spaces between thousands.
pub fn grouped(count: impl Borrow<usize>) -> String {
    let digits = count.borrow().to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_kept_apart() {
        assert_eq!(grouped(20_000), "20\u{202f}000");
        assert_eq!(grouped(999), "999");
    }
}
