"""All activations with their derivatives as small multiples, captioned with measured properties."""

from __future__ import annotations

import sys

from microtensor import lab
from microtensor.lab import script


def main() -> int:
    """Run the demo; see ``--help``."""
    parser = script.parser(
        "Draw every activation with its derivative, and say of each what can be measured: range, "
        "slopes, saturation, kinks and more."
    )
    script.add_only(parser, "all", lab.panel_names())
    arguments = parser.parse_args()
    names = arguments.only or lab.panel_names()
    return script.run(
        arguments,
        f"{len(names)} activations, on a grid of float64 numbers and far out",
        lambda _: lab.atlas(names, command=script.command()),
    )


if __name__ == "__main__":
    sys.exit(main())
