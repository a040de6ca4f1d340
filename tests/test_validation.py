"""Validation, early stopping, heads inside networks and mixed precision: what users of images expect of a training."""

import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import randomise
from torch import nn
from torch.testing import assert_close
from torch.utils.data import TensorDataset

from spectral_lab import SpectralNet, TrainingDiverged, alpha_beta, digits, structure, train
from spectral_lab.batches import TensorRows
from spectral_lab.networks import find_spectral, usually_penalised
from spectral_lab.validation import has_classes, measure, mode

EXACT = {"rtol": 0, "atol": 0}
ENTROPY = nn.functional.cross_entropy


def head(nodes=(4, 6, 3), **options):
    return SpectralNet(nodes, generator=torch.Generator().manual_seed(0), **options)


def model(seed=0, **options):
    """Convolution, batch norm and a SPARCS head, for images (1, 4, 4)."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(1, 1, 3), nn.BatchNorm2d(1), nn.ReLU(), nn.Flatten(), head(**options))


def images(n=40, seed=0):
    x = torch.rand(n, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
    return x, (3 * x.mean((1, 2, 3)) - 1).mul(4).round().long().clamp(0, 2)


def run_of(network=None, **options):
    options = {"steps": 40, "batch_size": 16, "lr": 0.01, "loss": ENTROPY, "record_every": 2, "rho": 1e-3} | options
    return train(network if network is not None else model(), *images(), **options)


def bits(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


# -- a head inside a network -------------------------------------------------------------------------------------------


def test_the_one_spectral_network_inside_is_found_with_its_name():
    network = model()
    assert find_spectral(network) == ("4", network[4])
    assert find_spectral(network[4]) == ("", network[4])
    assert find_spectral(nn.Linear(2, 2)) is None
    assert find_spectral(nn.Sequential(head(), head())) is None


def test_its_eigenvalues_are_penalised_by_their_names_without_the_first_that_is_frozen_and_the_last():
    assert run_of().penalised == usually_penalised(model()) == ["4.eigenvalues.0", "4.eigenvalues.1"]
    assert run_of(model(train_input_eigenvalues=False)).penalised == ["4.eigenvalues.1"]
    assert usually_penalised(head()) == list(head().penalised_eigenvalues())
    assert (
        usually_penalised(nn.Sequential(head(), head()))
        == run_of(nn.Sequential(nn.Flatten(), nn.Linear(16, 3))).penalised
        == []
    )


def test_a_penalised_head_feels_rho():
    free, held = model(), model()
    run_of(free, rho=0.0).advance(30)
    run_of(held, rho=10.0).advance(30)
    assert held[4].eigenvalues[1].abs().sum() < 0.1 * free[4].eigenvalues[1].abs().sum()


def test_records_describe_the_head():
    network = model()
    randomise(network[4])
    for record in run_of(network, steps=4):
        now = structure(network[4])
        assert (record.live, record.path_norm, record.depth) == (now.live, now.norm, now.depth)
    assert record.live != (0,)


def test_neurons_of_a_head_are_switched_off_and_on():
    network, mask = model().eval(), [torch.tensor([1.0, 0, 1, 0, 0, 1])]
    randomise(network[4])
    run, (x, _) = run_of(network), images()
    run.masks = mask
    assert_close(run.output(x), network[4].signals(network[:4](x), mask)[-1], **EXACT)
    now = structure(network[4], masks=mask)
    assert run.record().live == now.live != structure(network[4]).live
    run.masks = None
    assert_close(run.output(x), network(x), **EXACT)


def test_a_network_without_a_head_has_no_neurons_to_switch_off():
    run = train(nn.Linear(2, 1), *alpha_beta(1.0, 5, 50, seed=0), steps=1)
    run.masks = [torch.ones(3)]
    with pytest.raises(TypeError, match="masks are for a network that is a SpectralNet or has one inside; this one has none"):
        next(run)


# -- validation --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [lambda x, y: (x, y), lambda x, y: TensorDataset(x, y)], ids=["tensors", "dataset"])
def test_records_have_loss_and_accuracy_of_the_validation_data(kind):
    network, (x, y) = model(), images(23, seed=5)
    for record in run_of(network, steps=6, validation=kind(x, y)):
        network.eval()
        with torch.no_grad():
            z = network(x)
        network.train()
        assert_close(record.validation_loss, ENTROPY(z, y).item())
        assert record.accuracy == (z.argmax(1) == y).double().mean().item()


@given(st.integers(1, 30), st.integers(1, 12))
def test_measured_in_chunks_the_loss_is_that_of_all_rows(n, chunk):
    x, y = images(n)
    network = model().eval()
    rows = TensorRows(x.expand(n, 1, 4, 4), y, x)
    rows.chunks = lambda least: zip(x.split(least), y.split(least), strict=True)
    found = measure(network, ENTROPY, rows, chunk)
    assert_close(found.loss, ENTROPY(network(x), y))
    assert found.accuracy == pytest.approx((network(x).argmax(1) == y).double().mean().item())


CLASSES = {
    "classes": (torch.zeros(5, 3), torch.zeros(5).long(), True),
    "classes of pixels": (torch.zeros(5, 3, 2, 2), torch.zeros(5, 2, 2).long(), True),
    "numbers": (torch.zeros(5, 3), torch.zeros(5, 3), False),
    "shares of classes": (torch.zeros(5, 5), torch.zeros(5, 5).long(), False),
    "one output": (torch.zeros(5, 1), torch.zeros(5).long(), False),
    "yes or no": (torch.zeros(5, 2), torch.zeros(5, dtype=torch.bool), False),
    "flat": (torch.zeros(5), torch.zeros(5).long(), False),
}


@pytest.mark.parametrize(("z", "y", "wanted"), CLASSES.values(), ids=CLASSES)
def test_accuracy_is_known_of_classes(z, y, wanted):
    assert has_classes(z, y) == wanted


def test_without_classes_there_is_a_loss_and_no_accuracy_and_without_data_neither():
    data = alpha_beta(1.0, 5, 50, seed=0)
    record = train(head((2, 4, 1)), *data, steps=1, validation=data).record()
    assert (record.validation_loss, record.accuracy) == (record.data_loss, None)
    record = train(head((2, 4, 1)), *data, steps=1).record()
    assert (record.validation_loss, record.accuracy) == (None, None)


def test_validation_does_not_change_the_run():
    watched, blind = model(), model()
    list(run_of(watched, steps=12, validation=images(seed=3), record_every=1))
    run_of(blind, steps=12).advance(12)
    assert_close(bits(watched), bits(blind), **EXACT)


class Modes(nn.Module):
    """Notes in which mode it is called."""

    def __init__(self):
        super().__init__()
        self.linear, self.seen = nn.Linear(16, 3), []

    def forward(self, x):
        self.seen.append(self.training)
        return self.linear(x.flatten(1))


@pytest.mark.parametrize("before", [True, False])
def test_steps_are_taken_in_train_mode_and_validation_is_in_eval_mode_and_the_mode_found_comes_back(before):
    network = Modes().train(before)
    run = run_of(network, steps=2, validation=images())
    next(run)
    assert network.seen == [True, True, False]
    assert network.training == network.linear.training == before
    network.seen.clear()
    run.record()  # without steps the data are measured too
    assert network.seen == [False, False]


def test_a_frozen_part_stays_in_eval_mode():
    network = model().train()
    network[1].eval()
    before = network[1].running_mean.clone()
    next(run_of(network, validation=images()))
    assert [part.training for part in network] == [True, False, True, True, True]
    assert_close(network[1].running_mean, before, **EXACT)


def test_the_mode_comes_back_after_an_error_too():
    network = model().train()
    network[0].eval()

    def fail():
        assert not network.training
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), mode(network, training=False):
        fail()
    assert [part.training for part in network] == [False, True, True, True, True]


def test_measuring_without_steps_leaves_running_averages_alone():
    network = model()
    before = bits(network)
    run_of(network).record()
    assert_close(bits(network), before, **EXACT)


def test_validation_data_that_do_not_fit_are_refused():
    x, y = alpha_beta(1.0, 5, 50, seed=0)
    with pytest.raises(ValueError, match="x has rows of 1 numbers; the network takes 2") as caught:
        train(head((2, 4, 1)), x, y, steps=1, validation=(x[:, :1], y))
    assert caught.value.__notes__ == ["in validation="]


# -- what a network cannot learn ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [nn.functional.mse_loss, nn.MSELoss()], ids=["function", "module"])
@pytest.mark.parametrize(("n_out", "y"), [(5, torch.arange(5)), (1, torch.ones(5)), (5, torch.ones(5, 1))], ids=str)
def test_the_squared_error_is_never_of_broadcast_targets(loss, n_out, y):
    network = nn.Sequential(nn.Linear(2, n_out))
    before = bits(network)
    run = train(network, torch.rand(5, 2), y, steps=3, loss=loss)
    shape = re.escape(str(tuple(y.shape)))
    message = rf"answers with the shape \(5, {n_out}\) and the targets have {shape}; .*loss=.*cross_entropy"
    with pytest.raises(ValueError, match=message):
        next(run)
    with pytest.raises(ValueError, match=message):
        run.measure()
    assert_close(bits(network), before, **EXACT)


@pytest.mark.parametrize("autocast", [None, torch.bfloat16])
def test_a_network_without_anything_to_train_is_refused(autocast):
    for network in (nn.Flatten(), model().requires_grad_(False)):
        with pytest.raises(ValueError, match="the network has no parameter to train; wanted one at least with requires_grad"):
            run_of(network, autocast=autocast)


def test_a_batch_that_a_network_cannot_do_with_is_told():
    normed = nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    cases = {
        "41 rows in batches of 20 leave one alone, and batch norm wants two at least; take another batch_size": images(41),
        "whole numbers stay what they are; divide the bytes of images by 255": ((255 * images()[0]).byte(), images()[1]),
        "the batch has the shape (20, 1, 5, 4) and the type torch.float32": (torch.rand(40, 1, 5, 4), images()[1]),
    }
    for cure, (x, y) in cases.items():
        with pytest.raises((ValueError, RuntimeError)) as caught:
            list(train(normed, x, y, epochs=1, batch_size=20, loss=ENTROPY))
        assert cure in caught.value.__notes__[0]


def test_a_run_that_diverges_says_whether_in_its_loss_or_in_the_network():
    for value, words in ((math.nan, "the loss became nan"), (math.inf, "the loss became inf")):
        with pytest.raises(TrainingDiverged, match=f"{words} between steps 0 and 2"):
            next(run_of(loss=lambda z, y, value=value: ENTROPY(z, y) + value))
    run = run_of()
    run.advance(2)
    run.network[1].running_mean[0] = math.inf
    with pytest.raises(TrainingDiverged, match="a number of the network became NaN, infinite or too large between steps 0"):
        run.record()


# -- early stopping ----------------------------------------------------------------------------------------------------


def scripted(losses, **options):
    """A run whose k-th record finds the k-th of these validation losses."""
    network, script = Modes(), iter(losses)

    def loss(z, y):
        return ENTROPY(z, y) if network.training else ENTROPY(z, y) * 0 + next(script)

    return run_of(network, steps=100, loss=loss, validation=images(), record_every=1, **options)


@pytest.mark.parametrize(
    ("losses", "patience", "taken", "best"),
    [
        ([5, 4, 3, 3, 3.5, 1, 1], 2, 5, 3),
        ([5, 4, 3, 3, 3.5, 1, 2, 3, 4, 0], 3, 9, 6),
        ([1, 2, 0], 1, 2, 1),
        ([math.nan, 2, math.nan, 1, 5, math.nan, 0], 2, 6, 4),
        ([math.nan, math.nan, 0], 2, 2, None),
    ],
)
def test_the_iteration_stops_after_that_many_records_without_a_lower_loss(losses, patience, taken, best):
    run = scripted(losses, patience=patience)
    assert [record.step for record in run] == list(range(1, taken + 1))
    assert list(run) == []
    assert (run.best.step if run.best else None) == best


def test_without_patience_nothing_stops_and_the_best_is_known():
    run = scripted([5, *[7] * 98, 6])
    assert len(list(run)) == 100
    assert (run.best.step, run.best.validation_loss) == (1, 5)


def test_the_best_record_is_returned_to_with_running_averages():
    run, kept = run_of(steps=30, lr=0.3, validation=images(seed=1)), {}
    for record in run:
        kept[record.step] = bits(run.network)
    assert run.best.step < 30  # at this rate it gets worse
    run.restore_best()
    assert run.step == run.best.step
    assert_close(bits(run.network), kept[run.best.step], **EXACT)
    assert_close(run.measure(run.validation).loss.item(), run.best.validation_loss)


def test_there_is_no_best_to_return_to_before_the_first_record():
    with pytest.raises(ValueError, match=r"there is no best record yet; train with validation=\(x, y\)"):
        run_of(validation=images()).restore_best()


@pytest.mark.parametrize("patience", [0, -1, 2.0, True])
def test_a_patience_that_is_no_whole_number_is_refused(patience):
    with pytest.raises(ValueError, match=f"patience = {patience}; wanted a whole number of at least 1"):
        run_of(patience=patience, validation=images())


def test_patience_without_validation_data_is_refused():
    with pytest.raises(ValueError, match=r"patience = 3 without validation data; wanted validation=\(x, y\) or a dataset"):
        run_of(patience=3)


# -- batch norm --------------------------------------------------------------------------------------------------------


@given(st.integers(0, 7), st.integers(1, 5))
def test_with_batch_norm_a_run_goes_on_from_a_snapshot_to_the_same_bits(before, after):
    plain, cut = model(), model()
    run_of(plain).advance(before + after)
    run = run_of(cut)
    run.advance(before)
    snapshot = run.snapshot()
    run.advance(6)
    run.restore(snapshot)
    assert cut[1].num_batches_tracked == before
    run.advance(after)
    assert_close(bits(cut), bits(plain), **EXACT)


def test_infinite_running_averages_are_no_good_state():
    network = model()
    run = run_of(network)
    next(run)
    good = bits(network)
    run.advance(1)
    network[1].running_var.fill_(math.inf)
    with pytest.raises(TrainingDiverged, match="back at step 2"):
        run.record()
    assert_close(bits(network), good, **EXACT)


def test_a_parameter_that_no_gradient_reaches_does_not_hinder_the_return():
    network, other = (nn.ModuleDict({"used": nn.Linear(16, 3), "idle": nn.Linear(2, 2)}) for _ in range(2))
    other.load_state_dict(network.state_dict())
    for m in (network, other):
        m.forward = lambda x, m=m: m["used"](x.flatten(1))
    run, plain = run_of(network), run_of(other)
    run.advance(3)
    snapshot = run.snapshot()
    run.advance(4)
    run.restore(snapshot)
    run.advance(2)
    plain.advance(5)
    assert_close(bits(network), bits(other), **EXACT)


# -- mixed precision ---------------------------------------------------------------------------------------------------

SIXTEEN = [torch.bfloat16, torch.float16]


@pytest.mark.parametrize("dtype", SIXTEEN, ids=str)
def test_products_are_in_sixteen_bits_and_loss_and_penalty_and_parameters_in_full(dtype):
    seen = []

    def note(name):
        return lambda *tensors: seen.append((name, tensors[0].dtype))

    network = model()
    network[0].register_forward_hook(lambda module, x, z: note("product")(z))

    def omega(lam):
        note("penalty")(sum(v.abs().sum() for v in lam.values()))
        return sum((v @ v) for v in lam.values())  # a product: autocast would shorten it

    def loss(z, y):
        note("loss")(z)
        return ENTROPY(z, y)

    run_of(network, loss=loss, penalty=omega, autocast=dtype, steps=2).advance(1)
    assert set(seen) == {("product", dtype), ("loss", torch.float32), ("penalty", torch.float32)}
    assert {p.dtype for p in network.parameters()} == {torch.float32}


@pytest.mark.parametrize("dtype", SIXTEEN, ids=str)
def test_digits_are_learned_in_mixed_precision(dtype):
    split, network = digits(), head((64, 20, 10))
    options = {"validation": (split.x_test, split.y_test), "loss": ENTROPY, "lr": 1e-2}
    *_, last = train(network, split.x_train, split.y_train, epochs=10, autocast=dtype, **options)
    assert last.accuracy > 0.9


@pytest.mark.parametrize("dtype", SIXTEEN, ids=str)
def test_in_mixed_precision_a_run_goes_on_from_a_snapshot_to_the_same_bits(dtype):
    plain, cut = model(), model()
    whole, run = run_of(plain, autocast=dtype), run_of(cut, autocast=dtype)
    whole.advance(9)
    run.advance(4)
    snapshot = run.snapshot()
    run.advance(3)
    run.restore(snapshot)
    run.advance(5)
    assert_close(bits(cut), bits(plain), **EXACT)


def test_a_step_whose_gradients_overflow_in_float16_is_left_out_and_the_factor_falls():
    """Gradients are multiplied by 65,536 at the start; these exceed what float16 holds until the factor has fallen."""
    network = model()
    before = bits(network[4])
    run = run_of(network, autocast=torch.float16, loss=lambda z, y: 1e3 * ENTROPY(z, y))
    run.advance(1)
    first = run.snapshot()
    assert first.scale == (2.0**15, 0)
    assert_close(bits(network[4]), before, **EXACT)
    run.advance(20)
    assert run.snapshot().scale[0] < 2.0**15
    assert not torch.equal(network[4].eigenvectors[0], before["eigenvectors.0"])
    run.restore(first)
    assert run.snapshot().scale == first.scale


def test_full_precision_has_no_factor():
    assert [run_of(autocast=dtype).snapshot().scale for dtype in (None, torch.bfloat16)] == [None, None]


def test_other_types_and_networks_are_refused():
    with pytest.raises(ValueError, match=r"autocast = torch.float32; wanted torch.bfloat16, torch.float16 or None"):
        run_of(autocast=torch.float32)
    with pytest.raises(ValueError, match=r"autocast = torch.bfloat16 for parameters of torch.float64; wanted a network of"):
        run_of(model().double(), autocast=torch.bfloat16)
