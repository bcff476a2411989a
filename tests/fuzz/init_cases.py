"""Initialisers and their streams: words by a twin of Philox4x32-10, values by the formulas in long double."""

import hashlib
import math
from functools import partial
from operator import attrgetter

import numpy as np
from cases import Case, family
from comparing import LONG, Finding, base_of, check, check_bits, expect_dtype
from drawing import BFLOAT16, FLOATS
from philox import MULTIPLIERS, round_keys
from scipy.special import ndtri
from softmax_cases import INF, NAN
from tolerances import FIRST_VALUES

import xentfast as xf

PI = LONG("3.14159265358979323846264338327950288")
NAMED = {f"init.{family_name}_{kind}": (family_name, kind) for family_name in ("xavier", "glorot", "he", "kaiming", "lecun")
         for kind in ("uniform", "normal")}
GAINS = {"linear": 1, "sigmoid": 1, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


# ---- the twin


def philox(key, counters):
    """Blocks of four words for counters of shape (n, 4)."""
    c0, c1, c2, c3 = np.asarray(counters, np.uint64).T
    for k0, k1 in round_keys(key):
        p0, p1 = (np.uint64(multiplier) * c for multiplier, c in zip(MULTIPLIERS, (c0, c2), strict=True))
        low = np.uint64(0xFFFFFFFF)
        c0, c1, c2, c3 = p1 >> np.uint64(32) ^ c1 ^ np.uint64(k0), p1 & low, p0 >> np.uint64(32) ^ c3 ^ np.uint64(k1), p0 & low
    return np.stack([c0, c1, c2, c3], 1)


def words(seed, name, count):
    """The first words of a parameter's stream."""
    key = np.random.SeedSequence(seed).generate_state(2, np.uint32).tolist()
    stream = 0 if name is None else int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    blocks = np.arange((count + 3) // 4)
    counters = np.stack([blocks, 0 * blocks, np.full_like(blocks, stream & 0xFFFFFFFF), np.full_like(blocks, stream >> 32)], 1)
    return philox(key, counters).ravel()[:count]


def units(seed, name, count, base, half):
    """Numbers of 24 or 32 (half a step further), and of 53 bits, in long double."""
    if base == np.float32:
        found = words(seed, name, count)
        if half:
            return (found.astype(LONG) + LONG(0.5)) * LONG(2) ** -32
        return (found >> np.uint64(8)).astype(LONG) * LONG(2) ** -24
    first, second = words(seed, name, 2 * count).reshape(-1, 2).T
    bits = ((first >> np.uint64(5)) << np.uint64(26) | second >> np.uint64(6)).astype(LONG)
    return (bits + (LONG(0.5) if half else 0)) * LONG(2) ** -53


def standard_normal(seed, name, count, base):
    """Box & Muller of pairs: a cosine and a sine, each reduced to an eighth of the circle."""
    pairs = units(seed, name, (count + 1) // 2 * 2, base, half=True).reshape(-1, 2)
    angle = pairs[:, 1] * 4                                         # in quadrants, as far as long double goes
    quadrant = np.floor(angle)
    part = angle - quadrant
    sine, cosine = (np.where(part > LONG(0.5), turned((1 - part) * PI / 2), plain(part * PI / 2))
                    for turned, plain in ((np.cos, np.sin), (np.sin, np.cos)))
    radius = np.sqrt(-2 * np.log(pairs[:, 0]))
    cosines = np.choose(quadrant.astype(int), [cosine, -sine, -cosine, sine])
    sines = np.choose(quadrant.astype(int), [sine, cosine, -sine, -cosine])
    return np.stack([radius * cosines, radius * sines], 1).ravel()[:count]


# ---- arguments


def weights_shape(draw, least=0, most_axes=4):
    n_axes = draw.between(least, most_axes)
    shape = [draw.choice([1, 2, 3, 4, 5, 7, 16, 31, 33]) for _ in range(n_axes)]
    while shape and np.prod(shape) > 4000:
        shape[draw.between(0, n_axes - 1)] = 1
    if shape and draw.chance(0.05):
        shape[draw.between(0, n_axes - 1)] = 0
    if draw.chance(0.03) and least <= 1:
        shape = [draw.choice([1023, 1025, 3000])]
    return tuple(shape)


def index_for(draw, shape):
    """Ints, slices of step 1, an ellipsis."""
    parts = []
    for length in shape[:draw.between(0, len(shape))]:
        if length and draw.chance(0.3):
            parts.append(draw.between(-length, length - 1))
        else:
            start, stop = draw.between(-length - 1, length + 1), draw.between(-length - 1, length + 2)
            parts.append(draw.choice([slice(None), slice(start, stop), slice(None, draw.between(0, length)),
                                      slice(draw.between(0, length), None, 1)]))
    if draw.chance(0.3):
        parts.insert(0 if len(parts) == 0 else len(parts), ...)
    return tuple(parts) if len(parts) != 1 or draw.chance(0.5) else parts[0]


def seed_for(draw):
    return draw.choice([0, 7, 2**32, 2**70 + 3, [1, 2, 3], draw.between(0, 2**64)])


def common(draw, shape, indexed=True, threads=True):
    """(options of every random fill, the dtype, the seed, the name)"""
    dtype = draw.choice(FLOATS)
    seed, name = seed_for(draw), draw.choice([None, "w", "layer1/weight", "å/ß", ""])
    options = {"rng": seed if draw.chance(0.7) else np.random.SeedSequence(seed), "dtype": dtype}
    if name is not None:
        options["name"] = name
    if indexed and draw.chance(0.4):
        options["index"] = index_for(draw, shape)
    if threads and draw.chance(0.7):
        options["n_threads"] = draw.choice([None, 1, 2, 3])
    return options, dtype, seed, name


def case_of(draw, name, shape, options, dtype, judge, defects=None, **more):
    """A fill into a new array, or one of any strides."""
    options = dict(options)
    given = {"shape": shape, **options}
    part = np.zeros(shape, bool)[options.get("index", ...)].shape if isinstance(shape, tuple) else shape
    if draw.chance(0.5):
        given["out"] = draw.out(part, dtype)
    plain = {"shape": shape, **options}
    if "n_threads" in options:
        plain["n_threads"] = 2 if options["n_threads"] == 1 else 1
    read_only = np.zeros(part, dtype)
    read_only.flags.writeable = False
    wrong = {"shape": [-1, (2, -1), 1.5, "a", (1.5,), None, (2**70,)], "dtype": [np.int32, "a", complex, ">f4", np.longdouble],
             "out": [np.zeros((*part, 1), dtype), read_only, np.zeros(part, np.int8), "a",
                     np.zeros(part, BFLOAT16 if dtype != BFLOAT16 else np.float32)]}
    if "rng" in options:
        wrong |= {"rng": ["a", 1.5, -1, [-1], object()], "name": [1, b"a", "\ud800"], "n_threads": [0, -1, 1.5, "a"]}
    wrong |= defects or {}
    return Case(name, attrgetter(name)(xf), given, plain, judge, wrong, **more)


def part_of(whole, options):
    return whole[options["index"]] if "index" in options else whole


def checked(draw, name, shape, options, dtype, exact, bound, floor, defects):
    """A case whose exact values are known: in ulp of themselves or of `floor`, whichever is larger."""
    def judge(results):
        expect_dtype("the result", results[0], dtype)
        want = part_of(np.asarray(exact()).reshape(shape), options)
        check("the result", results[0], want, np.maximum(np.abs(want), floor), bound)
    return case_of(draw, name, shape, options, dtype, judge, defects)


SCALES = {"std": [-1, NAN, INF, "a", None], "mean": [NAN, INF, "a"], "low": [NAN, INF, "a", 2e6], "high": [NAN, "a", -2e6],
          "gain": [NAN, INF, "a", None]}


@family("init.uniform", "init.normal")
def fill_case(draw, name):
    shape = weights_shape(draw)
    options, dtype, seed, stream = common(draw, shape)
    base = base_of(dtype)
    count = int(np.prod(shape))
    defects = {}
    if name == "init.uniform":
        low = draw.choice([0.0, 0.0, -1.0, -0.3, 1e3, -1e-3])
        high = low + draw.choice([1.0, 0.7, 0.0, 1e-3, 1e4])
        if (low, high) != (0.0, 1.0) or draw.chance(0.3):
            options |= {"low": low, "high": high}

        def exact():
            values = LONG(low) + units(seed, stream, count, base, half=False) * (LONG(high) - LONG(low))
            return np.minimum(values, LONG(np.nextafter(base.type(high), base.type(low)))) if high > low else values
        floor, bound = max(abs(low), abs(high)), 1.5
        defects = {"low": SCALES["low"], "high": SCALES["high"]}
    else:
        mean, std = draw.choice([0.0, 0.0, 0.1, -5.0, 1e3]), draw.choice([1.0, 0.02, 0.0, 1e-6, 50.0])
        if (mean, std) != (0.0, 1.0):
            options |= {"mean": mean, "std": std}

        def exact():
            return LONG(mean) + LONG(std) * standard_normal(seed, stream, count, base)
        floor, bound = abs(mean), FIRST_VALUES["normal", base.type]
        defects = {"mean": SCALES["mean"], "std": SCALES["std"]}
    return checked(draw, name, shape, options, dtype, exact, bound, floor, defects)


@family(*NAMED, "init.variance_scaling")
def scaled_case(draw, name):
    shape = weights_shape(draw, least=2)
    options, dtype, seed, stream = common(draw, shape)
    base, count = base_of(dtype), int(np.prod(shape))
    in_axis, out_axis = -2, -1
    if draw.chance(0.3):
        in_axis, out_axis = draw.random.sample(range(len(shape)), 2)
        options |= {"in_axis": in_axis, "out_axis": out_axis}
    field = int(np.prod([n for axis, n in enumerate(shape) if axis not in (in_axis % len(shape), out_axis % len(shape))]))
    fan_in, fan_out = shape[in_axis] * field, shape[out_axis] * field
    if draw.chance(0.2) or fan_in == 0 or fan_out == 0:
        fan_in, fan_out = draw.between(1, 100), draw.between(1, 100)
        options |= {"fan_in": fan_in, "fan_out": fan_out}
    fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    if name == "init.variance_scaling":
        scale, mode = draw.choice([1.0, 2.0, 0.1]), draw.choice(list(fans))
        distribution = draw.choice(["uniform", "normal"])
        options |= {"scale": scale, "mode": mode, "distribution": distribution}
        variance = LONG(scale) / LONG(fans[mode])
    else:
        family_name, distribution = NAMED[name]
        mode = "fan_avg" if family_name in ("xavier", "glorot") else "fan_in"
        gain = draw.choice([1.0, 1.0, 2.0, 0.5])
        if gain != 1.0:
            options["gain"] = gain
        if family_name in ("he", "kaiming"):
            nonlinearity = draw.choice(list(GAINS))
            options |= {"nonlinearity": nonlinearity}
            gain = LONG(gain) * LONG(GAINS[nonlinearity])
            if draw.chance(0.4):
                mode = draw.choice(list(fans))
                options["mode"] = mode
        variance = LONG(gain) ** 2 / LONG(fans[mode])
    std = np.sqrt(variance)

    def exact():
        if distribution == "normal":
            return std * standard_normal(seed, stream, count, base)
        limit = std * np.sqrt(LONG(3))
        return -limit + units(seed, stream, count, base, half=False) * 2 * limit
    # The scale is a double that has been rounded a few times.
    bound = (FIRST_VALUES["normal", base.type] if distribution == "normal" else 1.5) + 2
    floor = 0 if distribution == "normal" else std * np.sqrt(LONG(3))
    defects = {"in_axis": [9, "a", 1.5, None], "fan_in": [0, -1, "a"], "gain": SCALES["gain"]}
    if name == "init.variance_scaling":
        defects = {"scale": [-1, NAN, INF, "a"], "mode": ["a", None], "distribution": ["a", None]}
    return checked(draw, name, shape, options, dtype, exact, bound, floor, defects)


@family("init.truncated_normal")
def truncated_case(draw, name):
    shape = weights_shape(draw)
    options, dtype, seed, stream = common(draw, shape)
    mean, std = draw.choice([0.0, 0.0, 0.1, -5.0]), draw.choice([1.0, 0.02, 50.0])
    lower, upper = draw.choice([(-2.0, 2.0), (-1.0, 3.0), (0.0, INF), (-INF, INF), (3.0, 5.0), (-6.0, -5.0), (1.0, 1.5),
                                (-0.1, 0.1)])
    options |= {"mean": mean, "std": std, "lower": lower, "upper": upper}

    def judge(results):
        expect_dtype("the result", results[0], dtype)
        base = base_of(dtype)
        values = np.asarray(results[0]).astype(np.float64)
        u = part_of(units(seed, stream, int(np.prod(shape)), base, half=True).astype(np.float64).reshape(shape), options)
        from scipy.special import ndtr
        mirrored = lower > 0                                # from the tail that is nearer
        below, above = (ndtr(-upper), ndtr(-lower)) if mirrored else (ndtr(lower), ndtr(upper))
        near = ndtri(below + ((1 - u) if mirrored else u) * (above - below))
        want = mean + std * np.clip(-near if mirrored else near, lower, upper)
        # SciPy's own error, of a number that is relative to its tail, and roundings.
        size = abs(mean) + std * np.maximum(np.abs(want - mean) / std, 1)
        eps = {np.float16: 2e-3, np.float32: 2e-6, np.float64: 1e-9}.get(dtype.type, 2e-2)
        if not np.all(np.abs(values - want) <= eps * size):
            place = np.unravel_index(np.argmax(np.abs(values - want) / size), values.shape)
            raise Finding(f"the result{place} is {values[place]!r}; expected {want[place]!r}")
    return case_of(draw, name, shape, options, dtype, judge,
                   {"lower": [NAN, "a", 99.0], "upper": [NAN, "a", -99.0], "std": SCALES["std"], "mean": SCALES["mean"]})


@family("init.zeros", "init.ones", "init.constant", "init.identity", "init.dirac")
def fixed_case(draw, name):
    kind = name.rpartition(".")[2]
    dtype = draw.choice(FLOATS)
    options, defects = {"dtype": dtype}, {}
    shape = weights_shape(draw, *{"identity": (2, 2), "dirac": (3, 5)}.get(kind, (0, 4)))
    gain = draw.choice([1.0, 2.5, -0.5])
    if kind == "constant":
        value = draw.choice([0.5, -1.0, NAN, INF, 3, draw.rng.standard_normal(shape[-1:] if shape else ())])
        options["value"] = value
        exact = np.broadcast_to(np.asarray(value, np.float64), shape).astype(dtype)
        defects = {"value": ["a", 1j, None, np.ones((2, *shape)), [[1], [1, 2]]]}
    elif kind == "identity":
        options["gain"] = gain
        exact = (np.eye(*shape) * gain).astype(dtype)
        exact = np.where(np.eye(*shape, dtype=bool), exact, np.zeros((), dtype))
        defects = {"gain": ["a", None, NAN]}
    elif kind == "dirac":
        exact = np.zeros(shape, dtype)
        middle = tuple(n // 2 for n in shape[:-2])
        if exact.size:
            for channel in range(min(shape[-2:])):
                exact[(*middle, channel, channel)] = 1
        defects = {"groups": [0, -1, 1.5, "a"], "in_axis": [9, "a"]}
    else:
        exact = np.full(shape, kind == "ones", dtype)

    def judge(results):
        check_bits("the result", np.ascontiguousarray(results[0]), np.ascontiguousarray(exact))
    return case_of(draw, name, shape, options, dtype, judge, defects)


@family("init.sparse", "init.orthogonal")
def matrix_case(draw, name):
    shape = weights_shape(draw, 2, 2 if name == "init.sparse" else 4)
    options, dtype, _, _ = common(draw, shape, indexed=name == "init.sparse")
    if name == "init.sparse":
        options["sparsity"] = sparsity = draw.choice([0.0, 0.3, 0.5, 0.9, 1.0, 0.07])

        def judge(results):
            expect_dtype("the result", results[0], dtype)
            whole = xf.init.sparse(shape, **{key: value for key, value in options.items() if key not in ("index", "out")})
            check_bits("a part", np.ascontiguousarray(results[0]), np.ascontiguousarray(part_of(whole, options)))
            zeros = (whole == 0).sum(0)
            expected = math.ceil(round(sparsity * shape[0], 9))
            if not np.all(zeros == expected):
                raise Finding(f"columns have {zeros} zeros; expected {expected}")
        return case_of(draw, name, shape, options, dtype, judge, {"sparsity": [-0.1, 1.1, NAN, "a", None], "std": SCALES["std"]})

    def judge_orthogonal(results):
        expect_dtype("the result", results[0], dtype)
        q = np.asarray(results[0]).astype(np.float64).reshape(-1, shape[-1])
        q = q if q.shape[0] >= q.shape[1] else q.T
        error = np.abs(q.T @ q - np.eye(q.shape[1])).max(initial=0.0)
        if not error <= {2: 2e-2 if dtype == BFLOAT16 else 4e-3, 4: 2e-6, 8: 1e-14}[dtype.itemsize] * 4:
            raise Finding(f"QᵀQ is {error} off")
    if not all(shape):
        return fixed_case(draw, "init.zeros")
    return case_of(draw, name, shape, options, dtype, judge_orthogonal, {"gain": SCALES["gain"]}, same_bits=False)


@family("init.fill")
def fill_many_case(draw, name):
    makers = [partial(xf.init.normal, std=0.02), xf.init.he_normal, xf.init.uniform, xf.init.zeros, xf.init.truncated_normal,
              xf.init.ones]
    seed, params, alone = seed_for(draw), {}, []
    for number in range(draw.between(0, 4)):
        maker, shape, key = draw.choice(makers), weights_shape(draw, 2), f"parameter {number}"
        shape = tuple(n or 1 for n in shape)
        target = shape
        dtype = np.dtype(np.float32)
        if draw.chance(0.4):
            dtype = draw.choice(FLOATS)
            target = draw.out(shape, dtype)
        params[key] = (maker, target)
        random = maker not in (xf.init.zeros, xf.init.ones)
        alone.append(partial(maker, shape, dtype=dtype, **({"rng": seed, "name": key} if random else {})))
    given = {"params": params if draw.chance(0.6) else list(params.items()), "rng": seed, "n_threads": draw.choice([None, 1, 2])}
    shapes = {key: (maker, target.shape if isinstance(target, np.ndarray) else target) for key, (maker, target) in params.items()}
    plain = {"params": shapes, "rng": seed, "n_threads": 1}

    def function(**options):
        return list(xf.init.fill(**options).values())

    def judge(results):
        for one, own in zip(results, alone, strict=True):
            check_bits("a parameter", np.ascontiguousarray(one), np.ascontiguousarray(own()))
    return Case(name, function, given, plain, judge,
                {"params": [None, 3, {"a": 1}, {1: (xf.init.zeros, (2,))}, [("a", (xf.init.zeros, 2)), ("a", (xf.init.zeros, 2))],
                            {"a": (len, (2,))}], "rng": ["a", 1.5, -1], "n_threads": [0, 1.5]}, same_bits=False)


@family("init.fans", "init.gain", "random.Key", "random.key", "random.stream", "random.Philox4x32")
def small_case(draw, name):
    if name == "init.fans":
        shape = weights_shape(draw, 2)
        field = int(np.prod(shape[:-2])) if len(shape) > 2 else 1
        want = [shape[-2] * field, shape[-1] * field]
        given, wrong = {"shape": shape}, {"shape": [(), (3,), "a", (2, -1), None], "in_axis": [9, "a", -1]}
    elif name == "init.gain":
        nonlinearity = draw.choice(list(GAINS))
        want, given = [GAINS[nonlinearity]], {"nonlinearity": nonlinearity}
        wrong = {"nonlinearity": ["a", None, 1, b"relu"], "param": ["a", 0.5, NAN]}
    elif name == "random.key":
        seed = seed_for(draw)
        low, high = np.random.SeedSequence(seed).generate_state(2, np.uint32).tolist()
        want, given, wrong = [low | high << 32], {"rng": seed}, {"rng": ["a", 1.5, -1, [-1]]}
    elif name == "random.Key":
        bits = draw.choice([0, 7, 2**32, 2**64 - 1])
        want, given, wrong = [bits], {"bits": bits}, {"bits": [-1, 2**64, 1.5, "a", None, [1]]}
    elif name == "random.stream":
        text = draw.choice(["w", "", "å", "layer1/weight" * 40])
        want = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")]
        given, wrong = {"name": text}, {"name": [1, b"a", "\ud800", ("a",)]}
    else:
        return generator_case(draw, name)

    def judge(results):
        if [one.item() for one in results] != want:
            raise Finding(f"{[one.item() for one in results]}; expected {want}")
    return Case(name, attrgetter(name)(xf), given, dict(given), judge, wrong)


def generator_case(draw, name):
    seed, count, skipped = seed_for(draw), draw.between(1, 40), draw.choice([0, 1, 5, 2**64, 2**100])
    given = {"seed": seed}

    def function(**options):
        generator = xf.random.Philox4x32(**options)
        generator.advance(skipped)
        state = generator.state
        first = generator.random_raw(count)
        generator.state = state
        check_bits("after a state", generator.random_raw(count), first)
        return first

    def judge(results):
        blocks = [skipped + block & 2**128 - 1 for block in range((count + 3) // 4)]
        key = np.random.SeedSequence(seed).generate_state(2, np.uint32).tolist()
        want = philox(key, [[counter >> shift & 0xFFFFFFFF for shift in (0, 32, 64, 96)] for counter in blocks]).ravel()[:count]
        if not np.array_equal(np.asarray(results[0], np.uint64), want):
            raise Finding("other words than Philox4x32-10 has")
    return Case(name, function, given, dict(given), judge, {"seed": ["a", 1.5, -1], "counter": [-1, 2**128, "a", [1, 2]]})
