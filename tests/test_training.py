"""Training against a loop written by hand, and its promises: same seed same bits, no NaN survives, files are safe."""

import copy
import inspect
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_runs import bits, data, net, run_of
from strategies import draw_masks, inputs, masked_networks, masked_output, randomise, seeds
from torch import nn
from torch.testing import assert_close

from spectral_lab import Record, SpectralNet, TrainingDiverged, alpha_beta, digits, structure, train
from spectral_lab.penalties import PENALTIES, check_penalty, check_rho
from spectral_lab.snapshots import OVERHEAD

EXACT = {"rtol": 0, "atol": 0}


# -- penalties ---------------------------------------------------------------------------------------------------------

LAM = {"eigenvalues.0": torch.tensor([3.0, -4.0]), "eigenvalues.1": torch.tensor([0.0, 5.0, -12.0])}


@pytest.mark.parametrize(
    ("name", "value"),
    [("l1", 7.0 + 17.0), ("l2_norm", 5.0 + 13.0), ("l2_squared", 25.0 + 169.0)],
    ids=["l1", "norm", "squared"],
)
def test_penalties_are_summed_over_the_layers(name, value):
    """3-4-5 and 5-12-13: one norm over all layers together would be √194."""
    assert PENALTIES[name](LAM).item() == value


def test_the_three_penalties_are_all_there_are():
    assert set(PENALTIES) == {"l1", "l2_norm", "l2_squared"}


@pytest.mark.parametrize(("name", "slope"), [("l1", [1.0, -1.0]), ("l2_norm", [0.6, -0.8]), ("l2_squared", [6.0, -8.0])])
def test_penalties_pull_with_their_slope(name, slope):
    lam = torch.tensor([3.0, -4.0], requires_grad=True)
    PENALTIES[name]({"lam": lam}).backward()
    assert_close(lam.grad, torch.tensor(slope))


def test_at_zero_the_penalties_pull_nowhere():
    for penalty in PENALTIES.values():
        lam = torch.zeros(3, requires_grad=True)
        penalty({"lam": lam}).backward()
        assert_close(lam.grad, torch.zeros(3), **EXACT)


def test_an_unknown_penalty_is_refused_with_the_known_ones():
    for check in (lambda: check_penalty("l2"), lambda: run_of(penalty="l2")):
        with pytest.raises(ValueError, match=r"penalty = 'l2'; wanted one of \['l1', 'l2_norm', 'l2_squared'\] or a function"):
            check()


def test_a_function_is_its_own_penalty():
    assert check_penalty(len) is len
    assert check_penalty("l1") is PENALTIES["l1"]


@pytest.mark.parametrize("rho", [-1e-9, math.nan, math.inf])
def test_a_rho_that_is_no_strength_is_refused_at_the_start_and_later(rho):
    run = run_of(rho=0.5)
    for check in (lambda: check_rho(rho), lambda: run_of(rho=rho), lambda: setattr(run, "rho", rho)):
        with pytest.raises(ValueError, match=rf"rho = {rho}; wanted a finite regularisation strength of at least 0"):
            check()
    assert run.rho == 0.5


# -- the loop ----------------------------------------------------------------------------------------------------------


def by_hand(network, x, y, penalised, steps, lr, batch_size, rho, seed, omega, loss=nn.functional.mse_loss, output=None):
    """The loop that a student would write; returns the data losses.  One permutation an epoch from a seeded generator."""
    output = output or network
    generator, losses = torch.Generator().manual_seed(seed), []
    adam = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=lr)
    named = dict(network.named_parameters())
    while True:
        order = torch.randperm(len(x), generator=generator)
        for start in range(0, len(x), batch_size):
            if len(losses) == steps:
                return losses
            rows = order[start : start + batch_size]
            data_loss = loss(output(x[rows]), y[rows])
            adam.zero_grad()
            (data_loss + rho * sum(omega(named[name]) for name in penalised)).backward()
            adam.step()
            losses.append(data_loss.item())


