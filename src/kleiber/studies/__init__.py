"""Studies: each a result, published or simulated, that one command makes again.

``kleiber study NAME`` prints a table and, with ``--out DIR``, writes it with its provenance.
"""

from __future__ import annotations

NAMES: dict[str, str] = {
    "published-fits": "Re-make published fits digit by digit, and prove where one is no optimum.",
    "hide-largest": "Hide the largest model of real families and predict it.",
    "guide": "The guide to scaling-law estimation, whole: as published and repaired.",
    "families": "Hide the largest size of every public family; errors by number of sizes.",
    "laws-on-data": "Fit the laws of repetition, over-training and routing to their own data.",
    "findings": "Measure false alarms and power of every finding by simulation.",
    "findings-real": "Check every public family; one real example a finding.",
    "isoflop-bias": "Re-make the bias of isoFLOP parabolas; real profiles beside a surface.",
    "plan": "Planned ladders against ladders by hand, on simulated and on real targets.",
    "opt-units": "Predict OPT 175B in the published unit and in nats.",
    "capacity": "The twelve results on knowledge capacity, one each (--result 8) or --all.",
    "capacity-cpu": "Train one small model on one core, three seeds; bits per parameter.",
    "capacity-curve": "Train sizes x people at 1000 and 100 exposures; plateaus and their ratio.",
    "capacity-exposures": "Train three sizes at 300 and at 2000 exposures, between and beyond.",
    "capacity-roundings": "Round the curve's models to 8, 6, 5, 4 and 3 bits a weight.",
    "capacity-law": "One law for every capacity table in results; forms, errors, published.",
    "capacity-controls": "Train small models in every format; controls and the city's leak.",
    "capacity-extraction": "Ask for what was learnt: texts written anew against one text each.",
    "laws-on-curves": "Laws on the data they are for; what choosing between laws gains.",
    "crossover-detector": "False calls and coverage of crossings against known truths.",
    "compare-marin": "Small budgets predict how three real data recipes differ at large ones.",
    "paradigms": "Conventional wisdom on widths, rates, batches and decay, much text or little.",
    "crossovers": "Three pairs of recipes on ladders of real training; where they cross.",
    "text-floor": "Train on ever more of made-up languages; the fitted floor and their entropy.",
    "interval-coverage": "Measure coverage and width of every interval method by simulation.",
}

__all__ = ["NAMES"]
