"""A small convolutional network reads handwritten digits; curves, the hardest digits, filters."""

from __future__ import annotations

import sys

from microtensor.lab import script
from microtensor.lab.digits_cnn import DigitsPlan, digits_cnn


def main() -> int:
    """Run the demo; see ``--help``."""
    parser = script.parser(
        "Train a convolutional network on scikit-learn's handwritten digits with a captured step, "
        "and draw its curves, the hardest digits and its first filters."
    )
    script.add_chance(parser)
    arguments = parser.parse_args()
    plan = DigitsPlan(epochs=10, width=16) if arguments.quick else DigitsPlan()
    return script.run(
        arguments,
        f"{plan.epochs} epochs of AdamW, batches of {plan.batch}, {plan.width} channels; "
        f"float32, seed {arguments.seed}",
        lambda _: digits_cnn(plan, seed=arguments.seed, progress=True, command=script.command()),
    )


if __name__ == "__main__":
    sys.exit(main())
