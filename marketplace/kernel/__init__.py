"""The house's own vocabulary: time, ids, money, errors. Pure standard library."""
