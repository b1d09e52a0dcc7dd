"""What is probably not meant where a path is written: `~`, `$HOME`, and a name cut in two by a comment."""

from __future__ import annotations

import re

from pipeline.manifest.options.rules import PICTURE_SUFFIXES
from pipeline.manifest.yaml.problems import Problems, shorten
from pipeline.manifest.yaml.tree import Node, ScalarNode

_NOT_EXPANDED = re.compile(r"^~|\$[A-Za-z_{(]")
_PICTURE_IN_COMMENT = re.compile(rf"\s+#.*?({'|'.join(re.escape(suffix) for suffix in PICTURE_SUFFIXES)})\b", re.I)


def warn_of_path(node: Node, problems: Problems) -> None:
    """Warn of `~` and `$`, which a shell would replace and nothing here does."""
    if isinstance(node, ScalarNode) and (match := _NOT_EXPANDED.search(node.text)):
        problems.warn(
            node.place,
            f"'{match.group()[0]}' in '{shorten(node.text)}' is taken as it stands, not expanded; write the path itself",
        )


def cut_by_comment(node: ScalarNode, problems: Problems) -> str | None:
    """What to say of a name like `photo #1.jpg`, of which YAML leaves only `photo` unless it is quoted; else None."""
    if node.quoted or node.text.lower().endswith(PICTURE_SUFFIXES):
        return None
    rest = problems.line(node.place.line)[node.place.column - 1 + len(node.text) :]
    match = _PICTURE_IN_COMMENT.match(rest)
    if match is None:
        return None
    whole = node.text + rest[: match.end(1)]
    return f"' #' starts a comment, so this name is only '{shorten(node.text)}'; quote it: \"{shorten(whole)}\""
