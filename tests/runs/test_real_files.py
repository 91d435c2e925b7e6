"""Real files of others, each read as its README says that it is."""

from __future__ import annotations

import math

import pytest

from kleiber.errors import ColumnError, UnitError, ValuesError
from kleiber.runs import Runs

C4 = "eval/c4_en-validation/CrossEntropyLoss"


def test_bench(real) -> None:
    runs = Runs.read(real("bench/points.csv"))
    assert (len(runs), runs.n_runs) == (240, 240)
    assert (runs.points().weight == 1).all()
    real_points = Runs.read(real("bench/points_epoch_real.csv")).points()
    assert len(real_points) == 240
    assert (real_points.params[0], real_points.loss[0]) == (1730543416.124146, 3.395737776160633)


def test_misfitting_finals(real, notes) -> None:
    runs = Runs.read(real("misfitting/scaling_results_last_ckpt_only.csv"))
    assert (len(runs), len(runs.sizes)) == (261, 11)
    assert runs.frame["params"][0] == 93940416
    assert runs.frame["params_nonembed"][0] == 35842752
    assert "params from the column 'N', not 'N_no_emb'" in notes(runs, "guessed")
    bare = Runs.read(
        real("misfitting/scaling_results_last_ckpt_only.csv"), columns="params=N_no_emb"
    )
    assert bare.params_are == "nonembedding"


def test_misfitting_checkpoints(real, notes) -> None:
    path = real("misfitting/scaling_results.csv")
    assert "each of 4,852 rows" in notes(Runs.read(path), "warning")
    runs = Runs.read(path, columns="run=model+total_steps+peak_lr+sweep")
    assert (len(runs), runs.n_runs) == (4852, 240)
    assert len(runs.select(points="finals")) == 240
    assert runs.points().weight.sum() == pytest.approx(240)


def test_chinchilla_by_compute(real, notes) -> None:
    runs = Runs.read(real("epoch_chinchilla/svg_extracted_data.csv"))
    tidy = Runs.read(real("epoch_chinchilla/tidy.csv"))
    assert len(runs) == 245
    assert "tokens = Training FLOP / (6 Model Size)" in notes(runs, "assumed")
    assert runs.points().tokens == pytest.approx(tidy.points().tokens, rel=1e-12)


def test_isoflops_by_family(real) -> None:
    path = real("open_athena_isoflop/extract/isoflops.csv")
    runs = Runs.read(path, columns="family=source+dataset")
    assert len(runs) == 947
    assert len(runs.families) == 7
    assert len(runs.select(family="marin_202603/comma")) == 85
    guessed = Runs.read(path)
    assert (len(guessed.families), len(guessed.recipes)) == (5, 6)
    (problem,) = guessed.describe().problems
    # The Llama 3 points are there twice: as digitised, and with the exponential undone.
    assert (problem.code, problem.family) == ("two-levels", "llama_3")


def test_overtraining_asks_which_loss(real) -> None:
    path = real("gadre_overtraining/models_losses_wide.csv")
    with pytest.raises(ColumnError, match="any of 8 columns"):
        Runs.read(path)
    column = "loss|training/eval_data/val_tok_mult/openlm/shard_00000000.tar"
    runs = Runs.read(path, columns={"loss": column})
    assert (len(runs), runs.n_runs, len(runs.recipes)) == (104, 104, 3)
    assert Runs.read(path, columns=f"loss={column}").frame.equals(runs.frame)


def test_kyo_takano(real) -> None:
    runs = Runs.read(real("kyo_takano_chinchilla/df.csv"))
    assert len(runs) == 234
    assert set(runs.frame.columns) == {
        *("run", "params", "tokens", "loss", "flops", "final", "fraction"),
    }


