//! The lines: from box to box through their stops, bending between layers only. Turns `along` and `across` into x and y.

use super::layers::Stack;
use super::place::{BEFORE_BADGE, Frame, MARGIN, port};
use super::{BADGE, Curve, Direction, Drawing, Rect, Size, Sketch};

/// How far a line from a box to itself reaches out.
const LOOP: f64 = 14.0;

/// Finishes the drawing.
pub(super) fn finish(sketch: &Sketch, stack: &Stack, frame: &Frame) -> Drawing {
    let boxes: Vec<Rect> = (0..sketch.boxes.len()).map(|one| frame.rect(sketch, stack, one)).collect();
    let ports = ports(sketch, stack, frame);
    let lines: Vec<Curve> = (0..sketch.lines.len()).map(|row| frame.line(sketch, stack, row, ports[row])).collect();
    let corners = boxes.iter().chain(lines.iter().filter_map(|line| line.badge.as_ref()));
    let (mut width, mut height) = (0.0f64, 0.0f64);
    for rect in corners {
        width = width.max(rect.x + rect.width);
        height = height.max(rect.y + rect.height);
    }
    for line in &lines {
        for point in line.points.chunks_exact(2) {
            width = width.max(point[0]);
            height = height.max(point[1]);
        }
    }
    Drawing { width: width + MARGIN, height: height + MARGIN, boxes, lines }
}

/// Where a line leaves and where it comes in, across.
type Ports = (f64, f64);

/// Every line has a place of its own at its boxes, in the order in which the lines go on, so that they do not cross there.
fn ports(sketch: &Sketch, stack: &Stack, frame: &Frame) -> Vec<Ports> {
    let mut ports = vec![(0.0, 0.0); sketch.lines.len()];
    for one in 0..sketch.boxes.len() {
        // The side that faces the next layer, and the side that faces the layer before.
        for (ahead, first) in [(true, 0), (false, 1)] {
            let mut rows: Vec<(f64, usize)> = Vec::new();
            for (row, way) in stack.ways.iter().enumerate() {
                match way.as_slice() {
                    [start, next, ..] if ahead && *start == one => rows.push((frame.across[*next], row)),
                    [.., before, end] if !ahead && *end == one => rows.push((frame.across[*before], row)),
                    _ => {}
                }
            }
            rows.sort_by(|a, b| a.0.total_cmp(&b.0));
            let leaves = |row: usize| (first == 0) != stack.back[row];
            let room = |row: usize| port(sketch.lines[row].badge && leaves(row), frame.direction);
            let needed = rows.iter().map(|(_, row)| room(*row)).sum::<f64>();
            // What is left over spreads the lines a little.
            let spread = ((frame.breadth[one] * 0.7 - needed) / rows.len().max(1) as f64).clamp(0.0, 10.0);
            let whole = needed + spread * rows.len() as f64;
            let mut at = frame.across[one] - whole / 2.0;
            for (_, row) in rows {
                let own = room(row) + spread;
                let place = at + own / 2.0;
                at += own;
                *(if leaves(row) { &mut ports[row].0 } else { &mut ports[row].1 }) = place;
            }
        }
    }
    ports
}

impl Frame {
    fn rect(&self, sketch: &Sketch, stack: &Stack, one: usize) -> Rect {
        let Size { width, height } = sketch.boxes[one];
        let (start, end) = self.layers[stack.layer_of[one]];
        let (across, breadth) = (self.across[one], self.breadth[one]);
        let length = if self.direction == Direction::Right { width } else { height };
        // A shorter box stands at the side that it looks to.
        let along = if stack.layer_of[one] == 0 { end - length } else { start };
        self.turned(along, across - breadth / 2.0, length, breadth)
    }

    /// A rectangle by its place and length along and across.
    const fn turned(&self, along: f64, across: f64, length: f64, breadth: f64) -> Rect {
        match self.direction {
            Direction::Right => Rect { x: along, y: across, width: length, height: breadth },
            Direction::Down => Rect { x: across, y: along, width: breadth, height: length },
        }
    }

