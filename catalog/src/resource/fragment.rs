//! `fragment`: a part of a file to which several classes contribute.

use super::attribute::{AbsolutePath, InlineContent, OrderNumber};
use super::claim::Claim;
use super::define::resource_type;
use super::unit_text;
use super::{AttributeError, Implied, Rules};

resource_type! {
    /// A part of a file to which several classes contribute. The title is any name. The file is a `file` with `fragments = true` and the path that `target` names, in any class: it says mode, owner, `validate` and whom it notifies, and it is what is compared with the machine, so drift shows there. It holds the fragments by `order`, then by title, each ended by a line end. It is secret where one of them is, and only reported on where the policy of one is `audit` or `off`.
    Fragment("fragment"), titled String {
        /// The path of the file that it is a part of.
        parameter target: AbsolutePath,
        /// Its place in the file: smaller numbers come first, equal ones by title.
        parameter order: OrderNumber = OrderNumber(10),
        /// Its text: inline, by `template` or by `source`.
        parameter content: InlineContent,
    }
}

impl Fragment {
    /// The attribute of the target that accepts fragments.
    pub const TAKEN_BY: &'static str = "fragments";
    /// What it is called in a claim.
    pub const ENTRY: &'static str = "fragment";
}

impl Rules for Fragment {
    fn validate(&self) -> Vec<AttributeError> {
        let text = Some(&self.content.0).filter(|_| unit_text::is_unit(self.target.as_str()));
        text.and_then(|text| unit_text::refused("content", text)).into_iter().collect()
    }

    fn implied(&self) -> Vec<Implied> {
        vec![Implied::part_of("file", self.target.as_str(), Self::TAKEN_BY)]
    }

    fn claims(&self) -> Vec<Claim> {
        // The file that it is a part of claims all of itself.
        Vec::new()
    }
}
