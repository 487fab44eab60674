//! Models as bytes: every number in safetensors, the card as JSON beside them. No pickles: reading a
//! model runs nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::calibrate::Calibration;
use crate::dense::{Epoch, Network};
use crate::error::ResponseError;
use crate::forest::Forest;
use crate::kriging::{Likeness, View};
use crate::learner::{Effect, Shared};
use crate::model::{ArmModel, Bag, Card, Main, Model};
use crate::objective::Objective;
use crate::regress::{Basis, Dense, Lasso, Logistic, Regressor, Scaling, Shape};
use crate::trees::{Boosted, Tree};

/// Name of the tensor that holds the card, so that a card that was changed does not fit its model.
const CARD: &str = "card";

type Found<T> = Result<T, ResponseError>;

fn wrong<T>(what: impl Into<String>) -> Found<T> {
    Err(ResponseError::Model(what.into()))
}

impl Model {
    /// The model as safetensors, and its card as JSON.
    ///
    /// # Errors
    /// `Model`, where a number of the card can't be written.
    pub fn to_bytes(&self) -> Result<(Vec<u8>, String), ResponseError> {
        let card = serde_json::to_string_pretty(&self.card).map_err(|error| ResponseError::Model(error.to_string()))?;
        let mut to = Packer::default();
        to.bytes(CARD, card.as_bytes());
        to.f32s("scaling.center", self.scaling.center.iter().copied());
        to.f32s("scaling.scale", self.scaling.scale.iter().copied());
        for (place, arm) in self.arms.iter().enumerate() {
            arm.pack(&mut to, &format!("arm{place}"));
        }
        // A card that can't be read again is none.
        if let Err(error) = serde_json::from_str::<Card>(&card) {
            return wrong(format!("a figure of its card is no number ({error}): the outcome is too large or too uneven to learn from"));
        }
        let checksum = checksum(to.tensors.iter().map(|(name, (_, bytes))| (name.as_str(), bytes.as_slice())));
        to.bytes(CHECKSUM, &checksum);
        let views = to.tensors.iter().map(|(name, (dtype, bytes))| {
            let size = bytes.len() / dtype.bitsize().div_ceil(8);
            TensorView::new(*dtype, vec![size], bytes).map(|view| (name.clone(), view))
        });
        let views: Vec<_> = views.collect::<Result<_, _>>().map_err(|error| ResponseError::Model(error.to_string()))?;
        let bytes = safetensors::serialize(views, None).map_err(|error| ResponseError::Model(error.to_string()))?;
        Ok((bytes, card))
    }

    /// The model of [`to_bytes`](Self::to_bytes). The card is the one inside the tensors.
    ///
    /// # Errors
    /// `Model`: what is cut, changed or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ResponseError> {
        let tensors =
            SafeTensors::deserialize(bytes).map_err(|error| ResponseError::Model(format!("the file is cut or no safetensors: {error}")))?;
        let mut names: Vec<&str> = tensors.names().into_iter().filter(|name| *name != CHECKSUM).collect();
        names.sort_unstable();
        let all = names.iter().filter_map(|name| tensors.tensor(name).ok().map(|tensor| (*name, tensor.data())));
        if tensors.tensor(CHECKSUM).ok().map(|sum| sum.data().to_vec()) != Some(checksum(all).to_vec()) {
            return wrong("the file was changed or damaged: its checksum is another");
        }
        let from = Unpacker { tensors, networks: RefCell::default() };
        let card: Card = serde_json::from_slice(from.bytes(CARD)?).map_err(|error| ResponseError::Model(format!("its card: {error}")))?;
        if card.schema_version != 1 {
            return wrong(format!("version {} of the card: this program reads version 1", card.schema_version));
        }
        let width = card.encoder.width();
        let scaling = Scaling { center: from.f32s("scaling.center")?, scale: from.f32s("scaling.scale")? };
        if scaling.center.len() != width || scaling.scale.len() != width {
            return wrong(format!("it scales {} columns, and its card has {width}", scaling.center.len()));
        }
        let same = card.arms.len() == card.treatments.len() && card.costs.len() == card.treatments.len();
        if !same || card.treatments.is_empty() {
            return wrong("its card lists other treatments than it reports on");
        }
        if let Some(problem) = unsound(&card) {
            return wrong(problem);
        }
        let rows = |foresight: &crate::model::Foresight| foresight.promotions.rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
        if card.foresight.as_ref().is_some_and(|foresight| rows(foresight) != card.treatments) {
            return wrong("its table of promotions has other rows than treatments");
        }
        let arm =
            |(place, report): (usize, &crate::model::ArmReport)| ArmModel::unpack(&from, &format!("arm{place}"), report.clone(), width);
        let arms = card.arms.iter().enumerate().map(arm).collect::<Found<_>>()?;
        Ok(Self { card, scaling: Arc::new(scaling), arms })
    }
}

