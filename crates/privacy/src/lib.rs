//! Who we may know: the identity vault and consent.
