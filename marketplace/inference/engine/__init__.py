"""The engine proper; the only package that touches llama.cpp, and only through its C API."""
