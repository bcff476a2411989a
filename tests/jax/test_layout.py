"""xentfast/jax/ffi.h declares the memory that XLA's own header declares."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

jax = pytest.importorskip("jax")

pytestmark = pytest.mark.extras

OURS = Path(__file__).parents[2] / "xentfast" / "jax" / "ffi.h"
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")

# struct: (its name there, {field: its name there})
STRUCTS = {
    "extension": ("Extension_Base", {"bytes": "struct_size", "kind": "type", "next": "next"}),
    "version": ("Api_Version", {"bytes": "struct_size", "extensions": "extension_start", "major_version": "major_version",
                                "minor_version": "minor_version"}),
    "metadata": ("Metadata", {"bytes": "struct_size", "version": "api_version", "traits": "traits"}),
    "metadata_extension": ("Metadata_Extension", {"extension": "extension_base", "metadata": "metadata"}),
    "new_error": ("Error_Create_Args", {"bytes": "struct_size", "extensions": "extension_start", "message": "message",
                                        "code": "errc"}),
    "api": ("Api", {"bytes": "struct_size", "extensions": "extension_start", "version": "api_version",
                    "internals": "internal_api", "create_error": "XLA_FFI_Error_Create"}),
    "buffer": ("Buffer", {"bytes": "struct_size", "extensions": "extension_start", "dtype": "dtype", "data": "data",
                          "rank": "rank", "dims": "dims"}),
    "buffers": ("Args", {"bytes": "struct_size", "extensions": "extension_start", "count": "size", "kinds": "types",
                         "buffers": "args"}),
    "text": ("ByteSpan", {"start": "ptr", "length": "len"}),
    "array": ("Array", {"dtype": "dtype", "count": "size", "data": "data"}),
    "attributes": ("Attrs", {"bytes": "struct_size", "extensions": "extension_start", "count": "size", "kinds": "types",
                             "names": "names", "values": "attrs"}),
    "call": ("CallFrame", {"bytes": "struct_size", "extensions": "extension_start", "api": "api", "context": "ctx",
                           "stage": "stage", "arguments": "args", "results": "rets", "attributes": "attrs"}),
}
# The same struct has two names there.
RESULTS = ("Rets", {**STRUCTS["buffers"][1], "buffers": "rets"})
CONSTANTS = {
    "MAJOR": "API_MAJOR", "METADATA": "Extension_Metadata", "EXECUTE": "ExecutionStage_EXECUTE", "BUFFER": "ArgType_BUFFER",
    "ARRAY": "AttrType_ARRAY", "INVALID_ARGUMENT": "Error_Code_INVALID_ARGUMENT",
    "RESOURCE_EXHAUSTED": "Error_Code_RESOURCE_EXHAUSTED", "INTERNAL": "Error_Code_INTERNAL", "BOOL": "DataType_PRED",
    "INT8": "DataType_S8", "INT16": "DataType_S16", "INT32": "DataType_S32", "INT64": "DataType_S64", "UINT8": "DataType_U8",
    "UINT16": "DataType_U16", "UINT32": "DataType_U32", "UINT64": "DataType_U64", "FLOAT32": "DataType_F32",
    "FLOAT64": "DataType_F64",
}
ENUMS = {"kind": "Extension_Type", "stage": "ExecutionStage", "dtype": "DataType", "code": "Error_Code"}


def assertions():
    def field(ours, own, theirs, name):
        yield f"offsetof(xf_ffi_{ours}, {own}) == offsetof(XLA_FFI_{theirs}, {name})"
        yield f"sizeof(((xf_ffi_{ours} *)0)->{own}) == sizeof(((XLA_FFI_{theirs} *)0)->{name})"

    for ours, (theirs, fields) in [*STRUCTS.items(), ("buffers", RESULTS)]:
        for own, name in fields.items():
            yield from field(ours, own, theirs, name)
    for own, name in CONSTANTS.items():
        yield f"XF_FFI_{own} == XLA_FFI_{name}"
    yield from (f"sizeof(int) == sizeof(XLA_FFI_{name})" for name in ENUMS.values())
    yield "XF_FFI_BUFFER == XLA_FFI_RetType_BUFFER"
    yield "XF_FFI_OLDEST_MINOR <= XLA_FFI_API_MINOR"
    for ours, theirs, last in (("metadata", "Metadata", "traits"), ("call", "CallFrame", "attributes")):
        yield f"XF_FFI_SIZE(xf_ffi_{ours}, {last}) == XLA_FFI_{theirs}_STRUCT_SIZE"


def compiled(folder, checks, include_dir):
    source = folder / "layout.c"
    source.write_text("\n".join(['#include "xla/ffi/api/c_api.h"', f'#include "{OURS.as_posix()}"',
                                 *(f'_Static_assert({check}, "{check}");' for check in checks)]) + "\n")
    command = [COMPILER, "-std=c11", "-fsyntax-only", f"-I{include_dir}", str(source)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.skipif(not (COMPILER and OURS.is_file()), reason="no C compiler, or no sources")
def test_same_memory(tmp_path):
    result = compiled(tmp_path, assertions(), jax.ffi.include_dir())
    assert result.returncode == 0, result.stderr
    assert compiled(tmp_path, ["XF_FFI_INT8 == XLA_FFI_DataType_S16"], jax.ffi.include_dir()).returncode != 0


@pytest.mark.skipif(not OURS.is_file(), reason="no sources")
def test_every_field_and_constant_is_compared():
    text = re.sub(r"/\*.*?\*/", "", OURS.read_text(), flags=re.S)
    for name, body in re.findall(r"typedef struct xf_ffi_(\w+) \{(.*?)\}", text, re.S):
        fields = set(re.findall(r"(?:\(\*)?(\w+)\)?(?:\([^)]*\))?;", body))
        assert fields == STRUCTS[name][1].keys(), name
    assert set(re.findall(r"XF_FFI_(\w+) = ", text)) <= CONSTANTS.keys()
