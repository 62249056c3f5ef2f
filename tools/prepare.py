"""Makes a fresh checkout ready: virtual environment, locked dependencies, the llama.cpp build.

Standard library only: it runs before anything is installed. Usage: prepare.py run|test|check
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
REQUIREMENTS = ROOT / "requirements"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "caravan"
BUILD_LOG = VENV / "llama-build.log"
GPU_FLAGS = {
    "cuda": "-DGGML_CUDA=on",
    "metal": "-DGGML_METAL=on",
    "vulkan": "-DGGML_VULKAN=on",
    "hip": "-DGGML_HIP=on",
    "cpu": "",
}
# What each of them cannot be built without, and where it is when it is not on PATH.
GPU_COMPILERS = {
    "cuda": ("nvcc", "/usr/local/cuda/bin/nvcc", "NVIDIA's CUDA toolkit"),
    "vulkan": ("glslc", "/usr/bin/glslc", "glslc and the Vulkan headers (libvulkan-dev)"),
    "hip": ("hipcc", "/opt/rocm/bin/hipcc", "AMD's ROCm"),
}
PROGRESS = re.compile(r"\[\s*(\d+)/(\d+)\]|\[\s*(\d+)%\]")
ERROR = re.compile(r"CMake Error|\berror:|\bERROR:")
PTH = "caravan-checkout.pth"


def say(text: str) -> None:
    """One line for the person who waits."""
    print(f"caravan: {text}", flush=True)


def fail(text: str) -> None:
    """Say what is wrong and what to do, and stop."""
    print(f"caravan: {text}", file=sys.stderr)
    raise SystemExit(1)


def run(*command: str | Path) -> None:
    """Run one command; its failure ends the preparation."""
    result = subprocess.run([str(part) for part in command], check=False)
    if result.returncode:
        fail(f"“{' '.join(map(str, command))}” failed; its message is above.")


def apt_install(*packages: str) -> bool:
    """Install Debian packages when we may. Returns: whether that went well."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return False
    say(f"installing {' '.join(packages)} with apt-get")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environment, check=False, **quiet)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    return subprocess.run(command, env=environment, check=False, **quiet).returncode == 0


def make_environment() -> None:
    """Create the virtual environment and the pinned installer in it."""
    if not PYTHON.exists():
        if sys.version_info < (3, 11):  # noqa: UP036  (an older Python may run this very file)
            fail("Caravan needs Python 3.11 or newer; run `make PYTHON=python3.12 …`.")
        say("making the virtual environment")
        try:
            venv.create(VENV, with_pip=True, symlinks=True)
        except subprocess.CalledProcessError:
            shutil.rmtree(VENV, ignore_errors=True)
            if not apt_install("python3-venv"):
                fail("Python cannot make virtual environments: install python3-venv and retry.")
            venv.create(VENV, with_pip=True, symlinks=True)
    if not done("tools", REQUIREMENTS / "tools.txt"):
        options = ("-q", "--disable-pip-version-check", "--require-hashes")
        run(PYTHON, "-m", "pip", "install", *options, "-r", REQUIREMENTS / "tools.txt")
        mark("tools", REQUIREMENTS / "tools.txt")
    libraries = next((VENV / "lib").glob("python3.*")) / "site-packages"
    (libraries / PTH).write_text(f"{ROOT}\n{ROOT / 'sdk'}\n")
    write_command("marketplace", "marketplace.cli")
    write_command("caravan", "caravan.cli")


def write_command(name: str, module: str) -> None:
    """A command of ours in the environment's bin folder."""
    script = VENV / "bin" / name
    script.write_text(f"#!{PYTHON}\nimport sys\n\nfrom {module} import main\n\nsys.exit(main())\n")
    script.chmod(0o755)


