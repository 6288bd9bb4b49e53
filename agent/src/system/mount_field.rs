//! Fields of /etc/fstab and of the kernel's tables, in which white space is written as octal codes (fstab(5)).

use std::borrow::Cow;

/// A field as it is written: characters that would end it are octal codes.
pub fn escaped(field: &str) -> Cow<'_, str> {
    if !field.contains([' ', '\t', '\n', '\\']) {
        return Cow::Borrowed(field);
    }
    let pairs = [("\\", "\\134"), (" ", "\\040"), ("\t", "\\011"), ("\n", "\\012")];
    Cow::Owned(pairs.iter().fold(field.to_owned(), |text, (plain, code)| text.replace(plain, code)))
}

/// The value of a field of /etc/fstab or the kernel's tables.
pub fn unescaped(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..3).filter(|_| *first == b'\\').and_then(octal);
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn octal(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    u8::from_str_radix(text, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_hold_spaces_and_backslashes_by_their_numbers() {
        for field in ["/srv/a b", "/a\\040b", "\tx\n", "/plain", "/ü \\"] {
            assert_eq!(unescaped(&escaped(field)), field);
            assert!(!escaped(field).contains([' ', '\t', '\n']));
        }
        assert_eq!(unescaped("/a\\0"), "/a\\0");
        assert_eq!(unescaped("a\\040b\\999"), "a b\\999");
    }
}
