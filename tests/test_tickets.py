"""Pruning's two protocols: what is trained in which phase, what is left, and that it still does its task."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from spectral_lab import SpectralLinear, SpectralNet, digits, prune, spectralize, train
from spectral_lab.layers import feed_forward
from spectral_lab.tickets import Phase, penalised_names, post_training, pre_training, train_eigenvalues, train_eigenvectors

SHORT = Phase(epochs=2, lr=1e-2)
NONE = Phase(epochs=0)


@pytest.fixture(scope="module")
def data():
    return digits()


def make(nodes=(64, 40, 10), layer=SpectralLinear.student, **options):
    return feed_forward(nodes, layer, activation=nn.ELU, generator=torch.Generator().manual_seed(0), **options)


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def accuracy(model, x, y):
    return (model(x).argmax(-1) == y).float().mean().item()


def test_a_winning_ticket_does_its_task_with_a_tenth_of_the_nodes(data):
    model = make((64, 200, 10))
    before = state(model)
    phases = {"eigenvalues": Phase(epochs=8, lr=2e-2), "eigenvectors": Phase(epochs=8, lr=1e-2)}
    network, certificates, records = pre_training(model, data.x_train, data.y_train, fraction=0.9, **phases)
    assert network[0].n_out == 20
    assert (certificates[0].nodes_after, certificates[0].exact) == ((64, 20, 10), False)
    assert accuracy(network, data.x_test, data.y_test) > 0.9
    assert [len(phase) for phase in records] == [1, 1]
    assert changed(before, state(model)) == set()


def test_each_phase_trains_what_it_says_and_nothing_else(data):
    model = make()
    before = state(model)
    by_values, _, _ = pre_training(model, data.x_train, data.y_train, fraction=0.0, eigenvalues=SHORT, eigenvectors=NONE)
    assert changed(before, state(by_values)) == {"0.eigenvalues_out", "2.eigenvalues_out"}
    by_vectors, _, _ = pre_training(model, data.x_train, data.y_train, fraction=0.0, eigenvalues=NONE, eigenvectors=SHORT)
    assert changed(before, state(by_vectors)) == {"0.basis.eigenvectors", "2.basis.eigenvectors"}
    with_biases = {"eigenvalues": SHORT, "eigenvectors": NONE, "biases": True}
    biases, _, _ = pre_training(model, data.x_train, data.y_train, fraction=0.0, **with_biases)
    assert changed(before, state(biases)) == {"0.eigenvalues_out", "2.eigenvalues_out", "0.bias", "2.bias"}


@pytest.mark.parametrize("layer", [SpectralLinear, SpectralLinear.spectral, SpectralLinear.s_svd, SpectralLinear.s_qr])
def test_every_kind_of_layer_goes_through_both_phases_and_keeps_what_it_froze(data, layer):
    model = make(layer=layer)
    x, y = data.x_train[:200], data.y_train[:200]
    network, _, _ = pre_training(model, x, y, fraction=0.5, eigenvalues=SHORT, eigenvectors=SHORT)
    assert network[0].n_out == 20
    assert [p.requires_grad for p in network.parameters()] == [p.requires_grad for p in model.parameters()]
    without, _, _ = pre_training(model, x, y, fraction=0.5, eigenvalues=SHORT, eigenvectors=NONE)
    vectors = {name for name, _ in network.named_parameters() if "basis" in name}
    assert len(vectors) == 2
    assert changed(state(without), state(network)) == vectors


def test_the_protocols_are_training_and_pruning_by_hand(data):
    x, y = data.x_train[:300], data.y_train[:300]
    options = {"epochs": 2, "lr": 1e-2, "batch_size": 128, "loss": nn.functional.cross_entropy, "seed": 4}
    by_hand = make()
    list(train(by_hand, x, y, **options))
    by_hand, _ = prune(by_hand, "eigenvalue", fraction=0.5)
    found = post_training(make(), x, y, fraction=0.5, training=SHORT, seed=4)
    assert_close(state(found.network), state(by_hand), rtol=0, atol=0)

    by_hand = make()
    for name, p in by_hand.named_parameters():
        p.requires_grad_(name.endswith("eigenvalues_out"))
    list(train(by_hand, x, y, **options))
    by_hand, _ = prune(by_hand, "eigenvalue", fraction=0.5)
    for name, p in by_hand.named_parameters():
        p.requires_grad_("basis" in name)
    list(train(by_hand, x, y, **options))
    found = pre_training(make(), x, y, fraction=0.5, eigenvalues=SHORT, eigenvectors=SHORT, seed=4)
    assert_close(state(found.network), state(by_hand), rtol=0, atol=0)


def test_one_training_of_the_eigenvalues_serves_tickets_of_every_size(data):
    x, y = data.x_train[:300], data.y_train[:300]
    shared, phase = make(), replace(SHORT, rho=1e-3)
    train_eigenvalues(shared, x, y, phase, seed=4)
    for fraction in (0.2, 0.5):
        network, _ = prune(shared, "eigenvalue", fraction=fraction)
        train_eigenvectors(network, x, y, SHORT, seed=4)
        whole = pre_training(make(), x, y, fraction=fraction, eigenvalues=phase, eigenvectors=SHORT, seed=4)
        assert_close(state(network), state(whole.network), rtol=0, atol=0)


@pytest.mark.parametrize("phase", [train_eigenvalues, train_eigenvectors])
def test_a_phase_by_itself_trains_its_part_in_place_and_leaves_what_is_trainable_as_it_was(data, phase):
    model = make(layer=SpectralLinear.original)
    before, trainable = state(model), [p.requires_grad for p in model.parameters()]
    records = phase(model, data.x_train[:200], data.y_train[:200], SHORT, biases=True)
    part = "eigenvalues_out" if phase is train_eigenvalues else "basis.eigenvectors"
    assert changed(before, state(model)) == {f"{k}.{name}" for k in (0, 2) for name in (part, "bias")}
    assert [p.requires_grad for p in model.parameters()] == trainable
    assert len(records) == 1
    with pytest.raises(ValueError, match="the model has no spectral layer"):
        phase(nn.Sequential(nn.Linear(64, 10)), data.x_train, data.y_train)
    with pytest.raises(TypeError, match="the model is a Linear; wanted"):
        phase(nn.Linear(64, 10), data.x_train, data.y_train)


def test_rounds_remove_the_same_share_of_what_is_left(data):
    model, x, y = make(), data.x_train[:100], data.y_train[:100]
    options = {"fraction": 0.875, "rounds": 3}
    _, certificates, records = pre_training(model, x, y, eigenvalues=NONE, eigenvectors=NONE, **options)
    assert [c.nodes_after[1] for c in certificates] == [20, 10, 5]
    assert len(records) == 4
    _, certificates, records = post_training(model, x, y, training=NONE, **options)
    assert [c.nodes_after[1] for c in certificates] == [20, 10, 5]
    assert len(records) == 3


@pytest.mark.parametrize("rounds", [1, 3])
def test_rewinding_takes_the_eigenvalues_of_the_survivors_back_to_their_start(data, rounds):
    model, x, y = make(layer=SpectralLinear), data.x_train[:200], data.y_train[:200]
    ticket = pre_training(
        model, x, y, fraction=0.8, eigenvalues=SHORT, eigenvectors=NONE, rounds=rounds, rewind=True, layers=[0]
    )
    alive = torch.arange(40)
    for certificate in ticket.certificates:
        alive = alive[list(certificate.kept[0])]
    assert_close(ticket.network[0].eigenvalues_out, model[0].eigenvalues_out[alive], rtol=0, atol=0)
    assert_close(ticket.network[0].eigenvalues_in, model[0].eigenvalues_in, rtol=0, atol=0)
    assert_close(ticket.network[2].eigenvalues_in, model[2].eigenvalues_in[alive], rtol=0, atol=0)


def test_rewinding_between_rounds_of_post_training_leaves_the_eigenvectors_trained(data):
    model, x, y = make(), data.x_train[:200], data.y_train[:200]
    options = {"fraction": 0.75, "rounds": 2, "training": SHORT}
    plain, rewound = post_training(model, x, y, **options), post_training(model, x, y, rewind=True, **options)
    assert plain.certificates[0] == rewound.certificates[0]
    assert not torch.equal(plain.network[0].eigenvalues_out, rewound.network[0].eigenvalues_out)


def test_the_regulariser_acts_on_the_eigenvalues_of_the_hidden_nodes_or_on_plain_weights(data):
    x, y = data.x_train[:300], data.y_train[:300]
    assert penalised_names(make((64, 9, 8, 10))) == ["0.eigenvalues_out", "2.eigenvalues_out"]
    assert penalised_names(make((64, 9, 8, 10)), layers=[1]) == ["2.eigenvalues_out"]
    plain = nn.Sequential(nn.Linear(64, 40), nn.ELU(), nn.Linear(40, 10))
    assert penalised_names(plain) == ["0.weight"]
    assert penalised_names(SpectralNet([3, 4, 1])) is None
    sums = {}
    for rho in (0.0, 0.01):
        phase = replace(SHORT, epochs=5, rho=rho)
        spectral = post_training(make(), x, y, fraction=0.0, training=phase).network
        direct = post_training(plain, x, y, fraction=0.0, ranking="connectivity", training=phase).network
        values = pre_training(make(), x, y, fraction=0.0, eigenvalues=phase, eigenvectors=NONE).network
        vectors = pre_training(make(), x, y, fraction=0.0, eigenvalues=NONE, eigenvectors=phase).network
        tensors = (spectral[0].eigenvalues_out, direct[0].weight, values[0].eigenvalues_out, vectors[0].eigenvectors)
        sums[rho] = torch.stack([t.abs().sum() for t in tensors])
    assert bool((sums[0.01] < 0.95 * sums[0.0]).all()), sums


def test_the_penalty_of_the_weights_of_a_spectral_layer_needs_no_more_than_a_function(data):
    """Σ|w| of App. D in spectral space: a penalty gets the named parameters and may make w of them."""
    x, y = data.x_train[:300], data.y_train[:300]

    def weights(named):
        lam_in, lam_out, phi = (named[f"0.{name}"] for name in ("eigenvalues_in", "eigenvalues_out", "basis.eigenvectors"))
        return ((lam_in - lam_out[:, None]) * phi).abs().sum()

    sums = []
    for rho in (0.0, 0.01):
        model = make()
        names = ["0.eigenvalues_in", "0.eigenvalues_out", "0.basis.eigenvectors"]
        options = {"loss": nn.functional.cross_entropy, "rho": rho, "penalty": weights, "penalised": names}
        list(train(model, x, y, epochs=5, lr=1e-2, **options))
        sums.append(model[0].weight.abs().sum().item())
    assert sums[1] < 0.9 * sums[0]


def test_a_network_with_skip_links_is_pruned_after_training(data):
    network = SpectralNet([64, 12, 10], train_input_eigenvalues=False, generator=torch.Generator().manual_seed(0))
    ticket = post_training(network, data.x_train[:200], data.y_train[:200], fraction=0.5, training=SHORT)
    assert ticket.certificates[0].nodes_after == (64, 6, 10)
    with pytest.raises(ValueError, match="rounds = 2; a SpectralNet is left in direct space by the first pruning"):
        post_training(network, data.x_train, data.y_train, fraction=0.5, rounds=2)
    with pytest.raises(TypeError, match="the model is a SpectralNet; wanted"):
        pre_training(network, data.x_train, data.y_train, fraction=0.5)


def frozen():
    return make().requires_grad_(False)


BAD = {
    r"fraction = 1; wanted the share of hidden nodes to remove, in \[0, 1\)": (make, {"fraction": 1}),
    "rounds = 0; wanted a whole number of at least 1": (make, {"fraction": 0.5, "rounds": 0}),
    "ranking = 'size'; wanted one of": (make, {"fraction": 0.5, "ranking": "size"}),
    r"layers = \[1\]; wanted different hidden layers": (make, {"fraction": 0.5, "layers": [1]}),
    "makes rows of 64 numbers; the network takes 63": (lambda: make((63, 4, 10)), {"fraction": 0.5}),
}


@pytest.mark.parametrize("message", BAD)
@pytest.mark.parametrize("protocol", [pre_training, post_training])
def test_wrong_options_are_refused_before_anything_is_trained(data, protocol, message):
    make_model, options = BAD[message]
    model = make_model()
    before = state(model)
    with pytest.raises(ValueError, match=message):
        protocol(model, data.x_train, data.y_train, **options)
    assert changed(before, state(model)) == set()


def test_what_cannot_be_trained_is_refused(data):
    x, y = data.x_train, data.y_train
    plain = nn.Sequential(nn.Linear(64, 40), nn.ELU(), nn.Linear(40, 10))
    with pytest.raises(ValueError, match=r"the model has no spectral layer, hence no eigenvalues to train; make it spectral"):
        pre_training(plain, x, y, fraction=0.5)
    with pytest.raises(ValueError, match="all eigenvalues of the model are frozen"):
        pre_training(frozen(), x, y, fraction=0.5)
    with pytest.raises(ValueError, match="rewind=True needs rounds of at least 2"):
        post_training(make(), x, y, fraction=0.5, rewind=True)


def test_a_plain_model_goes_through_after_it_was_made_spectral(data):
    plain = nn.Sequential(nn.Linear(64, 40), nn.ELU(), nn.Linear(40, 10))
    ticket = pre_training(spectralize(plain), data.x_train[:200], data.y_train[:200], fraction=0.5, eigenvalues=SHORT)
    assert ticket.network[0].n_out == 20


@pytest.mark.parametrize(
    "protocol", [pre_training, post_training, train_eigenvalues, train_eigenvectors], ids=lambda f: f.__name__
)
def test_models_with_convolutions_are_refused_before_anything_is_trained(protocol):
    """Their last layers read as a stack, of whose nodes the share would be taken, but from all filters and nodes."""
    model = spectralize(
        nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 9, 6), nn.ReLU(), nn.Linear(6, 3))
    )
    before, options = copy.deepcopy(model.state_dict()), {"fraction": 0.5} if "training" in protocol.__name__ else {}
    with pytest.raises(TypeError, match=r"the model is a Sequential with convolutions; wanted a stack of linear layers"):
        protocol(model, torch.rand(6, 1, 5, 5), torch.tensor([0, 1, 2, 0, 1, 2]), **options)
    assert_close(dict(model.state_dict()), dict(before), rtol=0, atol=0)
