//! The widest instructions at run time: loops inside `dispatch` are compiled for them.

use std::sync::OnceLock;

use pulp::Arch;

/// What this processor has.
pub(crate) fn arch() -> Arch {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    *ARCH.get_or_init(Arch::new)
}