    /// Where a box begins and ends, along.
    fn ends(&self, sketch: &Sketch, stack: &Stack, one: usize) -> (f64, f64) {
        let rect = self.rect(sketch, stack, one);
        match self.direction {
            Direction::Right => (rect.x, rect.x + rect.width),
            Direction::Down => (rect.y, rect.y + rect.height),
        }
    }

    fn line(&self, sketch: &Sketch, stack: &Stack, row: usize, (leaves, comes): Ports) -> Curve {
        let line = sketch.lines[row];
        let way = &stack.ways[row];
        let (Some(first), Some(last)) = (way.first(), way.last()) else {
            return self.round_trip(sketch, stack, line.from, line.badge);
        };
        let back = stack.back[row];
        let (start, end) = if back { (comes, leaves) } else { (leaves, comes) };
        let (_, begin) = self.ends(sketch, stack, *first);
        let (finish, _) = self.ends(sketch, stack, *last);
        let badge_length = if self.direction == Direction::Right { BADGE.width } else { BADGE.height };
        let reach = BEFORE_BADGE + badge_length + 2.0;
        // Straight on to where the widest box of the layer ends: beside a wider neighbour there is no room to bend.
        let (_, out) = self.layers[stack.layer_of[*first]];
        let mut stops = vec![(begin, start)];
        if line.badge && !back {
            stops.push((out + reach, start));
        } else if out > begin {
            stops.push((out, start));
        }
        for spot in way.iter().filter(|spot| stack.is_stop(**spot)) {
            let (from, to) = self.layers[stack.layer_of[*spot]];
            stops.extend([(from, self.across[*spot]), (to, self.across[*spot])]);
        }
        if line.badge && back {
            stops.push((finish - reach, end));
        }
        stops.push((finish, end));
        let along = if back { finish - BEFORE_BADGE - badge_length } else { out + BEFORE_BADGE };
        if back {
            stops.reverse();
        }
        Curve { points: self.bend(&stops), badge: line.badge.then(|| self.badge(along, leaves)) }
    }

    /// Curves from stop to stop that leave and come in along the layers.
    fn bend(&self, stops: &[(f64, f64)]) -> Vec<f64> {
        let mut points = Vec::new();
        let mut push = |(along, across): (f64, f64)| match self.direction {
            Direction::Right => points.extend([along, across].map(tenths)),
            Direction::Down => points.extend([across, along].map(tenths)),
        };
        push(stops[0]);
        for pair in stops.windows(2) {
            let middle = f64::midpoint(pair[0].0, pair[1].0);
            for point in [(middle, pair[0].1), (middle, pair[1].1), pair[1]] {
                push(point);
            }
        }
        points
    }

    fn badge(&self, along: f64, across: f64) -> Rect {
        match self.direction {
            Direction::Right => self.turned(along, across - BADGE.height / 2.0, BADGE.width, BADGE.height),
            Direction::Down => self.turned(along, across - BADGE.width / 2.0, BADGE.height, BADGE.width),
        }
    }

    /// From a box to itself: out at its far side and in again, within the room that the gap has.
    fn round_trip(&self, sketch: &Sketch, stack: &Stack, one: usize, badge: bool) -> Curve {
        let (_, end) = self.ends(sketch, stack, one);
        let (low, high) = (self.across[one] - 6.0, self.across[one] + 6.0);
        let stops = [(end, low), (end + LOOP, low), (end + LOOP, high), (end, high)];
        let points = match self.direction {
            Direction::Right => stops.map(|(along, across)| [along, across]),
            Direction::Down => stops.map(|(along, across)| [across, along]),
        };
        let badge = badge.then(|| self.badge(end + BEFORE_BADGE, self.across[one]));
        Curve { points: points.concat().into_iter().map(tenths).collect(), badge }
    }
}

/// Tenths of a pixel are enough.
fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
