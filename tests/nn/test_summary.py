"""microtensor.summary: what it counts, and that it leaves no trace."""

import pytest

import microtensor as mt
from microtensor import nn


def test_the_numbers_of_a_small_network():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2, bias=False))
    model[2].weight.requires_grad_(False)
    result = mt.summary(model, (5, 3), verbose=False)
    assert (result.total_params, result.trainable_params) == (3 * 4 + 4 + 8, 16)
    assert result.total_mult_adds == 5 * (12 + 8)
    assert result.total_input == 5 * 3 * 4
    assert result.total_output_bytes == 2 * 5 * (4 + 4 + 2) * 4
    assert result.total_param_bytes == 24 * 4
    assert [layer.kind for layer in result.layers] == ["Sequential", "Linear", "ReLU", "Linear"]
    assert [layer.output_shapes for layer in result.layers[1:]] == [[(5, 4)], [(5, 4)], [(5, 2)]]
    assert result.input_shapes == [(5, 3)]


def test_the_table_is_printed_once_and_is_a_tree(capsys):
    inner = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    model = nn.Sequential(inner, nn.Linear(2, 1000))
    text = str(mt.summary(model, (4, 2)))
    assert capsys.readouterr().out == text + "\n"
    lines = text.splitlines()
    assert lines[3].startswith("Sequential  ")
    assert lines[4].startswith("  0: Sequential")
    assert lines[5].startswith("    0: Linear")
    assert "3,000" in lines[7] and "8k" in lines[7]
    assert "3,006 trainable" in text
    assert len({len(line) for line in lines if line.startswith("─")}) == 1


def test_a_depth_counts_what_it_hides():
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), nn.Linear(2, 3))
    text = str(mt.summary(model, (4, 2), depth=1, verbose=False))
    assert "Tanh" not in text
    (hidden,) = (line for line in text.splitlines() if "0: Sequential" in line)
    assert hidden.split()[-2:] == ["6", "16"]


def test_shared_modules_and_parameters_count_once():
    layer = nn.Linear(3, 3)
    tied = nn.Linear(3, 3)
    tied.weight = layer.weight
    result = mt.summary(nn.Sequential(layer, layer, tied), (2, 3), verbose=False)
    assert result.total_params == 9 + 3 + 3
    assert [each.shared for each in result.layers] == [False, False, True, False]
    assert result.layers[1].calls == 2
    assert result.total_mult_adds == 3 * 2 * 9
    assert "(shared)" in str(result) and "× 2" in str(result)


def test_multi_head_attention_is_counted_as_it_computes():
    attend = nn.MultiheadAttention(8, 2, batch_first=True)
    query, key = mt.zeros(3, 4, 8), mt.zeros(3, 5, 8)
    result = mt.summary(attend, input_data=(query, key, key), verbose=False)
    projections = 4 * 64 + 5 * 64 + 5 * 64 + 4 * 64
    assert result.total_mult_adds == 3 * (projections + 2 * 4 * 5 * 8)
    assert result.layers[0].output_shapes == [(3, 4, 8), (3, 4, 5)]


def test_several_inputs_by_size_by_place_and_by_name():
    class Two(nn.Module):
        def forward(self, index, x, scale=1.0):
            assert index.dtype == mt.int64
            return {"sum": x[index] * scale}

    result = mt.summary(Two(), [(4,), (3, 2)], dtypes=[mt.int64, mt.float32], verbose=False)
    assert result.layers[0].output_shapes == [(4, 2)]
    data = {"index": mt.tensor([0]), "x": mt.ones(2, 2)}
    result = mt.summary(Two(), input_data=data, scale=2.0, verbose=False)
    assert result.layers[0].output_shapes == [(1, 2)]


@pytest.mark.parametrize("fails", [False, True])
def test_it_leaves_no_trace_even_where_the_model_raises(fails):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.5)
            self.linear = nn.Linear(2, 2)

        def forward(self, x):
            assert not self.training and not mt.is_grad_enabled()
            mt.rand(3)
            result = self.linear(self.drop(x))
            if fails:
                raise RuntimeError("on purpose")
            return result

    model = Model()
    model.linear.eval()
    before = mt.get_rng_state()
    if fails:
        with pytest.raises(RuntimeError, match="on purpose"):
            mt.summary(model, (1, 2))
    else:
        mt.summary(model, (1, 2), verbose=False)
    assert mt.equal(mt.get_rng_state(), before)
    assert [module.training for module in model.modules()] == [True, True, False]
    assert mt.is_grad_enabled()
    assert not any(module._hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((lambda x: x, (1, 2)), {}, TypeError, "nn.Module, not function"),
        ((nn.Tanh(),), {}, ValueError, "exactly one"),
        ((nn.Tanh(), (1, 2), mt.zeros(1)), {}, ValueError, "exactly one"),
        ((nn.Tanh(), [(1, -2)]), {}, ValueError, "batch and all"),
        ((nn.Tanh(), (1, 2)), {"dtypes": []}, ValueError, "1 inputs, but 0 dtypes"),
    ],
)
def test_bad_arguments_are_named(arguments, options, error, words):
    with pytest.raises(error, match=words):
        mt.summary(*arguments, **options)
