"""Series and frames of pandas, polars and pyarrow as NumPy arrays. They are known by what they can do: none is imported."""

import numpy as np

from xentfast._base.numbers import position


def is_table(value):
    """Whether it is of a kind whose values may be missing; but for Arrow's tensors, which DLPack knows better."""
    kind = type(value)                                      # objects that stand for others have any attribute
    if hasattr(kind, "isna") or hasattr(kind, "itercolumns") or hasattr(kind, "collect_schema"):
        return True
    return hasattr(kind, "null_count") and not (
        value.null_count == 0 and str(getattr(value, "type", "")).startswith("extension<arrow.fixed_shape_tensor"))


def table_array(value, name):
    """Missing values are nan where the columns are floating (one of them, in a frame), an error elsewhere."""
    if hasattr(value, "collect"):
        raise TypeError(f"{name} is of type {type(value).__name__}, which has no values yet; pass its collect()")
    dtypes = dtypes_of(value)
    floating = any("float" in str(dtype).lower() or "double" in str(dtype) for dtype in dtypes)
    dtype = common_dtype(dtypes) if hasattr(value, "dtypes") and hasattr(value, "isna") else None
    if dtype is None or dtype.kind == "O":
        array = np.asarray(value)
        if array.dtype.kind in ("f", "O") and not floating:       # integers, bools or labels, which missing ones would change
            check_none_missing(value, name)
        return array
    # A pandas frame of nullable or Arrow dtypes, of which NumPy by itself would make Python objects.
    if floating:
        return value.to_numpy(dtype=dtype, na_value=np.nan)
    check_none_missing(value, name)
    return value.to_numpy(dtype=dtype)


def dtypes_of(value):
    """Those of its columns."""
    if hasattr(value, "dtypes"):
        dtypes = value.dtypes
        return list(dtypes) if hasattr(dtypes, "__iter__") else [dtypes]
    if hasattr(value, "schema"):
        return list(value.schema.types)
    return [value.dtype if hasattr(value, "dtype") else getattr(value, "type", "")]


def common_dtype(dtypes):
    """The NumPy dtype for all of a frame's columns; None where NumPy finds it itself, or there is none."""
    if not dtypes or all(isinstance(dtype, np.dtype) for dtype in dtypes):
        return None
    own = [dtype if isinstance(dtype, np.dtype) else getattr(dtype, "numpy_dtype", None) for dtype in dtypes]
    if any(dtype is None or dtype.kind not in "fiub" for dtype in own):
        return None
    return np.result_type(*own)


def check_none_missing(value, name):
    missing = missing_of(value)
    if missing.any():
        place = int(np.argmax(missing))
        raise ValueError(f"{name}{position(place, missing.shape)} is missing; expected a value (of floats missing ones are nan)")


def missing_of(value):
    """Which of its values are missing, as an array of bools."""
    if hasattr(value, "isna"):                              # pandas
        return np.asarray(value.isna())
    if hasattr(value, "is_null"):                           # a column of polars or pyarrow
        return np.asarray(value.is_null())
    columns = value.get_columns() if hasattr(value, "get_columns") else value.columns
    return np.stack([np.asarray(column.is_null()) for column in columns], axis=-1) if columns else np.zeros((0, 0), bool)
