"""The libraries compared by step.py: each builds the same network and trains it on the same batch.

A peer is imported only in the child process that runs it.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

# The work of a step does not depend on the learning rate, but a rate that learned would fit the one
# batch within a few thousand steps, and vanishing gradients slow every library down by subnormals.
LEARNING_RATE = 1e-6
CHECK_LEARNING_RATE = 1e-3
CHECK_STEPS = 10

Train = Callable[[int], float]  # takes n steps, returns the loss before the last one's update
Build = Callable[[str, float], Train]  # from a case and a learning rate


INFERENCE = "infer:"  # in front of a case that is not trained: one forward call


def case_arrays(case: str) -> tuple[list[int], np.ndarray, np.ndarray, list[tuple]]:
    """Return sizes, inputs, labels and (weight, bias) pairs of a case such as "2-16-16-2@32"."""
    layers, _, batch = case.removeprefix(INFERENCE).partition("@")
    sizes = [int(size) for size in layers.split("-")]
    generator = np.random.default_rng(0)
    inputs = generator.standard_normal((int(batch), sizes[0]), dtype=np.float32)
    labels = np.arange(int(batch)) % sizes[-1]
    parameters = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        bound = fan_in**-0.5
        weight = generator.uniform(-bound, bound, (fan_out, fan_in)).astype(np.float32)
        bias = generator.uniform(-bound, bound, fan_out).astype(np.float32)
        parameters.append((weight, bias))
    return sizes, inputs, labels, parameters


def pytorch_training(
    library: Any,
    case: str,
    rate: float,
    wrap: Callable[[Any], Any] = lambda step: step,
    **options: Any,
) -> Train:
    """Build a case with `library`, which is torch or microtensor: the code is the same."""
    sizes, inputs, labels, parameters = case_arrays(case)
    nn = library.nn
    layers: list[Any] = []
    state = {}
    for i, (weight, bias) in enumerate(parameters):
        if i:
            layers.append(nn.ReLU())
        state[f"{len(layers)}.weight"] = library.tensor(weight)
        state[f"{len(layers)}.bias"] = library.tensor(bias)
        layers.append(nn.Linear(sizes[i], sizes[i + 1]))
    model = nn.Sequential(*layers)
    model.load_state_dict(state)
    criterion = nn.CrossEntropyLoss()
    optimizer = library.optim.Adam(model.parameters(), lr=rate, **options)
    x, y = library.tensor(inputs), library.tensor(labels)

    @wrap
    def infer(x: Any) -> Any:
        return model(x)

    @wrap
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    def run(n: int) -> float:
        with library.no_grad():
            for _ in range(n):
                output = infer(x)
        return float(output.sum())

    def train(n: int) -> float:
        for _ in range(n):
            loss = step(x, y)
        return loss.item()

    return run if case.startswith(INFERENCE) else train


def open_microtensor(threads: int) -> tuple[str, Build]:
    """microtensor, eager."""
    import microtensor

    microtensor.set_num_threads(threads)

    def build(case: str, rate: float) -> Train:
        return pytorch_training(microtensor, case, rate)

    return describe_microtensor(), build


def open_captured(threads: int) -> tuple[str, Build]:
    """microtensor, the step captured and replayed from C."""
    import microtensor

    microtensor.set_num_threads(threads)

    def build(case: str, rate: float) -> Train:
        return pytorch_training(microtensor, case, rate, wrap=microtensor.capture)

    return describe_microtensor(), build


def open_torch(threads: int) -> tuple[str, Build]:
    """PyTorch, eager, with its fused Adam."""
    import torch

    torch.set_num_threads(threads)

    def build(case: str, rate: float) -> Train:
        return pytorch_training(torch, case, rate, fused=True)

    return describe_torch(), build


def open_jax(threads: int) -> tuple[str, Build]:
    """JAX: the whole step jitted, buffers donated, optax's Adam."""
    import jax
    import jax.numpy as jnp
    import optax

    def build(case: str, rate: float) -> Train:
        _, inputs, labels, arrays = case_arrays(case)
        parameters = [(jnp.asarray(weight.T), jnp.asarray(bias)) for weight, bias in arrays]
        optimizer = optax.adam(rate)
        state = optimizer.init(parameters)
        x, y = jnp.asarray(inputs), jnp.asarray(labels)

        def loss_of(parameters: Any, x: Any, y: Any) -> Any:
            for weight, bias in parameters[:-1]:
                x = jax.nn.relu(x @ weight + bias)
            weight, bias = parameters[-1]
            logits = x @ weight + bias
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

        def update(parameters: Any, state: Any, x: Any, y: Any) -> Any:
            loss, gradients = jax.value_and_grad(loss_of)(parameters, x, y)
            changes, state = optimizer.update(gradients, state, parameters)
            return optax.apply_updates(parameters, changes), state, loss

        step = jax.jit(update, donate_argnums=(0, 1))

        def forward(parameters: Any, x: Any) -> Any:
            for weight, bias in parameters[:-1]:
                x = jax.nn.relu(x @ weight + bias)
            weight, bias = parameters[-1]
            return x @ weight + bias

        infer = jax.jit(forward)

        def run(n: int) -> float:
            for _ in range(n):
                output = infer(parameters, x)
            return float(output.sum())

        def train(n: int) -> float:
            nonlocal parameters, state
            for _ in range(n):
                parameters, state, loss = step(parameters, state, x, y)
            jax.block_until_ready(parameters)
            return loss.item()

        return run if case.startswith(INFERENCE) else train

    platform = jax.devices()[0].client.platform_version
    return f"XLA for {platform}, host instruction set ({numpy_simd()})", build


