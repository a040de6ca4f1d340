"""Recipes run, stop, go on, and leave whole files; the gallery puts what came out beside what the papers say."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from spectral_lab import reproduce as command
from spectral_lab.blocks import adjacency_matrix, eigenvalue_matrix, eigenvector_matrix
from spectral_lab.gallery import said_by, write_gallery
from spectral_lab.recipes import RECIPES, SCALES, Done, Finding, Recipe
from spectral_lab.recipes.classification import LABELS, build, run, trial
from spectral_lab.recipes.structure import cells
from spectral_lab.reproduce import TRIALS, chosen, device_of, finished, main, reproduce, workers

QUIET = Console(quiet=True)


def draw_dots(done, figure):
    figure.subplots().plot([one.trial["x"] for one in done], [one.outcome["y"] for one in done])


def square(trial, device):
    return {"y": trial["x"] ** 2, "seconds": 0.5}


def toy(run=square, xs=(1, 2, 3)):
    """A recipe of three trials."""
    return Recipe(
        name="toy-fig-1",
        source="Toy Fig. 1",
        title="Squares",
        settings={"smoke": {"xs": list(xs)}},
        trials=lambda setting: [{"x": x} for x in setting["xs"]],
        run=run,
        draw=draw_dots,
        findings=lambda done: [Finding("last", "9", str(done[-1].outcome["y"]), done[-1].outcome["y"] == 9)],
    )


def files(folder):
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------- running


def test_a_recipe_leaves_a_picture_the_numbers_and_its_trials(tmp_path):
    content = reproduce(toy(), "smoke", out=tmp_path / "new", console=QUIET)
    assert files(tmp_path / "new") == ["toy-fig-1.json", "toy-fig-1.png", "toy-fig-1.svg", TRIALS]
    assert json.loads((tmp_path / "new" / "toy-fig-1.json").read_text()) == content
    assert [one["outcome"]["y"] for one in content["trials"]] == [1, 4, 9]
    assert content["findings"] == [{"what": "last", "paper": "9", "ours": "9", "agrees": True}]
    assert content["setting"] == {"xs": [1, 2, 3]}
    assert content["versions"]["torch"] == torch.__version__
    assert content["seconds_of_trials"] == 1.5


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path):
    ran = []

    def stops_at_2(trial, device):
        if trial["x"] == 2 and ran.count(2) == 0:
            ran.append(2)
            raise KeyboardInterrupt
        ran.append(trial["x"])
        return square(trial, device)

    with pytest.raises(KeyboardInterrupt):
        reproduce(toy(stops_at_2), "smoke", out=tmp_path, console=QUIET)
    assert files(tmp_path) == [TRIALS]  # no half-written picture
    reproduce(toy(stops_at_2), "smoke", out=tmp_path, console=QUIET)
    assert ran == [1, 2, 2, 3]


def test_a_line_that_was_cut_off_is_run_again_and_spoils_nothing(tmp_path):
    reproduce(toy(), "smoke", out=tmp_path, console=QUIET)
    path = tmp_path / TRIALS
    path.write_text(path.read_text()[:-20])
    assert len(finished(path)) == 2
    reproduce(toy(), "smoke", out=tmp_path, console=QUIET)
    assert len(finished(path)) == 3


@pytest.mark.parametrize("changed", ["device", "version", "trial"])
def test_an_outcome_is_used_again_only_for_the_same_trial_device_and_version(tmp_path, monkeypatch, changed):
    ran = []

    def counting(trial, device):
        ran.append(trial["x"])
        return square(trial, device)

    reproduce(toy(counting), "smoke", out=tmp_path, console=QUIET)
    reproduce(toy(counting), "smoke", out=tmp_path, console=QUIET)
    assert ran == [1, 2, 3]
    if changed == "version":
        monkeypatch.setattr(command, "versions", lambda: {"spectral_lab": "9", "torch": "9"})
    recipe = toy(counting, xs=(1, 2, 7)) if changed == "trial" else toy(counting)
    reproduce(recipe, "smoke", device="cuda" if changed == "device" else "cpu", out=tmp_path, console=QUIET)
    assert ran[3:] == ([7] if changed == "trial" else [1, 2, 3])


def test_a_picture_that_cannot_be_drawn_leaves_the_trials_and_no_half_file(tmp_path):
    def broken(done, figure):
        raise RuntimeError("no picture")

    with pytest.raises(RuntimeError, match="no picture"):
        reproduce(replace(toy(), draw=broken), "smoke", out=tmp_path, console=QUIET)
    assert files(tmp_path) == [TRIALS]


@pytest.mark.slow
def test_trials_run_side_by_side_give_the_same_numbers(tmp_path):
    recipe = RECIPES["pre-fig-6"]
    alone = reproduce(recipe, "smoke", out=tmp_path / "alone", console=QUIET)
    with workers(2) as pool:
        together = reproduce(recipe, "smoke", out=tmp_path / "together", pool=pool, console=QUIET)

    def accuracies(content):
        return [(one["trial"], one["outcome"]["accuracy"]) for one in content["trials"]]

    assert accuracies(alone) == accuracies(together)


# ---------------------------------------------------------------- the recipes


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """A folder that all recipes share, so that the trials they have in common run once."""
    return tmp_path_factory.mktemp("figures")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_runs_at_the_scale_smoke(name, smoke):
    content = reproduce(RECIPES[name], "smoke", out=smoke, console=QUIET)
    assert content["scale"] == "smoke"
    assert (smoke / f"{name}.png").stat().st_size > 5_000
    assert (smoke / f"{name}.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_a_picture_drawn_again_has_the_same_bytes(tmp_path):
    for folder in ("one", "two"):
        reproduce(RECIPES["structure"], out=tmp_path / folder, console=QUIET)
    for kind in ("png", "svg"):
        one, two = (tmp_path / folder / f"structure.{kind}" for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("B", [1, 2, 3])
def test_the_cells_of_the_structure_are_those_of_sparcs_figures_3_to_5(B):
    Phi = cells(eigenvector_matrix(B), r"\varphi_{j}")
    Lam = cells(eigenvalue_matrix(B), "")
    A = cells(adjacency_matrix(B), r"\mathcal{W}_{ij}")
    for i in range(B + 1):
        for j in range(B + 1):
            nothing, loop = ("zero", ""), ("diagonal", rf"$\mathcal{{L}}_{{{i + 1}}}$")
            link = ("full", rf"$\mathcal{{W}}_{{{i + 1}{j + 1}}}$")
            below = ("full", rf"$\varphi_{{{i}}}$") if i == j + 1 else nothing
            assert Phi[i][j] == (("identity", "I") if i == j else below)
            assert Lam[i][j] == (loop if i == j else nothing)
            assert A[i][j] == (loop if i == j else link if i > j else nothing)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_says_what_it_shows_and_has_each_scale(name):
    recipe = RECIPES[name]
    assert recipe.name == name
    assert any(paper in recipe.source for paper in ("SPARCS", "PRE", "Pruning", "Student", "Poster"))
    trials = {scale: recipe.trials(recipe.settings[scale]) for scale in recipe.settings}
    assert set(trials) <= set(SCALES)
    for made in trials.values():
        assert len({json.dumps(trial, sort_keys=True) for trial in made}) == len(made)
    with pytest.raises(ValueError, match="has no scale 'huge'"):
        recipe.setting("huge")


def test_at_the_scale_class_there_are_three_seeds_and_the_real_data():
    for recipe in RECIPES.values():
        if recipe.name.startswith("pre-"):
            trials = recipe.trials(recipe.settings["class"])
            assert {trial["seed"] for trial in trials} == {0, 1, 2}
            assert {trial["data"] for trial in trials} <= {"mnist", "fashion-mnist", "cifar-10"}


# ---------------------------------------------------------------- one trial


QUICK = {"epochs": 2, "batch_size": 50, "limit": 300}


@pytest.mark.parametrize("method", LABELS)
def test_the_same_trial_gives_the_same_outcome_and_leaves_the_random_numbers_of_torch_alone(method):
    before = torch.get_rng_state()
    first, second = (run(trial("digits", [12], method, 0, **QUICK)) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert {**first, "seconds": 0} == {**second, "seconds": 0}
    other = run(trial("digits", [12], method, 1, **QUICK))
    assert (other["accuracy"], other["accuracy_train"]) != (first["accuracy"], first["accuracy_train"])


@pytest.mark.parametrize(
    ("method", "trained"),
    [
        ("direct", 20 * 30 + 30 * 10),
        ("original", 20 + 30 + 10),
        ("spectral", 20 + 2 * 30 + 10),
        ("s_svd", 20 + 2 * 30 + 10 + 20 + 10),
        ("s_qr", 20 + 2 * 30 + 10 + 20 * 21 // 2 + 10 * 11 // 2),
    ],
)
def test_the_networks_have_the_papers_numbers_of_parameters(method, trained):
    network = build(trial("digits", [30], method, 0), 20, 10)
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == trained + 30 + 10  # biases


@pytest.mark.parametrize("method", LABELS)
def test_the_seed_decides_the_start(method):
    first, again, other = (
        next(iter(build(trial("digits", [30], method, seed), 20, 10).children())).weight for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_sparse_trial_counts_what_came_back():
    spectral = run(trial("digits", [12], "s_qr", 0, sparsity=0.9, **QUICK))
    direct = run(trial("digits", [12], "direct", 0, sparsity=0.9, **QUICK))
    assert spectral["came_back"] > 0
    assert direct["came_back"] == 0


# ---------------------------------------------------------------- the command line


def test_the_list_names_every_recipe(capsys):
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    assert all(name[:12] in printed for name in RECIPES)


def test_names_may_be_beginnings_and_come_once_in_order():
    assert [recipe.name for recipe in chosen(["pre-fig-1"])] == ["pre-fig-1"]  # not 10: this one exists by that name
    assert next(recipe.name for recipe in chosen(["pre-fig-2", "pre-fig-1"])) == "pre-fig-1"
    assert len(chosen(["pre-fig-2", "pre-fig-2-mnist"])) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "nothing"], "no recipe is called 'nothing'; there are"),
        (["run", "pre-fig-1", "--scale", "huge"], "invalid choice: 'huge'"),
        (["run", "pre-fig-1", "--workers", "0"], "workers = 0; wanted at least 1"),
        (["run", "pre-fig-1", "--device", "tpu"], "invalid choice: 'tpu'"),
        ([], "required"),
    ],
)
def test_bad_options_are_told_in_words_before_any_work(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err
    assert files(tmp_path) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused_and_auto_takes_what_there_is():
    with pytest.raises(ValueError, match="PyTorch finds no CUDA here; use --device cpu"):
        device_of("cuda")
    assert device_of("auto") == "cpu"


def test_a_run_writes_the_gallery(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(RECIPES, "toy-fig-1", toy())
    assert main(["run", "toy-fig-1", "--scale", "smoke", "--out", str(tmp_path)]) == 0
    assert "last: 9 (paper: 9; agrees)" in capsys.readouterr().out
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "### Toy Fig. 1: Squares" in text
    assert "![Squares](toy-fig-1.png)" in text
    assert "| last | 9 | 9 | agrees |" in text
    assert "1 of 1 findings agree" in text
    assert "playground.png" not in text  # it is not in this folder


def test_a_picture_is_drawn_anew_from_its_numbers_without_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(RECIPES, "toy-fig-1", toy())
    reproduce(toy(), "smoke", out=tmp_path, console=QUIET)
    before = {name: (tmp_path / f"toy-fig-1.{name}").read_bytes() for name in ("svg", "json")}
    (tmp_path / "toy-fig-1.svg").unlink()
    monkeypatch.setitem(RECIPES, "toy-fig-1", replace(toy(), run=None))
    assert main(["draw", "toy-fig", "--out", str(tmp_path)]) == 0
    assert "last: 9 (paper: 9; agrees)" in capsys.readouterr().out
    assert before == {name: (tmp_path / f"toy-fig-1.{name}").read_bytes() for name in before}


@pytest.mark.parametrize("text", [None, "{", "{}", '{"trials": [{"trial": 1}]}'])
def test_without_numbers_there_is_no_picture(tmp_path, capsys, text):
    if text is not None:
        (tmp_path / "poster-panels.json").write_text(text)
    with pytest.raises(SystemExit):
        main(["draw", "poster-panels", "--out", str(tmp_path)])
    assert "poster-panels.json holds no numbers of poster-panels" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "poster-panels.svg").exists()


def test_the_gallery_says_where_a_finding_differs_and_what_data_it_was(tmp_path):
    def noted(trial, device):
        return square(trial, device) | {"note": "a subset"}

    reproduce(toy(noted, xs=(1, 2)), "smoke", out=tmp_path, console=QUIET)
    (tmp_path / "records.json").write_text("[]")  # not of a recipe
    write_gallery(tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| last | 9 | 4 | **differs** |" in text
    assert "a subset." in text
    assert "0 of 1 findings agree" in text


def test_a_bar_in_a_finding_opens_no_cell_of_the_gallerys_table(tmp_path):
    recipe = replace(toy(), findings=lambda done: [Finding("|λ|", "9", "4 < |x|", False)])
    reproduce(recipe, "smoke", out=tmp_path, console=QUIET)
    write_gallery(tmp_path)
    assert r"| \|λ\| | 9 | 4 < \|x\| | **differs** |" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_the_numbers_are_written_a_trial_a_line(tmp_path):
    reproduce(toy(), "smoke", out=tmp_path, console=QUIET)
    lines = (tmp_path / "toy-fig-1.json").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line.strip(" ,"))["trial"] for line in lines if line.startswith('  {"trial"')] == [
        {"x": x} for x in (1, 2, 3)
    ]


# ---------------------------------------------------------------- what is committed

FIGURES = Path(__file__).parent.parent / "figures"
COMMITTED = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FIGURES.glob("*.json"))}
COMMITTED = {name: content for name, content in COMMITTED.items() if "recipe" in content}


def test_the_gallery_is_what_the_numbers_beside_it_say(tmp_path):
    for name in [f"{name}.json" for name in COMMITTED] + ["playground.png"]:
        shutil.copy(FIGURES / name, tmp_path)
    write_gallery(tmp_path)
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == (FIGURES / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_figure_is_of_a_recipe_and_its_findings_follow_from_its_trials(name):
    content, recipe = COMMITTED[name], RECIPES[name]
    seeds = {one["trial"].get("search", one["trial"])["seed"] for one in content["trials"]}
    assert content["trials"] == [] or len(seeds) >= 3
    assert content["scale"] != "smoke" or not content["trials"]
    done = [Done(**one) for one in content["trials"]]
    assert [one.trial for one in done] == recipe.trials(content["setting"])
    assert content["findings"] == [finding._asdict() for finding in recipe.findings(done)]
    assert all((FIGURES / f"{name}.{ending}").exists() for ending in ("png", "svg"))


def test_a_recipe_that_no_paper_has_is_held_against_what_was_expected(tmp_path):
    for source, word in (("Toy Fig. 1", "paper"), ("beyond Toy Fig. 1", "expected")):
        assert said_by(source) == word
        reproduce(replace(toy(), source=source), "smoke", out=tmp_path, console=QUIET)
        write_gallery(tmp_path)
        assert f"| | {word} | here | |" in (tmp_path / "README.md").read_text()
