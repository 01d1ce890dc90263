"""Compares the files of a run (its directory, its trace, the schema of its results) with the formats that other programs read."""

import copy
import json
import os
import pathlib
import sys
import xml.etree.ElementTree as ET

import jsonschema
import junitparser
import xmlschema

run, trace, results_schema = map(pathlib.Path, sys.argv[1:])
schemas = pathlib.Path(os.environ["SELFTEST_JUNIT_SCHEMAS"])
found = []


def without_additions(tree, surefire):
    """What the schemas do not know and readers use: the place of a test and its properties; for Surefire, when a suite began."""
    tree = copy.deepcopy(tree)
    for case in tree.iter("testcase"):
        case.attrib.pop("file", None)
        for properties in case.findall("properties"):
            case.remove(properties)
    if surefire:
        for suite in tree.iter("testsuite"):
            suite.attrib.pop("timestamp", None)
    return tree


def compare(name, schema, element):
    for error in xmlschema.XMLSchema(schemas / schema).iter_errors(element):
        found.append(f"{name} by {schema}: {error.path}: {str(error.reason)[:300]}")


junit = ET.parse(run / "junit.xml").getroot()
compare("junit.xml", "junit-10.xsd", without_additions(junit, False))
for suite in without_additions(junit, True).iter("testsuite"):
    compare("junit.xml", "surefire-test-report.xsd", suite)

results = json.loads((run / "results.json").read_text("utf-8"))
schema = json.loads(results_schema.read_text("utf-8"))
for error in jsonschema.Draft202012Validator(schema).iter_errors(results):
    found.append(f"results.json: {error.json_path}: {error.message[:300]}")

# A reader of JUnit's files counts what the run has counted.
if not found:
    read = junitparser.JUnitXml.fromfile(str(run / "junit.xml"))
    cases = [case for suite in read for case in suite]
    totals = results["totals"]
    expected = totals["passed"] + totals["failed"] + totals["inconclusive"] + totals["ignored"] + totals["skipped"] + totals["not_run"]
    if len(cases) != expected:
        found.append(f"junit.xml: {len(cases)} tests, not {expected}")
    bad = sum(1 for case in cases if any(isinstance(one, (junitparser.Failure, junitparser.Error)) for one in case.result))
    if bad != totals["failed"] + totals["inconclusive"]:
        found.append(f"junit.xml: {bad} failed, not {totals['failed'] + totals['inconclusive']}")

# Chrome's format: complete events last, instants have a scope, metadata name processes and threads, counters have numbers.
events = json.loads(trace.read_text("utf-8"))["traceEvents"]
NEEDED = {"X": ("name", "pid", "tid", "ts", "dur"), "i": ("name", "pid", "tid", "ts", "s"), "M": ("name", "pid", "args"), "C": ("name", "pid", "ts", "args")}
for event in events:
    needed = NEEDED.get(event.get("ph"))
    if needed is None or any(field not in event for field in needed):
        found.append(f"the trace: {json.dumps(event)[:300]}")
    elif any(not isinstance(event[field], (int, float)) or event[field] < 0 for field in ("ts", "dur") if field in event):
        found.append(f"the trace: a time of {json.dumps(event)[:300]}")
named = {event["pid"] for event in events if event.get("ph") == "M" and event["name"] == "process_name"}
found += [f"the trace: process {pid} has no name" for pid in sorted({event["pid"] for event in events} - named)]
if not any(event.get("ph") == "X" for event in events):
    found.append("the trace: nothing in it took any time")

print("\n".join(found[:40]))
sys.exit(1 if found else 0)
