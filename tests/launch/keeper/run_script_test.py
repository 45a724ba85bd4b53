#!/usr/bin/env python3
"""What launch/run.sh and its watcher say: of an mpirun that does not end, and of names that a terminal would obey.

    python3 tests/launch/keeper/run_script_test.py KEEPER

In the place of mpirun there is a script that tells of ranks as their keepers do (launch/keeper/rank_keeper.cpp).
"""

import os
import pathlib
import subprocess
import sys
import tempfile
from concurrent import futures

ROOT = pathlib.Path(__file__).resolve().parents[3]
HOSTILE = "x\x1b[31m\n\u202ey"

# Code 0 first and an error after more than ten seconds: as when rank 0 ends early. mpirun ends the run itself then.
LATE_ERROR = 'tell ended 0 0; sleep 11; tell ended 1 4; sleep 4; exit 4'
ONE_LEFT = 'tell ended 1 4; exec sleep 60'
NONE_LEFT = 'tell ended 0 0; tell ended 1 4; exec sleep 60'


def run(scratch, keeper, mpirun, environment=None, arguments=("-n", "2", "plan")):
    """run.sh with another mpirun, in a folder of its own: its exit code and stderr."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
    os.symlink(keeper, folder / "keeper")
    (folder / "layerpipe").symlink_to("/bin/true")
    (folder / "mpirun").write_text(f"""#!/bin/bash
ranks="$LAYERPIPE_ENDS/ranks"
mkdir -p "$ranks"
tell() {{ printf '%s\\n' "$3" >"$ranks/new"; mv "$ranks/new" "$ranks/$1.$2"; }}
for rank in 0 1; do tell here $rank "$(printf 'here\\n%s' $$)"; done
{mpirun}
""")
    (folder / "mpirun").chmod(0o755)
    settings = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "LAYERPIPE_PROGRAM": str(folder / "layerpipe")} | (environment or {})
    done = subprocess.run([ROOT / "launch" / "run.sh", *arguments], env=settings, capture_output=True, text=True, timeout=50)
    return done.returncode, done.stderr


def check(condition, what, said):
    if not condition:
        sys.exit(f"FAILED: {what}: {said}")
    print(what)


def check_ends(scratch, keeper):
    with futures.ThreadPoolExecutor() as at_once:
        late, one, none = at_once.map(lambda mpirun: run(scratch, keeper, mpirun), (LATE_ERROR, ONE_LEFT, NONE_LEFT))
    check(late == (4, ""), "an error that comes late is no reason to kill mpirun at once", late)
    begin = "==> mpirun does not end after a rank has failed, so it is killed: "
    check(one == (4, begin + "rank 0 on host here has not ended\n"), "a rank that has not ended is named", one)
    check(none == (4, begin + "no rank of this host is left, so another host does not answer, or mpirun itself hangs\n"),
          "where none is left, another host is only guessed at", none)


def is_harmless(said):
    return "\x1b" not in said and "\u202e" not in said and "[31m" in said


def check_names(scratch, keeper):
    code, said = run(scratch, keeper, "exit 0", {"TMPDIR": f"{scratch}/{HOSTILE}"})
    check(code == 0 and is_harmless(said) and said.count("\n") == 1, "TMPDIR is shown on one line, in plain letters", said)
    code, said = run(scratch, keeper, "exit 0", arguments=("-n", "2", "--hostfile", HOSTILE, "plan"))
    check(code == 2 and is_harmless(said) and said.count("\n") == 1, "the name of a host file is, too", said)
    code, said = run(scratch, keeper, "exit 0", arguments=("--" + HOSTILE,))
    check(code == 2 and is_harmless(said) and said.count("\n") == 1, "and an option that there is not", said)
    code, said = run(scratch, keeper, "exit 0", arguments=("-n", "2", "--hostfile", "ü 太阳 👩\u200d🚀 ca\u0301.txt", "plan"))
    check("the host file ü 太阳 👩\u200d🚀 ca\u0301.txt cannot be read" in said, "names in other letters stay as they are", said)


def check_shell_function():
    """The list of launch/visible.sh is that of common/visible.cpp."""
    hidden = [*range(1, 0x20), *range(0x7F, 0xA0), 0xAD, 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2060, 0x2070),
              0xFEFF, *range(0xFFF9, 0xFFFC), 0xE0001, 0xE0041, 0xE007F]
    shown = [*map(ord, "a~ é\u0300\u200c\u200d‐―…‰※⁇€太👩\U0001f3fd"), 0xA0, 0xAC, 0xAE, 0x61B, 0x180D, 0xFEFE, 0xFFFC, 0xE0100, 0x10FFFD]
    texts = [f"x{chr(letter)}y".encode() for letter in hidden + shown] + [b"x\x9by", b"\x80", b"x\xff"]
    words = b" ".join(b"$'" + b"".join(b"\\x%02x" % byte for byte in text) + b"'" for text in texts)
    script = b". launch/visible.sh; for text in " + words + b"; do visible \"$text\"; printf '%s\\0' \"$REPLY\"; done"
    replies = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")[:-1]
    for text, reply in zip(texts, replies, strict=True):
        stays = text.decode(errors="replace")[1:-1] in map(chr, shown)
        plain = all(0x20 <= byte < 0x7F for byte in reply)
        check(reply == text if stays else plain and b"\\" in reply, f"{text!r} is shown as {reply!r}", "")


def main():
    keeper = pathlib.Path(sys.argv[1]).resolve()
    check_shell_function()
    with tempfile.TemporaryDirectory() as scratch:
        check_names(scratch, keeper)
        check_ends(scratch, keeper)


main()
