//! Memory of a replica.

use crate::spec::Spanned;
use crate::spec::decode::element;
use crate::spec::values::{Share, Size};

element! {
    /// Memory of a replica: over the limit it is killed and started again.
    "a memory setting"
    pub struct Memory {
        /// In use without any request. Default 0B.
        base: Spanned<Size> = Spanned::unwritten(Size(0)),
        /// Held by each request from start to reply. Default 0B.
        per_request: Spanned<Size> = Spanned::unwritten(Size(0)),
        /// Lost by each request for good. Default 0B.
        leak: Spanned<Size> = Spanned::unwritten(Size(0)),
        /// Above this the replica is killed.
        limit: Spanned<Size>,
        /// From this share of the limit on, collecting garbage slows `work` down. Default: never.
        slow_from: Option<Spanned<Share>> = None,
    }
}
