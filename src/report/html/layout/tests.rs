//! The geometry of drawings: nothing overlaps, whatever the graph.

use super::*;

/// Numbers that look random, the same on every machine.
struct Lots(u64);

impl Lots {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound.max(1)
    }
}

/// A graph of services: mostly ahead, sometimes back or to itself.
fn random(seed: u64) -> Sketch {
    let mut lots = Lots(seed);
    let boxes = 1 + lots.below(60);
    let lines = lots.below(boxes * 3);
    let mut sketch = Sketch::default();
    for _ in 0..boxes {
        sketch.boxes.push(Size { width: 120.0 + lots.below(120) as f64, height: 60.0 });
    }
    for _ in 0..lines {
        let (one, other) = (lots.below(boxes), lots.below(boxes));
        let back = lots.below(20) == 0;
        let (from, to) = if back { (one.max(other), one.min(other)) } else { (one.min(other), one.max(other)) };
        let known = sketch.lines.iter().any(|line| (line.from, line.to) == (from, to));
        if !known && (from != to || back) {
            sketch.lines.push(Line { from, to, badge: lots.below(3) == 0 });
        }
    }
    sketch
}

fn overlap(a: &Rect, b: &Rect) -> bool {
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
}

fn inside(rect: &Rect, x: f64, y: f64) -> bool {
    x > rect.x + 0.2 && x < rect.x + rect.width - 0.2 && y > rect.y + 0.2 && y < rect.y + rect.height - 0.2
}

/// Points along a curve.
fn sampled(points: &[f64]) -> Vec<(f64, f64)> {
    let at = |i: usize| (points[2 * i], points[2 * i + 1]);
    let curves = (0..(points.len() / 2 - 1) / 3).map(|curve| [0, 1, 2, 3].map(|i| at(3 * curve + i)));
    let mix = |[a, b, c, d]: [f64; 4], t: f64| {
        let u = 1.0 - t;
        u * u * u * a + 3.0 * u * u * t * b + 3.0 * u * t * t * c + t * t * t * d
    };
    let one = |curve: [(f64, f64); 4]| {
        (0..=20).map(move |step| {
            let t = f64::from(step) / 20.0;
            (mix(curve.map(|point| point.0), t), mix(curve.map(|point| point.1), t))
        })
    };
    curves.flat_map(one).collect()
}

/// Asserts that a drawing can be read.
pub(crate) fn assert_readable(sketch: &Sketch, drawing: &Drawing, what: &str) {
    let badges: Vec<&Rect> = drawing.lines.iter().filter_map(|line| line.badge.as_ref()).collect();
    let rects: Vec<&Rect> = drawing.boxes.iter().chain(badges).collect();
    for (i, a) in rects.iter().enumerate() {
        assert!(a.x >= 0.0 && a.y >= 0.0, "{what}: {a:?} is off the page");
        assert!(a.x + a.width <= drawing.width && a.y + a.height <= drawing.height, "{what}: {a:?} is off the page");
        for b in &rects[i + 1..] {
            assert!(!overlap(a, b), "{what}: {a:?} and {b:?} overlap");
        }
    }
    for (line, curve) in sketch.lines.iter().zip(&drawing.lines) {
        for (x, y) in sampled(&curve.points) {
            assert!(
                x >= 0.0 && y >= 0.0 && x <= drawing.width && y <= drawing.height,
                "{what}: a line leaves the page"
            );
            let hit = drawing.boxes.iter().position(|rect| inside(rect, x, y));
            assert!(hit.is_none(), "{what}: the line {} -> {} crosses box {hit:?}", line.from, line.to);
        }
        let ends = [(line.from, 0), (line.to, curve.points.len() - 2)];
        for (one, at) in ends {
            let (rect, x, y) = (&drawing.boxes[one], curve.points[at], curve.points[at + 1]);
            let touches = x >= rect.x - 0.2
                && x <= rect.x + rect.width + 0.2
                && y >= rect.y - 0.2
                && y <= rect.y + rect.height + 0.2;
            assert!(touches, "{what}: an end of {} -> {} is not at its box", line.from, line.to);
        }
    }
}

#[test]
fn nothing_overlaps_in_200_random_graphs_either_way_round() {
    for seed in 0..200 {
        let sketch = random(seed);
        for direction in [Direction::Right, Direction::Down] {
            assert_readable(&sketch, &draw(&sketch, direction), &format!("seed {seed}, {direction:?}"));
        }
    }
}

#[test]
fn a_chain_is_a_straight_line() {
    let size = Size { width: 140.0, height: 60.0 };
    let lines = (0..4).map(|from| Line { from, to: from + 1, badge: false }).collect();
    let sketch = Sketch { boxes: vec![size; 5], lines };
    let drawing = draw(&sketch, Direction::Right);
    assert!(drawing.boxes.iter().all(|rect| (rect.y - drawing.boxes[0].y).abs() < 0.1), "{:?}", drawing.boxes);
    assert!(drawing.boxes.windows(2).all(|pair| pair[1].x > pair[0].x + 140.0));
}

#[test]
fn lines_that_need_not_cross_do_not() {
    let size = Size { width: 140.0, height: 60.0 };
    let pairs = [(0, 4), (1, 3), (2, 5)];
    let lines: Vec<Line> = pairs.map(|(from, to)| Line { from, to, badge: false }).into();
    let drawing = draw(&Sketch { boxes: vec![size; 6], lines }, Direction::Right);
    let mut places = pairs.map(|(from, to)| (drawing.boxes[from].y, drawing.boxes[to].y));
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert!(places.is_sorted_by(|a, b| a.1 <= b.1), "{places:?}");
}

#[test]
fn a_drawing_of_nothing_is_empty() {
    let drawing = draw(&Sketch::default(), Direction::Right);
    assert!(drawing.boxes.is_empty() && drawing.lines.is_empty());
}

#[test]
fn a_thousand_services_are_laid_out_too() {
    let mut lots = Lots(1);
    let mut sketch = Sketch { boxes: vec![Size { width: 140.0, height: 60.0 }; 1000], lines: Vec::new() };
    for to in 1..1000 {
        sketch.lines.push(Line { from: lots.below(to), to, badge: false });
    }
    let drawing = draw(&sketch, Direction::Right);
    assert_readable(&sketch, &drawing, "a tree of a thousand");
}