OMEGAS = {
    "l1": lambda lam: lam.abs().sum(),
    "l2_norm": lambda lam: (lam**2).sum().sqrt(),
    "l2_squared": lambda lam: (lam**2).sum(),
}


@pytest.mark.parametrize("penalty", OMEGAS)
@pytest.mark.parametrize("frozen", [True, False])
def test_training_is_the_loop_written_by_hand(penalty, frozen):
    """Three epochs of 50 rows in batches of 20, so the last batch of each has 10."""
    ours, theirs = (
        randomise(net(nodes=(2, 6, 4, 1), train_input_eigenvalues=not frozen, dtype=torch.float64)) for _ in range(2)
    )
    x, y = (t.double() for t in data())
    options = {"steps": 8, "lr": 0.02, "batch_size": 20, "rho": 0.1, "seed": 5}
    run = train(ours, x, y, penalty=penalty, record_every=4, **options)
    records = list(run)
    penalised = [f"eigenvalues.{i}" for i in ((1, 2) if frozen else (0, 1, 2))]
    losses = by_hand(theirs, x, y, penalised, omega=OMEGAS[penalty], **options)
    assert_close(bits(ours), bits(theirs), rtol=1e-9, atol=1e-9)
    assert [record.step for record in records] == [4, 8]
    assert_close([record.data_loss for record in records], [sum(losses[:4]) / 4, sum(losses[4:]) / 4])
    assert_close(records[1].penalty, sum(OMEGAS[penalty](dict(theirs.named_parameters())[name]).item() for name in penalised))
    assert_close([record.epoch for record in records], [1 + 20 / 50, 2 + 40 / 50])


def test_records_describe_the_network_of_their_moment():
    network = randomise(net())
    for record in train(network, *data(), steps=20, record_every=7, rho=0.25):
        now = structure(network)
        assert (record.live, record.path_norm, record.depth, record.rho) == (now.live, now.norm, now.depth, 0.25)
    assert record.step == 20


def test_a_record_without_training_measures():
    network = randomise(net())
    x, y = data()
    record = train(network, x, y, steps=3).record()
    assert (record.step, record.epoch) == (0, 0.0)
    assert_close(record.data_loss, (network(x) - y).square().mean().item())


def test_a_record_cannot_be_changed():
    with pytest.raises(AttributeError):
        next(run_of()).step = 3


@given(seeds)
def test_the_same_seed_trains_to_the_same_bits(seed):
    first, again = (net(), net())
    records = [list(run_of(network, steps=10, seed=seed)) for network in (first, again)]
    assert_close(bits(first), bits(again), **EXACT)
    assert records[0] == records[1]


def test_another_seed_takes_other_batches():
    first, other = net(), net()
    run_of(first, seed=1).advance(3)
    run_of(other, seed=2).advance(3)
    assert not torch.equal(first.eigenvectors[0], other.eigenvectors[0])


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    run_of().advance(10)
    assert_close(torch.get_rng_state(), before, **EXACT)


def test_training_prints_nothing(capsys):
    list(run_of(steps=10))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("chunks", [[3, 7], [1] * 10, [3, 0, 7]], ids=str)
def test_a_run_cut_into_pieces_is_the_same_to_the_bit(chunks):
    """At step 3 the data, ρ, the penalty and lr change."""
    whole, pieces = net(), net()
    for network, cuts in ((whole, [3, 7]), (pieces, chunks)):
        run, changed = run_of(network), False
        for steps in cuts:
            run.advance(steps)
            if run.step == 3 and not changed:
                run.set_data(*data(alpha=0.2))
                run.rho, run.penalty, run.lr, changed = 0.1, "l1", 0.003, True
        assert run.step == 10
    assert_close(bits(whole), bits(pieces), **EXACT)


def test_records_do_not_change_the_run():
    watched, blind = net(), net()
    list(run_of(watched, steps=12, record_every=1))
    run_of(blind, steps=12).advance(12)
    assert_close(bits(watched), bits(blind), **EXACT)


