//! What every bench of this repository prints its figures with.

pub mod figure;