const CHECKSUM: &str = "checksum";

/// Of names and bytes, in the order of names.
fn checksum<'a>(tensors: impl Iterator<Item = (&'a str, &'a [u8])>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for (name, bytes) in tensors {
        for part in [name.as_bytes(), bytes] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    *hasher.finalize().as_bytes()
}

/// What of a card no fit writes: a checksum keeps out damage, not whoever writes it anew.
fn unsound(card: &Card) -> Option<String> {
    let distinct: std::collections::BTreeSet<&String> = card.treatments.iter().collect();
    if distinct.len() != card.treatments.len() {
        return Some("its card names a treatment twice".to_owned());
    }
    let known = card.policy.best_single == card.control || distinct.contains(&card.policy.best_single);
    let above_zero = |value: f64| value > 0.0 && value.is_finite();
    let sound = known && above_zero(card.unit) && card.costs.iter().all(|cost| cost.is_finite());
    if !sound {
        return Some("its card has a best treatment, unit or cost that can't be".to_owned());
    }
    let foresight = card.foresight.as_ref()?;
    let Likeness { views, inflation } = &foresight.likeness;
    let sound = |view: &View| above_zero(view.weight) && above_zero(view.variance) && above_zero(view.length) && view.own >= 0.0;
    let sound = !views.is_empty() && views.iter().all(sound) && *inflation >= 1.0 && inflation.is_finite();
    if !(sound && foresight.promotions.check().is_ok() && foresight.space.width() > 0) {
        return Some("its card has a likeness of promotions that can't be".to_owned());
    }
    None
}

#[derive(Debug, Default)]
struct Packer {
    tensors: BTreeMap<String, (Dtype, Vec<u8>)>,
}

impl Packer {
    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.tensors.insert(name.to_owned(), (Dtype::U8, bytes.to_vec()));
    }

    fn u32s(&mut self, name: &str, values: impl IntoIterator<Item = u32>) {
        self.tensors.insert(name.to_owned(), (Dtype::U32, values.into_iter().flat_map(u32::to_le_bytes).collect()));
    }

    fn f32s(&mut self, name: &str, values: impl IntoIterator<Item = f32>) {
        self.tensors.insert(name.to_owned(), (Dtype::F32, values.into_iter().flat_map(f32::to_le_bytes).collect()));
    }

    fn f64s(&mut self, name: &str, values: impl IntoIterator<Item = f64>) {
        self.tensors.insert(name.to_owned(), (Dtype::F64, values.into_iter().flat_map(f64::to_le_bytes).collect()));
    }
}

#[derive(Debug)]
struct Unpacker<'a> {
    tensors: SafeTensors<'a>,
    /// Those that promotions share.
    networks: RefCell<Vec<Arc<Dense>>>,
}

impl<'a> Unpacker<'a> {
    fn tensor(&self, name: &str, dtype: Dtype) -> Found<&'a [u8]> {
        let tensor = self.tensors.tensor(name).or_else(|_| wrong(format!("{name} is absent")))?;
        if tensor.dtype() == dtype { Ok(tensor.data()) } else { wrong(format!("{name} has another type")) }
    }

    fn bytes(&self, name: &str) -> Found<&'a [u8]> {
        self.tensor(name, Dtype::U8)
    }

    fn numbers<const N: usize, T>(&self, name: &str, dtype: Dtype, read: fn([u8; N]) -> T) -> Found<Vec<T>> {
        Ok(self.tensor(name, dtype)?.as_chunks::<N>().0.iter().map(|bytes| read(*bytes)).collect())
    }

    fn u32s(&self, name: &str) -> Found<Vec<u32>> {
        self.numbers(name, Dtype::U32, u32::from_le_bytes)
    }

    fn f32s(&self, name: &str) -> Found<Vec<f32>> {
        let values = self.numbers(name, Dtype::F32, f32::from_le_bytes)?;
        // Infinity is a threshold beyond all values.
        if values.iter().any(|value| value.is_nan()) { wrong(format!("{name} holds what is no number")) } else { Ok(values) }
    }

    fn f64s(&self, name: &str) -> Found<Vec<f64>> {
        let values = self.numbers(name, Dtype::F64, f64::from_le_bytes)?;
        if values.iter().any(|value| value.is_nan()) { wrong(format!("{name} holds what is no number")) } else { Ok(values) }
    }

    fn f64s_of(&self, name: &str, length: usize) -> Found<Vec<f64>> {
        let values = self.f64s(name)?;
        if values.len() == length { Ok(values) } else { wrong(format!("{name} has {} numbers, not {length}", values.len())) }
    }
}

