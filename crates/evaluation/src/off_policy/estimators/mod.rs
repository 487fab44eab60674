//! The estimators, one a file. Notation: n rounds (xᵢ, aᵢ, rᵢ), π the target policy, π₀ the logging one,
//! w = π(a | x) / π₀(a | x) the importance weight, q̂ a reward model, q̂(x, π) = Σₐ π(a | x) q̂(x, a).
//!
//! Kernel estimators for continuous actions are not here: promotions are discrete.

mod balanced_ipw;
mod direct_method;
mod doubly_robust;
mod doubly_robust_shrinkage;
mod inverse_probability_weighting;
mod on_policy;
mod replay;
mod self_normalised_dr;
mod self_normalised_ipw;
mod sub_gaussian_dr;
mod sub_gaussian_ipw;
mod switch_dr;

pub use balanced_ipw::BalancedIpw;
pub use direct_method::DirectMethod;
pub use doubly_robust::DoublyRobust;
pub use doubly_robust_shrinkage::DoublyRobustShrinkage;
pub use inverse_probability_weighting::InverseProbabilityWeighting;
pub use on_policy::OnPolicy;
pub use replay::ReplayMethod;
pub use self_normalised_dr::SelfNormalisedDoublyRobust;
pub use self_normalised_ipw::SelfNormalisedIpw;
pub use sub_gaussian_dr::SubGaussianDoublyRobust;
pub use sub_gaussian_ipw::SubGaussianIpw;
pub use switch_dr::SwitchDoublyRobust;

use super::error::OffPolicyError;
use super::estimator::Estimator;

/// λ of the estimators that clip or switch: at least 0, infinity for none.
fn at_least_zero(name: &'static str, lambda: f64) -> Result<f64, OffPolicyError> {
    if lambda >= 0.0 { Ok(lambda) } else { Err(OffPolicyError::Setting { name, value: lambda, rule: "at least 0" }) }
}

/// λ of the sub-Gaussian estimators.
fn share(name: &'static str, lambda: f64) -> Result<f64, OffPolicyError> {
    let is_share = (0.0..=1.0).contains(&lambda);
    if is_share { Ok(lambda) } else { Err(OffPolicyError::Setting { name, value: lambda, rule: "within 0 and 1" }) }
}

/// The sub-Gaussian weight w / (1 − λ + λ w); 0 stays 0 at λ = 1, where obp 0.5.7 divides 0 by 0.
fn sub_gaussian(weight: f64, lambda: f64) -> f64 {
    if weight == 0.0 {
        0.0
    } else if weight == f64::INFINITY && lambda > 0.0 {
        1.0 / lambda
    } else {
        weight / (1.0 - lambda + lambda * weight)
    }
}

/// `name`, or `name λ=…` where λ does something.
fn named(name: &str, lambda: f64, neutral: f64) -> String {
    if lambda == neutral { name.to_owned() } else { format!("{name} λ={lambda}") }
}

/// All estimators that need no hyper-parameter, and no more than a reward model where there is one.
pub fn parameter_free(has_reward_model: bool) -> Vec<Box<dyn Estimator>> {
    let mut all: Vec<Box<dyn Estimator>> =
        vec![Box::new(ReplayMethod), Box::new(InverseProbabilityWeighting::plain()), Box::new(SelfNormalisedIpw)];
    if has_reward_model {
        all.push(Box::new(DirectMethod));
        all.push(Box::new(DoublyRobust::plain()));
        all.push(Box::new(SelfNormalisedDoublyRobust));
    }
    all
}
