"""Names the tests that a ctest run skipped, each under its reason. Usage: skipped_tests.py RESULTS.xml (ctest's JUnit output)"""
import re
import sys
import xml.etree.ElementTree as ElementTree


def reason(case: ElementTree.Element) -> str:
    """What the test gave GTEST_SKIP() as its reason; GoogleTest prints it on the lines after 'file:line: Skipped'."""
    output = case.findtext("system-out") or ""
    said = re.search(r": Skipped\n(.*?)\n\s*(?:\n|\[  SKIPPED \])", output, re.DOTALL)
    if said and said.group(1).strip():
        return " ".join(said.group(1).split())
    return "no reason given"


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
