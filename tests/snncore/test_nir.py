"""NIR: what a graph says, by NIR's own equations in NumPy, is what the network computes; and the way back."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from snncore import coding
from snncore.network import Network, NetworkConfig
from snncore.neurons import LIF

nir = pytest.importorskip("nir")
from snncore.nir import to_nir  # noqa: E402
from snncore.nir_reader import from_nir  # noqa: E402

T = 6
BLOCK = "6C3 P [6C3]x3 P F12 F10"


def digits(count: int = 5) -> torch.Tensor:
    """Poisson spikes of the first handwritten digits, (T, N, 1, 8, 8)."""
    images = torch.from_numpy(load_digits().images[:count] / 16).float()[:, None]
    return coding.poisson(images, T, generator=torch.Generator().manual_seed(3))


def network(text: str = BLOCK, **config) -> Network:
    made = Network(
        text,
        input_shape=(1, 8, 8),
        config=NetworkConfig(gain=1.5, **config),
        generator=torch.Generator().manual_seed(0),
    )
    return made.eval()


def spikes_of(net: Network, x: torch.Tensor) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}

    def probe(site, values, *, timed):
        found[site] = values.numpy()

    with torch.no_grad():
        net(x, probe=probe)
    return found


def euler(graph, x: np.ndarray, dt: float) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Every node's output over time for one sequence (T, C, H, W), from NIR's equations: forward Euler, edges that
    close a loop one step late."""
    order: list[str] = []
    left = set(graph.nodes)
    late = {(a, b) for a, b in graph.edges if isinstance(graph.nodes[a], nir.Scale)}
    while left:
        ready = [n for n in left if all(a in order or (a, b) in late for a, b in graph.edges if b == n)]
        order += sorted(ready)
        left -= set(ready)
    out: dict[str, list[np.ndarray]] = {name: [] for name in order}
    v: dict[str, np.ndarray] = {}
    for t in range(len(x)):
        for name in order:
            node = graph.nodes[name]
            entering = np.zeros(1)
            for a, b in graph.edges:
                if b == name and (a, b) not in late:
                    entering = entering + out[a][t]
                elif b == name and t > 0:
                    entering = entering + out[a][t - 1]
            if isinstance(node, nir.Input):
                y = x[t]
            elif isinstance(node, nir.Output):
                y = entering
            elif isinstance(node, nir.Flatten):
                y = entering.reshape(-1)
            elif isinstance(node, nir.Linear):
                y = node.weight.astype(float) @ entering
            elif isinstance(node, nir.Affine):
                y = node.weight.astype(float) @ entering + node.bias
            elif isinstance(node, nir.Conv2d):
                half = node.padding[0]
                wide = np.pad(entering, ((0, 0), (half, half), (half, half)))
                windows = np.lib.stride_tricks.sliding_window_view(wide, node.weight.shape[2:], axis=(1, 2))
                y = np.einsum("oikl,ihwkl->ohw", node.weight.astype(float), windows)
            elif isinstance(node, nir.AvgPool2d):
                c, h, w = entering.shape
                y = entering.reshape(c, h // 2, 2, w // 2, 2).mean((2, 4))
            elif isinstance(node, nir.Scale):
                y = node.scale * entering
            elif isinstance(node, nir.Threshold):
                y = (entering > node.threshold).astype(float)
            else:
                before = v.get(name, np.zeros(node.r.shape))
                if isinstance(node, nir.LIF | nir.LI):
                    now = before + dt / node.tau * ((node.v_leak - before) + node.r * entering)
                else:
                    now = before + dt * node.r * entering
                if isinstance(node, nir.LI | nir.I):
                    y = v[name] = now
                else:
                    y = (now > node.v_threshold).astype(float)
                    subtracts = node.metadata.get("reset") == "subtract"
                    v[name] = np.where(y > 0, now - node.v_threshold if subtracts else node.v_reset, now)
            out[name].append(np.asarray(y, dtype=float))
    return {name: np.stack(values) for name, values in out.items()}, np.stack(out["output"]).mean(0)


CASES = {
    "paper": ({}, {}),
    "integrate and fire": ({"neuron": "if"}, {}),
    "reset, then leak": ({"order": "reset-then-leak", "alpha": 0.8}, {}),
    "hard": ({"reset": "hard"}, {}),
    "hard without leak": ({"reset": "hard", "neuron": "if", "threshold": 1.5}, {}),
    "one node, no leak": ({"neuron": "if"}, {"soft_reset": "node"}),
    "one node": ({"order": "reset-then-leak"}, {"soft_reset": "node"}),
    "no memory": ({"alpha": 0.0}, {}),
    "another step": ({}, {"dt": 1.0}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_graph_says_the_networks_recurrence(case):
    config, options = CASES[case]
    net = network(**config)
    for k, threshold in enumerate((0.8, 1.0, 1.3), 1):  # thresholds per pass, as conversion sets them
        lif = dict(net.sites())[f"conv2.{k}"]
        net.set_neuron(f"conv2.{k}", LIF(lif.alpha, threshold, reset=lif.reset, order=lif.order))
    x = digits(3)
    ours = spikes_of(net, x)
    graph = to_nir(net, **options)
    with torch.no_grad():
        scores = net(x)
    fired = 0
    for n in range(x.shape[1]):
        theirs, mean = euler(graph, x[:, n].numpy(), options.get("dt", 1e-4))
        for site, _ in net.sites():
            found = theirs[site.replace(".", "_") + "_spikes"]
            assert np.array_equal(found, ours[site][:, n]), site
            fired += int(found.sum())
        assert np.allclose(mean, scores[n].numpy(), atol=1e-5)
    assert fired > 200


@pytest.mark.parametrize("case", CASES)
def test_a_graph_from_a_file_is_the_network_again(case, tmp_path):
    config, options = CASES[case]
    net = network(**config)
    nir.write(tmp_path / "net.nir", to_nir(net, **options))
    back = from_nir(nir.read(tmp_path / "net.nir"))
    assert back.topology == net.topology and list(back.sites()) == list(net.sites())
    assert sum(p.numel() for p in back.parameters()) == sum(p.numel() for p in net.parameters())
    ours, again = spikes_of(net, digits()), spikes_of(back, digits())
    assert ours.keys() == again.keys() and all(np.array_equal(ours[s], again[s]) for s in ours)
    with torch.no_grad():
        assert torch.equal(net(digits()), back(digits()))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (BLOCK, "6C3 P 6C3 6C3 6C3 P F12 F10"),
        ("4C3 (4C3 4C3)+ P F10", "4C3 (4C3 4C3)+ P F10"),
        ("4C3 (4C3+ 4C5)+ P F10", "4C3 (4C3+ 4C5)+ P F10"),
        ("4C3 (4C3 4C3+)+ F10", "4C3 (4C3 4C3+)+ F10"),
        ("4C3 [4C3 4C3+]x2 F9 F10", "4C3 4C3 4C3+ 4C3 4C3+ F9 F10"),
        ("F12+ F10", None),
    ],
)
def test_without_metadata_a_graph_is_a_plain_network_with_the_same_spikes(text, plain):
    if plain is None:
        with pytest.raises(ValueError, match="residual sum must join equal shapes"):
            network(text)
        return
    net = network(text)
    graph = to_nir(net)
    graph.metadata.clear()
    with pytest.raises(
        ValueError, match="dt must be given for a graph whose metadata do not hold it, got None"
    ):
        from_nir(graph)
    back = from_nir(graph, dt=1e-4)
    assert back.topology.text == plain
    with torch.no_grad():
        assert torch.equal(net(digits()), back(digits()))


def test_the_sum_readout_shares_the_bias_among_the_steps():
    net = network(readout="sum")
    with pytest.raises(ValueError, match="steps must be a whole number of at least 1, got None"):
        to_nir(net)
    with pytest.raises(ValueError, match="steps must be None for readout 'mean', got 5"):
        to_nir(network(), steps=5)
    graph = to_nir(net, steps=T)
    x = digits(1)
    with torch.no_grad():
        scores = net(x)[0].numpy()
    assert np.allclose(T * euler(graph, x[:, 0].numpy(), 1e-4)[1], scores, atol=1e-5)
    assert torch.allclose(from_nir(graph).head.classify.bias, net.head.classify.bias)


def test_direct_input_is_kept_as_such():
    net = Network(BLOCK, input_shape=(1, 8, 8), generator=torch.Generator().manual_seed(0), static_input=True)
    back = from_nir(to_nir(net))
    image = torch.from_numpy(load_digits().images[:2] / 16).float()[:, None]
    with torch.no_grad():
        assert torch.equal(net(image, steps=T), back(image, steps=T))


@pytest.mark.parametrize(
    ("text", "config", "message"),
    [
        ("4C3:relu P 4C3 F10", {}, "layers must spike, as NIR has no ReLU, got 'relu' at conv1"),
        ("4C3 M F8:relu F10", {}, "layers must spike, as NIR has no ReLU, got 'relu' at fc1"),
        ("4C3 M F10", {}, "topology must not hold M"),
        ("4C3 [8C3]x2:drop F10", {}, "no channel matching, which NIR has no node for, got 'drop'"),
        ("4C3 (4C3+)+ F10", {}, "must not add a value to itself"),
        (BLOCK, {"head": "stochmax"}, "head must be 'softmax', as NIR has no other, got 'stochmax'"),
        (BLOCK, {"refractory": 2}, "refractory must be 0, as NIR has no other, got 2 at conv1"),
        (BLOCK, {"fire_at_equality": True}, "fire_at_equality must be False, as NIR has no other, got True"),
    ],
)
def test_what_nir_cannot_say_is_refused_by_name(text, config, message):
    with pytest.raises(ValueError, match=message):
        to_nir(network(text, **config))


def test_arguments_are_checked(monkeypatch):
    with pytest.raises(ValueError, match="network must be a Network, got Linear"):
        to_nir(torch.nn.Linear(2, 2))
    with pytest.raises(ValueError, match="dt must be a finite number above 0, got 0"):
        to_nir(network(), dt=0)
    with pytest.raises(ValueError, match="soft_reset must be one of 'loop', 'node', got 'zero'"):
        to_nir(network(), soft_reset="zero")
    with pytest.raises(
        ValueError, match="'loop' for neurons that leak before their reset, got 'node' at conv1"
    ):
        to_nir(network(), soft_reset="node")
    with pytest.raises(ValueError, match="graph must be a nir.NIRGraph, got str"):
        from_nir("net.nir")
    broken = network()
    with torch.no_grad():
        broken.layers["conv2"].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"weights must be finite, got nan at conv2\.1"):
        to_nir(broken)
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(ImportError, match=r"pip install 'snncore\[nir\]'"):
        to_nir(network())