def test_new_data_of_the_same_length_keep_the_order_of_the_batches():
    """A task that changes while one watches: x stays, y moves, and nothing else may jump."""
    plain, moved = net(), net()
    run_of(plain, steps=7).advance(7)
    run = run_of(moved, steps=7)
    for _ in range(7):
        run.advance(1)
        run.set_data(*data())
    assert_close(bits(plain), bits(moved), **EXACT)


def test_new_data_are_learned_also_with_another_number_of_rows():
    network = net(nodes=(2, 1))
    run = run_of(network, rho=0.0, lr=0.02)
    run.advance(10)
    x = data(30, seed=1)[0]
    run.set_data(x, 3 * x[:, :1] + 2)
    run.advance(1500)
    assert_close(network(x), 3 * x[:, :1] + 2, rtol=0, atol=0.02)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_without_rho_the_penalty_does_nothing(penalty):
    plain, penalised = net(), net()
    run_of(plain, rho=0.0, penalty="l1").advance(5)
    run_of(penalised, rho=0.0, penalty=penalty).advance(5)
    assert_close(bits(plain), bits(penalised), **EXACT)


def test_a_large_rho_empties_the_hidden_layer():
    network = randomise(net(train_input_eigenvalues=False), input_eigenvalues=False)
    *_, last = run_of(network, rho=10.0, steps=500, lr=0.01)
    assert network.eigenvalues[1].abs().max() < 0.05
    assert last.live == (0,)
    assert (network.eigenvalues[0] == 0).all()


def test_rho_and_penalty_and_lr_act_from_the_next_step_on():
    run = run_of(randomise(net()))
    first = next(run)
    run.rho, run.penalty = 0.5, "l2_squared"
    second = next(run)
    assert (first.rho, second.rho, run.penalty) == (1e-3, 0.5, "l2_squared")
    before, run.lr = bits(run.network), 1e-30
    next(run)
    assert run.lr == 1e-30
    assert_close(bits(run.network), before, **EXACT)


def test_a_penalty_may_be_a_function_of_the_named_eigenvalues():
    ours, theirs = randomise(net(dtype=torch.float64)), randomise(net(dtype=torch.float64))
    seen = []

    def only_hidden(lam):
        seen.append(sorted(lam))
        return lam["eigenvalues.1"].pow(4).sum()

    run = run_of(ours, penalty=only_hidden, rho=0.1, steps=5)
    run.advance(5)
    x, y = (t.double() for t in data())
    by_hand(theirs, x, y, ["eigenvalues.1"], 5, 0.01, 20, 0.1, 0, lambda lam: lam.pow(4).sum())
    assert_close(bits(ours), bits(theirs), rtol=1e-9, atol=1e-9)
    assert seen[0] == ["eigenvalues.0", "eigenvalues.1"]


def test_penalised_names_replace_the_default():
    ours, theirs = randomise(net(dtype=torch.float64)), randomise(net(dtype=torch.float64))
    run_of(ours, penalised=["eigenvectors.1", "eigenvalues.2"], penalty="l2_squared", rho=0.1).advance(5)
    x, y = (t.double() for t in data())
    by_hand(theirs, x, y, ["eigenvectors.1", "eigenvalues.2"], 5, 0.01, 20, 0.1, 0, OMEGAS["l2_squared"])
    assert_close(bits(ours), bits(theirs), rtol=1e-9, atol=1e-9)


def test_no_penalised_name_means_no_penalty():
    record = next(run_of(randomise(net()), penalised=[], rho=1.0))
    assert record.penalty == 0.0


def test_unknown_penalised_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"penalised names \['lam'\] are no parameters of the network; it has \['eig"):
        run_of(penalised=["lam", "eigenvalues.0"])


# -- other networks and losses -----------------------------------------------------------------------------------------


