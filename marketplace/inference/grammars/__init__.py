"""From JSON Schemas and regular expressions to GBNF, the grammars llama.cpp reads. Pure."""
