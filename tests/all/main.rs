//! The tests of the whole program, one module a subject.

mod theory;
