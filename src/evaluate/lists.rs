//! The lists a system gave for the cases of a task.

use crate::ids::ItemIdx;

/// One ranked list a case, best first: 4 bytes an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    ends: Vec<usize>,
    items: Vec<ItemIdx>,
}

impl Lists {
    pub(crate) fn push(&mut self, list: &[ItemIdx]) {
        self.items.extend_from_slice(list);
        self.ends.push(self.items.len());
    }

    pub(crate) fn append(&mut self, other: &Self) {
        let before = self.items.len();
        self.items.extend_from_slice(&other.items);
        self.ends.extend(other.ends.iter().map(|end| before + end));
    }

    /// The list of case number `case`; empty for a case that was not asked.
    #[must_use]
    pub fn of(&self, case: usize) -> &[ItemIdx] {
        let from = if case == 0 { 0 } else { self.ends.get(case - 1).copied().unwrap_or(self.items.len()) };
        let to = self.ends.get(case).copied().unwrap_or(from);
        &self.items[from..to]
    }

    /// How many cases were asked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no case was asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The lists in the order of the cases.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[ItemIdx]> {
        (0..self.len()).map(|case| self.of(case))
    }
}

impl<L: AsRef<[ItemIdx]>> FromIterator<L> for Lists {
    fn from_iter<I: IntoIterator<Item = L>>(lists: I) -> Self {
        let mut out = Self::default();
        lists.into_iter().for_each(|list| out.push(list.as_ref()));
        out
    }
}
