"""`python -m xentfast`: it learns, draws, measures, and says clearly what it lacks."""

import importlib.util
import math
import re
import subprocess
import sys

import numpy as np
import pytest

import xentfast.__main__ as demo

# 32 × 32 float32 terms, summed in any order: a few units in the seventh digit.
LOSS_TOLERANCE = 1e-5
# Central differences in float64: the loss is rounded by 1e-16, which the step magnifies a millionfold; with room.
STEP, SLOPE_TOLERANCE = 1e-6, {"rel": 1e-6, "abs": 1e-8}
# Above what untrained weights can reach (a tenth, or a little more), below what one epoch does.
LEARNT_SOMETHING = 0.9
PROMISED_ACCURACY = 0.97


@pytest.fixture
def extra():
    """Skips a test where the extra `demo` is not installed."""
    for module in demo.DEMO_MODULES:
        pytest.importorskip(module, reason='needs the extra "demo"')


@pytest.fixture
def quick_table(monkeypatch):
    """The speed table by NumPy and xentfast alone, for small arrays."""
    monkeypatch.setattr(demo, "SHAPES", ((8, 10), (4, 100)))
    monkeypatch.setattr(demo, "SECONDS", 0.0)
    monkeypatch.setattr(demo, "PEERS", {name: demo.PEERS[name] for name in ("xentfast", "NumPy formula")})


@pytest.fixture
def hide(monkeypatch):
    """A function that makes modules look as if they were not installed."""
    find_spec = importlib.util.find_spec

    def hide_modules(*hidden):
        monkeypatch.setattr(importlib.util, "find_spec",
                            lambda name, *rest: None if name in hidden else find_spec(name, *rest))

    return hide_modules


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
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_other_seeds_pass_too(extra, seed):
    history = demo.train(*demo.load_digits(seed), 30, seed, None)
    assert history[-1].held_out_accuracy > PROMISED_ACCURACY
    assert history[-1].loss < history[0].loss


def test_training_improves_on_the_first_weights(extra):
    digits, held_out = demo.load_digits(5)
    untrained = demo.first_parameters(np.random.default_rng(5), 64, 10)
    loss, accuracy = demo.loss_and_accuracy(untrained, held_out, None)
    first, second = demo.train(digits, held_out, 2, 5, None)
    assert accuracy < LEARNT_SOMETHING < first.held_out_accuracy
    assert second.loss < first.loss < loss


def test_digits_are_split_by_the_seed(extra):
    digits, held_out = demo.load_digits(0)
    assert len(digits.labels) == len(digits.images) == 1438
    assert len(held_out.labels) == len(held_out.images) == 359
    assert digits.images.dtype == np.float32
    np.testing.assert_array_equal(held_out.images, demo.load_digits(0)[1].images)
    assert not np.array_equal(held_out.images, demo.load_digits(1)[1].images)


def test_everything_comes_from_the_seed(extra):
    """Whatever the threads, and whatever ran before."""
    data = demo.load_digits(7)
    history = demo.train(*data, 2, 7, 1)
    assert demo.train(*data, 2, 7, 2) == history
    assert demo.train(*data, 2, 8, 1) != history


def test_gradients_are_those_of_the_loss():
    """Central differences of the smoothed loss, in float64, in one direction for each parameter."""
    rng = np.random.default_rng(3)
    parameters = demo.Parameters(*(array.astype(np.float64) for array in demo.first_parameters(rng, 64, 10)))
    images, labels = rng.random((6, 64)), rng.integers(0, 10, 6)
    gradients = demo.gradients_of(parameters, images, labels, None)

    def loss_at(moved):
        return demo.xf.softmax_cross_entropy(demo.forward(moved, images)[1], labels, label_smoothing=demo.SMOOTHING)

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
    demo.save_plot([demo.Epoch(1.0, 0.5, 1.0, 0.5)], tmp_path / "missing" / "digits.png")
    assert "not saved" in capsys.readouterr().out


@pytest.mark.parametrize("missing", ["sklearn", "tqdm", "matplotlib"])
def test_missing_extra_is_named_before_any_work(hide, missing, monkeypatch):
    hide(missing)
    monkeypatch.setattr(demo, "load_digits", pytest.fail)
    with pytest.raises(SystemExit, match=re.escape('pip install "xentfast[demo]"')) as exit_:
        demo.main([])
    assert demo.DEMO_MODULES[missing] in exit_.value.code


def test_help_names_every_option():
    done = subprocess.run([sys.executable, "-P", "-m", "xentfast", "--help"], capture_output=True, text=True, check=True)
    for word in ("--epochs", "--seed", "--threads", "--no-plot", "example:", "xentfast[demo]"):
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


@pytest.mark.parametrize("arguments", [["--unknown"], ["--epochs"], ["7"]])
def test_bad_options_end_with_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        demo.main(arguments)
    assert exit_.value.code == 2
    assert "usage: python -m xentfast" in capsys.readouterr().err


@pytest.mark.parametrize("peer", ["xentfast", "NumPy formula", "SciPy", "scikit-learn"])
def test_peers_compute_the_same_loss(peer):
    modules, calls = demo.PEERS[peer]
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


def test_table_has_a_figure_for_every_peer_present():
    pytest.importorskip("tqdm", reason='needs the extra "demo"')
    shapes = ((8, 10), (4, 100))
    peers = {name: demo.PEERS[name] for name in ("xentfast", "NumPy formula")}
    peers["absent"] = (("no_such_module_anywhere",), None)
    figures, failures = demo.measure(peers, shapes, 1, 0.0)
    assert list(figures) == [(what, shape) for what in ("loss", "loss + gradient") for shape in shapes]
    for figure in figures.values():
        assert list(figure) == ["xentfast", "NumPy formula"]
        assert all(0 < value < math.inf for value in figure.values())
    assert failures == []


def test_peer_that_fails_is_a_line_of_its_own():
    pytest.importorskip("tqdm", reason='needs the extra "demo"')

    def broken(logits, targets, threads):
        raise ImportError("it was built for\nanother NumPy")

    peers = {"xentfast": demo.PEERS["xentfast"], "Broken": ((), broken)}
    figures, failures = demo.measure(peers, ((8, 10), (4, 100)), 1, 0.0)
    assert failures == ["Broken failed: ImportError: it was built for"]
    assert demo.speed_table(figures, failures, 1).endswith(failures[0])


def test_table_shows_ratios_and_gaps():
    shapes = ((8, 10), (4, 100))
    figures = {("loss", shapes[0]): {"xentfast": 0.5, "SciPy": 2.0}, ("loss", shapes[1]): {"xentfast": 0.25, "SciPy": 0.2},
               ("loss + gradient", shapes[0]): {"xentfast": 1.0}, ("loss + gradient", shapes[1]): {"xentfast": 1.0}}
    lines = demo.speed_table(figures, [], 2).splitlines()
    assert "float32, 2 threads" in lines[1]
    rows = [line.split() for line in lines if line.startswith(("xentfast", "SciPy"))]
    assert rows[:2] == [["xentfast", "0.50", "(", "1.00)", "0.25", "(", "1.00)"],
                        ["SciPy", "2.00", "(", "4.00)", "0.20", "(", "0.80)"]]
    assert [row[0] for row in rows[2:]] == ["xentfast"]
    assert max(map(len, lines[3:])) <= 80
