"""What somebody may write where a number, a text or anything else is expected. Everything here is JSON that parsers
of other languages take; `Raw` is for what Python's own objects cannot hold.
"""

from __future__ import annotations

import copy
from random import Random
from typing import Any

from msgspec import Raw

from hostile.words import field_names, label_keys

Json = Any

NUMBERS: tuple[Json, ...] = (
    0, 1, 2, 3, 8, 100, -1, -8, 65_536, 1_000_000, 10**9, 2**31 - 1, 2**31, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63),
    2**64 - 1, Raw(b"18446744073709551616"), Raw(b"1" + b"0" * 400), Raw(b"-" + b"9" * 5000), 0.5, -0.0, 1e-300, 1e308,
    Raw(b"1e400"), Raw(b"1E+2"), Raw(b"0.1e-5000"), True,
)  # fmt: skip
QUANTITIES = (
    "1", "100m", "0.1", "1e3", "1Ei", "8", "-1", "", "0", "1e400", "1E999999", "1e-999999", "9" * 40, "9" * 5000,
    "1" + "0" * 300 + "Ki", "9223372036854775807", "9223372036854775808", "1e1000000000", "0x10", "1_000", "NaN", "inf",
    "-inf", "1 Gi", "Gi", "1Zi", "٣", "1n", "100%", ".", "+5", "1e", "8Ei", "16Ei",
)  # fmt: skip
PERCENTS = ("100%", "0%", "50%", "-5%", "9" * 30 + "%", "9" * 5000 + "%", "1.5%", "%", "%%", "1e9%", "٣%")
TIMES = (
    "2026-10-20T08:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-10-20T08:00:00+23:59", "2026-10-20",
    "0000-00-00T00:00:00Z", "2026-10-20T08:00:00.123456789Z", "2038-01-19T03:14:08-12:00", "1e9", "",
    "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "1970-01-01T00:00:00Z", "30s", "999999999999h", "1h30m",
)  # fmt: skip
TEXTS = (
    "", " ", "x", "true", "false", "null", "\x00", "\x1b[31mred\x1b[0m", "a\nb\r\nc", "\u202egnp.exe", "🙂" * 50,
    "../../etc", "<script>alert(1)</script>", "{{7*7}}", "%s%n", "a/b/c", "/", "//", "a" * 253, "b" * 20_000, "*",
    ".*", "(", "[a-", "(a+)+$", "([a-z]+)*x", "9" * 5000, "-1", "0", "8", "1", "1e999", "gpu.nvidia.com",
    "nvidia.com/gpu", "Always", "Running", "Pending", "Succeeded", "NoSchedule", "NoExecute", "Exists", "In",
    "NotIn", "Gt", "Lt", "DoesNotExist", "kubernetes.io/hostname",
)  # fmt: skip
WRITTEN_JSON = (  # where an annotation holds JSON of its own
    "{}", "[]", "[", "{", "null", "0", '"x"', '["a/b"]', '["a/b","other/g"]', '[["a"]]', "[1,null]",
    '{"a":' * 1500 + "1" + "}" * 1500,
    "[" * 3000 + "]" * 3000, '{"gpu":[{"minor":0,"resources":{"koordinator.sh/gpu-core":"100"}}]}', "[1e400]",
    '{"gpu":[{"minor":' + "9" * 25 + "}]}", '{"gpu":[{"minor":-7}]}', '{"gpu":[{"minor":1000000000}]}', '{"gpu":null}',
    '{"8":[{"minors":[0,1,99999999],"gpuLinkType":"NVLink"}]}', '{"' + "9" * 5000 + '":1}', '["' + "x/" * 400 + '"]',
    "GPU-1,NVIDIA,1000,10:;", "GPU-1,NVIDIA," + "9" * 30 + ",10:;", ":;:;", "0-1-2", "0-99999999999",
    "1,2,3,", "a:b,c:d",
)  # fmt: skip
NESTED: tuple[Json, ...] = (
    {}, [], [[]], [{}], [None], {"": None}, {"a": {"b": {"c": [1, {"d": []}]}}}, [0] * 300,
    {str(i): i for i in range(200)},
    Raw(b"[" * 1500 + b"]" * 1500), Raw(b'{"a":' * 1500 + b"1" + b"}" * 1500), Raw(b'{"a":1,"a":[],"a":null}'),
)  # fmt: skip


def anything(rng: Random) -> Json:
    """Any value, whatever it is for."""
    match rng.randrange(10):
        case 0 | 1:
            return rng.choice(NUMBERS)
        case 2:
            return rng.choice(QUANTITIES)
        case 3:
            return copy.deepcopy(rng.choice(NESTED))  # each its own, for what is put in may be changed again
        case 4:
            return None
        case _:
            return text(rng)


def text(rng: Random) -> Json:
    """Any text, sometimes one that means something."""
    match rng.randrange(12):
        case 0 | 1:
            return rng.choice(WRITTEN_JSON)
        case 2:
            return rng.choice(QUANTITIES)
        case 3:
            return rng.choice(PERCENTS)
        case 4:
            return rng.choice(TIMES)
        case 5:
            return rng.choice(label_keys())
        case 6:
            return rng.choice(field_names())
        case _:
            return rng.choice(TEXTS)
