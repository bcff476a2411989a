"""`python -m xentfast`: it learns, draws, measures, and says clearly what it lacks."""

import importlib.util
import math
import re
import subprocess
import sys

import numpy as np
import pytest

import xentfast.__main__ as demo
from xentfast._demo import digits as training
from xentfast._demo import speed
from xentfast._demo import spread as signals

pytestmark = pytest.mark.extras

# 32 × 32 float32 terms, summed in any order: a few units in the seventh digit.
LOSS_TOLERANCE = 1e-5
# Central differences in float64: the loss is rounded by 1e-16, which the step magnifies a millionfold; with room.
STEP, SLOPE_TOLERANCE = 1e-6, {"rel": 1e-6, "abs": 1e-8}
# Above what untrained weights can reach (a tenth, or a little more), below what one epoch does.
LEARNT_SOMETHING = 0.9
PROMISED_ACCURACY = 0.97
# Of a standard deviation estimated from 512 × 256 values: five times its own, 1/√(2·512·256). And how near the largest of as many
# uniform values comes to their limit: all miss the outer thousandth with a probability of exp(-131).
STD_TOLERANCE, EDGE = 0.01, 0.999

# How far 30 layers of 256 units move a standard deviation. With He weights and ReLU, by chance alone: the logarithm of a row's
# mean square spreads by √(5·30/256) = 0.77, that of the standard deviation by half of it, and thrice that is a factor of 3.
BY_CHANCE = 3
# With Xavier weights and tanh, activations fall and gradients shrink as 1/√layer: by about √30 = 5.5.
SLOWLY = 10
VANISHED = 1e-20        # 0.16 a layer, for tanh: 1e-24 after 30
TWO_DIGITS = 0.05       # the relative error of a figure of two digits

FIGURE = r"\d+\.\d\d \( *\d+\.\d\d\)"    # in a table: nanoseconds, and in brackets those of xentfast's
# `python -m xentfast init`, but for the peers that take seconds.
INIT = """if True:
    from xentfast import __main__
    from xentfast._demo import speed
    del speed.WEIGHTS.peers["PyTorch"], speed.WEIGHTS.peers["JAX"]
    __main__.main(["init"])"""


@pytest.fixture
def extra():
    """Skips a test where the extra `demo` is not installed."""
    for module in demo.DEMO_MODULES:
        pytest.importorskip(module, reason='needs the extra "demo"')


@pytest.fixture
def quick_table(monkeypatch):
    """The speed tables by NumPy and xentfast alone, for small arrays."""
    monkeypatch.setattr(speed, "SECONDS", 0.0)
    for name, shapes in (("LOSSES", ((8, 10), (4, 100))), ("WEIGHTS", ((8, 4),))):
        comparison = getattr(speed, name)
        monkeypatch.setattr(speed, name, comparison._replace(shapes=shapes, peers=own_and_numpy(comparison)))


@pytest.fixture
def jax_on_cpu(monkeypatch):
    """Gives back afterwards what the demonstration puts into the environment."""
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setenv("PJRT_NPROC", "1")


@pytest.fixture
def hide(monkeypatch):
    """A function that makes modules look as if they were not installed."""
    find_spec = importlib.util.find_spec

    def hide_modules(*hidden):
        monkeypatch.setattr(importlib.util, "find_spec",
                            lambda name, *rest: None if name in hidden else find_spec(name, *rest))

    return hide_modules


def own_and_numpy(comparison):
    return {name: peer for name, peer in comparison.peers.items() if name.startswith(("xentfast", "NumPy"))}


def printed_accuracies(text):
    return [float(percent) / 100 for percent in re.findall(r"^epoch .*accuracy +([\d.]+)%$", text, re.MULTILINE)]


