//! Trees: each thing on a line, what is below it indented.

use super::{style::paint, view::Node};

/// Draws the nodes one after the other, each at the left edge.
pub fn drawn(nodes: &[Node], colour: bool) -> String {
    let mut text = String::new();
    for node in nodes {
        line(&mut text, "", node, colour);
        draw_below(&mut text, "", &node.below, colour);
    }
    text
}

fn draw_below(text: &mut String, margin: &str, nodes: &[Node], colour: bool) {
    let last = nodes.len().saturating_sub(1);
    for (nth, node) in nodes.iter().enumerate() {
        let (branch, rest) = if nth == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        line(text, &format!("{margin}{branch}"), node, colour);
        draw_below(text, &format!("{margin}{rest}"), &node.below, colour);
    }
}

fn line(text: &mut String, margin: &str, node: &Node, colour: bool) {
    text.push_str(margin);
    text.push_str(&paint(node.text.text(), node.text.tone(), colour));
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_join_what_belongs_together() {
        let nodes = [
            Node::over(
                "db1",
                vec![Node::over("/srv", vec![Node::leaf("sda"), Node::leaf("sdb")]), Node::leaf("/var")],
            ),
            Node::leaf("db2"),
        ];
        assert_eq!(drawn(&nodes, false), "db1\n├─ /srv\n│  ├─ sda\n│  └─ sdb\n└─ /var\ndb2\n");
    }
}
