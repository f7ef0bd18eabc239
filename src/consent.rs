//! Who may be profiled: a user id is usable only together with the ground for using it.

use serde::{Deserialize, Serialize};

/// The ground on which a shopper's behaviour may be tied to their identity (GDPR Art. 6(1)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LawfulBasis {
    /// The shopper agreed to personalisation (Art. 6(1)(a)).
    Consent,
    /// Needed for a contract with the shopper, such as their own order history (Art. 6(1)(b)).
    Contract,
    /// A legitimate interest that was weighed and documented (Art. 6(1)(f)).
    LegitimateInterest,
}

impl LawfulBasis {
    const NAMES: [(Self, &'static str); 3] =
        [(Self::Consent, "consent"), (Self::Contract, "contract"), (Self::LegitimateInterest, "legitimate_interest")];

    /// As it is spelled in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        Self::NAMES[self as usize].1
    }

    /// Reads [`as_str`](Self::as_str).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(basis, _)| basis)
    }
}

/// A user id whose owner may be profiled. It is the only key that opens a profile.
///
/// There is no way from a bare `&str` to profile state: [`Shopper::Profiled`], and through it
/// [`Request::profiled`](crate::Request::profiled) and
/// [`Event::new`](crate::Event::new), take this type, and its constructor makes the caller name the
/// [`LawfulBasis`]. A shopper without one is [`Shopper::Anonymous`].
///
/// ```compile_fail
/// use likewise::Shopper;
/// let bare_id_without_basis = Shopper::Profiled("ann");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Consented<'a> {
    user: &'a str,
    basis: LawfulBasis,
}

impl<'a> Consented<'a> {
    /// States that `user` may be profiled on this basis.
    #[must_use]
    pub const fn new(user: &'a str, basis: LawfulBasis) -> Self {
        Self { user, basis }
    }

    /// The user id.
    #[must_use]
    pub const fn user(self) -> &'a str {
        self.user
    }

    /// The basis that was stated.
    #[must_use]
    pub const fn basis(self) -> LawfulBasis {
        self.basis
    }
}

/// Who is acting: a profile with a lawful basis, or nobody in particular.
///
/// What an anonymous shopper does still teaches the crate what goes with what — through the session, which has a row
/// of its own — but it never reaches a profile, and no user id finds it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shopper<'a> {
    /// A profile.
    Profiled(Consented<'a>),
    /// Nobody: only the session (visit, invoice, basket) is known.
    Anonymous {
        /// The session id, in a namespace of its own.
        session: &'a str,
    },
}
