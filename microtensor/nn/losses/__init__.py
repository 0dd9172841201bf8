"""The losses as modules; what they compute is in :mod:`microtensor.nn.functional`."""

from typing import TYPE_CHECKING

from microtensor.lazy import late

if TYPE_CHECKING:
    from microtensor.nn.losses.classes import (
        BCELoss,
        BCEWithLogitsLoss,
        CrossEntropyLoss,
        MultiLabelSoftMarginLoss,
        NLLLoss,
        SoftMarginLoss,
    )
    from microtensor.nn.losses.likelihoods import (
        CTCLoss,
        GaussianNLLLoss,
        KLDivLoss,
        PoissonNLLLoss,
    )
    from microtensor.nn.losses.margins import (
        CosineEmbeddingLoss,
        HingeEmbeddingLoss,
        MarginRankingLoss,
        MultiLabelMarginLoss,
        MultiMarginLoss,
        TripletMarginLoss,
        TripletMarginWithDistanceLoss,
    )
    from microtensor.nn.losses.regression import (
        HuberLoss,
        L1Loss,
        MSELoss,
        SmoothL1Loss,
    )

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CTCLoss",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "PoissonNLLLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = late(globals())
