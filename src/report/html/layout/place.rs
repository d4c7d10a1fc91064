//! Places across the layers: as close to the neighbours as the order and the room between allow. Each layer is solved
//! exactly (least squares under an order: pool adjacent violators), again and again, forth and back.

use super::layers::Stack;
use super::{BADGE, Direction, Size, Sketch};

/// Between two boxes of a layer, across.
const BETWEEN_BOXES: f64 = 22.0;
/// Between lines that pass a layer, or leave a box without a badge.
pub(super) const BETWEEN_LINES: f64 = 10.0;
/// Room between two layers that every gap has.
const GAP: f64 = 44.0;
/// More of it for each line that bends there, up to [`WIDEST`].
const GAP_A_LINE: f64 = 3.0;
const WIDEST: f64 = 90.0;
/// From a box to its badges.
pub(super) const BEFORE_BADGE: f64 = 8.0;
/// Around everything.
pub(super) const MARGIN: f64 = 10.0;
const ROUNDS: usize = 24;

/// Where everything is: `along` the way from layer to layer, and `across` it.
pub(super) struct Frame {
    pub(super) direction: Direction,
    /// By spot: the middle, across.
    pub(super) across: Vec<f64>,
    /// By box: how wide it is, across.
    pub(super) breadth: Vec<f64>,
    /// By layer: where it begins and ends, along.
    pub(super) layers: Vec<(f64, f64)>,
}

/// Finds a place for every spot.
pub(super) fn place(sketch: &Sketch, stack: &Stack, direction: Direction) -> Frame {
    let breadth = breadths(sketch, direction);
    let half = |spot: usize| breadth.get(spot).map_or(0.0, |breadth| breadth / 2.0);
    let apart = |one: usize, next: usize| {
        let between = match (stack.is_stop(one), stack.is_stop(next)) {
            (false, false) => BETWEEN_BOXES,
            _ => BETWEEN_LINES,
        };
        half(one) + between + half(next)
    };
    let mut across = vec![0.0; stack.layer_of.len()];
    for layer in &stack.layers {
        let mut at = 0.0;
        for (place, spot) in layer.iter().enumerate() {
            at += if place > 0 { apart(layer[place - 1], *spot) } else { 0.0 };
            across[*spot] = at;
        }
    }
    let [before, after] = stack.neighbours();
    for round in 0..ROUNDS {
        let last = round + 1 == ROUNDS;
        let count = stack.layers.len();
        for step in 0..count {
            let forth = round % 2 == 0;
            let layer = &stack.layers[if forth { step } else { count - 1 - step }];
            let sides: &[&Vec<Vec<usize>>] = match (last, forth) {
                (true, _) => &[&before, &after],
                (_, true) => &[&before],
                (_, false) => &[&after],
            };
            let wishes: Vec<(f64, f64)> = layer.iter().map(|spot| wish(stack, &across, sides, *spot)).collect();
            settle(layer, &wishes, &mut across, &apart);
        }
    }
    let least = (0..across.len()).map(|spot| across[spot] - half(spot)).fold(f64::INFINITY, f64::min);
    for at in &mut across {
        *at += MARGIN - least;
    }
    Frame { direction, across, breadth, layers: along(sketch, stack, direction) }
}

/// Where a spot wants to be, and how much. Lines want to be straight more than boxes want to be in the middle.
fn wish(stack: &Stack, across: &[f64], sides: &[&Vec<Vec<usize>>], spot: usize) -> (f64, f64) {
    let (mut sum, mut weight) = (0.0, 0.0);
    for neighbour in sides.iter().flat_map(|side| &side[spot]) {
        let pull = match (stack.is_stop(spot), stack.is_stop(*neighbour)) {
            (true, true) => 8.0,
            (false, false) => 1.0,
            _ => 2.0,
        };
        sum += pull * across[*neighbour];
        weight += pull;
    }
    if weight > 0.0 { (sum / weight, weight) } else { (across[spot], 0.01) }
}

