"""The graph as an object to look at, and as Graphviz text."""

import re

import pytest

import microtensor as mt
from microtensor import nn
from microtensor.autograd import graph_of


def model_loss():
    mt.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    return net, net(mt.ones(4, 2)).square().mean()


def test_nodes_come_in_topological_order_with_their_edges():
    _, loss = model_loss()
    graph = graph_of(loss)
    assert len(graph) == len(list(graph)) == len(graph.nodes)
    for node in graph:
        assert graph[node.index] is node
        assert all(i is None or i < node.index for i in node.inputs)
    assert [node.op for node in graph if not node.is_leaf] == [
        "linear", "tanh", "linear", "square", "mean",
    ]  # fmt: skip
    assert graph.roots == [graph[len(graph) - 1]]
    assert all(a < b for a, b in graph.edges)
    assert len(graph.edges) == sum(i is not None for node in graph for i in node.inputs)


def test_nodes_tell_shape_dtype_name_and_what_they_saved():
    net, loss = model_loss()
    graph = graph_of(loss, dict(net.named_parameters()))
    (tanh,) = graph.find("tanh")
    assert graph.find("TanhBackward0") == [tanh]
    assert tanh.shape == (4, 3) and tanh.dtype is mt.float32
    assert list(tanh.saved) == ["y"] and tanh.saved_nbytes == 4 * 3 * 4
    assert tanh.node.name() == tanh.name == "TanhBackward0"
    assert repr(tanh) == f"<GraphNode {tanh.index}: TanhBackward0, float32[4, 3]>"
    assert {leaf.name for leaf in graph.leaves} == {"0.weight", "0.bias", "2.weight", "2.bias"}
    (weight,) = graph.find("2.weight")
    assert weight.is_leaf and weight.op == "leaf" and weight.shape == (1, 3)


def test_what_was_released_is_not_shown():
    _, loss = model_loss()
    loss.backward()
    graph = graph_of(loss)
    assert graph.saved_nbytes == 0 and graph.find("tanh")[0].saved == {}


def test_an_array_saved_twice_is_counted_once():
    x = mt.ones(10, requires_grad=True)
    y = x.exp()
    assert graph_of(y * y).saved_nbytes == 40


def test_summary_and_repr():
    w = mt.ones(2, requires_grad=True)
    graph = graph_of((w * 3 + mt.ones(2)).sum(), {"w": w})
    assert graph.summary().splitlines() == [
        "%0 = leaf w: float32[2]",
        "%1 = mul(%0, -): float32[2]  saved: other float32[]",
        "%2 = add(%1, -): float32[2]",
        "%3 = sum(%2): float32[]  saved: input_shape=(2,)",
        "return %3",
    ]
    assert str(graph) == graph.summary()
    assert repr(graph) == "<Graph of 4 nodes, 1 of them leaves>"


def test_dot_names_every_node_and_edge():
    net, loss = model_loss()
    graph = graph_of(loss, net.named_parameters())
    dot = graph.to_dot()
    assert dot.startswith("digraph autograd {\n") and dot.endswith("}\n")
    assert len(re.findall(r"^  n\d+ \[label=", dot, re.M)) == len(graph)
    assert len(re.findall(r"^  n\d+ -> n\d+;$", dot, re.M)) == len(graph.edges)
    assert 'label="tanh\\nfloat32[4, 3]", fillcolor="gray95"]' in dot
    assert 'label="0.weight\\nfloat32[3, 2]", fillcolor="lightblue", shape=ellipse]' in dot
    assert 'label="mean\\nfloat32[]", fillcolor="palegreen"]' in dot
    assert "saved" not in dot
    assert "saved y float32[4, 3]" in graph.to_dot(show_saved=True)
    assert 'rankdir="LR"' in graph.to_dot(rankdir="LR")


def test_names_are_quoted():
    x = mt.ones(2, requires_grad=True)
    dot = graph_of(x * 2, {'a "b"\\n\n}': x}).to_dot()
    assert 'label="a \\"b\\"\\\\n\\n}\\nfloat32[2]"' in dot


def test_several_outputs_and_several_roots():
    class Two(mt.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            return g * 2 + h * 3

    x = mt.ones(2, requires_grad=True)
    a, b = Two.apply(x)
    graph = graph_of([a, b])
    assert len(graph) == 4 and [r.node for r in graph.roots] == [a.grad_fn, b.grad_fn]
    assert "several outputs" in graph.summary() and "TwoBackward" in repr(graph[1])


def test_a_leaf_alone_and_packed_values():
    x = mt.ones(2, requires_grad=True)
    assert graph_of(x).summary() == "%0 = leaf: float32[2]\nreturn %0"
    with mt.autograd.graph.saved_tensors_hooks(lambda t: 0, lambda n: x):
        y = x.exp()
    assert "y (packed)" in graph_of(y).summary()


def test_a_tensor_without_a_graph_is_refused():
    with pytest.raises(RuntimeError, match="tensor 0 does not require grad"):
        graph_of(mt.ones(2))


def test_a_long_chain_needs_no_recursion():
    y = mt.ones(1, requires_grad=True)
    for _ in range(100_000):
        y = y + 1.0
    graph = graph_of(y)
    assert len(graph) == 100_001
    assert graph.to_dot().count(" -> ") == 100_000
    assert graph.summary().count("\n") == 100_001
