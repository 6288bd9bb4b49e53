//! How secrecy propagates in computations: by parts if texts are put together, otherwise as a whole.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::value::{Kind, MASK, Map, Sensitive, TextPiece, Value};

use crate::diagnostic::Code;

use super::fault::Fault;

/// The text of every error that involves a secret, in place of its own words.
pub(super) const WITHHELD: &str = "a sensitive value; the error is not shown";

/// The value with its secrets in plain, for computing; the result must be [`sealed`].
pub(super) fn exposed(value: &Value) -> Value {
    let kind = match &value.kind {
        Kind::Sensitive(secret) => return secret.expose(),
        Kind::List(_) | Kind::Map(_) if !value.is_sensitive() => return value.clone(),
        Kind::List(list) => return list.iter().map(exposed).collect::<Vec<_>>().into(),
        Kind::Map(map) => {
            return map.iter().map(|(key, item)| (key.clone(), exposed(item))).collect::<Map>().into();
        }
        plain => plain.clone(),
    };
    Value { kind, origin: value.origin.clone() }
}

/// The value with a secret scalar in plain; lists and maps stay as they are.
pub(super) fn opened(value: &Value) -> Value {
    match &value.kind {
        Kind::Sensitive(secret) => secret.expose(),
        _ => value.clone(),
    }
}

/// Whether a scalar is secret in all its parts.
pub(super) fn is_all_secret(value: &Value) -> bool {
    match &value.kind {
        Kind::Sensitive(secret) => secret.as_pieces().is_none_or(|pieces| pieces.iter().all(|p| p.secret)),
        _ => false,
    }
}

/// The value with every scalar in it secret.
pub(super) fn sealed(value: Value) -> Value {
    let kind = match value.kind {
        Kind::List(list) => list.iter().cloned().map(sealed).collect::<Vec<_>>().into(),
        Kind::Map(map) => {
            let entries = map.iter().map(|(key, item)| (key.clone(), sealed(item.clone())));
            Value::from(entries.collect::<Map>())
        }
        // Includes the plain parts of a text, since which text it is depends on the secret.
        Kind::Sensitive(secret) => Kind::Sensitive(Sensitive::scalar(secret.expose().kind)).into(),
        scalar => Kind::Sensitive(Sensitive::scalar(scalar)).into(),
    };
    Value { kind: kind.kind, origin: value.origin }
}

/// Like [`sealed`], with the keys of its maps masked, except those that a type names: the others may be what was meant
/// to be secret.
pub(super) fn sealed_whole(value: Value, is_named: &dyn Fn(&str) -> bool) -> Value {
    let kind = match value.kind {
        Kind::List(list) => {
            list.iter().map(|item| sealed_whole(item.clone(), is_named)).collect::<Vec<_>>().into()
        }
        Kind::Map(map) => {
            let shown = |key: &Arc<str>| if is_named(key) { key.clone() } else { MASK.into() };
            let entries = map.iter().map(|(key, item)| (shown(key), sealed_whole(item.clone(), is_named)));
            Value::from(entries.collect::<Map>())
        }
        scalar => sealed(scalar.into()),
    };
    Value { kind: kind.kind, origin: value.origin }
}

/// Seals the value if it depends on a secret.
///
/// # Errors
/// Returns an error if it is a list or a map: its length and its keys are visible, and would reveal what the secret
/// decided.
pub(super) fn sealed_if(secret: bool, value: Value) -> Result<Value, Fault> {
    match value.kind {
        Kind::List(_) | Kind::Map(_) if secret => Err(shown_by(value.noun())),
        _ if secret => Ok(sealed(value)),
        _ => Ok(value),
    }
}

/// The error for a value that depends on a secret and cannot be kept secret.
pub(super) fn shown_by(what: &str) -> Fault {
    let message =
        format!("a sensitive value decides what {what} contains, and its length or keys would show how");
    Fault::new(Code::Secret, message, 0..0)
        .help("texts, numbers and booleans stay secret: choose one of those")
}

/// A text that is being put together, which tracks the parts of it that are secret.
#[derive(Debug, Default)]
pub(super) struct Stretches {
    text: String,
    secret: Vec<Range<usize>>,
}

impl Stretches {
    /// Its length in bytes.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Appends a text that is not secret.
    pub(super) fn push_str(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Appends a scalar; returns `false` if the value is null, a list or a map.
    #[must_use]
    pub(super) fn push(&mut self, value: &Value) -> bool {
        match &value.kind {
            Kind::String(text) => self.text.push_str(text),
            Kind::Sensitive(secret) => match secret.as_pieces() {
                Some(pieces) => pieces.iter().for_each(|piece| self.push_piece(piece)),
                None => match secret.expose().scalar_text() {
                    Some(text) => self.push_piece(&TextPiece { text, secret: true }),
                    None => return false,
                },
            },
            _ => match value.scalar_text() {
                Some(text) => self.text.push_str(&text),
                None => return false,
            },
        }
        true
    }

    /// Makes everything from the byte `start` on secret, because a secret decided that it is there.
    pub(super) fn seal_from(&mut self, start: usize) {
        self.secret.retain(|range| range.end <= start);
        if start < self.text.len() {
            self.secret.push(start..self.text.len());
        }
    }

    fn push_piece(&mut self, piece: &TextPiece) {
        let start = self.text.len();
        self.text.push_str(&piece.text);
        if piece.secret {
            self.secret.push(start..self.text.len());
        }
    }

    /// The result: a string, or a sensitive one with its secret parts.
    pub(super) fn finish(self) -> Value {
        if self.secret.is_empty() {
            return self.text.into();
        }
        let mut pieces = Vec::with_capacity(self.secret.len() * 2 + 1);
        let mut at = 0;
        for range in self.secret {
            pieces.push(TextPiece { text: self.text[at..range.start].into(), secret: false });
            pieces.push(TextPiece { text: self.text[range.clone()].into(), secret: true });
            at = range.end;
        }
        pieces.push(TextPiece { text: self.text[at..].into(), secret: false });
        pieces.retain(|piece| piece.secret || !piece.text.is_empty());
        Kind::Sensitive(Sensitive::pieces(pieces)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Value {
        Kind::Sensitive(Sensitive::text(text)).into()
    }

    #[test]
    fn a_text_is_secret_where_secrets_flowed_in() {
        let mut text = Stretches::default();
        text.push_str("user=");
        assert!(text.push(&secret("hunter2")));
        text.push_str(" port=");
        assert!(text.push(&5432.into()));
        assert_eq!(text.finish().shown(), "user=[sensitive] port=5432");
    }

    #[test]
    fn what_shows_its_length_or_its_keys_is_not_sealed_but_refused() {
        for value in [Value::from(vec![]), Value::from([])] {
            assert_eq!(sealed_if(true, value.clone()).unwrap_err().code, Code::Secret);
            assert_eq!(sealed_if(false, value.clone()).unwrap(), value);
        }
        assert_eq!(sealed_if(true, 1.into()).unwrap().shown(), "[sensitive]");
    }

    #[test]
    fn sealing_reaches_every_leaf_and_exposing_undoes_it() {
        let value: Value = [("a", vec![1.into(), Value::NULL].into()), ("b", "x".into())].into();
        let hidden = sealed(value.clone());
        assert_eq!(hidden.shown(), r#"{"a":["[sensitive]","[sensitive]"],"b":"[sensitive]"}"#);
        assert_eq!(exposed(&hidden), value);
    }
}
