"""ColPret: the collection of Choshen, Zhang and Andreas, from its own files."""

from __future__ import annotations

from kleiber.runs.sets import colpret_lm, colpret_one, colpret_tidy
from kleiber.runs.sets.record import Collection

SET = Collection(
    name="colpret",
    title="ColPret, the collection of A Hitchhiker's Guide to Scaling Law Estimation",
    repository="IBM/ColPret",
    commit="16f23bbe054277ddc4afd07a972dd7cfbe3f48c3",
    licence="MIT",
    cite="Choshen, Zhang, Andreas 2025, A Hitchhiker's Guide to Scaling Law Estimation "
    "(arXiv 2410.11840)",
    good_for="Back-tests over many families: GPT-3, OPT, OLMo, repetition of data, over-training.",
    beware="Its column loss means nats, perplexity or log2 of a task's perplexity by family: here "
    "each is apart. Checkpoints are in mid-schedule. Chinchilla and the over-trained models are "
    "in sets of their own as well.",
    parts=(*colpret_lm.PARTS, *colpret_one.PARTS, *colpret_tidy.PARTS),
    counts={"rows": 311_850, "runs": 906, "tidy rows": 310_968, "tidy families": 56},
)
