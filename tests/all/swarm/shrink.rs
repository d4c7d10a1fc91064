//! Makes a file that fails as small as it can be made without it failing no longer.

use super::tree::Node;

/// The smallest tree that still `fails`, found by taking away one thing after another.
pub(super) fn shrink(root: &Node, fails: impl Fn(&Node) -> bool) -> Node {
    let mut smallest = root.clone();
    while let Some(smaller) = smallest.smaller().into_iter().find(|smaller| fails(smaller)) {
        smallest = smaller;
    }
    smallest
}

#[cfg(test)]
mod tests {
    use super::super::tree::{file, one, scalar};
    use super::*;

    #[test]
    fn shrinking_leaves_what_matters_and_nothing_else() {
        let mut root = Node::map();
        root.set("seed", scalar(1));
        root.set(
            "load",
            Node::List(vec![scalar("a"), one("parallel", Node::List(vec![scalar("b"), scalar("zebra")]))]),
        );
        root.set("services", one("s", one("workers", scalar(3))));
        let smallest = shrink(&root, |tree| file(tree).contains("zebra") && file(tree).contains("load"));
        assert_eq!(file(&smallest), "load:\n  - zebra\n");
    }
}
