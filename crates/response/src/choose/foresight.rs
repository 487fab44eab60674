//! What the treatments are like, and how alike they act.

use std::sync::Arc;

use super::fit::Experiment;
use crate::error::ResponseError;
use crate::features::Encoder;
use crate::inputs::Inputs;
use crate::kriging::Likeness;
use crate::model::{ArmModel, Foresight};
use crate::promotions::{Described, Describes, Promotion, Promotions, Space};

/// The treatments in the space of what they are like; without a table, each is like itself only.
#[derive(Debug)]
pub(super) struct DescribedArms {
    pub(super) promotions: Promotions,
    pub(super) space: Arc<Space>,
}

pub(super) fn describe(experiment: &Experiment<'_>, treatments: &[usize], encoder: &Encoder) -> Result<DescribedArms, ResponseError> {
    let names = || treatments.iter().map(|&arm| experiment.arms[arm].clone());
    let promotions = match experiment.promotions {
        Some(table) => {
            table.check()?;
            let rows = names().map(|name| table.row(&name).cloned()).collect::<Result<_, _>>()?;
            Promotions { columns: table.columns.clone(), rows }
        }
        None => Promotions {
            columns: vec![Describes { name: "promotion".to_owned(), relative_to: None, dose: false }],
            rows: names().map(|name| Promotion { cells: vec![Described::Name(name.clone())], name }).collect(),
        },
    };
    let space = Arc::new(Space::new(&promotions, &|name| encoder.number(name))?);
    Ok(DescribedArms { promotions, space })
}

/// Rows that a promotion's place is averaged over where it depends on the customer.
const PLACE_ROWS: usize = 1000;

/// How alike the treatments act; none with fewer than two.
pub(super) fn foresee(described: &DescribedArms, inputs: &Inputs, arms: &[ArmModel]) -> Option<Foresight> {
    let DescribedArms { promotions, space } = described;
    let step = if space.by_customer() { inputs.rows().div_ceil(PLACE_ROWS) } else { inputs.rows() };
    let place = |promotion: &Promotion| {
        let mut sum = vec![0.0; space.width()];
        let rows = (0..inputs.rows()).step_by(step.max(1));
        let count = rows.len() as f64;
        for row in rows {
            sum.iter_mut().zip(space.place(promotion, inputs.matrix.row(row))).for_each(|(sum, at)| *sum += at / count);
        }
        sum
    };
    let places: Vec<Vec<f64>> = promotions.rows.iter().map(place).collect();
    let names: Vec<String> = promotions.rows.iter().map(|row| row.name.clone()).collect();
    let means: Vec<f64> = arms.iter().map(|arm| arm.report.mean_effect).collect();
    let variances: Vec<f64> = arms.iter().map(|arm| arm.report.std_error.powi(2)).collect();
    let mut likeness = Likeness::learn(&places, &means, &variances)?;
    let left_out = likeness.leave_each_out(&names, &places, &means, &variances);
    Some(Foresight { promotions: promotions.clone(), space: space.as_ref().clone(), likeness, left_out })
}
