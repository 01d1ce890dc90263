"""Compares exchanges with the daemon, one JSON object a line on stdin, with the description in the file named."""

import json
import sys

import jsonschema
import openapi_spec_validator
import referencing
import referencing.jsonschema

with open(sys.argv[1], encoding="utf-8") as file:
    description = json.load(file)
openapi_spec_validator.validate(description)
resource = referencing.Resource(description, referencing.jsonschema.DRAFT202012)
registry = referencing.Registry().with_resource("urn:api", resource)


def located(schema):
    """The schema with references that lead into the description."""
    if isinstance(schema, dict):
        return {key: "urn:api" + value if key == "$ref" else located(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [located(value) for value in schema]
    return schema


def problems(what, content, value):
    schema = located(content["application/json"]["schema"])
    validator = jsonschema.Draft202012Validator(schema, registry=registry)
    for error in validator.iter_errors(value):
        yield f"{what}: {error.json_path}: {error.message[:400]}"


found = []
for line in sys.stdin:
    exchange = json.loads(line)
    operation = description["paths"][exchange["path"]][exchange["method"]]
    what = f"{exchange['method']} {exchange['path']}"
    if exchange["body"] is not None:
        found += problems(f"{what}, body", operation["requestBody"]["content"], exchange["body"])
    answer = operation["responses"].get(str(exchange["status"]), operation["responses"]["default"])
    found += problems(f"{what}, answer", answer["content"], exchange["answer"])
print("\n".join(found))
sys.exit(1 if found else 0)