def test_any_module_trains_and_its_records_know_no_neurons():
    torch.manual_seed(0)
    ours = nn.Linear(2, 1)
    theirs = copy.deepcopy(ours)
    x, y = data()
    record = next(train(ours, x, y, steps=5, lr=0.01, batch_size=20, rho=1.0, record_every=5, seed=2))
    by_hand(theirs, x, y, [], 5, 0.01, 20, 0.0, 2, None)
    assert_close(bits(ours), bits(theirs))
    assert record == Record(5, record.epoch, record.data_loss, 0.0, 1.0, None, None, None)


def test_frozen_parameters_of_any_module_stay():
    module = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    module[0].requires_grad_(False)
    before = bits(module)
    run_of(module).advance(3)
    assert torch.equal(module[0].weight, before["0.weight"])
    assert not torch.equal(module[2].weight, before["2.weight"])


@pytest.mark.parametrize("build", [lambda: nn.Linear(64, 10), lambda: net(nodes=(64, 20, 10))], ids=["linear", "spectral"])
def test_digits_are_learned_with_cross_entropy(build):
    torch.manual_seed(0)
    split, network = digits(), build()
    list(train(network, split.x_train, split.y_train, epochs=10, lr=1e-2, loss=nn.functional.cross_entropy))
    with torch.no_grad():
        assert (network(split.x_test).argmax(1) == split.y_test).double().mean() > 0.9


def test_data_are_moved_to_the_float_type_of_the_network():
    network = net(dtype=torch.float64)
    run_of(network).advance(2)
    assert network.eigenvalues[0].dtype == torch.float64


def test_a_network_trains_in_bfloat16():
    record = next(run_of(net(dtype=torch.bfloat16), rho=0.0))
    assert math.isfinite(record.data_loss)


def test_training_goes_on_where_gradients_are_switched_off():
    """Gradient mode belongs to the thread that calls."""
    switched_off, plain = net(), net()
    with torch.no_grad():
        run_of(switched_off).advance(3)
    run_of(plain).advance(3)
    assert_close(bits(switched_off), bits(plain), **EXACT)


# -- snapshots ---------------------------------------------------------------------------------------------------------


def spoil(run, rows):
    """Whatever a hand may do between a snapshot and the return to it."""
    run.rho, run.penalty, run.lr = 0.7, "l1", 0.1
    run.set_data(*data(rows, alpha=0.1, seed=9))
    run.masks = draw_masks(run.network)
    run.advance(4)


@given(seeds, st.integers(0, 7), st.integers(1, 9), st.sampled_from([30, 50, 70]))
def test_from_a_snapshot_a_run_goes_on_to_the_same_bits(seed, before, after, rows):
    """50 rows in batches of 20, so that snapshots lie at every place of an epoch; a fresh run serves as well as the old one."""
    plain, network, fresh = net(), net(), net(seed=1)
    reference, run, other = run_of(plain, seed=seed), run_of(network, seed=seed), run_of(fresh, seed=seed + 1)
    other.advance(2)
    reference.advance(before)
    run.advance(before)
    snapshot = run.snapshot()
    spoil(run, rows)
    run.rho, run.penalty, run.lr, run.masks = 1e-3, "l2_norm", 0.01, None
    run.set_data(*data())
    reference.advance(after)
    expected = reference.record(), reference.advance(3), reference.record()
    for again in (run, other, run):
        again.restore(snapshot)
        assert (again.step, again.structure) == (before, None)
        again.advance(after)
        found = again.record(), again.advance(3), again.record()
        # the first record of the reference averages over all of its steps
        assert found[0].__dict__ | {"data_loss": 0} == expected[0].__dict__ | {"data_loss": 0}
        assert found[2] == expected[2]
        assert_close(bits(again.network), bits(plain), **EXACT)


