"""Decides packets, one by one and all at once.

:func:`evaluate` walks one packet. :func:`prove` asks z3 for a packet that leaves for anywhere that is not allowed, from each place where
packets start: a process of the host, another namespace or machine whose packets it forwards, and a packet socket that writes frames.

Connections: a packet of an established connection can leave only if some first packet was let through before. A reply to the outside
therefore needs a first packet from the outside that the input (or forward) hooks accept, and that is what the proof looks for; so an
``established,related`` rule is harmless exactly where nothing from outside can open a connection.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import z3

from curtilage.proof.allowed import Allowed, opening_formula
from curtilage.proof.fields import CT_ESTABLISHED, CT_INVALID, CT_NEW, CT_RELATED, CT_UNTRACKED, ETHERTYPE, L4, UNTRACKED_ICMPV6, WIDTHS
from curtilage.proof.formula import EXPIRED, Algebra, B, Concrete, Formula, Kleene, Symbolic
from curtilage.proof.kernel import KernelLacksError, load
from curtilage.proof.packet import PATHS, Packet
from curtilage.proof.report import OUT_OF_SCOPE, About, Finding, ProofResult
from curtilage.proof.ruleset import UNNAMED_LINK, Ruleset, Stage, read
from curtilage.proof.walk import Step, Walker
from curtilage.proof.witness import Witness, describe, minimise
from curtilage.verdict import Verdict, worst

SOURCES = {
    "output": "a process on this host",
    "forward": "a packet forwarded for another machine or namespace",
    "egress": "a frame of a packet socket",
    "input": "a packet that arrives",
}
SAID = {
    "": "reaches a destination outside the segment and its allowances",
    "reply": "reaches a destination outside the segment and its allowances, as a reply to a connection opened from there",
    "related": "reaches a destination outside the segment and its allowances, as a message about a packet from there",
    "layer": "is stopped by the egress chain alone; the inet chains let it pass",
    "input": "from outside the segment is let in",
}
STARTS = CT_NEW, CT_INVALID, CT_UNTRACKED


@dataclass(frozen=True)
class Way:
    """What becomes of packets along a list of hooks."""

    accept: Kleene[Any]
    reject: Kleene[Any]
    taints: tuple[tuple[Kleene[Any], str], ...]
    inner: Kleene[Any]
    """What the hooks before the egress chain accept."""


class Model:
    """A ruleset ready to be asked."""

    def __init__(self, ruleset: Ruleset, *, uplinks: Sequence[str] = ()) -> None:
        self.ruleset = ruleset
        known = tuple(name for name in ruleset.interfaces if name != "lo")
        guarded = [name for name in ruleset.egress_devices if name != "lo"]
        # Each link that the ruleset names, those with an egress chain first, and an unnamed one unless such a chain names the uplink.
        # Never none: a proof about packets that have no way out would hold of anything.
        others = sorted({*known, *(() if guarded else (UNNAMED_LINK,))} - {*guarded})
        self.uplinks = tuple(uplinks) or (*guarded, *others)
        self.interfaces = tuple(sorted({"lo", *ruleset.interfaces, *self.uplinks}))
        self._formulas: dict[tuple[int, Stage], Formula] = {}

    @classmethod
    def of(cls, text: str, *, file: Any = None, uplinks: Sequence[str] = ()) -> Model:
        """Load the text in the kernel and read it back."""
        return cls(read(load(text, file=file)), uplinks=uplinks)

    @property
    def formulas(self) -> Iterable[Formula]:
        """What the rules walked so far ask of packets."""
        return self._formulas.values()

    def way(self, start: str, algebra: Algebra[B], trace: list[Step] | None = None, without: str = "") -> Way:
        """Walk the hooks from a start, but for the hook ``without``."""
        walker = Walker(self.ruleset, algebra, self.interfaces, trace, formulas=self._formulas)
        accept, reject, taints = algebra.true, algebra.false, []
        inner = accept
        for hook in PATHS[start]:
            if hook == "egress":
                inner = accept
            if hook == without:
                continue
            if hook == "forward":
                accept = algebra.both(accept, algebra.inverse(algebra.value(EXPIRED)))
            algebra.forwarded = start == "forward" and hook in ("forward", "postrouting", "egress")
            found = walker.hook(hook, accept)
            accept, reject = found.accept, algebra.any(reject, found.reject)
            taints += found.taints
        algebra.forwarded = False
        return Way(accept, reject, tuple(taints), inner)

    def evaluate(self, packet: Packet) -> tuple[str, list[Step], list[str]]:
        """``allow``, ``deny`` or ``not_proven`` for one packet, with its path and what was not decided."""
        uplink = self.uplinks[0] if self.uplinks else UNNAMED_LINK
        return self.decide(packet.hook, packet.values(self.interfaces, uplink))

    def decide(self, start: str, values: dict[str, int], without: str = "") -> tuple[str, list[Step], list[str]]:
        """The verdict for a packet given by its fields."""
        algebra, trace = Concrete(values), list[Step]()
        way = self.way(start, algebra, trace, without)
        doubts = [reason for taint, reason in way.taints if taint.may]
        if not way.accept.may:
            return "deny", trace, []
        if way.accept.must and not doubts:
            return "allow", trace, []
        return "not_proven", trace, list(dict.fromkeys([*doubts, *algebra.reasons]))


def evaluate(model: Model, packets: Iterable[Packet]) -> list[str]:
    """One verdict a packet."""
    return [model.evaluate(packet)[0] for packet in packets]


def prove(
    ruleset: str,
    allowed: Allowed,
    *,
    subject: str = "ruleset",
    file: Any = None,
    uplinks: Sequence[str] = (),
    raw_frames: bool = True,
    layered: bool = False,
) -> ProofResult:
    """Decide whether any packet can leave for anywhere that is not allowed.

    Args:
        ruleset: the text of an nftables file.
        allowed: where packets may go.
        subject: how the report names the ruleset.
        file: where the text came from.
        uplinks: the links by which packets leave; default: those the ruleset names.
        raw_frames: whether processes may write frames through packet sockets.
        layered: hold it to the rules of a region's host too: the inet chains stop everything even without the egress chain behind them,
            and nothing from outside is let in.

    Returns:
        PASS, or findings with a packet and its path each.
    """
    started = time.monotonic()
    try:
        model = Model.of(ruleset, file=file, uplinks=uplinks)
    except KernelLacksError as lacks:
        return _unloaded(lacks, ruleset, allowed, subject, time.monotonic() - started)
    proof = _Proof(model, allowed)
    result = proof.run(raw_frames)
    if layered:
        result += proof.layers({finding.id for finding in result})
    used = {item.id: proof.usable(opening_formula(item)) for item in allowed.openings}
    rules = sum(len(chain.rules) for chain in model.ruleset.chains.values())
    starts = ["output", "forward", *(["egress"] if raw_frames else []), *(["input"] if layered else [])]
    assumptions = [
        f"packets leave by {', '.join(model.uplinks)} or lo, and by no other link",
        "connections were opened under this ruleset: state from before it was loaded is flushed",
    ]
    if not raw_frames:
        assumptions.append("no process may open a packet socket (CAP_NET_RAW is dropped everywhere)")
    return ProofResult(
        about=About.RULESET,
        subject=subject,
        verdict=worst([finding.verdict for finding in result] or [Verdict.PASS]),
        findings=tuple(result),
        modelled=(
            f"hooks {', '.join(model.ruleset.hooks) or 'none'}",
            f"{len(model.ruleset.chains)} chains, {rules} rules, {len(model.ruleset.collections)} named sets and maps",
            f"starts: {', '.join(SOURCES[start] for start in starts)}; IPv4, IPv6, other frames",
            f"allowed: {', '.join(map(str, allowed.networks)) or 'no network'}",
        ),
        assumptions=tuple(assumptions),
        out_of_scope=OUT_OF_SCOPE,
        allowances=used,
        digest="sha256:" + hashlib.sha256(ruleset.encode()).hexdigest(),
        seconds=time.monotonic() - started,
    )


def _unloaded(lacks: KernelLacksError, ruleset: str, allowed: Allowed, subject: str, seconds: float) -> ProofResult:
    """Nothing was decided, because this kernel cannot hold the ruleset."""
    reason = f"not decided: this kernel has no '{lacks.statement}', so it cannot say what the ruleset means; prove it where it runs"
    return ProofResult(
        about=About.RULESET,
        subject=subject,
        verdict=Verdict.NOT_PROVEN,
        findings=(Finding("nft-unloaded", allowed.segment, Verdict.NOT_PROVEN, reason),),
        modelled=(),
        assumptions=(),
        out_of_scope=OUT_OF_SCOPE,
        digest="sha256:" + hashlib.sha256(ruleset.encode()).hexdigest(),
        seconds=seconds,
    )


class _Proof:
    """One search for packets that leave."""

    def __init__(self, model: Model, allowed: Allowed) -> None:
        self.model, self.allowed = model, allowed
        self._openings: dict[str, tuple[Symbolic, Way]] = {}
        self._ways: dict[str, tuple[Symbolic, Way]] = {}

    def run(self, raw_frames: bool) -> list[Finding]:
        findings: list[Finding] = []
        for start in ("output", "forward", "egress") if raw_frames else ("output", "forward"):
            algebra = Symbolic(WIDTHS)
            way = self.model.way(start, algebra)
            self._ways[start] = algebra, way
            outside = algebra.inverse(algebra.value(self.allowed.formula())).must
            for family, condition in self._families(start, algebra):
                real = [*self._plausible(start, algebra), condition]
                base = [*real, outside]
                finding = self._search(start, family, algebra, way, base)
                if finding is None and start != "egress":
                    finding = self._search_replies(start, family, algebra, way, base)
                if finding is None:
                    finding = self._rewritten(start, family, algebra, way, real)
                if finding is not None:
                    findings.append(finding)
        return findings

    def layers(self, known: set[str]) -> list[Finding]:
        """What only the egress chain still stops, and what the input chain lets in from outside."""
        findings: list[Finding] = []
        for start, without in (("output", "egress"), ("forward", "egress"), ("input", "")):
            algebra, way = self._first(start) if start == "input" else self._ways[start]
            if without:
                way = replace(way, accept=way.inner)
            outside = self.allowed.formula() if start != "input" else self.allowed.inbound()
            base = [*self._plausible(start, algebra), algebra.inverse(algebra.value(outside)).must]
            for family, condition in self._families(start, algebra):
                if f"nft-{start}-{family}" not in known:
                    finding = self._search(start, family, algebra, way, [*base, condition], without)
                    findings += [finding] if finding is not None else []
        return findings

    def _first(self, opening: str) -> tuple[Symbolic, Way]:
        """All first packets that come in, walked once for both families."""
        if opening not in self._openings:
            before = Symbolic(WIDTHS, suffix="@before")
            self._openings[opening] = before, self.model.way(opening, before)
        return self._openings[opening]

    def usable(self, formula: Formula) -> bool:
        """Whether some packet that the formula describes can leave."""
        algebra = Symbolic(WIDTHS)
        way = self.model.way("output", algebra)
        solver = z3.Solver()
        solver.add(*self._plausible("output", algebra), algebra.value(formula).must, way.accept.may)
        return bool(solver.check() == z3.sat)

    def _families(self, start: str, algebra: Symbolic) -> list[tuple[str, Any]]:
        wire = algebra.variable("wire")
        found = [("ip4", wire == ETHERTYPE["ip"]), ("ip6", wire == ETHERTYPE["ip6"])]
        if start == "egress":
            found.append(("other", z3.And(*(wire != value for value in ETHERTYPE.values()))))
        return found

    def _plausible(self, start: str, algebra: Symbolic) -> list[Any]:
        """What holds of every packet that really starts there."""
        var = algebra.variable
        links = [self.model.interfaces.index(name) + 1 for name in self.model.uplinks]
        facts = [
            z3.Or(*(var("oif") == number for number in links)),
            z3.Or(*(var("ct.state") == value for value in (CT_INVALID, CT_ESTABLISHED, CT_RELATED, CT_NEW, CT_UNTRACKED))),
            z3.Implies(
                z3.And(var("protocol") == ETHERTYPE["ip6"], var("l4proto") == L4["icmpv6"], self._in("icmpv6.type", algebra)),
                var("ct.state") == CT_UNTRACKED,
            ),
            z3.Implies(var("protocol") == ETHERTYPE["ip"], (var("fragment") == 1) == ((var("ip.frag-off") & 0x1FFF) != 0)),
            # A next header that is not the transport protocol is an extension header.
            z3.Or(var("ip6.nexthdr") == var("l4proto"), *(var("ip6.nexthdr") == value for value in (0, 43, 44, 50, 51, 60, 135, 139, 140))),
        ]
        if start == "input":
            facts[0] = var("oif") == 0
        if start != "egress":
            facts.append(var("wire") == var("protocol"))
            facts.append(var("parsed") == 1)
            facts.append(z3.Or(var("wire") == ETHERTYPE["ip"], var("wire") == ETHERTYPE["ip6"]))
        # A locally made packet came by no link; a forwarded one by any but lo.
        arrived = z3.And(var("iif") > 0, var("iif") != self.model.interfaces.index("lo") + 1)
        facts.append(arrived if start in ("forward", "input") else var("iif") == 0)
        return facts

    @staticmethod
    def _in(name: str, algebra: Symbolic) -> Any:
        return z3.Or(*(algebra.variable(name) == value for value in UNTRACKED_ICMPV6))

    def _search(self, start: str, family: str, algebra: Symbolic, way: Way, base: list[Any], without: str = "") -> Finding | None:
        """A packet that starts something: no earlier packet was needed."""
        state = algebra.variable("ct.state")
        first = z3.Or(*(state == value for value in STARTS))
        return self._ask(start, family, algebra, way, [*base, first], "layer" if without else "", way.accept)

    def _search_replies(self, start: str, family: str, algebra: Symbolic, way: Way, base: list[Any]) -> Finding | None:
        """A reply, or an error about a packet, to someone outside who could send a first packet in."""
        opening = "forward" if start == "forward" else "input"
        before, came = self._first(opening)
        mine, theirs = algebra.variable, before.variable
        earlier = [
            *self._plausible(opening, before),
            theirs("ct.state") == CT_NEW,
            theirs("wire") == mine("wire"),
            theirs("ip.saddr") == mine("ip.daddr"),
            theirs("ip6.saddr") == mine("ip6.daddr"),
        ]
        same = [
            theirs("ip.daddr") == mine("ip.saddr"),
            theirs("ip6.daddr") == mine("ip6.saddr"),
            theirs("l4proto") == mine("l4proto"),
            theirs("sport") == mine("dport"),
            theirs("dport") == mine("sport"),
        ]
        reply = [mine("ct.state") == CT_ESTABLISHED, mine("ct.direction") == 1]
        finding = self._ask(start, family, algebra, way, [*base, *earlier, *same, *reply], "reply", algebra.both(way.accept, came.accept))
        if finding is None:
            noticed = algebra.any(came.accept, came.reject)
            related = [mine("ct.state") == CT_RELATED]
            finding = self._ask(start, family, algebra, way, [*base, *earlier, *related], "related", algebra.both(way.accept, noticed))
        return finding

    def _ask(self, start: str, family: str, algebra: Symbolic, way: Way, base: list[Any], what: str, leaves: Kleene[Any]) -> Finding | None:
        name = f"nft-{_short(start)}-{family}{'-' + what if what else ''}"
        tainted = z3.Or(*(taint.may for taint, _ in way.taints)) if way.taints else z3.BoolVal(False)
        certain = self._witness(start, algebra, [*base, leaves.must, z3.Not(tainted)])
        if certain is not None:
            return self._finding(name, start, certain, Verdict.FAIL, what)
        # Where nothing on the way is in doubt, what must not leave may not either.
        doubtful = None if leaves.must is leaves.may and not way.taints else self._witness(start, algebra, [*base, leaves.may])
        if doubtful is not None:
            return self._finding(name, start, doubtful, Verdict.NOT_PROVEN, what)
        return None

    def _rewritten(self, start: str, family: str, algebra: Symbolic, way: Way, base: list[Any]) -> Finding | None:
        """A packet, wherever it is for, that a rule may send elsewhere."""
        if not way.taints:
            return None
        witness = self._witness(start, algebra, [*base, z3.Or(*(taint.may for taint, _ in way.taints))])
        name = f"nft-{_short(start)}-{family}-rewritten"
        return None if witness is None else self._finding(name, start, witness, Verdict.NOT_PROVEN, "")

    def _witness(self, start: str, algebra: Symbolic, constraints: list[Any]) -> Witness | None:
        solver = z3.Solver()
        solver.set("timeout", 20_000)
        solver.add(*constraints)
        answer = solver.check()
        if answer == z3.unsat:
            return None
        return minimise(solver, algebra, self.allowed, self.model, start) if answer == z3.sat else Witness({}, solved=False)

    def _finding(self, name: str, start: str, witness: Witness, verdict: Verdict, what: str) -> Finding:
        if not witness.solved:
            return Finding(name, self.allowed.segment, Verdict.NOT_PROVEN, "the solver did not decide within its time")
        _, trace, reasons = self.model.decide(start, witness.values, "egress" if what == "layer" else "")
        links = [self.model.interfaces[witness.values["oif"] - 1]] if 0 < witness.values.get("oif", 0) <= len(self.model.interfaces) else []
        path = [SOURCES[start], *map(str, trace), *(f"link {link}" for link in links)]
        if not trace:
            path.insert(1, "no base chain is in its way")
        if verdict is Verdict.FAIL:
            reason = f"{SOURCES[start]} {SAID[what] if start != 'input' else SAID['input']}"
        else:
            reason = f"not decided: {'; '.join(reasons) or 'a rule the model cannot follow'}"
        return Finding(name, self.allowed.segment, verdict, reason, describe(witness.values), tuple(path))


def _short(start: str) -> str:
    return "raw" if start == "egress" else start
