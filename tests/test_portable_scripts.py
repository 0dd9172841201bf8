"""What programs written for PyTorch call before and around their training, on a CPU."""

import pytest

import microtensor as torch


def test_a_portable_script_runs():
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if torch.backends.mps.is_available():
        device = torch.device("mps")
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.deterministic = False
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.set_float32_matmul_precision("high")
    torch.manual_seed(0)
    torch.cuda.manual_seed_all(0)
    model = torch.nn.Linear(3, 1).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler(enabled=torch.cuda.is_available())
    x, y = torch.ones(4, 3).to(device, non_blocking=True), torch.zeros(4, 1).cpu()

    @torch.autocast(device.type, enabled=False)
    def forward(x):
        return model(x)

    losses = []
    for _ in range(3):
        optimizer.zero_grad(set_to_none=True)
        with torch.amp.autocast(device_type=device.type, enabled=False):
            loss = torch.nn.functional.mse_loss(forward(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)
    assert scaler.get_scale() == 1.0
    scaler.load_state_dict(scaler.state_dict())
    torch.cuda.empty_cache()
    assert torch.cuda.max_memory_allocated() == 0
    torch.backends.cudnn.benchmark = False

    @torch.no_grad()
    def evaluate():
        return model(x)

    assert not evaluate().requires_grad


def test_what_there_is_not_is_refused_in_words_that_say_so():
    for ask in (torch.cuda.synchronize, torch.cuda.current_device, torch.cuda.get_device_name):
        with pytest.raises(RuntimeError, match=r"there is no GPU.*is_available"):
            ask()
    with pytest.raises(RuntimeError, match=r"enabled must be False.*dtype of their inputs"):
        torch.autocast("cpu", dtype=torch.float16)
    with pytest.raises(RuntimeError, match="enabled must be False"):
        torch.amp.GradScaler("cpu")
    with pytest.raises(ValueError, match="'highest', 'high', 'medium'"):
        torch.set_float32_matmul_precision("low")
    assert not torch.set_flush_denormal(True)


def test_choices_are_noted():
    torch.use_deterministic_algorithms(True, warn_only=True)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    assert not torch.are_deterministic_algorithms_enabled()
    torch.set_float32_matmul_precision("medium")
    assert torch.get_float32_matmul_precision() == "medium"
    torch.set_float32_matmul_precision("highest")
