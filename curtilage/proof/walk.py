"""Walks a packet, or all packets, through the chains of a hook as the kernel does.

Within a base chain rules run in order; a verdict ends the chain, ``return`` and the end of a jumped-to chain go back, ``goto`` does not
come back. Accept in one base chain goes on to the next by priority; drop anywhere is final.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from curtilage.proof.expressions import Expressions, Undecided
from curtilage.proof.fields import CT_NEW, CT_RELATED, ETHERTYPE
from curtilage.proof.formula import TRUE, Algebra, All, B, Either, Formula, Kleene, Unknown, equals, one_of
from curtilage.proof.ruleset import Chain, Rule, Ruleset, Stage

HARMLESS = frozenset({"counter", "log", "notrack", "last", "comment"})
"""Statements that decide nothing."""
MAYBE = {
    "limit": "a rate limit",
    "quota": "a quota",
    "ct count": "a limit of connections",
    "connlimit": "a limit of connections",
    "socket": "a socket lookup",
    "meter": "a meter",
}
"""Statements that match or not by a state which no packet shows."""
REWRITES = {
    "snat": "source address translation",
    "dnat": "destination address translation",
    "masquerade": "masquerading",
    "redirect": "redirection",
    "tproxy": "a transparent proxy",
    "dup": "a copy of the packet to another destination",
    "fwd": "a hand-over to another link",
    "flow": "a flow table, which passes later packets around the hooks",
    "ct helper": "a connection tracking helper, which expects further connections",
    "ct timeout": "a connection tracking timeout",
    "ct expectation": "an expected connection",
    "synproxy": "a SYN proxy",
    "tunnel": "a tunnel",
    "secmark": "a security mark",
}
"""Statements after which the packet, or a copy, is not the one the model knows."""
HARMLESS_MANGLE = frozenset({"mark", "priority", "nftrace", "pkttype"})

FAMILIES: dict[str, Formula] = {
    "inet": one_of("protocol", (ETHERTYPE["ip"], ETHERTYPE["ip6"])),
    "ip": equals("protocol", ETHERTYPE["ip"]),
    "ip6": equals("protocol", ETHERTYPE["ip6"]),
    "arp": equals("protocol", ETHERTYPE["arp"]),
    "netdev": TRUE,
    "bridge": TRUE,
}

OPENS = All((one_of("ct.state", (CT_NEW, CT_RELATED)), Unknown("whether a chain of type nat is run for a packet")))
"""What a chain of type nat may be run for: a connection's first packet (nf_nat_inet_fn), and not even that where nothing tracks them."""


@dataclass(frozen=True)
class Step:
    """One decision on a concrete packet's way."""

    chain: Chain
    rule: Rule | None
    verdict: str

    def __str__(self) -> str:
        where = f"rule handle {self.rule.handle} `{self.rule.text}`" if self.rule else f"policy {self.chain.policy}"
        return f"{self.chain.title}: {where} -> {self.verdict}"


@dataclass
class Outcome(Generic[B]):
    """Where packets that enter a chain come out."""

    accept: Kleene[B]
    drop: Kleene[B]
    back: Kleene[B]
    reject: Kleene[B]
    taints: list[tuple[Kleene[B], str]] = field(default_factory=list)