def test_full_run_keeps_its_promise(extra, quick_table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    demo.main([])
    text = capsys.readouterr().out
    accuracies = printed_accuracies(text)
    assert len(accuracies) == 30
    assert accuracies[-1] > PROMISED_ACCURACY
    assert f"Held-out accuracy {accuracies[-1]:.2%}" in text
    assert text.rstrip().endswith(demo.NEXT.rstrip())
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_other_seeds_pass_too(extra, seed):
    history = training.train(*training.load_digits(seed), 30, seed, None)
    assert history[-1].held_out_accuracy > PROMISED_ACCURACY
    assert history[-1].loss < history[0].loss


def test_training_improves_on_the_first_weights(extra):
    digits, held_out = training.load_digits(5)
    untrained = training.first_parameters(5, 64, 10)
    loss, accuracy = training.loss_and_accuracy(untrained, held_out, None)
    first, second = training.train(digits, held_out, 2, 5, None)
    assert accuracy < LEARNT_SOMETHING < first.held_out_accuracy
    assert second.loss < first.loss < loss


def test_first_weights_are_those_of_init():
    parameters = training.first_parameters(5, 64, 10)
    expected = training.xf.init.he_normal((64, training.HIDDEN_UNITS), rng=5, name="hidden_weights")
    np.testing.assert_array_equal(parameters.hidden_weights, expected)
    assert not parameters.hidden_biases.any() and not parameters.output_biases.any()
    assert all(parameter.dtype == np.float32 for parameter in parameters)


def test_digits_are_split_by_the_seed(extra):
    digits, held_out = training.load_digits(0)
    assert len(digits.labels) == len(digits.images) == 1438
    assert len(held_out.labels) == len(held_out.images) == 359
    assert digits.images.dtype == np.float32
    np.testing.assert_array_equal(held_out.images, training.load_digits(0)[1].images)
    assert not np.array_equal(held_out.images, training.load_digits(1)[1].images)


def test_everything_comes_from_the_seed(extra):
    """Whatever the threads, and whatever ran before."""
    data = training.load_digits(7)
    history = training.train(*data, 2, 7, 1)
    assert training.train(*data, 2, 7, 2) == history
    assert training.train(*data, 2, 8, 1) != history


def test_gradients_are_those_of_the_loss():
    """Central differences of the smoothed loss, in float64, in one direction for each parameter."""
    rng = np.random.default_rng(3)
    parameters = training.Parameters(*(array.astype(np.float64) for array in training.first_parameters(3, 64, 10)))
    images, labels = rng.random((6, 64)), rng.integers(0, 10, 6)
    gradients = training.gradients_of(parameters, images, labels, None)

    def loss_at(moved):
        return training.xf.softmax_cross_entropy(training.forward(moved, images)[1], labels, label_smoothing=training.SMOOTHING)

    for name, parameter, gradient in zip(parameters._fields, parameters, gradients, strict=True):
        direction = rng.standard_normal(parameter.shape)
        up, down = (loss_at(parameters._replace(**{name: parameter + move * direction})) for move in (STEP, -STEP))
        assert (up - down) / (2 * STEP) == pytest.approx(np.sum(gradient * direction), **SLOPE_TOLERANCE)


def test_piped_output_has_lines_only(extra, quick_table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    demo.main(["--epochs", "2", "--no-plot", "--threads", "1"])
    out, err = capsys.readouterr()
    assert "\r" not in out
    assert err == ""
    assert len(printed_accuracies(out)) == 2


def test_no_plot_needs_no_matplotlib(extra, quick_table, hide, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hide("matplotlib")
    demo.main(["--epochs", "1", "--no-plot"])
    assert not list(tmp_path.iterdir())


def test_unwritable_folder_does_not_end_the_run(extra, tmp_path, capsys):
    training.save_plot([training.Epoch(1.0, 0.5, 1.0, 0.5)], tmp_path / "missing" / "digits.png")
    assert "not saved" in capsys.readouterr().out


@pytest.mark.parametrize("missing", ["sklearn", "tqdm", "matplotlib"])
def test_missing_extra_is_named_before_any_work(hide, missing, monkeypatch):
    hide(missing)
    monkeypatch.setattr(training, "load_digits", pytest.fail)
    with pytest.raises(SystemExit, match=re.escape('pip install "xentfast[demo]"')) as exit_:
        demo.main([])
    assert demo.DEMO_MODULES[missing] in exit_.value.code


def test_help_names_every_option():
    done = subprocess.run([sys.executable, "-P", "-m", "xentfast", "--help"], capture_output=True, text=True, check=True)
    for word in ("--epochs", "--seed", "--threads", "--no-plot", "examples:", "xentfast[demo]", "python -m xentfast init"):
        assert word in done.stdout


@pytest.mark.parametrize("arguments", [
    ["--epochs", "0"], ["--epochs", "-3"], ["--epochs", "two"], ["--epochs", "1.5"], ["--seed", "-1"],
    ["--threads", "0"], ["--threads", "1025"], ["--threads", ""],
])
def test_bad_values_end_with_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        demo.main([f"{arguments[0]}={arguments[1]}"])
    assert exit_.value.code == 2
    message = capsys.readouterr().err
    assert f"argument {arguments[0]}: got {arguments[1]!r}; expected a whole number" in message


@pytest.mark.parametrize("arguments", [["--unknown"], ["--epochs"], ["7"], ["--seed", "3", "init"]])
def test_bad_options_end_with_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        demo.main(arguments)
    assert exit_.value.code == 2
    assert "usage: python -m xentfast" in capsys.readouterr().err


@pytest.mark.parametrize("peer", ["xentfast", "NumPy formula", "SciPy", "scikit-learn"])
def test_peers_compute_the_same_loss(peer):
    modules, calls = speed.LOSSES.peers[peer]
    for module in modules:
        pytest.importorskip(module, reason=f"compares with {peer}")
    rng = np.random.default_rng(1)
    logits, targets = rng.standard_normal((32, 32), np.float32), rng.integers(0, 32, 32)
    before = logits.copy()
    wide = logits.astype(np.float64)
    expected = np.mean(np.log(np.exp(wide).sum(1)) - wide[np.arange(32), targets])
    for call in calls(logits, targets, 1):
        if call is not None:
            assert float(call()) == pytest.approx(expected, rel=LOSS_TOLERANCE)
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize("peer", speed.WEIGHTS.peers)
def test_peers_make_the_same_weights(peer, jax_on_cpu):
    """512 inputs, 256 outputs: the standard deviations of the papers, and the cut where there is one."""
    modules, calls = speed.WEIGHTS.peers[peer]
    for module in modules:
        pytest.importorskip(module, reason=f"compares with {peer}")
    xavier_limit, he_std = math.sqrt(6 / (512 + 256)), math.sqrt(2 / 512)
    cut = 2 * he_std / speed.CUT_STD
    expected = {"Xavier uniform": (xavier_limit / math.sqrt(3), EDGE * xavier_limit, xavier_limit),
                "He normal": (he_std, cut, math.inf), "truncated normal": (he_std, EDGE * cut, cut)}
    for kind, call in zip(speed.WEIGHTS.kinds, calls((512, 256), 1), strict=True):
        if call is None:
            assert (peer, kind) == ("NumPy", "truncated normal")
            continue
        std, least, most = expected[kind]
        weights = np.asarray(call())
        assert weights.dtype == np.float32 and weights.size == 512 * 256
        assert weights.std(dtype=np.float64) == pytest.approx(std, rel=STD_TOLERANCE)
        assert least < np.abs(weights).max() <= np.float32(most)


@pytest.mark.parametrize("comparison", [speed.LOSSES, speed.WEIGHTS], ids=["losses", "weights"])
def test_every_peer_present_has_its_figures(comparison):
    pytest.importorskip("tqdm", reason='needs the extra "demo"')
    shapes, peers = ((8, 10), (4, 100)), own_and_numpy(comparison)
    own, numpy = peers
    peers["absent"] = (("no_such_module_anywhere",), None)
    figures, failures = speed.measure(comparison._replace(shapes=shapes, peers=peers), 1, 0.0)
    assert list(figures) == [(kind, shape) for kind in comparison.kinds for shape in shapes]
    for (kind, _), figure in figures.items():
        assert list(figure) == ([own] if kind == "truncated normal" else [own, numpy])
        assert all(0 < value < math.inf for value in figure.values())
    assert failures == []


def test_table_of_weights_has_every_peer_installed(jax_on_cpu, monkeypatch):
    pytest.importorskip("tqdm", reason='needs the extra "demo"')
    monkeypatch.setattr(speed, "SECONDS", 0.0)
    monkeypatch.setattr(speed, "WEIGHTS", speed.WEIGHTS._replace(shapes=((8, 4),)))
    header, *rows = speed.of_weights(1).split("\n\n")[1].splitlines()
    assert header.split("  ")[0] == "8 x 4" and header.endswith("Xavier uniform           He normal    truncated normal")
    installed = [name for name, (modules, _) in speed.WEIGHTS.peers.items() if all(map(importlib.util.find_spec, modules))]
    for row, name in zip(rows, installed, strict=True):
        assert len(row) <= 80
        last = "-" if name == "NumPy" else FIGURE
        assert re.fullmatch(rf"{name} +{FIGURE} +{FIGURE} +{last}", row)


def broken(*arguments):
    raise ImportError("it was built for\nanother NumPy")


@pytest.mark.parametrize(("comparison", "table"), [(speed.LOSSES, speed.loss_table), (speed.WEIGHTS, speed.weight_table)])
def test_peer_that_fails_is_a_line_of_its_own(comparison, table):
    pytest.importorskip("tqdm", reason='needs the extra "demo"')
    peers = {"xentfast": comparison.peers["xentfast"], "Broken": ((), broken)}
    figures, failures = speed.measure(comparison._replace(shapes=((8, 10),), peers=peers), 1, 0.0)
    assert failures == ["Broken failed: ImportError: it was built for"]
    assert table(figures, failures, 1).endswith("\n" + failures[0])


@pytest.mark.parametrize("comparison", [speed.LOSSES, speed.WEIGHTS], ids=["losses", "weights"])
def test_own_failure_is_raised(comparison):
    pytest.importorskip("tqdm", reason='needs the extra "demo"')
    with pytest.raises(ImportError, match="it was built for"):
        speed.measure(comparison._replace(shapes=((8, 10),), peers={"xentfast": ((), broken)}), 1, 0.0)


def test_table_of_losses_shows_ratios_and_gaps():
    shapes = ((8, 10), (4, 100))
    figures = {("loss", shapes[0]): {"xentfast": 0.5, "SciPy": 2.0}, ("loss", shapes[1]): {"xentfast": 0.25, "SciPy": 0.2},
               ("loss + gradient", shapes[0]): {"xentfast": 1.0}, ("loss + gradient", shapes[1]): {"xentfast": 1.0}}
    lines = speed.loss_table(figures, [], 2).splitlines()
    assert "float32, 2 threads" in lines[1]
    rows = [line.split() for line in lines if line.startswith(("xentfast", "SciPy"))]
    assert rows[:2] == [["xentfast", "0.50", "(", "1.00)", "0.25", "(", "1.00)"],
                        ["SciPy", "2.00", "(", "4.00)", "0.20", "(", "0.80)"]]
    assert [row[0] for row in rows[2:]] == ["xentfast"]
    assert max(map(len, lines[3:])) <= 80


def test_table_of_weights_shows_ratios_and_gaps():
    shape = (8, 10)
    figures = {("Xavier uniform", shape): {"xentfast": 0.5, "NumPy": 2.0}, ("truncated normal", shape): {"xentfast": 0.25}}
    lines = speed.weight_table(figures, [], 1).splitlines()
    assert "1 thread (" in lines[1]
    assert [line.split() for line in lines[4:]] == [["8", "x", "10", "Xavier", "uniform", "truncated", "normal"],
                                                    ["xentfast", "0.50", "(", "1.00)", "0.25", "(", "1.00)"],
                                                    ["NumPy", "2.00", "(", "4.00)", "-"]]


@pytest.fixture(scope="module")
def spreads():
    return signals.measure(0)


@pytest.fixture
def small_network(monkeypatch):
    """Four layers of eight units."""
    for name, value in (("LAYERS", 4), ("WIDTH", 8), ("ROWS", 12)):
        monkeypatch.setattr(signals, name, value)


@pytest.fixture
def matplotlib():
    return pytest.importorskip("matplotlib", reason='needs the extra "demo"')


def last_by_first(spreads, quantity, nonlinearity, kind):
    std = spreads[quantity, nonlinearity, kind].std
    return std[-1] / std[0]


@pytest.mark.parametrize("quantity", ["activations", "gradients"])
class TestSpread:
    def test_he_keeps_relu(self, spreads, quantity):
        assert 1 / BY_CHANCE < last_by_first(spreads, quantity, "ReLU", "He") < BY_CHANCE

    def test_xavier_keeps_tanh(self, spreads, quantity):
        assert 1 / SLOWLY < last_by_first(spreads, quantity, "tanh", "Xavier") < SLOWLY

    def test_xavier_halves_the_mean_square_of_relu(self, spreads, quantity):
        kept = 2 ** (-(signals.LAYERS - 1) / 2)
        ratio = last_by_first(spreads, quantity, "ReLU", "Xavier") ** (1 if quantity == "activations" else -1)
        assert kept / BY_CHANCE < ratio < kept * BY_CHANCE

    @pytest.mark.parametrize("nonlinearity", ["tanh", "ReLU"])
    def test_small_weights_let_all_vanish(self, spreads, quantity, nonlinearity):
        end = -1 if quantity == "activations" else 0
        assert 0 < spreads[quantity, nonlinearity, "small random"].std[end] < VANISHED

    @pytest.mark.parametrize("nonlinearity", ["tanh", "ReLU"])
    def test_zero_is_zero(self, spreads, quantity, nonlinearity):
        for by_layer in spreads[quantity, nonlinearity, "zero"]:
            np.testing.assert_array_equal(by_layer, np.zeros(signals.LAYERS))


@pytest.mark.parametrize("nonlinearity", ["tanh", "ReLU"])
def test_gradients_are_those_of_a_deep_loss(small_network, nonlinearity):
    """Central differences, in a direction for each layer's weights: their gradient is inputs' transpose × the one recorded."""
    function, derivative = signals.NONLINEARITIES[nonlinearity]
    rng = np.random.default_rng(11)
    inputs = rng.standard_normal((signals.ROWS, signals.WIDTH))
    weights = signals.first_weights(signals.INITIALISERS["He"], 11)
    activations = signals.forward(inputs, weights, function)
    gradients = signals.backward(activations, weights, derivative)

    def loss_at(moved):
        logits = signals.forward(inputs, moved, function)[-1] @ moved[-1]
        return training.xf.softmax_cross_entropy(logits, np.arange(signals.ROWS) % signals.CLASSES, reduction="sum")

    for layer, (entering, gradient) in enumerate(zip([inputs, *activations[:-1]], gradients, strict=True)):
        direction = rng.standard_normal(weights[layer].shape)
        up, down = (loss_at([*weights[:layer], weights[layer] + move * direction, *weights[layer + 1:]])
                    for move in (STEP, -STEP))
        assert (up - down) / (2 * STEP) == pytest.approx(np.sum(entering.T @ gradient * direction), **SLOPE_TOLERANCE)


def test_spreads_come_from_the_seed(small_network):
    first, again, other = (signals.measure(seed) for seed in (7, 7, 8))
    assert first.keys() == again.keys()
    for key, spread in first.items():
        np.testing.assert_array_equal(spread, again[key])
        assert np.array_equal(spread, other[key]) == (key[-1] == "zero")


def test_paragraph_has_the_figures_measured(spreads):
    lines = signals.paragraph(spreads).splitlines()
    assert "" not in lines and max(map(len, lines)) <= 80
    text = " ".join(lines)
    assert "Zero weights give exactly 0 everywhere" in text
    figure = r"([\d.e-]*\d)"
    found = re.findall(f"activations {figure} to {figure}, gradients {figure} to {figure}", text)
    kinds = (("tanh", "small random"), ("ReLU", "small random"), ("tanh", "Xavier"), ("ReLU", "Xavier"), ("ReLU", "He"),
             ("tanh", "He"))
    for figures, kind in zip(found, kinds, strict=True):
        activations, gradients = spreads["activations", *kind].std, spreads["gradients", *kind].std
        expected = [activations[0], activations[-1], gradients[-1], gradients[0]]
        assert [float(figure) for figure in figures] == pytest.approx(expected, rel=TWO_DIGITS)


def test_init_says_and_draws_it(matplotlib, spreads, tmp_path):
    """A process of its own, with warnings as errors: the same text, a table, and a picture that has every line."""
    pytest.importorskip("tqdm", reason='needs the extra "demo"')
    done = subprocess.run([sys.executable, "-P", "-W", "error", "-c", INIT], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    text, table = done.stdout.split("\n\nNanoseconds per float32")
    assert text == signals.paragraph(spreads) + "\nThe picture is in xentfast-init.png."
    assert [line.split()[0] for line in table.splitlines()[-3:]] == ["2048", "xentfast", "NumPy"]
    assert [path.name for path in tmp_path.iterdir()] == ["xentfast-init.png"]
    from matplotlib import colors, image

    pixels = image.imread(tmp_path / "xentfast-init.png")[..., :3]
    for color, _ in signals.LOOKS.values():
        assert np.isclose(pixels, colors.to_rgb(color), atol=1 / 255).all(-1).sum() > 100


def test_picture_has_four_panels_and_tells_of_zero(matplotlib, spreads):
    figure = signals.draw(spreads)
    assert [axes.get_title() for axes in figure.axes] == ["tanh: activations", "ReLU: activations", "tanh: gradients",
                                                          "ReLU: gradients"]
    for axes in figure.axes:
        assert axes.get_yscale() == "log"
        assert len(axes.lines) == 6                         # a line and dots for all but zero
        assert sum("at layer" in text.get_text() for text in axes.texts) == 1
    legend, = figure.legends
    assert any(text.get_text().startswith("zero: 0 at every layer") for text in legend.get_texts())


def test_init_takes_seed_and_output(extra, small_network, quick_table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    texts = []
    for seed in "3", "3", "4":
        demo.main(["init", "--seed", seed, "--output", "of-seed.png"])
        text, _, table = capsys.readouterr().out.partition("\n\nNanoseconds per float32")
        assert "NumPy" in table
        texts.append((text, (tmp_path / "of-seed.png").read_bytes()))
    assert texts[0] == texts[1]
    assert texts[0][0] != texts[2][0] and texts[0][1] != texts[2][1]
    assert texts[0][0].endswith("\nThe picture is in of-seed.png.")
    assert [path.name for path in tmp_path.iterdir()] == ["of-seed.png"]


def test_init_without_a_picture_needs_no_matplotlib(small_network, quick_table, hide, tmp_path, monkeypatch, capsys):
    pytest.importorskip("tqdm", reason='needs the extra "demo"')
    monkeypatch.chdir(tmp_path)
    hide("matplotlib")
    demo.main(["init", "--no-plot", "--threads", "1"])
    out, err = capsys.readouterr()
    assert "Zero weights" in out and "picture" not in out
    assert "of a matrix of weights, 1 thread (" in out
    assert err == ""
    assert not list(tmp_path.iterdir())


def test_init_that_cannot_save_says_so_after_the_text(extra, small_network, tmp_path, capsys):
    with pytest.raises(SystemExit, match="The picture is not saved: .*missing"):
        demo.main(["init", "--output", str(tmp_path / "missing" / "of-init.png")])
    assert "Zero weights" in capsys.readouterr().out


@pytest.mark.parametrize(("missing", "hint"), [
    ("matplotlib", "\nWithout matplotlib: python -m xentfast init --no-plot"), ("tqdm", ""),
])
def test_init_names_the_missing_extra_before_any_work(extra, hide, missing, hint, monkeypatch):
    hide(missing)
    monkeypatch.setattr(signals, "measure", pytest.fail)
    with pytest.raises(SystemExit) as exit_:
        demo.main(["init"])
    assert exit_.value.code == f'The demonstration needs {missing}: pip install "xentfast[demo]"{hint}'


def test_init_help_names_every_option(capsys):
    with pytest.raises(SystemExit, match="0"):
        demo.main(["init", "--help"])
    text = capsys.readouterr().out
    for word in ("python -m xentfast init", "--output", "xentfast-init.png", "--seed", "--threads", "--no-plot",
                 "xentfast[demo]"):
        assert word in text


@pytest.mark.parametrize("arguments", [["--seed", "-1"], ["--threads", "0"], ["--epochs", "3"], ["7"], ["--output"]])
def test_bad_options_of_init_end_with_its_usage(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        demo.main(["init", *arguments])
    assert "usage: python -m xentfast init" in capsys.readouterr().err