@pytest.mark.parametrize("rows", [30, 50, 70])
def test_restored_onto_other_data_a_run_takes_every_row_of_them_once_an_epoch(rows):
    run, seen = run_of(net(nodes=(2, 1)), batch_size=10), []
    run.advance(3)
    snapshot = run.snapshot()
    x = torch.arange(rows * 2.0).reshape(rows, 2)
    run.set_data(x, x[:, :1])
    run.restore(snapshot)
    run.output = lambda batch: (seen.append(batch), run.network(batch))[1]
    run.advance(-(-rows // 10) if rows != 50 else 2)  # as many rows as before: the epoch goes on
    rest = torch.cat(seen)[:, 0].sort().values
    assert len(rest.unique()) == len(rest) == (rows if rows != 50 else 20)


def test_a_snapshot_does_not_change_while_the_training_goes_on():
    module = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))  # with buffers
    for network in (net(), module):
        run = run_of(network)
        for _ in range(2):  # taken before and after the moments exist, and restored in between
            snapshot = run.snapshot()
            kept = copy.deepcopy(snapshot)
            for _ in range(2):
                run.advance(7)
                run.set_data(*data(70))
                run.advance(7)
                run.set_data(*data(50))
                run.restore(snapshot)
            run.advance(7)
            assert_close(snapshot.numbers, kept.numbers, **EXACT)
            assert_close(snapshot.moments, kept.moments, **EXACT)
            assert_close([snapshot.generator, snapshot.order], [kept.generator, kept.order], **EXACT)
            assert snapshot[:3] == kept[:3]


def test_a_restored_run_measures_and_returns_there_when_it_diverges():
    run = run_of()
    run.advance(7)
    snapshot, wanted = run.snapshot(), bits(run.network)
    run.advance(9)
    run.restore(snapshot)
    assert_close(run.record().data_loss, nn.functional.mse_loss(run.output(run.data[0]), run.data[1]).item())
    run.advance(9)
    next(run)
    run.restore(snapshot)
    run.lr = 1e30
    with pytest.raises(TrainingDiverged, match="back at step 7"):
        next(run)
    assert_close(bits(run.network), wanted, **EXACT)


FOREIGN = {
    "another width": lambda: net(nodes=(2, 9, 1)),
    "another depth": lambda: net(nodes=(2, 8, 8, 1)),
    "another float type": lambda: net(dtype=torch.float64),
    "frozen input eigenvalues": lambda: net(train_input_eigenvalues=False),
    "a module": lambda: nn.Linear(2, 1),
}


@pytest.mark.parametrize("build", FOREIGN.values(), ids=FOREIGN)
def test_a_snapshot_of_another_network_is_refused_and_nothing_is_touched(build):
    ours, foreign, plain = run_of(net()), run_of(build()), run_of(net())
    for run in (ours, foreign, plain):
        run.advance(3)
    with pytest.raises(ValueError, match="the snapshot is of a network with other parameters; restore it into the run that"):
        ours.restore(foreign.snapshot())
    ours.advance(5)
    plain.advance(5)
    assert_close(bits(ours.network), bits(plain.network), **EXACT)


def test_a_snapshot_counts_its_own_bytes_without_what_others_share():
    """float32: parameters and two moments for each trainable one, with a step counter each, and the objects around them."""
    network = net(train_input_eigenvalues=False)
    trainable = [p.numel() for p in network.parameters() if p.requires_grad]
    numbers = sum(p.numel() for p in network.parameters())
    for rows in (50, 5000):
        run = run_of(net(train_input_eigenvalues=False), n=rows)
        assert run.snapshot().nbytes == 4 * numbers + OVERHEAD
        run.advance(1)
        assert run.snapshot().nbytes == 4 * (numbers + 2 * sum(trainable) + len(trainable)) + OVERHEAD


# -- neurons that are switched off -------------------------------------------------------------------------------------


@given(masked_networks(), seeds)
def test_training_with_masks_is_the_loop_written_by_hand(drawn, seed):
    ours, masks = drawn
    theirs, x = copy.deepcopy(ours), inputs(ours, 50)
    y = x.square().sum(1, keepdim=True).expand(-1, ours.sizes[-1])
    options = {"steps": 6, "lr": 0.02, "batch_size": 20, "rho": 0.1, "seed": seed}
    run = train(ours, x, y, penalty="l2_squared", **options)
    run.masks = masks
    run.advance(6)
    penalised = [name for name in run.penalised if theirs.get_parameter(name).requires_grad]
    by_hand(theirs, x, y, penalised, omega=OMEGAS["l2_squared"], output=lambda b: theirs.signals(b, masks)[-1], **options)
    assert_close(bits(ours), bits(theirs), rtol=1e-9, atol=1e-9)
    assert_close(run.output(x), masked_output(theirs, x, masks), rtol=1e-8, atol=1e-8)
    run.masks = None
    assert_close(run.output(x), theirs(x), rtol=1e-8, atol=1e-8)


