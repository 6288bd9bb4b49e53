//! Counts what a TOML text contains, without parsing it: the parser and what is made of its result take hundreds of
//! times the memory of the text, so a text that contains too much is refused before it is parsed.
//!
//! A text with syntax errors may be counted wrongly. That does not matter, since nothing is made of it.

/// What a text contains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Tables, however they are written: with a header, inline, or by the dots of keys and headers.
    pub(crate) tables: usize,
    /// Scalars, lists and tables.
    pub(crate) values: usize,
    /// The number of parts of the last key or header, so far.
    pub(crate) parts: usize,
}

impl Outline {
    /// Counts the whole text.
    pub(crate) fn of(text: &[u8]) -> Self {
        let mut whole = Self::default();
        until(text, |so_far, _| {
            whole = so_far;
            false
        });
        whole
    }
}

/// Counts until `stop` returns true, and returns the position of what it stopped at. `stop` takes what was counted so far
/// and the position of the table, key or value that was counted last.
pub(crate) fn until(text: &[u8], mut stop: impl FnMut(Outline, usize) -> bool) -> Option<usize> {
    let mut scan = Scan { text, ..Scan::default() };
    while scan.at < text.len() {
        let counted = scan.step();
        if let Some(place) = counted.filter(|place| stop(scan.outline, *place)) {
            return Some(place);
        }
    }
    None
}

/// What the text at a position is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Within {
    /// The beginning of a line, where a key or a header may begin.
    #[default]
    Line,
    /// A header.
    Header,
    /// The key of a line or of an entry of an inline table.
    Key,
    /// A place in a list where an element may begin.
    Element,
    Value,
}

#[derive(Default)]
struct Scan<'t> {
    text: &'t [u8],
    at: usize,
    within: Within,
    /// The brackets of lists and inline tables that are open.
    open: Vec<u8>,
    /// The key or header that is being read: its position and its parts.
    begin: usize,
    parts: Vec<&'t [u8]>,
    /// The previous header, and the previous key of the same table: tables that both name are counted once.
    header: Vec<&'t [u8]>,
    key: Vec<&'t [u8]>,
    outline: Outline,
}

impl<'t> Scan<'t> {
    /// Moves on, and returns the position of what was counted.
    fn step(&mut self) -> Option<usize> {
        let at = self.at;
        let byte = self.text[at];
        match byte {
            b' ' | b'\t' | b'\r' => self.at += 1,
            b'#' => self.at = line_end(self.text, at),
            b'\n' => {
                self.at += 1;
                if self.open.is_empty() {
                    self.within = Within::Line;
                }
            }
            _ => return self.token(byte),
        }
        None
    }

    fn token(&mut self, byte: u8) -> Option<usize> {
        match (self.within, byte) {
            (Within::Line, b'[') => {
                self.start(Within::Header);
                self.at += self.text[self.at..].iter().take(2).take_while(|byte| **byte == b'[').count();
                None
            }
            (Within::Header, b']') => Some(self.header()),
            (Within::Header | Within::Key, b'.') => {
                self.at += 1;
                None
            }
            (Within::Key, b'=') => Some(self.key()),
            (Within::Key, b'}') => self.close(),
            (Within::Line | Within::Header | Within::Key, _) => {
                if self.within == Within::Line {
                    self.start(Within::Key);
                } else if self.within == Within::Key && self.parts.is_empty() {
                    self.begin = self.at;
                }
                let part = self.word();
                self.parts.push(part);
                self.outline.parts = self.parts.len();
                Some(self.begin)
            }
            (Within::Element, b']') | (Within::Value, b']' | b'}') => self.close(),
            (Within::Element, _) => {
                self.outline.values += 1;
                let at = self.at;
                self.within = Within::Value;
                Some(self.token(byte).unwrap_or(at))
            }
            (Within::Value, _) => self.value(byte),
        }
    }

    /// Begins a key or a header here.
    fn start(&mut self, within: Within) {
        (self.within, self.begin) = (within, self.at);
        self.parts.clear();
    }

    fn value(&mut self, byte: u8) -> Option<usize> {
        let at = self.at;
        match byte {
            b'[' => {
                self.at += 1;
                self.open.push(byte);
                self.within = Within::Element;
                None
            }
            b'{' => {
                self.at += 1;
                self.open.push(byte);
                self.outline.tables += 1;
                self.start(Within::Key);
                Some(at)
            }
            b',' => {
                self.at += 1;
                match self.open.last() {
                    Some(b'[') => self.within = Within::Element,
                    Some(_) => self.start(Within::Key),
                    None => {}
                }
                None
            }
            _ => {
                self.word();
                None
            }
        }
    }

    fn close(&mut self) -> Option<usize> {
        self.at += 1;
        self.open.pop();
        self.within = Within::Value;
        None
    }

    /// Counts a header.
    fn header(&mut self) -> usize {
        self.at += 1;
        let new = (self.parts.len() - common(&self.header, &self.parts)).max(1);
        self.outline.tables += new;
        self.outline.values += new;
        self.header = std::mem::take(&mut self.parts);
        self.key.clear();
        self.within = Within::Value; // up to the end of the line, where nothing may follow
        self.begin
    }