impl ArmModel {
    const fn numbers(&self) -> [f64; 4] {
        [self.intercept, self.scale, self.report.mean_effect, self.report.std_error]
    }

    fn pack(&self, to: &mut Packer, name: &str) {
        to.f64s(&format!("{name}.mix"), self.numbers().into_iter().chain(self.weights.iter().copied()));
        to.u32s(&format!("{name}.bags"), [self.bags.len()].map(index));
        self.bags.iter().enumerate().for_each(|(place, bag)| bag.pack(to, &format!("{name}.bag{place}")));
        if let Some(Calibration { from, to: become_ }) = &self.calibration {
            to.f64s(&format!("{name}.calibration.from"), from.iter().copied());
            to.f64s(&format!("{name}.calibration.to"), become_.iter().copied());
        }
        if let Some(Main { all, variance }) = &self.main {
            all.pack(to, &format!("{name}.main"));
            variance.pack(to, &format!("{name}.variance"));
        }
    }

    fn unpack(from: &Unpacker<'_>, name: &str, report: crate::model::ArmReport, width: usize) -> Found<Self> {
        let mix = from.f64s(&format!("{name}.mix"))?;
        let [intercept, scale, mean_effect, std_error, weights @ ..] = mix.as_slice() else { return wrong(format!("{name}.mix is cut")) };
        let count = from.u32s(&format!("{name}.bags"))?.first().copied().unwrap_or(0);
        // Each bag has a tensor at least: a larger number would only be waited for.
        if count as usize > from.tensors.len() {
            return wrong(format!("{name} has fewer bags than it says"));
        }
        let bags = (0..count).map(|bag| Bag::unpack(from, &format!("{name}.bag{bag}"), weights, width)).collect::<Found<_>>()?;
        let main = from.bytes(&format!("{name}.variance.kind")).is_ok().then(|| {
            let variance = Regressor::unpack(from, &format!("{name}.variance"), width)?;
            Ok(Main { all: Bag::unpack(from, &format!("{name}.main"), weights, width)?, variance })
        });
        let main = main.transpose()?;
        let calibration = report.calibrated.then(|| {
            let (from, to) = (from.f64s(&format!("{name}.calibration.from"))?, from.f64s(&format!("{name}.calibration.to"))?);
            if from.len() == to.len() { Ok(Calibration { from, to }) } else { wrong(format!("{name}.calibration is cut")) }
        });
        let calibration = calibration.transpose()?;
        // JSON may lose a number's last digit.
        let report = crate::model::ArmReport { mean_effect: *mean_effect, std_error: *std_error, ..report };
        Ok(Self { report, intercept: *intercept, weights: weights.to_vec(), bags, main, scale: *scale, calibration })
    }
}

impl Bag {
    fn pack(&self, to: &mut Packer, name: &str) {
        for (candidate, effect) in self.effects.iter().enumerate() {
            if let Some(effect) = effect {
                effect.pack(to, &format!("{name}.{candidate}"));
            }
        }
    }

    fn unpack(from: &Unpacker<'_>, name: &str, weights: &[f64], width: usize) -> Found<Self> {
        let effect = |(candidate, weight): (usize, &f64)| {
            (*weight > 0.0).then(|| Effect::unpack(from, &format!("{name}.{candidate}"), width)).transpose()
        };
        Ok(Self { effects: weights.iter().enumerate().map(effect).collect::<Found<_>>()? })
    }
}

