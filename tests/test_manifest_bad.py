"""Manifests that are wrong in every way people and programs have found, each with the first line of what we say to it.

The numbers are those of the project's list of bad inputs, so that a gap in it would show. Some look bad and are fine.
"""

# ruff: noqa: E501 - a case and what we say to it are read side by side
from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.errors import ManifestError
from pipeline.manifest import load_manifest

HEAD = "version: 1\ninput: in\noutput: out\n"
PAIR = "pairs:\n  - content: dog.jpg\n    style: art.jpg\n"
EMPTY = "m.yaml: error: is empty; a manifest starts with 'version: 1' and lists what to paint under 'pairs'"
NO_PAIRS = "error: no pairs: list what to paint below 'pairs', like '- {content: photo.jpg, style: art.jpg}'"
FINE = ""
NBSP = "\u00a0"


def options(text: str) -> str:
    return f"{HEAD}{PAIR}    options: {{{text}}}\n"


def output(text: str) -> str:
    return f"{HEAD}{PAIR}    output: {text}\n"


def matrix(text: str, more: str = "") -> str:
    return f"{HEAD}pairs:\n  - matrix: {{{text}}}\n{more}"


def laughs() -> str:
    levels = "".join(
        f"x-{name}: &{name} [{','.join([f'*{below}'] * 10)}]\n"
        for below, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    return f"{HEAD}x-a: &a [x,x,x,x,x,x,x,x,x,x]\n{levels}{PAIR}"


def numbers(start: int) -> str:
    return ",".join(str(number) for number in range(start, start + 1000))


class Case(NamedTuple):
    number: int
    what: str
    manifest: str | bytes
    says: str = FINE


CASES = [
    Case(1, "empty", "", EMPTY),
    Case(2, "comment only", "# nothing yet\n", EMPTY),
    Case(3, "scalar", "hello\n", "m.yaml:1:1: error: a manifest is a map of 'version', 'pairs' and more; got 'hello'"),
    Case(4, "list at top", "- a\n", "m.yaml:1:1: error: a manifest is a map of 'version', 'pairs' and more; got a list"),
    Case(5, "two documents", HEAD + PAIR + "---\nversion: 1\n", "m.yaml:7:1: error: a manifest is one YAML document; a second one starts here"),
    Case(6, "tab", HEAD + "pairs:\n\t- content: a\n", "m.yaml:5:1: error: a tab cannot be used to indent; use spaces"),
    Case(6, "no-break spaces before an item", HEAD + f"pairs:\n{2 * NBSP}- content: a\n{4 * NBSP}style: b\n", f"m.yaml:5:1: error: a no-break space (U+00A0) stands before '{NBSP}- content'; put spaces in its place"),
    Case(6, "no-break spaces before a key", HEAD + f"{PAIR}{4 * NBSP}output: a.png\n", f"m.yaml:7:1: error: a no-break space (U+00A0) stands before '{3 * NBSP}output'; put spaces in its place"),
    Case(6, "a no-break space among spaces", HEAD + f"{PAIR}   {NBSP}output: a.png\n", "m.yaml:7:4: error: a no-break space (U+00A0) is no space in YAML; put spaces in its place"),
    Case(6, "a no-break space after an item's sign", HEAD + f"pairs:\n  -{NBSP}content: a\n    style: b\n", "m.yaml:5:4: error: a no-break space (U+00A0) is no space in YAML; put spaces in its place"),
    Case(6, "a no-break space after a key", options(f"size:{NBSP}512"), f"m.yaml:7:15: error: unknown option 'size:{NBSP}512' with a no-break space (U+00A0); put a space in its place"),
    Case(6, "a no-break space before a value", options(f"size: {NBSP}512"), f"m.yaml:7:21: error: 'size' must be a whole number, 32 or more, or 'original', or a length like '30cm', or [width, height]; got '{NBSP}512' with a no-break space (U+00A0)"),
    Case(6, "a wide space", HEAD + "defaults:\n  seed: 1\n\u3000\u3000size: 512\n" + PAIR, "m.yaml:6:1: error: a wide space (U+3000) stands before '\u3000size'; put spaces in its place"),
    Case(6, "a zero-width space", HEAD + "\u200bname: a\n" + PAIR, "m.yaml:4:1: error: an invisible character (U+200B) stands before 'name'; put spaces in its place"),
    Case(6, "no-break spaces in a text", HEAD + f"name: a{NBSP}b\n" + PAIR),
    Case(7, "unclosed bracket", HEAD + "pairs: [\n  {content: dog.jpg, style: art.jpg}\n", "m.yaml:4:8: error: [ is opened here and never closed"),
    Case(7, "unclosed quote", HEAD + 'name: "a\n' + PAIR, "m.yaml:4:7: error: \" is opened here and never closed"),
    Case(7, "bracket open until the next key", HEAD + "defaults: {seed: 7\n" + PAIR, "m.yaml:4:11: error: { is opened here and not closed before line 5"),
    Case(8, "NUL byte", HEAD + "name: a\0b\n" + PAIR, "m.yaml:4:8: error: the character U+0000 is not allowed in YAML; remove it"),
    Case(9, "BEL byte", HEAD + "name: a\ab\n" + PAIR, "m.yaml:4:8: error: the character U+0007 is not allowed in YAML; remove it"),
    Case(10, "byte order mark", b"\xef\xbb\xbf" + (HEAD + PAIR).encode()),
    Case(11, "UTF-16", (HEAD + PAIR).encode("utf-16"), "m.yaml: error: is UTF-16; save it as UTF-8"),
    Case(12, "Latin-1", (HEAD + "name: café\n" + PAIR).encode("latin-1"), "m.yaml:4:10: error: the byte 0xE9 is not UTF-8; save it as UTF-8"),
    Case(13, "CRLF", (HEAD + PAIR).replace("\n", "\r\n")),
    Case(14, "duplicate key", HEAD + PAIR + "    style: b.jpg\n", "m.yaml:7:5: error: key 'style' is given twice (first on line 6); keep one"),
    Case(15, "unknown key", HEAD + PAIR + "    zzz: 1\n", "m.yaml:7:5: error: unknown key 'zzz'; known are output, priority, options, content_mask, regions, meta, content, style, style_at"),
    Case(16, "misspelt key", HEAD + "pairs:\n  - content: dog.jpg\n    stlye: art.jpg\n", "m.yaml:6:5: error: unknown key 'stlye'; did you mean 'style'?"),
    Case(16, "misspelt matrix", HEAD + "pairs:\n  - matrx: {content: [dog.jpg], style: [art.jpg]}\n", "m.yaml:5:5: error: unknown key 'matrx'; did you mean 'matrix'?"),
    Case(17, "option beside the pair", HEAD + PAIR + "    size: 512\n", "m.yaml:7:5: error: unknown key 'size' here; it is an option: put it under 'options'"),
    Case(17, "option at the top", HEAD + "size: 512\n" + PAIR, "m.yaml:4:1: error: unknown key 'size' here; it is an option: put it under 'defaults'"),
    Case(17, "deadline at the top", HEAD + "deadline: '06:00'\n" + PAIR, "m.yaml:4:1: error: unknown key 'deadline' here; put it under 'run' at the top of the manifest"),
    Case(17, "output in options", options("output: a.png"), "m.yaml:7:15: error: unknown key 'output' here; it belongs to the pair, beside 'options'"),
    Case(18, "pairs with nothing", HEAD + "pairs:\n", f"m.yaml:4:7: {NO_PAIRS}"),
    Case(19, "no pairs", HEAD + "pairs: []\n", f"m.yaml:4:8: {NO_PAIRS}"),
    Case(19, "pairs missing", HEAD, "m.yaml:1:1: error: 'pairs' is missing; list what to paint, like 'pairs: [{content: photo.jpg, style: art.jpg}]'"),
    Case(20, "style missing", HEAD + "pairs:\n  - content: dog.jpg\n", "m.yaml:5:5: error: 'style' is missing"),
    Case(21, "1e4 and 3e-2", options("style_weight: 1e4, tv_weight: 3e-2")),
    Case(22, "1.0e4", options("style_weight: 1.0e4")),
    Case(23, ".nan", options("style_weight: .nan"), "m.yaml:7:29: error: 'style_weight' must be a number, 0 or more; got .nan, which is not finite"),
    Case(24, ".inf", options("style_weight: .inf"), "m.yaml:7:29: error: 'style_weight' must be a number, 0 or more; got .inf, which is not finite"),
    Case(25, "-1", options("style_weight: -1"), "m.yaml:7:29: error: 'style_weight' must be a number, 0 or more; got -1"),
    Case(26, "1e400", options("style_weight: 1e400"), "m.yaml:7:29: error: 'style_weight' must be a number, 0 or more; got 1e400, which is not finite"),
    Case(27, "true as a number", options("size: true"), "m.yaml:7:21: error: 'size' must be a whole number, 32 or more, or 'original', or a length like '30cm', or [width, height]; got true"),
    Case(28, "quoted size", options('size: "512"'), "m.yaml:7:21: error: 'size' must be a whole number, 32 or more, or 'original', or a length like '30cm', or [width, height]; got \"512\" in quotes"),
    Case(29, "5000 digits", options(f"seed: {'9' * 5000}"), f"m.yaml:7:21: error: 'seed' must be a whole number from 0 to 4294967295; got '{'9' * 59}…'"),
    Case(30, "22:30", HEAD + "run: {deadline: 22:30}\n" + PAIR),
    Case(31, "1:30:00", HEAD + "run: {max_duration: 1:30:00}\n" + PAIR, "m.yaml:4:21: error: 'max_duration' must be a duration with its unit, like 90s, 45m, 7h or 1h30m; got '1:30:00'"),
    Case(32, "date", HEAD + "name: 2026-11-23\n" + PAIR),
    Case(33, "no as a name", HEAD + "name: no\n" + PAIR),
    Case(33, "on as a key", HEAD + "on: 1\n" + PAIR, "m.yaml:4:1: error: unknown key 'on'; known are version, name, input, output, follow_links, run, defaults, presets, pairs"),
    Case(34, "017", options("steps: 017"), "m.yaml:7:22: error: 'steps' must be a whole number, 1 or more, or 'auto'; got '017'; a number has no comma and no leading zeros"),
    Case(35, "1_000", options("steps: 1_000"), "m.yaml:7:22: error: 'steps' must be a whole number, 1 or more, or 'auto'; got '1_000'; write 1000"),
    Case(35, "1,000", HEAD + PAIR + "    options:\n      steps: 1,000\n", "m.yaml:8:14: error: 'steps' must be a whole number, 1 or more, or 'auto'; got '1,000'; write 1000"),
    Case(35, "1 000.5", options(f"style_weight: 1{NBSP}000.5"), f"m.yaml:7:29: error: 'style_weight' must be a number, 0 or more; got '1{NBSP}000.5' with a no-break space (U+00A0); write 1000.5"),
    Case(35, "1,000 retries", HEAD + "run:\n  retries: 1,000\n" + PAIR, "m.yaml:5:12: error: 'retries' must be a whole number; got '1,000'; write 1000"),
    Case(35, "0,5", HEAD + PAIR + "    options:\n      style_weight: 0,5\n", "m.yaml:8:21: error: 'style_weight' must be a number, 0 or more; got '0,5'; write 0.5"),
    Case(35, "1,000 in braces", options("steps: 1,000"), "m.yaml:7:24: error: a key must be text, got '000'; a number has no comma in it: 1000"),
    Case(35, "1,500 in braces", options("steps: 1,500"), "m.yaml:7:24: error: a key must be text, got 500; a number has no comma in it: 1500, or 1.500 with decimals"),
    Case(35, "1,000 in a list", matrix("content: [dog.jpg], style: [art.jpg], steps: [1,000]", "    output: '{steps}.png'\n"), "m.yaml:5:62: error: 'steps' must be a whole number, 1 or more, or 'auto'; got '000'; a number has no comma and no leading zeros"),
    Case(36, "unquoted star", HEAD + "pairs:\n  - matrix:\n      content: *.jpg\n      style: [art.jpg]\n", "m.yaml:6:16: error: '*' starts a YAML alias; quote a file pattern: \"*.jpg\""),
    Case(36, "unquoted star in a list", matrix("content: [*.jpg], style: [art.jpg]"), "m.yaml:5:24: error: '*' starts a YAML alias; quote a file pattern: \"*.jpg\""),
    Case(37, "unquoted braces", HEAD + "pairs:\n  - content: {a,b}.jpg\n    style: art.jpg\n", "m.yaml:5:19: error: a value that starts with '{' or '[' is a map or a list and ends with its bracket; quote it if it is meant as text"),
    Case(38, "unquoted exclamation mark", matrix("content: [dog.jpg, !x.jpg], style: [art.jpg]"), "m.yaml:5:33: error: '!' starts a YAML tag; quote it if it is meant as text: \"!x.jpg\""),
    Case(39, "a: b: c", HEAD + "name: a: b: c\n" + PAIR, "m.yaml:4:8: error: a second ': ' in one line; quote the value if it is meant as text"),
    Case(40, "backslash in quotes", HEAD + 'name: "C:\\x"\n' + PAIR, "m.yaml:4:12: error: in double quotes a backslash starts an escape; use single quotes, or '/' between folders"),
    Case(41, "name cut by a comment", HEAD + "pairs:\n  - content: photo #1.jpg\n    style: art.jpg\n", "m.yaml:5:14: error: ' #' starts a comment, so this name is only 'photo'; quote it: \"photo #1.jpg\""),
    Case(41, "output cut by a comment", output("photo #1.png"), "m.yaml:7:13: error: ' #' starts a comment, so this name is only 'photo'; quote it: \"photo #1.png\""),
    Case(41, "a comment is a comment", HEAD + "pairs:\n  - content: dog.jpg  # not cat.jpg\n    style: art.jpg\n"),
    Case(42, "python tag", HEAD + "name: !!python/object/apply:os.system ['touch pwned']\n" + PAIR, "m.yaml:4:7: error: the tag '!!python/object/apply:os.system' is not allowed; a manifest holds plain text, numbers, lists and maps"),
    Case(43, "include tag", HEAD + "name: !include /etc/passwd\n" + PAIR, "m.yaml:4:7: error: '!' starts a YAML tag; quote it if it is meant as text: \"!include /etc/passwd\""),
    Case(44, "binary tag", HEAD + "name: !!binary aGk=\n" + PAIR, "m.yaml:4:7: error: the tag '!!binary' is not allowed; a manifest holds plain text, numbers, lists and maps"),
    Case(45, "set tag", HEAD + "x-a: !!set {a, b}\n" + PAIR, "m.yaml:4:6: error: the tag '!!set' is not allowed; a manifest holds plain text, numbers, lists and maps"),
    Case(45, "core tag on a list", HEAD + "x-a: !!str [a, b]\n" + PAIR, "m.yaml:4:6: error: the tag '!!str' is not allowed; a manifest holds plain text, numbers, lists and maps"),
    Case(46, "undefined alias", HEAD + "name: *nobody\n" + PAIR, "m.yaml:4:7: error: the alias '*nobody' has no anchor '&nobody' before it; a file pattern that starts with '*' must be quoted"),
    Case(47, "anchor that contains itself", HEAD + "x-a: &a [*a]\n" + PAIR, "m.yaml:4:10: error: the alias '*a' stands inside what it repeats"),
    Case(48, "billion laughs", laughs(), "m.yaml:9:10: error: more than 200,000 values once aliases are expanded; split the manifest"),
    Case(48, "nested by aliases", HEAD + f"x-a: &a {'[' * 20}{']' * 20}\nx-b: {'[' * 15}*a{']' * 15}\n" + PAIR, "m.yaml:5:21: error: nested deeper than 32 levels once this alias is expanded"),
    Case(49, "500 nested", HEAD + f"x-a: {'[' * 500}{']' * 500}\n" + PAIR, "m.yaml:4:37: error: nested deeper than 32 levels"),
    Case(50, "200,000 nested", HEAD + f"x-a: {'[' * 200_000}", "m.yaml:4:37: error: nested deeper than 32 levels"),
    Case(51, "merged text", HEAD + PAIR + "    meta: {<<: text}\n", "m.yaml:7:12: error: '<<' merges maps, got 'text'; write '<<: *anchor-of-a-map'"),
    Case(52, "list as a key", HEAD + "[a]: 1\n" + PAIR, "m.yaml:4:1: error: a key must be text, got a list; quote it if it is meant as text"),
    Case(53, "integer as a key", HEAD + "1: a\n" + PAIR, "m.yaml:4:1: error: a key must be text, got 1; quote it if it is meant as text"),
    Case(53, "decimal comma", options("style_weight: 0,5"), "m.yaml:7:31: error: a key must be text, got 5; a decimal number has a point: 0.5"),
    Case(53, "nothing as a key", HEAD + "~: a\n" + PAIR, "m.yaml:4:1: error: a key must be text, got nothing; quote it if it is meant as text"),
    Case(53, "true as a key", HEAD + "true: a\n" + PAIR, "m.yaml:4:1: error: a key must be text, got true; quote it if it is meant as text"),
    Case(54, "input beside the input folder", HEAD + "pairs:\n  - {content: ../../etc/passwd, style: art.jpg}\n"),
    Case(55, "absolute input", HEAD + "pairs:\n  - {content: /etc/passwd, style: art.jpg}\n"),
    Case(56, "link out of the input folder", HEAD + "pairs:\n  - {content: link.jpg, style: art.jpg}\n"),
    Case(57, "output outside", output("../x.png"), "m.yaml:7:13: error: output '../x.png' leads out of a folder with '..'; outputs stay below the output folder"),
    Case(58, "output outside on a detour", output("a/../../x.png"), "m.yaml:7:13: error: output 'a/../../x.png' leads out of a folder with '..'; outputs stay below the output folder"),
    Case(58, "absolute output", output("/tmp/x.png"), "m.yaml:7:13: error: output '/tmp/x.png' is an absolute path; outputs are named below the output folder"),
    Case(58, "output through a link, which its own pair will say", output("link/x.png")),
    Case(59, "output with NUL", output('"a\\0b.png"'), "m.yaml:7:13: error: the escape of U+0000 is no character that a text can have"),
    Case(59, "output with half a character", output('"a\\ud800b.png"'), "m.yaml:7:13: error: the escape of U+D800 is no character that a text can have"),
    Case(59, "output with newline", output('"a\\nb.png"'), "m.yaml:7:13: error: output 'a\\nb.png' has the character U+000A in its name; use printable ones"),
    Case(59, "output with -", output("-x.png"), "m.yaml:7:13: error: output '-x.png' has a part that starts with '-'; start it with another character"),
    Case(59, "output with .", output("a/.x.png"), "m.yaml:7:13: error: output 'a/.x.png' has a part that starts with '.'; start it with another character"),
    Case(59, "output of 300 bytes", output("é" * 148 + ".png"), f"m.yaml:7:13: error: output '{'é' * 99}…' has a part of 300 bytes; the limit is 240"),
    Case(59, "output of 240 bytes", output("x" * 236 + ".png")),
    Case(59, "output that is the report", output("report.json"), "m.yaml:7:13: error: output 'report.json' is a name that the run itself writes; choose another one"),
    Case(59, "output in the run's folder", output(".pipeline/x.png"), "m.yaml:7:13: error: output '.pipeline/x.png' has a part that starts with '.'; start it with another character"),
    Case(59, "output with backslash", output("a\\b.png"), "m.yaml:7:13: error: output 'a\\b.png' has a backslash in its name; write '/' between folders"),
    Case(59, "output with another suffix", output("x.bmp"), "m.yaml:7:13: error: output 'x.bmp' must end in one of .png, .jpg, .jpeg, .webp, .tif, .tiff, .avif"),
    Case(60, "two pairs, one output", HEAD + PAIR + "  - {content: dog.jpg, style: art.jpg}\n", "m.yaml:7:5: error: output 'dog--art.png' is wanted twice (first by the entry on line 5); give one of them another 'output'"),
    Case(60, "outputs that differ in case", HEAD + PAIR + "    output: A.png\n  - {content: dog.jpg, style: art.jpg, output: a.png}\n", "m.yaml:8:48: error: output 'a.png' is one file with 'A.png' (of the entry on line 5) where case or Unicode form does not count; give one of them another 'output'"),
    Case(60, "outputs that differ in form", HEAD + PAIR + "    output: \u00e9.png\n  - {content: dog.jpg, style: art.jpg, output: e\u0301.png}\n", "m.yaml:8:48: error: output 'e\u0301.png' is one file with '\u00e9.png' (of the entry on line 5) where case or Unicode form does not count; give one of them another 'output'"),
    Case(60, "one output for a matrix", matrix("content: [dog.jpg], style: [art.jpg], size: [256, 512]"), "m.yaml:5:5: error: output 'dog--art.png' is wanted twice (first by this matrix); add {size} to 'output'"),
    Case(60, "output that is a folder", HEAD + PAIR + "    output: a.png\n  - {content: dog.jpg, style: art.jpg, output: a.png/b.png}\n", "m.yaml:8:48: error: output 'a.png/b.png' needs a folder of the name that output 'a.png' on line 5 has"),
    Case(60, "16 bits in PNG", options("depth: 16"), "m.yaml:5:5: error: output 'dog--art.png' must end in .tif or .tiff to have depth 16"),
    Case(60, "12 bits", options("depth: 12"), "m.yaml:7:22: error: 'depth' must be one of 8, 16; got 12"),
    Case(60, "16 bits in TIFF", output("a.tif") + "    options: {depth: 16}\n"),
    Case(61, "glob without a match", matrix("content: ['d*.png'], style: [art.jpg]"), "m.yaml:5:24: error: 'd*.png' matches no picture in the input folder {folder}/in"),
    Case(61, "glob without a folder", matrix("content: ['zzz/*.jpg'], style: [art.jpg]"), "m.yaml:5:24: error: 'zzz/*.jpg' matches no picture in the input folder {folder}/in; there is no folder {folder}/in/zzz"),
    Case(61, "glob in capitals", matrix("content: ['D*.jpg'], style: [art.jpg]"), "m.yaml:5:24: error: 'D*.jpg' matches no picture in the input folder {folder}/in; there is 'dog.jpg', but case counts"),
    Case(61, "ending in capitals", matrix("content: ['d*.JPG'], style: [art.jpg]")),
    Case(61, "glob of drawings", matrix("content: ['*.svg'], style: [art.jpg]"), "m.yaml:5:24: error: '*.svg' matches no picture in the input folder {folder}/in; there is 'plan.svg', but pictures end in one of .jpg, .jpeg, .png, .webp, .tif, .tiff, .bmp, .gif, .heic, .heif, .avif"),
    Case(62, "glob of the output folder", matrix("content: ['out/*.png'], style: [art.jpg]").replace("output: out", "output: in/out"), "m.yaml:5:24: error: 'out/*.png' matches no picture in the input folder {folder}/in; what lies below the output folder is not looked at"),
    Case(63, "a million pairs", matrix(f"content: [dog.jpg], style: [art.jpg], seed: [{numbers(0)}], steps: [{numbers(1)}]"), "m.yaml:5:5: error: this matrix makes 1,000,000 pairs (1 content x 1 style x 1000 seed x 1000 steps); a manifest may have 100,000"),
    Case(64, "exclude without effect", matrix("content: [dog.jpg], style: [art.jpg]", "    exclude: [{content: cat.jpg}]\n")),
    Case(65, "preset that extends itself", HEAD + "presets: {a: {extends: a}}\n" + PAIR, "m.yaml:4:24: error: preset 'a' extends itself (a -> a)"),
    Case(65, "presets in a circle", HEAD + "presets: {a: {extends: b}, b: {extends: c}, c: {extends: a}}\n" + PAIR, "m.yaml:4:58: error: preset 'a' extends itself (a -> b -> c -> a)"),
    Case(66, "unknown preset", options("preset: drft"), "m.yaml:7:23: error: unknown preset 'drft'; did you mean 'draft'?"),
    Case(67, "version 2", HEAD.replace("1", "2") + PAIR, "m.yaml:1:10: error: 'version' must be 1, the only one there is; got 2"),
    Case(68, "version true", HEAD.replace("1", "true") + PAIR, "m.yaml:1:10: error: 'version' must be 1, the only one there is; got true"),
    Case(69, "50 MB", b"#" * 50_000_000, "m.yaml: error: is 50.0 MB; a manifest may be 2 MB"),
    Case(71, "merge conflict", HEAD + "<<<<<<< HEAD\nname: a\n=======\nname: b\n>>>>>>> other\n" + PAIR, "m.yaml:4:1: error: a merge-conflict marker; keep one side and remove the markers"),
    Case(72, "Windows separators", HEAD + "pairs:\n  - {content: photos\\dog.jpg, style: art.jpg}\n"),
    Case(73, "home folder", HEAD + "pairs:\n  - {content: ~/x.png, style: art.jpg}\n"),
    Case(74, "environment variable", HEAD + "pairs:\n  - {content: $HOME/x.png, style: art.jpg}\n"),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with pictures (never opened) in `in` and results in `out`."""
    monkeypatch.chdir(tmp_path)
    for name in ("in/dog.jpg", "in/art.jpg", "in/plan.svg", "in/out/x.png", "out/y.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "in/link.jpg").symlink_to("/etc/passwd")
    (tmp_path / "out/link").symlink_to(tmp_path)
    return tmp_path


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number:02d} {case.what}")
def test_a_bad_manifest_is_refused_in_words_and_a_fine_one_is_not(case: Case, folder: Path) -> None:
    text = case.manifest
    (folder / "m.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    said = ""
    try:
        load_manifest("m.yaml")
    except ManifestError as error:
        said = str(error).splitlines()[0]
    assert said == case.says.replace("{folder}", os.path.realpath(folder))
    assert not (folder / "pwned").exists()


def test_every_bad_manifest_of_the_list_has_its_case() -> None:
    elsewhere = {70}  # not what a manifest says but what the file is: the test below
    assert {case.number for case in CASES} | elsewhere == set(range(1, 75))


def test_70_a_manifest_that_is_no_file_to_read(folder: Path) -> None:
    (folder / "folder.yaml").mkdir()
    os.mkfifo(folder / "fifo.yaml")
    (folder / "loop.yaml").symlink_to("loop.yaml")
    (folder / "night.yaml").touch()
    for name, says in {
        "folder.yaml": "is a folder; name the manifest in it",
        "missing.yaml": "cannot be read: no such file or directory",
        "nigth.yaml": "cannot be read: no such file or directory; did you mean 'night.yaml'?",
        "conf/night.yaml": "cannot be read: no such file or directory; there is no folder conf",
        "fifo.yaml": "is not a regular file",
        "/dev/zero": "is not a regular file",
        "loop.yaml": "cannot be read: too many levels of symbolic links",
        "a\0b.yaml": "cannot be read: embedded null byte",
    }.items():
        with pytest.raises(ManifestError) as caught:
            load_manifest(name)
        shown = name.replace("\0", "\\x00")
        assert str(caught.value) == f"{shown}: error: {says}"


def test_70_a_manifest_that_may_not_be_read(folder: Path) -> None:
    path = folder / "secret.yaml"
    path.write_text(HEAD + PAIR)
    path.chmod(0)
    if os.geteuid() == 0:  # root may read everything
        assert len(load_manifest("secret.yaml").pairs) == 1
    else:
        with pytest.raises(ManifestError, match=r"^secret\.yaml: error: cannot be read: permission denied$"):
            load_manifest("secret.yaml")


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (matrix("content: [dog.jpg], style: [art.jpg]", "    exclude: [{content: cat.jpg}]\n"), "m.yaml:6:15: this excludes nothing: no pair of the matrix has these values"),
        (HEAD + "pairs:\n  - {content: photos\\dog.jpg, style: art.jpg}\n", "m.yaml:5:15: 'photos\\dog.jpg' has a backslash; write '/' between folders"),
        (HEAD + "pairs:\n  - {content: ~/x.png, style: art.jpg}\n", "m.yaml:5:15: '~' in '~/x.png' is taken as it stands, not expanded; write the path itself"),
        (HEAD + "pairs:\n  - {content: $HOME/x.png, style: art.jpg}\n", "m.yaml:5:15: '$' in '$HOME/x.png' is taken as it stands, not expanded; write the path itself"),
        (options("weights: ~/vgg.h5"), "m.yaml:7:24: '~' in '~/vgg.h5' is taken as it stands, not expanded; write the path itself"),
        (HEAD.replace("input: in", "input: ${IN}") + PAIR, "m.yaml:2:8: '$' in '${IN}' is taken as it stands, not expanded; write the path itself"),
    ],
    ids=["64 exclude", "72 backslash", "73 home", "74 variable", "73 weights", "74 input"],
)  # fmt: skip
def test_what_is_probably_not_meant_earns_a_warning(text: str, warning: str, folder: Path) -> None:
    (folder / "m.yaml").write_text(text)
    assert load_manifest("m.yaml").warnings == (warning,)


def test_wrong_folders_hide_no_other_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.yaml").write_text(
        "version: 1\ninput: file:///photos\noutput: http://host/out\ndefaults: {szie: 9}\n"
        "pairs:\n  - {content: dog.jpg, stlye: art.jpg}\n  - matrix: {content: ['*.jpg'], style: ['*.png']}\n"
    )
    with pytest.raises(ManifestError) as caught:
        load_manifest("m.yaml")
    told = [str(problem).splitlines()[0] for problem in caught.value.problems]
    assert [line.partition(" error: ")[0] for line in told] == [
        "m.yaml:2:8:",
        "m.yaml:3:9:",
        "m.yaml:4:12:",
        "m.yaml:6:24:",
    ]
    assert "'input': this address begins with 'file:'" in told[0]
    assert "'output': this address begins with 'http:'" in told[1]
