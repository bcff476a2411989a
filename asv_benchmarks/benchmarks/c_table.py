"""Time of a C function of the table: called by ctypes, and a thousand times in a loop that Numba has compiled."""

import ctypes

import numpy as np

try:
    import numba
except ImportError:
    numba = None
try:
    from xentfast import capi
except ImportError:                 # an older commit
    capi = None

CALLS = 1000


class Call:
    """What both have: a function and its arguments."""

    param_names = ["shape"]

    def setup(self, shape):
        if capi is None:
            raise NotImplementedError("no table of C functions")
        n_rows, n_classes = shape
        self.function = capi.table().softmax_cross_entropy_value_and_grad_float32
        self.options = np.frombuffer(capi.Options(), capi.Options)
        self.arrays = (np.zeros(shape, np.float32), np.zeros(n_rows, np.int64), self.options, np.zeros(1, np.float32),
                       np.zeros(shape, np.float32))
        x, targets, options, loss, grad = (ctypes.c_void_p(array.ctypes.data) for array in self.arrays)
        self.arguments = (x, n_rows, n_classes, n_classes, targets, options, 1, loss, grad, n_classes)


class CTable(Call):
    params = [[(1, 10), (64, 10), (1024, 1000)]]

    def time_ctypes(self, shape):
        assert self.function(*self.arguments) == 0


class CTableFromNumba(Call):
    params = [[(1, 10), (64, 10)]]

    def setup(self, shape):
        if numba is None:
            raise NotImplementedError("Numba is not installed")
        super().setup(shape)
        function = self.function

        def loop(x, targets, options, loss, grad):
            status = 0
            for _ in range(CALLS):
                status |= function(x.ctypes, x.shape[0], x.shape[1], x.shape[1], targets.ctypes, options.ctypes, 1, loss.ctypes,
                                   grad.ctypes, x.shape[1])
            return status

        self.loop = numba.njit(loop)
        self.loop(*self.arrays)

    def time_thousand_calls(self, shape):
        assert self.loop(*self.arrays) == 0