impl Effect {
    fn pack(&self, to: &mut Packer, name: &str) {
        let mut tag = |kind: &str| to.bytes(&format!("{name}.kind"), kind.as_bytes());
        match self {
            Self::Direct(model) => {
                tag("direct");
                model.pack(to, &format!("{name}.effect"));
            }
            Self::Difference([control, treated]) => {
                tag("difference");
                control.pack(to, &format!("{name}.control"));
                treated.pack(to, &format!("{name}.treated"));
            }
            Self::Switch(model) => {
                tag("switch");
                model.pack(to, &format!("{name}.outcome"));
            }
            Self::Heads(model) => {
                tag("heads");
                model.pack(to, &format!("{name}.heads"));
            }
            Self::Blend { effects: [control, treated], propensity } => {
                tag("blend");
                control.pack(to, &format!("{name}.control"));
                treated.pack(to, &format!("{name}.treated"));
                propensity.pack(to, &format!("{name}.propensity"));
            }
            Self::Forest(forest) => {
                tag("forest");
                pack_trees(&forest.trees, to, name);
                to.f32s(&format!("{name}.square"), forest.squares.iter().flatten().copied());
            }
            Self::Shared(Shared { network, space, promotion }) => {
                tag("shared");
                network.pack(to, &format!("{name}.network"));
                to.bytes(&format!("{name}.place"), &serde_json::to_vec(&(space.as_ref(), promotion)).unwrap_or_default());
            }
        }
    }

    fn unpack(from: &Unpacker<'_>, name: &str, width: usize) -> Found<Self> {
        let part = |part: &str| Regressor::unpack(from, &format!("{name}.{part}"), width);
        Ok(match from.bytes(&format!("{name}.kind"))? {
            b"direct" => Self::Direct(part("effect")?),
            b"difference" => Self::Difference([part("control")?, part("treated")?]),
            b"switch" => Self::Switch(Regressor::unpack(from, &format!("{name}.outcome"), width + 1)?),
            b"heads" => Self::Heads(Dense::unpack(from, &format!("{name}.heads"), width, 2)?),
            b"blend" => Self::Blend { effects: [part("control")?, part("treated")?], propensity: part("propensity")? },
            b"forest" => {
                let trees = unpack_trees(from, name, width)?;
                let mut squares = from.f32s(&format!("{name}.square"))?;
                let mut lists = Vec::with_capacity(trees.len());
                for tree in trees.iter().rev() {
                    let Some(start) = squares.len().checked_sub(tree.value.len()) else { return wrong(format!("{name} is cut")) };
                    lists.push(squares.split_off(start));
                }
                lists.reverse();
                Self::Forest(Forest { trees, squares: lists })
            }
            b"shared" => {
                let network = Dense::unpack_any(from, &format!("{name}.network"), width)?;
                let place = serde_json::from_slice(from.bytes(&format!("{name}.place"))?);
                let (space, promotion) = place.or_else(|error| wrong(format!("{name}: its promotion: {error}")))?;
                // Promotions of one network hold it together.
                let mut known = from.networks.borrow_mut();
                let network = known.iter().find(|known| known.as_ref() == &network).cloned().unwrap_or_else(|| Arc::new(network));
                if !known.iter().any(|known| Arc::ptr_eq(known, &network)) {
                    known.push(Arc::clone(&network));
                }
                let shared = Shared { network, space: Arc::new(space), promotion };
                if !shared.is_sound() {
                    return wrong(format!("{name} has too few heads for its promotion"));
                }
                Self::Shared(shared)
            }
            _ => return wrong(format!("{name} is of a kind that this program does not know")),
        })
    }
}

impl Regressor {
    fn pack(&self, to: &mut Packer, name: &str) {
        let mut tag = |kind: &str| to.bytes(&format!("{name}.kind"), kind.as_bytes());
        match self {
            Self::Constant(value) => {
                tag("constant");
                to.f64s(&format!("{name}.value"), [*value]);
            }
            Self::Linear(model) => {
                tag("linear");
                model.basis.pack(to, name);
                to.f64s(&format!("{name}.weights"), model.weights.iter().copied());
            }
            Self::Logistic(model) => {
                tag("logistic");
                model.basis.pack(to, name);
                to.f64s(&format!("{name}.weights"), model.weights.iter().copied());
            }
            Self::Trees(model) => {
                tag("trees");
                to.bytes(&format!("{name}.objective"), objective_name(model.objective));
                to.f64s(&format!("{name}.base"), [model.base]);
                pack_trees(&model.trees, to, name);
            }
            Self::Dense(model) => {
                tag("dense");
                model.pack(to, name);
            }
        }
    }

