//! How many retries there may be, in the manner of several libraries. The fields are the originals'.

use crate::Span;
use crate::spec::Spanned;
use crate::spec::decode::{element, kinds};
use crate::spec::values::Share;

kinds! {
    /// How many retries there may be.
    "a share such as `20%`, or a budget with a `kind`"
    pub enum Budget or Share(Share) {
        /// Finagle's retry budget.
        Finagle(FinagleBudget) = "finagle",
        /// Tower's.
        Tower(TowerBudget) = "tower",
        /// Envoy's circuit-breaker budget.
        Envoy(EnvoyBudget) = "envoy",
        /// gRPC's retry throttling.
        Grpc(GrpcBudget) = "grpc",
        /// The AWS SDKs' retry quota.
        Aws(AwsBudget) = "aws",
        /// Tokens that calls, successes and time add.
        TokenBucket(TokenBucket) = "token_bucket",
    }
}

element! {
    /// Finagle's retry budget.
    "a finagle budget"
    pub struct FinagleBudget {
        /// How long a request counts. Default 10s.
        ttl: Spanned<Span> = Spanned::unwritten(Span::from_secs(10)),
        /// Retries a second that are always allowed. Default 10.
        min_retries_per_sec: Spanned<u32> = Spanned::unwritten(10),
        /// Retries as a share of requests. Default 20%.
        percent_can_retry: Spanned<Share> = Spanned::unwritten(Share(0.2)),
    }
}

element! {
    /// Tower's retry budget.
    "a tower budget"
    pub struct TowerBudget {
        /// How long a request counts. Default 10s.
        ttl: Spanned<Span> = Spanned::unwritten(Span::from_secs(10)),
        /// Retries a second that are always allowed. Default 10.
        min_per_sec: Spanned<u32> = Spanned::unwritten(10),
        /// Retries as a share of requests. Default 20%.
        retry_percent: Spanned<Share> = Spanned::unwritten(Share(0.2)),
    }
}

element! {
    /// Envoy's limit of retries at the same time.
    "an envoy budget"
    pub struct EnvoyBudget {
        /// A fixed number of retries at the same time, instead of a share. Default: the share.
        max_retries: Option<Spanned<u32>> = None,
        /// Retries as a share of requests at the same time. Default 20%.
        budget_percent: Spanned<Share> = Spanned::unwritten(Share(0.2)),
        /// Retries at the same time that are always allowed. Default 3.
        min_retry_concurrency: Spanned<u32> = Spanned::unwritten(3),
        /// Requests that started within this time count too. Default 0s.
        budget_interval: Spanned<Span> = Spanned::unwritten(Span::ZERO),
    }
}

element! {
    /// gRPC's retry throttling.
    "a grpc budget"
    pub struct GrpcBudget {
        /// Tokens at the start; retries need more than half of them. Default 10.
        max_tokens: Spanned<u32> = Spanned::unwritten(10),
        /// Tokens that a success gives back. Default 0.1.
        token_ratio: Spanned<f64> = Spanned::unwritten(0.1),
    }
}

element! {
    /// The AWS SDKs' retry quota.
    "an aws budget"
    pub struct AwsBudget {
        /// Tokens at the start. Default 500.
        capacity: Spanned<u32> = Spanned::unwritten(500),
        /// What a retry takes. Default 5; 14 for a retry of kind `aws_2_1`.
        retry_cost: Option<Spanned<u32>> = None,
        /// What a retry after a timeout takes. Default 10; 14 for a retry of kind `aws_2_1`.
        timeout_cost: Option<Spanned<u32>> = None,
        /// What a retry after a rate limit takes. Default 5.
        throttling_cost: Spanned<u32> = Spanned::unwritten(5),
        /// What a success without a retry gives. Default 1.
        no_retry_increment: Spanned<u32> = Spanned::unwritten(1),
    }
}

element! {
    /// Tokens, full at the start.
    "a token bucket"
    pub struct TokenBucket {
        /// Tokens at the start, and at most.
        capacity: Spanned<f64>,
        /// Tokens that each call adds. Default 0.
        per_call: Spanned<f64> = Spanned::unwritten(0.0),
        /// Tokens that each success adds. Default 0.
        per_success: Spanned<f64> = Spanned::unwritten(0.0),
        /// Tokens that each second adds. Default 0.
        per_second: Spanned<f64> = Spanned::unwritten(0.0),
        /// Tokens that each retry takes. Default 1.
        cost: Spanned<f64> = Spanned::unwritten(1.0),
    }
}
