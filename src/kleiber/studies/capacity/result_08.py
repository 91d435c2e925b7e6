"""Result 8: rounding weights to 8 bits costs no knowledge, to 4 bits more than half."""

from __future__ import annotations

from kleiber.studies.capacity.result import Arm, Compare, Result
from kleiber.studies.capacity.scale import Scale

INT8, INT4 = {"method": "gptq", "bits": 8}, {"method": "gptq", "bits": 4}


def declare(scale: Scale) -> Result:
    """Declare result 8 at a scale."""
    cell = scale.saturated
    return Result(
        number=8,
        seeds=scale.saturated_seeds,
        title="8 bits a weight keep what is stored, 4 bits lose more than half",
        published=(
            "int8 negligible loss; int4 more than 2 times worse, about 0.7 bits per parameter"
        ),
        arms=(
            Arm(name="float", cell=cell),
            Arm(name="int8", cell=cell, rounding=INT8),
            Arm(name="int4", cell=cell, rounding=INT4),
            Arm(name="int8, nearest", cell=cell, rounding={**INT8, "method": "rtn"}),
            Arm(name="int4, nearest", cell=cell, rounding={**INT4, "method": "rtn"}),
        ),
        compare=(
            Compare(over="int8", under="float", least=0.98, most=1.02, published="about 1"),
            Compare(over="float", under="int4", least=2, published="more than 2"),
            Compare(over="int8, nearest", under="float", least=0.98, most=1.02),
            Compare(over="float", under="int4, nearest", least=2),
            Compare(over="int4", under="int4, nearest", least=1),
        ),
        notes=(
            *scale.notes.get(8, ()),
            "GPTQ (act-order, symmetric, a scale a channel) calibrated on biographies, and "
            "rounding to nearest on the same grid; embeddings, norms and biases stay in float, as "
            "AutoGPTQ has it. Controls are of the float model.",
        ),
    )
