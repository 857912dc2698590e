from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clientscore._frames import number_of, numbers_of
from clientscore.exceptions import DataError


def test_an_absent_column_is_missing_and_one_of_any_number_type_is_read() -> None:
    frame = pd.DataFrame(
        {"whole": pd.array([1, None], dtype="Int64"), "arrow": pd.array([1.5, None], dtype="double[pyarrow]")}
    )
    assert np.isnan(numbers_of(frame, "absent")).all()
    for name, first in (("whole", 1.0), ("arrow", 1.5)):
        np.testing.assert_array_equal(numbers_of(frame, name), [first, np.nan])


def test_text_and_infinity_are_refused_in_a_column_as_in_one_value() -> None:
    frame = pd.DataFrame({"value": [1.0, np.inf, -np.inf], "text": "big"})
    with pytest.raises(DataError, match="value holds infinity in 2 of 3 rows; make it missing"):
        numbers_of(frame, "value")
    with pytest.raises(DataError, match="text must hold numbers"):
        numbers_of(frame, "text")
    with pytest.raises(DataError, match=r"value must be finite; got inf. Give None"):
        number_of({"value": np.inf}, "value")
    with pytest.raises(DataError, match="value must hold a number"):
        number_of({"value": "big"}, "value")
