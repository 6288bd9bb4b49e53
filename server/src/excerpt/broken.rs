//! Finds what must not be shown of a file that cannot be parsed, by its characters alone.
//!
//! In such a file it is unknown what a value is for, and if a quote is missing, even what is a value. So before an
//! equals sign, only words that the repository declares are shown, and nothing after it, except for the keys of
//! manifests that never contain a secret.

use std::collections::BTreeSet;
use std::ops::Range;

use holdfast_catalog::manifest_words::METAPARAMETERS;
use holdfast_catalog::resource::definitions;

use super::ExcerptKind;
use super::masked::{HiddenReason, HiddenSpan};
use super::token::{TextToken, TextTokenKind, tokens};
use crate::language::keyword::{PARAMETER, TOP, is_plain};
use crate::language::types::Type;
use crate::lookup::DataTree;

/// The marker lines of an unresolved merge conflict.
const CONFLICT: [&str; 4] = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];

/// Everything that must not be shown of a broken file.
pub(super) fn hidden(text: &str, sort: ExcerptKind, data: &DataTree) -> Vec<HiddenSpan> {
    let mut reading =
        BrokenFileScan { text, sort, words: words(data), hidden: Vec::new(), depth: 0, lost: false };
    let tokens = tokens(text);
    let (mut begin, mut next) = (0, 0);
    for line in text.split_inclusive('\n') {
        let span = begin..begin + line.len();
        begin = span.end;
        let first = next;
        next += tokens[next..].iter().take_while(|token| token.span.end <= span.end).count();
        let last = tokens.get(next).filter(|token| token.span.start < span.end);
        reading.line(span, tokens[first..next].iter().chain(last));
    }
    reading.hidden
}

struct BrokenFileScan<'a> {
    text: &'a str,
    sort: ExcerptKind,
    words: BTreeSet<&'a str>,
    hidden: Vec<HiddenSpan>,
    /// The number of open brackets in values.
    depth: usize,
    /// Whether a quote was left open: after it, everything could be something else.
    lost: bool,
}

