"""A small GPT learns to write, beside the entropy of the text; sampled text at the end."""

from __future__ import annotations

import sys

from microtensor.lab import script
from microtensor.lab.char_gpt import GptPlan, char_gpt, read_text


def main() -> int:
    """Run the demo; see ``--help``."""
    parser = script.parser(
        "Train a small GPT with a captured step on text of a grammar whose entropy is known, or on "
        "a text of yours; draw its loss beside that entropy, and let it write."
    )
    script.add_chance(parser)
    parser.add_argument("--text", metavar="FILE", help="a text to learn from instead, in UTF-8")
    arguments = parser.parse_args()
    small = GptPlan(steps=2000, width=48, layers=2, context=64, batch=8, rate=1e-2)
    plan = small if arguments.quick else GptPlan()
    text = None
    if arguments.text is not None:
        try:
            text = read_text(arguments.text, plan.context)
        except (OSError, ValueError) as error:
            return script.refused(error)
        plan = plan.for_text(text)
    return script.run(
        arguments,
        f"{plan.steps} steps of AdamW, {plan.layers} layers {plan.width} wide, {plan.context} "
        f"characters of context; float32, seed {arguments.seed}",
        lambda _: char_gpt(
            plan, text, seed=arguments.seed, progress=True, command=script.command()
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
