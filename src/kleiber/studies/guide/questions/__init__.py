"""The guide's experiments in the default mode: each a question, each answered in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kleiber.runs import Runs
from kleiber.runs.collections import Family
from kleiber.studies.guide.questions import (
    cheapest,
    checkpoints,
    components,
    down,
    harm,
    one_model,
    partial,
    seeds,
    shares,
    sizes,
)
from kleiber.studies.guide.questions.answer import Answer, Question
from kleiber.studies.guide.questions.bench import Bench

__all__ = ["QUESTIONS", "Answer", "Question", "ask"]

QUESTIONS: tuple[Question, ...] = (
    shares.QUESTION,
    one_model.QUESTION,
    partial.QUESTION,
    down.QUESTION,
    sizes.QUESTION,
    seeds.QUESTION,
    checkpoints.WHICH,
    checkpoints.BEGINNINGS,
    components.QUESTION,
    harm.QUESTION,
    cheapest.QUESTION,
)


def ask(
    families: Sequence[tuple[Family, Runs]], progress: Callable[[str], None] | None = None
) -> tuple[Answer, ...]:
    """Return every question's answer, in order; ``progress`` is told of each step.

    What all questions need of a family is fitted in one batch first. The laws of the answers
    add up to the number of laws fitted.
    """
    tell = progress or (lambda _: None)
    benches = [Bench(family, runs) for family, runs in families]
    for bench in benches:
        tell(bench.family.key)
        bench.fit([sight for question in QUESTIONS for sight in question.sights(bench)])
    answers: list[Answer] = []
    for question in QUESTIONS:
        tell(question.title)
        answers.append(question.ask(benches))
    return tuple(answers)
