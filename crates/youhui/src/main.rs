//! Designs personalised promotions for online shops: the command line.

fn main() {}