    /// Counts a key and its value.
    fn key(&mut self) -> usize {
        self.at += 1;
        let tables = self.parts.len().saturating_sub(1);
        let is_inline = !self.open.is_empty();
        let known = if is_inline { 0 } else { common(&self.key, &self.parts[..tables]) };
        self.outline.tables += tables - known;
        self.outline.values += tables - known + 1;
        if !is_inline {
            self.key = std::mem::take(&mut self.parts);
        }
        self.within = Within::Value;
        self.begin
    }

    /// Passes a string or a bare word, and returns it.
    fn word(&mut self) -> &'t [u8] {
        let (text, at) = (self.text, self.at);
        self.at = match text[at] {
            quote @ (b'"' | b'\'') => string_end(text, at, quote),
            _ => {
                let ends = |byte: &u8| b" \t\r\n#\"'[]{},=".contains(byte) || self.ends_part(*byte);
                text[at + 1..].iter().position(ends).map_or(text.len(), |length| at + 1 + length)
            }
        };
        &text[at..self.at]
    }

    fn ends_part(&self, byte: u8) -> bool {
        byte == b'.' && self.within != Within::Value
    }
}

/// How many parts at the start are the same in both.
fn common(one: &[&[u8]], other: &[&[u8]]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

fn line_end(text: &[u8], at: usize) -> usize {
    text[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |length| at + length)
}

/// The position after the string that begins at `at`. A string on one line ends with the line if it is not closed.
fn string_end(text: &[u8], at: usize, quote: u8) -> usize {
    let quotes = |at: usize| text[at..].iter().take(5).take_while(|byte| **byte == quote).count();
    let is_long = quotes(at) >= 3;
    let mut end = if is_long { at + 3 } else { at + 1 };
    while let Some(byte) = text.get(end) {
        match *byte {
            b'\\' if quote == b'"' => end += 2,
            b'\n' if !is_long => return end,
            byte if byte == quote && !is_long => return end + 1,
            // of a longer row of quotes, the last three end the string
            byte if byte == quote && quotes(end) >= 3 => return end + quotes(end),
            _ => end += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str) -> (usize, usize) {
        let outline = Outline::of(text.as_bytes());
        (outline.tables, outline.values)
    }

    #[test]
    fn tables_count_however_they_are_written() {
        for (text, expected) in [
            ("", (0, 0)),
            ("x = 1\ny = 2.5\n", (0, 2)),
            ("[a]\nx = 1\n[a.b]\ny = 2\n", (2, 4)),
            ("[a.b.c]\n[a.b.d]\n[[a.b.e]]\n[[a.b.e]]\n", (6, 6)),
            ("a.b.c = 1\na.b.d = 2\n", (2, 4)),
            ("x = {}\ny = { a = 1, b.c = { d = 2 } }\n", (4, 6)),
            ("x = [[1, 2], [{ a = 1 },], []]\n", (1, 8)),
            ("x = [\n  1, # [{\n  2,\n]\n[b]\n", (1, 4)),
            ("x = \"[{a = 1}]\" # y = {}\n'a.b' . \"c=d\" = '{'\n", (1, 3)),
            ("x = \"\"\"\n[a]\ny = {}\n\\\"\"\"\"\"\"\n[b]\n", (1, 2)),
            ("x = ''\ny = '''\n[a]\n''''\nz = \"\\\"{\"\n", (0, 3)),
            ("\"a\" = {\n  b = 1,\n  c = 2,\n}\n", (1, 3)),
        ] {
            assert_eq!(counted(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_counted_is_what_the_parser_makes() {
        fn made(value: &toml::Value) -> (usize, usize) {
            let (tables, inside): (_, Vec<_>) = match value {
                toml::Value::Table(table) => (1, table.values().map(made).collect()),
                toml::Value::Array(list) => (0, list.iter().map(made).collect()),
                _ => (0, Vec::new()),
            };
            inside.into_iter().fold((tables, 1), |(a, b), (tables, values)| (a + tables, b + values))
        }
        for text in [
            "[a.b]\nc.d.e = [1, [2.5, {x = 'y'}], {}]\nc.d.f = true\n[a.g]\nh = 2020-01-01T00:00:00.5Z\n",
            "a = {b.c = 1, d = [[], [{}], [{e = {}}]]}\n\"x.y\".z = -1.5e3\n'#' = '#'\n",
        ] {
            let (tables, values) = made(&toml::Value::Table(text.parse().unwrap()));
            assert_eq!(counted(text), (tables - 1, values - 1), "{text}");
        }
    }

    #[test]
    fn a_broken_text_ends() {
        for text in [
            "[",
            "[[",
            "x = [",
            "x = {",
            "x = \"",
            "x = '''",
            "]",
            "}",
            "= = =",
            "a.",
            "x = [,,{,]}\\",
            "\"\\",
        ] {
            counted(text);
            counted(&text.repeat(1_000));
        }
    }
}