def chain(*nodes, shape=(1, 4, 4)):
    """A graph as another library writes it, without metadata."""
    middle = [nir.Input(np.array(shape)), *nodes, nir.Output(None)]
    return nir.NIRGraph.from_list(middle, type_check=True)


def conv(maps=2, size=3, **changed):
    options = {"stride": 1, "padding": size // 2, "dilation": 1, "groups": 1} | changed
    weight = np.ones((maps, 1, size, size), np.float32)
    bias = options.pop("bias", np.zeros(maps, np.float32))
    return nir.Conv2d(input_shape=(4, 4), weight=weight, bias=bias, **options)


def lif(shape=(2, 4, 4), **changed):
    values = {"tau": 2e-4, "r": 2.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0} | changed
    return nir.LIF(**{name: np.full(shape, value) for name, value in values.items()})


def flatten():
    return nir.Flatten({"input": np.array([2, 4, 4])}, 0, -1)


def last(features=32):
    return nir.Linear(np.ones((3, features), np.float32))


def test_a_foreign_graph_is_read_by_nirs_own_reset_and_its_gain_goes_into_the_weights():
    back = from_nir(chain(conv(), lif(r=6.0), flatten(), last()), dt=1e-4)
    assert back.topology.text == "2C3 F3" and dict(back.sites())["conv1"] == LIF(
        0.5, 1.0, reset="hard", order="reset-then-leak"
    )
    assert torch.equal(back.layers["conv1"].weight, torch.full((2, 1, 3, 3), 3.0))  # r dt / tau = 3
    assert torch.equal(back.head.classify.bias, torch.zeros(3))
    same = from_nir(chain(conv(padding="same"), lif(), flatten(), last()), dt=1e-4)
    assert torch.equal(same.layers["conv1"].weight, torch.ones(2, 1, 3, 3))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ((conv(stride=2), lif((2, 2, 2))), r"stride of 'conv2d' must be 1, got \[2\]"),
        ((conv(padding=0), lif((2, 2, 2))), r"padding of 'conv2d' must be 1, got \[0\]"),
        ((conv(bias=np.ones(2)), lif()), "hidden layers must have no bias, got one before 'lif'"),
        ((conv(), lif(v_leak=0.1)), "v_leak of 'lif' must be 0, got 0.1"),
        ((conv(), lif(v_reset=0.5)), "v_reset of 'lif' must be 0, got 0.5"),
        ((conv(), lif(tau=5e-5)), "alpha must lie between 0.0 and 1.0, got -1.0"),
        ((conv(), lif(), lif()), "got LIF as 'lif_1' after 1 layers of neurons"),
        ((conv(), nir.Conv2d((4, 4), np.ones((2, 2, 3, 3)), 1, 1, 1, 1, np.zeros(2))), "got Conv2d"),
        (
            (conv(), lif(), nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))),
            "got SumPool2d",
        ),
        (
            (conv(), lif(), nir.AvgPool2d(np.array([4, 4]), np.array([4, 4]), np.array([0, 0]))),
            r"kernel_size of 'avgpool2d' must be 2, got \[4\]",
        ),
        ((conv(), lif()), "got Output as 'output' after 1 layers"),
        ((conv(),), "graph must end in a fully connected layer, got 2C3"),
    ],
)
def test_what_our_networks_do_not_have_is_refused_by_name(nodes, message):
    with pytest.raises(ValueError, match=message):
        from_nir(chain(*nodes), dt=1e-4)


