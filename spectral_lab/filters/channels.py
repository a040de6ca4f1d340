r"""Which channels of a network hang together: what must go with a filter that is removed.

A filter makes a channel.  The channel passes through batch norm, activation and pooling, and is read by the next
convolutions or, after flattening, by a linear layer; where a residual block adds two maps, channel c of one is tied to
channel c of the other.  :func:`wire` follows all this in the graph that ``torch.fx`` makes of a model and sorts the channels
into groups: those of a group go or stay together.

>>> from torch import nn
>>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten(), nn.Linear(16, 2))
>>> for group in wire(model).groups:
...     print(group.size, group.producers, group.norms, [reader.name for reader in group.readers])
8 ('0',) ('1',) ['3']
4 ('3',) () ['5']

Nothing is guessed: a group that passes through something unknown says so in ``refusal`` and cannot lose channels.
Below this module lies :mod:`spectral_lab.filters.steps`; next, read
:mod:`spectral_lab.filters.silence` and :mod:`spectral_lab.filters.removal`.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import torch
from torch import fx, nn

from spectral_lab.conversion import is_plain_linear
from spectral_lab.direct import DirectNet
from spectral_lab.filters.steps import MODULE_KINDS, Conv, Signal, is_conv, kind_of, trace, widths, writes_over
from spectral_lab.layers import SpectralLinear
from spectral_lab.networks import SpectralNet


@dataclass(frozen=True)
class Reader:
    """A layer that reads the channels of a group: a convolution, or a linear layer or network behind a flattening."""

    name: str
    node: fx.Node
    n_each: int  # inputs of the layer for one channel: places of the flattened map; 1 for a convolution


@dataclass(frozen=True)
class Group:
    """Channels that go or stay together, c with c."""

    size: int
    producers: tuple[str, ...]  # layers of which a filter, or a node, makes each channel
    depthwise: tuple[str, ...]  # convolutions with one filter for each channel, read by nothing but it
    norms: tuple[str, ...]  # batch norms with one set of numbers for each channel
    readers: tuple[Reader, ...]
    refusal: str | None  # why no channel can be removed

    @property
    def name(self) -> str:
        """The layers that make the channels."""
        return " + ".join(self.producers)


@dataclass(frozen=True)
class Wired:
    """A model, its graph, and its channels in groups; those of the input and of the output, which stay, are left out."""

    model: nn.Module  # a copy of the caller's, in evaluation mode
    graph: fx.Graph
    signals: dict[fx.Node, Signal]
    groups: tuple[Group, ...]
    ends: tuple[int | None, int | None]  # channels of the input and of the output, where known
    norm_behind: dict[str, str]  # the batch norm right behind a layer

    def module(self, name: str) -> Any:
        """A module by its name."""
        return self.model.get_submodule(name)


def wire(model: nn.Module) -> Wired:
    """Follow the channels through a model, as it computes in evaluation mode.

    Raises:
        TypeError: ``torch.fx`` cannot trace the model: its forward branches on what it computes.
        ValueError: parameters or running statistics that are NaN or infinite.
    """
    for name, numbers in [*model.named_parameters(), *model.named_buffers()]:  # running statistics are lost first
        if not bool(numbers.isfinite().all()):
            raise ValueError(
                f"the parameter {name} has {int((~numbers.isfinite()).sum())} values that are NaN or infinite; go back to a "
                "state before the training diverged"
            )
    model = deepcopy(model).eval()
    return _Reading(model, trace(model)).wired()


class _Reading:
    """Goes through a graph once, and joins the spaces of channels that are tied (union-find)."""

    def __init__(self, model: nn.Module, graph: fx.Graph) -> None:
        self.model, self.graph = model, graph
        self.above: list[int] = []  # the space that a space was joined to, or itself
        self.sizes: dict[int, int] = {}
        self.reasons: list[tuple[int, str]] = []  # why a space cannot lose channels
        self.ends: list[tuple[int, str]] = []  # spaces of the input and of the output
        self.producers: list[tuple[int, str]] = []
        self.depthwise: list[tuple[int, str]] = []
        self.norms: list[tuple[int, str]] = []
        self.readers: list[tuple[int, str, fx.Node]] = []
        self.norm_behind: dict[str, str] = {}
        self.signals: dict[fx.Node, Signal] = {}
        self.seen: dict[Any, str] = {}  # of each parameter, the module that used it first
        self.shared: list[tuple[str, str]] = []  # modules whose parameters are used again, and the reason that this makes
        for node in graph.nodes:
            self.signals[node] = self._step(node)

    # -- spaces --------------------------------------------------------------------------------------------------------

    def _new(self, size: int | None = None) -> int:
        space = len(self.above)
        self.above.append(space)
        if size is not None:
            self.sizes[space] = size
        return space

    def _root(self, space: int) -> int:
        while self.above[space] != space:
            space = self.above[space]
        return space

    def _tie(self, a: int, b: int, where: str) -> int:
        a, b = self._root(a), self._root(b)
        sizes = {self.sizes[s] for s in (a, b) if s in self.sizes}
        if len(sizes) > 1:
            for space in (a, b):
                self.reasons.append((space, f"{where} meets maps of {min(sizes)} and {max(sizes)} channels"))
            return a
        self.above[max(a, b)] = min(a, b)
        if sizes:
            self.sizes[min(a, b)] = sizes.pop()
        return min(a, b)

    # -- steps ---------------------------------------------------------------------------------------------------------

    def _step(self, node: fx.Node) -> Signal:
        maps = [s for n in node.all_input_nodes if (s := self.signals[n]).space is not None]
        if maps and self._writes_over_what_others_read(node):
            return self._unknown(node, maps, f"{self._told(node)} writes over a map that others read (in place)")
        if node.op == "placeholder":
            self.ends.append((new := self._new(), "input"))
            return Signal("input", new)
        if node.op == "output":
            self.ends += [(signal.space, "output") for signal in maps if signal.space is not None]
            return Signal("output")
        if node.op == "call_module":
            return self._module(node, self.model.get_submodule(str(node.target)), maps)
        if node.op == "get_attr":
            return self._tensor(node)
        kind = kind_of(node)
        if kind == "shape" or not maps:
            return Signal("shape")
        first, space = maps[0], maps[0].space
        assert space is not None
        if kind in ("add", "multiply") and len(maps) == 2 and first.flat == maps[1].flat and not node.kwargs:
            assert maps[1].space is not None
            return Signal(kind, self._tie(space, maps[1].space, self._told(node)), first.flat)
        if len(maps) > 1 or kind is None:
            return self._unknown(node, maps)
        if kind == "flatten":
            return Signal("keeps", space, True)
        if len(node.all_input_nodes) > 1:
            return self._unknown(node, maps)
        return Signal("each" if kind in ("add", "multiply") else kind, space, first.flat)

    def _writes_over_what_others_read(self, node: fx.Node) -> bool:
        module = self.model.get_submodule(str(node.target)) if node.op == "call_module" else None
        if not writes_over(node, module):
            return False
        source = node.all_input_nodes[0]
        while len(source.users) == 1 and self.signals[source].kind in ("each", "keeps"):
            source = source.all_input_nodes[0]  # such a step may hand on the same memory
        return len(source.users) > 1

    def _tensor(self, node: fx.Node) -> Signal:
        """A tensor of the model itself, which no layer holds; or, by the back door, one that a layer does."""
        name, value = str(node.target), attrgetter(str(node.target))(self.model)
        if value in self.seen:
            self.shared.append((self.seen[value], f"the numbers of {self.seen[value]} are used again as {name}"))
        self.seen.setdefault(value, name)
        return self._unknown(node, [], f"{name} has a number for each channel")

    def _module(self, node: fx.Node, module: nn.Module, maps: list[Signal]) -> Signal:
        name = str(node.target)
        if len(maps) != 1 or len(node.args) != 1 or maps[0].space is None:
            return self._unknown(node, maps)
        signal, space, kind = maps[0], maps[0].space, MODULE_KINDS.get(type(module))
        own = [*module.parameters(), *([module] if kind == "norm" else [])]  # a norm may have running statistics only
        twice = next((self.seen[p] for p in own if p in self.seen), None)
        self.seen |= dict.fromkeys(own, name)
        if twice is not None:
            reason = f"{self._told(node)} shares its numbers with {twice}: a filter would go in both places"
            self.shared.append((twice, reason))
            return self._unknown(node, maps, reason)
        if is_conv(module):
            return self._conv(node, module, space)
        if isinstance(module, SpectralLinear | SpectralNet | DirectNet) or is_plain_linear(module):
            return self._linear(node, module, signal)
        if kind == "norm":
            size = self.sizes.setdefault(self._root(space), module.num_features)  # type: ignore[arg-type]
            if size != module.num_features:
                reason = (
                    f"{self._told(node)} has {module.num_features} features for {size} channels; put it before the flattening"
                )
                return self._unknown(node, maps, reason)
            self.norms.append((space, name))
            self.norm_behind.setdefault(str(node.all_input_nodes[0].target), name)
            return Signal("norm", space, signal.flat)
        if isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) == (1, -1):
            return Signal("keeps", space, True)
        if kind is None or getattr(module, "return_indices", False):
            return self._unknown(node, maps)
        return Signal(kind, space, signal.flat)

    def _conv(self, node: fx.Node, conv: Conv, space: int) -> Signal:
        name = str(node.target)
        self.sizes.setdefault(self._root(space), conv.in_channels)
        if conv.groups == conv.in_channels == conv.out_channels > 1:
            self.depthwise.append((space, name))
            return Signal("depthwise", space)
        new = self._new(conv.out_channels)
        self.producers.append((new, name))
        if conv.groups > 1:
            reason = f"{self._told(node)} ties its channels in {conv.groups} groups, which must stay equally large"
            self.reasons += [(space, reason), (new, reason)]
        self.readers.append((space, name, node))
        return Signal("layer", new)

    def _linear(self, node: fx.Node, layer: nn.Module, signal: Signal) -> Signal:
        name, (n_in, n_out) = str(node.target), widths(layer)
        space, new = signal.space, self._new(n_out)
        assert space is not None
        self.sizes.setdefault(self._root(space), n_in)  # only of an input that nobody has read before
        if not signal.flat and signal.kind != "input":
            self.reasons.append((space, f"{self._told(node)} reads a map that is not flattened"))
        self.readers.append((space, name, node))
        if isinstance(layer, SpectralNet) and layer.update == "adjacency" and _speaks_at_zero(layer):
            self.reasons.append((space, f"{self._told(node)} makes f(0) ≠ 0 of an input of 0, by its update rule 'adjacency'"))
        if isinstance(layer, SpectralNet | DirectNet):
            self.reasons.append((new, f"{self._told(node)} keeps its outputs"))
            return Signal("head", new, True)
        self.producers.append((new, name))
        return Signal("layer", new, True)

    def _told(self, node: fx.Node) -> str:
        """A step by a name that a reader finds in the model."""
        if node.op == "call_module":
            return f"the module {node.target} ({type(self.model.get_submodule(str(node.target))).__name__})"
        return f"{getattr(node.target, '__name__', node.target)}()"

    def _unknown(self, node: fx.Node, maps: list[Signal], reason: str | None = None) -> Signal:
        """What comes out has channels of its own, and what goes in keeps all of its."""
        reason = reason or f"{self._told(node)} may mix channels: it is none of the steps that this package can follow"
        new = self._new()
        if node.users and all(user.op == "output" for user in node.users):  # as a softmax over the classes: all of them stay
            self.ends += [(signal.space, "output") for signal in maps if signal.space is not None]
        self.reasons += [(signal.space, reason) for signal in maps if signal.space is not None] + [(new, reason)]
        return Signal("other", new)

    # -- result --------------------------------------------------------------------------------------------------------

    def wired(self) -> Wired:
        """All that was found, with tied spaces as one group."""
        used = [*self.producers, *self.depthwise, *self.norms, *((space, name) for space, name, _ in self.readers)]
        self.reasons += [(space, why) for shared, why in self.shared for space, name in used if name == shared]

        def of(found: list[tuple[int, str]], root: int) -> tuple[str, ...]:
            return tuple(dict.fromkeys(text for space, text in found if self._root(space) == root))

        ends = {end: {self._root(space) for space, text in self.ends if text == end} for end in ("input", "output")}
        roots = dict.fromkeys(self._root(space) for space, _ in self.producers)
        groups = []
        for root in (root for root in roots if root not in ends["input"] | ends["output"]):
            size, reasons = self.sizes[root], list(of(self.reasons, root))
            readers = []
            for name, node in [(name, node) for space, name, node in self.readers if self._root(space) == root]:
                n_in = widths(self.model.get_submodule(name))[0]
                if n_in % size:
                    reasons.append(f"{self._told(node)} reads {n_in} numbers, which are no multiple of {size} channels")
                readers.append(Reader(name, node, n_in // size))
            about = (of(self.producers, root), of(self.depthwise, root), of(self.norms, root), tuple(readers))
            groups.append(Group(size, *about, "; ".join(reasons) or None))
        first, last = (next((self.sizes[root] for root in ends[e] if root in self.sizes), None) for e in ("input", "output"))
        return Wired(self.model, self.graph, self.signals, tuple(groups), (first, last), self.norm_behind)


@torch.no_grad()
def _speaks_at_zero(network: SpectralNet) -> bool:
    """Whether f(0) is not 0."""
    return bool(network.activation(network.eigenvalues[0].new_zeros(1)).any())
