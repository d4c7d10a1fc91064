//! The order within layers, so that few lines cross: each layer is sorted by the mean place of its neighbours, forth and
//! back, and the best order seen is kept (Sugiyama, Tagawa and Toda 1981; crossings are counted as by Barth, Mutzel and
//! Jünger 2002).

use super::layers::Stack;

/// Sweeps at most; each is forth or back. Large graphs get fewer.
const SWEEPS: usize = 40;
/// Spots times sweeps at most.
const PATIENCE: usize = 400_000;

/// Reorders the layers.
pub(super) fn untangle(stack: &mut Stack) {
    let neighbours = stack.neighbours();
    let mut rank = ranks(stack);
    let mut best = (crossings(stack, &neighbours[1], &rank), stack.layers.clone());
    let sweeps = SWEEPS.min(PATIENCE / stack.layer_of.len().max(1)).max(2);
    for sweep in 0..sweeps {
        if best.0 == 0 {
            break;
        }
        let forth = sweep % 2 == 0;
        let count = stack.layers.len();
        for step in 1..count {
            let layer = if forth { step } else { count - 1 - step };
            sort(&mut stack.layers[layer], &neighbours[usize::from(!forth)], &mut rank);
        }
        let found = crossings(stack, &neighbours[1], &rank);
        if found < best.0 {
            best = (found, stack.layers.clone());
        }
    }
    stack.layers = best.1;
}

fn ranks(stack: &Stack) -> Vec<f64> {
    let mut rank = vec![0.0; stack.layer_of.len()];
    for layer in &stack.layers {
        for (place, spot) in layer.iter().enumerate() {
            rank[*spot] = place as f64;
        }
    }
    rank
}

/// Those without neighbours stay where they are.
fn sort(layer: &mut [usize], neighbours: &[Vec<usize>], rank: &mut [f64]) {
    let mean = |spot: usize| match neighbours[spot].as_slice() {
        [] => rank[spot],
        those => those.iter().map(|one| rank[*one]).sum::<f64>() / those.len() as f64,
    };
    let means: Vec<f64> = layer.iter().map(|spot| mean(*spot)).collect();
    let mut places: Vec<usize> = (0..layer.len()).collect();
    places.sort_by(|a, b| means[*a].total_cmp(&means[*b]));
    let sorted: Vec<usize> = places.iter().map(|place| layer[*place]).collect();
    layer.copy_from_slice(&sorted);
    for (place, spot) in layer.iter().enumerate() {
        rank[*spot] = place as f64;
    }
}

/// How often lines cross, all layers together.
fn crossings(stack: &Stack, after: &[Vec<usize>], rank: &[f64]) -> usize {
    stack
        .layers
        .windows(2)
        .map(|pair| if let [one, next] = pair { between(one, next.len(), after, rank) } else { 0 })
        .sum()
}

/// Two lines cross where their ends are the other way round: inversions, counted in a tree of sums.
fn between(layer: &[usize], width: usize, after: &[Vec<usize>], rank: &[f64]) -> usize {
    let mut ends: Vec<usize> = Vec::new();
    for spot in layer {
        let start = ends.len();
        ends.extend(after[*spot].iter().map(|next| rank[*next] as usize));
        ends[start..].sort_unstable();
    }
    let mut tree = vec![0usize; width + 1];
    let mut crossings = 0;
    for (seen, end) in ends.iter().enumerate() {
        let (mut at, mut not_after) = (end + 1, 0);
        while at > 0 {
            not_after += tree[at];
            at &= at - 1;
        }
        crossings += seen - not_after;
        let mut at = end + 1;
        while at <= width {
            tree[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
    crossings
}
