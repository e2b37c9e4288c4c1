#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""schema.py ZOE ZOETROPED SCHEMA CONFIG...: the JSON Schema is fresh and valid, the configs follow it,
and for values at and beyond each key's limits it says what the parser says."""
import json
import subprocess
import sys
import tempfile

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"no {missing.name} for python3")
    sys.exit(77)

zoe, zoetroped, schema_path, *configs = sys.argv[1:]
failures = []


def fail(sentence):
    failures.append(sentence)
    print("FAILED:", sentence)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def get_schema():
    with open(schema_path, encoding="utf-8") as file:
        kept = file.read()
    if run(zoe, "check", "--schema").stdout != kept:
        fail(f"{schema_path} is not what 'zoe check --schema' prints")
    schema = json.loads(kept)
    jsonschema.Draft7Validator.check_schema(schema)
    return schema


def check_text(text, label):
    for error in validator.iter_errors(yaml.safe_load(text)):
        fail(f"{label}: {list(error.path)}: {error.message}")


def check_configs():
    for path in configs:
        with open(path, encoding="utf-8") as file:
            check_text(file.read(), path)
        printed = run(zoetroped, "--print-config", "--config", path)
        if printed.returncode != 0:
            fail(f"{path} does not load: {printed.stderr}")
        check_text(printed.stdout, f"{path}, printed")


def get_values(path, key):
    """Values to try for a key; those whose limits only the parser knows are left out. Defaults and
    names have the table of patterns, so little is asked of them."""
    if path[0] == "defaults" or path[:2] == ("streams", "desk"):
        yield from (-1, 1, [], "owner", ["owner"], "1s")
        return
    yield from (-1, 0, 1, 1.5, [], {}, "x", "owner", ["owner"], ["any", "user:root", "group:root"],
                ["all"], ["user:"], [["any"]], {"a": 1}, "/x", "x" * 256, "x" * 257, "/" + "x" * 101,
                "/" + "x" * 102, "drop", "block", "debug", "64x32 XR24", "64X32", "BLOB 9", "64x",
                "1s", "20ms", "1 s", "1m", "1KB")
    if "0-7" in key.get("pattern", ""):
        yield from ("0660", "660", "0999", "07777", "66")
    if "KiB" in key.get("pattern", ""):
        yield "2 KiB" if key["minimum"] < 1024 else "2 MiB"
    for name in "minimum", "maximum":
        if name in key:
            yield from (key[name] - 1, key[name], key[name] + 1)


def make(path, value):
    """A config with one value somewhere, and all else good."""
    config = {"version": 1, "broker": {"memory_limit": "8192GiB"},
              "streams": {"desk": {}, "game/*": {}}}
    sized = path[-1] in ("max_frame", "max_bytes")
    place = config
    for name in path[:-1]:
        place = place.setdefault(name, {})
    place[path[-1]] = value
    for stream in config["streams"].values() if not sized or path[0] != "defaults" else []:
        if not sized or path[-1] not in stream:
            stream["max_bytes"] = 1
    return config


def get_keys(table, path=()):
    for name, key in table["properties"].items():
        yield from get_keys(key, (*path, name)) if "properties" in key else [((*path, name), key)]


def get_all_keys(schema):
    top = schema["properties"]
    streams = top["streams"]["patternProperties"]
    yield from get_keys(top["broker"], ("broker",))
    yield from get_keys(top["defaults"], ("defaults",))
    yield from get_keys(streams["^[^*]*$"], ("streams", "desk"))
    yield from get_keys(streams["[*]"], ("streams", "game/*"))


def is_good(config):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(config, file)
        file.flush()
        return run(zoetroped, "--check", "--config", file.name)


def check_agreement(path, value):
    config = make(path, value)
    parser, schema_says = is_good(config), validator.is_valid(config)
    if (parser.returncode == 0) != schema_says:
        fail(f"{'.'.join(path)}: {json.dumps(value)[:60]}: the schema says {schema_says}, "
             f"the parser {parser.returncode}: {parser.stderr}")


def check_names():
    names = ["a", "a/b", "A.b_c:d+e@f-9", "...", "a/.b", "", "/", "/a", "a/", "a//b", ".", "..", "a/.",
             "../a", "./a", "a/../b", "a b", "a#1", "\u00fc", "x" * 96, "x" * 97, "a*", "**", "a/**/b",
             "***", "*/.", "a/*.*"]
    for name in names:
        check_agreement(("streams", name), {"max_bytes": 1})
    return len(names)


def check_tables():
    """What is wrong with a table and not with a value."""
    tables = [(("streams", "desk"), {}), (("streams", "desk"), None), (("streams", "desk"), []),
              (("streams", "desk"), {"max_bytes": 1, "max_frame": "2x2"}), (("broker",), []),
              (("defaults",), {"max_bytes": 1, "max_frame": "2x2"}), (("streams",), []), (("x",), 1),
              (("version",), 2), (("version",), 0), (("defaults", "description"), "x"),
              (("streams", "desk", "max_streams"), 1), (("streams", "desk", "slot"), 4),
              (("broker", "per_user"), []), (("defaults", "access", "lists"), ["any"])]
    for path, value in tables:
        config = {"version": 1, "streams": {}}
        place = config
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = value
        parser, schema_says = is_good(config), validator.is_valid(config)
        if parser.returncode == 0 or schema_says:
            fail(f"{'.'.join(path)}: {value}: should be wrong, the schema says {schema_says}, "
                 f"the parser {parser.returncode}")
    return len(tables)


validator = jsonschema.Draft7Validator(get_schema())
check_configs()
n_tried = check_names() + check_tables()
for key_path, key_schema in get_all_keys(validator.schema):
    for tried in get_values(key_path, key_schema):
        # An unquoted mode is text to the parser, and a number to others.
        if key_path[-1] != "socket_mode" or isinstance(tried, str):
            check_agreement(key_path, tried)
            n_tried += 1
print(f"{len(configs)} configs, {n_tried} values tried, {len(failures)} failures")
sys.exit(1 if failures or n_tried < 500 else 0)
