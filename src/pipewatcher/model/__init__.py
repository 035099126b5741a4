"""The words of the house: what flows from the doors to the stores, and what answers a question.

Instants inside the house are UTC microseconds since 1970-01-01 (`int`, named `*_time` or `*_at`);
they become RFC 3339 text only at the edge. Windows are half-open: `[start, end)`.
"""
