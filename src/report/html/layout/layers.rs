//! Which layer every box is in, and the stops of lines in the layers that they pass. Knows no sizes.

use super::Sketch;

/// The layer of every box. Every box stands right of everyone that leads to it: the longest way decides. Those to whom nobody leads stand just
/// before the first that they lead to.
pub(super) fn rank(sketch: &Sketch) -> Vec<usize> {
    let back = backward(sketch);
    let ahead: Vec<(usize, usize)> =
        sketch.lines.iter().zip(&back).filter(|(_, back)| !**back).map(|(line, _)| (line.from, line.to)).collect();
    let mut layer = vec![0; sketch.boxes.len()];
    // No way is longer than there are boxes.
    for _ in 0..sketch.boxes.len() {
        let mut moved = false;
        for (from, to) in &ahead {
            if layer[*to] <= layer[*from] {
                layer[*to] = layer[*from] + 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    let led_to: Vec<bool> = (0..layer.len()).map(|one| ahead.iter().any(|(_, to)| *to == one)).collect();
    for one in (0..layer.len()).filter(|one| !led_to[*one]) {
        let nearest = ahead.iter().filter(|(from, _)| *from == one).map(|(_, to)| layer[*to]).min();
        layer[one] = nearest.map_or(0, |nearest| nearest - 1);
    }
    layer
}

/// The lines that close a circle, found by going down every way once.
fn backward(sketch: &Sketch) -> Vec<bool> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        No,
        OnTheWay,
        Done,
    }
    let mut leaving: Vec<Vec<usize>> = vec![Vec::new(); sketch.boxes.len()];
    for (row, line) in sketch.lines.iter().enumerate() {
        leaving[line.from].push(row);
    }
    let mut back = vec![false; sketch.lines.len()];
    let mut seen = vec![Seen::No; sketch.boxes.len()];
    for root in 0..sketch.boxes.len() {
        if seen[root] != Seen::No {
            continue;
        }
        seen[root] = Seen::OnTheWay;
        let mut way = vec![(root, 0)];
        while let Some((one, next)) = way.pop() {
            let Some(row) = leaving[one].get(next).copied() else {
                seen[one] = Seen::Done;
                continue;
            };
            way.push((one, next + 1));
            let to = sketch.lines[row].to;
            match seen[to] {
                Seen::OnTheWay => back[row] = true,
                Seen::No => {
                    seen[to] = Seen::OnTheWay;
                    way.push((to, 0));
                }
                Seen::Done => {}
            }
        }
    }
    back
}

/// Boxes and stops in layers. A stop is where a line passes a layer.
pub(super) struct Stack {
    /// By spot: the layer it is in.
    pub(super) layer_of: Vec<usize>,
    /// The spots of each layer, in order. Those below the number of boxes are boxes, the rest are stops.
    pub(super) layers: Vec<Vec<usize>>,
    /// By line: all spots from the earlier layer to the later; empty from a box to itself.
    pub(super) ways: Vec<Vec<usize>>,
    /// By line: whether it is drawn against its way.
    pub(super) back: Vec<bool>,
    /// How many spots are boxes.
    pub(super) boxes: usize,
}

impl Stack {
    pub(super) fn new(sketch: &Sketch, layers: &[usize]) -> Self {
        let mut layer_of = layers.to_vec();
        let mut ways = Vec::with_capacity(sketch.lines.len());
        let mut back = Vec::with_capacity(sketch.lines.len());
        for line in &sketch.lines {
            let backwards = layers[line.from] > layers[line.to];
            let (first, last) = if backwards { (line.to, line.from) } else { (line.from, line.to) };
            back.push(backwards);
            if first == last {
                ways.push(Vec::new());
                continue;
            }
            let mut way = vec![first];
            for layer in layers[first] + 1..layers[last] {
                way.push(layer_of.len());
                layer_of.push(layer);
            }
            way.push(last);
            ways.push(way);
        }
        let mut spots = vec![Vec::new(); layer_of.iter().max().map_or(0, |most| most + 1)];
        for (spot, layer) in layer_of.iter().enumerate() {
            spots[*layer].push(spot);
        }
        Self { layer_of, layers: spots, ways, back, boxes: sketch.boxes.len() }
    }

    /// Whether a spot is only passed.
    pub(super) const fn is_stop(&self, spot: usize) -> bool {
        spot >= self.boxes
    }

    /// By spot: its neighbours one layer before, and one layer after.
    pub(super) fn neighbours(&self) -> [Vec<Vec<usize>>; 2] {
        let mut before = vec![Vec::new(); self.layer_of.len()];
        let mut after = before.clone();
        for pair in self.ways.iter().flat_map(|way| way.windows(2)) {
            if let [one, next] = pair {
                after[*one].push(*next);
                before[*next].push(*one);
            }
        }
        [before, after]
    }
}
