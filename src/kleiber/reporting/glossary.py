"""The page's own glossary: what its words mean, and what each finding's code stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kleiber.judging import Finding

TERMS: tuple[tuple[str, str, str], ...] = (
    (
        "nat",
        "nats per token",
        "The unit of the loss: the mean negative natural logarithm of the probability that the "
        "model gave each token. One nat is 1.4427 bits.",
    ),
    (
        "params",
        "params, tokens, compute",
        "The size of a model, the tokens it was trained on, and 6 × params × tokens in "
        "floating-point operations. B is 10⁹, T is 10¹².",
    ),
    (
        "floor",
        "floor, reducible loss",
        "The floor is the loss that remains however large the run. What lies above it is the "
        "reducible loss: the part that scale can change.",
    ),
    (
        "interval",
        "interval",
        "Bounds that hold the true value, or a new run, with the probability given, if the law "
        "holds where it is read. An interval says nothing of a law that bends beyond the data.",
    ),
    (
        "frontier",
        "frontier, band",
        "The frontier is the least loss that the law allows at each compute, with params and "
        "tokens divided at their best. Its band holds new runs, their own noise included.",
    ),
    (
        "residual",
        "residual",
        "How far a run's loss lies above (+) or below (−) the law, in percent of the loss.",
    ),
    (
        "noise",
        "noise",
        "The robust standard deviation of the residuals: what another seed might change, and "
        "whatever else the law leaves out.",
    ),
    (
        "objective",
        "objective",
        "What the fit makes as small as it can: a sum over the points of a loss on their "
        "residuals. It is a sum and never a mean.",
    ),
    (
        "delta",
        "delta",
        "The residual beyond which a point pulls with constant force, so that a run that "
        "diverged cannot pull the law after it.",
    ),
    (
        "certificate",
        "certificate",
        "Why the optimum is believed to be the optimum: independent starts end there, and the "
        "gradient vanishes. The condition says how flat its surroundings are.",
    ),
    (
        "freedom",
        "degrees of freedom",
        "What the points are worth as independent observations, less the parameters that they "
        "determine. Few of them make wide intervals.",
    ),
    (
        "backtest",
        "back-test",
        "Runs that exist are hidden, predicted from the smaller ones, and compared with what "
        "they came to. It is the nearest thing to knowing how the prediction above will do.",
    ),
)

CAPACITY_TERMS: tuple[tuple[str, str, str], ...] = (
    (
        "plateau",
        "plateau, bits per parameter",
        "The bits of knowledge that a model stores, divided by its parameters. Where the data "
        "hold more than it can store, the number settles on a plateau: its capacity.",
    ),
    (
        "demand",
        "demand",
        "All the bits there are to know: which names the people have, and every value of each of "
        "them. Per parameter it is what a model is asked to store.",
    ),
    (
        "exposure",
        "exposure",
        "One sight of a person's facts in training. The same facts told in other words count.",
    ),
    (
        "interval",
        "interval",
        "Bounds that hold the true plateau with the probability given, for models and data like "
        "these. They say nothing of other architectures, or of much larger models.",
    ),
    (
        "share",
        "share, sharpness",
        "The share of the demand that a model with room to spare stores, and how sharply the law "
        "turns from it to the plateau.",
    ),
)

CODES: dict[str, str] = {
    "K001": "A parameter that ends on its bound was stopped by the bound and not by the data.",
    "K002": "An optimum is believed when independent starts end there. Where they end elsewhere, "
    "or have not ended, the values printed may be those of a lesser optimum.",
    "K003": "An exponent is a slope on a log axis. Over less than a decade it is mostly noise.",
    "K004": "The farther a target lies beyond the data, the more of the prediction is the law's "
    "form and the less of it is the runs.",
    "K005": "A run whose learning rate has not yet decayed lies above what it would come to. "
    "Together with finished runs it bends the law.",
    "K006": "Losses in different units or tokenizers, and params counted in different ways, do "
    "not lie on one law.",
    "K007": "A scaling law of this form is for a cross-entropy per token. Other metrics saturate "
    "or rise, and their fits predict little.",
    "K008": "Residuals that drift with scale show that the law bends away from the runs: the "
    "prediction inherits the drift.",
    "K009": "Where leaving out one run moves the answer by more than its interval, the answer is "
    "that run's.",
    "K010": "Where params and tokens rise together, or parameters trade off, many laws fit the "
    "runs equally well and differ beyond them.",
    "K011": "Rows that repeat each other count as evidence twice, and make intervals too narrow.",
    "K012": "The noise of a run is best known from runs that differ in nothing but their seed. "
    "Without them it is read off the residuals.",
    "K013": "No run can lie below the floor. One that does shows that the floor is too high.",
    "K014": "A run that diverged says nothing about the law. Robust objectives bear a few.",
    "K015": "A delta far from the noise turns the objective into another one than was meant.",
    "C001": "A model that stores all there is shows how much there is, and not how much it can "
    "store.",
    "C002": "Rows of the vocabulary count as parameters and store few facts, so that models "
    "which are mostly rows look poor.",
    "C003": "Models need steps, and not only tokens: large batches leave too few of them.",
    "C004": "Where more steps at the same exposures still store more, what was measured is the "
    "training and not the capacity.",
    "C005": "No model can know more than there is. One that seems to was told a value by the text "
    "around it.",
    "C006": "A model can know nothing of people it has never seen. Bits on them are a fault of "
    "the measurement.",
}


def code_entries(findings: Sequence[Finding]) -> list[tuple[str, str, str]]:
    """Return code, title and explanation of each code that was found, once each, in order."""
    titles = {one.code: one.title for one in findings}
    return [(code, titles[code], CODES.get(code, "")) for code in sorted(titles)]