@given(masked_networks())
def test_no_gradient_flows_through_a_neuron_that_is_switched_off(drawn):
    """In the other route its value is a constant, and the links into it occur nowhere."""
    network, masks = drawn
    x = inputs(network)
    run = train(network, x, torch.zeros(len(x), network.sizes[-1]), steps=1)
    run.masks = masks
    parameters = [p for p in network.parameters() if p.requires_grad]
    ours, theirs = (
        torch.autograd.grad(y.square().sum(), parameters, allow_unused=True, materialize_grads=True)
        for y in (run.output(x), masked_output(network, x, masks))
    )
    assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_records_describe_the_network_without_the_neurons_that_are_switched_off():
    network = randomise(net())
    run = run_of(network)
    run.masks = [torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0])]
    record = run.record()
    now = structure(network, masks=run.masks)
    assert (record.live, record.path_norm, record.depth) == (now.live, now.norm, now.depth)
    assert record.path_norm < structure(network).norm
    assert_close(record.data_loss, nn.functional.mse_loss(network.signals(run.data[0], run.masks)[-1], run.data[1]).item())


# -- how long ----------------------------------------------------------------------------------------------------------


def test_the_call_of_the_papers_depth_experiments_is_valid():
    x, y = data(10_000)
    run = train(SpectralNet([2, 300, 1]), x, y, epochs=60, batch_size=100, lr=1e-3, rho=1e-4, penalty="l2_norm", seed=3)
    assert run.steps == 60 * 100
    assert next(run).step == 100


def test_defaults_are_those_of_the_docstring():
    defaults = {name: p.default for name, p in inspect.signature(train).parameters.items()}
    assert (defaults["lr"], defaults["batch_size"], defaults["rho"]) == (1e-3, 100, 0.0)
    assert (defaults["penalty"], defaults["record_every"], defaults["seed"]) == ("l2_norm", 100, 0)


def test_epochs_are_counted_in_whole_passes():
    records = list(run_of(steps=None, epochs=3, record_every=2))
    assert [record.step for record in records] == [2, 4, 6, 8, 9]
    assert records[-1].epoch == 3.0


@pytest.mark.parametrize("length", [{"steps": 0}, {"steps": None, "epochs": 0}], ids=str)
def test_no_steps_means_no_records(length):
    network = net()
    before = bits(network)
    assert list(run_of(network, **length)) == []
    assert_close(bits(network), before, **EXACT)


@pytest.mark.parametrize("length", [{"steps": None}, {"steps": 3, "epochs": 3}], ids=str)
def test_steps_and_epochs_are_given_one_at_a_time(length):
    with pytest.raises(ValueError, match=r"steps = .* and epochs = .*; give exactly one of them"):
        run_of(**length)


@pytest.mark.parametrize("value", [-1, 2.5, True, "3"], ids=repr)
@pytest.mark.parametrize("name", ["steps", "epochs", "batch_size", "record_every"])
def test_counts_that_are_no_whole_numbers_are_refused(name, value):
    with pytest.raises(ValueError, match=rf"{name} = {value!r}; wanted a whole number of at least"):
        run_of(**({"steps": None} if name == "epochs" else {}), **{name: value})


@pytest.mark.parametrize("name", ["batch_size", "record_every"])
@pytest.mark.parametrize("length", [{"steps": 3}, {"steps": None, "epochs": 3}], ids=["steps", "epochs"])
def test_zero_rows_or_zero_steps_between_records_are_refused(name, length):
    with pytest.raises(ValueError, match=rf"{name} = 0; wanted a whole number of at least 1"):
        run_of(**length, **{name: 0})


