"""The memory's own speed: float32 numbers read, changed in place, copied and written, by a few lines of C.

They are compiled on the spot, for this CPU and with OpenMP. Where that cannot be done, there are no limits, and a line says so.
"""

import ctypes
import functools
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

# Several accumulators: one would wait for its own additions. Parts of 64 KiB go to the threads in contiguous runs.
SOURCE = r"""
#include <stddef.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { LANES = 16, PART = 16384 };
typedef float lanes __attribute__((vector_size(4 * LANES)));

static inline void store_past_cache(lanes *place, lanes value)
{
#if defined(__clang__)
    __builtin_nontemporal_store(value, place);
#elif defined(__x86_64__)
    const __m128 *quarters = (const __m128 *)&value;
    for (int k = 0; k < 4; k++)
        _mm_stream_ps((float *)place + 4 * k, quarters[k]);
#else
    *place = value;
#endif
}

#define EACH_PART(BODY) \
    _Pragma("omp parallel for schedule(static) num_threads(threads)") \
    for (ptrdiff_t part = 0; part < count; part += PART) { \
        ptrdiff_t end = part + PART < count ? part + PART : count; \
        for (ptrdiff_t i = part; i < end; i += LANES) { BODY } \
    }
#define AT(array) (*(lanes *)((array) + i))

float read_all(float *to, const float *from, ptrdiff_t count, int threads)
{
    float total = 0;
    (void)to;
    #pragma omp parallel for schedule(static) num_threads(threads) reduction(+ : total)
    for (ptrdiff_t part = 0; part < count; part += PART) {
        ptrdiff_t end = part + PART < count ? part + PART : count;
        lanes sums[4] = {{0}};
        ptrdiff_t i = part;
        for (; i + 4 * LANES <= end; i += 4 * LANES)
            for (int k = 0; k < 4; k++)
                sums[k] += *(const lanes *)(from + i + k * LANES);
        for (; i < end; i += LANES)
            sums[0] += AT(from);
        lanes sum = sums[0] + sums[1] + sums[2] + sums[3];
        for (int lane = 0; lane < LANES; lane++)
            total += sum[lane];
    }
    return total;
}

void change_in_place(float *to, const float *from, ptrdiff_t count, int threads)
{
    (void)from;
    EACH_PART(AT(to) *= 1.0000001f;)
}

void copy(float *to, const float *from, ptrdiff_t count, int threads) { EACH_PART(AT(to) = AT(from);) }

void copy_past_cache(float *to, const float *from, ptrdiff_t count, int threads)
{
    EACH_PART(store_past_cache(&AT(to), AT(from));)
}

void write_all(float *to, const float *from, ptrdiff_t count, int threads)
{
    (void)from;
    lanes twos = {0};
    twos += 2.0f;
    EACH_PART(AT(to) = twos;)
}

void write_past_cache(float *to, const float *from, ptrdiff_t count, int threads)
{
    (void)from;
    lanes twos = {0};
    twos += 2.0f;
    EACH_PART(store_past_cache(&AT(to), twos);)
}
"""
# What moves → the functions that move it: the faster one is the limit, ordinary stores in cache, streaming stores past it.
KINDS = {
    "read": ("read_all",),
    "in place": ("change_in_place",),
    "copy": ("copy", "copy_past_cache"),
    "write": ("write_all", "write_past_cache"),
}
FLAGS = ["-O3", "-fno-math-errno", "-fopenmp", "-shared", "-fPIC"]
CACHE_LINE = 64


def calls(kind, count, threads):
    """{name: call} for `count` float32 numbers; nothing where there is no compiler."""
    library = build()
    if library is None:
        return {}
    count = -(-count // 16) * 16                # whole lanes
    to, source = (array.ctypes.data for array in arrays(count))
    found = {}
    for name in KINDS[kind]:
        function = getattr(library, name)
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int]
        function.restype = ctypes.c_float if name == "read_all" else None
        found[f"limit: {name}"] = functools.partial(function, to, source, count, threads)
    return found


@functools.lru_cache(maxsize=1)
def arrays(count):
    """Two arrays whose pages are there and whose first number begins a cache line."""
    found = []
    for _ in range(2):
        raw = np.ones(count + CACHE_LINE // 4, np.float32)
        found.append(raw[-raw.ctypes.data % CACHE_LINE // 4:][:count])
    return found


@functools.cache
def build():
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if shutil.which(compiler[0]) is None:
        print(f"No limits of the memory: there is no C compiler {compiler[0]!r} (set CC).", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        source, library = Path(folder, "limits.c"), Path(folder, "limits.so")
        source.write_text(SOURCE)
        for native in (["-march=native"], ["-mcpu=native"], []):        # its name depends on compiler and processor
            done = subprocess.run([*compiler, *FLAGS, *native, str(source), "-o", str(library)], capture_output=True, text=True)
            if done.returncode == 0:
                return ctypes.CDLL(str(library))
    print(f"No limits of the memory: {compiler[0]} fails: {(done.stderr.splitlines() or ['?'])[0][:110]}", file=sys.stderr)
    return None