/// Least squares of the distance to the wishes under the order: what is out of order moves together.
fn settle(layer: &[usize], wishes: &[(f64, f64)], across: &mut [f64], apart: &impl Fn(usize, usize) -> f64) {
    /// Neighbours that touch: their common offset, weight, and how many they are.
    struct Block {
        at: f64,
        weight: f64,
        spots: usize,
    }
    let mut offsets = Vec::with_capacity(layer.len());
    let mut blocks: Vec<Block> = Vec::new();
    let mut offset = 0.0;
    for (place, spot) in layer.iter().enumerate() {
        offset += if place > 0 { apart(layer[place - 1], *spot) } else { 0.0 };
        offsets.push(offset);
        let (at, weight) = wishes[place];
        let mut block = Block { at: at - offset, weight, spots: 1 };
        while let Some(before) = blocks.pop_if(|before| before.at >= block.at) {
            let weight = before.weight + block.weight;
            let at = (before.at * before.weight + block.at * block.weight) / weight;
            block = Block { at, weight, spots: before.spots + block.spots };
        }
        blocks.push(block);
    }
    let places = blocks.iter().flat_map(|block| core::iter::repeat_n(block.at, block.spots));
    for ((spot, offset), at) in layer.iter().zip(offsets).zip(places) {
        across[*spot] = at + offset;
    }
}

/// How wide each box is across: wide enough for all lines on either side of it.
fn breadths(sketch: &Sketch, direction: Direction) -> Vec<f64> {
    let mut needed = vec![[0.0f64; 2]; sketch.boxes.len()];
    for line in &sketch.lines {
        needed[line.from][0] += port(line.badge, direction);
        needed[line.to][1] += port(false, direction);
    }
    let own = |size: &Size| if direction == Direction::Right { size.height } else { size.width };
    sketch
        .boxes
        .iter()
        .zip(needed)
        .map(|(size, [leaving, coming])| own(size).max(leaving + coming.max(4.0)).max(coming))
        .collect()
}

/// The room that a line takes at its box, across.
pub(super) const fn port(badge: bool, direction: Direction) -> f64 {
    match (badge, direction) {
        (false, _) => BETWEEN_LINES,
        (true, Direction::Right) => BADGE.height + 4.0,
        (true, Direction::Down) => BADGE.width + 4.0,
    }
}

/// Where each layer begins and ends, along.
fn along(sketch: &Sketch, stack: &Stack, direction: Direction) -> Vec<(f64, f64)> {
    let own = |size: &Size| if direction == Direction::Right { size.width } else { size.height };
    let badge = if direction == Direction::Right { BADGE.width } else { BADGE.height };
    let mut bends = vec![0; stack.layers.len()];
    for pair in stack.ways.iter().flat_map(|way| way.windows(2)) {
        bends[stack.layer_of[pair[0]]] += 1;
    }
    // Badges stand behind the layer that a line leaves, or before it where the line leads backwards.
    let mut badges = vec![[false; 2]; stack.layers.len()];
    for (line, back) in sketch.lines.iter().zip(&stack.back).filter(|(line, _)| line.badge) {
        let layer = stack.layer_of[line.from];
        if *back {
            badges[layer - 1][1] = true;
        } else {
            badges[layer][0] = true;
        }
    }
    let mut at = MARGIN;
    let mut layers = Vec::with_capacity(stack.layers.len());
    for (layer, spots) in stack.layers.iter().enumerate() {
        let length = spots.iter().filter_map(|spot| sketch.boxes.get(*spot)).map(own).fold(0.0, f64::max);
        layers.push((at, at + length));
        let room = badges[layer].iter().filter(|there| **there).count() as f64 * (BEFORE_BADGE + badge);
        at += length + room + (GAP + GAP_A_LINE * f64::from(bends[layer])).min(WIDEST);
    }
    layers
}
