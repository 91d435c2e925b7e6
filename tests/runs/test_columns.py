"""Which column is which field, and what is said of it."""

from __future__ import annotations

import pytest

from kleiber.errors import ColumnError, UsageError, ValuesError
from kleiber.runs import Runs


def read(header: str, *rows: str, **options: object) -> Runs:
    names = header.split(",")
    cells = [row.split(",") for row in rows or ("1e8,2e9,3.5",)]
    table = {name: [row[i] for row in cells] for i, name in enumerate(names)}
    return Runs.read(table, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "header",
    [
        "params,tokens,loss",
        "N,D,L",
        "n,d,loss",
        "num_params,tokens_seen,val_loss",
        "n_params,train_tokens,eval_loss",
        "Parameters,D_tokens,Final Loss",
        "Model Size,training tokens,train_loss",
        "model_size,total_tokens,Loss",
        "size,n-tokens,cross_entropy",
        "non_embedding_params,tokens,test loss",
        "model/params,throughput/total_tokens,eval/loss",
    ],
)
def test_names_that_the_field_uses(header: str) -> None:
    points = read(header).points()
    assert (points.params[0], points.tokens[0], points.loss[0]) == (1e8, 2e9, 3.5)


def test_exact_name_then_symbol_then_aliases(notes) -> None:
    row = "1,2,3,4e9,3.5"
    assert read("num_params,N,params,tokens,loss", row).sizes == (3,)
    runs = read("num_params,N,size,tokens,loss", row)
    assert runs.sizes == (2,)
    assert "params from the column 'N', not 'num_params', 'size'" in notes(runs, "guessed")
    assert "from" not in notes(read("params,tokens,loss"), "guessed")


def test_held_out_loss_goes_before_training_loss() -> None:
    runs = read("params,tokens,train/loss,eval/loss", "1e8,2e9,3,4")
    assert runs.points().loss[0] == 4


def test_a_loss_that_could_be_several_columns_is_asked_for() -> None:
    with pytest.raises(ColumnError, match="any of 2 columns: c4/CE loss, pile/CE loss") as caught:
        read("params,tokens,c4/CE loss,pile/CE loss", "1e8,2e9,3,4")
    assert "--columns 'loss=c4/CE loss'" in caught.value.remedy


def test_columns_are_said_outright() -> None:
    header, row = "a,b,c,d", "1e8,2e9,3.5,9"
    for columns in ("params=a,tokens=b,loss=c", {"params": "a", "tokens": "b", "loss": "c"}):
        assert read(header, row, columns=columns).points().loss[0] == 3.5
    assert read("params,tokens,My Loss", columns="loss=my_loss").points().loss[0] == 3.5


def test_a_name_with_a_comma_can_be_said() -> None:
    table = {"params": [1e8], "tokens": [2e9], "loss, c4": [3.0], "loss, pile": [4.0]}
    assert Runs.read(table, columns="loss=loss, pile,params=params").points().loss[0] == 4


def test_an_unknown_column_lists_those_that_exist() -> None:
    with pytest.raises(ColumnError, match=r"no column 'val_los' \(close: val_loss\)") as caught:
        read("params,tokens,val_loss", columns="loss=val_los")
    assert "params, tokens, val_loss" in caught.value.remedy


@pytest.mark.parametrize("columns", ["para=a", "nonsense", {"weight": "x"}])
def test_an_option_that_means_nothing(columns: object) -> None:
    with pytest.raises(UsageError, match="--columns"):
        read("params,tokens,loss", columns=columns)


@pytest.mark.parametrize(
    ("header", "missing"),
    [("a,tokens,loss", "params"), ("params,a,loss", "tokens"), ("params,tokens,a", "the loss")],
)
def test_a_missing_column_is_named_with_its_remedy(header: str, missing: str) -> None:
    with pytest.raises(ColumnError, match=f"no column for {missing}") as caught:
        read(header)
    assert "--columns" in caught.value.remedy