@pytest.mark.parametrize("lr", [0, -1e-3, math.nan, math.inf])
def test_a_learning_rate_that_is_not_positive_and_finite_is_refused(lr):
    run = run_of()
    for check in (lambda: run_of(lr=lr), lambda: setattr(run, "lr", lr)):
        with pytest.raises(ValueError, match=rf"lr = {lr}; wanted a positive finite learning rate"):
            check()
    assert run.lr == 0.01


def test_batches_larger_than_the_data_are_the_whole_data():
    network, wanted = net(), net()
    run_of(network, batch_size=1000).advance(3)
    run_of(wanted, batch_size=50).advance(3)
    assert_close(bits(network), bits(wanted), **EXACT)


# -- bad data ----------------------------------------------------------------------------------------------------------


def with_bad_rows(values, bad, rows=(1, 4)):
    values = values.clone()
    values[list(rows), 0] = bad
    return values


BAD = {
    "NaN in x": (lambda x, y: (with_bad_rows(x, math.nan), y), r"x has NaN or infinite values in 2 of 50 rows"),
    "infinity in y": (lambda x, y: (x, with_bad_rows(y, math.inf)), r"y has NaN or infinite values in 2 of 50 rows"),
    "NaN in flat y": (lambda x, y: (x, with_bad_rows(y, math.nan)[:, 0]), r"y has NaN or infinite values in 2 of 50 rows"),
    "lengths": (lambda x, y: (x[:40], y), r"x has 40 rows and y has 50; wanted one target for each input"),
    "width of x": (lambda x, y: (x[:, :1], y), r"x has rows of 1 numbers; the network takes 2"),
    "flat y": (lambda x, y: (x, y[:, 0]), r"y has shape \(50,\); .* wants \(50, 1\)"),
    "width of y": (lambda x, y: (x, y.repeat(1, 2)), r"y has shape \(50, 2\); .* wants \(50, 1\)"),
    "no rows": (lambda x, y: (x[:0], y[:0]), r"x has shape \(0, 2\); wanted one row a sample, at least one"),
    "no dimension": (lambda x, y: (x, y[0, 0]), r"y has shape \(\); wanted one row a sample"),
}


@pytest.mark.parametrize(("spoil", "message"), BAD.values(), ids=BAD)
def test_data_that_do_not_fit_are_refused_before_training_and_during_it(spoil, message):
    network, (x, y) = net(), data()
    before = bits(network)
    with pytest.raises(ValueError, match=message):
        train(network, *spoil(x, y), steps=3)
    run, wanted = run_of(network), net()
    with pytest.raises(ValueError, match=message):
        run.set_data(*spoil(x, y))
    assert_close(bits(network), before, **EXACT)
    run.advance(3)
    run_of(wanted).advance(3)
    assert_close(bits(network), bits(wanted), **EXACT)


# -- NaN ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lr", [1e6, 1e20])
def test_a_run_that_diverges_says_so_and_puts_the_network_back(lr):
    network, wanted = net(nodes=(2, 8, 8, 8, 1)), net(nodes=(2, 8, 8, 8, 1))
    run, reference = run_of(network, record_every=20), run_of(wanted, record_every=20)
    next(run)
    good, run.lr = bits(network), lr
    with pytest.raises(
        TrainingDiverged, match=r"steps 20 and 40 .*Lower lr, e\.g\. to .* back at step 20, its last good state"
    ):
        next(run)
    assert_close(bits(network), good, **EXACT)
    assert run.step == 20
    run.lr = 0.01  # and on it goes, as if nothing had happened
    next(run)
    next(reference)
    next(reference)
    assert_close(bits(network), bits(wanted), **EXACT)


def test_a_run_that_diverges_at_once_is_back_at_its_start():
    network = net()
    before, run = bits(network), run_of(network, lr=1e30)
    for _ in range(2):
        with pytest.raises(TrainingDiverged, match="back at step 0"):
            next(run)
        assert_close(bits(network), before, **EXACT)
    run.lr = 0.01
    list(run_of(wanted := net(), steps=5))
    next(run)
    assert_close(bits(network), bits(wanted), **EXACT)


