//! `youhui demo`.