def test_compute_gives_tokens_or_params(notes) -> None:
    runs = read("N,C,loss", "1e9,1.2e20,3")
    assert runs.points().tokens[0] == pytest.approx(2e10)
    assert "tokens = C / (6 N)" in notes(runs, "assumed")
    runs = read("D,compute,loss", "2e10,1.2e20,3")
    assert runs.points().params[0] == pytest.approx(1e9)
    assert "params = compute / (6 D)" in notes(runs, "assumed")


def test_steps_give_tokens_with_a_batch(notes) -> None:
    runs = read("run,params,step,tokens_per_step,loss", "a,1e8,10,1000,3")
    assert runs.points().tokens[0] == 10_000
    with pytest.raises(ColumnError, match="counts steps") as caught:
        read("run,params,step,loss", "a,1e8,10,3")
    assert "tokens=step" in caught.value.remedy


def test_one_size_for_all(notes) -> None:
    assert read("tokens,loss", "2e9,3", columns="params=190M").sizes == (190e6,)


@pytest.mark.parametrize(
    ("column", "counted"),
    [
        ("params", "unknown"),
        ("N", "unknown"),
        ("non_embedding_params", "nonembedding"),
        ("N_no_emb", "nonembedding"),
        ("active_params", "active"),
    ],
)
def test_what_params_count(column: str, counted: str, notes) -> None:
    runs = read(f"{column},tokens,loss")
    assert runs.params_are == counted
    assert ("embeddings" in notes(runs, "assumed")) == (counted == "unknown")
    assert read(f"{column},tokens,loss", params_are="total").params_are == "total"


def test_an_unknown_way_to_count() -> None:
    with pytest.raises(UsageError, match="--params-are"):
        read("params,tokens,loss", params_are="most")


@pytest.mark.parametrize("name", ["run", "run_name", "run_id", "Run Name", "name", "ID"])
def test_run_names(name: str) -> None:
    runs = read(f"{name},params,tokens,loss", "a,1e8,1e9,4", "a,1e8,2e9,3", "b,1e8,1e9,4")
    assert runs.named
    assert runs.n_runs == 2
    assert runs.frame["final"].to_list() == [False, True, True]
    assert runs.frame["fraction"].to_list() == [0.5, 1.0, 1.0]


@pytest.mark.parametrize("name", ["model", "size", "batch.size", "user/id"])
def test_what_is_no_run_name(name: str, notes) -> None:
    runs = read(f"{name},params,tokens,loss", "1,1e8,1e9,4", "1,1e8,2e9,3")
    assert not runs.named
    assert runs.frame["run"].to_list() == ["row-1", "row-2"]
    assert runs.frame["final"].all()
    assert "each of 2 rows is counted as a finished run" in notes(runs, "assumed")


def test_rows_with_steps_and_no_names_are_warned_of(notes) -> None:
    runs = read("params,tokens,step,loss", "1e8,1e9,1,4", "2e8,1e9,1,3")
    assert "--columns run=A+B" in notes(runs, "warning")


def test_run_names_are_composed() -> None:
    runs = read(
        "model,lr,tokens,params,loss",
        *("m,1,1e9,1e8,4", "m,1,2e9,1e8,3", "m,2,1e9,1e8,4"),
        columns="run=model+lr",
    )
    assert runs.frame["run"].to_list() == ["m/1", "m/1", "m/2"]
    with pytest.raises(UsageError, match="only text can be composed"):
        read("a,b,tokens,loss", "1,1,1e9,3", columns="params=a+b")


def test_a_run_without_a_name_stands_alone(notes) -> None:
    runs = read("run,params,tokens,loss", "a,1e8,1e9,4", ",1e8,2e9,3")
    assert runs.n_runs == 2
    assert "1 row without a run name: row 2" in notes(runs, "warning")


def test_a_name_shared_by_sizes_is_warned_of(notes) -> None:
    runs = read("name,params,tokens,loss", "gpt,1e8,1e9,4", "gpt,2e8,2e9,3")
    assert "1 run with several sizes: gpt" in notes(runs, "warning")