def stamp(*files: Path) -> str:
    """What these files say now, and with which Python."""
    digest = hashlib.sha256(sys.version.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def done(name: str, *files: Path) -> bool:
    """Whether this step was taken for what these files say now."""
    marker = VENV / f".done-{name}"
    return marker.exists() and marker.read_text() == stamp(*files)


def mark(name: str, *files: Path) -> None:
    """Remember that this step was taken."""
    (VENV / f".done-{name}").write_text(stamp(*files))


def install(name: str) -> None:
    """Install one locked requirements file, every package checked against its hash."""
    file = REQUIREMENTS / f"{name}.txt"
    if done(name, file):
        return
    say(f"installing what {name} needs")
    run(UV, "pip", "install", "-q", "--python", PYTHON, "--no-deps", "--require-hashes", "-r", file)
    mark(name, file)


def install_engine() -> None:
    """Build llama-cpp-python for this processor, or take the wheel built before.

    A failure does not end the preparation: the store starts without a model and says why.
    """
    file = REQUIREMENTS / "engine.txt"
    gpu = chosen_gpu()
    # A build for the CPU keeps the key it had when nothing was chosen.
    wanted = f"{'' if gpu == 'cpu' else gpu}{processor()}{os.environ.get('CMAKE_ARGS', '')}"
    key = hashlib.sha256(f"{stamp(file)}{wanted}".encode()).hexdigest()[:16]
    marker = VENV / ".done-engine"
    if marker.exists() and marker.read_text() == key:
        return
    folder = CACHE / "wheels" / key
    try:
        if not list(folder.glob("llama_cpp_python-*.whl")):
            build_engine(folder, file, gpu)
        wheels = [str(wheel) for wheel in folder.glob("*.whl")]
        run(UV, "pip", "install", "-q", "--python", PYTHON, "--no-deps", "--reinstall", *wheels)
        marker.write_text(key)
    except (OSError, subprocess.SubprocessError) as error:
        say(f"llama.cpp could not be built: {error}")
        say(f"The store starts all the same, but apps cannot run. The log: {BUILD_LOG}")


def chosen_gpu() -> str:
    """What GPU= says, else what it said last: a later `make test` must not undo it."""
    remembered = VENV / ".gpu"
    gpu = os.environ.get("GPU") or (remembered.read_text() if remembered.exists() else "cpu")
    if gpu not in GPU_FLAGS:
        fail(f"GPU={gpu} is not known; use one of: {', '.join(GPU_FLAGS)}.")
    remembered.write_text(gpu)
    return gpu


def gpu_compiler(gpu: str) -> dict[str, str]:
    """The variable that names the GPU's compiler to CMake; said plainly when there is none."""
    if gpu not in GPU_COMPILERS:
        return {}
    name, usual, package = GPU_COMPILERS[gpu]
    found = shutil.which(name) or (usual if Path(usual).exists() else None)
    if found is None and gpu == "vulkan" and apt_install("libvulkan-dev", "glslc"):
        found = shutil.which(name)
    if found is None:
        fail(
            f"GPU={gpu} needs {package}: {name} was not found. Install it, or build for the CPU "
            "with `make run GPU=cpu`."
        )
    return {"CUDACXX": found} if gpu == "cuda" else {}


def tell_idle_gpu() -> None:
    """Say so when this machine has a GPU and llama.cpp was not built for it."""
    if chosen_gpu() == "cpu":
        command = [str(PYTHON), "-m", "marketplace.inference.gpus"]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        if found.stdout:
            say(found.stdout.strip())


def processor() -> str:
    """What the build depends on: a wheel built for one processor may not run on another."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return os.uname().machine
    return next((line for line in text.splitlines() if line.startswith("flags")), "")


def build_engine(folder: Path, file: Path, gpu: str) -> None:
    """Build the wheels into `folder`, whole or not at all, showing how far it is."""
    say("building llama.cpp for this machine: about four minutes, once")
    staging = folder.with_name(f"{folder.name}.{os.getpid()}")
    arguments = f"{os.environ.get('CMAKE_ARGS', '')} {GPU_FLAGS[gpu]}".strip()
    environment = {**os.environ, "CMAKE_ARGS": arguments, "FORCE_CMAKE": "1"} | gpu_compiler(gpu)
    command = [PYTHON, "-m", "pip", "wheel", "-v", "--no-deps", "--require-hashes"]
    # pip's own cache does not know with which flags a wheel was built.
    command += ["--no-cache-dir", "--disable-pip-version-check", "-w", staging, "-r", file]
    started = time.monotonic()
    process = subprocess.Popen(
        [str(part) for part in command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    with BUILD_LOG.open("w") as log, process:
        assert process.stdout is not None
        shown = -1
        for line in process.stdout:
            log.write(line)
            shown = show_progress(line, shown, started)
    if sys.stdout.isatty():
        print(flush=True)
    if process.returncode:
        shutil.rmtree(staging, ignore_errors=True)
        raise subprocess.SubprocessError(first_error(BUILD_LOG))
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging.replace(folder)


def show_progress(line: str, shown: int, started: float) -> int:
    """Draw the build's progress from its own lines. Returns: the percentage now shown."""
    found = PROGRESS.search(line)
    if not found:
        return shown
    done_steps, all_steps, percent = found.groups()
    now = int(percent) if percent else 100 * int(done_steps) // max(1, int(all_steps))
    if now <= shown:
        return shown
    if sys.stdout.isatty():
        bar = "█" * (now // 4) + "·" * (25 - now // 4)
        seconds = int(time.monotonic() - started)
        print(f"\r  {bar} {now:3d} %  {seconds} s ", end="", flush=True)
    elif now // 10 > shown // 10:
        say(f"llama.cpp {now} %")
    return now


def first_error(log: Path) -> str:
    """What a build log says went wrong first; what follows is mostly its consequence."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    lines = [line for line in lines if line]
    at = next((n for n, line in enumerate(lines) if ERROR.search(line)), len(lines) - 1)
    # CMake writes the reason on the lines after the place.
    return " ".join(lines[at : at + 3])[:300] or "no output"


def install_for_tests() -> None:
    """A browser and PostgreSQL, by apt when we may."""
    missing = []
    if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        missing += ["chromium", "fonts-noto-core"]
    postgres = shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not postgres:
        missing.append("postgresql")
    if missing and not apt_install(*missing):
        text = f"The suite needs {' and '.join(missing)}: apt-get install {' '.join(missing)}"
        if os.environ.get("CI"):
            fail(text)
        say(f"{text}. Their tests are skipped.")


def main() -> None:
    """Prepare for what was asked."""
    what = sys.argv[1] if len(sys.argv) > 1 else "run"
    make_environment()
    install("run")
    if what in {"test", "check"}:
        install("test")
    if what in {"run", "test"}:
        install_engine()
    if what == "run":
        tell_idle_gpu()
    if what == "test":
        install_for_tests()


if __name__ == "__main__":
    main()