    fn unpack(from: &Unpacker<'_>, name: &str, width: usize) -> Found<Self> {
        let linear = || {
            let basis = Basis::unpack(from, name, width)?;
            let weights = from.f64s_of(&format!("{name}.weights"), basis.width() + 1)?;
            Ok((basis, weights))
        };
        Ok(match from.bytes(&format!("{name}.kind"))? {
            b"constant" => Self::Constant(from.f64s_of(&format!("{name}.value"), 1)?[0]),
            b"linear" => linear().map(|(basis, weights)| Self::Linear(Lasso { basis, weights }))?,
            b"logistic" => linear().map(|(basis, weights)| Self::Logistic(Logistic { basis, weights }))?,
            b"trees" => Self::Trees(Boosted {
                objective: objective(from.bytes(&format!("{name}.objective"))?)?,
                base: from.f64s_of(&format!("{name}.base"), 1)?[0],
                trees: unpack_trees(from, name, width)?,
            }),
            b"dense" => Self::Dense(Dense::unpack(from, name, width, 1)?),
            _ => return wrong(format!("{name} is of a kind that this program does not know")),
        })
    }
}

const OBJECTIVES: [(&[u8], Objective); 4] =
    [(b"continuous", Objective::Continuous), (b"binary", Objective::Binary), (b"count", Objective::Count), (b"spend", Objective::Spend)];

fn objective_name(of: Objective) -> &'static [u8] {
    OBJECTIVES.iter().find(|(_, objective)| *objective == of).map_or(b"", |(name, _)| name)
}

fn objective(name: &[u8]) -> Found<Objective> {
    let found = OBJECTIVES.iter().find(|(other, _)| *other == name);
    found.map_or_else(|| wrong("an objective that this program does not know"), |(_, objective)| Ok(*objective))
}

impl Dense {
    fn pack(&self, to: &mut Packer, name: &str) {
        to.u32s(&format!("{name}.sizes"), self.network.sizes.iter().map(|size| index(*size)));
        to.f32s(&format!("{name}.weights"), self.network.weights.iter().copied());
        to.f64s(&format!("{name}.target"), [self.center, self.scale]);
        to.bytes(&format!("{name}.objective"), objective_name(self.objective));
        let epochs = self.epochs.iter().flat_map(|epoch| [epoch.loss, epoch.held_out.unwrap_or(f64::INFINITY)]);
        to.f64s(&format!("{name}.epochs"), epochs);
    }

    fn unpack(from: &Unpacker<'_>, name: &str, inputs: usize, outputs: usize) -> Found<Self> {
        let dense = Self::unpack_any(from, name, inputs)?;
        if dense.network.outputs() == outputs { Ok(dense) } else { wrong(format!("{name} has another number of heads")) }
    }

    /// With any number of outputs.
    fn unpack_any(from: &Unpacker<'_>, name: &str, inputs: usize) -> Found<Self> {
        let sizes: Vec<usize> = from.u32s(&format!("{name}.sizes"))?.into_iter().map(|size| size as usize).collect();
        let weights = from.f32s(&format!("{name}.weights"))?;
        let needed = sizes.windows(2).try_fold(0_usize, |sum, pair| sum.checked_add(pair[0].checked_add(1)?.checked_mul(pair[1])?));
        if sizes.len() < 2 || sizes[0] != inputs || sizes.contains(&0) || needed != Some(weights.len()) {
            return wrong(format!("{name} has layers that don't fit each other"));
        }
        let target = from.f64s_of(&format!("{name}.target"), 2)?;
        let objective = objective(from.bytes(&format!("{name}.objective"))?)?;
        let epochs = from.f64s(&format!("{name}.epochs"))?;
        let epoch = |[loss, held_out]: &[f64; 2]| Epoch { loss: *loss, held_out: held_out.is_finite().then_some(*held_out) };
        let epochs = epochs.as_chunks::<2>().0.iter().map(epoch).collect();
        Ok(Self { network: Network { sizes, weights }, objective, center: target[0], scale: target[1], epochs })
    }
}

