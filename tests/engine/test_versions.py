"""Version counters: a saved array that was written to since is noticed."""

import pytest

import microtensor as mt

CHANGED = "modified by an inplace operation"


def computed():
    x = mt.tensor([1.0, 2.0], requires_grad=True)
    return x, x * 1


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("mul", lambda y: y * y),
        ("exp", lambda y: y.exp()),
        ("log", lambda y: y.log()),
        ("tanh", lambda y: y.tanh()),
        ("relu", lambda y: y.relu()),
        ("sum", lambda y: (y * 1).softmax(0)),
        ("pow", lambda y: y**3),
        ("matmul", lambda y: y.reshape(1, 2) @ y.reshape(2, 1)),
        ("abs", lambda y: y.abs()),
        ("max", lambda y: y.max()),
        ("clamp", lambda y: y.clamp(0, 1)),
    ],
)
def test_changing_what_was_saved_raises_and_names_the_op(name, function):
    """Whichever of input and output the rule saves, changing both changes it."""
    _, y = computed()
    z = function(y)
    y.add_(1)
    z.detach().add_(1)  # shares the version
    with pytest.raises(RuntimeError, match=CHANGED) as error:
        z.sum().backward()
    if name != "sum":
        assert name in str(error.value)


def test_changing_a_saved_input_raises():
    _, y = computed()
    z = y.log()
    y.add_(1)
    with pytest.raises(RuntimeError, match=f"{CHANGED}: log.*clone"):
        z.sum().backward()


def test_changing_a_saved_output_raises():
    _, y = computed()
    z = y.exp()
    z.add_(1)
    with pytest.raises(RuntimeError, match=f"{CHANGED}: exp"):
        z.sum().backward()


def test_changing_what_was_not_saved_is_harmless():
    x, y = computed()
    z = y.exp()  # saves its output
    w = y + 3  # saves nothing
    y.mul_(100)
    w.mul_(2)
    (z + w).sum().backward()
    assert x.grad.tolist() == pytest.approx([mt.exp(mt.tensor(v)).item() + 2 for v in (1.0, 2.0)])


def test_changing_a_factor_whose_partner_needs_no_gradient_is_harmless():
    x, y = computed()
    constant = mt.tensor([3.0, 4.0])
    z = y * constant  # saves the constant only
    y.add_(1)
    z.sum().backward()
    assert x.grad.tolist() == [3, 4]


def test_changing_a_constant_that_was_saved_raises():
    _, y = computed()
    constant = mt.tensor([3.0, 4.0])
    z = y * constant
    constant.add_(1)
    with pytest.raises(RuntimeError, match=CHANGED):
        z.sum().backward()


def test_changing_a_saved_leaf_under_no_grad_raises():
    x = mt.tensor([1.0, 2.0], requires_grad=True)
    z = (x * x).sum()
    with mt.no_grad():
        x.add_(1)
    with pytest.raises(RuntimeError, match=CHANGED):
        z.backward()


@pytest.mark.parametrize(
    "write",
    [
        lambda y: y[0].add_(1),
        lambda y: y.reshape(2, 1).add_(1),
        lambda y: y.t().zero_(),
        lambda y: y.detach().add_(1),
        lambda y: y.__setitem__(0, 5.0),
        lambda y: y.copy_(mt.zeros(2)),
        lambda y: y.fill_(1),
        lambda y: y.__iadd__(1),
        lambda y: mt.nn.functional.relu(y, inplace=True),
        lambda y: y.unsqueeze(0)[0].add_(1),
    ],
    ids=[
        "view",
        "reshaped",
        "transposed",
        "detached",
        "item assignment",
        "copy_",
        "fill_",
        "+=",
        "inplace=True",
        "view of a view",
    ],
)
def test_every_way_of_writing_is_noticed(write):
    _, y = computed()
    z = y.square()
    version = y._version
    write(y)
    assert y._version > version
    with pytest.raises(RuntimeError, match=f"{CHANGED}: square"):
        z.sum().backward()


def test_views_share_one_version():
    y = mt.zeros(4)
    view = y[1:][1:]
    view.add_(1)
    y.add_(1)
    assert y._version == view._version == 2


def test_a_saved_view_is_noticed_when_its_base_is_written_to():
    x = mt.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    z = y[0].square()
    y.add_(1)
    with pytest.raises(RuntimeError, match=CHANGED):
        z.backward()


def test_data_is_the_way_around_the_version():
    x, y = computed()
    z = (y * y).sum()
    y.data.add_(1)
    z.backward()  # with the new values: the user asked for it
    assert x.grad.tolist() == [4, 6]


def test_a_copy_has_a_version_of_its_own():
    x, y = computed()
    z = y.square()
    y.clone().add_(1)
    y.detach().clone().add_(1)
    z.sum().backward()
    assert x.grad.tolist() == [2, 4]


def test_a_new_write_before_use_is_harmless():
    x, y = computed()
    y.add_(1)
    z = y.square()
    z.sum().backward()
    assert x.grad.tolist() == [4, 6]


def test_accumulating_a_gradient_counts_as_a_write():
    x = mt.tensor([1.0, 2.0], requires_grad=True)
    (x * 2).sum().backward()
    w = mt.ones(2, requires_grad=True)
    z = (w * x.grad).sum()
    (x * 2).sum().backward()
    with pytest.raises(RuntimeError, match=CHANGED):
        z.backward()


def test_second_walk_notices_what_was_written_after_the_first():
    x = mt.tensor([1.0, 2.0], requires_grad=True)
    (slope,) = mt.autograd.grad((x**3).sum(), x, create_graph=True)
    with mt.no_grad():
        x.add_(1)
    with pytest.raises(RuntimeError, match=CHANGED):
        slope.sum().backward()


def test_changing_an_index_after_its_use_is_harmless():
    x = mt.tensor([1.0, 2.0, 3.0], requires_grad=True)
    index = mt.tensor([0, 0])
    y = x[index]
    index.add_(1)
    y.sum().backward()
    assert x.grad.tolist() == [2, 0, 0]


def test_changing_the_mask_of_an_assignment_after_its_use_is_harmless():
    x = mt.tensor([1.0, 2.0], requires_grad=True)
    y, mask = x * 1, mt.tensor([True, False])
    y[mask] = 0.0
    mask.fill_(False)
    y.sum().backward()
    assert x.grad.tolist() == [0, 1]


def test_changing_labels_after_the_loss_raises():
    logits = mt.zeros(2, 3, requires_grad=True)
    labels = mt.tensor([0, 1])
    loss = mt.nn.functional.cross_entropy(logits, labels)
    labels.add_(1)
    with pytest.raises(RuntimeError, match=f"{CHANGED}: cross_entropy"):
        loss.backward()
