//! How secrecy flows through computing: by stretch where texts are put together, whole otherwise.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::value::{Kind, MASK, Map, Piece, Sensitive, Value};

use crate::diagnostic::Code;

use super::fault::Fault;

/// What is in every error that a secret took part in, instead of its own words.
pub(super) const WITHHELD: &str = "a sensitive value; the error is not shown";

/// The value with its secrets in the open, for computing; what comes of it must be [`sealed`].
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

/// A scalar in the open; lists and maps are not walked, and stay as they are.
pub(super) fn opened(value: &Value) -> Value {
    match &value.kind {
        Kind::Sensitive(secret) => secret.expose(),
        _ => value.clone(),
    }
}

/// Whether a scalar is secret from end to end.
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
        // Also the open stretches of a text: which text it is depends on the secret.
        Kind::Sensitive(secret) => Kind::Sensitive(Sensitive::scalar(secret.expose().kind)).into(),
        scalar => Kind::Sensitive(Sensitive::scalar(scalar)).into(),
    };
    Value { kind: kind.kind, origin: value.origin }
}

/// The same, with the keys of its maps masked but for those that a type names: others may be what was meant to be secret.
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

/// Seals the value if a secret decided about it.
///
/// # Errors
/// Where it is a list or a map: how long it is and which keys it has is seen by anyone who looks at it, and says what was
/// decided.
pub(super) fn sealed_if(secret: bool, value: Value) -> Result<Value, Fault> {
    match value.kind {
        Kind::List(_) | Kind::Map(_) if secret => Err(shown_by(value.noun())),
        _ if secret => Ok(sealed(value)),
        _ => Ok(value),
    }
}

/// What a secret decided about cannot be kept secret.
pub(super) fn shown_by(what: &str) -> Fault {
    let message =
        format!("a sensitive value decides what {what} holds, and its length or keys would show how");
    Fault::new(Code::Secret, message, 0..0)
        .help("texts, numbers and booleans stay secret: choose one of those")
}

/// A text that is being put together and knows which of its stretches are secret.
#[derive(Debug, Default)]
pub(super) struct Stretches {
    text: String,
    secret: Vec<Range<usize>>,
}

impl Stretches {
    /// How many bytes it has.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Appends what may be shown.
    pub(super) fn push_str(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Appends a scalar; `false` where it is null, a list or a map.
    #[must_use]
    pub(super) fn push(&mut self, value: &Value) -> bool {
        match &value.kind {
            Kind::String(text) => self.text.push_str(text),
            Kind::Sensitive(secret) => match secret.as_pieces() {
                Some(pieces) => pieces.iter().for_each(|piece| self.push_piece(piece)),
                None => match secret.expose().scalar_text() {
                    Some(text) => self.push_piece(&Piece { text, secret: true }),
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

    /// Makes everything from a byte on secret: a secret decided that it is there.
    pub(super) fn seal_from(&mut self, start: usize) {
        self.secret.retain(|range| range.end <= start);
        if start < self.text.len() {
            self.secret.push(start..self.text.len());
        }
    }

    fn push_piece(&mut self, piece: &Piece) {
        let start = self.text.len();
        self.text.push_str(&piece.text);
        if piece.secret {
            self.secret.push(start..self.text.len());
        }
    }

    /// The text: a string, or a sensitive one that knows its stretches.
    pub(super) fn finish(self) -> Value {
        if self.secret.is_empty() {
            return self.text.into();
        }
        let mut pieces = Vec::with_capacity(self.secret.len() * 2 + 1);
        let mut at = 0;
        for range in self.secret {
            pieces.push(Piece { text: self.text[at..range.start].into(), secret: false });
            pieces.push(Piece { text: self.text[range.clone()].into(), secret: true });
            at = range.end;
        }
        pieces.push(Piece { text: self.text[at..].into(), secret: false });
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
