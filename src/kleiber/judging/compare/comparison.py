"""What a comparison of two recipes says: probabilities, difference, crossover, gain, card."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kleiber.judging.compare.backtest import Card
from kleiber.judging.compare.crossing import Crossover
from kleiber.judging.compare.gain import Gain
from kleiber.judging.compare.power import Power
from kleiber.judging.compare.verdict import Chances, Range, Verdict
from kleiber.judging.finding import Finding
from kleiber.runs.notes import counted

SCHEMA = "kleiber.compare/1"


@dataclass(frozen=True)
class Comparison:
    """Two recipes at a target compute (FLOPs), from their ladders.

    ``difference`` is A's loss less B's in nats, so that below 0 A is better; ``margin`` is what
    counts as better. ``without_smallest`` is the difference with each ladder's smallest rung left
    out, None for short ladders. ``common`` is at how many computes both are known, ``paired`` how
    many runs share a seed with one of the other recipe. ``scale_up`` is the target over the largest
    compute that the ladders support, ``weights`` the candidates' after the hidden rungs. ``noise``
    is a run's sd (nats) at the largest rung, ``noise_at_smallest`` at the smallest, between seeds
    where ``noise_measured`` and else from what the rungs miss smooth curves by; ``correlation`` is
    that of both arms' noise.
    """

    a: str
    b: str
    target_flops: float
    margin: float
    level: float
    chances: Chances
    difference: Range
    without_smallest: Range | None
    verdict: Verdict
    why: str
    crossover: Crossover
    gain: Gain
    backtest: Card
    findings: tuple[Finding, ...]
    power: Power
    scale_up: float
    rungs: tuple[int, int]
    runs: tuple[int, int]
    common: int
    paired: int
    noise: float
    noise_at_smallest: float
    noise_measured: bool
    correlation: float
    misfit: float
    weights: dict[str, float]
    replicates: int
    seed: int
    synthetic: bool

    @property
    def p_a(self) -> float:
        """P(A is better at the target by more than the margin)."""
        return self.chances.a

    @property
    def p_tie(self) -> float:
        """P(neither is better by more than the margin)."""
        return self.chances.tie

    @property
    def p_b(self) -> float:
        """P(B is better at the target by more than the margin)."""
        return self.chances.b

    def sentence(self) -> str:
        """Return the verdict as one line."""
        best = {"A": f"A, {self.a}, is better", "B": f"B, {self.b}, is better"}
        said = self.difference
        return (
            f"at {self.target_flops:.3g} FLOPs: {best.get(self.verdict, self.verdict)}; A - B is "
            f"{said.median:+.4f} nats, {self.level:.0%} interval {said.lower:+.4f} to "
            f"{said.upper:+.4f}"
        )

    def text(self) -> str:
        """Return the comparison with what it rests on."""
        low, high = (
            f"{self.gain.median[i]:.3g}x at {self.gain.flops[i]:.2g} FLOPs "
            f"({self.gain.lower[i]:.3g} to {self.gain.upper[i]:.3g})"
            for i in (0, -1)
        )
        forms = sorted(self.weights.items(), key=lambda one: -one[1])
        rows = {
            "A": f"{self.a}: {self._size(0)}",
            "B": f"{self.b}: {self._size(1)}; both known at {counted(self.common, 'compute')}, "
            f"{counted(self.paired, 'pair')} of seeds",
            "better": f"by more than {self.margin:g} nats: A {self.p_a:.0%}, neither "
            f"{self.p_tie:.0%}, B {self.p_b:.0%}",
            "without": self._without(),
            "crossing": self._crossing(),
            "gain": f"of B's compute A needs {low},\n{high}",
            "back-test": self._card(),
            "noise": self._noise(),
            "curves": ", ".join(f"{name} {share:.0%}" for name, share in forms[:2])
            + f", others {sum(share for _, share in forms[2:]):.0%}",
        }
        if self.why:
            rows = {"undecided": self.why, **rows}
        lines = [f"  {name:<11}{row}".replace("\n", "\n" + " " * 13) for name, row in rows.items()]
        return "\n".join([self.sentence(), *lines])

    def _size(self, which: int) -> str:
        return f"{counted(self.rungs[which], 'rung')}, {counted(self.runs[which], 'run')}"

    def _without(self) -> str:
        less = self.without_smallest
        if less is None:
            return "the smallest rungs: too few are left to say"
        return (
            f"the smallest rungs A - B is {less.median:+.4f}, {less.lower:+.4f} to "
            f"{less.upper:+.4f}"
        )

    def _crossing(self) -> str:
        one = self.crossover
        said = f"{one.probability:.0%} that they cross below the target"
        if one.said == "cannot tell":
            said += ": cannot tell"
        if one.kind == "none":
            return said
        said += (
            f"; then at {one.median:.3g} FLOPs,\n{one.level:.0%} interval {one.lower:.3g} to "
            f"{one.upper:.3g}; "
        )
        if one.bracket is not None and one.kind == "observed":
            return f"{said}observed between rungs at {one.bracket[0]:.3g} and {one.bracket[1]:.3g}"
        return f"{said}by the curves, not observed between rungs"

    def _noise(self) -> str:
        if not self.noise_measured:
            return f"taken for {self.noise:.4f} nats a run, measured by no repeated runs"
        said = f"{self.noise:.4f} nats between seeds"
        if self.noise_at_smallest > self.noise:
            said += f" at the largest rung, {self.noise_at_smallest:.4f} at the smallest"
        if self.correlation:
            said += f", {self.correlation:.0%} of its variance shared by pairs"
        if self.misfit:
            said += f"; rungs miss a smooth curve by {self.misfit:.4f}"
        return said

    def _card(self) -> str:
        rows = self.backtest.rows
        if not rows:
            return "none: too few rungs to hide some"
        inside = sum(row.inside for row in rows)
        ours, rank, known = self.backtest.signs()
        text = f"{inside} of {len(rows)} intervals held a hidden top rung"
        if known:
            text += f"; sign right in {ours} of {known}, by rank at the top in {rank}"
        return text

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data."""
        return {
            "schema": SCHEMA,
            "a": self.a,
            "b": self.b,
            "target_flops": self.target_flops,
            "margin": self.margin,
            "level": self.level,
            "p_a": self.p_a,
            "p_tie": self.p_tie,
            "p_b": self.p_b,
            "difference": asdict(self.difference),
            "without_smallest": asdict(self.without_smallest) if self.without_smallest else None,
            "verdict": self.verdict,
            "why": self.why,
            "crossover": self.crossover.to_dict(),
            "gain": self.gain.to_dict(),
            "backtest": self.backtest.to_dict(),
            "findings": [one.to_dict() for one in self.findings],
            "power": self.power.to_dict(),
            "scale_up": self.scale_up,
            "rungs": list(self.rungs),
            "runs": list(self.runs),
            "common": self.common,
            "paired": self.paired,
            "noise": self.noise,
            "noise_at_smallest": self.noise_at_smallest,
            "noise_measured": self.noise_measured,
            "correlation": self.correlation,
            "misfit": self.misfit,
            "weights": self.weights,
            "replicates": self.replicates,
            "seed": self.seed,
            "synthetic": self.synthetic,
        }
