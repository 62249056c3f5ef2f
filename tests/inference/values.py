"""Values of every kind that frames can carry, for properties."""

from hypothesis import strategies as st

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
)
BRANCHES = st.lists(LEAVES, max_size=4) | st.dictionaries(st.text(), LEAVES, max_size=4)
VALUES = (
    LEAVES
    | BRANCHES
    | st.lists(BRANCHES, max_size=3)
    | st.dictionaries(st.text(), BRANCHES, max_size=3)
)
