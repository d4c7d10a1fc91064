//! What is merged under every service and call. The merging itself is done on the tree, before anything is decoded; here
//! it is only described, so that mistakes in it are found even if nothing uses it.

use super::{CallPolicy, Service};
use crate::spec::decode::element;

element! {
    /// What is merged under every service and every call.
    "the defaults"
    #[derive(Default)]
    pub struct Defaults {
        /// Under every service: what it does not say itself.
        service: Option<Box<Service>> = None,
        /// Under every call: what neither it nor its service's `calls.default` says.
        call: Option<Box<CallPolicy>> = None,
    }
}