impl BrokenFileScan<'_> {
    fn line<'t>(&mut self, line: Range<usize>, tokens: impl Iterator<Item = &'t TextToken>) {
        let whole = &self.text[line.clone()];
        if let Some(marker) = CONFLICT.iter().find(|marker| whole.starts_with(**marker)) {
            let rest = whole[marker.len()..].trim();
            let start = line.start + marker.len() + usize::from(whole[marker.len()..].starts_with(' '));
            if !rest.is_empty() {
                self.hide(start..line.start + whole.trim_end().len());
            }
            return;
        }
        let tokens: Vec<&TextToken> = tokens.collect();
        let content = whole.trim_end().len();
        if self.lost {
            return self.hide(line.start..line.start + content);
        }
        let open = self.key(line.start..line.start + content, &tokens);
        self.lost = tokens.iter().any(|token| token.sort == TextTokenKind::Unclosed);
        if !open {
            let texts = tokens.iter().filter(|token| token.sort != TextTokenKind::Comment);
            self.hidden.extend(
                texts.map(|token| HiddenSpan { span: token.span.clone(), why: HiddenReason::Unknown }),
            );
        }
    }

    /// Hides what is before and after an equals sign; returns `true` if the line may be shown.
    fn key(&mut self, line: Range<usize>, tokens: &[&TextToken]) -> bool {
        let in_token = |at: usize| token_at(tokens, at);
        let bytes = self.text.as_bytes();
        let bare =
            |sign: u8| line.clone().filter(move |at| bytes[*at] == sign).find(|at| in_token(*at).is_none());
        let is_header = bytes.get(line.start) == Some(&b'[') && bare(b'=').is_none();
        if self.sort == ExcerptKind::Manifest && self.depth == 0 && is_header {
            return true; // titles are not secrets
        }
        let colon =
            || bare(b':').filter(|at| bytes.get(at + 1).is_none_or(|next| next.is_ascii_whitespace()));
        let equals = bare(b'=').or_else(colon);
        let key_end = if self.depth > 0 { line.start } else { equals.unwrap_or(line.end) };
        let key = self.text[line.start..key_end].trim();
        if let Some(equals) = equals
            && self.sort == ExcerptKind::Manifest
            && self.depth == 0
            && is_plain(key)
            && self.is_ordinary(equals + 1..line.end, tokens)
        {
            return true;
        }
        let mut at = line.start;
        while at < key_end {
            if let Some(token) = in_token(at) {
                at = token.span.end;
                continue;
            }
            let end = self.word_end(at, key_end);
            if end == at {
                at += self.text[at..].chars().next().map_or(1, char::len_utf8);
                continue;
            }
            if !self.is_known(&self.text[at..end]) {
                self.hide(at..end);
            }
            at = end;
        }
        let value = if key_end == line.start { line.start } else { (key_end + 1).min(line.end) };
        self.value(value..line.end, tokens);
        false
    }

    /// Whether a value is of the form that plain keys have: a word, a text, or a list of texts. If there is more,
    /// quotes may be mismatched, and a text that an expression compares with may be a secret.
    fn is_ordinary(&self, value: Range<usize>, tokens: &[&TextToken]) -> bool {
        let inside = &tokens[tokens.partition_point(|token| token.span.start < value.start)..];
        let compares = |token: &TextToken| {
            let text = &self.text[token.span.start + 1..token.span.end];
            let text = if token.sort == TextTokenKind::Text { &text[..text.len() - 1] } else { text };
            token.sort != TextTokenKind::Comment && text.contains("${") && text.contains(['\'', '"'])
        };
        let is_bare = |at: &usize| token_at(inside, *at).is_none();
        // `Package["nginx"]`, as in Puppet
        let text = &self.text[value.clone()];
        let word = text.find('[').map(|end| text[..end].trim()).filter(|word| {
            word.starts_with(|c: char| c.is_ascii_uppercase())
                && word.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        let from = value.start + word.map_or(0, |_| text.find('[').unwrap_or_default());
        let mut bare = (from..value.end).filter(is_bare).map(|at| self.text.as_bytes()[at]);
        let has_text = inside.iter().any(|token| token.sort != TextTokenKind::Comment);
        let is_between = |byte: u8| matches!(byte, b'[' | b']' | b',' | b' ' | b'\t' | b'\r');
        !inside.iter().any(|token| compares(token)) && (!has_text || bare.all(is_between))
    }

    fn value(&mut self, value: Range<usize>, tokens: &[&TextToken]) {
        let bare = |at: &usize| token_at(tokens, *at).is_none();
        for at in value.clone().filter(bare) {
            match self.text.as_bytes()[at] {
                b'[' | b'{' => self.depth += 1,
                b']' | b'}' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        let shown = self.text[value.clone()].trim();
        if !shown.is_empty() {
            let start = value.start + self.text[value.clone()].find(shown).unwrap_or_default();
            self.hide(start..value.end);
        }
    }

    fn word_end(&self, at: usize, end: usize) -> usize {
        let is_word =
            |c: char| !c.is_whitespace() && !matches!(c, '.' | ':' | '[' | ']' | '{' | '}' | ',' | '=');
        self.text[at..end].find(|c| !is_word(c)).map_or(end, |length| at + length)
    }

    fn is_known(&self, word: &str) -> bool {
        // the signs with which comments begin in other languages; alone, they reveal nothing
        self.words.contains(word) || matches!(word, "//" | "/*" | "*/" | "--" | ";")
    }

    fn hide(&mut self, span: Range<usize>) {
        self.hidden.push(HiddenSpan { span, why: HiddenReason::Unknown });
    }
}

/// The token that contains a byte. The search is binary, since a line may be a megabyte with a token at every other byte.
fn token_at<'t>(tokens: &[&'t TextToken], at: usize) -> Option<&'t TextToken> {
    let next = tokens.partition_point(|token| token.span.end <= at);
    tokens.get(next).copied().filter(|token| token.span.start <= at)
}

/// All words that the repository declares.
fn words(data: &DataTree) -> BTreeSet<&str> {
    let mut words: BTreeSet<&str> = ["holdfast", "policy", "policies", "true", "false"].into();
    for manifest in data.modules().manifests() {
        words.extend(manifest.name.as_str().split("::"));
        words.extend(manifest.lets.iter().map(|binding| &*binding.name));
        for parameter in &manifest.parameters {
            words.insert(&parameter.name);
            fields(&parameter.of, &mut words);
        }
    }
    for (name, key) in data.keys() {
        words.insert(name);
        fields(&key.of, &mut words);
    }
    for def in definitions() {
        words.insert(def.name);
        words.extend(def.attributes.iter().map(|attribute| attribute.name));
    }
    words.extend(TOP.iter().chain(PARAMETER).map(|word| word.name));
    words.extend(METAPARAMETERS);
    words
}

/// The keys that a type names.
fn fields<'a>(of: &'a Type, into: &mut BTreeSet<&'a str>) {
    if let Type::Struct(fields) = of {
        into.extend(fields.iter().map(|field| &*field.name));
    }
    of.inner().for_each(|inner| fields(inner, into));
}