impl Basis {
    fn pack(&self, to: &mut Packer, name: &str) {
        to.bytes(&format!("{name}.shape"), if self.shape == Shape::Linear { b"linear" } else { b"curved" });
        to.f32s(&format!("{name}.fill"), self.fill.iter().copied());
        to.u32s(&format!("{name}.knots.count"), self.knots.iter().map(|knots| index(knots.len())));
        to.f32s(&format!("{name}.knots"), self.knots.iter().flatten().copied());
        to.f64s(&format!("{name}.center"), self.center.iter().copied());
        to.f64s(&format!("{name}.scale"), self.scale.iter().copied());
    }

    fn unpack(from: &Unpacker<'_>, name: &str, width: usize) -> Found<Self> {
        let shape = match from.bytes(&format!("{name}.shape"))? {
            b"linear" => Shape::Linear,
            b"curved" => Shape::Curved,
            _ => return wrong(format!("{name} has a shape that this program does not know")),
        };
        let (fill, counts, knots) =
            (from.f32s(&format!("{name}.fill"))?, from.u32s(&format!("{name}.knots.count"))?, from.f32s(&format!("{name}.knots"))?);
        let sum = counts.iter().try_fold(0_usize, |sum, count| sum.checked_add(*count as usize));
        if fill.len() != width || counts.len() != width || sum != Some(knots.len()) {
            return wrong(format!("{name} has another width than its card"));
        }
        let mut rest = knots.as_slice();
        let mut cut = |count: &u32| {
            let (own, after) = rest.split_at(*count as usize);
            rest = after;
            own.to_vec()
        };
        let knots = counts.iter().map(&mut cut).collect();
        let mut basis = Self { shape, fill, knots, center: vec![], scale: vec![] };
        basis.center = from.f64s_of(&format!("{name}.center"), basis.width())?;
        basis.scale = from.f64s_of(&format!("{name}.scale"), basis.width())?;
        Ok(basis)
    }
}

fn pack_trees(trees: &[Tree], to: &mut Packer, name: &str) {
    to.u32s(&format!("{name}.nodes"), trees.iter().map(|tree| index(tree.value.len())));
    to.u32s(&format!("{name}.feature"), trees.iter().flat_map(|tree| tree.feature.iter().copied()));
    to.f32s(&format!("{name}.threshold"), trees.iter().flat_map(|tree| tree.threshold.iter().copied()));
    to.u32s(&format!("{name}.left"), trees.iter().flat_map(|tree| tree.left.iter().copied()));
    to.f32s(&format!("{name}.value"), trees.iter().flat_map(|tree| tree.value.iter().copied()));
    let missing: Vec<u8> = trees.iter().flat_map(|tree| tree.missing_left.iter().map(|left| u8::from(*left))).collect();
    to.bytes(&format!("{name}.missing_left"), &missing);
}

fn unpack_trees(from: &Unpacker<'_>, name: &str, width: usize) -> Found<Vec<Tree>> {
    let counts = from.u32s(&format!("{name}.nodes"))?;
    let (feature, threshold) = (from.u32s(&format!("{name}.feature"))?, from.f32s(&format!("{name}.threshold"))?);
    let (left, value) = (from.u32s(&format!("{name}.left"))?, from.f32s(&format!("{name}.value"))?);
    let missing = from.bytes(&format!("{name}.missing_left"))?;
    let sum = counts.iter().try_fold(0_usize, |sum, count| sum.checked_add(*count as usize));
    if [feature.len(), threshold.len(), left.len(), missing.len()].iter().any(|length| *length != value.len()) || sum != Some(value.len()) {
        return wrong(format!("{name} has cut trees"));
    }
    let (mut trees, mut start) = (Vec::with_capacity(counts.len()), 0);
    for count in counts {
        let range = start..start + count as usize;
        start = range.end;
        let tree = Tree {
            feature: feature[range.clone()].to_vec(),
            threshold: threshold[range.clone()].to_vec(),
            missing_left: missing[range.clone()].iter().map(|left| *left != 0).collect(),
            left: left[range.clone()].to_vec(),
            value: value[range].to_vec(),
        };
        // Children come after their parents, so that a walk ends.
        let sound = |(node, left): (usize, &u32)| *left == 0 || (*left as usize > node && (*left as usize) + 1 < tree.left.len());
        let fits = tree.feature.iter().all(|feature| (*feature as usize) < width);
        if tree.left.is_empty() || !fits || !tree.left.iter().enumerate().all(sound) {
            return wrong(format!("{name} has a tree that leads nowhere"));
        }
        trees.push(tree);
    }
    Ok(trees)
}

fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