def open_sklearn(threads: int) -> tuple[str, Build]:
    """scikit-learn's MLPClassifier; for two classes it has one logistic output instead of two."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_info

    # It warns that the steps asked for are all it took.
    warnings.simplefilter("ignore", ConvergenceWarning)

    def build(case: str, rate: float) -> Train:
        sizes, x, y, _ = case_arrays(case)
        model = MLPClassifier(
            tuple(sizes[1:-1]),
            activation="relu",
            solver="adam",
            alpha=0.0,
            batch_size=len(x),
            learning_rate_init=rate,
            shuffle=False,
            random_state=0,
            warm_start=True,
            n_iter_no_change=np.inf,
        )

        def train(n: int) -> float:
            # One batch an epoch, so n epochs are n steps. partial_fit would take one step a call
            # and check its input each time, which makes small networks many times slower.
            model.set_params(max_iter=n).fit(x, y)
            return float(model.loss_)

        def run(n: int) -> float:
            for _ in range(n):
                output = model.predict_proba(x)
            return float(output.sum())

        if case.startswith(INFERENCE):
            model.set_params(warm_start=False).partial_fit(x, y, classes=np.arange(sizes[-1]))
            return run
        train.block_seconds = 0.06  # so that fit's checks of its input are spread over many steps
        return train

    # SciPy's copy of OpenBLAS is loaded too, but it is NumPy's that multiplies.
    libraries = [
        f"{info['internal_api']} {info['version']} {info.get('architecture', '')}".strip()
        for info in threadpool_info()
        if info["user_api"] == "blas" and "numpy" in info["filepath"]
    ]
    return f"{', '.join(libraries) or 'BLAS unknown'}; NumPy SIMD {numpy_simd()}", build


def describe_microtensor() -> str:
    """Return the backend, its instruction set and the matrix library's kernel as one line."""
    from microtensor import kernels

    found = kernels.config()
    backend = found["backend"]
    if backend == "native":
        backend += f", own kernels {found['instruction_set']}"
    else:
        backend += f" ({found['backend_reason']}), NumPy SIMD {numpy_simd()}"
    blas = found["blas"]
    version = " ".join(blas["config"].split()[:2]) or blas["name"]
    return f"{backend}; {version} with its kernels for {blas['core'] or 'an unnamed core'}"


def describe_torch() -> str:
    """Return instruction set of PyTorch's own kernels, its matrix library's kernel, and threads."""
    import torch

    parts = [f"own kernels {torch.backends.cpu.get_cpu_capability()}"]
    if torch.backends.mkl.is_available():
        parts.append(mkl_path() or "MKL")
    else:
        build = dict(
            part.strip().partition("=")[::2] for part in torch.__config__.show().split(",")
        )
        parts.append(f"BLAS {build.get('BLAS_INFO', 'unknown')}")
    return "; ".join(parts)


def mkl_path() -> str:
    """Return what MKL says of itself and of the processor, or "" if it stays silent."""
    import torch

    a = torch.ones(64, 64)
    with tempfile.TemporaryFile() as report:
        kept = os.dup(1)
        os.dup2(report.fileno(), 1)  # MKL prints through C's standard output
        try:
            with torch.backends.mkl.verbose(torch.backends.mkl.VERBOSE_ON):
                a @ a
        finally:
            os.dup2(kept, 1)
            os.close(kept)
        report.seek(0)
        lines = report.read().decode(errors="replace").splitlines()
    first = next((line for line in lines if line.startswith("MKL_VERBOSE")), "")
    return first.removeprefix("MKL_VERBOSE").partition(", Lnx")[0].strip()


def numpy_simd() -> str:
    """Return the vector instructions NumPy was built for and those it found beyond them."""
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    return "+".join([*simd.get("baseline", []), *simd.get("found", [])])


PEERS = {
    "microtensor": open_microtensor,
    "captured": open_captured,
    "torch": open_torch,
    "jax": open_jax,
    "sklearn": open_sklearn,
}
