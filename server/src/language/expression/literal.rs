//! Literals of CEL: numbers, and strings in their eight notations.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::Code;
use crate::language::fault::Fault;

/// A string that begins here, and its length in the source; `None` if there is none.
pub(super) fn text(rest: &str) -> Result<Option<(Arc<str>, usize)>, Fault> {
    let Some(quoted) = QuotedText::open(rest) else { return Ok(None) };
    if quoted.prefix.contains(['b', 'B']) {
        let fault = Fault::new(Code::Syntax, "there is no bytes type, only strings", 0..quoted.prefix.len());
        return Err(fault.help("leave out the `b`"));
    }
    let body = quoted.close(rest)?;
    let length = body.end + quoted.quote.len();
    let text = if quoted.is_raw() { rest[body].into() } else { unescape(rest, body)?.into() };
    Ok(Some((text, length)))
}

/// The number of bytes of the string that begins here, without decoding its escapes; `None` if none begins.
pub(in crate::language) fn length(rest: &str) -> Result<Option<usize>, Fault> {
    QuotedText::open(rest).map(|quoted| Ok(quoted.close(rest)?.end + quoted.quote.len())).transpose()
}

struct QuotedText<'a> {
    prefix: &'a str,
    quote: &'a str,
}

impl<'a> QuotedText<'a> {
    fn open(rest: &'a str) -> Option<Self> {
        let length = rest.bytes().take(2).take_while(|b| b"rRbB".contains(b)).count();
        let (prefix, after) = rest.split_at(length);
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|q| after.starts_with(q))?;
        Some(Self { prefix, quote })
    }

    fn is_raw(&self) -> bool {
        self.prefix.contains(['r', 'R'])
    }

    /// The range of the bytes between the quotes.
    fn close(&self, rest: &str) -> Result<Range<usize>, Fault> {
        let start = self.prefix.len() + self.quote.len();
        let mut at = start;
        while at < rest.len() {
            let tail = &rest[at..];
            if tail.starts_with(self.quote) {
                return Ok(start..at);
            }
            let c = tail.chars().next().unwrap_or_default();
            if c == '\n' && self.quote.len() == 1 {
                break;
            }
            at += c.len_utf8();
            if c == '\\' && !self.is_raw() {
                at += rest[at..].chars().next().map_or(0, char::len_utf8);
            }
        }
        Err(Fault::new(Code::Syntax, "the string is not closed", 0..at.min(rest.len()))
            .help(format!("it ends with {}", self.quote)))
    }
}

fn unescape(rest: &str, body: Range<usize>) -> Result<String, Fault> {
    let mut text = String::with_capacity(body.len());
    let mut at = body.start;
    while at < body.end {
        let c = rest[at..].chars().next().unwrap_or_default();
        if c == '\\' {
            let (c, length) = escape(&rest[at + 1..body.end]).ok_or_else(|| {
                let end = at + 1 + rest[at + 1..].chars().next().map_or(0, char::len_utf8);
                Fault::new(Code::Syntax, format!("unknown escape `{}`", &rest[at..end]), at..end)
                    .help("a backslash itself is written `\\\\`, or in a raw string: r'…'")
            })?;
            text.push(c);
            at += 1 + length;
        } else {
            text.push(c);
            at += c.len_utf8();
        }
    }
    Ok(text)
}

/// The character for an escape, and the length of the escape after the backslash.
fn escape(rest: &str) -> Option<(char, usize)> {
    let coded = |from: usize, digits: usize, radix: u32| {
        let code = rest.get(from..from + digits)?;
        let all_digits = code.chars().all(|c| c.is_digit(radix));
        let c = char::from_u32(u32::from_str_radix(code, radix).ok().filter(|_| all_digits)?)?;
        Some((c, from + digits))
    };
    let plain = |c| Some((c, 1));
    match rest.as_bytes().first()? {
        b'n' => plain('\n'),
        b't' => plain('\t'),
        b'r' => plain('\r'),
        b'a' => plain('\u{7}'),
        b'b' => plain('\u{8}'),
        b'f' => plain('\u{c}'),
        b'v' => plain('\u{b}'),
        c @ (b'\\' | b'\'' | b'"' | b'`' | b'?') => plain(char::from(*c)),
        b'x' | b'X' => coded(1, 2, 16),
        b'u' => coded(1, 4, 16),
        b'U' => coded(1, 8, 16),
        b'0'..=b'3' => coded(0, 3, 8),
        _ => None,
    }
}

/// A number without its sign.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Int(u64),
    /// A number with a fraction or an exponent.
    Float(f64),
}

/// A number that begins here, and its length.
pub(super) fn number(rest: &str) -> Result<(Number, usize), Fault> {
    let digits = |from: usize| rest[from..].bytes().take_while(u8::is_ascii_digit).count();
    let (number, mut length) = if let Some(hex) = rest.strip_prefix("0x").or(rest.strip_prefix("0X")) {
        let length = 2 + hex.bytes().take_while(u8::is_ascii_hexdigit).count();
        (u64::from_str_radix(&rest[2..length], 16).ok().map(Number::Int), length)
    } else {
        let mut length = digits(0);
        let whole = length;
        if rest[length..].starts_with('.') && digits(length + 1) > 0 {
            length += 1 + digits(length + 1);
        }
        if rest[length..].starts_with(['e', 'E']) {
            let sign = usize::from(rest[length + 1..].starts_with(['+', '-']));
            let exponent = digits(length + 1 + sign);
            length += if exponent > 0 { 1 + sign + exponent } else { 0 };
        }
        let written = &rest[..length];
        if length == whole {
            (written.parse().ok().map(Number::Int), length)
        } else {
            (written.parse().ok().filter(|x: &f64| x.is_finite()).map(Number::Float), length)
        }
    };
    if rest[length..].starts_with(['u', 'U']) && matches!(number, Some(Number::Int(_))) {
        length += 1;
    }
    let tail = rest[length..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    match number {
        Some(number) if tail == 0 => Ok((number, length)),
        _ => {
            let written = &rest[..length + tail];
            let message = format!("`{written}` is not a number of 64 bits");
            Err(Fault::new(Code::Syntax, message, 0..written.len()))
        }
    }
}
