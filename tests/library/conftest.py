"""The tests of this folder share the module `library_calls`."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.library.library_calls")