def test_tracker_logs_one_run_a_file(real, notes) -> None:
    path = real("olmo_ladder/data/ladder-runs/190M-1xC.csv")
    with pytest.raises(ColumnError, match="any of 11 columns"):
        Runs.read(path)
    runs = Runs.read(path, columns=f"loss={C4}")
    assert (runs.n_runs, len(runs), runs.sizes) == (1, 37, (190e6,))
    assert "tokens 'throughput/total_tokens'" in notes(runs, "guessed")
    assert "190M-1xC: 190M" in notes(runs, "guessed")


def test_tracker_logs_together(real) -> None:
    pattern = real("olmo_ladder/data/ladder-runs/*xC.csv")
    runs = Runs.read(pattern, columns=f"loss={C4}")
    assert runs.n_runs == 25
    assert runs.sizes == (190e6, 370e6, 760e6, 1e9, 3e9)
    assert runs.points().weight.sum() == pytest.approx(25)
    told = Runs.read(
        real("olmo_ladder/data/ladder-runs/peteish7_eval_full.csv"),
        columns=f"loss={C4},params=6.89B",
    )
    assert told.sizes == (6.89e9,)


def test_a_log_that_does_not_say_its_size(real) -> None:
    with pytest.raises(ColumnError, match="no column for params") as caught:
        Runs.read(real("olmo_ladder/data/ladder-runs/peteish7_eval_full.csv"), columns=f"loss={C4}")
    assert "--columns params=190M" in caught.value.remedy


def test_tracker_chart(real, notes) -> None:
    path = real("toy_wikitext/wandb_export_wikitext.csv")
    with pytest.raises(ColumnError, match=r"chart export.*k_is_10.*") as caught:
        Runs.read(path)
    assert "--meta FILE.csv" in caught.value.remedy
    meta = {f"Group: k_is_{k}": {"params": 1e4 * 2**k, "family": "toy"} for k in range(1, 11)}
    with pytest.raises(ColumnError, match="counts steps"):
        Runs.read(path, meta=meta)
    runs = Runs.read(path, meta=meta, columns="tokens=Step")
    assert (len(runs), runs.n_runs, len(runs.sizes)) == (100, 10, 10)
    first = runs.frame.filter(run="Group: k_is_10").row(0, named=True)
    assert (first["tokens"], first["loss"]) == (204800, 7.953187465667725)
    assert "the __MIN and __MAX columns were not used" in notes(runs, "assumed")


TIDY = {"params": "n_params", "tokens": "d_tokens", "loss": "value", "run": "model"}


def test_a_long_table_of_many_metrics(real) -> None:
    path = real("colpret/tidy.parquet")
    with pytest.raises(ColumnError, match="no column for the loss"):
        Runs.read(path)
    with pytest.raises(UnitError, match=r"mixes units of loss: accuracy \(row 8586") as caught:
        Runs.read(path, columns=TIDY)
    assert "--where kind=" in caught.value.remedy


def test_gpt3_validation_loss(real) -> None:
    runs = Runs.read(
        real("colpret/tidy.parquet"), columns=TIDY, where="family=gpt3,metric=val_loss"
    )
    assert runs.n_runs == 8
    train, target = runs.hide_largest()
    assert target.sizes == (175e9,)
    assert train.n_runs == 7


def test_opt_perplexity(real, notes) -> None:
    runs = Runs.read(real("colpret/tidy.parquet"), columns=TIDY, where={"family": "OPT"})
    assert (len(runs), runs.n_runs) == (142, 6)
    assert str(runs.unit) == "ppl"
    assert "from ppl to nats" in notes(runs, "converted")
    assert runs.points().loss.max() < math.log(1e6)


def test_losses_below_zero_are_found_in_the_wild(real) -> None:
    path = real("colpret/tidy.parquet")
    with pytest.raises(ValuesError, match=r"1,586 rows with zero or negative loss"):
        Runs.read(path, columns=TIDY, where="kind=loss_nats_train")
    runs = Runs.read(path, columns=TIDY, where="kind=loss_nats_train", drop_bad=True)
    assert len(runs) == 55_886 - 1586
