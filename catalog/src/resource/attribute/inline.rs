//! Text that is in the catalog itself, however it is given: for text that the agent joins with other text.

use super::{Attribute, AttributeKind, Mismatch, Secret};
use crate::value::Value;

/// A text, given inline, by `template` or by `source`; may be secret.
#[derive(Debug, Clone, PartialEq)]
pub struct InlineContent(pub Secret);

impl Attribute for InlineContent {
    const KIND: AttributeKind = AttributeKind::InlineContent;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        Secret::read(value).map(Self)
    }
}
