"""The way back: what the model said, with personal data it was not given taken out and the caller's own values put back.

Unary and streamed answers go through the same guard, so there is no path on which one is checked and the other is not. On a stream the
guard holds back only what a later chunk could turn into a find: the last word, the digit groups before it, a half-written placeholder.
Finds are judged with the text before them as context, also when that has left already; of a spelled-out address ("bob (at) …") the name
may have left when the rest is recognised, and the rest is taken out.
"""

from __future__ import annotations

from collections import Counter

from curtilage.sanitize.people_tokens import is_small_word, may_be_name
from curtilage.sanitize.placeholders import Vault, unfinished_placeholder
from curtilage.sanitize.sanitizer import Sanitizer

_CONTEXT = 96
_LONGEST_WORD = 320
_HELD_WORDS = 10
_SHORT_WORD = 12


class TextGuard:
    """Guards one text channel of one answer.

    Args:
        sanitizer: the rules, the same as on the way in.
        vault: the call's placeholders.
        personal_data: whether personal data in the answer is taken out (secrets always are).
        counts: what was taken out, by class.
        in_json: the channel carries the source of a JSON document (tool arguments).
    """

    def __init__(self, sanitizer: Sanitizer, vault: Vault, *, personal_data: bool, counts: Counter[str], in_json: bool = False) -> None:
        self._sanitizer, self._vault = sanitizer, vault
        self._personal_data, self._counts, self._in_json = personal_data, counts, in_json
        self._context = self._held = ""

    def push(self, text: str) -> str:
        """What may leave now that this text has come."""
        self._held += text
        return self._release(self._safe_length(self._held))

    def hold(self, text: str) -> str:
        """Nothing leaves yet: more of the same channel has come with this text, and is pushed next."""
        self._held += text
        return ""

    def flush(self) -> str:
        """Everything that is left: the channel is complete."""
        return self._release(len(self._held))

    def whole(self, text: str) -> str:
        """A complete text in one go."""
        return self.push(text) + self.flush()

    @staticmethod
    def _safe_length(text: str) -> int:
        length = len(text)
        cut = max(text.rfind(" "), text.rfind("\n")) + 1
        start, plain = cut, 0
        for _ in range(_HELD_WORDS):
            if not start:
                break
            end, start = start, max(text.rfind(" ", 0, start - 1), text.rfind("\n", 0, start - 1)) + 1
            word = text[start:end].strip()
            # Digit groups, file numbers and spelled-out addresses go on after a space: "DE89 3704 …", "12 O 345/21".
            # So do names: "Anna Maria Schmidt".
            if word.isupper() or may_be_name(word) or any(char.isdigit() or char in "@+([{" for char in word) or "." in word[1:-1]:
                cut, plain = start, 0
            elif is_small_word(word):
                continue  # "Mathilde de la …": what stands before them decides
            elif len(word) > _SHORT_WORD or (plain := plain + 1) > 1:
                break
        cut = min(cut, unfinished_placeholder(text))
        return cut if length - cut <= _LONGEST_WORD else length

    def _release(self, cut: int) -> str:
        if not self._held or not cut:
            return ""
        offset = len(self._context)
        text = self._context + self._held
        pieces: list[str] = []
        position, end = offset, offset + cut
        for type_, start, stop in self._sanitizer.spans(text, self._personal_data):
            if stop <= position:
                continue
            if start >= end:
                break
            if stop > end:  # it goes on in what is held: hold all of it
                end = max(start, offset)
                break
            start = max(start, position)
            self._counts[type_] += 1
            pieces += (text[position:start], f"[{type_}_REMOVED]")
            position = stop
        pieces.append(text[position:end])
        self._context = text[max(0, end - _CONTEXT) : end]
        self._held = text[end:]
        return self._vault.restore("".join(pieces), in_json=self._in_json)