@dataclass
class Walker(Generic[B]):
    """Decides hooks of one ruleset over one algebra."""

    ruleset: Ruleset
    algebra: Algebra[B]
    interfaces: Sequence[str]
    trace: list[Step] | None = None
    _done: dict[tuple[str, str, str, Stage], Outcome[B]] = field(default_factory=dict)
    formulas: dict[tuple[int, Stage], Formula] = field(default_factory=dict)

    def hook(self, name: str, reach: Kleene[B], families: Sequence[str] = ("inet", "ip", "ip6", "arp", "netdev")) -> Outcome[B]:
        """Every base chain of a hook in turn, for packets under ``reach``."""
        algebra = self.algebra
        total = Outcome(reach, algebra.false, algebra.false, algebra.false)
        for chain in self.ruleset.base_chains(name):
            if chain.family not in families:
                continue
            applies = self._value(self._applies(chain, name))
            entering = algebra.both(total.accept, applies)
            if algebra.never(entering):
                continue
            found = self._chain(chain, Stage.of(name, chain), entering)
            around = algebra.both(total.accept, algebra.inverse(applies))
            kept, ended = (found.accept, found.back) if chain.policy == "accept" else (found.accept, algebra.false)
            if self.trace is not None and not algebra.never(found.back):
                self.trace.append(Step(chain, None, chain.policy))
            through = algebra.any(kept, ended)
            total.accept = algebra.any(around, through)
            total.drop = algebra.any(total.drop, found.drop if chain.policy == "accept" else algebra.any(found.drop, found.back))
            total.reject = algebra.any(total.reject, found.reject)
            total.taints += found.taints
        return total

    def _applies(self, chain: Chain, hook: str) -> Formula:
        if chain.family == "netdev" or hook == "ingress":
            side = "oif" if hook == "egress" else "iif"
            numbers = tuple(number for number, name in enumerate(self.interfaces, start=1) if name in chain.devices)
            return one_of(side, numbers)
        return All((FAMILIES[chain.family], OPENS)) if chain.kind == "nat" else FAMILIES[chain.family]

    def _value(self, formula: Formula) -> Kleene[B]:
        return self.algebra.value(formula)

    def _chain(self, chain: Chain, stage: Stage, reach: Kleene[B]) -> Outcome[B]:
        """A chain for packets under ``reach``. All packets at once: walked once and reused, so that many jumps cost no more than one."""
        if self.trace is not None:
            return self._rules(chain, stage, reach)
        key = (chain.family, chain.table, chain.name, stage)
        if key not in self._done:
            self._done[key] = self._rules(chain, stage, self.algebra.true)
        once, both = self._done[key], self.algebra.both
        return Outcome(
            both(reach, once.accept),
            both(reach, once.drop),
            both(reach, once.back),
            both(reach, once.reject),
            [(both(reach, taint), reason) for taint, reason in once.taints],
        )

    def _rules(self, chain: Chain, stage: Stage, reach: Kleene[B]) -> Outcome[B]:
        algebra = self.algebra
        outcome = Outcome(algebra.false, algebra.false, algebra.false, algebra.false)
        for rule in chain.rules:
            if algebra.never(reach):
                break
            reach = self._rule(chain, rule, stage, reach, outcome)
        outcome.back = algebra.any(outcome.back, reach)
        return outcome

    def _rule(self, chain: Chain, rule: Rule, stage: Stage, reach: Kleene[B], outcome: Outcome[B]) -> Kleene[B]:
        """One rule; returns which packets go on to the next."""
        algebra = self.algebra
        expressions = Expressions(self.ruleset, self.interfaces, chain, stage, by_wire=rule.by_wire)
        on = algebra.false
        for statement in rule.statements:
            ((kind, body),) = statement.items()
            if kind in HARMLESS:
                continue
            if kind == "match":
                holds = self._value(self._formula(expressions, rule, stage, body))
                on = algebra.any(on, algebra.both(reach, algebra.inverse(holds)))
                reach = algebra.both(reach, holds)
            elif kind == "vmap":
                broken, going = self._vmap(expressions, chain, rule, stage, body, reach, outcome)
                on, reach = algebra.any(on, broken), going
            elif kind in MAYBE:
                holds = algebra.unknown(Unknown(f"{chain.title} handle {rule.handle}: {MAYBE[kind]}"))
                on = algebra.any(on, algebra.both(reach, algebra.inverse(holds)))
                reach = algebra.both(reach, holds)
            elif kind in ("set", "map"):
                # Adding to a full set breaks the rule; whether it is full is not known.
                holds = algebra.unknown(Unknown(f"{chain.title} handle {rule.handle}: room in a set"))
                on = algebra.any(on, algebra.both(reach, algebra.inverse(holds)))
                reach = algebra.both(reach, holds)
            elif kind == "mangle":
                self._mangle(chain, rule, stage, body, reach, outcome)
            elif kind in REWRITES:
                outcome.taints.append((reach, f"{chain.title} handle {rule.handle}: {REWRITES[kind]}"))
                if kind in ("snat", "dnat", "masquerade", "redirect"):
                    self._note(chain, rule, kind, reach)
                    outcome.accept, reach = algebra.any(outcome.accept, reach), algebra.false
            else:
                reach, more = self._verdict(chain, rule, stage, kind, body, reach, outcome)
                on = algebra.any(on, more)
            if algebra.never(reach):
                break
        return algebra.any(on, reach)

    def _formula(self, expressions: Expressions, rule: Rule, stage: Stage, body: Mapping[str, Any]) -> Formula:
        key = (id(body), stage)
        if key not in self.formulas:
            formula = expressions.match(dict(body))
            if isinstance(formula, Unknown):
                formula = Unknown(f"{expressions.chain.title} handle {rule.handle}: {formula.reason}")
            self.formulas[key] = formula
        return self.formulas[key]

    def _vmap(
        self,
        expressions: Expressions,
        chain: Chain,
        rule: Rule,
        stage: Stage,
        body: Mapping[str, Any],
        reach: Kleene[B],
        outcome: Outcome[B],
    ) -> tuple[Kleene[B], Kleene[B]]:
        """A verdict map: returns the packets that no element matches, and those that go on within the rule."""
        algebra = self.algebra
        try:
            entries = list(expressions.entries(body["key"], body["data"]))
        except Undecided as undecided:
            self._undecided(chain, rule, str(undecided), reach, outcome)
            return algebra.doubt(reach), algebra.false
        going = algebra.false
        unmatched = algebra.both(reach, algebra.inverse(self._value(Either(tuple(condition for condition, _ in entries)))))
        for condition, verdict in entries:
            hit = algebra.both(reach, self._value(condition))
            if algebra.never(hit):
                continue
            ((kind, target),) = verdict.items()
            rest, on = self._verdict(chain, rule, stage, kind, target, hit, outcome)
            unmatched = algebra.any(unmatched, on)
            going = algebra.any(going, rest)
        return unmatched, going

    def _verdict(
        self, chain: Chain, rule: Rule, stage: Stage, kind: str, body: Any, reach: Kleene[B], outcome: Outcome[B]
    ) -> tuple[Kleene[B], Kleene[B]]:
        """A verdict: returns what goes on within the rule, and what goes on to the next rule."""
        algebra = self.algebra
        nothing = algebra.false
        if kind in ("accept", "drop", "return", "continue"):
            if kind != "continue":
                self._note(chain, rule, kind, reach)
            if kind == "accept":
                outcome.accept = algebra.any(outcome.accept, reach)
            elif kind == "drop":
                outcome.drop = algebra.any(outcome.drop, reach)
            elif kind == "return":
                outcome.back = algebra.any(outcome.back, reach)
            return (reach, nothing) if kind == "continue" else (nothing, nothing)
        if kind == "reject":
            self._note(chain, rule, kind, reach)
            outcome.drop = algebra.any(outcome.drop, reach)
            outcome.reject = algebra.any(outcome.reject, reach)
            if stage.hook == "ingress":
                outcome.taints.append((reach, f"{chain.title} handle {rule.handle}: an answer that goes straight to the link"))
            return nothing, nothing
        if kind in ("jump", "goto"):
            target = self.ruleset.chains[chain.family, chain.table, body["target"]]
            self._note(chain, rule, f"{kind} {target.name}", reach)
            found = self._chain(target, stage, reach)
            outcome.accept = algebra.any(outcome.accept, found.accept)
            outcome.drop = algebra.any(outcome.drop, found.drop)
            outcome.reject = algebra.any(outcome.reject, found.reject)
            outcome.taints += found.taints
            if kind == "goto":
                outcome.back = algebra.any(outcome.back, found.back)
                return nothing, nothing
            return nothing, found.back
        reason = "a queue: a program in user space decides" if kind == "queue" else f"statement '{kind}'"
        self._undecided(chain, rule, reason, reach, outcome)
        return nothing, nothing if kind == "queue" else algebra.doubt(reach)

    def _undecided(self, chain: Chain, rule: Rule, reason: str, reach: Kleene[B], outcome: Outcome[B]) -> None:
        """Packets whose verdict the model cannot tell, and which may no longer be what they were."""
        algebra = self.algebra
        algebra.unknown(Unknown(f"{chain.title} handle {rule.handle}: {reason}"))
        outcome.accept = algebra.any(outcome.accept, algebra.doubt(reach))
        outcome.drop = algebra.any(outcome.drop, algebra.doubt(reach))
        outcome.taints.append((reach, f"{chain.title} handle {rule.handle}: {reason}"))

    def _mangle(self, chain: Chain, rule: Rule, stage: Stage, body: Any, reach: Kleene[B], outcome: Outcome[B]) -> None:
        key = body.get("key", {})
        name = (key.get("meta") or key.get("ct") or {}).get("key") if isinstance(key, dict) else None
        if name not in HARMLESS_MANGLE or (name == "mark" and stage.kind == "route"):
            outcome.taints.append((reach, f"{chain.title} handle {rule.handle}: it rewrites {name or next(iter(key), 'the packet')}"))

    def _note(self, chain: Chain, rule: Rule, verdict: str, reach: Kleene[B]) -> None:
        if self.trace is not None and not self.algebra.never(reach):
            self.trace.append(Step(chain, rule, verdict))
