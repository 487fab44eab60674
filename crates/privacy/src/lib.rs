//! Who we may know: the identity vault and consent.
//!
//! A raw customer identifier exists only inside [`identity`] (invariant 2); code that needs a
//! profile takes a [`PermittedProfile`], which only [`consent`] makes (invariant 5).

pub mod audit;
pub mod consent;
pub mod erasure;
pub mod identity;
pub mod sealing;

pub use consent::{ConsentLedger, PermittedProfile, Purpose, Said, Status};
pub use erasure::{Erased, Standing, SuppressionList};
pub use identity::{IdentityError, IdentityKeys, IdentityRow, IdentityVault};
pub use sealing::{SealingKeys, Subtree};
