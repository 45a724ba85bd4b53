"""Names the tests that a ctest run skipped, each under its reason. Usage: skipped_tests.py RESULTS.xml (ctest's JUnit output)"""
import re
import sys
import xml.etree.ElementTree as ElementTree


def reason(case: ElementTree.Element) -> str:
    """What the test gave GTEST_SKIP() as its reason, or the last line that a test other than GoogleTest's printed."""
    output = case.findtext("system-out") or ""
    said = re.search(r": Skipped\n(.*?)\n?\n\[  SKIPPED \]", output, re.DOTALL)
    if said:
        return " ".join(said.group(1).split()) or "no reason given"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines and "[==========]" not in output else "no reason given"


def main() -> None:
    tests_of: dict[str, list[str]] = {}
    for case in ElementTree.parse(sys.argv[1]).iter("testcase"):
        if case.get("status") in ("notrun", "disabled"):
            tests_of.setdefault(reason(case), []).append(case.get("name", "?"))
    for why, names in tests_of.items():
        print(f"\nskipped ({why}):")
        for name in names:
            print(f"  {name}")
    print()


main()