def test_finals_may_be_told() -> None:
    rows = ("a,1e8,1e9,4,yes", "a,1e8,2e9,3,", "b,1e8,1e9,4,", "b,1e8,2e9,3,")
    runs = read("run,params,tokens,loss,is_final", *rows)
    assert runs.frame["final"].to_list() == [True, False, False, True]
    runs = read("run,params,tokens,loss,final", "a,1e8,1e9,4,0", "a,1e8,2e9,3,0")
    assert not runs.frame["final"].any()


def test_optional_fields_are_kept(notes) -> None:
    runs = read(
        "params,tokens,loss,family,dataset,seed,learning_rate,synthetic,n_experts",
        "1e8,1e9,3,llama,c4,0,oops,true,8",
    )
    row = runs.frame.row(0, named=True)
    assert (row["family"], row["recipe"], row["seed"], row["experts"]) == ("llama", "c4", "0", 8)
    assert row["lr"] is None
    assert "lr: 1 cell not understood" in notes(runs, "warning")
    assert runs.synthetic
    assert runs.families == ("llama",)
    assert runs.recipes == ("c4",)


def test_meta_by_run(write) -> None:
    table = {"run": ["a", "b"], "tokens": [1e9, 1e9], "loss": [3, 4]}
    for meta in (
        write("run,params,family\na,100M,x\nb,200M,y\nc,1B,z\n", "meta.csv"),
        {"a": {"params": "100M", "family": "x"}, "b": {"params": "200M", "family": "y"}},
        {"run": ["a", "b"], "params": ["100M", "200M"], "family": ["x", "y"]},
    ):
        runs = Runs.read(table, meta=meta)
        assert runs.sizes == (1e8, 2e8)
        assert runs.families == ("x", "y")
    assert Runs.read(table, meta={"a": "100M", "b": 2e8}).sizes == (1e8, 2e8)


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        ({"a": 1e8}, "lacks 1 run: b"),
        ({"run": ["a", "a", "b"], "params": [1, 2, 3]}, "1 run on several rows: a"),
        ([{"params": 3}], "no run column"),
    ],
)
def test_meta_that_does_not_fit(meta: object, said: str) -> None:
    table = {"run": ["a", "b"], "tokens": [1e9, 1e9], "loss": [3, 4]}
    with pytest.raises((ColumnError, ValuesError), match=said) as caught:
        Runs.read(table, meta=meta)
    assert "--meta" in caught.value.remedy


def test_where_keeps_rows(notes) -> None:
    header = "params,tokens,value,metric,layers"
    rows = ("1e8,1e9,3,loss,12", "1e8,1e9,0.5,acc,12.0", "2e8,1e9,2.5,loss,24")
    read_where = lambda where: read(header, *rows, columns="loss=value", where=where)  # noqa: E731
    assert len(read_where("metric=loss")) == 2
    assert len(read_where({"metric": "loss", "layers": 24})) == 1
    assert len(read_where({"metric": ["loss", "acc"]})) == 3
    assert len(read_where("layers=12")) == 2
    assert "2 rows of 3 have metric=loss" in notes(read_where("metric=loss"), "left-out")
    with pytest.raises(ColumnError, match="no column 'metrics'"):
        read_where("metrics=loss")
    with pytest.raises(ValuesError, match="No row has metric=ppl") as caught:
        read_where("metric=ppl")
    assert "acc, loss" in caught.value.remedy


def test_a_run_column_that_is_named_leaves_the_loss_to_its_own_name() -> None:
    """Six columns could be the loss; --columns names one, and the run's column besides."""
    table = {"id": ["a", "b"], "params": [1e8, 2e8], "tokens": [2e9, 4e9]}
    losses = {f"loss_{name}": [3.5, 3.2] for name in ("c4", "pile")}
    runs = Runs.read({**table, **losses}, columns={"run": "id", "loss": "loss_pile"})
    assert runs.frame["run"].to_list() == ["a", "b"]
