"""Frames: arrays come back from the buffer as they went in, aligned for the browser, and 16 bits are enough for a picture."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from spectral_lab.live.frames import TYPES, pack, quantised, unpack

any_array = st.sampled_from(sorted(TYPES)).flatmap(
    lambda kind: arrays_of.arrays(TYPES[kind], arrays_of.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5))
)
finite = arrays_of.arrays(np.float32, st.integers(0, 20), elements=st.floats(-(2.0**100), 2.0**100, width=32))


@given(arrays=st.dictionaries(st.text(max_size=5), any_array, max_size=5))
@example(arrays={})
@example(arrays={"odd": np.arange(3, dtype=np.int16), "none": np.zeros(0, np.uint16), "after": np.ones(1, np.float32)})
def test_arrays_come_back_flat_and_bit_for_bit(arrays):
    contents, buffer = pack(arrays)
    back = unpack(contents, buffer)
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        assert back[name].tobytes() == array.tobytes()


@given(arrays=st.dictionaries(st.text(max_size=5), any_array, max_size=5))
def test_every_array_begins_where_the_browser_may_read_it_and_the_padding_is_zero(arrays):
    contents, buffer = pack(arrays)
    at = 0
    for name, kind, length in contents:
        raw = buffer[at : at + length * np.dtype(TYPES[kind]).itemsize]
        assert raw == arrays[name].tobytes()
        assert not any(buffer[at + len(raw) : at + math.ceil(len(raw) / 4) * 4])
        at += math.ceil(len(raw) / 4) * 4
    assert at == len(buffer)
    assert at % 4 == 0


def test_the_table_of_contents_is_what_the_browser_reads():
    contents, buffer = pack({"a": np.array([[1, -2], [3, 4]], np.int16), "b": np.array([258], np.uint16)})
    assert contents == [("a", "i2", 4), ("b", "u2", 1)]
    assert buffer == b"\x01\x00\xfe\xff\x03\x00\x04\x00\x02\x01\x00\x00"  # little-endian, padded to 4 bytes


def test_a_view_on_part_of_an_array_is_packed_in_its_own_order():
    grid = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert unpack(*pack({"column": grid[:, 1], "turned": grid.T}))["column"].tolist() == [1, 5, 9]
    assert unpack(*pack({"turned": grid.T}))["turned"].tolist() == grid.T.flatten().tolist()


@pytest.mark.parametrize("dtype", ["float64", "int64", "int32", "uint8", "float16", "bool", "complex64"])
def test_a_type_that_the_browser_cannot_read_is_refused_by_name(dtype):
    with pytest.raises(TypeError, match=rf"graph\.weights is {dtype}; wanted one of \['f4', 'i2', 'u2', 'i1'\]"):
        pack({"graph.weights": np.zeros(3, dtype)})


@given(values=finite)
def test_16_bits_are_off_by_half_a_step_at_most_and_keep_the_sign(values):
    numbers, factor = quantised(values)
    assert numbers.dtype == np.int16
    assert numbers.shape == values.shape
    back, largest = numbers.astype(np.float64) * factor, np.abs(values.astype(np.float64)).max(initial=0)
    if factor:
        np.testing.assert_allclose(back, values.astype(np.float64), rtol=0, atol=largest / 32767 * 0.501)
        assert np.abs(numbers).max(initial=0) == 32767
        assert not np.any(numbers * np.sign(values) < 0)
    else:
        assert largest == 0


def test_16_bits_end_where_the_values_end():
    numbers, factor = quantised(np.array([-2.0, 0, 1, 2], np.float32))
    assert numbers.tolist() == [-32767, 0, 16384, 32767]
    assert factor == 2 / 32767


@pytest.mark.parametrize("values", [[], [0.0, -0.0], [math.nan, 1], [1, math.inf], [-math.inf]])
def test_nothing_to_scale_by_gives_zeros(values):
    numbers, factor = quantised(np.array(values, np.float32))
    assert (numbers.tolist(), factor) == ([0] * len(values), 0.0)
    assert numbers.dtype == np.int16


def test_the_smallest_numbers_do_not_break_the_scale():
    numbers, factor = quantised(np.array([1e-45, -1e-45], np.float32))
    assert np.isfinite(factor)
    assert set(numbers.tolist()) <= {-32767, 0, 32767}
