//! Tables that a statement writes rows of.
