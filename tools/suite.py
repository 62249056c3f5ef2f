"""Runs the whole suite: every test on SQLite, those of the database again on PostgreSQL."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTEST = (sys.executable, "-m", "pytest", "-q", "--durations=8")
# What talks to the database; the rest cannot tell one from the other.
DATABASE_ROOMS = (
    *("accounts", "catalog", "publishing", "review", "billing", "ads", "runs", "admin", "web"),
    *(f"infra/test_{name}.py" for name in ("db", "jobs", "mail", "types")),
    "structure/test_database.py",
)


def postgres_tool(name: str) -> str | None:
    """Where a PostgreSQL program is; Debian keeps them off the PATH."""
    found = shutil.which(name)
    if found:
        return found
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(versions[-1]) if versions else None


def ordinary_user() -> list[str]:
    """What to put before a command so that it does not run as root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return []
    name = "postgres" if any(u.pw_name == "postgres" for u in pwd.getpwall()) else "nobody"
    return ["setpriv", f"--reuid={name}", f"--regid={pwd.getpwnam(name).pw_gid}", "--clear-groups"]


@contextmanager
def postgres() -> Iterator[str | None]:
    """A fresh PostgreSQL server on a unix socket of its own. Yields its address, or None."""
    initdb, server = postgres_tool("initdb"), postgres_tool("postgres")
    if initdb is None or server is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="caravan-pg-") as folder:
        user = ordinary_user()
        if user:
            shutil.chown(folder, user[1].removeprefix("--reuid="))
        data = Path(folder) / "data"
        quiet = {"stdout": subprocess.DEVNULL, "cwd": folder}
        options = ["-U", "caravan", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run([*user, initdb, "-D", str(data), *options], check=True, **quiet)
        settings = ["fsync=off", f"unix_socket_directories={folder}", "listen_addresses="]
        flags = [part for setting in settings for part in ("-c", setting)]
        process = subprocess.Popen(
            [*user, server, "-D", str(data), *flags], stderr=subprocess.DEVNULL, **quiet
        )
        try:
            socket = Path(folder) / ".s.PGSQL.5432"
            deadline = time.monotonic() + 30
            while not socket.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("caravan: PostgreSQL did not start.")
                time.sleep(0.05)
            yield f"postgresql://caravan@/postgres?host={folder}"
        finally:
            # A fast shutdown: SIGTERM would wait for clients that forgot to leave.
            process.send_signal(signal.SIGINT)
            process.wait()


def main() -> None:
    """Both databases; the second only when the first passed, so that a failure is printed last."""
    arguments = sys.argv[1:]
    print("caravan: the whole suite, on SQLite", flush=True)
    status = subprocess.run([*PYTEST, *arguments], cwd=ROOT, check=False).returncode
    if status:
        raise SystemExit(status)
    with postgres() as url:
        if url is None:
            text = "PostgreSQL is not installed, so its half of the suite did not run."
            print(f"caravan: {text}")
            raise SystemExit(1 if os.environ.get("CI") else 0)
        print("caravan: what talks to the database, on PostgreSQL", flush=True)
        rooms = [f"tests/{room}" for room in DATABASE_ROOMS if (ROOT / "tests" / room).exists()]
        environment = {**os.environ, "CARAVAN_TEST_DATABASE_URL": url}
        command = [*PYTEST, *rooms, *arguments]
        raise SystemExit(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
