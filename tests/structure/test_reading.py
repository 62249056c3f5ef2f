"""What opening a store reads: no library that only some other command needs."""

import subprocess
import sys

LATER = {"httpx", "numpy", "gguf", "huggingface_hub", "llama_cpp", "componentize_py"}


def test_the_store_opens_without_libraries_it_does_not_use() -> None:
    program = "import sys, marketplace.cli; print(*sys.modules)"
    read = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert LATER & set(read.stdout.decode().split()) == set()
