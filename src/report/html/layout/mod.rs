//! Where the boxes and lines of a graph go: a layered drawing (Sugiyama, Tagawa and Toda 1981) in four steps, each a file:
//! layers, order within layers, places, routes. Knows sizes and who leads to whom, nothing of services or of ink.
//!
//! By construction no two boxes overlap, every badge has its own place beside its box, and lines bend only between layers,
//! where no box is.

mod layers;
mod order;
mod place;
mod route;
#[cfg(test)]
pub(super) mod tests;

use serde::Serialize;

/// What is to be drawn.
#[derive(Clone, Default, Debug)]
pub(crate) struct Sketch {
    pub(crate) boxes: Vec<Size>,
    pub(crate) lines: Vec<Line>,
}

/// A line from one box to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Whether it has a badge where it leaves.
    pub(crate) badge: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Size {
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// Where layers follow one another: to the right, or downwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Right,
    Down,
}

/// The finished drawing.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Drawing {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) boxes: Vec<Rect>,
    pub(crate) lines: Vec<Curve>,
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(crate) struct Rect {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// A line as cubic Bézier curves, from the one that leads to the one that is led to.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Curve {
    /// The start, then two control points and an end for each curve; x and y by turns.
    pub(crate) points: Vec<f64>,
    pub(crate) badge: Option<Rect>,
}

/// A badge.
pub(crate) const BADGE: Size = Size { width: 26.0, height: 16.0 };

/// Draws it.
pub(crate) fn draw(sketch: &Sketch, direction: Direction) -> Drawing {
    let mut stack = layers::Stack::new(sketch, &layers::rank(sketch));
    order::untangle(&mut stack);
    let frame = place::place(sketch, &stack, direction);
    route::finish(sketch, &stack, &frame)
}
