//! Secrets: no `Display`, no `Serialize`, and a single way out, whose name is easy to search for.

use std::fmt;
use std::sync::Arc;

use super::{Kind, Value};

/// What replaces a secret.
pub const MASK: &str = "[sensitive]";

/// A piece of a text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TextPiece {
    pub text: Arc<str>,
    /// Whether the piece is secret.
    pub secret: bool,
}

/// A scalar that must not be shown anywhere but in its target: a text with secret pieces, or another secret scalar.
#[derive(Clone, PartialEq, Hash)]
pub struct Sensitive(SensitiveScalar);

#[derive(Clone, PartialEq, Hash)]
enum SensitiveScalar {
    Text(Arc<Vec<TextPiece>>),
    Scalar(Arc<Kind>),
}

impl Sensitive {
    /// A text that is completely secret.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self(SensitiveScalar::Text(Arc::new(vec![TextPiece { text: text.into(), secret: true }])))
    }

    /// A text made of pieces; adjacent ones of the same kind are joined.
    pub fn pieces(pieces: impl IntoIterator<Item = TextPiece>) -> Self {
        let mut joined: Vec<TextPiece> = Vec::new();
        for piece in pieces {
            match joined.last_mut() {
                Some(last) if last.secret == piece.secret => {
                    last.text = format!("{}{}", last.text, piece.text).into();
                }
                _ => joined.push(piece),
            }
        }
        Self(SensitiveScalar::Text(Arc::new(joined)))
    }

    /// A scalar that was computed from a secret, such as a boolean or a number.
    pub fn scalar(kind: Kind) -> Self {
        match kind {
            Kind::String(text) => Self::text(text),
            Kind::Sensitive(already) => already,
            other => Self(SensitiveScalar::Scalar(Arc::new(other))),
        }
    }

    /// The pieces, if it is a text.
    pub fn as_pieces(&self) -> Option<&[TextPiece]> {
        if let SensitiveScalar::Text(pieces) = &self.0 { Some(pieces) } else { None }
    }

    /// The secret itself. Only for evaluation, for the connection to the agent and for the target.
    pub fn expose(&self) -> Value {
        match &self.0 {
            SensitiveScalar::Text(pieces) => {
                Kind::String(pieces.iter().map(|p| &*p.text).collect::<String>().into()).into()
            }
            SensitiveScalar::Scalar(kind) => Kind::clone(kind).into(),
        }
    }

    /// The text with each secret piece replaced with [`MASK`].
    pub fn masked(&self) -> String {
        match &self.0 {
            SensitiveScalar::Text(pieces) => {
                pieces.iter().map(|p| if p.secret { MASK } else { &*p.text }).collect()
            }
            SensitiveScalar::Scalar(_) => MASK.to_owned(),
        }
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &str, secret: bool) -> TextPiece {
        TextPiece { text: text.into(), secret }
    }

    #[test]
    fn debug_and_shown_never_hold_the_secret() {
        let value: Value =
            Kind::Sensitive(Sensitive::pieces([piece("user=", false), piece("hunter2", true)])).into();
        let nested: Value = [("k", Value::from(vec![value.clone()]))].into();
        for text in [format!("{nested:?}"), nested.shown(), value.shown(), format!("{:#?}", value.kind)] {
            assert!(!text.contains("hunter2"), "{text}");
        }
        assert_eq!(value.shown(), "user=[sensitive]");
    }

    #[test]
    fn exposing_gives_the_whole_text() {
        let secret = Sensitive::pieces([piece("a", false), piece("b", true), piece("c", true)]);
        assert_eq!(secret.expose(), "abc".into());
        assert_eq!(secret.as_pieces().unwrap().len(), 2);
    }

    #[test]
    fn sensitivity_is_found_at_any_depth() {
        let deep: Value =
            [("a", Value::from(vec![Kind::Sensitive(Sensitive::scalar(Kind::Int(4))).into()]))].into();
        assert!(deep.is_sensitive());
        assert!(!Value::from([("a", Value::from(1))]).is_sensitive());
    }
}
