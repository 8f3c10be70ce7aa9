"""The words for what was measured of an attempt."""

from collections.abc import Mapping
from typing import Final

from adapters.cli.words.telling import Data, Telling
from schemas import names


def _validated(data: Data) -> str:
    halves = [judged for judged in (data["llama"], data["result"]) if judged is not None]
    issues = [issue for judged in halves for issue in judged["issues"]]
    said = ["the answer stands" if data["result"]["valid"] else "the answer does not stand"]
    for label, decides in (("failed by", True), ("signals", False)):
        if codes := [str(issue["code"]) for issue in issues if issue["decides"] is decides]:
            said.append(f"{label} {', '.join(codes)}")
    if data["llama"] is not None and data["llama"]["similarity"] is not None:
        said.append(f"similarity {data['llama']['similarity']:.2f}")
    if data["result"]["entropy"] is not None:
        said.append(f"entropy {data['result']['entropy']:.2f}")
    return "; ".join(said)


VALIDATION: Final[Mapping[str, Telling]] = {names.VALIDATED: Telling("cyan", _validated)}
