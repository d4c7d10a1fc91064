//! Starting and stopping replicas.

use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::{element, words};
use crate::spec::values::Share;

element! {
    /// Starts and stops replicas so that each is as busy as the target says.
    "an autoscale setting"
    pub struct Autoscale {
        /// Fewest replicas; 0 lets it scale to nothing. Default 1.
        min: Spanned<u32> = Spanned::unwritten(1),
        /// Most replicas.
        max: Spanned<u32>,
        /// How busy each should be. Default 60%.
        target: Spanned<Share> = Spanned::unwritten(Share(0.6)),
        /// What is looked at. Default `workers`.
        of: Spanned<ScaleOn> = Spanned::unwritten(ScaleOn::Workers),
        /// How often it looks. Default 15s.
        every: Spanned<Span> = Spanned::unwritten(Span::from_secs(15)),
        /// How long fewer must have sufficed before it stops any. Default 5m.
        scale_down_after: Spanned<Span> = Spanned::unwritten(Span::from_secs(300)),
    }
}

words! {
    /// What an autoscaler looks at.
    "something to scale on"
    pub enum ScaleOn {
        /// Share of workers that are busy.
        Workers = "workers",
        /// Share of CPU in use.
        Cpu = "cpu",
    }
}