def test_neurons_of_one_layer_must_be_alike():
    odd = lif()
    odd.v_threshold[0, 0, 0] = 2.0
    with pytest.raises(
        ValueError, match=r"v_threshold of 'lif' must be one finite number for all neurons, got \[1. 2.\]"
    ):
        from_nir(chain(conv(), odd, flatten(), last()), dt=1e-4)


def test_graphs_of_another_form_are_refused():
    graph = to_nir(network("4C3 F10"))
    graph.metadata["topology"] = "4C3 4C3 F10"
    with pytest.raises(
        ValueError,
        match="metadata must name a topology that unrolls to the graph's, '4C3 F10', got '4C3 4C3 F10'",
    ):
        from_nir(graph)
    graph = to_nir(network("4C3 [4C3]x2 F10"))
    graph.nodes["conv2_2"].weight[0] += 1
    with pytest.raises(
        ValueError, match=r"weights of one block must be equal in every pass, got different ones at conv2\.2"
    ):
        from_nir(graph)
    graph = to_nir(network("4C3 F10"))
    graph.nodes["conv1_reset"].scale[:] = -0.5
    with pytest.raises(ValueError, match="scale of 'conv1_reset' must subtract the threshold, 1, .* got 0.5"):
        from_nir(graph)
    graph = to_nir(network("4C3 F10"))
    graph.edges.remove(("conv1_reset", "conv1_membrane"))
    with pytest.raises(
        ValueError, match="a membrane must have one Threshold that resets it, got 0 at 'conv1_membrane'"
    ):
        from_nir(graph)
    graph = to_nir(network("4C3 F10"))
    graph.edges.remove(("fc1", "output"))
    with pytest.raises(ValueError, match="graph must go on to an output, got an end at fc1"):
        from_nir(graph)
    graph = to_nir(network("4C3 F10"))
    graph.nodes["spare"] = last(4)
    with pytest.raises(ValueError, match="graph must be one chain, got 'spare' beside it"):
        from_nir(graph)
    graph = to_nir(network("4C3 F10"))
    graph.nodes["spare"] = conv(4)
    graph.edges.append(("input", "spare"))
    with pytest.raises(ValueError, match="one node must follow input, got conv1, spare"):
        from_nir(graph)
    with pytest.raises(ValueError, match=r"input of shape \(channels, height, width\), got \(32,\)"):
        from_nir(chain(last(), shape=(32,)), dt=1e-4)