def test_a_large_rho_is_named_as_a_cause():
    with pytest.raises(TrainingDiverged, match=r"Lower lr, e\.g\. to 1e\+29, or rho\."):
        next(run_of(rho=1.0, lr=1e30))


def test_nan_in_a_parameter_is_found_also_when_the_loss_is_finite():
    network = net()
    run = run_of(network)
    next(run)
    good = bits(network)
    run.advance(2)
    with torch.no_grad():
        network.eigenvalues[0][0] = math.nan
    with pytest.raises(TrainingDiverged):
        run.record()
    assert_close(bits(network), good, **EXACT)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None])
def test_one_number_that_is_not_finite_is_found_among_many_of_any_type(dtype, bad):
    network = nn.Sequential(nn.Linear(300, 300, dtype=dtype), nn.BatchNorm1d(300))  # which has whole numbers, too
    with torch.no_grad():
        network[0].weight.fill_(2.0)  # their sum is beyond what float16 can hold
        if bad is not None:
            network[0].weight[7, 5] = bad
    run = train(network, torch.zeros(4, 300), torch.zeros(4, 300), steps=1)
    assert run.snapshot().finite == (bad is None)


def test_nan_that_comes_while_a_record_is_made_is_not_kept():
    network = net()
    good = bits(network)

    def spoil(module, inputs, output):  # as another thread may, here between two looks at the network
        if not module.training:
            good.update(bits(network))
            network.eigenvalues[1].data.fill_(math.nan)

    network.register_forward_hook(spoil)
    run = run_of(network, validation=data(20))
    next(run)
    assert network.eigenvalues[1].isnan().all()
    with pytest.raises(TrainingDiverged, match="back at step 5, its last good state"):
        next(run)
    assert_close(bits(network), good, **EXACT)


def test_an_infinite_loss_is_found_also_when_every_parameter_is_finite():
    network = net()
    before = bits(network)
    run = run_of(network, loss=lambda output, y: nn.functional.mse_loss(output, y) + math.inf)
    run.advance(2)
    assert all(p.isfinite().all() for p in network.parameters())
    with pytest.raises(TrainingDiverged, match="became inf between steps 0 and 2"):
        run.record()
    assert_close(bits(network), before, **EXACT)


@pytest.mark.parametrize("rows", [30, 70])
def test_a_run_that_diverges_on_other_data_than_its_last_good_state_can_go_on(rows):
    network = net()
    run = run_of(network)
    next(run)
    good, run.lr = bits(network), 1e30
    run.set_data(*data(rows))
    with pytest.raises(TrainingDiverged):
        next(run)
    assert_close(bits(network), good, **EXACT)
    run.lr = 0.01
    for _ in range(5):
        assert math.isfinite(next(run).data_loss)


def test_running_averages_are_put_back_too():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    run = run_of(module)
    next(run)
    good, run.lr = bits(module), 1e38
    with pytest.raises(TrainingDiverged):
        next(run)
    assert_close(bits(module), good, **EXACT)


# -- the story ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_hidden_layer_grows_when_the_task_is_curved(alpha):
    """SPARCS App. E and Fig. 7: 3-300-1 with λ_1 trained, 10⁴ points, β = 5, 300 epochs."""
    x, y = alpha_beta(alpha, 5, 10_000)
    network = net(nodes=(2, 300, 1))
    *_, last = train(network, x, y, epochs=300, batch_size=100, lr=1e-3, rho=1e-4, penalty="l2_norm", record_every=1000)
    if alpha == 0:
        assert network.eigenvalues[1].abs().max() < 1e-2
        assert last.path_norm < 1e-3
        assert (last.live, last.depth) == ((0,), 1)
    else:
        assert last.path_norm > 0.2
        assert last.data_loss < 1e-4
        assert last.depth == 2
